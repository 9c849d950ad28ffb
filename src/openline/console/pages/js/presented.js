// "Presented": a message is decrypted and stands on an attended screen. Said once for each, by whoever is on watch, and only
// while the page can be seen.

import { ofLine, post } from "./api.js";
import { own } from "./live.js";

const TOGETHER_MS = 300;
const MOST = 200;
const KEPT = 2_000;
const said = new Set();

export class Presenter {
  constructor(live) {
    this.live = live;
    this.waiting = new Map();
    this.watcher = new IntersectionObserver((seen) => {
      for (const each of seen) if (each.isIntersecting) this.#seen(each.target);
    }, { threshold: 0.2 });
    this.shows = new WeakMap();
    this.again = () => this.#later();
    document.addEventListener("visibilitychange", this.again);
  }

  /** Look whether the article of a message comes into sight. */
  watch(article, line, entry) {
    const mine = entry.status?.[own(line).name];
    if (!mine || mine.presented || mine.read || said.has(name(line, entry))) return;
    this.shows.set(article, { line, entry });
    this.watcher.observe(article);
  }

  stop() {
    this.watcher.disconnect();
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.again);
  }

  #seen(article) {
    const shown = this.shows.get(article);
    this.watcher.unobserve(article);
    if (!shown) return;
    this.waiting.set(name(shown.line, shown.entry), shown);
    this.#later();
  }

  #later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#say(), TOGETHER_MS);
  }

  async #say() {
    if (document.visibilityState !== "visible" || !this.live.connected || !this.live.may("watch-officer")) return;
    const lines = new Map();
    for (const [key, { line, entry }] of this.waiting) {
      if (!own(line).attended) continue; // nobody is on watch by our own word: no screen of ours is attended
      this.waiting.delete(key);
      if (!lines.has(line)) lines.set(line, []);
      lines.get(line).push(entry);
    }
    for (const [line, entries] of lines) await presented(line, entries);
  }
}

const name = (line, entry) => `${line.line} ${entry.ref.leaf}`;

/** Say it of these messages now. */
export async function presented(line, entries) {
  const owed = entries.filter((entry) => !said.has(name(line, entry))).slice(0, MOST);
  if (!owed.length) return;
  for (const entry of owed) said.add(name(line, entry));
  while (said.size > KEPT) said.delete(said.values().next().value);
  try {
    await post(ofLine(line, "/presented"), { refs: owed.map(({ ref: { lane, generation, index, leaf } }) => ({ lane, generation, index, leaf })) });
  } catch {
    for (const entry of owed) said.delete(name(line, entry)); // said the next time they are seen
  }
}
