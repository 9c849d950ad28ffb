"""The simulator's command line.

python -m tests.sim --seeds 1000 --jobs 2        every profile in turn, a thousand seeds
python -m tests.sim --seed 7 --profile mixed --trace
"""

import argparse
import contextlib
import sys
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context

from tests.sim.planted.bugs import BUGS
from tests.sim.profiles import PROFILES
from tests.sim.runner import Result, run


def main() -> int:
    """Run what was asked for; 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seed", type=int, help="play this one seed")
    parser.add_argument("--profile", choices=sorted(PROFILES), action="append", help="only these profiles")
    parser.add_argument("--trace", action="store_true", help="print every event")
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first of them")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--plant", choices=sorted(BUGS), help="put this bug in first (tests/sim/planted)")
    parser.add_argument("--until-found", action="store_true", help="stop at the first failure")
    given = parser.parse_args()
    if given.plant:
        BUGS[given.plant].plant()
        given.profile = given.profile or list(BUGS[given.plant].profiles)
    profiles = given.profile or list(PROFILES)
    if given.seed is not None:
        results = [run(given.seed, profile, trace=print if given.trace else None) for profile in profiles]
        for result in results:
            print(f"{result.profile} {result.seed}: {result.failure or 'good'}  [{result.fingerprint[:16]}]")
        return int(any(result.failure for result in results))
    jobs = [(seed, profiles[seed % len(profiles)]) for seed in range(given.first, given.first + given.seeds)]
    return _many(jobs, given.jobs, until_found=given.until_found)


def _one(job: tuple[int, str]) -> Result:
    return run(*job)


def _many(jobs: list[tuple[int, str]], processes: int, *, until_found: bool) -> int:
    began, done, failed, told = time.monotonic(), 0, 0, 0.0
    total: Counter[str] = Counter()
    hours = 0.0
    with contextlib.ExitStack() as stack:
        results: Iterator[Result] = map(_one, jobs)
        if processes > 1:  # what was planted is inherited
            results = stack.enter_context(get_context("fork").Pool(processes)).imap_unordered(_one, jobs, chunksize=1)
        for result in results:
            done, hours = done + 1, hours + result.hours
            total.update(result.faults)
            if result.failure:
                failed += 1
                print(f"FAILED {result.failure}\n    {result.command}", flush=True)
                if until_found:
                    break
            if time.monotonic() - told > 10:
                told = time.monotonic()
                print(
                    f"{done} of {len(jobs)} seeds, {hours:,.1f} line-hours, {sum(total.values()):,} faults, {failed} failed",
                    flush=True,
                )
    print(report(done, hours, total, failed, time.monotonic() - began))
    return int(failed > 0)


def report(done: int, hours: float, faults: Counter[str], failed: int, seconds: float) -> str:
    """What a run amounts to."""
    classes = "\n".join(f"    {count:>9,}  {name}" for name, count in faults.most_common())
    return (
        f"{done:,} seeds in {seconds:.0f} s: {hours:,.1f} simulated line-hours, {sum(faults.values()):,} faults, "
        f"{failed} failed\n{classes}"
    )


if __name__ == "__main__":
    sys.exit(main())
