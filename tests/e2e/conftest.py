"""What several of these tests are given."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.chaos.rig import Rig, paired_template, rig


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Rig]:
    """Two paired stations with a proxy on each way between them, not started."""
    with rig(paired_template(), tmp_path) as made:
        yield made
