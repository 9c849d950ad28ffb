// One strip of the queue: its clock, what it is, what is to be done, and with which key.

import { el } from "../dom.js";
import { inertLine } from "../inert.js";
import { moment, runningClock, span } from "../moments.js";
import { hashOf } from "../router.js";
import { exercise, livery, meaningWords, precedence } from "../signs.js";
import { n, rich, t } from "../words.js";

/** The strip of a thing that waits (inbox.waiting). */
export function strip(context, waits) {
  const { line, entry, draft } = waits;
  const now = context.live.now();
  const href = draft ? hashOf("compose", line.label, { draft: draft.draft }) : hashOf("line", line.label, { at: entry.seq });
  const node = el("article", { class: "strip", data: { place: draft ? `draft ${draft.draft}` : `${line.line} ${entry.seq}` } },
    el("div", { class: "when" }, clock(waits, now), el("div", { class: "small second" }, whose(waits, now))),
    el("a", { class: "what", href }, head(waits), el("p", null, draft ? drafted(waits) : toDo(waits, now)),
      el("p", { class: "acts" }, waits.what === "answer" ? [el("kbd", null, "A"), " ", t("answer"), "  "] : null, el("kbd", null, "O"), " ", t("open"))));
  return livery(node, line);
}

function clock(waits, now) {
  if (waits.due === null) return el("div", { class: "running" }, el("span", { class: "clock second" }, span(Math.max(0, now - waits.since))));
  return runningClock(waits.due, waits.since);
}

function whose(waits, now) {
  if (waits.due === null) return rich("waits since {moment}", { moment: moment(waits.since, now) });
  if (waits.due < now) return waits.what === "theirs" ? t("overdue, theirs") : t("overdue, yours");
  const values = { moment: moment(waits.due, now) };
  return {
    read: () => rich("to be read by {moment}", values), answer: () => rich("your answer, by {moment}", values),
    theirs: () => rich("their answer, by {moment}", values), release: () => rich("release, by {moment}", values), held: () => rich("held, by {moment}", values),
  }[waits.what]();
}

function head({ line, entry, draft }) {
  if (draft) return el("p", { class: "head" }, precedence(draft.message.precedence), el("span", { class: "ref" }, t("draft {number}", { number: draft.draft })));
  return el("p", { class: "head" }, precedence(entry.precedence), el("span", { class: "ref" }, short(entry.ref.reference)), line.policy?.exercise ? exercise() : null);
}

/** BRAVO 0213 of BRAVO 0213 210233Z NOV 26. */
function short(reference) {
  return reference.replace(/ \d{6}Z [A-Z]{3} \d\d$/, "");
}

function drafted({ draft, what }) {
  const words = String(draft.message.text ?? "").trim().split(/\s+/).filter(Boolean).length;
  const how = what === "held" ? t("MINIMIZE holds it back.") : t("Waits for a second officer to release it.");
  return [n(words, "{count} word.", "{count} words."), " ", how];
}

function toDo(waits, now) {
  const { entry, what } = waits;
  const said = inertLine(entry.heading, 90);
  if (what === "theirs") {
    const status = Object.values(entry.status).find((each) => each.due !== null);
    return [said, el("br"), el("span", { class: "second" }, status ? meaningWords(status, now) : "")];
  }
  if (what === "answer") return [said, el("br"), el("span", { class: "second" }, answerState(waits))];
  return [said, el("br"), el("span", { class: "second" }, t("Not read yet."))];
}

function answerState({ entry, line }) {
  const mine = entry.status[line.parties.find((party) => party.me).name];
  const words = [t("Read.")];
  if (mine.relayed) words.push(t("Relayed."));
  if (mine.interim_until !== null) words.push(t("Interim sent: an answer is promised."));
  return words.join(" ");
}
