// Dialogs: modal, closed by Escape, the focus back where it was.

import { button, el, fresh } from "./dom.js";
import { t } from "./words.js";

/** Show a dialog; resolves with its return value when it closes ("" if it was dismissed). `acts` are further buttons. */
export function openDialog(title, content, { acts = [], closeWords = t("Close"), kind = "" } = {}) {
  const heading = fresh("dialog");
  const before = document.activeElement;
  const close = (value = "") => dialog.close(value);
  const dialog = el("dialog", { "aria-labelledby": heading, class: kind || null },
    el("div", null, el("h2", { id: heading }, title), content,
      el("div", { class: "acts" }, acts.map(([words, value, look]) => button(words, () => close(value), { kind: look ?? "" })),
        button(closeWords, () => close(), { key: t("Esc") }))));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
      resolve(dialog.returnValue);
    });
  });
}

/** Ask before something that cannot be taken back; resolves true if it was confirmed. */
export async function confirmed(title, content, yes, { danger = false } = {}) {
  const value = await openDialog(title, content, { acts: [[yes, "yes", danger ? "danger" : "main"]], closeWords: t("Back. Nothing is done") });
  return value === "yes";
}

/**
 * Ask for something in a form. `build(form)` appends fields; `send(form)` does it and may throw, which is then said in the
 * dialog, and the form stays. Resolves true once it was done.
 */
export function askForm(title, build, send, { yes, explainError, danger = false }) {
  const heading = fresh("dialog");
  const before = document.activeElement;
  const said = el("div", { role: "alert" });
  const submit = el("button", { type: "submit", class: danger ? "danger" : "main" }, yes);
  const form = el("form", { method: "dialog", novalidate: true }, el("h2", { id: heading }, title));
  const dialog = el("dialog", { "aria-labelledby": heading }, form);
  build(form);
  form.append(said, el("div", { class: "acts" }, submit, button(t("Back. Nothing is done"), () => dialog.close(""), { key: t("Esc") })));
  document.body.append(dialog);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      await send(form);
      dialog.close("done");
    } catch (error) {
      said.replaceChildren(failure(error, explainError));
      submit.disabled = false;
    }
  });
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
      resolve(dialog.returnValue === "done");
    });
  });
}

/** A failure as a strip: what happened, what to do, and the station's own sentence. `explain` is api.explain. */
export function failure(error, explain) {
  const { what, next, said } = explain(error);
  return el("div", { class: "said act" }, el("p", null, el("b", null, what), " ", next), said ? el("p", { class: "small second" }, said) : null);
}
