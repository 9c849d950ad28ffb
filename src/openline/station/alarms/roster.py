"""Who has which duty at a moment: by the day of the week and the clock of one time zone.

    duties_at(duties, "duty-officer", moment, "Europe/Helsinki") -> ("ivanova",)

A shift that ends at or before its start ends on the next day. On the night when the clock is
put back an hour of a shift lasts two; when it is put forward the hour that is not there is not served.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from openline.kernel.units import Instant

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 24 * 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """A shift of a duty, and how whoever has it is called."""

    name: str
    paths: tuple[str, ...]
    days: frozenset[int]
    """Monday is 0: the days on which it begins."""
    start: int
    end: int
    """Minutes of the day; an end not after the start is of the next day."""

    def holds(self, day: int, minute: int) -> bool:
        """Whether it is served in that minute of that day of the week."""
        if self.end > self.start:
            return day in self.days and self.start <= minute < self.end
        return (day in self.days and minute >= self.start) or ((day - 1) % 7 in self.days and minute < self.end)


@lru_cache(maxsize=16)
def zone_of(name: str) -> ZoneInfo | None:
    """The time zone of that name; None if it is not known on this machine."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def minute_of(text: str) -> int | None:
    """Minutes of the day of "07:30"; "24:00" is its end; None if it is no time of day."""
    hours, colon, minutes = text.partition(":")
    if not (colon and len(hours) == len(minutes) == 2 and (hours + minutes).isascii() and (hours + minutes).isdigit()):
        return None
    found = int(hours) * 60 + int(minutes)
    return found if int(minutes) < 60 and found <= _DAY else None


def on_duty(duties: Iterable[Duty], name: str, moment: Instant, zone: str) -> tuple[str, ...]:
    """The paths on which whoever has that duty now is called, each once; empty if nobody has it."""
    place = _EPOCH + timedelta(milliseconds=moment)
    local = place.astimezone(zone_of(zone) or UTC)
    minute = local.hour * 60 + local.minute
    served = (duty for duty in duties if duty.name == name and duty.holds(local.weekday(), minute))
    return tuple(dict.fromkeys(path for duty in served for path in duty.paths))


def gaps(duties: tuple[Duty, ...]) -> tuple[str, ...]:
    """Duties that at some minute of the week nobody has."""
    names = dict.fromkeys(duty.name for duty in duties)
    return tuple(name for name in names if _gap([duty for duty in duties if duty.name == name]))


def _gap(duties: list[Duty]) -> bool:
    # What is served changes only where some shift begins or ends, or a day does.
    edges = {0, *(duty.start for duty in duties), *(duty.end % _DAY for duty in duties)}
    return any(not any(duty.holds(day, edge) for duty in duties) for day in range(7) for edge in edges)
