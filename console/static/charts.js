// A service's traffic over time.

import { call } from "./api.js";
import { rate, share, latency, whole, clock } from "./figure.js";
import { plot } from "./plot.js";

const points = 300;
const shortest = 120; // seconds that a young system's charts span at least
const reload = 30_000; // until then, seconds of the stream stand at the end

/** What each chart draws: a figure of a sample, its name, its colour. */
const lines = {
  rate: [{ name: "now", of: (s) => s.rate, say: rate, color: "ink", fill: true }],
  latency: [
    { name: "p50", of: (s) => s.p50 || null, say: latency, color: "soft" },
    { name: "p99", of: (s) => s.p99 || null, say: latency, color: "ink" },
  ],
  errors: [{ name: "of all", of: (s) => (s.rate ? s.errors : null), say: share, color: "bad-ink", fill: true }],
  in_flight: [{ name: "requests", of: (s) => s.in_flight, say: whole, color: "ink", fill: true }],
};

export function startCharts(body, path) {
  const charts = [...body.querySelectorAll("[data-chart]")].map(chart);
  let samples = [], minutes = 15, timer;

  function draw() {
    const end = samples.length ? seconds1(samples.at(-1)) : Date.now() / 1000;
    const first = end - minutes * 60;
    const begin = samples.length ? Math.max(first, Math.min(seconds1(samples[0]), end - shortest)) : first;
    samples = samples.filter((s) => seconds1(s) >= first);
    for (const c of charts) c.draw(samples, begin, end);
  }

  async function fetchPast() {
    clearTimeout(timer);
    timer = setTimeout(fetchPast, reload);
    if (document.hidden) return;
    try {
      const series = await call("GET", `${path}/series?minutes=${minutes}&points=${points}`);
      samples = series.samples;
      draw();
    } catch {
      // What is drawn stays; the banner says when the control plane is lost.
    }
  }

  for (const button of body.querySelectorAll("[data-minutes]")) {
    button.onclick = () => {
      minutes = Number(button.dataset.minutes);
      for (const b of body.querySelectorAll("[data-minutes]")) b.setAttribute("aria-pressed", b === button);
      fetchPast();
    };
  }
  document.addEventListener("visibilitychange", () => document.hidden || fetchPast());
  document.addEventListener("themechange", () => charts.forEach((c) => c.repaint()));
  fetchPast();
  return {
    add(sample) {
      if (samples.length && seconds1(sample) <= seconds1(samples.at(-1))) return;
      samples.push(sample);
      draw();
    },
  };
}

/** What a vertical axis shows at least, so that little does not look like much. */
const least = { rate: 1, latency: 0.001, errors: 0.01, in_flight: 2 };
const marks = { in_flight: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] };

const minutesOfDay = {
  values: (u, at) => at.map((s) => new Date(s * 1000).toTimeString().slice(0, 5)),
  incrs: [60, 180, 300, 600, 900, 1200],
  space: 60,
};

const seconds1 = (sample) => Date.parse(sample.at) / 1000;

function chart(/** @type {HTMLElement} */ figure) {
  const name = figure.dataset.chart;
  const when = (s) => clock(new Date(s * 1000));
  const p = plot(figure, { lines: lines[name], least: least[name], marks: marks[name], x: minutesOfDay, time: true, when, sync: "traffic" });
  return {
    draw(samples, begin, end) {
      const quiet = samples.some((s) => s.rate > 0) ? "" : "No requests in this time";
      p.draw(samples.map(seconds1), lines[name].map((line) => samples.map(line.of)), begin, end, quiet);
    },
    repaint: p.repaint,
  };
}
