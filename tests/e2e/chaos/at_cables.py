"""Faults of the three ways that TLS goes: two cables, and a relay that does to connections what bad equipment does."""

import random
from collections.abc import Callable

from tests.e2e.chaos.fault import Act, Fault, Step
from tests.e2e.chaos.proxy import Proxy
from tests.e2e.chaos.sites import Sites
from tests.e2e.chaos.ways import CABLES, TLS
from tests.e2e.chaos.world import Cable


def mend(sites: Sites, _step: Step) -> None:
    """All that there was before carries again."""
    sites.ways.mend()


def _cut(*names: str) -> Act:
    def strike(sites: Sites, _step: Step) -> None:
        sites.ways.cut(*names)

    return strike


def _swallow(*names: str, one_way: bool = False) -> Act:
    def strike(sites: Sites, step: Step) -> None:
        sites.ways.hurt(*names)
        for cable in _cables(sites, names):
            cable.swallow(sides=(step.victim,) if one_way else (0, 1))

    return strike


def _cables(sites: Sites, names: tuple[str, ...]) -> tuple[Cable, ...]:
    world = sites.world
    there = {"north": (world.north,), "south": (world.south,), "relay": world.middle}
    return tuple(cable for name in names for cable in there[name])


def _relay(fault: Callable[[Proxy, Step], None]) -> Act:
    def strike(sites: Sites, step: Step) -> None:
        for proxy in sites.rig.proxies:
            fault(proxy, step)

    return strike


def _flaps(sites: Sites, step: Step) -> None:
    """All ways come and go, faster than anybody calls again."""
    dice = random.Random(step.amount)
    sites.ways.hurt(*TLS)
    for _ in range(6):
        for cable in _cables(sites, TLS):
            (cable.cut if dice.random() < 0.6 else cable.heal)()


def _by_relay(fault: Callable[[Proxy, Step], None], *, passes: bool = False) -> Fault:
    heal = _relay(lambda proxy, _step: proxy.heal())
    return Fault(strike=_relay(fault), heal=heal, hold_s=(1, 10), passes=passes, route="relay")


def _cut_of(*names: str, passes: bool = True) -> Fault:
    return Fault(strike=_cut(*names), heal=mend, hold_s=(0.5, 7), passes=passes, route="cables")


def _swallowed(*names: str, passes: bool = False, one_way: bool = False) -> Fault:
    swallow = _swallow(*names, one_way=one_way)
    return Fault(strike=swallow, heal=mend, hold_s=(1, 12), passes=passes, route="cables")


AT_CABLES: dict[str, Fault] = {
    "north-cut": _cut_of("north"),
    "south-cut": _cut_of("south"),
    "relay-cut": _cut_of("relay"),
    "direct-cut": _cut_of(*CABLES),
    "cables-cut": _cut_of(*TLS, passes=False),
    "flapping": Fault(strike=_flaps, heal=mend, hold_s=(0, 1), route="cables"),
    "north-swallows": _swallowed("north", passes=True),
    "all-swallow": _swallowed(*TLS),
    "all-swallow-one-way": _swallowed(*TLS, one_way=True),
    "relay-flips-bits": _by_relay(lambda proxy, step: proxy.corrupt(1 + int(step.amount * 40))),
    "relay-severs": _by_relay(lambda proxy, step: proxy.sever(1 + int(step.amount * 20))),
    "relay-half-open": _by_relay(lambda proxy, _step: proxy.half_open()),
    "relay-stalls": _by_relay(lambda proxy, _step: proxy.stall()),
    "relay-drops": _by_relay(lambda proxy, _step: proxy.drop(), passes=True),
    "relay-delays": _by_relay(lambda proxy, step: proxy.delay(0.05 + 0.4 * step.amount), passes=True),
    "relay-trickles": _by_relay(lambda proxy, step: proxy.throttle(300 + int(step.amount * 600))),
}
