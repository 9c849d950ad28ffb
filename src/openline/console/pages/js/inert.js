// Hostile text made inert: what a party wrote can be read, and can do nothing. A character that would move, hide or reorder
// what stands around it is shown as its code point in a box; words that mix alphabets are named; long runs wrap; a text of any
// length is cut politely. The same rules as the command line's (cli/inert.py).

import { button, el, put } from "./dom.js";
import { flagSign } from "./signs.js";
import { comma, n, number, t } from "./words.js";

const HIDDEN = /[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Cs}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/u;
const MARK = /\p{M}/u;
const MOST_MARKS = 4;
const MIXED = /[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{M}]+/gu;
const SCRIPTS = [["Latin", /\p{Script=Latin}/u], ["Greek", /\p{Script=Greek}/u], ["Cyrillic", /\p{Script=Cyrillic}/u]];
const CUT = 4_000;

/** U+202E */
export const codePoint = (character) => `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

/** Whether a character must be boxed. A line feed is a line feed, a tab is spaces. */
export function isHidden(character) {
  return character !== "\n" && character !== "\t" && HIDDEN.test(character);
}

/** A text cut into runs: {text, boxed}. */
export function pieces(text) {
  const found = [];
  let plain = "";
  let marks = 0;
  for (const character of text) {
    marks = MARK.test(character) ? marks + 1 : 0;
    if (isHidden(character) || marks > MOST_MARKS) {
      if (plain) found.push({ text: plain, boxed: false });
      plain = "";
      found.push({ text: codePoint(character), boxed: true });
    } else plain += character === "\t" ? "    " : character;
  }
  if (plain) found.push({ text: plain, boxed: false });
  return found;
}

/** What to say beside a text: how many characters are hidden, and which words mix letters of alphabets that look alike. */
export function flags(text) {
  let hidden = 0;
  let marks = 0;
  for (const character of text) {
    marks = MARK.test(character) ? marks + 1 : 0;
    if (isHidden(character) || marks > MOST_MARKS) hidden += 1;
  }
  const mixed = new Set();
  for (const [word] of text.matchAll(MIXED)) {
    if (word.length < 200 && scriptsOf(word).length > 1) mixed.add(word);
    if (mixed.size >= 8) break;
  }
  return { hidden, mixed: [...mixed] };
}

const scriptsOf = (word) => SCRIPTS.filter(([, script]) => script.test(word)).map(([name]) => name);

/** "рaypal: 1 Cyrillic, 5 Latin" names which letter is of which alphabet. */
function told(word) {
  const main = SCRIPTS.map(([name, script]) => [name, [...word].filter((letter) => script.test(letter))]).filter(([, letters]) => letters.length);
  main.sort((one, other) => one[1].length - other[1].length);
  const [script, letters] = main[0];
  return t("{letters} is {script}", { letters: [...new Set(letters)].join(" "), script: scriptWord(script) });
}

function scriptWord(script) {
  return { Latin: t("Latin"), Greek: t("Greek"), Cyrillic: t("Cyrillic") }[script];
}

/** One line of a party's words (a title, a name, a subject): isolated, boxed, cut. */
export function inertLine(text, most = 200) {
  const node = el("bdi", { dir: "auto" });
  const cut = [...text].slice(0, most + 1);
  const shown = cut.length > most ? `${cut.slice(0, most).join("")}…` : text;
  boxes(node, shown.replaceAll("\n", "\u240a"));
  return node;
}

/** The same as a plain string, for titles and accessible names: hidden characters as [U+202E]. */
export function inertString(text, most = 200) {
  const cut = [...pieces(text)].map((piece) => (piece.boxed ? `[${piece.text}]` : piece.text)).join("").replaceAll("\n", " ");
  return cut.length > most ? `${cut.slice(0, most)}…` : cut;
}

/** The same for pasting elsewhere: in full, and every line marked, so that none of it passes for what the console says. */
export function inertQuote(text) {
  const whole = pieces(text).map((piece) => (piece.boxed ? `[${piece.text}]` : piece.text)).join("");
  return whole.split("\n").map((line) => `> ${line}`).join("\n");
}

/** A party's text in full, with a flag above it if there is something to know. `lang` is what its author says it is. */
export function inertText(text, lang = "") {
  const found = flags(text);
  const words = el("div", { class: "words", dir: "auto", lang: /^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$/.test(lang) ? lang : null });
  const more = () => {
    const from = Number(words.dataset.shown ?? 0);
    const part = cutAt(text, from, from + CUT * (from ? 8 : 1));
    boxes(words, part, found.mixed);
    words.dataset.shown = from + part.length;
    return from + part.length < text.length;
  };
  const rest = more();
  const node = el("div", { class: found.hidden || found.mixed.length ? "inert flagged" : "inert" }, flagLine(found), words);
  if (rest) {
    const again = button(restWords(text, words), () => {
      if (more()) again.lastChild.textContent = restWords(text, words);
      else again.remove();
    });
    put(node, el("p", { class: "acts" }, again));
  }
  return node;
}

const restWords = (text, words) => t("Show more: {number} characters are left", { number: number(text.length - Number(words.dataset.shown)) });

function cutAt(text, from, to) {
  // Never between the two halves of one character.
  const high = text.charCodeAt(to - 1);
  return text.slice(from, to < text.length && high >= 0xd800 && high < 0xdc00 ? to + 1 : to);
}

function flagLine({ hidden, mixed }) {
  if (!hidden && !mixed.length) return null;
  const words = [];
  if (hidden) words.push(n(hidden, "{count} hidden character is shown as its code.", "{count} hidden characters are shown as their codes."));
  if (mixed.length) words.push(t("Letters that look alike are mixed: {words}.", { words: mixed.map((word) => `${word} (${told(word)})`).join(comma()) }));
  return el("p", { class: "flags" }, flagSign(), el("span", { dir: "auto" }, words.join(" ")));
}

function boxes(node, text, mixed = []) {
  for (const piece of pieces(text)) {
    if (piece.boxed) node.append(el("span", { class: "codepoint", role: "img", "aria-label": t("hidden character {code}", { code: piece.text }) }, piece.text));
    else node.append(...underlined(piece.text, mixed));
  }
}

function underlined(text, mixed) {
  if (!mixed.length) return [text];
  const place = mixed.map((word) => [text.indexOf(word), word]).filter(([at]) => at >= 0).sort((one, other) => one[0] - other[0])[0];
  if (!place) return [text];
  const [at, word] = place;
  const rest = text.slice(at + word.length);
  return [text.slice(0, at), el("span", { class: "alike" }, word), ...(rest.length < 8_000 ? underlined(rest, mixed) : [rest])];
}
