"""The fold: all lanes of a line, read together, become the state that every member computes alike.

Entries of one lane generation come in the order of the lane; lanes come in
any interleaving. At the same heads the state, and so its digest, is the same,
because whatever is kept is either a mark that is only ever added, or the last
word of one party by (generation, index), or a function of the set of votes. What
names an entry that is not held yet waits for it. A party's later generation
continues its state; entries of an older one that come back count in their place.

No clock enters (see protocol.clocks). Nothing here raises on entries that
were accepted; those without effect are counted as void.

Spec: spec/06-entries.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from openline.kernel.codec import Value, encode
from openline.kernel.crypto import digest
from openline.kernel.errors import Bug, Unknown
from openline.kernel.lane import Generation, Lane
from openline.kernel.terms import Policy
from openline.kernel.units import Instant
from openline.protocol import entries as kinds
from openline.protocol.amendments import MAX_ASSENTS, MAX_PROPOSALS, Amendments, Vote
from openline.protocol.call_entries import Ring
from openline.protocol.contact_entries import Contact, Countersign
from openline.protocol.effects import (
    AGREES,
    ANSWER,
    ASSENT,
    DIFFERS,
    HELD,
    NOT_TAKEN,
    STEPS,
    SUPERSEDE,
    TRANSLATE,
    Effect,
    add_call_row,
    mark_call,
    may,
    rows_of,
    said_of_call,
)
from openline.protocol.entries import AnyEntry, Kind
from openline.protocol.facts import (
    SETTLED,
    Adopted,
    AttachmentMarked,
    Came,
    ContactMarked,
    ContactSaid,
    Fact,
    Mark,
    Marked,
    MessageStatus,
    Place,
    Superseded,
    SuspensionChanged,
    Voided,
    WatchChanged,
)
from openline.protocol.fields import Ref
from openline.protocol.ledgers import CLOCKED, REFUSED, SUPERSEDED, TAG, Ledger, status_of
from openline.protocol.vouching import key_slot

FOLD_VERSION = 6
"""Changes with anything that changes a state, its digest or its snapshot."""

QUERY_ANSWERED = 1
"""Mark of a party in the row of a query."""
ATTACHMENT_HELD, ATTACHMENT_REFUSED = 1, 2
"""Marks of a party in the row of an attachment."""

CONTACT_AGREED, CONTACT_DIFFERS = 1, 2
"""Marks of a party in the row of another's word about a contact."""


class _Entry(NamedTuple):
    """The place of the entry at hand."""

    ledger: Ledger
    seq: int
    leaf: bytes
    time: int

    @property
    def place(self) -> Place:
        return Place(lane=self.ledger.number, generation=self.ledger.generation, index=self.seq)

    @property
    def party(self) -> int:
        return self.ledger.number // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """The last word of a party on something, and where it stands."""

    generation: Generation
    index: int
    time: Instant
    entry: AnyEntry


class Fold:
    """The state of one line. `apply` is the only way to change it; its attributes are there to be read."""

    __slots__ = ("amendments", "lanes", "last_words", "line", "parties", "unresolved")

    def __init__(self, line: bytes, parties: int, policy: Policy) -> None:
        self.line, self.parties = line, parties
        self.amendments = Amendments(line, parties, policy)
        self.lanes: dict[tuple[int, Generation], Ledger] = {}
        self.unresolved: dict[tuple[int, Generation, int], list[Effect]] = {}
        self.last_words: dict[tuple[int, int, int], Latest] = {}
        """(kind, party, peer) -> last word; suspend and lift are one, peer is -1 but for epochs and keys (`key_slot`)."""

    # --- reading ---

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self.amendments.policy

    def size(self, number: int, generation: Generation) -> int:
        """How many entries of a lane generation are folded in."""
        ledger = self.lanes.get((number, generation))
        return ledger.size if ledger else 0

    def ledgers(self) -> list[Ledger]:
        """All lane generations, ascending. Read only."""
        return [self.lanes[key] for key in sorted(self.lanes)]

    def watch(self, party: int) -> Latest | None:
        """The party's last watch entry (kinds.Watch); None if it never said."""
        return self.last_words.get((Kind.WATCH, party, -1))

    def suspension(self, party: int) -> Latest | None:
        """The party's suspension, if it stands (kinds.Suspend)."""
        found = self.last_words.get((Kind.SUSPEND, party, -1))
        return found if found and isinstance(found.entry, kinds.Suspend) else None

    def test(self, party: int) -> Latest | None:
        """The party's last test (kinds.Test)."""
        return self.last_words.get((Kind.TEST, party, -1))

    def epoch(self, party: int, peer: int) -> Latest | None:
        """What the party last recorded of an epoch with that peer (kinds.EpochEntry)."""
        return self.last_words.get((Kind.EPOCH, party, peer))

    def waiting(self) -> int:
        """How many references name entries that are not held."""
        return sum(map(len, self.unresolved.values()))

    def status(self, number: int, generation: Generation, index: int) -> MessageStatus:
        """What is known of the message at that place. Raises Unknown if there is none."""
        ledger = self.lanes.get((number, generation))
        row = ledger.messages.find(index) if ledger else -1
        if ledger is None or row < 0:
            raise Unknown("no message stands there")
        return status_of(ledger, row)

    def open_messages(self) -> Iterator[MessageStatus]:
        """Messages whose answer-by clock runs for somebody, by lane and index."""
        for ledger in self.ledgers():
            for row in sorted(ledger.clocks):
                yield status_of(ledger, row)

    def find(self, party: int, serial: int, *, urgent: bool, counter: int = 0) -> list[MessageStatus]:
        """The messages that people name so: several if a party opened two generations of one counter."""
        number = 2 * party + (not urgent)
        named = [found for found in self.ledgers() if found.number == number and found.generation.counter == counter]
        return [
            status_of(ledger, serial - 1)
            for ledger in named
            if 0 < serial <= len(ledger.messages) and not ledger.messages.flags(serial - 1) & REFUSED
        ]

    def attachment(self, number: int, generation: Generation, index: int) -> bytes:
        """The marks of all parties on an attachment (ATTACHMENT_HELD, ATTACHMENT_REFUSED). Raises Unknown."""
        ledger = self.lanes.get((number, generation))
        row = ledger.attachments.find(index) if ledger else -1
        if ledger is None or row < 0:
            raise Unknown("no attachment stands there")
        return ledger.attachments.of(row)

    def digest(self) -> bytes:
        """The state digest (spec 6.70): equal on all sides at equal heads."""
        latest: list[Value] = [
            [kind, party, peer, found.generation.counter, found.generation.nonce, found.index]
            for (kind, party, peer), found in sorted(self.last_words.items(), key=lambda item: item[0])
        ]
        votes: list[Value] = [vote.leaf if vote else None for vote in self.amendments.votes()]
        folded: list[Value] = [ledger.value() for ledger in self.ledgers()]
        return digest(b"openline/1 state\n" + encode([self.line, self.amendments.in_force, votes, latest, folded]))

    # --- changing ---

    def apply(self, lane: Lane, index: int, leaf: bytes, kind: int, time: int, entry: AnyEntry | None) -> list[Fact]:  # noqa: PLR0917 - the parts of one entry
        """Take the next entry of a lane generation; `entry` is None if it was refused, `kind` 0 if nothing opened.

        Raises Bug unless `index` is the size so far: the caller goes by lanes.
        """
        key = (lane.number, lane.generation)
        ledger = self.lanes.get(key)
        if ledger is None:
            ledger = self.lanes[key] = Ledger(lane.number, lane.generation, self.parties)
        if index != ledger.size:
            raise Bug("an entry out of the order of its lane")
        ledger.size = index + 1
        facts: list[Fact] = []
        if entry is None:
            ledger.refused += 1
            if kind == Kind.MESSAGE:  # it keeps its serial: the author counts it
                ledger.messages.add(index, time, leaf, REFUSED)
        else:
            ledger.kinds[kind] = ledger.kinds.get(kind, 0) + 1
            self._take(_Entry(ledger, index, leaf, time), entry, facts)
        if self.unresolved:
            for effect in self.unresolved.pop((*key, index), ()):
                self._effect(ledger, index, effect, facts)
        return facts

    def _take(self, at: _Entry, entry: AnyEntry, facts: list[Fact]) -> None:
        match entry:
            case kinds.Message():
                self._message(at, entry, facts)
            case kinds.Receipt():
                self._refer(at, entry.of, STEPS[entry.step], facts)
            case kinds.Interim():
                self._refer(at, entry.of, Mark.INTERIM, facts, entry.until)
            case kinds.Decline():
                self._refer(at, entry.of, Mark.DECLINED, facts)
            case kinds.Query():
                at.ledger.queries.add(at.seq, at.time, at.leaf, 0)
                self._refer(at, entry.of, Mark.QUERIED, facts)
            case kinds.Answer():
                self._refer(at, entry.of, ANSWER, facts)
            case kinds.Translation():
                self._refer(at, entry.of, TRANSLATE, facts)
            case kinds.AttachmentReceipt():
                held = entry.state is kinds.AttachmentState.HELD
                self._refer(at, entry.of, HELD if held else NOT_TAKEN, facts)
            case kinds.Attachment():
                at.ledger.attachments.add(at.seq, at.time, at.leaf, 0)
            case Contact():
                at.ledger.add_contact(at.seq, at.time, at.leaf, entry)
                facts.append(ContactSaid(at.place))
            case Countersign():
                self._refer(at, entry.of, AGREES if entry.agreed else DIFFERS, facts)
            case kinds.Watch():
                if self._last_word(Kind.WATCH, -1, at, entry):
                    facts.append(WatchChanged(at.party))
            case kinds.Suspend() | kinds.Lift():
                if self._last_word(Kind.SUSPEND, -1, at, entry):
                    facts.append(SuspensionChanged(at.party))
            case kinds.Test():
                self._last_word(Kind.TEST, -1, at, entry)
            case kinds.EpochEntry():
                if entry.peer >= self.parties or entry.peer == at.party:
                    self._void(at.ledger, at.seq, facts)
                else:
                    self._last_word(Kind.EPOCH, entry.peer, at, entry)
            case kinds.GenerationEntry():
                if entry.cause is kinds.Cause.COMPROMISED:
                    self._last_word(Kind.GENERATION, -1, at, entry)
            case kinds.KeyNotice():
                if entry.peer is not None and (entry.peer >= self.parties or entry.peer == at.party):
                    self._void(at.ledger, at.seq, facts)
                else:
                    self._last_word(Kind.KEYS, key_slot(entry), at, entry)
            case kinds.Propose() | kinds.Assent():
                self._vote(at, entry, facts)
            case Ring() if at.ledger.ringing:
                self._void(at.ledger, at.seq, facts)
            case _:  # counted, and what it says of a call
                add_call_row(at.ledger, at.seq, at.time, at.leaf, entry)
                for ref, form, clauses in said_of_call(entry):
                    self._refer(at, ref, form, facts, clauses)

    def _message(self, at: _Entry, entry: kinds.Message, facts: list[Fact]) -> None:
        clocked = entry.answer_by is not None
        row = at.ledger.messages.add(at.seq, at.time, at.leaf, entry.precedence << 2 | (CLOCKED if clocked else 0))
        if entry.answer_by is not None:
            at.ledger.clocks[row] = entry.answer_by
        if entry.acknowledge_by is not None:
            at.ledger.demands[row] = entry.acknowledge_by
        facts.append(Came(place=at.place, serial=row + 1, precedence=entry.precedence))
        if entry.answers is not None:
            self._refer(at, entry.answers, Mark.ANSWERED, facts)
        if entry.supersedes is not None:
            self._refer(at, entry.supersedes, SUPERSEDE, facts)

    def _last_word(self, kind: int, peer: int, at: _Entry, entry: AnyEntry) -> bool:
        key = (kind, at.party, peer)
        before = self.last_words.get(key)
        if before and (before.generation, before.index) > (at.ledger.generation, at.seq):
            return False  # an older generation, recovered
        self.last_words[key] = Latest(generation=at.ledger.generation, index=at.seq, time=Instant(at.time), entry=entry)
        return True

    def _vote(self, at: _Entry, entry: kinds.Propose | kinds.Assent, facts: list[Fact]) -> None:
        before = self.amendments.in_force
        if isinstance(entry, kinds.Propose):
            if at.ledger.kinds[Kind.PROPOSE] > MAX_PROPOSALS:
                return self._void(at.ledger, at.seq, facts)
            ref = Ref(lane=at.ledger.number, generation=at.ledger.generation, index=at.seq, leaf=at.leaf)
            self.amendments.propose(ref, entry.replaces, entry.policy)
        else:
            ref = entry.proposal
            waiting = ref.lane < 2 * self.parties and ref.index >= self.size(ref.lane, ref.generation)
            vote = Vote(generation=at.ledger.generation, index=at.seq, proposal=ref, waiting=waiting)
            counts = at.ledger.kinds[Kind.ASSENT] <= MAX_ASSENTS and self.amendments.assent(at.party, vote)
            if not counts:
                return self._void(at.ledger, at.seq, facts)
            if waiting:
                effect = Effect(ASSENT, at.ledger.number, at.ledger.generation, at.seq, ref.leaf, 0)
                self.unresolved.setdefault((ref.lane, ref.generation, ref.index), []).append(effect)
        self._adopted(before, facts)
        return None

    def _adopted(self, before: bytes, facts: list[Fact]) -> None:
        if self.amendments.in_force != before:
            facts.append(Adopted(self.amendments.in_force))

    def _refer(self, at: _Entry, ref: Ref, form: int, facts: list[Fact], until: int = 0) -> None:
        """Let the entry at hand take its effect on the one it names, now or when that is held."""
        effect = Effect(form, at.ledger.number, at.ledger.generation, at.seq, ref.leaf[:TAG], until)
        target = self.lanes.get((ref.lane, ref.generation))
        if target is not None and ref.index < target.size:
            self._effect(target, ref.index, effect, facts)
        elif ref.lane < 2 * self.parties:
            self.unresolved.setdefault((ref.lane, ref.generation, ref.index), []).append(effect)
        else:
            self._void(at.ledger, at.seq, facts)

    def _effect(self, target: Ledger, index: int, effect: Effect, facts: list[Fact]) -> None:
        """The entry that is named stands at `index` of `target`, or something else does."""
        party, author = effect.lane // 2, target.number // 2
        place = Place(lane=target.number, generation=target.generation, index=index)
        if effect.form == ASSENT:
            before = self.amendments.in_force
            ref = Ref(lane=target.number, generation=target.generation, index=index, leaf=effect.leaf)
            if not self.amendments.settle(party, ref):
                self._void(self.lanes[effect.lane, effect.generation], effect.seq, facts)
            return self._adopted(before, facts)
        rows = rows_of(target, effect.form)
        row = rows.find(index, effect.leaf)
        if row < 0 or not may(effect.form, own=party == author):
            return self._void(self.lanes[effect.lane, effect.generation], effect.seq, facts)
        if rows is target.messages:
            target.remarks.add(row, effect[1:4])
        elif rows is target.queries:
            target.answers.add(row, effect[1:4])
        if rows is target.attachments:
            held = effect.form == HELD
            if rows.mark(row, party, ATTACHMENT_HELD if held else ATTACHMENT_REFUSED):
                facts.append(AttachmentMarked(place=place, party=party, held=held))
        elif rows is target.contacts:
            agreed = effect.form == AGREES
            if rows.mark(row, party, CONTACT_AGREED if agreed else CONTACT_DIFFERS):
                facts.append(ContactMarked(place=place, party=party, agreed=agreed))
        elif rows is target.rings or rows is target.minutes:
            if not mark_call(target, row, party, effect):
                self._void(self.lanes[effect.lane, effect.generation], effect.seq, facts)
        elif effect.form == SUPERSEDE:
            if rows.mark(row, author, SUPERSEDED):
                target.settle(row, author)
                target.handle(row)
                facts.append(Superseded(place))
        elif effect.form == ANSWER:
            rows.mark(row, party, QUERY_ANSWERED)
        elif effect.form != TRANSLATE:
            self._mark(target, row, party, effect, facts)
        return None

    def _mark(self, target: Ledger, row: int, party: int, effect: Effect, facts: list[Fact]) -> None:
        rows, mark = target.messages, Mark(effect.form)
        renewed = False
        if mark is Mark.INTERIM and not rows.of(row)[party] & SETTLED:
            before = target.interims.get((row, party))
            renewed = before is None or before[:2] < (effect.generation, effect.seq)
            if renewed:
                target.interims[row, party] = (effect.generation, effect.seq, Instant(effect.until))
        if rows.mark(row, party, mark) or renewed:
            if mark & SETTLED:
                target.settle(row, party)
            target.handle(row)
            place = Place(lane=target.number, generation=target.generation, index=rows.indexes[row])
            facts.append(Marked(place=place, party=party, mark=mark))

    def _void(self, at: Ledger, index: int, facts: list[Fact]) -> None:
        at.void += 1
        facts.append(Voided(Place(lane=at.number, generation=at.generation, index=index)))
