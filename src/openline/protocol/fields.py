"""The small fields of an entry, and what names a place in a lane: kind, time, references, heads.

Spec: spec/06-entries.md.
"""

from dataclasses import dataclass

from openline.kernel.codec import Value, decode, encode
from openline.kernel.errors import Malformed, TooLarge
from openline.kernel.lane import GENERATION_ZERO, Generation
from openline.kernel.units import MAX_GENERATION, MAX_INSTANT, MAX_PARTIES, MAX_SEQ, MIN_INSTANT, Instant

MAX_KIND = 65_535
"""Kinds fit two bytes: one new kind a week for a thousand years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """A reference to an entry: its place, and its leaf hash, so that it can mean no other."""

    lane: int
    generation: Generation
    index: int
    leaf: bytes
    """Leaf hash (spec 4.10)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedHead:
    """A head named by its identity, without signatures."""

    lane: int
    generation: Generation
    size: int
    root: bytes


def encode_ref(ref: Ref) -> list[Value]:
    """A reference as a codec value (spec 6.4)."""
    return [ref.lane, ref.generation.counter, ref.generation.nonce, ref.index, ref.leaf]


def decode_ref(value: Value) -> Ref:
    """The reference in a codec value. Raises Malformed or TooLarge."""
    lane, generation, index, leaf = place(value)
    return Ref(lane=lane, generation=generation, index=index, leaf=leaf)


def place(value: Value) -> tuple[int, Generation, int, bytes]:
    """Lane, generation, index or size, and hash: the five members that references and heads have in common.

    Raises Malformed or TooLarge.
    """
    if not isinstance(value, list) or len(value) != 5:
        raise Malformed("not a reference")
    lane, counter, nonce, index, leaf = value
    if not isinstance(nonce, bytes) or len(nonce) != 8 or not isinstance(leaf, bytes) or len(leaf) != 32:
        raise Malformed("not a reference")
    number = whole(lane, 2 * MAX_PARTIES - 1)
    if counter == 0 and not isinstance(counter, bool):
        if nonce != GENERATION_ZERO.nonce:
            raise Malformed("generation zero has no nonce")
        return number, GENERATION_ZERO, whole(index, MAX_SEQ), leaf
    return number, Generation(whole(counter, MAX_GENERATION), nonce), whole(index, MAX_SEQ), leaf


_ENCODED_KINDS = {kind: encode(kind) for kind in range(256)}
_DECODED_KINDS = {data: kind for kind, data in _ENCODED_KINDS.items()}


def encode_kind(kind: int) -> bytes:
    """The kind field."""
    return _ENCODED_KINDS.get(kind) or encode(kind)


def decode_kind(data: bytes) -> int:
    """The number in a kind field. Raises Malformed or TooLarge."""
    known = _DECODED_KINDS.get(data)
    return known if known is not None else _bounded(data, 0, MAX_KIND)


def encode_time(time: Instant) -> bytes:
    """The time field."""
    if 2**32 <= time <= MAX_INSTANT:  # from 1970-02-19 on: the one form, without the detour
        return b"\x1b" + time.to_bytes(8, "big")
    return encode(time)


def decode_time(data: bytes) -> Instant:
    """The moment in a time field. Raises Malformed or TooLarge."""
    if len(data) == 9 and data[0] == 0x1B:
        value = int.from_bytes(data[1:], "big")
        if 2**32 <= value <= MAX_INSTANT:
            return Instant(value)
    return Instant(_bounded(data, MIN_INSTANT, MAX_INSTANT))


def _bounded(data: bytes, least: int, most: int) -> int:
    value = decode(data)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Malformed("not a whole number")
    if not least <= value <= most:
        raise TooLarge("number beyond its bound")
    return value


def whole(value: Value, most: int) -> int:
    """A whole number from 0 to `most`. Raises Malformed or TooLarge."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Malformed("not a whole number")
    if value > most:
        raise TooLarge("number beyond its bound")
    return value
