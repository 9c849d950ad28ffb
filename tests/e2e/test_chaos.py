"""Two real stations, every class of fault, and both sides compared: the short run. The long one: docs/chaos.md."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e.chaos.checker import check_record
from tests.e2e.chaos.faults import FAULTS, plan
from tests.e2e.chaos.load import CANARY, Record, Sent
from tests.e2e.chaos.post import PREFIX
from tests.e2e.chaos.rig import paired_template
from tests.e2e.chaos.sites import sites, sweep, unavailable
from tests.e2e.chaos.storm import Storm
from tests.waiting import until

SHORT = (
    "kill", "kill-both", "kill-in-commit", "stop", "clock-forward", "clock-back", "disk-full", "disk-slow",
    "disk-fails", "north-cut", "all-cut", "flapping", "all-swallow", "relay-flips-bits", "relay-severs",
    "relay-half-open", "relay-stalls", "folder-repeats", "nats-killed", "only-nats", "only-serial",
)  # fmt: skip
needs_sites = pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "they can be made")


@pytest.mark.full
@needs_sites
def test_through_every_class_of_fault_nothing_is_lost_doubled_or_out_of_order(tmp_path: Path) -> None:
    seed, file = 20_261_122, tmp_path / "report.json"
    with sites(paired_template(), tmp_path / "pair", seed) as two:
        storm = Storm(two, plan(seed, len(SHORT), longest_s=1.5, only=SHORT), seed, file=file, awaited=("tls", "nats"))
        report = storm.run()
    assert report.counts["accepted"] > 100
    assert {step["kind"] for step in report.steps} == set(SHORT)
    said = json.loads(file.read_text())
    assert (said["complete"], said["lost"], said["doubled"], said["to_come"]) == (True, 0, 0, [])


@pytest.mark.full
@needs_sites
def test_a_run_that_is_killed_leaves_its_report_and_no_process(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    words = ["--only", "north-cut", "--steps", "1000", "--longest", "0.1", "--report", str(report)]
    run = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.chaos", *words],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    try:
        until(lambda: report.exists() or run.poll() is not None, deadline_s=300)
        assert run.poll() is None
        until(lambda: len(_processes(tmp_path, run.pid)) == 4)  # what a server begins looks like it for a moment
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    assert json.loads(report.read_text())["steps"]
    until(lambda: not _processes(tmp_path, run.pid))
    sweep()
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


def _processes(folder: Path, run: int) -> list[str]:
    """Stations whose home is in that folder, and the servers of that run."""
    places = str(folder).encode(), f"{PREFIX}{run}-".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment, words = (process / "environ").read_bytes(), (process / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        server = words.startswith((b"/usr/sbin/nats-server", b"/usr/sbin/dovecot")) and any(
            place in words for place in places
        )
        if server or b"OPENLINE_HOME=" + str(folder).encode() in environment:
            found.append(process.name)
    return found


def test_a_plan_is_its_seeds_alone_and_has_every_class() -> None:
    steps = plan(7, 3 * len(FAULTS))
    assert steps == plan(7, 3 * len(FAULTS))
    assert steps != plan(8, 3 * len(FAULTS))
    assert {step.kind for step in steps[: len(FAULTS)]} == set(FAULTS)
    assert any(step.beside for step in steps)
    assert plan(7, 5) == steps[:5]
    routes = [step.route for step in steps[: len(FAULTS)]]
    assert sum(before != after for before, after in pairwise(routes)) == 2  # going another way takes time


# --- the checker can fail ---


def _said(number: int) -> Sent:
    ref = {"lane": 1, "generation": "0", "index": number, "leaf": f"{number:064x}"}
    return Sent("ALPHA", 0, f"{CANARY} {number}", "routine", ref)


FOUND = {one.place: ("ALPHA", "routine", one.text, f"{number:064x}") for number in range(3) for one in [_said(number)]}


def test_the_checker_is_content_with_what_is_there_once_and_in_order() -> None:
    counts = check_record(FOUND, Record([_said(0), replace(_said(1), ref=None), _said(2)]))
    assert (counts["accepted"], counts["unanswered_kept"]) == (2, 1)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda found: found.pop((1, "0", 1)),
        lambda found: found.update({(1, "0", 9): found[1, "0", 1]}),
        lambda found: found.update({(1, "0", 1): ("ALPHA", "routine", f"{CANARY} 1", "ff" * 32)}),
        lambda found: found.update({(1, "0", 1): ("BRAVO", "routine", f"{CANARY} 1", f"{1:064x}")}),
        lambda found: found.update({(1, "0", 9): ("ALPHA", "routine", f"{CANARY} nobody", "00" * 32)}),
    ],
    ids=["lost", "doubled", "another entry", "another author", "said by nobody"],
)
def test_the_checker_finds(spoil: Callable[[dict], object]) -> None:
    found = dict(FOUND)
    spoil(found)
    with pytest.raises(AssertionError):
        check_record(found, Record([_said(0), _said(1), _said(2)]))


def test_the_checker_finds_another_order() -> None:
    with pytest.raises(AssertionError, match="out of order"):
        check_record(FOUND, Record([_said(1), _said(0), _said(2)]))
