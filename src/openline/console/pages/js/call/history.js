// The calls of a line: when, which way, what became of each, and whether minutes were agreed.

import { failure } from "../dialogs.js";
import { button, el, fill } from "../dom.js";
import { inertLine } from "../inert.js";
import { moment, now, span } from "../moments.js";
import { hashOf } from "../router.js";
import { badge, exercise, precedence } from "../signs.js";
import { t } from "../words.js";
import { known, load } from "./calls.js";
import { panel } from "./panels.js";
import { callState, causeWords, lasted, otherNames } from "./telling.js";

const PAGE = 20;

export class History {
  constructor(context, line) {
    Object.assign(this, { context, line, older: [], atEnd: false });
    this.list = el("ul", { class: "calls" });
    this.said = el("div", { role: "alert" });
    this.more = el("div");
    this.node = panel("history", t("Calls on this line"), this.list, this.said, this.more);
  }

  update(chosen) {
    const fresh = known(this.line);
    const all = [...fresh, ...this.older.filter((view) => !fresh.some((each) => each.place === view.place))];
    const name = JSON.stringify([all.map((view) => [view.place, view.state, view.record, view.minutes.state, view.cause]), chosen, this.atEnd]);
    if (name === this.drawn) return;
    this.drawn = name;
    fill(this.list, all.length ? all.map((view) => this.row(view, chosen)) : el("li", { class: "second" }, t("No call yet. A call needs nothing before it: no appointment, no invitation.")));
    fill(this.more, this.atEnd || all.length < 12 ? null : button(t("Earlier calls"), () => this.load(all.at(-1)), { kind: "plain" }));
  }

  row(view, chosen) {
    const time = lasted(view);
    return el("li", { class: view.place === chosen ? "chosen-call" : null, data: { call: view.place, state: view.state } }, el("a", { href: hashOf("call", this.line.label, { call: view.place }), "aria-current": view.place === chosen ? "true" : null },
      badge(view.state === "missed" && !view.mine ? "missed" : "call", { size: 16 }), moment(view.rang_at, now()), " ", precedence(view.precedence, { size: 13 }), " ",
      el("span", null, view.mine ? t("to {name}", { name: otherNames(view) }) : t("from {name}", { name: view.parties.find((party) => party.party === view.party)?.name ?? "" })), " ", el("b", null, callState(view)), time === null ? null : [" ", span(time)],
      view.exercise ? exercise() : null,
      el("span", { class: `end ${view.state === "ended" && view.minutes.state !== "agreed" ? "" : "second"}` }, view.state === "ended" ? minutesShort(view) : causeWords(view.cause)),
      view.subject ? el("span", { class: "second about" }, inertLine(view.subject, 120)) : null));
  }

  async load(last) {
    try {
      const { calls } = await load(this.line, { before: last.before ?? last.place, limit: PAGE });
      this.atEnd = calls.length < PAGE;
      this.older.push(...calls);
      this.drawn = "";
      this.update(this.chosen);
    } catch (error) {
      fill(this.said, failure(error, this.context.api.explain));
    }
  }
}

/** What became of the minutes, in a few words. */
export function minutesShort(view) {
  return { none: t("no agreed minutes"), drafted: t("minutes drafted, not agreed"), agreed: t("minutes agreed"), differs: t("minutes: the sides differ") }[view.minutes.state] ?? "";
}
