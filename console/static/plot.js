// Draws lines over a common axis with uPlot (a global of its own script), in
// the colours of the page's theme.

import { none } from "./figure.js";

/** The colour that a class or a token has in the theme of now. */
function paint(token) {
  const probe = paint.probe || (paint.probe = document.body.appendChild(document.createElement("i")));
  probe.hidden = true;
  probe.className = token.startsWith("--") ? "" : token;
  probe.style.color = token.startsWith("--") ? `var(${token})` : "";
  return getComputedStyle(probe).color;
}

/**
 * Makes the chart of a figure with a .key and a .plot.
 * @param {HTMLElement} figure
 * @param {{lines: {name: string, say: (v: number) => string, color: string, fill?: boolean}[], least: number,
 *   marks?: number[], x: object, time?: boolean, when: (x: number) => string, sync: string, calm?: boolean, end?: number}} of
 *   what it draws: least is what the vertical axis shows at least, marks its steps, x more of the other axis, when how
 *   a place on that is said; calm leaves the last values out; end is the room at the right
 */
export function plot(figure, of) {
  const field = figure.querySelector(".plot");
  const key = figure.querySelector(".key");
  const place = document.createElement("i");
  key.append(place);
  const labels = of.lines.map((line) => {
    const label = document.createElement("b");
    label.className = line.color;
    key.append(label);
    return label;
  });
  let u; // say is called before there is a chart
  u = new uPlot(options(field, of, say), [[], ...of.lines.map(() => [])], field);
  new ResizeObserver(() => u.setSize({ width: field.clientWidth, height: field.clientHeight })).observe(field);

  function say() {
    const under = u?.cursor.idx;
    const at = under ?? u?.data[0].length - 1;
    place.textContent = under == null ? "" : of.when(u.data[0][under]);
    of.lines.forEach((line, i) => {
      const value = u?.data[i + 1][at];
      const text = under == null && of.calm ? "" : " " + (value == null ? none : line.say(value));
      labels[i].textContent = line.name + text;
    });
  }

  return {
    /** Draws columns of values over xs, from begin to end; quiet is said where there is nothing to draw. */
    draw(xs, columns, begin, end, quiet = "") {
      u.range = [begin, end];
      u.setData([xs, ...columns]);
      field.classList.toggle("quiet", quiet !== "");
      field.dataset.quiet = quiet;
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

function options(field, of, say) {
  const axis = {
    stroke: () => paint("--faint"),
    font: `11px ${getComputedStyle(field).fontFamily}`,
    ticks: { show: false },
  };
  return {
    width: field.clientWidth,
    height: field.clientHeight,
    legend: { show: false },
    padding: [10, of.end ?? 4, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: of.sync }, points: { size: 6 } },
    hooks: { setCursor: [say] },
    scales: {
      x: { time: of.time ?? false, range: (u, min, max) => u.range ?? [min, max] },
      y: { range: (u, min, max) => [0, Math.max(of.least, max * 1.12)] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 24, ...of.x },
      { ...axis, grid: { stroke: () => paint("--line"), width: 1 }, size: 58, space: 34, ...(of.marks && { incrs: of.marks }), values: (u, at) => at.map((v) => (v === 0 ? "0" : of.lines[0].say(v))) },
    ],
    series: [
      {},
      ...of.lines.map((line) => ({
        stroke: () => paint(line.color),
        width: 1.4,
        points: { show: true, size: 4, filter: lonely, fill: () => paint(line.color), width: 0 },
        spanGaps: false,
        ...(line.fill && { fill: () => paint(line.color).replace(/^rgb\((.*)\)$/, "rgba($1, 0.06)") }),
      })),
    ],
  };
}
