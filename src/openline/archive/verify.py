"""Check an exported line: no station, no secret, no network, no trust in the folder.

Nothing in the folder can make this raise: what is wrong becomes a Problem
with its file. Only the machine's own failures are Unavailable.

Spec: spec/14-export.md (14.8 to 14.11).
"""

import contextlib
from collections.abc import Callable, Set
from pathlib import Path

from openline.archive.evidence import evidence_files
from openline.archive.files import read_file
from openline.archive.fixed_checks import FixedChecks, Stop
from openline.archive.lane_stages import LaneStages
from openline.archive.members import is_expected
from openline.archive.prove import MAX_PROOF_FILE, ProofVerdict, verify_proof
from openline.archive.verdict import MOST_PROBLEMS, LaneVerdict, Outcome, PartyVerdict, Verdict
from openline.archive.workers import Workers
from openline.kernel.errors import Malformed, Refused

Progress = Callable[[str, int, int], None]
SMALL = 20_000
"""Entries below which starting processes costs more than it saves."""


def silent(_stage: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


def verify(folder: Path, expect: Set[bytes] | None = None, progress: Progress = silent, jobs: int = 2) -> Verdict:
    """Check an export. `expect` holds fingerprints known from elsewhere, of 32 bytes or the 24 that people compare.

    `progress` is told (stage, done, of how many), the stages being `files`,
    `tiles`, `lines`, `entries` and `transcript`. With jobs above one and a large
    export, other processes help: see `workers`. Raises Unavailable when the
    machine fails; whatever is wrong with the archive is in the verdict.
    """
    expected = expect or frozenset()
    progress("files", 0, 1)
    fixed = _fixed(folder)
    progress("files", 1, 1)
    if fixed.problems:
        return Verdict(problems=tuple(fixed.problems))
    size = sum(lane.size for lane in fixed.found.lanes)
    with Workers(jobs if size >= SMALL else 1) as workers:
        stages = LaneStages(fixed.archive(), fixed.found.files, workers, progress)
        stages.run(fixed.milestones)
    lanes, gaps = stages.findings(fixed.members.name, fixed.both_to)
    return _verdict(fixed, expected, lanes, gaps, stages)


def _fixed(folder: Path) -> FixedChecks:
    fixed = FixedChecks(folder)
    with contextlib.suppress(Stop):
        fixed.manifest()
        fixed.identities()
        fixed.heads()
        fixed.evidence()
    return fixed


def fork_files(folder: Path) -> dict[str, bytes]:
    """The forks that an export proves, as files that other tools read: name -> content, two for each (spec 14.12).

    Raises Malformed if the export does not check so far. What it says of its lanes is not looked at.
    """
    fixed = _fixed(folder)
    if fixed.problems:
        raise Malformed("the export does not check: openline verify says where")
    found: dict[str, bytes] = {}
    for number, (fork, owner) in enumerate(fixed.proved):
        ending = "tlog-proof" if fork.left_leaf else "note"
        for side, content in zip(("left", "right"), evidence_files(fork, owner), strict=True):
            found[f"fork-{number}-{side}.{ending}"] = content
    return found


def check(
    path: Path, expect: Set[bytes] | None = None, progress: Progress = silent, jobs: int = 2
) -> Verdict | ProofVerdict:
    """Check an export (a folder) or a proof (a file), whichever stands there. Raises as `verify`."""
    if not path.is_file():
        return verify(path, expect, progress, jobs)
    try:
        return verify_proof(read_file(path.parent, path.name, MAX_PROOF_FILE), expect=expect)
    except Refused as refusal:
        return ProofVerdict(outcome=Outcome.BROKEN, reason=str(refusal))


def _verdict(
    fixed: FixedChecks,
    expected: Set[bytes],
    lanes: tuple[LaneVerdict, ...],
    gaps: tuple[str, ...],
    stages: LaneStages,
) -> Verdict:
    prints = [card.fingerprint for card in fixed.members.cards]
    parties = tuple(
        PartyVerdict(
            number=number,
            name=card.name,
            fingerprint=card.fingerprint.hex(),
            expected=any(is_expected(card.fingerprint, one) for one in expected),
        )
        for number, card in enumerate(fixed.members.cards)
    )
    return Verdict(
        line=fixed.found.line.hex(),
        title=fixed.terms.policy.title,
        exporter=fixed.members.name(fixed.found.exporter),
        made=fixed.found.made,
        parties=parties,
        lanes=lanes,
        forks=tuple(fixed.forks),
        gaps=gaps,
        contradictions=stages.contradictions(fixed.members.name),
        faults=stages.faults(fixed.members.name),
        problems=tuple(stages.problems[:MOST_PROBLEMS]),
        foreign=not all(any(is_expected(one, wanted) for one in prints) for wanted in expected),
    )
