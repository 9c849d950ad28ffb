"""Every class of fault: how it strikes two sites and how it ends. Between the two the stations are under load.

A plan is made from a seed alone; when in a station's life a fault strikes is
the machine's doing.
"""

import contextlib
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tests.e2e.chaos.proxy import Proxy
from tests.e2e.chaos.rig import Station
from tests.e2e.chaos.sites import Sites
from tests.e2e.chaos.world import Cable

DAY_S = 86_400


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
    relayed: bool = False
    """Whether it strikes at the relay: both cables are cut before, and the line has found the way through it."""


def victim(sites: Sites, step: Step) -> Station:
    """The station at which it strikes."""
    return sites.stations[step.victim]


def _one(sites: Sites, step: Step) -> list[Station]:
    return [victim(sites, step)]


def _both(sites: Sites, _step: Step) -> list[Station]:
    return list(sites.stations)


def _nothing(_sites: Sites, _step: Step) -> None:
    pass


# --- processes ---


def _kill(falls: Callable[[Sites, Step], list[Station]]) -> Act:
    def strike(sites: Sites, step: Step) -> None:
        for station in falls(sites, step):
            station.kill()

    return strike


def _start(falls: Callable[[Sites, Step], list[Station]]) -> Act:
    def heal(sites: Sites, step: Step) -> None:
        for station in falls(sites, step):
            station.spawn()

    return heal


def _kill_in_commit(sites: Sites, step: Step) -> None:
    """SIGKILL at one of the next writes or fsyncs: before it, in its middle or after it."""
    station = victim(sites, step)
    assert station.machine is not None
    station.machine.die_at(1 + int(step.amount * 40), step.number % 3)
    station.fell(60.0)
    station.machine.die_at(0, 0)


def _signal(number: signal.Signals) -> Act:
    def send(sites: Sites, step: Step) -> None:
        process = victim(sites, step).running
        assert process is not None
        process.send_signal(number)

    return send


# --- the machine ---


def _clock(sign: int) -> Act:
    def strike(sites: Sites, step: Step) -> None:
        machine = victim(sites, step).machine
        assert machine is not None
        machine.clock(sign * (3_600 + step.amount * 30 * DAY_S))

    return strike


def _slow_disk(sites: Sites, step: Step) -> None:
    machine = victim(sites, step).machine
    assert machine is not None
    machine.slow(0.05 + 0.45 * step.amount)


def _bad_disk(sites: Sites, step: Step) -> None:
    machine = victim(sites, step).machine
    assert machine is not None
    machine.failing(on=True)


def _good_machine(sites: Sites, step: Step) -> None:
    machine = victim(sites, step).machine
    assert machine is not None
    machine.heal()


def _fill_disk(sites: Sites, step: Step) -> None:
    """All is taken, or all but some hundred kilobytes."""
    with sites.ballast.open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while file.write(bytes(1 << 20)):
                pass
        file.truncate(max(file.tell() - int(step.amount * 200_000), 4_096))


def _free_disk(sites: Sites, _step: Step) -> None:
    sites.ballast.unlink(missing_ok=True)


# --- the network ---


def _cables(sites: Sites, names: tuple[str, ...]) -> Iterator[Cable]:
    for name in names:
        yield getattr(sites.world, name)


def _cut(*names: str) -> Act:
    def strike(sites: Sites, _step: Step) -> None:
        for cable in _cables(sites, names):
            cable.cut()

    return strike


def _swallow(*names: str, one_way: bool = False) -> Act:
    def strike(sites: Sites, step: Step) -> None:
        for cable in _cables(sites, names):
            cable.swallow(sides=(step.victim,) if one_way else (0, 1))

    return strike


def _joined(*names: str) -> Act:
    def heal(sites: Sites, _step: Step) -> None:
        for cable in _cables(sites, names):
            cable.heal()

    return heal


DIRECT = ("north", "south")
_ALL = ("north", "south", "near", "far")


def _relay(fault: Callable[[Proxy, Step], None]) -> Act:
    def strike(sites: Sites, step: Step) -> None:
        for proxy in sites.rig.proxies:
            fault(proxy, step)

    return strike


def _flaps(sites: Sites, step: Step) -> None:
    """All ways come and go, faster than anybody calls again."""
    dice = random.Random(step.amount)
    for _ in range(6):
        for cable in sites.world.cables:
            (cable.cut if dice.random() < 0.6 else cable.heal)()


def _by_folder(mischief: str = "", *, passes: bool = True) -> Fault:
    """All cables are cut, and the folder is there: nothing else carries anything."""

    def strike(sites: Sites, step: Step) -> None:
        sites.share.mount(mischief)
        _cut(*_ALL)(sites, step)

    def heal(sites: Sites, step: Step) -> None:
        _joined(*_ALL)(sites, step)
        sites.share.pull()

    return Fault(strike=strike, heal=heal, hold_s=(2, 10), passes=passes)


def _by_relay(fault: Callable[[Proxy, Step], None], *, passes: bool = False) -> Fault:
    heal = _relay(lambda proxy, _step: proxy.heal())
    return Fault(strike=_relay(fault), heal=heal, hold_s=(1, 10), passes=passes, relayed=True)


def _cut_of(*names: str, passes: bool = True) -> Fault:
    return Fault(strike=_cut(*names), heal=_joined(*names), hold_s=(0.5, 4), passes=passes)


def _swallowed(*names: str, passes: bool = False, one_way: bool = False) -> Fault:
    return Fault(strike=_swallow(*names, one_way=one_way), heal=_joined(*names), hold_s=(1, 12), passes=passes)


FAULTS: dict[str, Fault] = {
    "kill": Fault(strike=_kill(_one), heal=_start(_one), hold_s=(0, 1.5), falls=_one),
    "kill-both": Fault(strike=_kill(_both), heal=_start(_both), hold_s=(0, 1), falls=_both),
    "kill-in-commit": Fault(strike=_kill_in_commit, heal=_start(_one), hold_s=(0, 0.5), falls=_one),
    "stop": Fault(strike=_signal(signal.SIGSTOP), heal=_signal(signal.SIGCONT), hold_s=(2, 60)),
    "clock-forward": Fault(strike=_clock(1), heal=_good_machine, hold_s=(1, 4), passes=True),
    "clock-back": Fault(strike=_clock(-1), heal=_good_machine, hold_s=(1, 4), passes=True),
    "disk-full": Fault(strike=_fill_disk, heal=_free_disk, hold_s=(2, 6)),
    "disk-slow": Fault(strike=_slow_disk, heal=_good_machine, hold_s=(2, 5), passes=True),
    "disk-fails": Fault(strike=_bad_disk, heal=_good_machine, hold_s=(1, 4)),
    "north-cut": _cut_of("north"),
    "south-cut": _cut_of("south"),
    "relay-cut": _cut_of("near", "far"),
    "direct-cut": _cut_of(*DIRECT),
    "all-cut": _cut_of(*_ALL, passes=False),
    "flapping": Fault(strike=_flaps, heal=_joined(*_ALL), hold_s=(0, 1)),
    "north-swallows": _swallowed("north", passes=True),
    "all-swallow": _swallowed(*_ALL),
    "all-swallow-one-way": _swallowed(*_ALL, one_way=True),
    "folder-alone": _by_folder(),
    "folder-repeats": _by_folder("repeat"),
    "folder-delays": _by_folder("delay"),
    "folder-flips-bits": _by_folder("flip", passes=False),
    "folder-loses": _by_folder("lose", passes=False),
    "relay-flips-bits": _by_relay(lambda proxy, step: proxy.corrupt(1 + int(step.amount * 40))),
    "relay-severs": _by_relay(lambda proxy, step: proxy.sever(1 + int(step.amount * 20))),
    "relay-half-open": _by_relay(lambda proxy, _step: proxy.half_open()),
    "relay-stalls": _by_relay(lambda proxy, _step: proxy.stall()),
    "relay-drops": _by_relay(lambda proxy, _step: proxy.drop(), passes=True),
    "relay-delays": _by_relay(lambda proxy, step: proxy.delay(0.05 + 0.4 * step.amount), passes=True),
    "relay-trickles": _by_relay(lambda proxy, step: proxy.throttle(300 + int(step.amount * 600))),
}
BESIDE = ("all-cut", "relay-flips-bits", "relay-stalls", "relay-half-open", "all-swallow")
"""Faults of the network beside which processes and machines fail."""
_MAY_HAVE_BESIDE = frozenset({"kill", "kill-both", "kill-in-commit", "stop", "disk-full", "disk-fails"})


def relayed(step: Step) -> bool:
    """Whether all goes through the relay in this step."""
    return any(FAULTS[kind].relayed for kind in (step.kind, step.beside) if kind)


def plan(seed: int, count: int, *, longest_s: float = 60.0, only: tuple[str, ...] = ()) -> list[Step]:
    """So many steps, from the seed alone: all classes in any order, again and again, those at the relay in a row."""
    dice, steps = random.Random(f"plan {seed}"), list[Step]()
    while len(steps) < count:
        kinds = list(only or FAULTS)
        dice.shuffle(kinds)
        cycle = [_step(dice, kind, longest_s) for kind in kinds]
        others = [step for step in cycle if not relayed(step)]
        before = dice.randrange(len(others) + 1)
        steps += [*others[:before], *filter(relayed, cycle), *others[before:]]
    return [replace(step, number=number) for number, step in enumerate(steps[:count])]


def _step(dice: random.Random, kind: str, longest_s: float) -> Step:
    first, last = FAULTS[kind].hold_s
    beside = dice.choice(BESIDE) if dice.random() < 0.4 else ""
    return Step(
        number=0,
        kind=kind,
        victim=dice.randrange(2),
        hold_s=round(dice.uniform(min(first, longest_s), min(last, longest_s)), 2),
        amount=round(dice.random(), 3),
        beside=beside if kind in _MAY_HAVE_BESIDE else "",
    )
