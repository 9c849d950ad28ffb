"""Bytes <-> values: deterministic CBOR, and the only parser of hostile bytes.

There is exactly one encoding of a value (RFC 8949, 4.2.1): shortest heads,
map keys in bytewise order, nothing indefinite. `decode` refuses every other
one, so that `encode(decode(b)) == b` whenever `decode(b)` returns.

Values are int (64 bit, either sign), bytes, str, bool, None, lists and dicts
whose keys are non-negative integers or text. Floats, tags and undefined do
not occur in the protocol and are refused.

Spec: spec/02-codec.md.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter

from openline.kernel.errors import Malformed, TooLarge
from openline.kernel.units import MAX_DEPTH, MAX_INSTANT, MAX_ITEMS, MAX_VALUE, MIN_INSTANT, Instant

Value = int | bytes | str | bool | None | Sequence["Value"] | Mapping[int, "Value"] | Mapping[str, "Value"]

_UINT, _NINT, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_FALSE, _TRUE, _NULL = b"\xf4", b"\xf5", b"\xf6"
_SIMPLE_VALUES = {20: False, 21: True, 22: None}


_ONE = tuple(bytes((first,)) for first in range(256))


def _head(major: int, argument: int) -> bytes:
    """The shortest head of a data item (RFC 8949, 3)."""
    if argument < 24:
        return _ONE[major << 5 | argument]
    if argument < 0x100:
        return bytes((major << 5 | 24, argument))
    if argument < 0x1_0000:
        return bytes((major << 5 | 25,)) + argument.to_bytes(2, "big")
    if argument < 0x1_0000_0000:
        return bytes((major << 5 | 26,)) + argument.to_bytes(4, "big")
    return bytes((major << 5 | 27,)) + argument.to_bytes(8, "big")


def encode(value: Value) -> bytes:
    """The one encoding of `value`.

    Raises TooLarge for an integer beyond 64 bits, Malformed for a value the
    protocol does not know: both are errors of the caller's input.
    """
    parts: list[bytes] = []
    _append(value, parts)
    return b"".join(parts)


def _append(value: Value, parts: list[bytes]) -> None:
    # The commonest first: this runs for every member of everything that is written.
    if isinstance(value, bytes):
        parts.append(_head(_BYTES, len(value)))
        parts.append(value)
    elif isinstance(value, int):
        parts.append(_number(value))
    elif isinstance(value, str):
        try:
            text = value.encode()
        except UnicodeEncodeError:
            raise Malformed("text that is not Unicode") from None
        parts.append(_head(_TEXT, len(text)))
        parts.append(text)
    elif value is None:
        parts.append(_NULL)
    elif isinstance(value, list | tuple):
        parts.append(_head(_ARRAY, len(value)))
        for item in value:
            _append(item, parts)
    elif isinstance(value, Mapping):
        _append_map(value, parts)
    elif isinstance(value, Sequence):
        _append(list(value), parts)
    else:
        raise Malformed("a value the protocol does not know")


def _number(value: int) -> bytes:
    if value is True or value is False:
        return _TRUE if value else _FALSE
    if not -(2**64) <= value < 2**64:
        raise TooLarge("integer beyond 64 bits")
    return _head(_UINT, value) if value >= 0 else _head(_NINT, -1 - value)


def _append_map(value: Mapping[int, Value] | Mapping[str, Value], parts: list[bytes]) -> None:
    pairs = sorted([(_key(key), item) for key, item in value.items()], key=_first)
    parts.append(_head(_MAP, len(pairs)))
    for key, item in pairs:
        parts.append(key)
        _append(item, parts)


_first = itemgetter(0)


def _key(key: int | str) -> bytes:
    """A map's key, encoded; spec 2.4 says which there are."""
    if type(key) is int and 0 <= key < 24:
        return _ONE[key]
    if not _is_key(key):
        raise Malformed("map key that is neither number nor text")
    return encode(key)


def _is_key(key: object) -> bool:
    """Whether a map may have this key (spec 2.4)."""
    return isinstance(key, str) or (isinstance(key, int) and key >= 0 and not isinstance(key, bool))


def decode(data: bytes) -> Value:
    """The value of which `data` is the one encoding.

    Raises Malformed for any other bytes, TooLarge beyond the bounds of
    spec 2.6 (65,535 bytes, depth 8, 4,096 items).
    """
    if len(data) > MAX_VALUE:
        raise TooLarge("value larger than 65,535 bytes")
    reader = _Reader(data)
    value = reader.item(0)
    if reader.at != len(data):
        raise Malformed("bytes after the value")
    return value


class _Reader:
    """One pass over the bytes; `at` is the next unread one."""

    __slots__ = ("at", "data", "items")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.items = 0

    def item(self, depth: int) -> Value:
        self.items += 1
        if self.items > MAX_ITEMS:
            raise TooLarge("more than 4,096 items")
        data, at = self.data, self.at
        if at >= len(data):
            raise Malformed("cut short")
        first = data[at]
        self.at = at + 1
        major, argument = first >> 5, first & 31
        if argument >= 24 or major > _MAP:
            argument = self._long(major, argument)
        if major == _UINT:
            return argument
        if major == _BYTES:
            return self._take(argument)
        if major == _TEXT:
            return _text(self._take(argument))
        if major == _NINT:
            return -1 - argument
        if major == _SIMPLE:
            return _SIMPLE_VALUES[argument]
        if depth >= MAX_DEPTH:
            raise TooLarge("nested deeper than 8")
        if argument > len(data) - self.at:
            raise Malformed("cut short")  # every item needs a byte at least: no room is reserved on hearsay
        if major == _ARRAY:
            return [self.item(depth + 1) for _ in range(argument)]
        return self._map(argument, depth + 1)

    def _long(self, major: int, low: int) -> int:
        """The argument of a head of more than one byte, or of a simple value."""
        if major == _SIMPLE:
            if low not in _SIMPLE_VALUES:
                raise Malformed("float, undefined or unassigned value")
            return low
        if major == _TAG:
            raise Malformed("tag")
        if low > 27:
            raise Malformed("indefinite or reserved length")
        argument = int.from_bytes(self._take(1 << (low - 24)), "big")
        if argument < (24, 0x100, 0x1_0000, 0x1_0000_0000)[low - 24]:
            raise Malformed("not the shortest head")
        return argument

    def _take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.data):
            raise Malformed("cut short")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def _map(self, pairs: int, depth: int) -> Value:
        found: dict[int | str, Value] = {}
        previous = b""
        for _ in range(pairs):
            start = self.at
            key = self.item(depth)
            if not isinstance(key, int | str) or not _is_key(key):
                raise Malformed("map key that is neither number nor text")
            encoded = self.data[start : self.at]
            if encoded <= previous:
                raise Malformed("map keys out of order or twice")
            previous = encoded
            found[key] = self.item(depth)
        return found  # type: ignore[return-value]  # keys are checked one by one above


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Malformed("text that is not UTF-8") from None


class Fields:
    """A decoded array (or map) whose members are read by place (or key), each with its type and bound.

    Every reader raises Malformed for a member of another shape and TooLarge
    beyond the bound; members nobody asks for are left alone, so that a newer
    peer may add some. An array never passes for a map, nor a map for an array:
    what one implementation reads and another refuses would part their states.
    """

    __slots__ = ("_members",)

    def __init__(self, value: Value, *, of_map: bool = False) -> None:
        """Raises Malformed unless `value` is an array, or, if so asked, a map."""
        if of_map and isinstance(value, Mapping):
            self._members: dict[int | str, Value] = {key: item for key, item in value.items()}  # noqa: C416 - typed anew
        elif not of_map and isinstance(value, list):
            self._members = dict(enumerate(value))
        else:
            raise Malformed("an array where a map must be, or a map for an array, or neither")

    def __contains__(self, key: int) -> bool:
        return key in self._members

    def __len__(self) -> int:
        return len(self._members)

    def any(self, key: int) -> Value:
        """The member as decoded."""
        try:
            return self._members[key]
        except KeyError:
            raise Malformed("a required member is missing") from None

    def uint(self, key: int, most: int) -> int:
        """A whole number from 0 to `most`."""
        value = self.any(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise Malformed("not a whole number")
        if value > most:
            raise TooLarge("number beyond its bound")
        return value

    def instant(self, key: int) -> Instant:
        """A moment within the bounds of spec 12; it may lie before 1970."""
        value = self.any(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise Malformed("not a moment")
        if not MIN_INSTANT <= value <= MAX_INSTANT:
            raise TooLarge("moment beyond its bound")
        return Instant(value)

    def bool(self, key: int) -> bool:
        """True or false."""
        value = self.any(key)
        if not isinstance(value, bool):
            raise Malformed("neither true nor false")
        return value

    def bytes(self, key: int, *, exactly: int | None = None, most: int = MAX_VALUE) -> bytes:
        """A byte string, of a size where one is given."""
        value = self.any(key)
        if not isinstance(value, bytes) or (exactly is not None and len(value) != exactly):
            raise Malformed("not bytes of that size")
        if len(value) > most:
            raise TooLarge("bytes beyond their bound")
        return value

    def text(self, key: int, most: int) -> str:
        """A text of at most `most` UTF-8 bytes."""
        value = self.any(key)
        if not isinstance(value, str):
            raise Malformed("not text")
        if len(value.encode()) > most:
            raise TooLarge("text beyond its bound")
        return value

    def list(self, key: int, most: int) -> list[Value]:
        """An array of at most `most` members."""
        value = self.any(key)
        if not isinstance(value, list):
            raise Malformed("not an array")
        if len(value) > most:
            raise TooLarge("array beyond its bound")
        return value

    def fields(self, key: int) -> "Fields":
        """An array, to be read in the same way."""
        return Fields(self.any(key))
