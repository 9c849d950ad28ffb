// The log: what officers of this floor wrote for each other, the watch and how it changed hands, and for auditors who did what.

import { failure } from "../dialogs.js";
import { button, choice, el, field, fill } from "../dom.js";
import { inertLine, inertText } from "../inert.js";
import { keyLabel } from "../keys.js";
import { Audit } from "../log/audit.js";
import { dutyPanel } from "../log/duty.js";
import { day, moment } from "../moments.js";
import { takenNote } from "../named.js";
import { lineName } from "../picking.js";
import { redraw } from "../redrawn.js";
import { livery } from "../signs.js";
import { openWatch } from "../watch.js";
import { t } from "../words.js";

export const styles = ["log"];
const PAGE = 60;
const MOST_NOTE = 8_192;
const AGAIN_MS = 30_000;

export function open(root, context) {
  const view = new Log(root, context);
  context.keys([
    ...(view.note ? [{ key: "n", words: t("write a note"), run: () => view.note.focus() },
      { key: "ctrl+enter", words: t("put the note into the log"), run: () => view.write(), always: true, hint: false }] : []),
    ...(context.live.may("watch-officer") ? [{ key: "w", words: t("take or hand over the watch"), run: () => view.watch() }] : []),
    { key: "o", words: t("operators’ log"), run: () => view.show("log") },
    ...(view.audits ? [{ key: "a", words: t("audit log"), run: () => view.show("audit") }] : []),
    { key: "m", words: t("more"), run: () => view.more() },
  ]);
  view.show("log");
  view.duty();
  return () => view.stop();
}

class Log {
  constructor(root, context) {
    Object.assign(this, { context, live: context.live, shown: "log", entries: [], before: 0, turn: 0 });
    this.audits = this.live.may("auditor");
    this.wrong = el("div", { role: "alert" });
    this.list = el("div", { class: "logged", tabindex: 0, role: "region", "aria-label": t("Log") });
    this.side = el("div", { class: "side" });
    this.tabs = el("div", { class: "row tabs no-print" });
    const writes = this.live.may("watch-officer", "technician", "interpreter");
    if (writes) {
      this.note = el("textarea", { rows: 2, maxlength: MOST_NOTE, dir: "auto" });
      this.line = choice([["", t("No line in particular")], ...[...this.live.lines.values()].map((line) => [line.label, `${line.number} ${line.title || line.label}`])], "");
    }
    this.form = writes ? el("form", { class: "noting no-print", on: { submit: (event) => {
      event.preventDefault();
      this.write();
    } } }, field(t("A note for this floor; it never leaves the station"), this.note), el("div", { class: "stack" }, field(t("About"), this.line), button(t("Put into the log"), () => this.write(), { key: keyLabel("ctrl+enter"), kind: "main" }))) : null;
    fill(root, el("h1", { class: "sentence" }, t("Log")), this.tabs, this.wrong, el("div", { class: "left" }, this.form, this.list), this.side);
    const again = () => this.duty();
    this.offs = [this.live.on("waiting", again), this.live.on("lines", again)];
    this.timer = setInterval(() => {
      this.duty();
      if (this.shown === "log" && this.entries.length <= PAGE) this.load();
    }, AGAIN_MS);
  }

  stop() {
    this.turn += 1;
    this.over = true;
    clearInterval(this.timer);
    clearTimeout(this.later);
    this.offs.forEach((off) => off());
  }

  /** The watch beside the log; several askings make one call. */
  duty() {
    clearTimeout(this.later);
    this.later = setTimeout(async () => {
      try {
        const nodes = await dutyPanel(this.context, () => this.watch());
        if (!this.over) redraw(this.side, () => nodes);
      } catch (error) {
        if (!this.over) redraw(this.side, () => failure(error, this.context.api.explain));
      }
    }, 200);
  }

  async watch() {
    await openWatch(this.context);
    this.duty();
    if (this.shown === "log") this.load();
  }

  show(name) {
    this.shown = name;
    redraw(this.tabs, () => [["log", t("Operators’ log"), "O"], ...(this.audits ? [["audit", t("Audit log"), "A"]] : [])].map(([each, words, key]) => button(words, () => this.show(each), { key, "aria-pressed": String(each === this.shown) })));
    if (this.form) this.form.hidden = name !== "log";
    this.load();
  }

  async load() {
    const mine = (this.turn += 1);
    try {
      if (this.shown === "audit") {
        const audit = new Audit();
        await audit.more();
        if (mine !== this.turn) return;
        this.audit = audit;
      } else {
        const { entries, before } = await this.context.api.get(`/v1/log${this.context.api.query({ limit: PAGE })}`);
        if (mine !== this.turn) return;
        Object.assign(this, { entries, before });
      }
      fill(this.wrong);
      this.draw();
    } catch (error) {
      if (mine === this.turn) fill(this.wrong, failure(error, this.context.api.explain));
    }
  }

  async more() {
    const mine = (this.turn += 1);
    try {
      if (this.shown === "audit") {
        if (this.audit.complete) return;
        await this.audit.more();
      } else {
        if (!this.before) return;
        const { entries, before } = await this.context.api.get(`/v1/log${this.context.api.query({ limit: PAGE, before: this.before })}`);
        this.entries.push(...entries);
        this.before = before;
      }
      if (mine === this.turn) this.draw();
    } catch (error) {
      if (mine === this.turn) fill(this.wrong, failure(error, this.context.api.explain));
    }
  }

  draw() {
    redraw(this.list, () => {
      const audit = this.shown === "audit";
      if (audit && !this.audit) return undefined;
      const left = audit ? !this.audit.complete : this.before > 0;
      return [audit ? this.audit.table(this.live) : this.#entries(this.live.now()), left ? el("p", { class: "acts" }, button(t("More, earlier ones"), () => this.more(), { key: "M" })) : null];
    });
  }

  #entries(now) {
    if (!this.entries.length) return el("p", { class: "empty" }, t("Nothing stands in the log yet. N writes the first note: what the next watch must know."));
    let date = "";
    return el("ol", { class: "entries" }, this.entries.map((entry) => {
      const here = day(entry.time);
      const head = here === date ? null : el("li", { class: "date" }, el("time", null, here));
      date = here;
      return [head, this.#entry(entry, now)];
    }));
  }

  #entry(entry, now) {
    const line = this.live.line(entry.line);
    const node = el("li", { class: "logentry" }, el("div", null, el("p", { class: "head" }, moment(entry.time, now), " ", el("b", { class: "fig" }, entry.sign), " ", el("span", { class: entry.act === "log" ? "second" : "chosen" }, actWord(entry.act)), " ",
      entry.line ? (line ? lineName(line) : inertLine(entry.line, 60)) : null), entry.text ? inertText(entry.act === "watch-taken" ? takenNote(entry.text) : entry.text) : null));
    return line ? livery(node, line) : node;
  }

  async write() {
    if (!this.note || this.shown !== "log" || !this.note.value.trim()) return;
    try {
      await this.context.api.post("/v1/log", { text: this.note.value, ...(this.line.value ? { line: this.line.value } : {}) });
      this.note.value = "";
      this.context.say(t("The note is in the log."));
      fill(this.wrong);
      this.load();
    } catch (error) {
      fill(this.wrong, failure(error, this.context.api.explain));
    }
  }
}

/** What was done with the watch, in words. */
function actWord(act) {
  return { log: t("wrote"), "watch-offered": t("offered the watch"), "watch-taken": t("took the watch"), "watch-left": t("left the floor unattended") }[act] ?? act;
}
