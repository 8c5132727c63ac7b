// Load tests that run: their figures and charts, second by second.

import { call, servicePath } from "./api.js";
import { write } from "./cells.js";
import { rate, share, seconds, stopwatch, none } from "./figure.js";
import { plot } from "./plot.js";

const first = 30; // seconds that a chart spans at least where nobody knows the end

const latency = [
  { name: "p50", of: (s) => (s.warmup ? null : s.p50 || null), say: seconds, color: "soft" },
  { name: "p99", of: (s) => (s.warmup ? null : s.p99 || null), say: seconds, color: "ink" },
];
const reached = { name: "reached", of: (s) => (s.warmup ? null : s.rate), say: rate, color: "ink", fill: true };
const planned = { name: "planned", of: (s) => (s.warmup ? null : s.planned), say: rate, color: "soft" };

const x = { values: (u, at) => at.map(stopwatch), incrs: [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200], space: 60 };

export function load(/** @type {HTMLElement} */ body) {
  const shown = new Map();
  let latest = [];

  function find() {
    for (const section of body.querySelectorAll("[data-live]")) {
      if (!shown.has(section.dataset.key)) shown.set(section.dataset.key, liveTest(section));
    }
    show();
    for (const [id, test] of shown) if (!test.section.isConnected) shown.delete(id);
  }

  const show = () => latest.map((t) => shown.get(t.id)?.take(t)).includes(true);

  find();
  document.addEventListener("themechange", () => shown.forEach((test) => test.repaint()));
  return {
    /** Takes the tests that run; true when one has more to show than its figures. */
    loads(tests) {
      latest = tests;
      return show();
    },
    refreshed: find,
  };
}

/** One test's part of the page. */
function liveTest(/** @type {HTMLElement} */ section) {
  const { key: id, environment, service } = section.dataset;
  const total = Number(section.dataset.total);
  let charts, points = [];

  function draw() {
    const end = Math.max(total || first, points.at(-1)?.at ?? 0);
    for (const c of charts) c.draw(points, end);
  }

  /** What is over already; what came meanwhile stays behind it. */
  async function past() {
    try {
      const tests = await call("GET", servicePath(environment, service) + "/loads/live");
      const over = tests.find((t) => t.id === id)?.seconds ?? [];
      points = [...over, ...points.filter((p) => p.at > (over.at(-1)?.at ?? 0))];
    } catch {
      // The chart begins with what the stream tells.
    }
    if (charts) draw();
  }

  function take(t) {
    const fresh = t.last.at > (points.at(-1)?.at ?? 0);
    if (fresh) points.push(t.last);
    const begun = !charts;
    charts ||= makeCharts(section, t.last.planned > 0 || t.model === "open");
    if (fresh || begun) draw();
    figures(section, t);
    return standing(section, t.thresholds ?? []);
  }

  past();
  return { section, take, repaint: () => charts?.forEach((c) => c.repaint()) };
}

/** The charts are made when it is known whether a rate is planned. */
function makeCharts(section, open) {
  const lines = { rate: open ? [planned, reached] : [reached], latency };
  return [...section.querySelectorAll("[data-chart]")].map((figure) => {
    const of = lines[figure.dataset.chart];
    const least = figure.dataset.chart === "rate" ? 1 : 0.001;
    const p = plot(figure, { lines: of, least, x, when: stopwatch, sync: "load " + section.dataset.key, end: 24 });
    return {
      draw: (points, end) => p.draw(points.map((s) => s.at), of.map((line) => points.map(line.of)), 0, end, points.some((s) => !s.warmup) ? "" : points.length ? "Warm-up: nothing counts yet" : "It has just begun"),
      repaint: p.repaint,
    };
  });
}

function figures(section, t) {
  const cell = (name) => section.querySelector(`[data-f="${name}"]`);
  const put = (name, text) => {
    const c = cell(name);
    if (!c) return;
    c.figure = text;
    write(c, text);
  };
  if (t.last.at > 0) rated(cell("reached"), t.last);
  put("errors", t.requests ? share(t.errors) : none);
  put("p50", seconds(t.p50));
  put("p99", seconds(t.p99));
  put("lag", seconds(t.lag));
  put("left", stopwatch(t.total ? Math.max(0, t.total - t.elapsed) : t.elapsed));
  put("phase", t.phase ? ", " + t.phase : "");
  if (t.total) {
    put("course", `${stopwatch(t.elapsed)} of ${stopwatch(t.total)}`);
    section.querySelector("progress").value = t.elapsed / t.total;
  }
  const spoiled = cell("void");
  spoiled.hidden = !t.void_reason;
  write(spoiled, t.void_reason ? (t.state === "ended" ? "Void: " : "Void if it ended now: ") + t.void_reason : "");
}

/** The rate that was reached, with the one that was planned. */
function rated(cell, last) {
  const of = last.planned ? " of " + rate(last.planned) : "";
  if (!cell.querySelector("small")) {
    cell.textContent = none;
    cell.append(document.createElement("small"));
  }
  write(cell, last.warmup ? none : rate(last.rate));
  write(cell.querySelector("small"), of);
  cell.figure = last.rate;
}

/** Thresholds as they stand; true when the page does not have them yet. */
function standing(section, thresholds) {
  const items = section.querySelectorAll(".standing li");
  if (items.length !== thresholds.length) return true;
  thresholds.forEach((t, i) => {
    const [pill, value] = items[i].children;
    pill.className = "pill " + (t.ok ? "go" : "stop");
    const say = t.threshold.startsWith("errors") ? share : t.threshold.startsWith("rate") ? (v) => rate(v) + "/s" : seconds;
    write(value, say(t.value));
  });
  return false;
}
