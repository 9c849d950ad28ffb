"""When a regular contact is due: its rule expanded in its zone, into moments.

Local times are what people agreed; moments follow from them by the zone
tables of this machine. At a change of clocks (RFC 5545, 3.3.5): a local time
that comes twice means the first; one that is left out is taken with the offset
before the gap, so that no contact falls out. Either is said where it is shown.

Spec: spec/03-terms.md, 3.23 to 3.26.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from openline.kernel.errors import Unknown
from openline.kernel.units import Instant
from openline.protocol.contact_states import Window
from openline.protocol.contacts import RegularContact
from openline.station.recurrence import local_times

MAX_OCCURRENCES = 2_000
"""Of one contact in one window: 24 a day for a quarter, and more than any calendar shows."""
_MINUTE_MS = 60_000
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = "%Y%m%dT%H%M%S"


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One time that a contact is due."""

    contact: RegularContact
    local: str
    """As the rule gives it: what names it."""
    start: Instant
    clock_change: str = ""
    """"twice" or "left out": what the clocks of its zone do at that local time."""

    @property
    def window(self) -> Window:
        """When it counts as kept; a test is not due before its time."""
        before = 0 if not self.contact.medium else self.contact.tolerance_minutes * _MINUTE_MS
        after = self.contact.tolerance_minutes * _MINUTE_MS
        return Window(start=self.start, opens=Instant(self.start - before), closes=Instant(self.start + after))

    @property
    def end(self) -> Instant:
        """When it is over, if it lasts as agreed."""
        return Instant(self.start + self.contact.duration_minutes * _MINUTE_MS)


def zone_of(name: str) -> ZoneInfo:
    """The zone of that name. Raises Unknown if the tables of this machine do not have it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Unknown("no such zone in the tables of this machine") from None


def occurrences(contact: RegularContact, first: Instant, last: Instant) -> tuple[Occurrence, ...]:
    """All that are due from `first` to `last`, ascending, at most MAX_OCCURRENCES. Raises Unknown for its zone."""
    zone = zone_of(contact.zone)
    # A day around: the window is in UTC, the rule in a local time up to 14 hours away from it.
    begin, end = _naive(first) - _DAY, _naive(last) + _DAY
    until = contact.parsed.until
    found = []
    for local in _expanded(contact, begin, end):
        made = _occurrence(contact, local, zone)
        if until and _utc(made.start) > datetime.strptime(until, _FORM).replace(tzinfo=UTC):
            break
        if first <= made.start <= last:
            found.append(made)
            if len(found) == MAX_OCCURRENCES:
                break
    return tuple(found)


def named(contact: RegularContact, local: str) -> Occurrence:
    """The occurrence of that local time. Raises Unknown if the rule does not give it, or for its zone."""
    zone = zone_of(contact.zone)
    at = datetime.strptime(local, _FORM)  # noqa: DTZ007 - local by meaning: its zone is applied next
    made = _occurrence(contact, at, zone)
    if not any(each.local == local for each in occurrences(contact, made.start, made.start)):
        raise Unknown("that contact is not due at that time: openline contacts lists when it is")
    return made


def locally(start: Instant, zone: str) -> str:
    """A moment as the clocks of a zone show it, `2026-11-24 09:00 +01:00`. Raises Unknown for the zone."""
    text = _utc(start).astimezone(zone_of(zone)).strftime("%Y-%m-%d %H:%M %z")
    return f"{text[:-2]}:{text[-2:]}"


def _occurrence(contact: RegularContact, local: datetime, zone: ZoneInfo) -> Occurrence:
    placed = local.replace(tzinfo=zone)  # fold 0: of two the first; in a gap the offset before it
    utc = placed.astimezone(UTC)
    if utc.astimezone(zone).replace(tzinfo=None) != local:
        change = "left out"
    else:
        change = "twice" if placed.utcoffset() != placed.replace(fold=1).utcoffset() else ""
    start = Instant((utc - _EPOCH) // timedelta(milliseconds=1))
    return Occurrence(contact=contact, local=local.strftime(_FORM), start=start, clock_change=change)


def _expanded(contact: RegularContact, begin: datetime, end: datetime) -> Iterator[datetime]:
    """Local times of the rule from `begin` to `end`, without zone."""
    start = datetime.strptime(contact.start, _FORM)  # noqa: DTZ007 - local by meaning
    return local_times(contact.parsed, start, begin, end)


def _naive(at: Instant) -> datetime:
    return _utc(at).replace(tzinfo=None)


def _utc(at: Instant) -> datetime:
    return _EPOCH + timedelta(milliseconds=max(-30_000_000_000_000, min(at, 200_000_000_000_000)))
