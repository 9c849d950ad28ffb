"""One line between two station processes on loopback, measured.

    .venv/bin/python -m bench.line [--json] [--quick] [--only NAME] [--dir DIR]

Prints latency inside the stations and at the local API, throughput by window,
bytes, memory, start-up, verification, and beside them what the machine itself
can do (bench.floor), probed in turns with ours so that both meet the same
neighbours. What each number means: docs/bench.md.
"""

import json
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench import verify
from bench.client import Listener, Poster
from bench.floor import Floor, floor_in
from bench.pair import LABEL, Home
from bench.spread import Samples, spread
from bench.station import TEXT
from bench.stations import Process, make_homes, two_stations
from bench.steps import closed, command, take

TURN = 20
"""Messages between two looks at the floor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is done."""

    messages: int
    flow_s: float
    large_store: int
    export: int
    starts: int


FULL = Size(messages=1_000, flow_s=5.0, large_store=100_000, export=verify.MILLION, starts=5)
QUICK = Size(messages=100, flow_s=0.3, large_store=600, export=400, starts=1)
WINDOWS = (1, 16, 256)


class Bench:
    """Two homes in one folder, and what was found so far."""

    def __init__(self, folder: Path, size: Size, floor: Floor) -> None:
        self.folder, self.size, self.floor = folder, size, floor
        self.found: dict[str, Any] = {}
        self.operations: dict[str, Any] = {}
        self._homes: tuple[Home, Home] | None = None
        self._stations: tuple[Process, Process] | None = None
        self._open = ExitStack()

    @property
    def homes(self) -> tuple[Home, Home]:
        if self._homes is None:
            self._homes = make_homes(self.folder / "homes")
        return self._homes

    @property
    def stations(self) -> tuple[Process, Process]:
        """Both, running; started on first use."""
        if self._stations is None:
            self._stations = self._open.enter_context(two_stations(self.homes))
            self.found.setdefault("rss_mb", {})["at_start"] = [each.rss_mb() for each in self._stations]
        return self._stations

    def stop(self) -> None:
        """Stop the stations, if they run."""
        self._stations = None
        self._open.close()

    # --- one after the other ---

    def inside(self) -> None:
        """One way and round trip inside the stations, and bytes for each message."""
        alpha, bravo = self.stations
        one_way, durable, round_trip = Samples(), Samples(), Samples()
        self.floor.begin()
        turns = [self._counts()]
        for _ in range(self.size.messages // TURN):
            self.floor.probe(TURN // 4)
            bravo.order("hear")
            said = alpha.order("one_by_one", count=TURN)
            turns.append(self._counts())
            at = {(lane, index): moment for lane, index, moment in bravo.order("heard")["heard"]}
            for index, submitted, accepted, acknowledged in said["said"]:
                one_way.add(at[said["lane"], index] - submitted)
                durable.add(accepted - submitted)
                round_trip.add(acknowledged - submitted)
        self._bytes(turns)
        self.found["one_way_ms"], self.found["round_trip_ms"] = spread(one_way), spread(round_trip)
        self.found["durable_ms"] = spread(durable)
        self.operations["messages_inside"] = len(one_way)
        self.found["one_way_ratio"] = self._ratio("one_way_ms")

    def _ratio(self, name: str) -> float:
        return round(self.found[name]["p50"] / self.floor.implied_one_way_ms(), 2)

    def _counts(self) -> list[dict[str, Any]]:
        return [each.order("counts") for each in self.stations]

    def _bytes(self, turns: list[list[dict[str, Any]]]) -> None:
        """The median turn speaks of messages; the mean also has the cosignatures, one every few hundred entries."""

        def each_turn(station: int, *names: str) -> list[float]:
            values = [_at(turn[station], names) for turn in turns]
            return [(late - early) / TURN for early, late in pairwise(values)]

        envelope, wire = each_turn(0, "envelope_bytes"), each_turn(0, "tcp", "bytes_sent")
        self.found["envelope_bytes_per_message"] = round(statistics.median(envelope), 1)
        self.found["wire_bytes_per_message"] = round(statistics.median(wire), 1)
        self.found["bytes_per_message"] = {
            "envelope_least": round(min(envelope), 1),  # of a turn without repetitions
            "envelope_mean": round(statistics.mean(envelope), 1),
            "wire_mean": round(statistics.mean(wire), 1),
            "acknowledgement_envelope": round(statistics.median(each_turn(1, "envelope_bytes")), 1),
            "acknowledgement_wire": round(statistics.median(each_turn(1, "tcp", "bytes_sent")), 1),
            "segments": round(statistics.median(each_turn(0, "tcp", "segments_sent")), 1),
        }
        for name in ("envelopes", "commits"):
            self.operations[f"{name}_per_message"] = [round(statistics.median(each_turn(n, name)), 2) for n in (0, 1)]

    def api(self) -> None:
        """One way at the local API: from before the call at A until the event was read at B."""
        alpha, bravo = self.stations
        path = f"/v1/lines/{LABEL}"
        poster = Poster(alpha.home.socket, f"{path}/entries")
        listener = Listener(bravo.home.socket, f"{path}/events")
        body = json.dumps({"kind": "message", "text": TEXT, "lang": "en"}).encode()
        one_way, answered = Samples(), Samples()
        self.floor.begin()
        for number in range(self.size.messages):
            if number % TURN == 0:
                self.floor.probe(TURN // 4)
            began = time.monotonic_ns()
            poster.send(body)
            ref = poster.answer()["ref"]
            answered.add(time.monotonic_ns() - began)
            data, at = listener.event(b"entry")
            if json.loads(data)["ref"]["index"] != ref["index"]:
                raise RuntimeError("another entry came")
            one_way.add(at - began)
        poster.close()
        listener.close()
        self.found["api_one_way_ms"], self.found["api_durable_ms"] = spread(one_way), spread(answered)
        self.operations["messages_api"] = len(one_way)
        self.found["api_one_way_ratio"] = self._ratio("api_one_way_ms")

    # --- many ---

    def throughput(self) -> None:
        """Durable, signed, acknowledged messages a second, with so many unacknowledged at a time."""
        alpha, _ = self.stations
        self.found["throughput_per_s"], detail = {}, {}
        for window in WINDOWS:
            self.floor.probe(TURN)
            before = self._counts()
            flow = alpha.order("flow", window=window, seconds=self.size.flow_s)
            after = self._counts()
            self.found["throughput_per_s"][str(window)] = round(flow["messages"] / flow["seconds"])
            detail[str(window)] = {
                name: [
                    round((late[name] - early[name]) / flow["messages"], 6)
                    for early, late in zip(before, after, strict=True)
                ]
                for name in ("commits", "commit_seconds", "cpu_seconds", "envelope_bytes")
            }
            self.operations[f"flow_{window}"] = flow["messages"]
        self.found["per_message_by_window"] = detail
        self.found["rss_mb"]["after_throughput"] = [each.rss_mb() for each in self.stations]

    def api_throughput(self) -> None:
        """The same through the local API: batch calls at A of what the window has room for, acknowledgements from events."""
        alpha, _ = self.stations
        path = f"/v1/lines/{LABEL}"
        self.found["api_throughput_per_s"] = {}
        for window in WINDOWS:
            listener = Listener(alpha.home.socket, f"{path}/events")
            self.found["api_throughput_per_s"][str(window)] = round(self._api_flow(alpha, listener, path, window))
            listener.close()

    def _api_flow(self, alpha: Process, listener: Listener, path: str, window: int) -> float:
        poster = Poster(alpha.home.socket, f"{path}/entries:batch")
        step = (window + 1) // 2
        body = json.dumps({"entries": [{"kind": "message", "text": TEXT, "lang": "en"}] * step}).encode()
        sent = held = 0  # counted from what the first call found there
        first: int | None = None
        began = time.monotonic()
        while time.monotonic() - began < self.size.flow_s:
            poster.send(body)
            ref = poster.answer()["refs"][-1]
            first = ref["index"] + 1 - step if first is None else first
            sent = ref["index"] + 1 - first
            while sent + step - held > window:
                held = max(held, self._held(listener, ref["lane"]) - first)
        while held < sent:
            held = max(held, self._held(listener, 2 * alpha.home.party + 1) - (first or 0))
        seconds = time.monotonic() - began
        poster.close()
        return sent / seconds

    @staticmethod
    def _held(listener: Listener, lane: int) -> int:
        """How far the peer holds that lane, by the next event that says so."""
        while True:
            holds = json.loads(listener.event(b"holds")[0])
            if holds["lane"] == lane:
                return int(holds["size"])

    # --- start-up and size ---

    def start(self) -> None:
        """Milliseconds from the process's birth until the API answers, with an empty and a large store; memory with both."""
        self.found["start_ms"] = {"0": self._started()}
        alpha, bravo = self.stations
        kept = bravo.order("ready")["entries"]
        if kept < self.size.large_store:
            alpha.order("flow", window=256, seconds=120, count=(self.size.large_store - kept))
        entries = bravo.order("ready")["entries"]
        self.found["rss_mb"]["after_large_store"] = [each.rss_mb() for each in self.stations]
        self.stop()
        self.found["start_ms"][str(entries)] = self._restarted(self.homes[1])
        self.found["rss_mb"]["restarted_with_large_store"] = self._rss
        self.operations["entries_at_large_start"] = entries

    def _started(self) -> float:
        """Of a fresh pair's first station, which has nothing but its keys and its line."""
        homes = make_homes(self.folder / "fresh")
        return self._restarted(homes[0])

    def _restarted(self, home: Home) -> float:
        times = []
        for _ in range(self.size.starts):
            process = Process(home)
            times.append(process.wait_up())
            self._rss = process.rss_mb()
            process.stop()
        return round(statistics.median(times), 1)

    _rss = 0.0

    def verify(self) -> None:
        """Seconds to verify an export of a million entries."""
        self.found["verify_1m_s"] = verify.measured(self.size.export)
        self.operations["entries_verified"] = self.size.export

    def floors(self) -> None:
        """What the machine can do."""
        if len(self.floor.samples["sign_ms"]) < 100:
            self.floor.probe(100)


def _at(counts: dict[str, Any], names: tuple[str, ...]) -> float:
    found: Any = counts
    for name in names:
        found = found[name]
    return float(found)


def steps(bench: Bench) -> dict[str, Callable[[], None]]:
    """By name, in their order."""
    return {
        "inside": bench.inside,
        "api": bench.api,
        "throughput": bench.throughput,
        "api_throughput": bench.api_throughput,
        "start": bench.start,
        "verify": bench.verify,
        "floor": bench.floors,
    }


def run(folder: Path, size: Size, only: str | None) -> dict[str, Any]:
    """Everything, or one step; a folder is for the homes."""
    with floor_in(folder) as floor:
        bench = Bench(folder, size, floor)
        try:
            take(steps(bench), bench.found, only)
        finally:
            bench.stop()
        return closed(bench.found, floor, bench.operations)


def main() -> None:
    """See above."""
    command(__doc__, steps(Bench.__new__(Bench)), run, full=FULL, quick=QUICK)


if __name__ == "__main__":
    main()
