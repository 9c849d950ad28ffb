// Settings: my own, people and roles, bearers, alarms. What an officer may not do is not shown; the station decides in any case.

import { failure } from "../dialogs.js";
import { button, el, fill, put } from "../dom.js";
import { noLine } from "../picking.js";
import { redraw } from "../redrawn.js";
import { alarms } from "../settings/alarms.js";
import { bearers } from "../settings/bearers.js";
import { preferences, sessions, ways } from "../settings/mine.js";
import { addPerson, people } from "../settings/people.js";
import { t } from "../words.js";

export const styles = ["settings"];

export function open(root, context, params) {
  const view = new Settings(root, context);
  context.keys([
    ...view.parts.map(({ key, words, name }) => ({ key: key.toLowerCase(), words, run: () => view.show(name) })),
    { key: "n", words: t("add an officer"), run: () => addPerson(() => view.show("people")), off: () => view.shown !== "people", hint: false },
    { key: "t", words: t("test all paths"), run: () => view.body.querySelector("[data-test-all]")?.click(), off: () => view.shown !== "alarms", hint: false },
  ]);
  view.show(view.parts.some(({ name }) => name === params.label) ? params.label : "mine");
  return () => view.stop();
}

class Settings {
  constructor(root, context) {
    Object.assign(this, { context, live: context.live, turn: 0, results: new Map() });
    this.parts = [
      { name: "mine", key: "M", words: t("My own") },
      this.live.may("administrator") && { name: "people", key: "P", words: t("People and roles") },
      { name: "bearers", key: "B", words: t("Bearers") },
      { name: "alarms", key: "A", words: t("Alarms") },
    ].filter(Boolean);
    this.nav = el("div", { class: "parts no-print", role: "group", "aria-label": t("Parts of the settings") });
    this.wrong = el("div", { role: "alert" });
    this.body = el("div", { class: "body" });
    fill(root, el("h1", { class: "sentence" }, t("Settings")), this.nav, el("div", { class: "part" }, this.wrong, this.body));
    this.off = this.live.on("lines", () => this.shown === "bearers" && this.#quietly());
  }

  stop() {
    this.turn += 1;
    this.off();
  }

  async show(name) {
    this.shown = name;
    const mine = (this.turn += 1);
    redraw(this.nav, () => this.parts.map((part) => button(part.words, () => this.show(part.name), { key: part.key, "aria-pressed": String(part.name === this.shown) })));
    try {
      const nodes = await this.#nodes(name);
      if (mine !== this.turn) return;
      fill(this.wrong);
      redraw(this.body, () => (mine === this.turn ? named(nodes) : undefined));
    } catch (error) {
      if (mine === this.turn) fill(this.wrong, failure(error, this.context.api.explain));
    }
  }

  /** The bearers anew, without asking. */
  #quietly() {
    redraw(this.body, () => (this.shown === "bearers" ? named(this.#bearers()) : undefined));
  }

  #bearers() {
    return this.live.lines.size ? bearers(this.context, this.results, () => this.#quietly()) : noLine(this.context);
  }

  async #nodes(name) {
    const again = async () => this.shown === name && this.show(name); // whoever went elsewhere meanwhile stays there
    if (name === "people") return [await people(this.context, again)];
    if (name === "alarms") return alarms(this.context, again);
    if (name === "bearers") return this.#bearers();
    return [preferences(this.context), await ways(this.context, again), await sessions(this.context, again)];
  }
}

/** Give every cell the name of its column: on a telephone a row stands as a list, and the head of the table is not shown. */
function named(nodes) {
  const body = put(document.createDocumentFragment(), nodes);
  for (const table of body.querySelectorAll("table")) {
    const heads = [...table.querySelectorAll("thead th")].map((head) => head.textContent);
    for (const row of table.querySelectorAll("tbody tr")) [...row.cells].forEach((cell, at) => heads[at] && (cell.dataset.head = heads[at]));
  }
  return body;
}
