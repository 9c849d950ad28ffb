"""What the world does to a store: foreign files, wrong keys, full and failing disks, kill -9, flipped bytes."""

import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from openline.kernel.errors import Bug, Forbidden, Foreign, Malformed, Refused, Unavailable, Unknown
from openline.kernel.lane import GENERATION_ZERO, Lane
from openline.protocol.records import PutChunk, PutEvidence, PutGeneration, PutSnapshot
from openline.station.marks import Marks
from openline.stores.sqlite import SqliteStore
from openline.stores.sqlite.file import copy_without_epochs
from openline.stores.sqlite.schema import MIGRATIONS, Migration
from tests.contract.committing import KEY, text
from tests.contract.store_contract import (
    LANES,
    LINE,
    RECORD,
    TRAFFIC,
    URGENT,
    a_head,
    a_peer,
    an_entry,
    an_epoch,
    append,
    seen,
)

ROOT = Path(__file__).resolve().parents[2]
SECRET = "MARKED-CONTENT-OF-NOBODY"
LATEST = MIGRATIONS[-1].version
NEXT = Migration(
    version=LATEST + 1, sql="ALTER TABLE lines ADD COLUMN colour TEXT; CREATE TABLE later (a INTEGER) STRICT"
)
BROKEN = Migration(version=LATEST + 2, sql="CREATE TABLE half (a INTEGER) STRICT; INSERT INTO nowhere VALUES (1)")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def made(path: Path) -> SqliteStore:
    """A store with something of everything."""
    store = SqliteStore.create(path, KEY)
    store.add_line(RECORD)
    line = store.line(LINE)
    for start in range(0, 40, 10):
        line.commit([append(lane, start, *(f"{SECRET} {n}" for n in range(10))) for lane in LANES])
    line.commit([a_head(URGENT, 40, mldsa=b"m" * 2_420), a_head(TRAFFIC, 40), a_peer(epoch=an_epoch(3, holes=5))])
    line.commit([PutGeneration(party=0, generation=GENERATION_ZERO, seed=SECRET.encode())])
    line.commit([PutEvidence(party=0, evidence=SECRET.encode()), PutSnapshot(version=1, sizes=(), data=b"s" * 9_000)])
    line.commit([PutChunk(attachment=SECRET.encode().ljust(32), number=0, data=SECRET.encode() * 900)])
    store.put_setting("a", SECRET.encode())
    store.add_draft(LINE, "open", SECRET.encode())
    for _ in range(3):
        store.append_audit(SECRET.encode())
    return store


def shown(store: SqliteStore) -> list[object]:
    """Everything that a store shows."""
    audit, drafts = list(store.audit(0, 99)), list(store.drafts("open"))
    name = SECRET.encode().ljust(32)
    line = store.line(LINE)
    return [list(store.lines()), audit, drafts, store.setting("a"), line.chunk(name, 0), *seen(line)]


def files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_there_must_be_a_store(path: Path) -> None:
    with pytest.raises(Unknown):
        SqliteStore.open(path, KEY)
    assert list(path.parent.iterdir()) == []


def test_a_store_is_not_made_over_another(path: Path) -> None:
    made(path).close()
    before = path.read_bytes()
    with pytest.raises(Refused):
        SqliteStore.create(path, KEY)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00", b"x" * 4_096, b"short"])
def test_a_foreign_file_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises((Foreign, Malformed)):
        SqliteStore.open(path, KEY)
    assert path.read_bytes() == content
    assert [found.name for found in path.parent.iterdir()] == ["store.db"]


def test_a_database_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE about (name TEXT, value BLOB)")
        other.commit()
    before = path.read_bytes()
    with pytest.raises(Foreign):
        SqliteStore.open(path, KEY)
    assert path.read_bytes() == before


@pytest.mark.parametrize("keep", [0, 15, 99, 4_096, 8_191, -4_096, -1])
def test_a_truncated_store_is_refused(path: Path, keep: int) -> None:
    made(path).close()
    whole = path.read_bytes()
    path.write_bytes(whole[:keep])
    with pytest.raises(Malformed):
        SqliteStore.open(path, KEY)
    path.write_bytes(whole)
    SqliteStore.open(path, KEY).close()


def test_a_wrong_key_is_refused_and_nothing_changes(path: Path) -> None:
    made(path).close()
    before = path.read_bytes()
    with pytest.raises(Forbidden):
        SqliteStore.open(path, b"w" * 32)
    assert path.read_bytes() == before
    SqliteStore.open(path, KEY).close()


def test_a_second_opener_is_told(path: Path) -> None:
    store = made(path)
    with pytest.raises(Unavailable, match="another process"):
        SqliteStore.open(path, KEY)
    store.line(LINE).commit([append(URGENT, 40, "undisturbed")])
    store.close()
    SqliteStore.open(path, KEY).close()


def test_files_are_private(path: Path) -> None:
    store = made(path)
    assert {oct(found.stat().st_mode & 0o777) for found in path.parent.iterdir()} == {"0o600"}
    store.close()


def test_a_commit_is_synchronised(path: Path) -> None:
    store = made(path)
    asked = {
        name: store._database.connection.execute(f"PRAGMA {name}").fetchall()[0][0]
        for name in ("journal_mode", "synchronous", "secure_delete")
    }
    assert asked == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}
    store.close()


# --- sealing -------------------------------------------------------------------------------------------------


def test_no_content_reaches_the_disk_in_the_clear(path: Path) -> None:
    store = made(path)
    assert SECRET.encode() not in files(path.parent)
    assert RECORD.label.encode() not in files(path.parent)
    store.close()
    assert SECRET.encode() not in files(path.parent)


def test_rows_cannot_be_swapped(path: Path) -> None:
    made(path).close()
    with closing(sqlite3.connect(path)) as raw:
        (one,), (two,) = raw.execute("SELECT sealed FROM entries WHERE idx = 3 ORDER BY lane LIMIT 2").fetchall()
        raw.execute(
            "UPDATE entries SET sealed = iif(sealed = ?, ?, ?) WHERE sealed IN (?, ?)", (one, two, one, one, two)
        )
        raw.commit()
    with closing(SqliteStore.open(path, KEY)) as store, pytest.raises(Unavailable, match="damaged"):
        store.line(LINE).entries(URGENT, 3, 1)


def test_a_replaced_epoch_is_gone_from_the_files(path: Path) -> None:
    store = made(path)
    (old,) = store._database.rows((bytes,), "SELECT sealed FROM epochs")[0]
    assert old in files(path.parent)
    store.line(LINE).commit([a_peer(epoch=an_epoch(4))])
    store.close()
    assert old not in files(path.parent)


def test_no_copy_takes_epochs_along(path: Path) -> None:
    store = made(path)
    (epoch,) = store._database.rows((bytes,), "SELECT sealed FROM epochs")[0]
    copy = path.with_name("copy.db")
    assert copy_without_epochs(path, copy) == copy.stat().st_size
    store.line(LINE).commit([append(URGENT, 40, "the store goes on")])
    store.close()
    assert epoch not in copy.read_bytes()
    with closing(SqliteStore.open(copy, KEY)) as copied:
        assert copied.line(LINE).size(URGENT) == 40
        assert list(copied.line(LINE).peers()) == [a_peer()]


def test_a_flipped_byte_is_found_or_changes_nothing(path: Path) -> None:
    """Never another value. (In ten thousand flips one may hide a head or a chunk, which are made or fetched again.)"""
    store = made(path)
    truth = shown(store)
    store.close()
    whole, dice, outcomes = path.read_bytes(), random.Random(1), {"same": 0, "found": 0}
    for _ in range(400):
        at = dice.randrange(len(whole))
        path.write_bytes(whole[:at] + bytes((whole[at] ^ 1 << dice.randrange(8),)) + whole[at + 1 :])
        try:
            with closing(SqliteStore.open(path, KEY)) as store:
                assert shown(store) == truth, f"byte {at}"
                outcomes["same"] += 1
        except (Refused, Unavailable):
            outcomes["found"] += 1
        for rest in ("-wal", "-shm"):
            path.with_name(path.name + rest).unlink(missing_ok=True)
    assert outcomes["found"] > outcomes["same"] / 2 > 0


# --- migrations ----------------------------------------------------------------------------------------------


def test_an_older_store_is_copied_and_migrated(path: Path) -> None:
    store = made(path)
    truth = shown(store)
    store.close()
    with closing(SqliteStore.open(path, KEY, (*MIGRATIONS, NEXT))) as newer:
        assert newer._database.version() == LATEST + 1
        assert shown(newer) == truth
        assert newer._database.rows((type(None),), "SELECT colour FROM lines") == [(None,)]
    copy = path.with_name(f"store.db.before-{LATEST + 1}")
    with closing(SqliteStore.open(copy, KEY)) as older:
        assert older._database.version() == LATEST
        assert older.line(LINE).size(URGENT) == 40
        assert older.line(LINE).peers()[0].epoch is None
    with pytest.raises(Refused, match="newer program"):
        SqliteStore.open(path, KEY)
    with closing(SqliteStore.open(path, KEY, (*MIGRATIONS, NEXT))) as newer:
        newer.line(LINE).commit([append(URGENT, 40, "on")])


def test_a_migration_that_fails_leaves_its_version(path: Path) -> None:
    made(path).close()
    for _ in range(2):
        with pytest.raises(Bug):
            SqliteStore.open(path, KEY, (*MIGRATIONS, NEXT, BROKEN))
    with closing(SqliteStore.open(path, KEY, (*MIGRATIONS, NEXT))) as store:
        assert store._database.version() == LATEST + 1
        assert store._database.rows((int,), "SELECT 1 FROM sqlite_schema WHERE name = 'half'") == []


# --- the disk ------------------------------------------------------------------------------------------------


@contextmanager
def full_pages(store: SqliteStore) -> Iterator[None]:
    """The database may not grow."""
    ((pages,),) = store._database.rows((int,), "PRAGMA page_count")
    store._database.rows((int,), f"PRAGMA max_page_count={pages}")
    yield
    store._database.rows((int,), "PRAGMA max_page_count=4294967294")


@contextmanager
def failing_writes(store: SqliteStore) -> Iterator[None]:
    """The write-ahead log may not grow: writes fail in the middle of a transaction."""
    wal = store._database.path.with_name(store._database.path.name + "-wal")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size + 6_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def read_only(store: SqliteStore) -> Iterator[None]:
    """SQLite finds the database read-only."""
    store._database.rows((), "PRAGMA query_only=ON")
    yield
    store._database.rows((), "PRAGMA query_only=OFF")


@pytest.mark.parametrize("fault", [full_pages, failing_writes, read_only])
def test_a_failing_disk_is_unavailable_and_nothing_is_half_written(
    path: Path, fault: Callable[[SqliteStore], Iterator[None]]
) -> None:
    store = made(path)
    line, truth = store.line(LINE), shown(store)
    big = [append(URGENT, 40, *("x" * 9_000 for _ in range(20))), append(Lane(LINE, 2, GENERATION_ZERO), 0, "new")]
    with fault(store):  # type: ignore[attr-defined]
        for _ in range(3):
            with pytest.raises(Unavailable):
                line.commit([*big, a_peer(), a_head(URGENT, 60)])
        with pytest.raises(Unavailable):
            store.put_setting("b", b"x" * 100_000)
        assert shown(store) == truth
    line.commit(big)
    assert (line.size(URGENT), line.last_seq()) == (60, 181)
    store.close()
    with closing(SqliteStore.open(path, KEY)) as store:
        assert store.line(LINE).entries(URGENT, 59, 1)[0].entry == an_entry("x" * 9_000)


def test_a_copy_that_finds_no_room_leaves_nothing(path: Path) -> None:
    store = made(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(Unavailable):
            copy_without_epochs(path, path.with_name("copy.db"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [found.name for found in path.parent.glob("copy*")] == []
    store.close()


def test_a_folder_that_cannot_be_written(path: Path) -> None:
    made(path).close()
    lock = path.with_name("store.db.lock")
    lock.unlink()
    lock.mkdir()  # root may write everywhere, but not a folder as a file
    with pytest.raises(Unavailable):
        SqliteStore.open(path, KEY)
    lock.rmdir()
    SqliteStore.open(path, KEY).close()


@pytest.mark.full
def test_a_real_disk_full_and_read_only(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rm", "true"], capture_output=True).returncode:
        pytest.skip("no mount namespace may be made here")
    script = [sys.executable, "-m", "tests.contract.full_disk", str(tmp_path)]
    done = subprocess.run([unshare, "-rm", *script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout == "passed\n", done.stderr


def test_kill_9_loses_nothing_that_was_reported(tmp_path: Path) -> None:
    store = SqliteStore.create(tmp_path / "store.db", KEY)
    store.add_line(RECORD)
    store.close()
    dice, verified = random.Random(2), 0
    for _ in range(12):
        command = [sys.executable, "-m", "tests.contract.committing", str(tmp_path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            reported = 0
            for _ in range(dice.randrange(1, 60)):
                reported = int(child.stdout.readline())
            child.send_signal(signal.SIGKILL)
            rest = child.stdout.read().splitlines(keepends=True)
            reported = max([reported, *(int(said) for said in rest if said.endswith("\n"))])
        marks = Marks(tmp_path / "marks")
        mark = marks.read(LINE)
        marks.close()
        with closing(SqliteStore.open(tmp_path / "store.db", KEY)) as store:
            line = store.line(LINE)
            size = line.size(TRAFFIC)
            assert mark is not None
            assert size >= mark.traffic >= reported > verified
            for arrival in line.since(verified, size):
                assert arrival.row.entry == an_entry(text(arrival.seq - 1))
            head = line.last_head(TRAFFIC)
            assert head is not None
            assert head.head.size == line.last_seq() == size
            verified = reported


@pytest.mark.parametrize("name", ["store.db", "store.db-wal"])
def test_what_is_written_to_a_deleted_file_is_not_reported_as_durable(path: Path, name: str) -> None:
    """SQLite goes on writing into a file that has no name any more; the next start would know nothing of it."""
    with closing(made(path)) as store:
        line = store.line(LINE)
        size = line.size(TRAFFIC)
        path.with_name(name).rename(aside := path.with_name("aside"))
        with pytest.raises(Unavailable, match="moved or deleted"):
            line.commit([append(TRAFFIC, size, "lost")])
        path.with_name(name).write_bytes(aside.read_bytes())  # a copy is another file
        with pytest.raises(Unavailable, match="moved or deleted"):
            line.commit([append(TRAFFIC, size, "lost")])
        aside.rename(path.with_name(name))
        line.commit([append(TRAFFIC, size, "found again")])
        assert line.size(TRAFFIC) == size + 1
