// A call rings over every view until somebody answers, declines, or its time is over: sound, title, and a notification where the
// tab is not seen. A FLASH goes before it. It also keeps the calls of this page (call/calls.js) and says which were missed.

import { explain } from "../api.js";
import { decline, followCalls, answer, known, onCalls, place, ringing, session } from "../call/calls.js";
import { able } from "../call/gate.js";
import { reasons } from "../call/telling.js";
import { failure } from "../dialogs.js";
import { button, el, field, fill, fresh } from "../dom.js";
import { inertLine, inertString } from "../inert.js";
import { bind, hold, keyLabel } from "../keys.js";
import { moment, runningClock } from "../moments.js";
import { lineName } from "../picking.js";
import { hashOf } from "../router.js";
import { badge, exercise, livery, precedence, PRECEDENCES, precedenceShape, roleWord } from "../signs.js";
import { hushCall, quiet, ringCall, soundState, wake } from "../sound.js";
import { tellRing } from "../tab.js";
import { languageName, listed, rich, t } from "../words.js";
import { isExercise } from "./flash.js";

export const styles = ["ring"];
/** Keys struck for something else while it came do not answer it. */
const ARMED_MS = 1_000;
const AGAIN_MS = 500;
const MISSED_MS = 86_400_000;
const SEEN = "openline.missed-seen";
/** What rings, for a page that is locked meanwhile: which line, how urgent, until when. */
export const RINGING = "openline.ringing";

export function watch(context) {
  const rings = new Rings(context);
  rings.start();
  return () => rings.stop();
}

class Rings {
  constructor(context) {
    Object.assign(this, { context, live: context.live, shown: null, dialog: null, told: new Set(), notes: new Map(), said: el("div", { role: "alert" }), may: context.live.may("watch-officer", "principal") });
  }

  start() {
    this.offs = [followCalls(this.context), onCalls((what) => what !== "levels" && this.settle()), this.live.on("call-wanted", (wanted) => this.wanted(wanted)), this.live.on("lines", () => this.settle())];
    this.timer = setInterval(() => this.settle(), AGAIN_MS);
    this.settle();
  }

  stop() {
    this.offs.forEach((off) => off());
    clearInterval(this.timer);
    this.close();
    this.notes.forEach((note) => note.close());
    hushCall();
    tellRing("");
  }

  /** What rings now, most urgent first; what has run out by the station's clock rings no longer, whatever came of the news. */
  waiting() {
    const now = this.live.now();
    return ringing().filter((view) => view.rings && view.rings_until > now && this.live.line(view.line)).sort((one, other) => PRECEDENCES.indexOf(one.precedence) - PRECEDENCES.indexOf(other.precedence) || one.rang_at - other.rang_at);
  }

  settle() {
    const waiting = this.waiting();
    const [first] = waiting;
    sessionStorage.setItem(RINGING, JSON.stringify(waiting.map((view) => [view.line, view.place, view.precedence, view.rings_until])));
    const mine = session()?.view;
    this.missed();
    this.standing();
    for (const [name, note] of this.notes) if (!waiting.some((view) => view.place === name)) (note.close(), this.notes.delete(name));
    if (!first) {
      this.close();
      if (mine?.state === "ringing" && mine.mine) ringCall({ far: true });
      else hushCall();
      tellRing("");
      return;
    }
    const line = this.live.line(first.line);
    const words = t("{party} calls on line {number}", { party: inertString(caller(first), 40), number: line.number });
    ringCall();
    tellRing(isExercise(this.live, line, first) ? `${t("EXERCISE")}: ${words}` : words);
    waiting.forEach((view) => this.notify(view));
    if (document.querySelector("dialog.flashwall[open]")) return; // it is read first; the call rings on
    if (this.shown?.place !== first.place && this.quietly !== first.place) this.open(first, line);
  }

  /** Whether a key that is struck now is meant for this ring. A button that is pressed always is. */
  get armed() {
    return performance.now() >= this.sprung;
  }

  // --- the ring ----------------------------------------------------------------------------------------------------

  open(view, line) {
    this.close();
    this.shown = view;
    this.before = document.activeElement;
    const heading = fresh("ring");
    this.sprung = performance.now() + ARMED_MS;
    const drill = isExercise(this.live, line, view);
    const busy = session();
    fill(this.said);
    this.body = el("div", { class: "stack" }, this.acts());
    this.dialog = el("dialog", { class: `ringwall ${view.precedence}${drill ? " drill" : ""}`, "aria-labelledby": heading, closedby: "none", data: { call: view.place }, on: {
      cancel: (event) => event.preventDefault(),
      keydown: (event) => event.key === "Escape" && event.preventDefault(),
    } }, el("div", { class: "ringhead" }, precedenceShape(view.precedence, { size: 64 }), el("div", null, drill ? exercise() : null,
      el("h1", { id: heading, tabindex: -1 }, rich("{party} calls", { party: el("bdi", null, caller(view)) })),
      el("p", null, precedence(view.precedence), " ", el("span", null, rich("{role} {sign}, for {roles}", { role: roleWord(view.role), sign: el("b", { class: "fig" }, view.sign), roles: listed(view.to.map(roleWord)) }))),
      livery(el("p", { class: "where" }, el("span", null, rich("Line {number} {title}", { number: el("b", { class: "fig" }, line.number), title: inertLine(line.title || line.label, 60) }))), line)),
    el("div", { class: "due" }, runningClock(view.rings_until, view.rang_at, { meter: false }), el("p", null, rich("rings until {moment}", { moment: moment(view.rings_until) })))),
    el("div", { class: "ringbody" }, view.subject ? el("p", { class: "subject" }, inertLine(view.subject, 256)) : null,
      el("p", { class: "second" }, t("They speak {language}.", { language: languageName(view.lang) })),
      busy ? el("p", { class: "said look" }, t("You are in a call on line {number}: answering this one ends your part in it.", { number: this.live.line(busy.view.line)?.number ?? "" })) : null,
      soundState() === "blocked" ? el("p", { class: "row" }, badge("silent", { size: 22 }), t("This browser plays no sound yet."), " ", button(t("Allow sound"), () => wake())) : null,
      this.said, this.body));
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.dialog.querySelector("h1").focus();
    this.unbind = bind("dialog", this.may ? [
      { key: "ctrl+enter", words: t("answer"), run: () => this.armed && this.answer(), always: true },
      { key: "d", words: t("decline, with a reason"), run: () => this.armed && this.declining() },
      { key: "s", words: t("quiet for 60 seconds"), run: () => quiet(60) },
    ] : [{ key: "s", words: t("quiet for 60 seconds"), run: () => quiet(60) }, { key: "escape", words: t("Close"), run: () => this.aside() }]);
    this.context.say(t("{party} calls on line {number}", { party: inertString(caller(view), 40), number: line.number }));
  }

  acts() {
    if (!this.may) return el("div", { class: "acts" }, el("p", null, t("Your role does not answer calls. It rings at every console of this floor.")), button(t("Close"), () => this.aside(), { key: t("Esc") }));
    if (!able()) return el("p", { class: "said act" }, t("This browser cannot say how sound is protected, so it takes no part in calls. Answer at another console, or with Chromium."));
    return el("div", { class: "acts" }, button(t("Answer"), () => this.answer(), { key: keyLabel("ctrl+enter"), kind: "main big" }), button(t("Decline"), () => this.declining(), { key: "D", kind: "big" }),
      button(t("Quiet for 60 seconds"), () => quiet(60), { key: "S", kind: "big" }));
  }

  aside() {
    this.quietly = this.shown?.place;
    this.close();
  }

  async answer() {
    const view = this.shown;
    if (!view || this.busy) return;
    this.busy = true;
    const line = this.live.line(view.line);
    try {
      await answer(line, view);
      this.close();
      this.context.go("call", line.label);
    } catch (error) {
      fill(this.said, failure(error, (each) => (each.code === "conflict" ? { what: t("It was not taken here."), next: t("Somebody answered at another console, or the caller has ended it."), said: each.said } : explain(each))));
    } finally {
      this.busy = false;
    }
  }

  declining() {
    const view = this.shown;
    if (!view) return;
    const reason = el("textarea", { maxlength: 200, rows: 2, dir: "auto", required: true, autocomplete: "off", on: { keydown: (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault(); // one line, however many it takes on the screen
      form.requestSubmit();
    } } });
    const form = el("form", { class: "stack", novalidate: true, on: { submit: (event) => {
      event.preventDefault();
      this.declined(view, reason.value.trim());
    } } }, field(t("Why not now? They read it, signed by you."), reason),
    el("div", { class: "row" }, reasons().map((words) => button(words, () => (reason.value = words, reason.focus())))),
    el("div", { class: "acts" }, el("button", { type: "submit", class: "danger" }, t("Decline the call")), button(t("Back. It rings on"), () => fill(this.body, this.acts()))));
    fill(this.body, form);
    reason.focus();
  }

  async declined(view, reason) {
    if (!reason) {
      fill(this.said, el("p", { class: "said look" }, t("A reason is needed: a call that nobody explains looks like a fault.")));
      return;
    }
    try {
      await decline(view, reason);
      this.close();
    } catch (error) {
      fill(this.said, failure(error, explain));
    }
  }

  close() {
    if (!this.dialog) return;
    const { dialog } = this;
    Object.assign(this, { dialog: null, shown: null });
    this.unbind();
    dialog.close();
    dialog.remove();
    hold(["ctrl+enter", "d", "s"], ARMED_MS);
    if (this.before instanceof HTMLElement && this.before.isConnected) this.before.focus();
  }

  /** Outside the tab: who calls and on which line, never what about. */
  notify(view) {
    if (this.notes.has(view.place) || document.visibilityState === "visible" || !("Notification" in window) || Notification.permission !== "granted") return;
    const line = this.live.line(view.line);
    const note = new Notification(t("{party} calls on line {number}", { party: inertString(caller(view), 40), number: line.number }), { tag: `call ${view.place}`, requireInteraction: true, silent: true });
    note.addEventListener("click", () => {
      window.focus();
      note.close();
    });
    this.notes.set(view.place, note);
  }

  // --- what stands beside ------------------------------------------------------------------------------------------

  /** Our own call goes on while the officer looks at something else: one key leads back. */
  standing() {
    const mine = session();
    const line = mine && this.live.line(mine.view.line);
    const inView = location.hash.startsWith("#/call/");
    const told = mine?.turns?.mine;
    const heard = !mine?.turns ? "" : told.held ? "held" : told.muted ? "muted" : mine.turns.byTurns && !mine.turns.speaks ? "turns" : "heard";
    const name = mine && line && !inView ? `${mine.view.place} ${mine.view.state} ${heard}` : "";
    if (name === this.standingName) return;
    this.standingName = name;
    this.context.band("call", name ? el("span", null, badge({ held: "hold", muted: "muted" }[heard] ?? "microphone"), " ", mine.view.state === "open" ? rich("*You are in a call* on {line}.", { line: lineName(line) }) : rich("*You are calling* on {line}.", { line: lineName(line) }), " ",
      { held: t("It is on hold."), muted: t("Your microphone is off."), turns: t("You speak when the floor is yours."), heard: t("They hear you.") }[heard] ?? "", " ",
      el("a", { class: "button", href: hashOf("call", line.label) }, t("to the call")), heard === "heard" || heard === "muted" ? button(told.muted ? t("unmute") : t("mute"), () => mine.mute()) : null) : null, "look");
  }

  /** The newest call that nobody answered here, until somebody has seen it. */
  missed() {
    const now = this.live.now();
    const seen = Number(localStorage.getItem(SEEN) ?? 0);
    const [last] = [...this.live.lines.values()].flatMap((line) => known(line)).filter((view) => view.state === "missed" && !view.mine && view.came_at > Math.max(seen, now - MISSED_MS)).sort((one, other) => other.came_at - one.came_at);
    if (last?.place === this.missedPlace) return;
    this.missedPlace = last?.place;
    const line = last && this.live.line(last.line);
    const done = () => {
      localStorage.setItem(SEEN, String(last.came_at));
      this.settle();
    };
    this.context.band("missed-call", line ? el("span", null, badge("missed"), " ", rich("*A call was missed:* {party} on {line}, at {moment}.", { party: el("bdi", null, caller(last)), line: lineName(line), moment: moment(last.rang_at, now) }), " ",
      el("a", { class: "button", href: hashOf("call", line.label, { call: last.place }), on: { click: done } }, t("look")), button(t("Close"), done)) : null, "look");
  }

  /** The officer asked for a call at the command line: this console places it. */
  async wanted({ line, sign, precedence: asked, lang }) {
    if (!line || sign !== this.context.me.sign || session()) return;
    try {
      await place(line, { precedence: asked, lang: lang ?? this.context.me.language, to: ["watch-officer"], ...(asked === "flash" ? { confirm: line.label } : {}) });
      this.context.go("call", line.label);
    } catch (error) {
      const { what, next } = explain(error);
      this.context.band("call-wanted", el("span", null, rich("*The call that you asked for at the command line was not placed.* {what} {next}", { what, next }), " ", button(t("Close"), () => this.context.band("call-wanted", null))), "look");
    }
  }
}

/** The party that rang. */
const caller = (view) => view.parties.find((each) => each.party === view.party)?.name ?? "";
