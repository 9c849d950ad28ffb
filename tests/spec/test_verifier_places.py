"""The two independent verifiers, where the folder itself lies: links, and lanes in each other's place. Spec 14.2, 14.8."""

from pathlib import Path

import pytest

from openline.archive.layout import statement_file, statement_place
from openline.kernel.lane import Generation
from tests.spec.test_verifiers import PROGRAMS, make, run


@pytest.mark.parametrize("program", PROGRAMS)
def test_14_8_a_link_to_a_folder_was_added_to_the_lane(program: list[str], tmp_path: Path) -> None:
    """Whoever copies the lane copies what stands behind it."""
    folder = make(tmp_path / "0.0", 3)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/added").write_text("not signed by anybody")
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    done = run(program, folder)
    assert (done.returncode, "does not belong to the lane" in done.stdout) == (1, True), done.stdout


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("name", ["checkpoint", "opened.jsonl", "tile", "tile/0"])
def test_14_8_a_link_in_the_place_of_a_file_or_folder_is_wrong(program: list[str], name: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "0.0", 3)
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    assert run(program, folder).returncode == 1


@pytest.mark.parametrize("program", PROGRAMS)
def test_14_2_a_lane_in_the_place_of_another_is_wrong(program: list[str], tmp_path: Path) -> None:
    make(tmp_path / "lanes" / "0.0", 3)
    make(tmp_path / "lanes" / "1.0", 3)
    done = run(program, tmp_path)
    assert done.returncode == 1
    assert [line.split()[0] for line in done.stdout.splitlines() if "lanes" in line] == ["RIGHT", "WRONG"]


def test_14_1_a_key_statement_has_one_place() -> None:
    """Else a folder has two files for one, of which a reader takes the first and another one the last."""
    generation = Generation(1, bytes(8))
    assert statement_place(statement_file(0, generation)) == (0, generation)
    assert statement_place(statement_file(15, generation)) == (15, generation)
    for party in ("00", "01", "015", "", "-1"):
        assert statement_place(f"statements/{party}.{generation}") is None
