// Search over the transcripts of all lines: by words, line, precedence and days. What was found is shown in its passage.

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

export function open(root, context, params) {
  const view = new Search(root, context, params.query);
  context.keys([
    { key: "/", words: t("the words"), run: () => view.words.select() },
    { key: "j", words: t("move down"), run: () => view.step(1) },
    { key: "k", words: t("move up"), run: () => view.step(-1), hint: false },
    { key: "ctrl+enter", words: t("search now"), run: () => view.search(), always: true, hint: false },
    { key: "m", words: t("more"), run: () => view.more(), off: () => view.complete },
  ]);
  return () => view.stop();
}

class Search {
  constructor(root, context, query) {
    Object.assign(this, { context, live: context.live, found: [], complete: true, turn: 0 });
    const given = (name) => query.get(name) ?? "";
    const soon = () => this.soon();
    this.words = el("input", { type: "search", maxlength: 256, dir: "auto", value: given("q"), autocomplete: "off", on: { input: soon } });
    this.line = choice([["", t("All lines")], ...[...this.live.lines.values()].map((line) => [line.label, `${line.number} ${inertString(line.title || line.label, 60)}`])], given("line"), { on: { change: soon } });
    this.kind = choice([["", t("Everything")], ["message", t("Messages")], ["query,answer,translation", t("Queries and translations")], ["interim,decline,suspend,lift", t("Decisions")]], given("kind"), { on: { change: soon } });
    this.precedence = choice([["", t("Any precedence")], ...PRECEDENCES.map((name) => [name, name.toUpperCase()])], given("precedence"), { on: { change: soon } });
    this.from = dateField(t("From (UTC)"), { value: given("from"), changed: soon });
    this.to = dateField(t("Until (UTC)"), { value: given("to"), changed: soon });
    this.said = el("p", { class: "second", role: "status" });
    this.wrong = el("div", { role: "alert" });
    this.list = el("ol", { class: "found" });
    this.below = el("p", { class: "acts" });
    const form = el("form", { class: "question", role: "search", on: { submit: (event) => {
      event.preventDefault();
      this.search();
    } } }, field(t("Words; all must occur, “some words” together"), this.words), field(t("Line"), this.line), field(t("What"), this.kind), field(t("Precedence"), this.precedence),
    this.from.node, this.to.node);
    form.firstChild.classList.add("wide");
    fill(root, el("h1", { class: "sentence" }, t("Search")), form, this.wrong, this.said, this.list, this.below);
    requestAnimationFrame(() => this.words.focus());
    if (this.asked()) this.search();
    else this.hint();
  }

  stop() {
    clearTimeout(this.timer);
    this.turn += 1;
  }

  asked() {
    return this.words.value.trim() || this.precedence.value || this.kind.value || this.from.value() || this.to.value() || this.line.value;
  }

  hint() {
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
    fill(this.said, t("Searching…"));
    const kept = Object.fromEntries([["q", this.words], ["line", this.line], ["kind", this.kind], ["precedence", this.precedence], ["from", { value: this.from.value() }], ["to", { value: this.to.value() }]].filter(([, input]) => input.value).map(([name, input]) => [name, input.value]));
    history.replaceState(null, "", hashOf("search", "", kept));
    const answer = await this.ask(turn);
    if (!answer) return;
    this.found = answer.found;
    fill(this.list, this.found.map((each) => this.row(each)));
    this.tell(answer);
  }

  async more() {
    const last = this.found.at(-1);
    if (!last || this.complete) return;
    const answer = await this.ask((this.turn += 1), { to: last.time });
    if (!answer) return;
    const known = new Set(this.found.map((each) => `${each.line} ${each.seq}`));
    const added = answer.found.filter((each) => !known.has(`${each.line} ${each.seq}`));
    this.found.push(...added);
    this.list.append(...added.map((each) => this.row(each)));
    this.tell(answer);
    this.list.children[this.found.length - added.length]?.querySelector("a").focus();
  }

  /** The station's answer; null if something newer was asked, or it did not answer, which is said. */
  async ask(turn, more) {
    try {
      const answer = await this.context.api.get(`/v1/search${this.question(more)}`, { patience: PATIENCE_MS });
      return turn === this.turn ? answer : null;
    } catch (error) {
      if (turn !== this.turn) return null;
      fill(this.said);
      fill(this.wrong, failure(error, this.context.api.explain));
      return null;
    }
  }

  tell({ searched, complete }) {
    this.complete = complete;
    fill(this.said, this.found.length ? n(this.found.length, "{count} found, the latest first.", "{count} found, the latest first.") : t("Nothing found. Fewer words find more."),
      " ", t("{number} entries looked at.", { number: number(searched) }), complete ? "" : [" ", t("There is more.")]);
    fill(this.below, complete ? null : button(t("More, earlier ones"), () => this.more(), { key: "M" }));
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
