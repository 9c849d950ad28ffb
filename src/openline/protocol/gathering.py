"""What arrived and is not yet durable: gathered for the next commit, shown only after it.

Spec: spec/07-delivery.md.
"""

from dataclasses import dataclass, field

from openline.kernel.codec import encode
from openline.kernel.lane import Generation, Lane
from openline.protocol.call_signals import CallSignal
from openline.protocol.delivery import Peer
from openline.protocol.drafts import Written
from openline.protocol.entries import AnyEntry
from openline.protocol.events import Noticed, Now, Output, Transmit
from openline.protocol.frames import Chunk, ChunkWant, Held, Want, frame_value
from openline.protocol.introducing import reminders
from openline.protocol.lane_state import LaneState
from openline.protocol.lanes import LaneBook
from openline.protocol.open_epoch import Epoch
from openline.protocol.records import EntryRow, Write
from openline.protocol.under_way import Asked

WANT_AGAIN_MS = 1_000
"""The same request is repeated to a peer after this long at the earliest."""
WANT_MOST_MS = 60_000
"""The longest pause between two requests for the same entries."""
MAX_WANTED = 2_048
"""Lanes of which it is remembered when they were asked for: all of a full line."""


@dataclass(slots=True, kw_only=True)
class Gathered:
    """What the next commit will make durable, and what follows once it is."""

    writes: list[Write] = field(default_factory=list)
    shown: list[tuple[Lane, EntryRow, AnyEntry | None]] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    peers: set[int] = field(default_factory=set)
    acknowledge: bool = False
    hasty: set[int] = field(default_factory=set)
    """Parties of which something in haste was accepted: its acknowledgement goes back so (spec 7.5)."""
    new_generations: bool = False
    fetches: list[tuple[Chunk, Peer]] = field(default_factory=list)
    chunk_wants: list[tuple[ChunkWant, Peer]] = field(default_factory=list)
    signals: list[tuple[int, CallSignal]] = field(default_factory=list)
    """(party, signal): handed out once the entries that came before them are durable."""
    own_shown: bool = False
    """An own lane was found to be longer elsewhere than here: what was lost has been taken back."""
    own_forked: bool = False
    """Somebody showed, under our own signature, another history of the lane we write: a second writer has our key."""


@dataclass(slots=True, kw_only=True)
class Batch:
    """A commit under way."""

    token: int
    gathered: Gathered
    own: list[Written]
    sizes: list[tuple[LaneState, int]]
    announce: list[tuple[Peer, Epoch, int]]
    reserved: list[tuple[Epoch, list[tuple[int, bytes, bytes]]]]
    after: list[Transmit]


class Gathering:
    """The gathered of now, and the ways in which it grows."""

    def __init__(self, book: LaneBook) -> None:
        self._book = book
        self.now = Gathered()
        self._reminded: dict[int, int] = {}
        """By party, until when it is not told again what is held of its own generations (steady, ms)."""

    def take(self) -> Gathered:
        """Hand over what was gathered and begin anew."""
        taken, self.now = self.now, Gathered()
        return taken

    def notice(self, what: str, party: int, number: int = 0) -> None:
        """Tell people, once this is durable."""
        self.now.outputs.append(Noticed(what=what, party=party, number=number))

    def want(self, peer: Peer, lane: Lane, first: int, now: Now, *, full: bool, haste: bool = False) -> None:
        """Ask a peer for entries; for the same ones after pauses that double from a second to a minute (spec 7.12)."""
        asked = peer.wanted.get(lane.key)
        again = asked is not None and asked.first == first and asked.full is full
        if asked is not None and asked.first == first and asked.until > now.steady and (asked.full or not full):
            return  # a want in full is more than one that is not
        if len(peer.wanted) >= MAX_WANTED:
            del peer.wanted[next(iter(peer.wanted))]
        pause = min(2 * asked.pause, WANT_MOST_MS) if asked is not None and again else WANT_AGAIN_MS
        if peer.tell(encode(frame_value(Want(lane=lane, first=first, full=full))), haste=haste):
            until = now.steady + peer.pace.long_patience(pause, now.steady)
            peer.wanted[lane.key] = Asked(first=first, full=full, until=until, pause=pause)

    def held(self, peer: Peer, state: LaneState, now: Now) -> None:
        """Say how much of a lane is held here: acknowledgements name the newest generation only (spec 4.14)."""
        told = peer.wanted.get(state.lane.key)
        if told is None or told.until <= now.steady:
            until = now.steady + peer.pace.long_patience(WANT_AGAIN_MS, now.steady)
            peer.wanted[state.lane.key] = Asked(first=-1, full=False, until=until, pause=WANT_AGAIN_MS)
            peer.tell(encode(frame_value(Held(heads=((state.lane, state.durable),)))))

    def remind(self, peer: Peer, generation: Generation, now: Now) -> None:
        """Answer a party that introduces a later generation of its own, as at its start: it may lack others (spec 7.20).

        One of the same counter that it does not know would be taken for what it writes, and nothing of it accepted.
        """
        if generation.counter and self._reminded.get(peer.party, now.steady) <= now.steady:
            frames = reminders(self._book, peer.party, generation)
            if frames:
                self._reminded[peer.party] = now.steady + peer.pace.long_patience(WANT_AGAIN_MS, now.steady)
            for frame in frames:
                peer.tell(frame)

    def suspect(self, peer: Peer, why: str) -> None:
        """Note that a party does not keep to the protocol, without proof."""
        if peer.suspected != why:
            peer.suspected = why
            self.now.peers.add(peer.party)
            self.notice("suspected", peer.party)
