"""What goes into the engine and what comes out: the whole vocabulary of its only door.

Spec: spec/07-delivery.md; DESIGN: commit, mark, sign, send.
"""

from dataclasses import dataclass, field

from openline.kernel.crypto import Signer
from openline.kernel.lane import Generation, Lane
from openline.kernel.units import Instant
from openline.protocol.call_signals import CallSignal
from openline.protocol.entries import AnyEntry, Cause
from openline.protocol.records import EntryRow, Mark, Write


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """Two clocks: `steady` never jumps and drives deadlines; `wall` is a claim, for people and entries. Both ms."""

    steady: int
    wall: Instant


# --- inputs ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Somebody here says something; `token` comes back with the outcome. `time` is the claimed moment."""

    token: int
    entry: AnyEntry
    time: Instant


@dataclass(frozen=True, slots=True)
class Arrived:
    """An envelope came over some bearer; nothing about it is believed yet."""

    envelope: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Strange:
    """The same, and the bearer does not know who sent it: an unknown tag is then no sign of lost keys."""

    envelope: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stored:
    """The writes of commit `token` are durable, its mark perhaps not yet: what others said may be shown. May be left out."""

    token: int


@dataclass(frozen=True, slots=True)
class Committed:
    """Commit `token` and its mark are durable."""

    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The bearers to a party changed. All sizes are 0 when nothing carries anything to it."""

    party: int
    largest: int
    """The largest envelope for what goes over the best bearer that is up, as most does."""
    smallest: int
    """The largest that all of them carry: for what goes over all."""
    widest: int = 0
    """The largest that any of them carries, if that is more: for handshakes."""
    bulk: int | None = None
    """The largest for cosignatures and chunks, if that is another; 0 where no bearer is fit for them: they wait."""
    slow_ms: int = 0
    """What one envelope takes to the party by the best bearer; 0 where that is not worth counting."""
    bits_per_second: int = 0
    """How fast the best one carries, where that decides how long an envelope takes; else 0."""
    one_way: bool = False
    """Nothing comes back from there."""
    anew: bool = False
    """The best one has just come up, or has just become it as another went down: what was under way may be lost."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment asked for by WakeAt has come (or any other: early ticks do no harm)."""


@dataclass(frozen=True, slots=True)
class Renew:
    """Open a new epoch with this party now."""

    party: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stow:
    """Keep a chunk of an own attachment; it is durable before any entry submitted after it."""

    attachment: bytes
    number: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotate:
    """Write on in this generation, under a lane key that the root certified for it (spec 3.10).

    Answered as a Submit is: by Accepted for its urgent entry 0, or by Rejected, and nothing changed.
    """

    token: int
    generation: Generation
    statement: bytes = field(repr=False)
    signer: Signer = field(repr=False)
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """People here have accepted a new pairing secret with that party (spec 15.22); it is kept already."""

    party: int
    psk: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A seat here says this to a seat of that party (spec 17.30). Its number is given by the engine; nothing is answered.

    What cannot go, since its call is not open or too many wait: Noticed signal-dropped.
    """

    party: int
    signal: CallSignal


Input = Rotate | Secret | Submit | Arrived | Strange | Stored | Committed | Link | Tick | Renew | Stow | Signal


# --- outputs ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Make all writes durable together (Stored), then the mark if there is one, then answer Committed(token).

    If either fails the engine is thrown away and made again from the store.
    """

    token: int
    writes: tuple[Write, ...] = field(repr=False)
    mark: Mark | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transmit:
    """Offer an envelope to a party's bearers. `precedence` 0 to 3 decides how many carry it and how soon.

    `bulk` marks what only wide bearers should carry (cosignatures, chunks).
    """

    party: int
    envelope: bytes = field(repr=False)
    precedence: int
    bulk: bool = False
    tries: int = 0
    """How often these bytes were offered before, unopened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """Submission `token` is durable and signed: it stands at this place."""

    token: int
    lane: Lane
    index: int
    leaf_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Submission `token` was refused; nothing changed. `code` and `reason` are constants."""

    token: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An entry is durable here and may be shown: own or another's. `entry` is None if it was refused."""

    lane: Lane
    row: EntryRow = field(repr=False)
    kind: int
    time: int
    entry: AnyEntry | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """A party's signed acknowledgement says that it holds this lane up to `size`."""

    party: int
    lane: int
    generation: Generation
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """Something people or counters must hear of. `what` is a constant name; numbers only, never content.

    Names: epoch-opened, generation-opened, restored, entries-recovered,
    fork-proved, suspected, refused-entry, unknown-kind, quota, attachment-held,
    attachment-refused, envelope-refused, frame-refused, unknown-tag,
    signal-dropped.
    """

    what: str
    party: int
    number: int = 0


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Please Tick at this steady moment; the latest WakeAt replaces earlier ones."""

    steady: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Signalled:
    """A seat of that party says this to a seat here: once, while the call is open between the two parties."""

    party: int
    signal: CallSignal


Output = Commit | Transmit | Accepted | Rejected | Shown | Holds | Noticed | WakeAt | Signalled
