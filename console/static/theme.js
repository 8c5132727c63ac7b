// Runs before the first paint, so that nothing flashes in the wrong colours.
"use strict";
document.documentElement.classList.add("live");
try {
  const theme = localStorage.getItem("theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch {
  // A browser that keeps nothing follows its system's setting.
}
