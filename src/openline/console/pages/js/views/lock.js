// The locked console: still a watch floor. The state of the lines, the clocks and the alarm of a FLASH; words only after unlocking.

import { explain, get } from "../api.js";
import { followLocked, hangUp, parting, session } from "../call/calls.js";
import { confirmed, failure } from "../dialogs.js";
import { button, el, field, fill } from "../dom.js";
import { inertLine } from "../inert.js";
import { bind } from "../keys.js";
import { Live, own, peers } from "../live.js";
import { day, hms, local, moment, runningClock, setClock, tick } from "../moments.js";
import { UNREAD } from "../overlays/flash.js";
import { alarmWords } from "../overlays/alarms.js";
import { RINGING } from "../overlays/ring.js";
import * as passkeys from "../passkeys.js";
import { badge, exercise, livery, precedence, precedenceShape, stateColour, stateWord, wire } from "../signs.js";
import { callRings, hush, hushCall, isRinging, quiet, ring, ringCall, soundState, testedAt, testSound, whenSound } from "../sound.js";
import { tellFlash, tellRing } from "../tab.js";
import { wear, worn } from "../theme.js";
import { comma, rich, t } from "../words.js";

export const styles = ["entrance", "lock"];

const ALARM = "alarm"; // rings for an open alarm, where the FLASH itself was not heard of

export async function open(root, context) {
  const { me } = context;
  const live = new Live(me, { locked: true });
  const place = { context, live, said: el("div", { role: "alert" }), lines: el("ul", { class: "locklines" }), clocks: el("div", { class: "lockclocks" }), rings: new Map(), calls: new Map(), call: el("div", { class: "lockcall", role: "alert", hidden: true }), ours: el("div", { class: "lockcall ours", role: "status", hidden: true }), alarm: el("div", { class: "alarm", role: "alert", hidden: true }), open: el("ul", { class: "lockalarms" }), sound: el("p", { class: "row" }), lost: el("p", { class: "said act", role: "status", hidden: true }) };
  setClock(() => live.now());
  fill(root, place.alarm, place.call, place.ours, watch(place), door(place));
  root.querySelector("button.main").focus();
  const offs = [
    live.on("lines", () => drawLines(place)),
    live.on("flash", ({ line, place: where }) => flash(place, line, where)),
    live.on("flashes", ({ line, places }) => flashes(place, line, places)),
    live.on("answered", ({ line, of }) => over(place, line, of)),
    live.on("alarm", () => drawAlarms(place)),
    live.on("call", (event) => called(place, event)),
    followLocked(live, () => drawOurs(place)),
    live.on("lines", () => drawOurs(place)),
    live.on("link", (found) => {
      place.lost.hidden = found;
      fill(place.lost, t("The console has lost its station. Nothing here is live. It is tried again by itself."));
    }),
    whenSound(() => drawSound(place)),
    bind("floor-wide", [
      { key: "enter", words: t("unlock with your passkey"), run: () => root.querySelector("button.main").click() },
      { key: "s", words: t("test the sound, or quiet for 60 seconds"), run: () => (isRinging() || callRings() ? quiet(60) : testSound(live.now())) },
    ]),
  ];
  drawSound(place);
  await live.start().catch(() => {});
  unread(place);
  ringing(place);
  drawOurs(place);
  drawAlarms(place);
  return () => {
    offs.forEach((off) => off());
    hush();
    hushCall();
    tellFlash("");
    tellRing("");
    place.over = true;
    live.stop();
  };
}

function watch(place) {
  const figures = el("span");
  const date = el("time");
  const here = el("span");
  const clock = el("div", { class: "row apart" },
    el("div", null, el("p", { class: "lockname second" }, rich("{station}, watch floor. *Locked.*", { station: el("bdi", null, place.context.me.station.name) })),
      el("p", { class: "wallclock fig" }, figures, el("span", { class: "second" }, "Z"))),
    el("p", { class: "second lockdate" }, date, el("br"), here));
  tick(clock, (at) => {
    figures.textContent = hms(at).slice(0, -1);
    date.textContent = day(at);
    here.textContent = t("{local} here", { local: local(at) });
  });
  return el("section", { class: "left", "aria-label": t("The lines") }, clock, el("div", null, place.lost, place.open, place.lines), place.clocks);
}

function drawLines({ live, lines, clocks }) {
  const all = [...live.lines.values()];
  fill(lines, all.map((line) => livery(el("li", { class: "lockline" }, el("span", { class: stateColour(line.shown) }, wire(line.shown, { size: 33 })),
    el("div", null, el("h2", null, el("span", { class: "fig second" }, line.number), " ", inertLine(line.title || line.label, 40), " ", line.policy?.exercise ? exercise() : null), el("p", null, ends(live, line))),
    el("span", { class: `lockstate ${stateColour(line.shown)}` }, stateWord(line.shown))), line)),
  all.length ? null : el("li", { class: "second" }, t("No line yet.")));
  const due = all.filter((line) => line.next_due).sort((one, other) => one.next_due.due - other.next_due.due).slice(0, 3);
  fill(clocks, due.map((line) => el("div", null, runningClock(line.next_due.due, line.next_due.due - 3_600_000, { meter: false }),
    el("p", { class: "second" }, line.next_due.party === own(line).name ? t("yours, line {number}", { number: line.number }) : t("theirs, line {number}", { number: line.number })))));
}

function ends(live, line) {
  return peers(line).map((party) => [party.reach === "reached" || !party.reach ? (party.attended ? t("{party} attended", { party: party.name })
    : party.attended === false ? t("{party}: nobody on watch", { party: party.name }) : t("{party}: watch not said", { party: party.name }))
    : rich("{party}: nothing since {moment}", { party: party.name, moment: moment(party.heard_at, live.now()) }), " "]);
}

function door(place) {
  const { me, begin } = place.context;
  const tried = async (act) => {
    fill(place.said);
    try {
      await act();
      hush();
      await begin();
    } catch (error) {
      fill(place.said, error instanceof DOMException ? el("p", { class: "said look" }, t("No passkey was given: it was cancelled, or it took too long. Try again."))
        : failure(error, (each) => (each.code === "away" ? place.context.api.explain(each) : { what: t("That was not taken."), next: t("Only {sign} unlocks this console. Somebody else signs out first.", { sign: me.sign }), said: explain(each).said })));
    }
  };
  const code = el("input", { autocomplete: "off", spellcheck: "false", maxlength: 80, required: true });
  return el("section", { class: "right", "aria-label": t("Unlock") },
    el("div", { class: "stack" }, el("h1", null, t("{sign} has locked this console", { sign: me.sign })),
      el("p", { class: "second" }, t("The lines are still watched, and still ring.")), place.said,
      button(t("Unlock with your passkey"), () => tried(() => passkeys.unlock(me.sign)), { kind: "main big", key: t("Enter") }),
      el("details", null, el("summary", null, t("Recovery code")), el("form", { class: "stack", on: { submit: (event) => {
        event.preventDefault();
        tried(() => place.context.api.post("/console/unlock", { code: code.value.trim() }));
      } } }, field(t("One of your recovery codes"), code, t("Each works once.")), el("button", { type: "submit" }, t("Unlock with the code")))),
      button(t("Sign out: somebody else takes over"), () => tried(async () => (await parting(), place.context.api.post("/console/leave"))))),
    el("div", { class: "flashnote" }, el("span", { class: "act" }, precedenceShape("flash", { size: 40 })),
      el("p", null, rich("A *FLASH* rings and fills this screen even when locked. Its text opens after you unlock; its line and its time show at once."))),
    el("div", { class: "stack" }, place.sound, el("p", { class: "foot small second" }, el("span", null, location.hostname),
      button(t("Light / dark"), () => wear(worn() === "dark" ? "light" : "dark"), { kind: "bare" }))));
}

function drawSound({ sound, live }) {
  const state = soundState();
  fill(sound, badge(state === "blocked" ? "silent" : "sound", { size: 22 }), el("span", { class: state === "tested" ? null : "look" },
    state === "tested" ? rich("Sound works, tested {moment}.", { moment: moment(testedAt()) }) : state === "blocked" ? t("This browser plays no sound yet: a FLASH would not be heard.") : t("Sound not tested")),
  button(t("test the sound"), () => testSound(live.now()), { key: "S" }));
}

/** What had come before the console was locked, and nobody has read. */
function unread(place) {
  let kept = [];
  try {
    kept = JSON.parse(sessionStorage.getItem(UNREAD) ?? "[]");
  } catch { /* another version wrote it */ }
  for (const [label, where] of kept) {
    const line = place.live.line(label);
    if (line) flash(place, line, where);
  }
}

/** Alarms say what is wrong and never what was said: they stand on a locked screen too. */
async function drawAlarms(place) {
  const { open: alarms } = await get("/v1/alarms?limit=0").catch(() => ({ open: [] }));
  const still = new Set(alarms.filter((alarm) => alarm.kind === "flash").map((alarm) => alarm.line));
  for (const label of [...place.rings.keys()]) if (!still.has(label)) over(place, { label }, ALARM);
  fill(place.open, alarms.slice(0, 4).map((alarm) => {
    const line = alarm.line && place.live.line(alarm.line);
    if (alarm.kind === "flash" && line && place.alarm.hidden) flash(place, line, ALARM);
    return el("li", { class: "said act" }, badge("overdue", { words: t("Alarm") }), " ", line ? [t("line {number}", { number: line.number }), ": "] : "", alarmWords(alarm));
  }));
}

/** Somebody has read it at another console: this one rings no longer for it. */
function over(place, line, where) {
  const rings = place.rings.get(line.label);
  if (!rings?.delete(where)) return;
  if (!rings.size) place.rings.delete(line.label);
  silenced(place);
}

/** At the beginning of each stream: which FLASHes of a line nobody here has handled. One that came or was read while no stream stood counts. */
function flashes(place, line, places) {
  const rings = place.rings.get(line.label) ?? new Set();
  for (const where of [...rings]) if (where !== ALARM && !places.includes(where)) over(place, line, where);
  for (const where of places) if (!rings.has(where)) flash(place, line, where);
}

function silenced(place) {
  if (place.rings.size) return;
  place.alarm.hidden = true;
  fill(place.alarm);
  tellFlash("");
  hush();
}

/** A FLASH has come while nobody is here: it fills the screen and rings. What it says is not shown. */
function flash(place, line, where) {
  const { alarm, live, rings } = place;
  rings.set(line.label, (rings.get(line.label) ?? new Set()).add(where));
  alarm.hidden = false;
  fill(alarm, precedenceShape("flash", { size: 120 }), el("div", null,
    el("p", { class: "alarmword" }, "FLASH", " ", line.policy?.exercise || live.status?.simulated_clock ? exercise() : null),
    el("p", null, rich("Line {number} {title}, from {parties}, at {moment}.", { number: el("b", { class: "fig" }, line.number), title: inertLine(line.title || line.label, 60), parties: peers(line).map((party) => party.name).join(comma()), moment: moment(live.now()) })),
    el("p", null, t("Unlock to read it. It rings until somebody reads it."))),
  el("div", { class: "stack" }, button(t("Unlock with your passkey"), () => document.querySelector(".right button.main").click(), { key: t("Enter"), kind: "main big" }),
    button(t("Quiet for 60 seconds"), () => quiet(60), { key: "S", kind: "big" }), place.said));
  tellFlash([line.policy?.exercise && t("EXERCISE"), t("FLASH on line {number}", { number: line.number })].filter(Boolean).join(": "));
  scrollTo(0, 0);
  ring();
}

/** What rang already when the console was locked. */
function ringing(place) {
  let kept = [];
  try {
    kept = JSON.parse(sessionStorage.getItem(RINGING) ?? "[]");
  } catch { /* another version wrote it */ }
  for (const [label, call, urgency, until] of kept) {
    const left = until - place.live.now();
    if (left <= 0) continue;
    called(place, { line: place.live.line(label), call, state: "ringing", precedence: urgency, rings: true });
    setTimeout(() => called(place, { call }), left);
  }
}

/** A call rings: on which line and how urgent, and nobody's name. Whoever unlocks the console answers it. */
function called(place, { line, call, state, precedence: urgency, rings }) {
  const { calls } = place;
  if (place.over) return;
  if (line && state === "ringing" && rings) calls.set(call, { line, urgency });
  else calls.delete(call);
  const [first] = calls.values();
  place.call.hidden = !first;
  fill(place.call, first ? [badge("call", { size: 52 }), el("div", null, el("p", { class: "lockname" }, rich("*A call rings* on line {number} {title}.", { number: el("b", { class: "fig" }, first.line.number), title: inertLine(first.line.title || first.line.label, 60) }), " ",
    first.line.policy?.exercise || place.live.status?.simulated_clock ? exercise() : precedence(first.urgency)), el("p", { class: "second" }, t("Unlock to answer it.")))] : null);
  tellRing(first ? t("A call on line {number}", { number: first.line.number }) : "");
  if (first) ringCall();
  else hushCall();
}

/** The call in which this console sits goes on: which line, since when, and that nothing of it is heard or said here. */
function drawOurs(place) {
  const mine = session();
  const line = mine?.view.state === "open" && place.live.line(mine.view.line);
  if (line) place.oursLine = line;
  const shown = place.oursLine;
  place.ours.hidden = !shown;
  const name = JSON.stringify([shown?.label, Boolean(line)]);
  if (!shown || place.ours.dataset.drawn === name) return;
  place.ours.dataset.drawn = name;
  const values = { number: el("b", { class: "fig" }, shown.number), title: inertLine(shown.title || shown.label, 60) };
  fill(place.ours, badge(line ? "hold" : "call", { size: 40 }), el("div", null,
    el("p", { class: "lockname" }, line ? rich("*A call is open* on line {number} {title}, since {moment}.", { ...values, moment: moment(mine.view.picked_up_at) }) : rich("The call on line {number} {title} is over.", values)),
    line ? el("p", { class: "second" }, t("It is on hold: nothing of it is heard here, and nothing from here is heard there. Unlock to go on.")) : null, place.oursSaid = el("div")),
  line ? button(t("End the call"), () => endOurs(place, mine.view), { kind: "end" }) : null);
}

async function endOurs(place, view) {
  if (!(await confirmed(t("End the call?"), el("p", null, t("The record says that it was ended at a locked console. Another console of this floor can take it over instead.")), t("End the call"), { danger: true }))) return;
  await hangUp(view).catch((error) => fill(place.oursSaid, failure(error, explain)));
}
