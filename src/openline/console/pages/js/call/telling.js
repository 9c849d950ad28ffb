// How things stand in a call, in plain words.

import { el } from "../dom.js";
import { inertLine, inertString } from "../inert.js";
import { moment, now, span } from "../moments.js";
import { roleWord } from "../signs.js";
import { comma, languageName, n, rich, t } from "../words.js";
import { seatKey } from "./connection.js";
import { worst } from "./quality.js";

/** Reasons that are often given for not answering: to be chosen, and changed. */
export const reasons = () => [t("Our interpreter is not here yet. We call back within 15 minutes."), t("We are in another call. We call back."), t("Please write it: we answer on the line.")];

/** A party of a call. */
export const partyOf = (view, number) => view.parties.find((party) => party.party === number);
export const partyName = (view, number) => partyOf(view, number)?.name ?? "?";

/** The other side's name, or names. */
export const otherNames = (view) => view.parties.filter((party) => !party.me).map((party) => inertString(party.name, 40)).join(comma());

/** Why a call ended or was not picked up. */
export function causeWords(cause) {
  return {
    declined: t("Declined by a person, with a reason."), "not-answered": t("Nobody answered."), unattended: t("Nobody was on watch."), busy: t("Another call was going on."),
    suspended: t("The line is suspended: only a FLASH rings."), "no-console": t("No console was open."), ended: t("Ended by a person."), withdrawn: t("Withdrawn before anybody answered."),
    "console-lost": t("A console was lost, and nobody took the call over."), "not-protected": t("Sound was not protected as it must be. The call was ended before any was heard."),
    "check-failed": t("The spoken check did not match."), "wrong-key": t("The caller’s key was not the one it had bound itself to."),
    confirms: t("The other side ended it."), yields: t("Both called at once: the other ring stands."),
  }[cause] ?? "";
}

/** The state of a call in a word or two. */
export function callState(view) {
  return {
    ringing: t("rings"), open: t("open"), ended: t("ended"), refused: t("declined"), missed: view.mine ? t("not answered") : t("missed"), withdrawn: t("withdrawn"), yielded: t("crossed"),
  }[view.state] ?? "";
}

/** How long sound went both ways; null if it never did. */
export function lasted(view) {
  const own = view.ends.filter((end) => end.began !== null && end.ended !== null);
  return own.length ? Math.max(...own.map((end) => end.ended - end.began)) : null;
}

/** What both signed of a call. */
export function recordWords(view) {
  if (view.picked_up_at === null && view.record === "agreed") return t("Both sides signed that it was not taken up.");
  return {
    agreed: t("Both sides signed the same start and end."), "one-sided": t("Only one side has signed the end so far."), differs: t("The two sides signed different things: see below."), open: t("The call is not over."),
  }[view.record] ?? "";
}

/** The same at the beginning of a sentence. */
export const upper = (words) => words.charAt(0).toLocaleUpperCase() + words.slice(1);

/** "BRAVO’s watch officer", "your interpreter"; the seat of this console is "you". */
export function seatWords(seat, own) {
  if (own && seat.party === own.party && seat.seat === own.seat) return t("you");
  if (seat.me) return t("your {role}", { role: seatRole(seat) });
  return t("{party}’s {role}", { party: inertString(seat.name, 40), role: seatRole(seat) });
}

/** What a seat is: its role; the further console of a side is its interpreter or adviser. */
export function seatRole(seat) {
  if (seat.seat === 1 && seat.role === "watch-officer") return t("adviser");
  return roleWord(seat.role);
}

/** The first line of the view. */
export function sentence(view, session) {
  if (!view) return t("No call is going on.");
  const them = el("bdi", { class: "peer" }, otherNames(view));
  if (view.state === "ringing") {
    return view.mine ? rich("It rings at *{party}*. They have until {moment} to answer.", { party: them, moment: moment(view.rings_until, now(), { seconds: true }) })
      : rich("*{party}* calls: {role} {sign}.", { party: them, role: roleWord(view.role), sign: el("span", { class: "fig" }, view.sign) });
  }
  if (view.state !== "open") return over(view, them);
  if (!session) return rich("A call with *{party}* is open. This console is not in it.", { party: them });
  return going(view, session, them);
}

function over(view, them) {
  if (view.state === "missed") return view.mine ? rich("*{party}* did not answer.", { party: them }) : rich("*A call from {party} was missed.*", { party: them });
  if (view.state === "refused") return view.mine ? rich("*{party}* declined the call.", { party: them }) : rich("The call from *{party}* was declined.", { party: them });
  if (view.state === "withdrawn") return view.mine ? t("You withdrew the call.") : rich("*{party}* rang, and withdrew the call.", { party: them });
  if (view.state === "yielded") return t("Both sides called at once. One of the two calls stands.");
  const time = lasted(view);
  return time === null ? rich("The call with *{party}* is over. No sound went both ways.", { party: them })
    : rich("The call with *{party}* is over. It lasted {span}.", { party: them, span: span(time) });
}

function going(view, session, them) {
  const { own, turns } = session;
  if (!own) return rich("*{party}* has answered. The keys are being opened.", { party: them });
  const officer = view.seats.find((seat) => !seat.me && seat.seat === 0);
  if (officer && (officer.state === "lost" || officer.state === "left")) return rich("*No officer of {party} is at a console now.* Within a minute another one takes the call over, or it ends.", { party: them });
  if (session.failing) return rich("*Voice does not get through.* Record a voice message, or type: both go over the line. Voice is tried again by itself.");
  if (!session.sounding) return rich("*{party}* has answered. Sound is being protected; nothing is heard before that.", { party: them });
  if (turns.mine.held) return rich("*On hold.* You hear nothing and nothing is heard of you.");
  if (!turns.byTurns) return speaking(view, session, them);
  const holder = view.seats.find((seat) => seatKey(seat) === turns.holder);
  if (!holder) return rich("*The floor is free.* Hold Space to speak.");
  const next = view.seats.find((seat) => seatKey(seat) === turns.next);
  const interpreted = view.seats.some((seat) => seat.seat === 1 && seat.state !== "left");
  const then = next && interpreted ? [" ", rich("Then *{who}*.", { who: seatWords(next, own) })] : [];
  if (holder.me && holder.seat === own.seat) return el("span", null, rich("*You have the floor.*"), then);
  return el("span", null, rich("*{who}* has the floor, in {language}.", { who: el("span", { class: holder.me ? null : "peer" }, upper(seatWords(holder, own))), language: languageName(holder.lang) }), then);
}

function speaking(view, session, them) {
  if (session.turns.mine.muted) return rich("You are in a call with *{party}*. *Your microphone is off.*", { party: them });
  if (worst([...session.connections.values()].map((each) => each.quality))?.word === "hardly") return rich("You are in a call with *{party}*. *Hardly understandable:* repeat figures, or type.", { party: them });
  const speakers = view.seats.filter((seat) => session.speaking(seat) && !(seat.me && seat.seat === session.own.seat));
  if (speakers.length) return rich("*{who}* speaks.", { who: el("span", { class: speakers[0].me ? null : "peer" }, upper(seatWords(speakers[0], session.own))) });
  return rich("You are in a call with *{party}*.", { party: them });
}

/** How a lost connection, a refused microphone and the like is told: {what, next}; null if all is well. */
export function microphoneWords(microphone) {
  return {
    refused: [t("The browser may not use the microphone."), t("They do not hear you; you hear them. Allow the microphone for this page at the lock beside the address, then press Devices.")],
    none: [t("There is no microphone."), t("They do not hear you; you hear them. Plug one in: it is used at once. Or type.")],
    busy: [t("Another program holds the microphone."), t("They do not hear you. Close the other program, then press Devices.")],
    lost: [t("The microphone was pulled out."), t("Another one is taken if there is any.")],
  }[microphone.state] ?? null;
}

/** Why this console is no longer in the call. */
export function overWords(why) {
  return {
    version: t("The other console does not speak DTLS 1.3. The call was ended before any sound was sent or heard."),
    fingerprint: t("The other console’s key is not the one that was signed on the line. The call was ended before any sound was sent or heard. Somebody may stand in between: tell the technician."),
    taken: t("The call goes on at another console of yours."), left: t("This console has left the call."),
  }[why] ?? "";
}

/** What the parties typed and said of themselves is inert. */
export const signOf = (sign) => el("span", { class: "fig" }, inertLine(sign, 16));

/** Seconds of a voice message and such. */
export const secondsWords = (seconds) => n(seconds, "{count} second", "{count} seconds");
