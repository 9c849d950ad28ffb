// Calls as they stand in a line's transcript: each entry in words, with the way to the call itself.

import { el } from "../dom.js";
import { inertLine, inertString, inertText } from "../inert.js";
import { hms } from "../moments.js";
import { hashOf } from "../router.js";
import { badge, precedence, roleWord } from "../signs.js";
import { languageName, listed, n, rich, t } from "../words.js";
import { causeWords } from "./telling.js";

const key = (ref) => `${ref.lane}/${ref.generation}/${ref.index}`;
const by = (body) => el("span", { class: "to" }, [body.role ? roleWord(body.role) : "", inertString(body.sign ?? "", 16)].filter(Boolean).join(" "));
const head = (sign, words, kind = "") => el("span", { class: `badge ${kind}` }, badge(sign, { size: 15 }), words);
const link = (place, ref) => el("a", { class: "ref", href: hashOf("call", place.line.label, { call: key(ref) }) }, t("the call"));

/** kind -> what `note` shows of it, as in line/notes.js. */
export const CALL_NOTES = {
  ring: (place, entry, body) => [[head("call", t("CALL")), precedence(body.precedence, { size: 14 }), el("span", null, rich("to {roles}", { roles: listed((body.roles ?? []).map(roleWord)) })), link(place, entry.ref), by(body)],
    body.subject ? el("p", null, inertLine(body.subject, 256)) : null],
  "pick-up": (place, entry, body) => [[head("call", t("ANSWERED"), "work"), el("span", null, languageName(inertString(body.language ?? "", 20))), link(place, body.of), by(body)]],
  refusal: (place, entry, body) => [[body.cause === "declined" ? head("declined", t("CALL DECLINED"), "chosen") : head("missed", t("CALL NOT ANSWERED"), "absent"), link(place, body.of), by(body)],
    el("p", null, causeWords(body.cause)), body.text ? inertText(body.text) : null],
  "hang-up": (place, entry, body) => [[head("call", t("CALL ENDED")), link(place, body.of), by(body)],
    el("p", null, causeWords(body.cause), " ", body.began !== null && body.began !== undefined ? t("Sound both ways from {began} to {ended}.", { began: hms(body.began), ended: body.ended ? hms(body.ended) : "?" }) : ""), body.text ? inertText(body.text) : null],
  "typed-line": (place, entry, body) => [[head("call", t("TYPED IN A CALL")), link(place, body.of), by(body)], inertText(body.text ?? "", body.language)],
  seat: (place, entry, body) => [[head("call", seatWords(body)), link(place, body.of), by(body)]],
  minutes: (place, entry, body) => [[head("flag", t("MINUTES OF A CALL")), link(place, body.of), by(body)], el("p", null, n((body.clauses ?? []).length, "{count} clause", "{count} clauses"))],
  "minutes-word": (place, entry, body) => [[(body.clauses ?? []).every((clause) => clause.agreed) ? head("key", t("MINUTES AGREED"), "work") : head("flag", t("MINUTES: DIFFERS"), "look"), by(body)]],
};

/** The kinds that always stand in a transcript; where somebody sits is shown with the tests and watches. */
export const CALL_KINDS = ["ring", "pick-up", "refusal", "hang-up", "typed-line", "minutes", "minutes-word"];

function seatWords({ act, number }) {
  const what = number === 1 ? t("the further console") : t("the officer’s console");
  return {
    opens: t("{what} opened its key", { what }), joins: t("{what} came in", { what }), "takes-over": t("{what} took the call over", { what }), leaves: t("{what} left", { what }), lost: t("{what} was lost", { what }),
    connected: t("{what}: sound is protected", { what }), matched: t("the spoken check matched"), differed: t("the spoken check did not match"),
  }[act] ?? what;
}
