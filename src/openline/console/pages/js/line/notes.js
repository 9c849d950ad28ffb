// Everything on a line that is no message: what people decided, what stations did. A strip on its author's side.

import { pageKey, query } from "../api.js";
import { CALL_NOTES } from "../call/notes.js";
import { el } from "../dom.js";
import { inertLine, inertString, inertText } from "../inert.js";
import { own } from "../live.js";
import { moment } from "../moments.js";
import { kindWord } from "../named.js";
import { badge, exercise, roleWord, stateSign } from "../signs.js";
import { comma, n, number, rich, t } from "../words.js";
import { named } from "./message.js";
import { keyOf } from "./window.js";

/** The article of an entry that is no message. */
export function note(place, entry) {
  const us = entry.author === own(place.line).name;
  const [head, ...rest] = entry.refused ? [[badge("fork"), el("b", { class: "act" }, t("AN ENTRY THAT CANNOT BE OPENED OR BREAKS THE RULES"))]]
    : (NOTES[entry.kind] ?? other)(place, entry, entry.body);
  return el("article", { class: `message note ${us ? "us" : "them"}`, tabindex: -1, data: { key: keyOf(entry.ref), seq: entry.seq }, "aria-label": `${entry.author}${comma()}${entry.refused ? kindWord("refused") : kindWord(entry.kind)}` },
    el("header", null, head, entry.exercise ? exercise() : null, entry.disputed ? el("span", { class: "badge act" }, t("DISPUTED")) : null), rest.filter(Boolean).map((each) => el("div", { class: "slot" }, each)));
}

const by = (body) => el("span", { class: "to" }, [body.role ? roleWord(body.role) : "", body.sign ?? ""].filter(Boolean).join(" "));
const chosen = (sign, words) => el("span", { class: "badge chosen" }, badge(sign), words);
const words = (text, language) => (text ? inertText(text, language) : null);

const NOTES = {
  ...CALL_NOTES,
  interim: (place, entry, body) => [[chosen("interim", t("INTERIM")), el("span", null, rich("on {reference}", { reference: named(place, body.of) })), by(body)],
    el("p", null, rich("Answer *by {moment}*. Both floors see this clock.", { moment: moment(body.until, place.now()) })), words(body.text)],
  decline: (place, entry, body) => [[chosen("declined", t("DECLINED")), el("span", null, rich("on {reference}", { reference: named(place, body.of) })), by(body)], words(body.reason)],
  query: (place, entry, body) => [[el("b", null, t("QUERY")), el("span", null, rich("about {reference}", { reference: named(place, body.of) })), by(body)],
    body.passage ? el("p", { class: "passage" }, t("the passage:"), " ", el("q", null, inertLine(body.passage.words, 300)),
      entry.stands === false ? el("b", { class: "look" }, " ", t("These words do not stand in that message.")) : null) : null, words(body.text, body.language)],
  answer: (place, entry, body) => [[el("b", null, t("ANSWER TO A QUERY")), el("span", null, rich("on {reference}", { reference: named(place, body.of) })), by(body)], words(body.text, body.language)],
  suspend: (place, entry, body) => [[stateSign("suspended", { size: 14 }), by(body)], el("p", null, t("Only FLASH passes until it is lifted.")), words(body.reason)],
  lift: (place, entry, body) => [[el("b", { class: "work" }, t("SUSPENSION LIFTED")), by(body)], words(body.reason)],
  service: (place, entry, body) => [[el("b", { class: "second" }, t("SERVICE")), body.minimize === true ? chosen("minimize", t("MINIMIZE imposed")) : body.minimize === false ? chosen("minimize", t("MINIMIZE lifted")) : null, by(body)], words(body.text, body.language)],
  contact: (place, entry, body) => [[el("b", null, t("CONTACT")), el("span", null, inertLine(body.name ?? "", 64), " ", contactWord(body.outcome)), by(body)], words(body.text)],
  countersign: (place, entry, body) => [[el("b", null, body.agreed ? t("COUNTERSIGNED") : t("NOT SO")), el("span", null, rich("on {reference}", { reference: named(place, body.of) })), by(body)], words(body.text)],
  propose: (place, entry, body) => [[el("b", null, t("PROPOSAL OF TERMS")), by(body)], el("p", null, inertLine(body.policy?.title ?? "", 200))],
  assent: () => [[el("b", { class: "work" }, t("ASSENT TO THE PROPOSED TERMS"))]],
  terms: (place, entry, body) => [[el("b", { class: "second" }, t("TERMS"))], el("p", { class: "second" }, n(body.bytes ?? 0, "{count} byte, signed by all parties", "{count} bytes, signed by all parties"))],
  generation: (place, entry, body) => [[el("b", { class: "look" }, t("NEW GENERATION"))], el("p", null, causeWords(body.cause))],
  keys: (place, entry, body) => [[badge("key"), el("b", { class: body.stolen ? "act" : "second" }, body.stolen ? t("A KEY IS HELD FOR STOLEN") : t("A KEY WAS RENEWED"))]],
  epoch: () => [[badge("key"), el("span", { class: "second" }, t("new line keys"))]],
  watch: (place, entry, body) => [[el("span", { class: body.attended ? "second" : "absent" }, body.attended ? t("on watch") : t("nobody on watch")), by(body)]],
  test: (place, entry, body) => [[body.drill ? exercise(t("DRILL")) : el("span", { class: "second" }, t("test")), el("span", { class: "fig second" }, body.number)], body.drill ? words(body.text, body.language) : null],
  attachment: (place, entry, body) => [[el("b", null, t("FILE")), inertLine(body.name ?? "", 120), body.of ? el("span", null, rich("with {reference}", { reference: named(place, body.of) })) : null],
    el("p", { class: "second" }, inertString(body.media_type ?? "", 60), comma(), t("{number} bytes", { number: number(body.size) }), " ",
      el("a", { href: `/v1/lines/${place.line.line}/attachments/${body.digest}${query({ page: pageKey() })}`, download: inertString(body.name ?? "file", 120) }, t("Save")))],
};

function other(place, entry) {
  return [[el("b", { class: "look" }, t("UNKNOWN KIND {kind}", { kind: inertString(entry.kind, 20) }))], el("p", null, t("A newer version of the other side said this. It is kept and counted."))];
}

function causeWords(cause) {
  return {
    restored: t("The station came back from a backup: its lanes go on in a new generation."), rotation: t("The station has a new lane key."),
    superseded: t("The station was shown a newer generation of its own."), compromised: t("The lane key before is held for stolen: what stands beyond the heads named is disputed."),
  }[cause] ?? cause;
}

/** What became of a contact, in a word. */
export function contactWord(outcome) {
  return { kept: t("kept"), declined: t("declined"), "no-call": t("no call"), account: t("account") }[outcome] ?? outcome ?? "";
}

