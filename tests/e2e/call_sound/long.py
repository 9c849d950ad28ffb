"""The long tests of calls: much loss, and four consoles with interpreters. By command, on a machine that has little else to do:

    .venv/bin/python -m pytest --full -n0 tests/e2e/call_sound/long.py

Ten percent and twenty percent are lost on a direct path, or it is 16 kbit/s narrow; what is asked of the
sound is less than where little is lost (`stoi` and `heard` below): the words of
the page must say that it is broken, while it still is that speech.
"""

from pathlib import Path

import pytest

from tests.e2e.call_sound.ears import RECORD_S, connected, hears, record
from tests.e2e.call_sound.floors import FURTHER, OFFICERS, all_hear, floors, needs, only
from tests.e2e.call_sound.likeness import UNDERSTOOD, likeness
from tests.e2e.call_sound.road import Road, Weather
from tests.waiting import until

pytestmark = needs()


@pytest.mark.parametrize("loss, heard", [(0.1, 0.7), (0.2, 0.5)])
def test_speech_is_still_understood_with_much_of_it_lost(tmp_path: Path, loss: float, heard: float) -> None:
    with Road(Weather(loss=loss), seed=9) as road, floors(tmp_path, road=road) as here:
        caller, callee = here.consoles
        here.connect(caller, callee)

        def understood() -> bool:
            sounds = record([(caller.seat, callee.name), (callee.seat, caller.name)], 2 * RECORD_S)
            found = [likeness(each.spoken.samples, sound) for each, sound in zip((callee, caller), sounds, strict=True)]
            return all(each.stoi >= UNDERSTOOD and each.heard >= heard for each in found)

        until(understood, deadline_s=120)
        for console in (caller, callee):
            rtp = only(console)["received"]
            assert rtp["packetsLost"] / (rtp["packetsLost"] + rtp["packetsReceived"]) > loss / 2
            console.seat.until(
                "['broken', 'hardly'].includes(document.querySelector('[data-quality]').dataset.quality)"
            )


def test_live_speech_passes_a_path_of_16_kbit_a_second(tmp_path: Path) -> None:
    """Each way, headers and all. It begins with more than passes; the pages notice, and send less (pace.js)."""
    with Road() as road, floors(tmp_path, road=road) as here:
        caller, callee = here.consoles
        here.connect(caller, callee)
        all_hear([caller, callee])
        road.weather = Weather(bits_per_second=16_000)

        def understood() -> bool:
            sounds = record([(caller.seat, callee.name), (callee.seat, caller.name)], RECORD_S)
            found = [likeness(each.spoken.samples, sound) for each, sound in zip((callee, caller), sounds, strict=True)]
            return all(each.stoi >= UNDERSTOOD and each.heard >= 0.7 for each in found)

        until(understood, deadline_s=180)
        before = [only(console)["received"] for console in (caller, callee)]
        until(understood, deadline_s=120)  # and it stays so
        for console, earlier in zip((caller, callee), before, strict=True):
            now = only(console)["received"]
            seconds = (now["timestamp"] - earlier["timestamp"]) / 1_000
            came = (
                now["bytesReceived"]
                + now["headerBytesReceived"]
                - earlier["bytesReceived"]
                - earlier["headerBytesReceived"]
            )
            assert came * 8 / seconds < 16_000


def test_17_11_four_consoles_hear_each_other_and_by_turns_only_who_has_the_floor(tmp_path: Path) -> None:
    """Clauses 17.53 and 17.54 too."""
    with floors(tmp_path, (*OFFICERS, (0, FURTHER), (1, FURTHER))) as here:
        caller, callee, *interpreters = here.consoles
        here.connect(caller, callee)
        for console in interpreters:
            console.join()
            console.until_state("open")
        until(lambda: all(len(connected(console.seat)) == 3 for console in here.consoles), deadline_s=120)
        for console in here.consoles:
            roles = console.seat.page.locator("[data-seat][data-party] h3").all_inner_texts()
            assert sorted(each.lower() for each in roles) == ["interpreter"] * 2 + ["watch officer"] * 2
        all_hear(here.consoles)
        caller.seat.page.keyboard.press("t")
        callee.seat.shows("The floor is free.")
        caller.seat.page.locator("[data-act=floor]").click()
        caller.seat.shows("You have the floor.")
        for console in here.consoles[1:]:
            console.seat.shows("has the floor")
        hears([(callee.seat, caller.name, caller.spoken)])
        sounds = record([(callee.seat, other.name) for other in interpreters])
        alike = [likeness(other.spoken.samples, sound) for other, sound in zip(interpreters, sounds, strict=True)]
        assert all(each.stoi < UNDERSTOOD and not each.heard for each in alike), alike
