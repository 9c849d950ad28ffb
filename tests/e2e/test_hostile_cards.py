"""Cards and statements that are refused by a running station: a certificate that is none or another's, old ones, a thief's. Spec 3, 9."""

import asyncio
from pathlib import Path

import pytest

from openline.bearers.certificate import new_certificate, new_key
from openline.kernel.crypto import Signer, Verifier, digest
from openline.kernel.errors import Conflict, Refused
from openline.kernel.keys import Card, make_card, make_statement
from openline.kernel.lane import Generation
from openline.kernel.units import Instant
from openline.protocol.entries import KeyNotice, KeyRole
from openline.station.keystore import open_root
from openline.station.line_runner import LineRunner, State
from openline.station.runtime import Station
from tests.e2e.homes import Home, join, new_home
from tests.e2e.inside import linked, made, stations


def root_of(home: Home) -> Signer:
    return open_root(home.folder / "keys" / "root.key", home.unlock)


def announced(home: Home, certificate: bytes, *, later: int = 1, root: Signer | None = None) -> Card:
    """A newer card, signed by that station's own root."""
    return make_card(
        name=home.card.name,
        root=root or root_of(home),
        lane=home.card.lane,
        certificate=certificate,
        addresses=home.card.addresses,
        made=Instant(home.card.made + later),
        expires=Instant(home.card.expires + later),
    )


async def announce(station: Station, line: LineRunner, card: Card) -> None:
    notice = KeyNotice(role=KeyRole.CERTIFICATE, stolen=False, key=digest(card.certificate), card=card.raw)
    accepted = await line.submit(notice, station.clock.wall())
    peer = line.working().peers[1 - line.party]
    held = await line.when(lambda: peer.holds.get(accepted.lane.key, 0) > accepted.index or None, 120)
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
            async with asyncio.timeout(60):  # of two connections that cross, one is closed
                while not alpha.tls.up(bravo_home.card.fingerprint.hex()):  # noqa: ASYNC110 - a bearer tells the station alone
                    await asyncio.sleep(0)

    asyncio.run(hostile())
    asyncio.run(again())


def test_9_38_a_card_that_is_older_or_under_another_root_replaces_none(tmp_path: Path) -> None:
    homes = made(tmp_path)
    certificates = [new_certificate(new_key(bytes((number,)) * 32)) for number in range(3)]
    newer = announced(homes[1], certificates[0], later=2)
    older = announced(homes[1], certificates[1], later=1)
    foreign = announced(homes[1], certificates[2], later=3, root=root_of(homes[0]))

    async def replay() -> None:
        async with stations(homes) as (alpha, bravo):
            await linked(alpha, bravo)
            [line], [here] = bravo.lines.values(), alpha.lines.values()
            for card in (newer, older, foreign):
                await announce(bravo, line, card)
            assert alpha.keys.newest(here.cards[line.party]).raw == newer.raw
            with pytest.raises(Conflict):
                alpha.keys.card_by_hand(here, older)
            assert alpha.keys.newest(here.cards[line.party]).raw == newer.raw

    asyncio.run(replay())


def test_3_14_what_the_root_has_not_signed_for_these_keys_and_lines_changes_no_lane_key(tmp_path: Path) -> None:
    homes = made(tmp_path)
    root, thief = root_of(homes[0]), root_of(homes[1])

    async def tried() -> None:
        async with stations(homes) as (alpha, bravo):
            await linked(alpha, bravo)
            plan = alpha.keys.plan(KeyRole.LANE)
            [place] = plan.places
            above, zero = place.generation, Generation(0, b"\1" * 8)

            def card(*, lane: Verifier = plan.lane, by: Signer = root, later: int = 1) -> Card:
                return make_card(
                    name="ALPHA",
                    root=by,
                    lane=lane,
                    certificate=plan.certificate,
                    addresses=homes[0].card.addresses,
                    made=Instant(homes[0].card.made + later),
                    expires=homes[0].card.expires,
                )

            def said(
                generation: Generation, *, lane: Verifier = plan.lane, by: Signer = root
            ) -> dict[bytes, tuple[Generation, bytes]]:
                return {place.line: (generation, make_statement(place.line, place.party, generation, lane, by))}

            other = alpha.keystore.own.lane.public
            for wrong, statements in (
                (card(later=0), said(above)),
                (card(by=thief), said(above)),
                (card(lane=other), said(above)),
                (card(), {}),
                (card(), said(above, by=thief)),
                (card(), said(above, lane=other)),
                (card(), said(zero)),
            ):
                with pytest.raises(Refused):
                    await alpha.keys.take_lane(wrong, statements, stolen=False)
                assert alpha.keystore.own.lane_in_use == 0
                assert alpha.card.raw == homes[0].card.raw
            assert await alpha.keys.take_lane(card(), said(above), stolen=False) == ["relay"]
            assert alpha.keystore.own.lane_in_use == 1

    asyncio.run(tried())
