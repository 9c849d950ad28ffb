// Who has the floor. Every page keeps the same small register: how the call is spoken (freely, or by turns), who has the floor,
// which officer spoke last. Whoever changes it counts it up and tells all others over the data channels; the highest number
// stands, and of two equal ones that of the lower seat, so that all pages agree whatever order things come in.

import { seatKey } from "./connection.js";

const MOST = 1_000_000_000;
const KEY = /^[0-9]{1,2}\/[01]$/;
const isKey = (value) => value === null || (typeof value === "string" && KEY.test(value));

/** "1/0" as {party, seat}. */
export const seatOf = (key) => ({ party: Number(key.split("/")[0]), seat: Number(key.split("/")[1]) });

/** The message of a text that came over a data channel: {turn} or {seat}; null if it is neither. */
export function understood(text) {
  let said;
  try {
    said = JSON.parse(text);
  } catch {
    return null;
  }
  const turn = said?.turn;
  if (turn && typeof turn === "object") {
    const good = Number.isInteger(turn.number) && turn.number >= 0 && turn.number < MOST && (turn.mode === "open" || turn.mode === "turns")
      && isKey(turn.holder) && isKey(turn.officer) && isKey(turn.by) && turn.by !== null;
    return good ? { turn: { number: turn.number, mode: turn.mode, holder: turn.holder, officer: turn.officer, by: turn.by } } : null;
  }
  if (said?.seat && typeof said.seat === "object") return { seat: { muted: said.seat.muted === true, held: said.seat.held === true, asks: said.seat.asks === true } };
  return null;
}

/** In consecutive interpretation: who speaks after that seat. `there(key)` says whether a seat is in the call. */
export function following(key, officer, parties, there) {
  const { party, seat } = seatOf(key);
  const others = parties.filter((each) => each !== party);
  if (seat === 0) {
    const interpreter = [...others, party].map((each) => `${each}/1`).find(there);
    return interpreter ?? others.map((each) => `${each}/0`).find(there) ?? null;
  }
  const spoke = officer === null ? party : seatOf(officer).party;
  return parties.filter((each) => each !== spoke).map((each) => `${each}/0`).find(there) ?? null;
}

export class Turns {
  /** `own` is this page's seat, `tell(message)` says something to all others, `changed()` is called when anything changes. */
  constructor(own, { tell, changed, there, parties }) {
    Object.assign(this, { key: seatKey(own), tell, changed, there, parties, seats: new Map(), mine: { muted: false, held: false, asks: false } });
    this.turn = { number: 0, mode: "open", holder: null, officer: null, by: this.key };
  }

  get byTurns() {
    return this.turn.mode === "turns";
  }

  /** Who has the floor: a seat that is in the call, or null. */
  get holder() {
    return this.byTurns && this.turn.holder !== null && this.there(this.turn.holder) ? this.turn.holder : null;
  }

  /** Who comes after the holder. */
  get next() {
    const { holder } = this;
    return holder === null ? null : following(holder, this.turn.officer, this.parties(), this.there);
  }

  /** Whether this page may send sound as things stand. */
  get speaks() {
    return !this.mine.muted && !this.mine.held && (!this.byTurns || this.holder === this.key);
  }

  /** What another page said of itself, or of the turn. */
  hear(from, message) {
    if (message.seat) this.seats.set(from, message.seat);
    if (message.turn) {
      const { turn } = message;
      const newer = turn.number > this.turn.number || (turn.number === this.turn.number && turn.by < this.turn.by);
      if (newer) this.turn = turn;
      else if (turn.number < this.turn.number) this.tell({ turn: this.turn });
      if (this.holder === this.key) this.mine.asks = false;
    }
    this.changed();
  }

  /** Everything that a page which has just come must know. */
  all() {
    return [{ seat: this.mine }, { turn: this.turn }];
  }

  /** Say of oneself: muted, held, asks. */
  set(changes) {
    Object.assign(this.mine, changes);
    this.tell({ seat: this.mine });
    this.changed();
  }

  #turn(changes) {
    this.turn = { ...this.turn, ...changes, number: this.turn.number + 1, by: this.key };
    this.tell({ turn: this.turn });
    this.changed();
  }

  /** Speak freely, or by turns. */
  mode(mode) {
    if (mode !== this.turn.mode) this.#turn({ mode, holder: null });
  }

  /** Take the floor if it is free, else ask for it. */
  ask() {
    if (!this.byTurns || this.holder === this.key) return;
    if (this.holder === null) {
      this.mine.asks = false;
      this.#turn({ holder: this.key, officer: seatOf(this.key).seat === 0 ? this.key : this.turn.officer });
      this.tell({ seat: this.mine });
    } else this.set({ asks: true });
  }

  /** Ask no longer. */
  unask() {
    if (this.mine.asks) this.set({ asks: false });
  }

  /** Give the floor on: to whom it is due, to who asks, or to nobody. */
  give() {
    if (this.holder !== this.key) return;
    const asking = [...this.seats].find(([key, seat]) => seat.asks && this.there(key))?.[0] ?? null;
    const interpreted = [...this.parties()].some((party) => this.there(`${party}/1`));
    const to = interpreted ? this.next : asking;
    this.#turn({ holder: to, officer: to !== null && seatOf(to).seat === 0 ? to : this.turn.officer });
  }

  /** What is known of a seat: {muted, held, asks}. */
  of(key) {
    return key === this.key ? this.mine : this.seats.get(key) ?? { muted: false, held: false, asks: false };
  }
}
