// Load tests: the charts of one, or of two over each other.

import { call, servicePath } from "./api.js";
import { rate, seconds, whole, cores } from "./figure.js";
import { plot } from "./plot.js";

const shortest = 0.5; // seconds; what a test's end fills of one says nothing

/** Figures of a second, by chart; those of one test, and the one that two are compared by. */
const kinds = {
  rate: { of: [["done", (s) => s.requests / s.length, "ink", true]], say: rate, least: 1 },
  latency: { of: [["p50", (s) => s.p50 || null, "soft"], ["p99", (s) => s.p99 || null, "ink"]], say: seconds, least: 0.001 },
  p50: { of: [["p50", (s) => s.p50 || null, "ink"]], say: seconds, least: 0.001 },
  p99: { of: [["p99", (s) => s.p99 || null, "ink"]], say: seconds, least: 0.001 },
  errors: { of: [["errors/s", (s) => s.errors / s.length, "bad-ink", true]], say: rate, least: 1 },
  cpu: { of: [["cores", (s) => s.cpu, "ink", true]], say: cores, least: 0.1, server: true },
  in_flight: { of: [["requests", (s) => s.in_flight, "ink", true]], say: whole, least: 2 },
};

const x = { values: (u, at) => at.map((s) => s + " s"), incrs: [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200], space: 60 };

export function loadrun(/** @type {HTMLElement} */ body) {
  draw(body);
  return { events: false };
}

export const loadcompare = loadrun;

async function draw(body) {
  const charts = body.querySelector("[data-loads]");
  if (!charts) return;
  const path = servicePath(body.dataset.environment, body.dataset.service) + "/loads/";
  try {
    const tests = await Promise.all(charts.dataset.loads.split(" ").map((id) => call("GET", path + encodeURIComponent(id))));
    const drawn = [...charts.querySelectorAll("[data-chart]")].map((figure) => chart(figure, tests.map((t) => t.result)));
    document.addEventListener("themechange", () => drawn.forEach((c) => c.repaint()));
  } catch (err) {
    const note = document.createElement("p");
    note.className = "panel nothing";
    note.textContent = "The charts could not be drawn: " + err.message;
    charts.replaceChildren(note);
  }
}

function chart(/** @type {HTMLElement} */ figure, results) {
  const kind = kinds[figure.dataset.chart];
  const several = results.length > 1;
  const lines = results.flatMap((result, i) =>
    kind.of.map(([name, of, color, fill]) => ({
      name: several ? "AB"[i] : name,
      of: byPlace(secondsOf(result, kind), of),
      color: several ? ["soft", "ink"][i] : color,
      fill: fill && !several,
      say: kind.say,
    })),
  );
  const xs = [...new Set(lines.flatMap((l) => [...l.of.keys()]))].sort((a, b) => a - b);
  const p = plot(figure, { lines, least: kind.least, x, when: (s) => s + " s", sync: "load", calm: true, end: 14 });
  const drawn = lines.map((l) => xs.map((at) => l.of.get(at) ?? null));
  const quiet = !xs.length ? "Too short for a line" : drawn.flat().every((v) => v === null) ? "No answer has a time" : "";
  p.draw(xs, drawn, xs[0] ?? 0, Math.max(xs.at(-1) ?? 1, (xs[0] ?? 0) + 1), quiet);
  return p;
}

const secondsOf = (result, kind) => (kind.server ? result.server?.seconds ?? [] : result.seconds.filter((s) => s.length >= shortest));

/** Values by the whole second that they are of. */
const byPlace = (list, of) => new Map(list.map((s) => [Math.round(s.at), of(s)]));
