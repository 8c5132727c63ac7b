// Follows a stream of server-sent events. EventSource cannot send a token,
// so this reads the stream of a fetch.

import { open, Refusal } from "./api.js";

const silence = 20_000; // the server says something every 15 s at the latest
const slowest = 5_000;

/**
 * Reads events from a body until it ends.
 * @param {ReadableStream<Uint8Array>} body
 * @param {(event: {name: string, data: string, id: string}) => void} emit
 * @param {() => void} heard called whenever bytes came
 */
async function read(body, emit, heard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = { name: "message", data: [], id: "" };
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (event.data.length) emit({ ...event, data: event.data.join("\n") });
        event = { name: "message", data: [], id: "" };
      }
      const colon = line.indexOf(":");
      if (colon < 1) continue;
      const text = line.slice(colon + 1).replace(/^ /, "");
      const field = line.slice(0, colon);
      if (field === "event") event.name = text;
      else if (field === "data") event.data.push(text);
      else if (field === "id") event.id = text;
    }
  }
}

/**
 * Follows path, comes back by itself when it breaks off, and rests while
 * nobody looks: a browser opens few connections to one place.
 * @param {string | (() => string)} path
 * @param {{event: (e: {name: string, data: string}) => void, opened?: () => void,
 *   lost?: (why: Error) => void}} on
 * @returns {{stop: () => void, again: () => void}}
 */
export function follow(path, on) {
  let controller, timer, watchdog, lastID = "", tries = 0, stopped = false;

  async function run() {
    const mine = (controller = new AbortController());
    const heard = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => mine.abort(new Error("nothing heard")), silence);
    };
    try {
      heard();
      const extra = lastID ? { "Last-Event-ID": lastID } : undefined;
      const response = await open("GET", typeof path === "function" ? path() : path, { signal: mine.signal, extra });
      tries = 0;
      on.opened?.();
      await read(response.body, (e) => {
        if (e.id) lastID = e.id;
        on.event(e);
      }, heard);
      throw new Error("the stream ended");
    } catch (err) {
      if (mine !== controller) return;
      clearTimeout(watchdog);
      on.lost?.(err);
      if (stopped || (err instanceof Refusal && err.status < 500)) return;
      timer = setTimeout(run, Math.min(slowest, 250 * 2 ** tries++) * (0.75 + Math.random() / 2));
    }
  }

  function rest() {
    clearTimeout(timer);
    clearTimeout(watchdog);
    const old = controller;
    controller = undefined;
    old?.abort();
  }

  function again() {
    rest();
    tries = 0;
    if (!stopped) run();
  }

  const look = () => (document.hidden ? rest() : again());
  document.addEventListener("visibilitychange", look);
  if (!document.hidden) run();
  return {
    again,
    stop() {
      stopped = true;
      document.removeEventListener("visibilitychange", look);
      rest();
    },
  };
}
