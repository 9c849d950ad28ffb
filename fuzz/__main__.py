"""The command: python -m fuzz --list | TARGET ... | --all [--seconds N].

    python -m fuzz --list                       the targets
    python -m fuzz envelope --seconds 60        one or more, each for so long
    python -m fuzz --all --seconds 30           all of them, one after the other, with a report
    python -m fuzz frames --input FILE          one input, here and now, with its traceback
    python -m fuzz --seeds                      write the first inputs of every corpus anew
    ... --keep DIR                              keep what reaches something new, for the next run
    ... --grow DIR                              merge what was kept into fuzz/corpus

A finding is written to fuzz/regressions/TARGET/, where it stays: replayed by every check from then on.
"""

import argparse
import sys
from hashlib import sha256
from pathlib import Path

from fuzz.session import fuzz, grow
from fuzz.table import HONEST, TARGETS
from fuzz.target import CORPUS, REGRESSIONS, Target, accepted

CORPUS_BYTES = 40_000
"""Of one target's committed corpus; of thirty-five below a megabyte and a half."""


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Coverage-guided fuzzing.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="what to fuzz")
    parser.add_argument("--list", action="store_true", help="name the targets")
    parser.add_argument("--all", action="store_true", help="every target but the canaries")
    parser.add_argument("--seconds", type=int, default=30, help="for each target (30)")
    parser.add_argument("--keep", type=Path, help="a folder for inputs that reach something new")
    parser.add_argument("--grow", type=Path, help="merge such a folder into the corpus")
    parser.add_argument("--input", type=Path, help="run this one input")
    parser.add_argument("--seeds", action="store_true", help="write the first inputs of every corpus")
    return parser.parse_args()


def _seed(target: Target) -> None:
    folder = CORPUS / target.name
    folder.mkdir(parents=True, exist_ok=True)
    for label, data in target.seeds().items():
        (folder / f"seed-{label}").write_bytes(data[: target.largest])
    print(f"{target.name}: {sum(1 for _ in folder.iterdir())} inputs", flush=True)


def _run(target: Target, seconds: int, keep: Path | None) -> bool:
    """Fuzz it, say what came of it, and keep a finding. Returns whether there was none."""
    report = fuzz(target, seconds=seconds, keep=keep)
    print(report.line, flush=True)
    if report.finding is None:
        return True
    print(report.said, flush=True)
    if not target.known_bug:
        folder = REGRESSIONS / target.name
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / sha256(report.finding).hexdigest()[:16]
        path.write_bytes(report.finding)
        print(f"kept as {path.relative_to(REGRESSIONS.parents[1])}", flush=True)
    return False


def main() -> int:
    """Returns 0 if nothing was found."""
    words = _words()
    named = (
        {**HONEST} if words.all or words.seeds else {name: TARGETS[name] for name in words.targets if name in TARGETS}
    )
    if words.list or set(words.targets) - set(TARGETS) or not named:
        for target in TARGETS.values():
            print(f"{target.name:20} {target.about}")
        return int(not words.list)
    if words.input:
        for target in named.values():
            print("accepted" if accepted(target.make(), words.input.read_bytes()) else "refused")
        return 0
    if words.seeds:
        for target in named.values():
            _seed(target)
        return 0
    if words.grow:
        for target in named.values():
            added, size = grow(target, words.grow, most_bytes=CORPUS_BYTES)
            print(f"{target.name}: {added} inputs added, {size} bytes", flush=True)
        return 0
    clean = [_run(target, words.seconds, words.keep) for target in named.values()]
    print(f"{len(clean)} targets, {clean.count(False)} findings", flush=True)
    return int(not all(clean))


if __name__ == "__main__":
    sys.exit(main())
