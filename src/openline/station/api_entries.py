"""Calls that say and read entries: the ones that must be quick."""

import asyncio
from typing import Annotated

import msgspec

from openline.kernel.errors import Malformed, Unknown
from openline.kernel.lane import Lane, parse_generation
from openline.kernel.units import MAX_SEQ, Instant
from openline.ports import Arrival
from openline.protocol.entries import Kind, Message, kind_of
from openline.protocol.events import Accepted
from openline.protocol.facts import MessageStatus, Standing
from openline.protocol.lanes import read_body
from openline.station.answers import (
    DraftNumber,
    EntriesView,
    EntryView,
    Placed,
    PlacedMany,
    RefView,
    WaitView,
)
from openline.station.calls import Call, Reply, Route, decoded, reply
from openline.station.drafting import (
    FLASH,
    GRACE,
    HELD,
    WAITING,
    check_confirmed,
    keep_draft,
    read_draft,
    release_asked,
)
from openline.station.entry_view import KINDS, arrival_view, reference_of, status_view
from openline.station.line_runner import LineRunner
from openline.station.people import ADMINISTRATOR, AUDITOR, INTERPRETER, PRINCIPAL, TECHNICIAN, WATCH
from openline.station.remarks_view import with_remarks
from openline.station.requests import (
    BatchRequest,
    EntryRequest,
    MessageRequest,
    ReceiptRequest,
    entry_of,
    find_messages,
)
from openline.station.runtime import Station

MAX_PAGE = 1_000
MAX_SCANNED = 20_000
"""Entries looked at for one page of one kind."""
MAX_WAIT_MS = 3_600_000
_TURN = 200  # entries looked at before everybody else on the loop has a turn: 20,000 are a second

_ENTRY: "msgspec.json.Decoder[EntryRequest]" = msgspec.json.Decoder(EntryRequest)
_BATCH = msgspec.json.Decoder(BatchRequest)
_READERS = frozenset({WATCH, PRINCIPAL, INTERPRETER, AUDITOR})
_SPEAKERS = frozenset({WATCH, TECHNICIAN, ADMINISTRATOR, INTERPRETER})


class PageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entries: after an arrival number ascending, or the last ones before one."""

    after: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)] | None = None
    before: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)] = 100
    kind: Annotated[str, msgspec.Meta(max_length=256)] | None = None
    """Kinds by name, separated by commas; without it all but pure acknowledgements."""
    remarks: bool = False
    """With each message and query, what speaks of it."""


class FindQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message as people name it."""

    reference: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]


class WaitQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entry, and for what."""

    lane: Annotated[int, msgspec.Meta(ge=0, le=31)]
    index: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)]
    generation: Annotated[str, msgspec.Meta(max_length=27)] = "0"
    until: Annotated[str, msgspec.Meta(pattern="^(held|presented|read|relayed|answered)$")] = msgspec.field(
        name="for", default="held"
    )
    timeout_ms: Annotated[int, msgspec.Meta(ge=0, le=MAX_WAIT_MS)] = 30_000


# --- saying ----------------------------------------------------------------------------------------------------


async def submit(call: Call) -> Reply | None:
    """Say one thing; answered once it is durable and signed."""
    request = decoded(_ENTRY, await call.body())
    line, station = call.line, call.station
    _check_presented(call, request)
    if isinstance(request, MessageRequest):
        waits = _waits(call, request)
        if waits is not None:
            return reply(waits, 202)
    now = station.clock.wall()
    entry = entry_of(request, line, station.people, call.actor, language=station.config.language, now=now)
    accepted = await line.submit(entry, now if request.time is None else Instant(request.time))
    return reply(Placed(ref=placed_ref(line, accepted, is_message=isinstance(entry, Message))), 201)


def _check_presented(call: Call, request: EntryRequest) -> None:
    """A console says it only where it is true, and once: api_receipts (spec 6.105). Raises Malformed."""
    if call.actor.at_console and isinstance(request, ReceiptRequest) and request.step == "presented":
        raise Malformed("a console says that messages are presented by the call for that")


def _waits(call: Call, request: MessageRequest) -> DraftNumber | None:
    """The draft that a message becomes, if it is not to be signed at once."""
    line, station, actor = call.line, call.station, call.actor
    if actor.at_console:
        check_confirmed(line, request.precedence, request.confirm)
    if release_asked(line):
        return DraftNumber(draft=keep_draft(station, line, actor, request, state=WAITING))
    if _is_held(station, line, request):
        return DraftNumber(draft=keep_draft(station, line, actor, request, state=HELD), held=True)
    if actor.at_console and request.precedence != FLASH:
        number = keep_draft(station, line, actor, request, state=GRACE)
        return DraftNumber(draft=number, due=read_draft(station.store.draft(number)).due)
    return None


def _is_held(station: Station, line: LineRunner, request: EntryRequest) -> bool:
    """Whether MINIMIZE holds this back (spec 6.76)."""
    return isinstance(request, MessageRequest) and station.minimize.holds(
        line, request.precedence, considered=request.minimize_considered
    )


async def submit_batch(call: Call) -> Reply | None:
    """Say several things together."""
    request = decoded(_BATCH, await call.body())
    line, station = call.line, call.station
    if release_asked(line) and any(isinstance(each, MessageRequest) for each in request.entries):
        raise Malformed("the terms ask for a second person: messages go one by one")
    if any(_is_held(station, line, each) for each in request.entries):
        raise Malformed("MINIMIZE stands: messages go one by one")
    if call.actor.at_console and any(isinstance(each, MessageRequest) for each in request.entries):
        raise Malformed("from the console messages go one by one")
    for each in request.entries:
        _check_presented(call, each)
    now, language = station.clock.wall(), station.config.language
    entries = [entry_of(each, line, station.people, call.actor, language=language, now=now) for each in request.entries]
    times = [now if each.time is None else Instant(each.time) for each in request.entries]
    futures = [line.submit(entry, time) for entry, time in zip(entries, times, strict=True)]
    done = await asyncio.gather(*futures, return_exceptions=True)
    accepted: list[Accepted] = []
    for outcome in done:
        if isinstance(outcome, BaseException):
            raise outcome
        accepted.append(outcome)
    refs = [
        placed_ref(line, each, is_message=isinstance(entry, Message))
        for each, entry in zip(accepted, entries, strict=True)
    ]
    return reply(PlacedMany(refs=refs), 201)


def placed_ref(line: LineRunner, accepted: Accepted, *, is_message: bool) -> RefView:
    """Where an entry stands now."""
    lane, reference = accepted.lane, ""
    engine = line.engine
    if is_message and engine is not None:
        status = engine.fold.status(lane.number, lane.generation, accepted.index)
        reference = reference_of(line, lane, status.serial, status.time)
    return RefView(
        lane=lane.number,
        generation=str(lane.generation),
        index=accepted.index,
        leaf=accepted.leaf_hash.hex(),
        reference=reference,
    )


# --- reading ---------------------------------------------------------------------------------------------------


async def read_page(call: Call) -> Reply | None:
    """Entries in order of arrival."""
    line, query = call.line, call.query(PageQuery)
    if query.after is not None and query.before is not None:
        raise Malformed("after and before do not go together")
    wanted = _kinds(query.kind)
    if query.before is not None:
        found = await _backwards(line, query.before, query.limit, wanted)
    else:
        found = await _forwards(line, query.after or 0, query.limit, wanted)
    views = [arrival_view(line, each) for each in found]
    if query.remarks:
        views = [with_remarks(line, each, view) for each, view in zip(found, views, strict=True)]
    return reply(EntriesView(entries=views, last_seq=line.history.last_seq()))


def _kinds(names: str | None) -> frozenset[int] | None:
    """Numbers of the kinds named; None for all. -1: also such as this version does not know."""
    if names is None:
        return None
    found = set()
    for name in names.split(","):
        if name not in KINDS and name not in {"refused", "unknown"}:
            raise Malformed("there is no such kind")
        found.add(KINDS.get(name, 0 if name == "refused" else -1))
    return frozenset(found)


def _kind(arrival: Arrival) -> int:
    row = arrival.row
    body = None if row.refused or not row.entry.secret else read_body(row.entry)
    return 0 if body is None else kind_of(body)


def _wanted(arrival: Arrival, wanted: frozenset[int] | None) -> bool:
    kind = _kind(arrival)
    if wanted is None:
        return kind != Kind.ACK
    return kind in wanted or (-1 in wanted and kind not in KINDS.values() and kind != 0)


async def _forwards(line: LineRunner, after: int, limit: int, wanted: frozenset[int] | None) -> list[Arrival]:
    found: list[Arrival] = []
    for _ in range(MAX_SCANNED // _TURN):
        arrivals = line.history.since(after, _TURN)
        for arrival in arrivals:
            after = arrival.seq
            if _wanted(arrival, wanted):
                found.append(arrival)
                if len(found) == limit:
                    return found
        if len(arrivals) < _TURN:
            break
        await asyncio.sleep(0)
    return found


async def _backwards(line: LineRunner, before: int, limit: int, wanted: frozenset[int] | None) -> list[Arrival]:
    found: list[Arrival] = []
    end = min(before, line.history.last_seq() + 1)
    page, scanned = max(limit, 64), 0
    while end > 1 and len(found) < limit and scanned < MAX_SCANNED:
        first = max(0, end - 1 - page)
        arrivals = line.history.since(first, end - 1 - first)
        for arrival in reversed(arrivals):
            if len(found) < limit and _wanted(arrival, wanted):
                found.append(arrival)
        scanned += len(arrivals)
        end = first + 1
        await asyncio.sleep(0)
    return found[::-1]


async def read_one(call: Call) -> Reply | None:
    """One entry by its place."""
    line = call.line
    number, generation, index = call.part("lane"), call.part("generation"), call.part("index")
    if not (number.isascii() and number.isdigit() and index.isascii() and index.isdigit()):
        raise Malformed("lane and index are numbers")
    if len(number) > 2 or len(index) > 15:
        raise Unknown("no such lane on this line")
    lane = lane_of_place(line, int(number), generation)
    rows = line.history.entries(lane, int(index), 1) if int(index) < line.history.size(lane) else ()
    if not rows:
        raise Unknown("no such entry is held here")
    arrival = Arrival(seq=0, lane=lane, row=rows[0])
    return reply(with_remarks(line, arrival, arrival_view(line, arrival)))


def lane_of_place(line: LineRunner, number: int, generation: str) -> Lane:
    """The lane of that name. Raises Malformed, Unknown or Unavailable."""
    book, parsed = line.working().book, parse_generation(generation)
    if number >= 2 * len(line.names) or not book.knows(number // 2, parsed):
        raise Unknown("no such lane on this line")
    return book.lane(number, parsed)


async def find(call: Call) -> Reply | None:
    """Messages by the name that people use."""
    line = call.line
    found: list[EntryView] = []
    for status in find_messages(line, call.query(FindQuery).reference):
        place = status.place
        lane = line.working().book.lane(place.lane, place.generation)
        rows = line.history.entries(lane, place.index, 1)
        found.extend(arrival_view(line, Arrival(seq=0, lane=lane, row=row)) for row in rows)
    if not found:
        raise Unknown("no such message on this line")
    return reply(EntriesView(entries=found, last_seq=line.history.last_seq()))


# --- waiting ---------------------------------------------------------------------------------------------------


async def wait(call: Call) -> Reply | None:
    """Wait until all other parties hold an entry, or a message has come further with them."""
    line, query = call.line, call.query(WaitQuery)
    lane = lane_of_place(line, query.lane, query.generation)
    if query.index >= line.history.size(lane):
        raise Unknown("no such entry is held here")
    await call.unless_left(line.when(lambda: _reached(line, lane, query), query.timeout_ms / 1_000))
    return reply(_wait_view(line, lane, query))


def _reached(line: LineRunner, lane: Lane, query: WaitQuery) -> bool | None:
    engine = line.engine
    if engine is None:
        return None
    if query.until == "held":
        parties = (peer for party, peer in engine.peers.items() if party != lane.party)
        return True if all(peer.holds.get(lane.key, 0) > query.index for peer in parties) else None
    status = _message(line, lane, query.index)
    wanted = Standing[query.until.upper()]
    if status is None:
        return True  # only messages come further than held
    views = status_view(line, engine, status).values()
    return True if all(Standing[view.standing.upper()] >= wanted for view in views) else None


def _message(line: LineRunner, lane: Lane, index: int) -> MessageStatus | None:
    engine = line.engine
    ledger = engine.fold.lanes.get(lane.key) if engine is not None else None
    if engine is None or ledger is None or ledger.messages.find(index) < 0:
        return None
    return engine.fold.status(lane.number, lane.generation, index)


def _wait_view(line: LineRunner, lane: Lane, query: WaitQuery) -> WaitView:
    engine, status = line.working(), _message(line, lane, query.index)
    done = _reached(line, lane, query) is True
    if status is not None:
        parties = status_view(line, engine, status)
        reached = min((Standing[view.standing.upper()] for view in parties.values()), default=Standing.SENT)
        return WaitView(reached=reached.name.lower(), done=done, parties=parties)
    others = (peer for party, peer in engine.peers.items() if party != lane.party)
    held = all(peer.holds.get(lane.key, 0) > query.index for peer in others)
    return WaitView(reached="held" if held else "sent", done=done and held and query.until == "held", parties={})


ROUTES = (
    Route(
        method="POST",
        path="/lines/{line}/entries",
        handler=submit,
        summary="Say something on a line",
        roles=_SPEAKERS,
        body=EntryRequest,
        answers={201: Placed, 202: DraftNumber},
        act="submit",
    ),
    Route(
        method="GET",
        path="/lines/{line}/entries",
        handler=read_page,
        summary="Read entries in order of arrival",
        roles=_READERS,
        query=PageQuery,
        answers={200: EntriesView},
    ),
    Route(
        method="POST",
        path="/lines/{line}/entries:batch",
        handler=submit_batch,
        summary="Say several things together",
        roles=_SPEAKERS,
        body=BatchRequest,
        answers={201: PlacedMany},
        act="submit-batch",
    ),
    Route(
        method="GET",
        path="/lines/{line}/wait",
        handler=wait,
        summary="Wait until an entry is held, presented, read, relayed or answered",
        query=WaitQuery,
        answers={200: WaitView},
    ),
    Route(
        method="GET",
        path="/lines/{line}/find",
        handler=find,
        summary="Find messages by reference",
        roles=_READERS,
        query=FindQuery,
        answers={200: EntriesView},
    ),
    Route(
        method="GET",
        path="/lines/{line}/entries/{lane}/{generation}/{index}",
        handler=read_one,
        summary="Read one entry by its place",
        roles=_READERS,
        answers={200: EntryView},
    ),
)
