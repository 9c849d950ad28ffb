// Beside the call: the spoken check, how sound gets through, how it is protected.

import { button, el, fill } from "../dom.js";
import { inertString } from "../inert.js";
import { moment, now } from "../moments.js";
import { badge } from "../signs.js";
import { number, rich, t } from "../words.js";
import { qualityWord, worst } from "./quality.js";
import { signOf } from "./telling.js";

/** A panel of the call, found by its name. */
export const panel = (name, title, ...children) => el("section", { class: "panel", data: { panel: name }, "aria-label": title }, el("h2", null, title), children);

/** The spoken check: what is read aloud, what must be heard, and what people said of it. */
export function checkPanel(view, session, { matched, differed }) {
  const { check } = view;
  const title = t("Spoken check: the keys of this call and of this line");
  if (!check?.read) return panel("check", title, el("p", { class: "second" }, ["open", "ringing"].includes(view.state) ? t("The figures appear as soon as the keys are opened.") : t("There were no figures to compare.")));
  const said = check.words.map((word) => el("p", null, word.earlier ? el("span", { class: "second" }, word.matched ? rich("{sign} matched *earlier figures*, {moment}. These are others: read them.", { sign: signOf(word.sign), moment: moment(word.at, now(), { seconds: true }) })
    : rich("{sign} did not match *earlier figures*, {moment}.", { sign: signOf(word.sign), moment: moment(word.at, now(), { seconds: true }) })) : word.matched ? rich("*Heard and matched* by {sign}, {moment}.", { sign: signOf(word.sign), moment: moment(word.at, now(), { seconds: true }) })
    : el("span", { class: "act" }, rich("*Did not match*, said {sign}, {moment}.", { sign: signOf(word.sign), moment: moment(word.at, now(), { seconds: true }) }))));
  const mine = check.words.some((word) => !word.earlier && view.parties.find((party) => party.party === word.party)?.me);
  return panel("check", title,
    el("p", { class: "small second" }, t("You read aloud")), el("p", { class: "figures fig" }, check.read),
    el("p", { class: "small second" }, t("They read back, in their language")), el("p", { class: "figures fig peer" }, check.heard),
    said, mine || !session || view.state !== "open" ? null : el("div", { class: "row" }, button(t("They matched"), matched, { key: "B", kind: "main" }), button(t("They did not match"), differed, { kind: "" })),
    el("p", { class: "small second" }, t("A voice or a face proves nothing. These figures do.")));
}

/** How sound gets through, in words. */
export function soundPanel(view, session, { devices, redo }) {
  const title = t("Sound");
  if (!session) return panel("sound", title, el("p", { class: "second" }, t("No sound here: this console is not in the call.")));
  const found = worst([...session.connections.values()].map((each) => each.quality));
  const thin = [...session.connections.values()].some((each) => each.thin);
  const word = session.sounding || found?.word === "none" ? found?.word ?? "waiting" : "waiting";
  const kind = { broken: "look", hardly: "look", none: "act" }[word] ?? "";
  return panel("sound", title,
    el("p", { class: "quality", data: { quality: word } }, el("b", { class: kind || null }, kind ? [badge("silent", { size: 18 }), " "] : null, session.sounding || word === "none" ? qualityWord(word) : t("Not yet.")), " ",
      found && found.delay !== null && word !== "none" ? el("span", { class: "second" }, figures(found)) : null),
    thin && word !== "none" ? el("p", { class: "small" }, t("The path is narrow: less sound is sent, so that it passes.")) : null,
    session.away ? el("p", { class: "said look small" }, t("The station is away. Sound goes on; what is typed and the end of the call wait for it.")) : null,
    el("div", { class: "row apart" }, el("p", { class: "small second" }, t("If it fails: voice messages, then typing.")), button(t("Devices"), devices, { key: "D", kind: "bare" }), session.failing ? button(t("Try again now"), redo) : null));
}

function figures({ kbits, lost, delay }) {
  const share = lost > 0.0005 ? t("1 of {number} lost", { number: number(Math.max(1, Math.round(1 / lost))) }) : t("nothing lost");
  return t("{kbits} kbit/s, {share}, {delay} ms", { kbits: number(Math.round(kbits)), share, delay: number(Math.round(delay)) });
}

/** How sound is protected, in words. */
export function protectionPanel(view, session) {
  const title = t("Protection");
  const live = session ? [...session.connections.values()].filter((each) => each.state === "connected").map((each) => each.protection) : [];
  const signed = view.seats.map((seat) => seat.protection).filter(Boolean);
  const ended = view.ends.map((end) => end.protection).filter(Boolean);
  const all = live.length ? live : signed.length ? signed : ended;
  const never = el("p", null, rich("*Sound is not recorded.* Start, end, roles and this protection are."));
  if (!all.length) return panel("protection", title, el("p", { class: "second" }, ["open", "ringing"].includes(view.state) ? t("No sound passes before the keys are checked.") : t("No sound went through.")), never);
  const [first] = all;
  const relayed = all.some((each) => each.path === "relay");
  return panel("protection", title,
    el("p", null, t("Sealed between the consoles with DTLS {version}, keys signed on this line.", { version: inertString(first.dtls, 16) }), " ", relayed ? t("By way of a relay, which cannot hear it.") : t("Direct path.")),
    never, el("details", null, el("summary", { class: "small second" }, t("The names of the ciphers")), el("p", { class: "small fig" }, inertString(first.cipher, 64), el("br"), inertString(first.srtp, 64))));
}

/** The same panel again only where it looks different: `name` is what it depends on. */
export function redraw(box, name, make) {
  if (box.dataset.drawn === name) return;
  const held = box.contains(document.activeElement) ? [...box.querySelectorAll("button, a, summary, input")].indexOf(document.activeElement) : -1;
  const open = box.querySelector("details")?.open;
  box.dataset.drawn = name;
  fill(box, make());
  if (open && box.querySelector("details")) box.querySelector("details").open = true;
  if (held >= 0) box.querySelectorAll("button, a, summary, input")[held]?.focus({ preventScroll: true });
}
