"""What was observed of one bearer's link to one station: up or down, last heard, delay, loss.

Part of it is kept over a restart (`kept`, `recall`), so that "last heard" is
not forgotten with the process that heard.
"""

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from openline.station.bearer_past import BearerPast, Was

PROBES = 16
"""The latest probes, of which loss is told: at one in five minutes the last hour and a quarter."""
SILENT_AFTER = 3
"""Probes without an answer, one after the other and nothing else heard, after which a bearer counts as silent."""
MAX_REPEATS = 1_024
"""Envelopes remembered for each slow link: a window of them."""
ONE_WAY_MS, ONE_WAY_MOST_MS = 60_000, 3_600_000
"""Pauses between repeats where nothing comes back: doubling from a minute to an hour."""


class Repeats:
    """When an envelope was last handed to a slow bearer: it must not be handed over again while it is under way."""

    __slots__ = ("_lately",)

    def __init__(self) -> None:
        self._lately: OrderedDict[bytes, tuple[int, int]] = OrderedDict()

    def due(self, envelope: bytes, now: int, wait_ms: int, *, doubling: bool) -> bool:
        """Whether it may be handed over now: after `wait_ms`, or where nothing comes back after twice as long each time."""
        found = self._lately.get(envelope[:7])
        if found is None:
            return True
        at, count = found
        wait = min(wait_ms << min(count - 1, 12), max(wait_ms, ONE_WAY_MOST_MS)) if doubling else wait_ms
        return now - at >= wait

    def note(self, envelope: bytes, now: int) -> None:
        """It was handed over."""
        _, count = self._lately.pop(envelope[:7], (0, 0))
        self._lately[envelope[:7]] = (now, count + 1)
        if len(self._lately) > MAX_REPEATS:
            self._lately.popitem(last=False)

    def clear(self) -> None:
        """The link is another: what was under way may be lost."""
        self._lately.clear()


@dataclass(slots=True)
class BearerState:
    """One bearer's link to one station, as observed here."""

    up: bool = False
    heard_at: int | None = None
    """Time of day, ms, of the last envelope; None if there was none."""
    changed_at: int | None = None
    sent_at: int | None = None
    sent: int = 0
    sent_bytes: int = 0
    received: int = 0
    received_bytes: int = 0
    delay_ms: int | None = None
    """Half of what the last probe took there and back, or more if those before took longer: it falls at once and rises
    slowly, as what was slow once may have waited for something else. None while none came back."""
    probes: deque[bool] = field(default_factory=lambda: deque(maxlen=PROBES))
    """Whether each of the latest probes came back."""
    lost_in_row: int = 0
    probed_at: int | None = None
    """Time of day, ms, of the last probe that was settled."""
    repeats: Repeats = field(default_factory=Repeats)
    past: BearerPast = field(default_factory=BearerPast)

    def seen(self, at: int, *, up: bool) -> None:
        """It was looked at, at that time of day, ms."""
        self.past.observe(at, Was.DOWN if not up else Was.SILENT if self.silent else Was.UP)

    @property
    def silent(self) -> bool:
        """Whether it took several probes and none came back, nor anything else."""
        return self.lost_in_row >= SILENT_AFTER

    @property
    def loss(self) -> float | None:
        """The part of the latest probes that did not come back; None if there were none."""
        return 1 - sum(self.probes) / len(self.probes) if self.probes else None

    def hear(self) -> bool:
        """Something came over it; return whether it had counted as silent."""
        was, self.lost_in_row = self.silent, 0
        return was

    def answered(self, round_trip_ms: int | None) -> bool:
        """A probe came back, in so long if that says anything; return whether the delay is now much another."""
        self.probes.append(True)
        self.lost_in_row = 0
        if round_trip_ms is None:
            return False
        before, one_way = self.delay_ms, max(1, round_trip_ms // 2)
        self.delay_ms = one_way if before is None else min(one_way, before + max(0, one_way - before) // 4)
        return before is None or not before // 2 <= self.delay_ms <= before * 2

    def unanswered(self) -> bool:
        """A probe did not come back; return whether it counts as silent since now."""
        self.probes.append(False)
        self.lost_in_row += 1
        return self.lost_in_row == SILENT_AFTER

    def kept(self, *, exactly: bool = True) -> dict[str, int | list[int] | list[int | str] | None]:
        """What outlives a restart. `exactly`: also the very moment at which it was looked at last."""
        return {
            "heard": self.heard_at,
            "changed": self.changed_at,
            "delay": self.delay_ms,
            "probed": self.probed_at,
            "probes": [int(each) for each in self.probes],
            "past": self.past.kept(exactly=exactly),
        }

    def recall(self, kept: Mapping[str, object]) -> None:
        """Take up what was kept. Something out of shape is left."""
        heard, changed, delay, probed = (kept.get(name) for name in ("heard", "changed", "delay", "probed"))
        self.heard_at = heard if isinstance(heard, int) else None
        self.changed_at = changed if isinstance(changed, int) else None
        self.delay_ms = delay if isinstance(delay, int) else None
        self.probed_at = probed if isinstance(probed, int) else None
        probes = kept.get("probes")
        if isinstance(probes, list):
            self.probes.extend(each == 1 for each in probes[-PROBES:])
        past = kept.get("past")
        if isinstance(past, list):
            self.past.recall(past)
