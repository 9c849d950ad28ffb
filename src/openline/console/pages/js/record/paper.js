// Paper: the messages of some days, each with reference, precedence and receipts, and the word COPY on every sheet.

import { get, ofLine, query } from "../api.js";
import { el } from "../dom.js";
import { inertLine, inertText } from "../inert.js";
import { own } from "../live.js";
import { dtg } from "../moments.js";
import { exercise, ladder, precedence } from "../signs.js";
import { n, t } from "../words.js";

const PAGE = 200;
const MOST = 2_000;

/** Messages of a line from one moment to another, in order of arrival. Raises Failed. */
export async function messages(line, from, to) {
  const found = [];
  let before = line.last_seq + 1;
  while (before > 0 && found.length < MOST) {
    const { entries } = await get(ofLine(line, `/entries${query({ kind: "message", before, limit: PAGE, remarks: true })}`));
    if (!entries.length) break;
    found.unshift(...entries.filter((entry) => entry.time >= from && entry.time <= to));
    before = entries[0].seq;
    if (entries.every((entry) => entry.time < from)) break;
  }
  return found;
}

/** The sheet. */
export function sheet(live, line, entries, from, to) {
  return el("section", { class: "sheet" }, el("p", { class: "sheethead" }, line.policy?.exercise ? [exercise(), " · "] : null, el("b", null, t("COPY")), " · ", inertLine(line.title || line.label, 60), " · ", el("span", { class: "fig" }, `${dtg(from)} – ${dtg(to)}`), " · ",
    n(entries.length, "{count} message", "{count} messages"), " · ", t("made by {station}, {moment}", { station: own(line).name, moment: dtg(live.now()) })),
  entries.length ? entries.map((entry) => article(line, entry)) : el("p", { class: "nothing" }, t("No message lies between these moments.")));
}

function article(line, entry) {
  const { body } = entry;
  return el("article", { class: `message ${entry.author === own(line).name ? "us" : "them"}` }, el("header", { class: "row" }, entry.exercise ? exercise() : null, precedence(body.precedence), el("span", { class: "ref" }, entry.ref.reference), el("b", null, el("bdi", null, entry.author)), entry.superseded ? el("span", null, t("SUPERSEDED")) : null, el("span", { class: "copyword" }, t("COPY"))),
    body.subject ? el("h2", { class: "subject" }, inertLine(body.subject, 256)) : null, inertText(body.text ?? "", body.language),
    Object.entries(entry.status ?? {}).map(([party, status]) => el("div", { class: "standing-of" }, el("span", { class: "small" }, el("bdi", null, party)), ladder(status, marksOf(entry)[party] ?? {}))));
}

function marksOf(entry) {
  const found = {};
  for (const { kind, author, body } of entry.remarks ?? []) if (kind === "receipt") (found[author] ??= {})[body.step] = { at: body.at, sign: body.sign, to: body.unit || body.relayed_to };
  return found;
}
