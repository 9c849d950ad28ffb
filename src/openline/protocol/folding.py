"""Loading and keeping the fold of a line: from a snapshot, then from the lanes.

Spec: spec/06-entries.md.
"""

from openline.kernel.errors import Refused
from openline.kernel.lane import Lane
from openline.protocol.entries import AnyEntry, Attachment, kind_of
from openline.protocol.events import Shown
from openline.protocol.fields import Ref, decode_kind, decode_time
from openline.protocol.lane_state import LaneState
from openline.protocol.lanes import LaneBook, read_body
from openline.protocol.records import EntryRow, LineReader, PutSnapshot, Write
from openline.protocol.snapshots import restore, snapshot
from openline.protocol.transcript import ATTACHMENT_HELD, ATTACHMENT_REFUSED, FOLD_VERSION, Fold
from openline.protocol.transfers import Transfers

PAGE = 1_024
_SAID = ATTACHMENT_HELD | ATTACHMENT_REFUSED
SNAPSHOT_EVERY = 4_096
"""Entries folded before another snapshot, or an eighth of the transcript: start-up reads no more than that."""


class Folding:
    """The fold of a line, kept in step with what becomes durable."""

    def __init__(self, book: LaneBook, reader: LineReader, transfers: Transfers) -> None:
        self.fold = load_fold(book, reader, transfers)
        self._book, self._transfers = book, transfers
        kept = reader.snapshot(FOLD_VERSION)
        covered = sum(size for _, _, size in kept.sizes) if kept is not None else 0
        # What was read at this start counts: a station that is killed again and again still leaves a snapshot.
        self._since_snapshot = sum(ledger.size for ledger in self.fold.ledgers()) - covered

    def apply(self, lane: Lane, row: EntryRow, entry: AnyEntry | None) -> Shown:
        """Fold one durable entry in (None: it was refused); it may be shown from now on."""
        kind = kind_of(entry) if entry is not None else _kind_of_refused(row)
        time = decode_time(row.entry.time) if entry is not None else 0
        self.fold.apply(lane, row.index, row.nodes[0], kind, time, entry)
        self._since_snapshot += 1
        if isinstance(entry, Attachment):
            ref = Ref(lane=lane.number, generation=lane.generation, index=row.index, leaf=row.nodes[0])
            marks = self.fold.attachment(*lane.key, row.index)[self._book.party]
            # One's own is here before its entry is, unless that came back after a restore.
            self._transfers.begin(entry, ref, owed=lane.party != self._book.party and not marks & _SAID)
        return Shown(lane=lane, row=row, kind=kind, time=time, entry=entry)

    def snapshot_due(self, *, now: bool = False) -> list[Write]:
        """A snapshot for the next commit, when enough has been folded since the last (or any, if `now`)."""
        sizes = tuple((ledger.number, ledger.generation, ledger.size) for ledger in self.fold.ledgers())
        total = sum(size for _, _, size in sizes)
        if self._since_snapshot < (1 if now else max(SNAPSHOT_EVERY, total // 8)):
            return []
        self._since_snapshot = 0
        return [PutSnapshot(version=FOLD_VERSION, sizes=sizes, data=snapshot(self.fold))]


def load_fold(book: LaneBook, reader: LineReader, transfers: Transfers) -> Fold:
    """The fold at the durable heads; attachments not yet whole are taken up again."""
    fold = _from_snapshot(book, reader)
    behind = [state for state in book.all_states() if fold.size(*state.lane.key) < state.durable]
    while behind:  # in turns, so that references seldom wait long for what they name
        for state in behind:
            for row in reader.entries(state.lane, fold.size(*state.lane.key), PAGE):
                apply_row(fold, state.lane, row)
        behind = [state for state in behind if fold.size(*state.lane.key) < state.durable]
    for state in book.all_states():
        _resume(fold, book, state, reader, transfers)
    return fold


def _from_snapshot(book: LaneBook, reader: LineReader) -> Fold:
    parties, policy = len(book.terms.parties), book.terms.policy
    kept = reader.snapshot(FOLD_VERSION)
    if kept is not None:
        try:
            fold = restore(kept.data, book.terms.line, parties, policy)
        except Refused:
            return Fold(book.terms.line, parties, policy)  # a cache: anything wrong with it, and it is made anew
        if all(fold.size(s.lane.number, s.lane.generation) <= s.durable for s in book.all_states()):
            return fold
    return Fold(book.terms.line, parties, policy)


def apply_row(fold: Fold, lane: Lane, row: EntryRow) -> None:
    """Fold one kept row."""
    body = None if row.refused or not row.entry.secret else read_body(row.entry)
    kind = kind_of(body) if body is not None else _kind_of_refused(row)
    time = decode_time(row.entry.time) if body is not None else 0
    fold.apply(lane, row.index, row.nodes[0], kind, time, body)


def _kind_of_refused(row: EntryRow) -> int:
    """The kind of an entry whose body is refused, if that much can be read: people's numbering counts it (spec 6.80)."""
    try:
        return decode_kind(row.entry.kind)
    except Refused:
        return 0


def _resume(fold: Fold, book: LaneBook, state: LaneState, reader: LineReader, transfers: Transfers) -> None:
    """Attachments of that lane for which this station has signed no receipt yet; after a restore, all that is not here."""
    ledger = fold.lanes.get(state.lane.key)
    if ledger is None:
        return
    own, restored = state.lane.party == book.party, any(known.counter for known in book.generations(book.party))
    for row_number in range(len(ledger.attachments)):
        said = ledger.attachments.of(row_number)[book.party] & _SAID
        owed = not own and not said
        if not owed and (not restored or (said & ATTACHMENT_REFUSED and not own)):
            continue
        index = ledger.attachments.indexes[row_number]
        for row in reader.entries(state.lane, index, 1):
            body = read_body(row.entry)
            if isinstance(body, Attachment):
                number, generation = state.lane.key
                ref = Ref(lane=number, generation=generation, index=index, leaf=row.nodes[0])
                transfers.begin(body, ref, owed=owed)
