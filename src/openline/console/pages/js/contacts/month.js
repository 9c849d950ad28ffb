// A month of one line's contacts, by UTC days, a row a week. On a telephone it is the list of the days that have one.

import { button, el } from "../dom.js";
import { inertLine, inertString } from "../inert.js";
import { hm } from "../moments.js";
import { language, t } from "../words.js";
import { markColour, markOf, markShape, markWord, mediumWord, shortWord } from "./marks.js";

const DAY_MS = 86_400_000;

/** The first moment of the UTC day of `ms`. */
export const dayOf = (ms) => Math.floor(ms / DAY_MS) * DAY_MS;

/** The first moments of a month, and of `months` later ones. */
export function monthOf(ms, months = 0) {
  const at = new Date(ms);
  return Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + months);
}

/** From the Monday of the first week to the end of the last one's Sunday. */
export function spanOf(month) {
  const first = month - ((new Date(month).getUTCDay() + 6) % 7) * DAY_MS;
  const end = monthOf(month, 1);
  return { from: first, to: first + Math.ceil((end - first) / (7 * DAY_MS)) * 7 * DAY_MS - 1 };
}

/** A moment in words of the officer's language, with figures that stay Latin. */
export function said(ms, options) {
  return new Intl.DateTimeFormat(language(), { timeZone: "UTC", numberingSystem: "latn", calendar: "gregory", ...options }).format(ms);
}

/** Monday of the week's number (ISO 8601): that of the year of its Thursday. */
function weekOf(monday) {
  const thursday = monday + 3 * DAY_MS;
  return Math.floor((thursday - Date.UTC(new Date(thursday).getUTCFullYear(), 0, 1)) / (7 * DAY_MS)) + 1;
}

/** What tells one occurrence from all others. */
export const nameOf = (each) => `${each.name}\n${each.occurrence}`;

/** The table of a month. `chosen` is the name of an occurrence; `choose(occurrence)` hears of a click. */
export function monthTable({ month, now, occurrences, outside, chosen, choose }) {
  const { from, to } = spanOf(month);
  const days = new Map();
  for (const each of occurrences) days.set(dayOf(each.start), [...(days.get(dayOf(each.start)) ?? []), each]);
  const extra = new Map();
  for (const word of outside) extra.set(dayOf(word.at), [...(extra.get(dayOf(word.at)) ?? []), word]);
  const rows = [];
  for (let monday = from; monday < to; monday += 7 * DAY_MS) {
    rows.push(el("tr", null, el("th", { scope: "row", class: "week fig" }, weekOf(monday)),
      Array.from({ length: 7 }, (_, place) => dayCell(monday + place * DAY_MS, { month, now, here: days.get(monday + place * DAY_MS) ?? [], extra: extra.get(monday + place * DAY_MS) ?? [], chosen, choose }))));
  }
  return el("table", { class: "month" }, el("caption", { class: "only-heard" }, t("Contacts by UTC days")),
    el("thead", null, el("tr", null, el("th", { scope: "col" }, el("span", { class: "only-heard" }, t("Week")), el("span", { class: "fig", "aria-hidden": "true" }, "UTC")),
      Array.from({ length: 7 }, (_, place) => el("th", { scope: "col" }, said(from + place * DAY_MS, { weekday: "long" }))))),
    el("tbody", null, rows));
}

function dayCell(day, { month, now, here, extra, chosen, choose }) {
  const kind = [monthOf(day) !== month && "out", day === dayOf(now) && "today", here.some((each) => nameOf(each) === chosen) && "has", !here.length && !extra.length && "bare"].filter(Boolean).join(" ");
  return el("td", { class: kind || null, "aria-current": day === dayOf(now) ? "date" : null },
    el("p", { class: "d" }, el("span", { class: "fig" }, new Date(day).getUTCDate()), el("span", { class: "wd" }, said(day, { weekday: "long" }))),
    here.map((each) => entry(each, chosen, choose)),
    extra.map((word) => el("p", { class: "ev outside" }, markShape(word.agreed.length ? "kept" : "recorded", 6), clock(word.at), el("span", null, mediumWord(word.medium)))));
}

function entry(each, chosen, choose) {
  const mark = markOf(each);
  const heard = `${said(each.start, { weekday: "long", day: "numeric", month: "long" })}, ${inertString(each.name, 64)}, ${markWord(mark)}: `;
  const node = button("", () => choose(each), { kind: `ev ${markColour(mark)}`, "data-key": nameOf(each), "aria-pressed": String(nameOf(each) === chosen) });
  node.replaceChildren(el("span", { class: "only-heard" }, heard), markShape(mark, 6), clock(each.start), el("span", { class: "what" }, shortWord(mark)), el("span", { class: "wd" }, inertLine(each.name, 40)));
  return node;
}

/** 09:00Z; where a day is narrow the head of the table says UTC once for all. */
const clock = (ms) => el("time", null, hm(ms).slice(0, 5), el("span", { class: "zulu" }, "Z"));
