// The audit log: who did what at this station, and how it ended; never what was said. Rows are chained by digest.

import { get, query } from "../api.js";
import { el } from "../dom.js";
import { inertLine } from "../inert.js";
import { moment } from "../moments.js";
import { auditWord, refusalWord } from "../named.js";
import { t } from "../words.js";

const PAGE = 100;

export class Audit {
  constructor() {
    Object.assign(this, { rows: [], before: Number.MAX_SAFE_INTEGER });
  }

  /** The next older part. Raises Failed. */
  async more() {
    const asked = this.before === Number.MAX_SAFE_INTEGER ? 2 ** 40 : this.before;
    const { rows } = await get(`/v1/audit${query({ before: asked, limit: PAGE })}`);
    this.rows.push(...rows.reverse());
    this.before = rows.length ? rows.at(-1).number : 1;
  }

  get complete() {
    return this.before <= 1;
  }

  /** The rows so far. `live` names a line by its label where the row has its id. */
  table(live) {
    const now = live.now();
    return el("table", { class: "audit" }, el("thead", null, el("tr", null,
      [t("No."), t("Time"), t("Who"), t("Act"), t("About"), t("How it ended"), t("Digest")].map((words) => el("th", { scope: "col" }, words)))),
    el("tbody", null, this.rows.flatMap((row) => [...row.acts].reverse().map((act, place) => el("tr", { class: outcome(act.outcome) === "refused" ? "refused" : null },
      figure(place ? "" : row.number), el("td", null, moment(act.time, now, { seconds: true })), figure(act.sign || t("user {uid}", { uid: act.uid })),
      el("td", null, auditWord(act.act)), el("td", null, act.line ? inertLine(live.line(act.line)?.label ?? act.line, 40) : ""),
      el("td", { class: outcome(act.outcome) === "refused" ? "look" : null }, outcomeWords(act.outcome)), el("td", null, el("span", { class: "fig label" }, place ? "" : row.digest.slice(0, 12))))))));
  }
}

const figure = (words) => el("td", null, el("span", { class: "fig" }, words));
const outcome = (word) => (word === "done" || word === "begun" ? word : "refused");

function outcomeWords(word) {
  if (word === "done") return t("done");
  if (word === "begun") return t("begun");
  return t("refused: {why}", { why: refusalWord(word) });
}
