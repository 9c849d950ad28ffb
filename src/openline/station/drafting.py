"""Messages on their way into a lane: ten seconds of grace, two-person release, and what MINIMIZE holds back.

    WAITING, HELD or GRACE --say--> RELEASING --durable--> RELEASED
       |  |          ^-----refused-----'
       |  '--withdrawn--> COMPOSING (composing.py)
       '--discard--> DISCARDED

GRACE: a message below FLASH that was sent from the console is not signed for
ten seconds, and any officer may take it back. WAITING: the terms ask for a
second person, who confirms addressee and precedence. HELD is what MINIMIZE
keeps back (minimize.py): the station says it when that ends.

Whoever drafted may not release: a person is known by user and by every sign.
A station that fell in the middle looks in its own lane whether the message is
there, by the moment it claims, so none is lost and none is said twice.

Spec: spec/06-entries.md, 6.18.
"""

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated

import msgspec

from openline.kernel.errors import Conflict, Forbidden, Malformed, Refused, Unavailable
from openline.kernel.units import Instant
from openline.ports import Draft
from openline.protocol.bodies import encode_body
from openline.protocol.entries import Message
from openline.protocol.events import Accepted
from openline.protocol.fields import decode_time
from openline.protocol.lanes import read_body
from openline.station.answers import DraftView
from openline.station.composing import (
    COMPOSING,
    DISCARDED,
    SendRequest,
    Working,
    composed_of,
    put_back,
    read_working,
    request_of,
    tell,
)
from openline.station.line_runner import LineRunner
from openline.station.people import WATCH, Actor
from openline.station.requests import MessageRequest, message_of
from openline.station.spoken import Confirmation, Request, RoleWord, Sign

if TYPE_CHECKING:
    from openline.station.runtime import Station

WAITING, RELEASING, RELEASED, HELD, GRACE = "waiting", "releasing", "released", "held", "grace"
UNSAID = (WAITING, HELD, GRACE)
MAX_DRAFTS = 256
"""Drafts that wait at a time: more than a floor can oversee."""
FLASH = "flash"
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
    signs: tuple[str, ...] = ()
    """All signs of the drafter."""
    releaser: str = ""
    """Who released it, while it is on its way."""
    due: int | None = None
    """When its grace ends, ms."""
    at: int | None = None
    """The moment it claims, once that is fixed: by it the entry is known again."""
    was: str = ""
    """The state from which it was to be said."""
    working: Working | None = None
    """The working draft it was."""


class ReleaseRequest(Request, frozen=True, kw_only=True):
    """What the releaser confirms; under which role and sign: the actor's first ones if not given."""

    role: RoleWord | None = None
    sign: Sign | None = None
    to: list[RoleWord] | None = None
    """The addressees, as the releaser reads them: needed where a second person releases."""
    precedence: str | None = None
    """The precedence, likewise."""
    digest: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    """The draft's, as it was shown, likewise: it may have been taken back and written anew meanwhile."""
    confirm: Confirmation | None = None
    """FLASH from the console: the line's label, typed once more."""
    grace: bool = False
    """Let it be taken back for ten seconds still; at the console it always can, below FLASH."""
    minimize_considered: bool = False
    """Although MINIMIZE stands."""


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Kept)


def release_asked(line: LineRunner) -> bool:
    """Whether the policy in force asks for a second person."""
    return line.engine is not None and line.engine.fold.policy.release


def check_confirmed(line: LineRunner, precedence: str, confirm: str | None) -> None:
    """Raise Malformed unless a FLASH was confirmed by a second, deliberate act."""
    if precedence == FLASH and (confirm or "").strip().casefold() != line.label.casefold():
        raise Malformed("FLASH goes out at once and cannot be taken back: confirm it with the line's label")


def keep_draft(station: "Station", line: LineRunner, actor: Actor, request: MessageRequest, *, state: str) -> int:
    """Keep a message until somebody else releases it (WAITING), MINIMIZE ends (HELD), or for GRACE; its number.

    Raises as `message_of`, and Conflict.
    """
    kept = _kept(station, line, actor, request, state)
    _check_room(station, state)
    number = station.store.add_draft(line.line, state, _ENCODER.encode(kept))
    _follow(station, line, number, kept, state)
    return number


async def send(station: "Station", draft: Draft, actor: Actor, request: SendRequest) -> tuple[str, Accepted | None]:
    """Send a working draft as it stands: the state it came to, and where it stands if it is signed.

    Raises Malformed or TooLarge (not ready, or FLASH not confirmed), Conflict (changed meanwhile), Forbidden,
    Unknown or Unavailable. The draft is then as it was.
    """
    working, line = read_working(draft, request.version), _line_of(station, draft)
    asked = request_of(working.draft)
    asked = msgspec.structs.replace(asked, role=request.role, sign=request.sign)
    check_confirmed(line, asked.precedence, request.confirm)
    if asked.precedence != FLASH and line.working().suspended():
        raise Conflict("the line is suspended: only FLASH passes")
    if release_asked(line):
        state = WAITING
    elif station.minimize.holds(line, asked.precedence, considered=asked.minimize_considered):
        state = HELD
    else:
        state = GRACE
    kept = msgspec.structs.replace(_kept(station, line, actor, asked, state), working=working)
    if state == GRACE and asked.precedence == FLASH:
        return RELEASED, await _say_now(station, line, draft, msgspec.structs.replace(kept, due=None))
    _check_room(station, state)
    station.store.rewrite_draft(draft, state, _ENCODER.encode(kept))
    _follow(station, line, draft.number, kept, state)
    return state, None


def _kept(station: "Station", line: LineRunner, actor: Actor, request: MessageRequest, state: str) -> Kept:
    _, sign = station.people.speaking(actor, request.role, request.sign, frozenset({WATCH}))
    encode_body(message_of(request, line, language=station.config.language, drafter=sign))  # refused now or never
    now = int(station.clock.wall())
    return Kept(
        uid=actor.uid,
        sign=sign,
        signs=actor.signs,
        made=now,
        request=request,
        held=state == HELD,
        due=now + station.grace.ms if state == GRACE else None,
    )


def _check_room(station: "Station", state: str) -> None:
    if len(station.store.drafts(state)) >= MAX_DRAFTS:
        raise Conflict("too many drafts wait already: release or discard some")


def _follow(station: "Station", line: LineRunner, number: int, kept: Kept, state: str) -> None:
    if state == GRACE:
        station.grace.begin(number, kept.due)
    tell(station, line.line, number, state)


async def release(station: "Station", number: int, actor: Actor, request: ReleaseRequest) -> Accepted | int:
    """Say what somebody else drafted, or what MINIMIZE holds back; or the moment at which its grace ends.

    Raises Forbidden (one's own; the same sign), Malformed (nothing confirmed), Conflict (something else was
    confirmed or read; MINIMIZE stands, and it was not considered), Unknown or Unavailable.
    """
    draft = station.store.draft(number)
    if draft.state not in {WAITING, HELD}:
        raise Conflict("the draft is in another state")
    kept, line = read_draft(draft), _line_of(station, draft)
    _, releaser = station.people.speaking(actor, request.role, request.sign, frozenset({WATCH}))
    precedence = kept.request.precedence
    if actor.at_console:
        check_confirmed(line, precedence, request.confirm)
    if station.minimize.holds(line, precedence, considered=request.minimize_considered):
        raise Conflict("MINIMIZE stands: wait for its end, or release it as considered")
    if not kept.held or release_asked(line):
        _check_second(actor, releaser, kept, request)
        kept = msgspec.structs.replace(kept, releaser=releaser)
    if precedence != FLASH and (request.grace or actor.at_console):
        due = int(station.clock.wall()) + station.grace.ms
        kept = msgspec.structs.replace(kept, due=due, held=False)
        station.store.rewrite_draft(draft, GRACE, _ENCODER.encode(kept))
        _follow(station, line, number, kept, GRACE)
        return due
    return await _say_now(station, line, draft, kept)


async def _say_now(station: "Station", line: LineRunner, draft: Draft, kept: Kept) -> Accepted:
    """Sign it for a caller. Where the line falls meanwhile, it is found out later what became of it."""
    try:
        return await _say(station, line, draft, kept)
    except Unavailable:
        station.grace.begin(draft.number, None)
        raise


def _check_second(actor: Actor, releaser: str, kept: Kept, request: ReleaseRequest) -> None:
    if actor.uid == kept.uid or {kept.sign, *kept.signs} & set(actor.signs):
        raise Forbidden("a second person releases: not the one who drafted")
    if releaser == kept.sign:
        raise Forbidden("drafter and releaser need two different signs")
    if request.to is None or request.precedence is None or request.digest is None:
        raise Malformed("a release confirms addressee, precedence and what was read: give to, precedence and digest")
    if (set(request.to), request.precedence) != (set(kept.request.to), kept.request.precedence):
        raise Conflict("the draft has another addressee or precedence: read it again")
    if request.digest != _digest(kept):
        raise Conflict("the draft has been written anew since it was read: read it again")


def _line_of(station: "Station", draft: Draft) -> LineRunner:
    line = station.lines.get(draft.line)
    if line is None:
        raise Unavailable("the line of this draft is stopped")
    return line


async def _say(station: "Station", line: LineRunner, draft: Draft, kept: Kept) -> Accepted:
    """Sign it. If it is refused the draft is as it was before."""
    at = int(station.clock.wall()) if kept.request.time is None else kept.request.time
    message = message_of(kept.request, line, language=station.config.language, drafter=kept.sign)
    message = replace(message, releaser=kept.releaser)
    going = _ENCODER.encode(msgspec.structs.replace(kept, at=at, was=draft.state))
    station.store.rewrite_draft(draft, RELEASING, going)
    try:
        accepted = await line.submit(message, Instant(at))
    except Refused:
        now = station.store.draft(draft.number)
        station.store.rewrite_draft(now, draft.state, draft.content)
        raise
    station.store.move_draft(draft.number, RELEASING, RELEASED)
    tell(station, draft.line, draft.number, RELEASED)
    return accepted


async def release_held(station: "Station", line: LineRunner) -> None:
    """MINIMIZE has ended: say what it held back, in order, unless it needs a second person now. Raises Refused or Unavailable."""
    for draft in () if release_asked(line) else station.store.drafts(HELD):
        if draft.line == line.line and not line.strained:
            await _say(station, line, draft, read_draft(draft))


async def end_grace(station: "Station", draft: Draft) -> None:
    """The grace of a draft is over: it is signed, or goes where the terms and MINIMIZE of now send it.

    What cannot be said any more is a working draft again, with the reason. Raises Unavailable.
    """
    kept, line = read_draft(draft), _line_of(station, draft)
    line.working()
    kept = msgspec.structs.replace(kept, due=None)
    considered = kept.request.minimize_considered or bool(kept.releaser)
    if release_asked(line) and not kept.releaser:
        state = WAITING
    elif station.minimize.holds(line, kept.request.precedence, considered=considered):
        state, kept = HELD, msgspec.structs.replace(kept, held=True)
    else:
        try:
            await _say(station, line, draft, kept)
        except Refused as refusal:
            now = station.store.draft(draft.number)
            if now.state == GRACE:
                _back(station, now, kept, problem=str(refusal))
        return
    station.store.rewrite_draft(draft, state, _ENCODER.encode(kept))
    tell(station, draft.line, draft.number, state)


def withdraw(station: "Station", number: int, actor: Actor) -> Draft:
    """Take a message back before it is signed: it is a working draft again. Raises Conflict if it is too late."""
    draft = station.store.draft(number)
    if draft.state not in UNSAID:
        raise Conflict("it is too late to take this back: it is signed, or was taken back before")
    station.people.speaking(actor, None, None, frozenset({WATCH}))
    return _back(station, draft, read_draft(draft), problem="")


def return_late(station: "Station", draft: Draft) -> None:
    """A message that was to be signed long ago, while the station was down, is a working draft again."""
    _back(
        station, draft, read_draft(draft), problem="the station was down when this was to be signed: look at it again"
    )


def _back(station: "Station", draft: Draft, kept: Kept, *, problem: str) -> Draft:
    before, line = kept.working, station.lines.get(draft.line)
    working = Working(
        version=before.version + 1 if before is not None else 1,
        uid=kept.uid,
        sign=kept.sign,
        at=int(station.clock.wall()),
        begun=before.begun if before is not None else kept.made,
        begun_by=before.begun_by if before is not None else kept.sign,
        seen=before.seen if before is not None else line.history.last_seq() if line is not None else 0,
        problem=problem,
        draft=before.draft if before is not None else composed_of(kept.request),
    )
    return put_back(station, draft, working)


def discard(station: "Station", number: int) -> None:
    """Let a draft go unsaid. Raises Unknown, Conflict or Unavailable."""
    draft = station.store.draft(number)
    state = draft.state if draft.state in {*UNSAID, COMPOSING} else WAITING
    station.store.move_draft(number, state, DISCARDED)
    tell(station, draft.line, number, DISCARDED)


def read_draft(draft: Draft) -> Kept:
    """What is kept of a draft. Raises Unavailable if it is damaged."""
    try:
        return _DECODER.decode(draft.content)
    except msgspec.MsgspecError:
        raise Unavailable("a draft is damaged") from None


def _digest(kept: Kept) -> str:
    return sha256(_ENCODER.encode((kept.sign, kept.made, kept.request))).hexdigest()


def draft_view(station: "Station", draft: Draft) -> DraftView:
    """A draft as people see it."""
    kept, line = read_draft(draft), station.lines.get(draft.line)
    message = msgspec.to_builtins(kept.request)
    return DraftView(
        draft=draft.number,
        line=line.label if line is not None else "",
        state=draft.state,
        made=kept.made,
        drafter=kept.sign,
        releaser=kept.releaser,
        due=kept.due if draft.state == GRACE else None,
        message={name: value for name, value in message.items() if value is not None},
        digest=_digest(kept),
    )


def settle(station: "Station") -> None:
    """After a start: a release that was under way has happened or has not."""
    for draft in station.store.drafts(RELEASING):
        line = station.lines.get(draft.line)
        if line is not None and line.engine is not None:
            settle_one(station, line, draft)


def settle_one(station: "Station", line: LineRunner, draft: Draft) -> None:
    """A message that was being signed when its line or the station fell: it is said, or as before."""
    kept = read_draft(draft)
    if _was_said(line, kept):
        station.store.move_draft(draft.number, RELEASING, RELEASED)
        tell(station, draft.line, draft.number, RELEASED)
        return
    state = kept.was or (HELD if kept.held else WAITING)
    releaser = kept.releaser if state == GRACE else ""
    if state == COMPOSING and kept.working is not None:
        _back(station, draft, kept, problem="")
        return
    kept = msgspec.structs.replace(kept, at=None, was="", releaser=releaser)
    station.store.rewrite_draft(draft, state, _ENCODER.encode(kept))
    tell(station, draft.line, draft.number, state)


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
                and decode_time(row.entry.time) == kept.at
            ):
                return True
    return False
