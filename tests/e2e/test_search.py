"""Search over the transcript: words whatever their case and accents, narrowed, with their passages, ended when nobody waits."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openline.kernel.errors import Malformed
from openline.protocol import entries as kinds
from openline.protocol.entries import Message, Precedence
from openline.station.people import Actor
from openline.station.runtime import Station
from openline.station.search import AROUND, PAGE, Front, Sought, folded, passage, terms_of
from tests.e2e.inside import eventually, linked, stations
from tests.e2e.test_api import TECHNICIAN, WATCH_A, staffed
from tests.e2e.test_compose import ONE, Ask, console, scene

TEXTS = ["The Élan leaves at noon.", "МОСКВА ждёт ответа.", "Three ferries, no warships.", "En tête: la flotte."]
UNIX = Actor(uid=WATCH_A, signs=("W2",), roles=frozenset({"watch-officer"}))


async def said(ask: Ask, text: str, **more: object) -> None:
    answer = await ask("POST", "lines/relay/entries", {"kind": "message", "text": text, **more}, by=UNIX)
    assert answer.status == 201, answer.data


async def found(ask: Ask, q: str = "", **query: object) -> list[str]:
    answer = await ask("GET", "search", q=q, **query)
    assert answer.status == 200, answer.data
    return [each["before"] + each["match"] + each["after"] for each in answer.json["found"]]


@pytest.mark.parametrize(
    "q, places",
    [
        ("elan", [0]),
        ("ÉLAN noon", [0]),
        ("москва", [1]),
        ("ждет", [1]),
        ('"no warships"', [2]),
        ('"warships no"', []),
        ("warships no", [2]),
        ("tete FLOTTE", [3]),
        ("e", [3, 2, 0]),
        ("", [3, 2, 1, 0]),
        ("nothing", []),
    ],
)
def test_words_are_found_whatever_their_case_and_accents(q: str, places: list[int], tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        for text in TEXTS:
            await said(ask, text)
        again = [await found(ask, q) for _ in range(2)]  # out of the store, and out of memory
        assert again == [[TEXTS[place] for place in places]] * 2

    scene(tmp_path, play)


def test_a_search_is_narrowed_by_line_kind_precedence_and_time(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        await said(ask, "Ferries.", precedence="priority", time=1_000)
        await said(ask, "More ferries.", precedence="flash", time=2_000)
        await ask("POST", "lines/relay/entries", {"kind": "service", "text": "Ferries on the wire."})
        assert await found(ask, "ferries", precedence="flash") == ["More ferries."]
        assert await found(ask, "ferries", kind="service") == ["Ferries on the wire."]
        assert await found(ask, "ferries", to=1_999) == ["Ferries."]
        assert await found(ask, "ferries", **{"from": 2_000, "to": 2_000}) == ["More ferries."]
        assert await found(ask, "ferries", line="relay", limit=1) == ["Ferries on the wire."]
        answer = (await ask("GET", "search", q="ferries", limit=1)).json
        assert (answer["complete"], answer["found"][0]["kind"]) == (False, "service")
        flash = (await ask("GET", "search", q="more")).json["found"][0]
        assert (flash["ref"]["reference"][:10], flash["precedence"], flash["author"]) == (
            "ALPHA Z001",
            "flash",
            "ALPHA",
        )
        for wrong in ({"line": "nowhere"}, {"kind": "nothing"}, {"precedence": "high"}, {"limit": 0}, {"q": "a " * 17}):
            assert (await ask("GET", "search", **wrong)).status in {400, 404}
        technician = Actor(uid=TECHNICIAN, signs=("T1",), roles=frozenset({"technician"}))
        assert (await ask("GET", "search", q="ferries", by=technician)).status == 403

    scene(tmp_path, play)


def test_what_comes_later_is_found_beside_what_is_in_memory(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        for number in range(2 * PAGE + 20):
            await said(ask, f"Number {number}.")
        assert len(await found(ask, "number", limit=200)) == 200
        assert await found(ask, '"number 3."') == ["Number 3."]
        await said(ask, "Number 3. Again.")
        assert await found(ask, '"number 3."') == ["Number 3. Again.", "Number 3."]

    scene(tmp_path, play)


def test_the_other_sides_words_and_the_latest_first_over_all_lines(tmp_path: Path) -> None:
    async def whole() -> None:
        async with stations(staffed(tmp_path)) as (alpha, bravo):
            await linked(alpha, bravo)
            ask, other = partial(console, alpha), partial(console, bravo)
            body = {"kind": "message", "text": "Schiffe.", "precedence": "flash", "confirm": "relay"}
            assert (await other("POST", "lines/relay/entries", body)).status == 201

            async def seen() -> Any:
                return await found(ask, "schiffe") or None

            assert await eventually(seen) == ["Schiffe."]

    asyncio.run(whole())


def test_a_search_in_parts_finds_what_a_whole_one_finds_and_says_how_much_is_left(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        for number in range(2 * PAGE + 20):
            await said(ask, f"Number {number}.", time=1_000 + (number * 7) % 50)  # claimed times that jump
        whole = await found(ask, "number", limit=200)
        for asked in ({"limit": 200, "within": 1}, {"limit": 7}, {"limit": 1, "line": "relay", "q": "number 3"}):
            parts, at, left = list[str](), "", 1 << 30
            while True:
                answer = (await ask("GET", "search", **{"q": "number", "at": at, **asked})).json
                parts += [each["ref"]["reference"] for each in answer["found"]]
                assert len(answer["found"]) <= int(str(asked["limit"]))
                assert answer["left"] < left
                at, left = answer["next"], answer["left"]
                assert answer["complete"] is (not at)
                if not at:
                    break
            assert left == 0
            assert len(parts) == len(set(parts))
            assert len(parts) == (2 * PAGE + 20 if "q" not in asked else len(await found(ask, "number 3", limit=200)))
        assert len(whole) == 200
        for wrong in ("x", "0:1", "0" * 16 + ":-1", "0" * 16 + ":x", ","):
            assert (await ask("GET", "search", q="number", at=wrong)).status == 400
        assert (await ask("GET", "search", q="number", at="0" * 16 + ":5")).json["complete"]

    scene(tmp_path, play)


def test_a_search_ends_when_nobody_waits_for_it(tmp_path: Path) -> None:
    async def play(station: Station, ask: Ask) -> None:
        for number in range(3):
            await said(ask, f"Number {number}.")
        line = station.find("relay")
        swept = await station.search.sweep([Front(line, 4)], Sought(terms=()), 99, lambda: True)
        assert (swept.hits, swept.looked_at, swept.left) == ([], 0, 3)
        assert station.search.running == 0

    scene(tmp_path, play)


# --- words and passages -----------------------------------------------------------------------------------------------

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(WORDS, st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6), WORDS)
def test_what_is_found_is_shown_in_its_place(before: str, word: str, after: str) -> None:
    entry = Message(precedence=Precedence.ROUTINE, language="en", text=before + word + after)
    terms = terms_of(word.replace('"', ""))
    left, match, right = passage(entry, terms[:1])
    assert left + match + right in entry.text
    assert len(left) <= AROUND
    assert len(right) <= 2 * AROUND
    if match:
        assert terms[0] in folded(match)


def test_the_passage_stands_in_whatever_text_the_entry_has() -> None:
    long = Message(precedence=Precedence.ROUTINE, language="en", text="x" * 300 + "Éü" + "y" * 300, subject="About")
    assert passage(long, ("eu",)) == ("x" * AROUND, "Éü", "y" * AROUND)
    assert passage(long, ("about",)) == ("", "About", "")
    assert passage(kinds.Ack(), ("a",)) == ("", "", "")


def test_a_query_has_not_too_many_words() -> None:
    assert terms_of('a "b  c" Ä') == ("a", "b  c", "a")
    assert terms_of('"open') == ("open",)
    with pytest.raises(Malformed):
        terms_of("a " * 17)


def test_officers_at_the_console_search_too(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        await said(ask, TEXTS[0])
        assert len((await ask("GET", "search", q="noon", by=ONE)).json["found"]) == 1

    scene(tmp_path, play)
