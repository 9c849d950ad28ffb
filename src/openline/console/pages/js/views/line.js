// The line: both parties in time, side by side; crossings in the middle; under each message where it stands; at the foot
// whether both sides hold the same.

import * as acts from "../line/acts.js";
import { copied } from "../line/copying.js";
import { button, el, fill } from "../dom.js";
import { keyLabel } from "../keys.js";
import { integrity, lineHead } from "../line/head.js";
import { own } from "../live.js";
import { message } from "../line/message.js";
import { day, moment } from "../moments.js";
import { note } from "../line/notes.js";
import { Presenter } from "../presented.js";
import { badge } from "../signs.js";
import { comma, t } from "../words.js";
import { crossed, keyOf, Window } from "../line/window.js";

export const styles = ["line"];
const QUIET = "openline.line-all";

export async function open(root, context, params) {
  const view = new Line(root, context, params.line);
  await view.start(Number(params.query.get("at")) || 0);
  return () => view.stop();
}

class Line {
  constructor(root, context, line) {
    Object.assign(this, { root, context, live: context.live, label: line.label, rows: new Map(), dirty: new Set(), chosen: "" });
    this.window = new Window(line, { quiet: sessionStorage.getItem(QUIET) !== null });
    this.presenter = new Presenter(context.live);
    this.place = { get line() { return context.live.line(line.label) ?? line; }, window: this.window, now: () => context.live.now(), move: (ref) => this.move(ref) };
    this.top = el("div");
    this.list = el("div", { class: "transcript", role: "feed", "aria-label": t("Transcript") });
    this.above = el("div", { class: "more" });
    this.below = el("div", { class: "more" });
    this.foot = el("div");
    this.box = el("div", { class: "scroll", tabindex: -1, "data-quiet-focus": "" }, this.above, this.list, this.below);
  }

  async start(at) {
    fill(this.root, this.top, this.box, this.foot);
    this.drawHead();
    this.listen(); // first: what comes while the transcript is on its way is not told again
    try {
      await this.window.open(at);
    } catch (error) {
      this.stop();
      throw error;
    }
    this.draw();
    if (at) this.choose(this.window.entries.find((entry) => entry.seq === at) ?? this.window.entries.at(-1), true);
    else this.toEnd();
    this.look();
    this.box.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.sized = new ResizeObserver(() => this.ended && this.scroller() === this.box && this.toEnd()); // a band that comes hides no last message
    this.sized.observe(this.box);
    addEventListener("scroll", this.onScroll = () => this.scrolled(), { passive: true });
    document.addEventListener("copy", this.onCopy = (event) => copied(event, this.list, this.window, this.chosen));
    this.context.keys(this.keys());
  }

  listen() {
    const mine = (heard) => (event) => event.line.label === this.label && heard(event);
    this.offs = [
      this.live.on("lines", (line) => (!line || line.label === this.label) && this.drawHead()),
      this.live.on("entry", mine(({ entry }) => this.came(entry))),
      this.live.on("holds", mine((holds) => this.holds(holds))),
      this.live.on("link", (found) => found && this.again()),
    ];
  }

  stop() {
    this.offs?.forEach((off) => off());
    this.sized?.disconnect();
    removeEventListener("scroll", this.onScroll);
    document.removeEventListener("copy", this.onCopy);
    this.presenter.stop();
  }

  get line() {
    return this.place.line;
  }

  // --- drawing -----------------------------------------------------------------------------------------------------

  drawHead() {
    const held = this.root.contains(document.activeElement) && this.top.contains(document.activeElement);
    fill(this.top, lineHead(this.live, this.line, { call: true }));
    if (held) this.top.querySelector("h1").focus({ preventScroll: true });
    fill(this.foot, integrity(this.line, this.window));
  }

  draw() {
    const kept = this.anchor();
    const specs = this.specs();
    const known = new Set(specs.map((spec) => spec.name));
    for (const [name, row] of this.rows) if (!known.has(name)) (row.remove(), this.rows.delete(name));
    let before = null;
    for (const spec of specs) {
      let row = this.rows.get(spec.name);
      if (!row || spec.entries.some((entry) => this.dirty.has(keyOf(entry.ref)))) {
        const fresh = this.row(spec);
        if (row?.contains(document.activeElement)) requestAnimationFrame(() => fresh.querySelector(`[data-key="${this.chosen}"]`)?.focus({ preventScroll: true }));
        row?.replaceWith(fresh);
        this.rows.set(spec.name, row = fresh);
      }
      const next = before ? before.nextSibling : this.list.firstChild;
      if (next !== row) this.list.insertBefore(row, next);
      before = row;
    }
    this.dirty.clear();
    fill(this.foot, integrity(this.line, this.window));
    fill(this.above, this.window.atStart ? el("p", { class: "second" }, this.window.entries.length ? t("The line begins here.") : t("Nothing has been said on this line yet. C composes the first message."))
      : button(t("Earlier entries"), () => this.older(), { kind: "plain", key: keyLabel("pageup") }));
    fill(this.below, this.window.atEnd ? null : button(t("To the newest"), () => this.newest(), { key: keyLabel("end") }));
    kept();
  }

  /** Rows: what one side said, and beside it, a step lower, what the other said next; two that crossed stand at one height. */
  specs() {
    const specs = [];
    const entries = this.window.entries;
    let date = "";
    for (let at = 0; at < entries.length; at += 1) {
      const entry = entries[at];
      const today = entry.time ? day(entry.time) : date;
      if (today !== date) specs.push({ name: `day ${today} ${keyOf(entry.ref)}`, entries: [], date: today });
      date = today;
      const next = entries[at + 1];
      const beside = Boolean(next) && this.ours(entry) !== this.ours(next) && (!next.time || day(next.time) === today);
      const pair = beside && next.kind === "message" && entry.kind === "message" && crossed(entry, next);
      specs.push({ name: `${keyOf(entry.ref)}${beside ? ` ${keyOf(next.ref)}` : ""}`, entries: beside ? [entry, next] : [entry], pair, others: this.crossings(entry, at), also: beside && !pair ? this.crossings(next, at + 1) : [] });
      if (beside) at += 1;
    }
    return specs;
  }

  /** Entries just before that this one crossed, other than in its own row. */
  crossings(entry, at) {
    return this.window.entries.slice(Math.max(0, at - 12), at).filter((before) => before.kind === "message" && entry.kind === "message" && crossed(before, entry));
  }

  ours(entry) {
    return entry.author === own(this.line).name;
  }

  row(spec) {
    if (spec.date) return el("div", { class: "row date" }, el("time", null, spec.date));
    const [one, other] = spec.entries;
    const article = (entry) => {
      const made = entry.kind === "message" && !entry.refused ? message(this.place, entry) : note(this.place, entry);
      made.addEventListener("focusin", () => this.choose(entry, false));
      made.addEventListener("click", () => this.choose(entry, false));
      if (entry.kind === "message" && !this.ours(entry)) this.presenter.watch(made, this.line, entry);
      if (keyOf(entry.ref) === this.chosen) made.classList.add("chosen-message");
      return made;
    };
    const side = (entry, place) => el("div", { class: `side ${this.ours(entry) ? "ours" : "theirs"} ${place}` }, article(entry));
    const axis = (entry, place, more) => el("div", { class: `axis ${place}` }, entry.time ? moment(entry.time) : null, more);
    const names = (entries) => (entries?.length ? this.cross(t("CROSSED"), entries.map((each) => each.ref.reference.replace(/ \d{6}Z [A-Z]{3} \d\d$/, "")).join(comma())) : null);
    if (spec.pair) {
      return el("div", { class: "row" }, axis(one, "first", [this.cross(t("CROSSED"), t("neither had seen the other")), Math.abs(other.time - one.time) > 59_999 ? moment(other.time) : null]), side(one, "first"), side(other, "first"));
    }
    return el("div", { class: `row${other ? " beside" : ""}` }, axis(one, "first", names(spec.others)), side(one, "first"),
      other ? [axis(other, "second", names(spec.also)), side(other, "second")] : null);
  }

  cross(head, words) {
    return el("span", { class: "crossing" }, badge("crossed", { size: 30 }), el("b", null, head), el("span", { class: "second" }, words));
  }

  // --- what comes --------------------------------------------------------------------------------------------------

  came(entry) {
    const atEnd = this.atEnd();
    if (this.window.came(entry) && entry.kind === "message" && !this.ours(entry)) this.context.say(t("A message has come: {precedence}, {reference}", { precedence: entry.body.precedence.toUpperCase(), reference: entry.ref.reference }));
    for (const name of ["of", "answers", "supersedes"]) if (entry.body[name]) this.stir(keyOf(entry.body[name]));
    this.soon();
    if (atEnd) this.wasAtEnd = true;
  }

  holds({ lane, generation, size }) {
    for (const entry of this.window.entries) {
      if (entry.status && entry.ref.lane === lane && entry.ref.generation === generation && entry.ref.index < size && Object.values(entry.status).some((each) => !each.held)) this.stir(keyOf(entry.ref));
    }
  }

  async stir(key) {
    try {
      if (await this.window.again(key)) this.dirty.add(key);
    } catch { /* it is told when the station is found again */ }
    this.soon();
  }

  soon() {
    this.timer ??= requestAnimationFrame(() => {
      this.timer = null;
      this.draw();
      if (this.wasAtEnd) this.toEnd();
      this.wasAtEnd = false;
      this.look();
    });
  }

  /** Everything anew. What stands there stands until the station has answered. */
  async again() {
    await this.window.open(0).catch(() => {});
    this.rows.forEach((row) => row.remove());
    this.rows.clear();
    this.draw();
  }

  /** Entries that others here name, so that they have their names. */
  async look() {
    const refs = this.window.entries.flatMap((entry) => ["of", "answers", "supersedes"].map((name) => entry.body[name]).filter(Boolean));
    if (refs.length && await this.window.look(refs).catch(() => false)) {
      for (const entry of this.window.entries) if (entry.body.of || entry.body.answers || entry.body.supersedes) this.dirty.add(keyOf(entry.ref));
      this.draw();
    }
  }

  // --- moving ------------------------------------------------------------------------------------------------------

  scroller() {
    return getComputedStyle(this.box).overflowY === "auto" ? this.box : document.scrollingElement;
  }

  atEnd() {
    const box = this.scroller();
    return this.window.atEnd && box.scrollHeight - box.scrollTop - box.clientHeight < 60;
  }

  toEnd() {
    const down = () => {
      const box = this.scroller();
      box.scrollTop = box.scrollHeight;
    };
    this.ended = true;
    down();
    requestAnimationFrame(down); // once more when the rows have their height
  }

  /** Keep what stands on the screen where it stands while rows come and go above it. */
  anchor() {
    const box = this.scroller();
    const edge = box === this.box ? box.getBoundingClientRect().top : 0;
    const row = [...this.list.children].find((each) => !each.classList.contains("date") && each.getBoundingClientRect().bottom > edge);
    const before = row?.getBoundingClientRect().top;
    return () => {
      if (row?.isConnected) box.scrollTop += row.getBoundingClientRect().top - before;
    };
  }

  async scrolled() {
    const box = this.scroller();
    this.ended = this.atEnd();
    if (box.scrollTop < 240) await this.older();
    else if (!this.window.atEnd && box.scrollHeight - box.scrollTop - box.clientHeight < 240) await this.more(() => this.window.newer());
  }

  older() {
    return this.more(() => this.window.older());
  }

  async more(load) {
    if (this.loading || !this.rows.size) return;
    this.loading = true;
    try {
      if ((await load()).length) {
        this.draw();
        this.look();
      }
    } catch { /* the band says that the station is away */ } finally {
      this.loading = false;
    }
  }

  async newest() {
    await this.again();
    this.toEnd();
    this.choose(this.window.entries.at(-1), true);
  }

  choose(entry, focus) {
    if (!entry) return;
    this.chosen = keyOf(entry.ref);
    this.list.querySelector(".chosen-message")?.classList.remove("chosen-message");
    const article = this.list.querySelector(`[data-key="${this.chosen}"]`);
    article?.classList.add("chosen-message");
    if (focus && article) {
      article.focus({ preventScroll: true });
      article.scrollIntoView({ block: "nearest" });
    }
  }

  async move(ref) {
    const known = this.window.entries.find((entry) => keyOf(entry.ref) === keyOf(ref));
    if (known) return this.choose(known, true);
    const entry = this.window.find(ref);
    if (entry?.seq) this.context.go("line", this.label, { at: entry.seq });
    else if (entry?.ref?.reference) this.context.go("search", "", { q: entry.ref.reference });
    return undefined;
  }

  step(by) {
    const entries = this.window.entries;
    const at = entries.findIndex((entry) => keyOf(entry.ref) === this.chosen);
    if (at < 0) return this.choose(by < 0 ? entries.at(-1) : entries[0], true);
    if (at + by < 0) return this.older();
    return this.choose(entries[Math.min(at + by, entries.length - 1)], true);
  }

  // --- acts --------------------------------------------------------------------------------------------------------

  keys() {
    const { context } = this;
    const current = () => this.window.entries.find((entry) => keyOf(entry.ref) === this.chosen);
    const theirs = (act) => () => {
      const entry = current();
      if (entry?.kind === "message" && !this.ours(entry)) act(this.line, entry);
      else context.say(t("Choose a message of theirs first: J and K move."));
    };
    const any = (act) => () => current()?.kind === "message" && act(this.line, current());
    const compose = (how) => (line, entry) => context.go("compose", line.label, { [how]: entry.ref.reference });
    return [
      { key: "j", words: t("move down"), run: () => this.step(1) },
      { key: "k", words: t("move up"), run: () => this.step(-1), hint: false },
      { key: "r", words: t("I have read it"), run: theirs(acts.read) },
      { key: "a", words: t("answer"), run: () => (current()?.kind === "query" ? acts.answerQuery(this.line, current()) : theirs(compose("answers"))()) },
      { key: "i", words: t("interim"), run: theirs(acts.interim) },
      { key: "d", words: t("decline"), run: theirs(acts.decline) },
      { key: "q", words: t("query"), run: theirs(acts.query) },
      { key: "t", words: t("translation"), run: any(acts.translate) },
      { key: "y", words: t("relayed"), run: theirs(acts.relayed) },
      { key: "u", words: t("supersede"), run: any((line, entry) => this.ours(entry) && compose("supersedes")(line, entry)), hint: false },
      { key: "c", words: t("compose"), run: () => context.go("compose", this.label) },
      { key: "v", words: t("tests and watches too, or not"), run: () => this.quiet(), hint: false },
      { key: "p", words: t("call"), run: () => context.go("call", this.label) },
      { key: "PageUp", run: () => this.page(-1) }, { key: "PageDown", run: () => this.page(1) },
      { key: "End", words: t("newest"), run: () => this.newest(), hint: false },
    ];
  }

  page(by) {
    const box = this.scroller();
    box.scrollTop += by * box.clientHeight * 0.85;
  }

  async quiet() {
    if (sessionStorage.getItem(QUIET) === null) sessionStorage.setItem(QUIET, "1");
    else sessionStorage.removeItem(QUIET);
    this.window = this.place.window = new Window(this.line, { quiet: sessionStorage.getItem(QUIET) !== null });
    await this.again();
    this.toEnd();
  }
}
