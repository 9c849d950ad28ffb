// Search over the transcripts of all lines: by words, line, precedence and days. What was found is shown in its passage, the
// latest first, while the station still looks through what is older.

import { dateField } from "../date_field.js";
import { failure } from "../dialogs.js";
import { button, choice, el, field, fill } from "../dom.js";
import { inertLine, inertString } from "../inert.js";
import { dtg } from "../moments.js";
import { kindWord } from "../named.js";
import { lineName } from "../picking.js";
import { hashOf } from "../router.js";
import { livery, precedence, PRECEDENCES } from "../signs.js";
import { n, number, t } from "../words.js";

export const styles = ["search"];
const PAGE = 50;
const PAUSE_MS = 350;
const DAY_MS = 86_400_000;
const PATIENCE_MS = 30_000;
const FIRST_MS = 250; // the first answer comes so soon, the others in longer steps
const STEP_MS = 1_000;

export function open(root, context, params) {
  const view = new Search(root, context, params.query);
  context.keys([
    { key: "/", words: t("the words"), run: () => view.words.select() },
    { key: "j", words: t("move down"), run: () => view.step(1) },
    { key: "k", words: t("move up"), run: () => view.step(-1), hint: false },
    { key: "ctrl+enter", words: t("search now"), run: () => view.search(), always: true, hint: false },
    { key: "m", words: t("more"), run: () => view.more(), off: () => !view.next || view.busy },
  ]);
  return () => view.stop();
}

const key = (each) => `${each.line} ${each.seq}`;

class Search {
  constructor(root, context, query) {
    Object.assign(this, { context, live: context.live, found: [], next: "", busy: false, turn: 0 });
    const given = (name) => query.get(name) ?? "";
    const soon = () => this.soon();
    this.words = el("input", { type: "search", maxlength: 256, dir: "auto", value: given("q"), autocomplete: "off", on: { input: soon } });
    this.line = choice([["", t("All lines")], ...[...this.live.lines.values()].map((line) => [line.label, `${line.number} ${inertString(line.title || line.label, 60)}`])], given("line"), { on: { change: soon } });
    this.kind = choice([["", t("Everything")], ["message", t("Messages")], ["query,answer,translation", t("Queries and translations")], ["interim,decline,suspend,lift", t("Decisions")]], given("kind"), { on: { change: soon } });
    this.precedence = choice([["", t("Any precedence")], ...PRECEDENCES.map((name) => [name, name.toUpperCase()])], given("precedence"), { on: { change: soon } });
    this.from = dateField(t("From (UTC)"), { value: given("from"), changed: soon });
    this.to = dateField(t("Until (UTC)"), { value: given("to"), changed: soon });
    this.said = el("p", { class: "second", role: "status" });
    this.running = el("p", { class: "second running" });
    this.wrong = el("div", { role: "alert" });
    this.list = el("ol", { class: "found" });
    this.below = el("p", { class: "acts" });
    const form = el("form", { class: "question", role: "search", on: { submit: (event) => {
      event.preventDefault();
      this.search();
    } } }, field(t("Words; all must occur, “some words” together"), this.words), field(t("Line"), this.line), field(t("What"), this.kind), field(t("Precedence"), this.precedence),
    this.from.node, this.to.node);
    form.firstChild.classList.add("wide");
    fill(root, el("h1", { class: "sentence" }, t("Search")), form, this.wrong, this.said, this.running, this.list, this.below);
    requestAnimationFrame(() => this.words.focus());
    if (this.asked()) this.search();
    else this.hint();
  }

  stop() {
    clearTimeout(this.timer);
    this.turn += 1;
    this.busy = false;
  }

  asked() {
    return this.words.value.trim() || this.precedence.value || this.kind.value || this.from.value() || this.to.value() || this.line.value;
  }

  hint() {
    this.turn += 1;
    Object.assign(this, { found: [], next: "", busy: false });
    fill(this.running);
    fill(this.list);
    fill(this.below);
    fill(this.said, t("Write what you remember: a word, a place, a reference. Case and accents do not matter. Nothing of it leaves this station."));
  }

  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (this.asked() ? this.search() : this.hint()), PAUSE_MS);
  }

  question(more = {}) {
    const day = (date, end) => (date.value() ? Date.parse(`${date.value()}T00:00:00Z`) + (end ? DAY_MS - 1 : 0) : null);
    const { api } = this.context;
    return api.query({ q: this.words.value.trim(), line: this.line.value || null, kind: this.kind.value || null, precedence: this.precedence.value || null,
      from: day(this.from, false), to: day(this.to, true), limit: PAGE, ...more });
  }

  async search() {
    clearTimeout(this.timer);
    const turn = (this.turn += 1);
    fill(this.wrong);
    const kept = Object.fromEntries([["q", this.words], ["line", this.line], ["kind", this.kind], ["precedence", this.precedence], ["from", { value: this.from.value() }], ["to", { value: this.to.value() }]].filter(([, input]) => input.value).map(([name, input]) => [name, input.value]));
    history.replaceState(null, "", hashOf("search", "", kept));
    Object.assign(this, { found: [], next: "", searched: 0 }); // what was found before stands there until something newer is
    await this.goOn(turn, PAGE);
  }

  async more() {
    if (!this.next || this.busy) return;
    const before = this.found.length;
    const focus = await this.goOn((this.turn += 1), before + PAGE);
    if (focus) this.list.children[before]?.querySelector("a").focus();
  }

  /** Ask until so many are found or all is looked through; what is found is shown as it comes. Whether it came to that. */
  async goOn(turn, enough) {
    this.busy = true;
    try {
      do {
        this.tell();
        const answer = await this.ask(turn, { at: this.next || null, within: this.searched ? STEP_MS : FIRST_MS, limit: enough - this.found.length });
        if (!answer) return false;
        if (!this.searched) fill(this.list);
        this.add(answer.found);
        Object.assign(this, { next: answer.next, left: answer.left, searched: this.searched + answer.searched });
      } while (this.next && this.found.length < enough);
    } finally {
      if (turn === this.turn) this.busy = false;
    }
    this.tell();
    return true;
  }

  /** Entries stand by the time that they claim, the latest first; one that is there already is not shown twice. */
  add(found) {
    const known = new Set(this.found.map(key));
    for (const each of found) {
      if (known.has(key(each))) continue;
      const after = this.found.findIndex((other) => other.time < each.time);
      const place = after < 0 ? this.found.length : after;
      this.list.insertBefore(this.row(each), this.list.children[place] ?? null);
      this.found.splice(place, 0, each);
    }
  }

  /** The station's answer; null if something newer was asked, or it did not answer, which is said. */
  async ask(turn, more) {
    try {
      const answer = await this.context.api.get(`/v1/search${this.question(more)}`, { patience: PATIENCE_MS });
      return turn === this.turn ? answer : null;
    } catch (error) {
      if (turn !== this.turn) return null;
      fill(this.said);
      fill(this.running);
      fill(this.wrong, failure(error, this.context.api.explain));
      return null;
    }
  }

  tell() {
    const some = n(this.found.length, "{count} found, the latest first.", "{count} found, the latest first.");
    const looked = t("{number} entries looked at.", { number: number(this.searched) });
    if (this.busy) { // what is read out loud is not changed each second
      if (this.said.textContent !== t("Searching…")) fill(this.said, t("Searching…"));
      fill(this.running, this.searched ? [el("progress", { max: this.searched + this.left, value: this.searched, "aria-hidden": "true" }), " ", this.found.length ? [some, " "] : "", looked, " ", t("{number} to go.", { number: number(this.left) })] : null);
      fill(this.below);
      return;
    }
    fill(this.running);
    fill(this.said, this.found.length ? some : t("Nothing found. Fewer words find more."), " ", looked, this.next ? [" ", t("There is more.")] : "");
    fill(this.below, this.next ? button(t("More, earlier ones"), () => this.more(), { key: "M" }) : null);
  }

  row(each) {
    const line = this.live.line(each.line);
    const node = el("li", null, el("a", { class: "hit", href: hashOf("line", each.line, { at: each.seq }) },
      el("p", { class: "head" }, line ? lineName(line) : inertLine(each.line, 60), each.precedence ? precedence(each.precedence, { size: 14 }) : el("span", { class: "second" }, kindWord(each.kind)),
        el("b", null, el("bdi", null, each.author)), el("span", { class: "ref" }, each.ref.reference || dtg(each.time))),
      el("p", { class: "passage", dir: "auto" }, each.before ? inertLine(each.before, 200) : null, each.match ? el("mark", null, inertLine(each.match, 256)) : null, each.after ? inertLine(each.after, 200) : null)));
    return line ? livery(node, line) : node;
  }

  step(by) {
    const links = [...this.list.querySelectorAll("a.hit")];
    const at = links.indexOf(document.activeElement);
    links[Math.max(0, Math.min(links.length - 1, at + by))]?.focus();
  }
}
