// The floor: how things stand in one sentence, every line as an instrument, and what waits for this watch, first clock first.

import { button, el, fill } from "../dom.js";
import { noLine } from "../picking.js";
import { instrument } from "../floor/instrument.js";
import { sentence } from "../floor/sentence.js";
import { strip } from "../floor/strips.js";
import { Tests } from "../floor/tests.js";
import { redraw } from "../redrawn.js";
import { attended, openWatch } from "../watch.js";
import { n, t } from "../words.js";

export const styles = ["floor"];
const SHOWN = 40;
/** So many lines stand closer on a low screen; so many are told in words there, those in trouble first. */
const [SEVERAL, MANY] = [4, 5];
const MINUTE_MS = 60_000;
const READERS = ["watch-officer", "principal", "interpreter", "auditor"];

/** What of a strip's words the time alone changes. */
const passing = (waits, now) => [waits.due !== null && waits.due < now, waits.what === "theirs" || waits.due === null ? Math.floor(now / MINUTE_MS) : 0];

export function open(root, context) {
  const { live } = context;
  const heading = el("h1", { class: "sentence" });
  const lines = el("section", { class: "lines", "aria-label": t("Lines") });
  const queue = el("section", { class: "queue", "aria-label": t("Waits for this watch") });
  const place = { context, at: 0, strips: [], kept: new Map(), tests: new Tests(live, () => drawLines()) };

  function drawLines() {
    if (!live.lines.size) {
      fill(root, noLine(context));
      return;
    }
    if (!root.contains(lines)) fill(root, heading, lines, queue);
    fill(heading, sentence(live));
    context.band("watch", live.may("watch-officer") && !attended(live) ? el("span", null, t("Nobody here is on watch, by this floor’s own word: nothing counts as presented."), " ",
      button(t("Take the watch"), () => openWatch(context), { key: "W" })) : null, "look");
    redraw(lines, () => [...live.lines.values()].map((line) => {
      const made = instrument(context, line, place.tests.of(line));
      made.dataset.key = line.line;
      return made;
    }));
    lines.classList.toggle("several", live.lines.size >= SEVERAL);
    lines.classList.toggle("many", live.lines.size >= MANY);
    lines.style.setProperty("--many", live.lines.size); // an instrument grows with the screen up to a height: its words stay together
  }

  function drawQueue() {
    fill(heading, sentence(live));
    redraw(queue, strips);
  }

  function strips() {
    const waiting = live.inbox.waiting();
    const chosen = place.strips[place.at]?.dataset.place;
    place.kept = new Map(waiting.slice(0, SHOWN).map((each) => {
      const said = JSON.stringify([{ ...each, line: [each.line.line, each.line.number, each.line.pattern, each.line.hue, each.line.policy?.exercise] }, passing(each, live.now())]);
      return [said, place.kept.get(said) ?? strip(context, each)];
    }));
    place.strips = [...place.kept.values()];
    for (const each of place.strips) each.dataset.key = each.dataset.place;
    select(Math.max(0, place.strips.findIndex((each) => each.dataset.place === chosen)), false);
    return [el("h2", null, el("span", null, t("Waits for this watch, first clock first")), el("span", { class: "fig" }, waiting.length)),
      place.strips.length ? place.strips : el("p", { class: "nothing" }, !live.may(...READERS) ? t("Your role does not read messages. The lines are live.") : live.inbox.loaded ? t("Nothing waits. The lines are watched.") : t("Looking through the lines…")),
      waiting.length > SHOWN ? el("p", { class: "second small" }, n(waiting.length - SHOWN, "{count} more waits.", "{count} more wait.")) : null];
  }

  function select(at, focus) {
    if (!place.strips.length) return;
    place.at = Math.max(0, Math.min(at, place.strips.length - 1));
    place.strips.forEach((each, number) => each.classList.toggle("chosen-strip", number === place.at));
    if (focus) place.strips[place.at].querySelector("a").focus();
  }

  const act = (query) => () => {
    const waits = live.inbox.waiting()[place.at];
    if (!waits) return;
    if (waits.draft) context.go("compose", waits.line.label, { draft: waits.draft.draft });
    else if (query === "answer") context.go("compose", waits.line.label, { answers: waits.entry.ref.reference });
    else context.go("line", waits.line.label, { at: waits.entry.seq });
  };
  context.keys([
    { key: "n", words: t("next clock"), run: () => select(0, true) },
    { key: "j", words: t("move down"), run: () => select(place.at + 1, true) },
    { key: "k", words: t("move up"), run: () => select(place.at - 1, true), hint: false },
    { key: "o", words: t("open"), run: act("open") },
    { key: "a", words: t("answer"), run: act("answer") },
    { key: "c", words: t("compose"), run: () => context.go("compose") },
    { key: "p", words: t("call"), run: () => context.go("call", live.inbox.waiting()[place.at]?.line.label ?? "") },
    { key: "w", words: t("on or off watch"), run: () => openWatch(context) },
  ]);
  drawLines();
  drawQueue();
  const offs = [live.on("lines", drawLines), live.on("waiting", drawQueue), live.on("entry", ({ line, entry }) => entry.kind === "test" && place.tests.stir(line))];
  place.tests.load();
  const timer = setInterval(() => fill(heading, sentence(live)), 15_000);
  return () => {
    context.band("watch", null);
    clearInterval(timer);
    place.tests.stop();
    offs.forEach((off) => off());
  };
}
