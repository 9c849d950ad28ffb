"""The watch changes hands, the operators' log, and the moment at which a clock runs out (spec 6.14, 6.100; FIELD 2.1)."""

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

from openline.station.feed import Subscriber
from openline.station.people import Actor
from openline.station.runtime import Station
from openline.stores.sqlite import SqliteStore
from tests.e2e.inside import eventually, linked, stations
from tests.e2e.test_api import AUDITOR, staffed
from tests.e2e.test_compose import INTERPRETER, ONE, TWO, Ask, console, scene
from tests.e2e.test_receipts import flash, place, say, shown

UNIX_AUDITOR = Actor(uid=AUDITOR, signs=("U1",), roles=frozenset({"auditor"}))


async def names(ask: Ask, by: Actor = TWO) -> list[str]:
    return [clock["name"] for clock in (await ask("GET", "watch", by=by)).json["clocks"]]


def test_the_incoming_officer_accepts_every_open_clock_by_name(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        await say(ask, {"kind": "watch", "attended": True})
        await flash(ask, answer_by=4_000_000_000_000)
        offered = await ask("POST", "watch/offer", {"note": "Ask them about the ferries."})
        assert (offered.status, offered.json["handover"]["state"], offered.json["handover"]["mine"]) == (
            201,
            "offered",
            True,
        )
        assert (await ask("POST", "watch/offer", {})).status == 409
        (clock,) = await names(ask)
        assert clock.startswith("relay: ALPHA Z001")
        assert (await ask("POST", "watch/accept", {"clocks": [clock]}, by=ONE)).status == 403
        await flash(ask, answer_by=4_000_000_000_000)
        assert (await ask("POST", "watch/accept", {"clocks": [clock]}, by=TWO)).status == 409
        both = await names(ask)
        assert len(both) == 2
        taken = await ask("POST", "watch/accept", {"clocks": [*both, "one that has ended"]}, by=TWO)
        assert (taken.status, taken.json) == (200, {"lines": ["relay"], "unreached": []})
        now = (await ask("GET", "watch")).json
        assert (now["handover"]["state"], now["handover"]["taken_by"], now["handover"]["clocks"]) == (
            "taken",
            "K2",
            both,
        )
        assert (now["lines"][0]["attended"], now["lines"][0]["sign"]) == (True, "K2")

    async def after(_station: Station, ask: Ask) -> None:
        """It outlives a restart, in the log and the chain."""
        log = (await ask("GET", "log", by=TWO)).json
        assert [(row["act"], row["sign"]) for row in log["entries"]] == [("watch-taken", "K2"), ("watch-offered", "K1")]
        assert "ALPHA Z002" in log["entries"][0]["text"]
        assert log["entries"][1]["text"] == "Ask them about the ferries."
        assert (await ask("GET", "watch")).json["handover"]["state"] == "taken"
        audit = (await ask("GET", "audit", by=UNIX_AUDITOR)).json
        assert {"watch-taken", "take-watch"} <= {act["act"] for row in audit["rows"] for act in row["acts"]}
        assert "ferries" not in str(audit)

    homes = scene(tmp_path, play)
    scene(tmp_path, after, homes=homes)
    assert b"ferries" not in b"".join(path.read_bytes() for path in homes[0].folder.rglob("store.db*"))


def test_an_absent_officer_does_not_stop_the_floor_and_the_log_says_so(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        assert (await ask("POST", "watch/accept", {"clocks": []}, by=TWO)).status == 200
        (row,) = (await ask("GET", "log", by=TWO)).json["entries"]
        assert "(no handover)" in row["text"]
        assert (await ask("POST", "watch/accept", {"clocks": []}, by=INTERPRETER)).status == 403
        left = await ask("POST", "watch/leave", {"note": "Fire alarm."}, by=TWO)
        assert left.json["lines"] == ["relay"]
        assert (await ask("GET", "watch")).json["lines"][0]["attended"] is False
        assert (await ask("POST", "watch/withdraw", by=TWO)).status == 409
        await ask("POST", "watch/offer", {}, by=TWO)
        assert (await ask("POST", "watch/withdraw", by=ONE)).status == 403
        assert (await ask("POST", "watch/withdraw", by=TWO)).status == 200
        assert (await ask("GET", "watch")).json["handover"]["state"] == "withdrawn"

    scene(tmp_path, play)


def test_who_accepts_an_offer_that_is_over_has_not_taken_the_watch(tmp_path: Path) -> None:
    """It counted as taking the watch without a handover, from whoever had taken it a moment before."""

    async def play(_station: Station, ask: Ask) -> None:
        offer = (await ask("POST", "watch/offer", {})).json["handover"]["at"]
        other = await ask("POST", "watch/accept", {"clocks": [], "offer": offer - 1}, by=TWO)
        assert other.status == 409
        assert (await ask("POST", "watch/accept", {"clocks": [], "offer": offer}, by=TWO)).status == 200
        late = await ask("POST", "watch/accept", {"clocks": [], "offer": offer}, by=ONE)
        assert (late.status, late.json["error"]) == (409, "conflict")
        assert "is over" in late.json["message"]
        assert [row["sign"] for row in (await ask("GET", "log")).json["entries"]] == ["K2", "K1"]
        assert (await ask("GET", "watch")).json["handover"]["taken_by"] == "K2"
        kept = (await ask("POST", "watch/offer", {}, by=TWO)).json["handover"]["at"]
        assert (await ask("POST", "watch/withdraw", by=TWO)).status == 200
        assert (await ask("POST", "watch/accept", {"clocks": [], "offer": kept})).status == 409
        assert (await ask("POST", "watch/accept", {"clocks": []})).status == 200  # nobody's word for it: he says so

    scene(tmp_path, play)


def test_the_operators_log_is_read_backwards_and_by_line(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        for number in range(5):
            body = {"text": f"Note {number}.", "line": "relay" if number % 2 else ""}
            assert (await ask("POST", "log", body)).status == 201
        first = (await ask("GET", "log", limit=2)).json
        assert [row["text"] for row in first["entries"]] == ["Note 4.", "Note 3."]
        rest = (await ask("GET", "log", limit=9, before=first["before"])).json
        assert ([row["text"] for row in rest["entries"]], rest["before"]) == (["Note 2.", "Note 1.", "Note 0."], 0)
        of_line = (await ask("GET", "log", line="relay", by=UNIX_AUDITOR)).json["entries"]
        assert [row["text"] for row in of_line] == ["Note 3.", "Note 1."]
        assert (await ask("POST", "log", {"text": "x"}, by=UNIX_AUDITOR)).status == 403
        assert (await ask("POST", "log", {"text": "x", "line": "nowhere"})).status == 404
        assert (await ask("POST", "log", {"text": ""})).status == 400

    scene(tmp_path, play)


def test_the_operators_log_and_the_audit_log_are_read_on_a_full_disk(tmp_path: Path) -> None:
    """Reading wrote first what waited, and was refused with it: just when somebody looks for what has happened."""

    async def play(station: Station, ask: Ask) -> None:
        assert (await ask("POST", "log", {"text": "Before."})).status == 201
        assert isinstance(station.store, SqliteStore)
        database = station.store._database
        pages = database.rows((int,), "PRAGMA page_count")[0][0]
        database.rows((int,), f"PRAGMA max_page_count={pages}")
        for text in ("x" * 4_000, "x"):  # to the last byte: what waits below is longer than the shortest note
            full = await ask("POST", "log", {"text": text})
            while full.status == 201:
                full = await ask("POST", "log", {"text": text})
            assert (full.status, full.json["message"]) == (503, "the disk is full")
        assert (
            await ask("POST", "log", {"text": "y" * 4_000}, by=UNIX_AUDITOR)
        ).status == 403  # it waits to be written
        read = (await ask("GET", "log", limit=500)).json
        assert read["entries"][-1]["text"] == "Before."
        acts = [act["act"] for row in (await ask("GET", "audit", by=UNIX_AUDITOR)).json["rows"] for act in row["acts"]]
        assert "log" in acts
        database.rows((int,), "PRAGMA max_page_count=4294967294")

        async def followed() -> bool | None:
            rows = (await ask("GET", "audit", by=UNIX_AUDITOR, limit=500)).json["rows"]
            return any(act["outcome"] == "forbidden" for row in rows for act in row["acts"]) or None

        assert await eventually(followed)

    scene(tmp_path, play)


async def overdue(subscriber: Subscriber) -> dict[str, Any]:
    """The next event of a clock that has run out."""

    async def look() -> dict[str, Any] | None:
        for event in subscriber.take():
            if event.name == "overdue":
                found: dict[str, Any] = json.loads(event.data)
                return found
        return None

    return await eventually(look)


def test_6_100_a_demand_that_runs_out_is_told_on_both_floors_with_no_word_of_what_was_said(tmp_path: Path) -> None:
    async def whole() -> None:
        async with stations(staffed(tmp_path)) as (alpha, bravo):
            await linked(alpha, bravo)
            feeds = [station.feed.subscribe(None) for station in (alpha, bravo)]
            ask, other = partial(console, alpha), partial(console, bravo)
            by = alpha.clock.wall() + 300
            ref = await flash(ask, acknowledge_by=by)
            await shown(other, ref)
            for feed, mine in zip(feeds, (False, True), strict=True):
                event = await overdue(feed)
                assert (event["line"], event["what"], event["party"], event["due"]) == (
                    "relay",
                    "acknowledge by",
                    "BRAVO",
                    by,
                )
                assert (event["mine"], event["ref"]["reference"][:10]) == (mine, "ALPHA Z001")
                assert "text" not in event
            await say(other, {"kind": "receipt", "of": place(ref), "step": "read"})
            await eventually(partial(_quiet, ask))

    asyncio.run(whole())


async def _quiet(ask: Ask) -> bool | None:
    clocks = (await ask("GET", "watch")).json["clocks"]
    return True if not [clock for clock in clocks if clock["clock"]["due_by"] == "acknowledge by"] else None
