// The watch of this floor: taking it with every open clock accepted by name, offering it to the next officer, leaving it.

import { explain, get, post } from "./api.js";
import { failure } from "./dialogs.js";
import { button, el, field, fill, fresh } from "./dom.js";
import { inertLine } from "./inert.js";
import { own } from "./live.js";
import { moment } from "./moments.js";
import { clockName } from "./named.js";
import { lineName } from "./picking.js";
import { badge } from "./signs.js";
import { comma, n, rich, t } from "./words.js";

/** Whether this floor says on every line that somebody is on watch. */
export const attended = (live) => [...live.lines.values()].every((line) => own(line).attended);

/** The dialog of the watch. Resolves when it is closed. */
export function openWatch(context) {
  const heading = fresh("watch");
  const before = document.activeElement;
  const body = el("div", { class: "stack" });
  const said = el("div", { role: "alert" });
  const dialog = el("dialog", { "aria-labelledby": heading }, el("div", null, el("h2", { id: heading }, t("The watch")), body, said,
    el("div", { class: "acts" }, button(t("Close"), () => dialog.close(), { key: t("Esc") }))));
  const act = async (path, sent, told) => {
    fill(said);
    try {
      const done = await post(path, sent);
      context.say(told);
      if (done.unreached?.length) fill(said, el("p", { class: "said look" }, t("Not said on lines that are stopped: {lines}.", { lines: done.unreached.join(comma()) })));
      else dialog.close();
      context.live.refresh().catch(() => {});
    } catch (error) {
      fill(said, failure(error, explain));
      load();
    }
  };
  const load = async () => {
    try {
      const watch = await get("/v1/watch");
      fill(body, stands(context, watch), handover(context, watch), taking(context, watch, act), leaving(context, watch, act));
    } catch (error) {
      fill(said, failure(error, explain));
    }
  };
  document.body.append(dialog);
  dialog.showModal();
  load();
  return new Promise((resolve) => dialog.addEventListener("close", () => {
    dialog.remove();
    if (before instanceof HTMLElement && before.isConnected) before.focus();
    resolve();
  }));
}

function stands(context, watch) {
  return el("ul", { class: "stack" }, watch.lines.map((each) => {
    const line = context.live.line(each.line);
    return el("li", null, line ? lineName(line) : each.line, " ", each.attended ? rich("on watch: *{sign}*, since {moment}", { sign: each.sign, moment: moment(each.since, context.live.now()) })
      : el("span", { class: "absent" }, each.attended === false ? t("nobody on watch") : t("watch not said")));
  }));
}

function handover(context, { handover: last }) {
  if (!last || last.state !== "offered") return null;
  return el("div", { class: "said look" }, el("p", null, rich("*{sign}* offers the watch, {moment}.", { sign: last.by, moment: moment(last.at, context.live.now()) })), last.note ? el("p", null, inertLine(last.note, 600)) : null);
}

/** Each open clock is accepted by its own tick; there is none for all of them. */
function taking(context, watch, act) {
  if (!context.live.may("watch-officer")) return el("p", { class: "second" }, t("Only a watch officer takes the watch."));
  const ticks = watch.clocks.map((clock) => ({ clock, box: el("input", { type: "checkbox", id: fresh("clock") }) }));
  const meant = watch.handover?.state === "offered" ? { offer: watch.handover.at } : {};
  const take = button(t("Take the watch"), () => act("/v1/watch/accept", { clocks: ticks.map(({ clock }) => clock.name), ...meant }, t("You have the watch.")), { kind: "main", disabled: ticks.length > 0 });
  const counted = () => {
    take.disabled = ticks.some(({ box }) => !box.checked);
  };
  ticks.forEach(({ box }) => box.addEventListener("change", counted));
  return el("section", { class: "stack" },
    ticks.length ? el("p", null, n(ticks.length, "{count} open clock goes with it: accept it by name.", "{count} open clocks go with it: accept each by name.")) : el("p", null, t("No clock is open.")),
    el("ul", { class: "openclocks" }, ticks.map(({ clock, box }) => el("li", null, box, el("label", { for: box.id },
      clock.overdue ? badge("overdue", { size: 14, words: t("overdue") }) : null, " ", el("span", { class: "ref" }, clock.clock.ref.reference || clockName(clock.name)), " ",
      clock.mine ? rich("ours, by {moment}", { moment: moment(clock.clock.due, context.live.now()) }) : rich("theirs, by {moment}", { moment: moment(clock.clock.due, context.live.now()) }))))), take);
}

function leaving(context, watch, act) {
  if (!context.live.may("watch-officer") || !watch.lines.some((line) => line.attended)) return null;
  const note = el("textarea", { rows: 2, maxlength: 1_000, dir: "auto" });
  return el("details", null, el("summary", null, t("Hand it over, or leave")), el("div", { class: "stack" },
    field(t("What the next officer must know"), note),
    el("div", { class: "row" },
      button(t("Offer the watch to the next officer"), () => act("/v1/watch/offer", { note: note.value }, t("The watch is offered."))),
      watch.handover?.state === "offered" && watch.handover.mine ? button(t("Keep it after all"), () => act("/v1/watch/withdraw", {}, t("You keep the watch."))) : null,
      button(t("Leave the floor unattended"), () => act("/v1/watch/leave", { note: note.value }, t("The other side is told that nobody is on watch.")), { kind: "danger" }))));
}
