// A working draft: kept by the station, sealed, with every pause in the writing; shared with every console and the next watch.
// Two consoles never overwrite each other unseen: who writes says which version was before, and a conflict is shown.

import { get, ofLine, post, put } from "../api.js";

const PAUSE_MS = 600;
const AGAIN_MS = 3_000;

/** A draft in which nothing stands yet. */
export const empty = () => ({
  precedence: "routine", subject: "", lang: null, text: "", to: ["watch-officer"], answer_by: null, acknowledge_by: null,
  answers: null, supersedes: null, minimize_considered: false, template: "", fields: {},
});

export class Draft {
  /** `changed(what)`: "kept", "theirs" (somebody else wrote), "conflict", "newer" or "gone" (it is no longer being written). */
  constructor(line, changed) {
    Object.assign(this, { line, changed, number: 0, version: 0, content: empty(), dirty: false, saving: false, looking: false, glance: null, away: false, conflict: null, view: null, closed: false, refused: null });
  }

  /** Take it as the station shows it (ComposeView). */
  take(view) {
    const { template, fields, ...rest } = view.draft;
    Object.assign(this, { number: view.compose, version: view.version, view, conflict: null, dirty: false, refused: null });
    this.content = { ...empty(), ...rest, template: template ?? "", fields: { ...fields } };
  }

  /** Something was written. */
  set(changes) {
    Object.assign(this.content, changes);
    this.dirty = true;
    this.refused = null;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.keep(), PAUSE_MS);
  }

  /** Keep it now. Resolves whether everything that was written is kept. */
  async keep({ seen } = {}) {
    clearTimeout(this.timer);
    while (this.saving) await this.saving.catch(() => {}); // also one that another waiter has begun: what is sent must be the version that is kept
    if (this.conflict) return false;
    if (!this.number && this.blank) return true;
    if (!this.dirty && seen === undefined) return true;
    this.saving = this.#put(seen);
    try {
      await this.saving;
      return !this.dirty;
    } finally {
      this.saving = false;
      if (this.looking) this.look();
    }
  }

  async #put(seen) {
    this.dirty = false;
    const draft = structuredClone(this.content);
    try {
      const view = this.number ? await put(`/v1/compose/${this.number}`, { version: this.version, draft, ...(seen === undefined ? {} : { seen }) })
        : await post(ofLine(this.line, "/compose"), draft);
      Object.assign(this, { number: view.compose, version: view.version, view, away: false });
      this.changed("kept");
    } catch (error) {
      this.dirty = true;
      if (error.code === "conflict" && this.number) await this.#found();
      else if (["away", "signed-out", "locked", "unavailable", "quota"].includes(error.code)) this.#later();
      else {
        this.refused = error;
        this.changed("kept");
      }
    }
  }

  #later() {
    this.away = true;
    this.changed("kept");
    clearTimeout(this.timer);
    if (!this.closed) this.timer = setTimeout(() => this.keep(), AGAIN_MS);
  }

  /** Somebody else has written in it, or it is no longer being written: find out which. */
  async #found() {
    try {
      this.conflict = await get(`/v1/compose/${this.number}`);
      this.changed("conflict");
    } catch (error) {
      if (error.code === "conflict" || error.code === "unknown") this.changed("gone");
      else this.#later();
    }
  }

  /** The station says that the draft has changed: look at it, after what is being kept. */
  look() {
    this.looking = true;
    if (!this.saving) this.glance ??= this.#lookOn().finally(() => { this.glance = null; });
    return this.glance;
  }

  /** Resolves when nothing is asked of the station about it: it may be sent, and no answer on its way finds it gone. */
  async quiet() {
    while (this.saving || this.glance) await (this.saving || this.glance);
  }

  async #lookOn() {
    while (this.looking && !this.saving) {
      this.looking = false;
      await this.#look();
    }
  }

  async #look() {
    let view;
    try {
      view = await get(`/v1/compose/${this.number}`);
    } catch (error) {
      if (error.code === "conflict" || error.code === "unknown") this.changed("gone");
      return;
    }
    if (this.saving || view.version < this.version) return;
    if (view.version === this.version) {
      this.view = view;
      this.changed("newer");
    } else if (this.dirty) {
      this.conflict = view;
      this.changed("conflict");
    } else {
      this.take(view);
      this.changed("theirs");
    }
  }

  /** After a conflict: what the other console wrote stands; what was written here goes. */
  takeTheirs() {
    this.take(this.conflict);
    this.changed("theirs");
  }

  /** After a conflict: what was written here follows what the other console wrote. */
  async keepMine() {
    this.version = this.conflict.version;
    this.conflict = null;
    this.dirty = true;
    return this.keep();
  }

  /** The officer has looked at everything up to this arrival. */
  sawUntil(seq) {
    return this.keep({ seen: seq });
  }

  /** Whether leaving now loses words. */
  get unkept() {
    return this.dirty && !this.closed;
  }

  /** Whether nothing stands in it yet. */
  get blank() {
    const { text, subject, fields } = this.content;
    return !text.trim() && !subject.trim() && !Object.values(fields).some((value) => value.trim());
  }

  async close() {
    if (this.dirty && !this.blank) await this.keep();
    this.closed = true;
    clearTimeout(this.timer);
  }
}
