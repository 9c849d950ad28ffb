"""Targets in what stations say to each other: frames, bodies, small fields, handshake messages, pairing messages."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

from fuzz.target import Input, Run, part
from fuzz.trees import mutated
from openline.kernel.codec import decode, encode
from openline.kernel.crypto import digest
from openline.kernel.errors import Refused
from openline.kernel.lane import Entry, Generation, Head, Lane, SignedHead, leaf_of
from openline.kernel.terms import Policy
from openline.kernel.units import Instant
from openline.protocol import acknowledgements, bodies, entries, fields, frames, references
from openline.protocol.epochs import NO_ROOT, Handshake
from openline.protocol.pairing import Pairing, two_party_terms
from openline.protocol.pairing_messages import decode_message, encode_message, read_heard
from openline.protocol.pairing_outcomes import Accepted, NewLine, Output, Send, Setup
from tests.spec import parties
from tests.spec.call_samples import CALL_EXAMPLES, FULL_EXAMPLES, SIGNAL

LINE = parties.LINE
LANE = Lane(LINE, 1, Generation(2, bytes(8)))


def drawn(name: str) -> Callable[[int], bytes]:
    """Numbers that look random and are the same each time."""
    numbers = count()

    def entropy(size: int, /) -> bytes:
        return (digest(f"{name} {next(numbers)}".encode()) * 2)[:size]

    return entropy


# --- frames ------------------------------------------------------------------------------------------------


def make_frames() -> Run:
    """Spec 8.1 to 8.14: the content of an envelope."""

    def run(data: bytes) -> None:
        content = frames.decode_content(LINE, data)
        if not content.unknown:  # members that a newer version adds are not looked at (16.5), so bytes may differ
            again = [encode(frames.frame_value(frame)) for frame in content.frames]
            written = frames.encode_content(content.first_unopened, content.floor, again)
            assert frames.decode_content(LINE, written) == content, "what was read cannot be written"

    return run


def mutate_frames(data: bytes, largest: int, seed: int) -> bytes:
    return mutated(data, largest, seed)


def every_frame() -> dict[str, frames.Frame]:
    """A frame of each type."""
    hashed, signature = digest(b"hash"), bytes(range(64))
    short = frames.ShortAck(lane=2, counter=0, size=7)
    full = frames.FullAck(lane=Lane(LINE, 3, LANE.generation), size=9, root=hashed, refused=(1,))
    said = (
        frames.WireEntry(kind=3, delta=1_700_000_000_000, ack=(short, full), body=b"\xa0"),
        frames.WireEntry(kind=16, delta=-5, ack=None, body=bodies.encode_body(every_entry()[0])),
    )
    opened = Entry(kind=b"\x03", time=b"\x00", ack=b"\x80", body=b"\xa0", secret=hashed)
    signed = SignedHead(head=Head(lane=LANE, size=4, root=hashed), ed25519=signature, mldsa=b"")
    return {
        "entries": frames.Entries(lane=1, counter=2, first=4, items=said, signature=signature),
        "full": frames.FullEntries(
            lane=LANE, first=4, items=((leaf_of(LANE, 4, opened), opened),), signature=signature
        ),
        "generation": frames.GenerationSeed(party=1, generation=LANE.generation, seed=hashed, statement=b""),
        "head": frames.HeadNote(signed=signed),
        "want": frames.Want(lane=LANE, first=3, full=True),
        "held": frames.Held(heads=((LANE, 5), (Lane(LINE, 0, LANE.generation), 0))),
        "chunk-want": frames.ChunkWant(attachment=hashed, first=0, count=8),
        "chunk": frames.Chunk(attachment=hashed, number=1, data=b"data"),
        "cosignature": frames.Cosignature(lane=LANE, size=4, signature=bytes(2_420)),
        "fragment": frames.Fragment(stream=1, part=0, parts=2, data=b"part"),
        "last": frames.Last(attempt=3, index=70),
        "signal": SIGNAL,
    }


def seeds_frames() -> dict[str, bytes]:
    made = {name: frames.encode_content(3, 1, [encode(frames.frame_value(it))]) for name, it in every_frame().items()}
    made["none"] = frames.encode_content(0, 0, [])
    made["several"] = frames.encode_content(
        1, 0, [encode(frames.frame_value(it)) for name, it in every_frame().items() if name != "cosignature"]
    )
    made["unknown"] = frames.encode_content(0, 0, [encode([99, 1, b"later"])])
    return made


# --- bodies and fields -------------------------------------------------------------------------------------


def make_bodies() -> Run:
    """Spec 6.1 to 6.45. The kind in two bytes, then the body."""

    def run(data: bytes) -> None:
        given = Input(data)
        kind, body = given.number(2), given.rest()
        entry = bodies.decode_body(kind, body)
        assert entries.kind_of(entry) == kind
        assert bodies.decode_body(kind, bodies.encode_body(entry)) == entry, "what was read cannot be written"

    return run


def mutate_bodies(data: bytes, largest: int, seed: int) -> bytes:
    if seed % 8 == 0:
        return bytes((0, seed // 8 % 40)) + data[2:]
    return data[:2].ljust(2, b"\0") + mutated(data[2:], largest - 2, seed)


def every_entry() -> list[entries.AnyEntry]:
    """An entry of most kinds."""
    ref = fields.Ref(lane=2, generation=LANE.generation, index=4, leaf=digest(b"leaf"))
    role, sign, hour = entries.Role.WATCH_OFFICER, "AB", Instant(1_700_000_000_000)
    head = fields.NamedHead(lane=0, generation=LANE.generation, size=4, root=digest(b"root"))
    message = entries.Message(precedence=entries.Precedence.FLASH, language="en", text="A message.")
    return [
        message,
        replace(message, subject="Subject", answers=ref, answer_by=hour),
        entries.TermsEntry(parties.TERMS.raw),
        entries.GenerationEntry(heads=(head,), cause=entries.Cause.RESTORED),
        entries.Watch(attended=True, role=role, sign=sign),
        entries.Interim(of=ref, until=hour, role=role, sign=sign, text="Translating."),
        entries.Decline(of=ref, reason="Not for us.", role=role, sign=sign),
        entries.Receipt(of=ref, step=entries.Step.READ, role=role, sign=sign, at=hour),
        entries.EpochEntry(peer=1, attempt=3, mode=entries.Mode.RESCUE, handshake=digest(b"t")),
        entries.Attachment(
            name="map.png", media_type="image/png", size=40_000, digest=digest(b"f"), chunk=12_000, of=ref
        ),
        entries.AttachmentReceipt(of=ref, state=entries.AttachmentState.HELD),
        entries.Suspend(role=role, sign=sign, reason="A drill."),
        entries.Lift(role=role, sign=sign, reason="It is over."),
        entries.Service(text="Good night.", language="en", sign=sign),
        entries.Test(text="The quick brown fox", language="en", drill=True, number=7),
        entries.KeyNotice(role=entries.KeyRole.LANE, stolen=True, key=digest(b"k")),
        *CALL_EXAMPLES,
        *FULL_EXAMPLES,
    ]


def seeds_bodies() -> dict[str, bytes]:
    return {
        f"{number:02}-{type(entry).__name__.lower()}": entries.kind_of(entry).to_bytes(2, "big")
        + bodies.encode_body(entry)
        for number, entry in enumerate(every_entry())
    }


def make_fields() -> Run:
    """Small things, chosen by the first byte: kind, time and acknowledgement fields (4.12, 4.14), references, spoken digits."""

    def run(data: bytes) -> None:
        mode, rest = data[:1], data[1:]
        match mode[0] % 5 if mode else 0:
            case 0:
                assert fields.encode_kind(fields.decode_kind(rest)) == rest
            case 1:
                assert fields.encode_time(fields.decode_time(rest)) == rest
            case 2:
                assert acknowledgements.encode_ack(acknowledgements.decode_ack(rest)) == rest
            case 3:
                references.parse_reference(rest.decode("utf-8", "replace"))
            case _:
                read_heard(rest.decode("utf-8", "replace"))

    return run


def seeds_fields() -> dict[str, bytes]:
    item = acknowledgements.AckItem(lane=3, generation=LANE.generation, size=9, root=digest(b"r"), refused=(1, 4))
    return {
        "kind": b"\0" + fields.encode_kind(300),
        "time": b"\1" + fields.encode_time(Instant(-5)),
        "ack": b"\2" + acknowledgements.encode_ack([replace(item, lane=2, refused=()), item]),
        "no-ack": b"\2\x80",
        "reference": b"\3ALPHA 0147 211430Z NOV 26",
        "reference-urgent": b"\3BRAVO U0002 010000Z JAN 27",
        "digits": b"\4" + b"1234 5678",
    }


# --- handshakes --------------------------------------------------------------------------------------------

_ROOTS = [parties.ROOTS[name].public.ed25519_key for name in ("ALPHA", "BRAVO")]
_LANES = [parties.LANES[name] for name in ("ALPHA", "BRAVO")]
_HEADS = [Head(lane=Lane(LINE, 0, Generation(0, bytes(8))), size=3, root=digest(b"head"))]


def _side(number: int, attempt: int = 4) -> Handshake:
    return Handshake(
        line=LINE,
        own_root=_ROOTS[number],
        peer_root=_ROOTS[1 - number],
        psk=digest(b"psk"),
        signer=_LANES[number],
        attempt=attempt,
    )


def _receive(side: Handshake, number: int, message: bytes) -> tuple[bytes, ...]:
    roots = {4: digest(b"root 4")}
    said = side.receive(message, _LANES[1 - number].public, _HEADS, roots, drawn(f"side {number}"), yields=bool(number))
    return said.messages


def _signed(message: bytes, *, by: int) -> bytes:
    """An init or reply whose last member signs what it has become; any other message as it is."""
    try:
        members = decode(message)
    except Refused:
        return message
    if not isinstance(members, list) or not members or members[0] not in (20, 21):
        return message
    rest = members[:-1]
    place = b"openline/1 handshake\n" + LINE + _ROOTS[by] + _ROOTS[1 - by]
    return encode([*rest, _LANES[by].ed25519(place + digest(encode(rest)))])


def _state(side: Handshake) -> list[object]:
    return [getattr(side, name) for name in vars(side) if name not in ("_signer", "_reach")]


def make_handshake() -> Run:
    """Spec 10.3 to 10.19. First byte: whether we call first, and whether messages are signed by the peer's true key."""

    def run(data: bytes) -> None:
        given = Input(data)
        mode = given.number()
        side = _side(0)
        if mode & 1:
            side.start(_HEADS, 4, digest(b"root 4"), drawn("start"))
        accepted = 0
        for message in given.parts():
            whole = _signed(message, by=1) if mode & 2 else message
            before = _state(side)
            try:
                _receive(side, 0, whole)
            except Refused as refusal:
                if _state(side) != before:
                    raise AssertionError("a refused handshake message changed something") from refusal
                continue
            accepted += 1
            side.again()
        if not accepted:
            raise Refused("nothing was accepted")

    return run


def mutate_handshake(data: bytes, largest: int, seed: int) -> bytes:
    given = Input(data)
    mode = given.number()
    messages = list(given.parts()) or [b"\x80"]
    place = seed % len(messages)
    match seed // 7 % 6:
        case 0:
            messages.append(messages[place])
        case 1 if len(messages) > 1:
            del messages[place]
        case 2:
            mode ^= 1 << seed % 2
        case _:
            messages[place] = mutated(messages[place], largest, seed)
    return (bytes((mode,)) + b"".join(part(message) for message in messages))[:largest]


def _conversation() -> Iterator[tuple[int, bytes]]:
    """(sender, message) of a whole handshake that side 0 starts."""
    sides = (_side(0), _side(1))
    waiting = [(0, message) for message in sides[0].start(_HEADS, 4, digest(b"root 4"), drawn("start")).messages]
    while waiting:
        sender, message = waiting.pop(0)
        yield sender, message
        waiting += [(1 - sender, answer) for answer in _receive(sides[1 - sender], 1 - sender, message)]


def seeds_handshake() -> dict[str, bytes]:
    said = list(_conversation())
    theirs = [message for sender, message in said if sender == 1]
    own = _side(1)
    init = own.start(_HEADS, 4, digest(b"root 4"), drawn("other start")).messages[0]
    rescue = _side(1).start(_HEADS, 0, NO_ROOT, drawn("rescue")).messages[0]
    return {
        "called": b"\3" + b"".join(part(message) for message in theirs),
        "answering": b"\2" + part(init) + part(init),
        "glare": b"\3" + part(init) + part(theirs[0]),
        "rescue": b"\2" + part(rescue) + part(encode([22, 5, bytes(1_168), bytes(32)])),
        "no": b"\1" + part(encode([24, 5, 9, 0])) + part(encode([23, 5, bytes(32)])),
    }


# --- pairing -----------------------------------------------------------------------------------------------


def _pairing_setup(own: str, peer: str) -> Setup:
    names = (own, peer)
    return Setup(
        own=parties.card(own),
        peer=parties.card(peer),
        signer=parties.LANES[own],
        subject=NewLine(
            members=tuple(parties.ROOTS[name].public.ed25519_key for name in names),
            policy=Policy(title="Test line"),
            nonce=digest(own.encode()),
        ),
        standing={},
        resumes=b"",
    )


def make_pairing_messages() -> Run:
    """Spec 15.10 to 15.23: the messages alone."""

    def run(data: bytes) -> None:
        assert encode_message(decode_message(data)) == data, "a pairing message has two forms"

    return run


def mutate_pairing_messages(data: bytes, largest: int, seed: int) -> bytes:
    return mutated(data, largest, seed)


def _pairing_said() -> tuple[list[bytes], list[bytes]]:
    """What ALPHA and BRAVO say in a whole pairing."""
    machines = [Pairing(_pairing_setup(*names), drawn(names[0])) for names in (("ALPHA", "BRAVO"), ("BRAVO", "ALPHA"))]
    said: tuple[list[bytes], list[bytes]] = ([], [])
    waiting: list[tuple[int, bytes]] = []

    def carry(number: int, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case Send(frame):
                    said[number].append(frame)
                    waiting.append((number, frame))
                case Accepted() as accepted:
                    terms = two_party_terms(machines[number].setup, accepted.peer_nonce)
                    carry(number, machines[number].sign(terms))
                case _:
                    pass

    for number, machine in enumerate(machines):
        carry(number, machine.start())
    while waiting:
        sender, frame = waiting.pop(0)
        carry(1 - sender, machines[1 - sender].receive(frame))
    for number, machine in enumerate(machines):
        carry(number, machine.accept_fingerprint(machine.setup.peer.fingerprint))
    while waiting:
        sender, frame = waiting.pop(0)
        carry(1 - sender, machines[1 - sender].receive(frame))
    return said


def seeds_pairing_messages() -> dict[str, bytes]:
    said = _pairing_said()[1]
    return {f"{number}": frame for number, frame in enumerate(said)} | {"abort": encode([35, 3])}


def make_pairing() -> Run:
    """Spec 15.10 to 15.23: frames of the other side, in any order, to a side that stands at its beginning."""

    def run(data: bytes) -> None:
        machine = Pairing(_pairing_setup("ALPHA", "BRAVO"), drawn("ALPHA"))
        machine.start()
        for frame in Input(data).parts():
            ended = machine.stage.value == "ended"
            outputs = machine.receive(frame)
            assert not (ended and outputs), "who has ended says nothing"
            if any(isinstance(output, Accepted) for output in outputs):
                raise AssertionError("accepted without people")
        if machine.stage.value == "ended":
            raise Refused("the conversation was ended")

    return run


def mutate_pairing(data: bytes, largest: int, seed: int) -> bytes:
    changed = mutate_handshake(b"\0" + data, largest, seed)
    return changed[1:]


def seeds_pairing() -> dict[str, bytes]:
    said = [part(frame) for frame in _pairing_said()[1]]
    return {f"first-{size}": b"".join(said[:size]) for size in range(1, len(said) + 1)}
