"""What reads bytes from outside accepts or refuses them, and does nothing else (2.5, 12.1, 12.7).

Here the corpus and all former findings are replayed; `--full` also fuzzes each target for a moment. See docs/fuzzing.md.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.session import fuzz
from fuzz.table import HONEST, TARGETS
from fuzz.target import CORPUS, FOLDER, Target, accepted

DOCUMENT = FOLDER.parent / "docs" / "fuzzing.md"
MOST_BYTES = 2_000_000
SECONDS = 1
SEED = 1
"""Of every run here: the same tree gives the same inputs. To search further: python -m fuzz."""
NEEDS_ATHERIS = pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="needs atheris")
named = pytest.mark.parametrize("target", HONEST.values(), ids=HONEST)


@named
def test_the_corpus_is_accepted_or_refused(target: Target) -> None:
    run = target.make()
    inputs = list(target.inputs())
    outcomes = []
    for path in inputs:
        data = path.read_bytes()
        assert len(data) <= target.largest, path.name
        outcomes.append(accepted(run, data))
    assert any(outcomes), "a target that refuses everything tests nothing"
    assert len(inputs) >= 2


@pytest.mark.full
@NEEDS_ATHERIS
@named
def test_a_moments_fuzzing_finds_nothing(target: Target, tmp_path: Path) -> None:
    report = fuzz(target, seconds=SECONDS, keep=tmp_path, seed=SEED)
    assert report.finding is None, f"{report.said}\n{report.finding!r}"
    assert report.executions > report.corpus
    assert report.coverage > 10, "nothing was instrumented"


@pytest.mark.full
@NEEDS_ATHERIS
@pytest.mark.parametrize("target", [target for target in TARGETS.values() if target.known_bug], ids=lambda it: it.name)
def test_a_known_bug_is_found(target: Target) -> None:
    """The fuzzer and its oracle are themselves shown to work: from an empty corpus to the finding."""
    report = fuzz(target, runs=300_000, seed=SEED)
    assert report.finding is not None, report.said
    with pytest.raises((IndexError, AssertionError)):
        accepted(target.make(), report.finding)


def test_a_known_bug_is_neither_accepted_nor_refused() -> None:
    run = TARGETS["canary-state"].make()
    assert accepted(run, b"\x01\x01")
    assert not accepted(run, b"\x01\xff")
    with pytest.raises(AssertionError):
        accepted(run, b"\x42\xff")


def test_the_corpus_is_small_and_every_target_is_documented() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < MOST_BYTES
    assert {path.name for path in CORPUS.iterdir()} == set(HONEST)
    text = DOCUMENT.read_text()
    assert [name for name in TARGETS if f"`{name}`" not in text] == []


def test_what_cannot_be_fuzzed_is_said() -> None:
    done = subprocess.run([sys.executable, "-m", "fuzz", "nothing"], cwd=FOLDER.parent, capture_output=True, text=True)
    assert done.returncode == 1
    assert "envelope" in done.stdout
