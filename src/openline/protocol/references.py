"""How people name messages: `ALPHA 0147 211430Z NOV 26`.

Station, serial, date-time group. The serial is the number of the message
among the messages of its lane, from 1: four digits at least in the traffic
lane, `Z` and three in the urgent one (`ALPHA Z012`). In a generation above
zero its counter follows: `ALPHA 0003/1`. The group is the author's own claim
of time, in UTC; it helps people to see that they speak of the same message
and decides nothing. Times are facts here: 0000Z is written where it is so,
though operators avoid it when they choose a time.

Spec: spec/06-entries.md, 6.80.
"""

import re
from dataclasses import dataclass

from openline.kernel.errors import Malformed, TooLarge
from openline.kernel.terms import check_name
from openline.kernel.units import MAX_GENERATION, MAX_SEQ, Instant

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
MAX_REFERENCE = 80
"""Characters of a typed reference: the longest has 16 + 17 + 11 + 14, and spaces."""

_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
_FORM = re.compile(
    r"(?P<station>[A-Z0-9-]+) (?P<urgent>Z ?)?(?P<serial>[0-9]{1,15})(?: ?/ ?(?P<counter>[0-9]{1,10}))?"
    r"(?: (?P<group>[0-9]{6} ?Z ?[A-Z]{3} ?[0-9]{2}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A reference as people write it; it names a message only together with a line."""

    station: str
    urgent: bool
    serial: int
    counter: int
    """Counter of the generation."""
    group: str
    """The date-time group in its one form; empty if none was given."""


def dtg(instant: Instant) -> str:
    """The date-time group of a moment: DDHHMMZ MON YY, in UTC, seconds cut off."""
    days, rest = divmod(instant, _DAY)
    year, month, day = _civil(days)
    return f"{day:02}{rest // _HOUR:02}{rest % _HOUR // _MINUTE:02}Z {MONTHS[month - 1]} {year % 100:02}"


def format_reference(*, station: str, urgent: bool, serial: int, counter: int, time: Instant) -> str:
    """The reference of a message."""
    number = f"Z{serial:03}" if urgent else f"{serial:04}"
    generation = f"/{counter}" if counter else ""
    return f"{station} {number}{generation} {dtg(time)}"


def parse_reference(text: str) -> Reference:
    """Read what a person typed: any case, any spaces, with or without the group.

    Raises Malformed or TooLarge, saying which part is wrong.
    """
    if len(text) > MAX_REFERENCE:
        raise TooLarge("longer than any reference")
    if not text.isascii():
        raise Malformed("a reference is written in Latin letters and digits")
    found = _FORM.fullmatch(" ".join(text.upper().split()))
    if not found:
        raise Malformed("a reference is a station and a serial, as in ALPHA 0147, and may end in 211430Z NOV 26")
    serial, counter = int(found["serial"]), int(found["counter"] or 0)
    if serial == 0:
        raise Malformed("serials begin at 1")
    if serial > MAX_SEQ or counter > MAX_GENERATION:
        raise TooLarge("a number beyond its bound")
    return Reference(
        station=check_name(found["station"]),
        urgent=bool(found["urgent"]),
        serial=serial,
        counter=counter,
        group=_group(found["group"]) if found["group"] else "",
    )


def _group(text: str) -> str:
    digits = text.replace(" ", "")
    day, hour, minute, month, year = digits[:2], digits[2:4], digits[4:6], digits[7:10], digits[10:]
    if month not in MONTHS:
        raise Malformed("a month is written JAN to DEC")
    if not 1 <= int(day) <= 31 or int(hour) > 23 or int(minute) > 59:
        raise Malformed("no such day or time of day")
    return f"{day}{hour}{minute}Z {month} {year}"


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of the Gregorian calendar, `days` after 1970-01-01.

    Years are counted from March, so that the leap day comes last: 400 years
    are 146,097 days, and months from March on follow (153 m + 2) / 5.
    """
    era, day_of_era = divmod(days + 719_468, 146_097)
    year = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year + year // 4 - year // 100)
    march = (5 * day_of_year + 2) // 153
    month = march + 3 if march < 10 else march - 9
    return era * 400 + year + (month <= 2), month, day_of_year - (153 * march + 2) // 5 + 1
