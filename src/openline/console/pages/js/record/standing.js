// How the record of a line stands: every lane, how far each party has signed that it holds it, and what was lost or contradicts.

import { el } from "../dom.js";
import { inertLine } from "../inert.js";
import { integrity } from "../line/head.js";
import { own } from "../live.js";
import { moment } from "../moments.js";
import { badge } from "../signs.js";
import { n, number, rich, t } from "../words.js";

/** The panel. */
export function standing(live, line) {
  const now = live.now();
  return el("section", { class: "panel standing" }, el("h2", null, t("What both sides hold")), integrity(line, { entries: [] }),
    el("p", { class: "second" }, t("Read this to the other floor: if it is the same there, both have the same transcript.")), el("p", { class: "fig digest" }, groups(line.digest)),
    el("table", null, el("thead", null, el("tr", null, el("th", { scope: "col" }, t("Lane")), el("th", { scope: "col" }, t("Entries")), line.parties.map((party) => el("th", { scope: "col" }, rich("held by {party}", { party: el("bdi", null, party.name) }))))),
      el("tbody", null, line.sizes.map((lane) => el("tr", null,
        el("th", { scope: "row" }, el("b", { class: lane.author === own(line).name ? null : "peer" }, el("bdi", null, lane.author)), " ", lane.urgent ? t("urgent") : t("traffic"), " ", el("span", { class: "fig label" }, `${lane.lane}.${lane.generation.slice(0, 6)}`)),
        el("td", null, el("span", { class: "fig" }, number(lane.size))), line.parties.map((party) => el("td", null, holds(lane, party))))))),
    line.forks ? el("p", { class: "act" }, badge("fork"), " ", n(line.forks, "Two histories of one lane were shown: both are kept as evidence and stand in the export.", "{count} times two histories of one lane were shown: all are kept as evidence and stand in the export.")) : null,
    line.generations.map((each) => el("p", { class: "look" }, rich("The lanes of {party} went on in a new generation, {moment}.", { party: el("bdi", null, each.party), moment: moment(each.time, now) }), " ",
      each.missing?.length ? el("b", null, t("Entries are missing that no party has given back.")) : each.back ? n(each.back, "{count} lost entry came back from the other side.", "{count} lost entries came back from the other side.") : null)),
    el("h3", null, t("Fingerprints of the parties")), el("dl", { class: "pairs" }, line.parties.map((party) => [el("dt", null, inertLine(party.name, 40)), el("dd", null, el("span", { class: "fig print" }, groups(party.fingerprint)))])));
}

function holds(lane, party) {
  const size = party.me || party.name === lane.author ? lane.size : lane.held_by[party.name];
  if (size === undefined) return "–";
  return el("span", { class: size < lane.size ? "fig second" : "fig work" }, number(size));
}

/** A digest in groups that can be read aloud. */
function groups(text) {
  return /\s/.test(text) ? text : text.replace(/(.{8})(?=.)/g, "$1 ");
}
