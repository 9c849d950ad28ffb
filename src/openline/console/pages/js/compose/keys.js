// The keys of composing: those of what the officer is doing now.

import { PRECEDENCES } from "../signs.js";
import { t } from "../words.js";

/** The bindings while `view` is in its mode: write, second, waits or sent. */
export function keysOf(view) {
  if (view.mode === "second") return [{ key: "escape", words: t("back, nothing is sent"), run: () => view.back(), always: true }];
  if (view.mode === "sent") return [
    { key: "o", words: t("see it on the line"), run: () => view.openLine() },
    { key: "c", words: t("write another"), run: () => view.again() },
  ];
  if (view.mode === "waits") return waiting(view);
  return view.live.may("watch-officer") ? writing(view) : [];
}

function waiting(view) {
  return [
    { key: "ctrl+enter", words: t("release it"), run: () => view.submit(), off: () => !view.submit, hint: Boolean(view.submit), always: true },
    { key: "w", words: t("take it back"), run: () => view.withdraw() },
    { key: "escape", words: t("back, nothing is sent"), run: () => view.became(view.waits), off: () => !view.confirming, hint: Boolean(view.confirming), always: true },
  ];
}

function writing(view) {
  const { paper, draft } = view;
  const roles = () => {
    paper.picker.open = true;
    paper.picker.querySelector("input").focus();
  };
  return [
    { key: "ctrl+enter", words: t("send, or to the second act"), run: () => view.send(), always: true },
    ...PRECEDENCES.map((name, place) => ({ key: `alt+${place + 1}`, words: name.toUpperCase(), run: () => paper.choosePrecedence(name), hint: false, always: true })),
    { key: "alt+t", words: t("to whom"), run: roles },
    { key: "alt+m", words: t("template"), run: () => paper.template.focus() },
    { key: "alt+b", words: t("answer by"), run: () => paper.answerBy.input.focus() },
    { key: "alt+x", words: t("the text"), run: () => paper.focusText(), hint: false },
    { key: "alt+n", words: t("read what is newer"), run: () => view.readNewer(), off: () => !draft.view?.newer_count, hint: false },
    { key: "alt+u", run: () => draft.takeTheirs(), off: () => !draft.conflict },
    { key: "alt+i", run: () => view.mine(), off: () => !draft.conflict },
    { key: "ctrl+s", words: t("keep now"), run: () => draft.keep() },
    { key: "alt+delete", words: t("let the draft go"), run: () => view.discard(), hint: false },
  ];
}
