// The paper on which an officer writes: how urgent, to whom, by when, in which language, and the words.

import { choice, el, field, fill, fresh } from "../dom.js";
import { inertLine } from "../inert.js";
import { peers } from "../live.js";
import { hms } from "../moments.js";
import { badge, livery, PRECEDENCES, precedenceShape, roleWord } from "../signs.js";
import { LANGUAGES, comma, languageName, listed, n, number, rich, t } from "../words.js";
import { momentField } from "./moment_field.js";
import { fieldsOf, isTemplate, templateChoices, written } from "./templates.js";

export const ROLES = ["watch-officer", "principal", "interpreter", "technician", "auditor", "administrator"];
const MOST_TEXT = 8_192;

/** What a precedence is for, and within how long the terms have it handled. */
export function meaning(name, line) {
  const words = {
    flash: t("It fills their screens and rings until somebody reads it. For what cannot wait a minute."),
    immediate: t("For what changes what people do now."),
    priority: t("For what has to be known today."),
    routine: t("For everything else."),
  }[name];
  const minutes = line.policy?.handling_minutes?.[PRECEDENCES.indexOf(name)];
  return [words, " ", minutes ? rich("The terms: handled *within {span}*.", { span: spanOf(minutes) }) : null];
}

/** Minutes in words. */
export const spanOf = (minutes) => (minutes < 120 || minutes % 60 ? n(minutes, "{count} minute", "{count} minutes") : n(minutes / 60, "{count} hour", "{count} hours"));

/** The languages in which one may write: those of the terms first. */
const languagesOf = (line, mine) => [...new Set([...(line.policy?.languages ?? []), mine, ...LANGUAGES.map(([tag]) => tag)])];

export class Paper {
  constructor(context, line, draft) {
    Object.assign(this, { context, line, draft });
    const mine = context.me.language;
    const agreed = line.policy?.languages ?? [];
    this.language = agreed.includes(mine) || !agreed.length ? mine : agreed[0];
    this.draft.content.lang ??= this.language; // what the officer sees is what is kept
    this.box = el("div", { class: "paper" });
    this.node = livery(el("div", { class: "sheet" }, this.box), line);
    this.node.setAttribute("role", "group");
    this.node.setAttribute("aria-label", t("The message"));
    this.node.addEventListener("focusout", () => this.draft.keep());
    fill(this.box, el("div", { class: "heads" }, this.#precedence(), this.#roles()), this.meaning = el("p", { class: "meaning small" }),
      el("div", { class: "heads" }, this.#template(), this.#language(), this.#moments()), this.#subject(), this.body = el("div", { class: "writing" }), this.#foot());
    this.show();
  }

  get content() {
    return this.draft.content;
  }

  set(changes) {
    this.draft.set(changes);
    this.#said();
  }

  // --- the fields --------------------------------------------------------------------------------------------------

  #precedence() {
    const name = fresh("precedence");
    this.choices = PRECEDENCES.map((each, place) => {
      const input = el("input", { type: "radio", name, value: each, class: "only-heard", on: { change: () => this.choosePrecedence(each) } });
      return el("label", { class: `choice ${each}`, lang: "en", title: `Alt ${place + 1}` }, input, precedenceShape(each), each.toUpperCase());
    });
    return el("fieldset", { class: "field" }, el("legend", { class: "fieldname" }, t("Precedence")), el("div", { class: "choices" }, this.choices));
  }

  choosePrecedence(name) {
    this.set({ precedence: name });
    this.show();
  }

  #roles() {
    this.addressed = el("summary", { class: "button" });
    this.boxes = ROLES.map((role) => {
      const input = el("input", { type: "checkbox", id: fresh("role"), value: role, on: { change: () => this.#address() } });
      return el("p", null, input, " ", el("label", { for: input.id }, roleWord(role)));
    });
    this.picker = el("details", { class: "picker" }, this.addressed, el("div", { class: "panel" }, this.boxes));
    this.picker.addEventListener("focusout", (event) => this.picker.contains(event.relatedTarget) || (this.picker.open = false));
    return el("div", { class: "field" }, el("span", { class: "fieldname" }, t("To")), this.picker);
  }

  #address() {
    this.set({ to: this.boxes.map((each) => each.querySelector("input")).filter((each) => each.checked).map((each) => each.value) });
    this.#addressee();
  }

  #addressee() {
    const to = this.content.to.map(roleWord);
    fill(this.addressed, el("b", { class: "peer" }, el("bdi", null, peers(this.line).map((party) => party.name).join(comma()))), " ",
      to.length ? listed(to) : el("span", { class: "act" }, t("nobody yet")));
  }

  #moments() {
    this.answerBy = momentField(t("Answer by"), (ms) => this.set({ answer_by: ms }));
    this.acknowledgeBy = momentField(t("A person acknowledges by"), (ms) => this.set({ acknowledge_by: ms }));
    return [this.answerBy.node, this.acknowledgeBy.node];
  }

  #template() {
    this.template = choice(templateChoices(), "", { on: { change: () => {
      const { fields, text } = this.content;
      const name = this.template.value;
      const free = isTemplate(name) && !isTemplate(this.content.template) && text.trim() && !Object.keys(fields).length;
      this.set({ template: name, ...(free ? { fields: { [fieldsOf(name)[0][0]]: text.slice(0, 2_048) } } : {}) });
      this.#writing();
      this.#compile();
      this.focusText();
    } } });
    return field(t("Template"), this.template);
  }

  #language() {
    this.tags = languagesOf(this.line, this.context.me.language);
    this.lang = choice(this.tags.map((tag) => [tag, languageName(tag)]), this.language, { on: { change: () => {
      this.set({ lang: this.lang.value });
      this.#compile();
    } } });
    return field(t("Language"), this.lang);
  }

  #subject() {
    this.subject = el("input", { maxlength: 256, dir: "auto", autocomplete: "off", on: { input: () => this.set({ subject: this.subject.value }) } });
    const node = field(t("Subject"), this.subject);
    node.classList.add("inline");
    return node;
  }

  #foot() {
    this.links = el("span", { class: "links" });
    this.kept = el("span", { class: "kept", role: "status" });
    return el("div", { class: "foot2 small second" }, this.links, this.kept);
  }

  // --- the words ---------------------------------------------------------------------------------------------------

  #writing() {
    const { template, text } = this.content;
    this.drawn = template;
    this.label = el("label", { class: "fieldname" });
    if (!isTemplate(template)) {
      this.text = el("textarea", { id: fresh("text"), dir: "auto", spellcheck: "true", value: text, on: { input: () => this.set({ text: this.text.value }) } });
      this.label.htmlFor = this.text.id;
      fill(this.body, this.label, this.text);
    } else {
      this.inputs = fieldsOf(template).map(([key, label]) => {
        const input = el("textarea", { rows: 2, dir: "auto", maxlength: 2_048, value: this.content.fields[key] ?? "", on: { input: () => this.#compile() } });
        return [key, input, field(label, input)];
      });
      this.text = this.inputs[0][1];
      this.preview = el("div", { class: "preview words", dir: "auto" });
      fill(this.body, this.label, el("div", { class: "templated" }, el("div", { class: "asked-fields" }, this.inputs.map(([, , node]) => node)), this.preview));
      this.preview.textContent = text;
    }
    this.#said();
  }

  /** The template's fields, made into what the other floor reads. */
  async #compile() {
    const name = this.content.template;
    if (!isTemplate(name)) return this.#said();
    const fields = Object.fromEntries(this.inputs.map(([key, input]) => [key, input.value]).filter(([, value]) => value));
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const { subject, text } = await written(name, fields, this.content.lang ?? this.language);
    if (turn !== this.turn || this.content.template !== name) return undefined;
    this.subject.value = subject;
    this.preview.textContent = text;
    return this.set({ fields, subject, text });
  }

  focusText() {
    this.text?.focus();
  }

  #said() {
    const { text, lang } = this.content;
    const count = text.trim().split(/\s+/).filter(Boolean).length;
    const long = [...text].length;
    this.label.replaceChildren(t("Text, {language}, original.", { language: languageName(lang ?? this.language) }), " ", n(count, "{count} word.", "{count} words."));
    if (long > MOST_TEXT * 0.8) this.label.append(" ", el("b", { class: long > MOST_TEXT ? "act" : "look" }, t("{number} of {most} characters", { number: number(long), most: number(MOST_TEXT) })));
    this.text.setAttribute("lang", lang ?? this.language);
    this.showKept();
  }

  // --- showing -----------------------------------------------------------------------------------------------------

  /** Show what stands in the draft; where somebody types nothing jumps. */
  show() {
    const { content } = this;
    for (const each of this.choices) {
      each.querySelector("input").checked = each.querySelector("input").value === content.precedence;
      each.classList.toggle("on", each.querySelector("input").value === content.precedence);
    }
    fill(this.meaning, meaning(content.precedence, this.line));
    for (const each of this.boxes) each.querySelector("input").checked = content.to.includes(each.querySelector("input").value);
    this.#addressee();
    this.answerBy.show(content.answer_by);
    this.acknowledgeBy.show(content.acknowledge_by);
    this.template.value = isTemplate(content.template) ? content.template : "";
    this.lang.value = content.lang ?? this.language;
    put(this.subject, content.subject);
    if (this.drawn !== content.template || !this.text) this.#writing();
    else if (isTemplate(content.template)) {
      for (const [key, input] of this.inputs) put(input, content.fields[key] ?? "");
      this.preview.textContent = content.text;
    } else put(this.text, content.text);
    this.#links();
    this.#said();
  }

  #links() {
    const found = [["answers", content => rich("Answers {reference}.", { reference: named(content.answers) })], ["supersedes", content => rich("Replaces {reference}.", { reference: named(content.supersedes) })]];
    fill(this.links, found.filter(([name]) => this.content[name]).map(([name, words]) => [words(this.content), " ",
      el("button", { type: "button", class: "bare", on: { click: () => {
        this.set({ [name]: null });
        this.show();
      } } }, el("span", null, t("not so"))), " "]));
  }

  /** Whether and when it was kept. */
  showKept() {
    const { draft } = this;
    const { view } = draft;
    this.kept.classList.toggle("act", draft.away);
    if (draft.away) fill(this.kept, badge("lost", { size: 14 }), " ", t("Not kept: the station does not answer. It is tried again. Do not close this page."));
    else if (draft.refused) fill(this.kept, el("span", { class: "act" }, t("Not kept: something is too long or does not fit.")));
    else if (draft.dirty || !view) fill(this.kept, draft.dirty && (draft.number || !draft.blank) ? t("Keeping…") : "");
    else fill(this.kept, rich("Sealed draft {number}, kept {moment} by {sign}", { number: el("span", { class: "fig" }, draft.number), moment: el("time", null, hms(view.at)), sign: el("span", { class: "fig" }, view.by) }));
  }

  /** Why it cannot be sent as it stands, in words; empty if it can. */
  missing() {
    const { content } = this;
    if (!content.text.trim()) return t("There is no text yet.");
    if (!content.to.length) return t("Nobody is addressed yet.");
    if (!this.answerBy.valid() || !this.acknowledgeBy.valid()) return t("A moment is not one: write 0305 or +30.");
    const soon = [content.answer_by, content.acknowledge_by].filter((ms) => ms !== null).some((ms) => ms <= this.context.live.now());
    if (soon) return t("That moment has passed.");
    if ([...content.text].length > MOST_TEXT) return t("The text is too long: {most} characters at most.", { most: number(MOST_TEXT) });
    return "";
  }
}

/** Another value in a field, the cursor where it was as far as that is possible. */
function put(control, value) {
  if (control.value === value) return;
  const { selectionStart: start, selectionEnd: end } = control;
  control.value = value;
  if (document.activeElement === control) control.setSelectionRange(Math.min(start, value.length), Math.min(end, value.length));
}

/** A reference as a draft names it, shown: a text, or the place of an entry. */
export function named(ref) {
  return el("span", { class: "ref" }, typeof ref === "string" ? inertLine(ref, 80) : ref.reference ? inertLine(ref.reference, 80) : `${ref.lane}/${ref.index}`);
}

/** Whether a draft was written by whoever is here. */
export const byMe = (me, sign) => (me.signs ?? [me.sign]).includes(sign);
