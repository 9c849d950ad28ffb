"""The calls of one line as this station holds them: folded from entries as they come, and read again after a start.

Open calls and the latest stand in memory; of every older one only where its
entries stand, so that its record and its minutes can be read from the store.
"""

from collections.abc import Iterator

from openline.kernel.lane import Lane
from openline.kernel.units import Instant
from openline.ports import Arrival
from openline.protocol.call_entries import CALL_ENTRIES, Minutes, MinutesWord, Ring
from openline.protocol.call_states import Call, CallBook, Said
from openline.protocol.entries import AnyEntry, Attachment, Unknown
from openline.protocol.facts import Place
from openline.protocol.fields import Ref, decode_kind, decode_time
from openline.protocol.lanes import read_body
from openline.protocol.numbers import Kind
from openline.protocol.records import EntryRow
from openline.station.line_runner import LineRunner
from openline.station.seen import Seen

PAGE = 512
MOST_BACK = 50_000
"""Arrivals looked at after a start: months of a busy line. What lies before them is in the transcript."""
MOST_CALLS = 256
"""Calls looked for after a start, from the latest on: what nobody calls on is not read at all."""
_KINDS = frozenset({Kind.RING, Kind.PICK_UP, Kind.REFUSAL, Kind.SEAT, Kind.HANG_UP, Kind.TYPED_LINE, Kind.MINUTES,
                    Kind.MINUTES_WORD, Kind.ATTACHMENT})  # fmt: skip


class Shelf:
    """One line's calls."""

    def __init__(self, line: LineRunner) -> None:
        """Reads what the store has. Raises Unavailable."""
        self._line = line
        self._parties = len(line.names)
        self.book = CallBook(line.line, self._parties)
        self.seq = _before_calls(line)
        self._entries: dict[Place, list[int]] = {}
        """By ring: the arrival numbers of all that was said of it, itself first."""
        self._rings: dict[Place, Place] = {}
        """By minutes: their ring."""
        self._known: dict[Place, None] = {}
        self.catch_up()

    def rings(self) -> list[Place]:
        """Every call known here, the oldest first."""
        return list(self._known)

    def catch_up(self) -> set[Place]:
        """Take what the store has and this has not; the calls that changed. Raises Unavailable."""
        changed: set[Place] = set()
        while arrivals := self._line.history.since(self.seq, PAGE):
            for arrival in arrivals:
                changed |= self._arrived(arrival)
        return changed

    def shown(self, seen: list[Seen]) -> set[Place]:
        """Entries became durable: the calls that changed. Raises Unavailable where some are missing and must be read."""
        changed: set[Place] = set()
        for each in seen:
            if each.seq != self.seq + 1:
                if 0 < each.seq <= self.seq:
                    continue
                return changed | self.catch_up()
            self.seq = each.seq
            shown = each.shown
            changed |= self._take(each.seq, _said(shown.lane, shown.row, shown.time, shown.entry))
        return changed

    def call(self, place: Place) -> Call | None:
        """A call, out of memory or out of the store. Raises Unavailable."""
        found = self.book.call(place)
        if found is not None or place not in self._known:
            return found
        book = CallBook(self._line.line, self._parties)
        for said in self._reread(place):
            book.take(said)
        return book.call(place)

    def _reread(self, place: Place) -> Iterator[Said]:
        for seq in self._entries[place]:
            for arrival in self._line.history.since(seq - 1, 1):
                row = arrival.row
                yield _said(arrival.lane, row, decode_time(row.entry.time), read_body(row.entry))

    def _arrived(self, arrival: Arrival) -> set[Place]:
        self.seq, row = arrival.seq, arrival.row
        if row.refused or not row.entry.secret:
            return set()
        kind = decode_kind(row.entry.kind)
        entry = read_body(row.entry) if kind in _KINDS else Unknown(kind=kind, raw=b"")
        return self._take(arrival.seq, _said(arrival.lane, row, decode_time(row.entry.time), entry))

    def _take(self, seq: int, said: Said) -> set[Place]:
        entry = said.entry
        if isinstance(entry, (*CALL_ENTRIES, Attachment)):
            ring = said.place if isinstance(entry, Ring) else self._ring_of(entry)
            if isinstance(entry, Minutes) and ring is not None:
                self._rings[said.place] = ring
            if ring is not None:
                self._entries.setdefault(ring, []).append(seq)
        changed = self.book.take(said)
        if isinstance(entry, Ring) and self.book.call(said.place) is not None:  # else it is void (spec 17.3)
            self._known[said.place] = None
        return changed

    def _ring_of(self, entry: AnyEntry) -> Place | None:
        of = getattr(entry, "of", None)
        if not isinstance(of, Ref):
            return None
        place = Place(lane=of.lane, generation=of.generation, index=of.index)
        if isinstance(entry, MinutesWord):
            return self._rings.get(place)
        return place if not isinstance(entry, Attachment) or place in self._known else None


def _said(lane: Lane, row: EntryRow, time: int, entry: AnyEntry | None) -> Said:
    place = Place(lane=lane.number, generation=lane.generation, index=row.index)
    return Said(place=place, leaf=row.nodes[0], time=Instant(time), entry=entry or Unknown(kind=0, raw=b""))


def _before_calls(line: LineRunner) -> int:
    """The arrival after which the line's latest calls stand. Raises Unavailable."""
    last = line.history.last_seq()
    rings = sum(len(ledger.rings) for ledger in line.working().fold.ledgers())
    wanted, end = min(rings, MOST_CALLS), last
    while wanted > 0 and end > max(0, last - MOST_BACK):
        first = max(0, end - PAGE)
        for arrival in reversed(line.history.since(first, end - first)):
            row = arrival.row
            if not row.refused and row.entry.secret and decode_kind(row.entry.kind) == Kind.RING:
                wanted -= 1
        end = first
    return end
