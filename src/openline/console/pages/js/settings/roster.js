// The roster: who has which duty when. Everybody sees it; an administrator changes it here, shift by shift.

import { explain, put } from "../api.js";
import { askForm, confirmed, failure } from "../dialogs.js";
import { button, el, field, fill, fresh } from "../dom.js";
import { inertLine, inertString } from "../inert.js";
import { listed, t } from "../words.js";

const WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const NEW = { duty: "duty-officer", days: WEEK, start: "08:00", end: "20:00", paths: [] };

const names = (list) => listed(list.map((each) => inertString(each, 40)));

/** The panel; `found` is what the station says of its alarms. */
export function roster(context, found, again) {
  const may = context.live.may("administrator") && found.paths.length > 0;
  const said = el("div", { role: "alert" });
  const keep = async (shifts) => {
    await put("/v1/alarms/roster", { shifts });
    await again();
  };
  const attempt = (shifts) => keep(shifts).catch((error) => fill(said, failure(error, explain)));
  const change = (title, at, shift) => ask(title, shift, found.paths, (made) => keep(at < 0 ? [...found.roster, made] : found.roster.with(at, made)));
  const remove = async (at, shift) => (await confirmed(t("Take this shift out of the roster?"), el("p", null, inertLine(shift.duty, 40), " ", shift.start, "–", shift.end), t("Take it out"), { danger: true })) && attempt(found.roster.toSpliced(at, 1));
  const file = async () => (await confirmed(t("Go by the roster of the configuration again?"), el("p", null, t("What was set here is given up.")), t("Give it up"), { danger: true })) && attempt(null);
  return el("section", { class: "panel roster" }, el("h2", null, t("The roster, on the clock of {zone}", { zone: found.zone })),
    found.roster_set ? el("p", { class: "second" }, t("It was set here, and not in the configuration.")) : null,
    found.roster.length ? el("table", null, el("thead", null, el("tr", null, [t("Duty"), t("Days"), t("From"), t("Until"), t("Path"), may ? "" : null].filter((head) => head !== null).map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", null, found.roster.map((shift, at) => el("tr", { "data-key": JSON.stringify(shift) }, el("td", null, inertLine(shift.duty, 40)), el("td", null, listed(shift.days.map(dayWord))), el("td", null, el("span", { class: "fig" }, shift.start)), el("td", null, el("span", { class: "fig" }, shift.end)), el("td", null, names(shift.paths)),
        may ? el("td", null, el("div", { class: "row" }, button(t("Change"), () => change(t("Change a shift"), at, shift), { "aria-label": t("Change the shift of {duty} from {start}", { duty: inertString(shift.duty, 40), start: shift.start }) }),
          button(t("Take out"), () => remove(at, shift), { "aria-label": t("Take out the shift of {duty} from {start}", { duty: inertString(shift.duty, 40), start: shift.start }) }))) : null)))) : el("p", null, t("No roster: every step calls its paths at any hour.")),
    found.gaps.length ? el("p", { class: "look" }, t("At some hours nobody has the duty {names}: everybody is called then.", { names: names(found.gaps) })) : null,
    said, may ? el("div", { class: "row" }, button(t("Add a shift"), () => change(t("Add a shift"), -1, { ...NEW, duty: found.roster[0]?.duty ?? NEW.duty })), found.roster_set ? button(t("As in the configuration"), file) : null) : null);
}

function ask(title, shift, paths, send) {
  const duty = el("input", { class: "fig", maxlength: 32, autocomplete: "off", value: shift.duty, dir: "ltr" });
  const hours = (value) => el("input", { class: "fig", maxlength: 5, size: 5, autocomplete: "off", value, dir: "ltr" });
  const [start, end] = [hours(shift.start), hours(shift.end)];
  const boxes = (all, chosen) => all.map((name) => [name, el("input", { type: "checkbox", id: fresh("shift"), checked: chosen.includes(name) })]);
  const days = boxes(WEEK, shift.days);
  const called = boxes(paths.map((path) => path.name), shift.paths);
  const shown = (words, pairs, word) => el("fieldset", null, el("legend", null, words), el("div", { class: "row" }, pairs.map(([name, box]) => el("span", null, box, " ", el("label", { for: box.id }, word(name))))));
  const ticked = (pairs) => pairs.filter(([, box]) => box.checked).map(([name]) => name);
  return askForm(title, (form) => form.append(field(t("Duty"), duty, t("a name that a step calls: small letters, digits and hyphens")), shown(t("Days on which it begins"), days, dayWord),
    el("div", { class: "row" }, field(t("From"), start), field(t("Until"), end)), el("p", { class: "small second" }, t("An end that is not after the start is of the next day.")), shown(t("Who is called"), called, (name) => inertString(name, 40))),
  () => send({ duty: duty.value.trim(), days: ticked(days), start: start.value.trim(), end: end.value.trim(), paths: ticked(called) }), { yes: t("Keep"), explainError: explain });
}

function dayWord(short) {
  return { mon: t("Mon"), tue: t("Tue"), wed: t("Wed"), thu: t("Thu"), fri: t("Fri"), sat: t("Sat"), sun: t("Sun") }[short] ?? short;
}
