"""Amendment of the policy: proposals, votes, and which terms are in force.

A proposal names the terms it replaces and is its author's vote for it. Of two
that replace the same terms the one in the lower lane ranks higher, in one
lane the later one. A party's votes for one replacement only climb. Adopted is
what every party has voted for, and of several the lowest-ranked.

What is in force is a function of the set of votes, never of the order in
which they arrived. Adding votes at the end of lanes cannot undo it: whoever
voted for two voted for the lower first. For the same reason a party's votes
count only up to the first that names a proposal not yet held: what that
one turns out to be must not change the worth of those after it. (One case
remains in which a recovered entry moves it: a restored party that votes again
before its own earlier vote has come back.)

Spec: spec/06-entries.md, 6.40 to 6.45.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from openline.kernel.codec import decode, encode
from openline.kernel.lane import GENERATION_ZERO, Generation
from openline.kernel.terms import Policy, parse_policy, policy_value
from openline.protocol.fields import Ref

MAX_PROPOSALS = 1_024
"""Proposals of one lane generation that count: one a week for twenty years; later ones are void. Bounds memory."""
MAX_ASSENTS = 4_096
"""Assents of one lane generation that count: four for each proposal, likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A proposal that is held."""

    ref: Ref
    replaces: bytes
    policy: bytes = field(repr=False)
    """Encoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """A party's first vote for a proposal. `waiting` until the proposal's place is held."""

    generation: Generation
    index: int
    proposal: Ref
    waiting: bool


def rank(ref: Ref) -> tuple[int, Generation, int]:
    """Ascending rank of proposals that replace the same terms."""
    return -ref.lane, ref.generation, ref.index


class Amendments:
    """Proposals and votes of one line, and the policy in force."""

    __slots__ = ("_first", "_latest", "_proposals", "_votes", "in_force", "line", "policy")

    def __init__(self, line: bytes, parties: int, policy: Policy) -> None:
        self.line = line
        self.in_force = line
        """Hash of the terms in force: the line id, or the leaf hash of a proposal."""
        self.policy = policy
        self._first = policy
        self._proposals: dict[bytes, Proposal] = {}
        self._votes: tuple[dict[Ref, Vote], ...] = tuple({} for _ in range(parties))
        self._latest = [(GENERATION_ZERO, -1)] * parties

    def propose(self, ref: Ref, replaces: bytes, policy: Policy) -> None:
        """Take a proposal, which is a vote too."""
        self._proposals[ref.leaf] = Proposal(ref=ref, replaces=replaces, policy=encode(policy_value(policy)))
        self._vote(ref.lane // 2, Vote(generation=ref.generation, index=ref.index, proposal=ref, waiting=False))

    def assent(self, party: int, vote: Vote) -> bool:
        """Take a vote. Returns False if it names no proposal: it is void."""
        if not vote.waiting and not self._holds(vote.proposal):
            return False
        self._vote(party, vote)
        return True

    def settle(self, party: int, ref: Ref) -> bool:
        """The place that a waiting vote names is held now. Returns as `assent`."""
        vote = self._votes[party].pop(ref, None)
        if vote is None:
            return False
        settled = Vote(generation=vote.generation, index=vote.index, proposal=ref, waiting=False)
        if self.assent(party, settled):
            return True
        self._recount()  # the votes after it count from now on
        return False

    def votes(self) -> tuple[Ref | None, ...]:
        """Each party's last counted vote to replace the terms in force."""
        counted = [list(self._counted(party, self.in_force)) for party in range(len(self._votes))]
        return tuple(refs[-1] if refs else None for refs in counted)

    def proposals(self) -> list[Proposal]:
        """The proposals to replace the terms in force, highest rank first."""
        live = [proposal for proposal in self._proposals.values() if proposal.replaces == self.in_force]
        return sorted(live, key=lambda proposal: rank(proposal.ref), reverse=True)

    def policy_of(self, proposal: bytes) -> Policy | None:
        """The policy that the proposal with this leaf hash would put in force."""
        found = self._proposals.get(proposal)
        return parse_policy(decode(found.policy)) if found else None

    def kept(self) -> tuple[tuple[Proposal, ...], tuple[tuple[int, Vote], ...]]:
        """Everything, for a snapshot."""
        votes = tuple((party, vote) for party, given in enumerate(self._votes) for vote in given.values())
        return tuple(self._proposals.values()), votes

    def restore(self, proposals: list[Proposal], votes: list[tuple[int, Vote]]) -> None:
        """Take back what `kept` returned."""
        self._proposals = {proposal.ref.leaf: proposal for proposal in proposals}
        for party, vote in votes:
            self._votes[party][vote.proposal] = vote
            self._latest[party] = max(self._latest[party], (vote.generation, vote.index))
        self._recount()

    def _holds(self, ref: Ref) -> bool:
        found = self._proposals.get(ref.leaf)
        return found is not None and found.ref == ref

    def _vote(self, party: int, vote: Vote) -> None:
        given, at = self._votes[party], (vote.generation, vote.index)
        before = given.get(vote.proposal)
        if before and (before.generation, before.index) <= at:
            return  # the first of several counts: the others cannot climb
        given[vote.proposal] = vote
        late, self._latest[party] = at < self._latest[party], max(at, self._latest[party])
        # Nothing can change unless all have voted for this one, or it bears on votes that stand after it.
        if late or all(vote.proposal in others for others in self._votes):
            self._recount()

    def _counted(self, party: int, terms: bytes) -> Iterator[Ref]:
        """The party's votes that count towards replacing `terms`, in the order of its lane: ever higher ranks."""
        bar: tuple[int, Generation, int] | None = None
        for vote in sorted(self._votes[party].values(), key=lambda vote: (vote.generation, vote.index)):
            if vote.waiting:
                return
            ref = vote.proposal
            if self._proposals[ref.leaf].replaces == terms and (bar is None or rank(ref) > bar):
                bar = rank(ref)
                yield ref

    def _recount(self) -> None:
        """Count from the line id on."""
        terms = self.line
        while True:
            common = set(self._counted(0, terms))
            for party in range(1, len(self._votes)):
                common &= set(self._counted(party, terms))
            if not common:
                break
            terms = min(common, key=rank).leaf  # a leaf names what it replaces: no way leads back
        self.in_force = terms
        # What is an exercise stays one: else what was played there would one day stand as said (spec 6.46).
        self.policy = replace(self.policy_of(terms) or self._first, exercise=self._first.exercise)
