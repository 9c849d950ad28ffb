"""The high-water mark: durable, only growing, and older rather than wrong after a torn write."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openline.kernel.errors import Bug, Forbidden
from openline.kernel.lane import GENERATION_ZERO, Generation
from openline.protocol.records import Mark
from openline.station.marks import Marks

LINE, OTHER = b"\xab" * 32, b"\xcd" * 32
LATER = Generation(1, b"later567")


def mark(urgent: int, traffic: int = 0, generation: Generation = GENERATION_ZERO) -> Mark:
    return Mark(generation=generation, urgent=urgent, traffic=traffic)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "marks"


def file_of(folder: Path) -> Path:
    return folder / f"{LINE.hex()}.mark"


def test_a_mark_is_read_back_by_another_process(folder: Path) -> None:
    marks = Marks(folder)
    assert marks.read(LINE) is None
    for size in range(1, 6):
        marks.write(LINE, mark(size, 2**48 - 1))
        assert marks.read(LINE) == Marks(folder).read(LINE) == mark(size, 2**48 - 1)
    marks.write(OTHER, mark(1))
    assert Marks(folder).read(LINE) == mark(5, 2**48 - 1)


def test_a_mark_only_grows_within_a_generation(folder: Path) -> None:
    marks = Marks(folder)
    marks.write(LINE, mark(5, 5))
    for back in (mark(4, 6), mark(6, 4)):
        with pytest.raises(Bug):
            marks.write(LINE, back)
    marks.write(LINE, mark(5, 5))
    marks.write(LINE, mark(0, 1, LATER))
    with pytest.raises(Bug):
        marks.write(LINE, mark(9, 9))
    assert Marks(folder).read(LINE) == mark(0, 1, LATER)


@given(torn=st.integers(0, 63), junk=st.binary(min_size=64, max_size=64))
def test_a_torn_write_leaves_the_older_mark(tmp_path_factory: pytest.TempPathFactory, torn: int, junk: bytes) -> None:
    folder = tmp_path_factory.mktemp("torn")
    marks = Marks(folder)
    for size in range(1, 4):
        marks.write(LINE, mark(size))
    path = file_of(folder)
    raw = bytearray(path.read_bytes())
    place = 4_096  # of the third write
    if raw[place + torn : place + 64] == junk[torn:]:
        return
    raw[place + torn : place + 64] = junk[torn:]
    path.write_bytes(raw)
    again = Marks(folder)
    assert again.read(LINE) == mark(2)
    again.write(LINE, mark(7))
    assert Marks(folder).read(LINE) == mark(7)


def test_a_missing_foreign_or_destroyed_mark_is_none(folder: Path) -> None:
    marks = Marks(folder)
    marks.write(LINE, mark(1))
    path = file_of(folder)
    whole = path.read_bytes()
    (folder / f"{OTHER.hex()}.mark").write_bytes(whole)
    assert Marks(folder).read(OTHER) is None
    for content in (b"", whole[:63], bytes(8_192), whole[:4_096]):
        path.write_bytes(content)
        assert Marks(folder).read(LINE) is (None)
    path.unlink()
    assert Marks(folder).read(LINE) is None


def test_after_a_destroyed_mark_a_new_one_is_written(folder: Path) -> None:
    Marks(folder).write(LINE, mark(1))
    file_of(folder).write_bytes(b"x")
    marks = Marks(folder)
    assert marks.read(LINE) is None
    marks.write(LINE, mark(3, 0, LATER))
    assert Marks(folder).read(LINE) == mark(3, 0, LATER)


def test_a_removed_mark_is_gone(folder: Path) -> None:
    marks = Marks(folder)
    marks.write(LINE, mark(1))
    marks.remove(LINE)
    assert marks.read(LINE) is None
    marks.remove(LINE)


def test_a_folder_open_to_others_is_refused(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    with pytest.raises(Forbidden):
        Marks(folder)
