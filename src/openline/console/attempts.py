"""How often somebody may try to sign in. All that is tried has 128 random bits or more: this keeps the log short and the loop free."""

from collections import deque
from typing import Final

from openline.kernel.errors import Refused

SPAN_MS: Final = 60_000
OF_ONE: Final = 20
"""Failed tries from one address in a minute."""
OF_ALL: Final = 200
"""Failed tries in a minute: more than a floor full of slips."""
BEGUN_OF_ONE: Final = 120
"""Sign-ins that were only begun, from one address in a minute."""


class TooOften(Refused):
    """Too many tries."""

    code = "quota"


class Attempts:
    """Counts by address within a minute; what is older is forgotten, so that the count stays bounded."""

    def __init__(self, of_one: int = OF_ONE, of_all: int = OF_ALL) -> None:
        self._of_one, self._of_all = of_one, of_all
        self._times: deque[tuple[int, str]] = deque()

    def check(self, address: str, now: int) -> None:
        """Raises TooOften."""
        while self._times and not 0 <= now - self._times[0][0] < SPAN_MS:
            self._times.popleft()
        if len(self._times) >= self._of_all or sum(each == address for _, each in self._times) >= self._of_one:
            raise TooOften("too many tries: wait a minute")

    def note(self, address: str, now: int) -> None:
        """One more."""
        self._times.append((now, address))
