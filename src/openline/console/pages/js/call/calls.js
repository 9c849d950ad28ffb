// All calls that this page knows of, kept alive by the event stream, and this console's own session in one of them. One for the
// whole page: the views come and go, the call goes on.

import { get, ofLine, post, query } from "../api.js";
import { seatKey } from "./connection.js";
import { newKey } from "./gate.js";
import { Microphone } from "./microphone.js";
import { newConsole, ofCall, Session } from "./session.js";

const KEPT = 40;
const RANK = { ringing: 0, open: 1 }; // everything else is over, and stays so
const DETACHED_MS = 2_500;
const NOBODY = { name: "", role: "", sign: "", lang: "", protection: null, protections: [], takeover_until: null }; // a seat that a locked page heard of

const state = { context: null, calls: new Map(), heard: new Set(), session: null, why: new Map(), stamp: 0, seen: new Map(), detach: null };

/** What a call is named by here: two lines have calls at the same place. */
const nameOf = (view) => `${view.lineId} ${view.place}`;
const isOf = (event, view) => Boolean(view) && event.call === view.place && event.line?.line === view.lineId;

/** `hear(what)` is called for "calls" (any call changed), "session" (our part in it) and "levels" (four times a second). */
export function onCalls(hear) {
  state.heard.add(hear);
  return () => state.heard.delete(hear);
}

function tell(what) {
  for (const hear of state.heard) {
    try {
      hear(what);
    } catch (error) {
      console.error(error);
    }
  }
}

/** Follow the calls of all lines. Returns what stops it; a session outlives it for a moment, for a page frame that begins anew. */
export function followCalls(context) {
  const { live } = context;
  clearTimeout(state.detach);
  state.context = context;
  state.session?.attachAll();
  state.session?.unlock();
  const offs = [
    live.on("call", (event) => event.line && event.place && take({ ...event, line: event.line.label, lineId: event.line.line })),
    live.on("signal", (event) => isOf(event, state.session?.view) && state.session.signal(event)),
    live.on("link", (found) => found && loadAll()),
  ];
  loadAll();
  return () => {
    offs.forEach((off) => off());
    state.detach = setTimeout(() => drop(), DETACHED_MS);
    state.context = null;
  };
}

/**
 * The console is locked: our part in a call goes on, on hold, with what a locked page is told of it: the seats without their names.
 * `changed()` is called when it does. Returns what stops it, as above.
 */
export function followLocked(live, changed) {
  clearTimeout(state.detach);
  state.session?.lock();
  const offs = [
    live.on("call", ({ line, call, state: now, seats }) => {
      const view = state.session?.view;
      if (view && line?.line === view.lineId && call === view.place) take({ ...view, state: now, seats: seats?.map((seat) => ({ ...NOBODY, ...view.seats.find((each) => seatKey(each) === seatKey(seat)), ...seat })) ?? view.seats });
    }),
    live.on("signal", (event) => isOf(event, state.session?.view) && state.session.signal(event)),
    onCalls((what) => what !== "levels" && changed()),
  ];
  return () => {
    offs.forEach((off) => off());
    state.detach = setTimeout(() => drop(), DETACHED_MS);
  };
}

/** The officer signs out: the seat is free for another console at once. */
export async function parting() {
  const { session } = state;
  if (!session) return;
  await leave(session);
  end(session);
}

async function loadAll() {
  if (!state.context?.live.may("watch-officer", "principal", "interpreter", "auditor")) return;
  await Promise.all([...(state.context?.live.lines.values() ?? [])].map((line) => load(line).catch(() => {})));
}

/** The newest calls of a line, from the station; older ones with `before`. Resolves {calls}. */
export async function load(line, { before, limit = 12 } = {}) {
  const stamp = state.stamp;
  const found = await get(ofLine(line, `/calls${query({ limit, before })}`));
  for (const view of found.calls) if (!((state.seen.get(nameOf({ ...view, lineId: line.line })) ?? -1) > stamp)) take({ ...view, line: line.label, lineId: line.line }, false);
  tell("calls");
  return found;
}

/** A call as the station shows it. Events may come twice, and an answer may be older than an event: nothing goes back. */
function take(view, event = true) {
  if (event) state.seen.set(nameOf(view), state.stamp += 1);
  const of = callsOf(view.line);
  const before = of.get(view.place);
  if (before && (RANK[view.state] ?? 2) < (RANK[before.state] ?? 2)) return;
  of.set(view.place, view);
  if (of.size > KEPT) forget(of);
  const { session } = state;
  if (session && session.view.place === view.place && session.view.lineId === view.lineId) taken(session, view);
  if (event) tell("calls");
}

/** What the station answered to an act: the stream may have brought something newer meanwhile, since `asked`. */
function takeAnswer(view, asked) {
  const known = callsOf(view.line).get(view.place);
  const newer = known && (state.seen.get(nameOf(view)) ?? 0) > asked && (RANK[known.state] ?? 2) >= (RANK[view.state] ?? 2);
  if (!newer) take(view, false);
}

function forget(of) {
  const oldest = [...of.values()].filter((view) => (RANK[view.state] ?? 2) === 2).sort((one, other) => one.number - other.number)[0];
  if (!oldest) return;
  of.delete(oldest.place);
  state.seen.delete(nameOf(oldest));
}

function callsOf(label) {
  if (!state.calls.has(label)) state.calls.set(label, new Map());
  return state.calls.get(label);
}

/** Of three parties two picked up, and the caller opened to the other one: nobody hears or is heard here. */
function elsewhere(view) {
  const opened = view.seats.some((seat) => seat.party === view.party && seat.seat === 0 && seat.fingerprint);
  return view.state === "open" && view.by && opened && !view.parties.some((party) => party.me && (party.party === view.party || party.party === view.by.party));
}

function taken(session, view) {
  if (elsewhere(view)) {
    end(session);
    return;
  }
  session.take(view);
  if ((RANK[view.state] ?? 2) < 2) return;
  if (view.state === "yielded") yielded(session, view);
  else end(session);
}

/** Both rang at once, and ours yields: this console is ready, and picks the other ring up by itself. */
async function yielded(session, view) {
  const line = state.context?.live.line(view.line);
  session.yielding = true;
  let other = ringingFor(view.line);
  if (!other && line) {
    await load(line).catch(() => {});
    other = ringingFor(view.line);
  }
  if (!line || !other) {
    if (state.session === session) session.waits = setTimeout(() => state.session === session && end(session), 5_000);
    return;
  }
  await answer(line, other).catch(() => end(session));
}

const ringingFor = (label) => [...callsOf(label).values()].find((each) => each.state === "ringing" && !each.mine);

function end(session) {
  if (state.session !== session) return;
  clearTimeout(session.waits);
  state.session = null;
  session.close();
  tell("session");
}

/** The session ends here and now, whatever becomes of the call. */
function drop() {
  const { session } = state;
  if (!session) return;
  leave(session);
  end(session);
}

const leave = (session) => session.seat !== undefined && session.view.state === "open" && session.leaves().catch(() => {});

// --- what is known -------------------------------------------------------------------------------------------------

/** The calls of a line that are known here, newest first. */
export const known = (line) => [...callsOf(line.label).values()].sort((one, other) => other.number - one.number);

/** The call of a line that rings or is open; null if there is none. */
export const standing = (line) => known(line).find((view) => view.state === "open") ?? known(line).find((view) => view.state === "ringing") ?? null;

/** All calls that ring here and wait for an answer. */
export const ringing = () => [...state.calls.values()].flatMap((of) => [...of.values()]).filter((view) => view.state === "ringing" && !view.mine);

/** This console's part in a call; null without one. */
export const session = () => state.session;

/** Our part in that call; null if this console has none. */
export const sessionOf = (view) => (view && state.session?.view.place === view.place && state.session.view.lineId === view.lineId ? state.session : null);

/** Why this console is no longer in a call: "version", "fingerprint", "taken", "left"; "" if there is nothing to say. */
export const whyOver = (view) => (view && state.why.get(nameOf(view))) ?? "";

// --- what an officer does ------------------------------------------------------------------------------------------

async function begin(line, given, ask) {
  const microphone = given ?? new Microphone(() => {});
  if (!given) microphone.open(); // asked for at once: whoever answers wants to speak
  const key = await newKey();
  const name = newConsole();
  const early = [];
  const off = state.context.live.on("signal", (event) => early.push(event)); // the answer of the station may come after the first of them
  const asked = state.stamp;
  let view;
  try {
    view = await ask({ console: name, fingerprint: key.fingerprint });
  } catch (error) {
    microphone.close();
    throw error;
  } finally {
    off();
  }
  view = { ...view, line: line.label, lineId: line.line };
  const made = new Session(view, { console: name, key, microphone, acts: {
    changed: () => tell("session"), levels: () => tell("levels"),
    over: (why) => {
      state.why.set(nameOf(view), why);
      end(made);
    },
  } });
  const { session: before } = state;
  if (before) {
    if (!before.yielding) leave(before);
    end(before);
  }
  state.session = made;
  state.why.delete(nameOf(view));
  takeAnswer(view, asked);
  made.take(callsOf(line.label).get(view.place) ?? view);
  for (const event of early) if (isOf(event, view)) made.signal(event);
  tell("calls");
  tell("session");
  return view;
}

/** Ring the other side. `asked`: {precedence, lang, to, subject?, sign?, confirm?}; `microphone`: one that is open already. */
export const place = (line, asked, microphone) => begin(line, microphone, (seat) => post(ofLine(line, "/calls"), { ...asked, ...seat }));

/** Pick a ring up. */
export async function answer(line, view, microphone) {
  const { me } = state.context;
  return begin(line, microphone, (seat) => post(ofCall({ ...view, lineId: line.line }, "/pick-up"), { ...seat, lang: me.language }));
}

/** Come into a call that is open: "joins" as the further console, or "takes-over" the officer's seat. */
export async function enter(line, view, act) {
  const { me } = state.context;
  return begin(line, null, (seat) => post(ofCall({ ...view, lineId: line.line }, "/seat"), { ...seat, act, lang: me.language }));
}

/** Do not answer, and say why. */
export const decline = (view, reason) => act(view, "/decline", { reason });

/** End it, or withdraw one's own ring. */
export async function hangUp(view, { cause = "ended", text } = {}) {
  const mine = sessionOf(view);
  return act(view, "/hang-up", { cause, ...(mine ? { console: mine.console } : {}), ...(text ? { text } : {}) });
}

/** Whether the figures that were read were those on the screen. */
export const check = (view, matched) => act(view, "/check", { console: sessionOf(view)?.console ?? null, matched });

/** A line typed in the call: an entry. */
export const typed = (view, text, lang) => act(view, "/typed", { text, lang });

/** Minutes, as they are drafted here. `drafted`: {clauses, replaces?}. */
export const draftMinutes = (view, drafted) => act(view, "/minutes", drafted);

/** Our word on minutes of the other side, clause by clause. */
export const answerMinutes = (view, place, clauses) => act(view, `/minutes/${place}/word`, { clauses });

/** The further console leaves; the others go on. */
export async function leaveCall(view) {
  const mine = sessionOf(view);
  if (!mine) return;
  await mine.leaves();
  end(mine);
}

async function act(view, rest, body) {
  const asked = state.stamp;
  const answered = await post(ofCall(view, rest), body);
  if (answered?.place === view.place) takeAnswer({ ...answered, line: view.line, lineId: view.lineId }, asked);
  tell("calls");
  return answered;
}

/** One call anew. */
export async function again(view) {
  const asked = state.stamp;
  const found = await get(ofCall(view));
  takeAnswer({ ...found, line: view.line, lineId: view.lineId }, asked);
  tell("calls");
  return found;
}
