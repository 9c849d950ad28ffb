"""All lanes of a line as one station holds them: growing, acknowledging, comparing.

A lane state runs ahead of the store: `size` counts what was accepted or
written in memory, `durable` what the store has. An acknowledgement covers
`size`, because it becomes durable in the same commit as what it covers.

Spec: spec/04-lanes.md, spec/07-delivery.md.
"""

from collections.abc import Sequence

from openline.kernel.crypto import Signer, Verifier
from openline.kernel.errors import Conflict, Foreign, Forged, Malformed, Refused, Unknown
from openline.kernel.keys import Keyring, read_statement
from openline.kernel.lane import (
    GENERATION_ZERO,
    Entry,
    Extension,
    Generation,
    Lane,
    accept,
    extend,
    extend_leaves,
    leaf_secret,
    opens,
    parse_leaf,
)
from openline.kernel.merkle import Peaks, peaks_at
from openline.kernel.terms import Terms
from openline.kernel.units import MAX_INSTANT, MAX_REFUSED, MIN_INSTANT, Instant
from openline.protocol.acknowledgements import MAX_ENDED, NOTHING, AckItem, decode_ack, encode_ack
from openline.protocol.bodies import decode_body
from openline.protocol.entries import AnyEntry, Kind
from openline.protocol.fields import decode_kind, decode_time, encode_kind, encode_time
from openline.protocol.fitting import check_handed_on
from openline.protocol.frames import Entries, FullAck, FullEntries, WireAck
from openline.protocol.generations import Generations, check_counter
from openline.protocol.lane_state import ROOTS, LaneState
from openline.protocol.records import EntryRow, LineReader, PutGeneration

MAX_REFUSED_NAMED = 128
"""Refused indexes newly named in one acknowledgement, of all lanes together: 9 bytes each at most, beside 31 heads."""
MAX_TAIL = 64
"""Pure acknowledgements at the end of a generation that are looked at, before its end is acknowledged anyhow."""
_ACK = encode_kind(Kind.ACK)


class LaneBook:
    """Every lane generation of a line, with its seeds and its parties' keys."""

    def __init__(
        self, terms: Terms, party: int, rings: Sequence[Keyring], reader: LineReader, signers: Sequence[Signer] = ()
    ) -> None:
        """`signers` are the lane keys of this station, in use or retired."""
        self.terms, self.party, self.rings, self.reader = terms, party, rings, reader
        self._signers = {signer.public.ed25519_key: signer for signer in signers}
        self._states: dict[tuple[int, Generation], LaneState] = {}
        self._lanes: dict[tuple[int, Generation], Lane] = {}
        self.named = Generations(len(terms.parties), self._holds, party)
        self.forked: set[tuple[int, Generation]] = set()
        """Lane generations whose owner has provably signed two histories: nothing more is taken or handed on."""
        self.mine = GENERATION_ZERO
        """The own generation that this station writes; others of its own may be known, and are never continued."""
        self.unsaid: set[tuple[int, Generation]] = set()
        """Ended generations of others of which more is held than this station has signed in its own (spec 4.18)."""
        for known in reader.generations():
            self.learn(known, stored=True)

    # --- generations and keys ---

    def learn(self, known: PutGeneration, *, claim: bool = False, stored: bool = False) -> list[tuple[int, Generation]]:
        """Take over a generation, on its party's word or another's claim; return the lanes that made way for it.

        Raises Refused if it or its key cannot be.
        """
        ring = self.rings[known.party]
        lane_key = None
        if known.statement:
            lane_key = self.stated(known.party, known.generation, known.statement)
            if any(since == known.generation and _differ(key, lane_key) for since, key in ring.keys):
                raise Conflict("another key for a generation that has one")
            # Held generations that this statement would give another key: a later statement's are not among them.
            after = [g for g in self.named.held(known.party) if ring.since(g) < known.generation <= g]
            if not stored and any(_differ(ring.lane(g), lane_key) for g in after):
                raise Conflict("a key for a generation that is known under another")
        elif not stored:
            self.check_counter(known.party, known.generation)
        gone = [
            (number, generation)
            for generation in self.named.add(known, claim=claim, stored=stored)
            for number in (2 * known.party, 2 * known.party + 1)
        ]
        for key in gone:
            self._lanes.pop(key, None)
            self._states.pop(key, None)
        if lane_key is not None:
            ring.rotate(known.generation, lane_key)
        return gone

    def check_counter(self, party: int, generation: Generation) -> None:
        """As generations.check_counter, by the keys that are known here."""
        check_counter(self.rings[party], generation)

    def _holds(self, party: int, generation: Generation) -> bool:
        return any(self.state(self.lane(2 * party + low, generation)).size for low in (0, 1))

    def knows(self, party: int, generation: Generation) -> bool:
        """Whether that generation's seed is here."""
        return self.named.knows(party, generation)

    def generations(self, party: int) -> Sequence[Generation]:
        """Known generations, ascending."""
        return self.named.known(party)

    def current(self, party: int) -> Generation:
        """The greatest generation of a party of which anything is held: a seed alone is only somebody's word.

        Of one's own, the one being written.
        """
        if party == self.party:
            return self.mine
        for generation in reversed(self.named.known(party)):
            if self._holds(party, generation):
                return generation
        return GENERATION_ZERO

    def owner(self, lane: Lane) -> Verifier:
        """The key that signs that lane generation."""
        return self.rings[lane.party].lane(lane.generation)

    def stated(self, party: int, generation: Generation, statement: bytes) -> Verifier:
        """The lane key that a statement puts in place. Raises Refused, also for a key that is another party's."""
        key = read_statement(statement, self.terms.line, party, generation, self.rings[party].root)
        others = [ring for number, ring in enumerate(self.rings) if number != party]
        taken = [known for ring in others for known in (ring.root, *(lane for _, lane in ring.keys))]
        if any(key.ed25519_key == known.ed25519_key or key.mldsa_key == known.mldsa_key for known in taken):
            raise Foreign("another party's key")
        return key

    def statement(self, party: int, generation: Generation) -> bytes:
        """The statement of the key in force in that generation; empty where that is the key of the terms."""
        since = self.rings[party].since(generation)
        return self.named.get(party, since).statement if self.named.knows(party, since) else b""

    def signer(self, generation: Generation) -> Signer | None:
        """The own lane key that signs that generation; None if this station does not have it (any more)."""
        return self._signers.get(self.rings[self.party].lane(generation).ed25519_key)

    def add_signer(self, signer: Signer) -> None:
        """One more lane key of this station."""
        self._signers[signer.public.ed25519_key] = signer

    # --- lanes ---

    def lane(self, number: int, generation: Generation) -> Lane:
        """The name of a lane of this line. Raises Foreign for a party the line does not have."""
        found = self._lanes.get((number, generation))
        if found is None:
            if number >= 2 * len(self.terms.parties):
                raise Foreign("no such lane")
            found = Lane(self.terms.line, number, generation)
            if self.named.knows(number // 2, generation):
                self._lanes[number, generation] = found
        return found

    def state(self, lane: Lane) -> LaneState:
        """The lane as held here; empty if nothing of it is."""
        found = self._states.get(lane.key)
        if found is None:
            found = LaneState(lane, self.reader)
            if self.named.knows(lane.party, lane.generation) or found.size:
                self._states[lane.key] = found  # a lane that is only named takes no room
        return found

    def own(self, *, urgent: bool) -> LaneState:
        """One's own lane of the current generation."""
        place = (2 * self.party + (not urgent), self.mine)
        return self._states.get(place) or self.state(self.lane(*place))

    def all_states(self) -> list[LaneState]:
        """Both lanes of every known generation of every party."""
        return [
            self.state(self.lane(number, generation))
            for number in range(2 * len(self.terms.parties))
            for generation in self.named.known(number // 2)
        ]

    def root_at(self, state: LaneState, size: int) -> bytes:
        """The root at a size held. Raises Unknown beyond it."""
        found = state.roots.get(size)
        if found is not None:
            return found
        if size > state.size:
            raise Unknown("a size that is not held")
        root = peaks_at(size, lambda level, place: self._node(state, level, place)).root()
        if len(state.roots) < ROOTS:  # who names every size in turn fills no memory
            state.roots[size] = root
            state.roots.move_to_end(size, last=False)  # old sizes leave first
        return root

    def _node(self, state: LaneState, level: int, place: int) -> bytes:
        """A subtree's root, from the store or from rows on their way there. Raises Unknown if it is in neither."""
        index = ((place + 1) << level) - 1
        if index < state.durable:
            return self.reader.node(state.lane, level, place)
        if not state.recent or not state.recent[0].index <= index < state.size:
            raise Unknown("a subtree that is not at hand")
        return state.recent[index - state.recent[0].index].nodes[level]

    def rows(self, state: LaneState, first: int, count: int) -> Sequence[EntryRow]:
        """Rows first .. first+count-1, from memory if they are there."""
        if not count:
            return []
        if state.recent and state.recent[0].index <= first:
            start = first - state.recent[0].index
            return [state.recent[place] for place in range(start, min(start + count, len(state.recent)))]
        return self.reader.entries(state.lane, first, count)

    # --- acknowledgements ---

    def ack_items(self, *, urgent: bool) -> tuple[AckItem, ...]:
        """What an own entry acknowledges now; an urgent one names the own traffic lane too (spec 7.2)."""
        items: list[AckItem] = []
        room = MAX_REFUSED_NAMED
        for party in range(len(self.terms.parties)):
            numbers = (2 * party, 2 * party + 1) if party != self.party else (2 * party + 1,) if urgent else ()
            for number in numbers:
                state = self.state(self.lane(number, self.current(party)))
                if state.size:
                    items.append(state.held(min(MAX_REFUSED, room)))
                    room -= len(items[-1].refused)
        return tuple(items)

    def ended_items(self) -> tuple[AckItem, ...]:
        """What is to be said of ended generations, once; what is beyond a bound waits for the next entry (spec 4.18)."""
        items: list[AckItem] = []
        room = MAX_REFUSED_NAMED
        for key in sorted(self.unsaid)[:MAX_ENDED]:
            state = self.state(self.lane(*key))
            items.append(state.held(room))
            room -= len(items[-1].refused)
            if not self.refused_named(items[-1:]):
                self.unsaid.discard(key)
        return tuple(items)

    def ended(self, party: int) -> None:
        """A party's generations before the current one: what is held and was not signed is to be said once more."""
        own = [self.own(urgent=urgent) for urgent in (True, False)]
        signed: dict[tuple[int, Generation], int] = {}
        for item in (item for state in own for item in decode_ack(state.last_ack)):
            signed[item.lane, item.generation] = max(item.size, signed.get((item.lane, item.generation), 0))
        before = [g for g in self.named.held(party) if g < self.current(party)][-1:]
        for key in ((2 * party + low, generation) for low in (0, 1) for generation in before):
            state, first = self.state(self.lane(*key)), signed.get(key, 0)
            tail = self.rows(state, first, min(state.size - first, MAX_TAIL))
            whole = len(tail) == state.size - first  # or it is long, or on its way to the disk
            if not whole or any(row.entry.kind != _ACK for row in tail):  # else nobody waits for it
                self.unsaid.add(key)

    def all_ended(self) -> None:
        """An own generation opens: what was signed in those before counts no more (spec 13.9)."""
        others = [party for party in range(len(self.terms.parties)) if party != self.party]
        for lane in (state.lane for state in self.all_states() if state.size and state.lane.party in others):
            if lane.generation < self.current(lane.party):
                self.unsaid.add(lane.key)

    def refused_named(self, items: Sequence[AckItem]) -> bool:
        """An acknowledgement of these items is written: what it names refused is not named again. Whether more waits."""
        more = False
        for item in items:
            unnamed = self.state(self.lane(item.lane, item.generation)).refused_unnamed
            del unnamed[: len(item.refused)]
            more = more or bool(unnamed)
        return more

    def expand(self, wire: WireAck) -> bytes:
        """The acknowledgement field that a wire form stands for. Raises Unknown if a root cannot be computed here."""
        items = []
        for item in wire:
            if isinstance(item, FullAck):
                number, generation = item.lane.key
                items.append(
                    AckItem(lane=number, generation=generation, size=item.size, root=item.root, refused=item.refused)
                )
                continue
            party = item.lane // 2
            named = self.named.of_counter(party, item.counter) if party < len(self.terms.parties) else None
            if named is None:
                raise Unknown("a generation that is not known")
            root = self.root_at(self.state(self.lane(item.lane, named)), item.size)
            items.append(AckItem(lane=item.lane, generation=named, size=item.size, root=root))
        return encode_ack(items)

    # --- growing ---

    def append_own(
        self, state: LaneState, drafts: Sequence[tuple[int, Instant, bytes]], ack: bytes
    ) -> tuple[EntryRow, ...]:
        """Write entries (kind, time, body) to an own lane, in memory: the rows for the store."""
        seed = self.named.get(self.party, state.lane.generation).seed
        entries = [
            Entry(
                kind=encode_kind(kind),
                time=encode_time(time),
                ack=ack,
                body=body,
                secret=leaf_secret(seed, state.lane.number, state.size + place),
            )
            for place, (kind, time, body) in enumerate(drafts)
        ]
        return state.grow(extend(state.lane, state.peaks, entries), entries, [False] * len(entries))

    def opened(self, state: LaneState, frame: Entries) -> list[Entry]:
        """The entries of a short frame that continues `state`. Raises Unknown if an acknowledgement cannot be expanded."""
        seed = self.named.get(state.lane.party, state.lane.generation).seed
        number, time, ack = state.lane.number, state.last_time, state.last_ack
        entries = []
        for place, item in enumerate(frame.items):
            time += item.delta
            if not MIN_INSTANT <= time <= MAX_INSTANT:
                raise Malformed("a time out of bounds")
            if item.ack is not None:
                ack = self.expand(item.ack)
            entries.append(
                Entry(
                    kind=encode_kind(item.kind),
                    time=encode_time(Instant(time)),
                    ack=ack,
                    body=item.body,
                    secret=leaf_secret(seed, number, frame.first + place),
                )
            )
        return entries

    def accept_short(self, state: LaneState, frame: Entries) -> tuple[tuple[EntryRow, ...], list[AnyEntry | None]]:
        """Extend a lane by a short frame that continues it.

        Returns rows, and each entry's body decoded (None: refused). Raises
        Forged or Unknown, nothing changed: then the sender owes the full form.
        """
        entries = self.opened(state, frame)
        if len(self.terms.parties) > 2:
            check_handed_on(entries)
        extension = accept(state.lane, state.peaks, entries, frame.signature, self.owner(state.lane))
        bodies = [read_body(entry) for entry in entries]
        return state.grow(extension, entries, [body is None for body in bodies]), bodies

    def accept_full(
        self, state: LaneState, frame: FullEntries, *, from_author: bool
    ) -> tuple[tuple[EntryRow, ...], list[AnyEntry | None]]:
        """The same from a full frame: the signature decides, and fields that do not open are refused for good.

        Only the author's own frame can say that (spec 7.9): raises Forged for
        another member's, who might have spoilt them.
        """
        extension = self.check_full(state.peaks, frame)
        entries: list[Entry] = []
        bodies: list[AnyEntry | None] = []
        for place, (leaf, entry) in enumerate(frame.items):
            good = opens(parse_leaf(frame.lane, frame.first + place, leaf), entry)
            if not good and not from_author:
                raise Forged("fields that do not open, from another than their author")
            entries.append(entry if good else Entry(kind=b"", time=b"", ack=b"", body=b"", secret=b""))
            bodies.append(read_body(entry) if good else None)
        return state.grow(extension, entries, [body is None for body in bodies]), bodies

    def seed_fits(self, frame: FullEntries) -> bool:
        """Whether the seed known for a generation is that of the first entry shown which opens at all."""
        seed = self.named.get(frame.lane.party, frame.lane.generation).seed
        for place, (_, entry) in enumerate(frame.items):
            if any(entry.secret):
                return entry.secret == leaf_secret(seed, frame.lane.number, frame.first + place)
        return False

    def check_full(self, peaks: Peaks, frame: FullEntries) -> Extension:
        """The extension that a full frame claims over these peaks, its leaves and signature checked. Raises Refused."""
        if peaks.size != frame.first:
            raise Forged("a frame for another place")
        for place, (leaf, _) in enumerate(frame.items):
            parse_leaf(frame.lane, frame.first + place, leaf)
        extension = extend_leaves(peaks, [leaf for leaf, _ in frame.items])
        self.owner(frame.lane).ed25519(frame.signature, extension.head(frame.lane).text())
        return extension


def _differ(one: Verifier, other: Verifier) -> bool:
    return (one.ed25519_key, one.mldsa_key) != (other.ed25519_key, other.mldsa_key)


def read_body(entry: Entry) -> AnyEntry | None:
    """The decoded body, or None if any field is not as specified: then the entry is refused, visibly (spec 7.6)."""
    try:
        decode_time(entry.time)
        decode_ack(entry.ack) if entry.ack != NOTHING else ()
        return decode_body(decode_kind(entry.kind), entry.body)
    except Refused:
        return None
