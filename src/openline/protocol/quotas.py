"""Quotas: how much a station accepts of one party, by the terms.

A quota is a bucket that fills at the agreed rate and holds one period's worth, so
that the backlog of a broken link comes in at once. The urgent lane has its
own, and when that is empty draws on the traffic lane's: never the reverse, so
traffic cannot shut out FLASH.

Pure: `now` is a parameter. Counting is exact, in whole numbers.
Spec: spec/12-limits.md, 12.3 to 12.5.
"""

from dataclasses import dataclass, replace

from openline.kernel.terms import Policy
from openline.kernel.units import Instant

HOUR_MS, DAY_MS = 3_600_000, 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A bucket: `rate` units each `period_ms`, at most `burst` at once."""

    rate: int
    period_ms: int
    burst: int
    level: int
    """What is left at `at`, in parts of a unit: `period_ms` parts are one."""
    at: Instant

    def available(self, now: Instant) -> int:
        """Whole units left."""
        return self._filled(now) // self.period_ms

    def take(self, now: Instant, units: int) -> tuple["Quota", bool]:
        """The bucket afterwards, and whether there were so many; if not, nothing is taken."""
        filled = self._filled(now)
        left = filled - units * self.period_ms
        return (self._with(now, left), True) if left >= 0 else (self._with(now, filled), False)

    def charge(self, now: Instant, units: int) -> "Quota":
        """The bucket after so many units, whether or not they were there."""
        return self._with(now, self._filled(now) - units * self.period_ms)

    def wait_ms(self, now: Instant, units: int) -> int | None:
        """Milliseconds until so many are there; 0 if they are, None if they never will be."""
        lacking = units * self.period_ms - self._filled(now)
        if lacking <= 0:
            return 0
        return -(-lacking // self.rate) if self.rate and units <= self.burst else None

    def amended(self, now: Instant, rate: int, burst: int) -> "Quota":
        """The bucket under another rate: what is left stays, as far as it fits."""
        level = min(self._filled(now), burst * self.period_ms)
        return Quota(rate=rate, period_ms=self.period_ms, burst=burst, level=level, at=now)

    def _filled(self, now: Instant) -> int:
        """The level now. A clock that stepped back gives nothing, and the bucket starts anew from there."""
        return min(self.level + max(0, now - self.at) * self.rate, self.burst * self.period_ms)

    def _with(self, now: Instant, level: int) -> "Quota":
        return Quota(rate=self.rate, period_ms=self.period_ms, burst=self.burst, level=level, at=now)


def full(rate: int, period_ms: int, now: Instant) -> Quota:
    """A full bucket that holds one period's worth."""
    return Quota(rate=rate, period_ms=period_ms, burst=rate, level=rate * period_ms, at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyQuotas:
    """What is still accepted of one party."""

    urgent: Quota
    traffic: Quota
    attachments: Quota
    """In bytes."""

    def available(self, now: Instant, *, urgent: bool) -> int:
        """How many entries of that lane are accepted now."""
        return self.traffic.available(now) + (self.urgent.available(now) if urgent else 0)

    def take(self, now: Instant, entries: int, *, urgent: bool) -> tuple["PartyQuotas", bool]:
        """The quotas afterwards, and whether so many entries of that lane are accepted: all or none."""
        if not urgent:
            traffic, accepted = self.traffic.take(now, entries)
            return replace(self, traffic=traffic), accepted
        own = min(entries, self.urgent.available(now))
        traffic, accepted = self.traffic.take(now, entries - own)
        if not accepted:
            return self, False
        taken, _ = self.urgent.take(now, own)
        return replace(self, urgent=taken, traffic=traffic), True

    def charge(self, now: Instant, entries: int, *, urgent: bool) -> "PartyQuotas":
        """The quotas after so many entries were accepted, in debt if need be: the rate holds for large frames too."""
        own = min(entries, max(0, self.urgent.available(now))) if urgent else 0
        urgent_left = self.urgent.charge(now, own) if own else self.urgent
        traffic_left = self.traffic.charge(now, entries - own)
        return PartyQuotas(urgent=urgent_left, traffic=traffic_left, attachments=self.attachments)

    def take_attachment(self, now: Instant, size: int) -> tuple["PartyQuotas", bool]:
        """The quotas afterwards, and whether an attachment of `size` bytes is drawn."""
        if self.attachments.available(now) < min(size, self.attachments.burst):
            return self, False
        return replace(
            self, attachments=self.attachments.charge(now, size)
        ), True  # one above a day's quota fits, in debt

    def amended(self, policy: Policy, now: Instant) -> "PartyQuotas":
        """The quotas under another policy."""
        attached = policy.attachment_mib_per_day * 2**20
        return PartyQuotas(
            urgent=self.urgent.amended(now, policy.urgent_per_hour, policy.urgent_per_hour),
            traffic=self.traffic.amended(now, policy.traffic_per_hour, policy.traffic_per_hour),
            attachments=self.attachments.amended(now, attached, attached),
        )


def quotas_of(policy: Policy, now: Instant) -> PartyQuotas:
    """Full quotas of one party by the policy in force."""
    return PartyQuotas(
        urgent=full(policy.urgent_per_hour, HOUR_MS, now),
        traffic=full(policy.traffic_per_hour, HOUR_MS, now),
        attachments=full(policy.attachment_mib_per_day * 2**20, DAY_MS, now),
    )
