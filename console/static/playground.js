// Sends a request to a service and shows the answer and how to send it again.

import { call } from "./api.js";
import { seconds, share } from "./figure.js";

export function startPlayground(/** @type {HTMLFormElement} */ form, path) {
  const { body, method } = form.elements;
  const columns = [...form.querySelectorAll("[data-column]")];
  const curl = form.querySelector(".curl pre");

  /** Writes the fields into the first row of the body. */
  function toJSON() {
    const request = parsed(body.value) ?? {};
    const row = Object.fromEntries(columns.map((c) => [c.dataset.column, value(c)]));
    request.rows = [row, ...(request.rows ?? []).slice(1)];
    body.value = JSON.stringify(request, null, 2);
  }

  /** Writes the first row of the body into the fields. */
  function toFields() {
    const row = parsed(body.value)?.rows?.[0];
    if (!row || typeof row !== "object") return;
    for (const c of columns) if (row[c.dataset.column] != null) c.value = row[c.dataset.column];
  }

  const request = () => ({
    method: method.value,
    path: form.elements.path.value,
    headers: headersOf(form),
    ...(body.value.trim() && { body: body.value }),
  });
  const tellCurl = () => (curl.textContent = curlLine(form.dataset.url, request()));

  form.addEventListener("input", (e) => {
    if (e.target.dataset.column) toJSON();
    else if (e.target === body) toFields();
    tellCurl();
  });
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    send(form, path, request());
  });
  tellCurl();
}

const value = (field) => (field.type === "number" ? (field.value === "" ? null : Number(field.value)) : field.value);

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function headersOf(form) {
  const headers = {};
  for (const line of (form.elements.headers?.value ?? "").split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) headers[line.slice(0, colon).trim()] = line.slice(colon + 1).trim();
  }
  const named = Object.keys(headers).some((name) => name.toLowerCase() === "content-type");
  if (!named && form.elements.body.value.trim()) headers["Content-Type"] = "application/json";
  return headers;
}

const quoted = (text) => "'" + text.replaceAll("'", `'\\''`) + "'";

/** The same request for a shell. */
function curlLine(url, { method, path, headers, body }) {
  const address = url.replace(/\/$/, "") + (path.startsWith("/") ? path : "/" + path);
  const parts = ["curl -s", quoted(address)];
  if (method !== (body ? "POST" : "GET")) parts.splice(1, 0, "-X " + method);
  for (const [name, text] of Object.entries(headers)) parts.push("-H " + quoted(`${name}: ${text}`));
  if (body) parts.push("-d " + quoted(compact(body)));
  return parts.join(" ");
}

async function send(form, path, request) {
  const outcome = form.querySelector(".outcome");
  const error = form.querySelector(".error");
  const button = form.querySelector("[type=submit]");
  error.hidden = true;
  outcome.textContent = "sending…";
  button.disabled = true;
  try {
    show(form, await call("POST", path + "/try", request));
  } catch (err) {
    outcome.textContent = "";
    error.textContent = err.message;
    error.hidden = false;
  } finally {
    button.disabled = false;
  }
}

/** @param {{status: number, seconds: number, body: string, cut: boolean}} response */
function show(form, response) {
  const pill = document.createElement("span");
  pill.className = "pill " + (response.status < 300 ? "go" : response.status < 500 ? "hold" : "stop");
  pill.textContent = response.status;
  form.querySelector(".outcome").replaceChildren(pill, ` ${seconds(response.seconds)}${response.cut ? ", the first MiB" : ""}`);
  form.querySelector(".answer pre").textContent = indented(response.body);
  form.querySelector(".bars").replaceChildren(...bars(parsed(response.body)?.predictions?.[0]?.probabilities));
  form.querySelector(".answer").hidden = false;
}

/** The likeliest classes of a prediction, as bars. */
function bars(probabilities) {
  if (!probabilities || typeof probabilities !== "object") return [];
  const likeliest = Object.entries(probabilities).sort(([, a], [, b]) => b - a).slice(0, 5);
  return likeliest.map(([name, p]) => {
    const item = document.createElement("li");
    const label = document.createElement("b");
    const bar = document.createElement("progress");
    const figure = document.createElement("span");
    label.textContent = name;
    bar.value = p;
    figure.textContent = share(p);
    item.append(label, bar, figure);
    return item;
  });
}

// The layout of a JSON text is changed without reading its numbers: those of
// 64 bits would come out otherwise than they were sent.
const tokens = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

const compact = (text) => (parsed(text) === undefined ? text : text.match(tokens).join(""));

/** Indents a JSON text; a list of plain values stays on one line. */
export function indented(text) {
  if (parsed(text) === undefined) return text;
  const flat = text.match(tokens);
  let depth = 0, lists = 0, out = "";
  const line = () => "\n" + "  ".repeat(depth);
  flat.forEach((token, i) => {
    const plain = lists > 0;
    if (token === "{" || token === "[") {
      const end = flat.slice(i + 1).findIndex((t) => t === "{" || t === "[" || t === "]" || t === "}");
      const simple = token === "[" && flat[i + 1 + end] === "]";
      if (simple) lists++;
      else depth++;
      out += token + (simple || flat[i + 1] === "}" ? "" : line());
    } else if (token === "]" && plain) {
      lists--;
      out += token;
    } else if (token === "}" || token === "]") {
      depth--;
      out += (flat[i - 1] === "{" ? "" : line()) + token;
    } else if (token === ",") out += plain ? ", " : "," + line();
    else out += token === ":" ? ": " : token;
  });
  return out;
}
