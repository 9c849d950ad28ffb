"""One run: chaos, healing, quiet. And its result, with the command that plays it again."""

import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.sim.calling import plan, settled
from tests.sim.checkers import MARKER, Failed, Liveness
from tests.sim.faults import Faults
from tests.sim.liars import place_liars
from tests.sim.profiles import PROFILES
from tests.sim.workload import Workload
from tests.sim.world import World

SLICES = 6
"""Parts of the last quiet time, each of which must be quiet: a storm is found early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one seed came to."""

    seed: int
    profile: str
    checker: str
    """Which check failed; empty if none."""
    failure: str
    hours: float
    """Virtual time of the line."""
    events: int
    outputs: int
    faults: Counter[str]
    fingerprint: str

    @property
    def command(self) -> str:
        """Plays this run again."""
        return f"python -m tests.sim --seed {self.seed} --profile {self.profile} --trace"


def run(seed: int, profile: str, *, trace: Callable[[str], None] | None = None) -> Result:
    """Play one seed of one profile."""
    world = World(seed, PROFILES[profile], trace=trace)
    checker = failure = ""
    try:
        _play(world)
    except Failed as found:
        checker, failure = found.checker, str(found)
    except Exception as found:  # noqa: BLE001 - anything that comes out of an engine is a finding
        checker, failure = "never raises", _place(found)
        if MARKER in "".join(traceback.format_exception(found)):
            checker, failure = "nothing leaks", "a plaintext in a traceback"
    return Result(
        seed=seed,
        profile=profile,
        checker=checker,
        failure=failure,
        hours=world.now / 3_600_000,
        events=world.events,
        outputs=world.outputs,
        faults=world.faults,
        fingerprint=world.fingerprint(),
    )


def _place(found: Exception) -> str:
    frames = traceback.extract_tb(found.__traceback__)[-4:]
    where = " < ".join(f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno} {f.name}" for f in reversed(frames))
    return f"never raises: {type(found).__name__}: {found} [{where}]"


def _play(world: World) -> None:
    profile = world.profile
    place_liars(world)
    faults = Faults(world)
    Workload(world)
    plan(world)
    for station in world.all_stations():
        if station.engine is None:
            station.boot()
    world.run(profile.chaos_ms)
    faults.heal()
    world.run(1_000)
    liveness = Liveness(world)
    world.run(profile.quiet_ms)
    liveness.arrived()
    for _ in range(SLICES):
        before = world.envelopes
        world.run(profile.quiet_ms // SLICES)
        liveness.silent(world.envelopes - before, profile.quiet_ms / SLICES / 60_000)
    liveness.arrived()
    settled(world)
