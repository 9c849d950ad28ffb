// Alarms as they leave the building: the paths and whether they work, who is called when, the roster, and a test.

import { explain, get, post } from "../api.js";
import { failure } from "../dialogs.js";
import { button, el, fill } from "../dom.js";
import { inertLine, inertString } from "../inert.js";
import { moment } from "../moments.js";
import { failureWord } from "../named.js";
import { alarmWords } from "../overlays/alarms.js";
import { comma, listed, n, t } from "../words.js";
import { roster } from "./roster.js";

const PATIENCE_MS = 60_000;

/** The panels of the alarms. */
export async function alarms(context, again) {
  const found = await get("/v1/alarms?limit=0");
  const said = el("div", { role: "status" });
  const may = context.live.may("watch-officer", "principal", "technician", "administrator");
  const test = async (path) => {
    fill(said, el("p", null, t("Calling; this can take a minute.")));
    try {
      const { tests } = await post("/v1/alarms/test", path ? { path } : {}, { patience: PATIENCE_MS });
      await again();
      fill(said);
      context.say(tests.map((each) => `${each.path}: ${each.taken ? t("taken") : t("not taken")}`).join(comma()));
    } catch (error) {
      fill(said, failure(error, explain));
    }
  };
  const now = context.live.now();
  return [
    el("section", { class: "panel" }, el("h2", null, t("Paths on which alarms leave the building")), el("p", { class: "second" }, t("An alarm never says what was said: it names a line, a kind and a moment.")),
      found.paths.length ? el("table", null, el("thead", null, el("tr", null, [t("Path"), t("By"), t("State"), t("Last taken"), t("Calls"), ""].map((head) => el("th", { scope: "col" }, head)))),
        el("tbody", null, found.paths.map((path) => el("tr", { "data-key": path.name }, el("td", null, el("b", null, inertLine(path.name, 40))), el("td", null, path.medium === "mail" ? t("e-mail") : t("webhook")),
          el("td", { class: path.works === null ? "look" : path.works ? "work" : "act" }, path.works === null ? t("never tried") : path.works ? t("works") : t("does not work: {why}", { why: failureWord(path.failure) })),
          el("td", null, moment(path.succeeded_at, now)), el("td", null, path.calls), el("td", null, may ? button(t("Test"), () => test(path.name), { "aria-label": t("Test the path {name}", { name: inertString(path.name, 40) }) }) : null)))))
        : el("p", { class: "look" }, t("No path is set up: an alarm is heard only in this room. The technician adds one to the configuration, in the table alarms.")),
      said, may && found.paths.length > 1 ? el("div", { class: "row" }, button(t("Test all paths"), () => test(null), { key: "T", "data-test-all": true })) : null,
      el("p", null, t("Sign of life to a switch outside:"), " ", found.heartbeat === "works" ? el("span", { class: "work" }, t("works")) : found.heartbeat === "off" ? el("span", { class: "look" }, t("not set up")) : el("span", { class: "act" }, t("does not work: {why}", { why: failureWord(found.heartbeat) })))),
    el("section", { class: "panel" }, el("h2", null, t("Who is called, and when")),
      found.steps.length ? el("table", null, el("thead", null, el("tr", null, [t("After"), t("Duty or path"), t("For"), t("Would call now")].map((head) => el("th", { scope: "col" }, head)))),
        el("tbody", null, found.steps.map((step) => el("tr", null, el("td", null, n(step.after_minutes, "{count} minute", "{count} minutes")), el("td", null, names(step.to)), el("td", null, step.kinds.length ? step.kinds.map((kind) => el("div", null, alarmWords({ kind }))) : t("every alarm")), el("td", null, step.paths.length ? names(step.paths) : el("span", { class: "act" }, t("nobody"))))))) : el("p", null, t("Nobody outside is called."))),
    roster(context, found, again),
  ];
}

const names = (list) => listed(list.map((each) => inertString(each, 40)));
