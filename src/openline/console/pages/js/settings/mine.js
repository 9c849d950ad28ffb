// My own: how I see and hear the console, my passkeys, my recovery codes, my sessions.

import { explain, get, post, put } from "../api.js";
import { confirmed, failure, openDialog } from "../dialogs.js";
import { button, choice, el, field, fill } from "../dom.js";
import { inertLine, inertString } from "../inert.js";
import { moment, prefer } from "../moments.js";
import * as passkeys from "../passkeys.js";
import { roleWord } from "../signs.js";
import { browserWords } from "./browser.js";
import { hearing, testSound } from "../sound.js";
import { wear } from "../theme.js";
import { LANGUAGES, comma, listed, n, t } from "../words.js";

/** The preferences: each is kept at once. */
export function preferences(context) {
  const { me } = context;
  const said = el("div", { role: "alert" });
  const keep = async (changed, then) => {
    try {
      Object.assign(me, await put("/console/me", changed));
      fill(said);
      then();
      context.say(t("Kept."));
    } catch (error) {
      fill(said, failure(error, explain));
    }
  };
  const language = choice(LANGUAGES, me.language, { on: { change: () => keep({ language: language.value }, () => context.begin()) } });
  const theme = choice([["", t("as this machine has it")], ["dark", t("dark")], ["light", t("light")]], me.theme ?? "", { on: { change: () => keep({ theme: theme.value }, () => wear(theme.value)) } });
  const times = choice([["utc", t("UTC: 14:30Z")], ["dtg", t("date-time group: 211430Z NOV 26")], ["local", t("UTC with local time beside it")]], me.times || "utc", { on: { change: () => keep({ times: times.value }, () => prefer(times.value)) } });
  const sounds = choice([["all", t("FLASH, and a short tone for other arrivals")], ["flash", t("FLASH only")]], me.sounds === "flash" || me.sounds === false ? "flash" : "all", {
    on: { change: () => keep({ sounds: sounds.value }, () => hearing(sounds.value)) } });
  return el("section", { class: "panel" }, el("h2", null, t("How I see and hear the console")),
    el("p", { class: "second" }, el("b", { class: "fig" }, me.sign), comma(), listed(me.roles.map(roleWord))),
    el("div", { class: "fields" }, field(t("Language"), language), field(t("Looks"), theme), field(t("Times"), times), field(t("Sounds"), sounds)),
    el("div", { class: "row" }, button(t("Test the sound of a FLASH"), () => testSound(context.live.now()), { key: "S" }), el("span", { class: "second" }, t("A FLASH is always heard: that cannot be switched off."))), said);
}

/** My passkeys and recovery codes. */
export async function ways(context, again) {
  const { passkeys: keys } = await get("/console/passkeys");
  const me = await get("/console/me");
  const said = el("div", { role: "alert" });
  const attempt = async (act) => {
    try {
      await act();
      again();
    } catch (error) {
      fill(said, error instanceof DOMException ? el("p", { class: "said look" }, t("No passkey was given: it was cancelled, or it took too long. Try again.")) : failure(error, explain));
    }
  };
  const name = el("input", { maxlength: 64, dir: "auto", autocomplete: "off" });
  const forget = async (key) => (await confirmed(t("Forget this passkey?"), el("p", null, inertLine(key.name || key.id, 64)), t("Forget it"), { danger: true })) && attempt(() => post(`/console/passkeys/${encodeURIComponent(key.id)}/forget`));
  const make = () => attempt(async () => {
    const made = await passkeys.register(name.value.trim());
    if (made.recovery_codes?.length) await codes(made.recovery_codes);
  });
  const anew = async () => (me.codes === 0 || (await confirmed(t("Ten new recovery codes?"), el("p", null, t("The ones before work no more.")), t("Make new ones")))) && attempt(async () => codes(await passkeys.newCodes()));
  return el("section", { class: "panel" }, el("h2", null, t("My ways in")),
    keys.length ? el("table", null, el("thead", null, el("tr", null, [t("Passkey"), t("Made"), t("Last used"), ""].map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", null, keys.map((key) => el("tr", { "data-key": key.id }, el("td", null, inertLine(key.name || key.id, 64)), el("td", null, moment(key.made, context.live.now())), el("td", null, key.used ? moment(key.used, context.live.now()) : t("never")),
        el("td", null, button(t("Forget"), () => forget(key)))))))
      : el("p", { class: "look" }, t("You have no passkey: only a one-time link or a recovery code signs you in.")),
    el("div", { class: "row bottom" }, field(t("What it is called"), name), button(t("Make a passkey"), make, { disabled: !passkeys.available() })),
    el("p", { class: me.codes > 2 ? null : "look" }, n(me.codes, "{count} recovery code is left.", "{count} recovery codes are left.")),
    el("div", { class: "row" }, button(t("Make ten new recovery codes"), anew)), said);
}

const codes = (list) => openDialog(t("Your recovery codes"), el("div", { class: "stack" }, el("p", null, t("Each signs you in once if the passkey is lost. Print them or write them down now: they are not shown again.")),
  el("ol", { class: "codes fig" }, list.map((code) => el("li", null, code))), el("div", { class: "row" }, button(t("Print"), () => print()))));

/** Sessions: one's own, or for an administrator everybody's. */
export async function sessions(context, again) {
  const { sessions: found } = await get("/console/sessions");
  const said = el("div", { role: "alert" });
  const end = async (each) => {
    try {
      await post(`/console/sessions/${encodeURIComponent(each.id)}/end`);
      again();
    } catch (error) {
      fill(said, failure(error, explain));
    }
  };
  return el("section", { class: "panel" }, el("h2", null, context.live.may("administrator") ? t("Who is signed in") : t("Where I am signed in")),
    el("table", null, el("thead", null, el("tr", null, [t("Who"), t("Browser"), t("Since"), t("Last act"), ""].map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", null, found.map((each) => el("tr", { "data-key": each.id }, el("td", null, el("b", { class: "fig" }, each.sign)), el("td", { title: inertString(each.browser, 300) }, browserWords(each.browser)), el("td", null, moment(each.made, context.live.now())), el("td", null, moment(each.seen, context.live.now()), each.locked ? [comma(), t("locked")] : null),
        el("td", null, each.this ? t("this one") : button(t("Sign out"), () => end(each))))))), said);
}
