"""Spec 2: one encoding a value, and every other bytes refused.

cbor2 is the second opinion. Mind: its `canonical=True` orders map keys by length first (RFC 8949, 4.2.3), and its
decoder takes long heads, duplicate keys, indefinite lengths and trailing bytes; so it is asked only where both agree.
"""

import io
from typing import Any

import cbor2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openline.kernel.codec import Fields, Value, decode, encode
from openline.kernel.errors import Malformed, Refused, TooLarge
from openline.kernel.units import MAX_DEPTH, MAX_INSTANT, MAX_ITEMS, MAX_VALUE, MIN_INSTANT

KEYS = st.integers(0, 2**64 - 1) | st.text(max_size=6)
SCALARS = st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=20)


def deep(leaf: Any, depth: int) -> Any:
    for _ in range(depth):
        leaf = [leaf]
    return leaf


VALUES: Any = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
).filter(lambda value: depth_of(value) <= MAX_DEPTH)


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max((depth_of(item) for item in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((depth_of(item) for item in value), default=0)
    return 0


@given(VALUES)
def test_2_1_a_value_survives_its_encoding(value: Value) -> None:
    again = decode(encode(value))
    assert again == value
    assert repr(again) == repr(decode(encode(again)))  # also True is not 1


@given(st.binary(max_size=64) | VALUES.map(encode))
@example(b"\x18\x05")
@settings(max_examples=500)
def test_2_1_whatever_decodes_is_the_one_encoding(data: bytes) -> None:
    try:
        value = decode(data)
    except Refused:
        return
    assert encode(value) == data


@given(VALUES, st.data())
def test_2_1_a_changed_byte_is_refused_or_another_value(value: Value, data: st.DataObject) -> None:
    encoded = bytearray(encode(value))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    try:
        other = decode(bytes(encoded))
    except Refused:
        return
    assert encode(other) == bytes(encoded) != encode(value)


@given(VALUES)
def test_2_1_the_oracle_reads_the_same_value(value: Value) -> None:
    read = io.BytesIO(encode(value))
    assert cbor2.load(read) == value
    assert read.read() == b""


@given(
    st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=6), max_leaves=20).filter(lambda v: depth_of(v) <= 8)
)
def test_2_1_the_oracle_writes_the_same_bytes_where_no_map_is(value: Value) -> None:
    assert cbor2.dumps(value) == encode(value)


@pytest.mark.parametrize(
    "value, encoding",
    [
        ([1, b"\x00", {0: 1}], "83014100a10001"),
        ({0: 5, 10: 1, 256: 3, "a": 2}, "a400050a01190100036161" + "02"),
        (-1, "20"),
        (1000, "1903e8"),
        ("é", "62c3a9"),
        (2**64 - 1, "1bffffffffffffffff"),
        (-(2**64), "3bffffffffffffffff"),
        ([False, True, None], "83f4f5f6"),
        ({}, "a0"),
    ],
)
def test_2_1_the_examples_are_true(value: Value, encoding: str) -> None:
    assert encode(value).hex() == encoding
    assert decode(bytes.fromhex(encoding)) == value


@pytest.mark.parametrize(
    "encoding",
    ["f90000", "fa00000000", "fb0000000000000000", "c000", "d8184100", "f7", "f0", "f3", "f800", "f8ff", "f818", "ff"],
)
def test_2_2_other_types_are_refused(encoding: str) -> None:
    with pytest.raises(Malformed):
        decode(bytes.fromhex(encoding))


@pytest.mark.parametrize("value", [1.5, object(), {1, 2}, [1.0]])
def test_2_2_other_types_are_not_written(value: Any) -> None:
    with pytest.raises(Malformed):
        encode(value)


@pytest.mark.parametrize("value", [2**64, -(2**64) - 1])
def test_2_2_integers_end_at_64_bits(value: int) -> None:
    with pytest.raises(TooLarge):
        encode(value)


LONG_HEADS = [
    (major << 5 | 24 + wide, argument.to_bytes(1 << wide, "big"))
    for major in range(6)
    for wide, argument in ((0, 0), (0, 23), (1, 24), (1, 255), (2, 256), (2, 65_535), (3, 65_536), (3, 2**32 - 1))
]


@pytest.mark.parametrize("first, rest", LONG_HEADS)
def test_2_3_a_longer_head_is_refused(first: int, rest: bytes) -> None:
    body = b"\x00" * 600 if first >> 5 in (2, 3, 4) else b""
    with pytest.raises(Malformed):
        decode(bytes((first,)) + rest + body)


@pytest.mark.parametrize("first", [major << 5 | low for major in range(7) for low in (28, 29, 30, 31)])
def test_2_3_reserved_and_indefinite_lengths_are_refused(first: int) -> None:
    with pytest.raises(Malformed):
        decode(bytes((first, 0xFF)))


@pytest.mark.parametrize("border", [23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32])
def test_2_3_heads_change_length_at_their_borders(border: int) -> None:
    for value in (border, -1 - border):
        assert decode(encode(value)) == value
    assert len(encode(border)) == 1 + (border > 23) + (border > 255) + 2 * (border > 65_535) + 4 * (border >= 2**32)


@pytest.mark.parametrize(
    "encoding, why",
    [
        ("a201000000", "keys out of order"),
        ("a2000000" + "00", "a key twice"),
        ("a2616100" + "0000", "text before number"),
        ("a262616100616200", "length does count, as it is part of the encoding: aa before b"),
        ("a2190100000a00", "256 before 10"),
        ("a12000", "a negative key"),
        ("a1410000", "a byte string as key"),
        ("a1f500", "true as key"),
        ("a18000", "an array as key"),
        ("a1f600", "null as key"),
    ],
)
def test_2_4_other_keys_and_orders_are_refused(encoding: str, why: str) -> None:
    with pytest.raises(Malformed):
        decode(bytes.fromhex(encoding))
    assert why


@given(st.dictionaries(KEYS, st.just(0), max_size=20))
def test_2_4_keys_are_written_in_bytewise_order_whatever_order_they_came_in(value: Any) -> None:
    backwards: Any = dict(reversed(value.items()))
    encoded = encode(value)
    assert encoded == encode(backwards)
    read: Any = decode(encoded)
    assert [encode(key) for key in read] == sorted(encode(key) for key in value)


@pytest.mark.parametrize("value", [{-1: 0}, {True: 0}, {b"a": 0}, {None: 0}, {1.0: 0}, {(1,): 0}, [{-1: 0}]])
def test_2_4_a_map_that_could_not_be_read_is_not_written(value: Any) -> None:
    with pytest.raises(Malformed):
        encode(value)


def test_2_4_length_first_order_is_another_order() -> None:
    mixed: Any = {256: 0, "a": 0}
    assert cbor2.dumps(mixed, canonical=True) != encode(mixed)


@pytest.mark.parametrize("text", ["61ff", "62c080", "63eda080", "64f4908080", "62c3", "61c3"])
def test_2_5_text_that_is_not_utf8_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        decode(bytes.fromhex(text))


def test_2_5_text_stays_as_it_came() -> None:
    for text in ("\x00", "e\u0301", "\u00e9", "\u202e\ufeff", "\U0010ffff", "\r\n"):
        assert decode(encode(text)) == text
    with pytest.raises(Malformed):
        encode("\ud800")


def test_2_6_a_value_of_65535_bytes_is_the_largest() -> None:
    largest = encode(bytes(MAX_VALUE - 3))
    assert len(largest) == MAX_VALUE
    assert decode(largest) == bytes(MAX_VALUE - 3)
    with pytest.raises(TooLarge):
        decode(encode(bytes(MAX_VALUE - 2)))


def test_2_6_eight_levels_and_no_more() -> None:
    assert decode(encode(deep(1, MAX_DEPTH))) == deep(1, MAX_DEPTH)
    assert decode(b"\xa1\x00" * MAX_DEPTH + b"\x01")
    for beyond in (b"\x81" * (MAX_DEPTH + 1) + b"\x01", b"\xa1\x00" * (MAX_DEPTH + 1) + b"\x01", b"\x81" * 60_000):
        with pytest.raises(TooLarge):
            decode(beyond)


def test_2_6_an_empty_array_is_a_level_too() -> None:
    assert decode(b"\x81" * (MAX_DEPTH - 1) + b"\x80")
    for empty in (b"\x80", b"\xa0"):
        with pytest.raises(TooLarge):
            decode(b"\x81" * MAX_DEPTH + empty)


def test_2_6_4096_items_and_no_more() -> None:
    assert decode(encode([0] * (MAX_ITEMS - 1))) == [0] * (MAX_ITEMS - 1)
    with pytest.raises(TooLarge):
        decode(encode([0] * MAX_ITEMS))
    pairs = dict.fromkeys(range(MAX_ITEMS // 2), 0)
    with pytest.raises(TooLarge):
        decode(encode(pairs))  # the map itself is one more
    pairs.popitem()
    assert decode(encode(pairs)) == pairs


@pytest.mark.parametrize(
    "head", ["9bffffffffffffffff", "bbffffffffffffffff", "5bffffffffffffffff", "7bffffffffffffffff", "9affffffff"]
)
def test_2_6_an_announced_length_reserves_nothing(head: str) -> None:
    with pytest.raises(Malformed):
        decode(bytes.fromhex(head))


@pytest.mark.parametrize(
    "data", [b"", b"\x00\x00", b"\x80\x80", encode([1, 2]) + b"\x00", b"\x82\x00", b"\x19\x01", b"\x41"]
)
def test_2_7_nothing_is_missing_and_nothing_follows(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(data)


def test_2_8_members_beyond_are_ignored_and_missing_ones_refused() -> None:
    members = Fields([1, b"ab", "text", [1], True, -5, {0: 1}])
    assert (members.uint(0, 1), members.bytes(1), members.text(2, 4), members.list(3, 1)) == (1, b"ab", "text", [1])
    assert members.bool(4) is True
    assert members.instant(5) == -5
    assert members.fields(3).uint(0, 1) == 1
    assert len(members) == 7
    assert 6 in members
    with pytest.raises(Malformed):
        members.any(7)


@pytest.mark.parametrize(
    "read",
    [
        lambda f: f.uint(1, 9), lambda f: f.uint(4, 9), lambda f: f.uint(5, 9), lambda f: f.bytes(2),
        lambda f: f.bytes(1, exactly=3), lambda f: f.text(1, 9), lambda f: f.list(6, 9), lambda f: f.bool(0),
        lambda f: f.instant(4), lambda f: f.instant(1), lambda f: f.fields(6), lambda f: f.fields(0),
    ],
)  # fmt: skip
def test_2_8_a_member_of_another_type_is_refused(read: Any) -> None:
    with pytest.raises(Malformed):
        read(Fields([1, b"ab", "text", [1], True, -5, {0: 1}]))


@pytest.mark.parametrize(
    "read",
    [
        lambda f: f.uint(0, 9), lambda f: f.bytes(1, most=1), lambda f: f.text(2, 2), lambda f: f.list(3, 1),
        lambda f: f.instant(4), lambda f: f.instant(5),
    ],
)  # fmt: skip
def test_2_8_a_member_beyond_its_bound_is_refused(read: Any) -> None:
    with pytest.raises(TooLarge):
        read(Fields([10, b"ab", "éa", [1, 2], MAX_INSTANT + 1, MIN_INSTANT - 1]))


def test_2_8_an_array_is_no_map_and_a_map_no_array() -> None:
    """A map {0: a, 1: b} must not pass where [a, b] is meant: others would refuse it, and the states part."""
    for value, of_map in (({0: 1}, False), ([1], True), (1, False), ("a", True), (None, True)):
        with pytest.raises(Malformed):
            Fields(value, of_map=of_map)
    mixed: Any = {0: 1, "a": 2}
    assert Fields(mixed, of_map=True).uint(0, 1) == 1


@given(st.binary(max_size=300))
@settings(max_examples=1_000)
def test_2_6_hostile_bytes_are_a_value_or_refused(data: bytes) -> None:
    """Nothing but Refused is ever raised."""
    try:
        decode(data)
    except Refused:
        pass
