// Minutes of a call: either side drafts after it, clause by clause in both languages; the other agrees or says how it differs.

import { explain } from "../api.js";
import { failure } from "../dialogs.js";
import { button, choice, el, fill, fresh } from "../dom.js";
import { inertText } from "../inert.js";
import { moment, now } from "../moments.js";
import { badge } from "../signs.js";
import { language, LANGUAGES, languageName, listed, rich, t } from "../words.js";
import { answerMinutes, draftMinutes } from "./calls.js";
import { panel } from "./panels.js";
import { partyName, partyOf, signOf } from "./telling.js";

const MOST_CLAUSES = 32;
const MOST_CLAUSE = 2_000;
const kept = (view) => `openline.minutes.${view.place}`;

/** How the minutes of a call stand, in a sentence or two. */
export function minutesWords(view) {
  const names = listed(view.parties.map((party) => party.name));
  return {
    none: rich("*This call has no agreed minutes.* Either side drafts them; the other agrees or marks differences."),
    drafted: rich("*Drafted, not agreed yet.* The other side has not said its word."),
    agreed: rich("*Agreed by {parties}*, every clause.", { parties: names }),
    differs: rich("*The sides differ.* The clauses say where."),
  }[view.minutes.state] ?? "";
}

export class Minutes {
  constructor(context, line) {
    Object.assign(this, { context, line, view: null, editing: null, wrote: false });
    this.body = el("div", { class: "stack" });
    this.said = el("div", { role: "alert" });
    this.node = panel("minutes", t("Minutes"), this.body, this.said);
  }

  update(view) {
    if (this.view?.place !== view.place) this.editing = null;
    this.view = view;
    const name = JSON.stringify([view.place, view.state, view.minutes, Boolean(this.editing)]);
    if (name === this.drawn || (this.editing && this.node.contains(document.activeElement))) return;
    this.drawn = name;
    this.draw();
  }

  /** Only these roles write minutes or say a word of them; the station decides in any case. */
  get may() {
    return this.context.live.may("watch-officer", "principal");
  }

  draw() {
    const { view } = this;
    const begun = view.picked_up_at !== null;
    if (view.state === "open") {
      fill(this.body, el("p", null, t("Drafted after the call; both sides agree or mark differences.")));
      return;
    }
    if (!begun) {
      fill(this.body, el("p", { class: "second" }, t("Nothing was said: there is nothing to agree.")));
      return;
    }
    const replaced = new Set(view.minutes.drafts.map((draft) => draft.replaces).filter(Boolean));
    const draftable = this.may && !this.editing;
    const last = view.minutes.drafts.at(-1);
    fill(this.body, el("p", { class: view.minutes.state === "agreed" ? "work" : view.minutes.state === "differs" ? "look" : null }, badge(view.minutes.state === "agreed" ? "key" : "flag", { size: 15 }), " ", minutesWords(view)),
      view.minutes.drafts.map((draft) => this.draft(draft, replaced.has(draft.place))), this.editing ? this.editor() : null,
      draftable && view.minutes.state !== "agreed" ? el("div", { class: "row" }, button(last ? t("draft other words in their place") : t("draft the minutes"), () => this.edit(last ?? null), { key: "N", kind: last ? "" : "main" })) : null);
  }

  // --- what was drafted --------------------------------------------------------------------------------------------

  draft(draft, replaced) {
    const us = partyOf(this.view, draft.party)?.me;
    const mine = draft.words.some((word) => partyOf(this.view, word.party)?.me);
    const answers = !us && !mine && !replaced && this.may;
    const wordOf = answers ? draft.clauses.map(() => null) : null;
    const choices = draft.clauses.map(() => null);
    const agree = answers ? button(t("Agree to every clause"), () => this.answer(draft, choices.map(() => ({ agreed: true }))), { key: "G", kind: "main", data: { act: "agree" } }) : null;
    const sign = answers ? button(t("Sign my word on each clause"), () => this.answer(draft, choices.map((each) => each.value()))) : null;
    const chosen = () => { // nobody agrees to everything by mistake who has just said how a clause differs
      const differs = choices.some((each) => !each.value().agreed);
      agree.hidden = agree.disabled = differs;
      sign.classList.toggle("main", differs);
    };
    return el("article", { class: `minutes ${us ? "us" : "them"}${replaced ? " gone" : ""}`, data: { minutes: draft.place } },
      el("header", null, el("b", { class: us ? null : "peer" }, el("bdi", null, draft.name)), el("span", null, rich("by {sign}, {moment}", { sign: signOf(draft.sign), moment: moment(draft.at, now()) })), replaced ? el("b", { class: "chosen" }, t("replaced")) : null),
      el("ol", null, draft.clauses.map((clause, place) => el("li", null, el("div", { class: "texts" }, Object.entries(clause.texts).map(([tag, text]) => el("div", null, el("p", { class: "tag" }, languageName(tag)), inertText(text, tag)))),
        draft.words.map((word) => this.word(word, word.clauses[place])), wordOf ? (choices[place] = this.choice(chosen)).node : null))),
      wordOf ? el("div", { class: "row" }, agree, sign) : null);
  }

  word(word, clause) {
    if (!clause) return null;
    return el("div", { class: "clauseword" }, el("b", { class: clause.agreed ? "work" : "look" }, el("bdi", null, partyName(this.view, word.party)), " ", clause.agreed ? t("agrees") : t("differs")), " ", signOf(word.sign), clause.text ? inertText(clause.text) : null);
  }

  choice(chosen) {
    const name = fresh("word");
    const text = el("input", { maxlength: 1_000, dir: "auto", autocomplete: "off", "aria-label": t("How it differs, in our words") });
    text.hidden = true;
    const radio = (value, words, checked) => {
      const input = el("input", { type: "radio", name, value, id: fresh("word"), checked, on: { change: () => {
        text.hidden = value === "yes";
        if (!text.hidden) text.focus();
        chosen();
      } } });
      return [input, " ", el("label", { for: input.id }, words), " "];
    };
    const node = el("div", { class: "clauseword row" }, el("span", null, radio("yes", t("agreed"), true)), el("span", null, radio("no", t("differs"), false)), text);
    return { node, value: () => (node.querySelector("input:checked").value === "yes" ? { agreed: true } : { agreed: false, text: text.value.trim() }) };
  }

  async answer(draft, clauses) {
    try {
      await answerMinutes(this.view, draft.place, clauses);
      fill(this.said);
    } catch (error) {
      fill(this.said, failure(error, explain));
    }
  }

  // --- the draft ---------------------------------------------------------------------------------------------------

  /** Begin a draft: from the one that it replaces, from what this page kept, or from nothing. */
  edit(from) {
    if (!this.may || this.view.state === "open" || this.view.picked_up_at === null || this.view.minutes.state === "agreed") return;
    let draft = null;
    try {
      draft = JSON.parse(sessionStorage.getItem(kept(this.view)) ?? "null");
    } catch { /* another version wrote it */ }
    const theirs = this.view.seats.find((seat) => !seat.me)?.lang ?? "en";
    const other = [theirs, ...(this.line.policy?.languages ?? []), "en", "fr"].find((tag) => tag && tag !== language());
    this.editing = draft ?? { languages: [language(), other], replaces: from?.place ?? null, clauses: from ? from.clauses.map((clause) => ({ ...clause.texts })) : [{}] };
    this.draw();
    this.body.querySelector("textarea")?.focus();
  }

  keep() {
    sessionStorage.setItem(kept(this.view), JSON.stringify(this.editing));
  }

  editor() {
    const { editing } = this;
    const tags = [...new Set([...editing.languages, ...(this.line.policy?.languages ?? []), ...LANGUAGES.map(([tag]) => tag)])];
    const pick = (at) => choice(tags.map((tag) => [tag, languageName(tag)]), editing.languages[at], { "aria-label": at ? t("Second language") : t("First language"), on: { change: (event) => {
      editing.languages[at] = event.target.value;
      this.keep();
      this.draw();
    } } });
    const area = (clause, at, place) => {
      const tag = editing.languages[at];
      return el("textarea", { rows: 2, maxlength: MOST_CLAUSE, dir: "auto", lang: tag, "aria-label": t("Clause {number}, {language}", { number: place + 1, language: languageName(tag) }), value: clause[tag] ?? "", on: { input: (event) => {
        clause[tag] = event.target.value;
        this.keep();
      } } });
    };
    return el("form", { class: "minutesform", novalidate: true, on: { submit: (event) => {
      event.preventDefault();
      this.send();
    } } }, el("p", { class: "second" }, t("One clause for each thing that was agreed, or that was said and not agreed. The same in both languages.")),
    el("div", { class: "texts" }, pick(0), pick(1)),
    el("ol", null, editing.clauses.map((clause, place) => el("li", null, el("div", { class: "texts" }, area(clause, 0, place), area(clause, 1, place)), editing.clauses.length > 1 ? button(t("take clause {number} out", { number: place + 1 }), () => {
      editing.clauses.splice(place, 1);
      this.keep();
      this.draw();
    }, { kind: "plain small" }) : null))),
    el("div", { class: "row" }, editing.clauses.length < MOST_CLAUSES ? button(t("one more clause"), () => {
      editing.clauses.push({});
      this.draw();
      [...this.body.querySelectorAll("textarea")].at(-2)?.focus();
    }) : null, el("button", { type: "submit", class: "main" }, t("Sign these minutes")), button(t("Put the draft aside"), () => {
      this.editing = null;
      this.draw();
    })));
  }

  async send() {
    const { editing, view } = this;
    const clauses = editing.clauses.map((clause) => ({ texts: Object.fromEntries(editing.languages.filter((tag) => clause[tag]?.trim()).map((tag) => [tag, clause[tag].trim()])) })).filter((clause) => Object.keys(clause.texts).length);
    if (!clauses.length) {
      fill(this.said, el("p", { class: "said look" }, t("There is no clause yet.")));
      return;
    }
    try {
      const replaces = editing.replaces ? placeOf(editing.replaces) : null;
      await draftMinutes(view, { clauses, ...(replaces ? { replaces } : {}) });
      sessionStorage.removeItem(kept(view));
      this.editing = null;
      fill(this.said);
      this.draw();
    } catch (error) {
      fill(this.said, failure(error, explain));
    }
  }
}

function placeOf(text) {
  const [lane, generation, index] = text.split("/");
  return { lane: Number(lane), generation, index: Number(index) };
}
