// The overview: figures of every environment and service, sorted and filtered.

import { fill, total, write } from "./cells.js";
import { sparkline } from "./figure.js";

const sparkStep = 10; // seconds a point of the small charts
const sparkPoints = 60;
const resort = 5_000;

export function overview(/** @type {HTMLElement} */ body) {
  const sparks = new WeakMap();
  const table = sortable(body);
  const filter = startFilter(body);
  let ticks = 0;

  function samples(all) {
    ticks++;
    const rows = body.querySelectorAll(".services tbody tr");
    rows.forEach((row, i) => {
      const sample = all[row.dataset.key];
      if (!sample) return;
      fill(row, sample);
      grow(sparks, row.querySelector(".spark"), sample.rate, (ticks + i) % sparkStep === 0);
    });
    for (const lane of body.querySelectorAll("[data-lane]")) {
      const prefix = lane.dataset.lane + "/";
      fill(lane, total(Object.keys(all).filter((k) => k.startsWith(prefix)).map((k) => all[k])));
    }
    table.settle();
  }

  function refreshed() {
    filter();
    table.sort();
  }
  return { samples, refreshed };
}

/** Adds a second to a small chart; it is drawn anew when a step is full. */
function grow(sparks, svg, value, full) {
  let spark = sparks.get(svg);
  if (!spark) {
    const values = (svg.dataset.values || "").split(" ").filter(Boolean).map(Number);
    sparks.set(svg, (spark = { values, sum: 0, count: 0 }));
  }
  spark.sum += value;
  spark.count++;
  if (!full) return;
  spark.values.push(spark.sum / spark.count);
  spark.sum = spark.count = 0;
  if (spark.values.length > sparkPoints) spark.values.shift();
  if (spark.values.length > 1) svg.firstElementChild.setAttribute("points", sparkline(spark.values));
}

/** Lets a click on a heading sort the table. */
function sortable(body) {
  let column = -1, descending = false, last = 0;

  function sort() {
    const table = body.querySelector("[data-sortable]");
    if (!table || column < 0) return;
    const rows = [...table.tBodies[0].rows];
    const numeric = table.tHead.rows[0].cells[column].dataset.sort === "number";
    const value = (row) => {
      const cell = row.cells[column];
      return numeric ? cell.figure ?? Number(cell.dataset.value) : cell.textContent.trim();
    };
    const keyed = rows.map((row) => [value(row), row]);
    keyed.sort(([a], [b]) => (numeric ? a - b : a.localeCompare(b)) * (descending ? -1 : 1));
    if (keyed.some(([, row], i) => row !== rows[i])) table.tBodies[0].append(...keyed.map(([, row]) => row));
    last = Date.now();
  }

  function choose(header) {
    const index = header.cellIndex;
    descending = index === column ? !descending : header.dataset.sort === "number";
    column = index;
    for (const h of header.parentElement.cells) h.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    header.closest("table").tBodies[0].dataset.sorted = "";
    sort();
  }

  for (const header of body.querySelectorAll("th[data-sort]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.onclick = () => choose(header);
    header.append(button);
  }
  // Rows must not run away from under a pointer or from the focus.
  const settle = () => {
    if (Date.now() - last > resort && !body.querySelector(".services tbody:is(:hover, :focus-within)")) sort();
  };
  return { sort, settle };
}

/** Shows only the rows that say what is typed. */
function startFilter(body) {
  const apply = () => {
    const input = body.querySelector("[data-filter]");
    const rows = [...body.querySelectorAll(".services tbody tr")];
    const wanted = (input?.value ?? "").trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const hide = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
      if (row.hidden !== hide) row.hidden = hide;
      if (!hide) shown++;
    }
    const count = body.querySelector("[data-count]");
    if (count) write(count, shown === rows.length ? String(rows.length) : `${shown} of ${rows.length}`);
    const none = body.querySelector("[data-no-match]");
    if (none) none.hidden = shown > 0;
  };
  body.addEventListener("input", (e) => e.target.matches("[data-filter]") && apply());
  return apply;
}
