"""Two-person release: a message waits as a draft until somebody else releases it.

    WAITING or HELD --release--> RELEASING --durable--> RELEASED
       |     ^------refused------'
       '--discard--> DISCARDED

HELD is what MINIMIZE keeps back (minimize.py): it is released by the station
when that ends, or before by somebody who answers for it.

Whoever drafted may not release: persons are told apart by user, not by sign.
A station that fell between the two steps of a release looks in its own lane
whether the message is there, so none is lost and none is said twice.

Spec: spec/06-entries.md, 6.18.
"""

from dataclasses import replace

import msgspec

from openline.kernel.errors import Conflict, Forbidden, Refused, Unavailable
from openline.kernel.units import Instant
from openline.ports import Draft
from openline.protocol.bodies import encode_body
from openline.protocol.entries import Message
from openline.protocol.events import Accepted
from openline.protocol.fields import decode_time
from openline.protocol.lanes import read_body
from openline.station.answers import DraftView
from openline.station.line_runner import LineRunner
from openline.station.people import WATCH, Actor
from openline.station.requests import MessageRequest, message_of
from openline.station.runtime import Station

WAITING, RELEASING, RELEASED, DISCARDED, HELD = "waiting", "releasing", "released", "discarded", "held"
MAX_DRAFTS = 256
"""Drafts that wait at a time: more than a floor can oversee."""
_LOOK_BACK = 256
"""Own entries looked at after a crash: the message was the last thing said, or nearly."""


class Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A draft as it is kept."""

    uid: int
    sign: str
    made: int
    request: MessageRequest
    held: bool = False
    """By MINIMIZE, and not for want of a second person."""


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Kept)


def release_asked(line: LineRunner) -> bool:
    """Whether the policy in force asks for a second person."""
    return line.engine is not None and line.engine.fold.policy.release


def keep_draft(station: Station, line: LineRunner, actor: Actor, request: MessageRequest, *, held: bool = False) -> int:
    """Keep a message until somebody else releases it, or (`held`) until MINIMIZE ends; its number.

    Raises as `message_of`, and Conflict.
    """
    state = HELD if held else WAITING
    _, sign = station.people.speaking(actor, request.role, request.sign, frozenset({WATCH}))
    encode_body(message_of(request, line, language=station.config.language, drafter=sign))  # refused now or never
    waiting = station.store.drafts(state)
    if len(waiting) >= MAX_DRAFTS:
        raise Conflict("too many drafts wait already: release or discard some")
    kept = Kept(uid=actor.uid, sign=sign, made=station.clock.wall(), request=request, held=held)
    return station.store.add_draft(line.line, state, _ENCODER.encode(kept))


async def release(
    station: Station, number: int, actor: Actor, role: str | None, sign: str | None, *, considered: bool
) -> Accepted:
    """Say what somebody else drafted, or what MINIMIZE holds back.

    Raises Forbidden (one's own; the same sign), Conflict (MINIMIZE stands, and it was not considered), Unknown or
    Unavailable.
    """
    draft = station.store.draft(number)
    kept = read_draft(draft)
    line = station.lines.get(draft.line)
    if line is None:
        raise Unavailable("the line of this draft is stopped")
    _, releaser = station.people.speaking(actor, role, sign, frozenset({WATCH}))
    if station.minimize.holds(line, kept.request.precedence, considered=considered):
        raise Conflict("MINIMIZE stands: wait for its end, or release it as considered")
    if kept.held:
        return await _say(station, line, draft, kept, "")
    if actor.uid == kept.uid:
        raise Forbidden("a second person releases: not the one who drafted")
    if releaser == kept.sign:
        raise Forbidden("drafter and releaser need two different signs")
    return await _say(station, line, draft, kept, releaser)


async def _say(station: Station, line: LineRunner, draft: Draft, kept: Kept, releaser: str) -> Accepted:
    state = HELD if kept.held else WAITING
    message = message_of(kept.request, line, language=station.config.language, drafter=kept.sign)
    message = replace(message, releaser=releaser)
    station.store.move_draft(draft.number, state, RELEASING)
    try:
        time = kept.request.time
        accepted = await line.submit(message, station.clock.wall() if time is None else Instant(time))
    except Refused:
        station.store.move_draft(draft.number, RELEASING, state)
        raise
    station.store.move_draft(draft.number, RELEASING, RELEASED)
    return accepted


async def release_held(station: Station, line: LineRunner) -> None:
    """MINIMIZE has ended: say what it held back, in the order in which it was written. Raises Refused or Unavailable."""
    for draft in station.store.drafts(HELD):
        if draft.line == line.line and not line.strained:
            await _say(station, line, draft, read_draft(draft), "")


def discard(station: Station, number: int) -> None:
    """Let a draft go unsaid. Raises Unknown, Conflict or Unavailable."""
    held = station.store.draft(number).state == HELD
    station.store.move_draft(number, HELD if held else WAITING, DISCARDED)


def read_draft(draft: Draft) -> Kept:
    """What is kept of a draft. Raises Unavailable if it is damaged."""
    try:
        return _DECODER.decode(draft.content)
    except msgspec.MsgspecError:
        raise Unavailable("a draft is damaged") from None


def draft_view(station: Station, draft: Draft) -> DraftView:
    """A draft as people see it."""
    kept, line = read_draft(draft), station.lines.get(draft.line)
    message = msgspec.to_builtins(kept.request)
    return DraftView(
        draft=draft.number,
        line=line.label if line is not None else "",
        state=draft.state,
        made=kept.made,
        drafter=kept.sign,
        message={name: value for name, value in message.items() if value is not None},
    )


def settle(station: Station) -> None:
    """After a start: a release that was under way has happened or has not."""
    for draft in station.store.drafts(RELEASING):
        line = station.lines.get(draft.line)
        if line is None or line.engine is None:
            continue
        kept = read_draft(draft)
        unsaid = HELD if kept.held else WAITING
        said = _was_said(line, kept)
        station.store.move_draft(draft.number, RELEASING, RELEASED if said else unsaid)


def _was_said(line: LineRunner, kept: Kept) -> bool:
    engine, request = line.working(), kept.request
    for urgent in (True, False):
        state = engine.book.own(urgent=urgent)
        first = max(0, state.durable - _LOOK_BACK)
        for row in engine.book.rows(state, first, state.durable - first):
            body = read_body(row.entry)
            if (
                isinstance(body, Message)
                and (body.text, body.subject, body.drafter) == (request.text, request.subject, kept.sign)
                and bool(body.releaser) is not kept.held
                and decode_time(row.entry.time) >= (kept.made if request.time is None else request.time)
            ):
                return True
    return False
