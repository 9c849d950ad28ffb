"""The simulator's runs that every check includes, and proof that they would find what they look for.

    python -m tests.sim --seeds 1000 --jobs 2       as many as one likes

Spec: 5.9, 5.10, 7.1 to 7.6, 7.24, 9.6 to 9.16, 10.12, 11.4, 11.6, 13.2 to 13.11.
"""

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sim.planted.bugs import BUGS
from tests.sim.profiles import PROFILES
from tests.sim.runner import run

ROOT = Path(__file__).resolve().parents[2]
SEEDS = {
    "calm": 14, "network": 8, "thin": 2, "crash": 25, "clocks": 6, "restore": 14, "both-restored": 8,
    "epochs-lost": 6, "flood": 4, "quota": 3, "long": 1, "mixed": 8,
    "rotation": 10, "thin-300": 3, "one-way": 3, "bearers": 3, "mail-alone": 2,
    "calls": 6, "calls-restored": 3,
} | {name: 2 if name == "liar-greedy" else 4 for name in PROFILES if name.startswith("liar-")}  # fmt: skip
"""How many of each profile a check plays; with those of `every-output` about 210."""
SLICE = 3
EVERY_OUTPUT = 60
FAR = 100_000
"""Seeds here begin apart from those that a person tries first."""

Recorder = Callable[[str, object], None]


def play(profile: str, seeds: range, record: Recorder) -> None:
    """Run them all, then fail with every command that plays a failure again."""
    results = [run(seed, profile) for seed in seeds]
    record("simulated", [(r.hours, dict(r.faults)) for r in results])
    failures = [f"{r.failure}\n    {r.command}" for r in results if r.failure]
    assert not failures, "\n".join(failures)


def slices() -> list[tuple[str, int, int]]:
    """Profile, first seed and count: short enough that two cores share them well."""
    return [
        (name, FAR + first, min(SLICE, count - first))
        for name, count in SEEDS.items()
        for first in range(0, count, SLICE)
    ]


@pytest.mark.parametrize("profile,first,count", slices(), ids=str)
def test_stations_keep_their_word_whatever_happens(
    profile: str, first: int, count: int, record_property: Recorder
) -> None:
    play(profile, range(first, first + count), record_property)


@functools.cache
def outputs() -> int:
    """Between how many outputs the story of `every-output` can be cut."""
    return run(0, "every-output").outputs


@pytest.mark.parametrize("part", range(8))
def test_13_2_a_crash_between_two_outputs_loses_nothing(
    part: int, record_property: Recorder, pytestconfig: pytest.Config
) -> None:
    """Between any two in a full run, else between some of them."""
    step = 1 if pytestconfig.getoption("--full") else max(1, outputs() // EVERY_OUTPUT)
    play("every-output", range(1 + part * step, outputs(), 8 * step), record_property)


@pytest.mark.parametrize("profile", ["mixed", "liar-two-faces", "thin"])
def test_a_seed_gives_the_same_history_twice(profile: str) -> None:
    assert run(1, profile).fingerprint == run(1, profile).fingerprint


@pytest.mark.full
def test_a_seed_gives_the_same_history_whatever_the_order_of_hashing() -> None:
    """Sets of byte strings come out in another order in each process: what is sent must not follow it."""
    command = [sys.executable, "-m", "tests.sim", "--seed", "6", "--profile", "both-restored"]
    played = [
        subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=280, env={**os.environ, "PYTHONHASHSEED": order}
        )
        for order in ("0", "1")
    ]
    assert "good" in played[0].stdout
    assert played[0].stdout == played[1].stdout


def test_a_trace_changes_nothing() -> None:
    lines: list[str] = []
    assert run(2, "crash", trace=lines.append).fingerprint == run(2, "crash").fingerprint
    assert lines


@pytest.mark.full
@pytest.mark.parametrize("name", sorted(BUGS))
def test_a_planted_bug_is_found(name: str) -> None:
    """Ten classes at least: docs/simulator.md lists them all, with the check that found each."""
    found = subprocess.run(
        [sys.executable, "-m", "tests.sim", "--plant", name, "--seeds", "60", "--until-found"],
        cwd=ROOT, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert found.returncode == 1, found.stdout[-2_000:]
    assert any(f"FAILED {checker}:" in found.stdout for checker in BUGS[name].checkers), found.stdout[-2_000:]
