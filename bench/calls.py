"""Calls between two floors, measured with real Chromium and real speech; and ten at a time with clients in the pages' place.

    .venv/bin/python -m bench.calls [--json] [--quick] [--only NAME] [--dir DIR]

Prints the time from pressing call to ringing and from answering to sound, what a
call adds on the bearer, how well speech is understood by the share that is lost,
and what ten calls at once cost a station. What each number means: docs/bench.md.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.call_clients import Caller
from bench.console import Place, opened
from bench.console_page import clock_of
from bench.floor import Floor, floor_in
from bench.pair import LABEL
from bench.spread import Samples, spread
from bench.stations import make_homes, two_stations
from bench.steps import closed, command, take
from openline.station.client import Client
from tests.e2e.call_sound.ears import RECORD_S, connected, listen_in, microphone, record
from tests.e2e.call_sound.floors import Console, ended, floors, hang_up
from tests.e2e.call_sound.likeness import likeness
from tests.e2e.call_sound.road import Road, Weather
from tests.e2e.call_sound.speech import speak

BEAT_S = 2.0
"""A console reports itself so often (js/call/session.js)."""
_WATCH = """() => {
    const moments = window.benchCall = {rang: 0, sound: 0};
    const rings = () => {
        if (!moments.rang && document.querySelector("dialog.ringwall[open]")) moments.rang = performance.now();
    };
    new MutationObserver(rings).observe(document, {subtree: true, childList: true, attributes: true});
    const timer = setInterval(() => {
        const place = document.querySelector("audio[data-seat]");
        const [receiver] = window.heardPeers.at(-1)?.getReceivers() ?? [];
        if (!place || place.muted || place.paused || !receiver?.getSynchronizationSources().length) return;
        moments.sound = performance.now();
        clearInterval(timer);
    }, 5);
}"""
_PRESS = """(selector) => {
    const at = performance.now();
    document.querySelector(selector).click();
    return at;
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is done."""

    calls: int
    losses: tuple[float, ...]
    records: int
    lines: int
    seconds: float
    idle_s: float
    """So long is the line left alone, to know what it sends without a call."""
    talk_s: float


FULL = Size(calls=10, losses=(0.0, 0.05, 0.1, 0.2), records=4, lines=10, seconds=30, idle_s=5.0, talk_s=5.0)
QUICK = Size(calls=1, losses=(0.0,), records=1, lines=2, seconds=3, idle_s=2.0, talk_s=1.0)


class Bench:
    """A folder, and what was found so far. Every step has stations and browsers of its own."""

    def __init__(self, folder: Path, size: Size, floor: Floor) -> None:
        self.folder, self.size, self.floor = folder, size, floor
        self.found: dict[str, Any] = {}
        self.operations: dict[str, Any] = {}

    # --- how soon ----------------------------------------------------------------------------------------------

    def times(self) -> None:
        """From pressing to ringing, from answering to sound at both ends; and the bytes of a call on the bearer."""
        ringing, sound, added = Samples(), Samples(), []
        (self.folder / "voices").mkdir()
        voices = [speak(self.folder / "voices", seat) for seat in (0, 1)]
        with opened(self.folder / "times", [microphone(voice) for voice in voices]) as place:
            consoles = []
            for party, voice in enumerate(voices):
                seat = place.officer(party, f"W{party}", "#/floor", at=party)
                seat.allow(r"status of (404|409) .*/calls/.*/signal")
                listen_in(seat)
                seat.page.reload()
                consoles.append(Console(seat=seat, spoken=voice, party=party, number=0, label=LABEL))
            idle = _sent(place, lambda: time.sleep(self.size.idle_s)) / self.size.idle_s
            for _ in range(self.size.calls):
                began = time.monotonic()
                sent = _sent(place, lambda: self._call(consoles, ringing, sound))
                added.append(round(sent - idle * (time.monotonic() - began)))
                self.floor.probe(2)
        self.found["press_to_ring_ms"], self.found["answer_to_sound_ms"] = spread(ringing), spread(sound)
        self.found["signalling_bytes_per_call"] = sorted(added)[len(added) // 2]
        self.found["idle_bytes_per_s"] = round(idle)
        self.operations["calls"] = len(ringing)

    def _call(self, consoles: Sequence[Console], ringing: Samples, sound: Samples) -> None:
        """One call of some seconds, ended by its caller."""
        caller, callee = consoles
        caller.seat.open("#/floor")
        caller.seat.open(f"#/call/{LABEL}")
        caller.seat.until("document.querySelector('[data-panel=place] button.main') !== null")
        clocks = [clock_of(console.seat) for console in consoles]
        for console in consoles:
            console.seat.page.evaluate(_WATCH)
        pressed = clocks[0].moment(caller.seat.page.evaluate(_PRESS, "[data-panel=place] button.main"))
        ringing.add(clocks[1].moment(callee.seat.until("benchCall.rang")) - pressed)
        time.sleep(1.5)  # nobody answers sooner
        answered = clocks[1].moment(callee.seat.page.evaluate(_PRESS, "dialog.ringwall .acts .main"))
        heard = [clock.moment(each.seat.until("benchCall.sound")) for clock, each in zip(clocks, consoles, strict=True)]
        sound.add(max(heard) - answered)
        time.sleep(self.size.talk_s)
        hang_up(caller)
        ended(callee)

    # --- how well ----------------------------------------------------------------------------------------------

    def quality(self) -> None:
        """STOI of what both pages play, and the share of seconds that are understood alone, by the share that is lost."""
        found: dict[str, dict[str, float]] = {}
        (self.folder / "quality").mkdir()
        with Road(seed=3) as road, floors(self.folder / "quality", road=road) as both:
            caller, callee = both.consoles
            for loss in self.size.losses:
                road.weather = Weather(loss=loss)
                both.connect(caller, callee)
                record([(caller.seat, callee.name), (callee.seat, caller.name)], 2.5)  # until it has settled
                sounds = []
                for _ in range(self.size.records):
                    ears = record([(caller.seat, callee.name), (callee.seat, caller.name)], RECORD_S)
                    sounds += list(zip((callee.spoken, caller.spoken), ears, strict=True))
                alike = [likeness(spoken.samples, sound) for spoken, sound in sounds]
                (peer,) = connected(caller.seat)
                rtp = peer["received"]
                found[f"{loss:.2f}"] = {
                    "stoi": round(sum(each.stoi for each in alike) / len(alike), 3),
                    "stoi_least": round(min(each.stoi for each in alike), 3),
                    "heard": round(sum(each.heard for each in alike) / len(alike), 3),
                    "lost": round(rtp["packetsLost"] / max(1, rtp["packetsLost"] + rtp["packetsReceived"]), 3),
                    "kbits": round(8 * rtp["bytesReceived"] / 1_000 / _seconds(rtp), 1),
                }
                hang_up(caller)
        self.found["quality"] = found
        self.operations["records"] = 2 * self.size.records * len(self.size.losses)

    # --- how many ----------------------------------------------------------------------------------------------

    def ten(self) -> None:
        """Ten calls at once, each on a line of its own; clients of the API do what pages do, and no sound is among it."""
        homes = make_homes(self.folder / "ten", lines=self.size.lines)
        labels = [LABEL if not number else f"{LABEL}-{number}" for number in range(self.size.lines)]
        with two_stations(homes) as both, contextlib.ExitStack() as clients:
            for each in both:
                each.order("all_ready")
            idle = [each.rss_mb() for each in both]
            seats = [[clients.enter_context(_caller(home.socket, label)) for home in homes] for label in labels]
            before, began = [each.order("counts")["cpu_seconds"] for each in both], time.monotonic()
            places = [caller.call(callee) for caller, callee in seats]
            up, rose = [each.order("counts")["cpu_seconds"] for each in both], time.monotonic()
            beats = 0
            while time.monotonic() < rose + self.size.seconds:
                beat = time.monotonic()
                for pair in seats:
                    for seat in pair:
                        seat.alive()
                beats += 1
                time.sleep(max(0.0, beat + BEAT_S - time.monotonic()))
            late, span = [each.order("counts")["cpu_seconds"] for each in both], time.monotonic() - rose
            self.found["ten_calls"] = {
                "cpu_ms_per_call_to_open": [_ms(b, a, len(places)) for a, b in zip(before, up, strict=True)],
                "seconds_to_open_all": round(rose - began, 2),
                "cpu_percent_during": [round(100 * (b - a) / span, 2) for a, b in zip(up, late, strict=True)],
                "rss_mb": {"before": idle, "during": [each.rss_mb() for each in both]},
            }
            for caller, callee in seats:
                caller.hang_up()
                callee.over()
        self.operations["ten"] = {"calls": len(places), "beats": beats, "consoles": 2 * len(places)}


def _sent(place: Place, act: Callable[[], None]) -> int:
    """Bytes that both stations handed to the bearer meanwhile, from when all was acknowledged until it is again."""
    both = (place.alpha, place.bravo)
    for each in both:
        each.order("quiet")
    before = [each.order("counts")["envelope_bytes"] for each in both]
    act()
    for each in both:
        each.order("quiet")
    return sum(each.order("counts")["envelope_bytes"] for each in both) - sum(before)


def _seconds(rtp: dict[str, Any]) -> float:
    """How much sound was played."""
    return float(max(rtp["totalSamplesDuration"], 0.1))


def _ms(late: float, early: float, count: int) -> float:
    return round(1_000 * (late - early) / count, 1)


@contextlib.contextmanager
def _caller(socket: Path, label: str) -> Iterator[Caller]:
    with Client(socket) as station, Client(socket) as stream:
        caller = Caller(station, label)
        reader = threading.Thread(target=caller.read, args=(stream.events(f"lines/{label}/events"),), daemon=True)
        reader.start()
        yield caller


def steps(bench: Bench) -> dict[str, Callable[[], None]]:
    """By name, in their order."""
    return {"times": bench.times, "quality": bench.quality, "ten": bench.ten}


def run(folder: Path, size: Size, only: str | None) -> dict[str, Any]:
    """Everything, or one step; a folder is for the homes."""
    with floor_in(folder) as floor:
        bench = Bench(folder, size, floor)
        take(steps(bench), bench.found, only)
        return closed(bench.found, floor, bench.operations)


def main() -> None:
    """See above."""
    command(__doc__, steps(Bench.__new__(Bench)), run, full=FULL, quick=QUICK)


if __name__ == "__main__":
    main()
