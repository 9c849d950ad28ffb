// How much sound is sent a second. It begins well: 32 kbit/s, every piece said twice. A narrow path shows itself by its estimated
// room or by a queue that grows; then less is sent, in longer pieces and said once. If loss stays as it was, the path is not
// narrow but rough: then saying everything twice is what helps, and it goes back. Pure: what was measured goes in.

/** Bits of sound a second, milliseconds a piece (0: as the browser does), said twice or once. The last passes a path of 16 kbit/s with all its headers. */
export const LEVELS = [
  { bits: 32_000, piece_ms: 0, twice: true }, { bits: 12_000, piece_ms: 60, twice: false }, { bits: 8_000, piece_ms: 120, twice: false },
];
const NARROW_BITS = 40_000;
const DEEP_BITS = 22_000;
const QUEUE_S = 0.4;
const SURE = 3; // looks in a row: one slow answer of a busy machine is no narrow path
const CALM_S = 0.2;
const STEP_MS = 4_000;
const TRIAL_MS = 8_000;
const ROUGH_MS = 60_000;
const WAIT_MS = 30_000;
const MOST_WAIT_MS = 300_000;

export class Pace {
  constructor() {
    Object.assign(this, { level: 0, at: 0, wait: WAIT_MS, roughUntil: 0, lostBefore: 0, narrow: 0 });
  }

  /** The level for what was measured: {room (bit/s), lost (share), queue (s)}. */
  look(now, { room, lost, queue }) {
    this.narrow = room < NARROW_BITS || queue > QUEUE_S ? this.narrow + 1 : 0;
    const age = now - this.at;
    if (this.level === 0) {
      if (this.narrow >= SURE && now >= this.roughUntil) {
        if (age > MOST_WAIT_MS) this.wait = WAIT_MS;
        this.lostBefore = lost;
        this.#to(room < DEEP_BITS || queue > 2 * QUEUE_S ? 2 : 1, now);
      }
    } else if (age > TRIAL_MS && this.lostBefore > 0.05 && lost > this.lostBefore * 0.6 && queue < CALM_S) {
      this.roughUntil = now + ROUGH_MS;
      this.#to(0, now);
    } else if (this.level === 1 && age > STEP_MS && (lost > 0.08 || this.narrow >= SURE)) this.#to(2, now);
    else if (age > this.wait && lost < 0.03 && queue < CALM_S) {
      this.wait = Math.min(this.wait * 2, MOST_WAIT_MS);
      this.#to(0, now);
    }
    return this.level;
  }

  #to(level, now) {
    Object.assign(this, { level, at: now });
  }
}

/** A session description of the other side, shaped so that this browser sends at that level: the order of codecs and the length of a piece. */
export function shaped(description, { piece_ms: piece, twice }) {
  let text = description.replace(/a=(?:max)?ptime:\d+\r\n/g, "");
  if (piece) text = text.replace(/a=rtcp-mux\r\n/, `a=rtcp-mux\r\na=ptime:${piece}\r\na=maxptime:${piece}\r\n`);
  const red = /a=rtpmap:(\d+) red\//i.exec(text)?.[1];
  if (twice || red === undefined) return text;
  return text.replace(/^(m=audio \S+ \S+) ([\d ]+)/m, (whole, head, list) => `${head} ${[...list.trim().split(" ").filter((each) => each !== red), red].join(" ")}`);
}
