"""Fragments: what is too large for one envelope of a thin bearer, cut and joined again.

Spec: spec/08-frames.md, 8.11.
"""

from openline.kernel.codec import encode
from openline.kernel.units import MAX_VALUE
from openline.protocol.frames import Fragment, frame_value

FRAGMENT_SETS = 4
"""Unfinished sets of fragments kept of a peer: 256 KiB."""


def cut(whole: bytes, stream: int, size: int) -> list[bytes]:
    """Fragment frames, encoded, of at most `size` bytes of `whole` each."""
    count = -(-len(whole) // size)
    pieces = [whole[number * size : (number + 1) * size] for number in range(count)]
    return [
        encode(frame_value(Fragment(stream=stream, part=number, parts=count, data=data)))
        for number, data in enumerate(pieces)
    ]


class Streams:
    """Fragments on their way to being whole: of one peer, at most four sets at a time, the oldest going."""

    __slots__ = ("_sets",)

    def __init__(self) -> None:
        self._sets: dict[int, tuple[int, dict[int, bytes]]] = {}

    def __len__(self) -> int:
        return len(self._sets)

    @property
    def parts(self) -> int:
        """Fragments that wait for others."""
        return sum(len(parts) for _, parts in self._sets.values())

    def join(self, fragment: Fragment) -> bytes | None:
        """The whole, once its last part came. Parts that contradict each other drop the set."""
        count, parts = self._sets.setdefault(fragment.stream, (fragment.parts, {}))
        contradicts = count != fragment.parts or parts.get(fragment.part, fragment.data) != fragment.data
        parts[fragment.part] = fragment.data
        if contradicts or sum(len(part) for part in parts.values()) > MAX_VALUE:
            del self._sets[fragment.stream]
            return None
        if len(self._sets) > FRAGMENT_SETS:
            del self._sets[next(iter(self._sets))]
        if len(parts) < count:
            return None
        del self._sets[fragment.stream]
        return b"".join(parts[place] for place in range(count))
