// The marks of contacts: the wire says by its shape what became of one, the word says it again, the colour is third.

import { el } from "../dom.js";
import { wire } from "../signs.js";
import { t } from "../words.js";

const MARKS = {
  upcoming: ["due", "second"], due: ["opening", "look"], recorded: ["degraded", "look"], kept: ["in service", "work"], disputed: ["stopped", "act"],
  fault: ["fault", "act"], unattended: ["unattended", "absent"], declined: ["suspended", "chosen"], "no call": ["stopped", "look"],
};

/** What names the mark of an occurrence: its state, or the cause of a missed one. */
export const markOf = ({ state, cause }) => (state === "missed" ? cause || "no call" : state);

/** Every mark, in the order of the key to them. */
export const ALL_MARKS = ["kept", "recorded", "unattended", "fault", "declined", "no call", "disputed", "due", "upcoming"];

export const markColour = (mark) => MARKS[mark]?.[1] ?? "second";

/** The shape alone: the word stands beside it. */
export const markShape = (mark, size = 8) => wire(MARKS[mark]?.[0] ?? "due", { size });

/** One or two words, as they stand in a day of the month. */
export function markWord(mark) {
  return {
    upcoming: t("to come"), due: t("due now"), recorded: t("said by one side"), kept: t("kept"), disputed: t("disputed"),
    fault: t("missed, fault"), unattended: t("missed, unattended"), declined: t("declined"), "no call": t("missed, no call"),
  }[mark] ?? mark;
}

/** The shortest word, where the shape beside it tells the cause. */
export function shortWord(mark) {
  if (/^(fault|unattended|no call)$/.test(mark)) return t("missed");
  return { upcoming: t("due"), due: t("now"), recorded: t("said") }[mark] ?? markWord(mark);
}

/** The same, large: readable at two metres. */
export function markSign(mark) {
  const words = {
    upcoming: t("TO COME"), due: t("DUE NOW"), recorded: t("SAID BY ONE SIDE"), kept: t("KEPT"), disputed: t("DISPUTED"),
    fault: t("MISSED"), unattended: t("MISSED"), declined: t("DECLINED"), "no call": t("MISSED"),
  }[mark] ?? mark;
  return el("span", { class: `state ${markColour(mark)}` }, markShape(mark, 20), el("span", null, words));
}

/** What a mark means, in a sentence. */
export function markMeaning(mark) {
  return {
    upcoming: t("Its time has not come."),
    due: t("Its window is open. Nobody has said anything of it yet."),
    recorded: t("One side says that it took place. It counts as kept when the other has signed that too."),
    kept: t("Both sides have signed that it took place."),
    disputed: t("One side says that it took place, and the other that it did not."),
    fault: t("Cause: a link fault. Not a refusal."),
    unattended: t("Cause: a floor had said that nobody was on watch. Nobody declined."),
    declined: t("Cause: a party declined it, signed."),
    "no call": t("Cause: nobody called. The line was up and both floors attended."),
  }[mark] ?? "";
}

/** A medium in a word. */
export function mediumWord(medium) {
  return { test: t("test"), message: t("messages"), call: t("call"), meeting: t("meeting") }[medium] ?? medium;
}

/** What a party said of a contact, in words. */
export function outcomeWord(outcome) {
  return { kept: t("says that it took place"), declined: t("declined it"), "no-call": t("says that nobody called"), account: t("says why") }[outcome] ?? outcome;
}

/** The key to the marks. */
export function marksKey() {
  return el("section", { class: "panel markskey" }, el("h2", null, t("What the marks say")),
    el("ul", null, ALL_MARKS.map((mark) => el("li", { class: markColour(mark) }, markShape(mark, 9), el("span", null, markWord(mark))))));
}
