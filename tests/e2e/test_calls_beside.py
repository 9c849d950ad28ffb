"""What goes with calls: bearers that change, relays, alarms, contacts, voice messages, the command line, a locked page."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from openline.kernel.errors import Conflict
from openline.kernel.terms import Policy
from openline.protocol.contact_entries import Medium
from openline.protocol.contacts import RegularContact, with_contacts
from openline.station.alarms.duty import AlarmPace
from openline.station.calling.relay_check import relay_findings
from openline.station.calling.room import CallPace
from openline.station.calling.tables import CallsTable
from openline.station.doctor import Severity
from openline.station.metrics import exposition
from openline.station.runtime import Parts, Station
from tests.e2e.call_client import Json, Page, opened
from tests.e2e.call_sound import turn
from tests.e2e.cli_rig import Floor
from tests.e2e.console_rig import entered, with_console
from tests.e2e.homes import Home, in_service, pair, running
from tests.e2e.inside import Answer, call, eventually, linked, made, stations
from tests.e2e.test_bearers import shared_folder
from tests.waiting import until

INTERPRETER = 40_404
"""A user of ALPHA who interprets, and nothing else."""
PATIENT = Parts(calls=CallPace(lost=600_000, restart=600_000), alarms=AlarmPace(look_s=0.1))


async def open_call(caller: Page, called: Page) -> str:
    place: str = (await caller.ring())["place"]
    await called.told("call", lambda event: event["place"] == place and event["rings"])
    await called.pick_up(place)
    for page in (caller, called):
        await page.sees(place, opened)
    return place


def test_a_call_goes_on_over_another_bearer_when_its_own_is_cut(tmp_path: Path) -> None:
    async def scene() -> None:
        homes = made(tmp_path)
        shared_folder(tmp_path, *homes)
        async with stations(homes, PATIENT, PATIENT) as (alpha, bravo):
            await linked(alpha, bravo)
            low, high = sorted((alpha, bravo), key=lambda station: station.find("relay").party)
            caller, called = Page(low), Page(high)
            place = await open_call(caller, called)
            await caller.signal(place, (1, 0), "offer", caller.description())
            await called.hears("offer", (0, 0), (1, 0))
            for station in (alpha, bravo):
                station.bearers._tasks[0].cancel()  # TLS, for good
            await eventually(lambda: over_folder_alone(alpha, bravo))
            await called.signal(place, (0, 0), "answer", called.description("answer"))
            await caller.hears("answer", (1, 0), (0, 0))
            await called.act(place, "typed", text="Still here.")
            await caller.sees(place, lambda call: [line["text"] for line in call["typed"]] == ["Still here."])
            await caller.act(place, "hang-up", console=caller.console)
            for page in (caller, called):
                await page.sees(place, lambda call: call["record"] == "agreed")

    asyncio.run(scene())


async def over_folder_alone(*running: Station) -> bool | None:
    ways = [
        [way.traits.name for way in station.links.ways(peer)]
        for station in running
        for peer in station.links.stations()
    ]
    return True if all(names == ["drop"] for names in ways) else None


# --- relays ----------------------------------------------------------------------------------------------------


def with_relay(home: Home, url: str, secret: str, *, only: bool = False) -> None:
    path = home.folder / "turn.secret"
    path.write_text(secret + "\n")
    path.chmod(0o600)
    with (home.folder / "config.toml").open("a") as file:
        file.write(f'\n[calls]\nturn = ["{url}"]\nturn_secret_file = "turn.secret"\nrelay_only = {str(only).lower()}\n')


def test_17_52_a_console_gets_credentials_of_its_own_relay_for_ten_minutes(tmp_path: Path) -> None:
    async def scene() -> None:
        homes = made(tmp_path)
        with_relay(homes[0], "turn:192.0.2.7:3478?transport=udp", "s" * 40, only=True)
        async with stations(homes, PATIENT, PATIENT) as (alpha, bravo):
            await linked(alpha, bravo)
            caller, called = Page(alpha), Page(bravo)
            place = await open_call(caller, called)
            ways = await caller.done("GET", f"calls/{place}/ways")
            (server,) = ways["ice"]
            until_s, _, name = server["username"].partition(":")
            assert 500 < int(until_s) - time.time() < 700
            assert len(name) == 16
            mac = hmac.new(b"s" * 40, server["username"].encode(), hashlib.sha1).digest()
            assert server["credential"] == base64.b64encode(mac).decode()
            assert (server["urls"], ways["relay_only"]) == (["turn:192.0.2.7:3478?transport=udp"], True)
            assert (await called.done("GET", f"calls/{place}/ways")) == {
                "ice": [], "relay_only": False, "expires_at": None
            }  # fmt: skip
            leak = json.dumps({"candidate": "candidate:1 1 udp 1 10.0.0.7 9 typ host"})
            asked: Json = {"console": caller.console, "to": {"party": called.party, "seat": 0}, "type": "candidate"}
            assert (await caller.refused(place, "signal", data=leak, **asked))[0] == 403
            asked = {"console": called.console, "to": {"party": caller.party, "seat": 0}, "type": "candidate"}
            await called.act(place, "signal", data=leak, **asked)

    asyncio.run(scene())


@pytest.mark.skipif(turn.missing() is not None, reason="no coturn on this machine")
def test_the_doctor_sees_whether_a_relay_answers(tmp_path: Path) -> None:
    (tmp_path / "turn.secret").write_text("s" * 32)
    (tmp_path / "turn.secret").chmod(0o600)
    with turn.turn_server(tmp_path) as relay:
        table = CallsTable(turn=(relay.url(),), turn_secret_file="turn.secret")
        good = [("calls-relay", Severity.GOOD)]  # within three seconds, or the doctor looks again
        until(lambda: [(each.code, each.severity) for each in relay_findings(tmp_path, table)] == good)
    (tmp_path / "turn.secret").write_text("short")
    found = [(each.code, each.severity) for each in relay_findings(tmp_path, table)]
    assert found == [("calls-secret", Severity.FAULT), ("calls-relay", Severity.WARNING)]
    assert list(relay_findings(tmp_path, CallsTable())) == []


# --- who is called elsewhere -----------------------------------------------------------------------------------


@pytest.mark.parametrize("precedence, attended", [("flash", True), ("routine", False)])
def test_a_flash_ring_and_a_ring_on_an_empty_floor_raise_an_alarm_at_once(
    tmp_path: Path, precedence: str, attended: bool
) -> None:
    async def scene() -> None:
        async with stations(made(tmp_path), PATIENT, PATIENT) as (alpha, bravo):
            await linked(alpha, bravo)
            caller, called = Page(alpha), Page(bravo)
            await called.done("POST", "entries", {"kind": "watch", "attended": attended})
            place = (await caller.ring(precedence))["place"]
            raised = await called.told("alarm", lambda alarm: alarm["kind"] == "ring")
            assert (raised["line"], raised["precedence"], raised["state"]) == ("relay", precedence.upper(), "open")
            await called.pick_up(place)
            await called.told("alarm", lambda alarm: alarm["kind"] == "ring" and alarm["state"] == "over")

    asyncio.run(scene())


# --- contacts --------------------------------------------------------------------------------------------------


def test_6_96_a_call_in_which_both_heard_each_other_keeps_a_contact(tmp_path: Path) -> None:
    start = (datetime.now(UTC) - timedelta(minutes=5)).strftime("%Y%m%dT%H%M00")
    daily = RegularContact(
        name="Daily call", rule="FREQ=DAILY", start=start, zone="UTC", medium=Medium.CALL, begins="BRAVO",
        tolerance_minutes=60,
    )  # fmt: skip
    policy = with_contacts(Policy(title="Calls", test_minutes=0), [daily])

    async def scene() -> None:
        async with stations(made(tmp_path, policy), PATIENT, PATIENT) as (alpha, bravo):
            await linked(alpha, bravo)
            caller, called = Page(alpha), Page(bravo)
            place = await open_call(caller, called)
            for page in (caller, called):
                await page.alive(place, sound=True)
            await called.act(place, "hang-up", console=called.console)
            for page in (caller, called):

                async def kept(page: Page = page) -> Json | None:
                    found = (await page.done("GET", "contacts"))["occurrences"]
                    return next((each for each in found if each["state"] == "kept"), None)

                (word,) = (await eventually(kept))["words"]
                assert (word["author"], word["sign"], word["agreed"]) == ("BRAVO", "STATION", ["ALPHA"])

    asyncio.run(scene())


# --- voice messages, and calls of long ago ---------------------------------------------------------------------


async def spoken(station: Station, **of: str) -> Answer:
    """The interpreter attaches something."""
    named = {"name": "said.ogg", "media_type": "audio/webm", **of}
    query: dict[str, Any] = named
    return await call(station, "POST", "lines/relay/attachments", uid=INTERPRETER, raw=b"said", **query)


def test_17_15_a_voice_message_names_its_call_and_old_calls_are_read_again(tmp_path: Path) -> None:
    async def scene() -> None:
        homes = made(tmp_path)
        with (homes[0].folder / "config.toml").open("a") as config:
            config.write(f'\n[people.{INTERPRETER}]\nsign = "X3"\nroles = ["interpreter"]\n')
        async with stations(homes, PATIENT, PATIENT) as (alpha, bravo):
            await linked(alpha, bravo)
            caller, called = Page(alpha), Page(bravo)
            place = await open_call(caller, called)
            sent = await caller.api(
                "POST", "attachments", [1, 2, 3], name="voice.ogg", media_type="audio/webm", of=place
            )
            assert sent.status == 201, sent.data
            assert (await spoken(alpha, of=place)).status == 403  # it does not sit in the call
            seat = {"act": "joins", "console": "ab" * 16, "fingerprint": "cd" * 32}
            joined = await call(alpha, "POST", f"lines/relay/calls/{place}/seat", seat, uid=INTERPRETER)
            assert joined.status == 200, joined.data
            assert (await spoken(alpha, of=place)).status == 201
            assert (await spoken(alpha)).status == 403
            view = await called.sees(place, lambda call: len(call["voice"]) == 2)
            assert (view["voice"][0]["name"], view["voice"][0]["size"]) == ("voice.ogg", 9)
            await caller.act(place, "hang-up", console=caller.console)
            await caller.sees(place, lambda call: len(call["ends"]) == 2)
            assert (await spoken(alpha, of=place)).status == 409
            places = [place]
            for _ in range(2):
                again = (await caller.ring())["place"]
                await caller.act(again, "hang-up")
                await caller.sees(again, lambda call: len(call["ends"]) == 2)
                places.append(again)
            found = (await caller.done("GET", "calls", limit=2))["calls"]
            assert [call["place"] for call in found] == [places[2], places[1]]
            found = (await caller.done("GET", "calls", before=places[1]))["calls"]
            assert [call["place"] for call in found] == [place]
            exposed = exposition(alpha).decode()
            assert 'openline_calls_total{line="relay",outcome="ended"} 1.0' in exposed
            assert 'openline_calls_total{line="relay",outcome="withdrawn"} 2.0' in exposed
        async with stations(homes, PATIENT, PATIENT) as (alpha, _):
            page = Page(alpha)
            found = (await page.done("GET", "calls"))["calls"]
            assert [call["place"] for call in found] == places[::-1]
            assert found[2]["voice"][0]["name"] == "voice.ogg"
            shelf = alpha.calling.room(alpha.find("relay")).shelf
            remembered = page.held(place)
            for gathered in shelf.book._calls.values():  # as if sixty-four calls had come since
                shelf._forgotten(gathered)
            shelf.book._calls.clear()
            assert page.held(place) == remembered

    asyncio.run(scene())


# --- the command line, and a locked page -----------------------------------------------------------------------


def calling(home: Home, path: str, body: Json) -> Json:
    with home.client() as station:
        answer: Json = station.post(path, body)
    return answer


def ring(home: Home) -> str:
    asked = {"fingerprint": "ab" * 32, "console": "cd" * 16}
    return str(calling(home, "lines/relay/calls", asked)["place"])


def test_the_command_line_declines_lists_hangs_up_and_agrees_on_minutes(tmp_path: Path) -> None:
    alpha, bravo = pair(tmp_path)
    with running(alpha, bravo):
        in_service(alpha, bravo)
        here, there = Floor("ALPHA", alpha.folder), Floor("BRAVO", bravo.folder)
        assert here("calls", "relay").out == "No call was placed on this line yet.\n"
        assert here("call", "relay").code == 1  # no console of this officer is open
        assert here("call", "relay", "--hang-up").code == 1
        ring(alpha)
        until(lambda: "ringing" in there("calls", "relay").out)
        assert there("call", "relay", "--decline", "In a briefing.").out == "Declined.\n"
        until(lambda: "refused: declined" in here("calls", "relay").out)
        place = until(lambda: ring_again(alpha))
        until(lambda: "ringing" in there("calls", "relay").out)
        calling(bravo, f"lines/relay/calls/{place}/pick-up", {"console": "ef" * 16, "fingerprint": "01" * 32})
        until(lambda: "open" in here("calls", "relay").out)
        assert here("call", "relay", "--hang-up").out == "The call has ended.\n"
        until(lambda: "both have signed the same" in here("calls", "relay").out)
        draft = tmp_path / "minutes.txt"
        draft.write_text("en: Four vehicles.\nfr: Quatre.\n\nen: At 0900Z,\non the bridge.\n")
        drafted = here("minutes", "relay", "last", "--draft", str(draft))
        assert (drafted.code, "on the bridge." in drafted.out) == (0, True), drafted.err
        assert here("minutes", "relay", "last", "--agree").code == 1  # one's own
        until(lambda: "Four vehicles." in there("minutes", "relay", "last").out)
        differs = there("minutes", "relay", "last", "--differ", "2=At 1000Z.")
        assert "differs, says W1: At 1000Z." in differs.out
        assert there("minutes", "relay", "last", "--differ", "3=x").code == 2
        until(lambda: "minutes differ" in here("calls", "relay").out)
        here("minutes", "relay", "last", "--draft", str(draft))
        until(lambda: there("minutes", "relay", "last").out.count("Quatre.") == 2)
        assert "minutes agreed" in there("minutes", "relay", "last", "--agree").out
        shown = here("history", "relay").out
        assert all(word in shown for word in ("CALL", "PICKED UP", "HUNG UP", "MINUTES", "In a briefing."))


def ring_again(home: Home) -> str | None:
    """Once the last ring is hung up here."""
    try:
        return ring(home)
    except Conflict:
        return None


def test_a_locked_page_hears_that_a_call_rings_and_nothing_of_it(tmp_path: Path) -> None:
    alpha, bravo = pair(tmp_path)
    with_console(alpha)
    with running(alpha, bravo):
        in_service(alpha, bravo)
        officer = entered(alpha, "W1")
        assert officer.post("/console/lock").json["locked"] is True
        assert officer.get("/v1/lines/relay/calls").error == "locked"
        with officer.open("GET", "/v1/events") as stream:
            assert stream.readline() == b": states\n"
            place = ring(bravo)
            while (piece := stream.readline()) != b"event: call\n":
                assert piece, "the stream ended"
            told = json.loads(stream.readline().removeprefix(b"data: "))
        assert told == {
            "line": "relay", "call": place, "state": "ringing", "precedence": "routine", "mine": False, "rings": True
        }  # fmt: skip


def test_an_officers_own_console_is_asked_to_place_a_call(tmp_path: Path) -> None:
    alpha, bravo = pair(tmp_path)
    with_console(alpha)
    with running(alpha, bravo):
        in_service(alpha, bravo)
        officer = entered(alpha, "W1", "watch-officer")
        with officer.open("GET", "/v1/events") as stream:
            assert stream.readline() == b": openline\n"
            calling(alpha, "lines/relay/calls/wanted", {"precedence": "priority"})
            while (piece := stream.readline()) != b"event: call-wanted\n":
                assert piece, "the stream ended"
            told = json.loads(stream.readline().removeprefix(b"data: "))
        assert told == {"line": "relay", "sign": "W1", "precedence": "priority", "lang": "en"}
