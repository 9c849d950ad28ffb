// What stands beside the paper: what will happen when it is sent, the second act of a FLASH, the seconds in which it can be
// taken back, who must release it, and what became of it.

import { button, el, field, fill, fresh } from "../dom.js";
import { inertLine, inertText } from "../inert.js";
import { keyLabel } from "../keys.js";
import { peers } from "../live.js";
import { moment } from "../moments.js";
import { bearerName } from "../named.js";
import { badge, livery, precedence, precedenceShape, PRECEDENCES, roleWord } from "../signs.js";
import { comma, languageName, listed, rich, t } from "../words.js";
import { byMe, meaning, named, ROLES, spanOf } from "./paper.js";

const party = (each) => el("b", { class: "peer" }, el("bdi", null, each.name));

/** The rows that say what will happen over there. */
function consequences(place, message, { second = false } = {}) {
  const { line } = place;
  const flash = message.precedence === "flash";
  const minutes = line.policy?.handling_minutes?.[PRECEDENCES.indexOf(message.precedence)];
  const asked = Boolean(line.policy?.release);
  const down = peers(line).filter((each) => each.reach && each.reach !== "reached");
  const up = [...new Set(line.bearers.filter((each) => each.up).map((each) => bearerName(each.bearer)))];
  const rows = [
    [t("On the line"), livery(el("span", { class: "which" }, el("b", { class: "fig" }, line.number), el("b", null, inertLine(line.title || line.label, 60))), line)],
    [t("To"), peers(line).map((each) => el("div", null, party(each), comma(), listed(message.to.map(roleWord)), comma(),
      each.attended ? [t("on watch"), " ", el("span", { class: "fig" }, each.watch_sign)] : el("span", { class: "absent" }, each.attended === false ? t("nobody on watch") : t("watch not said"))))],
    [t("Over there"), flash ? t("It fills every screen and rings on every console until an officer reads it, also where the console is locked.") : t("One short tone, and it stands first where its clock runs out first.")],
    minutes ? [t("Agreed time"), t("Handled within {span}", { span: spanOf(minutes) })] : null,
    down.length ? [t("Now"), el("span", { class: "act" }, t("No way there is up. It is kept and goes out as soon as one is."))] : up.length ? [t("Bearers"), flash ? t("{names}, all at once", { names: listed(up) }) : listed(up)] : null,
    [t("This text"), flash ? rich("is signed and can be proved, for good. *A FLASH is not taken back.*") : rich("is signed and can be proved, for good. It can be replaced afterwards, never removed.")],
    second || !asked ? null : [t("Second officer"), t("The terms ask for one: somebody else confirms it and releases it.")],
  ];
  return el("dl", { class: "rows" }, rows.filter(Boolean).map(([name, words]) => [el("dt", null, name), el("dd", null, words)]));
}

/** The plain reminder while somebody writes, and the button that sends. */
export function sending(place) {
  const { content } = place.draft;
  const flash = content.precedence === "flash";
  const asked = Boolean(place.line.policy?.release);
  const words = flash ? t("To the second act") : asked ? t("Hand it to a second officer") : t("Send. Ten seconds to take it back");
  return el("section", { class: "beside", "aria-label": t("What will happen") }, el("h2", null, precedence(content.precedence), " ", t("What will happen")), consequences(place, content),
    minimize(place), el("div", { class: "do" }, place.said, button(words, place.acts.send, { key: keyLabel("ctrl+enter"), kind: `${flash ? "danger" : "main"} big` }),
      el("p", { class: "small second" }, t("Files are attached once the message is signed."), " ", button(t("let the draft go"), () => place.discard(), { kind: "plain small" }))));
}

function minimize({ line, draft }) {
  if (!line.minimize.length || !["priority", "routine"].includes(draft.content.precedence)) return null;
  const box = el("input", { type: "checkbox", id: fresh("considered"), checked: draft.content.minimize_considered, on: { change: () => draft.set({ minimize_considered: box.checked }) } });
  return el("p", { class: "said chosen" }, badge("minimize"), " ", t("MINIMIZE stands: this waits until it ends."), el("br"), box, " ", el("label", { for: box.id }, t("Send it all the same: I have considered it, under my sign.")));
}

/** FLASH: a second, deliberate act. `go` sends, `back` returns to the text. */
export function secondAct(place, message, { go, back, released = false }) {
  const { line } = place;
  const digits = el("input", { class: "digits fig", id: fresh("digits"), inputmode: "numeric", maxlength: line.number.length, autocomplete: "off", "aria-describedby": fresh("why") });
  const why = el("p", { class: "act", id: digits.getAttribute("aria-describedby"), role: "alert" });
  const handed = !released && line.policy?.release;
  const send = button(handed ? t("Hand it to a second officer") : t("Send the FLASH"), () => form.requestSubmit(), { key: t("Enter"), kind: "danger big" });
  const given = () => {
    digits.value = digits.value.replace(/\D/g, "");
    const whole = digits.value.length === line.number.length;
    const right = digits.value === line.number;
    send.setAttribute("aria-disabled", String(!right));
    fill(why, whole && !right ? t("That is not the number of this line. Look at where you are.") : "");
    return right;
  };
  const form = el("form", { class: "do", on: { submit: (event) => {
    event.preventDefault();
    if (given()) go(line.label);
  } } }, el("label", { for: digits.id }, t("To send it, type the number of the line.")), el("div", { class: "row" }, digits, send), why, place.said,
  el("p", { class: "small second" }, button(t("back to the text. Nothing has gone"), back, { key: t("Esc"), kind: "bare" })));
  digits.addEventListener("input", given);
  given();
  place.focus = () => digits.focus();
  return el("section", { class: "beside flash", "aria-label": t("FLASH: second act") }, el("h2", null, precedenceShape("flash", { size: 26 }), t("FLASH: second act")), consequences(place, message, { second: released }), form);
}

/** The seconds in which any officer may take it back. Returns the panel; `place.stopCount` ends it. */
export function grace(place, draft, withdraw) {
  const figures = el("b", { class: "count fig", role: "timer" });
  const bars = el("div", { class: "meter", "aria-hidden": "true" }, Array.from({ length: 10 }, () => el("i")));
  const show = () => {
    const left = Math.max(0, draft.due - place.live.now());
    figures.textContent = Math.ceil(left / 1_000);
    [...bars.children].forEach((bar, at) => bar.classList.toggle("spent", at >= Math.ceil(left / 1_000)));
  };
  show();
  const timer = setInterval(show, 200);
  place.stopCount = () => clearInterval(timer);
  const take = button(t("Take it back"), withdraw, { key: "W", kind: "danger big" });
  place.focus = () => take.focus();
  return el("section", { class: "beside counting look", "aria-label": t("It is not signed yet") }, el("h2", null, t("It is not signed yet")), el("div", { class: "do" },
    el("p", { class: "counted" }, figures, " ", t("seconds")), bars, el("p", null, t("Then it is signed and goes out. Until then any officer here may take it back. Afterwards it can only be replaced.")), place.said, take),
  consequences(place, draft.message, { second: true }));
}

/** It waits for somebody: for a second officer, or for the end of MINIMIZE. */
export function waiting(place, draft, { withdraw, release }) {
  const held = draft.state === "held";
  const mine = byMe(place.me, draft.drafter);
  const may = place.live.may("watch-officer");
  const back = may ? button(t("Take it back to the text"), withdraw, { key: "W" }) : null;
  if (!held && !mine && may) return releasing(place, draft, { release, back });
  place.focus = () => back?.focus();
  const words = held ? t("MINIMIZE holds it back: it goes out by itself when that ends.") : mine ? t("You drafted it: another officer confirms addressee and precedence and releases it.") : t("A watch officer releases it.");
  return el("section", { class: "beside" }, el("h2", null, badge(held ? "minimize" : "interim"), " ", held ? t("Held back") : t("Waits for a second officer")),
    el("div", { class: "do" }, el("p", null, words), el("p", { class: "second" }, rich("Since {moment}, drafted by {sign}.", { moment: moment(draft.made, place.live.now()), sign: el("span", { class: "fig" }, draft.drafter) })), place.said,
      el("div", { class: "row" }, held && may ? button(t("Send it all the same: considered"), () => release({ minimize_considered: true })) : null, back)), consequences(place, draft.message));
}

/** The releaser's part: addressee and precedence, chosen by the releaser's own hand. */
function releasing(place, draft, { release, back }) {
  const name = fresh("confirm");
  const chosen = el("select", { id: fresh("confirm") }, el("option", { value: "" }, t("choose")), PRECEDENCES.map((each) => el("option", { value: each, lang: "en" }, each.toUpperCase())));
  const boxes = ROLES.map((role) => {
    const input = el("input", { type: "checkbox", value: role, name, id: fresh("confirm") });
    return el("p", null, input, " ", el("label", { for: input.id }, roleWord(role)));
  });
  const submit = el("button", { type: "submit", class: "main big" }, el("kbd", { "aria-hidden": "true" }, keyLabel("ctrl+enter")), el("span", null, t("Release it")));
  const form = el("form", { class: "do", novalidate: true, on: { submit: (event) => {
    event.preventDefault();
    release({ to: boxes.map((each) => each.querySelector("input")).filter((each) => each.checked).map((each) => each.value), precedence: chosen.value });
  } } }, el("p", null, rich("{sign} drafted it at {moment}. Read it, then say *from the paper* to whom it goes and how urgent it is.", { sign: el("b", { class: "fig" }, draft.drafter), moment: moment(draft.made, place.live.now()) })),
  el("fieldset", { class: "field" }, el("legend", { class: "fieldname" }, t("It goes to")), el("div", { class: "boxes" }, boxes)), field(t("Its precedence"), chosen), place.said,
  el("div", { class: "row" }, submit, back));
  place.focus = () => boxes[0].querySelector("input").focus();
  place.submit = () => form.requestSubmit();
  return el("section", { class: "beside" }, el("h2", null, badge("key"), " ", t("You release it")), form, consequences(place, draft.message, { second: true }));
}

/** It is signed. */
export function sent(place, ref, { attach, again, open }) {
  const link = button(t("See it on the line"), open, { key: "O", kind: "main big" });
  place.focus = () => link.focus();
  return el("section", { class: "beside", "aria-label": t("Signed and on its way") }, el("h2", null, t("Signed and on its way")), el("div", { class: "do" },
    ref ? el("p", { class: "reference fig" }, ref.reference) : null,
    el("p", null, t("It stands in the transcript for good. Their receipts appear beneath it on the line.")), place.said, el("div", { class: "row" }, link, button(t("Write another"), again, { key: "C" })),
    ref ? files(place, attach) : null));
}

function files(place, attach) {
  const list = el("ul", { class: "files" });
  const input = el("input", { type: "file", multiple: true, id: fresh("files"), on: { change: async () => {
    for (const file of [...input.files]) {
      const row = el("li", null, inertLine(file.name, 120), " ", el("span", { class: "second" }, t("sending…")));
      list.append(row);
      row.lastChild.replaceWith(await attach(file));
    }
    input.value = "";
  } } });
  return el("div", { class: "field attach" }, el("label", { for: input.id }, t("Attach files to it")), input, el("p", { class: "small second" }, t("A file is signed at once and cannot be taken back.")), list);
}

/** A message that is not written any more, as its releaser reads it. */
export function readOnly(place, message) {
  const { line } = place;
  const asked = [["acknowledge_by", t("A person acknowledges by")], ["answer_by", t("Answer by")]].filter(([name]) => message[name]);
  return livery(el("div", { class: "sheet" }, el("article", { class: "paper reading" }, el("header", { class: "row" }, precedence(message.precedence, { size: 22 }),
    el("span", null, rich("to {roles}", { roles: [...peers(line).map((each) => each.name), listed(message.to.map(roleWord))].join(comma()) }))),
  el("p", { class: "meaning small" }, meaning(message.precedence, line)),
  message.subject ? el("h2", null, inertLine(message.subject, 256)) : null,
  el("p", { class: "fieldname" }, t("Text, {language}, original.", { language: languageName(message.lang ?? line.policy?.languages?.[0] ?? "en") })), inertText(message.text, message.lang ?? ""),
  el("dl", { class: "rows" }, asked.map(([name, words]) => [el("dt", null, words), el("dd", null, moment(message[name], place.live.now()))]),
    ["answers", "supersedes"].filter((name) => message[name]).map((name) => [el("dt", null, name === "answers" ? t("Answers") : t("Replaces")), el("dd", null, named(message[name]))])))), line);
}
