// What must be known above a draft: newer traffic, another hand in it, why it came back; and the drafts of the line.

import { ofLine, get } from "../api.js";
import { button, el } from "../dom.js";
import { openDialog } from "../dialogs.js";
import { inertLine, inertText } from "../inert.js";
import { moment } from "../moments.js";
import { badge, precedence } from "../signs.js";
import { hashOf } from "../router.js";
import { comma, languageName, listed, rich, richN, stationSentence, t } from "../words.js";

const short = (reference) => reference.replace(/ \d{6}Z [A-Z]{3} \d\d$/, "");

/** Newer traffic has come since the draft was begun, and nobody here has looked at it. */
export function newer(view, read) {
  if (!view?.newer_count) return null;
  const names = listed(view.newer.slice(-3).map((each) => short(each.reference)));
  return el("div", { class: "warn look" }, badge("crossed", { size: 24 }),
    el("p", null, richN(view.newer_count, "*A newer message has come since this draft was begun:* {names}.", "*{count} newer messages have come since this draft was begun,* the latest {names}.", { names: el("span", { class: "fig" }, names) })),
    button(t("read it"), read, { key: "Alt N" }));
}

/** Show the newer messages in full; resolves the last arrival that was looked at. */
export async function readNewer(line, view) {
  const first = view.newer[0].seq;
  const { entries } = await get(ofLine(line, `/entries?after=${first - 1}&kind=message&limit=20`));
  const theirs = entries.filter((entry) => view.newer.some((each) => each.seq === entry.seq));
  await openDialog(t("Newer than your draft"), el("div", { class: "stack newer" }, theirs.map((entry) => el("article", { class: "message them" },
    el("header", null, precedence(entry.body.precedence), el("span", { class: "ref" }, entry.ref.reference), el("span", { class: "to" }, moment(entry.time))),
    entry.body.subject ? el("h3", { class: "subject" }, inertLine(entry.body.subject, 256)) : null,
    el("div", { class: "slot" }, el("p", { class: "tag" }, languageName(entry.body.language)), inertText(entry.body.text ?? "", entry.body.language))))), { closeWords: t("I have seen it. Back to the draft") });
  return view.newer[view.newer.length - 1].seq;
}

/** Two hands in one draft: both texts are shown, and the officer decides. */
export function conflict(draft, { theirs, mine }) {
  const other = draft.conflict;
  return el("div", { class: "warn act conflict", role: "alert" }, el("p", null, badge("fork", { size: 20 }), " ",
    rich("*{sign} has written in this draft too,* at {moment}. Nothing of yours is lost and nothing is kept until you decide.", { sign: el("span", { class: "fig" }, other.by), moment: moment(other.at) })),
  el("div", { class: "two-texts" }, el("div", null, el("h3", { class: "fieldname" }, t("Theirs")), precedence(other.draft.precedence), inertText(other.draft.text, other.draft.lang ?? "")),
    el("div", null, el("h3", { class: "fieldname" }, t("Yours")), precedence(draft.content.precedence), inertText(draft.content.text, draft.content.lang ?? ""))),
  el("div", { class: "row" }, button(t("Take theirs; mine goes"), theirs, { key: "Alt U" }), button(t("Mine follows theirs"), mine, { key: "Alt I" })));
}

/** Why a draft came back unsent. */
export function problem(view) {
  if (!view?.problem) return null;
  return el("div", { class: "warn act", role: "alert" }, badge("overdue", { size: 20 }), el("p", null, t("It came back: it could not be sent as it stood."), " ", stationSentence(view.problem)));
}

/** The message that this one answers or replaces: {how, entry}; null without one. */
export function about(found) {
  if (!found) return null;
  const { precedence: was, language, text } = found.entry.body;
  return el("section", { class: "about message them" }, el("header", null, precedence(was, { size: 14 }), el("span", { class: "ref" }, found.entry.ref.reference)),
    el("div", { class: "slot" }, el("p", { class: "tag" }, found.how === "answers" ? t("You answer this") : t("You replace this"), comma(), languageName(language)), inertText(text ?? "", language)));
}

/** What else is being written on this line, and what waits: [{number, href, words}]. */
export function others(line, composing, waiting, current) {
  const rows = [...composing.map((view) => [view.compose, view.draft, rich("{sign}, {moment}", { sign: el("span", { class: "fig" }, view.by), moment: moment(view.at) })]),
    ...waiting.map((each) => [each.draft, each.message, el("span", { class: "look" }, each.state === "held" ? t("held back") : each.state === "grace" ? t("not signed yet") : t("waits for a second officer"))])]
    .filter(([number]) => number !== current);
  if (!rows.length) return null;
  return el("section", { class: "others" }, el("h2", { class: "fieldname" }, t("Other drafts on this line")), el("ul", null, rows.slice(0, 12).map(([number, message, how]) => el("li", { "data-key": number },
    el("a", { href: hashOf("compose", line.label, { draft: number }) }, precedence(message.precedence, { size: 14 }), " ", inertLine(message.subject || message.text.split("\n", 1)[0] || t("nothing written yet"), 60)), " ", el("span", { class: "small second" }, how)))));
}
