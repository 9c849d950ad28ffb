// Placing a call: how urgent, for whom, in which language. A FLASH asks for the line's number, as a FLASH that is written does.

import { explain } from "../api.js";
import { failure } from "../dialogs.js";
import { button, choice, el, field, fill, fresh } from "../dom.js";
import { own, peers } from "../live.js";
import { PRECEDENCES, roleWord } from "../signs.js";
import { keyLabel } from "../keys.js";
import { language, LANGUAGES, languageName, t } from "../words.js";
import { place } from "./calls.js";
import { able } from "./gate.js";
import { panel } from "./panels.js";

const ROLES = ["watch-officer", "principal", "interpreter", "technician"];

/** The form; `ring()` places the call as it stands. */
export class Placing {
  constructor(context, line, { devices, placed }) {
    Object.assign(this, { context, line, placed, said: el("div", { role: "alert" }) });
    const tags = [...new Set([language(), ...(line.policy?.languages ?? []), ...LANGUAGES.map(([tag]) => tag)])];
    this.precedence = choice(PRECEDENCES.map((each) => [each, each.toUpperCase()]), "routine", { lang: "en" });
    this.language = choice(tags.map((tag) => [tag, languageName(tag)]), language());
    this.subject = el("input", { maxlength: 120, dir: "auto", autocomplete: "off" });
    this.digits = el("input", { class: "fig", inputmode: "numeric", maxlength: line.number.length, autocomplete: "off" });
    this.flash = field(t("A FLASH rings everywhere, also on a suspended line. To place it, type the number of the line."), this.digits);
    this.flash.hidden = true;
    this.precedence.addEventListener("change", () => (this.flash.hidden = this.precedence.value !== "flash"));
    const name = fresh("callfor");
    this.boxes = ROLES.map((role) => {
      const input = el("input", { type: "checkbox", name, id: fresh("callfor"), value: role, checked: role === "watch-officer" });
      return el("span", null, input, " ", el("label", { for: input.id }, roleWord(role)));
    });
    this.node = panel("place", t("Place a call"), el("form", { class: "stack", novalidate: true, on: { submit: (event) => {
      event.preventDefault();
      this.ring();
    } } }, el("p", { class: "second" }, told(line)), el("div", { class: "row top" }, field(t("Precedence"), this.precedence), field(t("You speak"), this.language), field(t("What about, in a few words (signed, read at once)"), this.subject)),
    el("fieldset", { class: "field" }, el("legend", { class: "fieldname" }, t("For")), el("div", { class: "row" }, this.boxes)), this.flash, this.said,
    el("div", { class: "row" }, el("button", { type: "submit", class: "main big", disabled: !able() }, el("kbd", { "aria-hidden": "true" }, keyLabel("ctrl+enter")), el("span", null, t("Call now"))), button(t("Test microphone and loudspeaker"), devices, { key: "D", kind: "big" })),
    able() ? null : el("p", { class: "said act" }, t("This browser cannot say how sound is protected, so it takes no part in calls. Use Chromium."))));
  }

  async ring() {
    if (this.busy) return;
    const asked = this.precedence.value;
    if (asked === "flash" && this.digits.value !== this.line.number) {
      fill(this.said, el("p", { class: "said look" }, t("That is not the number of this line. Look at where you are.")));
      this.digits.focus();
      return;
    }
    this.busy = true;
    const to = this.boxes.map((box) => box.querySelector("input")).filter((box) => box.checked).map((box) => box.value);
    const subject = this.subject.value.trim();
    try {
      await place(this.line, { precedence: asked, lang: this.language.value, to: to.length ? to : ["watch-officer"], ...(subject ? { subject } : {}), ...(asked === "flash" ? { confirm: this.line.label } : {}) });
      fill(this.said);
      this.placed();
    } catch (error) {
      fill(this.said, failure(error, (each) => (each.code === "conflict" ? { what: t("The call was not placed."), next: own(this.line).suspended || peers(this.line).some((party) => party.suspended) ? t("The line is suspended: only a FLASH rings.") : t("A call stands on this line already, or was just ended: look again."), said: each.said } : explain(each))));
    } finally {
      this.busy = false;
    }
  }
}

/** What is likely to happen over there. */
function told(line) {
  const party = peers(line)[0];
  if (!party) return "";
  const name = party.name;
  if (party.reach === "bearers-down" || party.reach === "station-silent") return t("{name} is not reached now. It rings there if the line comes back within 90 seconds.", { name });
  if (party.attended === false) return t("{name}: nobody on watch. It rings at every console that is open there.", { name });
  return t("It rings at every console of {name} for at most 90 seconds.", { name });
}
