"""A small line in memory, written straight into a store: what the tests of export, verification and proof stand on."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from openline.kernel.crypto import Signer, digest
from openline.kernel.keys import Card, make_card, make_statement
from openline.kernel.lane import (
    GENERATION_ZERO,
    Entry,
    Generation,
    Head,
    Lane,
    SignedHead,
    extend_leaves,
    leaf_of,
    leaf_secret,
    sign_head,
)
from openline.kernel.merkle import Peaks
from openline.kernel.terms import Policy, Terms, make_terms
from openline.kernel.units import Instant
from openline.protocol.acknowledgements import AckItem, encode_ack
from openline.protocol.bodies import encode_body
from openline.protocol.entries import (
    AnyEntry,
    Cause,
    GenerationEntry,
    Message,
    Precedence,
    TermsEntry,
    kind_of,
)
from openline.protocol.fields import NamedHead, encode_kind, encode_time
from openline.protocol.records import Append, EntryRow, LineRecord, PutEvidence, PutGeneration, PutHead
from tests.sim.memory_store import MemoryStore

NAMES = ("ALPHA", "BRAVO", "CHARLIE")
START = 1_763_700_000_000
NEXT = Generation(1, bytes.fromhex("00ff00ff00ff00ff"))


def seed(*parts: object) -> bytes:
    return digest(repr(parts).encode())


def signer(*parts: object) -> Signer:
    return Signer(seed(*parts, "ed25519"), seed(*parts, "mldsa"))


def message(text: str, precedence: Precedence = Precedence.ROUTINE) -> Message:
    return Message(precedence=precedence, language="en", text=text, subject="A subject")


@dataclass(slots=True)
class Station:
    root: Signer
    lane: Signer
    card: Card
    generation: Generation = GENERATION_ZERO


@dataclass(slots=True)
class LineUnderTest:
    """All lanes of a line, as a member that holds everything has them."""

    parties: int = 2
    seed_word: str = "line"
    policy: Policy = field(default_factory=lambda: Policy(title="Test line"))
    terms: Terms = field(init=False)
    stations: list[Station] = field(init=False)
    store: MemoryStore = field(init=False)
    peaks: dict[Lane, Peaks] = field(init=False, default_factory=dict)
    clock: int = START

    def __post_init__(self) -> None:
        made = [self._station(NAMES[n]) for n in range(self.parties)]
        made.sort(key=lambda station: station.root.public.ed25519_key)
        self.stations = made
        nonces = {s.card.name: seed(self.seed_word, s.card.name, "nonce") for s in made}
        self.terms = make_terms(tuple(s.card.party(nonces[s.card.name]) for s in made), self.policy)
        self.store = MemoryStore(self.terms.line)
        for party in range(self.parties):
            put = PutGeneration(party=party, generation=GENERATION_ZERO, seed=self.seed_of(party, GENERATION_ZERO))
            self.store.commit([put])
            for number in (2 * party, 2 * party + 1):
                self.write(number, TermsEntry(self.terms.raw), milestone=True)

    def _station(self, name: str) -> Station:
        root, lane = signer(self.seed_word, name, "root"), signer(self.seed_word, name, "lane")
        card = make_card(
            name=name,
            root=root,
            lane=lane.public,
            certificate=b"certificate",
            addresses=("tls:192.0.2.1:1",),
            made=Instant(0),
            expires=Instant(2**40),
        )
        return Station(root=root, lane=lane, card=card)

    def seed_of(self, party: int, generation: Generation) -> bytes:
        return seed(self.seed_word, party, str(generation), "seed")

    def lane(self, number: int, generation: Generation | None = None) -> Lane:
        return Lane(self.terms.line, number, generation or self.stations[number // 2].generation)

    def ack(self, number: int) -> bytes:
        """All that stands in the others' lanes, and in an urgent lane the own traffic lane."""
        items: list[AckItem] = []
        for other in range(2 * self.parties):
            if other // 2 == number // 2 and not (number % 2 == 0 and other == number + 1):
                continue
            peaks = self.peaks.get(self.lane(other))
            if peaks is not None and peaks.size:
                generation = self.stations[other // 2].generation
                items.append(AckItem(lane=other, generation=generation, size=peaks.size, root=peaks.root()))
        return encode_ack(items)

    def entry(self, number: int, index: int, said: AnyEntry, ack: bytes | None = None) -> Entry:
        party, generation = number // 2, self.stations[number // 2].generation
        self.clock += 1_000
        return Entry(
            kind=encode_kind(kind_of(said)),
            time=encode_time(Instant(self.clock)),
            ack=self.ack(number) if ack is None else ack,
            body=encode_body(said),
            secret=leaf_secret(self.seed_of(party, generation), number, index),
        )

    def write(
        self, number: int, *said: AnyEntry, milestone: bool = False, ack: bytes | None = None, signed: bool = True
    ) -> SignedHead:
        """Append entries to a lane as one batch, and sign its head."""
        size = self.peaks.get(self.lane(number), Peaks()).size
        entries = [self.entry(number, size + n, one, ack) for n, one in enumerate(said)]
        return self.append(number, entries, milestone=milestone, signed=signed)

    def append(
        self,
        number: int,
        entries: Sequence[Entry],
        *,
        milestone: bool = False,
        signed: bool = True,
        unopened: bool = False,
    ) -> SignedHead:
        lane = self.lane(number)
        before = self.peaks.get(lane, Peaks())
        leaves = [leaf_of(lane, before.size + n, entry) for n, entry in enumerate(entries)]
        grown = extend_leaves(before, leaves)
        rows = [
            EntryRow(
                index=before.size + n,
                nodes=nodes,
                entry=Entry(kind=b"", time=b"", ack=b"", body=b"", secret=b"") if unopened else entry,
                unopened=leaf if unopened else b"",
            )
            for n, (entry, (leaf, nodes)) in enumerate(zip(entries, grown.leaves, strict=True))
        ]
        head = sign_head(self.stations[lane.party].lane, grown.head(lane), milestone=milestone)
        self.store.commit([Append(lane=lane, size=before.size, rows=tuple(rows)), *([PutHead(signed=head)] * signed)])
        self.peaks[lane] = grown.peaks
        return head

    def succeed(self, party: int, statement: bytes = b"") -> None:
        """Open the next generation of a party, and write nothing in it."""
        self.stations[party].generation = NEXT
        seed = self.seed_of(party, NEXT)
        self.store.commit([PutGeneration(party=party, generation=NEXT, seed=seed, statement=statement)])

    def rotate(self, party: int) -> None:
        """Open the next generation of a party under a new lane key."""
        station = self.stations[party]
        old = [self.lane(number) for number in (2 * party, 2 * party + 1)]
        heads = tuple(
            NamedHead(
                lane=lane.number, generation=lane.generation, size=self.peaks[lane].size, root=self.peaks[lane].root()
            )
            for lane in old
        )
        station.lane = signer(self.seed_word, party, "next lane")
        statement = make_statement(self.terms.line, party, NEXT, station.lane.public, station.root)
        self.succeed(party, statement)
        for number in (2 * party, 2 * party + 1):
            self.write(number, GenerationEntry(heads=heads, cause=Cause.ROTATION, statement=statement), milestone=True)

    def fork(self, number: int, evidence: bytes) -> None:
        self.store.commit([PutEvidence(party=number // 2, evidence=evidence)])

    def record(self, party: int) -> LineRecord:
        return LineRecord(
            line=self.terms.line,
            party=party,
            terms=self.terms.raw,
            cards=tuple(station.card.raw for station in self.stations),
            label="test",
        )

    def head(self, number: int) -> Head:
        peaks = self.peaks[self.lane(number)]
        return Head(lane=self.lane(number), size=peaks.size, root=peaks.root())


def talk(line: LineUnderTest, rounds: int = 3) -> LineUnderTest:
    """Some traffic in every lane."""
    for turn in range(rounds):
        for number in range(2 * line.parties):
            flash = Precedence.ROUTINE if number % 2 else Precedence.FLASH
            line.write(number, message(f"turn {turn} of lane {number}", flash), message("and\nmore", flash))
    return line
