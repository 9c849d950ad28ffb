"""Kills, one after the other, of stations under load; what must hold is looked at after each.

    with rig(template, folder) as two:
        report = Campaign(two, seed=7).run(kills=25)

A seed gives the same plan of faults; when they strike is the machine's doing.
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.chaos import checker
from tests.e2e.chaos.load import CANARY, Record, Sent, under_load
from tests.e2e.chaos.moments import strike_within
from tests.e2e.chaos.rig import Rig, Station
from tests.waiting import until

RECOVER_S = 120.0
"""Patience for one kill, on a machine that has other work."""


@dataclass
class Report:
    """What was done to the stations, and what came of it."""

    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    start_ms: list[float] = field(default_factory=list)
    recover_ms: list[float] = field(default_factory=list)
    """From the start of the killed process until a FLASH each way is held by the other side."""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """For people and programs. Lost and doubled are 0, or the run had failed."""
        return {
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "faults": dict(self.faults),
            "messages": dict(self.counts),
            "lost": 0,
            "doubled": 0,
            "start_ms": spread(self.start_ms),
            "recover_ms": spread(self.recover_ms),
        }


def spread(values: list[float]) -> dict[str, int]:
    """p50, p99 and the largest."""
    ordered = sorted(values)
    if not ordered:
        return {}
    at = {"p50": len(ordered) // 2, "p99": int(len(ordered) * 0.99), "max": len(ordered) - 1}
    return {name: round(ordered[place]) for name, place in at.items()}


class Campaign:
    """One run of faults against two running stations."""

    def __init__(self, rig: Rig, seed: int, progress: Callable[[str], None] = lambda _text: None) -> None:
        self._rig, self._progress = rig, progress
        self._dice = random.Random(seed)
        self._record = Record()
        self._probes = 0
        self.report = Report(seed)

    def run(self, kills: int, *, senders: int = 1, pause_s: float = 0.05) -> Report:
        """So many kills; raises AssertionError at the first thing that is not true."""
        began = time.monotonic()
        self._rig.start()
        with under_load(self._rig.both, self._record, seed=self.report.seed, senders=senders, pause_s=pause_s):
            while self.report.faults["kill"] < kills:
                self._round()
                self._progress(f"{self.report.faults['kill']} kills, {len(self._record.sent)} messages sent")
        self.report.counts = checker.check_all(self._rig, self._record)
        self.report.seconds = time.monotonic() - began
        return self.report

    # --- one round ---

    def _round(self) -> None:
        dice = self._dice
        wire = self._wire() if dice.random() < 0.25 else ""
        victims = list(dice.choice(((0,), (1,), (0,), (1,), (0, 1))))
        strike_within(dice, dice.choice((0.0, 0.01, 0.1)), 0.5)
        fallen = [self._rig.both[number] for number in victims]
        before = {station.name: self._record.accepted(station.name)[-2_000:] for station in fallen}
        for station in fallen:
            station.kill()
            self._count("kill")
        self._look(fallen, before)
        for station in fallen:
            while dice.random() < 0.25:
                self._kill_starting(station)
        for proxy in self._rig.proxies if wire else ():
            proxy.heal()
        self._recover(fallen)

    def _wire(self) -> str:
        """A fault on the wire that lasts until the killed ones start again."""
        name = self._dice.choice(("cut", "stall", "corrupt", "delay", "drop"))
        proxy = self._dice.choice(self._rig.proxies)
        match name:
            case "cut":
                for each in self._rig.proxies:
                    each.cut()
            case "stall":
                for each in self._rig.proxies:
                    each.stall()
            case "corrupt":
                for each in self._rig.proxies:
                    each.corrupt(3)
            case "delay":
                proxy.delay(0.05)
            case _:
                for each in self._rig.proxies:
                    each.drop()
        self._count(f"wire-{name}")
        return name

    def _look(self, fallen: list[Station], before: dict[str, list[Sent]]) -> None:
        """What the fallen ones left on their disks."""
        for station in fallen:
            other = self._rig.other(station)
            claimed = checker.claims(other) if other.running is not None else {}
            checker.check_fallen(station, before[station.name], claimed)

    def _kill_starting(self, station: Station) -> None:
        """Start it and kill it before or just after it is ready."""
        station.spawn()
        strike_within(self._dice, 0, 1.3)
        station.assert_alive()
        station.kill()
        self._count("kill")
        self._count("kill-starting")

    def _recover(self, fallen: list[Station]) -> None:
        began = time.monotonic()
        for station in fallen:
            station.spawn()
        for station in fallen:
            station.wait_ready()
            self.report.start_ms.append((time.monotonic() - began) * 1_000)
        self._probe(began)
        self.report.recover_ms.append((time.monotonic() - began) * 1_000)

    def _probe(self, began: float) -> None:
        """A FLASH each way, until the other side holds it."""
        refs = {}
        for station in self._rig.both:
            self._probes += 1
            text = f"{CANARY} probe {self._probes}"
            refs[station.name] = station.send(text, "flash")
            self._record.add([Sent(station.name, -1, text, "flash", refs[station.name])])
        for station in self._rig.both:
            left = RECOVER_S - (time.monotonic() - began)
            until(lambda station=station: station.held(refs[station.name], 5_000), deadline_s=left)  # type: ignore[misc]

    def _count(self, fault: str) -> None:
        self.report.faults[fault] += 1
