// Copying out of the transcript: what is copied carries the word COPY, precedence, reference and receipts with it.

import { inertQuote } from "../inert.js";
import { dtg } from "../moments.js";
import { precedenceWord, roleWord, rungsOf, STEPS, stepWord } from "../signs.js";
import { comma, t } from "../words.js";
import { keyOf } from "./window.js";

/** Put on the clipboard what is selected in `list`, or the whole of the chosen message; false if that is nothing. */
export function copied(event, list, window, chosen) {
  const selection = getSelection();
  const articles = [...list.querySelectorAll(".message[data-key]")].filter((article) => selection && !selection.isCollapsed && selection.containsNode(article, true));
  const alone = articles.length || event.target.matches?.("input, textarea") ? articles : [...list.querySelectorAll(`.message[data-key="${chosen}"]`)];
  const entries = alone.map((article) => window.entries.find((entry) => keyOf(entry.ref) === article.dataset.key)).filter((entry) => entry?.kind === "message");
  if (!entries.length) return false;
  const part = entries.length === 1 && articles.length === 1 ? selection.toString() : "";
  event.clipboardData.setData("text/plain", entries.map((entry) => paper(entry, window, part)).join("\n\n"));
  event.preventDefault();
  return true;
}

function paper(entry, window, part) {
  const marks = window.marksOf(entry);
  const receipts = Object.entries(entry.status ?? {}).map(([party, status]) => {
    const said = STEPS.filter((step, place) => rungsOf(status)[place]).map((step) => {
      const mark = marks[party]?.[step];
      return [stepWord(step), mark?.at && dtg(mark.at), mark?.sign, mark?.to && roleWord(mark.to)].filter(Boolean).join(" ");
    });
    return `${party}: ${said.join(comma()) || t("sent, unknown")}`;
  });
  return [entry.exercise ? `${t("EXERCISE")} · ${t("COPY")}` : t("COPY"), `${precedenceWord(entry.body.precedence)} ${entry.ref.reference}`, entry.body.subject && inertQuote(entry.body.subject), "",
    inertQuote(part || entry.body.text), "", ...receipts].filter((line) => line !== undefined).join("\n");
}
