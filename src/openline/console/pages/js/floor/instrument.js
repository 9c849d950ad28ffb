// One line as an instrument: who is at each end, what each bearer does, the tests of a day both ways, and what is next.

import { draw, el } from "../dom.js";
import { inertLine } from "../inert.js";
import { own, peers } from "../live.js";
import { delay, moment } from "../moments.js";
import { bearerName } from "../named.js";
import { hashOf } from "../router.js";
import { badge, exercise, livery, stateSign } from "../signs.js";
import { comma, n, rich, t } from "../words.js";
import { pastMarks } from "./past.js";
import { DAY_MS } from "./tests.js";

const ROWS = 6;
const WIDE = 240;
const ROW = 16;
const MOST_TESTS = 300;
const LONG = 26; // characters of a title that leave no room for the state beside it

/** The instrument of a line; `tests` is of Tests. */
export function instrument(context, line, tests) {
  const { live } = context;
  const now = live.now();
  const body = el("div", { class: "body" },
    el("header", null, el("span", { class: "no fig" }, line.number),
      el("h2", { class: (line.title || line.label).length > LONG ? "long" : null }, el("a", { href: hashOf("line", line.label) }, inertLine(line.title || line.label, 40))),
      line.policy?.exercise ? exercise() : null,
      el("a", { class: "button callbutton", href: hashOf("call", line.label), "aria-label": t("Call on line {number}", { number: line.number }) }, badge("call", { size: 16 }), el("span", null, t("call"))),
      el("span", { class: "mark" }, stateSign(line.shown))),
    strands(line, tests, now), words(live, line, now), facts(live, line, now));
  return livery(el("article", { class: "instrument", data: { state: line.shown.replace(" ", "-") } }, body), line);
}

// --- the two ends and what lies between ----------------------------------------------------------------------------

function strands(line, tests, now) {
  const rows = [testRow(t("tests out"), tests, "out", now), ...bearerRows(line, now), testRow(t("tests in"), tests, "in", now)];
  const svg = draw("svg", { class: "sign graph mirrors", viewBox: `0 0 ${WIDE} ${rows.length * ROW}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    stroke("M60 0V999M120 0V999M180 0V999M239.5 0V999", "rule", 1), rows.map((row, at) => row.marks(at * ROW + ROW / 2)).flat());
  const strung = el("div", { class: "strands" }, post(own(line), true), el("div", { class: "names" }, rows.map((row) => el("span", null, row.name))), svg,
    el("div", { class: "values" }, rows.map((row) => el("span", { class: row.kind }, row.value))),
    el("div", { class: "posts" }, peers(line).map((party) => post(party, false))));
  strung.style.setProperty("--rows", rows.length);
  return strung;
}

function post(party, us) {
  const watch = party.attended === null ? t("watch not said") : party.attended ? t("attended") : t("nobody on watch");
  return el("div", { class: `post ${us ? "us" : "them"}` }, el("b", null, el("bdi", null, party.name)),
    el("span", { class: party.attended === false ? "absent" : null }, watch),
    party.watch_sign && party.attended ? el("span", null, t("sign {sign}", { sign: party.watch_sign })) : null,
    party.suspended ? el("span", { class: "chosen" }, t("has suspended")) : null,
    party.suspected ? el("span", { class: "act" }, t("breaks the protocol")) : null);
}

const stroke = (d, colour, width, more) => draw("path", { d, stroke: `var(--${colour})`, "stroke-width": width, ...more });
const xOf = (at, now) => Math.round(Math.max(0, WIDE - ((now - at) / DAY_MS) * WIDE) * 10) / 10;

function testRow(name, tests, way, now) {
  const all = tests?.[way] ?? [];
  const lost = way === "out" ? all.filter((test) => test.overdue).length : 0;
  const value = !tests ? "" : way === "out" ? t("{held} of {sent}", { held: all.filter((test) => test.held !== null).length, sent: all.length }) : n(all.length, "{count} came", "{count} came");
  const marks = (y) => {
    const came = [];
    const missing = [];
    for (const test of all.slice(0, MOST_TESTS)) {
      const x = xOf(way === "out" ? test.at : test, now);
      if (way === "out" && test.overdue) missing.push(`M${x - 1.6} ${y - 4}L${x + 1.6} ${y + 4}M${x - 1.6} ${y + 4}L${x + 1.6} ${y - 4}`);
      else came.push(`M${x} ${y - 4}V${y + 4}`);
    }
    return [came.length ? stroke(came.join(""), "ink2", 2) : null, missing.length ? stroke(missing.join(""), "act", 2) : null].filter(Boolean);
  };
  return { name, value, kind: lost ? "act" : "", marks };
}

function bearerRows(line, now) {
  const many = peers(line).length > 1;
  const rows = line.bearers.slice(0, ROWS).map((bearer) => ({
    name: many ? `${bearerName(bearer.bearer)} ${bearer.party}` : bearerName(bearer.bearer), ...bearerState(bearer, now), marks: (y) => pastMarks(bearer.past, y, now, WIDE),
  }));
  if (line.bearers.length > ROWS) rows.push({ name: "", value: n(line.bearers.length - ROWS, "{count} more", "{count} more"), kind: "", marks: () => [] });
  return rows;
}

function bearerState(bearer, now) {
  if (bearer.trouble) return { value: t("does not work here"), kind: "act" };
  if (!bearer.up) return { value: bearer.changed_at === null ? t("not up yet") : rich("down {moment}", { moment: moment(bearer.changed_at, now) }), kind: bearer.bearer === "drop" ? "" : "act" };
  if (bearer.silent) return { value: t("up, silent"), kind: "look" };
  if (bearer.one_way) return { value: t("one way"), kind: "" };
  return { value: bearer.delay_ms === null ? t("up") : t("up, {delay}", { delay: delay(bearer.delay_ms) }), kind: "" };
}

// --- in words ------------------------------------------------------------------------------------------------------

/** The same on a telephone, and for who hears the page. */
function words(live, line, now) {
  const up = line.bearers.filter((bearer) => bearer.up).length;
  const said = peers(line).map((party) => (party.attended === false ? t("{party}: nobody on watch.", { party: party.name })
    : party.attended ? t("{party}: attended.", { party: party.name }) : t("{party}: watch not said.", { party: party.name })));
  return el("p", { class: "inwords" }, [...said, n(up, "{count} bearer is up.", "{count} bearers are up.")].join(" "), " ", silence(line, now) ?? "");
}

/** What a silence is: said only where there is one. */
function silence(line, now) {
  const quiet = peers(line).find((party) => party.reach === "bearers-down" || party.reach === "station-silent");
  if (!quiet) return null;
  const since = quiet.heard_at === null ? t("never heard") : rich("nothing since {moment}", { moment: moment(quiet.heard_at, now) });
  return el("span", null, quiet.reach === "bearers-down" ? rich("Silence is a *link fault*, not a refusal") : rich("Bearers are up, but *their station is silent*"), ": ", since);
}

function facts(live, line, now) {
  const waiting = live.inbox.waiting().filter((each) => each.line.line === line.line);
  const unread = waiting.filter((each) => each.what === "read").length;
  const unknown = unheld(live, line);
  const heard = Math.max(...peers(line).map((party) => party.heard_at ?? 0));
  const test = line.last_test;
  const fact = (name, value, kind = "") => el("div", { class: kind }, el("dt", null, name), el("dd", null, value));
  const quiet = silence(line, now);
  return el("dl", { class: "facts" },
    quiet ? el("div", null, el("dt", { class: "only-heard" }, t("Silence")), el("dd", null, quiet)) : fact(t("Last heard"), moment(heard || null, now)),
    line.minimize.length ? fact(badge("minimize", { words: t("MINIMIZE") }), [rich("*MINIMIZE* by {party}", { party: line.minimize.map((each) => each.party).join(comma()) }),
      line.held ? [comma(), n(line.held, "{count} held back", "{count} held back")] : ""], "look") : null,
    line.forks ? fact(badge("fork", { words: t("Fork") }), t("two histories of one lane were shown: see the record"), "act") : null,
    unread ? fact(t("Unread"), unread) : null, unknown ? fact(t("Sent, unknown"), unknown) : null,
    test && !quiet ? fact(t("Last test"), [moment(test.sent, now), " ", test.held === null ? el("b", { class: "look" }, t("no answer yet")) : t("answered")]) : null,
    line.next_due ? el("div", { class: "last" }, el("dt", null, t("First clock")), el("dd", { class: line.next_due.due < now ? "act" : null }, moment(line.next_due.due, now))) : null);
}

function unheld(live, line) {
  const me = own(line).name;
  let found = 0;
  for (const entry of live.inbox.messages.get(line.line)?.values() ?? []) {
    if (entry.author === me && !entry.superseded && Object.values(entry.status ?? {}).some((status) => !status.held)) found += 1;
  }
  return found;
}
