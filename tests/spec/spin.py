"""Runs the formal models of spec/models with Spin: translate, compile, search every state.

    .venv/bin/python -m tests.spec.spin            every run, as the table of docs/models.md has it

Spec: spec/04-lanes.md, spec/07-delivery.md, spec/13-restart.md.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

MODELS = Path(__file__).resolve().parents[2] / "spec" / "models"
SECONDS = 600
"""A search ends long before, on an idle machine; a loaded one may be slow."""
MEMORY_MB = 1_024


class Mode(Enum):
    """What is searched for: flags of the compiler, flags of the search."""

    ASSERTIONS = (("-DSAFETY", "-DNOCLAIM"), ())
    CYCLES = (("-DNP", "-DNOCLAIM"), ("-l",))
    """Any run without an end."""
    FORMULA = (("-DNFAIR=3",), ("-a", "-f"))
    """The model's LTL formula, under weak fairness; and its assertions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search: of a model, with these guards taken away or sizes set."""

    model: str
    defines: tuple[str, ...] = ()
    mode: Mode = Mode.ASSERTIONS
    finds: str = ""
    """A pattern of what must be found; empty if the model is sound so."""

    @property
    def name(self) -> str:
        """For people."""
        return " ".join([self.model, *self.defines, self.mode.name.lower()])


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search said."""

    text: str
    trail: bool

    @property
    def errors(self) -> int:
        """How many errors; -1 if it did not come to its end."""
        said = re.search(r"errors: (\d+)", self.text)
        return int(said[1]) if said else -1

    @property
    def states(self) -> int:
        """States stored."""
        said = re.search(r"(\d+) states, stored", self.text)
        return int(said[1]) if said else 0

    @property
    def complete(self) -> bool:
        """Whether every state was searched."""
        return not re.search(r"max search depth too small|Search not completed|out of memory|MEMLIM", self.text)

    @property
    def unreached(self) -> list[str]:
        """Statements that no run comes to, but for ends of processes that never end."""
        sections = re.findall(r"^unreached in (?:proctype|init).*\n((?:\t.*\n)*)", self.text, re.MULTILINE)
        lines = re.findall(r", state \d+, \"(.*)\"$", "".join(sections), re.MULTILINE)
        return [line for line in lines if line != "-end-"]


def search(run: Search, folder: Path) -> Found:
    """Run one search in an empty folder."""
    compiler, flags = run.mode.value

    def call(*words: str) -> str:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
        return done.stdout + done.stderr

    said = call("spin", *[f"-D{word}" for word in run.defines], "-a", str(MODELS / f"{run.model}.pml"))
    said += call("gcc", "-O2", "-w", f"-DMEMLIM={MEMORY_MB}", *compiler, "-o", "pan", "pan.c")
    if not (folder / "pan").exists():
        return Found(text=said, trail=False)
    found = call("./pan", "-m200000", *flags)
    return Found(text=found, trail=any(folder.glob("*.trail")))


FORK = r"assertion violated.*(shown|tree)"
AT_REST = r"assertion violated"
NEVER = r"acceptance cycle"

SOUND: Sequence[Search] = (
    Search(model="one-writer"),
    Search(model="restore"),
    Search(model="restore", defines=("SAID=1",), mode=Mode.CYCLES),
    Search(model="delivery", defines=("ENTRIES=3",)),
    Search(model="delivery", mode=Mode.FORMULA),
    Search(model="delivery", defines=("GOOD_MAY_LOSE",), mode=Mode.FORMULA),
)

BROKEN: Sequence[Search] = (
    Search(model="one-writer", defines=("NO_CAS",), finds=FORK),
    Search(model="one-writer", defines=("SIGN_BEFORE_COMMIT",), finds=FORK),
    Search(model="one-writer", defines=("NO_SIGNING_AFTER_CRASH",), finds=r"assertion violated \(left_here==size\)"),
    Search(model="one-writer", defines=("TOLD_BEFORE_COMMIT",), finds=r"assertion violated found"),
    Search(model="restore", defines=("NO_MARK",), finds=FORK),
    Search(model="restore", defines=("MARK_AFTER_SEND",), finds=FORK),
    Search(model="restore", defines=("NO_NONCE",), finds=FORK),
    Search(model="restore", defines=("NO_SHOWN",), finds=r"assertion violated \(newest==current\)"),
    Search(model="restore", defines=("NO_RECOVERY",), finds=r"assertion violated \(holds\[i\]<="),
    Search(model="restore", defines=("MARK_IN_BACKUP",), finds=FORK),
    Search(model="restore", defines=("COPY_BEFORE_MARK",), finds=FORK),
    Search(model="delivery", defines=("ACK_BEFORE_DURABLE",), finds=r"assertion violated.*<=held"),
    Search(model="delivery", defines=("RECEIPT_OF_BEARER",), finds=r"assertion violated.*<=held"),
    Search(model="delivery", defines=("NO_ORDER",), finds=r"assertion violated \(j==held\)"),
    Search(model="delivery", defines=("NO_DUPLICATE_CHECK",), finds=r"assertion violated \(j==held\)"),
    Search(model="delivery", defines=("NO_REPEAT",), mode=Mode.FORMULA, finds=NEVER),
    Search(model="delivery", defines=("NO_SEALING_ANEW",), mode=Mode.FORMULA, finds=NEVER),
    Search(model="delivery", defines=("NO_ACK_AGAIN",), mode=Mode.FORMULA, finds=NEVER),
    Search(model="delivery", defines=("ONE_BEARER_ONLY",), mode=Mode.FORMULA, finds=NEVER),
)


def main() -> int:
    """Print every run; returns 0 if all say what they must."""
    wrong = 0
    for run in (*SOUND, *BROKEN):
        with tempfile.TemporaryDirectory() as folder:
            found = search(run, Path(folder))
        well = bool(re.search(run.finds, found.text)) if run.finds else found.errors == 0 and found.complete
        wrong += not well
        verdict = ("fails, as it must" if run.finds else "holds") if well else "NOT AS EXPECTED"
        print(f"{run.name:60} {found.states:>10} states  {verdict}", flush=True)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
