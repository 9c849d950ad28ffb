// A browser by the name it gives itself: two words of it. What it says is anybody's claim, and never more than a hint to a person.

import { inertLine } from "../inert.js";
import { t } from "../words.js";

const LONGEST = 400;
/** In this order: each of these also calls itself by a later name. */
const BROWSERS = [["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["Chrome/", "Chromium"], ["Safari/", "Safari"]];
const SYSTEMS = [["Android", "Android"], ["iPhone", "iOS"], ["iPad", "iPadOS"], ["Windows", "Windows"], ["CrOS", "ChromeOS"], ["Mac OS X", "macOS"], ["Linux", "Linux"]];

/** "Chromium on Linux"; what is neither known nor empty, as it is. */
export function browserWords(claimed) {
  const text = claimed.slice(0, LONGEST);
  const known = (names) => names.find(([mark]) => text.includes(mark))?.[1];
  const [browser, system] = [known(BROWSERS), known(SYSTEMS)];
  return browser && system ? t("{browser} on {system}", { browser, system }) : inertLine(claimed, 60);
}
