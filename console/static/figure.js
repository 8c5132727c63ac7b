// Figures as a person reads them; figure.go writes the same ones.

export const none = "–";

const grouped = (v) => Number(v.toFixed(0)).toLocaleString("en-US");

/** @param {number} v requests a second */
export function rate(v) {
  if (v === 0) return "0";
  if (v < 0.05) return "<0.1";
  if (v < 9.95) return v.toFixed(1);
  return grouped(v);
}

/** @param {number} v part of one */
export function share(v) {
  const percent = v * 100;
  if (percent === 0) return "0 %";
  if (percent < 0.005) return "<0.01 %";
  if (percent < 0.995) return percent.toFixed(2) + " %";
  if (percent < 9.95) return percent.toFixed(1) + " %";
  return percent.toFixed(0) + " %";
}

/** @param {number} v seconds; 0 is none */
export function seconds(v) {
  if (v === 0) return none;
  if (v < 0.9995e-3) return (v * 1e6).toFixed(0) + " µs";
  if (v < 9.95e-3) return (v * 1e3).toFixed(1) + " ms";
  if (v < 0.9995) return (v * 1e3).toFixed(0) + " ms";
  if (v < 9.95) return v.toFixed(1) + " s";
  return grouped(v) + " s";
}

const finest = 50e-6; // seconds; observe.Finest

/** @param {number} v seconds, a percentile as the gateway knows it; 0 is none */
export const latency = (v) => (v > 0 && v < finest ? "<" + seconds(finest) : seconds(v));

/** @param {number} v bytes; 0 is none */
export function bytes(v) {
  if (v === 0) return none;
  if (v < 999.5) return v + " B";
  if (v < 999.5e3) return (v / 1e3).toFixed(0) + " kB";
  if (v < 999.5e6) return (v / 1e6).toFixed(0) + " MB";
  return (v / 1e9).toFixed(1) + " GB";
}

export const cores = (v) => v.toFixed(2);

/** @param {number} v seconds, as on a stopwatch */
export function stopwatch(v) {
  const s = Math.floor(v);
  if (s < 3600) return Math.floor(s / 60) + ":" + two(s % 60);
  return Math.floor(s / 3600) + ":" + two(Math.floor(s / 60) % 60) + ":" + two(s % 60);
}

export const whole = (v) => grouped(Math.round(v));

const two = (v) => String(v).padStart(2, "0");
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The wall clock's time, with the day unless it is today. */
export function clock(/** @type {Date} */ at, now = new Date()) {
  const time = two(at.getHours()) + ":" + two(at.getMinutes());
  if (at.toDateString() === now.toDateString()) return time + ":" + two(at.getSeconds());
  return at.getDate() + " " + months[at.getMonth()] + " " + time;
}

/** Points of a polyline, 96 wide and 22 high. */
export function sparkline(/** @type {number[]} */ values) {
  const top = Math.max(0, ...values);
  const step = 96 / (values.length - 1);
  return values.map((v, i) => `${(i * step).toFixed(1)},${(top > 0 ? 20.5 - (19 * v) / top : 20.5).toFixed(1)}`).join(" ");
}
