// The what-if of a capacity plan. The control plane reckons: at every move the
// page is asked for with what the form says, and what differs is put in. The
// address keeps the question, so it can be shared and survives a refresh.

import { load, morph } from "./morph.js";
import { headers } from "./api.js";
import { localTimes } from "./live.js";

const pause = 60; // ms between a move and the question, into which further moves go

export function capacity() {
  const main = document.querySelector("main");
  const form = () => main.querySelector("[data-whatif]");
  let due, running = false, again = false;

  /** The page with what the form says; what is as planned is left out. */
  function address() {
    const query = new URLSearchParams();
    for (const field of form().querySelectorAll("[data-plan]")) {
      if (field.value !== field.dataset.plan) query.set(field.name, field.value);
    }
    return location.pathname + (query.size ? "?" + query : "");
  }

  async function ask() {
    due = undefined;
    if (!form().checkValidity()) return; // half typed
    if (running) return void (again = true);
    running = true;
    do {
      again = false;
      history.replaceState(null, "", address());
      try {
        const { status, page } = await load(location.href, headers());
        if (status !== 200) throw new Error(page.querySelector("main p")?.textContent ?? "the control plane refused");
        localTimes(page);
        morph(main, page.querySelector("main"));
      } catch (err) {
        const error = form()?.querySelector(".error");
        if (error) error.textContent = err.message;
      }
    } while (again);
    running = false;
  }

  main.addEventListener("input", ({ target }) => {
    if (!target.closest("[data-whatif]")) return;
    const other = target.dataset.for
      ? form().elements[target.dataset.for]
      : form().querySelector(`[data-for="${target.name}"]`);
    if (other) other.value = target.value;
    due ??= setTimeout(ask, pause);
  });
  main.addEventListener("submit", (e) => {
    if (e.target === form()) e.preventDefault();
  });
  main.addEventListener("click", (e) => {
    if (!e.target.closest("[data-reset]")) return;
    e.preventDefault();
    for (const field of form().querySelectorAll("[data-plan]")) {
      field.value = field.dataset.plan;
      const slider = form().querySelector(`[data-for="${field.name}"]`);
      if (slider) slider.value = field.value;
    }
    form().querySelector("input[type=range]").focus();
    ask();
  });
}
