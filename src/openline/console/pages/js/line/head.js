// The head of everything about one line: livery, number, title and state; who is at each end; the clock that runs out first.
// And its foot: whether both sides hold the same.

import { el } from "../dom.js";
import { inertLine } from "../inert.js";
import { own, peers } from "../live.js";
import { moment, runningClock } from "../moments.js";
import { hashOf } from "../router.js";
import { badge, exercise, livery, stateSign } from "../signs.js";
import { n, rich, t } from "../words.js";

/** The head of a view about `line`; `call`: with the button that leads to a call. */
export function lineHead(live, line, { call = false } = {}) {
  const now = live.now();
  const due = line.next_due;
  const head = el("div", { class: "linehead" },
    el("div", { class: "name" }, el("span", { class: "fig" }, line.number), el("h1", { tabindex: -1 }, inertLine(line.title || line.label, 60)),
      line.policy?.exercise ? exercise() : null, stateSign(line.shown), call ? callLink(line) : null),
    el("div", { class: "two ends" }, [own(line), ...peers(line)].map((party) => el("div", null, el("b", { class: party.me ? null : "peer" }, el("bdi", null, party.name)), " ", endWords(party)))),
    due ? el("div", { class: "two run" }, runningClock(due.due, due.due - 3_600_000, { meter: false }),
      el("div", { class: "small" }, due.party === own(line).name ? t("your answer to") : rich("{party} on", { party: el("bdi", null, due.party) }), el("br"), el("span", { class: "ref" }, due.ref.reference.replace(/ \d{6}Z [A-Z]{3} \d\d$/, "")))) : null);
  livery(head, line);
  return el("div", { class: "linetop" }, head, told(line, now));
}

/** The way to the call: a button wherever the line's head stands. */
function callLink(line) {
  return el("a", { class: "button callbutton no-print", href: hashOf("call", line.label), "aria-label": t("Call on line {number}", { number: line.number }) }, el("kbd", { "aria-hidden": "true" }, "P"), badge("call", { size: 16 }), el("span", null, t("call")));
}

function endWords(party) {
  if (party.attended === null) return t("watch not said");
  if (!party.attended) return el("span", { class: "absent" }, t("nobody on watch"));
  return [t("on watch"), " ", el("span", { class: "fig" }, party.watch_sign)];
}

/** What must be known before anything is said here. */
function told(line, now) {
  const said = [];
  for (const party of peers(line)) {
    if (party.reach === "bearers-down") said.push(el("p", { class: "told act" }, rich("No bearer to {party} is up. Silence is a *link fault*, not a refusal. Last heard {moment}.", { party: el("bdi", null, party.name), moment: moment(party.heard_at, now) })));
    if (party.reach === "station-silent") said.push(el("p", { class: "told look" }, rich("Bearers to {party} are up, but their station is *silent* since {moment}.", { party: el("bdi", null, party.name), moment: moment(party.heard_at, now) })));
    if (party.suspended) said.push(el("p", { class: "told chosen" }, rich("{party} has *suspended* the line: only FLASH passes.", { party: el("bdi", null, party.name) })));
    if (party.suspected) said.push(el("p", { class: "told act" }, rich("{party} does not keep to the protocol: see the record.", { party: el("bdi", null, party.name) })));
  }
  if (own(line).suspended) said.push(el("p", { class: "told chosen" }, t("You have suspended the line: only FLASH passes.")));
  for (const each of line.minimize) {
    said.push(el("p", { class: "told chosen" }, badge("minimize"), " ", rich("*MINIMIZE* by {party} since {moment}: PRIORITY and ROUTINE wait.", { party: el("bdi", null, each.party), moment: moment(each.time, now) }), " ", each.text ? inertLine(each.text, 160) : null));
  }
  if (line.held) said.push(el("p", { class: "told chosen" }, n(line.held, "{count} message is held back by MINIMIZE and goes out when it ends.", "{count} messages are held back by MINIMIZE and go out when it ends.")));
  return said;
}

/** Whether both sides hold the same, in one sentence; `window` is what is shown of the line. */
export function integrity(line, window) {
  const me = own(line).name;
  const held = new Map(line.sizes.map((lane) => [`${lane.lane}.${lane.generation}`, Math.min(...Object.values(lane.held_by))]));
  const unheld = window.entries.filter(({ author, ref }) => author === me && (held.get(`${ref.lane}.${ref.generation}`) ?? Infinity) <= ref.index).length;
  const lost = line.generations.filter((each) => each.missing?.length).length;
  const parts = [];
  if (line.forks || line.suspected.length) return el("p", { class: "foot act" }, badge("fork"), " ", t("Two histories of one lane were shown. Both are kept as evidence: see the record."));
  if (lost) parts.push(el("b", { class: "look" }, t("Entries are missing that no party has given back: see the record.")));
  else if (unheld) parts.push(n(unheld, "Their signatures do not cover our last entry yet.", "Their signatures do not cover our last {count} entries yet."));
  else parts.push(rich("Transcript complete on both sides, *same fingerprint*"), " ", el("span", { class: "fig" }, line.digest.slice(0, 8)));
  return el("p", { class: "foot" }, parts);
}
