"""Calls about the station and its lines: how they stand, tests, and the clock of an exercise."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec.structs import replace

from openline.kernel.errors import Unknown
from openline.kernel.units import MAX_INSTANT, MIN_INSTANT, Instant
from openline.ports import Draft
from openline.protocol.events import Renew
from openline.protocol.succession import is_passed
from openline.station.answers import (
    ActorView,
    ClockView,
    Done,
    Fingerprint,
    LinesView,
    LineView,
    Placed,
    StatusView,
    TestsView,
)
from openline.station.api_entries import placed_ref
from openline.station.calls import Call, Reply, Route, decoded, reply
from openline.station.cards import as_digits, as_words
from openline.station.drafting import HELD
from openline.station.line_runner import LineRunner
from openline.station.line_view import line_view, state_of, test_view
from openline.station.people import ADMINISTRATOR, TECHNICIAN, WATCH
from openline.station.requests import Request
from openline.station.restores import COPY_WRITES
from openline.station.runtime import Station

MAX_TESTS = 1_000


class TestRequest(Request, frozen=True, kw_only=True):
    """A test; a drill is shown as DRILL on every screen."""

    __test__ = False

    drill: bool = False


class TestsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many."""

    __test__ = False

    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_TESTS)] = 100


class RenewRequest(Request, frozen=True, kw_only=True):
    """With whom; without it with every party."""

    party: Annotated[str, msgspec.Meta(max_length=16)] | None = None


class ClockRequest(Request, frozen=True, kw_only=True):
    """What time it is, ms."""

    at: Annotated[int, msgspec.Meta(ge=MIN_INSTANT // 4, le=MAX_INSTANT // 4)]


_TEST = msgspec.json.Decoder(TestRequest)
_RENEW = msgspec.json.Decoder(RenewRequest)
_CLOCK = msgspec.json.Decoder(ClockRequest)


async def status(call: Call) -> Reply | None:
    """The station."""
    station, actor = call.station, call.actor
    fingerprint = station.card.fingerprint
    return reply(
        StatusView(
            name=station.config.name,
            fingerprint=Fingerprint(hex=fingerprint.hex(), digits=as_digits(fingerprint), words=as_words(fingerprint)),
            version=station.version,
            started=station.started,
            now=station.clock.wall(),
            lines=len(station.lines),
            simulated_clock=station.clock.simulated,
            language=station.config.language,
            console=station.console.url if station.console is not None else "",
            actor=ActorView(uid=actor.uid, signs=actor.signs, roles=sorted(actor.roles)),
            problems=problems(station),
        )
    )


def problems(station: Station) -> list[str]:
    """What people should know about, in words."""
    found = []
    if station.clock.simulated:
        found.append("SIMULATED CLOCK: nothing on this station is live")
    if station.config.console is not None and station.console is None:
        found.append("the console cannot be served: look for console.failed in the log, and at console.listen")
    if station.committer.in_thread:
        found.append("the disk of the store is slow")
    found += [
        f"{label}: cannot be opened. Its keys or its record are damaged: openline doctor" for label in station.refused
    ]
    found += [f"bearer {name}: {why}" for name in station.bearers.shown() if (why := station.bearers.trouble(name))]
    found += station.alarms.problems()
    for line in station.lines.values():
        state, words = state_of(station, line)
        if state in {"fault", "stopped", "degraded"}:
            found.append(f"{line.label}: {words}")
        if line.engine is not None and is_passed(line.engine.book):
            found.append(f"{line.label}: {COPY_WRITES}")
    return found


async def lines(call: Call) -> Reply | None:
    """All lines."""
    station = call.station
    held = station.store.drafts(HELD)  # once for all lines
    views = [_view(station, line, held) for line in station.lines.values()]
    if not call.actor.roles:  # a locked page: how lines stand, and nothing that anybody wrote
        views = [replace(view, minimize=[replace(each, text="") for each in view.minimize]) for view in views]
    return reply(LinesView(lines=views))


async def line(call: Call) -> Reply | None:
    """One line."""
    return reply(_view(call.station, call.line, call.station.store.drafts(HELD)))


def _view(station: Station, line: LineRunner, held: Sequence[Draft]) -> LineView:
    tests = station.store.tests(line.line, 1)
    return line_view(station, line, tests[0] if tests else None, sum(draft.line == line.line for draft in held))


async def test(call: Call) -> Reply | None:
    """Test the line now."""
    request = decoded(_TEST, await call.body() or b"{}")
    line = call.line
    accepted = await call.station.rhythm.test(line, drill=request.drill)
    return reply(Placed(ref=placed_ref(line, accepted, is_message=False)), 201)


async def tests(call: Call) -> Reply | None:
    """Results of tests."""
    station, line = call.station, call.line
    found = station.store.tests(line.line, call.query(TestsQuery).limit)
    return reply(TestsView(tests=[test_view(line, each) for each in found]))


async def renew(call: Call) -> Reply | None:
    """New keys with a party, or with all."""
    request = decoded(_RENEW, await call.body() or b"{}")
    line = call.line
    parties = [party for party in line.working().peers if request.party in (None, line.names[party])]
    if not parties:
        raise Unknown("no such party on this line")
    for party in parties:
        line.feed(Renew(party))
    return reply(Done())


async def clock(call: Call) -> Reply | None:
    """Set the simulated clock."""
    request = decoded(_CLOCK, await call.body())
    station = call.station
    station.clock.set(Instant(request.at))
    station.store.put_setting("clock", b"%d" % request.at)
    return reply(ClockView(now=station.clock.wall(), simulated_clock=station.clock.simulated))


ROUTES = (
    Route(method="GET", path="/status", handler=status, summary="The station", answers={200: StatusView}),
    Route(method="GET", path="/lines", handler=lines, summary="All lines", answers={200: LinesView}),
    Route(method="GET", path="/lines/{line}", handler=line, summary="One line", answers={200: LineView}),
    Route(
        method="POST",
        path="/lines/{line}/test",
        handler=test,
        summary="Test a line now",
        roles=frozenset({TECHNICIAN, WATCH}),
        body=TestRequest,
        answers={201: Placed},
        act="test",
    ),
    Route(
        method="GET",
        path="/lines/{line}/tests",
        handler=tests,
        summary="Results of tests",
        query=TestsQuery,
        answers={200: TestsView},
    ),
    Route(
        method="POST",
        path="/lines/{line}/renew",
        handler=renew,
        summary="Agree on new keys now",
        roles=frozenset({TECHNICIAN, ADMINISTRATOR}),
        body=RenewRequest,
        answers={200: Done},
        act="renew",
    ),
    Route(
        method="POST",
        path="/clock",
        handler=clock,
        summary="Set the simulated clock",
        roles=frozenset({ADMINISTRATOR}),
        body=ClockRequest,
        answers={200: ClockView},
        act="clock",
        first=True,
    ),
)
