"""Failed sign-ins, counted. All that can be tried has 128 random bits or more, so that no count is needed to keep a guesser out.

What the count keeps is the audit log: past it a wrong try is refused and no
longer noted. A right one is always taken, because whoever can reach the
console must not be able to lock the watch out of it.
"""

from collections import deque
from typing import Final

from openline.kernel.errors import Refused

SPAN_MS: Final = 60_000
OF_ONE: Final = 20
"""Failed tries from one address in a minute."""
OF_ALL: Final = 200
"""Failed tries in a minute: more than a floor full of slips."""


class TooOften(Refused):
    """Too many tries."""

    code = "quota"


class Attempts:
    """Failed tries within a minute, by address; bounded, as what is past the limit is not kept."""

    def __init__(self) -> None:
        self._times: deque[tuple[int, str]] = deque()

    def failed(self, address: str, now: int) -> bool:
        """One more; whether it is past the limit. `now` in ms, steady."""
        while self._times and now - self._times[0][0] >= SPAN_MS:
            self._times.popleft()
        if len(self._times) >= OF_ALL or sum(each == address for _, each in self._times) >= OF_ONE:
            return True
        self._times.append((now, address))
        return False
