// The station's event stream, one for all tabs of an officer in this browser: a browser opens no more than six connections to
// a host, and the seventh tab with a stream of its own would wait for ever. The tab that has the lock has the stream and hands
// every event on; the others ask it each second whether it is still there. The lock goes to the next tab at once when the one
// that has it closes, crashes or is frozen; one that hangs, and leaves five questions without an answer, is robbed of it. Whoever takes over goes on where
// the tabs were: nothing is missed, and what was told twice is told once. Without locks every tab has a stream of its own.

const NAMES = ["entry", "holds", "noticed", "state", "flash", "flashes", "answered", "alarm", "draft", "call", "signal", "call-wanted"];
const ASK_MS = 1_000;
const MOST_ASKED = 5; // without an answer
const MOST_KEPT = 2_000; // events that a tab keeps while it loads; with more it asks for them again
const ROB_SPREAD_MS = 400; // so that of many tabs one robs, and the others hear of it first
const WAIT_MS = 1_000;
const MOST_WAIT_MS = 10_000;

export class Stream {
  /**
   * `address(after)`: where the stream is; `heard`: {event(name, data), found() (a stream stands, perhaps after a gap), lost()}.
   */
  constructor(name, address, heard) {
    Object.assign(this, { name: `openline.stream.${name}`, address, heard });
    this.marks = new Map();
    this.leading = this.closed = this.frozen = false;
    this.there = false; // whether the tab that has the stream says that it stands
    this.heardAt = -Infinity;
    this.asked = 0;
    this.waiting = []; // what came before this tab knew where it stands
    this.ready = false;
    this.shared = Boolean(navigator.locks && globalThis.BroadcastChannel);
  }

  /** Begin to listen to the other tabs: what comes from now on is kept until `start`. */
  join() {
    if (!this.shared) return;
    this.#listen();
    this.onFreeze = () => this.#freeze();
    this.onResume = () => this.#resume();
    this.onSight = () => document.visibilityState === "visible" && this.#ask();
    document.addEventListener("freeze", this.onFreeze);
    document.addEventListener("resume", this.onResume);
    document.addEventListener("visibilitychange", this.onSight);
  }

  /** Follow. `marks`: [[short id of a line, the number of the last entry that this tab knows], ...]. */
  start(marks) {
    this.marks = new Map(marks);
    this.ready = true;
    if (!this.shared) {
      this.#lead();
      return;
    }
    this.#queue();
    this.#ask();
    this.timer = setInterval(() => this.#look(), ASK_MS);
    for (const told of this.waiting.splice(0)) this.#told(told);
  }

  stop() {
    this.closed = true;
    clearInterval(this.timer);
    clearTimeout(this.robbing);
    document.removeEventListener("freeze", this.onFreeze);
    document.removeEventListener("resume", this.onResume);
    document.removeEventListener("visibilitychange", this.onSight);
    this.queued?.abort();
    this.#leave();
    this.channel?.close();
  }

  /** Whether a stream stands, here or in the tab that has it. */
  get open() {
    if (this.leading) return this.source?.readyState === EventSource.OPEN;
    return this.there;
  }

  /** The stream does not come although the station answers: a browser may wait on a connection that is dead. */
  renew() {
    if (!this.leading || this.again) return;
    this.source?.close();
    this.#open();
  }

  // --- who has it --------------------------------------------------------------------------------------------------

  /** Stand in line for the lock, or take it from a tab that does not answer. */
  async #queue({ steal = false } = {}) {
    this.queued?.abort();
    const queued = this.queued = new AbortController();
    try {
      await navigator.locks.request(this.name, steal ? { steal } : { signal: queued.signal }, () => {
        if (this.closed || this.frozen || (!steal && queued !== this.queued)) return undefined;
        this.#lead();
        return new Promise((release) => (this.release = release));
      });
    } catch { /* robbed of it, or given up */ }
    if (queued !== this.queued) return;
    this.#leave();
    if (!this.closed && !this.frozen) this.#queue();
  }

  #lead() {
    this.leading = true;
    this.there = false;
    clearTimeout(this.robbing);
    this.#open();
  }

  #leave() {
    this.source?.close();
    clearTimeout(this.again);
    this.source = this.again = undefined;
    this.leading = false;
    this.release?.();
    this.release = undefined;
  }

  #listen() {
    this.channel = new BroadcastChannel(this.name);
    this.channel.onmessage = ({ data }) => this.#told(data);
  }

  /** About to be put to sleep: a lock that a sleeping tab has would be of no use to anybody. */
  #freeze() {
    this.frozen = true;
    this.queued?.abort();
    this.queued = undefined;
    this.there = false;
    this.#leave();
    this.channel.close();
  }

  #resume() {
    if (!this.frozen) return;
    this.frozen = false;
    this.asked = 0;
    this.#listen();
    if (!this.ready) return;
    this.#say({ behind: [...this.marks] });
    this.#queue();
    this.#ask();
  }

  // --- between the tabs --------------------------------------------------------------------------------------------

  #say(words) {
    this.channel?.postMessage(words);
  }

  #ask() {
    if (this.leading || this.closed) return;
    this.asked += 1;
    this.#say({ ask: true });
  }

  /** Each second: ask whoever has the stream, unless it was just heard of; rob it if it does not answer. */
  #look() {
    if (this.leading || this.frozen) return;
    if (performance.now() - this.heardAt < ASK_MS) return;
    if (this.asked >= MOST_ASKED) {
      const { there } = this;
      this.there = false;
      if (there) this.heard.lost();
      this.#rob();
    }
    this.#ask();
  }

  #rob() {
    this.asked = 0;
    clearTimeout(this.robbing);
    this.robbing = setTimeout(() => {
      if (!this.asked || this.leading || this.closed || this.frozen) return;
      this.#queue({ steal: true });
    }, Math.random() * ROB_SPREAD_MS);
  }

  #told(told) {
    if (!this.ready) {
      if (this.waiting.push(told) > MOST_KEPT) this.waiting = [{ missed: true }];
      return;
    }
    if (told.missed) {
      this.#say({ behind: [...this.marks] });
      return;
    }
    if (told.ask) {
      if (this.leading && !this.frozen) this.#say({ open: this.open });
      return;
    }
    if (told.behind) {
      if (this.leading) this.#back(told.behind);
      return;
    }
    if (this.leading) return; // two for a moment: the one that was robbed learns of it
    this.heardAt = performance.now();
    this.asked = 0;
    clearTimeout(this.robbing);
    if (told.name) {
      this.there = true;
      this.#event(told.name, told.id, told.data);
      return;
    }
    const found = told.open && (told.from || !this.there);
    if (told.from && this.#behind(told.from)) this.#say({ behind: [...this.marks] });
    if (this.there && !told.open) this.heard.lost();
    this.there = told.open;
    if (found) this.heard.found();
  }

  #behind(from) {
    return from.some(([line, seq]) => (this.marks.get(line) ?? seq) < seq);
  }

  /** Another tab may have seen less than this one: then the stream begins again where that one stands, and each drops what it knows. */
  #back(marks) {
    const since = new Map(this.marks);
    const less = marks.filter(([line, seq]) => seq < (since.get(line) ?? 0));
    if (!less.length) return;
    for (const [line, seq] of less) since.set(line, seq);
    this.source?.close();
    clearTimeout(this.again);
    this.#open(since);
  }

  // --- the stream itself -------------------------------------------------------------------------------------------

  #open(since = new Map(this.marks)) {
    if (this.closed) return;
    this.again = undefined;
    const source = this.source = new EventSource(this.address([...since].map(([line, seq]) => `${line}:${seq}`).join(",")));
    source.addEventListener("open", () => {
      this.wait = WAIT_MS;
      this.#say({ open: true, from: [...since] });
      this.heard.found();
    });
    source.addEventListener("error", () => {
      if (this.closed || source !== this.source) return;
      // A stream that ended comes back by itself with Last-Event-ID; one that was refused does not.
      if (source.readyState === EventSource.CLOSED) {
        this.wait = Math.min((this.wait ?? WAIT_MS) * 2, MOST_WAIT_MS);
        this.again = setTimeout(() => this.#open(), this.wait);
      }
      this.#say({ open: false });
      this.heard.lost();
    });
    for (const name of NAMES) {
      source.addEventListener(name, (event) => {
        if (source !== this.source) return;
        this.#say({ name, id: event.lastEventId, data: event.data });
        this.#event(name, event.lastEventId, event.data);
      });
    }
  }

  /** An entry that was told already is told to nobody again. (Other events carry the id of the entry before them.) */
  #event(name, id, data) {
    if (name === "entry" && id) {
      const marks = id.split(",").map((part) => part.split(":")).map(([line, seq]) => [line, Number(seq)]);
      if (marks.every(([line, seq]) => (this.marks.get(line) ?? -1) >= seq)) return;
      for (const [line, seq] of marks) this.marks.set(line, Math.max(seq, this.marks.get(line) ?? 0));
    }
    this.heard.event(name, JSON.parse(data));
  }
}
