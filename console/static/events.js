// The history: a changed choice filters at once; newer events appear unless
// an older page is open.

export function events(/** @type {HTMLElement} */ body) {
  for (const select of body.querySelectorAll(".filters select")) select.onchange = () => select.form.requestSubmit();
  body.querySelector(".filters").addEventListener("submit", (e) => {
    for (const field of e.target.elements) if (field.name) field.disabled = !field.value; // a short address
  });
  return { events: !new URLSearchParams(location.search).has("before") };
}
