// Drawing anew what events change, in one place: whoever is at a list keeps the focus and what is open in it, and nothing is
// drawn under a press. A press is one act from its beginning to its click: what it began on stands until then, so that it
// acts, and on what was pressed.
//
// What people act on is told apart by `data-key`: a row is the same row if its key, and those of what it stands in, are the
// same. Where the row is gone, the focus stays on the list itself, and never goes to another row: the next key would act there.

import { fill } from "./dom.js";

/** A press whose end nobody tells of, lost to another window or to a list that opened, is over by now at the latest. */
const HELD_MS = 30_000;
/** How long after a finger was lifted its click may come. */
const CLICK_MS = 300;
const ACTS = "a[href], button, input, select, textarea, summary, [tabindex]";

const press = { on: null, pointer: false, timer: 0 };
const waiting = new Map();
const owed = new WeakMap();

/**
 * Draw `place` anew with what `draw()` returns, as `el` takes children; with undefined it stays as it is. While something in it
 * is pressed, that waits for the click: `draw` is called once then, the last one that was given.
 */
export function redraw(place, draw) {
  if (press.on && place.contains(press.on)) waiting.set(place, draw);
  else drawn(place, draw);
}

function drawn(place, draw) {
  waiting.delete(place);
  const children = draw();
  if (children === undefined) return;
  const at = document.activeElement;
  const held = at !== place && place.contains(at) ? marked(place, at) : at === place ? owed.get(place) : null;
  const opened = [...place.querySelectorAll("details[open]")].map((each) => marked(place, each));
  fill(place, children);
  for (const mark of opened) found(place, mark)?.setAttribute("open", "");
  owed.delete(place);
  if (held) refocus(place, held);
}

function refocus(place, held) {
  found(place, held)?.focus({ preventScroll: true });
  if (place.contains(document.activeElement)) return;
  owed.set(place, held); // it may come again, or may be pressed again
  if (!place.hasAttribute("tabindex")) place.tabIndex = -1;
  place.focus({ preventScroll: true });
}

/** By what an element is found again: the keys in which it stands, its name there, and its number. */
function marked(place, element) {
  const keys = keysOf(place, element);
  return { keys, tag: element.tagName, name: nameOf(element), at: alike(holder(place, keys), element.tagName).indexOf(element) };
}

function found(place, { keys, tag, name, at }) {
  const row = holder(place, keys);
  const all = row ? alike(row, tag) : [];
  return all.find((each) => nameOf(each) === name) ?? (row === place ? undefined : all[at]);
}

const alike = (row, tag) => [...row.querySelectorAll(tag === "DETAILS" ? "details" : ACTS)].filter((each) => each.tagName === tag);

const nameOf = (element) => element.getAttribute("aria-label") ?? element.textContent;

function keysOf(place, element) {
  const keys = [];
  for (let at = element.closest("[data-key]"); at && at !== place && place.contains(at); at = at.parentElement.closest("[data-key]")) keys.push(at.dataset.key);
  return JSON.stringify(keys);
}

function holder(place, keys) {
  return keys === "[]" ? place : [...place.querySelectorAll("[data-key]")].find((each) => keysOf(place, each) === keys);
}

function begins(element, pointer) {
  clearTimeout(press.timer);
  Object.assign(press, { on: element, pointer });
  press.timer = setTimeout(ends, HELD_MS);
}

/** Everything that waited is drawn: in `ms`, if no other press begins before. */
function endsIn(ms) {
  clearTimeout(press.timer);
  press.pointer = false;
  press.timer = setTimeout(ends, ms);
}

function ends() {
  press.on = null;
  for (const [place, draw] of [...waiting]) drawn(place, draw);
}

const heard = (name, hear) => document.addEventListener(name, hear, { capture: true, passive: true });
heard("pointerdown", (event) => event.isPrimary && !event.button && begins(event.target, true));
heard("pointermove", (event) => press.on && press.pointer && !event.buttons && endsIn(CLICK_MS)); // its end was told elsewhere
heard("pointerup", () => press.on && endsIn(CLICK_MS));
heard("pointercancel", () => press.on && endsIn(0));
heard("keydown", (event) => event.key === " " && !event.repeat && begins(event.target, false));
heard("keyup", (event) => event.key === " " && press.on && endsIn(CLICK_MS));
heard("click", () => {
  press.on = null; // what the click does may draw at once
  endsIn(0);
});
