// How things stand, in plain words: what is wrong first, then what was promised, then what is unread.

import { el } from "../dom.js";
import { moment } from "../moments.js";
import { richN, rich, t } from "../words.js";

/** The first line of the floor, as nodes. */
export function sentence(live) {
  const lines = [...live.lines.values()];
  const waiting = live.inbox.waiting();
  const now = live.now();
  const count = (state) => lines.filter((line) => line.shown === state).length;
  const parts = [];
  const say = (node) => parts.push(parts.length ? " " : "", node);
  const wrong = { fault: count("fault"), stopped: count("stopped"), degraded: count("degraded"), unattended: count("unattended"), suspended: count("suspended"), opening: count("opening") };
  if (wrong.fault) say(richN(wrong.fault, "One line is in *fault*.", "{count} lines are in *fault*."));
  if (wrong.stopped) say(richN(wrong.stopped, "One line is *out of service* here.", "{count} lines are *out of service* here."));
  if (wrong.degraded) say(richN(wrong.degraded, "One line is *degraded*.", "{count} lines are *degraded*."));
  if (wrong.suspended) say(richN(wrong.suspended, "One line is *suspended*: only FLASH passes.", "{count} lines are *suspended*: only FLASH passes."));
  if (wrong.unattended) say(richN(wrong.unattended, "Nobody is on watch at the other end of one line.", "Nobody is on watch at the other end of {count} lines."));
  if (wrong.opening) say(richN(wrong.opening, "One line is being opened.", "{count} lines are being opened."));
  if (!parts.length) say(lines.length === 1 ? t("The line is in service.") : t("All lines are in service."));
  const overdue = waiting.filter((each) => each.due !== null && each.due < now);
  const theirs = overdue.filter((each) => each.what === "theirs").length;
  const ours = overdue.length - theirs;
  if (ours) say(richN(ours, "One clock of yours is *overdue*.", "{count} clocks of yours are *overdue*."));
  if (theirs) say(richN(theirs, "One clock is *overdue* on their side.", "{count} clocks are *overdue* on their side."));
  const next = waiting.find((each) => each.what === "answer" && each.due !== null && each.due >= now);
  if (next) say(rich("{party} awaits your answer *by {moment}*.", { party: el("bdi", null, next.entry.author), moment: moment(next.due, now) }));
  const unread = waiting.filter((each) => each.what === "read").length;
  if (live.inbox.loaded) say(unread ? richN(unread, "One message is *unread*.", "{count} messages are *unread*.") : t("Nothing is unread."));
  return parts;
}
