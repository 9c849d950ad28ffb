// The last 24 hours of a bearer, as this station saw them: a line that runs on while it was up, is broken while it was silent, and
// stops at a bar where it went down. Before anything was seen, and while the station did not run, there are dots alone.

import { draw, el } from "../dom.js";
import { n, number, t } from "../words.js";
import { DAY_MS } from "./tests.js";

const LOOKS = {
  up: { stroke: "var(--ink)", "stroke-width": 2.4 },
  silent: { stroke: "var(--look)", "stroke-width": 2.4, "stroke-dasharray": "7 3" },
  unseen: { stroke: "var(--edge)", "stroke-width": 1.4, "stroke-dasharray": "2 5" },
  fell: { stroke: "var(--act)", "stroke-width": 2 },
};

/** [{from, to, was}] of the last day, in ms. */
function spans(past, now) {
  return past.map(({ at, was }, place) => ({ from: Math.max(at, now - DAY_MS), to: past[place + 1]?.at ?? now, was,
    fell: was === "down" && place > 0 && past[place - 1].was !== "unseen" })); // what was not up yet has not fallen
}

/** Paths for a graph so wide, at the height `y`. */
export function pastMarks(past, y, now, wide) {
  const x = (at) => Math.round(Math.max(0, wide - ((now - at) / DAY_MS) * wide) * 10) / 10;
  const paths = { unseen: `M0 ${y}H${past.length ? x(past[0].at) : wide}`, up: "", silent: "", fell: "" };
  for (const { from, to, was, fell } of spans(past, now)) {
    if (fell) paths.fell += `M${x(from)} ${y - 5}V${y + 5}`;
    if (was !== "down") paths[was] += `M${x(from)} ${y}H${Math.max(x(to), x(from) + 0.8)}`;
  }
  return Object.entries(paths).filter(([, d]) => d).map(([name, d]) => draw("path", { d, ...LOOKS[name] }));
}

/** The same in words. */
export function pastWords(past, now) {
  let [seen, up, falls] = [0, 0, 0];
  for (const { from, to, was, fell } of spans(past, now)) {
    if (was !== "unseen") seen += to - from;
    if (was === "up" || was === "silent") up += to - from;
    falls += fell;
  }
  if (!seen) return t("not known yet");
  return [t("up {number} %", { number: number(Math.floor((100 * up) / seen)) }), falls ? n(falls, "down {count} time", "down {count} times") : ""].filter(Boolean);
}

const [WIDE, HIGH] = [120, 16];

/** A strip with its words, for a table. */
export function pastStrip(past, now) {
  const svg = draw("svg", { class: "sign past mirrors", viewBox: `0 0 ${WIDE} ${HIGH}`, width: WIDE, height: HIGH, "aria-hidden": "true" }, pastMarks(past, HIGH / 2, now, WIDE));
  return [svg, el("div", { class: "small" }, [pastWords(past, now)].flat().map((words, place) => [place ? el("br") : null, words]))];
}
