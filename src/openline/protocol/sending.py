"""What goes to a peer next, and in which envelopes.

Urgent lane before traffic lane, own lanes before others', entries before
chunks. A frame of entries ends at a head that its owner signed: for own lanes
any size will do, signed here; for others' lanes the sizes they signed.

Spec: spec/07-delivery.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from openline.kernel.codec import encode
from openline.kernel.crypto import Signer
from openline.kernel.errors import Unknown
from openline.kernel.lane import Generation, Head, Lane, SignedHead, leaf_of
from openline.kernel.units import WINDOW, Entropy
from openline.protocol.attachments import IN_TRIP
from openline.protocol.delivery import Peer
from openline.protocol.entries import Kind
from openline.protocol.events import Link, Output
from openline.protocol.fitting import MOST_HANDED_ON, MOST_ITEMS, costs, fitting, whole
from openline.protocol.frames import Entries, FullEntries, HeadNote, frame_value
from openline.protocol.haste import travels_as
from openline.protocol.introducing import generation_frame, introductions
from openline.protocol.lane_state import LaneState
from openline.protocol.lanes import LaneBook
from openline.protocol.records import EntryRow
from openline.protocol.wire import wire_items

HAND_ON_MS = 5_000
"""How long another member is given to deliver its own entries before we hand them on."""
MAX_ROWS = 256
SIGNAL_PRECEDENCE = 1
"""Signals travel as IMMEDIATE: people wait for a voice, and FLASH goes before (spec 17.31)."""
ECHO_MS = 250
"""Duplicates come in flocks: one answer serves all within this time (spec 7.6 says 1,000, within a factor of four)."""
ECHO_MOST_MS = 32_000
"""The longest of these pauses, which double while the peer opens nothing: it may hear nothing for hours (a way half open)."""
BULK_UNDER_WAY = 32
"""Unopened envelopes beyond which chunks wait: 512 KB under way fill a fast path, and FLASH never waits for them."""
CONTROL_ITEMS = 5 * 64 + 8
"""Items of the largest control frame, a `held` of 64 lane generations."""
WANT_ITEMS = 16
"""Items of a want, and some to spare."""
_ACK_KIND, _BARE = encode(int(Kind.ACK)), encode({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """An encoded frame with what decides its envelope."""

    frame: bytes
    precedence: int
    acknowledgement: bool
    """Only pure acknowledgements: may use the window's reserve, and is not kept."""
    items: int
    """At most so many CBOR items: an envelope's content is one value, and bounded as such (spec 2.6)."""


class Sending:
    """Builds what goes out. Holds the signatures it made lately."""

    def __init__(self, book: LaneBook, entropy: Entropy) -> None:
        self.book, self.entropy = book, entropy
        self._signatures: dict[tuple[str, int], bytes] = {}

    def signature(self, state: LaneState, size: int) -> bytes:
        """The own Ed25519 signature of the head at a durable size; deterministic, so made again at will."""
        place = (state.lane.origin, size)
        found = self._signatures.get(place)
        if found is None:
            head = Head(lane=state.lane, size=size, root=self.book.root_at(state, size))
            found = self._signatures[place] = self._signer(state.lane).ed25519(head.text())
            if len(self._signatures) > 4_096:
                del self._signatures[next(iter(self._signatures))]
        return found

    def _signer(self, lane: Lane) -> Signer:
        found = self.book.signer(lane.generation)
        if found is None:
            raise Unknown("the lane key of that generation is not here")
        return found

    def linked(self, peer: Peer, link: Link, now: int) -> None:
        """The bearers changed. What was sealed for wider ones than are left is given up, and what it said is said anew.

        Where one came up, one's last word goes again if the peer may lack it: nobody repeats a pure acknowledgement
        by a clock, and where nothing follows it, it would stay lost (spec 7.6).
        """
        came_up = peer.link(link, now)
        if not link.largest:
            return
        if came_up:
            self._last_again(peer)
        stuck = [
            index
            for index, sent in peer.outbox.items()
            if len(sent.envelope) > (peer.bulky if sent.bulk else link.largest)
        ]
        given_up = [peer.outbox.pop(index) for index in stuck]
        peer.floor_due = peer.floor_due or bool(stuck)
        if any(not sent.bulk for sent in given_up):
            peer.signals.again()
            peer.sent.update({key: min(size, peer.has(key)) for key, size in peer.sent.items()})
            peer.kept_to.clear()
            peer.introduced.clear()
            peer.control.extend(introductions(self.book))

    def flush(self, peer: Peer, now: int) -> list[Output]:
        """All that may go to this peer now."""
        outputs: list[Output] = []
        if peer.epoch is None or not peer.largest:
            return outputs
        echo = self._echo(peer, now)
        outputs.extend(self._parts(peer, now))
        batch: list[Load] = []
        used = items = 0
        for load in self._loads(peer, now):
            capacity = peer.capacity(load.precedence)
            full = used + len(load.frame) > capacity or items + load.items > MOST_ITEMS or len(batch) > 200
            if batch and (full or batch[0].precedence != load.precedence):
                outputs.append(self._seal(peer, batch, now))
                batch, used, items = [], 0, 0
            whole = len(load.frame) <= capacity
            room = peer.room(now, precedence=load.precedence, acknowledgement=load.acknowledgement)
            if not (room if whole else peer.may_fragment(load.precedence)):
                self._unsend(peer)
                break
            if not whole:
                self._cut(peer, load.frame, load.precedence, bulk=False)
                outputs.extend(self._parts(peer, now))
                continue
            batch.append(load)
            used, items = used + len(load.frame), items + load.items
        if batch:
            outputs.append(self._seal(peer, batch, now))
        if not any(part.precedence == SIGNAL_PRECEDENCE for part in peer.parts):
            peer.signals.sealed(peer.epoch.outgoing.index)
        outputs.extend(self._bulk(peer, now))
        if not outputs and not peer.one_way and (echo or peer.floor_due or peer.silent_for >= WINDOW // 4):
            outputs.extend(self._bare(peer, now))
        return outputs

    def _unsend(self, peer: Peer) -> None:
        """No room: what was taken for sending last was not sent."""
        if self._taken is not None:
            key, before = self._taken
            peer.sent[key] = before
            self._taken = None

    _taken: tuple[tuple[int, Generation], int] | None = None

    def _echo(self, peer: Peer, now: int) -> bool:
        """The peer sent again what we had opened: it has not heard us, so our last word goes again (spec 7.6)."""
        if not peer.echo_due:
            return False
        state = self.book.own(urgent=True)
        key, sent = state.lane.key, peer.sent.get(state.lane.key, 0)
        answer = peer.haste.lost(key, state.durable - 1, peer.has(key), now)
        if answer is not None:
            peer.sent[key] = min(sent, answer)
            return True
        if now - peer.echoed_at < min(ECHO_MS << peer.echoes, ECHO_MOST_MS):
            return False
        peer.echoed_at, peer.echoes = now, min(peer.echoes + 1, 16)
        if peer.room(now, precedence=3, acknowledgement=False):
            self._last_again(peer)
        return True

    def _last_again(self, peer: Peer) -> None:
        """Let one's last word go again, unless the peer has it, or more is about to go anyway."""
        state = self.book.own(urgent=True)
        if peer.sent.get(state.lane.key, 0) == state.durable > peer.has(state.lane.key):
            peer.sent[state.lane.key] -= 1

    def _bulk(self, peer: Peer, now: int) -> list[Output]:
        """Chunks and cosignatures: a few at a time, behind everything else, and only where the way is wide."""
        outputs: list[Output] = []
        while (
            peer.bulk
            and peer.bulky
            and len(peer.outbox) < (IN_TRIP if peer.pace.by_trips else BULK_UNDER_WAY)
            and peer.room(now, precedence=3, acknowledgement=False)
        ):
            if len(peer.bulk[0]) > peer.capacity(3, bulk=True):
                if not peer.may_fragment(3):
                    break
                self._cut(peer, peer.bulk.popleft(), 3, bulk=True)
                outputs.extend(self._parts(peer, now))
                continue
            outputs.append(peer.seal([peer.bulk.popleft()], now, precedence=3, bulk=True, kept=True))
        return outputs

    def _bare(self, peer: Peer, now: int) -> list[Output]:
        if not peer.may_tell() or not peer.pace.takes(now):
            return []
        return [peer.seal([], now, precedence=3, bulk=False, kept=peer.floor_due)]

    def _seal(self, peer: Peer, batch: list[Load], now: int) -> Output:
        kept = not all(load.acknowledgement for load in batch)
        frames = [load.frame for load in batch]
        return peer.seal(frames, now, precedence=batch[0].precedence, bulk=False, kept=kept)

    def _cut(self, peer: Peer, frame: bytes, precedence: int, *, bulk: bool) -> None:
        peer.fragment(frame, int.from_bytes(self.entropy(4), "big"), precedence=precedence, bulk=bulk)

    def _parts(self, peer: Peer, now: int) -> list[Output]:
        """Fragments that wait, the most urgent first, as far as there is room."""
        outputs: list[Output] = []
        while peer.parts:
            part = min(peer.parts, key=lambda waiting: waiting.precedence)
            if not peer.room(now, precedence=part.precedence, acknowledgement=False):
                break
            peer.parts.remove(part)
            outputs.append(
                peer.seal([part.frame], now, precedence=part.precedence, bulk=part.bulk, kept=True, part=True)
            )
        return outputs

    def _loads(self, peer: Peer, now: int) -> Iterator[Load]:
        """Frames in the order in which they should go; each is taken as sent when it is asked for."""
        self._taken = None
        while peer.haste.wants:  # not kept: it is asked for again as long as it lacks
            yield Load(frame=peer.haste.wants[0], precedence=0, acknowledgement=True, items=WANT_ITEMS)
            peer.haste.wants.popleft()
        if peer.control and peer.epoch is not None:  # which FLASH does not wait for
            for state in self._own_states():
                if state.lane.urgent:
                    yield from self._lane(peer, state, now, haste=True)
        while peer.control:
            yield Load(frame=peer.control[0], precedence=2, acknowledgement=False, items=CONTROL_ITEMS)
            peer.control.popleft()
        own = self._own_states()
        for state in own[: len(own) // 2]:
            yield from self._lane(peer, state, now)
        while (frame := peer.signals.next(now)) is not None:
            yield Load(frame=frame, precedence=SIGNAL_PRECEDENCE, acknowledgement=False, items=WANT_ITEMS)
            peer.signals.took()
        for state in own[len(own) // 2 :]:
            yield from self._lane(peer, state, now)
        for key in sorted(peer.asked):
            state = self.book.state(self.book.lane(*key))
            yield from self._lane(peer, state, now)
            if peer.sent[key] >= state.durable:
                peer.asked.discard(key)
        if len(self.book.terms.parties) > 2:
            for state in self._others(peer, now):
                yield from self._lane(peer, state, now)

    def _own_states(self) -> list[LaneState]:
        """Own lanes, urgent before traffic, older generations first."""
        party, generations = self.book.party, self.book.generations(self.book.party)
        return [self.book.state(self.book.lane(2 * party + low, g)) for low in (0, 1) for g in generations]

    def _others(self, peer: Peer, now: int) -> list[LaneState]:
        """Third members' lanes that this peer has lacked for a while although we hold them."""
        due = []
        for state in self.book.all_states():
            key = state.lane.key
            if state.lane.party in (self.book.party, peer.party) or not state.durable or key in self.book.forked:
                continue
            if peer.has(key) >= state.durable:
                peer.behind.pop(key, None)
            elif now - peer.behind.setdefault(key, now) >= HAND_ON_MS:
                due.append(state)
        return due

    def _lane(self, peer: Peer, state: LaneState, now: int, *, haste: bool = False) -> Iterator[Load]:
        """What a peer lacks of a lane; in `haste` only as far as that goes as FLASH."""
        key = state.lane.key
        full = key in peer.full
        first = peer.sent.get(key)
        if first is None:
            first = peer.sent[key] = min(state.durable, peer.has(key))
        while first < state.durable:
            found = self._frame(peer, state, first, full=full)
            if found is None:
                return
            load, end, owed = found
            if haste and load.precedence:
                return
            if first == 0 and key not in peer.introduced:  # the receiver may not know this generation yet, or no more
                named = generation_frame(self.book.named.get(state.lane.party, state.lane.generation))
                yield Load(frame=named, precedence=load.precedence, acknowledgement=False, items=8)
                peer.introduced.add(key)  # once, however long the entries wait for room behind it
            peer.sent[key] = end
            self._taken = (key, first)
            yield load
            self._taken = None
            peer.introduced.discard(key)
            peer.haste.gone(key, end, now)
            peer.kept_to[key] = max(end, peer.kept_to.get(key, 0))
            # Pure acknowledgements at the end are never acknowledged themselves: waiting for that would never end.
            if state.lane.party != peer.party:  # nobody acknowledges its own lane to those who give it back
                peer.needed[key] = max(peer.needed.get(key, 0), owed)
            first = end
        peer.full.discard(key)

    def _frame(self, peer: Peer, state: LaneState, first: int, *, full: bool) -> tuple[Load, int, int] | None:
        """(frame, end, size owed) of entries from `first`; None if no signed head lies ahead.

        The size owed is that up to the last entry which asks for an acknowledgement; 0 if none does.
        """
        # A key of before that was lost with a station: what it signed goes on as another member's lanes do.
        signer = self.book.signer(state.lane.generation) if state.lane.party == self.book.party else None
        budget = peer.capacity(1) - 160
        ahead = _up_to_answer(peer, state, list(self.book.rows(state, first, min(MAX_ROWS, state.durable - first))))
        # What another member wrote goes in full: the receiver expands short forms from what their author knows of it.
        items = None
        rows = fitting(ahead, budget, full=False)
        if len(self.book.terms.parties) > 2:  # whoever hands this on must be able to: up to this head, in full
            rows = fitting(rows, MOST_HANDED_ON, full=True)
        counter = state.lane.generation.counter
        ambiguous = sum(known.counter == counter for known in self.book.named.held(state.lane.party)) > 1
        if signer is not None and not full and not ambiguous:  # spec 8.13: a short form names the counter alone
            items = wire_items(self.book, state, rows, peer.party, peer.holds)
        if signer is not None:
            rows = rows if items is not None else fitting(ahead, budget, full=True)
            signature = self.signature(state, rows[-1].index + 1)
        else:
            signed = self._boundary(state, first, ahead, budget)
            if signed is None:
                return None
            rows, signature = ahead[: signed.head.size - first], signed.ed25519
        if items is None:
            leaves = tuple((row.unopened or leaf_of(state.lane, row.index, row.entry), row.entry) for row in rows)
            shown = tuple((leaf, whole(row)) for (leaf, _), row in zip(leaves, rows, strict=True))
            value = frame_value(FullEntries(lane=state.lane, first=first, items=shown, signature=signature))
        else:
            value = frame_value(
                Entries(
                    lane=state.lane.number,
                    counter=state.lane.generation.counter,
                    first=first,
                    items=items,
                    signature=signature,
                )
            )
        owed = max((row.index + 1 for row in rows if row.entry.kind != _ACK_KIND), default=0)
        precedence = min(_travels_as(row, state) for row in rows)
        if state.lane.urgent and _hasty(peer, state, ahead):
            precedence = 0  # what stands before it in the lane as well: it opens on nothing else
        many = 16 + sum(count for _, count in costs(rows, full=items is None))
        # What is said of ended generations nothing would bring again: it is kept until opened, the first time.
        kept_to = peer.kept_to.get(state.lane.key, 0)
        bare = not owed and all(row.entry.body == _BARE or row.index < kept_to for row in rows)
        load = Load(frame=encode(value), precedence=precedence, acknowledgement=bare, items=many)
        return load, first + len(rows), owed

    def _boundary(self, state: LaneState, first: int, rows: list[EntryRow], budget: int) -> SignedHead | None:
        """The last head signed by its owner that ends a frame within the budget, or the next one there is."""
        heads = [h for h in self.book.reader.heads(state.lane, first, 64) if h.ed25519 and h.head.size <= state.durable]
        if not heads or not rows:
            return None
        room = len(fitting(rows, budget, full=True))
        best = heads[0]
        for head in heads:
            if head.head.size - first <= room:
                best = head
        return best if best.head.size - first <= len(rows) else None

    def name_heads(self, peers: dict[int, Peer], sizes: list[tuple[LaneState, int]]) -> None:
        """Third members' heads that the new acknowledgements name go along, whole (spec 7.21)."""
        if len(self.book.terms.parties) == 2:
            return
        for peer in peers.values():
            ours = (self.book.party, peer.party)
            named = [(state.lane, state.durable) for state, _ in sizes if state.lane.party not in ours]
            if peer.epoch is not None:
                self.notes(peer, named)

    def notes(self, peer: Peer, items: list[tuple[Lane, int]]) -> None:
        """Third members' heads that an acknowledgement to this peer names travel whole, once each (spec 7.3)."""
        for lane, size in items:
            if peer.noted.get(lane.key, 0) >= size:
                continue
            for signed in self.book.reader.heads(lane, size - 1, 1):
                whole = signed.head.size == size and signed.ed25519
                if whole and peer.tell(encode(frame_value(HeadNote(signed=signed)))):
                    peer.noted[lane.key] = size


def _travels_as(row: EntryRow, state: LaneState) -> int:
    return travels_as(row.entry.kind, row.entry.body, urgent=state.lane.urgent)


def _hasty(peer: Peer, state: LaneState, rows: Sequence[EntryRow]) -> bool:
    answers = bool(rows) and peer.haste.answers(state.lane.key, rows[0].index, rows[-1].index + 1)
    return answers or any(_travels_as(row, state) == 0 for row in rows)


def _up_to_answer(peer: Peer, state: LaneState, rows: list[EntryRow]) -> list[EntryRow]:
    """What goes in haste with an answer ends there, so that it is small; unless there is a FLASH behind it."""
    for place, row in enumerate(rows):
        if peer.haste.answers(state.lane.key, row.index, row.index + 1):
            return rows if _hasty(peer, state, rows[place + 1 :]) else rows[: place + 1]
    return rows
