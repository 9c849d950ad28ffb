// The interface's own words in the officer's language. English stands in the code; the other languages are gettext
// catalogues, which the station serves as JSON. What parties write is never translated here.

import { el } from "./dom.js";

export const LANGUAGES = [["en", "English"], ["fr", "français"], ["ru", "русский"], ["ar", "العربية"]];
const FORMS = { en: ["one", "other"], fr: ["one", "other"], ru: ["one", "few", "many"], ar: ["zero", "one", "two", "few", "many", "other"] };

const chosen = { language: "en", texts: {}, plurals: new Intl.PluralRules("en") };

/** A language's catalogue: English -> its forms. Empty for English, and while the station is away. */
async function catalogue(language) {
  if (!(language in FORMS) || language === "en") return {};
  try {
    const answer = await fetch(`/static/words/${language}.json`);
    return answer.ok ? (await answer.json()).texts : {};
  } catch {
    return {};
  }
}

/** Says things in a language that need not be the officer's: what stands in a text for the other floor. */
export async function speaker(language) {
  const [main] = language.split("-");
  const texts = main === chosen.language ? chosen.texts : await catalogue(main);
  return (text) => texts[text]?.[0] || text;
}

/** Speak that language from now on, English if it is none of ours or its catalogue does not come. */
export async function speak(language) {
  const known = language in FORMS ? language : "en";
  const texts = await catalogue(known);
  Object.assign(chosen, { language: known, texts, plurals: new Intl.PluralRules(known) });
  document.documentElement.lang = known;
  document.documentElement.dir = known === "ar" ? "rtl" : "ltr";
}

/** The language in use. */
export const language = () => chosen.language;

/** A sentence in the officer's language; `{name}` is filled in from `values`. The first argument is always a literal. */
export function t(text, values) {
  return filled(chosen.texts[text]?.[0] || text, values);
}

/** The sentence that fits a number; `{count}` is the number. */
export function n(count, one, many, values) {
  return filled(form(count, one, many), { count, ...values });
}

/** The same as `t`, as nodes: `*words*` are strong, and values may be nodes. */
export function rich(text, values) {
  return nodes(chosen.texts[text]?.[0] || text, values ?? {});
}

/** The same as `n`, as nodes. */
export function richN(count, one, many, values) {
  return nodes(form(count, one, many), { count, ...values });
}

function form(count, one, many) {
  const forms = chosen.texts[one];
  const order = FORMS[chosen.language];
  const place = order.indexOf(chosen.plurals.select(count));
  if (forms) return forms[place < 0 ? forms.length - 1 : place] || forms[forms.length - 1];
  return count === 1 ? one : many;
}

function filled(text, values) {
  if (!values) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

function nodes(text, values) {
  const out = document.createDocumentFragment();
  text.split("*").forEach((part, place) => {
    const into = place % 2 ? el("b") : out;
    for (const piece of part.split(/(\{\w+\})/)) {
      const name = piece.startsWith("{") ? piece.slice(1, -1) : "";
      const value = name && name in values ? values[name] : piece;
      if (value !== "") into.append(value instanceof Node ? value : String(value));
    }
    if (place % 2) out.append(into);
  });
  return out;
}

/** What the station says by a constant (why it refuses, what a bearer lacks), in the officer's language: station/locale/LANGUAGE.po. */
export const stationWords = (text) => chosen.texts[text]?.[0] || text;

/** The same as a sentence of its own. */
export function stationSentence(text) {
  const words = stationWords(text);
  return words && words.charAt(0).toLocaleUpperCase(chosen.language) + words.slice(1) + (/[.!?؟]$/.test(words) ? "" : ".");
}

/** What stands between two parts of an enumeration. */
export const comma = () => (chosen.language === "ar" ? "، " : ", ");

/** A number as the language writes it, with figures that stay Latin: they are compared across the line. */
export function number(value) {
  return new Intl.NumberFormat(chosen.language, { numberingSystem: "latn" }).format(value);
}

/** The name of a language, in the officer's own. */
export function languageName(tag) {
  try {
    return new Intl.DisplayNames([chosen.language], { type: "language" }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}

/** Names one after the other: "BRAVO and CHARLIE". */
export function listed(names) {
  return new Intl.ListFormat(chosen.language, { type: "conjunction" }).format(names);
}
