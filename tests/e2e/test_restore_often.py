"""A station that was restored more often than a line has room for says so, and its line is read and exported on."""

import asyncio
import os
from pathlib import Path

import pytest

from openline.archive.verdict import Verdict
from openline.archive.verify import verify
from openline.protocol.generations import MAX_GENERATIONS
from openline.station.runtime import Station
from tests.e2e.homes import Home
from tests.e2e.inside import call, made, stations


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
    assert line["state"] == "stopped"
    assert line["state_words"].startswith("stopped: no room for another generation")
    assert (await call(station, "GET", "status", uid=uid)).json["problems"] == [f"relay: {line['state_words']}"]
    assert (await call(station, "GET", "lines/relay/entries", uid=uid, limit=3)).json["entries"]
    refused = await call(station, "POST", "lines/relay/entries", {"kind": "service", "text": "x"}, uid=uid)
    assert (refused.status, refused.json["error"]) == (503, "unavailable")
    exported = await call(station, "POST", "lines/relay/export", {"directory": str(folder)}, uid=uid)
    assert exported.status == 200, exported.json
    verdict = verify(folder)
    assert isinstance(verdict, Verdict)
    assert verdict.ok, verdict.lines()


@pytest.mark.full
def test_restored_too_often_the_line_stops_says_why_and_can_be_exported(tmp_path: Path) -> None:
    async def scene() -> None:
        homes = made(tmp_path)
        for _ in range(MAX_GENERATIONS):
            await restored(homes[0])
        for mark in (homes[0].folder / "marks").glob("*.mark"):
            mark.unlink()
        async with stations(homes[:1]) as (station,):
            await look(station, tmp_path / "export")

    asyncio.run(scene())
