// A service's page: figures, charts, replicas, log and playground.

import { call, servicePath } from "./api.js";
import { fill } from "./cells.js";
import { startCharts } from "./charts.js";
import { startLog } from "./log.js";
import { startPlayground } from "./playground.js";

const replicasEvery = 5_000;

export function service(/** @type {HTMLElement} */ body) {
  const { environment, service } = body.dataset;
  if (!body.querySelector(".figures")) return {};
  const path = servicePath(environment, service);
  const charts = startCharts(body, path);
  const log = startLog(body, path);
  for (const form of body.querySelectorAll("[data-try]")) startPlayground(form, path);
  setInterval(() => document.hidden || body.classList.contains("lost") || replicas(body, path), replicasEvery);
  return {
    samples(all) {
      const sample = all[`${environment}/${service}`];
      if (!sample) return;
      fill(body.querySelector(".figures"), sample);
      charts.add(sample);
    },
    refreshed: log.replicas,
  };
}

/** Brings the figures of each replica up to date. */
async function replicas(body, path) {
  try {
    const detail = await call("GET", path);
    for (const replica of detail.replicas) {
      const row = body.querySelector(`.replicas tr[data-key="${CSS.escape(replica.id)}"]`);
      if (row) fill(row, replica);
    }
  } catch {
    // The stream says when the control plane is lost; older figures stay.
  }
}
