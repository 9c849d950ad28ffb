// Alarms: what is open stands in a band over every view until somebody takes it, with whom is called next; and a path on
// which alarms leave the building that does not work is never silent.

import { explain, get, post } from "../api.js";
import { failure, openDialog } from "../dialogs.js";
import { button, el, fill } from "../dom.js";
import { inertLine, inertString } from "../inert.js";
import { bind, keyLabel } from "../keys.js";
import { moment, span } from "../moments.js";
import { bearerName } from "../named.js";
import { lineName } from "../picking.js";
import { redraw } from "../redrawn.js";
import { badge, exercise, precedence } from "../signs.js";
import { comma, listed, n, rich, t } from "../words.js";

export const styles = ["alarms"];
const SOON_MS = 200;
const AGAIN_MS = 60_000;

/** What an alarm is about, in words. */
export function alarmWords({ kind, about = "" }) {
  const name = inertString(about, 64);
  return {
    flash: () => t("A FLASH is unread"), unattended: () => t("Something has come, and nobody is on watch"), "line-fault": () => t("The line is in fault"),
    "clock-ours": () => t("A clock of ours has run out"), "clock-theirs": () => t("A clock of theirs has run out"),
    "bearer-down": () => (name ? t("The bearer {name} is down", { name: bearerName(name) }) : t("A bearer is down")), "disk-low": () => t("The disk is nearly full"), "alarm-path": () => (name ? t("The alarm path {name} does not work", { name }) : t("An alarm path does not work")),
    "key-stolen": () => (name ? t("{name} holds one of its keys for stolen", { name }) : t("A key is held for stolen")), restored: () => t("A station came back from a backup"),
    "fork-proved": () => t("Two histories of one lane were shown"), "second-writer": () => t("A second station writes in one lane"), "keys-contradict": () => t("Keys contradict each other"),
    "generations-exhausted": () => t("A lane has no further generation"), "contact-missed": () => t("A regular contact was missed"), "acknowledgement-overdue": () => t("A person’s acknowledgement is overdue"),
    ring: () => t("A call rings, and nobody answers"), "station-silent": () => t("A station gives no sign of life"), test: () => t("A test of the alarm paths"),
  }[kind]?.() ?? t("Alarm: {kind}", { kind: inertString(kind, 40) });
}

export function watch(context) {
  const { live } = context;
  const state = { open: [], standing: [], paths: [], steps: [], heartbeat: "off" };
  let timer;
  let list = null;
  const may = live.may("watch-officer", "principal", "technician", "administrator");

  async function load() {
    try {
      Object.assign(state, await get("/v1/alarms?limit=0"));
    } catch {
      return;
    }
    band();
    paths();
    if (list) redraw(list, rows);
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(load, SOON_MS);
  }

  function where(alarm) {
    const line = alarm.line && live.line(alarm.line);
    return line ? [el("span", { class: "isolate" }, lineName(line)), ": "] : alarm.line ? [inertLine(alarm.line, 60), ": "] : null;
  }

  function band() {
    const [first] = state.open;
    if (!first) return context.band("alarms", null);
    const next = first.next_step_ms;
    return context.band("alarms", el("span", { class: "alarmline" }, badge("overdue"), el("b", null, t("ALARM")), first.exercise ? exercise() : null,
      el("span", null, where(first), alarmWords(first), comma(), rich("since {moment}", { moment: moment(first.since, live.now()) })),
      state.open.length > 1 ? el("span", null, n(state.open.length - 1, "and {count} more", "and {count} more")) : null,
      next === null ? null : el("span", null, t("Somebody outside is called in {span}.", { span: span(Math.max(0, next)) })),
      button(may ? t("take it") : t("look"), show, { key: keyLabel("alt+a") })), first.exercise ? "look" : "act");
  }

  function paths() {
    const broken = state.paths.filter((path) => path.works === false && !state.open.some((alarm) => alarm.kind === "alarm-path" && alarm.about === path.name));
    context.band("alarm-paths", broken.length ? el("span", null, badge("lost"), " ", rich("*An alarm path does not work:* {names}, since {moment}. Nobody outside is called on it. The technician mends it: openline doctor.", {
      names: listed(broken.map((path) => inertString(path.name, 40))), moment: moment(Math.min(...broken.map((path) => path.failed_at ?? live.now())), live.now()) })) : null, "look");
    context.band("heartbeat", ["off", "works"].includes(state.heartbeat) ? null : el("span", null, badge("lost"), " ", t("The sign of life does not go out: the switch outside will take this station for dead.")), "look");
  }

  const rows = () => {
    const all = [...state.open, ...state.standing];
    if (!all.length) return el("p", null, t("No alarm stands."));
    return el("ul", { class: "alarms" }, all.map((alarm) => row(alarm)));
  };

  function row(alarm) {
    const said = el("div", { role: "alert" });
    const open = alarm.state === "open";
    const take = async () => {
      try {
        await post(`/v1/alarms/${alarm.id}/acknowledge`);
        await load();
        list?.querySelector("button")?.focus();
      } catch (error) {
        fill(said, failure(error, explain));
      }
    };
    return el("li", { class: open ? "open" : null, "data-key": alarm.id }, el("div", null, el("p", null, badge("overdue", { size: 16 }), " ", el("b", null, where(alarm), alarmWords(alarm)), alarm.exercise ? [" ", exercise()] : null, alarm.precedence ? [" ", precedence(alarm.precedence.toLowerCase(), { size: 14 })] : null),
      el("p", { class: "small second" }, rich("since {moment}", { moment: moment(alarm.since, live.now()) }), alarm.subjects > 1 ? [comma(), n(alarm.subjects, "{count} message", "{count} messages")] : null,
        alarm.called.length ? [comma(), t("called: {names}", { names: listed(alarm.called.map((each) => inertString(each, 40))) })] : null,
        open ? null : [comma(), rich("taken by {sign}", { sign: el("span", { class: "fig" }, alarm.sign) })]), said), open && may ? button(t("I take it"), take, { key: keyLabel("enter") }) : null);
  }

  async function show() {
    list = el("div", { class: "stack" }, rows());
    await openDialog(t("Alarms"), list);
    list = null;
  }

  const offs = [live.on("alarm", soon), live.on("link", (found) => found && soon()),
    bind("floor-wide", [{ key: "alt+a", words: t("alarms"), run: show, hint: false }])];
  const again = setInterval(load, AGAIN_MS);
  load();
  return () => {
    clearTimeout(timer);
    clearInterval(again);
    offs.forEach((off) => off());
  };
}
