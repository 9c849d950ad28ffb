"""Spec 2. Refused encodings are written by hand, byte by byte."""

from collections.abc import Iterator
from typing import Any

from openline.kernel.codec import encode
from vectors.generate.case import Case, refused, tagged

VALUES: list[tuple[str, str, str, Any]] = [
    ("zero", "2.2", "the number 0", 0),
    ("twenty-four", "2.3", "the first number with a second byte", 24),
    ("two-to-the-16", "2.3", "the first number with a 4-byte argument", 65_536),
    ("largest-number", "2.2", "2^64 - 1", 2**64 - 1),
    ("smallest-number", "2.2", "-2^64", -(2**64)),
    ("text", "2.5", "text beyond ASCII", "Привет, é, سلام"),
    ("text-with-nul", "2.5", "NUL in a text is inert", "a\x00b"),
    ("text-decomposed", "2.5", "text is not normalised", "e\u0301"),
    ("simple-values", "2.2", "false, true and null", [False, True, None]),
    ("map-order", "2.4", "keys in the order of their encodings, not of their lengths", {0: 5, 10: 1, 256: 3, "a": 2}),
    ("eight-levels", "2.6", "the deepest nesting", [[[[[[[[1]]]]]]]]),
    ("empty-things", "2.2", "empty strings, array and map", [b"", "", [], {}]),
]

REFUSED: list[tuple[str, str, str, str, str]] = [
    ("long-head-of-a-number", "2.3", "5 in two bytes", "1805", "malformed"),
    ("long-head-of-bytes", "2.3", "a length of 1 in two bytes", "580100", "malformed"),
    ("long-head-of-a-map", "2.3", "a count of 0 in three bytes", "b90000", "malformed"),
    ("indefinite-array", "2.3", "an array of indefinite length", "9fff", "malformed"),
    ("indefinite-text", "2.3", "text of indefinite length", "7f6161ff", "malformed"),
    ("reserved-head", "2.3", "additional information 28", "1c", "malformed"),
    ("float", "2.2", "a float of half precision", "f93c00", "malformed"),
    ("double", "2.2", "a float of double precision", "fb3ff0000000000000", "malformed"),
    ("tag", "2.2", "a tagged value", "c000", "malformed"),
    ("undefined", "2.2", "undefined", "f7", "malformed"),
    ("simple-value", "2.2", "an unassigned simple value", "f820", "malformed"),
    ("keys-out-of-order", "2.4", "key 1 before key 0", "a201000000", "malformed"),
    ("keys-length-first", "2.4", "the text key first: the order of RFC 8949, 4.2.3", "a261610019010000", "malformed"),
    ("key-twice", "2.4", "one key twice", "a200000001", "malformed"),
    ("negative-key", "2.4", "a negative key", "a12000", "malformed"),
    ("bytes-as-key", "2.4", "bytes as a key", "a1410000", "malformed"),
    ("true-as-key", "2.4", "true as a key", "a1f500", "malformed"),
    ("text-not-utf8", "2.5", "text with a lone continuation byte", "6180", "malformed"),
    ("text-overlong", "2.5", "NUL in two bytes", "62c080", "malformed"),
    ("text-surrogate", "2.5", "an encoded surrogate", "63eda080", "malformed"),
    ("nothing", "2.7", "no bytes at all", "", "malformed"),
    ("trailing-byte", "2.7", "a byte after the value", "0000", "malformed"),
    ("cut-short", "2.7", "an array of two with one member", "8200", "malformed"),
    ("huge-announcement", "2.6", "an array of 2^64 - 1 members announced in nine bytes", "9b" + "ff" * 8, "malformed"),
    ("nine-levels", "2.6", "one level too many", "81" * 9 + "01", "too-large"),
    ("nine-levels-empty", "2.6", "an empty array inside eight is the ninth level", "81" * 8 + "80", "too-large"),
    ("too-many-items", "2.6", "4,096 members: with the array 4,097 items", "991000" + "00" * 4_096, "too-large"),
    ("too-long", "2.6", "65,536 bytes", "59fffd" + "00" * 65_533, "too-large"),
]


def cases() -> Iterator[Case]:
    """Values with their one encoding, and encodings of no value."""
    for name, clause, shows, value in VALUES:
        expect = {"value": tagged(value)}
        data = {"data": encode(value).hex()}
        yield Case(group="codec", name=name, clause=clause, shows=shows, operation="decode", input=data, expect=expect)
    for name, clause, shows, data_hex, code in REFUSED:
        shown = {"data": data_hex} if len(data_hex) <= 9_000 else {"data": data_hex[:6], "then_zeros": 65_533}
        yield Case(
            group="codec", name=f"refused-{name}", clause=clause, shows=shows, operation="decode", input=shown,
            expect=refused(code),
        )  # fmt: skip
