// What stands on the lines now, kept alive: loaded once, then followed by the station's event stream, which all tabs share. Nothing
// is missed over a gap (the stream resumes at the last event), a gap is never silent (`connected` is false, and the shell says so), and memory
// is bounded whatever comes.

import { get, ofLine, pageKey, query } from "./api.js";
import { Inbox } from "./inbox.js";
import { appearance } from "./liveries.js";
import { Stream } from "./stream.js";

const SETTLE_MS = 150;
const PULSE_MS = 10_000;
const LOST_PULSE_MS = 2_000;
const LINES_MS = 20_000;
const MOST_UNHEARD = 5; // answers of the station without a stream, each two seconds after the one before
const SILENT_MS = 6_000; // without a stream what stands here is not live, and the page says so
const SHORT = 16; // digits of a line's id in the stream's marks

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
    this.unheard = 0;
    this.silentAt = null;
    this.closed = false;
    this.stream = new Stream(me.sign, (after) => `/v1/events${query({ page: pageKey(), after: after || null })}`, {
      event: (name, data) => this.#event(name, data),
      found: () => this.#found(),
      lost: () => this.#beat(),
    });
  }

  /** The station's time of day, also while it is away. */
  now() {
    return Date.now() + this.offset;
  }

  /** Hear of `name`: "lines" (any line changed), "entry" ({line, entry}), "waiting" (the inbox changed), "link" (found or lost),
   * "noticed", "state", "alarm", "draft" ({line, draft, state}), "call" (a CallView), "signal", "call-wanted", and on a locked page "flash",
   * "flashes" ({line, places}: all that wait, as a stream begins) and "answered". */
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
    this.stream.join();
    await Promise.all([this.#status(), this.refresh()]);
    if (this.closed) return;
    this.stream.start([...this.lines.values()].map((line) => [line.line.slice(0, SHORT), line.last_seq]));
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
    this.stream.stop();
    clearTimeout(this.pulse);
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

  #event(name, data) {
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
    this.pulse = setTimeout(() => this.#beat().finally(() => this.#pulse()), this.connected && this.stream.open ? PULSE_MS : LOST_PULSE_MS);
  }

  async #beat() {
    try {
      await this.#status();
      if (this.stream.open) {
        this.unheard = 0;
        this.silentAt = null;
        this.#link(true);
      } else if (!this.closed) {
        this.unheard += 1;
        this.silentAt ??= performance.now();
        if (performance.now() - this.silentAt > SILENT_MS) this.#link(false);
        if (this.unheard > MOST_UNHEARD) {
          this.unheard = 0;
          this.stream.renew(); // the station answers and the stream does not come: a browser may wait on a connection that is dead
        }
      }
    } catch (error) {
      if (error.code === "away") this.#link(false);
    }
  }

  /** A stream stands: the first one, or another after a gap. */
  async #found() {
    if (this.closed) return;
    this.#link(true);
    if (!this.opened) {
      this.opened = true;
      return;
    }
    await Promise.all([this.#status(), this.refresh()]).catch(() => {});
    this.#waiting();
  }

  #link(connected) {
    if (this.connected === connected && (connected || this.lostAt !== null)) return;
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
