"""Which bearers carry an envelope: the policy by precedence, in one place.

    FLASH (and drills)  all at once, also those that are silent or one way
    IMMEDIATE           the two best of different kinds, not a metered one as the second
    PRIORITY, ROUTINE   the best that takes it

What is not opened in time goes to the next one: the third offer and the
fourth to the second best, and so on, round and round. The best is the one
that is heard, is not metered and is quickest, in this order. One way is for
FLASH, and for the rest only if nothing else is up.

Spec: spec/09-envelopes.md, 9.21, 9.22, 9.25.
"""

from dataclasses import dataclass
from typing import Protocol

from openline.kernel.units import BUCKETS
from openline.ports import BearerTraits
from openline.protocol.events import Link, Transmit
from openline.protocol.pacing import BULK_BITS
from openline.station.bearer_state import ONE_WAY_MS, BearerState

METERED_COST = 100
"""A bearer this dear is used when the others fail, and carries no bulk (cosignatures, chunks)."""
QUICK_MS = 250
"""What takes less is not worth counting."""
LONGEST_MS = 10_000
"""An envelope should not keep a bearer busy for longer: FLASH waits for the one that is under way."""


class Offering(Protocol):
    """What of a bearer a way needs."""

    def offer(self, station: str, envelope: bytes, *, urgent: bool = False) -> bool:
        """See ports.Bearer."""
        ...


@dataclass(frozen=True, slots=True)
class Way:
    """A bearer that carries to a station now."""

    bearer: Offering
    traits: BearerTraits
    state: BearerState

    @property
    def metered(self) -> bool:
        """Whether every byte is paid for."""
        return self.traits.cost >= METERED_COST

    @property
    def wide(self) -> bool:
        """Whether it is fit for bulk."""
        bits = self.traits.bits_per_second
        return not (self.metered or self.traits.one_way) and (bits == 0 or bits >= BULK_BITS)

    @property
    def largest(self) -> int:
        """The largest envelope that does not keep it busy for too long, in whole buckets."""
        traits = self.traits
        bits = traits.bits_per_second
        quick = [b for b in BUCKETS if b <= traits.largest and (bits == 0 or b * 8_000 // bits <= LONGEST_MS)]
        return quick[-1] if quick else BUCKETS[0]

    @property
    def kind(self) -> str:
        """What it is: two links of one kind fail together, and are called drop-a and drop-b."""
        return self.traits.name.partition("-")[0]

    @property
    def slow(self) -> bool:
        """Whether repeats have to be counted."""
        return self.traits.one_way or self.takes_ms(BUCKETS[0]) >= QUICK_MS

    def takes_ms(self, size: int) -> int:
        """What an envelope of that size takes to the other side: as measured, else as declared."""
        bits = self.traits.bits_per_second
        carrying = size * 8_000 // bits if bits else 0
        measured = self.state.delay_ms
        return max(measured, carrying) if measured is not None else self.traits.delay_ms + carrying

    def wait_ms(self, size: int) -> int:
        """How long after it was handed over the same envelope is not handed over again."""
        return max(ONE_WAY_MS, 2 * self.takes_ms(size)) if self.traits.one_way else 2 * self.takes_ms(size)


def ordered(ways: list[Way]) -> list[Way]:
    """The best first."""
    if len(ways) < 2:
        return [way for way in ways if way.traits.largest >= BUCKETS[0]]
    usable = [way for way in ways if way.traits.largest >= BUCKETS[0]]
    return sorted(
        usable,
        key=lambda way: (
            way.traits.one_way,
            way.state.silent,
            way.metered,
            way.takes_ms(BUCKETS[1]) // QUICK_MS,
            way.traits.cost,
            way.traits.name,
        ),
    )


def chosen(ways: list[Way], sent: Transmit) -> tuple[list[Way], int]:
    """The bearers to offer an envelope to, in this order, until so many have taken it."""
    size = len(sent.envelope)
    fitting = [way for way in ways if size <= way.traits.largest and (way.wide or not sent.bulk)]
    if sent.precedence == 0:
        return fitting, len(fitting)
    both = [way for way in fitting if not way.traits.one_way]
    candidates = both or fitting
    if not candidates:
        return [], 0
    start = sent.tries // 2 % len(candidates)
    turned = candidates[start:] + candidates[:start]
    if sent.precedence == 1:
        second = next((way for way in turned[1:] if way.kind != turned[0].kind and not way.metered), None)
        if second is not None:
            return [turned[0], second, *(way for way in turned[1:] if way is not second)], 2
    return turned, 1


def link_of(ways: list[Way], party: int, *, anew: bool = False) -> Link:
    """What the protocol must know of the bearers to a party. `ways` as ordered; `anew` as in Link."""
    both = [way for way in ways if not way.traits.one_way]
    best = next(iter(both or ways), None)
    if best is None:
        return Link(party=party, largest=0, smallest=0)
    takes = best.takes_ms(best.largest)
    bits = best.traits.bits_per_second
    return Link(
        party=party,
        largest=best.largest,
        smallest=min(way.largest for way in ways),
        widest=max(way.largest for way in both or ways),
        bulk=max((way.largest for way in ways if way.wide), default=0),
        slow_ms=_rounded(takes),
        bits_per_second=bits if takes >= QUICK_MS else 0,
        one_way=best.traits.one_way,
        anew=anew,
    )


def _rounded(takes_ms: int) -> int:
    """Up to the next doubling: the protocol need not hear of every change of a measured delay."""
    if takes_ms < QUICK_MS:
        return 0
    rounded = QUICK_MS
    while rounded < takes_ms:
        rounded *= 2
    return rounded
