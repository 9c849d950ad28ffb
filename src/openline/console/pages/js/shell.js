// The frame around every view: top bar with the station, the views and the clock; bands that cannot be overlooked; the view;
// the bar of keys with who is on watch, whether sound works, and the way out.

import * as api from "./api.js";
import { button, el, fill } from "./dom.js";
import { bind, bound, keyLabel, showKeys, whenBound } from "./keys.js";
import { day, hms, local, moment, tick } from "./moments.js";
import { redraw } from "./redrawn.js";
import { hashOf, navigation } from "./router.js";
import { badge, exercise, roleWord, wire } from "./signs.js";
import { soundState, testedAt, testSound, wake, whenSound } from "./sound.js";
import { wear, worn } from "./theme.js";
import { comma, listed, rich, t } from "./words.js";

const ROLES = ["watch-officer", "principal", "interpreter", "technician", "auditor", "administrator"];

export class Shell {
  /** `acts`: {lock, leave}, what the frame's own buttons do. */
  constructor(context, acts) {
    this.context = context;
    this.acts = acts;
    this.main = el("main", { id: "main", tabindex: -1 });
    this.bands = el("div", { class: "bands", role: "status" });
    this.shown = new Map();
    this.voice = el("div", { class: "only-heard", "aria-live": "polite" });
    this.nav = el("nav", { "aria-label": t("Views") });
    this.hints = el("div", { class: "hints", "aria-label": t("Keys of this view") });
    this.soundBox = el("span", { class: "soundbox" });
    const toMain = el("a", { class: "skip", href: "#main", on: { click: (event) => {
      event.preventDefault();
      this.main.focus();
    } } }, t("To the view"));
    this.root = el("div", { class: "shell" }, toMain, this.#topbar(), this.bands, this.main, this.#keybar(), this.voice);
    document.body.dataset.station = context.me.station.name;
    this.stops = [
      bind("floor-wide", this.#keys()),
      context.live.on("link", () => this.#station()),
      context.live.on("lines", () => this.#station()),
      whenSound(() => this.#sound()),
    ];
    whenBound(() => this.#hints());
    this.#station();
    this.#sound();
    this.#hints();
  }

  stop() {
    this.stops.forEach((stop) => stop());
    this.root.remove();
    delete document.body.dataset.exercise;
  }

  /** Say something to whoever hears the page. */
  say(words) {
    this.voice.textContent = "";
    requestAnimationFrame(() => (this.voice.textContent = words));
  }

  /** Show a band, or take it away (null). Bands stay until what they say is over. */
  band(name, node, kind = "look") {
    if (!node) {
      this.shown.get(name)?.remove();
      this.shown.delete(name);
      return;
    }
    if (!this.shown.has(name)) {
      this.shown.set(name, el("div"));
      this.bands.append(this.shown.get(name));
    }
    const band = this.shown.get(name);
    band.className = `band ${kind} ${name}-band`;
    redraw(band, () => node);
  }

  /** A view is about to open: mark it in the top bar, and wear EXERCISE where it belongs. */
  turned(params, line) {
    this.line = line;
    fill(this.nav, navigation().map(([name, words], place) => el("a", { href: hashOf(name), "aria-current": name === params.name ? "page" : null },
      el("kbd", { "aria-hidden": "true" }, place + 1), el("span", null, words))));
    // On a telephone not all names stand side by side: where one is must be in sight, once the bar is on the page.
    requestAnimationFrame(() => this.nav.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" }));
    this.#exercise();
  }

  #exercise() {
    const { live } = this.context;
    const line = this.line && live.line(this.line.label);
    const simulated = live.status?.simulated_clock;
    const drill = Boolean(line?.policy?.exercise);
    if (simulated || drill) document.body.dataset.exercise = "";
    else delete document.body.dataset.exercise;
    document.body.dataset.copy = simulated || drill ? `${t("EXERCISE")} · ${t("COPY")}` : t("COPY");
    this.band("exercise", simulated ? el("span", null, exercise(), " ", t("The clock is simulated: nothing on this station is live."))
      : drill ? el("span", null, exercise(), " ", t("This is an exercise line: nothing on it is live.")) : null, "exercise");
  }

  #station() {
    const { live } = this.context;
    document.body.toggleAttribute("data-lost", !live.connected && live.lostAt !== null);
    this.band("lost", live.connected || live.lostAt === null ? null : el("span", null, badge("lost"), " ", rich(
      "*The console has lost its station* since {moment}. What you see is of then and nothing of it is live. It is tried again by itself.",
      { moment: moment(live.lostAt) })), "act");
    this.#exercise();
  }

  #sound() {
    const state = soundState();
    const words = { blocked: t("Sound is blocked"), untested: t("Sound not tested"), tested: testedAt() !== null ? t("Sound tested") : "" }[state];
    fill(this.soundBox, button([badge(state === "blocked" ? "silent" : "sound"), " ", words, state === "tested" ? [" ", moment(testedAt())] : ""],
      () => testSound(this.context.live.now()), { kind: "bare", title: t("Test the sound of a FLASH") }));
    this.soundBox.classList.toggle("look", state !== "tested");
    this.band("sound", state === "blocked" ? el("span", null, badge("silent"), " ",
      t("This browser plays no sound yet: a FLASH would not be heard."), " ", button(t("Allow sound"), () => wake(), { key: "S" })) : null, "look");
  }

  #topbar() {
    const figures = el("time");
    const date = el("time");
    const here = el("span");
    const clock = el("div", { class: "utc" }, figures, el("div", null, date, el("br"), here));
    tick(clock, (at) => {
      figures.textContent = hms(at);
      date.textContent = day(at);
      here.textContent = t("{local} here", { local: local(at) });
    });
    return el("header", { class: "topbar" },
      el("a", { class: "me", href: "#/floor" }, wire("in service", { size: 11 }), el("span", { dir: "ltr" }, this.context.me.station.name)), this.nav, clock);
  }

  #keybar() {
    const { me } = this.context;
    const role = ROLES.find((each) => me.roles.includes(each));
    const who = [me.sign, role && roleWord(role)].filter(Boolean).join(comma());
    return el("footer", { class: "keybar" }, this.hints, el("div", { class: "end" }, this.soundBox,
      el("a", { href: "#/settings", class: "who", title: listed(me.roles.map(roleWord)) }, who),
      button(t("lock"), this.acts.lock, { kind: "bare", key: "L" }),
      button(t("sign out"), this.acts.leave, { kind: "bare" }),
      button(t("Light / dark"), () => this.#theme(), { kind: "bare theme" })));
  }

  async #theme() {
    const theme = wear(worn() === "dark" ? "light" : "dark");
    await api.put("/console/me", { theme }).catch(() => {});
  }

  #keys() {
    const go = (name) => () => (location.hash = hashOf(name));
    return [
      ...navigation().map(([name, words], place) => ({ key: String(place + 1), words, run: go(name), hint: false })),
      { key: "l", words: t("lock"), run: this.acts.lock, hint: false },
      { key: "s", words: t("test the sound"), run: () => testSound(this.context.live.now()), hint: false },
      { key: "?", words: t("all keys"), run: showKeys },
    ];
  }

  #hints() {
    const hints = [...bound()].sort((one, other) => (one.name === "floor-wide") - (other.name === "floor-wide"))
      .flatMap((layer) => layer.bindings.filter((each) => each.words && each.hint !== false));
    fill(this.hints, hints.map((each) => button(each.words, () => each.run(), { kind: "bare", key: keyLabel(each.key), tabindex: -1 })));
  }
}
