"""A value out of the map that a body is, with its type and its bound. Each function raises Malformed or TooLarge.

Spec: spec/06-entries.md, 6.3.
"""

import re
from collections.abc import Mapping
from typing import TypeVar

from openline.kernel.codec import Value
from openline.kernel.errors import Malformed, TooLarge
from openline.kernel.units import MAX_INSTANT, MIN_INSTANT, Instant
from openline.protocol.fields import whole

Members = Mapping[int, Value]
_Number = TypeVar("_Number")

_SIGN = re.compile(r"[A-Z0-9]{1,12}", re.ASCII)


def uint(members: Members, key: int, most: int) -> int:
    """A whole number up to `most`."""
    return whole(members.get(key), most)


def instant(members: Members, key: int) -> Instant:
    """A moment."""
    value = members.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Malformed("not a moment")
    if not MIN_INSTANT <= value <= MAX_INSTANT:
        raise TooLarge("moment beyond its bound")
    return Instant(value)


def flag(members: Members, key: int) -> bool:
    """True or false."""
    value = members.get(key)
    if not isinstance(value, bool):
        raise Malformed("neither true nor false")
    return value


def octets(members: Members, key: int, most: int) -> bytes:
    """At most so many bytes."""
    value = members.get(key)
    if not isinstance(value, bytes):
        raise Malformed("not bytes")
    if len(value) > most:
        raise TooLarge("bytes beyond their bound")
    return value


def hash_at(members: Members, key: int) -> bytes:
    """32 bytes."""
    value = members.get(key)
    if not isinstance(value, bytes) or len(value) != 32:
        raise Malformed("not a hash")
    return value


def text(members: Members, key: int, most: int) -> str:
    """Text of at most so many bytes in UTF-8."""
    value = members.get(key)
    if not isinstance(value, str):
        raise Malformed("not text")
    if len(value) * 4 > most and len(value.encode()) > most:
        raise TooLarge("text beyond its bound")
    return value


def formed(members: Members, key: int, most: int, form: re.Pattern[str]) -> str:
    """Text of that form."""
    value = text(members, key, most)
    if not form.fullmatch(value):
        raise Malformed("text of another form")
    return value


def one_of(members: Members, key: int, known: Mapping[int, _Number]) -> _Number:
    """One of the numbers that this place knows."""
    value = members.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value not in known:
        raise Malformed("not one of the numbers that this place knows")
    return known[value]


def sign(members: Members, key: int) -> str:
    """An officer's sign (spec 6.6)."""
    value = members.get(key)
    if not isinstance(value, str) or not _SIGN.fullmatch(value):
        raise Malformed("a sign is 1 to 12 of A-Z and 0-9")
    return value


def given(key: int, value: Value) -> dict[int, Value]:
    """A member that may be absent: None leaves it out."""
    return {} if value is None else {key: value}
