"""The console of a station, measured in real Chromium.

    .venv/bin/python -m bench.console [--json] [--quick] [--only NAME] [--dir DIR]

Prints the time from a FLASH's arrival to pixels, first paint of a line with few
and with many entries, memory of the page over a day's traffic, and what fifty
consoles cost their station; beside them what the machine itself can do, probed
in turns with ours. What each number means: docs/bench.md.
"""

import contextlib
import shutil
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import pair
from bench.console_clients import LeanClients
from bench.console_page import FIRST_ROWS, clock_of, first_rows, frames, memory, number_seen, numbered, watch_numbers
from bench.floor import Floor, floor_in
from bench.pair import LABEL, POLICY
from bench.spread import Samples, spread
from bench.stations import Process, two_stations
from bench.steps import closed, command, take
from tests.e2e.browser import Room, Seat, floor
from tests.e2e.console_rig import Browser, entered, with_console
from tests.e2e.homes import Home, join, new_home

LINE = f"#/line/{LABEL}"
TRANSCRIPT = ".transcript"
WALL = "dialog.flashwall[open]"
SESSIONS_OF_ONE = 7
"""Lean clients that one officer has open: a console takes 16 sessions of each."""
PROBED = "/static/icon-flash.svg"
"""What is fetched for the floor: a small file that no session is needed for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is done."""

    flashes: int
    transcripts: tuple[int, ...]
    loads: int
    messages: int
    tests: int
    clients: int
    entries: int


FULL = Size(flashes=20, transcripts=(10, 100, 100_000), loads=5, messages=2_000, tests=24, clients=49, entries=100)
QUICK = Size(flashes=2, transcripts=(10, 40), loads=1, messages=20, tests=2, clients=3, entries=3)


class Tls:
    """A kept connection to a console, for its round trip."""

    def __init__(self, home: Home) -> None:
        plain = Browser(home)
        self._wire: ssl.SSLSocket = plain.connect()
        self._ask = f"GET {PROBED} HTTP/1.1\r\nHost: {plain.host}:{plain.port}\r\n\r\n".encode()
        self.samples = Samples()

    def probe(self, times: int) -> None:
        """Ask and read so often."""
        for _ in range(times):
            began = time.monotonic_ns()
            self._wire.sendall(self._ask)
            data = b""
            while (end := data.find(b"\r\n\r\n")) < 0:
                data += self._wire.recv(65_536)
            head = data[:end].lower()
            size = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            while len(data) < end + 4 + size:
                data += self._wire.recv(65_536)
            self.samples.add(time.monotonic_ns() - began)

    def close(self) -> None:
        """End it."""
        self._wire.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Two stations with consoles, and Chromium."""

    homes: tuple[Home, Home]
    alpha: Process
    bravo: Process
    room: Room

    def say(self, party: int, **entry: object) -> dict[str, Any]:
        """Say something at one of them; where it stands."""
        with self.homes[party].client() as station:
            said: dict[str, Any] = station.post(f"lines/{LABEL}/entries", entry)["ref"]
        return said

    def officer(self, party: int, sign: str, view: str, *, at: int = 0) -> Seat:
        """An officer on watch, at that view; `at`: in which Chromium."""
        seat = self.room.seat(self.homes[party], sign, "watch-officer", at=at)
        seat.page.get_by_role("button", name="Not now").click()
        seat.shows("Waits for this watch")
        seat.open(view)
        if view == LINE:
            seat.until(f"document.querySelector({TRANSCRIPT!r}) !== null")
        return seat


@contextlib.contextmanager
def opened(folder: Path, flags: Sequence[Sequence[str]] = ((),)) -> Iterator[Place]:
    """A fresh pair below a folder that is made, running, with a browser beside it, or one for each of `flags`."""
    folder.mkdir(mode=0o700)
    made = with_console(new_home(folder, pair.NAMES[0])), with_console(new_home(folder, pair.NAMES[1]))
    terms = join(list(made), POLICY, LABEL)
    homes = []
    for home in made:
        shutil.copy(folder / f"{home.name}.key", home.folder / "key-file")
        party = terms.party_of_root(home.card.root.ed25519_key)
        homes.append(
            pair.Home(
                folder=home.folder, name=home.name, address=f"127.0.0.1:{home.port}", party=party, line=terms.line
            )
        )
    with two_stations((homes[0], homes[1])) as (alpha, bravo), floor(*made, flags=flags) as room:
        yield Place(homes=made, alpha=alpha, bravo=bravo, room=room)


class Bench:
    """A folder, and what was found so far. Every step has stations and a browser of its own."""

    def __init__(self, folder: Path, size: Size, floor: Floor) -> None:
        self.folder, self.size, self.floor = folder, size, floor
        self.found: dict[str, Any] = {}
        self.operations: dict[str, Any] = {}

    def flash(self) -> None:
        """From a FLASH's arrival at the receiving station to pixels on its open console; and the floor under that."""
        with opened(self.folder / "flash") as place:
            seat = place.officer(1, "W1", "#/floor")
            watch_numbers(seat, WALL)
            clock = clock_of(seat)
            tls, empty, shown = Tls(place.homes[1]), Samples(), Samples()
            for number in range(self.size.flashes):
                tls.probe(5)
                empty.values.extend(frames(seat, 3))
                self.floor.probe(2)
                shown.add(self._flash(place, seat, number, clock.moment))
            tls.close()
        self.found["flash_pixels_ms"] = spread(shown)
        self.found["tls_round_trip_ms"], self.found["two_frames_ms"] = spread(tls.samples), spread(empty)
        least = self.found["tls_round_trip_ms"]["p50"] + self.found["two_frames_ms"]["p50"]
        self.found["flash_pixels_ratio"] = round(self.found["flash_pixels_ms"]["p50"] / least, 2)
        self.found["clock_error_ms"] = clock.error_ms
        self.operations["flashes"] = len(shown)

    @staticmethod
    def _flash(place: Place, seat: Seat, number: int, moment: Callable[[float], int]) -> int:
        """One FLASH, read afterwards; ns from its arrival to its pixels."""
        place.bravo.order("hear")
        ref = place.say(0, kind="message", text=numbered(number), lang="en", precedence="flash")
        at = place.bravo.order("arrived", lane=ref["lane"], index=ref["index"])["at"]
        pixels = moment(number_seen(seat, number))
        place.bravo.order("heard")
        of = {name: ref[name] for name in ("lane", "generation", "index", "leaf")}
        place.say(1, kind="receipt", of=of, step="read")
        seat.until(f"document.querySelector({WALL!r}) === null")
        return pixels - int(at)

    def paint(self) -> None:
        """First paint of a line's view, by entries in the transcript: at the station that said them, and where all wait unread."""
        self.found["first_paint_ms"], sent = {}, 0
        with opened(self.folder / "paint") as place:
            seats = [place.officer(party, "W1", "#/floor") for party in (0, 1)]
            for seat in seats:
                seat.context.add_init_script(FIRST_ROWS)
                seat.page.goto("about:blank")
            for size in self.size.transcripts:
                sent += place.alpha.order("flow", window=256, seconds=36_000, count=size - sent)["messages"]
                self.found["first_paint_ms"][str(size)] = {
                    name: self._loads(seat) for name, seat in zip(("sender", "receiver"), seats, strict=True)
                }
                self.floor.probe(5)
            self.operations["transcript"] = place.bravo.order("ready")["entries"]
        few, many = (self.found["first_paint_ms"][str(size)] for size in self.size.transcripts[-2:])
        self.found["first_paint_ratio"] = {name: round(many[name]["rows"] / few[name]["rows"], 2) for name in few}

    def _loads(self, seat: Seat) -> dict[str, float]:
        """The median of some loads, each of the whole page anew."""
        loads = [first_rows(seat, LINE) for _ in range(self.size.loads)]
        seat.page.goto("about:blank")
        return {name: sorted(load[name] for load in loads)[len(loads) // 2] for name in loads[0]}

    def memory(self) -> None:
        """What the pages hold before, in the middle of and after a day's traffic through the live stream."""
        with opened(self.folder / "memory") as place:
            place.say(1, kind="watch", attended=True)
            seats = {"floor": place.officer(1, "W1", "#/floor"), "line": place.officer(1, "W2", LINE)}
            watch_numbers(seats["line"], TRANSCRIPT)
            found: dict[str, dict[str, Any]] = {name: {"before": memory(seat)} for name, seat in seats.items()}
            for half, when in enumerate(("half", "after")):
                place.alpha.order("flow", window=8, seconds=36_000, count=self.size.messages // 2 - 1)
                for _ in range(self.size.tests // 2):
                    with place.homes[0].client() as station:
                        station.post(f"lines/{LABEL}/test", {})
                place.say(0, kind="message", text=numbered(half), lang="en")
                number_seen(seats["line"], half)
                for name, seat in seats.items():
                    found[name][when] = memory(seat)
            self.found["page_memory"] = found
            self.found["day_station_rss_mb"] = place.bravo.rss_mb()
            self.operations["day"] = {
                "messages": self.size.messages,
                "tests": self.size.tests,
                "entries": place.bravo.order("ready")["entries"],
            }

    def consoles(self) -> None:
        """What an entry costs a station with no console and with many; and how late each console has it."""
        with opened(self.folder / "consoles") as place:
            alone = self._entries(place, lambda _number: None, 0)
            sessions = [
                entered(
                    place.homes[1],
                    f"L{number // SESSIONS_OF_ONE}",
                    *(() if number % SESSIONS_OF_ONE else ("watch-officer",)),
                )
                for number in range(self.size.clients)
            ]
            rss = [place.bravo.rss_mb()]
            seat = place.officer(1, "W1", LINE)
            watch_numbers(seat, TRANSCRIPT)
            clock = clock_of(seat)
            pixels: dict[int, int] = {}
            with LeanClients(sessions) as clients:

                def shown(number: int) -> None:
                    pixels[number] = clock.moment(number_seen(seat, number))

                together = self._entries(place, shown, 1_000)
                clients.wait(together.arrived.keys())
                rss.append(place.bravo.rss_mb())
            events = clients.since(dict(together.arrived))
        moments = list(together.arrived.values())
        drawn = Samples(pixels[1_000 + place_in] - at for place_in, at in enumerate(moments))
        self.found["consoles"] = {
            "event_ms": spread(events),
            "pixels_ms": spread(drawn),
            "cpu_ms_per_entry": {"none": alone.cpu_ms, "all": together.cpu_ms},
            "rss_mb": {"before": rss[0], "after": rss[1]},
        }
        self.found["consoles"]["cpu_ms_per_entry_and_console"] = round(
            (together.cpu_ms - alone.cpu_ms) / (self.size.clients + 1), 3
        )
        self.operations["consoles"] = {
            "clients": self.size.clients,
            "browsers": 1,
            "entries": len(moments),
            "events_read": len(events),
        }

    def _entries(self, place: Place, shown: Callable[[int], None], first: int) -> "Entries":
        """Say messages one after the other, each once the last was shown."""
        place.bravo.order("hear")
        before, refs = place.bravo.order("counts")["cpu_seconds"], []
        for number in range(first, first + self.size.entries):
            ref = place.say(0, kind="message", text=numbered(number), lang="en")
            refs.append((int(ref["lane"]), int(ref["index"])))
            place.alpha.order("quiet")  # waited for at the sender, so that no waiting is counted at the receiver
            shown(number)
            self.floor.probe(1)
        cpu = place.bravo.order("counts")["cpu_seconds"] - before
        heard = {(lane, index): at for lane, index, at in place.bravo.order("heard")["heard"]}
        return Entries(cpu_ms=round(1_000 * cpu / len(refs), 2), arrived={ref: heard[ref] for ref in refs})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """What some entries cost the station that got them, and when each arrived."""

    cpu_ms: float
    arrived: dict[tuple[int, int], int]


def steps(bench: Bench) -> dict[str, Callable[[], None]]:
    """By name, in their order."""
    return {"flash": bench.flash, "paint": bench.paint, "memory": bench.memory, "consoles": bench.consoles}


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
