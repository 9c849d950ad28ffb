"""Every class of fault, and a plan of them, which is made from a seed alone.

When in a station's life a fault strikes is the machine's doing.
"""

import random
from collections.abc import Sequence
from dataclasses import replace

from tests.e2e.chaos.at_bearers import AT_BEARERS
from tests.e2e.chaos.at_cables import AT_CABLES
from tests.e2e.chaos.at_stations import AT_STATIONS
from tests.e2e.chaos.fault import Fault, Step
from tests.e2e.chaos.ways import ROUTES

FAULTS: dict[str, Fault] = {**AT_STATIONS, **AT_CABLES, **AT_BEARERS}
BESIDE = ("all-cut", "cables-cut", "relay-flips-bits", "relay-stalls", "relay-half-open", "all-swallow")
"""Faults of the network beside which processes and machines fail."""
_MAY_HAVE_BESIDE = frozenset({"kill", "kill-both", "kill-in-commit", "stop", "disk-full", "disk-fails"})
LONGEST_S = 60.0


def plan(
    seed: int, count: int, *, shortest_s: float = 0.0, longest_s: float = LONGEST_S, only: Sequence[str] = ()
) -> list[Step]:
    """So many steps, from the seed alone: all classes in any order, again and again, those of one route in a row."""
    dice, steps = random.Random(f"plan {seed}"), list[Step]()
    while len(steps) < count:
        kinds, routes = list(only or FAULTS), list(ROUTES)
        dice.shuffle(kinds)
        cycle = [_step(dice, kind, shortest_s, longest_s) for kind in kinds]
        dice.shuffle(routes)
        steps += [step for route in routes for step in cycle if step.route == route]
    return [replace(step, number=number) for number, step in enumerate(steps[:count])]


def _step(dice: random.Random, kind: str, shortest_s: float, longest_s: float) -> Step:
    first, last = (min(max(each, shortest_s), longest_s) for each in FAULTS[kind].hold_s)
    beside = dice.choice(BESIDE) if kind in _MAY_HAVE_BESIDE and dice.random() < 0.4 else ""
    anywhere = dice.choice(("cables", "every"))
    return Step(
        number=0,
        kind=kind,
        victim=dice.randrange(2),
        hold_s=round(dice.uniform(first, last), 2),
        amount=round(dice.random(), 3),
        beside=beside,
        route=FAULTS[beside or kind].route or anywhere,
    )
