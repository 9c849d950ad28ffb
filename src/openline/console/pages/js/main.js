// The console begins here: who is at this screen, in which language, and what stands on the lines.

import * as api from "./api.js";
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
const running = { stops: [], watching: false, turn: 0 };

/** The language of a screen where nobody is signed in: as it was left, else the browser's. */
function usual() {
  const known = LANGUAGES.map(([tag]) => tag);
  const wanted = [localStorage.getItem(LANGUAGE), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  return wanted.find((tag) => known.includes(tag)) ?? "en";
}

/**
 * Begin anew: after sign-in, unlock, sign-out, another language. Where another beginning overtakes this one (the address
 * changes while a link signs in), what this one has made ends with it: of two screens, the later stands, and its keys alone.
 */
export async function begin() {
  const overtaken = stop();
  const { name, parts } = parsed(location.hash);
  if (name === "enter" && parts[0]) {
    history.replaceState(null, "", "#/floor"); // the link works once: it stays in no history
    await welcome(parts[0]);
    return;
  }
  let me;
  try {
    me = await api.get("/console/me");
    if (overtaken()) return;
  } catch (error) {
    if (!overtaken()) await (error.code === "away" ? away() : welcome());
    return;
  }
  localStorage.setItem(LANGUAGE, me.language);
  await speak(me.language);
  if (overtaken()) return;
  wear(me.theme);
  prefer(me.times);
  hearing(me.sounds);
  if (me.locked) await locked(me);
  else await onWatch(me);
}

/** End what stands on the screen. Returns what tells whether another beginning came since. */
function stop() {
  running.watching = false;
  running.turn += 1;
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close(); // what a dialog holds, such as a microphone, is let go
  for (const each of running.stops.splice(0).reverse()) each();
  document.body.replaceChildren();
  return turned();
}

function turned() {
  const mine = running.turn;
  return () => mine !== running.turn;
}

async function onWatch(me) {
  const overtaken = turned();
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
    if (!overtaken()) await (error.code === "away" ? away() : welcome());
    return;
  }
  if (overtaken()) {
    live.stop();
    return;
  }
  const shell = new Shell(context, { lock: () => lock(me), leave });
  document.body.append(shell.root);
  const stopViews = route(shell.main, context, (params, line) => shell.turned(params, line));
  running.stops.push(() => live.stop(), () => shell.stop(), stopViews);
  const stopOverlays = await overlays(context);
  if (overtaken()) {
    stopOverlays();
    return;
  }
  running.watching = true;
  running.signedOut = () => {
    shell.band("signed-out", el("span", null, t("You are signed out. Nothing here is live until you sign in again."), " ", button(t("Sign in"), begin)), "act");
    stopOverlays();
    for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
    if (shell.main.querySelector(".view-compose")) return; // what its officer wrote may not be kept yet
    stopViews();
    fill(shell.main); // somebody may have ended the session from elsewhere, because this screen is in other hands
  };
  running.stops.push(stopOverlays, idle(me));
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
  if (!running.watching) return; // it is another screen meanwhile
  stop();
  await locked({ ...me, locked: true });
}

async function leave() {
  const calls = await import("./call/calls.js").catch(() => null); // where it did not load there is no call to leave
  await calls?.parting();
  await api.post("/console/leave").catch(() => {});
  await begin();
}

async function locked(me) {
  await shown("lock", { me, api, begin });
}

async function welcome(token = "") {
  const overtaken = turned();
  await speak(usual());
  if (overtaken()) return;
  wear(kept());
  await shown("entrance", { api, begin, language: LANGUAGE }, { token });
}

/** A view without the frame. */
async function shown(name, context, params = {}) {
  const overtaken = turned();
  const module = await import(`./views/${name}.js`);
  await Promise.all((module.styles ?? []).map(styled));
  if (overtaken()) return;
  const root = el("main", { class: `alone view-${name}`, id: "main" });
  fill(document.body, root);
  document.title = "Openline";
  const leave = (await module.open(root, context, params)) ?? (() => {});
  if (overtaken()) leave();
  else running.stops.push(leave);
}

/** The station does not answer at all: said so, and tried again. */
async function away() {
  const overtaken = turned();
  await speak(usual());
  if (overtaken()) return;
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
