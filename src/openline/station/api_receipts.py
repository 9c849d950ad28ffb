"""Calls of consoles about what is on their screens: "presented", for many messages at once, and only where it is true.

Spec: spec/06-entries.md, 6.19, 6.105.
"""

import asyncio
from typing import Annotated

import msgspec

from openline.kernel.errors import Conflict
from openline.kernel.units import Instant
from openline.protocol.entries import Receipt, Step, Watch
from openline.protocol.facts import Mark
from openline.protocol.fields import Ref
from openline.station.bearer_answers import Answer
from openline.station.calls import Call, Reply, Route, decoded, reply
from openline.station.line_runner import LineRunner
from openline.station.people import WATCH
from openline.station.requests import find_ref
from openline.station.spoken import Place, Request, Sign

MOST = 256
"""Messages of one call: ten screens."""


class PresentedRequest(Request, frozen=True, kw_only=True):
    """Messages that stand, opened, on this console's screen."""

    refs: Annotated[list[Place], msgspec.Meta(min_length=1, max_length=MOST)]
    sign: Sign | None = None


class PresentedView(Answer, frozen=True, kw_only=True):
    """For how many of them a receipt was signed; for the others there was one already, or none is owed."""

    presented: int


_REQUEST = msgspec.json.Decoder(PresentedRequest)


async def presented(call: Call) -> Reply | None:
    """Sign that messages were presented, each once for this party, on a floor that is attended."""
    request = decoded(_REQUEST, await call.body())
    station, line = call.station, call.line
    role, sign = station.people.speaking(call.actor, None, request.sign, frozenset({WATCH}))
    _check_attended(line)
    owed = {ref: None for place in request.refs if _is_owed(line, ref := find_ref(line, place))}
    refs = [ref for ref in owed if ref not in line.presenting]
    line.presenting.update(refs)  # two consoles show it in the same moment
    try:
        now = Instant(station.clock.wall())
        receipts = [Receipt(of=ref, step=Step.PRESENTED, role=role, sign=sign, at=now) for ref in refs]
        await asyncio.gather(*[line.submit(receipt, now) for receipt in receipts])
    finally:
        line.presenting.difference_update(refs)
    return reply(PresentedView(presented=len(refs)))


def _check_attended(line: LineRunner) -> None:
    watch = line.working().fold.watch(line.party)
    if watch is None or not isinstance(watch.entry, Watch) or not watch.entry.attended:
        raise Conflict("nothing is presented on a floor that is unattended by its own word: take the watch first")


def _is_owed(line: LineRunner, ref: Ref) -> bool:
    status = line.working().fold.status(ref.lane, ref.generation, ref.index)
    return any(party.party == line.party and not party.marks & Mark.PRESENTED for party in status.parties)


ROUTES = (
    Route(
        method="POST",
        path="/lines/{line}/presented",
        handler=presented,
        summary="Say that messages stand on an attended screen",
        roles=frozenset({WATCH}),
        body=PresentedRequest,
        answers={200: PresentedView},
        act="presented",
    ),
)
