"""A recurrence rule expanded into local times, period by period (RFC 5545, 3.3.10).

By hand and not by a library, because a rule is the other side's text: those
search on to the year 9999 for a 30 February. Here the work is bounded by the
days between the start and the window; rules without COUNT begin near it. The
tests compare every kind of rule with python-dateutil.

Spec: spec/03-terms.md, 3.23.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from itertools import count

from openline.protocol.contacts import Rule

_DAY = timedelta(days=1)
_Period = tuple[date, date]
"""First day, and the day after the last."""


def local_times(rule: Rule, start: datetime, begin: datetime, end: datetime) -> Iterator[datetime]:
    """The local times of a rule from `begin` to `end`, ascending; none before `start`."""
    left = rule.count
    times = [time(h, m) for h in rule.hours or (start.hour,) for m in rule.minutes or (start.minute,)]
    near = begin if left is None else start
    for first, after in _periods(rule, start.date(), near.date()):
        if first > end.date():
            return
        days = (first + n * _DAY for n in range((after - first).days))
        found = [datetime.combine(day, at) for day in days if _matches(rule, start.date(), day) for at in times]
        for local in _chosen(rule, found):
            if local < start:
                continue
            if local > end or left == 0:
                return
            left = None if left is None else left - 1
            if local >= begin:
                yield local


def _chosen(rule: Rule, found: list[datetime]) -> list[datetime]:
    if not rule.positions:
        return found
    size = len(found)
    places = {position - 1 if position > 0 else size + position for position in rule.positions}
    return [found[place] for place in sorted(places) if 0 <= place < size]


def _periods(rule: Rule, start: date, near: date) -> Iterator[_Period]:
    """The periods of the rule, from the last one before `near` on, in which something may lie."""
    period, since = _SHAPES[rule.frequency](rule, start)
    passed = max(0, since(near) // rule.interval - 1)
    for number in count(passed):
        try:
            yield period(number * rule.interval)
        except (OverflowError, ValueError):
            return  # beyond the calendar


_Shape = tuple[Callable[[int], _Period], Callable[[date], int]]
"""The period so many steps after the first; and how many steps a day lies after it."""


def _daily(rule: Rule, start: date) -> _Shape:
    del rule
    return lambda n: (start + n * _DAY, start + (n + 1) * _DAY), lambda day: (day - start).days


def _weekly(rule: Rule, start: date) -> _Shape:
    monday = start - (start.weekday() - rule.week_start) % 7 * _DAY
    return lambda n: (monday + 7 * n * _DAY, monday + 7 * (n + 1) * _DAY), lambda day: (day - monday).days // 7


def _monthly(rule: Rule, start: date) -> _Shape:
    del rule
    first = 12 * start.year + start.month - 1
    return lambda n: (_month(first + n), _month(first + n + 1)), lambda day: 12 * day.year + day.month - 1 - first


def _yearly(rule: Rule, start: date) -> _Shape:
    del rule
    return lambda n: (date(start.year + n, 1, 1), date(start.year + n + 1, 1, 1)), lambda day: day.year - start.year


_SHAPES: dict[str, Callable[[Rule, date], _Shape]] = {
    "DAILY": _daily,
    "WEEKLY": _weekly,
    "MONTHLY": _monthly,
    "YEARLY": _yearly,
}


def _month(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)


def _matches(rule: Rule, start: date, day: date) -> bool:
    """Whether the rule takes that day of the period."""
    if rule.months and day.month not in rule.months:
        return False
    if rule.month_days and not (day.day in rule.month_days or _from_end(day) in rule.month_days):
        return False
    if rule.days:
        return any(weekday == day.weekday() and _ordinal(rule, day, nth) for nth, weekday in rule.days)
    if rule.month_days or rule.frequency == "DAILY":
        return True
    if rule.frequency == "WEEKLY":
        return day.weekday() == start.weekday()
    return day.day == start.day and (rule.frequency == "MONTHLY" or bool(rule.months) or day.month == start.month)


def _from_end(day: date) -> int:
    """-1 for the last day of a month."""
    after = _month(12 * day.year + day.month)
    return (day - after).days


def _ordinal(rule: Rule, day: date, nth: int) -> bool:
    """Whether it is the nth of its weekday in the month, or in the year where no month is chosen; 0: any."""
    if not nth:
        return True
    if rule.frequency == "YEARLY" and not rule.months:
        first, after = date(day.year, 1, 1), date(day.year + 1, 1, 1)
    else:
        first, after = _month(12 * day.year + day.month - 1), _month(12 * day.year + day.month)
    return (day - first).days // 7 + 1 == nth if nth > 0 else -((after - _DAY - day).days // 7) - 1 == nth
