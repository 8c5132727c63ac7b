// Brings a part of the page to what the server has now, touching only what
// differs: focus, selection and what is open stay. An element with data-own
// belongs to a module and is left alone; data-key says which element of a
// list is which.

/** The page at url as a document whose scripts do not run. */
export function load(url, headers) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", url);
    request.responseType = "document";
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.onload = () =>
      request.response ? resolve({ status: request.status, page: request.response }) : reject(new Error("no page came"));
    request.onerror = () => reject(new Error("the control plane did not answer"));
    request.send();
  });
}

const keep = new Set(["open", "hidden"]); // a reader's doing, not the server's

export function morph(/** @type {Element} */ now, /** @type {Element} */ next) {
  if (now.hasAttribute("data-own")) return;
  for (const { name, value } of next.attributes) {
    if (!keep.has(name) && now.getAttribute(name) !== value) now.setAttribute(name, value);
  }
  for (const { name } of [...now.attributes]) {
    if (!keep.has(name) && !next.hasAttribute(name)) now.removeAttribute(name);
  }
  children(now, next);
}

const key = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.dataset.key || node.id : "");

function children(now, next) {
  const keyed = new Map([...now.children].filter(key).map((child) => [key(child), child]));
  const stale = new Set(now.childNodes);
  const ordered = !("sorted" in now.dataset); // else a module keeps the order
  let cursor = now.firstChild;
  for (const wanted of next.childNodes) {
    while (cursor && !stale.has(cursor)) cursor = cursor.nextSibling;
    const match = key(wanted) ? keyed.get(key(wanted)) : unkeyed(cursor, wanted, stale);
    if (!match) {
      now.insertBefore(document.importNode(wanted, true), cursor);
      continue;
    }
    stale.delete(match);
    if (match !== cursor && ordered) now.insertBefore(match, cursor);
    if (match.nodeType === Node.ELEMENT_NODE) morph(match, wanted);
    else if (match.data !== wanted.data) match.data = wanted.data;
  }
  for (const node of stale) node.remove();
}

/** The next node of the same sort that nothing has taken yet. */
function unkeyed(cursor, wanted, stale) {
  for (let node = cursor; node; node = node.nextSibling) {
    if (stale.has(node) && node.nodeName === wanted.nodeName && !key(node)) return node;
  }
}
