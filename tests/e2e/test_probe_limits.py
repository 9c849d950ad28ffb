"""What a peer, or whoever replays its probes, gets out of a station: few answers, and no older word for a newer one. Spec 9.28."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from openline.kernel.units import Instant
from openline.ports import BearerTraits
from openline.protocol import probing
from openline.protocol.entries import Service
from openline.protocol.probing import End, Probe, Sort
from openline.station.bearer_state import BearerState
from openline.station.clock import StationClock
from openline.station.line_runner import LineRunner
from openline.station.probing import Rate
from openline.station.runtime import Parts, Station
from tests.e2e.inside import eventually, linked, made, stations

NAME = "serial-x"


class Wire:
    """A bearer that takes all it is offered, and carries it nowhere."""

    def __init__(self, cost: int) -> None:
        self.traits = BearerTraits(name=NAME, largest=16_384, cost=cost, one_way=False)
        self.taken: list[bytes] = []

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()

    def offer(self, _station: str, envelope: bytes, *, urgent: bool = False) -> bool:
        self.taken.append(envelope)
        return True

    def up(self, _station: str) -> bool:
        return True


Talk = Callable[[Station, Station, LineRunner, Wire], Awaitable[None]]


def played(folder: Path, talk: Talk, *, cost: int = 0, first_s: float = 1e9) -> None:
    """ALPHA has one more bearer; what BRAVO would say over it is put in its place."""

    async def play() -> None:
        async with stations(made(folder), Parts(probes=Rate(first_s=first_s))) as (alpha, bravo):
            await linked(alpha, bravo)
            wire = Wire(cost)
            alpha.links.add(wire)
            [line] = alpha.lines.values()
            await talk(alpha, bravo, line, wire)

    asyncio.run(play())


def from_peer(
    bravo: Station, sort: Sort, *, time: int = 1, nonce: bytes | None = None, ends: tuple[End, ...] = ()
) -> bytes:
    [line] = bravo.lines.values()
    probe = Probe(sort=sort, nonce=nonce or os.urandom(8), time=Instant(time), ends=ends)
    [envelope] = probing.sealed(line.working().peers[1 - line.party].secrets, probe, os.urandom)
    return envelope


def given(bravo: Station, wire: Wire, sort: Sort) -> list[Probe]:
    """What of that sort the wire was given for BRAVO."""
    [line] = bravo.lines.values()
    secrets = line.working().peers[1 - line.party].secrets
    opened = [probing.opened(secrets, envelope) for envelope in wire.taken]
    return [probe for probe in opened if probe is not None and probe.sort is sort]


@pytest.mark.parametrize("cost,most", [(0, 20), (60, 20), (100, 2)])
def test_9_28_a_flood_of_probes_earns_few_answers_and_hardly_any_where_bytes_are_paid_for(
    tmp_path: Path, cost: int, most: int
) -> None:
    async def flood(_alpha: Station, bravo: Station, line: LineRunner, wire: Wire) -> None:
        for number in range(60):
            line.envelope(from_peer(bravo, Sort.PROBE, time=number), NAME)
        assert len(given(bravo, wire, Sort.ECHO)) == most

    played(tmp_path, flood, cost=cost)


def test_9_28_a_delay_falls_at_once_and_rises_slowly() -> None:
    state = BearerState()
    assert state.answered(4_000)
    assert state.delay_ms == 2_000
    assert state.answered(40)
    assert state.delay_ms == 20
    assert state.answered(440)
    assert state.delay_ms == 70


def test_9_28_what_waited_for_a_link_to_come_back_tells_of_no_delay(tmp_path: Path) -> None:
    async def cut(alpha: Station, bravo: Station, line: LineRunner, wire: Wire) -> None:
        station = line.stations[1 - line.party]
        asking = asyncio.create_task(alpha.probes.test(station, NAME))

        async def asked() -> Probe | None:
            return next(iter(given(bravo, wire, Sort.PROBE)), None)

        probe = await eventually(asked)
        alpha.links.link(NAME, station, up=False)
        alpha.links.link(NAME, station, up=True)
        line.envelope(from_peer(bravo, Sort.ECHO, nonce=probe.nonce), NAME)
        assert (await asking).answered
        assert alpha.links.state(NAME, station).delay_ms is None

    played(tmp_path, cut)


def test_9_28_a_delay_that_is_long_for_the_first_time_is_measured_again_soon(tmp_path: Path) -> None:
    """What waited in a busy station once would count as slow until the next probe by clock."""

    async def echoes(alpha: Station, bravo: Station, line: LineRunner, wire: Wire) -> None:
        async def asked(number: int) -> Probe | None:
            probes = given(bravo, wire, Sort.PROBE)
            return probes[number] if len(probes) > number else None

        state, clock = alpha.links.state(NAME, line.stations[1 - line.party]), alpha.clock
        slow, began = await eventually(partial(asked, 0)), clock.steady()
        await eventually(partial(passed, clock, began + 1_500))
        line.envelope(from_peer(bravo, Sort.ECHO, nonce=slow.nonce), NAME)
        quick = await eventually(partial(asked, 1))
        line.envelope(from_peer(bravo, Sort.ECHO, nonce=quick.nonce), NAME)
        await eventually(partial(short, state))

    async def passed(clock: StationClock, end: int) -> bool | None:
        return clock.steady() >= end or None

    async def short(state: BearerState) -> bool | None:
        return (state.delay_ms is not None and len(state.probes) == 2 and state.delay_ms < 700) or None

    played(tmp_path, echoes, first_s=0.01)


def test_9_28_an_older_report_does_not_replace_a_newer_one(tmp_path: Path) -> None:
    def end(*, up: bool) -> tuple[End, ...]:
        return (End(bearer=NAME, up=up, heard=Instant(0), delay_ms=0, lost_percent=0),)

    async def replay(alpha: Station, bravo: Station, line: LineRunner, _wire: Wire) -> None:
        now = bravo.clock.wall() + 60_000  # later than what the two have said by now
        station = line.stations[1 - line.party]
        older = from_peer(bravo, Sort.REPORT, time=now, ends=end(up=True))
        line.envelope(from_peer(bravo, Sort.REPORT, time=now + 1, ends=end(up=False)), NAME)
        line.envelope(older, NAME)
        said = alpha.probes.said(station, NAME)
        assert said is not None
        assert not said.up

    played(tmp_path, replay)


def test_9_28_what_is_said_again_makes_no_silent_station_heard(tmp_path: Path) -> None:
    """Whoever holds a relay has old envelopes of every kind."""

    async def replay(alpha: Station, bravo: Station, line: LineRunner, _wire: Wire) -> None:
        station, there = line.stations[1 - line.party], Wire(0)
        bravo.links.add(there)  # cheaper than TLS: what is said next goes over it alone
        bravo.links.tell(line.stations[line.party])
        [other] = bravo.lines.values()
        await other.submit(Service(text="new", language="en", sign="W1"), bravo.clock.wall())
        async with asyncio.timeout(60):
            while not there.taken:  # noqa: ASYNC110 - a bearer of the test's own
                await asyncio.sleep(0)
        said = [there.taken[-1], from_peer(bravo, Sort.PROBE, time=bravo.clock.wall() + 60_000)]
        state = alpha.links.state(NAME, station)
        for heard in (True, False):
            for envelope in said:
                state.heard_at, state.lost_in_row = None, 3
                alpha.links.arrived(NAME, None, envelope)
                assert (state.heard_at is not None, state.silent) == (heard, not heard)
        assert state.received >= 4

    played(tmp_path, replay)


def test_9_28_an_echo_that_comes_over_another_bearer_says_nothing_of_this_one(tmp_path: Path) -> None:
    async def other(alpha: Station, bravo: Station, line: LineRunner, wire: Wire) -> None:
        station = line.stations[1 - line.party]
        for number, (bearer, most_s, answered) in enumerate((("tls", 0.2, False), (NAME, 60.0, True))):
            testing = asyncio.create_task(alpha.probes.test(station, NAME, most_s=most_s))
            async with asyncio.timeout(60):
                while len(given(bravo, wire, Sort.PROBE)) <= number:  # noqa: ASYNC110 - a bearer of the test's own
                    await asyncio.sleep(0)
            line.envelope(from_peer(bravo, Sort.ECHO, nonce=given(bravo, wire, Sort.PROBE)[-1].nonce), bearer)
            assert (await testing).answered is answered

    played(tmp_path, other)
