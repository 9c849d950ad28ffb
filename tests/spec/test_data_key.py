"""A new data key: all that was here opens, what is written from now on opens by no key of before, and a cut harms nothing."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from openline.kernel.errors import Forbidden, TooLarge, Unavailable
from openline.kernel.lane import Entry
from openline.protocol.records import Append, EntryRow
from openline.station.backup import restore_backup, write_backup
from openline.station.data_key import rotate_data_key
from openline.station.keystore import LANE, MOST_ROTATIONS, STATION, Keystore
from openline.station.places import Places
from openline.station.unlock import Passphrase, seal_secret
from openline.stores.sealing import Seal
from openline.stores.sqlite import SqliteStore
from tests.spec.station_files import ENTRIES, UNLOCK, Station, make_station

SEAL = Passphrase("another passphrase", 4)


@pytest.fixture
def station(tmp_path: Path) -> Station:
    made = make_station(tmp_path / "alpha")
    (tmp_path / "alpha" / "config.toml").write_text('name = "ALPHA"\n')
    with closing(SqliteStore.open(made.places.store, made.keys.data_key)) as store:
        store.put_setting("before", b"kept")
    return made


def rotate(station: Station) -> Keystore:
    assert rotate_data_key(station.places.folder, UNLOCK, os.urandom) == 1
    return Keystore.open(station.places.keys, UNLOCK, os.urandom)


def write_more(store: SqliteStore, station: Station) -> None:
    """An entry, a setting, an act and a draft."""
    body = Entry(kind=b"\x03", time=b"\x00", ack=b"\x80", body=b"after", secret=b"s" * 32)
    line = store.line(station.terms.line)
    nodes = line.entries(station.lane, ENTRIES - 1, 1)[0].nodes[:1]
    row = EntryRow(index=ENTRIES, nodes=nodes, entry=body)
    line.commit([Append(lane=station.lane, size=ENTRIES, rows=(row,))])
    store.put_setting("after", b"new")
    store.append_audit(b"four")
    store.add_draft(station.terms.line, "held", b"draft")


def test_everything_opens_after_it_and_what_is_new_does_not_open_by_the_old_key(station: Station) -> None:
    before = station.keys.data_key
    keys = rotate(station)
    assert keys.data_key[32:] == before
    assert keys.own == station.keys.own
    assert keys.psks(station.terms.line) == {1 - station.party: b"p" * 32}
    with closing(SqliteStore.open(station.places.store, keys.data_key)) as store:
        write_more(store, station)
        line = store.line(station.terms.line)
        assert len(line.entries(station.lane, 0, ENTRIES + 1)) == ENTRIES + 1
        assert (store.setting("before"), store.setting("after")) == (b"kept", b"new")
        assert [row.content for row in store.audit(0, 9)] == [b"one", b"two", b"three", b"four"]
        rows = store._database.rows(
            (bytes,), "SELECT sealed FROM settings WHERE name IN ('after', 'before') ORDER BY name"
        )
    old = Seal(before)
    assert [old.opens(b"setting" + name, row) for name, (row,) in zip((b"after", b"before"), rows, strict=True)] == [
        False,
        True,
    ]
    with pytest.raises(Forbidden):
        SqliteStore.open(station.places.store, before)


def test_a_line_has_a_new_key_too(station: Station) -> None:
    """Who had the store's key had those of its lines: they stand in it."""
    keys = rotate(station)
    with closing(SqliteStore.open(station.places.store, keys.data_key)) as store:
        _, line_key, _ = store._line_row(station.terms.line)
        assert len(line_key) == 64
        write_more(store, station)
        sql = "SELECT nodes, sealed FROM entries WHERE idx = ?"
        ((nodes, sealed),) = store._database.rows((bytes, bytes), sql, (ENTRIES,))
    place = b"entry" + station.lane.prefix + ENTRIES.to_bytes(8, "big") + nodes
    assert Seal(line_key[:32]).opens(place, sealed)
    assert not Seal(line_key[32:]).opens(place, sealed)


@pytest.mark.parametrize("times", [2, 5])
def test_it_goes_on_and_a_backup_has_all_keys(station: Station, tmp_path: Path, times: int) -> None:
    sizes = [len(rotate(station).data_key) for _ in range(times)]
    assert sizes[-1] == 32 * (times + 1)
    write_backup(tmp_path / "backup", station.places, UNLOCK, SEAL, os.urandom, files={})
    places = Places(tmp_path / "restored")
    restore_backup(tmp_path / "backup", places, SEAL, UNLOCK, os.urandom)
    restored = Keystore.open(places.keys, UNLOCK, os.urandom)
    with closing(SqliteStore.open(places.store, restored.data_key)) as store:
        assert len(store.line(station.terms.line).entries(station.lane, 0, ENTRIES)) == ENTRIES
        assert store.setting("before") == b"kept"


@pytest.mark.parametrize("written", range(4))
def test_cut_short_at_any_file_the_station_opens_and_the_same_call_finishes_it(station: Station, written: int) -> None:
    """The files in the order in which they are written; those after the cut are as before."""
    psk = next((station.places.keys / "psk").iterdir())
    late = [station.places.keys / LANE, psk, station.places.store][written:]
    before = {path: path.read_bytes() for path in late}
    rotate(station)
    for path, data in before.items():
        path.write_bytes(data)
    for _ in range(2):
        keys = Keystore.open(station.places.keys, UNLOCK, os.urandom)
        assert keys.psks(station.terms.line) == {1 - station.party: b"p" * 32}
        with closing(SqliteStore.open(station.places.store, keys.data_key)) as store:
            assert store.setting("before") == b"kept"
            assert len(store.line(station.terms.line).entries(station.lane, 0, ENTRIES)) == ENTRIES
        rotate(station)


def test_a_running_station_and_a_wrong_passphrase_change_nothing(station: Station) -> None:
    files = sorted(path for path in station.places.keys.rglob("*") if path.is_file())
    before = [path.read_bytes() for path in files]
    running = closing(SqliteStore.open(station.places.store, station.keys.data_key))
    with running, pytest.raises(Unavailable, match="another process"):
        rotate_data_key(station.places.folder, UNLOCK, os.urandom)
    with pytest.raises(Forbidden):
        rotate_data_key(station.places.folder, SEAL, os.urandom)
    assert [path.read_bytes() for path in files] == before


def test_so_many_rotations_and_no_more(station: Station) -> None:
    master = os.urandom(32 * MOST_ROTATIONS)
    keys = station.keys
    (station.places.keys / STATION).write_bytes(seal_secret(UNLOCK, master, STATION.encode(), os.urandom))
    with pytest.raises(TooLarge):
        keys.rotate_data(UNLOCK)
