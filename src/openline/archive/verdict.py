"""What a verification found, said exactly: what is proved, what is not, and what is wrong.

Spec: spec/14-export.md.
"""

import json
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import assert_never

from openline.archive.entry_text import lane_words, moment
from openline.kernel.units import Instant

MOST_PROBLEMS = 100
"""Problems listed; a broken archive has more, and the first ones say enough."""


class Outcome(Enum):
    """What a verification ends in (spec 14.9)."""

    PROVED = "proved"
    CONSISTENT = "consistent"
    BROKEN = "broken"
    FOREIGN = "foreign"
    CONTRADICTED = "contradicted"


def summary(outcome: Outcome, names: str) -> str:
    """An outcome in words."""
    match outcome:
        case Outcome.PROVED:
            return f"PROVED: consistent, identity proved for {names}"
        case Outcome.CONSISTENT:
            return "CONSISTENT, IDENTITY NOT PROVED"
        case Outcome.FOREIGN:
            return "FOREIGN: consistent, but an expected fingerprint is no party's"
        case Outcome.CONTRADICTED:
            return "CONTRADICTED: every signature checks, and a party signed another history of a lane than stands here"
        case Outcome.BROKEN:
            return "BROKEN: something does not check"
        case _:
            assert_never(outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, and where."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyVerdict:
    """A party as its card, signed by its root keys, has it."""

    number: int
    name: str
    fingerprint: str
    expected: bool
    """Whether its fingerprint is one that the caller knew from elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneVerdict:
    """One lane, as far as it was proved."""

    number: int
    generation: str
    party: str
    size: int
    root: str
    both_to: int
    """Entries below this are covered by both kinds of signature; the others by Ed25519 alone."""
    opened: int
    """Entries whose four commitments were opened and checked."""
    unopened: int
    refused: int
    """Entries of a form that every member refuses (spec 7.7), or named refused by another party."""
    held_by: tuple[tuple[str, int], ...]
    """Other parties, and the size up to which their own signed acknowledgements say they hold it."""

    @property
    def words(self) -> str:
        """How people name it."""
        later = "" if self.generation == "0" else f", generation {self.generation}"
        return f"{self.party} {lane_words(self.number)} ({self.number}{later})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome for one export."""

    line: str = ""
    title: str = field(default="", repr=False)
    exporter: str = ""
    made: int = 0
    parties: tuple[PartyVerdict, ...] = ()
    lanes: tuple[LaneVerdict, ...] = ()
    forks: tuple[str, ...] = ()
    """Forks that the parties' own signatures prove."""
    gaps: tuple[str, ...] = ()
    """What signed statements in the archive say exists and the archive does not have."""
    contradictions: tuple[str, ...] = ()
    """Where a party signed another history of a lane than its owner signed here: one of the two lies, or both are one."""
    faults: tuple[str, ...] = ()
    """Rules that a party's own entries break, to which nobody else's word is subject."""
    problems: tuple[Problem, ...] = field(default=())
    foreign: bool = False
    """Whether a fingerprint was expected that is no party's."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, and nobody else was expected. Who the parties are is `identity_proved`."""
        return self.outcome in {Outcome.PROVED, Outcome.CONSISTENT}

    @property
    def identity_proved(self) -> bool:
        """Whether all signatures check, and every expected fingerprint is a party's, and one at least was expected."""
        sound = self.outcome in {Outcome.PROVED, Outcome.CONTRADICTED}
        return sound and any(party.expected for party in self.parties)

    @property
    def outcome(self) -> Outcome:
        """The verdict in one word (spec 14.9)."""
        if self.problems or not self.parties:
            return Outcome.BROKEN
        if self.foreign:
            return Outcome.FOREIGN
        if self.contradictions:
            return Outcome.CONTRADICTED
        return Outcome.PROVED if any(party.expected for party in self.parties) else Outcome.CONSISTENT

    def summary(self) -> str:
        """One line."""
        names = ", ".join(party.name for party in self.parties if party.expected)
        return summary(self.outcome, names)

    def lines(self) -> list[str]:
        """The verdict as text."""
        out = [self.summary()]
        out += [f"  {problem.file}: {problem.reason}" for problem in self.problems]
        if not self.parties:
            return out
        out += [
            "",
            f"line      {self.line}",
            f"exported  by {self.exporter}, {moment(Instant(self.made))} by its clock",
        ]
        for party in self.parties:
            mark = "EXPECTED" if party.expected else "not compared"
            out.append(f"party     {party.number} {party.name}, fingerprint {party.fingerprint}, {mark}")
        for lane in self.lanes:
            out += _lane_lines(lane)
        out += [f"FORK      {fork}" for fork in self.forks]
        out += [f"MISSING   {gap}" for gap in self.gaps]
        out += [f"AGAINST   {contradiction}" for contradiction in self.contradictions]
        out += [f"FAULT     {fault}" for fault in self.faults]
        if self.ok or self.outcome is Outcome.CONTRADICTED:
            out += ["", "Proved:", *(f"  {line}" for line in self.proved())]
            out += ["Not proved:", *(f"  {line}" for line in self.not_proved())]
        return out

    def proved(self) -> list[str]:
        """What holds if hashes and signatures do."""
        entries = sum(lane.size for lane in self.lanes)
        out = [
            f"{self.exporter}'s lane key vouches for exactly these files; none is changed, missing or added.",
            f"Each lane is one unbroken log, and its owner's lane keys signed its head: {entries} entries in all.",
            "Every opened entry is the one its leaf commits to, at its place, on this line.",
            "Every acknowledgement names the history that stands here, and none goes back within its lane.",
        ]
        if self.faults:
            out[3] = (
                "Every acknowledgement names the history that stands here. Faults of their authors are named above."
            )
        if self.forks:
            out[3] = "Acknowledgements of lanes that were forked may name the other history; the others name this one."
        if self.contradictions:
            out[3] = "Acknowledgements name the history that stands here, but for those named above (AGAINST)."
        names = [party.name for party in self.parties if party.expected]
        if names:
            out.append(f"The lane keys of {', '.join(names)} are certified by the root keys that were expected.")
        return out

    def not_proved(self) -> list[str]:
        """What this verdict does not say."""
        strangers = [party.name for party in self.parties if not party.expected]
        out: list[str] = []
        if self.contradictions:
            out.append(
                "Who is to be believed (AGAINST): the owner showed two histories, or the other signed what it never held."
            )
        if strangers:
            out.append(f"Who {', '.join(strangers)} is: compare the fingerprint with one from elsewhere (--expect).")
        out += [
            "When anything was said: times are the claims of each station's clock.",
            "That a lane goes no further: its end may be cut, except below what others acknowledged (see above).",
            "That a person did what a receipt says: a station signed it.",
            "That there are no other lanes, parties' words outside the line, or attachments: the exporter chose.",
            "That nobody showed another history elsewhere: no witness outside the line signed these heads.",
        ]
        weak = [lane for lane in self.lanes if lane.both_to < lane.size]
        out += [f"{lane.words}: entries from {lane.both_to} on have no post-quantum signature." for lane in weak]
        closed = [lane for lane in self.lanes if lane.unopened]
        out += [f"{lane.words}: what {lane.unopened} entries say; they could not be opened." for lane in closed]
        return out

    def to_json(self) -> str:
        """The verdict as one JSON object."""
        whole = asdict(self)
        whole |= {"outcome": self.outcome.value, "ok": self.ok, "identity_proved": self.identity_proved}
        if self.ok or self.outcome is Outcome.CONTRADICTED:
            whole |= {"proved": self.proved(), "not_proved": self.not_proved()}
        return json.dumps(whole, ensure_ascii=False)


def _lane_lines(lane: LaneVerdict) -> list[str]:
    grade = "both kinds of signature" if lane.both_to == lane.size else f"both kinds to {lane.both_to}, then Ed25519"
    counts = [f"{lane.opened} opened"]
    counts += [f"{lane.unopened} not opened"] if lane.unopened else []
    counts += [f"{lane.refused} refused"] if lane.refused else []
    held = [f"          party {name} signed that it holds entries 0 to {size - 1}" for name, size in lane.held_by]
    return [
        f"lane      {lane.words}: {lane.size} entries, {', '.join(counts)}; {grade}",
        f"          root {lane.root}",
        *(held or ["          no other party signed that it holds any"]),
    ]
