// Makes the page live: each kind of page has a module of its own.

import { keepLive, localTimes } from "./live.js";
import { load } from "./morph.js";
import { headers, hasToken, forgetToken } from "./api.js";
import { askForToken } from "./signin.js";
import { overview } from "./overview.js";
import { service } from "./service.js";
import { events } from "./events.js";
import { loadrun, loadcompare } from "./load.js";
import { load as loadPage } from "./loadlive.js";
import { capacity } from "./capacity.js";
import { startActions } from "./actions.js";
import { startKeys } from "./keys.js";
import { startCopying } from "./copy.js";

const pages = { overview, service, events, load: loadPage, loadrun, loadcompare, capacity };

function start() {
  const body = document.body;
  localTimes(body);
  const live = keepLive({ ...pages[body.dataset.page]?.(body), refused: signIn });
  startActions(live.refresh);
  startKeys();
  startCopying();

  function signIn() {
    forgetToken();
    askForToken().then(live.again);
  }
}

/** Puts the page in the place of the one that asks for a token. */
async function enter() {
  if (!hasToken()) await askForToken();
  const { status, page } = await load(location.href, headers());
  if (status === 401) {
    forgetToken();
    await askForToken("The control plane does not know this token.");
    return enter();
  }
  document.title = page.title;
  document.body.replaceWith(document.importNode(page.body, true));
  start();
}

if (document.body.dataset.page === "signin") enter();
else start();
