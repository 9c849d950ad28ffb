"""A peer that announces a certificate that is none, or another station's. Spec 9.38."""

import asyncio
from pathlib import Path

import pytest

from openline.kernel.crypto import digest
from openline.kernel.keys import Card, make_card
from openline.kernel.units import Instant
from openline.protocol.entries import KeyNotice, KeyRole
from openline.station.keystore import open_root
from openline.station.line_runner import LineRunner, State
from openline.station.runtime import Station
from tests.e2e.homes import Home, join, new_home
from tests.e2e.inside import linked, made, stations


def announced(home: Home, certificate: bytes) -> Card:
    """A newer card, signed by that station's own root."""
    return make_card(
        name=home.card.name,
        root=open_root(home.folder / "keys" / "root.key", home.unlock),
        lane=home.card.lane,
        certificate=certificate,
        addresses=home.card.addresses,
        made=Instant(home.card.made + 1),
        expires=Instant(home.card.expires + 1),
    )


async def announce(station: Station, line: LineRunner, card: Card) -> None:
    notice = KeyNotice(role=KeyRole.CERTIFICATE, stolen=False, key=digest(card.certificate), card=card.raw)
    accepted = await line.submit(notice, station.clock.wall())
    peer = line.working().peers[1 - line.party]
    held = await line.when(lambda: peer.holds.get(accepted.lane.key, 0) > accepted.index or None, 20)
    assert held, "the announcement was not held in time"


@pytest.mark.parametrize("certificate", [b"", b"garbage"])
def test_9_38_a_certificate_that_is_none_stops_neither_the_line_nor_the_next_start(
    tmp_path: Path, certificate: bytes
) -> None:
    homes = made(tmp_path)

    async def hostile() -> None:
        async with stations(homes) as (alpha, bravo):
            await linked(alpha, bravo)
            [line] = bravo.lines.values()
            await announce(bravo, line, announced(homes[1], certificate))
            [hit] = alpha.lines.values()
            assert hit.state is State.RUNNING
            assert not alpha.counters["line-bug"]

    async def again() -> None:
        async with stations(homes) as (alpha, bravo):
            await linked(alpha, bravo)
            [line] = alpha.lines.values()
            assert alpha.keys.newest(line.cards[1 - line.party]).raw == homes[1].card.raw

    asyncio.run(hostile())
    asyncio.run(again())


def test_9_38_a_certificate_of_another_station_is_not_taken_for_the_peer_that_announces_it(tmp_path: Path) -> None:
    """CHARLIE announces that of BRAVO as its own next one: ALPHA's link with BRAVO stays BRAVO's."""
    alpha_home, bravo_home, charlie_home = (new_home(tmp_path, name) for name in ("ALPHA", "BRAVO", "CHARLIE"))
    join([alpha_home, bravo_home], label="bravo")
    join([alpha_home, charlie_home], label="charlie")

    async def hostile() -> None:
        async with stations([alpha_home, bravo_home, charlie_home]) as (alpha, bravo, charlie):
            await linked(alpha, bravo, charlie)
            [line] = charlie.lines.values()
            await announce(charlie, line, announced(charlie_home, bravo_home.card.certificate))
            assert all(each.state is State.RUNNING for each in alpha.lines.values())

    async def again() -> None:
        async with stations([alpha_home, bravo_home, charlie_home]) as (alpha, bravo, charlie):
            await linked(alpha, bravo, charlie)
            assert alpha.tls is not None
            assert alpha.tls.up(bravo_home.card.fingerprint.hex())

    asyncio.run(hostile())
    asyncio.run(again())
