// What an officer does about contacts: say what became of one, record one that took place elsewhere, countersign the other
// side's word, give out and end calendar addresses.

import { explain, get, ofLine, post } from "../api.js";
import { dateField } from "../date_field.js";
import { askForm, failure, openDialog } from "../dialogs.js";
import { button, choice, el, field, fill } from "../dom.js";
import { inertLine } from "../inert.js";
import { dtg, moment, now } from "../moments.js";
import { comma, t } from "../words.js";
import { mediumWord } from "./marks.js";

const MOST = 1_024;
const placeOf = ({ lane, generation, index, leaf }) => ({ lane, generation, index, leaf });
const MEDIA = ["call", "meeting", "message", "test"];

export class ContactActs {
  /** `changed()` is called after something was said. */
  constructor(line, changed) {
    Object.assign(this, { line, changed });
  }

  async #asked(title, build, entry, yes, danger = false) {
    const done = await askForm(title, build, async () => post(ofLine(this.line, "/entries"), entry()), { yes, explainError: explain, danger });
    if (done) this.changed();
  }

  /** That an occurrence was kept, is declined, or why it was missed. */
  say(each, outcome) {
    const text = words();
    const title = { kept: t("It took place"), declined: t("Decline this contact"), account: t("Why it was missed") }[outcome];
    const note = {
      kept: t("It is signed. It counts as kept when the other side has signed it too."),
      declined: t("It is signed and stands for good: the contact counts as missed because you declined it."),
      account: t("It is signed. The other side countersigns it, or says that it was not so."),
    }[outcome];
    return this.#asked(title, (form) => form.append(el("p", null, inertLine(each.name, 64), comma(), el("span", { class: "fig" }, dtg(each.start))), el("p", { class: "second" }, note),
      field(outcome === "kept" ? t("Words with it, if any") : t("Reason"), text)), () => ({
      kind: "contact", name: each.name, occurrence: each.occurrence, medium: each.medium, outcome, text: text.value.trim(),
      ...(outcome === "kept" ? { at: Math.min(each.start, now()) } : {}),
    }), title, outcome === "declined");
  }

  /** A contact outside the schedule: a telephone call, a meeting. */
  record() {
    const medium = choice(MEDIA.map((name) => [name, mediumWord(name)]), "call");
    const at = dateField(t("When (UTC)"), { value: new Date(now()).toISOString().slice(0, 16), minute: true });
    const text = words();
    return this.#asked(t("Record a contact that took place elsewhere"), (form) => form.append(
      el("p", { class: "second" }, t("A telephone call, a meeting. It is signed; it counts when the other side has signed it too.")),
      el("div", { class: "row" }, field(t("By"), medium), at.node), field(t("What it was, without what was said in confidence"), text)), () => ({
      kind: "contact", medium: medium.value, outcome: "kept", at: at.value() ? Date.parse(`${at.value()}Z`) : at.input.value, text: text.value.trim(),
    }), t("Sign it"));
  }

  /** It was so, or it was not. */
  countersign(word, agreed) {
    const text = words();
    return this.#asked(agreed ? t("Countersign: it was so") : t("It was not so"), (form) => form.append(el("p", null, el("bdi", null, word.author), comma(), el("span", { class: "fig" }, dtg(word.at))),
      word.text ? el("p", null, inertLine(word.text, 300)) : "", field(agreed ? t("Words with it, if any") : t("What was so"), text)), () => ({
      kind: "countersign", of: placeOf(word.ref), agreed, text: text.value.trim(),
    }), agreed ? t("It was so") : t("It was not so"), !agreed);
  }
}

const words = () => el("textarea", { rows: 3, maxlength: MOST, dir: "auto" });

/** The calendar addresses: give one out, end one. */
export function calendars() {
  const list = el("div", { class: "stack" });
  const given = el("div", { role: "status" });
  const wrong = el("div", { role: "alert" });
  const note = el("input", { maxlength: 80, dir: "auto", autocomplete: "off" });
  const attempt = async (act) => {
    fill(wrong);
    try {
      await act();
      const { calendars: found } = await get("/v1/calendars");
      fill(list, found.length ? el("table", null, el("thead", null, el("tr", null, [t("For"), t("Made"), ""].map((head) => el("th", { scope: "col" }, head)))),
        el("tbody", null, found.map((each) => el("tr", null, el("td", null, each.note ? inertLine(each.note, 80) : el("span", { class: "fig" }, each.calendar)), el("td", null, moment(each.made, now())),
          el("td", null, button(t("Revoke"), () => attempt(() => post(`/v1/calendars/${encodeURIComponent(each.calendar)}/revoke`)))))))) : el("p", { class: "second" }, t("No address is in force.")));
    } catch (error) {
      fill(wrong, failure(error, explain));
    }
  };
  const make = () => attempt(async () => {
    const made = await post("/v1/calendars", { note: note.value.trim() });
    note.value = "";
    const address = `${location.origin}${made.path}`;
    const shown = el("input", { class: "fig wide", readonly: true, value: address, "aria-label": t("The address"), dir: "ltr" });
    fill(given, el("div", { class: "said work" }, el("p", null, el("b", null, t("Copy it now: it is not shown again.")), " ", t("Whoever has it can read when contacts are due, and nothing else.")), shown));
    shown.select();
  });
  attempt(async () => {});
  return openDialog(t("Calendar addresses (.ics)"), el("div", { class: "stack calendars" },
    el("p", { class: "second" }, t("A calendar program reads the schedule of all lines at such an address. It holds a secret token; no word of any line is in it.")),
    given, wrong, list, el("form", { class: "row", on: { submit: (event) => {
      event.preventDefault();
      make();
    } } }, field(t("For whom or what"), note), button(t("Make an address"), make, { kind: "main" }))));
}
