"""When the next fault strikes. The moment is the experiment: nothing is waited for that could be waited for."""

import random
from threading import Event

_NEVER = Event()


def let_pass(seconds: float) -> None:
    """Let the stations go on for so long."""
    _NEVER.wait(seconds)


def strike_within(dice: random.Random, first: float, last: float) -> None:
    """Let them go on until a moment between these, in seconds from now."""
    let_pass(dice.uniform(first, last))
