// Keys: everything is done from the keyboard, every act shows its key, and the sheet on `?` shows them all.
// Single letters do nothing while somebody types, and can be switched off altogether.

import { el } from "./dom.js";
import { t } from "./words.js";
import { openDialog } from "./dialogs.js";

const OFF = "openline.single-keys-off";
const layers = [];

/** Whether single letters act. */
export const singleKeys = () => localStorage.getItem(OFF) === null;

/**
 * Bind keys: [{key: "j", words: "move", run, hidden, always}]. Names as "j", "?", "Enter", "Escape", "ctrl+enter", "alt+1".
 * `always`: also while somebody types. `hint: false` keeps it off the key bar, not off the sheet. Returns what unbinds.
 */
export function bind(name, bindings) {
  const layer = { name, bindings };
  layers.push(layer);
  changed();
  return () => {
    const place = layers.indexOf(layer);
    if (place >= 0) layers.splice(place, 1);
    changed();
  };
}

const watchers = new Set();

/** `seen()` is called when other keys are bound: the key bar shows them. */
export function whenBound(seen) {
  watchers.add(seen);
}

function changed() {
  for (const seen of watchers) seen();
}

/** All bindings, the newest layer first. */
export const bound = () => [...layers].reverse();

/** A key as it is written on it. */
export function keyLabel(key) {
  const names = {
    ctrl: "Ctrl", alt: "Alt", shift: "Shift", enter: t("Enter"), escape: t("Esc"), arrowup: "↑", arrowdown: "↓", arrowleft: "←", arrowright: "→",
    pageup: t("PgUp"), pagedown: t("PgDn"), home: t("Home"), end: t("End"), delete: t("Del"), space: t("Space"),
  };
  return key.split("+").map((part) => names[part.toLowerCase()] ?? part.toUpperCase()).join(" ");
}

function typing(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName)
    || (target.tagName === "INPUT" && !/^(checkbox|radio|button|submit)$/.test(target.type)));
}

/** The name of the key that was struck. On a keyboard of another alphabet, its place on a Latin one. */
function struck(event) {
  let key = event.key === " " ? "space" : event.key.toLowerCase();
  if (key.length === 1 && !/[a-z0-9?/.,[\]]/.test(key)) {
    const place = /^Key([A-Z])$|^Digit([0-9])$/.exec(event.code);
    if (place) key = (place[1] ?? place[2]).toLowerCase();
  }
  return [event.ctrlKey && "ctrl", event.altKey && "alt", event.metaKey && "meta", key].filter(Boolean).join("+");
}

const held = { until: 0, keys: [] };

/** For a moment these keys do not act: struck for what stood there before, they are not meant for what stands there now. */
export function hold(keys, ms) {
  Object.assign(held, { until: performance.now() + ms, keys });
}

function listen(event) {
  if (event.defaultPrevented || event.isComposing || event.repeat && /^(enter|escape)$/i.test(event.key)) return;
  const name = struck(event);
  if (performance.now() < held.until && held.keys.includes(name) && !(name.length === 1 && typing(event.target))) {
    event.preventDefault();
    return;
  }
  const single = !/ctrl|alt|meta/.test(name) && name.length === 1;
  if (single && (typing(event.target) || !singleKeys())) return;
  const modal = document.querySelector("dialog[open]");
  const pressing = /^(enter|space)$/.test(name) && event.target instanceof Element && event.target.closest("a,button,summary,select,input,textarea");
  for (const layer of bound()) {
    if (modal && layer.name !== "dialog") continue;
    const found = layer.bindings.find((each) => each.key.toLowerCase() === name && !each.off?.());
    if (!found || (pressing && !found.always)) continue;
    if (typing(event.target) && !found.always && !/ctrl|alt|escape/.test(name)) continue;
    event.preventDefault();
    found.run(event);
    return;
  }
}

document.addEventListener("keydown", listen);

/** The sheet of all keys. */
export function showKeys() {
  const all = bound().map(({ name, bindings }) => [name === "floor-wide", bindings.filter((each) => each.words)]);
  const boxes = [[false, t("In this view")], [true, t("Everywhere")]].map(([wide, heading]) => [heading, all.filter(([each]) => each === wide).flatMap(([, bindings]) => bindings)])
    .filter(([, bindings]) => bindings.length).map(([heading, bindings]) => el("section", null, el("h3", null, heading),
      el("dl", { class: "keysheet" }, bindings.map((each) => [el("dt", null, el("kbd", null, keyLabel(each.key))), el("dd", null, each.words)]))));
  const toggle = el("input", { type: "checkbox", id: "single-keys", checked: singleKeys(), on: {
    change: () => (toggle.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1")) } });
  openDialog(t("All keys"), el("div", { class: "stack" }, el("div", { class: "keysheets" }, boxes),
    el("p", null, toggle, " ", el("label", { for: "single-keys" }, t("Single letters act. Switch this off if you use speech input."))),
    el("p", null, el("a", { href: "#/signs", on: { click: () => document.querySelector("dialog[open]")?.close() } }, t("What every sign says")))));
}
