// A window on a line's transcript: some pages of it, and what later entries said of them. A hundred thousand entries open as
// fast as ten, because only the window is loaded, and what leaves it is forgotten.

import { get, ofLine, query } from "../api.js";
import { CALL_KINDS } from "../call/notes.js";

const PAGE = 60;
const MOST = 240;
/** Receipts and translations are missing here: they come as remarks, with the message of which they speak. */
const KINDS = ["message", "interim", "decline", "query", "answer", "suspend", "lift", "service", "contact", "countersign",
  "propose", "assent", "generation", "keys", "attachment", "refused", "unknown", ...CALL_KINDS];
const QUIET = ["test", "epoch", "watch", "terms", "seat"];

/** The name of a place: lane/generation/index. */
export const keyOf = (ref) => `${ref.lane}/${ref.generation}/${ref.index}`;

export class Window {
  constructor(line, { quiet = false } = {}) {
    this.line = line;
    this.kinds = (quiet ? [...KINDS, ...QUIET] : KINDS).join(",");
    this.entries = [];
    this.others = new Map();
    this.atStart = false;
    this.atEnd = true;
    this.early = null;
  }

  /** The newest page, or the page around an arrival number. What comes while the station's answer is on its way is not lost by it. */
  async open(at) {
    const before = at ? at + PAGE / 2 : this.line.last_seq + 1;
    const early = this.early = [];
    const entries = await this.#page({ before });
    this.atStart = entries.length < PAGE;
    this.atEnd = before > this.line.last_seq;
    this.entries = [];
    this.last = before - 1;
    this.#take(entries, "after");
    if (!this.atEnd) await this.newer();
    if (this.atEnd) this.#take(early, "after");
    if (this.early === early) this.early = null;
  }

  /** A page more above; what was added. */
  async older() {
    if (this.atStart || !this.entries.length) return [];
    const page = await this.#page({ before: this.first });
    this.atStart = page.length < PAGE;
    if (page.length) this.first = page[0].seq;
    const added = this.#take(page, "before");
    if (this.entries.length > MOST) {
      this.entries.length = MOST;
      this.atEnd = false;
      this.last = this.entries[MOST - 1].seq;
    }
    return added;
  }

  /** A page more below; what was added. */
  async newer() {
    if (this.atEnd) return [];
    const page = await this.#page({ after: this.last });
    this.atEnd = page.length < PAGE;
    const added = this.#take(page, "after");
    this.#forget();
    return added;
  }

  /** An entry that came just now. Whether the window shows something else now. */
  came(entry) {
    if (!this.kinds.split(",").some((kind) => kind === entry.kind || (kind === "unknown" && entry.kind.startsWith("unknown")))) return false;
    this.early?.push(entry);
    if (!this.atEnd) return false;
    this.#take([entry], "after");
    this.#forget();
    return true;
  }

  /** An entry anew: its status is another. */
  async again(key) {
    const place = this.entries.findIndex((entry) => keyOf(entry.ref) === key);
    if (place < 0) return null;
    const fresh = await get(ofLine(this.line, `/entries/${key}`));
    const at = this.entries.findIndex((entry) => keyOf(entry.ref) === key);
    if (at < 0) return null;
    this.entries[at] = { ...fresh, seq: this.entries[at].seq };
    return this.entries[at];
  }

  /** The entry at a place, as far as it is known here. */
  find(ref) {
    const key = keyOf(ref);
    return this.entries.find((entry) => keyOf(entry.ref) === key) ?? this.others.get(key) ?? null;
  }

  /** Look up entries that others name and that stand outside the window; true if something new is known. */
  async look(refs) {
    const missing = [...new Map(refs.filter((ref) => !this.find(ref)).map((ref) => [keyOf(ref), ref])).values()].slice(0, 24);
    for (const ref of missing) this.others.set(keyOf(ref), { ref, missing: true });
    await Promise.all(missing.map(async (ref) => this.others.set(keyOf(ref), await get(ofLine(this.line, `/entries/${keyOf(ref)}`)).catch(() => ({ ref, missing: true })))));
    while (this.others.size > MOST) this.others.delete(this.others.keys().next().value);
    return missing.length > 0;
  }

  /** {party: {presented: {at, sign, to}, …}} of a message. */
  marksOf(entry) {
    const found = {};
    for (const { kind, author, body } of entry.remarks ?? []) {
      if (kind === "receipt") (found[author] ??= {})[body.step] = { at: body.at, sign: body.sign, to: body.unit || body.relayed_to };
    }
    return found;
  }

  translationsOf(entry) {
    return (entry.remarks ?? []).filter((each) => each.kind === "translation");
  }

  async #page(where) {
    const { entries, last_seq: last } = await get(ofLine(this.line, `/entries${query({ ...where, kind: this.kinds, limit: PAGE, remarks: true })}`));
    this.line.last_seq = Math.max(this.line.last_seq, last);
    return entries;
  }

  #take(page, end) {
    if (page.length) {
      if (end === "after") this.last = Math.max(this.entries.length ? this.last ?? 0 : 0, page[page.length - 1].seq);
      if (end === "before" || this.first === undefined || !this.entries.length) this.first = Math.min(this.first ?? Infinity, page[0].seq);
    }
    const known = new Set(this.entries.map((entry) => keyOf(entry.ref)));
    const added = page.filter((entry) => !known.has(keyOf(entry.ref)));
    this.entries = end === "before" ? [...added, ...this.entries] : [...this.entries, ...added];
    return added;
  }

  #forget() {
    const over = this.entries.length - MOST;
    if (over <= 0) return;
    this.entries.splice(0, over);
    this.first = this.entries[0].seq;
    this.atStart = false;
  }
}

/** Whether two entries crossed: neither author held the other's when it was written. */
export function crossed(one, other) {
  if (!one.seen || !other.seen || one.author === other.author) return false;
  if (Math.abs(one.time - other.time) > 43_200_000) return false;
  const unseen = (by, of) => (by.seen[`${of.ref.lane}.${of.ref.generation}`] ?? 0) <= of.ref.index;
  return unseen(one, other) && unseen(other, one);
}
