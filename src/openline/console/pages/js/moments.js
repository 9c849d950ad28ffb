// Times as the floor reads them: UTC with its Z, the date-time group, the local time small beside it.

import { el } from "./dom.js";
import { t } from "./words.js";

/** As a date-time group writes them. */
export const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const two = (value) => String(value).padStart(2, "0");
const preference = { times: "utc" };

/** How the officer wants times: "utc" (14:30Z), "dtg" (211430Z NOV 26) or "local" (UTC with the local time beside it). */
export function prefer(times) {
  preference.times = times || "utc";
}

/** 14:30Z */
export function hm(ms) {
  const at = new Date(ms);
  return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}Z`;
}

/** 14:30:05Z */
export function hms(ms) {
  const at = new Date(ms);
  return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}Z`;
}

/** 21 NOV 26 */
export function day(ms) {
  const at = new Date(ms);
  return `${two(at.getUTCDate())} ${MONTHS[at.getUTCMonth()]} ${two(at.getUTCFullYear() % 100)}`;
}

/** 211430Z NOV 26 */
export function dtg(ms) {
  const at = new Date(ms);
  return `${two(at.getUTCDate())}${two(at.getUTCHours())}${two(at.getUTCMinutes())}Z ${MONTHS[at.getUTCMonth()]} ${two(at.getUTCFullYear() % 100)}`;
}

/** 15:30, where this screen stands. */
export function local(ms) {
  const at = new Date(ms);
  return `${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** A moment as the officer chose, as a <time>; the local time is in its title always. `now` lets another day show its date. */
export function moment(ms, now, { seconds = false } = {}) {
  if (ms === null || ms === undefined) return el("span", { class: "label" }, t("never"));
  const far = now !== undefined && new Date(now).toDateString() !== new Date(ms).toDateString() && Math.abs(now - ms) > 43_200_000;
  const utc = preference.times === "dtg" || far ? dtg(ms) : seconds ? hms(ms) : hm(ms);
  const shown = el("time", { datetime: new Date(ms).toISOString(), title: t("{local} here", { local: local(ms) }) }, utc);
  if (preference.times !== "local") return shown;
  return el("span", null, shown, " ", el("span", { class: "small second" }, t("{local} here", { local: local(ms) })));
}

/** A span in its two largest units: 2 h 05 min. */
export function span(ms) {
  const seconds = Math.floor(Math.abs(ms) / 1000);
  if (seconds < 60) return t("{seconds} s", { seconds });
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return t("{minutes} min", { minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return t("{hours} h {minutes} min", { hours, minutes: two(minutes % 60) });
  return t("{days} d {hours} h", { days: Math.floor(hours / 24), hours: hours % 24 });
}

/** A delay as a bearer shows it: 41 ms, 6 s. */
export function delay(ms) {
  if (ms < 1000) return t("{milliseconds} ms", { milliseconds: Math.round(ms) });
  return span(ms);
}

/** 00:13:24 to go, +00:03:12 overdue. */
export function countdown(ms) {
  const late = ms < 0;
  const seconds = late ? Math.floor(-ms / 1000) : Math.ceil(ms / 1000);
  const hours = Math.floor(seconds / 3600);
  const body = `${two(hours % 100)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  const days = hours >= 100 ? t("{days} d {clock}", { days: Math.floor(hours / 24), clock: `${two(hours % 24)}:${two(Math.floor(seconds / 60) % 60)}` }) : body;
  return (late ? "+" : "") + days;
}

// --- what ticks ----------------------------------------------------------------------------------------------------

const ticking = new Set();
let clock = () => Date.now();

/** Where the time comes from: the station's own clock, which may be simulated. */
export function setClock(now) {
  clock = now;
}

/** The station's time. */
export const now = () => clock();

/** Call `update(now)` at once and every second while `node` stands in the page. */
export function tick(node, update) {
  ticking.add({ node, update, seen: false });
  update(clock());
  return node;
}

setInterval(() => {
  const at = clock();
  for (const each of ticking) {
    if (each.node.isConnected) {
      each.seen = true;
      each.update(at);
    } else if (each.seen || each.missed) ticking.delete(each); // built for a page that has gone on without it
    else each.missed = true;
  }
}, 1000);

/** A running clock: plain, amber in its last quarter, counting up once it is overdue. `from` is when it began. */
export function runningClock(due, from, { meter = true } = {}) {
  const figures = el("span", { class: "clock", role: "timer" });
  const bars = meter ? el("div", { class: "meter", "aria-hidden": "true" }, Array.from({ length: 10 }, () => el("i"))) : null;
  const node = el("div", { class: "running" }, figures, bars);
  return tick(node, (at) => {
    const left = due - at;
    const share = due > from ? Math.max(0, Math.min(1, left / (due - from))) : 0;
    figures.textContent = countdown(left);
    node.classList.toggle("act", left < 0);
    node.classList.toggle("look", left >= 0 && share <= 0.25);
    if (bars) [...bars.children].forEach((bar, place) => bar.classList.toggle("spent", place >= Math.ceil(share * 10)));
  });
}
