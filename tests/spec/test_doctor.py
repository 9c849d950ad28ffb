"""What the doctor finds, each trouble made by hand."""

import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from openline.kernel.lane import GENERATION_ZERO
from openline.kernel.units import Instant
from openline.protocol.records import Append, Mark
from openline.station.doctor import Severity, examine
from openline.station.keystore import Keystore
from openline.station.marks import Marks
from openline.station.places import Places
from openline.station.unlock import Passphrase, Unlock
from openline.stores.sqlite import SqliteStore
from tests.spec.station_files import ENTRIES, NOW, UNLOCK, Station, make_station


@pytest.fixture
def station(tmp_path: Path) -> Station:
    station = make_station(tmp_path / "alpha")
    (station.places.keys / "root.key").rename(tmp_path / "root.key")
    return station


def troubles(places: Places, unlock: Unlock | None = UNLOCK, now: Instant = NOW) -> set[str]:
    found = examine(places, unlock, now, os.urandom)
    for finding in found:
        assert finding.what.endswith(".")
        assert finding.do or finding.severity in {Severity.GOOD, Severity.NOTE}
    return {finding.code for finding in found if finding.severity in {Severity.FAULT, Severity.WARNING}}


def codes(places: Places, now: Instant = NOW) -> set[str]:
    return {finding.code for finding in examine(places, UNLOCK, now, os.urandom)}


def test_a_sound_station_has_no_trouble(station: Station) -> None:
    assert troubles(station.places) == set()
    assert {"keys", "store", "mark", "permissions", "root-away", "stopped"} <= codes(station.places)
    assert troubles(station.places, None) == set()


def test_the_doctor_changes_nothing_and_works_beside_the_station(station: Station) -> None:
    with closing(SqliteStore.open(station.places.store, station.keys.data_key)) as store:
        assert troubles(station.places) == set()
        assert "running" in codes(station.places)
        store.put_setting("still", b"open")


def test_a_station_whose_store_was_deleted_under_way_is_known_to_run(station: Station) -> None:
    shutil.rmtree(station.places.store.parent)
    (station.places.folder / "run").mkdir(mode=0o700)
    with (station.places.folder / "run" / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "running" in codes(station.places)
    assert "stopped" in codes(station.places)


Trouble = Callable[[Station], object]


def behind(station: Station) -> None:
    Marks(station.places.marks).write(
        station.terms.line, Mark(generation=GENERATION_ZERO, urgent=ENTRIES + 1, traffic=0)
    )


def forge_entry(station: Station) -> None:
    """An entry that opens under the store's key, and is not the one whose hash stands beside it."""
    with closing(SqliteStore.open(station.places.store, station.keys.data_key)) as store:
        line = store.line(station.terms.line)
        copied = replace(line.entries(station.lane, ENTRIES - 1, 1)[0], index=ENTRIES)
        line.commit([Append(lane=station.lane, size=ENTRIES, rows=(copied,))])


def raw(sql: str) -> Trouble:
    def apply(station: Station) -> None:
        with closing(sqlite3.connect(station.places.store)) as database:
            database.execute(sql)
            database.commit()

    return apply


TROUBLES: dict[str, Trouble] = {
    "permissions": lambda station: (station.places.keys / "lane.key").chmod(0o644),
    "root-here": lambda station: (station.places.keys / "root.key").touch(0o600),
    "no-store": lambda station: station.places.store.unlink(),
    "store-damaged": lambda station: os.truncate(station.places.store, 9_000),
    "key-missing": lambda station: (station.places.keys / "lane.key").unlink(),
    "key-damaged": lambda station: os.truncate(station.places.keys / "lane.key", 99),
    "psk-missing": lambda station: station.keys.drop_psks(station.terms.line),
    "damaged-hash": forge_entry,
    "damaged-row": raw("UPDATE entries SET sealed = zeroblob(99) WHERE idx = 3"),
    "damaged-arrivals": raw("UPDATE entries SET place = place + 5 WHERE idx = 69"),
    "damaged-audit": raw("DELETE FROM audit WHERE number = 2"),
    "mark": behind,
}


def test_what_a_line_can_do_without_is_no_reason_to_restore(station: Station) -> None:
    """A damaged pairing key or card stops nothing, and what helps is neither a backup nor a new station."""
    for path in ((psk := next((station.places.keys / "psk").iterdir())), station.places.folder / "card.txt"):
        os.truncate(path, path.stat().st_size // 2)
    assert troubles(station.places) == {"psk-missing", "card-file"}
    assert station.keys.psks(station.terms.line) == {}
    assert set(station.keys.secrets(UNLOCK)) == {"station.key", "lane.key"}
    psk.unlink()
    (station.places.folder / "card.txt").unlink()
    assert troubles(station.places) == {"psk-missing", "card-file"}
    said = [one.do for one in examine(station.places, UNLOCK, NOW, os.urandom)]
    assert not any("backup" in do for do in said), said


def test_what_may_not_be_written_is_not_called_damaged(station: Station) -> None:
    next(station.places.marks.iterdir()).chmod(0)
    # Root may write everything, unless that right is taken away.
    without = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
    doctor = (sys.executable, "-m", "openline", "doctor", "--sealed", "--json", "--home", str(station.places.folder))
    told = json.loads(subprocess.run([*without, *doctor], capture_output=True, check=False).stdout)["findings"]
    faults = {one["code"] for one in told if one["severity"] == "fault"} - {"configuration"}  # there is none
    assert faults == {"not-writable"}


@pytest.mark.parametrize("code", TROUBLES)
def test_each_trouble_is_found(station: Station, code: str) -> None:
    TROUBLES[code](station)
    assert code in troubles(station.places)


def test_a_missing_mark_is_told(station: Station) -> None:
    shutil.rmtree(station.places.marks)
    assert troubles(station.places) == {"mark"}


def test_an_entry_that_vanished_is_found(station: Station) -> None:
    raw("DELETE FROM entries WHERE idx = 69")(station)
    assert {"mark"} <= troubles(station.places)
    raw("DELETE FROM entries WHERE idx = 12")(station)
    assert {"damaged-row"} <= troubles(station.places)


def test_a_wrong_passphrase_is_told(station: Station) -> None:
    assert troubles(station.places, Passphrase("battery staple", 4)) == {"locked"}


def test_keys_of_another_station_are_told(station: Station, tmp_path: Path) -> None:
    shutil.rmtree(station.places.keys)
    Keystore.create(station.places.keys, UNLOCK, os.urandom)
    assert "other-key" in troubles(station.places)


def test_a_clock_behind_the_program_is_told(station: Station) -> None:
    assert troubles(station.places, now=Instant(1_000)) == {"clock"}


def test_an_old_card_is_told(station: Station) -> None:
    assert troubles(station.places, now=Instant(NOW + 401 * 86_400_000)) == {"card-expired"}
    assert "card-expires" in codes(station.places, Instant(NOW + 380 * 86_400_000))


def test_left_over_files_are_told(station: Station) -> None:
    (station.places.store.parent / "store.db.part").write_bytes(b"")
    (station.places.store.parent / "store.db.part").chmod(0o600)
    assert "leftovers" in codes(station.places)
    assert troubles(station.places) == set()


def test_no_station_is_said_so(tmp_path: Path) -> None:
    assert troubles(Places(tmp_path / "nowhere")) == {"no-station"}
    (tmp_path / "empty").mkdir(mode=0o700)
    assert {"no-store", "key-missing"} <= troubles(Places(tmp_path / "empty"))
