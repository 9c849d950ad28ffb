"""Working drafts: what an officer is writing, kept sealed with every stroke, for the whole station and the next watch.

A draft has a version; who writes says which one was before him, so that two
consoles never overwrite each other unseen. It remembers how far the line had
come when it was begun, and so tells what has arrived meanwhile: people
answered what was no longer the last word.

    COMPOSING --send--> GRACE, WAITING, HELD or signed (drafting.py)
       ^ '--discard--> DISCARDED         |
       '----withdrawn, or refused--------'
"""

from typing import TYPE_CHECKING, Annotated

import msgspec

from openline.kernel.errors import Conflict, Malformed, Unavailable
from openline.kernel.units import MAX_SEQ
from openline.ports import Draft
from openline.protocol.entries import Message
from openline.protocol.lanes import read_body
from openline.station.answers import encoded
from openline.station.bearer_answers import Answer
from openline.station.entry_view import arrival_view
from openline.station.feed import Published
from openline.station.line_runner import LineRunner
from openline.station.people import WATCH, Actor
from openline.station.requests import MessageRequest
from openline.station.spoken import Confirmation, Language, Moment, Named, Request, RoleWord, Sign

if TYPE_CHECKING:
    from openline.station.runtime import Station

COMPOSING, DISCARDED = "composing", "discarded"
MAX_COMPOSING = 256
"""Working drafts at a time: more than a floor can oversee."""
MAX_NEWER = 20
"""Newer messages that are named; the rest is counted."""
_MAX_LOOKED_AT = 5_000
"""Entries looked at for newer ones: more have come than anybody will read before sending."""


class Composed(Request, frozen=True, kw_only=True):
    """What is written so far: any of it may be missing, too long or unfinished."""

    precedence: Annotated[str, msgspec.Meta(pattern=r"^(flash|immediate|priority|routine)$")] = "routine"
    subject: Annotated[str, msgspec.Meta(max_length=1_024)] = ""
    lang: Language | None = None
    text: Annotated[str, msgspec.Meta(max_length=32_768)] = ""
    to: Annotated[list[RoleWord], msgspec.Meta(max_length=8)] = msgspec.field(default_factory=lambda: [WATCH])
    answer_by: Moment | None = None
    acknowledge_by: Moment | None = None
    answers: Named | None = None
    supersedes: Named | None = None
    minimize_considered: bool = False
    template: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """Which template it is written in; empty: free text."""
    fields: Annotated[
        dict[Annotated[str, msgspec.Meta(max_length=64)], Annotated[str, msgspec.Meta(max_length=2_048)]],
        msgspec.Meta(max_length=64),
    ] = msgspec.field(default_factory=dict)
    """What stands in the template's fields."""


class SaveRequest(Request, frozen=True, kw_only=True):
    """A newer state of a working draft."""

    version: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)]
    """The version that this one follows."""
    draft: Composed
    seen: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)] | None = None
    """The officer has looked at everything on the line up to this arrival."""
    sign: Sign | None = None


class SendRequest(Request, frozen=True, kw_only=True):
    """Send a working draft as it stands."""

    version: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)]
    confirm: Confirmation | None = None
    """FLASH: the line's label, typed once more."""
    role: RoleWord | None = None
    sign: Sign | None = None


class Working(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A working draft as it is kept."""

    version: int
    uid: int
    sign: str
    """Who wrote last."""
    at: int
    """When, ms."""
    begun: int
    begun_by: str
    seen: int
    """The last arrival of the line that its writer is taken to have seen."""
    problem: str = ""
    """Why it came back: it could not be said as it stood."""
    draft: Composed


class NewerView(Answer, frozen=True, kw_only=True):
    """A message of another party that came since."""

    reference: str
    author: str
    precedence: str
    seq: int


class ComposeView(Answer, frozen=True, kw_only=True):
    """A working draft."""

    compose: int
    """Its number; the same when it waits for release or is sent."""
    line: str
    version: int
    by: str
    """Sign of who wrote last."""
    at: int
    mine: bool
    """Whether that was the caller."""
    begun: int
    begun_by: str
    seen: int
    problem: str
    draft: Composed
    newer_count: int
    """Messages of other parties that came since `seen`."""
    newer: list[NewerView]
    """The latest of them."""


class ComposesView(Answer, frozen=True, kw_only=True):
    """Working drafts."""

    drafts: list[ComposeView]


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Working)


def begin(station: "Station", line: LineRunner, actor: Actor, draft: Composed) -> Draft:
    """Keep a new working draft. Raises Forbidden, Conflict (too many) or Unavailable."""
    _, sign = station.people.speaking(actor, None, None, frozenset({WATCH}))
    if len(station.store.drafts(COMPOSING)) >= MAX_COMPOSING:
        raise Conflict("too many drafts are being written already: send or discard some")
    now = int(station.clock.wall())
    working = Working(
        version=1, uid=actor.uid, sign=sign, at=now, begun=now, begun_by=sign, seen=line.history.last_seq(), draft=draft
    )
    number = station.store.add_draft(line.line, COMPOSING, _ENCODER.encode(working))
    tell(station, line.line, number, COMPOSING)
    return station.store.draft(number)


def save(station: "Station", draft: Draft, actor: Actor, request: SaveRequest) -> Draft:
    """Keep a newer state. Raises Conflict if somebody else wrote meanwhile, or it is no longer being written."""
    working = read_working(draft, request.version)
    _, sign = station.people.speaking(actor, None, request.sign, frozenset({WATCH}))
    newer = Working(
        version=working.version + 1,
        uid=actor.uid,
        sign=sign,
        at=int(station.clock.wall()),
        begun=working.begun,
        begun_by=working.begun_by,
        seen=max(working.seen, request.seen or 0),
        draft=request.draft,
    )
    return put_back(station, draft, newer)


def put_back(station: "Station", draft: Draft, working: Working) -> Draft:
    """Let a draft be a working one with that content. Raises Conflict if it was changed meanwhile."""
    station.store.rewrite_draft(draft, COMPOSING, _ENCODER.encode(working))
    tell(station, draft.line, draft.number, COMPOSING)
    return station.store.draft(draft.number)


def discard(station: "Station", draft: Draft) -> None:
    """Let a working draft go. Raises Conflict if it is none."""
    station.store.move_draft(draft.number, COMPOSING, DISCARDED)
    tell(station, draft.line, draft.number, DISCARDED)


def read_working(draft: Draft, version: int | None = None) -> Working:
    """What is kept of a working draft. Raises Conflict if it is none, or has another version."""
    if draft.state != COMPOSING:
        raise Conflict("this draft is not being written any more: look at the drafts of the line")
    try:
        working = _DECODER.decode(draft.content)
    except msgspec.MsgspecError:
        raise Unavailable("a draft is damaged") from None
    if version is not None and version != working.version:
        raise Conflict("somebody else has written in this draft: look at it, and decide anew")
    return working


def request_of(composed: Composed) -> MessageRequest:
    """The message that a working draft asks for. Raises Malformed if it is not ready to be sent."""
    if not composed.text:
        raise Malformed("there is no text yet")
    if not composed.to:
        raise Malformed("nobody is addressed yet")
    given = {name: getattr(composed, name) for name in composed.__struct_fields__ if name not in {"template", "fields"}}
    try:
        return msgspec.convert(given, MessageRequest, from_attributes=True)
    except msgspec.ValidationError:
        raise Malformed("a field is too long or not allowed") from None


def composed_of(request: MessageRequest) -> Composed:
    """A message as a working draft again."""
    names = {*Composed.__struct_fields__} - {"template", "fields"}
    return Composed(**{name: getattr(request, name) for name in names})


def compose_view(station: "Station", draft: Draft, actor: Actor) -> ComposeView:
    """A working draft as people see it."""
    working, line = read_working(draft), station.lines.get(draft.line)
    count, newer = _newer(line, working.seen) if line is not None else (0, [])
    return ComposeView(
        compose=draft.number,
        line=line.label if line is not None else "",
        version=working.version,
        by=working.sign,
        at=working.at,
        mine=working.uid == actor.uid,
        begun=working.begun,
        begun_by=working.begun_by,
        seen=working.seen,
        problem=working.problem,
        draft=working.draft,
        newer_count=count,
        newer=newer,
    )


def _newer(line: LineRunner, seen: int) -> tuple[int, list[NewerView]]:
    found: list[NewerView] = []
    count = 0
    for arrival in line.history.since(max(seen, line.history.last_seq() - _MAX_LOOKED_AT), _MAX_LOOKED_AT):
        row = arrival.row
        if arrival.lane.party == line.party or row.refused or not row.entry.secret:
            continue
        said = read_body(row.entry)
        if isinstance(said, Message):
            count += 1
            view = arrival_view(line, arrival)
            newer = NewerView(
                reference=view.ref.reference,
                author=view.author,
                precedence=said.precedence.name.lower(),
                seq=arrival.seq,
            )
            found = [*found[-MAX_NEWER + 1 :], newer]
    return count, found


class DraftEvent(Answer, frozen=True, kw_only=True):
    """A draft has changed: what of it, its own call tells."""

    line: str
    draft: int
    state: str


def tell(station: "Station", line: bytes, number: int, state: str) -> None:
    """Push to the consoles that a draft has changed."""
    found = station.lines.get(line)
    view = DraftEvent(line=found.label if found is not None else "", draft=number, state=state)
    station.feed.publish(Published(line=line, name="draft", seq=0, data=encoded(view)))
