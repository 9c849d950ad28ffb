// "Presented": a message is decrypted and stands on an attended screen. Said once for each, by whoever is on watch, and only
// while the page can be seen.

import { ofLine, post } from "./api.js";
import { own } from "./live.js";

const TOGETHER_MS = 300;
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
    for (const [key, { line, entry }] of [...this.waiting]) {
      if (own(line).attended === false) continue; // nobody is on watch: no screen of ours is attended
      this.waiting.delete(key);
      await presented(line, entry);
    }
  }
}

const name = (line, entry) => `${line.line} ${entry.ref.leaf}`;

/** Say it of one message now. */
export async function presented(line, entry) {
  if (said.has(name(line, entry))) return;
  said.add(name(line, entry));
  if (said.size > 2_000) said.delete(said.values().next().value);
  const { lane, generation, index, leaf } = entry.ref;
  try {
    await post(ofLine(line, "/entries"), { kind: "receipt", of: { lane, generation, index, leaf }, step: "presented" });
  } catch {
    said.delete(name(line, entry)); // said the next time it is seen
  }
}
