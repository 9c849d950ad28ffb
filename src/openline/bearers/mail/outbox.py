"""What waits for one station: urgent ones first, each once, bounded in bytes.

Nothing leaves the queue before a mail server has taken the mail it is in, so
what was taken from the station survives every broken connection.
"""

from collections.abc import Sequence
from typing import Final

from openline.bearers.mail.limits import MAX_ATTACHMENTS, MAX_BATCH, Pace

_COST: Final = 64
"""Bytes of bookkeeping that an envelope of one byte costs too."""


class Outbox:
    """The queue towards one station."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._size = 0
        # Dictionaries keep the order of insertion, and find a repeat at once.
        self._urgent: dict[bytes, None] = {}
        self._ordinary: dict[bytes, None] = {}

    def add(self, envelope: bytes, *, urgent: bool) -> bool:
        """Queue an envelope, unless it is queued already or there is no room; return whether it is queued."""
        if envelope in self._urgent:
            return True
        if envelope in self._ordinary:
            if urgent:
                del self._ordinary[envelope]
                self._urgent[envelope] = None
            return True
        bound = self._pace.queue_bytes + (self._pace.urgent_bytes if urgent else 0)
        if self._size + len(envelope) + _COST > bound:
            return False
        (self._urgent if urgent else self._ordinary)[envelope] = None
        self._size += len(envelope) + _COST
        return True

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._size

    @property
    def urgent(self) -> bool:
        """Whether an urgent one waits."""
        return bool(self._urgent)

    def batch(self, most: int = MAX_BATCH) -> list[bytes]:
        """Return what goes into the next mail, at most `most` bytes or one envelope; it stays queued.

        Urgent ones go alone: a mail that is small is a mail that is fast.
        """
        chosen: list[bytes] = []
        size = 0
        for envelope in self._urgent or self._ordinary:
            size += len(envelope)
            if chosen and (size > most or len(chosen) == MAX_ATTACHMENTS):
                break
            chosen.append(envelope)
        return chosen

    def sent(self, envelopes: Sequence[bytes]) -> None:
        """Drop what a server has taken."""
        for envelope in envelopes:
            for queue in (self._urgent, self._ordinary):
                if envelope in queue:
                    del queue[envelope]
                    self._size -= len(envelope) + _COST

    def clear(self) -> None:
        """Drop everything: the station is told that the link is down, and offers it elsewhere."""
        self._urgent.clear()
        self._ordinary.clear()
        self._size = 0
