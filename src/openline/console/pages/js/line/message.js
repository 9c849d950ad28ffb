// A message as it stands in the transcript: heading, original beside its translations, where it stands with each party.

import { el } from "../dom.js";
import { inertLine, inertText } from "../inert.js";
import { own } from "../live.js";
import { countdown, moment, tick } from "../moments.js";
import { badge, exercise, ladder, meaningWords, precedence, roleWord } from "../signs.js";
import { comma, languageName, listed, rich, t } from "../words.js";
import { keyOf } from "./window.js";

/** The article of a message. `place` is {line, window, now}. */
export function message(place, entry) {
  const { line, window } = place;
  const us = entry.author === own(line).name;
  const body = entry.body;
  const found = window.translationsOf(entry);
  return el("article", {
    class: `message ${us ? "us" : "them"}${body.precedence === "flash" ? " flash" : ""}${entry.superseded ? " gone" : ""}`,
    tabindex: -1, data: { key: keyOf(entry.ref), seq: entry.seq }, "aria-label": `${entry.author} ${entry.ref.reference}`,
  }, heading(place, entry), links(place, entry), body.subject ? el("h2", { class: "subject" }, inertLine(body.subject, 256)) : null,
  el("div", { class: `slots${found.length ? "" : " one"}` },
    slot(el("b", null, t("original")), body.language, body.text, drafters(body)),
    found.length ? el("div", null, found.map((each) => slot(el("b", null, gradeWord(each.body.grade)), each.body.language, each.body.text,
      `${each.author} ${each.body.sign}`, each.body.subject))) : null),
  asked(place, entry), standings(place, entry));
}

function heading(place, entry) {
  const roles = entry.body.roles ?? [];
  return el("header", null, precedence(entry.body.precedence), el("span", { class: "ref" }, entry.ref.reference),
    entry.exercise ? exercise() : null,
    entry.superseded ? el("span", { class: "badge chosen" }, badge("superseded", { size: 15 }), t("SUPERSEDED")) : null,
    entry.disputed ? el("span", { class: "badge act" }, badge("fork", { size: 15 }), t("DISPUTED")) : null,
    el("span", { class: "to" }, rich("to {roles}", { roles: listed(roles.map(roleWord)) })));
}

/** What it answers and what it replaces. */
export function links(place, entry) {
  const found = [["answers", entry.body.answers], ["supersedes", entry.body.supersedes]].filter(([, ref]) => ref);
  if (!found.length) return null;
  return el("p", { class: "links" }, found.map(([how, ref]) => el("span", null,
    how === "answers" ? rich("answers {reference}", { reference: named(place, ref) }) : rich("replaces {reference}", { reference: named(place, ref) }))));
}

/** How people name the entry at a place, as a link that moves there. */
export function named(place, ref) {
  const entry = place.window.find(ref);
  const words = entry && !entry.missing ? shortRef(entry) : `${ref.lane}/${ref.index}`;
  return el("button", { type: "button", class: "bare ref", on: { click: () => place.move(ref) } }, words);
}

const shortRef = (entry) => (entry.ref.reference || `${entry.author} ${entry.ref.lane}/${entry.ref.index}`).replace(/ \d{6}Z [A-Z]{3} \d\d$/, "");

function drafters(body) {
  const words = [];
  if (body.drafter) words.push(t("drafted by {sign}", { sign: body.drafter }));
  if (body.releaser) words.push(t("released by {sign}", { sign: body.releaser }));
  return words.join(comma());
}

function slot(kind, tag, text, more, subject = "") {
  return el("div", { class: "slot" }, el("p", { class: "tag" }, kind, comma(), languageName(tag), more ? comma() : "", more),
    subject ? el("p", null, el("b", null, inertLine(subject, 256))) : null, inertText(text ?? "", tag));
}

/** What a translation is good for, in a word. */
export function gradeWord(grade) {
  return { sight: t("at sight"), rough: t("rough"), official: t("official"), machine: t("machine") }[grade] ?? grade;
}

function asked(place, entry) {
  const { answer_by: by, acknowledge_by: acknowledge } = entry.body;
  if (!by && !acknowledge) return null;
  return el("p", { class: "asked" }, acknowledge ? rich("A person is to acknowledge it *by {moment}*.", { moment: moment(acknowledge, place.now()) }) : null, " ",
    by ? rich("An answer is asked for *by {moment}*.", { moment: moment(by, place.now()) }) : null);
}

function standings(place, entry) {
  if (!entry.status) return null;
  const all = Object.entries(entry.status);
  const marks = place.window.marksOf(entry);
  return el("div", { class: "standings" }, all.map(([party, status]) => el("div", { class: "standing" },
    all.length > 1 ? el("p", { class: "tag" }, el("b", null, party)) : null, ladder(status, marks[party]), after(place, party, status))));
}

function after(place, party, status) {
  const mine = party === own(place.line).name;
  const parts = [];
  if (status.declined) parts.push(el("span", { class: "badge chosen" }, badge("declined", { size: 15 }), t("DECLINED")));
  if (status.interim_until !== null && !status.answered && !status.declined) parts.push(el("span", { class: "badge chosen" }, badge("interim", { size: 15 }), rich("answer by {moment}", { moment: moment(status.interim_until, place.now()) })));
  if (status.answered) parts.push(el("span", { class: "badge work" }, t("ANSWERED")));
  if (!mine && !parts.length && !status.read && !status.relayed) parts.push(el("span", null, meaningWords(status, place.now())));
  if (status.due !== null && !status.answered && !status.declined) parts.push(dueClock(status, mine));
  return parts.length ? el("p", { class: "after" }, parts) : null;
}

function dueClock(status, mine) {
  const figures = el("span", { class: "fig" });
  const sign = el("span");
  const node = el("span", { class: "due" }, sign, figures, " ", el("span", null, mine ? t("ours") : t("theirs")));
  return tick(node, (now) => {
    const late = status.due < now;
    figures.textContent = countdown(status.due - now);
    node.classList.toggle("act", late);
    if (late && !sign.firstChild) sign.append(badge("overdue", { size: 14, words: t("overdue") }), " ");
  });
}
