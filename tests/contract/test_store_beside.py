"""Reading the SQLite store while a commit of another thread waits for its disk (decision 0010)."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from openline.kernel.lane import GENERATION_ZERO, Lane
from openline.ports import LineHistory, LineTest
from openline.protocol.records import DropChunks, PutChunk, PutEvidence, PutGeneration, PutSnapshot, Write
from openline.stores.sqlite import SqliteStore
from tests.contract.slow_disk import DEADLINE_S, SlowDisk, slow_disk
from tests.contract.store_contract import (
    LANES,
    LATER,
    LINE,
    RECORD,
    THEIRS,
    TRAFFIC,
    URGENT,
    a_head,
    a_peer,
    an_epoch,
    append,
    seen,
)
from tests.sim.memory_store import MemoryStore

KEY = b"k" * 32
FIRST: list[Write] = [
    append(URGENT, 0, "a", "b"),
    append(THEIRS, 0, "c"),
    a_head(URGENT, 2),
    a_peer(epoch=an_epoch(1)),
    PutGeneration(party=0, generation=GENERATION_ZERO, seed=b"s" * 32),
    PutChunk(attachment=bytes(32), number=0, data=b"chunk"),
]
SECOND: list[Write] = [
    append(URGENT, 2, "d", "e"),
    append(TRAFFIC, 0, "f"),
    append(Lane(LINE, 0, LATER), 0, "g"),
    a_head(URGENT, 4),
    a_head(TRAFFIC, 1),
    a_peer(epoch=an_epoch(2)),
    PutGeneration(party=0, generation=LATER, seed=b"t" * 32),
    PutEvidence(party=1, evidence=b"e"),
    DropChunks(attachment=bytes(32)),
    PutSnapshot(version=1, sizes=(), data=b"x"),
]


def shown(*commits: list[Write]) -> list[object]:
    """What a line shows after these commits."""
    line = MemoryStore(LINE)
    for commit in commits:
        line.commit(commit)
    return seen(line)


@pytest.fixture
def disk() -> Iterator[SlowDisk]:
    with slow_disk() as disk:
        yield disk


@pytest.fixture
def store(tmp_path: Path, disk: SlowDisk) -> Iterator[SqliteStore]:
    with closing(SqliteStore.create(tmp_path / "store.db", KEY)) as store:
        store.add_line(RECORD)
        store.line(LINE).commit(FIRST)
        yield store


@contextmanager
def under_way(disk: SlowDisk, work: Callable[[], None], stops: str) -> Iterator[None]:
    """The block runs while `work` stands in the flush of a file of that ending; after it, the work is done."""
    failed: list[BaseException] = []

    def do() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - it is the test's, and raised there
            failed.append(error)

    disk.stop(lambda file: file.endswith(stops))
    thread = threading.Thread(target=do)
    thread.start()
    try:
        disk.wait_stopped()
        yield
        assert thread.is_alive()
    finally:
        disk.go_on()
        thread.join(DEADLINE_S)
    assert not disk.gave_up, "a reading waited for the disk"
    assert not failed


def test_a_reading_does_not_wait_for_a_commit_and_sees_nothing_of_it(store: SqliteStore, disk: SlowDisk) -> None:
    line = store.line(LINE)
    with under_way(disk, lambda: line.commit(SECOND), "-wal"):
        assert seen(line) == shown(FIRST)
    assert seen(line) == shown(FIRST, SECOND)


def test_a_reading_sees_what_was_committed_before(store: SqliteStore, disk: SlowDisk) -> None:
    line = store.line(LINE)
    line.commit(SECOND)
    with under_way(disk, lambda: store.put_setting("of", b"another thread"), "-wal"):
        assert seen(line) == shown(FIRST, SECOND)


def test_what_the_station_keeps_is_read_beside_a_commit_too(store: SqliteStore, disk: SlowDisk) -> None:
    number = store.add_draft(LINE, "waiting", b"draft")
    act = store.append_audit(b"act")
    result = LineTest(line=LINE, party=0, number=1, sent=5, held=None, round_trip_ms=None)
    store.put_test(result)
    store.put_setting("name", b"value")
    with under_way(disk, lambda: store.line(LINE).commit(SECOND), "-wal"):
        assert store.lines() == [RECORD]
        assert [draft.number for draft in store.drafts("waiting")] == [store.draft(number).number]
        assert store.audit(0, 9) == [act]
        assert store.tests(LINE, 9) == [result]
        assert store.setting("name") == b"value"


def test_what_is_durable_but_not_yet_reported_is_no_damage(store: SqliteStore, disk: SlowDisk) -> None:
    """The commit's own checkpoint is flushed after its rows can be read: entries and heads still fit together."""
    line, before = store.line(LINE), MemoryStore(LINE)
    before.commit(FIRST)
    store._database.rows((int,), "PRAGMA wal_autocheckpoint=1")
    with under_way(disk, lambda: line.commit(SECOND), "store.db"):
        assert list(line.evidence()), "the rows cannot be read yet: this test shows nothing"
        assert line.last_seq() == before.last_seq()
        for first, count in ((0, 99), (2, 2), (3, 1)):
            assert line.since(first, count) == before.since(first, count)
        for lane in LANES:
            assert line.size(lane) == before.size(lane)
            assert line.last_head(lane) == before.last_head(lane)
            assert line.heads(lane, 0, 9) == before.heads(lane, 0, 9)
            for first, count in ((0, 99), (1, 2), (2, 2)):
                assert line.entries(lane, first, count) == before.entries(lane, first, count)
    assert seen(line) == shown(FIRST, SECOND)


def test_readings_beside_commits_always_fit_together(store: SqliteStore) -> None:
    line, read, over = store.line(LINE), threading.Event(), threading.Event()

    def commit() -> None:
        for size in range(150):
            if size == 50:
                read.wait(DEADLINE_S)
            line.commit([append(TRAFFIC, size, f"{size}"), a_head(TRAFFIC, size + 1)])
        over.set()

    thread = threading.Thread(target=commit)
    thread.start()
    beside = 0
    while not over.is_set():
        arrivals, size = line.last_seq(), line.size(TRAFFIC)
        assert len(line.entries(TRAFFIC, 0, size)) == size
        assert len(line.since(0, 1_000)) >= arrivals
        head = line.last_head(TRAFFIC)
        assert head is None or head.head.size <= line.size(TRAFFIC)
        beside += 1
        read.set()
    thread.join(DEADLINE_S)
    assert beside
    assert line.size(TRAFFIC) == 150


def test_a_reading_keeps_no_erased_epoch(store: SqliteStore, disk: SlowDisk, tmp_path: Path) -> None:
    line = store.line(LINE)
    ((old,),) = store._database.rows((bytes,), "SELECT sealed FROM epochs")
    with under_way(disk, lambda: line.commit([replace(a_peer(), epoch=an_epoch(2))]), "-wal"):
        assert line.peers() == [a_peer(epoch=an_epoch(1))]
    assert line.peers() == [a_peer(epoch=an_epoch(2))]
    assert old in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    store._database.checkpoint("TRUNCATE")
    assert (tmp_path / "store.db-wal").stat().st_size == 0  # nobody reads on in it
    assert old not in (tmp_path / "store.db").read_bytes()


def test_a_second_writer_waits_its_turn(store: SqliteStore, disk: SlowDisk) -> None:
    line: LineHistory = store.line(LINE)
    done: list[int] = []
    second = threading.Thread(target=lambda: done.append(store.append_audit(b"act").number))
    with under_way(disk, lambda: line.commit(SECOND), "-wal"):
        second.start()
        assert not done
        assert store.audit(0, 9) == []
    second.join(DEADLINE_S)
    assert done == [1]
