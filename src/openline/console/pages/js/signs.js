// The signs of the watch floor. Each is a shape first, then a word, then a colour: the shape alone suffices, and the word is
// always there for who hears the page.

import { draw, el } from "./dom.js";
import { moment } from "./moments.js";
import { t } from "./words.js";

function sign(paths, { size = 18, width = 20, height = 20, stroke = 2.2, kind = "", words = "" } = {}) {
  const drawn = paths.map(([tag, attributes]) => draw(tag, attributes));
  const svg = draw("svg", {
    class: `sign ${kind}`.trim(), width: Math.round((size * width) / height), height: size, viewBox: `0 0 ${width} ${height}`, "stroke-width": stroke,
  }, drawn);
  if (words) {
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", words);
  } else svg.setAttribute("aria-hidden", "true");
  return svg;
}

const path = (d, attributes) => ["path", { d, ...attributes }];
const circle = (cx, r, attributes) => ["circle", { cx, cy: 10, r, ...attributes }];
const FILLED = { class: "fill" };

// --- a line is a wire between two ends -----------------------------------------------------------------------------

const ENDS = [circle(8, 7, FILLED), circle(64, 7, FILLED)];
const WIRES = {
  "in service": [path("M14 7H58M14 13H58"), ...ENDS],
  degraded: [path("M14 7H58M14 13H28M44 13H58"), ...ENDS],
  fault: [path("M14 7H25M47 7H58M14 13H25M47 13H58"), path("M30 4L42 16M42 4L30 16", { "stroke-width": 3.4 }), ...ENDS],
  suspended: [path("M14 7H58M14 13H58", { "stroke-width": 1.6 }), path("M31 1V19M41 1V19", { "stroke-width": 4.4 }), ...ENDS],
  unattended: [path("M14 7H56M14 13H56"), circle(8, 7, FILLED), circle(63, 6)],
  opening: [path("M14 10H58", { "stroke-dasharray": "5 6" }), circle(8, 7, FILLED), circle(63, 6)],
  stopped: [path("M30 4L42 16M42 4L30 16", { "stroke-width": 3.4 }), circle(9, 6), circle(63, 6)],
  due: [circle(9, 6), circle(63, 6)],
};
const STATE_COLOURS = {
  "in service": "work", degraded: "look", fault: "act", suspended: "chosen", unattended: "absent", opening: "absent", stopped: "act", due: "second",
};

/** The wire of a state. Without `words` it is for the eye alone: then the word stands beside it. */
export function wire(state, { size = 20, words = "" } = {}) {
  return sign(WIRES[state] ?? WIRES.due, { size, width: 72, stroke: 2.6, kind: "wire", words });
}

/** The state of a line in one or two words. */
export function stateWord(state) {
  return {
    "in service": t("IN SERVICE"), degraded: t("DEGRADED"), fault: t("FAULT"), suspended: t("SUSPENDED"), unattended: t("UNATTENDED"),
    opening: t("OPENING"), stopped: t("OUT OF SERVICE"),
  }[state] ?? state;
}

export const stateColour = (state) => STATE_COLOURS[state] ?? "second";

/** Wire and word, large: readable at two metres. */
export function stateSign(state, { size = 20 } = {}) {
  return el("span", { class: `state ${stateColour(state)}` }, wire(state, { size }), el("span", null, stateWord(state)));
}

// --- precedence: more corners, more haste --------------------------------------------------------------------------

const SHAPES = {
  flash: [path("M6 1H14L19 6V14L14 19H6L1 14V6Z", FILLED), path("M6.5 6.5H13.3L6.7 13.5H13.5", { class: "cut" })],
  immediate: [path("M10 0L20 10L10 20L0 10Z", FILLED)],
  priority: [path("M10 3L18.2 17.4H1.8Z", { "stroke-width": 2.6 })],
  routine: [circle(10, 7.6)],
};
export const PRECEDENCES = ["flash", "immediate", "priority", "routine"];

/** The words of a precedence: international, and never translated. */
export const precedenceWord = (name) => (PRECEDENCES.includes(name) ? name.toUpperCase() : "?");

/** The shape alone. */
export function precedenceShape(name, { size = 18, words = "" } = {}) {
  return sign(SHAPES[name] ?? SHAPES.routine, { size, words });
}

/** Shape and word. */
export function precedence(name, { size = 18 } = {}) {
  return el("span", { class: `precedence ${PRECEDENCES.includes(name) ? name : ""}`, lang: "en" }, precedenceShape(name, { size }), precedenceWord(name));
}

// --- receipts: a ladder of four rungs ------------------------------------------------------------------------------

export const STEPS = ["held", "presented", "read", "relayed"];

/** A receipt in a word. */
export function stepWord(step) {
  return { held: t("held"), presented: t("presented"), read: t("read"), relayed: t("relayed") }[step] ?? step;
}

/** Which rungs a party's status fills. */
export const rungsOf = (status) => STEPS.map((step) => Boolean(status?.[step]));

/** Four small squares, with the furthest step as their words. */
export function rungs(status) {
  const filled = rungsOf(status);
  const furthest = STEPS[filled.lastIndexOf(true)];
  return el("span", { class: "rungs", role: "img", "aria-label": furthest ? stepWord(furthest) : t("sent, unknown") },
    filled.map((full) => el("i", { class: full ? null : "not" })));
}

/**
 * The ladder under a message: each rung with its word, and when and by whom as far as entries said it.
 * `marks` is {presented: {at, sign, to}, read: …}.
 */
export function ladder(status, marks = {}) {
  return el("div", { class: "ladder" }, STEPS.map((step, place) => {
    const full = rungsOf(status)[place];
    const mark = marks[step];
    const to = mark?.to ? roleWord(mark.to) : "";
    return el("span", { class: full ? null : "not" }, el("i", { "aria-hidden": "true" }),
      full ? el("b", null, stepWord(step)) : [stepWord(step), el("span", { class: "only-heard" }, t("not yet"))],
      mark?.at ? moment(mark.at) : null, mark?.sign ? el("span", { class: "fig" }, mark.sign) : null, to ? el("span", null, to) : null);
  }));
}

/** What silence of a party about a message is, in words that guess nothing. */
export function meaningWords(status, now) {
  return {
    "bearers-down": t("Sent, unknown: link fault, not a refusal."),
    "station-silent": t("Sent, unknown: their station is silent."),
    "sent-unknown": t("Sent one way: nothing can come back."),
    "under-way": t("On its way."),
    unattended: t("Held there; nobody is on watch."),
    "not-read": t("Held there; not read yet."),
    read: t("Read."),
    relayed: t("Relayed."),
    considering: status.interim_until !== null && status.interim_until < now ? t("The promised moment has passed.") : t("Considering: an answer is promised."),
    declined: t("Declined."),
    answered: t("Answered."),
  }[status.meaning] ?? "";
}

/** A role in words. */
export function roleWord(role) {
  return {
    "watch-officer": t("watch officer"), principal: t("principal"), interpreter: t("interpreter"), technician: t("technician"),
    auditor: t("auditor"), administrator: t("administrator"),
  }[role] ?? role;
}

// --- what people decide, and what happens --------------------------------------------------------------------------

const BADGES = {
  interim: [path("M5 1H1V19H5M15 1H19V19H15"), path("M10 4.5V10.5L13.5 13")],
  declined: [path("M2 2H18V18H2ZM2 18L18 2")],
  overdue: [path("M0 2H20L10 20Z", FILLED), path("M10 5V10.5M10 12.5V14.6", { class: "cut" })],
  crossed: [path("M1 5C9 5 11 15 18 15M15 12L18.4 15L15 18M19 5C11 5 9 15 2 15M5 12L1.6 15L5 18")],
  superseded: [path("M3 6H17M3 14H17M6 2L14 18")],
  flag: [path("M3 19V2H17L13 7L17 12H3")],
  sound: [path("M2 7H6L11 3V17L6 13H2Z", FILLED), path("M14 6.5C16 8.5 16 11.5 14 13.5M16.5 4C20 7.5 20 12.5 16.5 16")],
  silent: [path("M2 7H6L11 3V17L6 13H2Z", FILLED), path("M14 7L19 13M19 7L14 13")],
  exercise: [path("M1 19L9 11M5 19L19 5M11 19L19 11M1 13L13 1M1 7L7 1", { "stroke-width": 2.6 })],
  minimize: [path("M2 4H18M5 8H15M8 12H12M10 14V19M7 16L10 19L13 16")],
  key: [circle(6, 4), path("M10 10H19M16 10V14")],
  lost: [path("M2 10H6M14 10H18M8 5L12 15M12 5L8 15")],
  fork: [path("M2 10H8L16 3M8 10L16 17")],
  microphone: [path("M7 2H13V11H7Z", FILLED), path("M4 9V13H16V9M10 13V18M6 18H14")],
  muted: [path("M7 2H13V11H7Z"), path("M4 9V13H16V9M10 13V18M6 18H14"), path("M2 2L18 18", { "stroke-width": 2.8 })],
  hold: [path("M6 3V17M14 3V17", { "stroke-width": 4 })],
  asks: [path("M10 18V4M4 10L10 4L16 10")],
  call: [path("M3 3H8L9 8L6 10C7.5 13 9 14.5 11.500 15.500L13.500 12.500L18 14V18C9 19 2 11 3 3Z")],
  missed: [path("M2 6L9 13L18 4M18 4V10M18 4H12"), path("M3 18H17")],
};

/** One of the other signs: interim, declined, overdue, crossed, superseded, sound, silent, exercise, minimize, key, lost, fork, microphone, muted, hold,
 * asks, call, missed. */
export function badge(name, { size = 18, words = "" } = {}) {
  return sign(BADGES[name], { size, words, kind: name === "crossed" ? "" : "mirrors" });
}

export const flagSign = () => badge("flag", { size: 14 });

/** EXERCISE, with its stripes. */
export function exercise(words = t("EXERCISE")) {
  return el("span", { class: "exercise-word" }, badge("exercise", { size: 20 }), words);
}

/** The strip of a line's livery, for the edge of what belongs to it: pattern and hue stand on `node`. */
export function livery(node, line) {
  node.dataset.pattern = line.pattern;
  node.dataset.hue = line.hue;
  node.prepend(el("span", { class: "livery", "aria-hidden": "true" }));
  return node;
}
