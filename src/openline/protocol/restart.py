"""Restart is not restore: what a station finds out about itself when a line starts.

The mark is kept outside the store and outside every backup. A store that is
behind it, or that knows another generation, was restored: its lanes are never
continued, because what it no longer knows is already in the peers' hands.

Spec: spec/13-restart.md.
"""

from dataclasses import dataclass

from openline.kernel.lane import GENERATION_ZERO, Generation, Lane
from openline.protocol.records import LineReader, Mark


@dataclass(frozen=True, slots=True)
class Continue:
    """The store is what this station wrote last: write on in this generation."""

    generation: Generation


@dataclass(frozen=True, slots=True)
class Restored:
    """Something was lost: open a successor generation whose counter is above this one."""

    above: int


def judge(line: bytes, party: int, mark: Mark | None, reader: LineReader) -> Continue | Restored:
    """Whether a line may go on in its generation, from its mark and its store alone (spec 13.3 to 13.6)."""
    own = sorted(known.generation for known in reader.generations() if known.party == party)
    if mark is None:
        return Restored(own[-1].counter if own else 0)
    newest = own[-1] if own else None
    fresh = mark == Mark(generation=GENERATION_ZERO, urgent=0, traffic=0)
    if newest is None and fresh:
        return Continue(GENERATION_ZERO)
    above = max(mark.generation.counter, newest.counter if newest else 0)
    if newest is None or mark.generation not in own:
        return Restored(above)

    def lane(number: int, generation: Generation) -> Lane:
        return Lane(line, 2 * party + number, generation)

    if reader.size(lane(0, mark.generation)) < mark.urgent or reader.size(lane(1, mark.generation)) < mark.traffic:
        return Restored(above)
    if newest == mark.generation:
        return Continue(newest)
    # A successor that was committed when the station fell, before its mark: opened here, so no peer ever signed for it.
    opened_here = all(
        reader.size(lane(number, newest)) and reader.last_head(lane(number, newest)) is None for number in (0, 1)
    )
    if newest.counter == mark.generation.counter + 1 and opened_here:
        return Continue(newest)
    return Restored(above)
