// What an officer does about a message: read, relayed, interim, decline, query, translation, supersede.

import { explain, ofLine, post } from "../api.js";
import { askForm, failure, openDialog } from "../dialogs.js";
import { choice, el, field } from "../dom.js";
import { own } from "../live.js";
import { dtg, now } from "../moments.js";
import { roleWord } from "../signs.js";
import { LANGUAGES, language, languageName, t } from "../words.js";

const ROLES = ["principal", "watch-officer", "interpreter", "technician", "auditor", "administrator"];
const MOST_REASON = 1_024;

const say = (line, entry) => post(ofLine(line, "/entries"), entry);

/** The place of an entry as the API takes it. */
export const placeOf = ({ lane, generation, index, leaf }) => ({ lane, generation, index, leaf });

/** I have read it. */
export async function read(line, entry) {
  try {
    await say(line, { kind: "receipt", of: placeOf(entry.ref), step: "read" });
  } catch (error) {
    await openDialog(t("Not said"), failure(error, explain));
  }
}

/** It was put before somebody: the principal, or the unit that acts. */
export function relayed(line, entry) {
  const to = choice(ROLES.map((role) => [role, roleWord(role)]), "principal");
  const unit = el("input", { maxlength: 12, autocomplete: "off", autocapitalize: "characters" });
  return askForm(t("Relayed"), (form) => form.append(el("p", { class: "ref" }, entry.ref.reference), field(t("Put before"), to),
    field(t("Call-sign of the acting unit, if it is one"), unit, t("1 to 12 of A to Z and 0 to 9"))), () => say(line, {
    kind: "receipt", of: placeOf(entry.ref), step: "relayed", relayed_to: to.value, ...(unit.value ? { unit: unit.value.toUpperCase() } : {}),
  }), { yes: t("It was relayed"), explainError: explain });
}

/** A signed holding reply. */
export function interim(line, entry) {
  const minutes = el("input", { type: "number", min: 1, max: 10_080, value: 30, required: true });
  const until = () => now() + Number(minutes.value) * 60_000;
  const shown = el("output", { class: "fig" }, dtg(until()));
  minutes.addEventListener("input", () => (shown.textContent = minutes.value > 0 ? dtg(until()) : ""));
  const text = el("textarea", { rows: 3, maxlength: MOST_REASON, dir: "auto" });
  return askForm(t("Interim: promise an answer"), (form) => form.append(el("p", { class: "ref" }, entry.ref.reference),
    field(t("In how many minutes"), minutes), el("p", null, t("They see: answer by"), " ", shown), field(t("Words with it, if any"), text)),
  () => say(line, { kind: "interim", of: placeOf(entry.ref), until: Math.ceil(until() / 60_000) * 60_000, text: text.value }), { yes: t("Promise it"), explainError: explain });
}

/** A signed refusal, with its reason. */
export function decline(line, entry) {
  const reason = el("textarea", { rows: 4, maxlength: MOST_REASON, dir: "auto", required: true });
  return askForm(t("Decline: no answer will come"), (form) => form.append(el("p", { class: "ref" }, entry.ref.reference),
    el("p", null, t("It is signed and stands for good. It says that you will not answer; it is not a fault and not a silence.")), field(t("Reason"), reason)),
  () => say(line, { kind: "decline", of: placeOf(entry.ref), reason: reason.value }), { yes: t("Decline"), explainError: explain, danger: true });
}

/** A question to the author, about the whole or about the words that are marked. */
export function query(line, entry) {
  const passage = marked(entry);
  const text = el("textarea", { rows: 3, maxlength: 1_000, dir: "auto", required: true });
  return askForm(t("Query to the author"), (form) => form.append(el("p", { class: "ref" }, entry.ref.reference),
    el("p", { class: "second" }, passage ? [t("About the words you marked:"), " ", el("q", null, el("bdi", { dir: "auto" }, passage.words))] : t("About the whole message. Mark words in it first to ask about them.")),
    field(t("Your question"), text)), () => say(line, { kind: "query", of: placeOf(entry.ref), text: text.value, lang: language(), ...(passage ? { passage } : {}) }), { yes: t("Ask"), explainError: explain });
}

/** The words marked in the original of a message, as the API names a passage: code points. */
function marked(entry) {
  const selection = getSelection();
  const words = selection?.toString() ?? "";
  const text = entry.body.text ?? "";
  if (!words.trim() || words.length > 1_000) return null;
  const at = text.indexOf(words);
  if (at < 0) return null;
  const start = [...text.slice(0, at)].length;
  return { start, end: start + [...words].length, words };
}

/** The answer to a query. */
export function answerQuery(line, entry) {
  const text = el("textarea", { rows: 4, maxlength: 1_000, dir: "auto", required: true });
  return askForm(t("Answer to a query"), (form) => form.append(el("blockquote", { class: "said", dir: "auto" }, String(entry.body.text ?? "").slice(0, 600)), field(t("Your answer"), text)),
    () => say(line, { kind: "answer", of: placeOf(entry.ref), text: text.value, lang: language() }), { yes: t("Answer"), explainError: explain });
}

/** A translation of a message, bound to it. */
export function translate(line, entry) {
  const tags = [...new Set([language(), ...(line.policy?.languages ?? []), ...LANGUAGES.map(([tag]) => tag)])];
  const tag = choice(tags.map((each) => [each, languageName(each)]), tags.find((each) => each !== entry.body.language));
  const grade = choice([["sight", t("at sight")], ["rough", t("rough")], ["official", t("official")]], entry.author === own(line).name ? "official" : "sight");
  const text = el("textarea", { rows: 6, dir: "auto", required: true });
  return askForm(t("Translation"), (form) => form.append(el("p", { class: "ref" }, entry.ref.reference), el("blockquote", { class: "said", dir: "auto" }, String(entry.body.text ?? "").slice(0, 4_000)),
    el("div", { class: "row" }, field(t("Into"), tag), field(t("It is"), grade)), field(t("Translation"), text)),
  () => say(line, { kind: "translation", of: placeOf(entry.ref), lang: tag.value, grade: grade.value, text: text.value }), { yes: t("Bind it to the message"), explainError: explain });
}
