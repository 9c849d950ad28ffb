// The record of a call that is over: what each side signed of its start, its end and its protection.

import { el } from "../dom.js";
import { inertString } from "../inert.js";
import { hms, moment, now, span } from "../moments.js";
import { precedence, roleWord } from "../signs.js";
import { comma, languageName, listed, rich, t } from "../words.js";
import { panel } from "./panels.js";
import { causeWords, recordWords, signOf } from "./telling.js";

/** The panel. */
export function recordPanel(view) {
  const row = (name, value) => [el("dt", null, name), el("dd", null, value)];
  const by = view.by;
  return panel("record", t("Record of the call"),
    el("p", { class: view.record === "differs" ? "look" : view.record === "agreed" ? "work" : null }, el("b", null, recordWords(view))),
    el("dl", { class: "pairs" },
      row(t("Rang"), [moment(view.rang_at, now(), { seconds: true }), " ", precedence(view.precedence, { size: 14 }), " ", rich("by {role} {sign}, for {roles}", { role: roleWord(view.role), sign: signOf(view.sign), roles: listed(view.to.map(roleWord)) })]),
      by ? row(t("Answered"), [view.picked_up_at === null ? "" : [moment(view.picked_up_at, now(), { seconds: true }), " "], rich("by {role} {sign}, in {language}", { role: roleWord(by.role), sign: signOf(by.sign), language: languageName(by.lang) })]) : null,
      row(t("Took part"), view.seats.length ? listed(view.seats.map((seat) => `${inertString(seat.name, 40)} ${roleWord(seat.role)} ${inertString(seat.sign, 16)}`)) : t("nobody"))),
    by && view.ends.length ? ends(view) : null,
    el("p", { class: "small second" }, t("Sound was not recorded, here or there.")));
}

/** A row for each side; where there is no room for columns each value has its name before it. */
function ends(view) {
  const names = [t("Signed by"), t("Sound from"), t("to"), t("lasted"), t("Protection"), t("Why it ended")];
  const time = (at) => (at === null ? t("never") : el("time", null, hms(at)));
  const values = (end) => [
    [el("b", null, el("bdi", null, end.name)), " ", end.sign ? signOf(end.sign) : null], time(end.began), end.began === null ? "" : time(end.ended),
    end.began === null || end.ended === null ? "" : span(end.ended - end.began), end.protection ? `DTLS ${inertString(end.protection.dtls, 16)}${comma()}${end.protection.path === "relay" ? t("relay") : t("direct")}` : "", causeWords(end.cause),
  ];
  return el("table", { class: "ends" }, el("thead", null, el("tr", null, names.map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", null, view.ends.map((end) => el("tr", null, values(end).map((value, place) => el("td", { data: { name: names[place] } }, value))))));
}
