"""Whether a store still says what was once signed: every row opened, every hash made again, every head verified.

About a minute for a million entries. Nothing is changed.
"""

from collections.abc import Iterator, Sequence

from openline.kernel.errors import Refused, Unavailable
from openline.kernel.keys import Keyring, read_card, read_statement
from openline.kernel.lane import Lane, SignedHead, leaf_of
from openline.kernel.merkle import Peaks, grown, leaf_hash
from openline.protocol.records import LineRecord, PutGeneration
from openline.stores.sealing import audit_digest
from openline.stores.sqlite import SqliteStore
from openline.stores.sqlite.line import SqliteLine

_STEP = 1_000


def check_store(store: SqliteStore) -> Iterator[str]:
    """The names of what is wrong; none for a sound store."""
    try:
        if not store.sound():
            yield "structure"
        for record in store.lines():
            yield from check_line(store.line(record.line), record)
        yield from _check_audit(store)
    except Unavailable:
        yield "row"  # one does not open, or cannot be read: there may be more


def check_line(line: SqliteLine, record: LineRecord) -> Iterator[str]:
    """The names of what is wrong with one line."""
    generations = line.generations()
    for card in record.cards:
        try:
            read_card(card)
        except Refused:
            yield "card"
            return
    for lane in line.lanes():
        try:
            keys = _keys(record, generations, lane)
        except Refused:
            yield "statement"
            continue
        yield from _check_lane(line, lane, keys)
    arrivals = sum(line.size(lane) for lane in line.lanes())
    if arrivals != line.last_seq():
        yield "arrivals"
    line.peers()
    line.evidence()


def _keys(record: LineRecord, generations: Sequence[PutGeneration], lane: Lane) -> Keyring:
    card = read_card(record.cards[lane.party])
    keys = Keyring(card.root, card.lane)
    for put in generations:
        if put.party == lane.party and put.statement:
            key = read_statement(put.statement, record.line, put.party, put.generation, card.root)
            keys.rotate(put.generation, key)
    return keys


def _check_lane(line: SqliteLine, lane: Lane, keys: Keyring) -> Iterator[str]:
    peaks, heads = Peaks(), _heads(line, lane)
    head = next(heads, None)
    while peaks.size < line.size(lane):
        for row in line.entries(lane, peaks.size, _STEP):
            leaf = row.unopened or leaf_of(lane, row.index, row.entry)
            peaks, completed = grown(peaks, leaf_hash(leaf))
            if completed != row.nodes:
                yield "hash"
                return
            while head is not None and head.head.size <= peaks.size:
                if not _holds(head, peaks, keys):
                    yield "head"
                head = next(heads, None)


def _heads(line: SqliteLine, lane: Lane) -> Iterator[SignedHead]:
    above = 0
    while found := line.heads(lane, above, _STEP):
        yield from found
        above = found[-1].head.size


def _holds(signed: SignedHead, peaks: Peaks, keys: Keyring) -> bool:
    """Whether a head is that of the tree at its size, signed by its owner (our own may wait for its signature)."""
    if signed.head.size != peaks.size or signed.head.root != peaks.root():
        return False
    owner = keys.lane(signed.head.lane.generation)
    try:
        if signed.ed25519:
            owner.ed25519(signed.ed25519, signed.head.text())
        if signed.mldsa:
            owner.mldsa(signed.mldsa, signed.head.cosigned())
    except Refused:
        return False
    return True


def _check_audit(store: SqliteStore) -> Iterator[str]:
    end = store.audit_end()  # first: a running station appends meanwhile
    before, number = bytes(32), 0
    reached = False
    while rows := store.audit(number, _STEP):
        for row in rows:
            number += 1
            if (row.number, row.digest) != (number, audit_digest(before, number, row.content)):
                yield "audit"
                return
            before = row.digest
            reached = reached or (number, before) == end
    if not reached and (number, before) != end:
        yield "audit"  # the last acts are missing
