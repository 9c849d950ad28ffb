"""Every store, held to its contract. A new one is a class here."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openline.kernel.lane import GENERATION_ZERO
from openline.ports import LineHistory, Store
from openline.protocol.records import LineRecord, Mark
from openline.stores.sqlite import SqliteStore
from tests.contract.store_contract import LINE, RECORD, LineContract, StoreContract
from tests.sim.memory_store import MemoryStore
from tests.spec.line import Line, message

KEY = b"k" * 32


class TestMemoryLine(LineContract):
    def new(self) -> LineHistory:
        return MemoryStore(LINE)

    def again(self, line: LineHistory) -> LineHistory:
        store = MemoryStore(LINE)
        store.restore(line.copy())  # type: ignore[attr-defined]
        return store


def holds(store: SqliteStore, line: Store | LineHistory) -> bool:
    return any(store.line(record.line) is line for record in store.lines())


class SqliteFiles:
    """Stores in files. To open one again is to open a copy of its files as they stand: what a dead process leaves."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> Iterator[None]:
        self.folder = tmp_path
        self.stores: list[tuple[Path, SqliteStore]] = []
        yield
        for _, store in self.stores:
            store.close()

    def new_store(self) -> SqliteStore:
        if len(self.stores) > 20:  # of earlier examples
            for _, store in self.stores:
                store.close()
            self.stores.clear()
        return self.opened(self.next_path(), SqliteStore.create)

    def store_again(self, one: Store | LineHistory) -> SqliteStore:
        new = self.next_path()
        old = next(path for path, store in self.stores if one is store or holds(store, one))
        for ending in ("", "-wal"):
            shutil.copyfile(f"{old}{ending}", f"{new}{ending}")
        return self.opened(new, SqliteStore.open)

    def next_path(self) -> Path:
        self.made = getattr(self, "made", 0) + 1
        return self.folder / f"{self.made}.db"

    def opened(self, path: Path, how: Callable[[Path, bytes], SqliteStore]) -> SqliteStore:
        store = how(path, KEY)
        self.stores.append((path, store))
        return store


class TestSqliteLine(SqliteFiles, LineContract):
    def new(self) -> LineHistory:
        store = self.new_store()
        store.add_line(RECORD)
        return store.line(LINE)

    def again(self, line: LineHistory) -> LineHistory:
        return self.store_again(line).line(LINE)


class TestSqliteStore(SqliteFiles, StoreContract):
    def new(self) -> Store:
        return self.new_store()

    def again(self, store: Store) -> Store:
        return self.store_again(store)


def test_16_11_a_station_with_another_store_speaks_the_same_line(tmp_path: Path) -> None:
    """One side keeps its line in memory, the other in a file: nothing of that is on the wire."""
    line = Line(opened=False)
    alpha, bravo = line.hosts
    store = SqliteStore.create(tmp_path / "store.db", KEY)
    cards = tuple(card.raw for card in line.cards)
    store.add_line(LineRecord(line=line.terms.line, party=1, terms=line.terms.raw, cards=cards, label="TEST"))
    bravo.store = store.line(line.terms.line)  # type: ignore[assignment]
    bravo.mark = Mark(generation=GENERATION_ZERO, urgent=0, traffic=0)
    bravo.boot()
    line.link_all()
    line.pass_time(2_000, step=250)
    alpha.say(message("from memory"))
    bravo.say(message("from a file"))
    line.settle()
    assert (alpha.texts(1), bravo.texts(0)) == (["from a file"], ["from memory"])
    assert alpha.engine.fold.digest() == bravo.engine.fold.digest()
    store.close()
