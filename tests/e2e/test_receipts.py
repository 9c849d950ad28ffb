"""What receipts, demands, queries and translations look like on both floors (spec 6.19 to 6.21 and 6.100 to 6.105)."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from openline.station.runtime import Station
from tests.e2e.inside import Answer, eventually, linked, stations
from tests.e2e.test_api import staffed
from tests.e2e.test_compose import INTERPRETER, ONE, TWO, console

Ask = Callable[..., Awaitable[Answer]]
ENTRIES = "lines/relay/entries"
TEXT = "Three ships leave at noon."


def scene(folder: Path, play: Callable[[Ask, Ask, Station], Awaitable[None]]) -> None:
    """Play with both consoles: ALPHA's and BRAVO's."""

    async def whole() -> None:
        async with stations(staffed(folder)) as (alpha, bravo):
            await linked(alpha, bravo)
            await play(partial(console, alpha), partial(console, bravo), bravo)

    asyncio.run(whole())


async def flash(ask: Ask, **more: object) -> dict[str, Any]:
    body = {"kind": "message", "text": TEXT, "precedence": "flash", "confirm": "relay", **more}
    sent = await ask("POST", ENTRIES, body)
    assert sent.status == 201, sent.data
    found: dict[str, Any] = sent.json["ref"]
    return found


async def shown(ask: Ask, ref: dict[str, Any], ready: Callable[[Any], bool] = lambda _entry: True) -> Any:
    """The entry there, with what speaks of it, once it is as it should be."""

    async def look() -> Any:
        found = await ask("GET", f"{ENTRIES}/{ref['lane']}/{ref['generation']}/{ref['index']}")
        if found.status != 200 or (found.json["kind"] == "message" and found.json["status"] is None):
            return None  # durable, and not folded yet
        return found.json if ready(found.json) else None

    return await eventually(look)


def place(ref: dict[str, Any]) -> dict[str, Any]:
    return {name: ref[name] for name in ("lane", "generation", "index", "leaf")}


async def say(ask: Ask, body: dict[str, Any], **by: Any) -> dict[str, Any]:
    sent = await ask("POST", ENTRIES, body, **by)
    assert sent.status == 201, sent.data
    found: dict[str, Any] = sent.json["ref"]
    return found


def test_6_105_presented_is_signed_once_on_an_attended_floor_however_many_consoles_show_it(tmp_path: Path) -> None:
    async def play(ask: Ask, other: Ask, _bravo: Station) -> None:
        ref = await flash(ask)
        await shown(other, ref)
        body = {"refs": [place(ref), place(ref)]}
        assert (await other("POST", "lines/relay/presented", body)).status == 409
        await say(other, {"kind": "watch", "attended": True})
        both = await asyncio.gather(*(other("POST", "lines/relay/presented", body, by=by) for by in (ONE, TWO)))
        assert sorted(answer.json["presented"] for answer in both) == [0, 1]
        assert (await other("POST", "lines/relay/presented", body)).json == {"presented": 0}
        entry = await shown(ask, ref, lambda found: found["status"]["BRAVO"]["presented"])
        assert [remark["body"]["step"] for remark in entry["remarks"]] == ["presented"]
        assert not entry["status"]["BRAVO"]["acknowledged"]
        straight = {"kind": "receipt", "of": place(ref), "step": "presented"}
        assert (await other("POST", ENTRIES, straight)).status == 400
        own = await ask("POST", "lines/relay/presented", {"refs": [place(ref)]})
        assert own.status == 409
        await say(ask, {"kind": "watch", "attended": True})
        assert (await ask("POST", "lines/relay/presented", {"refs": [place(ref)]})).json == {"presented": 0}

    scene(tmp_path, play)


def test_6_19_both_floors_see_who_received_read_and_relayed_it_and_to_whom(tmp_path: Path) -> None:
    async def play(ask: Ask, other: Ask, _bravo: Station) -> None:
        ref = await flash(ask)
        await shown(other, ref)
        for step in (
            {"step": "read"},
            {"step": "relayed", "relayed_to": "principal"},
            {"step": "relayed", "unit": "ECHO3"},
        ):
            await say(other, {"kind": "receipt", "of": place(ref), **step})
        wrong = {"kind": "receipt", "of": place(ref), "step": "read", "unit": "ECHO3"}
        assert (await other("POST", ENTRIES, wrong)).status == 400
        for here in (ask, other):
            entry = await shown(here, ref, lambda found: len(found["remarks"]) == 3)
            steps = [remark["body"] for remark in entry["remarks"]]
            assert [(body["step"], body["relayed_to"], body["unit"]) for body in steps] == [
                ("read", None, ""),
                ("relayed", "principal", ""),
                ("relayed", None, "ECHO3"),
            ]
            assert all((body["sign"], body["role"], body["at"] > 0) == ("K1", "watch-officer", True) for body in steps)
            assert entry["status"]["BRAVO"]["standing"] == "relayed"

    scene(tmp_path, play)


def test_6_100_a_demand_shows_its_clock_on_both_floors_until_a_person_has_it(tmp_path: Path) -> None:
    async def play(ask: Ask, other: Ask, bravo: Station) -> None:
        by = bravo.clock.wall() + 60_000
        ref = await flash(ask, acknowledge_by=by)
        for here in (ask, other):
            status = (await shown(here, ref))["status"]["BRAVO"]
            assert (status["due"], status["due_by"], status["acknowledged"]) == (by, "acknowledge by", False)
        await say(other, {"kind": "receipt", "of": place(ref), "step": "read"})
        for here in (ask, other):
            entry = await shown(here, ref, lambda found: found["status"]["BRAVO"]["acknowledged"])
            assert entry["status"]["BRAVO"]["due"] is None
            assert entry["body"]["acknowledge_by"] == by

    scene(tmp_path, play)


def test_6_101_a_passage_is_asked_about_and_the_answer_stands_with_it(tmp_path: Path) -> None:
    async def play(ask: Ask, other: Ask, _bravo: Station) -> None:
        ref = await flash(ask)
        await shown(other, ref)
        part = {"start": 6, "end": 11, "words": "ships"}
        query = {"kind": "query", "of": place(ref), "text": "Warships?", "passage": part}
        asked = await say(other, query, by=INTERPRETER)
        strange = await say(other, {**query, "passage": {**part, "words": "SHIPS"}})
        assert (await other("POST", ENTRIES, {**query, "passage": {**part, "end": 12}})).status == 400
        assert (await shown(ask, asked))["stands"] is True
        assert (await shown(ask, strange))["stands"] is False
        await say(ask, {"kind": "answer", "of": place(asked), "text": "Ferries."})
        for here in (ask, other):
            entry = await shown(here, ref, lambda found: any(remark["remarks"] for remark in found["remarks"]))
            assert entry["status"]["BRAVO"]["queried"]
            question = entry["remarks"][0]
            assert (question["body"]["passage"], question["body"]["role"]) == (part, "interpreter")
            assert [remark["body"]["text"] for remark in question["remarks"]] == ["Ferries."]

    scene(tmp_path, play)


def test_6_103_translations_of_both_sides_stand_beside_the_original(tmp_path: Path) -> None:
    async def play(ask: Ask, other: Ask, _bravo: Station) -> None:
        ref = await flash(ask)
        await shown(other, ref)
        words = {"kind": "translation", "of": place(ref), "lang": "fr", "text": "Trois navires."}
        await say(ask, {**words, "grade": "official"})
        await say(other, {**words, "grade": "sight"}, by=INTERPRETER)
        for here in (ask, other):
            page = partial(here, "GET", ENTRIES, kind="message", remarks="true")
            entry = await shown(here, ref, lambda found: len(found["remarks"]) == 2)
            (listed,) = (await page()).json["entries"]
            assert listed["remarks"] == entry["remarks"]
            assert sorted((each["author"], each["body"]["grade"]) for each in entry["remarks"]) == [
                ("ALPHA", "official"),
                ("BRAVO", "sight"),
            ]
            assert entry["body"]["text"] == TEXT

    scene(tmp_path, play)
