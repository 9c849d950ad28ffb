"""The models of spec/models hold, and each fails when a guard it is about is taken away.

They are of the clauses that no test can cover by examples: 13.1, 13.2, 13.4, 13.5, 13.6, 13.8, 13.10, 13.11 (lanes,
restart, restore), 7.1, 7.2, 7.3, 7.6, 9.15, 9.17 (delivery over bearers that lose).
"""

import re
import shutil
from pathlib import Path

import pytest

from tests.spec.spin import BROKEN, MODELS, SOUND, Search, search

DOCUMENT = MODELS.parents[1] / "docs" / "models.md"
NEEDS_SPIN = pytest.mark.skipif(not (shutil.which("spin") and shutil.which("gcc")), reason="needs spin and gcc")
LEAST_STATES = 10_000
"""A model with fewer states than this has been emptied by accident."""


@pytest.mark.full
@NEEDS_SPIN
@pytest.mark.parametrize("run", SOUND, ids=lambda run: run.name)
def test_a_model_holds_in_every_state(run: Search, tmp_path: Path) -> None:
    found = search(run, tmp_path)
    assert found.errors == 0, found.text
    assert found.complete, found.text
    assert found.unreached == [], "what no run comes to proves nothing"
    assert found.states > LEAST_STATES, found.text


@pytest.mark.full
@NEEDS_SPIN
@pytest.mark.parametrize("run", BROKEN, ids=lambda run: run.name)
def test_a_model_fails_without_its_guard(run: Search, tmp_path: Path) -> None:
    found = search(run, tmp_path)
    assert re.search(run.finds, found.text), found.text
    assert found.errors == 1
    assert found.trail, "the run that fails can be looked at"


def test_every_guard_of_a_model_is_taken_away_once_and_explained() -> None:
    for model in sorted(MODELS.glob("*.pml")):
        text = model.read_text()
        taken = {run.defines[0] for run in BROKEN if run.model == model.stem}
        head = text[: text.index("*/")]
        named = set(re.findall(r"[A-Z_]{5,}", head.partition("Taken away with -D:")[2]))
        assert named == taken, model.name
        assert all(re.search(rf"#(ifn?def) {word}\b", text) for word in taken), model.name
        assert len(taken) >= 2
        assert any(run.model == model.stem for run in SOUND)
    assert all(f"`{word}`" in DOCUMENT.read_text() for run in BROKEN for word in run.defines)


def test_every_model_names_clauses_that_exist() -> None:
    law = "".join(path.read_text() for path in MODELS.parent.glob("*.md"))
    for model in MODELS.glob("*.pml"):
        head = model.read_text().partition("Models:")[2].partition("\n *\n")[0]
        numbers = re.findall(r"\b\d+\.\d+\b", head)
        assert len(numbers) >= 4, model.name
        assert [number for number in numbers if f"**{number}**" not in law] == [], model.name
