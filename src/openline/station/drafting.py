"""Two-person release: a message waits as a draft until somebody else releases it.

    WAITING --release--> RELEASING --durable--> RELEASED
       |  ^------refused------'
       '--discard--> DISCARDED

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
from openline.protocol.lanes import read_body
from openline.station.answers import DraftView
from openline.station.line_runner import LineRunner
from openline.station.people import WATCH, Actor
from openline.station.requests import MessageRequest, message_of
from openline.station.runtime import Station

WAITING, RELEASING, RELEASED, DISCARDED = "waiting", "releasing", "released", "discarded"
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


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Kept)


def release_asked(line: LineRunner) -> bool:
    """Whether the policy in force asks for a second person."""
    return line.engine is not None and line.engine.fold.policy.release


def keep_draft(station: Station, line: LineRunner, actor: Actor, request: MessageRequest) -> int:
    """Keep a message until somebody else releases it; its number. Raises as `message_of`, and TooLarge."""
    _, sign = station.people.speaking(actor, request.role, request.sign, frozenset({WATCH}))
    encode_body(message_of(request, line, language=station.config.language, drafter=sign))  # refused now or never
    waiting = station.gate.call(station.store.drafts, WAITING)
    if len(waiting) >= MAX_DRAFTS:
        raise Conflict("too many drafts wait already: release or discard some")
    kept = Kept(uid=actor.uid, sign=sign, made=station.clock.wall(), request=request)
    return station.gate.call(station.store.add_draft, line.line, WAITING, _ENCODER.encode(kept))


async def release(station: Station, number: int, actor: Actor, role: str | None, sign: str | None) -> Accepted:
    """Say what somebody else drafted. Raises Forbidden (one's own; the same sign), Conflict, Unknown or Unavailable."""
    draft = station.gate.call(station.store.draft, number)
    kept = read_draft(draft)
    line = station.lines.get(draft.line)
    if line is None:
        raise Unavailable("the line of this draft is stopped")
    _, releaser = station.people.speaking(actor, role, sign, frozenset({WATCH}))
    if actor.uid == kept.uid:
        raise Forbidden("a second person releases: not the one who drafted")
    if releaser == kept.sign:
        raise Forbidden("drafter and releaser need two different signs")
    message = message_of(kept.request, line, language=station.config.language, drafter=kept.sign)
    message = replace(message, releaser=releaser)
    station.gate.call(station.store.move_draft, number, WAITING, RELEASING)
    try:
        time = kept.request.time
        accepted = await line.submit(message, station.clock.wall() if time is None else Instant(time))
    except Refused:
        station.gate.call(station.store.move_draft, number, RELEASING, WAITING)
        raise
    station.gate.call(station.store.move_draft, number, RELEASING, RELEASED)
    return accepted


def discard(station: Station, number: int) -> None:
    """Let a draft go unsaid. Raises Unknown, Conflict or Unavailable."""
    station.gate.call(station.store.move_draft, number, WAITING, DISCARDED)


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
    for draft in station.gate.call(station.store.drafts, RELEASING):
        line = station.lines.get(draft.line)
        if line is None or line.engine is None:
            continue
        said = _was_said(line, read_draft(draft))
        station.gate.call(station.store.move_draft, draft.number, RELEASING, RELEASED if said else WAITING)


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
                and body.releaser
            ):
                return True
    return False
