// The call: who has the floor, who is next, the spoken check, how sound gets through and how it is protected; what is typed; and
// after the call its record and its minutes. The call itself lives in call/session.js: this view may come and go.

import { explain, get, ofLine } from "../api.js";
import { again, check, enter, hangUp, known, leaveCall, onCalls, sessionOf, standing, whyOver } from "../call/calls.js";
import { showDevices } from "../call/devices.js";
import { able } from "../call/gate.js";
import { History } from "../call/history.js";
import { Minutes } from "../call/minutes.js";
import { checkPanel, panel, protectionPanel, redraw, soundPanel } from "../call/panels.js";
import { Placing } from "../call/placing.js";
import { recordPanel } from "../call/record.js";
import { drawLevels, drawSeats, seatsName, spokenPicture } from "../call/seats.js";
import { Typed } from "../call/typed.js";
import { causeWords, microphoneWords, overWords, sentence } from "../call/telling.js";
import { confirmed, failure } from "../dialogs.js";
import { button, el, fill } from "../dom.js";
import { inertLine, inertText } from "../inert.js";
import { keyLabel } from "../keys.js";
import { lineHead } from "../line/head.js";
import { countdown, hms, moment, now, tick } from "../moments.js";
import { badge, exercise, precedence } from "../signs.js";
import { rich, t } from "../words.js";

export const styles = ["line", "call"];
const PICTURE_MS = 1_000;

export function open(root, context, params) {
  const view = new CallView(root, context, params);
  view.start();
  return () => view.stop();
}

class CallView {
  constructor(root, context, params) {
    Object.assign(this, { root, context, live: context.live, label: params.line.label, chosen: params.query.get("call") ?? "", place: "" });
    this.top = el("div");
    this.heading = el("h1", { class: "sentence", tabindex: -1, role: "status" });
    this.subject = el("p", { class: "callsubject row" });
    this.told = el("div", { class: "stack", role: "alert" });
    this.seats = el("section", { class: "seats", "aria-label": t("Who is in the call") });
    this.spoken = el("div", { class: "spokenpicture" });
    this.spokenPanel = panel("spoken", t("Who spoke, last four minutes"), this.spoken);
    this.acts = el("div", { class: "callacts" });
    this.check = el("div");
    this.sound = el("div");
    this.protection = el("div");
    this.record = el("div");
    this.main = el("div", { class: "main" });
    this.aside = el("aside", { "aria-label": t("Check, sound, protection") });
    this.history = new History(context, this.line);
    this.minutes = new Minutes(context, this.line);
    this.placing = new Placing(context, this.line, { devices: () => this.devices(), placed: () => this.draw() });
  }

  get line() {
    return this.live.line(this.label);
  }

  /** The call that is shown: the one that was asked for, else the one that stands, else the last one that this view had. */
  get view() {
    const calls = known(this.line);
    if (this.chosen) return calls.find((each) => each.place === this.chosen) ?? null;
    return standing(this.line) ?? calls.find((each) => each.place === this.place) ?? null;
  }

  get session() {
    return sessionOf(this.view);
  }

  start() {
    fill(this.root, this.top, el("div", { class: "call" }, this.main, this.aside));
    this.drawHead();
    this.draw();
    this.offs = [
      onCalls((what) => (what === "levels" ? this.levels() : this.soon())),
      this.live.on("lines", (line) => (!line || line.label === this.label) && this.drawHead()),
    ];
    this.timer = setInterval(() => this.picture(), PICTURE_MS);
    addEventListener("keyup", this.onUp = (event) => event.code === "Space" && this.released());
    if (this.chosen && !this.view) this.fetch();
  }

  /** A call that stands in no list here yet. */
  async fetch() {
    try {
      const found = await get(ofLine(this.line, `/calls/${this.chosen}`));
      await again({ ...found, line: this.label, lineId: this.line.line });
    } catch (error) {
      fill(this.told, failure(error, explain));
    }
  }

  stop() {
    this.offs.forEach((off) => off());
    clearInterval(this.timer);
    cancelAnimationFrame(this.frame);
    removeEventListener("keyup", this.onUp);
    this.typed?.close();
    if (this.session?.turns?.mine.asks) this.session.turns.unask();
  }

  soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  // --- drawing -----------------------------------------------------------------------------------------------------

  drawHead() {
    const { view } = this;
    const head = lineHead(this.live, this.line);
    const name = head.querySelector("h1");
    name.replaceWith(el("p", { class: "title" }, ...name.childNodes)); // the heading of this view is its sentence
    if (view?.state === "open" || view?.state === "ringing") {
      head.querySelector(".run")?.remove();
      head.querySelector(".linehead").append(this.clock(view));
    }
    fill(this.top, head);
  }

  clock(view) {
    const figures = el("span", { class: "clock", role: "timer" });
    const from = view.state === "open" ? view.picked_up_at : view.rings_until;
    const box = el("div", { class: "two run" }, figures, el("div", { class: "small" }, view.state === "open" ? rich("call, begun{break}{moment}", { break: el("br"), moment: moment(from, now(), { seconds: true }) }) : t("it rings for")));
    return tick(box, (at) => (figures.textContent = view.state === "open" ? countdown(Math.max(0, at - from)) : countdown(Math.max(0, from - at))));
  }

  draw() {
    const { view, session } = this;
    const state = view?.state ?? "none";
    const shape = `${view?.place ?? ""} ${state} ${Boolean(session)}`;
    this.root.dataset.callState = state;
    this.root.classList.toggle("voiceless", Boolean(session?.failing)); // then what is typed and recorded stands first
    if (view) this.place = view.place;
    if (shape !== this.shape) this.arrange(view, session, shape);
    this.bind(`${shape} ${Boolean(session?.turns?.byTurns)}`);
    const words = sentence(view, session);
    const text = words.textContent ?? words;
    if (this.heading.dataset.words !== text) {
      fill(this.heading, words);
      this.heading.dataset.words = text;
    }
    this.history.update(view?.place);
    this.drawTold(view, session);
    if (!view) return;
    redraw(this.seats, seatsName(view, session), () => (drawSeats(this.seats, view, session), [...this.seats.children]));
    this.typed.update(view, session);
    this.minutes.update(view);
    redraw(this.check, JSON.stringify([view.check, view.state, Boolean(session)]), () => checkPanel(view, session, { matched: () => this.matched(true), differed: () => this.matched(false) }));
    redraw(this.protection, JSON.stringify([view.state, view.seats.map((seat) => seat.protection), view.ends, session && [...session.connections.values()].map((each) => [each.state, each.protection])]), () => protectionPanel(view, session));
    redraw(this.record, JSON.stringify([view.state, view.ends, view.record]), () => recordPanel(view));
    this.drawSound(view, session);
    this.drawActs(view, session);
  }

  /** What stands where: a call in progress, one that rings, one that is over, or none. */
  arrange(view, session, shape) {
    const before = this.shape;
    this.shape = shape;
    this.main.scrollTop = 0; // what has changed stands at the top
    this.drawHead();
    if (view && this.typed?.view.place !== view.place) {
      this.typed?.close();
      this.typed = new Typed(this.context, this.line, view);
    }
    const standingNow = view && (view.state === "open" || view.state === "ringing");
    this.spokenPanel.hidden = !session || view.state !== "open";
    const spoke = Boolean(view) && view.picked_up_at !== null;
    const body = !view ? [this.placing.node, this.history.node]
      : view.state === "ringing" ? [view.mine ? this.meanwhile() : null, this.acts]
        : standingNow ? [this.seats, this.spokenPanel, this.typed.node, this.acts] : [this.record, spoke ? [this.typed.node, this.minutes.node] : null, this.acts, this.history.node];
    fill(this.subject, view ? [precedence(view.precedence, { size: 15 }), view.exercise ? exercise() : null, view.subject ? inertLine(view.subject, 256) : null] : null);
    fill(this.main, el("div", { class: "callhead" }, this.heading, this.subject), this.told, body);
    fill(this.aside, !view ? [this.advice()] : standingNow ? [this.check, this.sound, this.protection, view.state === "open" ? this.minutes.node : null] : spoke ? [this.check, this.protection] : [this.advice()]);
    this.picture();
    if (before !== undefined && document.activeElement === document.body) this.heading.focus({ preventScroll: true });
  }

  advice() {
    return panel("advice", t("Before you call"), el("ul", { class: "advice" }, [
      t("The other floor sees who calls, in which role, how urgent it is and what about."),
      t("Read the figures of the spoken check to each other first: they prove that nobody stands in between."),
      t("Each side may bring one further console into the call: its interpreter or adviser."),
      t("Speak by turns when it is interpreted: one thought, then wait."),
      t("Sound is not recorded. Agree on minutes afterwards: a call without them says so."),
    ].map((words) => el("li", null, words))));
  }

  /** While it rings over there: what happens then, so that nobody waits before an empty screen. */
  meanwhile() {
    return panel("meanwhile", t("While it rings"), el("ul", { class: "advice" }, [
      t("They see who calls, how urgent it is and what about. Nothing is heard before they answer."),
      t("If nobody answers for 20 seconds, their alarms call somebody; a FLASH does so at once."),
      t("If nobody answers at all, both records say so, and why."),
      t("Then write: a message is held there until it is read."),
    ].map((words) => el("li", null, words))));
  }

  drawTold(view, session) {
    const why = overWords(whyOver(view));
    const mic = session ? microphoneWords(session.microphone) : null;
    const name = JSON.stringify([why, mic, view?.state, view?.reason, view?.cause, Boolean(session), this.joinable(view, session)]);
    redraw(this.told, name, () => [
      why ? el("p", { class: "said act" }, why) : null,
      mic ? el("p", { class: "said look" }, badge("muted"), " ", el("b", null, mic[0]), " ", mic[1]) : null,
      view?.state === "open" && !session ? this.entering(view) : null,
      view && view.state !== "open" && view.state !== "ringing" && (view.reason || (view.cause && view.cause !== "ended" && view.cause !== "confirms")) ? el("div", { class: `said ${view.state === "ended" && view.cause !== "not-protected" && view.cause !== "check-failed" ? "" : "look"}` }, el("p", null, causeWords(view.cause)), view.reason ? inertText(view.reason) : null) : null,
    ]);
  }

  /** What this console may do in a call in which it is not. */
  joinable(view, session) {
    if (view?.state !== "open" || session) return "";
    const seats = view.seats.filter((seat) => seat.me && seat.state !== "left" && seat.state !== "lost");
    return `${seats.some((seat) => seat.seat === 0)} ${seats.some((seat) => seat.seat === 1)} ${view.seats.some((seat) => seat.me)}`;
  }

  entering(view) {
    const ours = view.seats.filter((seat) => seat.me);
    const officer = ours.find((seat) => seat.seat === 0);
    const sits = (seat) => seat && seat.state !== "left" && seat.state !== "lost";
    const taken = sits(officer);
    const second = sits(ours.find((seat) => seat.seat === 1));
    const takes = this.live.may("watch-officer", "principal");
    const said = el("div", { role: "alert" });
    const come = (act) => async () => {
      if (act === "takes-over" && taken && !(await confirmed(t("Take the call over?"), el("p", null, t("The console that is in the call now leaves it. Both sides see it.")), t("Take it over here")))) return;
      try {
        await enter(this.line, view, act);
      } catch (error) {
        fill(said, failure(error, explain));
      }
    };
    return el("div", { class: "said look stack" }, el("p", null, taken ? t("Another console of yours speaks in this call.") : rich("*No console of yours is in this call now.* The other side sees it. Take it over before it ends.")),
      able() ? el("div", { class: "row" }, takes ? button(t("Take the call over at this console"), come("takes-over"), { key: "O", kind: taken ? "" : "main" }) : null,
        taken && !second ? button(t("Come in as interpreter or adviser"), come("joins"), { key: "J", kind: "main" }) : null) : el("p", null, t("This browser cannot say how sound is protected, so it takes no part in calls. Use Chromium.")), said);
  }

  drawSound(view, session) {
    const qualities = session ? [...session.connections.values()].map((each) => [each.state, each.thin, each.quality && [each.quality.word, Math.round(each.quality.kbits), Math.round(each.quality.lost * 1_000), Math.round((each.quality.delay ?? 0) / 10)]]) : null;
    redraw(this.sound, JSON.stringify([qualities, session?.away, session?.failing, session?.sounding]), () => soundPanel(view, session, { devices: () => this.devices(), redo: () => session.connections.forEach((each) => each.help()) }));
  }

  drawActs(view, session) {
    const turns = session?.turns;
    const name = JSON.stringify([view.state, view.mine, Boolean(session), turns?.mine, turns?.byTurns, turns?.holder, turns?.next, session?.seat, view.state === "open" && session?.own?.state]);
    redraw(this.acts, name, () => this.actButtons(view, session, turns));
  }

  actButtons(view, session, turns) {
    const end = (words) => button(words, () => this.end(), { key: `${keyLabel("ctrl+end")}`, kind: "end" });
    if (view.state === "ringing") return [view.mine ? end(t("withdraw the call")) : el("p", { class: "second" }, t("Answer it where it rings on this screen."))];
    if (view.state !== "open") return [button(t("Call again"), () => this.anew(), { key: "A", kind: "main" })];
    if (!session || !turns) return session ? [end(t("end the call"))] : [];
    const holding = turns.holder === turns.key;
    const big = turns.byTurns ? button(holding ? t("give the floor on") : turns.mine.asks ? t("asked: let go to withdraw") : turns.holder === null ? t("hold to speak") : t("hold to ask for the floor"), () => this.toggled(), { key: t("Space"), kind: `main big${turns.mine.asks ? " asks" : ""}`, "aria-pressed": String(holding), data: { act: "floor" } }) : null;
    return [big,
      button(turns.mine.muted ? t("unmute") : t("mute"), () => session.mute(), { key: "M", "aria-pressed": String(turns.mine.muted), data: { act: "mute" } }),
      button(turns.mine.held ? t("back from hold") : t("hold"), () => session.hold(), { key: "H", "aria-pressed": String(turns.mine.held), data: { act: "hold" } }),
      button(turns.byTurns ? t("speak freely") : t("speak by turns"), () => this.mode(), { key: "T", data: { act: "turns" } }),
      end(session.seat === 1 ? t("leave the call") : t("end the call"))];
  }

  picture() {
    const { view, session } = this;
    if (!view || !session || view.state !== "open") return;
    fill(this.spoken, spokenPicture(view, session));
  }

  levels() {
    const { view, session } = this;
    if (!view || !session || !this.seats.isConnected) return;
    drawLevels(this.seats, view, session);
    this.soon();
  }

  // --- acts --------------------------------------------------------------------------------------------------------

  /** Only keys that do something now are bound, so that the key bar shows no other. */
  bind(name) {
    if (name === this.bound) return;
    this.bound = name;
    this.unbind?.();
    this.unbind = this.context.keys(this.keys().filter((each) => !each.off?.()));
  }

  keys() {
    const inCall = (act) => () => this.session?.turns && act(this.session);
    const quiet = () => this.view?.state !== "open" || !this.session;
    const over = () => Boolean(this.view) && !["open", "ringing"].includes(this.view.state);
    const outside = () => this.view?.state === "open" && !this.session;
    return [
      { key: "space", words: t("hold: ask for the floor, speak"), run: (event) => !event.repeat && this.pressed(), off: () => quiet() || !this.session.turns?.byTurns },
      { key: "g", words: t("give the floor on"), run: inCall((session) => session.turns.give()), off: () => quiet() || !this.session.turns?.byTurns },
      { key: "g", words: t("agree to the minutes"), run: () => this.root.querySelector("[data-act=agree]")?.click(), off: () => !over(), hint: false },
      { key: "m", words: t("mute"), run: inCall((session) => session.mute()), off: quiet },
      { key: "h", words: t("hold"), run: inCall((session) => session.hold()), off: quiet },
      { key: "t", words: t("speak by turns, or freely"), run: () => this.mode(), off: quiet },
      { key: "w", words: t("type a line"), run: () => this.write(), off: () => this.view?.state !== "open" },
      { key: "r", words: t("voice message"), run: () => this.typed?.toggle(), off: quiet },
      { key: "b", words: t("spoken check matched"), run: () => this.check.querySelector("button")?.click(), off: quiet },
      { key: "d", words: t("devices"), run: () => this.devices() },
      { key: "o", words: t("take the call over"), run: () => this.told.querySelector("button")?.click(), off: () => !outside() },
      { key: "j", words: t("come in as interpreter"), run: () => [...this.told.querySelectorAll("button")].at(-1)?.click(), off: () => !outside() },
      { key: "n", words: t("draft the minutes"), run: () => !this.minutes.editing && this.minutes.edit(this.view?.minutes.drafts.at(-1) ?? null), off: () => !over() || this.view.picked_up_at === null },
      { key: "a", words: t("call again"), run: () => this.anew(), off: () => !over() },
      { key: "ctrl+enter", words: t("call now"), run: () => this.placing.ring(), always: true, off: () => Boolean(this.view) },
      { key: "ctrl+end", words: t("end the call"), run: () => this.end(), always: true, off: () => !(this.view?.state === "open" || (this.view?.state === "ringing" && this.view.mine)) },
      { key: "escape", words: t("the line"), run: () => this.context.go("line", this.label), hint: false },
    ];
  }

  /** A new call: the form, in place of what is shown. */
  anew() {
    this.chosen = "";
    this.place = "";
    if (location.hash.includes("?")) this.context.go("call", this.label);
    this.draw();
    this.placing.precedence.focus();
  }

  pressed() {
    const { turns } = this.session;
    if (turns.holder === turns.key) this.giving = true;
    else {
      this.down = true;
      turns.ask();
    }
  }

  released() {
    const turns = this.session?.turns;
    const { down, giving } = this;
    this.down = this.giving = false;
    if (!turns || !(down || giving)) return;
    if (turns.holder === turns.key) turns.give();
    else turns.unask();
  }

  /** With a pointer, or where a key cannot be held: once to ask, once to give on. */
  toggled() {
    const turns = this.session?.turns;
    if (!turns) return;
    if (turns.holder === turns.key) turns.give();
    else if (turns.mine.asks) turns.unask();
    else turns.ask();
  }

  mode() {
    const turns = this.session?.turns;
    turns?.mode(turns.byTurns ? "open" : "turns");
  }

  write() {
    if (this.view?.state === "open") this.typed.input.focus();
  }

  devices() {
    return showDevices(this.session?.microphone ?? null, this.session);
  }

  async matched(yes) {
    const { view, session } = this;
    if (!session || !view.check) return;
    try {
      if (yes) {
        await check(view, true);
        return;
      }
      if (!(await confirmed(t("The figures did not match?"), el("p", null, t("Then somebody may stand in between, with stolen keys. The call ends at once, and both records say why. Tell the technician and the other floor by another way.")), t("They did not match: end the call"), { danger: true }))) return;
      await check(view, false);
      await hangUp(view, { cause: "check-failed" });
    } catch (error) {
      if (this.view?.state === "open") fill(this.told, failure(error, explain));
    }
  }

  async end() {
    const { view } = this;
    if (!view || this.ending) return;
    this.ending = true;
    try {
      if (this.session?.seat === 1) {
        await leaveCall(view); // the officers go on without it
        return;
      }
      await hangUp(view);
      this.context.say(t("The call is over, {moment}.", { moment: hms(now()) }));
    } catch (error) {
      if (error.code === "away" && this.session) this.session.acts.over("left"); // nothing more is heard or said here, whatever the station knows
      fill(this.told, failure(error, explain));
      delete this.told.dataset.drawn;
    } finally {
      this.ending = false;
    }
  }
}
