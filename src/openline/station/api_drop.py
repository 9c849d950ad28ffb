"""Calls for sticks that are carried by hand (spec 9.67): what to put on one, and what one brought.

The station touches no stick: who calls holds it, with the rights of their own
user, and a stick that hangs in its socket hangs there alone.
"""

import asyncio
import struct
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import msgspec

from openline.bearers.drop import CourierBearer, Trip
from openline.bearers.drop.limits import direction
from openline.kernel.errors import Malformed, Unavailable
from openline.protocol.delivery import Peer
from openline.protocol.epochs import Stage
from openline.station.bearer_answers import Answer
from openline.station.calls import BYTES, Call, Reply, Route, decoded, reply
from openline.station.line_runner import LineRunner
from openline.station.people import ADMINISTRATOR, TECHNICIAN, WATCH
from openline.station.requests import Request
from openline.station.runtime import Station

LOOK_S = 0.05
QUIET_LOOKS = 8
"""Nothing new at so many looks, with no commit under way: the line has said what it has to say."""
CALL_S = 3.0
"""How long a stick waits for a call where there are no keys yet: on a busy machine it takes its time."""
LONGEST_S = 20.0
"""A line that never falls silent (a long file) is cut off; the rest goes with the next stick."""
MOST_ENVELOPES = 4_096
_LENGTH = struct.Struct(">H")
_ROLES = frozenset({WATCH, TECHNICIAN, ADMINISTRATOR})


class StickFolder(Answer, frozen=True, kw_only=True):
    """Where on a stick the files from and to one party lie."""

    line: str
    party: str
    out: str
    """The folder in which this station's envelopes for that party are written."""
    into: str
    """The folder with that party's envelopes for this station."""


class StickStanding(Answer, frozen=True, kw_only=True):
    """Where a line stands with one party, for who carries sticks between them."""

    line: str
    party: str
    waiting: int
    """Entries and pieces of files that are on no stick yet."""
    unconfirmed: int
    """Entries that the party has not acknowledged."""
    step: str
    """call, answer, proof (messages of the handshake under way); content, confirm or done once keys are agreed."""


class SticksView(Answer, frozen=True, kw_only=True):
    """All folders, and how things stand."""

    folders: list[StickFolder]
    standing: list[StickStanding]


class StickLoad(Answer, frozen=True, kw_only=True):
    """What goes into one folder of a stick."""

    out: str
    envelopes: list[bytes]


class StickWritten(Answer, frozen=True, kw_only=True):
    """What to write on the stick."""

    loads: list[StickLoad]
    standing: list[StickStanding]


class StickRead(Answer, frozen=True, kw_only=True):
    """What became of the envelopes of a stick."""

    envelopes: int
    opened: int
    handshakes: int
    duplicates: int
    """Opened before."""
    unknown: int
    """Of an epoch that is gone, of another line, or from a stranger."""
    entries: int
    """Entries that were new here."""
    standing: list[StickStanding]


class StickRequest(Request, frozen=True, kw_only=True):
    """For which line; without it for all."""

    line: Annotated[str, msgspec.Meta(max_length=64)] | None = None


class StickQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which line; without it of all."""

    line: Annotated[str, msgspec.Meta(max_length=64)] | None = None


_WRITE = msgspec.json.Decoder(StickRequest)


async def sticks(call: Call) -> Reply | None:
    """Folders and standing."""
    lines = _lines(call, call.query(StickQuery).line)
    own = call.station.card.fingerprint.hex()
    folders = [
        StickFolder(
            line=line.label,
            party=line.names[party],
            out=direction(own, line.stations[party]),
            into=direction(line.stations[party], own),
        )
        for line, party in _parties(lines)
    ]
    return reply(SticksView(folders=folders, standing=_standing(lines)))


async def write(call: Call) -> Reply | None:
    """Say all that waits, as envelopes for a stick."""
    lines = _lines(call, decoded(_WRITE, await call.body()).line)
    station = call.station
    own = station.card.fingerprint.hex()
    stations = list(dict.fromkeys(line.stations[party] for line, party in _parties(lines)))
    async with _courier(station).trip(stations) as trip:
        trip.announce()
        await _settled(station, trip, lines)
        standing = _standing(lines)
        loads = [StickLoad(out=direction(own, each), envelopes=trip.envelopes(each)) for each in stations]
    return reply(StickWritten(loads=loads, standing=standing))


async def read(call: Call) -> Reply | None:
    """Take the envelopes of a stick. Answers to them wait for the next one that is written."""
    envelopes = _cut(await call.body())
    station = call.station
    lines = list(station.lines.values())
    courier = _courier(station)
    stations = list(dict.fromkeys(line.stations[party] for line, party in _parties(lines)))
    peers = [peer for line, party in _parties(lines) if (peer := line.peer(party)) is not None]
    before = _held(lines)
    kinds: Counter[str] = Counter()
    async with courier.trip(stations) as trip:
        # What opens an epoch first: its envelopes may lie beside it.
        for envelope in sorted(envelopes, key=lambda each: _kind(peers, each) != "handshakes"):
            kinds[_kind(peers, envelope)] += 1
            station.links.arrived(courier.traits.name, None, envelope)
        await _committed(station)
        trip.announce()
        await _settled(station, trip, lines)
        standing = _standing(lines)
    return reply(
        StickRead(
            envelopes=len(envelopes),
            opened=kinds["opened"],
            handshakes=kinds["handshakes"],
            duplicates=kinds["duplicates"],
            unknown=kinds["unknown"],
            entries=_held(lines) - before,
            standing=standing,
        )
    )


def _lines(call: Call, name: str | None) -> list[LineRunner]:
    """The line of that name, or all. Raises Unknown or Conflict."""
    if name is None:
        return list(call.station.lines.values())
    line = call.station.find(name)
    call.noted = line.label
    return [line]


def _parties(lines: Sequence[LineRunner]) -> list[tuple[LineRunner, int]]:
    return [(line, party) for line in lines for party in range(len(line.names)) if party != line.party]


def _courier(station: Station) -> CourierBearer:
    if station.courier is None:
        raise Unavailable("the station is not ready for a stick yet")
    return station.courier


def _cut(data: bytes) -> list[bytes]:
    """The envelopes of a body, each after its length in two bytes. Raises Malformed."""
    envelopes: list[bytes] = []
    at = 0
    if not data:
        raise Malformed("not envelopes, each after its length in two bytes")
    while at < len(data):
        if at + _LENGTH.size > len(data) or len(envelopes) >= MOST_ENVELOPES:
            raise Malformed("not envelopes, each after its length in two bytes")
        (size,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if not size or at + size > len(data):
            raise Malformed("not envelopes, each after its length in two bytes")
        envelopes.append(data[at : at + size])
        at += size
    return envelopes


def _kind(peers: Sequence[Peer], envelope: bytes) -> str:
    """What an envelope is to us now."""
    for peer in peers:
        if any(epoch is not None and epoch.incoming.knows(envelope) for epoch in (peer.epoch, peer.previous)):
            return "opened"
        if peer.secrets.of(envelope) is not None:
            return "handshakes"
        if envelope[:7] in peer.consumed:
            return "duplicates"
    return "unknown"


def _held(lines: Sequence[LineRunner]) -> int:
    """How many entries of others are held here."""
    engines = [(line, line.engine) for line in lines]
    return sum(
        state.durable
        for line, engine in engines
        if engine is not None
        for state in engine.book.all_states()
        if state.lane.party != line.party
    )


def _standing(lines: Sequence[LineRunner]) -> list[StickStanding]:
    found = []
    for line, party in _parties(lines):
        peer, engine = line.peer(party), line.engine
        if peer is None or engine is None:
            continue
        own = [state for state in engine.book.all_states() if state.lane.party == line.party]
        sent = {state.lane.key: max(peer.sent.get(state.lane.key, 0), peer.has(state.lane.key)) for state in own}
        waiting = sum(state.durable - sent[state.lane.key] for state in own) + len(peer.bulk) + len(peer.parts)
        unconfirmed = sum(
            max(0, min(state.durable, peer.needed.get(state.lane.key, state.durable)) - peer.has(state.lane.key))
            for state in own
        )
        found.append(
            StickStanding(
                line=line.label,
                party=line.names[party],
                waiting=waiting,
                unconfirmed=unconfirmed,
                step=_step(peer, waiting, unconfirmed),
            )
        )
    return found


def _step(peer: Peer, waiting: int, unconfirmed: int) -> str:
    if peer.epoch is not None:
        return "content" if waiting else "confirm" if unconfirmed else "done"
    return {Stage.ANSWERED: "answer", Stage.PROVED: "proof"}.get(peer.handshake.stage, "call")


async def _settled(station: Station, trip: Trip, lines: Sequence[LineRunner]) -> None:
    """Wait until the lines have said what they have to say: nothing new, and no commit under way."""
    loop = asyncio.get_running_loop()
    end = loop.time() + LONGEST_S
    # Without keys there is a call to be written or an answer, unless the other side's is waited for.
    calls = any(peer is None or peer.epoch is None for peer in (line.peer(party) for line, party in _parties(lines)))
    call_by = loop.time() + CALL_S if calls else 0.0
    quiet, before = 0, (-1, -1, -1)
    while (quiet < QUIET_LOOKS or (loop.time() < call_by and not trip.offered)) and loop.time() < end:
        await _committed(station)
        await asyncio.sleep(LOOK_S)
        now = (trip.offered, _held(lines), sum(line.entries for line in lines))
        quiet, before = (quiet + 1 if now == before else 0), now


async def _committed(station: Station) -> None:
    """Wait for the commits that were asked for."""
    done = asyncio.Event()
    station.committer.commit(lambda: None, lambda _result: done.set())
    await done.wait()


ROUTES = (
    Route(
        method="GET",
        path="/drop",
        handler=sticks,
        summary="Where envelopes lie on a stick, and what the next trip is for",
        query=StickQuery,
        answers={200: SticksView},
    ),
    Route(
        method="POST",
        path="/drop/write",
        handler=write,
        summary="All that waits, for a stick",
        roles=_ROLES,
        body=StickRequest,
        answers={200: StickWritten},
        act="drop-write",
    ),
    Route(
        method="POST",
        path="/drop/read",
        handler=read,
        summary="Take the envelopes of a stick, each after its length in two bytes",
        roles=_ROLES,
        body=BYTES,
        answers={200: StickRead},
        act="drop-read",
    ),
)
