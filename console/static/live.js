// Keeps the page as the control plane has it: figures every second, and the
// page anew when something else has changed.

import { follow } from "./stream.js";
import { load, morph } from "./morph.js";
import { headers } from "./api.js";
import { clock } from "./figure.js";

const volatile = new Set(["traffic", "in_flight", "cpu", "memory"]);
const patience = 1_500; // of silence before the page says so
const pace = 1_000; // between two refreshes

/** What a status says but for figures that always move. */
const gist = (status) => JSON.stringify(status, (name, value) => (volatile.has(name) ? undefined : value));

/** Writes every time in the reader's own time zone. */
export function localTimes(/** @type {ParentNode} */ root) {
  for (const time of root.querySelectorAll("time[datetime]")) time.textContent = clock(new Date(time.dateTime));
}

/** Tells whether a page has other modules than this one: of another kind, or of another version. */
function another(next) {
  const modules = (page) => page.body.dataset.page + page.querySelector("script[type=module]").getAttribute("src");
  return modules(next) !== modules(document);
}

/** The load tests that the page shows. */
const marks = () => [...document.querySelectorAll("[data-load]")].map((e) => e.dataset.load).join();

/**
 * @param {{samples?: (samples: Object<string, object>) => void, refreshed?: () => void, loads?: (tests: object[]) => boolean,
 *   events?: boolean, refused: () => void}} page
 */
export function keepLive(page) {
  let last, due, tested, running = false, dirty = false;

  async function refresh() {
    due = undefined;
    running = true;
    dirty = false;
    try {
      const { status, page: next } = await load(location.href, headers());
      if (status === 401) return page.refused();
      if (status >= 500) return; // what is shown is older, but more
      if (another(next)) return location.reload();
      localTimes(next);
      document.title = next.title;
      for (const part of ["header", "main", "#index"]) morph(document.querySelector(part), next.querySelector(part));
      page.refreshed?.();
    } catch {
      dirty = true; // the stream tells when the control plane is there again
    } finally {
      running = false;
      if (dirty && !document.body.classList.contains("lost")) soon();
    }
  }

  function soon() {
    dirty = true;
    if (!due && !running) due = setTimeout(refresh, pace / 4 + Math.max(0, pace - (Date.now() - (soon.last || 0))));
    soon.last = Date.now();
  }

  const handle = {
    status(data) {
      const now = gist(data);
      if (last !== undefined && now !== last) soon();
      last = now;
    },
    samples: (data) => page.samples?.(data),
    event: () => page.events !== false && soon(),
    load(tests) {
      const now = tests.map((t) => `${t.id} ${t.state}`).join();
      if (page.loads?.(tests) || (tested ?? marks()) !== now) soon();
      tested = now;
    },
  };

  const connection = connectionBanner(soon);
  const stream = follow("/api/v1/stream", {
    event: ({ name, data }) => handle[name]?.(JSON.parse(data)),
    opened: connection.found,
    lost: (why) => (why.status === 401 ? page.refused() : connection.lost()),
  });
  return { refresh: soon, again: stream.again };
}

/** Says when the control plane is gone, and stops saying so. */
function connectionBanner(returned) {
  const banner = document.querySelector("#banner");
  let timer, at;
  return {
    lost() {
      if (document.hidden) return;
      at ||= new Date();
      timer ||= setTimeout(() => {
        banner.textContent = `Lost the control plane at ${clock(at)}; the services serve on. Trying again.`;
        banner.hidden = false;
        document.body.classList.add("lost");
        for (const button of document.querySelectorAll("[data-action]")) button.disabled = true;
      }, patience);
    },
    found() {
      clearTimeout(timer);
      if (document.body.classList.contains("lost")) {
        document.body.classList.remove("lost");
        banner.hidden = true;
        for (const button of document.querySelectorAll("[data-action]")) button.disabled = false;
      }
      if (at) returned();
      timer = at = undefined;
    },
  };
}
