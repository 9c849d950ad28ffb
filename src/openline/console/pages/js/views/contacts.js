// Contacts: a month of what is due, kept and missed, with the cause; beside it the account of one, signed by both sides,
// and the figures of the line.

import { account, figuresPanel, offered, spoken } from "../contacts/account.js";
import { calendars, ContactActs } from "../contacts/acts.js";
import { marksKey, mediumWord } from "../contacts/marks.js";
import { monthOf, monthTable, nameOf, said, spanOf } from "../contacts/month.js";
import { proposals, proposeSchedule, schedulePanel } from "../contacts/schedule.js";
import { failure } from "../dialogs.js";
import { button, el, fill } from "../dom.js";
import { inertLine } from "../inert.js";
import { keyLabel } from "../keys.js";
import { own } from "../live.js";
import { hm } from "../moments.js";
import { lineName } from "../picking.js";
import { redraw } from "../redrawn.js";
import { exercise, livery } from "../signs.js";
import { comma, n, rich, richN, t } from "../words.js";

export const styles = ["contacts"];
const DAYS = 90;
const AGAIN_MS = 30_000;
/** After a moment at which a contact changes, before the station is asked: it reads the same clock. */
const AFTER_MS = 250;
const LONGEST_MS = 2 ** 31 - 1; // of a timer
const AHEAD_MS = 14 * 86_400_000;

export function open(root, context, params) {
  const view = new Contacts(root, context, params);
  const [onward, back] = document.documentElement.dir === "rtl" ? ["arrowleft", "arrowright"] : ["arrowright", "arrowleft"]; // as the days stand
  context.keys([
    { key: onward, words: t("next contact"), run: () => view.step(1) },
    { key: back, words: t("contact before"), run: () => view.step(-1), hint: false },
    { key: "pagedown", words: t("next month"), run: () => view.turn(1) },
    { key: "pageup", words: t("month before"), run: () => view.turn(-1), hint: false },
    { key: "home", words: t("this month"), run: () => view.today(), hint: false },
    ...(view.may() ? [
      { key: "t", words: t("it took place"), run: () => view.say("kept"), hint: false },
      { key: "d", words: t("decline it"), run: () => view.say("declined"), hint: false },
      { key: "w", words: t("say why"), run: () => view.say("account"), hint: false },
      { key: "y", words: t("countersign"), run: () => view.sign(true) },
      { key: "x", words: t("it was not so"), run: () => view.sign(false), hint: false },
      { key: "r", words: t("record a contact"), run: () => view.acts.record() },
    ] : []),
    ...(view.mayAddress() ? [{ key: "v", words: t("calendar address"), run: () => calendars() }] : []),
    ...(context.live.may("administrator") ? [{ key: "p", words: t("propose a schedule"), run: () => view.propose(), hint: false }] : []),
  ]);
  view.load();
  return () => view.stop();
}

class Contacts {
  constructor(root, context, { line, query }) {
    Object.assign(this, { root, context, line, live: context.live, found: null, chosen: query.get("contact") ?? "", asked: 0 });
    this.month = monthOf(this.live.now());
    this.acts = new ContactActs(line, () => this.load());
    this.heading = el("h1", { class: "sentence" }, t("Contacts"));
    this.wrong = el("div", { role: "alert" });
    this.place = el("div", { class: "place" });
    this.mine = el("div", { class: "chosen-contact", "aria-live": "polite" });
    [this.proposal, this.outside, this.figures, this.schedule, this.marks] = Array.from({ length: 5 }, () => el("div"));
    this.side = el("div", { class: "side" }, this.proposal, this.mine, this.outside, this.figures, this.schedule, this.marks);
    const acts = el("div", { class: "row monthacts" }, button(t("Month before"), () => this.turn(-1), { key: keyLabel("pageup") }), button(t("Next month"), () => this.turn(1), { key: keyLabel("pagedown") }), el("span", { class: "gap" }),
      this.may() ? button(t("Record a contact"), () => this.acts.record(), { key: "R" }) : null, this.mayAddress() ? button(t("Calendar address"), () => calendars(), { key: "V" }) : null);
    fill(root, livery(el("header", null, this.heading), line), this.wrong, el("div", { class: "left" }, this.place, acts), this.side);
    this.offs = [
      this.live.on("entry", ({ line: at, entry }) => at.line === line.line && /^(contact|countersign|test|message|assent|propose)$/.test(entry.kind) && this.soon()),
      this.live.on("noticed", ({ line: at }) => at.line === line.line && this.soon()),
    ];
    this.timer = setInterval(() => this.load(), AGAIN_MS);
  }

  stop() {
    this.asked += 1;
    clearInterval(this.timer);
    clearTimeout(this.later);
    clearTimeout(this.next);
    this.offs.forEach((off) => off());
  }

  may() {
    return this.live.may("watch-officer");
  }

  mayAddress() {
    return this.live.may("watch-officer", "principal", "interpreter", "administrator");
  }

  soon() {
    clearTimeout(this.later);
    this.later = setTimeout(() => this.load(), 400);
  }

  async load() {
    const { api } = this.context;
    const mine = (this.asked += 1);
    const { from, to } = spanOf(this.month);
    const now = this.live.now();
    const ahead = this.month === monthOf(now) ? Math.max(to, Math.round(now) + AHEAD_MS) : to;
    try {
      const [found, figures] = await Promise.all([api.get(api.ofLine(this.line, `/contacts${api.query({ from, to: ahead })}`)), api.get(api.ofLine(this.line, `/figures${api.query({ days: DAYS })}`))]);
      if (mine !== this.asked) return;
      this.found = found;
      this.#wake();
      fill(this.wrong);
      redraw(this.figures, () => figuresPanel(this.line, figures, DAYS));
      this.draw();
    } catch (error) {
      if (mine === this.asked) fill(this.wrong, failure(error, api.explain));
      return;
    }
    try {
      const node = await proposals(this.line, { assented: () => this.load(), may: this.live.may("administrator") });
      if (mine === this.asked) redraw(this.proposal, () => node);
    } catch { /* who may not read entries sees no proposals */ }
  }

  /** Look again at the next moment at which a contact opens, falls due or is missed. */
  #wake() {
    clearTimeout(this.next);
    const now = this.live.now();
    const ahead = this.found.occurrences.flatMap(({ opens, start, closes }) => [opens, start, closes]).filter((at) => at > now);
    if (ahead.length) this.next = setTimeout(() => this.load(), Math.min(Math.min(...ahead) - now + AFTER_MS, LONGEST_MS));
  }

  /** The latest that is over, else the first ahead: what one wants to see first. */
  #usual() {
    const { occurrences } = this.found;
    const waits = occurrences.filter((each) => this.#unsigned(each)).at(-1);
    const over = occurrences.filter((each) => each.start <= this.live.now() && each.state !== "kept").at(-1);
    return waits ?? over ?? occurrences.find((each) => each.state === "due" || each.state === "upcoming") ?? occurrences.at(-1);
  }

  #unsigned(each) {
    const me = own(this.line).name;
    return each.words.find((word) => word.author !== me && !word.agreed.includes(me) && !word.differs.includes(me));
  }

  draw() {
    const { found } = this;
    const each = found.occurrences.find((one) => nameOf(one) === this.chosen) ?? this.#usual();
    this.chosen = each ? nameOf(each) : "";
    this.each = each;
    fill(this.heading, this.#sentence());
    redraw(this.place, () => monthTable({ month: this.month, now: this.live.now(), occurrences: found.occurrences.filter((one) => one.start <= spanOf(this.month).to), outside: found.outside, chosen: this.chosen,
      choose: (one) => this.choose(one) }));
    const options = { now: this.live.now(), acts: this.acts, may: this.may() };
    redraw(this.mine, () => (each ? account(this.line, each, options) : el("section", { class: "panel" }, el("p", null, t("No contact is due in this month.")))));
    const meant = each && this.#unsigned(each) ? null : found.outside.find((word) => this.#unsigned({ words: [word] }));
    redraw(this.outside, () => (found.outside.length ? el("section", { class: "panel outside" }, el("h2", null, t("Contacts outside the schedule")), found.outside.map((word) => el("div", null,
      el("p", null, el("b", null, mediumWord(word.medium)), comma(), said(word.at, { day: "numeric", month: "long" }), comma(), el("time", null, hm(word.at))),
      spoken(this.line, word, this.acts, this.may(), word === meant)))) : null));
    redraw(this.schedule, () => schedulePanel(found, this.live.may("administrator") ? () => this.propose() : null));
    if (!this.marks.hasChildNodes()) fill(this.marks, marksKey());
  }

  #pressed() {
    return this.place.querySelector("[aria-pressed=true]");
  }

  #sentence() {
    const { from, to } = { from: this.month, to: monthOf(this.month, 1) - 1 };
    const here = this.found.occurrences.filter((each) => each.start >= from && each.start <= to);
    const count = (state, cause) => here.filter((each) => each.state === state && (cause === undefined || each.cause === cause)).length;
    const parts = [lineName(this.line), ". ", this.line.policy?.exercise ? [exercise(), " "] : "", capital(said(this.month, { month: "long" })), ` ${new Date(this.month).getUTCFullYear()}. `];
    if (!this.found.schedule.length) parts.push(t("No regular contact is agreed."), " ");
    else if (!here.length) parts.push(t("No contact is due in this month."), " ");
    const kept = count("kept");
    if (kept) parts.push(richN(kept, "One contact was *kept*.", "{count} contacts were *kept*."), " ");
    for (const [cause, words] of [
      ["unattended", (many) => richN(many, "One was *missed*: a floor was unattended.", "{count} were *missed*: a floor was unattended.")],
      ["fault", (many) => richN(many, "One was *missed* by a link fault.", "{count} were *missed* by a link fault.")],
      ["no call", (many) => richN(many, "One was *missed*: nobody called.", "{count} were *missed*: nobody called.")],
      ["declined", (many) => richN(many, "One was *declined*.", "{count} were *declined*.")],
    ]) if (count("missed", cause)) parts.push(words(count("missed", cause)), " ");
    const waits = this.found.occurrences.filter((each) => this.#unsigned(each)).length + this.found.outside.filter((word) => this.#unsigned({ words: [word] })).length;
    if (waits) parts.push(el("span", { class: "look" }, n(waits, "One word of theirs waits for your signature.", "{count} words of theirs wait for your signature.")), " ");
    const next = this.found.occurrences.find((each) => each.state === "due") ?? this.found.occurrences.find((each) => each.state === "upcoming");
    if (next) parts.push(rich("Next: *{moment}*, {name}.", { moment: `${said(next.start, { weekday: "long" })} ${hm(next.start)}`, name: inertLine(next.name, 64) }));
    return parts;
  }

  choose(each) {
    this.chosen = nameOf(each);
    this.draw();
    this.mine.scrollIntoView({ block: "nearest" });
  }

  step(by) {
    const { occurrences } = this.found ?? { occurrences: [] };
    const shown = occurrences.filter((each) => each.start <= spanOf(this.month).to);
    const at = shown.findIndex((each) => nameOf(each) === this.chosen) + by;
    if (at < 0 || at >= shown.length) return void this.turn(by);
    this.choose(shown[at]);
    this.#pressed()?.focus();
  }

  async turn(by) {
    this.month = monthOf(this.month, by);
    this.chosen = "";
    await this.load();
    this.context.say(this.heading.textContent);
  }

  today() {
    this.month = monthOf(this.live.now());
    this.chosen = "";
    this.load();
  }

  say(outcome) {
    if (this.may() && this.each && offered(this.each).some(([, , each]) => each === outcome)) this.acts.say(this.each, outcome);
  }

  sign(agreed) {
    if (!this.may() || !this.found) return;
    const word = (this.each && this.#unsigned(this.each)) ?? this.found.outside.find((each) => this.#unsigned({ words: [each] }));
    if (word) this.acts.countersign(word, agreed);
  }

  async propose() {
    if (this.found && this.live.may("administrator") && (await proposeSchedule(this.line, this.found.schedule))) this.load();
  }
}

/** A word with which a sentence begins. */
const capital = (word) => word.charAt(0).toLocaleUpperCase() + word.slice(1);
