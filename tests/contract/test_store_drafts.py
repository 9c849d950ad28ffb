"""Drafts of which nothing more becomes: a store of before keeps them, they weigh on nothing, and discarded ones go at last."""

from contextlib import closing
from pathlib import Path

import pytest

from openline.kernel.errors import Unknown
from openline.stores import sealing
from openline.stores.sealing import Seal
from openline.stores.sqlite import SqliteStore
from openline.stores.sqlite.file import new_file
from openline.stores.sqlite.schema import MIGRATIONS
from openline.stores.sqlite.store import DISCARDED_KEPT
from tests.contract.committing import KEY
from tests.contract.store_contract import LINE, RECORD

OLD = 10_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def before_version_4(path: Path, states: list[str]) -> None:
    """A store of that time, with a draft in each of these states."""
    seal = Seal(KEY)
    new_file(path, MIGRATIONS[:3], [("check", seal.seal(b"about", b"openline store"))])
    with closing(SqliteStore.open(path, KEY, MIGRATIONS[:3])) as store, store._database.transaction() as connection:
        for number, state in enumerate(states, 1):
            place = b"draft" + sealing.number(number) + LINE + state.encode()
            row = (LINE, state, seal.seal(place, f"draft {number}".encode()))
            connection.execute("INSERT INTO drafts (line, state, sealed) VALUES (?, ?, ?)", row)


def test_drafts_of_an_older_store_stand_where_they_belong(path: Path) -> None:
    before_version_4(path, ["released", "held", "discarded", "released"])
    with closing(SqliteStore.open(path, KEY)) as store:
        assert [(draft.number, draft.content) for draft in store.drafts("held")] == [(2, b"draft 2")]
        assert [draft.number for draft in store.past_drafts(LINE, "released", 99, 9)] == [4, 1]
        assert [store.draft(number).content for number in (1, 2, 3, 4)] == [f"draft {n}".encode() for n in (1, 2, 3, 4)]
        store.add_line(RECORD)
        assert store.add_draft(LINE, "held", b"") == 5
    with closing(SqliteStore.open(path.with_name(f"store.db.before-{MIGRATIONS[-1].version}"), KEY)) as copy:
        assert [draft.number for draft in copy.past_drafts(LINE, "discarded", 99, 9)] == [3]


def test_ten_thousand_old_drafts_are_not_read_to_find_what_waits(path: Path) -> None:
    """Each asking for the lines read the whole table, once for each line."""
    before_version_4(path, ["released"] * OLD + ["held"])
    with closing(SqliteStore.open(path, KEY)) as store:
        steps: list[int] = []

        def count() -> bool:
            steps.append(100)
            return False

        store._database.connection.set_progress_handler(count, 100)
        assert [draft.number for draft in store.drafts("held")] == [OLD + 1]
        assert len(store.past_drafts(LINE, "released", OLD, 10)) == 10
        assert store.draft(OLD // 2).state == "released"
        assert sum(steps) < OLD


def test_discarded_drafts_go_at_last_and_released_ones_stay(path: Path) -> None:
    with closing(SqliteStore.create(path, KEY)) as store:
        released, old = (store.add_draft(LINE, "held", b"") for _ in range(2))
        elsewhere = store.add_draft(b"o" * 32, "held", b"")
        store.move_draft(released, "held", "released")
        for number in (old, elsewhere):
            store.move_draft(number, "held", "discarded")
        for kept in (DISCARDED_KEPT + old - 1, DISCARDED_KEPT + old):
            assert store.draft(old).state == "discarded"
            with store._database.transaction() as connection:  # as if so many drafts had been begun
                connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'drafts'", (kept - 1,))
            assert store.add_draft(LINE, "held", b"") == kept
            store.move_draft(kept, "held", "discarded")
        with pytest.raises(Unknown):
            store.draft(old)
        assert [store.draft(number).state for number in (released, elsewhere)] == ["released", "discarded"]
        assert len(store.past_drafts(LINE, "discarded", 1 << 40, 9)) == 2
