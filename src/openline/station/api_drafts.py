"""Calls about messages that are not said yet: working drafts, sending with grace, release by a second person."""

from typing import Annotated

import msgspec

from openline.kernel.errors import Malformed, Unknown
from openline.kernel.units import MAX_SEQ
from openline.ports import PAST_DRAFTS, Draft
from openline.protocol.events import Accepted
from openline.station.answers import Done, DraftNumber, DraftView, Placed, RefView
from openline.station.api_entries import placed_ref
from openline.station.bearer_answers import Answer
from openline.station.calls import Call, Reply, Route, decoded, reply
from openline.station.composing import (
    COMPOSING,
    DISCARDED,
    Composed,
    ComposesView,
    ComposeView,
    SaveRequest,
    SendRequest,
    begin,
    compose_view,
    save,
)
from openline.station.composing import discard as discard_working
from openline.station.drafting import (
    GRACE,
    RELEASED,
    RELEASING,
    UNSAID,
    WAITING,
    ReleaseRequest,
    discard,
    draft_view,
    keep_draft,
    read_draft,
    release,
    send,
    withdraw,
)
from openline.station.people import INTERPRETER, PRINCIPAL, WATCH
from openline.station.requests import MessageRequest

_READERS = frozenset({WATCH, PRINCIPAL})
_WRITERS = frozenset({WATCH})
_COMPOSED = msgspec.json.Decoder(Composed)
_SAVE = msgspec.json.Decoder(SaveRequest)
_SEND = msgspec.json.Decoder(SendRequest)
_RELEASE = msgspec.json.Decoder(ReleaseRequest)
_DRAFT = msgspec.json.Decoder(MessageRequest)
_STATES = (*UNSAID, RELEASING, RELEASED, DISCARDED)


class DraftsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In which state."""

    state: Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(_STATES)})$")] | None = None
    """Those that wait for a person, that MINIMIZE holds, and that can still be taken back, if it is not given."""
    before: Annotated[int, msgspec.Meta(ge=1, le=MAX_SEQ)] = MAX_SEQ
    """Of released and discarded ones: those with a smaller number."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100
    """Of these, at most so many are looked at; all that wait are shown."""


class DraftsView(Answer, frozen=True, kw_only=True):
    """Drafts: those that wait, the oldest first; past ones the latest first."""

    drafts: list[DraftView]
    before: int = 0
    """Ask with this for past ones that are older; 0: there is no more."""


class Sending(Answer, frozen=True, kw_only=True):
    """What became of a message that was sent."""

    draft: int
    state: str
    """`grace`: it is signed at `due`, unless it is taken back; `waiting`: for a second person; `held`: by MINIMIZE;
    `released`: it is signed."""
    due: int | None = None
    ref: RefView | None = None


def _draft(call: Call) -> Draft:
    text = call.part("number")
    if not (text.isascii() and text.isdigit()):
        raise Malformed("a draft has a number")
    if len(text) > 15:
        raise Unknown("no such draft")
    draft = call.station.store.draft(int(text))
    line = call.station.lines.get(draft.line)
    call.noted = line.label if line is not None else ""
    return draft


# --- working drafts ---------------------------------------------------------------------------------------------------


async def composing(call: Call) -> Reply | None:
    """What is being written for a line, by anybody here."""
    station, line = call.station, call.line
    found = station.store.drafts(COMPOSING)
    return reply(ComposesView(drafts=[compose_view(station, d, call.actor) for d in found if d.line == line.line]))


async def compose(call: Call) -> Reply | None:
    """Begin a working draft."""
    request = decoded(_COMPOSED, await call.body())
    made = begin(call.station, call.line, call.actor, request)
    return reply(compose_view(call.station, made, call.actor), 201)


async def composed(call: Call) -> Reply | None:
    """One working draft, with what has come on the line since."""
    return reply(compose_view(call.station, _draft(call), call.actor))


async def save_composed(call: Call) -> Reply | None:
    """Keep what was written, if nobody else wrote meanwhile."""
    request = decoded(_SAVE, await call.body())
    return reply(compose_view(call.station, save(call.station, _draft(call), call.actor, request), call.actor))


async def discard_composed(call: Call) -> Reply | None:
    """Let a working draft go."""
    discard_working(call.station, _draft(call))
    return reply(Done())


async def send_composed(call: Call) -> Reply | None:
    """Send a working draft."""
    request, station, draft = decoded(_SEND, await call.body()), call.station, _draft(call)
    state, accepted = await send(station, draft, call.actor, request)
    if accepted is not None:
        return reply(Sending(draft=draft.number, state=state, ref=_ref(call, draft, accepted)), 201)
    kept = station.store.draft(draft.number)
    due = read_draft(kept).due if kept.state == GRACE else None
    return reply(Sending(draft=draft.number, state=state, due=due), 202)


def _ref(call: Call, draft: Draft, accepted: Accepted) -> RefView:
    return placed_ref(call.station.lines[draft.line], accepted, is_message=True)


# --- messages that wait -----------------------------------------------------------------------------------------------


async def drafts(call: Call) -> Reply | None:
    """The drafts of a line."""
    station, line = call.station, call.line
    query = call.query(DraftsQuery)
    if query.state in PAST_DRAFTS:
        found = list(station.store.past_drafts(line.line, query.state, query.before, query.limit))
        before = found[-1].number if len(found) == query.limit else 0
        found = [each for each in found if _was_sent(each)]  # a working draft that was let go: nobody sent it
    else:
        states, before = UNSAID if query.state is None else (query.state,), 0
        found = [each for one in states for each in station.store.drafts(one) if each.line == line.line]
    return reply(DraftsView(drafts=[draft_view(station, each) for each in found], before=before))


def _was_sent(draft: Draft) -> bool:
    return b'"request"' in draft.content


async def draft(call: Call) -> Reply | None:
    """Keep a message until somebody else releases it."""
    request = decoded(_DRAFT, await call.body())
    line, station = call.line, call.station
    number = keep_draft(station, line, call.actor, request, state=WAITING)
    return reply(draft_view(station, station.store.draft(number)), 201)


async def one_draft(call: Call) -> Reply | None:
    """One message that waits, or what became of it."""
    found = _draft(call)
    if found.state == COMPOSING or not _was_sent(found):
        raise Unknown("no such draft: it is being written, or was never sent")
    return reply(draft_view(call.station, found))


async def release_draft(call: Call) -> Reply | None:
    """Say what somebody else drafted."""
    request = decoded(_RELEASE, await call.body() or b"{}")
    station, found = call.station, _draft(call)
    done = await release(station, found.number, call.actor, request)
    if isinstance(done, int):
        return reply(DraftNumber(draft=found.number, due=done), 202)
    return reply(Placed(ref=_ref(call, found, done)), 201)


async def withdraw_draft(call: Call) -> Reply | None:
    """Take a message back before it is signed."""
    found = withdraw(call.station, _draft(call).number, call.actor)
    return reply(compose_view(call.station, found, call.actor))


async def discard_draft(call: Call) -> Reply | None:
    """Let a draft go unsaid."""
    discard(call.station, _draft(call).number)
    return reply(Done())


_COMPOSE = (
    Route(
        method="GET",
        path="/lines/{line}/compose",
        handler=composing,
        summary="Working drafts of a line",
        roles=_READERS | {INTERPRETER},
        answers={200: ComposesView},
    ),
    Route(
        method="POST",
        path="/lines/{line}/compose",
        handler=compose,
        summary="Begin a working draft",
        roles=_WRITERS,
        body=Composed,
        answers={201: ComposeView},
    ),
    Route(
        method="GET",
        path="/compose/{number}",
        handler=composed,
        summary="A working draft, and what has come on the line since",
        roles=_READERS | {INTERPRETER},
        answers={200: ComposeView},
    ),
    Route(
        method="PUT",
        path="/compose/{number}",
        handler=save_composed,
        summary="Save a working draft",
        roles=_WRITERS,
        body=SaveRequest,
        answers={200: ComposeView},
    ),
    Route(
        method="POST",
        path="/compose/{number}/discard",
        handler=discard_composed,
        summary="Discard a working draft",
        roles=_WRITERS,
        answers={200: Done},
        act="discard",
        first=True,
    ),
    Route(
        method="POST",
        path="/compose/{number}/send",
        handler=send_composed,
        summary="Send a working draft: FLASH at once, all else after ten seconds of grace",
        roles=_WRITERS,
        body=SendRequest,
        answers={201: Sending, 202: Sending},
        act="send",
    ),
)
_DRAFTS = (
    Route(
        method="GET",
        path="/lines/{line}/drafts",
        handler=drafts,
        summary="Drafts of a line",
        roles=_READERS,
        query=DraftsQuery,
        answers={200: DraftsView},
    ),
    Route(
        method="POST",
        path="/lines/{line}/drafts",
        handler=draft,
        summary="Keep a message for release by a second person",
        roles=_WRITERS,
        body=MessageRequest,
        answers={201: DraftView},
        act="draft",
    ),
    Route(
        method="GET",
        path="/drafts/{number}",
        handler=one_draft,
        summary="A draft, or what became of it",
        roles=_READERS,
        answers={200: DraftView},
    ),
    Route(
        method="POST",
        path="/drafts/{number}/release",
        handler=release_draft,
        summary="Release what somebody else drafted",
        roles=_WRITERS,
        body=ReleaseRequest,
        answers={201: Placed, 202: DraftNumber},
        act="release",
        first=True,
    ),
    Route(
        method="POST",
        path="/drafts/{number}/withdraw",
        handler=withdraw_draft,
        summary="Take a message back before it is signed: it is a working draft again",
        roles=_WRITERS,
        answers={200: ComposeView},
        act="withdraw",
        first=True,
    ),
    Route(
        method="POST",
        path="/drafts/{number}/discard",
        handler=discard_draft,
        summary="Discard a draft",
        roles=_WRITERS,
        answers={200: Done},
        act="discard",
        first=True,
    ),
)
ROUTES = (*_COMPOSE, *_DRAFTS)
