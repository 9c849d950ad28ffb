// What waits for this watch, first clock first: computed from the messages of every line as the station shows them, and kept
// up to date by what arrives. Of a message only its heading is kept; of settled ones nothing: memory is bounded.

import { get, ofLine, query } from "./api.js";

const SCANNED = 200;
const MOST = 400;
const HEADING = 160;

const keyOf = (ref) => `${ref.lane}/${ref.generation}/${ref.index}`;

export class Inbox {
  constructor(live) {
    this.live = live;
    this.messages = new Map();
    this.drafts = [];
    this.loaded = false;
  }

  /** Look through the newest messages of every line. */
  async load() {
    const lines = [...this.live.lines.values()];
    await Promise.all(lines.map((line) => this.#load(line).catch(() => {})));
    this.loaded = true;
    this.#changed();
  }

  async #load(line) {
    const { entries } = await get(ofLine(line, `/entries${query({ kind: "message", before: line.last_seq + 1, limit: SCANNED })}`));
    const kept = new Map();
    for (const entry of entries) kept.set(keyOf(entry.ref), slim(entry));
    this.messages.set(line.line, kept);
    await this.#drafts(line);
  }

  async #drafts(line) {
    if (!this.live.may("watch-officer", "principal")) return;
    const { drafts } = await get(ofLine(line, "/drafts"));
    this.drafts = [...this.drafts.filter((draft) => draft.of !== line.line), ...drafts.filter((draft) => draft.state !== "grace").map((draft) => ({ ...draft, of: line.line }))];
  }

  /** Drafts of a line changed. */
  async redraft(line) {
    await this.#drafts(line);
    this.#changed();
  }

  entry(line, entry) {
    const kept = this.messages.get(line.line) ?? new Map();
    this.messages.set(line.line, kept);
    if (entry.kind === "message") {
      kept.set(keyOf(entry.ref), slim(entry));
      this.#bound(line, kept);
    }
    for (const name of ["of", "answers", "supersedes"]) {
      const ref = entry.body[name];
      if (ref && kept.has(keyOf(ref))) this.#again(line, kept, keyOf(ref));
    }
    if (entry.kind === "message") this.#changed();
  }

  async #again(line, kept, key) {
    try {
      kept.set(key, slim(await get(ofLine(line, `/entries/${key}`))));
      this.#changed();
    } catch { /* it stays as it was; the next load corrects it */ }
  }

  holds(line, { party, lane, generation, size }) {
    let changed = false;
    for (const entry of this.messages.get(line.line)?.values() ?? []) {
      const status = entry.status?.[party];
      if (status && !status.held && entry.ref.lane === lane && entry.ref.generation === generation && entry.ref.index < size) {
        Object.assign(status, { held: true, standing: status.standing === "sent" ? "held" : status.standing });
        changed = true;
      }
    }
    if (changed) this.#changed();
  }

  #bound(line, kept) {
    if (kept.size <= MOST) return;
    for (const [key, entry] of kept) {
      if (kept.size <= SCANNED) return;
      if (!this.#ofEntry(line, entry)) kept.delete(key);
    }
    for (const key of kept.keys()) {
      if (kept.size <= MOST) return;
      kept.delete(key);
    }
  }

  #changed() {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.live.tell("waiting"), 60);
  }

  /** What waits: [{line, entry or draft, what: "read" | "answer" | "theirs" | "release" | "held", due, since}], first clock first. */
  waiting() {
    const found = [];
    for (const line of this.live.lines.values()) {
      for (const entry of this.messages.get(line.line)?.values() ?? []) {
        const waits = this.#ofEntry(line, entry);
        if (waits) found.push({ line, entry, ...waits });
      }
      for (const draft of this.drafts) {
        if (draft.of === line.line) found.push({ line, draft, what: draft.state === "held" ? "held" : "release", due: draft.message.answer_by ?? null, since: draft.made });
      }
    }
    const order = (one) => one.due ?? Number.MAX_SAFE_INTEGER;
    return found.sort((one, other) => order(one) - order(other) || one.since - other.since);
  }

  /** Messages of a line that nobody here has read. */
  unread(line) {
    return this.waiting().filter((each) => each.what === "read" && (!line || each.line.line === line.line));
  }

  #ofEntry(line, entry) {
    if (entry.superseded || entry.refused || !entry.status) return null;
    const me = line.parties.find((party) => party.me).name;
    if (entry.author === me) {
      const owed = Object.values(entry.status).filter((status) => status.due !== null && status.due_by !== "handling time");
      if (!owed.length) return null;
      return { what: "theirs", due: Math.min(...owed.map((status) => status.due)), since: entry.time };
    }
    const mine = entry.status[me];
    if (!mine || mine.answered || mine.declined) return null;
    if (mine.read || mine.relayed) return mine.due === null ? null : { what: "answer", due: mine.due, since: entry.time };
    return { what: "read", due: mine.due, since: entry.time };
  }
}

function slim(entry) {
  const body = entry.body;
  const heading = String(body.subject || String(body.text ?? "").split("\n", 1)[0]).slice(0, HEADING);
  return {
    line: entry.line, seq: entry.seq, ref: entry.ref, author: entry.author, kind: entry.kind, time: entry.time, refused: entry.refused,
    superseded: entry.superseded, status: entry.status, precedence: body.precedence, heading, answerBy: body.answer_by, roles: body.roles, language: body.language,
  };
}
