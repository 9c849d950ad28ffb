"""What a line at work has of its station."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from openline.kernel.units import Entropy
from openline.protocol.events import Holds, Noticed, Signalled
from openline.protocol.records import Mark
from openline.station.clock import StationClock
from openline.station.committer import Committer
from openline.station.keystore import Keystore
from openline.station.links import Links
from openline.station.seen import Seen

if TYPE_CHECKING:
    from openline.station.line_runner import LineRunner
    from openline.station.probing import Probes


class Host(Protocol):
    """What a line has of its station."""

    clock: StationClock
    links: Links
    committer: Committer
    keystore: Keystore
    entropy: Entropy
    probes: "Probes"

    def opened(self, line: "LineRunner", mark: Mark | None) -> None:
        """A line's engine was made, with that mark; nothing was written yet."""
        ...

    def guard(self, line: "LineRunner", step: Callable[[], None]) -> None:
        """Do a step of a line; what goes wrong stops that line alone."""
        ...

    def read_mark(self, line: bytes) -> Mark | None:
        """The line's mark."""
        ...

    def write_mark(self, line: bytes, mark: Mark) -> None:
        """Make the line's mark durable."""
        ...

    def entries_shown(self, line: "LineRunner", seen: list[Seen]) -> None:
        """Entries became durable, by ascending arrival number."""
        ...

    def held(self, line: "LineRunner", holds: Holds) -> None:
        """A party holds more than before."""
        ...

    def noticed(self, line: "LineRunner", notice: Noticed) -> None:
        """Something people or counters must hear of."""
        ...

    def signalled(self, line: "LineRunner", said: Signalled) -> None:
        """A seat of another party's says something to one here."""
        ...

    def state_changed(self, line: "LineRunner") -> None:
        """The line's state may be another now."""
        ...
