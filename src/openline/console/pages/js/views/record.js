// Record: how it stands on both sides, the export that anybody verifies, the proof of one entry, and paper.

import { dateField } from "../date_field.js";
import { failure } from "../dialogs.js";
import { button, el, fill } from "../dom.js";
import { lineName } from "../picking.js";
import { messages, sheet } from "../record/paper.js";
import { standing } from "../record/standing.js";
import { exporting, proving } from "../record/taking.js";
import { exercise, livery } from "../signs.js";
import { rich, t } from "../words.js";

export const styles = ["line", "record"];
const DAY_MS = 86_400_000;

export function open(root, context, params) {
  const view = new Record(root, context, params);
  context.keys([
    ...(view.exporting ? [{ key: "e", words: t("export"), run: () => view.exporting.run() }, { key: "o", words: t("proof of one entry"), run: () => view.proving.focus() }] : []),
    { key: "p", words: t("print"), run: () => view.paper(true) },
    { key: "f", words: t("from which day"), run: () => view.from.input.focus(), hint: false },
  ]);
  return () => view.stop();
}

class Record {
  constructor(root, context, { line, query }) {
    Object.assign(this, { context, line, live: context.live, turn: 0 });
    const audits = this.live.may("auditor");
    const reads = this.live.may("watch-officer", "principal", "interpreter", "auditor");
    this.holds = el("div");
    this.exporting = audits ? exporting(this.live, line) : null;
    this.proving = audits ? proving(this.live, line, query.get("entry") ?? "") : null;
    const today = new Date(this.live.now()).toISOString().slice(0, 10);
    this.from = dateField(t("From (UTC)"), { value: today });
    this.to = dateField(t("Until (UTC)"), { value: today });
    this.wrong = el("div", { role: "alert" });
    this.sheet = el("div", { class: "papers" });
    const printing = reads ? el("section", { class: "panel" }, el("h2", null, t("Paper")), el("p", { class: "second" }, t("Every message carries its reference, precedence and receipts, and every sheet the word COPY.")),
      el("div", { class: "row bottom" }, this.from.node, this.to.node, button(t("Show"), () => this.paper(false)), button(t("Print"), () => this.paper(true), { key: "P", kind: "main" })), this.wrong) : null;
    const refused = audits ? null : el("section", { class: "panel" }, el("h2", null, t("Export and proof")), el("p", null, t("Only an auditor takes the record out. Ask one, or the administrator of this station.")));
    fill(root, livery(el("header", { class: "no-print" }, el("h1", { class: "sentence" }, rich("Record: {line}", { line: lineName(line) }), line.policy?.exercise ? [" ", exercise()] : null)), line),
      el("div", { class: "columns no-print" }, el("div", { class: "stack" }, this.holds), el("div", { class: "stack" }, refused, this.exporting?.node, this.proving?.node, printing)), this.sheet);
    this.draw();
    this.off = this.live.on("lines", () => this.draw());
  }

  stop() {
    this.turn += 1;
    this.off();
  }

  draw() {
    const line = this.live.line(this.line.label);
    if (!line) return;
    this.line = line;
    fill(this.holds, standing(this.live, line));
  }

  /** The messages of the chosen days below; and on paper. */
  async paper(onPaper) {
    const mine = (this.turn += 1);
    const from = Date.parse(`${this.from.value()}T00:00:00Z`);
    const to = Date.parse(`${this.to.value()}T00:00:00Z`) + DAY_MS - 1;
    if (!Number.isFinite(from) || !Number.isFinite(to)) return (Number.isFinite(from) ? this.to : this.from).input.focus();
    try {
      const found = await messages(this.line, from, to);
      if (mine !== this.turn) return undefined;
      fill(this.wrong);
      fill(this.sheet, sheet(this.live, this.line, found, from, to));
      if (onPaper) print();
      else this.sheet.scrollIntoView({ block: "start" });
    } catch (error) {
      if (mine === this.turn) fill(this.wrong, failure(error, this.context.api.explain));
    }
    return undefined;
  }
}
