"""Runs targets, each in a process of its own with a limit of time and memory, and reads what they say."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fuzz.target import CORPUS, FOLDER, REGRESSIONS, Target

INPUT_S = 25
"""Longer than this with one input is a hang; an idle machine needs milliseconds, instrumented and loaded a second."""
MEMORY_MB = 1_500
"""Of the whole process. A station needs a tenth of it."""
START_S = 240
"""For starting: instrumented imports on a loaded machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of a run."""

    target: str
    executions: int
    coverage: int
    """Edges reached."""
    corpus: int
    """Inputs that each reach something of their own."""
    finding: bytes | None
    """The input that was neither accepted nor refused."""
    said: str
    """The end of what the process wrote: the traceback of a finding."""

    @property
    def line(self) -> str:
        """For people."""
        verdict = "ok" if self.finding is None else "FOUND SOMETHING"
        return f"{self.target:20} {self.executions:>10} inputs {self.coverage:>6} edges {self.corpus:>5} in corpus  {verdict}"


def _folders(target: Target) -> list[str]:
    return [str(root / target.name) for root in (CORPUS, REGRESSIONS) if (root / target.name).is_dir()]


def _child(target: Target, options: Sequence[str], folders: Sequence[str], seconds: float) -> tuple[int, str]:
    """Run it; what it writes is in a folder of its own, in memory where there is such a thing."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="openline-fuzz-", dir=memory, ignore_cleanup_errors=True) as scratch:
        # The order of sets is the same each time, or one seed gave several runs.
        return _run(target, options, folders, seconds, {**os.environ, "TMPDIR": scratch, "PYTHONHASHSEED": "0"})


def _run(
    target: Target, options: Sequence[str], folders: Sequence[str], seconds: float, environment: dict[str, str]
) -> tuple[int, str]:
    words = [sys.executable, "-m", "fuzz.child", target.name, *options, *folders]
    done = subprocess.run(
        words,
        check=False,
        cwd=FOLDER.parent,
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
    )
    return done.returncode, done.stdout + done.stderr


def _last(pattern: str, said: str) -> int:
    found = re.findall(pattern, said)
    return int(found[-1]) if found else 0


def _told(said: str) -> str:
    """What matters of what a run wrote: the traceback, or the end."""
    begins = said.find("Uncaught Python exception")
    return said[begins : begins + 3_000].partition("INFO: ")[0] if begins >= 0 else said[-1_500:]


def fuzz(target: Target, *, seconds: int = 0, runs: int = 0, keep: Path | None = None, seed: int = 0) -> Report:
    """Fuzz one target for so long or so many inputs; what reaches something new is kept in `keep`.

    The inputs follow from a seed; 0 draws one.

    Raises RuntimeError if it could not be fuzzed at all.
    """
    with tempfile.TemporaryDirectory(prefix="openline-fuzz-") as made:
        scratch = Path(made)
        grown = keep / target.name if keep else scratch / "grown"
        grown.mkdir(parents=True, exist_ok=True)
        options = [
            f"-max_total_time={seconds}" if seconds else "-max_total_time=0",
            *([f"-runs={runs}"] if runs else []),
            f"-seed={seed}",
            f"-timeout={INPUT_S}",
            f"-rss_limit_mb={MEMORY_MB}",
            f"-max_len={target.largest}",
            f"-artifact_prefix={scratch}/finding-",
            "-print_final_stats=1",
            "-verbosity=1",
        ]
        code, said = _child(target, options, [str(grown), *_folders(target)], seconds + START_S)
        findings = sorted(scratch.glob("finding-*"))
        finding = findings[0].read_bytes() if findings else None
        executions = _last(r"stat::number_of_executed_units:\s+(\d+)", said) or _last(r"#(\d+)\s", said)
        if (code and finding is None) or not executions:
            raise RuntimeError(f"{target.name} could not be fuzzed:\n{said[-3_000:]}")
        return Report(
            target=target.name,
            executions=executions,
            coverage=_last(r"cov: (\d+)", said),
            corpus=_last(r"corp: (\d+)", said),
            finding=finding,
            said=_told(said),
        )


def grow(target: Target, grown: Path, *, most_bytes: int) -> tuple[int, int]:
    """Merge what a run has kept into the committed corpus: only what reaches something new, the smallest first.

    Returns how many inputs were added, and how large the corpus is now.
    """
    home = CORPUS / target.name
    home.mkdir(parents=True, exist_ok=True)
    before = {path.name for path in home.iterdir()}
    with tempfile.TemporaryDirectory(prefix="openline-fuzz-") as made:
        merged = Path(made) / "merged"
        shutil.copytree(home, merged)
        options = ["-merge=1", f"-timeout={INPUT_S}", f"-rss_limit_mb={MEMORY_MB}", f"-max_len={target.largest}"]
        _child(target, options, [str(merged), str(grown / target.name)], 3_600)
        size = sum(path.stat().st_size for path in home.iterdir())
        known = {path.read_bytes() for path in home.iterdir()}
        for path in sorted(merged.iterdir(), key=lambda each: (each.stat().st_size, each.name)):
            if path.read_bytes() in known or size + path.stat().st_size > most_bytes:
                continue
            shutil.copy(path, home / path.name[:16])
            size += path.stat().st_size
    return len({path.name for path in home.iterdir()} - before), size
