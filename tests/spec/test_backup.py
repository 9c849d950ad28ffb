"""Backups: all that a station needs to go on, nothing that must not be copied, and no damage that goes unseen."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from openline.kernel.crypto import digest
from openline.kernel.errors import Conflict, Forbidden, Foreign, Forged, Malformed, Refused, Unknown
from openline.kernel.lane import GENERATION_ZERO
from openline.protocol.records import Append, Mark
from openline.station.backup import (
    _head,
    _open_stream,
    _read_items,
    _seal_stream,
    check_backup,
    restore_backup,
    write_backup,
)
from openline.station.keystore import Keystore
from openline.station.marks import Marks
from openline.station.places import Places
from openline.station.unlock import Passphrase, seal_secret
from openline.stores.sqlite import SqliteStore
from tests.spec.station_files import ENTRIES, UNLOCK, Station, make_station
from tests.waiting import until

SEAL = Passphrase("another passphrase", 4)
NEW = Passphrase("a third passphrase", 4)
CHUNK = 65_536 + 16
FILES = {"config.toml": b'name = "ALPHA"\n'}


@pytest.fixture
def station(tmp_path: Path) -> Station:
    made = make_station(tmp_path / "alpha")
    with closing(SqliteStore.open(made.places.store, made.keys.data_key)) as store:
        store.put_setting("large", bytes(100_000))  # so that a backup has more than two chunks
    return made


@pytest.fixture
def backup(station: Station, tmp_path: Path) -> Path:
    target = tmp_path / "alpha.backup"
    write_backup(target, station.places, UNLOCK, SEAL, os.urandom, files=FILES)
    return target


def test_a_restored_station_has_everything_but_epochs_marks_and_root(
    station: Station, backup: Path, tmp_path: Path
) -> None:
    places = Places(tmp_path / "restored")
    report = restore_backup(backup, places, SEAL, NEW, os.urandom)
    assert (report.files, report.lines, report.size) == (FILES, 1, backup.stat().st_size)
    keys = Keystore.open(places.keys, NEW, os.urandom)
    assert (keys.data_key, keys.certificate) == (station.keys.data_key, station.keys.certificate)
    assert keys.psks(station.terms.line) == {1 - station.party: b"p" * 32}
    assert not places.marks.exists()
    with pytest.raises(Unknown):
        keys.root(NEW)
    old = SqliteStore.open(station.places.store, keys.data_key)
    new = SqliteStore.open(places.store, keys.data_key)
    with closing(old), closing(new):
        before, after = old.line(station.terms.line), new.line(station.terms.line)
        assert list(after.since(0, 999)) == list(before.since(0, 999))
        assert len(after.since(0, 999)) == ENTRIES
        assert list(after.generations()) == list(before.generations())
        assert (list(new.lines()), list(new.audit(0, 9))) == (list(old.lines()), list(old.audit(0, 9)))
        (peer,) = before.peers()
        assert peer.epoch is not None
        assert list(after.peers()) == [replace(peer, epoch=None, previous=None)]


def test_a_backup_is_made_beside_a_running_station(station: Station, tmp_path: Path) -> None:
    with closing(SqliteStore.open(station.places.store, station.keys.data_key)) as store:
        write_backup(tmp_path / "b", station.places, UNLOCK, SEAL, os.urandom, files={})
        store.put_setting("still", b"open")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alpha", "b"]
    assert check_backup(tmp_path / "b", SEAL) > 0


def say_without_mark(station: Station) -> int:
    """One more entry is committed, and its mark is not written; returns the lane's size."""
    with closing(SqliteStore.open(station.places.store, station.keys.data_key)) as store:
        line = store.line(station.terms.line)
        (row,) = line.entries(station.lane, ENTRIES - 1, 1)
        line.commit([Append(lane=station.lane, size=ENTRIES, rows=(replace(row, index=ENTRIES, nodes=row.nodes[:1]),))])
    return ENTRIES + 1


def test_13_10_what_has_no_mark_yet_is_in_no_backup(station: Station, tmp_path: Path) -> None:
    """Put back after an older one, it would be signed beside what was said meanwhile (spec/models/restore.pml)."""
    say_without_mark(station)
    with pytest.raises(Conflict):
        write_backup(tmp_path / "b", station.places, UNLOCK, SEAL, os.urandom, files={}, marks_s=0.0)
    assert [path.name for path in tmp_path.iterdir()] == ["alpha"]


def test_13_10_a_backup_beside_a_running_station_waits_for_the_mark(station: Station, tmp_path: Path) -> None:
    size = say_without_mark(station)
    part = tmp_path / "b.store.part"

    def mark() -> None:
        until(part.exists)
        with closing(Marks(station.places.marks)) as marks:
            marks.write(station.terms.line, Mark(generation=GENERATION_ZERO, urgent=size, traffic=0))

    with ThreadPoolExecutor(1) as beside:
        done = beside.submit(mark)
        write_backup(tmp_path / "b", station.places, UNLOCK, SEAL, os.urandom, files={}, marks_s=60.0)
        done.result()
    assert check_backup(tmp_path / "b", SEAL) > 0


def test_nothing_in_a_backup_is_in_the_clear(backup: Path) -> None:
    content = backup.read_bytes()
    for planted in (b"SQLite", b"config.toml", b"ALPHA", b"p" * 32, b"station.key"):
        assert planted not in content
    assert oct(backup.stat().st_mode & 0o777) == "0o600"


def test_a_backup_opens_with_its_own_passphrase_alone(backup: Path, tmp_path: Path) -> None:
    for wrong in (UNLOCK, NEW):
        with pytest.raises(Forbidden):
            restore_backup(backup, Places(tmp_path / "new"), wrong, NEW, os.urandom)
    restore_backup(backup, Places(tmp_path / "new"), SEAL, NEW, os.urandom)


def test_nothing_is_overwritten(station: Station, backup: Path, tmp_path: Path) -> None:
    with pytest.raises(Conflict):
        write_backup(backup, station.places, UNLOCK, SEAL, os.urandom, files={})
    with pytest.raises(Conflict):
        restore_backup(backup, station.places, SEAL, NEW, os.urandom)


def start_of(backup: bytes) -> int:
    """Where the chunks begin."""
    return 18 + 4 + int.from_bytes(backup[18:22], "big")


def test_a_backup_cut_anywhere_is_refused(backup: Path, tmp_path: Path) -> None:
    whole = backup.read_bytes()
    first = start_of(whole)
    cuts = [0, 5, 18, 60, first, first + 1, first + CHUNK, first + CHUNK + 1, first + 2 * CHUNK]
    for size in [*cuts, len(whole) - 16, len(whole) - 1]:
        backup.write_bytes(whole[:size])
        with pytest.raises((Malformed, Foreign)):
            check_backup(backup, SEAL)
        places = Places(tmp_path / "new")
        with pytest.raises((Malformed, Foreign)):
            restore_backup(backup, places, SEAL, NEW, os.urandom)
        assert not places.keys.exists()
        assert list(places.store.parent.iterdir()) == []


def test_chunks_cannot_be_changed_moved_or_added(backup: Path) -> None:
    whole = backup.read_bytes()
    assert len(whole) > 2 * CHUNK
    for at in range(20, len(whole), 7_001):
        backup.write_bytes(whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :])
        with pytest.raises(Refused):
            check_backup(backup, SEAL)
    start = start_of(whole)
    one, two = whole[start : start + CHUNK], whole[start + CHUNK : start + 2 * CHUNK]
    rest = whole[start + 2 * CHUNK :]
    for content in (two + one + rest, one + rest, one + one + two + rest, one + two + rest + rest):
        backup.write_bytes(whole[:start] + content)
        with pytest.raises((Forged, Malformed)):
            check_backup(backup, SEAL)
    backup.write_bytes(whole)
    check_backup(backup, SEAL)


def test_what_is_no_backup_is_said_so(station: Station, tmp_path: Path) -> None:
    with pytest.raises(Unknown):
        check_backup(tmp_path / "nowhere", SEAL)
    with pytest.raises(Foreign):
        check_backup(station.places.store, SEAL)


def sealed(target: Path, items: dict[str, bytes]) -> Path:
    """A file that is a backup in form, of any items."""
    key = os.urandom(32)
    sealed_key = seal_secret(SEAL, key, b"backup", os.urandom)
    header = b"openline/1 backup\n" + len(sealed_key).to_bytes(4, "big") + sealed_key
    with target.open("wb") as out:
        out.write(header)
        _seal_stream(out, (_head(name, len(data)) + data for name, data in items.items()), key, digest(header))
    return target


@pytest.mark.parametrize(
    "name",
    [
        "files/../outside",
        "files//outside",
        "files/a/b",
        "files/",
        "files/..",
        "elsewhere",
        "",
        "files/a\n",
        "../store.db",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(backup: Path, tmp_path: Path, name: str) -> None:
    """Whoever hands over a backup with its passphrase chooses no place on this machine."""
    with backup.open("rb") as file:
        store = BytesIO()
        items = _read_items(_open_stream(file, SEAL), store)
    items["store.db"] = store.getvalue()
    restore_backup(sealed(tmp_path / "same", items), Places(tmp_path / "fine"), SEAL, NEW, os.urandom)
    hostile = sealed(tmp_path / "hostile", {**items, name: b"planted"})
    with pytest.raises(Malformed):
        restore_backup(hostile, Places(tmp_path / "new" / "home"), SEAL, NEW, os.urandom)
    assert not list(tmp_path.rglob("outside"))
