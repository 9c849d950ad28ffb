"""What the fold keeps of one lane generation: counts, and one row for each message and attachment.

Rows are columns of bytes, because a line lives for decades: 24 bytes and one
for each party, whatever was said.

Spec: spec/06-entries.md, 6.60 to 6.63.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice

from openline.kernel.codec import Fields, Value, decode, encode
from openline.kernel.errors import Malformed
from openline.kernel.lane import Generation, read_generation
from openline.kernel.units import MAX_BODY, MAX_SEQ, Instant
from openline.protocol.bodies import decode_body, encode_body
from openline.protocol.contact_entries import Contact
from openline.protocol.entries import Kind, Precedence
from openline.protocol.facts import HANDLED, SETTLED, Mark, MessageStatus, PartyStatus, Place
from openline.protocol.remarks import Remarks

_BIG_ENDIAN = array("H", [1]).tobytes() == b"\x00\x01"

TAG = 8
"""Bytes of a leaf hash that a row keeps: who would name another leaf must find 2^64 others first."""

SUPERSEDED, REFUSED, CLOCKED = 0x01, 0x02, 0x10
"""The author's own byte of a row: two flags, the precedence in bits 2 and 3, and whether it had an answer-by."""

MAX_CONTACT_WORDS = 1_024
"""Words about contacts of one lane generation that are kept whole: ten a day for a quarter; the rest are in the lane."""

_OTHERS = [
    bytes(flags & (SUPERSEDED | REFUSED) or flags >> 2 & 3 != precedence for flags in range(256))
    for precedence in Precedence
]
"""For each precedence: which author's bytes are of another, of a refused message, or of a superseded one."""


@cache
def _any_of(marks: int) -> bytes:
    """Which bytes of a party hold any of these marks."""
    return bytes(bool(mark & marks) for mark in range(256))


class Rows:
    """Columns of a table, ascending by entry index. The byte of a party holds its marks, that of the author flags."""

    __slots__ = ("author", "indexes", "marks", "parties", "tags", "times")

    def __init__(self, author: int, parties: int) -> None:
        self.author, self.parties = author, parties
        self.indexes: array[int] = array("Q")
        self.times: array[int] = array("q")
        self.tags = bytearray()
        self.marks = bytearray()

    def __len__(self) -> int:
        return len(self.indexes)

    def add(self, index: int, time: int, leaf: bytes, flags: int) -> int:
        """A new row; returns its number."""
        row = len(self.indexes)
        self.indexes.append(index)
        self.times.append(time)
        self.tags += leaf[:TAG]
        self.marks += bytes(self.parties)
        self.marks[row * self.parties + self.author] = flags
        return row

    def find(self, index: int, tag: bytes | None = None) -> int:
        """The row of that entry, if its leaf hash begins so; -1 if there is none, or it was refused."""
        row = bisect_left(self.indexes, index)
        if row == len(self.indexes) or self.indexes[row] != index or self.flags(row) & REFUSED:
            return -1
        return row if tag is None or self.tags[row * TAG : row * TAG + TAG] == tag else -1

    def flags(self, row: int) -> int:
        """The author's byte."""
        return self.marks[row * self.parties + self.author]

    def mark(self, row: int, party: int, mark: int) -> bool:
        """Add a mark or, in the author's byte, a flag. Returns whether it is new."""
        at = row * self.parties + party
        new = self.marks[at] | mark
        changed = new != self.marks[at]
        self.marks[at] = new
        return changed

    def of(self, row: int) -> bytes:
        """The bytes of all parties."""
        return bytes(self.marks[row * self.parties : (row + 1) * self.parties])

    def pieces(self) -> list[bytes]:
        """The columns as they are saved, numbers big-endian: indexes, times, tags, marks."""
        return [_bytes_of(self.indexes), _bytes_of(self.times), bytes(self.tags), bytes(self.marks)]

    def restore(self, pieces: Iterator[bytes]) -> None:
        """Take back what `pieces` gave. Raises Malformed."""
        self.indexes, self.times = _array_of("Q", next(pieces)), _array_of("q", next(pieces))
        self.tags, self.marks = bytearray(next(pieces)), bytearray(next(pieces))
        count = len(self.indexes)
        if (len(self.times), len(self.tags), len(self.marks)) != (count, TAG * count, self.parties * count):
            raise Malformed("columns of unequal length")


class Ledger:
    """One lane generation."""

    __slots__ = ("answers", "attachments", "clocks", "contact_words", "contacts", "demands", "generation",
                 "interims", "kinds", "messages", "minutes", "number", "queries", "refused", "remarks", "ringing",
                 "rings", "size", "void")  # fmt: skip

    def __init__(self, number: int, generation: Generation, parties: int) -> None:
        self.number, self.generation = number, generation
        self.size = 0
        self.refused = 0
        self.void = 0
        """Entries, or references in entries, without effect."""
        self.kinds: dict[int, int] = {}
        """How many entries of each kind, refused ones apart."""
        self.messages = Rows(number // 2, parties)
        self.attachments = Rows(number // 2, parties)
        self.contacts = Rows(number // 2, parties)
        self.contact_words: dict[int, Contact] = {}
        """What the latest of `contacts` say, by row."""
        self.clocks: dict[int, Instant] = {}
        """Answer-by of the messages whose clock still runs for somebody, by row."""
        self.interims: dict[tuple[int, int], tuple[Generation, int, Instant]] = {}
        """(row, party) -> where its last interim stands, and until when; while it stands."""
        self.demands: dict[int, Instant] = {}
        """Acknowledge-by of the messages that a person of some party does not have yet, by row."""
        self.queries = Rows(number // 2, parties)
        self.rings, self.minutes = Rows(number // 2, parties), Rows(number // 2, parties)
        self.ringing = False
        """Its last ring is not hung up in this lane generation: another is void (spec 17.3)."""
        self.remarks, self.answers = Remarks(), Remarks()
        """What speaks of `messages`, and what answers `queries`."""

    def add_contact(self, index: int, time: int, leaf: bytes, entry: Contact) -> None:
        """A word about a regular contact; what the oldest said is let go beyond MAX_CONTACT_WORDS."""
        row = self.contacts.add(index, time, leaf, 0)
        self.contact_words[row] = entry
        self.contact_words.pop(row - MAX_CONTACT_WORDS, None)

    def precedence(self, row: int) -> Precedence:
        """Of a message."""
        return Precedence(self.messages.flags(row) >> 2 & 3)

    def handle(self, row: int) -> None:
        """A person of some party has that message, or it is superseded: stop its demand if all have it."""
        if row in self.demands:
            author, marks = self.number // 2, self.messages.of(row)
            others = (mark for party, mark in enumerate(marks) if party != author)
            if marks[author] & SUPERSEDED or all(mark & HANDLED for mark in others):
                del self.demands[row]

    def settle(self, row: int, party: int) -> None:
        """That party has answered or declined, or the author has superseded: stop what runs."""
        self.interims.pop((row, party), None)
        if row in self.clocks and self.settled(row):
            del self.clocks[row]

    def settled(self, row: int) -> bool:
        """Whether the clock of a message runs for nobody any more."""
        author, marks = self.number // 2, self.messages.of(row)
        if marks[author] & SUPERSEDED:
            return True
        return all(mark & SETTLED for party, mark in enumerate(marks) if party != author)

    def unhandled(self, handled: Mark, limit: int) -> Iterator[int]:
        """Rows that some party has not handled, neither refused nor superseded.

        Up to `limit` of each precedence and party, oldest first. Columns are
        searched as a whole: 100,000 rows take well under a millisecond each.
        """
        author, count, marks = self.number // 2, self.messages.parties, self.messages.marks
        own, length = marks[author::count], len(self.messages)
        handled_or_not = _any_of(int(handled))
        for others in _OTHERS:
            passed = int.from_bytes(own.translate(others), "big")
            for party in range(count):
                if party == author:
                    continue
                done = int.from_bytes(marks[party::count].translate(handled_or_not), "big")
                yield from islice(_zeros((passed | done).to_bytes(length, "big")), limit)

    def value(self) -> Value:
        """The part of the state digest for this lane generation (spec 6.73)."""
        rows, attached = self.messages, self.attachments
        clocks: list[Value] = [[rows.indexes[row], by] for row, by in sorted(self.clocks.items())]
        interims: list[Value] = [[rows.indexes[r], p, until] for (r, p), (_, _, until) in sorted(self.interims.items())]
        kinds: dict[int, Value] = dict(self.kinds)
        demands: list[Value] = [[rows.indexes[row], by] for row, by in sorted(self.demands.items())]
        later: dict[int, Value] = {0: demands} if demands else {}
        if len(self.queries):
            later[1] = [_bytes_of(self.queries.indexes), bytes(self.queries.marks)]
        if len(self.contacts):
            later[2] = [_bytes_of(self.contacts.indexes), bytes(self.contacts.marks)]
        for key, table in ((3, self.rings), (4, self.minutes)):
            if len(table):
                later[key] = [_bytes_of(table.indexes), bytes(table.marks)]
        added: list[Value] = [later] if later else []
        return [
            [self.number, self.generation.counter, self.generation.nonce, self.size, self.refused, self.void, kinds],
            [_bytes_of(rows.indexes), bytes(rows.marks), clocks, interims],
            [_bytes_of(attached.indexes), bytes(attached.marks)],
            *added,
        ]

    def pieces(self) -> list[bytes]:
        """For a snapshot."""
        head: list[Value] = [self.number, self.generation.counter, self.generation.nonce]
        head += [self.size, self.refused, self.void, self.ringing]
        clocks = [(row, int(by)) for row, by in self.clocks.items()]
        interims = [
            (row, party, at.counter, int.from_bytes(at.nonce, "big"), index, int(until))
            for (row, party), (at, index, until) in self.interims.items()
        ]
        # Columns also of the kinds: whoever writes some thousands of unknown ones would else leave no cache that is read.
        saved = [encode(head), columns(list(self.kinds.items()), 2), columns(clocks, 2), columns(interims, 6)]
        words = [encode([row, encode_body(word)]) for row, word in self.contact_words.items()]
        demands = [(row, int(by)) for row, by in self.demands.items()]
        saved += [columns(demands, 2), columns(self.remarks.rows(), 5), columns(self.answers.rows(), 5)]
        saved += self.queries.pieces()
        tables = (self.messages, self.attachments, self.contacts, self.rings, self.minutes)
        rows = [piece for table in tables for piece in table.pieces()]
        return [*saved, *rows, encode(len(words)), *words]


def status_of(ledger: Ledger, row: int) -> MessageStatus:
    """What is known of the message in that row."""
    author, rows = ledger.number // 2, ledger.messages
    marks = rows.of(row)
    interims = [ledger.interims.get((row, party)) for party in range(len(marks))]
    return MessageStatus(
        place=Place(lane=ledger.number, generation=ledger.generation, index=rows.indexes[row]),
        serial=row + 1,
        precedence=ledger.precedence(row),
        time=Instant(rows.times[row]),
        answer_by=ledger.clocks.get(row),
        acknowledge_by=ledger.demands.get(row),
        superseded=bool(marks[author] & SUPERSEDED),
        parties=tuple(
            PartyStatus(party=party, marks=Mark(mark), until=stands[2] if stands else None)
            for party, (mark, stands) in enumerate(zip(marks, interims, strict=True))
            if party != author
        ),
    )


def restored(pieces: Iterator[bytes], parties: int) -> Ledger:
    """The ledger that gave these pieces. Raises Malformed or TooLarge."""
    head, kinds = Fields(decode(next(pieces))), from_columns(next(pieces), 2)
    generation = read_generation(head, 1)
    ledger = Ledger(head.uint(0, 2 * parties - 1), generation, parties)
    ledger.size, ledger.refused, ledger.void = (head.uint(place, MAX_SEQ) for place in (3, 4, 5))
    ledger.ringing = head.bool(6)
    ledger.kinds = {kind: count for kind, count in kinds}  # noqa: C416 - typed anew
    ledger.clocks = {row: Instant(by) for row, by in from_columns(next(pieces), 2)}
    for row, party, counter, nonce, index, until in from_columns(next(pieces), 6):
        at = Generation(counter, (nonce % 2**64).to_bytes(8, "big"))
        ledger.interims[row, party] = (at, index, Instant(until))
    ledger.demands = {row: Instant(by) for row, by in from_columns(next(pieces), 2)}
    ledger.remarks.restore(_remarks(next(pieces)))
    ledger.answers.restore(_remarks(next(pieces)))
    ledger.queries.restore(pieces)
    for table in (ledger.messages, ledger.attachments, ledger.contacts, ledger.rings, ledger.minutes):
        table.restore(pieces)
    for _ in range(Fields([decode(next(pieces))]).uint(0, MAX_CONTACT_WORDS)):
        word = Fields(decode(next(pieces)))
        said = decode_body(Kind.CONTACT, word.bytes(1, most=MAX_BODY))
        if not isinstance(said, Contact):
            raise Malformed("not a contact")
        ledger.contact_words[word.uint(0, MAX_SEQ)] = said
    return ledger


def _remarks(piece: bytes) -> list[tuple[int, ...]]:
    return from_columns(piece, 5)


def _zeros(column: bytes) -> Iterator[int]:
    at = column.find(0)
    while at >= 0:
        yield at
        at = column.find(0, at + 1)


def columns(rows: Sequence[tuple[int, ...]], width: int) -> bytes:
    """Rows of `width` whole numbers, each within 64 bits, one after another."""
    flat = array("q")
    for row in rows:
        flat.extend((value + 2**63) % 2**64 - 2**63 for value in row)  # a nonce may need all 64 bits
    return bytes((width,)) + _bytes_of(flat)


def from_columns(data: bytes, width: int) -> list[tuple[int, ...]]:
    """The rows that `columns` saved. Raises Malformed."""
    flat = _array_of("q", data[1:])
    if data[:1] != bytes((width,)) or len(flat) % width:
        raise Malformed("rows of another width")
    return list(zip(*(iter(flat),) * width, strict=True))


def _bytes_of(numbers: "array[int]") -> bytes:
    if _BIG_ENDIAN:
        return numbers.tobytes()
    turned = numbers[:]
    turned.byteswap()
    return turned.tobytes()


def _array_of(code: str, data: bytes) -> "array[int]":
    found: array[int] = array(code)
    if len(data) % found.itemsize:
        raise Malformed("a column cut short")
    found.frombytes(data)
    if not _BIG_ENDIAN:
        found.byteswap()
    return found


def joined(pieces: list[bytes]) -> bytes:
    """Pieces one after another, each with its length in front."""
    return b"".join(part for piece in pieces for part in (len(piece).to_bytes(8, "big"), piece))


def split(data: bytes) -> Iterator[bytes]:
    """The pieces that `joined` put together. Raises Malformed when cut short."""
    at = 0
    while at < len(data):
        end = at + 8 + int.from_bytes(data[at : at + 8], "big")
        if end > len(data):
            raise Malformed("pieces cut short")
        yield data[at + 8 : end]
        at = end
    raise Malformed("pieces are missing")
