"""Regular contacts as the terms agree them: the schedule in the policy, read strictly and within bounds.

What the other side proposed is hostile input until people assented, and may
be of a newer version after. So the policy stays what it is, and a contact in
it that does not keep to these rules is *not understood*: shown, and never due.

Rules are read here and expanded by the station, which owns calendars and
zones. Pure: no clock, no zone tables.

Spec: spec/03-terms.md, 3.22 to 3.26.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from openline.kernel.codec import Fields, Value, decode, encode
from openline.kernel.errors import Malformed, Refused, TooLarge
from openline.kernel.terms import Policy, check_name
from openline.protocol.contact_entries import MAX_CONTACT_NAME, Medium

MAX_CONTACTS: Final = 16
"""Contacts of a line: two a day of each medium, and as many again; 16 x 600 bytes fit a body beside the policy."""
MAX_RULE: Final = 192
"""Bytes of a rule: 24 hours and all parts there are have 190."""
MAX_ZONE: Final = 32
"""Bytes of a zone's name: the longest today has 30."""
MAX_ALSO: Final = 4
"""Zones in which a contact is shown besides its own."""
MAX_TOLERANCE, MAX_DURATION = 720, 1_440
"""Minutes: half a day before and after is as loose as a daily contact can be; a meeting lasts a day."""
MAX_COUNT, MAX_INTERVAL = 1_000, 400
"""Occurrences of a rule that counts them, and the step of one: twenty years of weeks; more than a year of days."""
MAX_A_DAY: Final = 24
"""Times a day at most: what is more often is a test rhythm (3.7, key 2)."""
_POLICY_KEY = 6

_LOCAL = re.compile(r"(20[0-9]{2})(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])([0-5][0-9])00", re.ASCII)
_ZONE = re.compile(
    r"UTC|(?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific|Etc)(?:/[A-Za-z0-9_+-]+){1,2}",
    re.ASCII,
)
"""Area and place: no file name, and no table that counts leap seconds."""
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_NUMBER = re.compile(r"[+-]?[0-9]{1,4}", re.ASCII)
_DAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
FREQUENCIES: Final = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_MONTH_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A recurrence rule (RFC 5545, 3.3.10), the parts that a regular contact may have."""

    frequency: str
    interval: int = 1
    count: int | None = None
    until: str = ""
    """`20271231T235959`, UTC; empty: for good."""
    days: tuple[tuple[int, int], ...] = ()
    """(ordinal, 0 for every; weekday, 0 for Monday)."""
    month_days: tuple[int, ...] = ()
    months: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()
    week_start: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RegularContact:
    """One line of the schedule."""

    name: str = field(repr=False)
    rule: str
    """As it was written."""
    start: str
    """Local, `20261124T090000`."""
    zone: str
    medium: Medium
    begins: str = ""
    """The station that begins; empty: any."""
    tolerance_minutes: int = 30
    """So long before and after, it still counts as kept."""
    duration_minutes: int = 30
    also: tuple[str, ...] = ()
    """Zones in which it is shown besides."""

    @property
    def parsed(self) -> Rule:
        """The rule. Cannot fail: nothing else is read as a contact."""
        return read_rule(self.rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The regular contacts of a policy."""

    contacts: tuple[RegularContact, ...] = ()
    not_understood: tuple[int, ...] = ()
    """Places, from 0, of those that this version cannot read."""


# --- reading ---------------------------------------------------------------------------------------------------


def schedule_of(policy: Policy) -> Schedule:
    """The schedule of a policy. Never raises: what is not understood is counted."""
    listed = next((value for key, value in policy.extra if key == _POLICY_KEY), [])
    items = listed if isinstance(listed, list) else []
    found: dict[str, RegularContact] = {}
    strange: list[int] = []
    for number, item in enumerate(items):
        try:
            contact = read_contact_terms(item)
        except Refused:
            contact = None
        if contact is None or contact.name in found or len(found) == MAX_CONTACTS:
            strange.append(number)
        else:
            found[contact.name] = contact
    return Schedule(contacts=tuple(found.values()), not_understood=tuple(strange))


def read_contact_terms(value: Value) -> RegularContact:
    """One contact of the array. Raises Malformed or TooLarge."""
    members = Fields(value, of_map=True)
    medium = members.uint(4, len(Medium) - 1)
    zones = Fields(members.list(8, MAX_ALSO)) if 8 in members else None
    return RegularContact(
        name=check_contact_name(members.text(0, MAX_CONTACT_NAME)),
        rule=_checked_rule(members.text(1, MAX_RULE)),
        start=check_local(members.text(2, 15)),
        zone=check_zone(members.text(3, MAX_ZONE)),
        medium=Medium(medium),
        begins=check_name(members.text(5, 16)) if 5 in members else "",
        tolerance_minutes=_at_least_one(members.uint(6, MAX_TOLERANCE)),
        duration_minutes=members.uint(7, MAX_DURATION),
        also=tuple(check_zone(zones.text(place, MAX_ZONE)) for place in range(len(zones))) if zones is not None else (),
    )


def contacts_value(contacts: Sequence[RegularContact]) -> list[Value]:
    """A schedule as a codec value."""
    return [
        {
            0: each.name, 1: each.rule, 2: each.start, 3: each.zone, 4: int(each.medium),
            **({5: each.begins} if each.begins else {}),
            6: each.tolerance_minutes, 7: each.duration_minutes,
            **({8: list(each.also)} if each.also else {}),
        }
        for each in contacts
    ]  # fmt: skip


def with_contacts(policy: Policy, contacts: Sequence[RegularContact]) -> Policy:
    """The policy with this schedule in the place of its own. Raises Malformed or TooLarge for one that breaks 3.22."""
    if len(contacts) > MAX_CONTACTS:
        raise TooLarge("too many regular contacts")
    value = decode(encode(contacts_value(contacts)))
    others = tuple(item for item in policy.extra if item[0] != _POLICY_KEY)
    made = replace(policy, extra=((_POLICY_KEY, value), *others) if contacts else others)
    for item in value if isinstance(value, list) else ():
        read_contact_terms(item)
    if len(schedule_of(made).contacts) != len(contacts):
        raise Malformed("two regular contacts of one name")
    return made


def check_contact_name(name: str) -> str:
    """A contact's name: a few words on one line. Raises Malformed or TooLarge."""
    if not name.strip() or _CONTROLS.search(name):
        raise Malformed("a contact has a name of one line")
    if len(name.encode()) > MAX_CONTACT_NAME:
        raise TooLarge("the name of a contact is beyond its bound")
    return name


def check_local(text: str) -> str:
    """A local time without zone, `20261124T090000`, of 2000 to 2099, to the minute. Raises Malformed."""
    found = _LOCAL.fullmatch(text)
    if found is None:
        raise Malformed("not a local time such as 20261124T090000")
    year, month, day = int(found[1]), int(found[2]), int(found[3])
    if day > _MONTH_DAYS[month - 1] or (month == 2 and day == 29 and year % 4):  # within 2000 to 2099 that is the rule
        raise Malformed("a day that the month does not have")
    return text


def check_zone(name: str) -> str:
    """The name of a zone in the IANA tables, in its form alone. Raises Malformed or TooLarge."""
    if len(name) > MAX_ZONE:
        raise TooLarge("the name of a zone is beyond its bound")
    if not _ZONE.fullmatch(name):
        raise Malformed("not a zone such as Europe/Paris, or UTC")
    return name


def _at_least_one(minutes: int) -> int:
    if not minutes:
        raise Malformed("a contact has a window of a minute at least")
    return minutes


# --- rules -----------------------------------------------------------------------------------------------------


def _checked_rule(text: str) -> str:
    read_rule(text)
    return text


def read_rule(text: str) -> Rule:
    """The rule in its text: every part at most once, known, and within its bounds. Raises Malformed or TooLarge."""
    if len(text) > MAX_RULE:
        raise TooLarge("the rule is beyond its bound")
    parts: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if not equals or name not in _PARTS or name in parts:
            raise Malformed("a part of the rule is unknown, double or empty")
        parts[name] = value
    if parts.get("FREQ") not in FREQUENCIES:
        raise Malformed("a contact recurs DAILY, WEEKLY, MONTHLY or YEARLY")
    if "COUNT" in parts and "UNTIL" in parts:
        raise Malformed("a rule has COUNT or UNTIL, not both")
    rule = _rule(parts)
    _check_together(rule)
    return rule


_PARTS: Final = frozenset(
    {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYHOUR", "BYMINUTE", "BYSETPOS", "WKST"}
)  # fmt: skip


def _rule(parts: dict[str, str]) -> Rule:
    until = parts.get("UNTIL", "")
    if until:
        if not until.endswith("Z"):
            raise Malformed("UNTIL is a moment in UTC: it ends with Z")
        check_local(until[:-3] + "00")
        if not until[-3:-1].isdigit() or int(until[-3:-1]) > 59:
            raise Malformed("UNTIL is a moment in UTC: it ends with Z")
    elif "UNTIL" in parts:
        raise Malformed("UNTIL is a moment in UTC: it ends with Z")
    start = parts.get("WKST", "MO")
    if start not in WEEKDAYS:
        raise Malformed("WKST is a day of the week")
    return Rule(
        frequency=parts["FREQ"],
        interval=_one(parts["INTERVAL"], MAX_INTERVAL) if "INTERVAL" in parts else 1,
        count=_one(parts["COUNT"], MAX_COUNT) if "COUNT" in parts else None,
        until=until[:-1],
        days=_days(parts["BYDAY"]) if "BYDAY" in parts else (),
        month_days=_numbers(parts, "BYMONTHDAY", -31, 31),
        months=_numbers(parts, "BYMONTH", 1, 12),
        hours=_numbers(parts, "BYHOUR", 0, 23),
        minutes=_numbers(parts, "BYMINUTE", 0, 59),
        positions=_numbers(parts, "BYSETPOS", -366, 366),
        week_start=WEEKDAYS.index(start),
    )


def _one(text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 4 or not int(text):
        raise Malformed("not a whole number from 1")
    if int(text) > most:
        raise TooLarge("a number of the rule is beyond its bound")
    return int(text)


def _numbers(parts: dict[str, str], name: str, least: int, most: int) -> tuple[int, ...]:
    if name not in parts:
        return ()
    found = set()
    for text in parts[name].split(","):
        if not _NUMBER.fullmatch(text):
            raise Malformed("not a list of numbers")
        number = int(text)
        if not least <= number <= most or (least < 0 and not number):
            raise Malformed("a number of the rule is out of its range")
        found.add(number)
    return tuple(sorted(found))


def _days(text: str) -> tuple[tuple[int, int], ...]:
    found = set()
    for part in text.split(","):
        named = _DAY.fullmatch(part)
        if named is None:
            raise Malformed("not a list of days of the week")
        ordinal = int(named[1]) if named[1] else 0
        if abs(ordinal) > 53 or (named[1] and not ordinal):
            raise Malformed("a number of the rule is out of its range")
        found.add((ordinal, WEEKDAYS.index(named[2])))
    return tuple(sorted(found))


def _check_together(rule: Rule) -> None:
    """What RFC 5545 rules out for the frequency, and what would be more often than a contact is."""
    if any(ordinal for ordinal, _ in rule.days) and rule.frequency not in {"MONTHLY", "YEARLY"}:
        raise Malformed("the first or last day of its kind is one of a month or a year")
    if rule.month_days and rule.frequency == "WEEKLY":
        raise Malformed("days of the month do not go with WEEKLY")
    if rule.positions and not (rule.days or rule.month_days or rule.months or rule.hours or rule.minutes):
        raise Malformed("BYSETPOS chooses among other parts")
    if max(1, len(rule.hours)) * max(1, len(rule.minutes)) > MAX_A_DAY:
        raise TooLarge("more often than a regular contact is")
