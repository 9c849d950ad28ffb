"""Regular contacts between two real stations with a simulated clock: reminded of, kept, missed, signed by both (spec 6.90 to 6.96)."""

import asyncio
import contextlib
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import icalendar

from openline.kernel.terms import Policy
from openline.protocol.contact_entries import Medium
from openline.protocol.contacts import RegularContact, with_contacts
from openline.station.calendar_feed import feed
from openline.station.exercise_words import MARKS, TEXTS, exercise_text
from openline.station.keystore import Keystore
from openline.station.places import Places
from openline.station.runtime import Station
from openline.stores.sqlite import SqliteStore
from tests.e2e.homes import Home, join, new_home
from tests.e2e.inside import Answer, call, eventually, linked, stations

Json = dict[str, Any]

TEST = RegularContact(
    name="Line test", rule="FREQ=DAILY;BYHOUR=9", start="20260101T090000", zone="UTC", medium=Medium.TEST,
    tolerance_minutes=20,
)  # fmt: skip
CALL = replace(
    TEST, name="Noon call", rule="FREQ=DAILY;BYHOUR=12", medium=Medium.CALL, begins="BRAVO", also=("Asia/Seoul",)
)
LETTER = replace(TEST, name="Letters", rule="FREQ=DAILY;BYHOUR=15", medium=Medium.MESSAGE)
POLICY = with_contacts(Policy(title="Contacts", test_minutes=0), [TEST, CALL, LETTER])


def homes_of(folder: Path, begin: str, policy: Policy = POLICY) -> list[Home]:
    homes = [new_home(folder, name, simulated_clock=True) for name in ("ALPHA", "BRAVO")]
    join(homes, policy, "relay")
    for home in homes:
        places = Places(home.folder)
        keys = Keystore.open(places.keys, home.unlock, os.urandom)
        with contextlib.closing(SqliteStore.open(places.store, keys.data_key)) as store:
            store.put_setting("clock", b"%d" % ms(begin))  # before that nothing can have been missed
    return homes


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


async def api(station: Station, method: str, path: str, body: object = None, **query: Any) -> Answer:
    uid = next(iter(station.people._actors))
    return await call(station, method, path, body, uid=uid, **query)


async def at(text: str, *running: Station) -> None:
    for station in running:
        assert (await api(station, "POST", "clock", {"at": ms(text)})).status == 200


async def shown(station: Station, name: str, day: str) -> Json:
    answer = await api(station, "GET", "lines/relay/contacts", **{"from": ms(day), "to": ms(day) + 86_400_000})
    assert answer.status == 200, answer.data
    found: Json = next(each for each in answer.json["occurrences"] if each["name"] == name)
    return found


async def stands(station: Station, name: str, day: str, state: str) -> Json:
    async def look() -> Json | None:
        found = await shown(station, name, day)
        return found if found["state"] == state else None

    return await eventually(look)


def events(subscriber: Any, what: str) -> list[Json]:
    return [
        json.loads(each.data) for each in subscriber if each.name == "contact" and json.loads(each.data)["what"] == what
    ]


def test_6_96_a_test_contact_is_kept_by_the_stations_themselves_and_signed_by_both(tmp_path: Path) -> None:
    async def scene() -> None:
        async with stations(homes_of(tmp_path, "2026-11-23T08:40")) as (alpha, bravo):
            await linked(alpha, bravo)
            await at("2026-11-23T08:50", alpha, bravo)
            assert (await shown(alpha, "Line test", "2026-11-23"))["state"] == "upcoming"
            await counted(alpha, "notice-contact-reminder")
            await at("2026-11-23T09:00:30", alpha, bravo)
            for station in (alpha, bravo):
                found = await stands(station, "Line test", "2026-11-23", "kept")
                (word,) = found["words"]
                assert (word["author"], word["sign"], word["agreed"]) == ("ALPHA", "STATION", ["BRAVO"]) or (
                    word["author"], word["agreed"]) == ("BRAVO", ["ALPHA"])  # fmt: skip
            assert not alpha.counters["notice-contact-missed"]

    asyncio.run(scene())


def test_6_95_a_missed_call_is_raised_once_on_both_floors_with_its_cause_and_both_sign_why(tmp_path: Path) -> None:
    async def scene() -> None:
        homes = homes_of(tmp_path, "2026-11-23T11:40")
        async with stations(homes) as (alpha, bravo):
            await linked(alpha, bravo)
            await at("2026-11-23T11:50", alpha, bravo)
            heard = alpha.feed.subscribe(None)
            for station in (alpha, bravo):
                await stands(station, "Noon call", "2026-11-23", "due")
                await counted(station, "notice-contact-reminder")
            await at("2026-11-23T12:21", alpha, bravo)
            for station in (alpha, bravo):
                found = await stands(station, "Noon call", "2026-11-23", "missed")
                assert found["cause"] == "no call"
                assert found["times"][0] == {"zone": "UTC", "time": "2026-11-23 12:00 +00:00"}
                assert found["times"][1] == {"zone": "Asia/Seoul", "time": "2026-11-23 21:00 +09:00"}
                await counted(station, "notice-contact-missed")
            told = heard.take()
            (missed,) = events(told, "missed")
            assert (missed["name"], missed["occurrence"], missed["cause"]) == (
                "Noon call",
                "20261123T120000",
                "no call",
            )
            account = {
                "kind": "contact", "name": "Noon call", "occurrence": "20261123T120000", "medium": "call",
                "outcome": "account", "text": "The interpreter was ill.",
            }  # fmt: skip
            placed = await api(bravo, "POST", "lines/relay/entries", account)
            assert placed.status == 201, placed.data

            async def there() -> Json | None:
                found = await shown(alpha, "Noon call", "2026-11-23")
                return found if found["words"] else None

            word = (await eventually(there))["words"][0]
            assert (word["outcome"], word["text"]) == ("account", "The interpreter was ill.")
            sign = {"kind": "countersign", "of": word["ref"]}
            assert (await api(alpha, "POST", "lines/relay/entries", sign)).status == 201

            async def both() -> bool | None:
                found = await shown(bravo, "Noon call", "2026-11-23")
                return True if found["words"][0]["agreed"] == ["ALPHA"] else None

            await eventually(both)
            assert (await shown(bravo, "Noon call", "2026-11-23"))["state"] == "missed"
        async with stations(homes) as (alpha, bravo):  # raised once: a restart says nothing again
            await linked(alpha, bravo)
            await at("2026-11-23T12:30", alpha, bravo)
            await alpha.contacts.look(alpha.find("relay"))
            assert (await shown(alpha, "Noon call", "2026-11-23"))["cause"] == "no call"
            assert not alpha.counters["notice-contact-missed"]

    asyncio.run(scene())


async def counted(station: Station, name: str) -> None:
    async def look() -> bool | None:
        return bool(station.counters[name]) or None

    await eventually(look)


def test_6_94_a_station_that_is_off_is_a_fault_and_an_empty_floor_is_said_to_be_unattended(tmp_path: Path) -> None:
    async def scene() -> None:
        homes = homes_of(tmp_path, "2026-11-23T11:35")
        async with stations(homes) as (alpha, bravo):  # both know the terms from before the contact
            await linked(alpha, bravo)
            for station in (alpha, bravo):
                await station.contacts.look(station.find("relay"))
        async with stations(homes[:1]) as (alpha,):
            await at("2026-11-23T11:45", alpha)
            await stands(alpha, "Noon call", "2026-11-23", "due")
            await at("2026-11-23T12:21", alpha)
            assert (await stands(alpha, "Noon call", "2026-11-23", "missed"))["cause"] == "fault"
            await counted(alpha, "notice-contact-missed")
        async with stations(homes) as (alpha, bravo):
            await linked(alpha, bravo)
            await at("2026-11-24T08:00", alpha, bravo)
            await counted(bravo, "notice-contact-missed")  # it was off then, and hears of it all the same
            assert (await shown(alpha, "Noon call", "2026-11-23"))["cause"] == "fault"
            for station, attended in ((alpha, True), (bravo, False)):
                watch = {"kind": "watch", "attended": attended}
                assert (await api(station, "POST", "lines/relay/entries", watch)).status == 201
            await at("2026-11-24T11:50", alpha, bravo)
            for station in (alpha, bravo):
                await stands(station, "Noon call", "2026-11-24", "due")
                await eventually(partial(told_of_both, station))
                await station.contacts.look(station.find("relay"))
            await at("2026-11-24T12:21", alpha, bravo)
            for station in (alpha, bravo):
                assert (await stands(station, "Noon call", "2026-11-24", "missed"))["cause"] == "unattended"

    asyncio.run(scene())


async def told_of_both(station: Station) -> bool | None:
    line = (await api(station, "GET", "lines/relay")).json
    return sorted(map(str, line["attended"].values())) == ["False", "True"] or None


def test_6_96_letters_each_way_keep_a_contact_and_a_declined_one_is_missed_with_that_cause(tmp_path: Path) -> None:
    async def scene() -> None:
        async with stations(homes_of(tmp_path, "2026-11-23T14:50")) as (alpha, bravo):
            await linked(alpha, bravo)
            for station in (alpha, bravo):
                await stands(station, "Letters", "2026-11-23", "due")
            for station in (alpha, bravo):
                letter = {"kind": "message", "text": "Good afternoon."}
                assert (await api(station, "POST", "lines/relay/entries", letter)).status == 201
            for station in (alpha, bravo):
                found = await stands(station, "Letters", "2026-11-23", "kept")
                assert [word["sign"] for word in found["words"]] == ["STATION"]
            decline = {
                "kind": "contact", "name": "Noon call", "occurrence": "20261124T120000", "medium": "call",
                "outcome": "declined", "text": "A holiday.",
            }  # fmt: skip
            assert (await api(bravo, "POST", "lines/relay/entries", decline)).status == 201
            for station in (alpha, bravo):
                found = await stands(station, "Noon call", "2026-11-24", "missed")
                assert (found["cause"], found["words"][0]["text"]) == ("declined", "A holiday.")
            figures = (await api(alpha, "GET", "lines/relay/figures")).json
            assert (figures["kept"], figures["missed"], figures["days_since"]) == (1, 0, 0.0) or figures[
                "days_since"
            ] < 0.1
            assert {(each["precedence"], each["author"]) for each in figures["answers"]} == {
                ("routine", "ALPHA"), ("routine", "BRAVO"),
            }  # fmt: skip

    asyncio.run(scene())


def test_6_90_a_telephone_call_outside_the_schedule_is_recorded_and_countersigned(tmp_path: Path) -> None:
    async def scene() -> None:
        async with stations(homes_of(tmp_path, "2026-11-23T16:00")) as (alpha, bravo):
            await linked(alpha, bravo)
            said = {
                "kind": "contact",
                "medium": "call",
                "outcome": "kept",
                "at": ms("2026-11-23T15:35"),
                "text": "By telephone.",
            }
            later = {**said, "at": ms("2026-11-23T18:00")}
            relayed = {"kind": "receipt", "of": {"lane": 1, "index": 0}, "step": "relayed", "at": later["at"]}
            for path, body in (("entries", later), ("entries:batch", {"entries": [said, later]}), ("entries", relayed)):
                refused = await api(alpha, "POST", f"lines/relay/{path}", body)
                assert (refused.status, refused.json["message"]) == (400, "that moment has not come yet"), path
            placed = await api(alpha, "POST", "lines/relay/entries", said)
            assert placed.status == 201, placed.data

            async def outside() -> Json | None:
                found = (await api(bravo, "GET", "lines/relay/contacts")).json["outside"]
                return found[0] if found else None

            word = await eventually(outside)
            assert (word["author"], word["text"], word["at"]) == ("ALPHA", "By telephone.", ms("2026-11-23T15:35"))
            own = await api(alpha, "POST", "lines/relay/entries", {"kind": "countersign", "of": word["ref"]})
            assert own.status == 201  # void: one's own word needs no second signature of one's own
            no = {"kind": "countersign", "of": word["ref"], "agreed": False, "text": "That was yesterday."}
            assert (await api(bravo, "POST", "lines/relay/entries", no)).status == 201

            async def differs() -> Json | None:
                found = (await api(alpha, "GET", "lines/relay/contacts")).json["outside"][0]
                return found if found["differs"] else None

            assert (await eventually(differs))["agreed"] == []

    asyncio.run(scene())


def test_a_calendar_feed_needs_its_token_shows_no_word_and_ends_when_revoked(tmp_path: Path) -> None:
    async def scene() -> None:
        policy = replace(POLICY, exercise=True)
        async with stations(homes_of(tmp_path, "2026-11-23T16:00", policy)) as (alpha, bravo):
            await linked(alpha, bravo)
            secret = {"kind": "contact", "medium": "call", "outcome": "kept", "text": "SECRETWORD"}
            assert (await api(alpha, "POST", "lines/relay/entries", secret)).status == 201
            made = await api(alpha, "POST", "calendars", {"note": "telephone"})
            assert made.status == 201
            path = made.json["path"]
            data = feed(alpha, path)
            assert data is not None
            assert b"SECRETWORD" not in data
            events = icalendar.Calendar.from_ical(data).walk("VEVENT")
            first = min(each.start for each in events if isinstance(each, icalendar.Event))
            assert first == datetime(2026, 11, 24, 9, tzinfo=UTC)  # before it was agreed, nothing was due
            assert len(events) == 3 * 120
            assert all(str(each["summary"]).startswith("EXERCISE: ") for each in events)
            assert feed(alpha, path.replace(".ics", "")) is None
            assert feed(alpha, f"/calendar/{'0' * 64}.ics") is None
            assert feed(bravo, path) is None
            (shown_one,) = (await api(alpha, "GET", "calendars")).json["calendars"]
            assert shown_one["note"] == "telephone"
            assert path.split("/")[-1].removesuffix(".ics") not in json.dumps(shown_one)
            assert (await api(alpha, "POST", f"calendars/{shown_one['calendar']}/revoke")).status == 200
            assert feed(alpha, path) is None
            assert (await api(alpha, "POST", f"calendars/{shown_one['calendar']}/revoke")).status == 404

    asyncio.run(scene())


def test_a_name_in_a_calendar_ends_no_line_and_is_folded_through_no_character(tmp_path: Path) -> None:
    odd = "Été, встреча; a\\b مكالمة 电话 \U0001f4de"

    async def scene() -> None:
        policy = with_contacts(Policy(), [replace(CALL, name=odd)])
        async with stations(homes_of(tmp_path, "2026-11-23T16:00", policy)[:1]) as (alpha,):
            made = await api(alpha, "POST", "calendars", {})
            data = feed(alpha, made.json["path"])
            assert data is not None
            assert max(len(line) for line in data.split(b"\r\n")) <= 75
            events = icalendar.Calendar.from_ical(data).walk("VEVENT")
            assert len(events) == 120
            assert {str(each["summary"]) for each in events} == {f"{odd} (BRAVO, call)"}
            assert {str(each["description"])[:5] for each in events} == {"relay"}

    asyncio.run(scene())


def test_an_amendment_brings_a_schedule_and_an_exercise_cannot_be_proposed_away(tmp_path: Path) -> None:
    async def scene() -> None:
        async with stations(homes_of(tmp_path, "2026-11-23T16:00", Policy())) as (alpha, bravo):
            await linked(alpha, bravo)
            noon = {
                "name": "Noon", "rule": "FREQ=DAILY", "start": "2026-11-23T12:00", "zone": "Europe/Paris", "medium": "call",
            }  # fmt: skip
            for policy, status in (
                ({"contacts": [noon]}, 201),
                ({"contacts": [{**noon, "rule": "FREQ=SECONDLY"}]}, 400),
                ({"contacts": [{**noon, "zone": "Europe/Atlantis"}]}, 404),
                ({"contacts": [noon, noon]}, 400),
                ({"contacts": [noon] * 17}, 400),
                ({"exercise": True}, 400),
            ):
                answer = await api(alpha, "POST", "lines/relay/entries", {"kind": "propose", "policy": policy})
                assert answer.status == status, (policy, answer.data)

            async def proposed() -> Json | None:
                found = (await api(bravo, "GET", "lines/relay/entries", kind="propose")).json["entries"]
                return found[0] if found else None

            proposal = await eventually(proposed)
            assert proposal["body"]["policy"]["contacts"][0]["name"] == "Noon"
            yes = {"kind": "assent", "proposal": proposal["ref"]}
            assert (await api(bravo, "POST", "lines/relay/entries", yes)).status == 201

            async def in_force() -> Json | None:
                found = (await api(alpha, "GET", "lines/relay/contacts")).json
                return found if found["schedule"] else None

            found = await eventually(in_force)
            assert found["occurrences"][0]["occurrence"] == "20261124T120000"  # not that of before it was agreed
            changes: tuple[Json, ...] = ({"contacts": []}, {"title": "x"})
            for away in changes:
                answer = await api(alpha, "POST", "lines/relay/entries", {"kind": "propose", "policy": away})
                assert answer.status == 201
            found = (await api(alpha, "GET", "lines/relay/entries", kind="propose")).json["entries"]
            assert [each["body"]["policy"]["contacts"] == [] for each in found] == [False, True, False]

    asyncio.run(scene())


def test_6_47_tests_and_drills_begin_with_what_they_are_in_the_senders_language_and_rotate(tmp_path: Path) -> None:
    async def scene() -> None:
        homes = homes_of(tmp_path, "2026-11-23T16:00", Policy(test_minutes=0))
        homes[1].change('language = "en"', 'language = "ar"')
        async with stations(homes) as (alpha, bravo):
            await linked(alpha, bravo)
            for station in (alpha, bravo):
                for drill in (False, False, True):
                    assert (await api(station, "POST", "lines/relay/test", {"drill": drill})).status == 201

            async def all_tests() -> list[Json] | None:
                found: list[Json] = (await api(alpha, "GET", "lines/relay/entries", kind="test")).json["entries"]
                return found if len(found) == 6 else None

            said = await eventually(all_tests)
            for author, language in (("ALPHA", "en"), ("BRAVO", "ar")):
                bodies = [each["body"] for each in said if each["author"] == author]
                assert len({body["text"] for body in bodies}) == 3
                for body in bodies:
                    assert body["language"] == language
                    assert body["text"].startswith(MARKS[language][body["drill"]])

    asyncio.run(scene())


def test_the_sentences_are_as_many_in_each_language_all_different_and_far_below_the_bound() -> None:
    assert set(TEXTS) == set(MARKS) == {"en", "fr", "ru", "ar"}
    assert {len(sentences) for sentences in TEXTS.values()} == {12}
    for language, sentences in TEXTS.items():
        assert len(set(sentences)) == 12
        for number in range(12):
            for drill in (False, True):
                text, spoken = exercise_text(f"{language}-Xx", number, drill=drill)
                assert spoken == language
                assert text.startswith(MARKS[language][drill] + " ")
                assert len(text.encode()) < 400
                assert not set(text) & set("0123456789")
    assert exercise_text("ko", 5, drill=False) == exercise_text("en", 5, drill=False)
