"""What a class of fault is: how it strikes two sites and how it ends. Between the two the stations are under load."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.e2e.chaos.rig import Station
from tests.e2e.chaos.sites import Sites


@dataclass(frozen=True)
class Step:
    """One fault of a plan."""

    number: int
    kind: str
    victim: int
    """0 ALPHA, 1 BRAVO; where a fault has a place."""
    hold_s: float
    amount: float
    """From 0 to 1: how bad, as the fault understands it."""
    beside: str = ""
    """A fault of the network that holds all the while."""
    route: str = "cables"
    """What there is but for the fault: one of `ways.ROUTES`."""


Act = Callable[[Sites, Step], None]


@dataclass(frozen=True)
class Fault:
    """One class."""

    strike: Act
    heal: Act
    hold_s: tuple[float, float]
    """Shortest and longest time between the two."""
    falls: Callable[[Sites, Step], list[Station]] = lambda _sites, _step: []
    """The stations whose process it ends."""
    passes: bool = False
    """Whether messages must get through while it holds."""
    route: str = ""
    """Where it strikes, if it matters: it is the way that all goes when it begins."""
    thin: bool = False
    """Whether so little gets through that the callers must speak slowly."""
    bearers: tuple[str, ...] = ()
    """Which of them must each carry by itself again once it has ended."""


def victim(sites: Sites, step: Step) -> Station:
    """The station at which it strikes."""
    return sites.stations[step.victim]


def one(sites: Sites, step: Step) -> list[Station]:
    return [victim(sites, step)]


def both(sites: Sites, _step: Step) -> list[Station]:
    return list(sites.stations)


def nothing(_sites: Sites, _step: Step) -> None:
    pass
