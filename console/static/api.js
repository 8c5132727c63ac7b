// Talks to the control plane's API.

const tokenKey = "greenlight-token";

/** An answer that is not what was asked for. */
export class Refusal extends Error {
  constructor(/** @type {string} */ message, /** @type {number} */ status) {
    super(message);
    this.status = status;
  }
}

export const keepToken = (token) => sessionStorage.setItem(tokenKey, token);
export const forgetToken = () => sessionStorage.removeItem(tokenKey);
export const hasToken = () => sessionStorage.getItem(tokenKey) !== null;

/** The headers that every request to the control plane carries. */
export function headers() {
  const token = sessionStorage.getItem(tokenKey);
  return { "X-Greenlight": "1", ...(token && { Authorization: "Bearer " + token }) };
}

export const servicePath = (environment, service) =>
  `/api/v1/environments/${encodeURIComponent(environment)}/services/${encodeURIComponent(service)}`;

/** Opens a request; a refusal is thrown as what the API says of it. */
export async function open(method, path, { body, signal, extra } = {}) {
  const response = await fetch(path, {
    method,
    signal,
    cache: "no-store",
    credentials: hasToken() ? "omit" : "same-origin", // else a browser asks for a password itself
    headers: { ...headers(), ...extra, ...(body !== undefined && { "Content-Type": "application/json" }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (response.ok) return response;
  throw new Refusal(await reason(response), response.status);
}

async function reason(response) {
  const text = await response.text();
  try {
    return JSON.parse(text).error.message;
  } catch {
    return text.slice(0, 300) || `the control plane answered ${response.status}`;
  }
}

/** Asks and reads the JSON of the answer; undefined when it has none. */
export async function call(method, path, body) {
  const response = await open(method, path, { body });
  const text = await response.text();
  return text ? JSON.parse(text) : undefined;
}
