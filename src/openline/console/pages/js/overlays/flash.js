// A FLASH fills the screen and rings until an officer has read it, over every view and every dialog. Several wait one after
// the other. What belongs to an exercise wears its stripes and is never shown as live.

import { ofLine, get, post, explain } from "../api.js";
import { failure } from "../dialogs.js";
import { button, el, fill, fresh } from "../dom.js";
import { inertLine, inertText } from "../inert.js";
import { bind, hold, keyLabel } from "../keys.js";
import { gradeWord } from "../line/message.js";
import { keyOf } from "../line/window.js";
import { own } from "../live.js";
import { moment, runningClock } from "../moments.js";
import { presented } from "../presented.js";
import { badge, exercise, livery, precedenceShape, roleWord } from "../signs.js";
import { chime, hush, quiet, quietUntil, ring, soundState, wake, whenSound } from "../sound.js";
import { hashOf } from "../router.js";
import { tellArrival, tellFlash } from "../tab.js";
import { comma, languageName, listed, n, rich, t } from "../words.js";

export const styles = ["flash"];
/** Keys struck for something else while it came do not read it. */
const ARMED_MS = 1_000;
const DRILL_MS = 120_000;
const TOLD_MS = 120_000;
export const UNREAD = "openline.flash";

export function watch(context) {
  const wall = new Wall(context);
  wall.start();
  return () => wall.stop();
}

/** Whether nothing on that line is live. */
export const isExercise = (live, line, entry) => Boolean(entry?.exercise || line.policy?.exercise || live.status?.simulated_clock);

class Wall {
  constructor(context) {
    Object.assign(this, { context, live: context.live, queue: [], said: el("div", { role: "alert" }) });
    this.known = new Set();
  }

  start() {
    const { live } = this;
    this.offs = [
      live.on("entry", ({ line, entry }) => this.came(line, entry)),
      live.on("waiting", () => this.settle()),
      whenSound(() => this.drawSound()),
    ];
    this.onSight = () => this.present();
    document.addEventListener("visibilitychange", this.onSight);
    this.show();
    this.settle();
  }

  stop() {
    this.offs.forEach((off) => off());
    document.removeEventListener("visibilitychange", this.onSight);
    clearTimeout(this.drillTimer);
    clearTimeout(this.readTimer);
    this.queue = [];
    this.close();
  }

  // --- what comes --------------------------------------------------------------------------------------------------

  came(line, entry) {
    if (entry.author === own(line).name) return this.ownSaid(line, entry);
    if (entry.kind === "test" && entry.body.drill) return this.drill(line, entry);
    if (entry.kind === "translation") return this.translated(line, entry);
    if (entry.kind !== "message" || entry.refused) return undefined;
    if (entry.body.precedence === "flash") return this.add(line, entry);
    if (Math.abs(this.live.now() - entry.time) < 86_400_000) {
      chime();
      tellArrival();
    }
    return undefined;
  }

  add(line, entry) {
    const key = `${line.line} ${keyOf(entry.ref)}`;
    if (this.known.has(key) || this.done(line, entry)) return;
    this.known.add(key);
    this.queue.push({ key, line, entry, remarks: entry.remarks ?? [] });
    this.show();
  }

  done(line, entry) {
    const mine = entry.status?.[own(line).name];
    return Boolean(entry.superseded || entry.refused || (mine && (mine.acknowledged || mine.read || mine.relayed || mine.answered || mine.declined)));
  }

  /** One of our own people has said something of it, at this console or another. */
  ownSaid(line, entry) {
    const of = entry.body.of ?? entry.body.answers;
    if (!of || (entry.kind === "receipt" && entry.body.step === "presented") || entry.kind === "translation") return;
    const key = `${line.line} ${keyOf(of)}`;
    const item = this.queue.find((each) => each.key === key);
    if (item) this.remove(item, entry.body.sign);
  }

  translated(line, entry) {
    const key = `${line.line} ${keyOf(entry.body.of)}`;
    const item = this.queue.find((each) => each.key === key);
    if (!item) return;
    item.remarks.push(entry);
    if (item === this.shown) this.drawText();
  }

  /** What the inbox knows: unread ones of before, and what was read elsewhere. */
  async settle() {
    const { inbox } = this.live;
    for (const item of [...this.queue]) {
      const kept = inbox.messages.get(item.line.line)?.get(keyOf(item.entry.ref));
      if (kept && this.done(item.line, kept)) this.remove(item);
    }
    for (const { line, entry } of inbox.unread()) {
      const key = `${line.line} ${keyOf(entry.ref)}`;
      if (entry.precedence !== "flash" || this.known.has(key) || this.done(line, entry)) continue;
      try {
        this.add(line, await get(ofLine(line, `/entries/${keyOf(entry.ref)}`)));
      } catch { /* tried again when the inbox changes */ }
    }
  }

  remove(item, sign = "") {
    this.queue = this.queue.filter((each) => each !== item);
    const words = sign ? rich("FLASH {reference} was read by {sign}.", { reference: el("span", { class: "ref" }, item.entry.ref.reference), sign: el("b", { class: "fig" }, sign) })
      : rich("FLASH {reference} was read.", { reference: el("span", { class: "ref" }, item.entry.ref.reference) });
    this.context.band("flash-read", el("span", null, precedenceShape("flash"), " ", words, " ", el("a", { href: hashOf("line", item.line.label, { at: item.seq ?? item.entry.seq }) }, t("see it on the line")), " ",
      button(t("Close"), () => this.context.band("flash-read", null))), "look");
    clearTimeout(this.readTimer);
    this.readTimer = setTimeout(() => this.context.band("flash-read", null), TOLD_MS);
    this.show();
  }

  drill(line, entry) {
    if (Math.abs(this.live.now() - entry.time) > DRILL_MS) return;
    this.context.band("drill", el("span", null, exercise(t("DRILL")), " ", rich("A drill from {party} has come at {moment}. It is not live.", { party: el("bdi", null, entry.author), moment: moment(entry.time) }), " ",
      button(t("Close"), () => this.context.band("drill", null))), "exercise");
    clearTimeout(this.drillTimer);
    this.drillTimer = setTimeout(() => this.context.band("drill", null), DRILL_MS);
  }

  // --- the wall ----------------------------------------------------------------------------------------------------

  show() {
    sessionStorage.setItem(UNREAD, JSON.stringify(this.queue.map((item) => [item.line.label, keyOf(item.entry.ref)])));
    if (!this.queue.length) return this.close();
    if (!this.dialog) this.open();
    if (this.shown !== this.queue[0]) this.draw(this.queue[0]);
    else this.drawFoot();
    ring();
    const { line, entry } = this.shown;
    const words = t("FLASH from {party} on line {number}", { party: entry.author, number: line.number });
    tellFlash(isExercise(this.live, line, entry) ? `${t("EXERCISE")}: ${words}` : words);
    return undefined;
  }

  open() {
    this.before = document.activeElement;
    this.dialog = el("dialog", { class: "flashwall", closedby: "none", on: {
      cancel: (event) => event.preventDefault(),
      keydown: (event) => event.key === "Escape" && event.preventDefault(),
      close: () => this.queue.length && this.dialog?.isConnected && this.dialog.showModal(),
    } });
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.unbind = bind("dialog", [
      { key: "ctrl+enter", words: t("I have read it"), run: () => this.read(), always: true },
      { key: "s", words: t("quiet for 60 seconds"), run: () => this.hushed() },
    ]);
  }

  close() {
    if (!this.dialog) return;
    const { dialog } = this;
    this.dialog = this.shown = null;
    this.unbind();
    clearInterval(this.timer);
    dialog.close();
    dialog.remove();
    hold(["ctrl+enter", "s"], ARMED_MS);
    hush();
    tellFlash("");
    if (this.before instanceof HTMLElement && this.before.isConnected) this.before.focus();
  }

  draw(item) {
    const { line, entry } = item;
    this.shown = item;
    this.armed = performance.now() + ARMED_MS;
    const drill = isExercise(this.live, line, entry);
    const heading = fresh("flash");
    const due = entry.status?.[own(line).name]?.due ?? null;
    this.text = el("div", { class: "txt", tabindex: -1, "data-quiet-focus": "" });
    this.foot = el("div", { class: "foot" });
    this.sound = el("p");
    fill(this.said);
    this.dialog.setAttribute("aria-labelledby", heading);
    this.dialog.classList.toggle("drill", drill);
    fill(this.dialog, el("header", null, precedenceShape("flash", { size: 92 }), el("div", null, drill ? exercise() : null,
      el("h1", { id: heading, tabindex: -1 }, rich("FLASH from {party}", { party: el("bdi", null, entry.author) })), el("p", null, el("span", { class: "fig" }, entry.ref.reference)),
      livery(el("p", { class: "where" }, el("span", null, rich("Line {number} {title}. To {roles}.", { number: el("b", { class: "fig" }, line.number), title: inertLine(line.title || line.label, 60), roles: listed((entry.body.roles ?? []).map(roleWord)) }))), line)),
    due === null ? null : el("div", { class: "due" }, runningClock(due, entry.time, { meter: false }), el("p", null, rich("to be read by {moment}", { moment: moment(due) })))),
    this.text, this.foot);
    this.drawText();
    this.drawFoot();
    this.context.say(t("FLASH from {party} on line {number}", { party: entry.author, number: line.number }));
    requestAnimationFrame(() => requestAnimationFrame(() => this.present()));
    this.look(item);
  }

  drawText() {
    const { entry, remarks } = this.shown;
    const { body } = entry;
    const translations = remarks.filter((each) => each.kind === "translation");
    const mine = translations.findLast((each) => each.body.language === this.context.me.language) ?? translations.at(-1);
    const slot = (kind, language, subject, text) => el("section", { class: "slot" }, el("p", { class: "tag" }, el("b", null, kind), comma(), languageName(language)), subject ? el("h2", null, inertLine(subject, 256)) : null, inertText(text ?? "", language));
    fill(this.text, mine ? slot(`${gradeWord(mine.body.grade)} ${mine.author} ${mine.body.sign}`, mine.body.language, mine.body.subject, mine.body.text) : null, slot(t("original"), body.language, body.subject, body.text));
    this.text.classList.toggle("two", Boolean(mine));
  }

  drawFoot() {
    const may = this.live.may("watch-officer");
    const more = this.queue.length - 1;
    const main = may ? button(t("I have read it. Stop the sound"), () => this.read(), { kind: "main big", key: keyLabel("ctrl+enter") })
      : button(t("Close on this screen"), () => this.aside(), { kind: "main big", key: keyLabel("ctrl+enter") });
    const held = this.foot.contains(document.activeElement) || document.activeElement === document.body || !this.dialog.contains(document.activeElement);
    fill(this.foot, main, button(t("Quiet for 60 seconds"), () => this.hushed(), { kind: "big", key: "S" }), el("div", { class: "end" }, this.said,
      may ? null : el("p", { class: "look" }, t("A watch officer acknowledges it.")),
      more ? el("p", { class: "look" }, el("b", null, n(more, "{count} more FLASH waits behind this one.", "{count} more FLASH wait behind this one."))) : null, this.sound));
    this.drawSound();
    if (held) main.focus();
  }

  drawSound() {
    if (!this.dialog || !this.sound) return;
    const still = quietUntil() - Date.now();
    clearTimeout(this.timer);
    if (soundState() === "blocked") fill(this.sound, el("span", { class: "act" }, badge("silent", { size: 24 }), " ", t("This browser plays no sound yet: a FLASH would not be heard."), " "), button(t("Allow sound"), () => wake()));
    else if (still > 0) {
      fill(this.sound, badge("silent", { size: 24 }), " ", t("Quiet: it rings again in {seconds} s.", { seconds: Math.ceil(still / 1_000) }));
      this.timer = setTimeout(() => this.drawSound(), 1_000);
    } else fill(this.sound, badge("sound", { size: 24 }), " ", t("It rings on every console here until somebody reads it."));
  }

  hushed() {
    quiet(60);
    this.drawSound();
  }

  /** Translations that came with it, and where it stands for the arrival number of the link. */
  async look(item) {
    try {
      const fuller = await get(ofLine(item.line, `/entries/${keyOf(item.entry.ref)}`));
      item.remarks = fuller.remarks ?? item.remarks;
      if (item === this.shown) this.drawText();
    } catch { /* the original stands there */ }
  }

  // --- what the officer does ---------------------------------------------------------------------------------------

  /** It stands on a screen that an officer can see: signed once. */
  present() {
    if (!this.shown || document.visibilityState !== "visible" || !this.live.connected || !this.live.may("watch-officer")) return;
    const { line, entry } = this.shown;
    if ((this.live.line(line.label) ?? line).parties.find((party) => party.me).attended) presented(line, [entry]);
  }

  async read() {
    if (performance.now() < this.armed) return;
    if (!this.live.may("watch-officer")) return this.aside();
    const item = this.shown;
    if (!item || this.busy) return;
    this.busy = true;
    const { lane, generation, index, leaf } = item.entry.ref;
    try {
      await post(ofLine(item.line, "/entries"), { kind: "receipt", of: { lane, generation, index, leaf }, step: "read" });
      if (this.queue.includes(item)) this.remove(item, this.context.me.sign);
    } catch (error) {
      fill(this.said, failure(error, explain));
    } finally {
      this.busy = false;
    }
  }

  /** Whoever may not acknowledge goes on with their own work; the other consoles ring. */
  aside() {
    if (performance.now() < this.armed) return;
    this.queue = this.queue.filter((each) => each !== this.shown);
    this.show();
  }
}
