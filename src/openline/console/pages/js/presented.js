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
    this.again = () => this.waiting.size && this.#later();
    document.addEventListener("visibilitychange", this.again);
    this.offs = [live.on("lines", this.again), live.on("link", this.again)]; // somebody has taken the watch, the station is back
  }

  /** Look whether the article of a message comes into sight. */
  watch(article, line, entry) {
    const mine = entry.status?.[own(line).name];
    if (!mine || mine.presented || mine.read || said.has(name(line, entry))) return;
    this.shows.set(article, { line, entry, article });
    this.watcher.observe(article);
  }

  stop() {
    this.watcher.disconnect();
    clearTimeout(this.timer);
    this.offs.forEach((off) => off());
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
    for (const [key, shown] of this.waiting) {
      const line = this.live.line(shown.line.label) ?? shown.line;
      if (!own(line).attended) continue; // nobody is on watch by our own word: no screen of ours is attended
      this.waiting.delete(key);
      if (!inSight(shown.article)) {
        if (shown.article.isConnected) this.watcher.observe(shown.article); // it has left the screen: when it comes again
        continue;
      }
      if (!lines.has(line)) lines.set(line, []);
      lines.get(line).push(shown);
    }
    for (const [line, all] of lines) {
      if (await presented(line, all.map(({ entry }) => entry))) continue;
      for (const shown of all) this.waiting.set(name(line, shown.entry), shown); // tried again when the lines are told anew
    }
  }
}

const name = (line, entry) => `${line.line} ${entry.ref.leaf}`;

function inSight(article) {
  const { top, bottom } = article.getBoundingClientRect();
  return article.isConnected && bottom > 0 && top < innerHeight;
}

/** Say it of these messages now; whether it is said. */
export async function presented(line, entries) {
  const owed = entries.filter((entry) => !said.has(name(line, entry))).slice(0, MOST);
  if (!owed.length) return true;
  for (const entry of owed) said.add(name(line, entry));
  while (said.size > KEPT) said.delete(said.values().next().value);
  try {
    await post(ofLine(line, "/presented"), { refs: owed.map(({ ref: { lane, generation, index, leaf } }) => ({ lane, generation, index, leaf })) });
    return true;
  } catch {
    for (const entry of owed) said.delete(name(line, entry));
    return false;
  }
}
