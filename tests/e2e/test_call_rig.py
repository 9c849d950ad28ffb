"""The rig of the call tests can say no: it is tried on sound that was not spoken, on pages of nobody's, and on roads that are cut."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.call_sound import speech, turn
from tests.e2e.call_sound.ears import connected, hears, listen_in, microphone, peers, record, relayed
from tests.e2e.call_sound.floors import needs
from tests.e2e.call_sound.likeness import UNDERSTOOD, likeness
from tests.e2e.call_sound.old_peer import old_peer
from tests.e2e.call_sound.plain_page import PlainSeat, describe, join, load, plain_pages, take
from tests.e2e.call_sound.road import Road, Weather
from tests.e2e.call_sound.speech import RATE, Samples, Spoken, speak
from tests.waiting import until

pytestmark = needs()
SECONDS = 5


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> list[Spoken]:
    folder = tmp_path_factory.mktemp("voices")
    return [speak(folder, seat) for seat in range(4)]


def played(spoken: Spoken) -> Samples:
    """Five seconds of a loop, from somewhere in it."""
    return spoken.samples[(np.arange(SECONDS * RATE) + 12_345) % len(spoken.samples)]


def lost(sound: Samples, share: float) -> Samples:
    """So much of it missing, 20 ms at a time."""
    chance, made = np.random.default_rng(7), sound.copy()
    for at in range(0, len(made), RATE // 50):
        if chance.random() < share:
            made[at : at + RATE // 50] = 0
    return made


@pytest.mark.parametrize("seat", range(4))
def test_speech_is_known_again_late_quiet_noisy_or_with_a_little_lost(voices: list[Spoken], seat: int) -> None:
    sound = played(voices[seat])
    noise = np.random.default_rng(seat).normal(0, 0.02, len(sound))
    stretched = np.concatenate([sound[:RATE], np.zeros(RATE // 10), sound[RATE : 3 * RATE], sound[3 * RATE + 900 :]])
    for heard in (sound, sound / 4, sound + noise, stretched, lost(sound, 0.1)):
        found = likeness(voices[seat].samples, heard)
        assert found.understood, found
    assert likeness(voices[seat].samples, sound).began_s == pytest.approx(12_345 / RATE)


@pytest.mark.parametrize("seat", range(4))
def test_what_was_not_spoken_is_not_understood(voices: list[Spoken], seat: int) -> None:
    sound = played(voices[seat])
    half, chopped = sound.copy(), sound.copy()
    half[len(half) // 2 :] = 0
    for at in range(0, len(chopped), RATE // 2):
        chopped[at : at + RATE // 4] = 0
    others = [played(other) for other in voices if other is not voices[seat]]
    noise = np.random.default_rng(seat).normal(0, speech.LOUDNESS, len(sound))
    for wrong in (np.zeros_like(sound), noise, sound[::-1], *others):
        found = likeness(voices[seat].samples, wrong)
        assert not found.understood, found
        assert found.stoi < UNDERSTOOD, found
    for missing in (half, chopped):
        found = likeness(voices[seat].samples, missing)
        assert not found.understood, found
        assert found.heard < 0.75, found


@pytest.fixture
def pages(voices: list[Spoken]) -> Iterator[list[PlainSeat]]:
    with plain_pages([microphone(voices[0]), microphone(voices[1])]) as opened:
        yield opened


def test_pages_hear_each_other_and_a_cut_road_is_silent_until_turn_carries(
    voices: list[Spoken], pages: list[PlainSeat], tmp_path: Path
) -> None:
    with Road() as road, turn.turn_server(tmp_path) as server:
        for seat in pages:
            listen_in(seat, road)
            load(seat)
        join(*pages)
        (a, b), ears = pages, [(pages[0], "other"), (pages[1], "other")]
        hears([(a, "other", voices[1]), (b, "other", voices[0])])
        assert [relayed(peer) for seat in pages for peer in connected(seat)] == [False, False]
        assert road.passed > 100, "the direct path leads over the road"
        a.page.evaluate("document.querySelector('audio').muted = true")
        road.cut()
        silenced, cut = record(ears)
        assert not np.any(silenced), "nobody hears an element that is silenced"
        assert not likeness(voices[0].samples, cut).understood
        ways = [{"urls": [server.url()], **server.credentials()}]
        for seat in pages:
            seat.page.evaluate("(iceServers) => peer.setConfiguration({iceServers})", ways)
        a.page.evaluate("document.querySelector('audio').muted = false")
        join(*pages, restart=True)
        until(lambda: [relayed(peer) for seat in pages for peer in connected(seat)] == [True, True], deadline_s=60)
        hears([(a, "other", voices[1]), (b, "other", voices[0])])
        until(lambda: server.sessions() >= 1, deadline_s=60)


def test_a_road_loses_and_delays_what_it_was_told_to(voices: list[Spoken], pages: list[PlainSeat]) -> None:
    with Road(Weather(loss=0.2, delay_s=0.1)) as road:
        for seat in pages:
            listen_in(seat, road)
            load(seat)
        join(*pages)
        until(lambda: road.passed > 400, deadline_s=60)
        assert 0.1 < road.dropped / (road.dropped + road.passed) < 0.3
        until(lambda: peers(pages[0])[0].get("received", {}).get("packetsLost", 0) > 0, deadline_s=60)
        until(lambda: any(each["pair"]["currentRoundTripTime"] >= 0.2 for each in connected(pages[0])), deadline_s=60)


def test_the_old_peer_agrees_on_dtls_1_2_and_counts_what_is_said_to_it(pages: list[PlainSeat], tmp_path: Path) -> None:
    seat = pages[0]
    with old_peer(tmp_path) as old:
        listen_in(seat)
        load(seat)
        take(seat, {"type": "answer", "sdp": old.answer(describe(seat)["sdp"])})
        seat.until("peer.connectionState === 'connected'")
        until(lambda: old.sounds > 10, deadline_s=60)
        (peer,) = peers(seat)
        assert peer["transport"]["tlsVersion"] == "FEFD"
