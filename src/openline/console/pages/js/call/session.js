// This console's own part in one call: its seat, its key, its microphone, and the paths of sound to the other seats. It lives
// beside the views, so that an officer may look things up in mid-call; it ends with the page.

import { get, post } from "../api.js";
import { Connection, seatKey } from "./connection.js";
import { loudspeaker } from "./microphone.js";
import { understood, Turns } from "./turns.js";

const ALIVE_MS = 2_000;
const LEVEL_MS = 250;
const SPOKEN_MS = 240_000;
const FAILED_MS = 10_000;
const LOUD = 0.02;
const MOST_EARLY = 64;

/** A path below a call. */
export const ofCall = (view, rest = "") => `/v1/lines/${encodeURIComponent(view.lineId ?? view.line)}/calls/${view.place}${rest}`;

/** 32 hex digits nobody can guess: the name of this console in this call. */
export const newConsole = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export class Session {
  /** `key` is of gate.newKey(); `acts`: {changed(), over(why, error), say(words)}. */
  constructor(view, { console: name, key, acts, microphone }) {
    Object.assign(this, { view, console: name, key, acts, connections: new Map(), early: new Map(), spoken: [], closed: false, started: 0, microphone, away: false, path: ofCall(view) });
    microphone.changed = () => this.#microphone();
    this.turns = null;
    this.beat = setInterval(() => this.#alive(), ALIVE_MS);
    this.ear = setInterval(() => this.#listen(), LEVEL_MS);
    this.onLeave = () => this.#leaveNow();
    addEventListener("pagehide", this.onLeave);
    this.#ways();
  }

  /** This console's seat, once the call is picked up; null before. */
  get own() {
    const mine = this.view.seats.filter((seat) => seat.me);
    return mine.find((seat) => seat.console === this.console) ?? mine.find((seat) => seat.seat === this.seat && !seat.console && seat.fingerprint === this.key.fingerprint) ?? null;
  }

  /** The seats to which sound goes from here. */
  get others() {
    const { own } = this;
    return this.view.seats.filter((seat) => seat.fingerprint && seat.state !== "left" && !(own && seat.party === own.party && seat.seat === own.seat));
  }

  connection(seat) {
    return this.connections.get(seatKey(seat)) ?? null;
  }

  /** Whether sound has come through to some other seat. */
  get sounding() {
    return [...this.connections.values()].some((each) => each.state === "connected");
  }

  /** Whether voice does not get through: no path within ten seconds, or one that broke and does not mend. */
  get failing() {
    if (this.view.state !== "open" || !this.started || this.sounding) return false;
    return performance.now() - (this.brokeAt ?? this.started) > FAILED_MS;
  }

  /** The call as the station knows it now. */
  take(view) {
    this.view = view;
    if (this.closed || view.state !== "open") return;
    const { own } = this;
    if (!own) {
      const another = view.seats.find((seat) => seat.me && seat.seat === this.seat);
      if (this.seat !== undefined && another?.console && another.console !== this.console) this.acts.over("taken");
      return;
    }
    if (own.state === "left") {
      this.acts.over("left");
      return;
    }
    if (this.seat === undefined) this.#seated(own);
    const wanted = new Map(this.others.map((seat) => [seatKey(seat), seat]));
    for (const [key, connection] of this.connections) {
      if (wanted.get(key)?.fingerprint === connection.peer.fingerprint) continue;
      connection.close();
      this.connections.delete(key);
    }
    for (const [key, seat] of wanted) if (!this.connections.has(key)) this.#connect(key, seat);
  }

  #seated(own) {
    this.seat = own.seat;
    this.started = performance.now();
    this.turns = new Turns(own, {
      tell: (message) => this.connections.forEach((each) => each.say(JSON.stringify(message))),
      changed: () => this.#turned(), there: (key) => this.view.seats.some((seat) => seatKey(seat) === key && seat.state !== "left" && seat.state !== "lost"),
      parties: () => this.view.parties.map((party) => party.party),
    });
    if (this.locked) this.#hushed();
  }

  #connect(key, seat) {
    const peer = { party: seat.party, seat: seat.seat, fingerprint: seat.fingerprint };
    const { own } = this;
    let opened = false;
    const connection = new Connection({ party: own.party, seat: own.seat }, peer, this.key.certificate, {
      send: (type, data) => this.#signal(peer, type, data),
      ways: (fresh) => this.#ways(fresh),
      refused: (fault) => this.#refused(fault),
      passed: (protection) => this.#passed(peer, protection),
      said: (text) => {
        const message = understood(text);
        if (message) this.turns.hear(key, message);
      },
      changed: () => {
        const open = connection.state === "connected" && connection.channel?.readyState === "open";
        if (open && !opened) for (const each of this.turns.all()) connection.say(JSON.stringify(each));
        opened = open;
        this.brokeAt = this.sounding ? null : this.brokeAt ?? (connection.state === "broken" ? performance.now() : null);
        this.acts.changed();
      },
    });
    this.connections.set(key, connection);
    this.attach(connection);
    connection.track = this.microphone.track;
    connection.hush(this.turns.mine.held);
    connection.start().catch((error) => console.warn(`no path of sound could begin: ${error.name}`));
    for (const [type, data] of this.early.get(key)?.splice(0) ?? []) connection.signal(type, data);
  }

  /** The relays of this side; asked for while it rings, and anew where a path must be mended: their credentials run out. */
  #ways(fresh = false) {
    if (fresh || !this.given) this.given = get(`${this.path}/ways`).catch(() => ({ ice: [], relay_only: false }));
    return this.given;
  }

  /** Where a seat is heard: an element of the page, which a new page frame takes over. */
  attach(connection) {
    document.body.append(connection.element);
    if (loudspeaker() && connection.element.setSinkId) connection.element.setSinkId(loudspeaker()).catch(() => {});
    if (connection.element.srcObject) connection.element.play().catch(() => {});
  }

  attachAll() {
    this.connections.forEach((each) => this.attach(each));
  }

  // --- signals -----------------------------------------------------------------------------------------------------

  /** A signal of another seat, for this one. */
  signal({ from, to, type, data }) {
    const { own } = this;
    if (this.closed || (own && (to.party !== own.party || to.seat !== own.seat))) return;
    const key = seatKey(from);
    const connection = this.connections.get(key);
    if (connection) connection.signal(type, data);
    else {
      const kept = this.early.get(key) ?? [];
      if (kept.length < MOST_EARLY) kept.push([type, data]); // it came before the entry that names the seat's key
      this.early.set(key, kept);
    }
  }

  /** In order, one after the other: a station that is away is tried again while the call goes on. */
  #signal(to, type, data) {
    this.queue = (this.queue ?? Promise.resolve()).then(async () => {
      for (let tries = 0; tries < 5 && !this.closed; tries += 1) {
        try {
          await post(`${this.path}/signal`, { console: this.console, to: { party: to.party, seat: to.seat }, type, data });
          return;
        } catch (error) {
          if (error.code !== "away" && error.code !== "quota") return;
          await new Promise((resolve) => setTimeout(resolve, 1_000));
        }
      }
    });
  }

  async #passed(peer, { dtls, cipher, srtp, path }) {
    this.soundAt ??= performance.now();
    try {
      await post(`${this.path}/connected`, { console: this.console, peer: { party: peer.party, seat: peer.seat }, dtls, cipher, srtp, path });
    } catch { /* sound does not wait for the record; the next beat says that it flows */ }
    this.#alive();
  }

  #refused(fault) {
    post(`${this.path}/hang-up`, { console: this.console, cause: "not-protected" }).catch(() => {});
    this.acts.over(fault === "version" ? "version" : "fingerprint");
  }

  async #alive() {
    if (this.closed || this.view.state !== "open" || this.seat === undefined) return;
    try {
      await post(`${this.path}/alive`, { console: this.console, sound: this.sounding }, { patience: 5_000 });
      this.away = false;
    } catch (error) {
      this.away = error.code === "away";
      if (!this.locked && (error.code === "conflict" || error.code === "unknown")) await this.#resit().catch(() => {}); // a locked page takes no seat
    }
    if (!this.turns?.mine.held) dispatchEvent(new Event("openline-call")); // somebody who speaks in a call is there, also without a key or a touch
    this.turns?.tell({ seat: this.turns.mine });
  }

  /** The station does not know this console any more: it was away, or another console sits here. Sound has gone on: with the same key the seat is taken again. */
  async #resit() {
    if (this.resitting) return; // beats overlap where the station is slow: the second would find the seat taken, by this console
    this.resitting = true;
    try {
      await this.#sitAgain();
    } finally {
      this.resitting = false;
    }
  }

  async #sitAgain() {
    const { lineId, line } = this.view;
    const view = { ...await get(this.path), lineId, line };
    const seat = view.seats.find((each) => each.me && each.seat === this.seat);
    if (view.state !== "open" || this.closed || seat?.console === this.console) return;
    if (seat && seat.console && (seat.state === "opening" || seat.state === "connected")) {
      this.acts.over("taken");
      return;
    }
    try {
      await post(`${this.path}/seat`, { console: this.console, fingerprint: this.key.fingerprint, act: this.seat === 0 ? "takes-over" : "joins", lang: seat?.lang || null });
      this.missed = 0;
      for (const each of this.connections.values()) if (each.state === "connected") this.#passed(each.peer, each.protection); // said anew of a seat that is taken anew
    } catch (error) {
      this.missed = (this.missed ?? 0) + 1;
      if (this.missed >= 3 && error.code !== "away") this.acts.over("left");
    }
  }

  // --- sound -------------------------------------------------------------------------------------------------------

  #microphone() {
    const { track } = this.microphone;
    if (track) track.enabled = Boolean(this.turns?.speaks);
    this.connections.forEach((each) => each.send(track).catch(() => {}));
    this.acts.changed();
  }

  #turned() {
    const { track } = this.microphone;
    if (track) track.enabled = this.turns.speaks;
    this.connections.forEach((each) => each.hush(this.turns.mine.held));
    this.acts.changed();
  }

  /** How loud a seat is now, 0 to 1. */
  level(seat) {
    if (this.own && seat.me && seat.seat === this.own.seat) return this.turns?.speaks ? this.microphone.level() : 0;
    return this.connection(seat)?.level() ?? 0;
  }

  /** Whether a seat speaks in this moment; by turns only who has the floor does. */
  speaking(seat) {
    return this.level(seat) > LOUD && (!this.turns?.byTurns || this.turns.holder === seatKey(seat));
  }

  /** Who spoke when, for the picture: [{key, from, to}] of the last four minutes. */
  #listen() {
    if (this.closed || this.view.state !== "open" || !this.turns) return;
    const at = Date.now();
    for (const seat of this.view.seats) {
      if (!this.speaking(seat)) continue;
      const key = seatKey(seat);
      const last = this.spoken.findLast((each) => each.key === key);
      if (last && at - last.to < 900) last.to = at;
      else this.spoken.push({ key, from: at - LEVEL_MS, to: at });
    }
    while (this.spoken.length && (this.spoken[0].to < at - SPOKEN_MS || this.spoken.length > 400)) this.spoken.shift();
    this.acts.levels?.();
  }

  mute(muted = !this.turns?.mine.muted) {
    this.turns?.set({ muted });
  }

  hold(held = !this.turns?.mine.held) {
    this.turns?.set({ held });
  }

  /** Another loudspeaker from now on. */
  async sink(id) {
    for (const each of this.connections.values()) await each.element.setSinkId?.(id).catch(() => {});
  }

  // --- the lock ----------------------------------------------------------------------------------------------------

  /** The console is locked: the call goes on, and whoever passes by neither hears it nor is heard. A ring that nobody here waits for is withdrawn. */
  lock() {
    if (this.locked || this.closed) return;
    this.locked = { held: Boolean(this.turns?.mine.held) };
    this.#hushed();
    if (this.view.state === "ringing" && this.view.mine) post(`${this.path}/hang-up`, { console: this.console }).catch(() => {});
  }

  #hushed() {
    if (this.turns?.holder === this.turns?.key) this.turns?.give();
    this.turns?.set({ muted: true, held: true, asks: false });
  }

  /** Its officer is back and hears again; nothing is heard from here before the microphone is put on by hand. */
  unlock() {
    if (!this.locked) return;
    const { held } = this.locked;
    this.locked = null;
    this.turns?.set({ held });
  }

  // --- the end -----------------------------------------------------------------------------------------------------

  /** Say that this console leaves its seat. `parting`: the page goes. */
  leaves({ parting = false } = {}) {
    return post(`${this.path}/seat`, { console: this.console, act: "leaves" }, { parting });
  }

  /** The page goes: said while it still can be. */
  #leaveNow() {
    if (!this.closed && this.seat !== undefined) this.leaves({ parting: true }).catch(() => {});
  }

  /** No sound any more, in or out. */
  close() {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.beat);
    clearInterval(this.ear);
    removeEventListener("pagehide", this.onLeave);
    this.connections.forEach((each) => each.close());
    this.connections.clear();
    this.microphone.close();
  }
}
