// What the station names by a short constant (an act, a refusal's code, why a call failed, a kind of entry), in words.
// tests/docs/test_console_words.py compares every table with the names that the station has.

import { comma, t } from "./words.js";

/** An act of the audit log. */
export function auditWord(act) {
  return {
    "alarm-acknowledge": t("take an alarm"), "alarm-roster": t("set the roster"), "alarm-test": t("test the alarm paths"), attach: t("attach a file"), backup: t("make a backup"), call: t("place a call"), "call-check": t("say how the spoken check went"), "call-decline": t("decline a call"), "call-hang-up": t("end a call"), "call-minutes": t("draft minutes"),
    "call-minutes-word": t("say a word on minutes"), "call-pick-up": t("pick a call up"), "call-seat": t("take a seat in a call"), "call-typed": t("type a line in a call"), "call-wanted": t("ask one’s console to place a call"), calendar: t("make a calendar address"),
    "calendar-revoke": t("revoke a calendar address"), "card-taken": t("take a newer card"), clock: t("set the simulated clock"), discard: t("let a draft go"), draft: t("hand a draft on for release"),
    "drop-read": t("read a stick"), "drop-write": t("write a stick"), export: t("export a line"), "keep-watch": t("keep the watch"), "keys-plan": t("plan new keys"), "keys-rotate": t("change keys"),
    "keys-stolen": t("hold a key for stolen"), "leave-watch": t("leave the floor unattended"), lock: t("lock the console"), log: t("write a note into the log"), minimize: t("impose or lift MINIMIZE"),
    "offer-watch": t("offer the watch"), "officer-add": t("add an officer"), "officer-change": t("change an officer"), "officer-link": t("make a one-time link"), pair: t("begin a pairing"),
    "pair-confirm": t("confirm a pairing"), "pair-end": t("end a pairing"), papers: t("write line papers"), "passkey-add": t("make a passkey"), "passkey-forget": t("forget a passkey"),
    presented: t("say what was presented"), prove: t("prove an entry"), read: t("reading"), "recovery-codes": t("make recovery codes"), release: t("release a message"), renew: t("renew the line keys"),
    send: t("send a message"), "session-end": t("end a session"), "sign-in": t("sign in by a one-time link"), "sign-in-passkey": t("sign in with a passkey"),
    "sign-in-recovery": t("sign in with a recovery code"), "sign-out": t("sign out"), submit: t("sign an entry"), "submit-batch": t("sign several entries"), "take-watch": t("take the watch"),
    test: t("send a test"), "test-bearers": t("probe bearers"), unlock: t("unlock the console"), "watch-left": t("note that the floor is unattended"), "watch-offered": t("note that the watch is offered"),
    "watch-taken": t("note who took the watch"), withdraw: t("take a draft back"),
  }[act] ?? act;
}

/** Why something was refused, by the code of the refusal. */
export function refusalWord(code) {
  return {
    malformed: t("it did not fit"), forged: t("not genuine"), foreign: t("not of this place"), replayed: t("seen before"), refused: t("not allowed now"), forbidden: t("the role is missing"),
    unknown: t("no such thing"), conflict: t("something else stood there"), "too-large": t("too large"), quota: t("too much at once"), unavailable: t("the station could not"),
    bug: t("a fault of the program"), "signed-out": t("not signed in"), locked: t("locked"), "method-not-allowed": t("it did not fit"), misdirected: t("another address"),
  }[code] ?? code;
}

/** Why a call on an alarm path, or a sign of life, did not arrive. */
export function failureWord(how) {
  return {
    timeout: t("no answer in time"), untrusted: t("its certificate is not the right one"), unreachable: t("it cannot be reached"), "no-answer": t("its answer is none"), redirected: t("it points elsewhere"),
    refused: t("it refuses the call"), failing: t("it reports a fault of its own"), unavailable: t("the station could not"), "not-configured": t("its settings do not fit"), malformed: t("its settings do not fit"),
    "file-missing": t("a file of its settings is missing"), "not-installed": t("a program part is not installed"), "smtp-unreachable": t("the mail server cannot be reached"),
    "smtp-untrusted": t("the mail server’s certificate is not the right one"), "smtp-login-refused": t("the mail server refuses the login"), "smtp-deferred": t("the mail server says: later"),
    "sender-refused": t("the mail server refuses the sender"), "recipient-refused": t("the mail server refuses the recipient"), "mailbox-full": t("the mailbox is full"),
    "mail-refused": t("the mail server refuses the mail"),
  }[how] ?? how;
}

/** What an entry is, in a word. */
export function kindWord(kind) {
  return {
    message: t("message"), interim: t("interim"), decline: t("declined"), query: t("query"), answer: t("answer"), translation: t("translation"), suspend: t("suspension"), lift: t("suspension lifted"),
    service: t("service"), contact: t("contact"), countersign: t("countersignature"), test: t("test"), attachment: t("file"), propose: t("proposal of terms"), assent: t("assent to terms"), terms: t("terms"),
    generation: t("new generation"), keys: t("keys"), epoch: t("new line keys"), watch: t("watch"), receipt: t("receipt"), ack: t("receipt of the station"), "attachment-receipt": t("receipt of a file"),
    ring: t("call"), "pick-up": t("answered call"), refusal: t("call not picked up"), seat: t("seat in a call"), "hang-up": t("end of a call"), "typed-line": t("line typed in a call"), minutes: t("minutes of a call"),
    "minutes-word": t("word on minutes"), refused: t("an entry that cannot be opened"),
  }[kind] ?? kind;
}

/** What a clock rests on. */
export function basisWord(basis) {
  return { "handling time": t("handling time"), "answer by": t("answer by"), "acknowledge by": t("acknowledge by"), interim: t("interim") }[basis] ?? basis;
}

const CLOCK = /^(.+: .+), (handling time|answer by|acknowledge by|interim), (.+)$/;

/** The name by which an open clock is accepted ("BRAVO: ALPHA 0147 …, answer by, BRAVO"), to be read. */
export function clockName(name) {
  const parts = CLOCK.exec(name);
  return parts ? [parts[1], basisWord(parts[2]), parts[3]].join(comma()) : name;
}

/** A note of who took the watch: the station adds the clocks that were accepted with it, each on a line of its own. */
export function takenNote(text) {
  return text.split("\n").map((each) => (each === "(no handover)" ? t("(no handover)") : clockName(each))).join("\n");
}

/** A bearer's name as people write it. */
export function bearerName(name) {
  return { tls: "TLS", mail: t("e-mail"), nats: "NATS", drop: t("by hand"), serial: t("serial"), courier: t("courier") }[name] ?? name;
}

