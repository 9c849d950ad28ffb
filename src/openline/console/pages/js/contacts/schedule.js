// The schedule is part of the terms: shown in full, changed by a proposal to which the other side assents.

import { explain, get, ofLine, post, query } from "../api.js";
import { dateField } from "../date_field.js";
import { askForm, failure } from "../dialogs.js";
import { button, choice, el, field, fill } from "../dom.js";
import { inertLine } from "../inert.js";
import { own } from "../live.js";
import { moment, now } from "../moments.js";
import { comma, t } from "../words.js";
import { mediumWord } from "./marks.js";

const RULES = {
  daily: "FREQ=DAILY", weekdays: "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", weekly: "FREQ=WEEKLY", monthly: "FREQ=MONTHLY",
};

/** A rule in words where it is one of ours, else as RFC 5545 writes it. */
export function ruleWords(rule) {
  const words = { [RULES.daily]: t("every day"), [RULES.weekdays]: t("Monday to Friday"), [RULES.weekly]: t("every week"), [RULES.monthly]: t("every month") }[rule];
  return words ?? el("code", null, inertLine(rule, 120));
}

/** The schedule as a panel. `propose` is null for who may not. */
export function schedulePanel(found, propose) {
  const trouble = [
    found.unknown_zones.length ? el("p", { class: "look" }, t("Zones that this machine does not know, so that their contacts are never due here: {zones}.", { zones: found.unknown_zones.join(comma()) })) : null,
    found.not_understood.length ? el("p", { class: "look" }, t("Some contacts in the terms cannot be read by this version: they are never due here.")) : null,
  ];
  return el("section", { class: "panel schedule" }, el("h2", null, t("The schedule, as the terms have it")),
    found.schedule.length ? el("ul", null, found.schedule.map((each) => el("li", null, el("b", null, inertLine(each.name, 64)), comma(), mediumWord(each.medium), comma(), ruleWords(each.rule), comma(),
      el("span", { class: "fig" }, each.start.slice(11, 16)), " ", el("bdi", { dir: "ltr" }, each.zone.replaceAll("_", " ")), each.begins ? [comma(), t("{station} begins", { station: each.begins })] : null)))
      : el("p", null, t("No regular contact is agreed.")),
    trouble, propose ? el("div", { class: "row acts" }, button(t("Propose another schedule"), propose, { key: "P" })) : null);
}

/** Proposals of the other side that came after this side's last assent: {node} or null. Asks the station. */
export async function proposals(line, { assented, may }) {
  const { entries } = await get(ofLine(line, `/entries${query({ kind: "propose,assent", before: line.last_seq + 1, limit: 20 })}`));
  const me = own(line).name;
  const latest = entries.filter((entry) => entry.kind === "propose" && !entry.refused).at(-1);
  if (!latest || latest.author === me || entries.some((entry) => entry.kind === "assent" && entry.author === me && entry.seq > latest.seq)) return null;
  const said = el("div", { role: "alert" });
  const asked = latest.body.policy?.contacts ?? [];
  const assent = async () => {
    const { lane, generation, index, leaf } = latest.ref;
    try {
      await post(ofLine(line, "/entries"), { kind: "assent", proposal: { lane, generation, index, leaf } });
      assented();
    } catch (error) {
      fill(said, failure(error, explain));
    }
  };
  return el("section", { class: "said chosen proposal" }, el("p", null, el("b", { class: "peer" }, el("bdi", null, latest.author)), " ", t("proposes other terms"), comma(), moment(latest.time, now()), "."),
    el("ul", null, asked.map((each) => el("li", null, inertLine(each.name, 64), comma(), mediumWord(each.medium), comma(), ruleWords(each.rule), comma(), el("span", { class: "fig" }, each.start.slice(11, 16)), " ", el("bdi", { dir: "ltr" }, each.zone)))),
    said, may ? button(t("Assent to the proposed terms"), assent) : el("p", { class: "small second" }, t("An administrator assents to terms.")));
}

/** Propose another schedule: what stays, and one more. Resolves true if it was proposed. */
export function proposeSchedule(line, schedule) {
  const stays = schedule.map((each) => ({ each, box: el("input", { type: "checkbox", checked: true, id: `stays-${schedule.indexOf(each)}` }) }));
  const name = el("input", { maxlength: 64, dir: "auto" });
  const rule = choice([["daily", t("every day")], ["weekdays", t("Monday to Friday")], ["weekly", t("every week")], ["monthly", t("every month")], ["own", t("a rule of RFC 5545")]], "weekdays");
  const own_ = el("input", { class: "fig", maxlength: 256, dir: "ltr", placeholder: "FREQ=WEEKLY;BYDAY=TU,TH" });
  const start = dateField(t("First time, on the clock of its zone"), { minute: true, value: `${new Date(now() + 86_400_000).toISOString().slice(0, 10)}T09:00` });
  const zone = el("input", { maxlength: 64, value: "UTC", dir: "ltr", list: "zones" });
  const also = el("input", { maxlength: 200, dir: "ltr", placeholder: "Europe/Helsinki, Asia/Seoul" });
  const medium = choice(["call", "meeting", "message", "test"].map((each) => [each, mediumWord(each)]), "call");
  const begins = choice([["", t("any")], ...line.parties.map((party) => [party.name, party.name])], "");
  const tolerance = el("input", { type: "number", min: 1, max: 1_440, value: 30 });
  const added = () => (name.value.trim() ? [{
    name: name.value.trim(), rule: rule.value === "own" ? own_.value.trim() : RULES[rule.value], start: start.value() || start.input.value, zone: zone.value.trim(), medium: medium.value, begins: begins.value,
    tolerance_minutes: Number(tolerance.value), also: also.value.split(",").map((each) => each.trim()).filter(Boolean),
  }] : []);
  return askForm(t("Propose another schedule"), (form) => form.append(
    el("p", { class: "second" }, t("The schedule is part of the terms: it changes when the other side assents.")),
    stays.length ? el("fieldset", null, el("legend", null, t("These stay")), stays.map(({ each, box }) => el("p", null, box, " ", el("label", { for: box.id }, inertLine(each.name, 64))))) : "",
    el("fieldset", { class: "stack" }, el("legend", null, t("And one more")), el("div", { class: "row" }, field(t("Name"), name), field(t("By"), medium)),
      el("div", { class: "row" }, field(t("How often"), rule), field(t("Rule, if it is one of RFC 5545"), own_)),
      el("div", { class: "row" }, start.node, field(t("Zone"), zone)),
      el("div", { class: "row" }, field(t("Shown besides in the zones"), also), field(t("Who begins"), begins), field(t("Minutes before and after"), tolerance)))),
  () => post(ofLine(line, "/entries"), { kind: "propose", policy: { contacts: [...stays.filter(({ box }) => box.checked).map(({ each }) => each), ...added()] } }), { yes: t("Propose it"), explainError: explain });
}
