// Where nobody is signed in: passkey, one-time link, recovery code; and the first sign-in of all.

import { explain } from "../api.js";
import { failure } from "../dialogs.js";
import { button, el, field, fill } from "../dom.js";
import { bind } from "../keys.js";
import { day, hms, local, tick } from "../moments.js";
import * as passkeys from "../passkeys.js";
import { wire } from "../signs.js";
import { kept, wear, worn } from "../theme.js";
import { LANGUAGES, language, speak, t } from "../words.js";

export const styles = ["entrance"];

/** `params.token`: of a one-time link, which is used at once. */
export async function open(root, context, params) {
  const place = { root, context, said: el("div", { role: "alert" }) };
  const unbind = bind("floor-wide", [
    { key: "enter", words: t("sign in with your passkey"), run: () => root.querySelector("button.main")?.click() },
  ]);
  if (params.token) await byLink(place, params.token);
  else show(place);
  return unbind;
}

function show(place) {
  const { root } = place;
  fill(root, left(), el("section", { class: "right", "aria-label": t("Sign in") },
    el("div", { class: "stack" },
      el("h1", { tabindex: -1 }, t("Sign in to {host}", { host: location.hostname })),
      el("p", { class: "second" }, t("The lines are watched and ring without you. Reading and answering needs your name.")),
      place.said,
      button(t("Sign in with your passkey"), () => tried(place, passkeys.enter), { kind: "main big", key: t("Enter"), disabled: !passkeys.available() }),
      passkeys.available() ? null : el("p", { class: "small look" }, t("This browser offers no passkeys at this address. Use a one-time link or a recovery code.")),
      recovery(place), link()),
    foot(place)));
  root.querySelector("h1").focus();
}

function left() {
  const figures = el("span");
  const date = el("time");
  const here = el("span", { class: "second" });
  const clock = el("p", { class: "wallclock fig" }, figures, el("span", { class: "second" }, "Z"));
  tick(clock, (at) => {
    figures.textContent = hms(at).slice(0, -1);
    date.textContent = day(at);
    here.textContent = t("{local} here", { local: local(at) });
  });
  return el("section", { class: "left", "aria-label": t("Time") },
    el("div", { class: "brand" }, wire("in service", { size: 28 }), el("span", null, "Openline")),
    el("div", null, clock, el("p", { class: "dates" }, date, " ", here)),
    el("p", { class: "second" }, t("A standing direct line between parties that do not trust each other. This page speaks to this station alone.")));
}

function recovery(place) {
  const sign = el("input", { autocomplete: "username", autocapitalize: "characters", spellcheck: "false", maxlength: 12, required: true });
  const code = el("input", { autocomplete: "off", spellcheck: "false", maxlength: 80, required: true });
  const form = el("form", { class: "stack", on: { submit: (event) => {
    event.preventDefault();
    tried(place, () => place.context.api.post("/console/recovery", { sign: sign.value.trim().toUpperCase(), code: code.value.trim() }));
  } } },
    field(t("Your sign"), sign), field(t("One of your recovery codes"), code, t("Each works once.")),
    el("button", { type: "submit" }, t("Sign in with the code")));
  return el("details", null, el("summary", null, t("Recovery code")), form);
}

function link() {
  return el("details", null, el("summary", null, t("One-time link")), el("div", { class: "stack" },
    el("p", null, t("An administrator makes one for you in the settings. It works once and for a short time.")),
    el("p", { class: "second" }, t("The very first one is printed by the station when it starts."))));
}

function foot(place) {
  const pick = el("div", { class: "row", role: "group", "aria-label": t("Language") }, LANGUAGES.map(([tag, name]) =>
    button(name, async () => {
      localStorage.setItem(place.context.language, tag);
      await speak(tag);
      show(place);
    }, { kind: "bare", lang: tag, "aria-pressed": String(tag === language()) })));
  return el("div", { class: "foot small second" }, pick, button(t("Light / dark"), () => wear(worn() === "dark" ? "light" : "dark"), { kind: "bare" }));
}

async function tried(place, act) {
  fill(place.said);
  try {
    await act();
    await place.context.begin();
  } catch (error) {
    fill(place.said, error instanceof DOMException ? el("p", { class: "said look" }, refusedByBrowser(error))
      : failure(error, (each) => (each.code === "away" ? place.context.api.explain(each) : notTaken(each))));
  }
}

function refusedByBrowser(error) {
  return error.name === "NotAllowedError" ? t("No passkey was given: it was cancelled, or it took too long. Try again.")
    : t("The browser could not use a passkey here. Use a one-time link or a recovery code.");
}

function notTaken(error) {
  if (error.code === "too-often" || error.code === "quota") return { what: t("Too many tries."), next: t("Wait a few minutes, then try again."), said: explain(error).said };
  return { what: t("That was not taken."), next: t("It may be used up, too old, or not yours. Try another way, or ask an administrator for a one-time link."), said: explain(error).said };
}

// --- the one-time link ---------------------------------------------------------------------------------------------

async function byLink(place, token) {
  try {
    await place.context.api.post("/console/enter", { token });
    const me = await place.context.api.get("/console/me");
    await speak(me.language);
    wear(me.theme ?? kept());
    if (me.passkeys || !passkeys.available()) await place.context.begin();
    else first(place, me);
  } catch (error) {
    show(place);
    fill(place.said, failure(error, (each) => (each.code === "away" ? place.context.api.explain(each) : notTaken(each))));
  }
}

function first(place, me) {
  const later = button(t("Not now"), () => place.context.begin(), { key: t("Esc") });
  const make = button(t("Make my passkey"), async () => {
    try {
      await passkeys.register();
      codes(place, me.codes ? [] : await passkeys.newCodes());
    } catch (error) {
      fill(place.said, error instanceof DOMException ? el("p", { class: "said look" }, refusedByBrowser(error)) : failure(error, place.context.api.explain));
    }
  }, { kind: "main big", key: t("Enter") });
  fill(place.root, left(), el("section", { class: "right" }, el("div", { class: "stack" },
    el("h1", { tabindex: -1 }, t("Welcome to {station}, {sign}.", { station: me.station.name, sign: me.sign })),
    el("p", null, t("The link is used up. Make a passkey on this workstation: then a touch or a PIN is all that signing in takes.")),
    el("p", { class: "second" }, t("It stays in this machine or in your security key. The station keeps only its public half.")),
    place.said, make, later)));
  place.root.querySelector("h1").focus();
}

function codes(place, list) {
  if (!list.length) {
    place.context.begin();
    return;
  }
  fill(place.root, left(), el("section", { class: "right" }, el("div", { class: "stack" },
    el("h1", { tabindex: -1 }, t("Your recovery codes")),
    el("p", null, t("Each signs you in once if the passkey is lost. Print them or write them down now: they are not shown again.")),
    el("ol", { class: "codes fig" }, list.map((code) => el("li", null, code))),
    el("div", { class: "row" }, button(t("Print"), () => print()), button(t("I have them. To the floor"), () => place.context.begin(), { kind: "main" })))));
  place.root.querySelector("h1").focus();
}
