// The tests of the last 24 hours of every line: ours as the station timed them, theirs as they came.

import { get, ofLine, query } from "../api.js";

export const DAY_MS = 86_400_000;
const SETTLE_MS = 1_000;

export class Tests {
  constructor(live, changed) {
    this.live = live;
    this.changed = changed;
    this.found = new Map();
    this.soon = new Map();
  }

  /** {out: [{at, held, overdue}], in: [at]} of a line; null while it is not loaded. */
  of(line) {
    return this.found.get(line.line) ?? null;
  }

  async load() {
    await Promise.all([...this.live.lines.values()].map((line) => this.#load(line).catch(() => {})));
    this.changed();
  }

  /** A test came or went: look again soon. */
  stir(line) {
    clearTimeout(this.soon.get(line.line));
    this.soon.set(line.line, setTimeout(() => this.#load(line).then(this.changed, () => {}), SETTLE_MS));
  }

  stop() {
    this.soon.forEach(clearTimeout);
    this.changed = () => {};
  }

  async #load(line) {
    const now = this.live.now();
    const since = now - DAY_MS;
    const me = line.parties.find((party) => party.me).name;
    const minutes = line.policy?.test_minutes || 60;
    const { tests } = await get(ofLine(line, "/tests?limit=400"));
    const found = { out: [], in: [] };
    for (const test of tests) {
      if (test.sent < since) break;
      found.out.push({ at: test.sent, held: test.held, overdue: test.held === null && now - test.sent > Math.min(minutes, 10) * 60_000, trip: test.round_trip_ms });
    }
    if (this.live.may("watch-officer", "principal", "interpreter", "auditor")) {
      const { entries } = await get(ofLine(line, `/entries${query({ kind: "test", before: line.last_seq + 1, limit: 400 })}`));
      for (const entry of entries) if (entry.author !== me && entry.time >= since) found.in.push(entry.time);
    }
    this.found.set(line.line, found);
  }
}
