// The end of a service's log, as it is written.

import { follow } from "./stream.js";

const tail = 200; // lines of each replica to begin with
const most = 2_000; // lines kept in the page

// A terminal's colours are of no use here.
const escapes = /\u001b\[[0-9;?]*[A-Za-z]/g;

export function startLog(body, path) {
  const list = body.querySelector(".log");
  const state = body.querySelector("[data-log-state]");
  const choice = body.querySelector("[data-log-replica]");
  const pause = body.querySelector("[data-log-pause]");
  const wrap = body.querySelector("[data-log-wrap]");
  let waiting = [], paused = false, frame;
  list.dataset.empty = "Nothing has been written yet.";

  const stream = follow(
    () => `${path}/logs?tail=${tail}&follow=true&replica=${encodeURIComponent(choice.value)}`,
    {
      // A stream that comes back begins with the tail again.
      opened: () => {
        waiting = [];
        list.replaceChildren();
        tell();
      },
      event({ name, data }) {
        if (name !== "line") return;
        waiting.push(JSON.parse(data));
        if (waiting.length > most) waiting.shift();
        if (paused) tell();
        else frame ??= requestAnimationFrame(show);
      },
      lost: (why) => (state.textContent = why.status ? why.message : ""),
    },
  );

  function show() {
    frame = undefined;
    const follows = list.scrollHeight - list.scrollTop - list.clientHeight < 24;
    list.append(...waiting.map(line));
    waiting = [];
    while (list.childElementCount > most) list.firstElementChild.remove();
    if (follows) list.scrollTop = list.scrollHeight;
  }

  const tell = () => (state.textContent = paused ? `paused${waiting.length ? `, ${waiting.length} new` : ""}` : "");

  pause.onclick = () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", paused);
    pause.textContent = paused ? "Go on" : "Pause";
    if (!paused) show();
    tell();
  };
  wrap.onchange = () => list.classList.toggle("wrap", wrap.checked);
  choice.onchange = stream.again;

  /** Offers the replicas that the page lists. */
  function replicas() {
    const ids = [...body.querySelectorAll(".replicas tbody tr")].map((row) => row.dataset.key);
    const offered = [...choice.options].slice(1).map((o) => o.value);
    if (ids.join() === offered.join()) return;
    const chosen = choice.value;
    if (chosen && !ids.includes(chosen)) ids.push(chosen);
    choice.replaceChildren(choice.options[0], ...ids.map((id) => new Option(id, id, false, id === chosen)));
  }
  replicas();
  return { replicas };
}

function line({ replica, text }) {
  const item = document.createElement("li");
  const name = document.createElement("b");
  name.textContent = replica;
  const said = document.createElement("span");
  said.textContent = text.replace(escapes, "");
  item.append(name, said);
  return item;
}
