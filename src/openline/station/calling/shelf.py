"""The calls of one line as this station holds them: folded from entries as they come, and read again after a start.

Open calls and the latest stand in memory; of older ones only where the entries
stand that count, so that record and minutes can be read from the store. What
anybody says of calls without end fills neither.

Spec: spec/17-calls.md.
"""

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from openline.kernel.errors import Unavailable
from openline.kernel.lane import Generation, Lane
from openline.kernel.units import Instant
from openline.ports import Arrival
from openline.protocol.call_entries import CALL_ENTRIES, Minutes, MinutesWord, Ring
from openline.protocol.call_gathering import Gathered
from openline.protocol.call_states import Call, CallBook, Said
from openline.protocol.effects import CALLED_HUNG_UP, HUNG_UP, REFUSED_RING
from openline.protocol.entries import AnyEntry, Attachment, Unknown
from openline.protocol.facts import Place
from openline.protocol.fields import Ref, decode_kind, decode_time
from openline.protocol.lanes import read_body
from openline.protocol.numbers import Kind
from openline.protocol.records import EntryRow
from openline.station.line_runner import LineRunner, State
from openline.station.seen import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How much is read, and how much of it is remembered."""

    at_once: int = 1_024
    """Arrivals that are read on the loop after a start, in some milliseconds; a longer line is read beside it."""
    page: int = 512
    back: int = 50_000
    """Arrivals looked at after a start: months of a busy line. Further back is looked only for what is not settled here."""
    calls: int = 256
    """Calls looked for after a start, from the latest on: what nobody calls on is not read at all."""
    known: int = 1_024
    """Calls that are listed. What lies before them is in the transcript."""
    late: int = 256
    """Entries of one party that are looked at of a call after it has left memory."""


_KINDS = frozenset({Kind.RING, Kind.PICK_UP, Kind.REFUSAL, Kind.SEAT, Kind.HANG_UP, Kind.TYPED_LINE, Kind.MINUTES,
                    Kind.MINUTES_WORD, Kind.ATTACHMENT})  # fmt: skip
_Key = tuple[int, Generation, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rings:
    """What the fold knows of a line's rings: how far back calls are to be read."""

    latest: frozenset[_Key]
    """Those that are no void ones, the latest of each lane generation."""
    count: int
    unsettled: frozenset[_Key]
    """Of which this station has not said its last word."""


@dataclass(slots=True, kw_only=True)
class _Old:
    """A call that is not in memory."""

    seqs: "array[int]"
    minutes: list[Place] = field(default_factory=list)
    late: Counter[int] = field(default_factory=Counter)


class Shelf:
    """One line's calls."""

    def __init__(self, line: LineRunner, rings: Rings, reading: Reading) -> None:
        """Reads what the store has, in any thread. Raises Unavailable."""
        self._line, self._reading = line, reading
        self._parties = len(line.names)
        self.book = CallBook(line.line, self._parties, own=line.party, forgets=self._forgotten)
        self._old: dict[Place, _Old] = {}
        self._old_minutes: dict[Place, Place] = {}
        """By minutes of calls that are not in memory: their ring."""
        self._known: dict[Place, None] = {}
        self.seq = _before_calls(line, rings, reading)
        self.catch_up()

    def rings(self) -> list[Place]:
        """Every call known here, the oldest first."""
        return list(self._known)

    def catch_up(self) -> set[Place]:
        """Take what the store has and this has not; the calls that changed. Raises Unavailable."""
        changed: set[Place] = set()
        while arrivals := self._line.history.since(self.seq, self._reading.page):
            _check_open(self._line)
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
            changed |= self._take(_said(each.seq, shown.lane, shown.row, shown.time, shown.entry))
        return changed

    def call(self, place: Place) -> Call | None:
        """A call, out of memory or out of the store. Raises Unavailable."""
        found, old = self.book.call(place), self._old.get(place)
        if found is not None or old is None:
            return found
        book = CallBook(self._line.line, self._parties)
        for arrival in self._read(old.seqs):
            book.take(_of(arrival))
        return book.call(place)

    def _read(self, seqs: "array[int]") -> Iterator[Arrival]:
        """These arrivals, as many at once as stand together."""
        at = 0
        while at < len(seqs):
            end = at + 1
            while end < len(seqs) and seqs[end] == seqs[at] + end - at and end - at < self._reading.page:
                end += 1
            yield from self._line.history.since(seqs[at] - 1, end - at)
            at = end

    def _arrived(self, arrival: Arrival) -> set[Place]:
        self.seq, row = arrival.seq, arrival.row
        return set() if row.refused or not row.entry.secret else self._take(_of(arrival))

    def _take(self, said: Said) -> set[Place]:
        if isinstance(said.entry, (*CALL_ENTRIES, Attachment)) and not isinstance(said.entry, Ring):
            self._late(said)
        changed = self.book.take(said)
        if isinstance(said.entry, Ring) and self.book.call(said.place) is not None:  # else it is void (spec 17.3)
            self._known[said.place] = None
        return changed

    def _forgotten(self, gathered: Gathered) -> None:
        """The book keeps this call no more."""
        seqs = array("q", sorted(said.seq for said in gathered.all()))
        place = gathered.ring.place
        self._old[place] = _Old(seqs=seqs, minutes=[draft.place for draft in gathered.drafts])
        self._old_minutes |= dict.fromkeys(self._old[place].minutes, place)
        if len(self._known) > self._reading.known:
            oldest = next(iter(self._old))
            for minutes in self._old.pop(oldest).minutes:
                self._old_minutes.pop(minutes, None)
            self._known.pop(oldest, None)

    def _late(self, said: Said) -> None:
        """An entry about a call that is not in memory: where it stands is kept."""
        of = getattr(said.entry, "of", None)
        if not isinstance(of, Ref) or not self._old:
            return
        place: Place | None = Place(lane=of.lane, generation=of.generation, index=of.index)
        if isinstance(said.entry, MinutesWord) and place is not None:
            place = self._old_minutes.get(place)
        old = self._old.get(place) if place is not None else None
        if old is None or place is None or old.late[said.party] >= self._reading.late:
            return
        old.late[said.party] += 1
        old.seqs.append(said.seq)
        if isinstance(said.entry, Minutes):
            old.minutes.append(said.place)
            self._old_minutes[said.place] = place


def rings_of(line: LineRunner, most: int) -> Rings:
    """What the fold says of them, of each lane generation the latest `most`. Raises Unavailable."""
    latest: set[_Key] = set()
    unsettled: set[_Key] = set()
    count, own = 0, line.party
    for ledger in line.working().fold.ledgers():
        rows = ledger.rings
        count += len(rows)
        keys = [(ledger.number, ledger.generation, index) for index in rows.indexes[-most:]]
        latest |= set(keys)
        if keys:
            mark = rows.of(len(rows) - 1)[own]
            if not mark & (HUNG_UP if ledger.number // 2 == own else CALLED_HUNG_UP | REFUSED_RING):
                unsettled.add(keys[-1])
    return Rings(latest=frozenset(latest), count=count, unsettled=frozenset(unsettled))


def _of(arrival: Arrival) -> Said:
    row = arrival.row
    kind = decode_kind(row.entry.kind)
    entry = read_body(row.entry) if kind in _KINDS else Unknown(kind=kind, raw=b"")
    return _said(arrival.seq, arrival.lane, row, decode_time(row.entry.time), entry)


def _said(seq: int, lane: Lane, row: EntryRow, time: int, entry: AnyEntry | None) -> Said:
    place = Place(lane=lane.number, generation=lane.generation, index=row.index)
    return Said(place=place, leaf=row.nodes[0], time=Instant(time), entry=entry or Unknown(kind=0, raw=b""), seq=seq)


def _before_calls(line: LineRunner, rings: Rings, reading: Reading) -> int:
    """The arrival after which the line's latest calls stand, and every one that is not settled here. Raises Unavailable."""
    last = end = line.history.last_seq()
    wanted, unsettled = min(rings.count, reading.calls), set(rings.unsettled)
    while end > 0 and ((wanted > 0 and end > last - reading.back) or unsettled):
        _check_open(line)
        first = max(0, end - reading.page)
        for arrival in line.history.since(first, end - first):
            key = arrival.lane.number, arrival.lane.generation, arrival.row.index
            wanted -= key in rings.latest
            unsettled.discard(key)
        end = first
    return end


def _check_open(line: LineRunner) -> None:
    if line.state is State.CLOSED:
        raise Unavailable("the station stops")
