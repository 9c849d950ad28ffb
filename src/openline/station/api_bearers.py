"""Calls about bearers: probing one by itself; and MINIMIZE, for when only poor ones are left."""

import asyncio
from typing import Annotated

import msgspec

from openline.kernel.errors import Unknown
from openline.station.answers import Placed
from openline.station.api_entries import placed_ref
from openline.station.bearer_answers import BearerTestsView, BearerTestView
from openline.station.calls import Call, Reply, Route, decoded, reply
from openline.station.people import TECHNICIAN, WATCH
from openline.station.requests import Reason, Request, RoleWord, Sign


class BearerTestRequest(Request, frozen=True, kw_only=True):
    """Which bearer, to which party; all if not given."""

    bearer: Annotated[str, msgspec.Meta(max_length=32)] | None = None
    party: Annotated[str, msgspec.Meta(max_length=64)] | None = None


MOST_S = 50.0
"""A call over the API is answered within a minute."""


class MinimizeRequest(Request, frozen=True, kw_only=True):
    """On or off, and why."""

    on: bool
    reason: Reason = ""
    role: RoleWord | None = None
    sign: Sign | None = None


_SPEAKERS = frozenset({WATCH, TECHNICIAN})
_MINIMIZE = msgspec.json.Decoder(MinimizeRequest)
_TEST = msgspec.json.Decoder(BearerTestRequest)


async def test_bearers(call: Call) -> Reply | None:
    """Send a probe over each of the bearers that are meant, each by itself, and wait for the echoes."""
    request = decoded(_TEST, await call.body() or b"{}")
    station, line = call.station, call.line
    parties = [party for party in line.working().peers if request.party in {None, line.names[party]}]
    bearers = [name for name in station.bearers.shown() if request.bearer in {None, name}]
    if not parties:
        raise Unknown("no such party on this line")
    if not bearers:
        raise Unknown("there is no such bearer here")
    places = [(party, name) for party in parties for name in bearers]
    answers = await asyncio.gather(
        *(station.probes.test(line.stations[party], name, most_s=MOST_S) for party, name in places)
    )
    tests = [
        BearerTestView(
            party=line.names[party],
            bearer=answer.bearer,
            answered=answer.answered,
            round_trip_ms=answer.round_trip_ms,
            why=answer.why,
        )
        for (party, _), answer in zip(places, answers, strict=True)
    ]
    return reply(BearerTestsView(tests=tests))


async def minimize(call: Call) -> Reply | None:
    """Impose MINIMIZE, or lift what was imposed here."""
    request = decoded(_MINIMIZE, await call.body())
    station, line = call.station, call.line
    _, sign = station.people.speaking(call.actor, request.role, request.sign, _SPEAKERS)
    accepted = await station.minimize.say(
        line, on=request.on, reason=request.reason, sign=sign, language=station.config.language
    )
    return reply(Placed(ref=placed_ref(line, accepted, is_message=False)), 201)


ROUTES = (
    Route(
        method="POST",
        path="/lines/{line}/minimize",
        handler=minimize,
        summary="Impose MINIMIZE on a line, or lift what this side imposed",
        roles=_SPEAKERS,
        body=MinimizeRequest,
        answers={201: Placed},
        act="minimize",
    ),
    Route(
        method="POST",
        path="/lines/{line}/bearers/test",
        handler=test_bearers,
        summary="Send a probe over one bearer, or over each by itself",
        roles=frozenset({TECHNICIAN, WATCH}),
        body=BearerTestRequest,
        answers={200: BearerTestsView},
        act="test-bearers",
    ),
)
