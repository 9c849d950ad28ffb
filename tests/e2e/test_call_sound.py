"""Calls between two floors, through the consoles' own pages, with known speech that is compared with what arrives.

The long ones (10 and 20 percent of loss, four consoles):

    .venv/bin/python -m pytest --full -n0 tests/e2e/call_sound/long.py
"""

import base64
import contextlib
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from openline.kernel.errors import Unknown
from openline.station.client import Client
from tests.e2e.call_sound import turn
from tests.e2e.call_sound.ears import connected, relayed
from tests.e2e.call_sound.floors import (
    LABEL,
    OFFICERS,
    Console,
    Floors,
    Relaying,
    all_hear,
    ended,
    floors,
    hang_up,
    needs,
    only,
    voice_message,
)
from tests.e2e.call_sound.likeness import likeness
from tests.e2e.call_sound.old_peer import old_peer
from tests.e2e.call_sound.road import Road, Weather
from tests.e2e.call_sound.speech import Samples
from tests.e2e.homes import in_service
from tests.waiting import until

pytestmark = needs()


@pytest.fixture(scope="module")
def direct() -> Iterator[Road]:
    """Between the consoles."""
    with Road(seed=5) as road:
        yield road


@pytest.fixture(scope="module")
def to_turn() -> Iterator[Road]:
    """From the consoles to the TURN server."""
    with Road(seed=6) as road:
        yield road


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, direct: Road, to_turn: Road) -> Iterator[Floors]:
    """Two officers, and a third one at the second's floor."""
    folder = tmp_path_factory.mktemp("calls")
    with turn.turn_server(folder) as server:
        relaying = Relaying(turn=server, port=to_turn.to(server.port))
        with floors(folder, (*OFFICERS, OFFICERS[1]), road=direct, relaying=relaying) as opened:
            yield opened


@pytest.fixture
def pair(here: Floors, direct: Road, to_turn: Road) -> Iterator[tuple[Console, Console]]:
    """The two officers, with no call and fair weather."""
    direct.weather = to_turn.weather = Weather()
    yield here.consoles[0], here.consoles[1]
    hang_up(here.consoles[0])


def test_17_50_sound_flows_both_ways_between_two_floors_and_both_sign_how_it_was_protected(
    here: Floors, pair: tuple[Console, Console]
) -> None:
    """Clause 17.51 too; by what each page plays, by its statistics, and by the record."""
    caller, callee = pair
    here.connect(caller, callee)
    all_hear(pair)
    for console in pair:
        peer = only(console)
        assert peer["transport"]["tlsVersion"] == "FEFC"
        assert peer["received"]["packetsReceived"] > 50
        assert peer["sent"]["packetsSent"] > 50
        console.seat.shows("DTLS 1.3")
        assert not relayed(peer)
    figures = [console.call["check"] for console in pair]
    assert figures[0]["read"] == figures[1]["heard"]
    caller.end()
    for console in pair:
        call = ended(console)
        assert (call["state"], call["record"]) == ("ended", "agreed")
        assert {end["protection"]["dtls"] for end in call["ends"]} == {"1.3"}
        assert all(end["began"] for end in call["ends"])
        console.until_state("ended")
        assert not connected(console.seat), "nothing is sent or heard after the end"


def test_speech_is_understood_with_five_percent_lost(here: Floors, pair: tuple[Console, Console], direct: Road) -> None:
    direct.weather = Weather(loss=0.05)
    here.connect(*pair)
    all_hear(pair)
    until(lambda: all(only(console)["received"]["packetsLost"] > 0 for console in pair), deadline_s=60)


def test_speech_is_understood_with_400_ms_of_delay_each_way(
    here: Floors, pair: tuple[Console, Console], direct: Road
) -> None:
    direct.weather = Weather(delay_s=0.4)
    here.connect(*pair)
    all_hear(pair)
    for console in pair:
        until(partial(slow, console), deadline_s=60)


def slow(console: Console) -> bool:
    """Whether ICE measures 0.8 s there and back."""
    return bool(only(console)["pair"]["currentRoundTripTime"] >= 0.8)


def test_17_52_a_cut_of_the_direct_path_leads_over_turn_and_is_said_and_signed(
    here: Floors, pair: tuple[Console, Console], direct: Road
) -> None:
    here.connect(*pair)
    all_hear(pair)
    for console in pair:
        until(partial(signed, console, "direct"), deadline_s=60)
    direct.cut()
    until(lambda: [relayed(peer) for one in pair for peer in connected(one.seat)] == [True, True], deadline_s=90)
    all_hear(pair)
    for console in pair:
        console.seat.shows("By way of a relay")
        until(partial(signed, console, "relay"), deadline_s=60)


def signed(console: Console, path: str) -> bool:
    """Whether both officers have signed that this is their path now."""
    return [[each["path"] for each in seat["protections"]] for seat in console.call["seats"]] == [[path], [path]]


def test_without_any_path_a_voice_message_and_typing_go_over_the_line(
    here: Floors, pair: tuple[Console, Console], direct: Road, to_turn: Road
) -> None:
    caller, callee = pair
    direct.cut()
    to_turn.cut()
    here.connect(caller, callee)
    for console in pair:
        console.seat.shows("Voice does not get through")
    page = caller.seat.page
    page.locator("main").get_by_role("button", name="voice message").first.click()
    caller.seat.shows("Recording")
    caller.seat.until("parseInt(document.querySelector('.voice [role=timer]')?.textContent) >= 5")
    page.get_by_role("button", name="Send it").click()
    page.keyboard.press("w")
    page.keyboard.type("Four vehicles, not five.")
    page.keyboard.press("Enter")
    callee.seat.shows("Four vehicles, not five.")
    held = until(lambda: voice_message(here.homes[1]), deadline_s=60)
    callee.seat.page.get_by_role("button", name="hear it").click()
    callee.seat.until("document.querySelector('.typedlines audio')?.readyState >= 3")
    found = likeness(caller.spoken.samples, decoded(held, callee))
    assert found.understood, found
    assert not any(connected(console.seat) for console in pair)


def decoded(data: bytes, console: Console) -> Samples:
    """A voice message as that browser hears it."""
    script = """async (data) => {
        const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
        const sound = await new OfflineAudioContext(1, 1, 16000).decodeAudioData(bytes.buffer);
        return Array.from(sound.getChannelData(0));
    }"""
    return np.array(console.seat.page.evaluate(script, base64.b64encode(data).decode()))


def test_a_suspended_line_takes_no_call_but_flash(here: Floors, pair: tuple[Console, Console]) -> None:
    """As clause 17.10 has it, on the officers' screens."""
    caller, callee = pair
    before = caller.call.get("place")
    with here.homes[1].client() as station:
        station.post(f"lines/{LABEL}/entries", {"kind": "suspend", "reason": "For a while."})
    caller.seat.shows("suspended")
    caller.seat.allow(r"status of 409")
    caller.place("immediate")
    caller.seat.shows("The line is suspended: only a FLASH rings.")
    assert caller.call.get("place") == before
    page = caller.seat.page
    page.get_by_label("Precedence").select_option("flash")
    page.get_by_label("A FLASH rings everywhere").fill(page.locator(".linehead .fig").first.inner_text())
    page.get_by_role("button", name="Call now", exact=True).click()
    callee.answer()
    caller.until_state("open")
    assert callee.call["precedence"] == "flash"
    hang_up(caller)
    with here.homes[1].client() as station:
        station.post(f"lines/{LABEL}/entries", {"kind": "lift"})
    for home in here.homes:
        in_service(home)


def test_17_50_a_peer_without_dtls_1_3_ends_the_call_before_a_sound_is_passed(
    here: Floors, pair: tuple[Console, Console], tmp_path: Path
) -> None:
    """It has the signed key and agrees on DTLS 1.2; the page sends it not one word."""
    caller = min(pair, key=lambda console: console.party)  # of two seats the lesser offers: here the page
    seat = {"console": "ab" * 16}
    with old_peer(tmp_path) as old, here.homes[1 - pair.index(caller)].client() as station:
        events = station.events(f"lines/{LABEL}/events")
        caller.place()
        place = until(lambda: caller.call["state"] == "ringing" and caller.call["place"], deadline_s=60)
        path = f"lines/{LABEL}/calls/{place}"
        until(lambda: rings_at(station, path), deadline_s=60)
        station.post(f"{path}/pick-up", {**seat, "fingerprint": old.fingerprint.hex(), "lang": "en"})
        for event in events:
            if event.name == "signal" and event.data["type"] == "offer":
                break
        answer = {"to": event.data["from"], "type": "answer", "data": old.answer(event.data["data"])}
        station.post(f"{path}/signal", {**seat, **answer})
        call = ended(caller)
        caller.seat.shows("The other console does not speak DTLS 1.3")
        caller.seat.shows("Sound was not protected as it must be")
        assert (call["state"], call["cause"]) == ("ended", "not-protected")
        assert old.sounds == 0


def rings_at(station: Client, path: str) -> bool:
    """Whether a call rings at that station."""
    try:
        return bool(station.get(path)["rings"])
    except Unknown:
        return False


def test_a_console_that_is_killed_in_mid_call_is_shown_and_the_call_goes_on_at_another(
    here: Floors, pair: tuple[Console, Console]
) -> None:
    """Clause 17.13; the last test here, since that Chromium does not come back."""
    caller, callee = pair
    third = here.consoles[2]
    here.connect(caller, callee)
    all_hear(pair)
    kill(callee)
    gone = f'[data-party="{callee.party}"][data-seat="0"][data-state="lost"]'
    caller.seat.until(f"document.querySelector('{gone}') !== null")
    third.take_over()
    third.until_state("open")
    all_hear([caller, third])


def kill(console: Console) -> None:
    """SIGKILL to its Chromium, all of it."""
    browser = console.seat.context.browser
    assert browser is not None
    told = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
    for each in sorted(told["processInfo"], key=lambda each: each["type"].lower() != "browser"):
        with contextlib.suppress(ProcessLookupError):  # it went with one before
            os.kill(int(each["id"]), signal.SIGKILL)
