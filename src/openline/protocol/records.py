"""What a line writes to its store and reads back: plain records, no behaviour.

Writes are collected into one `Commit` and become durable together or not at
all. Records hold secrets; a store seals what `repr` hides.

Spec: spec/07-delivery.md, spec/13-restart.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from openline.kernel.envelope import IncomingState, OutgoingState
from openline.kernel.lane import Entry, Generation, Lane, SignedHead


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """One entry of a lane as it is kept.

    `nodes` are the subtree hashes that this leaf completes, leaf hash first
    (see kernel.merkle.grown). `unopened` holds the leaf bytes when the fields
    did not open the leaf's commitments; the entry's fields are then empty.
    `refused` says that its body is acknowledged as refused.
    """

    index: int
    nodes: tuple[bytes, ...]
    entry: Entry = field(repr=False)
    unopened: bytes = b""
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """Compare-and-swap append: the lane generation must have exactly `size` entries now, else Conflict."""

    lane: Lane
    size: int
    rows: tuple[EntryRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PutHead:
    """A head that was or is to be signed. Own Ed25519 signatures may be empty: they are made again when needed."""

    signed: SignedHead


@dataclass(frozen=True, slots=True, kw_only=True)
class PutGeneration:
    """A generation of a party: its seed, and the root's key statement if it has a new lane key."""

    party: int
    generation: Generation
    seed: bytes = field(repr=False)
    statement: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRecord:
    """An open epoch with one peer. Never part of a backup."""

    attempt: int
    root: bytes = field(repr=False)
    """Base of the next epoch; erased at the switch to it."""
    outgoing: OutgoingState
    incoming: IncomingState
    opened: int
    """When it opened, ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutPeer:
    """All that is kept about one peer: replaces what stood before.

    `acknowledged` is what the peer's signed acknowledgements say it holds:
    (lane, generation, size). `epoch` and `previous` are the epochs whose keys
    live; both None after a backup was restored.
    """

    party: int
    attempt: int
    """The highest handshake attempt made or completed."""
    acknowledged: tuple[tuple[int, Generation, int], ...]
    epoch: EpochRecord | None
    previous: EpochRecord | None
    suspected: str = ""
    """Why this party is suspected: a constant name, or empty."""
    ended: tuple[tuple[int, Generation, int, bytes], ...] = ()
    """What it signed of ended generations that cannot be compared yet: (lane, generation, size, root)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutEvidence:
    """Something that a party's own signatures prove against it, as encoded by protocol.forks."""

    party: int
    evidence: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PutChunk:
    """One chunk of an attachment, by the SHA-256 of the whole."""

    attachment: bytes
    number: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DropChunks:
    """Forget the chunks of an attachment whose whole did not hash to its name."""

    attachment: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PutSnapshot:
    """A fold of the transcript: a disposable cache, named by fold version and the sizes it covers."""

    version: int
    sizes: tuple[tuple[int, Generation, int], ...]
    data: bytes = field(repr=False)


Write = Append | PutHead | PutGeneration | PutPeer | PutEvidence | PutChunk | DropChunks | PutSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The high-water mark of a line, kept outside store, backups and machine snapshots (spec 13)."""

    generation: Generation
    urgent: int
    """Entries in the own urgent lane of that generation."""
    traffic: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRecord:
    """A line as it is kept from its first day: what pairing agreed. The PSKs are the keystore's."""

    line: bytes
    party: int
    """This station's party number."""
    terms: bytes
    cards: tuple[bytes, ...]
    """The signed card of every party, by party number."""
    label: str
    """The name this station gives the line, for people and logs."""


class LineReader(Protocol):
    """What the pure layers may ask of one line's store: durable state only, no waiting."""

    def generations(self) -> Sequence[PutGeneration]:
        """Every known generation of every party."""
        ...

    def size(self, lane: Lane) -> int:
        """Entries kept of a lane generation; 0 if none."""
        ...

    def entries(self, lane: Lane, first: int, count: int) -> Sequence[EntryRow]:
        """Rows first .. first+count-1, as far as they exist, in order."""
        ...

    def node(self, lane: Lane, level: int, place: int) -> bytes:
        """The root of a perfect subtree (kernel.merkle.Node). Raises Bug if it is not there."""
        ...

    def heads(self, lane: Lane, above: int, count: int) -> Sequence[SignedHead]:
        """Kept heads with size > `above`, ascending."""
        ...

    def last_head(self, lane: Lane) -> SignedHead | None:
        """The kept head of the greatest size."""
        ...

    def peers(self) -> Sequence[PutPeer]:
        """What is kept about each peer."""
        ...

    def evidence(self) -> Sequence[PutEvidence]:
        """All evidence."""
        ...

    def chunk(self, attachment: bytes, number: int) -> bytes | None:
        """One chunk, if it is here."""
        ...

    def chunks(self, attachment: bytes) -> int:
        """How many chunks of an attachment are here."""
        ...

    def snapshot(self, version: int) -> PutSnapshot | None:
        """The latest snapshot of that fold version."""
        ...


class LineStore(LineReader, Protocol):
    """One line's store: the reader, and the one way to change it."""

    def commit(self, writes: Sequence[Write]) -> None:
        """Make all writes durable, or none.

        Raises Conflict when an Append does not fit (another writer), and
        Unavailable when the disk is full, read-only or failing.
        """
        ...
