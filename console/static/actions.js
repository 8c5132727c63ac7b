// What changes something asks first; what takes something away asks for its
// name.

import { call, servicePath } from "./api.js";

export function startActions(done) {
  document.body.addEventListener("click", (e) => {
    const button = e.target.closest?.("[data-action]");
    if (button) actions[button.dataset.action](button, document.body.dataset, done);
  });
}

const actions = {
  scale(button, { environment, service }, done) {
    const byHand = button.dataset.manual === "true";
    ask({
      heading: `Scale ${service}`,
      text: byHand
        ? "The number stands in for what the description says. Leave it empty to go back to the description."
        : "The number stands in for what the description says, until you go back to it here.",
      go: "Scale",
      number: { value: button.dataset.desired, optional: byHand },
      name: (number) => (number === 0 ? service : ""),
      act: (number) => call("PUT", servicePath(environment, service) + "/scale", { replicas: number }),
    }).then(done);
  },
  restart(_, { environment, service }, done) {
    ask({
      heading: `Restart ${service}`,
      text: "Its replicas are replaced one after the other; no request is lost.",
      go: "Restart",
      name: () => service,
      act: () => call("POST", servicePath(environment, service) + "/restart", {}),
    }).then(done);
  },
  "stop-load"(button, _, done) {
    const { environment, service, key } = button.closest("[data-live]").dataset;
    ask({
      heading: `Stop the load test of ${service}`,
      text: "It ends within seconds, and keeps what it measured until then.",
      go: "Stop",
      danger: true,
      name: () => "",
      act: () => call("POST", `${servicePath(environment, service)}/loads/live/${encodeURIComponent(key)}/stop`, {}),
    }).then(done);
  },
  down(button, _, done) {
    ask({
      heading: "Stop everything",
      text: "Replicas stop, then the gateway, then the control plane. Nothing serves until the next greenlight up; data stays.",
      go: "Stop all",
      name: () => button.dataset.name,
      act: () => call("POST", "/api/v1/down", {}),
    }).then(done);
  },
};

/**
 * Asks in a dialog, acts, and stays open with the error when that fails.
 * @param {{heading: string, text: string, go: string, danger?: boolean, number?: {value: string, optional: boolean},
 *   name: (number: number | null) => string, act: (number: number | null) => Promise<unknown>}} question
 * @returns {Promise<void>} done when it was carried out
 */
function ask({ heading, text, go, danger, number, name, act }) {
  const dialog = /** @type {HTMLDialogElement} */ (document.querySelector("#confirm"));
  const form = dialog.querySelector("form");
  const part = (f) => dialog.querySelector(`[data-f="${f}"]`);
  const [count, typed] = [part("number").querySelector("input"), part("name").querySelector("input")];
  const error = dialog.querySelector(".error");
  dialog.querySelector("h2").textContent = heading;
  part("text").textContent = text;
  part("go").textContent = go;
  part("number").hidden = !number;
  count.disabled = !number;
  count.required = !number?.optional;
  count.value = number?.value ?? "";
  typed.value = "";
  error.hidden = true;

  const chosen = () => (number && count.value !== "" ? count.valueAsNumber : null);
  function check() {
    const wanted = name(chosen());
    part("name").hidden = wanted === "";
    part("name").querySelector("b").textContent = wanted;
    part("go").classList.toggle("danger", danger || wanted !== "");
    part("go").disabled = wanted !== "" && typed.value !== wanted;
  }
  check();
  form.oninput = check;
  part("cancel").onclick = () => dialog.close();
  dialog.showModal();

  return new Promise((resolve) => {
    form.onsubmit = async (e) => {
      e.preventDefault();
      part("go").disabled = true;
      try {
        await act(chosen());
        dialog.close();
        resolve();
      } catch (err) {
        error.textContent = err.message;
        error.hidden = false;
        check();
      }
    };
  });
}
