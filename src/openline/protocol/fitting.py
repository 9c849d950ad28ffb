"""How many entries fit one envelope: counted before they are encoded, and never too low.

Spec: spec/07-delivery.md, spec/08-frames.md.
"""

from collections.abc import Iterator, Sequence

from openline.kernel.errors import TooLarge
from openline.kernel.lane import Entry
from openline.kernel.units import MAX_ITEMS, MAX_VALUE
from openline.protocol.records import EntryRow

MOST_ITEMS = MAX_ITEMS - 64
"""CBOR items of frames in one envelope: the array around them and the window numbers need a few."""
MOST_HANDED_ON = MAX_VALUE - 1_024
"""Bytes of a frame in full that can be cut into fragments and joined again (spec 8.11)."""
LEAF_BYTES = 272
"""Bytes of an entry in full beside its acknowledgement and body: leaf 197, secret 34, kind, time and heads."""


def costs(rows: Sequence[EntryRow], *, full: bool) -> Iterator[tuple[int, int]]:
    """Bytes and CBOR items that each entry takes on the wire, at most."""
    before = None
    for row in rows:
        size, ack = len(row.entry.body), row.entry.ack
        if full:
            yield LEAF_BYTES + len(ack) + size, 7
        elif ack == before:
            yield 24 + size, 5
        else:
            yield 24 + size + len(ack), 5 + len(ack)
        before = ack


def fitting(rows: list[EntryRow], budget: int, *, full: bool) -> list[EntryRow]:
    """As many rows as fit one envelope, and one CBOR value, by what they cost at most; one at least."""
    left = MOST_ITEMS - 16
    for place, (size, items) in enumerate(costs(rows, full=full)):
        budget, left = budget - size, left - items
        if budget < 0 or left < 0:
            return rows[: max(place, 1)]
    return rows


def check_handed_on(entries: Sequence[Entry]) -> None:
    """Raise TooLarge for entries under one signature that nobody could hand on in full (spec 8.14)."""
    if sum(LEAF_BYTES + len(entry.ack) + len(entry.body) for entry in entries) > MOST_HANDED_ON:
        raise TooLarge("more entries under one signature than can be handed on")


def whole(row: EntryRow) -> Entry:
    """The entry as the full form carries it; one that never opened here goes on with nothing that could open it."""
    return row.entry if row.entry.secret else Entry(kind=b"", time=b"", ack=b"", body=b"", secret=bytes(32))
