"""What the console's line view stands on: which entries crossed, and queries with their passages."""

import asyncio
import os
from pathlib import Path
from typing import Any

from openline.station.runtime import Station
from tests.e2e.inside import call, eventually, linked, made, stations

ME = os.getuid()


async def said(station: Station, **entry: object) -> dict[str, Any]:
    """Say something on the line; where it stands."""
    answer = await call(station, "POST", "lines/relay/entries", entry, uid=ME)
    assert answer.status == 201, answer.json
    ref: dict[str, Any] = answer.json["ref"]
    return ref


async def shown(station: Station, ref: dict[str, Any]) -> dict[str, Any]:
    """An entry as that station shows it, once it holds it."""
    path = f"lines/relay/entries/{ref['lane']}/{ref['generation']}/{ref['index']}"

    async def look() -> dict[str, Any] | None:
        answer = await call(station, "GET", path, uid=ME)
        return answer.json if answer.status == 200 else None

    return await eventually(look)


def unseen(by: dict[str, Any], of: dict[str, Any]) -> bool:
    """Whether the author of one had not held the other."""
    ref = of["ref"]
    return int(by["seen"].get(f"{ref['lane']}.{ref['generation']}", 0)) <= int(ref["index"])


def test_7_2_a_message_tells_what_its_author_held_so_that_crossings_are_seen(tmp_path: Path) -> None:
    async def play() -> None:
        async with stations(made(tmp_path)) as (alpha, bravo):
            await linked(alpha, bravo)
            first = await shown(bravo, await said(alpha, kind="message", text="one"))
            second = await shown(alpha, await said(bravo, kind="message", text="two"))
            assert not unseen(second, first)
            assert unseen(first, second)

    asyncio.run(play())


def test_6_101_a_query_is_shown_with_the_passage_that_it_asks_about(tmp_path: Path) -> None:
    async def play() -> None:
        async with stations(made(tmp_path)) as (alpha, bravo):
            await linked(alpha, bravo)
            ref = await said(alpha, kind="message", text="two tugs at buoy 12")
            await shown(bravo, ref)
            passage = {"start": 0, "end": 8, "words": "two tugs"}
            of = {name: ref[name] for name in ("lane", "generation", "index")}
            query = await said(bravo, kind="query", of=of, text="how long?", passage=passage)
            assert (await shown(alpha, query))["body"]["passage"] == passage

    asyncio.run(play())
