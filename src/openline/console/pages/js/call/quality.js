// How sound gets through, by what was received in the last seconds, in words a tired person understands.

import { t } from "../words.js";

const SMOOTH = 0.35; // of what is new in each look: a few seconds are remembered

const mixed = (before, now) => (before === undefined || Number.isNaN(before) ? now : before + (now - before) * SMOOTH);

/** Of what comes in: {word, kbits, lost (share), delay (ms), bytes…}; `before` is the look before. Null statistics: no path. */
export function heard(stats, before) {
  if (!stats) return { word: "none", kbits: 0, lost: 0, delay: null };
  const all = [...stats.values()];
  const rtp = all.find((each) => each.type === "inbound-rtp" && each.kind === "audio");
  const pair = selected(stats);
  if (!rtp) return { word: "waiting", kbits: 0, lost: 0, delay: null };
  const raw = { at: rtp.timestamp, bytes: rtp.bytesReceived + rtp.headerBytesReceived, came: rtp.packetsReceived, gone: rtp.packetsLost, concealed: rtp.concealedSamples - rtp.silentConcealedSamples, samples: rtp.totalSamplesReceived };
  if (!before?.raw) return { raw, word: "waiting", kbits: 0, lost: 0, delay: null };
  const seconds = (raw.at - before.raw.at) / 1_000;
  if (seconds <= 0) return before;
  const came = raw.came - before.raw.came;
  const gone = Math.max(0, raw.gone - before.raw.gone);
  const samples = raw.samples - before.raw.samples;
  const lost = mixed(before.lost, came + gone ? gone / (came + gone) : came ? 0 : before.lost);
  const broken = mixed(before.broken, samples > 0 ? Math.max(0, raw.concealed - before.raw.concealed) / samples : 0);
  const quiet = came ? 0 : (before.quiet ?? 0) + seconds;
  const kbits = mixed(before.kbits || undefined, ((raw.bytes - before.raw.bytes) * 8) / 1_000 / seconds);
  const delay = pair?.currentRoundTripTime === undefined ? before.delay : pair.currentRoundTripTime * 500 + playout(rtp);
  return { raw, lost, broken, quiet, kbits, delay, word: worded(lost, broken, quiet) };
}

function playout(rtp) {
  return rtp.jitterBufferEmittedCount ? (rtp.jitterBufferDelay / rtp.jitterBufferEmittedCount) * 1_000 : 0;
}

function worded(lost, broken, quiet) {
  if (quiet > 4) return "none";
  if (broken > 0.12 || lost > 0.25) return "hardly";
  if (broken > 0.03 || lost > 0.08) return "broken";
  return "clear";
}

/** Of what goes out: {room (bit/s), lost (share), queue (s that the path takes longer than at its best)}. */
export function sent(stats, before) {
  const all = [...stats.values()];
  const pair = selected(stats);
  const told = all.find((each) => each.type === "remote-inbound-rtp" && each.kind === "audio");
  const delay = Math.max(pair?.currentRoundTripTime ?? 0, told?.roundTripTime ?? 0);
  const best = delay ? Math.min(before?.best ?? Infinity, delay) : before?.best ?? Infinity;
  return { room: pair?.availableOutgoingBitrate ?? Infinity, lost: mixed(before?.lost, told?.fractionLost ?? 0), best, queue: delay && best < Infinity ? delay - best : 0 };
}

/** The pair of addresses in use. */
const selected = (stats) => stats.get([...stats.values()].find((each) => each.type === "transport")?.selectedCandidatePairId);

/** The word of a quality. */
export function qualityWord(word) {
  return {
    clear: t("Clear."), broken: t("Broken up."), hardly: t("Hardly understandable."), none: t("No sound."), waiting: t("Listening for sound…"),
  }[word];
}

/** The worst of several: what an officer must know. */
export function worst(qualities) {
  const order = ["none", "hardly", "broken", "clear", "waiting"];
  return qualities.filter(Boolean).sort((one, other) => order.indexOf(one.word) - order.indexOf(other.word))[0] ?? null;
}
