"""Faults of stations and of their machines."""

import contextlib
import signal
from collections.abc import Callable

from tests.e2e.chaos.fault import Act, Fault, Step, both, one, victim
from tests.e2e.chaos.rig import Station
from tests.e2e.chaos.sites import Sites

DAY_S = 86_400

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


AT_STATIONS: dict[str, Fault] = {
    "kill": Fault(strike=_kill(one), heal=_start(one), hold_s=(0, 1.5), falls=one),
    "kill-both": Fault(strike=_kill(both), heal=_start(both), hold_s=(0, 1), falls=both),
    "kill-in-commit": Fault(strike=_kill_in_commit, heal=_start(one), hold_s=(0, 0.5), falls=one),
    "stop": Fault(strike=_signal(signal.SIGSTOP), heal=_signal(signal.SIGCONT), hold_s=(2, 60)),
    "clock-forward": Fault(strike=_clock(1), heal=_good_machine, hold_s=(1, 4), passes=True),
    "clock-back": Fault(strike=_clock(-1), heal=_good_machine, hold_s=(1, 4), passes=True),
    "disk-full": Fault(strike=_fill_disk, heal=_free_disk, hold_s=(2, 6)),
    "disk-slow": Fault(strike=_slow_disk, heal=_good_machine, hold_s=(2, 5), passes=True),
    "disk-fails": Fault(strike=_bad_disk, heal=_good_machine, hold_s=(1, 4)),
}
