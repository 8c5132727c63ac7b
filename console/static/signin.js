// Asks for the token that reaches the control plane from another machine.

import { keepToken } from "./api.js";

/** @returns {Promise<void>} done when a token was given */
export function askForToken(complaint = "") {
  const dialog = /** @type {HTMLDialogElement} */ (document.querySelector("#signin"));
  const error = dialog.querySelector(".error");
  const input = dialog.querySelector("input");
  error.textContent = complaint;
  error.hidden = !complaint;
  dialog.oncancel = (e) => e.preventDefault();
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => {
    dialog.querySelector("form").onsubmit = () => {
      keepToken(input.value.trim());
      input.value = "";
      resolve();
    };
  });
}
