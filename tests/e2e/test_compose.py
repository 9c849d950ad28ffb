"""Working drafts, ten seconds of grace, FLASH by a second act, release by a second person; FIELD 2.8 and 2.10."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from openline.kernel.terms import Policy
from openline.kernel.units import MAX_SEQ
from openline.station.api import ACTOR, Api
from openline.station.drafting import GRACE, RELEASED, WAITING, read_draft
from openline.station.people import Actor
from openline.station.runtime import Parts, Station
from openline.station.server import UID
from tests.e2e.homes import Home
from tests.e2e.inside import Answer, eventually, linked, stations
from tests.e2e.test_api import WATCH_A, WATCH_B, staffed

ONE = Actor(uid=-1, signs=("K1",), roles=frozenset({"watch-officer"}))
TWO = Actor(uid=-2, signs=("K2",), roles=frozenset({"watch-officer"}))
SAME_PERSON = Actor(uid=-3, signs=("W2",), roles=frozenset({"watch-officer"}))
"""Signed in at the console with the sign that the configuration gives to WATCH_A."""
INTERPRETER = Actor(uid=-4, signs=("I1",), roles=frozenset({"interpreter"}))
Ask = Callable[..., Awaitable[Answer]]
HOUR = 3_600_000


async def console(
    station: Station, method: str, path: str, body: object = None, *, by: Actor = ONE, **query: object
) -> Answer:
    """Call the API as an officer who is signed in at the console."""
    messages: list[dict[str, Any]] = []
    given = [{"type": "http.request", "body": b"" if body is None else json.dumps(body).encode(), "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not given:
            await asyncio.Event().wait()  # whoever called waits for the answer
        return given.pop()

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": "/v1/" + path,
        "root_path": "",
        "query_string": urlencode(query).encode(),
        "headers": [],
        "state": {UID: 0, ACTOR: by},
    }
    await Api(station)(scope, receive, send)
    data = b"".join(message.get("body", b"") for message in messages[1:])
    return Answer(status=messages[0]["status"], headers={}, data=data)


def scene(
    folder: Path,
    play: Callable[[Station, Ask], Awaitable[None]],
    policy: Policy | None = None,
    *,
    grace_ms: int = 60_000,
    homes: list[Home] | None = None,
) -> list[Home]:
    """Play at ALPHA's console, with BRAVO running; graces end only where the test says so."""
    homes = homes or staffed(folder, policy)

    async def whole() -> None:
        async with stations(homes, Parts(grace_ms=grace_ms)) as (alpha, bravo):
            await linked(alpha, bravo)
            await play(alpha, partial(console, alpha))

    asyncio.run(whole())
    return homes


async def messages(ask: Ask) -> list[Any]:
    found: list[Any] = (await ask("GET", "lines/relay/entries", kind="message")).json["entries"]
    return found


async def said(ask: Ask, count: int) -> list[Any]:
    async def look() -> list[Any] | None:
        found = await messages(ask)
        return found if len(found) >= count else None

    return await eventually(look)


async def composed(ask: Ask, by: Actor = ONE, **draft: object) -> dict[str, Any]:
    made = await ask("POST", "lines/relay/compose", {"text": "We see three ships.", **draft}, by=by)
    assert made.status == 201, made.data
    found: dict[str, Any] = made.json
    return found


def send_path(draft: dict[str, Any]) -> str:
    return f"compose/{draft['compose']}/send"


# --- working drafts ---------------------------------------------------------------------------------------------------


def test_what_one_officer_writes_the_next_watch_finds_and_who_wrote_it(tmp_path: Path) -> None:
    async def write(_station: Station, ask: Ask) -> None:
        made = await composed(ask, precedence="priority", text="")
        body = {"version": made["version"], "draft": {"text": "Half a sen", "fields": {"what": "three ships"}}}
        assert (await ask("PUT", f"compose/{made['compose']}", body, by=TWO)).json["version"] == 2

    async def find(_station: Station, ask: Ask) -> None:
        (found,) = (await ask("GET", "lines/relay/compose")).json["drafts"]
        assert (found["draft"]["text"], found["by"], found["begun_by"], found["mine"]) == (
            "Half a sen",
            "K2",
            "K1",
            False,
        )
        assert found["draft"]["fields"] == {"what": "three ships"}
        assert found["at"] >= found["begun"]

    homes = scene(tmp_path, write)
    scene(tmp_path, find, homes=homes)
    assert b"Half a sen" not in b"".join(path.read_bytes() for path in homes[0].folder.rglob("store.db*"))


def test_two_consoles_never_overwrite_each_other_unseen(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        made = await composed(ask)
        place = f"compose/{made['compose']}"
        both = await asyncio.gather(
            *(
                ask("PUT", place, {"version": 1, "draft": {"text": words}}, by=by)
                for words, by in (("a", ONE), ("b", TWO))
            )
        )
        assert sorted(answer.status for answer in both) == [200, 409]
        (winner,) = [answer.json for answer in both if answer.status == 200]
        assert (await ask("GET", place)).json["draft"]["text"] == winner["draft"]["text"]
        assert (await ask("POST", place + "/send", {"version": 1})).status == 409

    scene(tmp_path, play)


def test_a_draft_says_what_has_come_since_it_was_begun(tmp_path: Path) -> None:
    """FIELD 2.8: people answered what was no longer the last word."""

    async def whole() -> None:
        async with stations(staffed(tmp_path), Parts()) as (alpha, bravo):
            await linked(alpha, bravo)
            ask, other = partial(console, alpha), partial(console, bravo)
            made = await composed(ask)
            assert (made["newer_count"], made["newer"]) == (0, [])
            flash = {"kind": "message", "text": "Stop.", "precedence": "flash", "confirm": "RELAY"}
            assert (await other("POST", "lines/relay/entries", flash)).status == 201
            await said(ask, 1)
            place = f"compose/{made['compose']}"
            late = (await ask("GET", place)).json
            assert (late["newer_count"], late["newer"][0]["author"], late["newer"][0]["precedence"]) == (
                1,
                "BRAVO",
                "flash",
            )
            looked = {"version": 1, "draft": made["draft"], "seen": late["newer"][0]["seq"]}
            assert (await ask("PUT", place, looked)).json["newer_count"] == 0

    asyncio.run(whole())


def test_a_draft_that_is_not_ready_is_refused_and_stays(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        unready: list[dict[str, object]] = [
            {"text": ""},
            {"to": []},
            {"text": "й" * 5_000},
            {"subject": "x" * 300},
            {"lang": "?"},
        ]
        for draft in unready:
            made = await composed(ask, ONE, **draft)
            answer = await ask("POST", send_path(made), {"version": 1})
            assert answer.status in {400, 413}, (draft, answer.data)
            assert (await ask("GET", f"compose/{made['compose']}")).json["version"] == 1
        assert await messages(ask) == []

    scene(tmp_path, play)


def test_a_discarded_working_draft_is_gone(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        place = f"compose/{(await composed(ask))['compose']}"
        assert (await ask("POST", place + "/discard")).status == 200
        assert (await ask("GET", "lines/relay/compose")).json["drafts"] == []
        assert (await ask("GET", place)).status == 409
        assert (await ask("PUT", place, {"version": 1, "draft": {}})).status == 409
        assert (await ask("GET", "lines/relay/drafts", state="discarded")).json["drafts"] == []

    scene(tmp_path, play)


# --- ten seconds of grace ---------------------------------------------------------------------------------------------


def test_below_flash_nothing_is_signed_until_its_grace_ends(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        made = await composed(ask)
        sent = await ask("POST", send_path(made), {"version": 1})
        assert (sent.status, sent.json["state"]) == (202, "grace")
        assert await messages(ask) == []
        (waiting,) = (await ask("GET", "lines/relay/drafts")).json["drafts"]
        assert (waiting["draft"], waiting["state"], waiting["due"]) == (made["compose"], "grace", sent.json["due"])

    async def after(station: Station, ask: Ask) -> None:
        await said(ask, 1)
        assert (await ask("GET", "lines/relay/drafts")).json["drafts"] == []

        async def settled() -> int | None:
            return len(station.store.past_drafts(station.find("relay").line, RELEASED, MAX_SEQ, 9)) or None

        assert await eventually(settled) == 1  # a moment after the message stands in its lane

    homes = scene(tmp_path, play)
    scene(tmp_path, after, homes=homes, grace_ms=1)  # after a restart past its time it is said, once


def test_a_message_that_was_to_be_signed_long_ago_is_a_persons_to_decide(tmp_path: Path) -> None:
    async def play(station: Station, ask: Ask) -> None:
        made = await composed(ask)
        await ask("POST", send_path(made), {"version": 1})
        draft = station.store.draft(made["compose"])
        long_ago = msgspec.structs.replace(read_draft(draft), due=int(station.clock.wall()) - 2 * HOUR)
        station.store.rewrite_draft(draft, GRACE, msgspec.json.encode(long_ago))

    async def after(station: Station, ask: Ask) -> None:
        (back,) = (await ask("GET", "lines/relay/compose")).json["drafts"]
        assert back["problem"].startswith("the station was down")
        assert back["draft"]["text"] == "We see three ships."
        assert station.store.drafts(GRACE) == []
        assert await messages(ask) == []

    homes = scene(tmp_path, play)
    scene(tmp_path, after, homes=homes, grace_ms=1)


def test_its_grace_over_a_message_goes_out_by_itself(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        await ask("POST", send_path(await composed(ask)), {"version": 1})
        (entry,) = await said(ask, 1)
        assert (entry["body"]["text"], entry["body"]["drafter"]) == ("We see three ships.", "K1")

    scene(tmp_path, play, grace_ms=1)


def test_any_officer_takes_a_message_back_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    async def play(station: Station, ask: Ask) -> None:
        made = await composed(ask, template="incident", fields={"what": "ships"})
        number = made["compose"]
        await ask("POST", send_path(made), {"version": 1})
        assert (await ask("POST", f"drafts/{number}/withdraw", by=INTERPRETER)).status == 403
        back = await ask("POST", f"drafts/{number}/withdraw", by=TWO)
        assert (back.status, back.json["compose"], back.json["draft"]) == (200, number, made["draft"])
        assert (await ask("POST", f"drafts/{number}/withdraw", by=TWO)).status == 409
        assert station.store.drafts(GRACE) == []
        await ask("POST", send_path(made), {"version": back.json["version"]})
        assert (await ask("GET", f"drafts/{number}")).json["state"] == "grace"

    scene(tmp_path, play)


def test_a_message_straight_from_the_console_has_its_grace_too_and_one_from_the_command_line_has_none(
    tmp_path: Path,
) -> None:
    async def play(station: Station, ask: Ask) -> None:
        sent = await ask("POST", "lines/relay/entries", {"kind": "message", "text": "Good morning."})
        assert sent.status == 202
        assert sent.json["due"] > station.clock.wall()
        assert await messages(ask) == []
        batch = {"entries": [{"kind": "message", "text": "Good morning."}]}
        assert (await ask("POST", "lines/relay/entries:batch", batch)).status == 400
        unix = Actor(uid=WATCH_A, signs=("W2",), roles=frozenset({"watch-officer"}))
        direct = await ask("POST", "lines/relay/entries", {"kind": "message", "text": "Good morning."}, by=unix)
        assert direct.status == 201

    scene(tmp_path, play)


def test_what_cannot_be_said_at_the_end_of_its_grace_is_a_working_draft_again_with_the_reason(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        await ask("POST", send_path(await composed(ask)), {"version": 1})
        assert (await ask("POST", "lines/relay/entries", {"kind": "suspend", "reason": "Works."})).status == 201

    async def after(_station: Station, ask: Ask) -> None:
        async def back() -> Any:
            found = (await ask("GET", "lines/relay/compose")).json["drafts"]
            return found[0] if found else None

        found = await eventually(back)
        assert (found["problem"], found["draft"]["text"]) == (
            "the line is suspended: only FLASH passes",
            "We see three ships.",
        )

    homes = scene(tmp_path, play)
    scene(tmp_path, after, homes=homes, grace_ms=1)


def test_flash_asks_for_the_lines_label_and_then_goes_at_once(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        made = await composed(ask, precedence="flash")
        for confirm in (None, "", "relax"):
            assert (await ask("POST", send_path(made), {"version": 1, "confirm": confirm})).status == 400
        sent = await ask("POST", send_path(made), {"version": 1, "confirm": " Relay "})
        assert (sent.status, sent.json["state"]) == (201, "released")
        assert sent.json["ref"]["reference"].startswith("ALPHA Z001")
        hidden = {"kind": "message", "text": "Stop.", "precedence": "flash\n"}  # a pattern lets it pass
        assert (await ask("POST", "lines/relay/entries", hidden)).status == 400
        plain = {"kind": "message", "text": "Stop.", "precedence": "flash"}
        assert (await ask("POST", "lines/relay/entries", plain)).status == 400
        assert (await ask("POST", "lines/relay/entries", {**plain, "confirm": "relay"})).status == 201

    scene(tmp_path, play)


# --- a second person --------------------------------------------------------------------------------------------------

TWO_PERSONS = Policy(title="Test line", release=True)
CONFIRMED = {"to": ["watch-officer"], "precedence": "routine"}


async def confirmed(ask: Ask, number: int) -> dict[str, Any]:
    """What whoever has read that draft says to release it."""
    return {**CONFIRMED, "digest": (await ask("GET", f"drafts/{number}")).json["digest"]}


def test_a_text_that_was_exchanged_under_the_releasers_eyes_is_not_released(tmp_path: Path) -> None:
    """Clause 6.18: the drafter takes it back, writes something else and sends it anew, while the second person reads."""

    async def play(_station: Station, ask: Ask) -> None:
        made = await composed(ask)
        number = made["compose"]
        assert (await ask("POST", send_path(made), {"version": 1})).status == 202
        read = await confirmed(ask, number)
        back = (await ask("POST", f"drafts/{number}/withdraw")).json
        other = {**back["draft"], "text": "Something that nobody else has read."}
        kept = await ask("PUT", f"compose/{number}", {"version": back["version"], "draft": other})
        assert (await ask("POST", send_path(made), {"version": kept.json["version"]})).json["state"] == "waiting"
        refused = await ask("POST", f"drafts/{number}/release", read, by=TWO)
        assert (refused.status, refused.json["error"]) == (409, "conflict")
        assert (await ask("GET", f"drafts/{number}")).json["state"] == "waiting"
        anew = await confirmed(ask, number)
        assert (await ask("POST", f"drafts/{number}/release", anew, by=TWO)).status == 202

    scene(tmp_path, play, TWO_PERSONS)


def test_a_release_confirms_addressee_and_precedence_and_has_its_grace(tmp_path: Path) -> None:
    """Clause 6.18."""

    async def play(station: Station, ask: Ask) -> None:
        made = await composed(ask)
        sent = await ask("POST", send_path(made), {"version": 1})
        assert (sent.status, sent.json["state"]) == (202, "waiting")
        place = f"drafts/{made['compose']}/release"
        read = await confirmed(ask, made["compose"])
        for wrong, status in (
            ({}, 400),
            (CONFIRMED, 400),
            ({**read, "digest": None}, 400),
            ({**read, "digest": "0" * 64}, 409),
            ({**read, "to": ["principal"]}, 409),
            ({**read, "to": ["watch-officer", "principal"]}, 409),
            ({**read, "precedence": "immediate"}, 409),
        ):
            assert (await ask("POST", place, wrong, by=TWO)).status == status, wrong
        assert (await ask("POST", place, read, by=ONE)).status == 403
        released = await ask("POST", place, read, by=TWO)
        assert (released.status, released.json["due"] > station.clock.wall()) == (202, True)
        assert (await ask("GET", f"drafts/{made['compose']}")).json["releaser"] == "K2"
        assert await messages(ask) == []

    async def after(_station: Station, ask: Ask) -> None:
        (entry,) = await said(ask, 1)
        assert (entry["body"]["drafter"], entry["body"]["releaser"]) == ("K1", "K2")

    homes = scene(tmp_path, play, TWO_PERSONS)
    scene(tmp_path, after, homes=homes, grace_ms=1)


def test_the_same_officer_does_not_release_by_another_session_or_sign(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        unix = Actor(uid=WATCH_A, signs=("W2", "W7"), roles=frozenset({"watch-officer"}))
        body = {"kind": "message", "text": "Good morning.", "sign": "W7"}
        number = (await ask("POST", "lines/relay/entries", body, by=unix)).json["draft"]
        read = await confirmed(ask, number)
        answer = await ask("POST", f"drafts/{number}/release", read, by=SAME_PERSON)
        assert answer.status == 403
        other = Actor(uid=WATCH_B, signs=("W3",), roles=frozenset({"watch-officer"}))
        assert (await ask("POST", f"drafts/{number}/release", read, by=other)).status == 201

    scene(tmp_path, play, TWO_PERSONS)


def test_a_grace_that_ends_where_the_terms_have_come_to_ask_for_release_waits_for_it(tmp_path: Path) -> None:
    async def play(station: Station, ask: Ask) -> None:
        made = await composed(ask)
        await ask("POST", send_path(made), {"version": 1})
        draft = station.store.draft(made["compose"])
        waiting = made["compose"]
        assert draft.state == GRACE
        # As if the terms had been another when it was sent: the same draft under terms that ask for release.
        line = station.find("relay")
        line.working().fold.amendments.policy = TWO_PERSONS
        station.grace.begin(waiting, 0)

        async def moved() -> bool | None:
            return True if station.store.draft(waiting).state == WAITING else None

        assert await eventually(moved)
        assert await messages(ask) == []

    scene(tmp_path, play)
