// Beside the month: what became of one contact, in order, with who signed it; and the figures of the line.

import { button, el } from "../dom.js";
import { inertLine, inertText } from "../inert.js";
import { own } from "../live.js";
import { day, dtg, hm, local, moment, span } from "../moments.js";
import { livery, precedence, roleWord } from "../signs.js";
import { comma, listed, number, t } from "../words.js";
import { markMeaning, markOf, markSign, mediumWord, outcomeWord } from "./marks.js";
import { said } from "./month.js";

/** What became of an occurrence. `acts` as of contacts/acts.js, `may` whether this officer may sign here. */
export function account(line, each, { now, acts, may }) {
  const mark = markOf(each);
  const node = el("section", { class: "account", "data-key": `${each.name} ${each.occurrence}` }, el("div", { class: "stack" },
    el("p", { class: "second" }, said(each.start, { weekday: "long" }), " ", el("span", { class: "fig" }, day(each.start)), comma(), el("b", null, inertLine(each.name, 64)), comma(), mediumWord(each.medium),
      each.begins ? [comma(), t("{station} begins", { station: each.begins })] : null),
    markSign(mark), el("p", { class: "cause" }, markMeaning(mark)),
    each.words.map((word) => spoken(line, word, acts, may)),
    each.state === "missed" && !each.words.length ? el("p", { class: "small second" }, t("No side has signed why yet. Each floor concludes the cause from what it sees.")) : null,
    may ? el("div", { class: "row acts" }, offered(each).map(([key, words, outcome]) => button(words, () => acts.say(each, outcome), { key }))) : null,
    zones(each), course(line, each, now)));
  return livery(node, line);
}

/** What can be said of it now: [key, words, outcome]. */
export function offered(each) {
  const ahead = each.state === "upcoming";
  const silent = each.state === "due" || each.state === "missed";
  const told = each.words.some((word) => word.outcome === "kept");
  return [
    !ahead && !told && ["T", t("It took place"), "kept"],
    (ahead || each.state === "due") && ["D", t("Decline it"), "declined"],
    silent && ["W", t("Say why"), "account"],
  ].filter(Boolean);
}

function zones(each) {
  const rows = each.times.map(({ zone, time }) => [zone === "UTC" ? dtg(each.start) : time.slice(0, 16), zone]);
  return el("dl", { class: "pairs zones" }, rows.map(([time, zone]) => [el("dt", null, el("span", { class: "fig" }, time)), el("dd", null, el("bdi", { dir: "ltr" }, zone.replaceAll("_", " ")))]),
    el("dt", null, el("span", { class: "fig" }, local(each.start))), el("dd", null, t("here")),
    each.clock_change ? [el("dt", { class: "look" }, t("Clocks change")), el("dd", { class: "look" }, each.clock_change === "twice" ? t("its local time comes twice that night: the first counts") : t("its local time is left out that night"))] : null);
}

/** What happened, in order. */
function course(line, each, now) {
  const events = [[each.opens, t("from here on it counts")], [each.start, t("due")]];
  if (now > each.closes && each.state === "missed") events.push([each.closes, t("missed: said on this floor and on theirs")]);
  else events.push([each.closes, t("after this it is missed")]);
  for (const word of each.words) {
    events.push([word.time, [who(line, word.author), " ", outcomeWord(word.outcome), " ", el("span", { class: "fig second" }, word.sign)]]);
  }
  return el("ol", { class: "course" }, events.sort(([one], [other]) => one - other).map(([at, words]) => el("li", { class: at > now ? "second" : null }, el("time", null, hm(at)), el("span", null, words))));
}

const who = (line, name) => el("b", { class: name === own(line).name ? null : "peer" }, el("bdi", null, name));

/** A party's signed word, and whether the others signed it. */
export function spoken(line, word, acts, may, keyed = true) {
  const me = own(line).name;
  const parties = [word.author, ...word.agreed];
  const missing = line.parties.map((party) => party.name).filter((name) => !parties.includes(name) && !word.differs.includes(name));
  const mine = word.author === me || word.agreed.includes(me);
  return el("article", { class: "spoken", "data-key": `${word.author} ${word.time}` },
    el("p", null, who(line, word.author), " ", outcomeWord(word.outcome), " ", el("span", { class: "small second" }, moment(word.time), comma(), roleWord(word.role), " ", el("span", { class: "fig" }, word.sign))),
    word.text ? inertText(word.text) : null,
    el("p", { class: "small" }, missing.length ? el("span", { class: "look" }, t("Not signed yet by {parties}.", { parties: listed(missing) })) : word.differs.length ? null : el("span", { class: "work" }, t("Signed by all sides.")),
      word.differs.length ? el("span", { class: "act" }, t("{parties}: it was not so.", { parties: listed(word.differs) })) : null),
    may && !mine ? el("div", { class: "row acts" }, button(t("Countersign: it was so"), () => acts.countersign(word, true), { key: keyed ? "Y" : "", kind: "main" }),
      word.differs.includes(me) ? null : button(t("It was not so"), () => acts.countersign(word, false), { key: keyed ? "X" : "" })) : null);
}

/** Figures of the line over `days` days. */
export function figuresPanel(line, found, days) {
  const rows = [
    [t("Days since the last contact"), found.days_since === null ? "–" : number(Math.floor(found.days_since))],
    [t("Contacts kept"), ofAll(found.kept, found.kept + found.missed)],
    [t("Tests of ours answered"), ofAll(found.tests_answered, found.tests)],
  ];
  const answers = found.answers.filter((each) => each.messages);
  return el("section", { class: "panel" }, el("h2", null, t("Line {number}, last {days} days", { number: line.number, days })),
    el("dl", { class: "pairs" }, rows.map(([name, value]) => [el("dt", null, name), el("dd", null, value)])),
    answers.length ? el("table", { class: "answers" }, el("thead", null, el("tr", null, [t("Messages"), t("Handled"), t("Median"), t("Longest")].map((words) => el("th", { scope: "col" }, words)))),
      el("tbody", null, answers.map((each) => el("tr", null,
        el("th", { scope: "row" }, who(line, each.author), " ", precedence(each.precedence, { size: 11 })),
        el("td", null, ofAll(each.handled, each.messages)),
        el("td", { class: each.median_ms !== null && each.median_ms > each.agreed_ms ? "act" : null }, each.median_ms === null ? "–" : span(each.median_ms)),
        el("td", { class: each.longest_ms !== null && each.longest_ms > each.agreed_ms ? "act" : null }, each.longest_ms === null ? "–" : span(each.longest_ms)))))) : null);
}

const ofAll = (part, whole) => t("{part} of {whole}", { part: number(part), whole: number(whole) });
