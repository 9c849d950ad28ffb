"""What stands inside envelopes: frames, and their one encoding.

The content of an epoch envelope is an array: the lowest unopened index of
the other direction, the floor of this one, then frames. Every frame is an
array whose first member is its type. Types nobody here knows are counted and
left: a newer peer may send them.

Spec: spec/08-frames.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from openline.kernel.codec import Fields, Value, decode, encode
from openline.kernel.crypto import ED25519_SIGNATURE, MLDSA_SIGNATURE
from openline.kernel.errors import Malformed
from openline.kernel.lane import Entry, Generation, Head, Lane, SignedHead, ack_lane, read_generation
from openline.kernel.units import MAX_BODY, MAX_GENERATION, MAX_INSTANT, MAX_PARTIES, MAX_SEQ, MAX_VALUE
from openline.protocol.call_signals import CallSignal, read_signal, signal_value

ENTRIES, GENERATION, HEAD, WANT, FULL, HELD, CHUNK_WANT, CHUNK, COSIGNATURE, FRAGMENT, LAST = range(11)
MAX_ENTRIES = 512
"""Entries in one frame: 16 KiB hold at most 1,300 empty ones; a signature every 512 costs 0.1 byte each."""
MAX_HELD = 256
"""Heads in one `held` frame: 16 parties, 2 lanes, 8 generations each; longer lives are told in several frames."""
MAX_PARTS = 512
"""Fragments of one content: 65,535 bytes in parts of 128."""
MAX_CHUNK = 12_000
"""Bytes of an attachment chunk: with its frame it fits the largest envelope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortAck:
    """An acknowledgement item whose root the receiver can compute: it wrote or acknowledged that lane so far."""

    lane: int
    counter: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FullAck:
    """An acknowledgement item in full, as it stands in the entry's field."""

    lane: Lane
    size: int
    root: bytes
    refused: tuple[int, ...]


WireAck = tuple[ShortAck | FullAck, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WireEntry:
    """An entry on the wire: time as a difference to the entry before it, acknowledgement None if unchanged."""

    kind: int
    delta: int
    ack: WireAck | None
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """Entries first .. first+n-1 of a lane and the signature over the head after the last."""

    lane: int
    counter: int
    first: int
    items: tuple[WireEntry, ...]
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FullEntries:
    """The same with every leaf and field written out: owed when the short form did not check."""

    lane: Lane
    first: int
    items: tuple[tuple[bytes, Entry], ...]
    """(leaf, entry) in order."""
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationSeed:
    """A generation of a party, its seed, and the root's key statement if its lane key is new."""

    party: int
    generation: Generation
    seed: bytes = field(repr=False)
    statement: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadNote:
    """Somebody's signed head, whole."""

    signed: SignedHead


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """Please send this lane from an index on; in full if the short form did not check."""

    lane: Lane
    first: int
    full: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the sender holds of every lane generation it knows. Advice for sending, never evidence."""

    heads: tuple[tuple[Lane, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkWant:
    """Please send these chunks of an attachment."""

    attachment: bytes
    first: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One chunk of an attachment."""

    attachment: bytes
    number: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosignature:
    """The owner's ML-DSA-44 signature of a head it signed before."""

    lane: Lane
    size: int
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """A part of a content too large for a thin bearer's envelopes."""

    stream: int
    part: int
    parts: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """The sender has left an epoch: nothing at or above this index was sealed in it."""

    attempt: int
    index: int


Frame = (
    Entries | FullEntries | GenerationSeed | HeadNote | Want | Held | ChunkWant | Chunk | Cosignature | Fragment | Last
    | CallSignal
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """An opened envelope: window numbers, frames, and how many frames were of unknown type."""

    first_unopened: int
    floor: int
    frames: tuple[Frame, ...]
    unknown: int


def _lane(lane: Lane) -> list[Value]:
    return [lane.number, lane.generation.counter, lane.generation.nonce]


def _ack_value(item: ShortAck | FullAck) -> Value:
    if isinstance(item, ShortAck):
        return [item.lane, item.counter, item.size]
    return [*_lane(item.lane), item.size, item.root, list(item.refused)]


def frame_value(frame: Frame) -> Value:
    """A frame as a codec value."""
    match frame:
        case Entries():
            items: list[Value] = [
                [e.kind, e.delta, None if e.ack is None else [_ack_value(item) for item in e.ack], e.body]
                for e in frame.items
            ]
            return [ENTRIES, frame.lane, frame.counter, frame.first, items, frame.signature]
        case FullEntries():
            full: list[Value] = [[leaf, e.secret, e.kind, e.time, e.ack, e.body] for leaf, e in frame.items]
            return [FULL, *_lane(frame.lane), frame.first, full, frame.signature]
        case GenerationSeed():
            place = frame.generation
            return [GENERATION, frame.party, place.counter, place.nonce, frame.seed, frame.statement]
        case HeadNote():
            head = frame.signed.head
            return [HEAD, *_lane(head.lane), head.size, head.root, frame.signed.ed25519]
        case Want():
            return [WANT, *_lane(frame.lane), frame.first, int(frame.full)]
        case Held():
            return [HELD, [[*_lane(lane), size] for lane, size in frame.heads]]
        case ChunkWant():
            return [CHUNK_WANT, frame.attachment, frame.first, frame.count]
        case Chunk():
            return [CHUNK, frame.attachment, frame.number, frame.data]
        case Cosignature():
            return [COSIGNATURE, *_lane(frame.lane), frame.size, frame.signature]
        case Fragment():
            return [FRAGMENT, frame.stream, frame.part, frame.parts, frame.data]
        case Last():
            return [LAST, frame.attempt, frame.index]
        case CallSignal():
            return signal_value(frame)


def encode_content(first_unopened: int, floor: int, frames: Sequence[bytes]) -> bytes:
    """The content of an envelope, from encoded frames."""
    head = encode([first_unopened, floor])[1:]
    count = 2 + len(frames)
    # The same bytes as encoding the whole array: the head of an array, then its members one after the other.
    array = bytes((0x80 | count,)) if count < 24 else b"\x98" + bytes((count,)) if count < 256 else b""
    if not array:
        raise Malformed("more than 253 frames in one envelope")
    return b"".join((array, head, *frames))


def decode_content(line: bytes, content: bytes) -> Content:
    """Read the content of an opened envelope. Raises Malformed or TooLarge: its sender is faulty."""
    members = decode(content)
    if not isinstance(members, list) or len(members) < 2:
        raise Malformed("content is an array of two numbers and frames")
    numbers = Fields(members[:2])
    frames, unknown = read_frames(line, members[2:])
    return Content(
        first_unopened=numbers.uint(0, MAX_SEQ), floor=numbers.uint(1, MAX_SEQ), frames=frames, unknown=unknown
    )


def read_frames(line: bytes, values: Sequence[Value]) -> tuple[tuple[Frame, ...], int]:
    """Frames of known types, and the number of others. Raises Malformed or TooLarge."""
    frames: list[Frame] = []
    unknown = 0
    for value in values:
        frame = _read_frame(line, Fields(value))
        if frame is None:
            unknown += 1
        else:
            frames.append(frame)
    return tuple(frames), unknown


def _read_frame(line: bytes, members: Fields) -> Frame | None:
    match members.uint(0, 2**32):
        case 0:
            return _read_entries(line, members)
        case 4:
            return _read_full(line, members)
        case 1:
            generation = read_generation(members, 2)
            return GenerationSeed(
                party=members.uint(1, MAX_PARTIES - 1),
                generation=generation,
                seed=members.bytes(4, exactly=32),
                statement=members.bytes(5, most=8_192),
            )
        case 2:
            head = Head(lane=_lane_at(line, members), size=members.uint(4, MAX_SEQ), root=members.bytes(5, exactly=32))
            return HeadNote(signed=SignedHead(head=head, ed25519=members.bytes(6, exactly=ED25519_SIGNATURE)))
        case 3:
            return Want(lane=_lane_at(line, members), first=members.uint(4, MAX_SEQ), full=members.uint(5, 1) == 1)
        case 5:
            listed = [Fields(item) for item in members.list(1, MAX_HELD)]
            return Held(heads=tuple((ack_lane(line, item), item.uint(3, MAX_SEQ)) for item in listed))
        case 6:
            return ChunkWant(
                attachment=members.bytes(1, exactly=32), first=members.uint(2, 2**20), count=members.uint(3, 2**16)
            )
        case 7:
            return Chunk(
                attachment=members.bytes(1, exactly=32),
                number=members.uint(2, 2**20),
                data=members.bytes(3, most=MAX_CHUNK),
            )
        case 8:
            return Cosignature(
                lane=_lane_at(line, members),
                size=members.uint(4, MAX_SEQ),
                signature=members.bytes(5, exactly=MLDSA_SIGNATURE),
            )
        case 9:
            return _read_fragment(members)
        case 10:
            return Last(attempt=members.uint(1, 2**32 - 1), index=members.uint(2, MAX_SEQ))
        case 11:
            return read_signal(line, members)
        case _:
            return None


def _lane_at(line: bytes, members: Fields) -> Lane:
    """The lane that a frame names in members 1 to 3."""
    return ack_lane(line, Fields([members.any(1), members.any(2), members.any(3)]))


def _read_fragment(members: Fields) -> Fragment:
    fragment = Fragment(
        stream=members.uint(1, 2**32 - 1),
        part=members.uint(2, MAX_PARTS - 1),
        parts=members.uint(3, MAX_PARTS),
        data=members.bytes(4, most=MAX_VALUE),
    )
    if fragment.part >= fragment.parts:
        raise Malformed("a fragment beyond its count")
    return fragment


def _read_ack(line: bytes, value: Value) -> WireAck | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > 2 * MAX_PARTIES:
        raise Malformed("not an acknowledgement")
    items: list[ShortAck | FullAck] = []
    for item in value:
        members = Fields(item)
        if len(members) == 3:
            short = ShortAck(
                lane=members.uint(0, 2 * MAX_PARTIES - 1),
                counter=members.uint(1, MAX_GENERATION),
                size=members.uint(2, MAX_SEQ),
            )
            items.append(short)
            continue
        if len(members) != 6:
            raise Malformed("an acknowledgement item has six members")
        refused = Fields(members.list(5, 256))
        items.append(
            FullAck(
                lane=ack_lane(line, members),
                size=members.uint(3, MAX_SEQ),
                root=members.bytes(4, exactly=32),
                refused=tuple(refused.uint(place, MAX_SEQ) for place in range(len(refused))),
            )
        )
    return tuple(items)


def _read_entries(line: bytes, members: Fields) -> Entries:
    items: list[WireEntry] = []
    for item in members.list(4, MAX_ENTRIES):
        # Read by hand: this is the hot path, and four members need no reader object.
        if not isinstance(item, list) or len(item) < 4:
            raise Malformed("an entry has four members")
        kind, delta, ack, body = item[:4]
        if type(kind) is not int or not 0 <= kind < 2**16 or not isinstance(body, bytes) or len(body) > MAX_BODY:
            raise Malformed("an entry out of shape")
        if type(delta) is not int or abs(delta) > 2 * MAX_INSTANT:
            raise Malformed("a time out of bounds")
        items.append(WireEntry(kind=kind, delta=delta, ack=_read_ack(line, ack), body=body))
    if not items:
        raise Malformed("a frame without entries")
    return Entries(
        lane=members.uint(1, 2 * MAX_PARTIES - 1),
        counter=members.uint(2, MAX_GENERATION),
        first=members.uint(3, MAX_SEQ),
        items=tuple(items),
        signature=members.bytes(5, exactly=ED25519_SIGNATURE),
    )


def _read_full(line: bytes, members: Fields) -> FullEntries:
    items: list[tuple[bytes, Entry]] = []
    for value in members.list(5, MAX_ENTRIES):
        item = Fields(value)
        entry = Entry(
            secret=item.bytes(1, exactly=32),
            kind=item.bytes(2),
            time=item.bytes(3),
            ack=item.bytes(4),
            body=item.bytes(5),
        )
        items.append((item.bytes(0, most=512), entry))
    if not items:
        raise Malformed("a frame without entries")
    return FullEntries(
        lane=_lane_at(line, members),
        first=members.uint(4, MAX_SEQ),
        items=tuple(items),
        signature=members.bytes(6, exactly=ED25519_SIGNATURE),
    )
