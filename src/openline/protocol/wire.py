"""Entries as they go over the wire to one peer: the shortest form it can expand.

Spec: spec/07-delivery.md, spec/08-frames.md.
"""

from collections.abc import Sequence

from openline.kernel.lane import Generation
from openline.protocol.acknowledgements import NOTHING, decode_ack
from openline.protocol.fields import decode_kind, decode_time
from openline.protocol.frames import FullAck, ShortAck, WireAck, WireEntry
from openline.protocol.lane_state import LaneState
from openline.protocol.lanes import LaneBook
from openline.protocol.records import EntryRow

Holds = dict[tuple[int, Generation], int]
"""What a peer has acknowledged holding, by lane generation."""


def wire_items(
    book: LaneBook, state: LaneState, rows: Sequence[EntryRow], peer: int, peer_holds: Holds
) -> tuple[WireEntry, ...] | None:
    """Rows as they go to `peer`; None if one of them is unopened and only the full form can carry it."""
    time, ack = 0, NOTHING
    if rows[0].index:
        before = book.rows(state, rows[0].index - 1, 1)
        if not before or not before[0].entry.secret or before[0].refused:
            return None
        time, ack = decode_time(before[0].entry.time), before[0].entry.ack
    items = []
    for row in rows:
        entry = row.entry
        if not entry.secret or row.refused:
            return None
        at = decode_time(entry.time)
        wire = None if entry.ack == ack else contract(book, entry.ack, peer, peer_holds)
        items.append(WireEntry(kind=decode_kind(entry.kind), delta=at - time, ack=wire, body=entry.body))
        time, ack = at, entry.ack
    return tuple(items)


def contract(book: LaneBook, data: bytes, peer: int, peer_holds: Holds) -> WireAck:
    """The shortest wire form that `peer` can expand."""
    wire: list[ShortAck | FullAck] = []
    for item in decode_ack(data):
        known = [g for g in book.generations(item.lane // 2) if g.counter == item.generation.counter]
        unambiguous = bool(known) and known[-1] == item.generation and len(known) == 1
        mine = item.lane // 2 == peer
        holds = mine or peer_holds.get((item.lane, item.generation), 0) >= item.size
        if unambiguous and holds and not item.refused:
            wire.append(ShortAck(lane=item.lane, counter=item.generation.counter, size=item.size))
        else:
            lane = book.lane(item.lane, item.generation)
            wire.append(FullAck(lane=lane, size=item.size, root=item.root, refused=item.refused))
    return tuple(wire)
