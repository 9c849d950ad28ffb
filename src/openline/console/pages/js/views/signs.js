// Every sign of the watch floor with its word and its meaning: for whoever learns the console, and for the wall beside it.

import { el, fill } from "../dom.js";
import { runningClock } from "../moments.js";
import { badge, exercise, precedenceShape, precedenceWord, rungs, STEPS, stateColour, stateWord, stepWord, wire } from "../signs.js";
import { t } from "../words.js";

export const styles = ["signs-view"];

export function open(root, context) {
  const now = context.live.now();
  const column = (...sections) => el("div", null, sections);
  const section = (title, rows) => [el("h2", null, title), el("ul", null, rows)];
  const row = (sign, word, words, kind = "") => el("li", { class: "signrow" }, el("span", { class: kind }, sign), el("b", { class: kind }, word), el("span", { class: "second" }, words));
  fill(root, el("h1", { class: "sentence" }, t("What every sign says: the shape alone suffices.")),
    column(section(t("A line"), STATES().map(([state, words]) => row(wire(state, { size: 23 }), stateWord(state), words, stateColour(state)))),
      section(t("Precedence: more corners, more haste"), PRECEDENCES().map(([name, words]) => row(precedenceShape(name, { size: 28 }), precedenceWord(name), words, { flash: "act", immediate: "look" }[name])))),
    column(section(t("A message: four rungs"), [row(rungs({}), t("sent"), t("no signature of theirs yet: unknown")), ...STEPS.map((step, at) =>
      row(rungs(Object.fromEntries(STEPS.slice(0, at + 1).map((each) => [each, true]))), stepWord(step), RUNGS()[at]))]),
    section(t("and what people decide"), [
      row(badge("interim", { size: 28 }), t("INTERIM"), t("an answer by a moment is promised, signed; both see it"), "chosen"),
      row(badge("declined", { size: 26 }), t("DECLINED"), t("a signed refusal, with a reason"), "chosen"),
      row(badge("overdue", { size: 26 }), t("OVERDUE"), t("the clock ran out, and whose"), "act"),
      row(badge("crossed", { size: 30 }), t("CROSSED"), t("neither had seen the other"), "look")])),
    column(section(t("Clocks"), [
      row("", runningClock(now + 8_000_000, now - 1_000_000, { meter: false }), t("plain: more than a quarter left")),
      row("", runningClock(now + 462_000, now - 7_000_000, { meter: false }), t("amber: the last quarter")),
      row("", runningClock(now - 192_000, now - 7_000_000, { meter: false }), t("overdue: it counts up, with a plus sign"))]),
    section(t("Liveries: pattern before hue"), [t("solid"), t("slanted"), t("barred"), t("chequered")].map((words, at) =>
      el("li", { class: "signrow", data: { pattern: at, hue: at } }, el("span", { class: "livery wide", "aria-hidden": "true" }), el("b", null, ""), el("span", { class: "second" }, words)))),
    section(t("Never taken for live"), [el("li", { class: "never stripes" }, exercise())]),
    el("p", { class: "second" }, t("Around every screen, on every entry and every print of an exercise."))));
  context.keys([{ key: "p", words: t("print"), run: () => print() }]);
  return () => {};
}

const STATES = () => [["in service", t("bearers up, tests answered")], ["degraded", t("it works with less: a bearer down, tests late")], ["fault", t("nothing gets through; not a refusal")],
  ["suspended", t("a party chose it; a FLASH still passes")], ["unattended", t("it works; nobody is on watch there")], ["opening", t("keys are being agreed")], ["stopped", t("this station does not serve it now")]];
const PRECEDENCES = () => [["flash", t("eight corners, filled: read within minutes")], ["immediate", t("four corners, filled")], ["priority", t("three corners, outline")], ["routine", t("no corner, outline")]];
const RUNGS = () => [t("their station holds it"), t("on an attended screen"), t("an officer read it; sign and time"), t("put before the principal or a unit")];
