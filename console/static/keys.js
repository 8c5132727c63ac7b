// The keyboard: jump, walk through rows, switch the theme.

const pages = { o: "/", e: "/events", p: "/plan", l: "/load", c: "/capacity" };

export function startKeys() {
  let after = "";
  const jump = startJump();
  const dialog = (id) => document.querySelector("#" + id);

  const keys = {
    "/": jump,
    f: () => document.querySelector("[data-filter], [data-filter-text]")?.focus(),
    j: () => walk(1),
    k: () => walk(-1),
    t: switchTheme,
    "?": () => dialog("keys").showModal(),
    g: () => (after = "g"),
  };

  document.addEventListener("keydown", (e) => {
    if ((e.metaKey || e.ctrlKey) && e.key.toLowerCase() === "k") {
      e.preventDefault();
      if (!document.querySelector("dialog[open]")) jump();
      return;
    }
    if (e.metaKey || e.ctrlKey || e.altKey || document.querySelector("dialog[open]")) return;
    if (e.target.matches("input, textarea, select")) {
      if (e.key === "Escape") e.target.blur();
      return;
    }
    const before = after;
    after = "";
    if (before === "g" && pages[e.key]) location.href = pages[e.key];
    else if (keys[e.key]) {
      e.preventDefault();
      keys[e.key]();
    } else if (e.key === "Enter" && e.target.matches("[data-rows] > li")) toggle(e.target);
  });
  document.body.addEventListener("click", (e) => {
    if (e.target.closest("[data-theme-toggle]")) switchTheme();
    if (e.target.closest("[data-open=jump]")) jump();
    if (e.target.matches("dialog#jump, dialog#keys")) e.target.close();
  });
}

const toggle = (row) => {
  const details = row.querySelector("details");
  if (details) details.open = !details.open;
};

/** Moves the focus by one row, from where it is or from the first list. */
function walk(by) {
  const rows = [...document.querySelectorAll("[data-rows] tbody tr, ul[data-rows] > li, ol[data-rows] > li")].filter((r) => !r.hidden);
  const at = rows.findIndex((r) => r.contains(document.activeElement));
  const row = rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by))];
  const target = row?.querySelector("[data-row]") ?? row;
  target?.focus();
  target?.scrollIntoView({ block: "nearest" });
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // The choice holds for this page then.
  }
  document.dispatchEvent(new Event("themechange"));
}

/** The box that jumps to a service or a page; gives what opens it. */
function startJump() {
  const dialog = /** @type {HTMLDialogElement} */ (document.querySelector("#jump"));
  const input = dialog.querySelector("input");
  const list = dialog.querySelector("ul");
  const template = dialog.querySelector("template");
  let at = 0;

  function fill() {
    const wanted = input.value.trim().toLowerCase();
    const found = [...document.querySelectorAll("#index li")].filter((li) => fits(li.textContent.toLowerCase(), wanted));
    list.replaceChildren(...found.slice(0, 50).map(option));
    mark(0);
  }

  function option(entry, i) {
    const item = template.content.firstElementChild.cloneNode(true);
    const link = entry.querySelector("a");
    item.id = "target-" + i;
    item.querySelector("a").href = link.href;
    item.querySelector("b").textContent = link.textContent;
    item.querySelector("small").textContent = entry.querySelector("small").textContent;
    return item;
  }

  function mark(index) {
    const items = [...list.children];
    at = Math.min(Math.max(0, index), items.length - 1);
    items.forEach((item, i) => item.setAttribute("aria-selected", i === at));
    items[at]?.scrollIntoView({ block: "nearest" });
    if (items[at]) input.setAttribute("aria-activedescendant", items[at].id);
    else input.removeAttribute("aria-activedescendant");
  }

  input.oninput = fill;
  input.onkeydown = (e) => {
    if (e.key === "ArrowDown") mark(at + 1);
    else if (e.key === "ArrowUp") mark(at - 1);
    else if (e.key === "Enter") list.children[at]?.querySelector("a").click();
    else return;
    e.preventDefault();
  };
  return () => {
    input.value = "";
    fill();
    dialog.showModal();
  };
}

/** Tells whether the letters of wanted stand in text in this order. */
function fits(text, wanted) {
  let from = 0;
  for (const letter of wanted) {
    from = text.indexOf(letter, from) + 1;
    if (from === 0) return false;
  }
  return true;
}
