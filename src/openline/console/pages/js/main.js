// The console begins here: who is at this screen, in which language, and what stands on the lines.

import * as api from "./api.js";
import { parting } from "./call/calls.js";
import { button, el, fill } from "./dom.js";
import { Live } from "./live.js";
import { prefer, setClock } from "./moments.js";
import { overlays } from "./overlays.js";
import { hashOf, parsed, route, styled } from "./router.js";
import { Shell } from "./shell.js";
import { hearing } from "./sound.js";
import { kept, wear } from "./theme.js";
import { LANGUAGES, speak, t } from "./words.js";

const LANGUAGE = "openline.language";
const THERE = "openline.there";
const THERE_MS = 60_000;
const running = { stops: [], watching: false };

/** The language of a screen where nobody is signed in: as it was left, else the browser's. */
function usual() {
  const known = LANGUAGES.map(([tag]) => tag);
  const wanted = [localStorage.getItem(LANGUAGE), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  return wanted.find((tag) => known.includes(tag)) ?? "en";
}

/** Begin anew: after sign-in, unlock, sign-out, another language. */
export async function begin() {
  stop();
  const { name, parts } = parsed(location.hash);
  if (name === "enter" && parts[0]) {
    history.replaceState(null, "", "#/floor"); // the link works once: it stays in no history
    await welcome(parts[0]);
    return;
  }
  let me;
  try {
    me = await api.get("/console/me");
  } catch (error) {
    await (error.code === "away" ? away() : welcome());
    return;
  }
  localStorage.setItem(LANGUAGE, me.language);
  await speak(me.language);
  wear(me.theme);
  prefer(me.times);
  hearing(me.sounds);
  if (me.locked) await locked(me);
  else await onWatch(me);
}

function stop() {
  running.watching = false;
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close(); // what a dialog holds, such as a microphone, is let go
  for (const each of running.stops.splice(0).reverse()) each();
  document.body.replaceChildren();
}

async function onWatch(me) {
  const live = new Live(me);
  const context = {
    me, live, api, begin,
    go: (name, label, query) => (location.hash = hashOf(name, label, query)),
    say: (words) => shell.say(words),
    band: (name, node, kind) => shell.band(name, node, kind),
    keys: () => () => {},
  };
  setClock(() => live.now());
  try {
    await live.start();
  } catch (error) {
    live.stop();
    await (error.code === "away" ? away() : welcome());
    return;
  }
  const shell = new Shell(context, { lock: () => lock(me), leave });
  document.body.append(shell.root);
  const stopViews = route(shell.main, context, (params, line) => shell.turned(params, line));
  const stopOverlays = await overlays(context);
  running.watching = true;
  running.signedOut = () => {
    shell.band("signed-out", el("span", null, t("You are signed out. Nothing here is live until you sign in again."), " ", button(t("Sign in"), begin)), "act");
    stopOverlays();
    for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
    if (shell.main.querySelector(".view-compose")) return; // what its officer wrote may not be kept yet
    stopViews();
    fill(shell.main); // somebody may have ended the session from elsewhere, because this screen is in other hands
  };
  running.stops.push(() => live.stop(), () => shell.stop(), stopViews, stopOverlays, idle(me));
}

/**
 * Lock after so long without a key or a touch in any page of this console, by the clock: a page that slept or was left and
 * comes back locks at once. The station, which locks too, is told once a minute that somebody is here.
 */
function idle(me) {
  let timer;
  let told = Date.now();
  const look = () => {
    clearTimeout(timer);
    const left = me.lock_after_s * 1_000 - (Date.now() - Number(localStorage.getItem(THERE)));
    if (left <= 0) lock(me);
    else timer = setTimeout(look, left);
  };
  const again = () => {
    localStorage.setItem(THERE, String(Date.now()));
    if (Date.now() - told < THERE_MS) return;
    told = Date.now();
    api.put("/console/me", {}).catch(() => {});
  };
  const acts = ["pointerdown", "keydown", "wheel", "touchstart", "openline-call"];
  acts.forEach((act) => addEventListener(act, again, { capture: true, passive: true }));
  document.addEventListener("visibilitychange", look);
  again();
  look();
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
    acts.forEach((act) => removeEventListener(act, again, { capture: true }));
  };
}

async function lock(me) {
  await api.post("/console/lock").catch(() => {}); // locked here in any case
  stop();
  await locked({ ...me, locked: true });
}

async function leave() {
  await parting();
  await api.post("/console/leave").catch(() => {});
  await begin();
}

async function locked(me) {
  await shown("lock", { me, api, begin });
}

async function welcome(token = "") {
  await speak(usual());
  wear(kept());
  await shown("entrance", { api, begin, language: LANGUAGE }, { token });
}

/** A view without the frame. */
async function shown(name, context, params = {}) {
  const module = await import(`./views/${name}.js`);
  await Promise.all((module.styles ?? []).map(styled));
  const root = el("main", { class: `alone view-${name}`, id: "main" });
  fill(document.body, root);
  document.title = "Openline";
  running.stops.push((await module.open(root, context, params)) ?? (() => {}));
}

/** The station does not answer at all: said so, and tried again. */
async function away() {
  await speak(usual());
  wear(kept());
  fill(document.body, el("main", { class: "empty alone", role: "alert" },
    el("h1", null, t("The station does not answer.")),
    el("p", null, t("It is tried again every three seconds. If it stays so, ask the technician to run: openline doctor"))));
  const timer = setTimeout(begin, 3_000);
  running.stops.push(() => clearTimeout(timer));
}

api.whenFailed((error) => {
  // Locked from another window: this one is too. Signed out: the page keeps what was written, and says so.
  if (!running.watching) return;
  if (error.code === "locked") begin();
  if (error.code === "signed-out") running.signedOut();
});

// A link pasted into this very tab changes nothing but the hash; and at the entrance the hash of a view leads inside.
addEventListener("hashchange", () => (parsed(location.hash).name === "enter" || document.querySelector(".view-entrance")) && begin());

begin();
