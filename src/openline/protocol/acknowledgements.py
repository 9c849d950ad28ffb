"""The acknowledgement field of an entry: what its signer holds of every other lane.

An item says: of this lane generation I hold entries 0 to size-1, whose root
is this, and I have opened every body but those I named refused, here or in
an earlier entry of my lanes.

Spec: spec/06-entries.md, spec/07-delivery.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from openline.kernel.codec import Value, decode, encode
from openline.kernel.errors import Malformed, TooLarge
from openline.kernel.lane import Generation, Lane
from openline.kernel.units import MAX_ACK, MAX_PARTIES, MAX_REFUSED
from openline.protocol.fields import place

MAX_ENDED = 128
"""Lane generations named beside the field in one entry: both lanes of all generations of a party, at 61 bytes each 7.8 KB."""
NOTHING = encode([])
"""The field of an entry that acknowledges nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AckItem:
    """Possession of one lane generation up to a size, which is above 0."""

    lane: int
    generation: Generation
    size: int
    root: bytes
    refused: tuple[int, ...] = ()
    """Indexes newly named as refused, ascending, below `size`."""


def encode_ack(items: Iterable[AckItem]) -> bytes:
    """The acknowledgement field. Raises as `decode_ack`: nobody writes what its peers would refuse."""
    listed = item_values(items)
    if not listed:
        return NOTHING
    data = encode(listed)
    decode_ack(data)
    return data


def item_values(items: Iterable[AckItem]) -> list[Value]:
    """Items as codec values."""
    return [[i.lane, i.generation.counter, i.generation.nonce, i.size, i.root, list(i.refused)] for i in items]


def read_ended(value: Value) -> tuple[AckItem, ...]:
    """The items about ended generations that a pure acknowledgement names, ascending by lane and generation (spec 4.18).

    Raises Malformed or TooLarge.
    """
    if not isinstance(value, list):
        raise Malformed("not acknowledgement items")
    if len(value) > MAX_ENDED:
        raise TooLarge("too many ended generations")
    items = tuple(_item(member) for member in value)
    if any((left.lane, left.generation) >= (right.lane, right.generation) for left, right in pairwise(items)):
        raise Malformed("acknowledgement items out of order")
    return items


@lru_cache(maxsize=256)  # a batch shares one acknowledgement, and it is asked about at every step of its way
def decode_ack(data: bytes) -> tuple[AckItem, ...]:
    """The items of an acknowledgement field, ascending by lane.

    Raises Malformed or TooLarge (MAX_ACK bytes, one item a lane, MAX_REFUSED
    refused indexes an item).
    """
    if data == NOTHING:
        return ()
    if len(data) > MAX_ACK:
        raise TooLarge("acknowledgement beyond its bound")
    listed = decode(data)
    if not isinstance(listed, list):
        raise Malformed("an acknowledgement is an array")
    if len(listed) >= 2 * MAX_PARTIES:
        raise TooLarge("more items than other lanes")
    items = tuple(_item(member) for member in listed)
    for left, right in pairwise(items):
        if left.lane >= right.lane:
            raise Malformed("acknowledgement items out of order")
    return items


def in_place(data: bytes, lane: Lane, parties: int) -> bool:
    """Whether an entry of that lane may carry this field: others' lanes, and in an urgent one its own traffic lane (4.14)."""
    return all(
        item.lane < 2 * parties and (item.lane // 2 != lane.party or (lane.urgent and item.lane == lane.number + 1))
        for item in decode_ack(data)
    )


def of_others(items: Iterable[AckItem], lane: Lane, parties: int) -> bool:
    """Whether items beside the field of an entry of that lane are about lanes of other parties alone (4.18)."""
    return all(item.lane < 2 * parties and item.lane // 2 != lane.party for item in items)


def _item(member: Value) -> AckItem:
    if not isinstance(member, list) or len(member) != 6:
        raise Malformed("an acknowledgement item has six members")
    lane, generation, size, root = place(member[:5])
    if size == 0:
        raise Malformed("an acknowledgement of nothing")
    return AckItem(lane=lane, generation=generation, size=size, root=root, refused=_refused(member[5], size))


def _refused(value: Value, size: int) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise Malformed("refused indexes are an array")
    if len(value) > MAX_REFUSED:
        raise TooLarge("too many refused indexes")
    found: list[int] = []
    previous = -1
    for index in value:
        if not isinstance(index, int) or isinstance(index, bool) or not previous < index < size:
            raise Malformed("refused indexes out of order or not held")
        found.append(index)
        previous = index
    return tuple(found)
