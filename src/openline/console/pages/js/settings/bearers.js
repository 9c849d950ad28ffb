// Bearers: each link to each party as it stands at both ends, and a probe over one alone.

import { explain, ofLine, post } from "../api.js";
import { failure } from "../dialogs.js";
import { button, el, fill } from "../dom.js";
import { pastStrip } from "../floor/past.js";
import { inertString } from "../inert.js";
import { delay, moment } from "../moments.js";
import { bearerName } from "../named.js";
import { lineName } from "../picking.js";
import { livery } from "../signs.js";
import { number, rich, stationSentence, t } from "../words.js";

const PATIENCE_MS = 60_000;

/** One panel a line. `results` keeps what probes came to: "line bearer party" -> answer. */
export function bearers(context, results, again) {
  const may = context.live.may("technician", "watch-officer");
  return [...context.live.lines.values()].map((line) => livery(el("section", { class: "bearers", "data-key": line.line }, el("div", null, el("h2", null, lineName(line)),
    line.bearers.length ? el("table", null, el("thead", null, el("tr", null, [t("Bearer"), t("To"), t("State"), t("Last heard"), t("Delay"), t("Loss"), t("There"), t("Last 24 hours"), ""].map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", null, line.bearers.map((each) => row(context, line, each, results, again, may)))) : el("p", null, t("No bearer leads to the other side: the technician sets one up in the configuration.")),
    may && line.bearers.length > 1 ? el("div", { class: "row acts" }, button(t("Probe all of this line"), () => probe(line, {}, results, again))) : null)), line));
}

function row(context, line, each, results, again, may) {
  const now = context.live.now();
  const result = results.get(`${line.line} ${each.bearer} ${each.party}`);
  const state = each.trouble ? ["act", t("does not work here")] : !each.up ? ["act", t("down")] : each.silent ? ["look", t("up, silent")] : each.one_way ? ["look", t("one way")] : ["work", t("up")];
  return el("tr", { "data-key": `${each.bearer} ${each.party}` }, el("td", null, el("b", null, bearerName(each.bearer))), el("td", null, el("bdi", null, each.party)), el("td", { class: state[0] }, state[1], each.changed_at === null ? null : el("span", { class: "small second" }, " ", rich("since {moment}", { moment: moment(each.changed_at, now) })), each.trouble ? el("p", { class: "small" }, stationSentence(each.trouble)) : null),
    el("td", null, moment(each.last_heard, now)), el("td", null, each.delay_ms === null ? "–" : delay(each.delay_ms)), el("td", null, each.loss === null ? "–" : t("{number} %", { number: number(Math.round(each.loss * 100)) })),
    el("td", null, each.there ? (each.there.up ? t("up") : el("span", { class: "act" }, t("down"))) : "–"),
    el("td", null, pastStrip(each.past, now)),
    el("td", null, may ? el("div", { class: "row" }, button(t("Probe"), () => probe(line, { bearer: each.bearer, party: each.party }, results, again), { "aria-label": t("Probe {bearer} to {party}", { bearer: bearerName(each.bearer), party: inertString(each.party, 40) }), disabled: result === "asked" }), el("span", { role: "status" }, told(result))) : null));
}

function told(result) {
  if (!result) return null;
  if (result === "asked") return t("waiting…");
  if (result.error) return failure(result.error, explain);
  return result.answered ? el("span", { class: "work" }, t("answered in {delay}", { delay: delay(result.round_trip_ms) })) : el("span", { class: "act" }, t("not answered"), result.why ? el("span", { class: "small" }, " ", stationSentence(result.why)) : null);
}

async function probe(line, which, results, again) {
  const meant = line.bearers.filter((each) => (!which.bearer || each.bearer === which.bearer) && (!which.party || each.party === which.party)).map((each) => `${line.line} ${each.bearer} ${each.party}`);
  meant.forEach((name) => results.set(name, "asked"));
  again();
  try {
    const { tests } = await post(ofLine(line, "/bearers/test"), which, { patience: PATIENCE_MS });
    meant.forEach((name) => results.delete(name));
    tests.forEach((test) => results.set(`${line.line} ${test.bearer} ${test.party}`, test));
  } catch (error) {
    meant.forEach((name) => results.set(name, { error }));
  }
  again();
}
