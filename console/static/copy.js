// Buttons that copy a text.

export function startCopying() {
  document.body.addEventListener("click", async (e) => {
    const button = e.target.closest?.("[data-copy], [data-copy-text]");
    if (!button) return;
    const text = button.dataset.copy ?? button.previousElementSibling.textContent;
    const label = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => (button.textContent = label), 1200);
  });
}
