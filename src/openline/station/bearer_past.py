"""How one bearer's link to one station stood in the last 24 hours: seen here, kept over restarts, and bounded.

It is what was looked at twice a second, so that a fall of a moment may be missed; and what this station saw, which
says nothing of the other end. While this station did not run it saw nothing, and says so.
"""

import enum
from collections import deque
from collections.abc import Sequence

PAST_MS = 24 * 3_600_000
MOST = 120
"""Changes that are kept: a link that falls and comes back every twelve minutes. Of one that flaps more often less than a day is known."""
SEEN_MS = 300_000
"""After a kill -9 the moment since when nothing was seen is right to so much: it is not written down more often."""


class Was(enum.StrEnum):
    """How a link stood."""

    UP = "up"
    SILENT = "silent"
    DOWN = "down"
    UNSEEN = "unseen"
    """This station did not run."""


class BearerPast:
    """The changes of one link, the oldest first."""

    __slots__ = ("_changes", "seen")

    def __init__(self) -> None:
        self._changes: deque[tuple[int, Was]] = deque()
        self.seen: int | None = None
        """Time of day, ms, at which it was looked at last."""

    def observe(self, at: int, was: Was) -> None:
        """It stands so. If the clock was set back, what was seen before has no place any more."""
        if self._changes and at < self._changes[-1][0]:
            self._changes.clear()
        if self._changes and self._changes[-1][0] == at:
            self._changes.pop()  # of one moment the last word counts
        if not self._changes or self._changes[-1][1] is not was:
            self._changes.append((at, was))
        self.seen = at
        while len(self._changes) > 1 and (self._changes[1][0] <= at - PAST_MS or len(self._changes) > MOST):
            self._changes.popleft()

    def shown(self, now: int) -> list[tuple[int, Was]]:
        """Since when it stood how, within the last 24 hours; each until the next, the last until now."""
        first = now - PAST_MS
        found = [(max(at, first), was) for at, was in self._changes if at <= now]
        return [each for place, each in enumerate(found) if place == len(found) - 1 or found[place + 1][0] > first]

    def kept(self, *, exactly: bool) -> list[int | str]:
        """What outlives a restart: when it was seen last, then moments and words in turn."""
        if self.seen is None:
            return []
        seen = self.seen if exactly else self.seen - self.seen % SEEN_MS
        return [seen, *(part for at, was in self._changes for part in (at, was.value))]

    def recall(self, kept: Sequence[object]) -> None:
        """Take up what was kept; since then nothing was seen. Something out of shape is left."""
        seen, pairs = (kept[0] if kept else None), list(zip(kept[1::2], kept[2::2], strict=False))
        if not isinstance(seen, int) or not all(isinstance(at, int) and was in set(Was) for at, was in pairs):
            return
        for at, was in pairs[-MOST:]:
            self.observe(int(str(at)), Was(str(was)))
        self.observe(max(seen, (self.seen or 0) + 1), Was.UNSEEN)
