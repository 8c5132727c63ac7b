// Puts figures into the page, touching only cells whose text changes.

import { none, rate, share, latency, whole, cores, bytes } from "./figure.js";

export function write(/** @type {Element} */ element, /** @type {string} */ text) {
  const node = element.firstChild;
  if (!node) element.append(text);
  else if (node.data !== text) node.data = text;
}

const texts = {
  rate: (s) => rate(s.rate),
  errors: (s) => (s.rate ? share(s.errors) : none),
  p50: (s) => latency(s.p50),
  p99: (s) => latency(s.p99),
  in_flight: (s) => whole(s.in_flight),
  cpu: (s) => (s.pid ? cores(s.cpu) : none),
  memory: (s) => bytes(s.memory),
};

/** Cells of an element by the figure that they show. */
const known = new WeakMap();

function cellsOf(element) {
  let cells = known.get(element);
  if (!cells) known.set(element, (cells = [...element.querySelectorAll("[data-f]")].filter((c) => c.dataset.f in texts)));
  return cells;
}

/** Fills the figures of a sample or a replica into an element's cells. */
export function fill(element, figures) {
  for (const cell of cellsOf(element)) {
    const name = cell.dataset.f;
    cell.figure = figures[name];
    write(cell, texts[name](figures));
    if (name === "errors" && cell.tagName === "TD") {
      const bad = figures.errors >= 0.01;
      if (cell.classList.contains("bad") !== bad) cell.classList.toggle("bad", bad);
    }
  }
}

/** All services together: sums, and the slowest one's p99. */
export function total(samples) {
  const sum = { rate: 0, errors: 0, in_flight: 0, p50: 0, p99: 0 };
  for (const s of samples) {
    sum.rate += s.rate;
    sum.errors += s.errors * s.rate;
    sum.in_flight += s.in_flight;
    sum.p99 = Math.max(sum.p99, s.p99);
  }
  if (sum.rate) sum.errors /= sum.rate;
  return sum;
}
