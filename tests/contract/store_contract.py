"""What every store must do, whatever it is made of.

A store proves itself by one subclass of each contract with its fixture: see
test_stores.py. `LineContract` is the port LineHistory, `StoreContract` Store.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openline.kernel.envelope import IncomingState, OutgoingState
from openline.kernel.errors import Bug, Conflict, Refused, Unknown
from openline.kernel.lane import GENERATION_ZERO, Entry, Generation, Head, Lane, SignedHead, extend
from openline.kernel.merkle import Peaks, grown, inclusion_proof, peaks_at, root_from_inclusion
from openline.ports import AlarmRow, LineHistory, LineTest, Store
from openline.protocol.records import (
    Append,
    DropChunks,
    EntryRow,
    EpochRecord,
    LineRecord,
    PutChunk,
    PutEvidence,
    PutGeneration,
    PutHead,
    PutPeer,
    PutSnapshot,
    Write,
)
from openline.stores.sealing import audit_digest
from tests.sim.memory_store import MemoryStore

LINE = bytes(range(32))
URGENT, TRAFFIC, THEIRS = (Lane(LINE, number, GENERATION_ZERO) for number in (0, 1, 3))
LATER = Generation(1, b"later567")
LANES = (URGENT, TRAFFIC, THEIRS, Lane(LINE, 0, LATER))
RECORD = LineRecord(
    line=LINE, party=1, terms=b"terms" * 9_000, cards=(b"one" * 3_000, b"two", b""), label="to the other side — ça"
)


def an_entry(text: str) -> Entry:
    return Entry(
        kind=b"\x10",
        time=b"\x1a\x00\x01\x02\x03",
        ack=b"\x80",
        body=text.encode(),
        secret=text.encode().rjust(32)[-32:],
    )


def rows(lane: Lane, size: int, texts: Sequence[str], peaks: Peaks | None = None) -> tuple[EntryRow, ...]:
    """Rows with true tree hashes if `peaks` is the tree of `size`; else the nodes of leaves alone."""
    entries = [an_entry(text) for text in texts]
    tree = peaks or Peaks()
    leaves = extend(lane, tree, entries).leaves
    return tuple(
        EntryRow(index=size + at, nodes=nodes, entry=entry)
        for at, (entry, (_, nodes)) in enumerate(zip(entries, leaves, strict=True))
    )


def append(lane: Lane, size: int, *texts: str) -> Append:
    return Append(lane=lane, size=size, rows=rows(lane, size, texts))


def a_head(
    lane: Lane, size: int, *, root: bytes = bytes(32), mldsa: bytes = b"", ed25519: bytes = b"s" * 64
) -> PutHead:
    return PutHead(signed=SignedHead(head=Head(lane=lane, size=size, root=root), ed25519=ed25519, mldsa=mldsa))


def an_epoch(attempt: int, holes: int = 0) -> EpochRecord:
    kept = tuple((index, index.to_bytes(6, "big"), index.to_bytes(32, "big")) for index in range(holes))
    return EpochRecord(
        attempt=attempt,
        root=b"r" * 32,
        outgoing=OutgoingState(index=64, chain=b"o" * 32),
        incoming=IncomingState(edge=holes + 5, chain=b"i" * 32, holes=kept),
        opened=-5,
    )


def a_peer(party: int = 0, *, epoch: EpochRecord | None = None, previous: EpochRecord | None = None) -> PutPeer:
    acknowledged = ((2, GENERATION_ZERO, 7), (3, LATER, 2**47))
    return PutPeer(
        party=party,
        attempt=3,
        acknowledged=acknowledged,
        epoch=epoch,
        previous=previous,
        suspected="withheld-note",
        ended=((2, GENERATION_ZERO, 9, b"r" * 32), (3, LATER, 2**47, b"s" * 32)),
    )


Plan = tuple[str, int, int, int]
"""(kind of write, lane or party, how far off the true size or which of a few values, how many)"""

KINDS = ("append", "append", "append", "head", "generation", "peer", "evidence", "chunk", "drop", "snapshot")
PLANS = st.tuples(
    st.sampled_from(KINDS),
    st.integers(0, 3),
    st.sampled_from((0, 0, 0, 0, 0, 0, 0, 0, 1, -1)),
    st.integers(0, 4),
)


def planned(plans: Sequence[Plan], model: MemoryStore) -> list[Write]:
    """The writes of a plan, sizes as the model has them."""
    sizes = {lane: model.size(lane) for lane in LANES}
    done: list[Write] = []
    for kind, which, off, count in plans:
        lane = LANES[which]
        match kind:
            case "append":
                size = sizes[lane] + off
                done.append(append(lane, size, *(f"{lane.origin} {size + n}" for n in range(count))))
                sizes[lane] = size + count
            case "head":
                done.append(a_head(lane, sizes[lane], root=bytes((off % 256,)) * 32, mldsa=b"m" * count))
            case "generation":
                seed = bytes((off % 256,)) * 32 if count else b""
                done.append(PutGeneration(party=which, generation=LATER, seed=seed, statement=b"x" * (count // 4)))
            case "peer":
                done.append(a_peer(which, epoch=an_epoch(count) if off else None))
            case "evidence":
                done.append(PutEvidence(party=which, evidence=bytes(count)))
            case "chunk":
                done.append(PutChunk(attachment=bytes((which,)) * 32, number=count, data=bytes(count)))
            case "drop":
                done.append(DropChunks(attachment=bytes((which,)) * 32))
            case _:
                done.append(PutSnapshot(version=which, sizes=(), data=bytes(count)))
    return done


def seen(line: LineHistory) -> list[object]:
    """Everything that a line's store shows."""
    found: list[object] = [line.last_seq(), list(line.generations()), list(line.peers()), list(line.evidence())]
    found += [list(line.since(0, 1_000)), list(line.since(3, 2))]
    for lane in LANES:
        found += [
            line.size(lane),
            list(line.entries(lane, 0, 1_000)),
            list(line.heads(lane, 0, 99)),
            line.last_head(lane),
        ]
    for which in range(4):
        name = bytes((which,)) * 32
        found += [line.chunks(name), [line.chunk(name, number) for number in range(5)], line.snapshot(which)]
    return found


def outcome(line: LineHistory, writes: Sequence[Write]) -> str:
    """The code of the refusal; empty if there was none."""
    try:
        line.commit(writes)
    except Refused as refusal:
        return refusal.code
    return ""


class LineContract(ABC):
    """The port LineHistory."""

    @abstractmethod
    def new(self) -> LineHistory:
        """An empty store of LINE."""

    @abstractmethod
    def again(self, line: LineHistory) -> LineHistory:
        """The same store after the process died: only what is durable."""

    def test_an_empty_line_answers(self) -> None:
        line = self.new()
        assert (line.size(URGENT), line.last_seq(), line.last_head(URGENT)) == (0, 0, None)
        assert [*line.entries(URGENT, 0, 9), *line.heads(URGENT, 0, 9), *line.generations(), *line.peers()] == []
        assert [*line.evidence(), *line.since(0, 9)] == []
        assert (line.chunk(b"a" * 32, 0), line.chunks(b"a" * 32), line.snapshot(1)) == (None, 0, None)
        with pytest.raises(Bug):
            line.node(URGENT, 0, 0)

    def test_entries_come_back_as_they_were(self) -> None:
        line = self.new()
        hidden = EntryRow(
            index=2,
            nodes=(b"n" * 32,),
            entry=Entry(kind=b"", time=b"", ack=b"", body=b"", secret=b""),
            unopened=b"leaf" * 50,
            refused=True,
        )
        large = EntryRow(index=3, nodes=(b"n" * 32,) * 3, entry=replace(an_entry("x"), body=b"y" * 60_000))
        first = append(TRAFFIC, 0, "one", "")
        line.commit([first, Append(lane=TRAFFIC, size=2, rows=(hidden, large))])
        for store in (line, self.again(line)):
            assert store.size(TRAFFIC) == 4
            assert list(store.entries(TRAFFIC, 0, 9)) == [*first.rows, hidden, large]
            assert list(store.entries(TRAFFIC, 1, 2)) == [first.rows[1], hidden]
            assert list(store.entries(TRAFFIC, 4, 2)) == []

    def test_an_append_must_fit(self) -> None:
        line = self.new()
        line.commit([append(URGENT, 0, "a", "b")])
        for size in (0, 1, 3):
            with pytest.raises(Conflict):
                line.commit([append(TRAFFIC, 0, "goes too"), append(URGENT, size, "c")])
        assert (line.size(URGENT), line.size(TRAFFIC), line.last_seq()) == (2, 0, 2)
        line.commit([append(URGENT, 2, "c"), append(URGENT, 3, "d"), append(TRAFFIC, 0, "e")])
        assert (line.size(URGENT), line.size(TRAFFIC), line.last_seq()) == (4, 1, 5)

    def test_our_own_disorder_is_a_bug(self) -> None:
        line = self.new()
        wrong = append(URGENT, 0, "a", "b")
        with pytest.raises(Bug):
            line.commit([Append(lane=URGENT, size=0, rows=wrong.rows[::-1])])
        with pytest.raises(Bug):
            line.commit([append(Lane(bytes(32), 0, GENERATION_ZERO), 0, "a")])
        assert self.again(line).last_seq() == 0

    def test_a_generation_is_another_lane(self) -> None:
        line = self.new()
        later = Lane(LINE, URGENT.number, LATER)
        line.commit([append(URGENT, 0, "old"), append(later, 0, "new", "newer")])
        line = self.again(line)
        assert (line.size(URGENT), line.size(later)) == (1, 2)
        assert line.entries(later, 0, 1)[0].entry == an_entry("new")

    def test_any_node_of_the_tree_is_found(self) -> None:
        line, peaks = self.new(), Peaks()
        for start in range(0, 100, 25):
            fresh = rows(TRAFFIC, start, [str(start + n) for n in range(25)], peaks)
            line.commit([Append(lane=TRAFFIC, size=start, rows=fresh)])
            for row in fresh:
                peaks, _ = grown(peaks, row.nodes[0])
        line = self.again(line)

        def node(level: int, place: int) -> bytes:
            return line.node(TRAFFIC, level, place)

        assert peaks_at(100, node) == peaks
        for index in (0, 31, 63, 99):
            leaf = line.entries(TRAFFIC, index, 1)[0].nodes[0]
            assert root_from_inclusion(index, 100, leaf, inclusion_proof(index, 100, node)) == peaks.root()
        with pytest.raises(Bug):
            node(6, 1)  # would end at leaf 127

    def test_arrivals_are_in_order_and_dense(self) -> None:
        line = self.new()
        line.commit([append(URGENT, 0, "1"), append(THEIRS, 0, "2", "3")])
        line.commit([a_head(URGENT, 1)])
        line.commit([append(URGENT, 1, "4"), append(THEIRS, 2, "5")])
        for store in (line, self.again(line)):
            found = store.since(0, 9)
            assert [arrival.seq for arrival in found] == [1, 2, 3, 4, 5]
            assert store.last_seq() == 5
            assert [arrival.row.entry.body for arrival in found] == [b"1", b"2", b"3", b"4", b"5"]
            assert [arrival.lane for arrival in found] == [URGENT, THEIRS, THEIRS, URGENT, THEIRS]
            assert [arrival.seq for arrival in store.since(2, 2)] == [3, 4]
            assert list(store.since(5, 9)) == []

    def test_heads_ascend_and_gain_signatures(self) -> None:
        line = self.new()
        line.commit([a_head(URGENT, 300), a_head(URGENT, 2, ed25519=b""), a_head(TRAFFIC, 7)])
        line.commit([a_head(URGENT, 2, mldsa=b"m" * 2_420, ed25519=b"")])
        line.commit([a_head(URGENT, 2)])
        line.commit([a_head(URGENT, 2, ed25519=b"")])
        line = self.again(line)
        both = a_head(URGENT, 2, mldsa=b"m" * 2_420).signed
        assert list(line.heads(URGENT, 0, 9)) == [both, a_head(URGENT, 300).signed]
        assert list(line.heads(URGENT, 0, 1)) == [both]
        assert list(line.heads(URGENT, 2, 9)) == [line.last_head(URGENT)] == [a_head(URGENT, 300).signed]
        assert line.last_head(THEIRS) is None

    def test_a_second_root_of_one_size_is_refused(self) -> None:
        line = self.new()
        line.commit([a_head(URGENT, 1)])
        with pytest.raises(Conflict):
            line.commit([append(URGENT, 0, "goes too"), a_head(URGENT, 1, root=b"other" * 6 + b"xx")])
        assert line.size(URGENT) == 0
        assert line.last_head(URGENT) == a_head(URGENT, 1).signed

    def test_generations_are_kept_and_gain_what_they_lacked(self) -> None:
        line = self.new()
        zero = PutGeneration(party=0, generation=GENERATION_ZERO, seed=b"s" * 32)
        bare = PutGeneration(party=1, generation=LATER, seed=b"")
        line.commit([bare, zero])
        line.commit([replace(bare, seed=b"t" * 32), replace(zero, seed=b"", statement=b"statement" * 400)])
        line = self.again(line)
        whole = [replace(zero, statement=b"statement" * 400), replace(bare, seed=b"t" * 32)]
        assert list(line.generations()) == whole

    def test_a_seed_may_be_corrected_until_an_entry_has_opened_under_it(self) -> None:
        line = self.new()
        zero = PutGeneration(party=0, generation=GENERATION_ZERO, seed=b"s" * 32)
        right = replace(zero, seed=b"t" * 32)
        line.commit([zero])
        line.commit([right])
        line.commit([append(URGENT, 0, "opened")])
        with pytest.raises(Conflict):
            line.commit([zero])
        assert list(line.generations()) == [right]

    def test_a_peer_replaces_itself(self) -> None:
        line = self.new()
        line.commit([a_peer(0, epoch=an_epoch(1)), a_peer(2)])
        line.commit([a_peer(0, epoch=an_epoch(2, holes=1_100), previous=an_epoch(1))])
        line = self.again(line)
        assert list(line.peers()) == [a_peer(0, epoch=an_epoch(2, holes=1_100), previous=an_epoch(1)), a_peer(2)]
        line.commit([replace(a_peer(0, previous=an_epoch(1)), suspected="", acknowledged=())])
        assert line.peers()[0] == replace(a_peer(0, previous=an_epoch(1)), suspected="", acknowledged=())

    def test_evidence_is_kept_once(self) -> None:
        line = self.new()
        fork, other = (PutEvidence(party=2, evidence=text * 40_000) for text in (b"fork", b"other"))
        line.commit([fork, other])
        line.commit([fork])
        assert list(self.again(line).evidence()) == [fork, other]

    def test_chunks(self) -> None:
        line = self.new()
        name, other = b"a" * 32, b"b" * 32
        line.commit([PutChunk(attachment=key, number=n, data=key * 300) for key in (name, other) for n in (0, 5)])
        line = self.again(line)
        assert (line.chunks(name), line.chunk(name, 5), line.chunk(name, 1)) == (2, name * 300, None)
        line.commit([PutChunk(attachment=name, number=5, data=b"again"), DropChunks(attachment=other)])
        assert (line.chunks(name), line.chunk(name, 5)) == (2, b"again")
        assert (line.chunks(other), line.chunk(other, 0)) == (0, None)

    def test_a_snapshot_replaces_that_of_its_version(self) -> None:
        line = self.new()
        sizes = ((1, GENERATION_ZERO, 4), (3, LATER, 0))
        first, second = (PutSnapshot(version=7, sizes=sizes, data=data) for data in (b"", b"second" * 20_000))
        line.commit([first, PutSnapshot(version=8, sizes=(), data=b"x")])
        line.commit([second])
        line = self.again(line)
        assert (line.snapshot(7), line.snapshot(9)) == (second, None)

    def test_a_commit_is_whole_or_not_at_all(self) -> None:
        line = self.new()
        line.commit([append(URGENT, 0, "a"), a_peer(), PutEvidence(party=0, evidence=b"e")])
        everything: list[Write] = [
            append(URGENT, 1, "b"), append(TRAFFIC, 0, "c"), a_head(URGENT, 2), replace(a_peer(), attempt=9),
            PutGeneration(party=0, generation=LATER, seed=b"s" * 32), PutEvidence(party=0, evidence=b"f"),
            PutChunk(attachment=b"a" * 32, number=0, data=b"d"), PutSnapshot(version=1, sizes=(), data=b"s"),
        ]  # fmt: skip
        for breaking in (append(URGENT, 0, "late"), append(TRAFFIC, 5, "early")):
            with pytest.raises(Conflict):
                line.commit([*everything, breaking])
            for store in (line, self.again(line)):
                assert (store.size(URGENT), store.size(TRAFFIC), store.last_seq()) == (1, 0, 1)
                assert (list(store.peers()), len(store.evidence())) == ([a_peer()], 1)
                assert (list(store.generations()), store.last_head(URGENT), store.snapshot(1)) == ([], None, None)
                assert store.chunks(b"a" * 32) == 0
        line.commit(everything)
        assert self.again(line).last_seq() == 3

    def test_it_agrees_with_the_model(self) -> None:
        @settings(max_examples=40)
        @given(st.lists(st.tuples(st.lists(PLANS, max_size=5), st.booleans()), max_size=8))
        def agrees(commits: list[tuple[list[Plan], bool]]) -> None:
            line, model = self.new(), MemoryStore(LINE)
            for plans, crash in commits:
                writes = planned(plans, model)
                assert outcome(line, writes) == outcome(model, writes)
                if crash:
                    line = self.again(line)
                assert seen(line) == seen(model)

        agrees()


class StoreContract(ABC):
    """The port Store."""

    @abstractmethod
    def new(self) -> Store:
        """An empty store."""

    @abstractmethod
    def again(self, store: Store) -> Store:
        """The same store after the process died."""

    def test_a_line_is_kept_as_it_was_agreed(self) -> None:
        store = self.new()
        other = replace(RECORD, line=b"o" * 32, label="")
        store.add_line(RECORD)
        store.add_line(other)
        for _ in range(2):
            assert list(store.lines()) == [RECORD, other]
            with pytest.raises(Conflict):
                store.add_line(replace(RECORD, label="twice"))
            store.put_setting("still", b"works")
            store = self.again(store)

    def test_only_cards_and_label_of_a_line_change(self) -> None:
        store = self.new()
        store.add_line(RECORD)
        store.line(LINE).commit([append(URGENT, 0, "a")])
        newer = replace(RECORD, cards=(b"new",), label="renamed")
        store.replace_line(newer)
        for wrong in (replace(newer, party=0), replace(newer, terms=b"other")):
            with pytest.raises(Conflict):
                store.replace_line(wrong)
        with pytest.raises(Unknown):
            store.replace_line(replace(newer, line=b"?" * 32))
        store = self.again(store)
        assert list(store.lines()) == [newer]
        assert store.line(LINE).entries(URGENT, 0, 1)[0].entry == an_entry("a")

    def test_lines_do_not_see_each_other(self) -> None:
        store = self.new()
        other = replace(RECORD, line=b"o" * 32)
        theirs = Lane(other.line, 0, GENERATION_ZERO)
        store.add_line(RECORD)
        store.add_line(other)
        left, right = store.line(LINE), store.line(other.line)
        assert store.line(LINE) is left
        left.commit([append(URGENT, 0, "left"), a_peer(), PutEvidence(party=0, evidence=b"e")])
        right.commit([append(theirs, 0, "right", "right again"), PutChunk(attachment=b"a" * 32, number=0, data=b"d")])
        store = self.again(store)
        left, right = store.line(LINE), store.line(other.line)
        assert [a.row.entry.body for a in left.since(0, 9)] == [b"left"]
        assert [a.row.entry.body for a in right.since(0, 9)] == [b"right", b"right again"]
        assert (len(left.peers()), len(right.peers()), left.chunks(b"a" * 32), right.evidence()) == (1, 0, 0, [])
        with pytest.raises(Unknown):
            store.line(b"?" * 32)

    def test_a_destroyed_line_is_gone_and_the_others_stay(self) -> None:
        store = self.new()
        other = replace(RECORD, line=b"o" * 32)
        for record in (RECORD, other):
            store.add_line(record)
            lane = Lane(record.line, 0, GENERATION_ZERO)
            store.line(record.line).commit([append(lane, 0, "kept"), a_head(lane, 1), a_peer(epoch=an_epoch(1))])
            store.add_draft(record.line, "open", b"draft")
            store.move_draft(store.add_draft(record.line, "open", b"said"), "open", "released")
            store.put_test(LineTest(line=record.line, party=0, number=1, sent=1, held=None, round_trip_ms=None))
        store.destroy_line(LINE)
        for _ in range(2):
            assert [record.line for record in store.lines()] == [other.line]
            with pytest.raises(Unknown):
                store.line(LINE)
            assert [draft.line for draft in store.drafts("open")] == [other.line]
            assert [len(store.past_drafts(line, "released", 99, 9)) for line in (LINE, other.line)] == [0, 1]
            assert (len(store.tests(LINE, 9)), len(store.tests(other.line, 9))) == (0, 1)
            kept = store.line(other.line)
            assert (kept.last_seq(), len(kept.heads(Lane(other.line, 0, GENERATION_ZERO), 0, 9))) == (1, 1)
            store = self.again(store)
        with pytest.raises(Unknown):
            store.destroy_line(LINE)
        store.add_line(RECORD)
        assert (store.line(LINE).last_seq(), list(store.line(LINE).peers())) == (0, [])

    def test_a_draft_is_released_once(self) -> None:
        store = self.new()
        first, second = store.add_draft(LINE, "open", b"text"), store.add_draft(LINE, "open", b"")
        assert second > first
        store.move_draft(first, "open", "released")
        with pytest.raises(Conflict):
            store.move_draft(first, "open", "released")
        with pytest.raises(Unknown):
            store.move_draft(second + 1, "open", "released")
        store = self.again(store)
        assert [(d.number, d.content) for d in store.drafts("open")] == [(second, b"")]
        assert (store.draft(first).state, store.draft(first).line, store.draft(first).content) == (
            "released",
            LINE,
            b"text",
        )
        with pytest.raises(Unknown):
            store.draft(second + 1)

    def test_past_drafts_are_kept_apart_and_read_a_page_at_a_time_the_latest_first(self) -> None:
        store = self.new()
        numbers = [store.add_draft(LINE, "open", str(n).encode()) for n in range(5)]
        elsewhere = store.add_draft(b"o" * 32, "open", b"")
        waits = store.add_draft(LINE, "open", b"")
        for number in (*numbers, elsewhere):
            store.move_draft(number, "open", "discarded" if number == numbers[2] else "released")
        store.rewrite_draft(store.draft(numbers[0]), "released", b"anew")
        store = self.again(store)
        first = store.past_drafts(LINE, "released", 1 << 40, 3)
        assert [(draft.number, draft.content) for draft in first] == [
            (numbers[4], b"4"),
            (numbers[3], b"3"),
            (numbers[1], b"1"),
        ]
        assert [draft.content for draft in store.past_drafts(LINE, "released", numbers[1], 3)] == [b"anew"]
        assert [draft.number for draft in store.past_drafts(LINE, "discarded", 1 << 40, 3)] == [numbers[2]]
        assert [draft.number for draft in store.drafts("open")] == [waits]
        assert [store.draft(number).state for number in (numbers[1], numbers[2], waits)] == [
            "released",
            "discarded",
            "open",
        ]

    def test_a_draft_is_rewritten_by_whoever_saw_it_last_alone(self) -> None:
        store = self.new()
        number = store.add_draft(LINE, "composing", b"one")
        seen = store.draft(number)
        store.rewrite_draft(seen, "composing", b"two")
        for stale in (seen, replace(seen, state="grace"), replace(store.draft(number), state="grace")):
            with pytest.raises(Conflict):
                store.rewrite_draft(stale, "composing", b"three")
        with pytest.raises(Unknown):
            store.rewrite_draft(replace(seen, number=number + 1), "composing", b"three")
        store.rewrite_draft(store.draft(number), "grace", b"three")
        store = self.again(store)
        found = store.draft(number)
        assert (found.state, found.content, list(store.drafts("composing"))) == ("grace", b"three", [])

    def test_the_audit_log_is_a_chain(self) -> None:
        store = self.new()
        assert store.last_audit() == 0
        made = [store.append_audit(text) for text in (b"one", b"two", b"")]
        store = self.again(store)
        assert store.last_audit() == 3
        made.append(store.append_audit(b"four"))
        before = bytes(32)
        for number, row in enumerate(made, 1):
            assert (row.number, row.digest) == (number, audit_digest(before, number, row.content))
            before = row.digest
        assert (list(store.audit(0, 9)), list(store.audit(1, 2))) == (made, made[1:3])

    def test_tests_are_kept_by_peer_and_number(self) -> None:
        store = self.new()
        first = LineTest(line=LINE, party=0, number=1, sent=5, held=None, round_trip_ms=None)
        second = LineTest(line=LINE, party=2, number=1, sent=9, held=12, round_trip_ms=3)
        store.put_test(first)
        store.put_test(second)
        held = replace(first, held=7, round_trip_ms=2)
        store.put_test(held)
        store = self.again(store)
        assert (list(store.tests(LINE, 9)), list(store.tests(LINE, 1))) == ([second, held], [second])

    def test_the_latest_test_is_the_last_that_was_made_whatever_the_clock_said(self) -> None:
        """A clock that stood at 2100 for an hour is put right: tests made since then are later."""
        store = self.new()
        times = (5, 4_102_444_800_000, 9)
        made = [
            LineTest(line=LINE, party=0, number=number, sent=sent, held=None, round_trip_ms=None)
            for number, sent in enumerate(times, 1)
        ]
        for each in made:
            store.put_test(each)
        assert (list(store.tests(LINE, 9)), list(store.tests(LINE, 2))) == (made[::-1], made[:0:-1])

    def test_an_alarm_lives_until_it_is_put_among_the_past_ones(self) -> None:
        store = self.new()
        numbers = [store.alarms.add(content) for content in (b"one", b"two", b"three")]
        store.alarms.put(AlarmRow(number=numbers[1], live=False, content=b"two, over"))
        store.alarms.put(AlarmRow(number=numbers[0], live=True, content=b"one, escalated"))
        store = self.again(store)
        assert [(row.number, row.content) for row in store.alarms.live()] == [
            (numbers[0], b"one, escalated"),
            (numbers[2], b"three"),
        ]
        assert [row.content for row in store.alarms.past(2**40, 9)] == [b"two, over"]
        assert list(store.alarms.past(numbers[1], 9)) == []
        with pytest.raises(Unknown):
            store.alarms.put(AlarmRow(number=99, live=True, content=b""))

    def test_what_the_console_keeps(self) -> None:
        store = self.new()
        store.console.put("officer", b"W1", b"one")
        store.console.put("officer", b"W2", b"two")
        store.console.put("session", b"W1", b"other")
        store.console.put("officer", b"W1", b"newer")
        store = self.again(store)
        assert sorted(store.console.all("officer")) == [b"newer", b"two"]
        store.console.drop("officer", b"W1")
        store.console.drop("officer", b"W1")
        store = self.again(store)
        assert (list(store.console.all("officer")), list(store.console.all("session"))) == ([b"two"], [b"other"])
        assert list(store.console.all("link")) == []
        store.console.put("link", b"W1", b"third")
        store.console.clear("session")
        assert (list(store.console.all("session")), list(store.console.all("officer"))) == ([], [b"two"])
        assert list(store.console.all("link")) == [b"third"]

    def test_settings(self) -> None:
        store = self.new()
        store.put_setting("a", b"1")
        store.put_setting("a", b"")
        store.put_setting("b", b"x" * 70_000)
        store = self.again(store)
        assert (store.setting("a"), store.setting("b"), store.setting("c")) == (b"", b"x" * 70_000, None)
