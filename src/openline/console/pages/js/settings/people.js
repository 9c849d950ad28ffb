// People: signs and roles, one-time links, who is let in. An administrator's work.

import { explain, get, post } from "../api.js";
import { askForm, confirmed, failure, openDialog } from "../dialogs.js";
import { button, el, field, fill, fresh } from "../dom.js";
import { moment } from "../moments.js";
import { roleWord } from "../signs.js";
import { comma, listed, n, t } from "../words.js";

const ROLES = ["watch-officer", "principal", "interpreter", "technician", "auditor", "administrator"];

/** The officers of this station. */
export async function people(context, again) {
  const { people: found } = await get("/console/people");
  const said = el("div", { role: "alert" });
  const attempt = async (act) => {
    try {
      await act();
      again();
    } catch (error) {
      fill(said, failure(error, explain));
    }
  };
  const of = (each, rest = "") => `/console/people/${encodeURIComponent(each.sign)}${rest}`;
  const acts = {
    link: (each) => attempt(async () => shownLink(await post(of(each, "/link")))),
    roles: async (each) => (await askRoles(t("Roles of {sign}", { sign: each.sign }), each.roles, (roles) => post(of(each), { roles }), t("Give these roles"))) && again(),
    disable: async (each) => (each.disabled || (await confirmed(t("Keep {sign} out?", { sign: each.sign }), el("p", null, t("Every session of theirs ends now. Nothing they have done is lost.")), t("Keep out"), { danger: true }))) && attempt(() => post(of(each), { disabled: !each.disabled })),
    forget: async (each) => (await confirmed(t("Forget passkeys and codes of {sign}?", { sign: each.sign }), el("p", null, t("Their sessions end. Only a new link lets them in.")), t("Forget them"), { danger: true })) && attempt(() => post(of(each), { forget: true })),
  };
  return el("section", { class: "panel" }, el("h2", null, t("People and roles")),
    el("p", { class: "second" }, t("The other side sees a role and a sign, never a person. Signs are given once and for good.")),
    el("table", { class: "people" }, el("thead", null, el("tr", null, [t("Sign"), t("Roles"), t("Ways in"), t("Last seen"), ""].map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", null, found.map((each) => el("tr", { class: each.disabled ? "second" : null, "data-key": each.sign }, el("td", null, el("b", { class: "fig" }, each.sign)), el("td", null, listed(each.roles.map(roleWord))),
        el("td", null, each.disabled ? el("span", { class: "act" }, t("kept out")) : [n(each.passkeys, "{count} passkey", "{count} passkeys"), comma(), n(each.codes, "{count} code", "{count} codes"), comma(), n(each.sessions, "{count} session", "{count} sessions")]),
        el("td", null, each.seen ? moment(each.seen, context.live.now()) : t("never")),
        el("td", null, el("div", { class: "row" }, button(t("Link"), () => acts.link(each), { "aria-label": t("One-time link for {sign}", { sign: each.sign }), disabled: each.disabled }), button(t("Roles"), () => acts.roles(each), { "aria-label": t("Roles of {sign}", { sign: each.sign }) }),
          button(each.disabled ? t("Let in again") : t("Keep out"), () => acts.disable(each)), button(t("Lost keys"), () => acts.forget(each)))))))),
    said, el("div", { class: "row" }, button(t("Add an officer"), () => addPerson(again), { key: "N", kind: "main" })));
}

/** Add an officer, and show the first link. */
export async function addPerson(again) {
  const sign = el("input", { class: "fig", maxlength: 12, autocomplete: "off", autocapitalize: "characters", required: true });
  const done = await askRoles(t("Add an officer"), ["watch-officer"], (roles) => post("/console/people", { sign: sign.value.trim().toUpperCase(), roles }), t("Add"), field(t("Sign"), sign, t("1 to 12 of A to Z and 0 to 9")));
  if (!done) return;
  again();
  try {
    shownLink(await post(`/console/people/${encodeURIComponent(sign.value.trim().toUpperCase())}/link`));
  } catch (error) {
    openDialog(t("No link was made"), failure(error, explain));
  }
}

function askRoles(title, roles, send, yes, before) {
  const boxes = ROLES.map((role) => [role, el("input", { type: "checkbox", id: fresh("role"), checked: roles.includes(role) })]);
  return askForm(title, (form) => form.append(before ?? "", el("fieldset", null, el("legend", null, t("Roles")), boxes.map(([role, box]) => el("p", null, box, " ", el("label", { for: box.id }, roleWord(role), " ", el("span", { class: "small second" }, roleMeaning(role))))))),
    () => send(boxes.filter(([, box]) => box.checked).map(([role]) => role)), { yes, explainError: explain });
}

function roleMeaning(role) {
  return {
    "watch-officer": t("reads, answers, composes, holds the watch"), principal: t("reads, releases"), interpreter: t("reads, translates, asks"), technician: t("bearers, tests, backups; reads no message"),
    auditor: t("reads everything, exports, sees who did what"), administrator: t("people, roles, terms"),
  }[role] ?? "";
}

function shownLink({ sign, url, until }) {
  const shown = el("input", { class: "fig", readonly: true, value: url, dir: "ltr", "aria-label": t("One-time link for {sign}", { sign }), on: { focus: () => shown.select() } });
  return openDialog(t("One-time link for {sign}", { sign }), el("div", { class: "stack onelink" }, el("p", null, t("It signs in once, until {moment}. Give it to nobody else: who opens it is {sign}.", { moment: new Date(until).toISOString().slice(11, 16) + "Z", sign })), shown));
}
