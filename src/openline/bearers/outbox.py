"""Envelopes that wait to be written: urgent ones first, each kind in its order, the same bytes once.

For bearers that queue. It may be filled by the loop and emptied by a thread, hence the lock.
"""

import threading
from collections import OrderedDict


class Outbox:
    """The queue to one station."""

    def __init__(self) -> None:
        self.files = self.size = 0
        """How many, and their bytes."""
        self._lock = threading.Lock()
        self._urgent: OrderedDict[bytes, None] = OrderedDict()
        self._ordinary: OrderedDict[bytes, None] = OrderedDict()

    def add(self, envelope: bytes, *, urgent: bool, files: int, size: int) -> bool:
        """Queue an envelope if there are fewer than `files` and `size` bytes with it. One that waits already is there."""
        with self._lock:
            if envelope in self._urgent:
                return True
            if envelope in self._ordinary:
                if urgent:
                    del self._ordinary[envelope]
                    self._urgent[envelope] = None
                return True
            if self.files + 1 > files or self.size + len(envelope) > size:
                return False
            (self._urgent if urgent else self._ordinary)[envelope] = None
            self.files, self.size = self.files + 1, self.size + len(envelope)
            return True

    def next(self) -> bytes | None:
        """Take the first one; None if none waits."""
        with self._lock:
            queue = self._urgent or self._ordinary
            if not queue:
                return None
            envelope, _ = queue.popitem(last=False)
            self.files, self.size = self.files - 1, self.size - len(envelope)
            return envelope

    def __contains__(self, envelope: bytes) -> bool:
        return envelope in self._urgent or envelope in self._ordinary

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._urgent.clear()
            self._ordinary.clear()
            self.files = self.size = 0
