"""Entries that became durable, with the arrival numbers that the store gave them."""

from dataclasses import dataclass, field

from openline.kernel.lane import Generation
from openline.protocol.events import Commit, Shown
from openline.protocol.records import Append


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An entry that became durable here just now."""

    seq: int
    shown: Shown = field(repr=False)


class Ranges:
    """The arrival numbers of what one commit appended: rows are numbered in the order of the writes."""

    __slots__ = ("_found",)

    def __init__(self, commit: Commit, before: int) -> None:
        """`before` is the latest arrival before that commit."""
        self._found: dict[tuple[int, Generation], list[tuple[int, int, int]]] = {}
        for write in commit.writes:
            if isinstance(write, Append) and write.rows:
                first = write.rows[0].index
                self._found.setdefault(write.lane.key, []).append((first, first + len(write.rows), before + 1))
                before += len(write.rows)

    def seq(self, key: tuple[int, Generation], index: int) -> int:
        """The arrival number of an entry; 0 if it is not of this commit."""
        for first, end, seq in self._found.get(key, ()):
            if first <= index < end:
                return seq + index - first
        return 0
