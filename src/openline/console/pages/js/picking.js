// Which line: asked where a view is about one line and none is named.

import { el, fill } from "./dom.js";
import { inertLine } from "./inert.js";
import { keyLabel } from "./keys.js";
import { peers } from "./live.js";
import { livery, stateSign } from "./signs.js";
import { comma, t } from "./words.js";
import { hashOf } from "./router.js";

/** A line's number and title, as they stand everywhere. */
export function lineName(line) {
  return el("span", { class: "linename" }, el("span", { class: "fig second" }, line.number), " ", inertLine(line.title || line.label, 60));
}

/** Ask for a line, or say what to do where there is none. */
export function pickLine(root, context, params) {
  const lines = [...context.live.lines.values()];
  if (!lines.length) {
    fill(root, noLine(context));
    return null;
  }
  const open = (line) => {
    location.hash = hashOf(params.name, line.label, Object.fromEntries(params.query));
  };
  fill(root, el("div", { class: "empty" },
    el("h1", null, params.label ? t("There is no such line here. Which one?") : t("Which line?")),
    el("ul", { class: "stack" }, lines.map((line, place) => el("li", null, livery(
      el("a", { class: "pick", href: hashOf(params.name, line.label, Object.fromEntries(params.query)) },
        el("kbd", { "aria-hidden": "true" }, place < 9 ? keyLabel(`alt+${place + 1}`) : ""), lineName(line),
        el("span", { class: "peer" }, peers(line).map((party) => party.name).join(comma())), stateSign(line.shown)), line))))));
  context.keys(lines.slice(0, 9).map((line, place) => ({ key: `alt+${place + 1}`, words: t("line {number}", { number: line.number }), run: () => open(line), hint: false })));
  return null;
}

/** A station with no line: the next step, in full. */
export function noLine(context) {
  const name = context.me.station.name;
  const step = (number, words, command) => el("li", null, el("b", { class: "fig" }, number), el("div", null, el("p", null, words), command && el("p", null, el("code", null, command))));
  const print = context.live.status?.fingerprint;
  return el("div", { class: "first-run" }, el("div", { class: "empty" },
    el("h1", null, t("This station has no line yet.")),
    el("p", null, t("A line begins with two people who meet, or who hear each other’s voice. Each side does the same three steps at its station.")),
    el("ol", { class: "steps" },
      step("1", t("Write your card to a stick or on paper, and hand it to the other floor. It holds no secret."), `openline card > ${name}.card`),
      step("2", t("Take their card, and compare the fingerprint digit by digit, in person or by voice."), "openline card --fingerprint THEIR.card"),
      step("3", t("Agree on the terms (languages, tests, handling times), and pair. Both sides type this within the hour."), "openline pair THEIR.card --terms terms.toml")),
    el("p", { class: "second" }, t("The line appears here by itself as soon as both sides have paired. Nothing needs to be reloaded."))),
  print ? el("aside", { class: "panel fingerprint" }, el("h2", null, t("The fingerprint of {station}, for the other floor to compare", { station: name })),
    el("p", { class: "fig" }, print.digits), el("p", { lang: "en", class: "second" }, print.words)) : null);
}
