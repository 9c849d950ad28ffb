// What stands on the lines now, kept alive: loaded once, then followed by the station's event stream. Nothing is missed over a
// gap (the stream resumes at the last event), a gap is never silent (`connected` is false, and the shell says so), and memory
// is bounded whatever comes.

import { get, ofLine, pageKey, query } from "./api.js";
import { Inbox } from "./inbox.js";
import { appearance } from "./liveries.js";

const SETTLE_MS = 150;
const PULSE_MS = 10_000;
const LOST_PULSE_MS = 2_000;
const LINES_MS = 20_000;
const MOST_UNHEARD = 5; // answers of the station without a stream, each two seconds after the one before

export class Live {
  /** `locked`: only the state of the lines is to be had, and that a FLASH has come. */
  constructor(me, { locked = false } = {}) {
    this.me = me;
    this.locked = locked;
    this.status = null;
    this.lines = new Map();
    this.connected = false;
    this.lostAt = null;
    this.inbox = new Inbox(this);
    this.offset = 0;
    this.heard = new Map();
    this.stirred = new Map();
    this.last = "";
    this.unheard = 0;
    this.closed = false;
  }

  /** The station's time of day, also while it is away. */
  now() {
    return Date.now() + this.offset;
  }

  /** Hear of `name`: "lines" (any line changed), "entry" ({line, entry}), "waiting" (the inbox changed), "link" (found or lost),
   * "noticed", "state", "alarm", "draft" ({line, draft, state}), "call" (a CallView), "signal", "call-wanted", and on a locked page "flash" and
   * "answered". */
  on(name, hear) {
    if (!this.heard.has(name)) this.heard.set(name, new Set());
    this.heard.get(name).add(hear);
    return () => this.heard.get(name).delete(hear);
  }

  tell(name, value) {
    for (const hear of this.heard.get(name) ?? []) {
      try {
        hear(value);
      } catch (error) {
        console.error(error); // one screen's fault is not the others'
      }
    }
  }

  /** A line by its label or id. */
  line(name) {
    return this.lines.get(name) ?? [...this.lines.values()].find((line) => line.line === name);
  }

  /** Load everything and follow. Raises Failed if the station does not answer the first call. */
  async start() {
    await Promise.all([this.#status(), this.refresh()]);
    this.#follow();
    this.#pulse();
    this.timer = setInterval(() => this.connected && this.refresh().catch(() => {}), LINES_MS);
    this.#waiting();
  }

  #waiting() {
    if (!this.locked && this.may("watch-officer", "principal", "interpreter", "auditor")) this.inbox.load();
  }

  /** Whether the officer has one of these roles. */
  may(...roles) {
    return roles.some((role) => this.me.roles.includes(role));
  }

  stop() {
    this.closed = true;
    this.source?.close();
    clearTimeout(this.pulse);
    clearTimeout(this.again);
    clearInterval(this.timer);
    this.heard.clear();
  }

  async #status() {
    const before = Date.now();
    this.status = await get("/v1/status", { patience: 5_000 });
    this.offset = this.status.now - (before + Date.now()) / 2;
  }

  /** All lines anew. */
  async refresh() {
    const { lines } = await get("/v1/lines");
    const known = appearance(lines);
    this.lines = new Map(lines.map((line) => [line.label, Object.assign(line, known.get(line.line), { shown: shownState(line) })]));
    this.tell("lines");
  }

  /** One line anew, soon; many askings make one call. */
  stir(label) {
    if (this.stirred.has(label)) return;
    this.stirred.set(label, setTimeout(async () => {
      this.stirred.delete(label);
      const line = this.lines.get(label);
      try {
        if (!line || this.locked) return await this.refresh();
        Object.assign(line, await get(ofLine(line)));
        line.shown = shownState(line);
        this.tell("lines", line);
      } catch { /* the pulse finds out whether the station is away */ }
    }, SETTLE_MS));
  }

  // --- the stream --------------------------------------------------------------------------------------------------

  #follow() {
    if (this.closed) return;
    const after = this.last || [...this.lines.values()].map((line) => `${line.line.slice(0, 16)}:${line.last_seq}`).join(",");
    const source = this.source = new EventSource(`/v1/events${query({ page: pageKey(), after: after || null })}`);
    this.again = undefined;
    this.unheard = 0;
    source.addEventListener("open", () => {
      this.wait = 1_000;
      if (this.opened) this.#found();
      this.opened = true;
      this.#link(true);
    });
    source.addEventListener("error", () => {
      if (this.closed) return;
      // A stream that ended comes back by itself with Last-Event-ID; one that was refused does not.
      if (source.readyState === EventSource.CLOSED) {
        this.wait = Math.min((this.wait ?? 1_000) * 2, 10_000);
        this.again = setTimeout(() => this.#follow(), this.wait);
      }
      this.#beat();
    });
    for (const name of ["entry", "holds", "noticed", "state", "flash", "answered", "alarm", "draft", "call", "signal", "call-wanted"]) source.addEventListener(name, (event) => this.#event(name, event));
  }

  #event(name, event) {
    if (event.lastEventId) this.last = event.lastEventId;
    const data = JSON.parse(event.data);
    const line = this.lines.get(data.line);
    if (name === "state" && line) {
      Object.assign(line, { state: data.state, state_words: data.state_words });
      line.shown = shownState(line);
    }
    if (name === "entry" && line) line.last_seq = Math.max(line.last_seq, data.seq);
    if (name === "alarm") return this.tell(name, data);
    if (name === "call" || name === "signal" || name === "call-wanted") return this.tell(name, { ...data, line });
    if (name === "draft") {
      if (line) this.inbox.redraft(line).catch(() => {});
      return line && this.tell(name, { ...data, line });
    }
    this.stir(data.line);
    if (!line) return undefined;
    if (name === "entry") {
      this.inbox.entry(line, data);
      this.tell("entry", { line, entry: data });
    } else if (name === "holds") {
      this.inbox.holds(line, data);
      this.tell("holds", { ...data, line });
    } else this.tell(name, { ...data, line });
    return undefined;
  }

  // --- whether the station is there --------------------------------------------------------------------------------

  #pulse() {
    if (this.closed) return;
    this.pulse = setTimeout(() => this.#beat().finally(() => this.#pulse()), this.connected ? PULSE_MS : LOST_PULSE_MS);
  }

  async #beat() {
    try {
      await this.#status();
      const streaming = this.source && this.source.readyState === EventSource.OPEN;
      this.unheard = streaming ? 0 : this.unheard + 1;
      if (streaming) this.#link(true);
      else if (!this.closed && this.source && !this.again && (this.source.readyState === EventSource.CLOSED || this.unheard > MOST_UNHEARD)) {
        this.source.close(); // the station answers and the stream does not come: a browser may wait on a connection that is dead
        this.#follow();
      }
    } catch (error) {
      if (error.code === "away") this.#link(false);
    }
  }

  async #found() {
    await Promise.all([this.#status(), this.refresh()]).catch(() => {});
    this.#waiting();
  }

  #link(connected) {
    if (this.connected === connected) return;
    this.connected = connected;
    this.lostAt = connected ? null : this.now();
    this.tell("link", connected);
  }
}

/** The state a screen shows: the line's, or "unattended" where it works and nobody is on watch over there. */
export function shownState(line) {
  if (line.state !== "in service" && line.state !== "degraded") return line.state;
  const peers = line.parties.filter((party) => !party.me);
  if (line.state === "in service" && peers.length && peers.every((party) => party.attended === false)) return "unattended";
  return line.state;
}

/** The party that this station is, on a line. */
export const own = (line) => line.parties.find((party) => party.me);

/** The other parties of a line. */
export const peers = (line) => line.parties.filter((party) => !party.me);
