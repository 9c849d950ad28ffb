"""Moments as watch officers type them, and as they read them."""

import re
import time
from datetime import UTC, datetime, timedelta

from openline.cli.language import _
from openline.kernel.errors import Malformed
from openline.kernel.units import MAX_INSTANT, MIN_INSTANT, Instant

_MINUTE_MS, _DAY_MS = 60_000, 86_400_000
_UNITS_MS = {"d": _DAY_MS, "h": 60 * _MINUTE_MS, "m": _MINUTE_MS, "s": 1_000}
_SPAN = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?", re.ASCII)
_GROUP = re.compile(r"(\d\d)(\d\d)(\d\d)Z([A-Z]{3})(\d\d)", re.ASCII)
_CLOCK = re.compile(r"(\d\d):?(\d\d)Z", re.ASCII)


def now_ms() -> Instant:
    """The machine's own clock."""
    return Instant(time.time_ns() // 1_000_000)


def parse_moment(text: str, now: Instant, *, past: bool = False) -> Instant:
    """A moment: +30m from `now`, 211430Z NOV 26, the next 1430Z, or 2026-11-21T14:30Z. Raises Malformed.

    Where people speak of what was (`past`): -30m before `now`, and the last 1430Z.
    """
    typed = text.strip()
    if typed.startswith("-" if past else "+"):
        distance = parse_span(typed[1:])
        return _bounded(now - distance if past else now + distance)
    squeezed = "".join(typed.upper().split())
    if found := _GROUP.fullmatch(squeezed):
        return _group(found, now)
    if found := _CLOCK.fullmatch(squeezed):
        return _nearest(found, now, past=past)
    try:
        when = datetime.fromisoformat(typed)
    except ValueError:
        raise Malformed("not a moment") from None
    if when.tzinfo is None:
        raise Malformed("a moment without its zone")
    return _bounded(round(when.timestamp() * 1_000))


def parse_span(text: str) -> int:
    """Milliseconds of 30m, 2h, 1h30m, 45s, 2d. Raises Malformed."""
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None or not any(found.groups()):
        raise Malformed("not a span of time")
    return sum(int(number) * _UNITS_MS[unit] for number, unit in zip(found.groups(), "dhms", strict=True) if number)


def _bounded(moment: int) -> Instant:
    if not MIN_INSTANT <= moment <= MAX_INSTANT:
        raise Malformed("a moment beyond all calendars")
    return Instant(moment)


def _group(found: re.Match[str], now: Instant) -> Instant:
    from openline.protocol.references import MONTHS

    day, hour, minute, month, short = found.groups()
    if month not in MONTHS:
        raise Malformed("a month is written JAN to DEC")
    # Two digits of a year: of the years that end so, the one nearest to now. A line may play 1967.
    this_year = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=now)).year
    year = min(range(int(short) + 1, 10_000, 100), key=lambda each: abs(each - 1 - this_year)) - 1
    try:
        when = datetime(year, MONTHS.index(month) + 1, int(day), int(hour), int(minute), tzinfo=UTC)
    except ValueError:
        raise Malformed("no such day or time of day") from None
    return Instant(round(when.timestamp() * 1_000))


def _nearest(found: re.Match[str], now: Instant, *, past: bool) -> Instant:
    hour, minute = int(found[1]), int(found[2])
    if hour > 23 or minute > 59:
        raise Malformed("no such day or time of day")
    today = now - now % _DAY_MS + (hour * 60 + minute) * _MINUTE_MS
    if past:
        return _bounded(today if today <= now else today - _DAY_MS)
    return _bounded(today if today > now else today + _DAY_MS)


def clock(moment: int) -> str:
    """The date-time group."""
    from openline.protocol.references import dtg  # late: it brings in the kernel

    return dtg(Instant(moment))


def span(milliseconds: int) -> str:
    """A span of time in its two largest units: 2 h 05 min."""
    seconds = abs(milliseconds) // 1_000
    if seconds < 60:
        return _("{seconds} s").format(seconds=seconds)
    minutes = seconds // 60
    if minutes < 60:
        return _("{minutes} min").format(minutes=minutes)
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return _("{hours} h {minutes:02} min").format(hours=hours, minutes=minutes)
    return _("{days} d {hours} h").format(days=hours // 24, hours=hours % 24)


def until(moment: int, now: int) -> str:
    """How long until a moment, or since."""
    if moment >= now:
        return _("in {span}").format(span=span(moment - now))
    return _("{span} ago").format(span=span(now - moment))
