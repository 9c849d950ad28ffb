"""One fault after the other at two sites under load, by a plan; what must hold is looked at after each and at the end.

    with sites(template, folder, seed) as two:
        report = Storm(two, plan(seed, 25)).run()

The report is written after every step, so that it tells of a run that was
killed as far as it came.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from openline.kernel.errors import Refused, Unavailable
from tests.e2e.chaos import checker
from tests.e2e.chaos.fault import Step
from tests.e2e.chaos.faults import FAULTS
from tests.e2e.chaos.load import CANARY, Pace, Record, Sent, under_load
from tests.e2e.chaos.moments import let_pass
from tests.e2e.chaos.rig import Station
from tests.e2e.chaos.sites import Sites
from tests.e2e.chaos.ways import ROUTES
from tests.waiting import until

RECOVER_S = 120.0
"""Patience for one step, on a machine that has other work."""
THIN = 10
"""So much longer do callers pause where little gets through."""
BEARERS = ("tls", "nats", "serial", "mail")
"""All that are always there."""


@dataclass
class Report:
    """What was done to the stations, and what came of it."""

    seed: int
    plan: Sequence[Step]
    file: Path | None = None
    began: float = field(default_factory=time.monotonic)
    steps: list[dict[str, Any]] = field(default_factory=list)
    recover_ms: dict[str, list[float]] = field(default_factory=dict)
    """By class: from the end of a fault until a FLASH each way is held by the other side."""
    through_ms: dict[str, list[float]] = field(default_factory=dict)
    """By class: from its beginning until a FLASH each way is held, where one must get through all the same."""
    back_ms: dict[str, list[float]] = field(default_factory=dict)
    """By class and bearer: from the end of a fault until a probe over that bearer alone comes back."""
    counts: Counter[str] = field(default_factory=Counter)
    failed: str = ""
    complete: bool = False

    def as_json(self) -> dict[str, Any]:
        """For people and programs. Lost and doubled are known once the run is complete, and then they are 0."""
        times = Counter(step["kind"] for step in self.steps)
        times.update(step["beside"] for step in self.steps if step["beside"])
        return {
            "seed": self.seed,
            "complete": self.complete,
            "failed": self.failed,
            "seconds": round(time.monotonic() - self.began, 1),
            "faults": sum(times.values()),
            "classes": {
                kind: {"times": count, "recover_ms": spread(self.recover_ms.get(kind, []))}
                for kind, count in sorted(times.items())
            },
            "through_ms": {kind: spread(found) for kind, found in self.through_ms.items()},
            "back_ms": {kind: spread(found) for kind, found in self.back_ms.items()},
            "recover_ms": spread([one for found in self.recover_ms.values() for one in found]),
            "messages": dict(self.counts),
            "lost": 0 if self.complete else None,
            "doubled": 0 if self.complete else None,
            "steps": self.steps,
            "to_come": [asdict(step) for step in self.plan[len(self.steps) :]],
        }

    def write(self) -> None:
        """As it stands, whole or not at all."""
        if self.file is not None:
            beside = self.file.with_suffix(".new")
            beside.write_text(json.dumps(self.as_json(), indent=1) + "\n")
            beside.replace(self.file)


def spread(values: list[float]) -> dict[str, int]:
    """p50, p95 and the largest."""
    ordered = sorted(values)
    if not ordered:
        return {}
    at = {"p50": len(ordered) // 2, "p95": min(int(len(ordered) * 0.95), len(ordered) - 1), "max": len(ordered) - 1}
    return {name: round(ordered[place]) for name, place in at.items()}


class Storm:
    """One run of a plan."""

    def __init__(
        self, sites: Sites, steps: Sequence[Step], seed: int = 0, *, file: Path | None = None,
        progress: Callable[[str], None] = lambda _text: None, awaited: Sequence[str] = BEARERS,
    ) -> None:  # fmt: skip
        """`awaited`: the bearers each of which must carry by itself again after a fault of its own; mail takes long."""
        self._awaited = awaited
        self._sites, self._progress = sites, progress
        self._record = Record()
        self._probes, self._route = 0, "every"
        self._pace = Pace(0)
        self.report = Report(seed, steps, file)

    def run(self, *, senders: int = 1, pause_s: float = 0.2, until_s: float = 0.0) -> Report:
        """All steps, or as many as begin within `until_s`. Raises AssertionError at the first thing that is not true."""
        report, end = self.report, time.monotonic() + until_s
        try:
            self._sites.rig.start()
            with under_load(
                self._sites.stations, self._record, seed=report.seed, senders=senders, pause_s=pause_s
            ) as pace:
                self._pace = pace
                for step in report.plan:
                    if until_s and time.monotonic() > end:
                        break
                    self._step(step)
                self._go("every")
            self._progress("comparing both sides")
            report.counts = checker.check_all(self._sites.rig, self._record)
            report.complete = True
        except BaseException as failure:
            report.failed = f"{type(failure).__name__}: {failure}"
            raise
        finally:
            report.write()
        return report

    # --- one step ---

    def _step(self, step: Step) -> None:
        fault, sites = FAULTS[step.kind], self._sites
        self._progress(
            f"{step.number}/{len(self.report.plan)} {step.kind} {step.beside}, {len(self._record.sent)} sent"
        )
        self._go(step.route)
        usual, self._pace.pause_s = self._pace.pause_s, self._pace.pause_s * (THIN if fault.thin else 1)
        if step.beside:
            FAULTS[step.beside].strike(sites, step)
        began = time.monotonic()
        fallen = fault.falls(sites, step)
        fault.strike(sites, step)
        self._look(fallen)
        if fault.passes:
            self._through(self.report.through_ms, step.kind, began)
        let_pass(step.hold_s)
        ended, healed_at = time.monotonic(), datetime.now(UTC).strftime("%H:%M:%S.%f")
        if step.beside:
            FAULTS[step.beside].heal(sites, step)
        fault.heal(sites, step)
        for station in fallen:
            station.wait_ready()
        recovered = self._through(self.report.recover_ms, step.kind, ended)
        self._pace.pause_s = usual
        self._back(step.kind, step.victim, fault.bearers, ended)
        self._sound()
        self.report.steps.append({**asdict(step), "healed_at": healed_at, "recover_ms": recovered})
        self.report.counts = Counter(sent=len(self._record.sent), accepted=len(self._record.accepted()))
        self.report.write()

    def _go(self, route: str) -> None:
        """Let all go another way from now on, or every way."""
        if route == self._route:
            return
        self._route, began = route, time.monotonic()
        self._sites.ways.lay(ROUTES[route])
        self._through(self.report.through_ms, f"to-{route}", began)
        if route == "every":
            self._back("to-every", 0, BEARERS, began)

    def _back(self, kind: str, asking: int, bearers: Sequence[str], began: float) -> None:
        """Until each of these bearers carries there and back by itself."""
        for bearer in (bearer for bearer in bearers if bearer in self._awaited):
            station = self._sites.stations[asking]
            for each in self._sites.stations:  # a probe that nobody can answer yet is waited for in vain
                until(partial(each.shows_up, bearer), deadline_s=RECOVER_S)
            until(partial(station.reaches, bearer), deadline_s=RECOVER_S)
            took = (time.monotonic() - began) * 1_000
            self.report.back_ms.setdefault(f"{kind} {bearer}", []).append(took)

    def _look(self, fallen: list[Station]) -> None:
        """What the fallen ones left on their disks has all that they said they had."""
        for station in fallen:
            other = self._sites.rig.other(station)
            claimed = checker.claims(other) if other.running is not None else {}
            checker.check_fallen(station, self._record.accepted(station.name)[-2_000:], claimed)

    def _through(self, found: dict[str, list[float]], kind: str, began: float) -> int:
        """A FLASH each way, until the other side holds it."""
        sent = [(station, self._flash(station)) for station in self._sites.stations]
        for station, ref in sent:
            left = RECOVER_S - (time.monotonic() - began)
            until(partial(self._held, station, ref), deadline_s=left)
        took = (time.monotonic() - began) * 1_000
        found.setdefault(kind, []).append(took)
        return round(took)

    def _flash(self, station: Station) -> dict[str, Any]:
        """Send one, as soon as the station takes it."""
        return until(partial(self._try, station), deadline_s=RECOVER_S)

    def _try(self, station: Station) -> dict[str, Any]:
        """Send one; empty if the station cannot take it now."""
        self._probes += 1
        text = f"{CANARY} probe {self._probes}"
        try:
            ref = station.send(text, "flash")
        except Unavailable:
            ref = {}
        self._record.add([Sent(station.name, -1, text, "flash", ref or None)])
        return ref

    def _held(self, station: Station, ref: dict[str, Any]) -> bool:
        try:
            return station.held(ref, 2_000)
        except (Unavailable, Refused):
            return False

    def _sound(self) -> None:
        """Neither side has found anything that the other must not do."""
        for station in self._sites.stations:
            line = station.line()
            assert line["forks"] == 0, (station.name, line)
            assert not line["suspected"], (station.name, line)
            station.assert_alive()
