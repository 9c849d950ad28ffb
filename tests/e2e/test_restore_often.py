"""A station that was restored more often than a line has room for says so; its line is read and exported on, and speaks under a new lane key."""

import asyncio
import os
from pathlib import Path

import pytest

from openline.archive.verdict import Verdict
from openline.archive.verify import verify
from openline.kernel.keys import make_card, make_statement
from openline.kernel.units import Instant
from openline.protocol.entries import KeyRole
from openline.protocol.generations import MAX_GENERATIONS
from openline.station.keystore import open_root
from openline.station.line_view import state_of
from openline.station.runtime import Station
from tests.e2e.homes import Home
from tests.e2e.inside import call, linked, made, stations


async def restored(home: Home) -> None:
    """Start once without the mark: a successor generation opens."""
    for mark in (home.folder / "marks").glob("*.mark"):
        mark.unlink()
    async with stations([home]) as (station,):
        (line,) = station.lines.values()
        engine = line.engine
        assert engine is not None
        assert await line.when(lambda: True if engine.book.own(urgent=True).durable else None, 120)


async def look(station: Station, folder: Path) -> None:
    uid = os.getuid()
    (line,) = (await call(station, "GET", "lines", uid=uid)).json["lines"]
    assert line["state"] == "fault"
    assert line["state_words"].startswith("restored too often: nothing can be said before a new lane key")
    assert (await call(station, "GET", "status", uid=uid)).json["problems"] == [f"relay: {line['state_words']}"]
    assert (await call(station, "GET", "lines/relay/entries", uid=uid, limit=3)).json["entries"]
    refused = await call(station, "POST", "lines/relay/entries", {"kind": "service", "text": "x"}, uid=uid)
    assert (refused.status, refused.json["error"]) == (403, "forbidden")
    exported = await call(station, "POST", "lines/relay/export", {"directory": str(folder)}, uid=uid)
    assert exported.status == 200, exported.json
    verdict = verify(folder)
    assert isinstance(verdict, Verdict)
    assert verdict.ok, verdict.lines()


async def speaks_again(home: Home, alpha: Station, bravo: Station) -> None:
    await linked(alpha, bravo)
    root, plan = open_root(home.folder / "keys" / "root.key", home.unlock), alpha.keys.plan(KeyRole.LANE)
    [place] = plan.places
    card = make_card(
        name=home.card.name,
        root=root,
        lane=plan.lane,
        certificate=plan.certificate,
        addresses=home.card.addresses,
        made=Instant(home.card.made + 1),
        expires=home.card.expires,
    )
    statement = make_statement(place.line, place.party, place.generation, plan.lane, root)
    assert await alpha.keys.take_lane(card, {place.line: (place.generation, statement)}, stolen=False) == ["relay"]
    uid = os.getuid()
    said = await call(alpha, "POST", "lines/relay/entries", {"kind": "service", "text": "under the new key"}, uid=uid)
    assert said.status == 201, said.json
    [line], [there] = alpha.lines.values(), bravo.lines.values()
    own = line.working().book.own(urgent=True)
    peer = line.working().peers[1 - line.party]
    assert await line.when(lambda: peer.holds.get(own.lane.key, 0) == own.durable or None, 120)
    assert there.working().book.current(line.party) == place.generation
    assert state_of(alpha, line)[0] == "in service"


@pytest.mark.full
def test_restored_too_often_a_line_says_why_can_be_exported_and_speaks_again_under_a_new_key(tmp_path: Path) -> None:
    async def scene() -> None:
        homes = made(tmp_path)
        for _ in range(MAX_GENERATIONS):
            await restored(homes[0])
        for mark in (homes[0].folder / "marks").glob("*.mark"):
            mark.unlink()
        async with stations(homes[:1]) as (station,):
            await look(station, tmp_path / "export")
        async with stations(homes) as (alpha, bravo):
            await speaks_again(homes[0], alpha, bravo)

    asyncio.run(scene())
