"""Search over the transcripts of all lines."""

import asyncio
import itertools
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
from openline.station.search import Folded, Front, Sought, Swept, passage, terms_of
from openline.station.spoken import one_of

MAX_FOUND = 200
MAX_MS = 20_000
_SHORT = 16
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
    within: Annotated[int, msgspec.Meta(ge=1, le=MAX_MS)] = MAX_MS
    """After so many ms the answer is given with what was found by then."""
    at: Annotated[str, msgspec.Meta(max_length=8_192)] = ""
    """Where to go on: `next` of the answer before."""


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
    """Whether that is all there is; else ask again with `at`."""
    left: int
    """Entries that were not looked at yet."""
    next: str
    """Where to go on, for `at`; empty if that is all. An entry may come twice if its author claims odd times."""


async def search(call: Call) -> Reply | None:
    """Search the transcripts."""
    query, station = call.query(SearchQuery), call.station
    lines = [station.find(query.line)] if query.line else list(station.lines.values())
    fronts = _fronts(lines, query.at)
    sought = _sought(query)
    if station.search.running >= SEARCHES:
        raise TooLarge("too many searches run: wait for one of them to end")
    station.search.running += 1
    gone = asyncio.Event()
    leaving = asyncio.create_task(_until_left(call, gone))
    loop = asyncio.get_running_loop()
    deadline = loop.time() + query.within / 1_000
    turns = itertools.count()  # some of it is done in any case: whoever asks on comes to an end

    def is_over() -> bool:
        return gone.is_set() or (next(turns) > 0 and loop.time() > deadline)

    try:
        swept = await station.search.sweep(fronts, sought, query.limit, is_over)
        if gone.is_set():
            raise Unavailable("the caller has left")
        return reply(_view(swept, sought))
    finally:
        leaving.cancel()
        station.search.running -= 1


def _fronts(lines: list[LineRunner], at: str) -> list[Front]:
    """Where to begin: at the end of each line, or where the search before stopped. Raises Malformed."""
    if not at:
        return [Front(line, line.history.last_seq() + 1) for line in lines]
    ends: dict[str, int] = {}
    for part in at.split(","):
        short, colon, number = part.partition(":")
        if not (colon and len(short) == _SHORT and number.isascii() and number.isdigit() and len(number) <= 15):
            raise Malformed("a search goes on with what `next` of its answer said")
        ends[short] = int(number)
    named = [(line, ends.get(line.line.hex()[:_SHORT])) for line in lines]
    return [Front(line, min(end, line.history.last_seq() + 1)) for line, end in named if end is not None]


def _view(swept: Swept, sought: Sought) -> SearchView:
    hits = sorted(swept.hits, key=lambda hit: (hit.folded.time, hit.folded.seq), reverse=True)
    views = [_found(hit.line, arrival, sought) for hit in hits for arrival in _arrival(hit.line, hit.folded)]
    return SearchView(
        found=views,
        searched=swept.looked_at,
        complete=not swept.fronts,
        left=swept.left,
        next=",".join(f"{front.line.line.hex()[:_SHORT]}:{front.end}" for front in swept.fronts),
    )


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
    await call.left()
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
