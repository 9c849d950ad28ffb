"""Search over the transcripts of all lines."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Annotated

import msgspec

from openline.kernel.errors import Malformed, TooLarge, Unavailable
from openline.kernel.units import MAX_INSTANT, MIN_INSTANT
from openline.ports import Arrival
from openline.protocol.entries import Precedence
from openline.protocol.lanes import read_body
from openline.station.answers import RefView
from openline.station.bearer_answers import Answer
from openline.station.calls import Call, Reply, Route, reply
from openline.station.entry_view import KINDS, arrival_view
from openline.station.line_runner import LineRunner
from openline.station.people import AUDITOR, INTERPRETER, PRINCIPAL, WATCH
from openline.station.search import Folded, Sought, passage, terms_of
from openline.station.spoken import one_of

MAX_FOUND = 200
MAX_SECONDS = 20.0
SEARCHES = 4
"""At a time: each takes turns with everything else that the station does."""
_Moment = Annotated[int, msgspec.Meta(ge=MIN_INSTANT, le=MAX_INSTANT)]


class SearchQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is looked for: words (all must occur; "some words" together), and in what."""

    q: Annotated[str, msgspec.Meta(max_length=256)] = ""
    line: Annotated[str, msgspec.Meta(max_length=256)] = ""
    kind: Annotated[str, msgspec.Meta(max_length=256)] = ""
    """Kinds by name, separated by commas."""
    precedence: Annotated[str, msgspec.Meta(pattern=r"^(flash|immediate|priority|routine)?$")] = ""
    earliest: _Moment = msgspec.field(default=MIN_INSTANT, name="from")
    """By the time that entries claim, ms; that moment too."""
    latest: _Moment = msgspec.field(default=MAX_INSTANT, name="to")
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_FOUND)] = 50


class FoundView(Answer, frozen=True, kw_only=True):
    """An entry that was found, and the passage: what was found stands between `before` and `after`."""

    line: str
    seq: int
    ref: RefView
    author: str
    kind: str
    time: int
    dtg: str
    precedence: str
    before: str
    match: str
    after: str


class SearchView(Answer, frozen=True, kw_only=True):
    """What was found, the latest first."""

    found: list[FoundView]
    searched: int
    """Entries looked at."""
    complete: bool
    """Whether that is all there is; else ask again with `to` at the time of the last one found, or with more words."""


async def search(call: Call) -> Reply | None:
    """Search the transcripts."""
    query, station = call.query(SearchQuery), call.station
    lines = [station.find(query.line)] if query.line else list(station.lines.values())
    sought = _sought(query)
    if station.search.running >= SEARCHES:
        raise TooLarge("too many searches run: wait for one of them to end")
    station.search.running += 1
    gone = asyncio.Event()
    leaving = asyncio.create_task(_until_left(call, gone))
    deadline = asyncio.get_running_loop().time() + MAX_SECONDS
    try:
        return reply(await _search(call, lines, query, sought, gone, deadline))
    finally:
        leaving.cancel()
        station.search.running -= 1


async def _search(  # noqa: PLR0917 - the parts of one search
    call: Call, lines: list[LineRunner], query: SearchQuery, sought: Sought, gone: asyncio.Event, deadline: float
) -> SearchView:
    loop = asyncio.get_running_loop()
    hits: list[tuple[int, LineRunner, Folded]] = []
    searched, complete = 0, True
    for line in lines:
        found, looked_at, whole = await call.station.search.find(
            line, sought, query.limit, lambda: gone.is_set() or loop.time() > deadline
        )
        hits += [(each.time, line, each) for each in found]
        searched, complete = searched + looked_at, complete and whole
        if gone.is_set():
            raise Unavailable("the caller has left")
    hits.sort(key=lambda hit: (hit[0], hit[2].seq), reverse=True)
    views = [_found(line, arrival, sought) for _, line, each in hits[: query.limit] for arrival in _arrival(line, each)]
    return SearchView(found=views, searched=searched, complete=complete and len(hits) <= query.limit)


def _arrival(line: LineRunner, each: Folded) -> Iterator[Arrival]:
    yield from line.history.since(each.seq - 1, 1)


def _sought(query: SearchQuery) -> Sought:
    wanted = None
    if query.kind:
        names = query.kind.split(",")
        if not set(names) <= set(KINDS):
            raise Malformed("there is no such kind")
        wanted = frozenset(KINDS[name] for name in names)
    return Sought(
        terms=terms_of(query.q),
        kinds=wanted,
        precedence=None if not query.precedence else one_of(Precedence, query.precedence),
        earliest=query.earliest,
        latest=query.latest,
    )


def _found(line: LineRunner, arrival: Arrival, sought: Sought) -> FoundView:
    view = arrival_view(line, arrival)
    row = arrival.row
    before, match, after = passage(read_body(row.entry), sought.terms)
    return FoundView(
        line=line.label,
        seq=arrival.seq,
        ref=view.ref,
        author=view.author,
        kind=view.kind,
        time=view.time,
        dtg=view.dtg,
        precedence=str(view.body.get("precedence", "")),
        before=before,
        match=match,
        after=after,
    )


async def _until_left(call: Call, gone: asyncio.Event) -> None:
    with contextlib.suppress(Unavailable):
        while (await call.receive())["type"] != "http.disconnect":
            pass
    gone.set()


ROUTES = (
    Route(
        method="GET",
        path="/search",
        handler=search,
        summary="Search the transcripts of all lines, whatever the case and accents",
        roles=frozenset({WATCH, PRINCIPAL, INTERPRETER, AUDITOR}),
        query=SearchQuery,
        answers={200: SearchView},
    ),
)
