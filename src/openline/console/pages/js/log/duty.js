// The watch as the log shows it: who has it on every line, the last handover with what was accepted, and every open clock.

import { get } from "../api.js";
import { button, el } from "../dom.js";
import { inertLine, inertText } from "../inert.js";
import { moment, runningClock } from "../moments.js";
import { clockName } from "../named.js";
import { lineName } from "../picking.js";
import { badge } from "../signs.js";
import { comma, n, rich, t } from "../words.js";

const HOUR_MS = 3_600_000;

/** The panel of the watch, from the station. `open()` shows the dialog in which it changes hands. Raises Failed. */
export async function dutyPanel(context, open) {
  const watch = await get("/v1/watch");
  return [
    el("section", { class: "panel duty" }, el("h2", null, t("The watch")),
      el("ul", { class: "stack" }, watch.lines.map((each) => {
        const line = context.live.line(each.line);
        return el("li", null, line ? lineName(line) : inertLine(each.line, 60), " ", each.attended ? rich("on watch: *{sign}*, since {moment}", { sign: each.sign, moment: moment(each.since, context.live.now()) })
          : el("span", { class: "absent" }, each.attended === false ? t("nobody on watch") : t("watch not said")));
      })),
      watch.drafts ? el("p", null, n(watch.drafts, "{count} draft is not said yet.", "{count} drafts are not said yet.")) : null,
      context.live.may("watch-officer") ? el("div", { class: "row acts" }, button(t("Take or hand over the watch"), open, { key: "W", kind: watch.handover?.state === "offered" && !watch.handover.mine ? "main" : "" })) : null),
    handover(context, watch.handover),
    el("section", { class: "panel clocks" }, el("h2", null, t("Open clocks, first due first")),
      watch.clocks.length ? el("ul", null, watch.clocks.map((each) => el("li", null, runningClock(each.clock.due, each.clock.due - HOUR_MS, { meter: false }),
        el("div", null, el("p", null, each.overdue ? [badge("overdue", { size: 14, words: t("overdue") }), " "] : null, el("span", { class: "ref" }, each.clock.ref.reference || clockName(each.name))),
          el("p", { class: "small second" }, each.mine ? t("ours") : t("theirs"), comma(), inertLine(each.line, 40)))))) : el("p", null, t("No clock is open."))),
  ];
}

function handover(context, last) {
  if (!last) return null;
  const now = context.live.now();
  const said = {
    offered: rich("*{sign}* offers the watch, {moment}.", { sign: last.by, moment: moment(last.at, now) }),
    withdrawn: rich("*{sign}* offered the watch and kept it.", { sign: last.by }),
    taken: last.by ? rich("*{by}* handed the watch to *{to}*, {moment}.", { by: last.by, to: last.taken_by, moment: moment(last.ended, now) })
      : rich("*{to}* took the watch without a handover, {moment}.", { to: last.taken_by, moment: moment(last.ended, now) }),
  }[last.state];
  return el("section", { class: `panel ${last.state === "offered" ? "offered" : ""}`, "data-key": `handover ${last.at}` }, el("h2", null, t("The last handover")), el("p", null, said), last.note ? inertText(last.note) : null,
    last.clocks.length ? el("details", null, el("summary", null, n(last.clocks.length, "{count} clock was accepted with it", "{count} clocks were accepted with it")),
      el("ul", { class: "small" }, last.clocks.map((name) => el("li", null, inertLine(clockName(name), 300))))) : null);
}
