// Who is in the call: each seat with its role, who speaks and who is next; and the picture of who spoke in the last minutes.

import { draw, el, fill } from "../dom.js";
import { inertLine } from "../inert.js";
import { moment, now } from "../moments.js";
import { badge } from "../signs.js";
import { comma, languageName, rich, t } from "../words.js";
import { seatKey } from "./connection.js";
import { partyName, seatRole, signOf, upper } from "./telling.js";

const SPAN_MS = 240_000;
const WIDE = 600;
const ROW = 24;

/** The seats of a call as they stand: those who left last, ours first. */
const ordered = (view) => [...view.seats].sort((one, other) => one.seat - other.seat || Number(other.me) - Number(one.me) || one.party - other.party);

/** Draw the seats into `box`. */
export function drawSeats(box, view, session) {
  fill(box, ordered(view).map((seat) => seatBox(view, session, seat)));
}

function seatBox(view, session, seat) {
  const own = session?.own;
  const here = Boolean(own && seat.me && seat.seat === own.seat);
  const [mark, words, kind] = doing(session, seat, here);
  const level = ["microphone", "sound"].includes(mark) ? el("span", { class: "level", "aria-hidden": "true" }, el("i")) : null;
  return el("article", { class: `seat ${seat.me ? "us" : "them"} ${kind}`, data: { party: seat.party, seat: seat.seat, state: seat.state, key: seatKey(seat) } },
    el("span", { class: "edge", "aria-hidden": "true" }),
    el("div", null, el("p", { class: `who ${seat.me ? "" : "peer"}` }, el("bdi", null, seat.name)), el("h3", null, upper(seatRole(seat))),
      el("p", { class: "second" }, rich("sign {sign}", { sign: signOf(seat.sign) }), here ? [comma(), t("this console")] : seat.lang ? [comma(), t("speaks {language}", { language: languageName(seat.lang) })] : null, seat.seat === 1 && !seat.me ? [comma(), t("of the other side")] : null)),
    el("div", { class: "doing" }, mark ? badge(mark, { size: 20 }) : null, el("b", null, words), level));
}

/** What a seat does now: [sign, words, class]. */
function doing(session, seat, here) {
  if (seat.state === "left") return ["", t("has left"), "gone"];
  if (seat.state === "lost") return ["lost", rich("lost since {moment}", { moment: moment(seat.since, now(), { seconds: true }) }), "lost"];
  const turns = session?.turns;
  const key = seatKey(seat);
  const path = here ? null : session?.connection(seat);
  if (session && !here && path?.state === "broken") return ["lost", t("sound is broken off"), "lost"];
  if (session && !here && path?.state !== "connected") return ["", t("connecting"), ""];
  if (!turns) return ["", seat.state === "connected" ? t("in the call") : t("connecting"), ""];
  const told = turns.of(key);
  if (told.held) return ["hold", t("on hold"), ""];
  if (turns.byTurns) {
    if (turns.holder === key) return [told.muted ? "muted" : "microphone", told.muted ? t("has the floor, muted") : t("HAS THE FLOOR"), "speaks"];
    if (told.asks) return ["asks", t("asks for the floor"), "asks"];
    if (turns.next === key) return ["", t("next"), ""];
    return ["", t("listening"), ""];
  }
  if (told.muted) return ["muted", t("muted"), ""];
  return session.speaking(seat) ? ["microphone", t("SPEAKS"), "speaks"] : ["microphone", t("may speak"), ""];
}

/** What must be drawn anew, as a text: two equal ones look the same. */
export function seatsName(view, session) {
  return JSON.stringify(view.seats.map((seat) => {
    const path = session?.connection(seat)?.state ?? "";
    const told = session?.turns?.of(seatKey(seat));
    return [seat.party, seat.seat, seat.state, seat.sign, seat.since, path, told, session?.own?.seat, session?.speaking(seat), session?.turns?.turn, session?.turns?.holder];
  }));
}

/** The level of each seat, four times a second. */
export function drawLevels(box, view, session) {
  for (const seat of view.seats) {
    const bar = box.querySelector(`[data-key="${seatKey(seat)}"] .level i`);
    if (bar) bar.style.inlineSize = `${Math.round(Math.min(1, session.level(seat) * 2.2) * 100)}%`;
  }
}

/** Who spoke in the last four minutes; in words for who hears the page. */
export function spokenPicture(view, session) {
  const seats = ordered(view).sort((one, other) => Number(other.me) - Number(one.me) || one.party - other.party || one.seat - other.seat);
  const at = Date.now();
  const x = (when) => Math.max(0, Math.min(WIDE, WIDE - ((at - when) / SPAN_MS) * WIDE));
  const svg = draw("svg", { viewBox: `0 0 ${WIDE} ${seats.length * ROW}`, preserveAspectRatio: "none", class: "mirrors sign", "aria-hidden": "true" },
    seats.map((seat, place) => draw("path", { d: `M0 ${place * ROW + ROW / 2}H${WIDE}`, stroke: "var(--rule)", "stroke-width": 1.5 })),
    session.spoken.map((each) => {
      const place = seats.findIndex((seat) => seatKey(seat) === each.key);
      const from = x(each.from);
      return place < 0 ? draw("g") : draw("rect", { class: "fill", x: from, y: place * ROW + 6, width: Math.max(2, x(each.to) - from), height: 12, fill: seats[place].me ? "var(--ink)" : "var(--peer)" });
    }), draw("path", { d: `M${WIDE - 1} 0V${seats.length * ROW}`, stroke: "var(--ink)", "stroke-width": 2 }));
  svg.setAttribute("height", String(seats.length * ROW));
  return [el("div", { class: "names" }, seats.map((seat) => el("span", { class: seat.me ? null : "peer" }, inertLine(partyName(view, seat.party), 20), " ", seat.seat === 0 ? t("officer") : seatRole(seat)))), svg];
}
