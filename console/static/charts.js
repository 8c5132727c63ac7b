// A service's traffic over time, drawn by uPlot (a global of its own script).

import { call } from "./api.js";
import { rate, share, seconds, whole, none, clock } from "./figure.js";

const points = 300;
const shortest = 120; // seconds that a young system's charts span at least
const reload = 30_000; // until then, seconds of the stream stand at the end

/** What each chart draws: a figure of a sample, its name, its colour. */
const lines = {
  rate: [{ name: "now", of: (s) => s.rate, say: rate, color: "ink", fill: true }],
  latency: [
    { name: "p50", of: (s) => s.p50 || null, say: seconds, color: "soft" },
    { name: "p99", of: (s) => s.p99 || null, say: seconds, color: "ink" },
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

const seconds1 = (sample) => Date.parse(sample.at) / 1000;

/** The colour that a class or a token has in the theme of now. */
function paint(token) {
  const probe = paint.probe || (paint.probe = document.body.appendChild(document.createElement("i")));
  probe.hidden = true;
  probe.className = token.startsWith("--") ? "" : token;
  probe.style.color = token.startsWith("--") ? `var(${token})` : "";
  return getComputedStyle(probe).color;
}

function chart(/** @type {HTMLElement} */ figure) {
  const kind = lines[figure.dataset.chart];
  const plot = figure.querySelector(".plot");
  const key = figure.querySelector(".key");
  const time = document.createElement("i");
  key.append(time);
  const labels = kind.map((line) => {
    const label = document.createElement("b");
    label.className = line.color;
    key.append(label);
    return label;
  });
  let u; // say is called before there is a chart
  u = new uPlot(options(figure.dataset.chart, plot, say), [[], ...kind.map(() => [])], plot);
  new ResizeObserver(() => u.setSize({ width: plot.clientWidth, height: plot.clientHeight })).observe(plot);

  function say() {
    const under = u?.cursor.idx;
    const at = under ?? u?.data[0].length - 1;
    time.textContent = under == null ? "" : clock(new Date(u.data[0][under] * 1000));
    kind.forEach((line, i) => {
      const value = u?.data[i + 1][at];
      labels[i].textContent = `${line.name} ${value == null ? none : line.say(value)}`;
    });
  }

  return {
    draw(samples, begin, end) {
      u.range = [begin, end];
      u.setData([samples.map(seconds1), ...kind.map((line) => samples.map(line.of))]);
      const quiet = !samples.some((s) => s.rate > 0);
      plot.classList.toggle("quiet", quiet);
      plot.dataset.quiet = quiet ? "No requests in this time" : "";
      say();
    },
    repaint: () => u.redraw(false),
  };
}

/** Points without a neighbour: no line would show them. */
function lonely(u, series) {
  const values = u.data[series];
  return values.flatMap((v, i) => (v != null && values[i - 1] == null && values[i + 1] == null ? [i] : []));
}

function options(name, plot, say) {
  const kind = lines[name];
  const axis = {
    stroke: () => paint("--faint"),
    font: `11px ${getComputedStyle(plot).fontFamily}`,
    ticks: { show: false },
  };
  return {
    width: plot.clientWidth,
    height: plot.clientHeight,
    legend: { show: false },
    padding: [10, 4, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: "traffic" }, points: { size: 6 } },
    hooks: { setCursor: [say] },
    scales: {
      x: { time: true, range: (u, min, max) => u.range ?? [min, max] },
      y: { range: (u, min, max) => [0, Math.max(least[name], max * 1.12)] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 24, values: (u, at) => at.map((s) => new Date(s * 1000).toTimeString().slice(0, 5)), incrs: [60, 180, 300, 600, 900, 1200], space: 60 },
      { ...axis, grid: { stroke: () => paint("--line"), width: 1 }, size: 58, space: 34, ...(name === "in_flight" && { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] }), values: (u, at) => at.map((v) => (v === 0 ? "0" : kind[0].say(v))) },
    ],
    series: [
      {},
      ...kind.map((line) => ({
        stroke: () => paint(line.color),
        width: 1.4,
        points: { show: true, size: 4, filter: lonely, fill: () => paint(line.color), width: 0 },
        spanGaps: false,
        ...(line.fill && { fill: () => paint(line.color).replace(/^rgb\((.*)\)$/, "rgba($1, 0.06)") }),
      })),
    ],
  };
}
