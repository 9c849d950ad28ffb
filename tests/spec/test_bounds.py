"""Every bound of form of section 12 at its value and one beyond: 12.1.

The values are read from the table, so that neither the program nor this file can move one alone.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from openline.archive.evidence import read_evidence
from openline.kernel.codec import Value, decode, encode
from openline.kernel.crypto import digest
from openline.kernel.envelope import Incoming, IncomingState, Outgoing, OutgoingState, first_chain
from openline.kernel.errors import Malformed, Refused, Replayed, TooLarge
from openline.kernel.keys import make_card, make_statement
from openline.kernel.lane import Generation, Head, note, parse_generation, parse_note, sign_head, signature_lines
from openline.kernel.terms import Policy, make_terms
from openline.protocol.acknowledgements import decode_ack, read_ended
from openline.protocol.bodies import decode_body, encode_body
from openline.protocol.call_entries import Minutes, Seat, SeatAct
from openline.protocol.entries import (
    AnyEntry,
    Attachment,
    Cause,
    Decline,
    GenerationEntry,
    Message,
    Precedence,
    Query,
    Role,
    Watch,
    kind_of,
)
from openline.protocol.fields import NamedHead, Ref, decode_kind, decode_time
from openline.protocol.frames import GenerationSeed, decode_content
from openline.protocol.generations import Generations
from openline.protocol.milestones import PAUSE_MS, Milestones
from openline.protocol.records import PutEvidence, PutGeneration
from tests.spec import parties
from tests.spec.call_samples import PROTECTION, RING_AT
from tests.spec.line import Line, watch
from tests.spec.test_limits import FORM, rows

ROWS = {**dict(rows(FORM)), "MIN_INSTANT": -dict(rows(FORM))["MAX_INSTANT"]}
ROOT = Path(__file__).resolve().parents[2]
ZERO = bytes(8)
HASH = digest(b"hash")
MESSAGE = Message(precedence=Precedence.ROUTINE, language="en", text="Good evening.")
FILE = Attachment(name="map.png", media_type="image/png", size=40_000, digest=HASH, chunk=12_000)


def body(entry: AnyEntry) -> None:
    """Read an entry's body as a peer would."""
    decode_body(kind_of(entry), encode_body(entry))


def content(*frames: Value) -> None:
    """Read the content of an envelope."""
    decode_content(parties.LINE, encode([0, 0, *frames]))


def byte_string(size: int) -> bytes:
    """An item of so many bytes in all, its three of head included; made by hand, as ours would refuse."""
    return b"\x59" + (size - 3).to_bytes(2, "big") + bytes(size - 3)


def numbers_in(count: int) -> bytes:
    """An item that contains so many items in all."""
    return b"\x99" + (count - 1).to_bytes(2, "big") + bytes(count - 1)


def members(count: int) -> None:
    """Terms of so many parties."""
    made = []
    for number in range(count):
        card = make_card(
            name=f"P{number}",
            root=parties.signer(f"root {number}"),
            lane=parties.signer(f"lane {number}").public,
            certificate=b"certificate",
            addresses=(),
            made=parties.card().made,
            expires=parties.card().expires,
        )
        made.append(card.party(parties.secret(f"nonce {number}")))
    make_terms(tuple(made), Policy())


def acknowledgement(size: int) -> bytes:
    """A field of exactly so many bytes, filled up with refused indexes of nine bytes and of one."""
    heads_of: list[Value] = [[lane, 0, ZERO, 2**48 - 1, HASH, []] for lane in range(4, 32)]
    for wide in range(230):
        for narrow in range(24):
            refused: list[Value] = [*range(narrow), *range(2**40, 2**40 + wide)]
            made = encode([[3, 0, ZERO, 2**48 - 1, HASH, refused], *heads_of])
            if len(made) == size:
                return made
    raise AssertionError("no acknowledgement of that size")


def filled_note(size: int) -> bytes:
    """A true note made longer by another's signature, to exactly so many bytes."""
    true = note(sign_head(parties.OWNER, Head(lane=parties.lane(), size=3, root=HASH)), parties.OWNER.public)
    rest = size - len(true) - len("— x AAAA\n".encode())
    return true + ("— x" + "y" * (rest % 4) + " " + "AAAA" * (rest // 4 + 1) + "\n").encode()


def signatures(count: int) -> bytes:
    """A true note with so many signatures in all."""
    true = note(sign_head(parties.OWNER, Head(lane=parties.lane(), size=3, root=HASH)), parties.OWNER.public)
    return true + b"".join(
        signature_lines(f"example.com/{number}", parties.OWNER.public, bytes(64)) for number in range(count - 1)
    )


def heads(count: int) -> tuple[NamedHead, ...]:
    """So many heads, in order."""
    return tuple(
        NamedHead(lane=number % 2, generation=Generation(number // 2, ZERO), size=1, root=HASH)
        for number in sorted(range(count), key=lambda number: (number % 2, number // 2))
    )


def proof(count: int) -> bytes:
    """Evidence of which one side's proof has so many hashes."""
    side: Value = [3, HASH, bytes(64), b""]
    longer: Value = [4, HASH, bytes(64), b""]
    hashes: list[Value] = [HASH] * count
    return encode([1, parties.LINE, 0, 0, ZERO, side, longer, 0, HASH, hashes, digest(b"other"), []])


def sealed(size: int) -> None:
    """Seal a content of so many bytes."""
    outgoing = Outgoing(OutgoingState(index=0, chain=first_chain(HASH, 0, 1)))
    outgoing.free(outgoing.reserve()[1])
    outgoing.seal(bytes(size))


def carded(*, certificate: int = 3, addresses: int = 1) -> None:
    """Make a card, which is read at once."""
    make_card(
        name="ALPHA",
        root=parties.ROOTS["ALPHA"],
        lane=parties.LANES["ALPHA"].public,
        certificate=bytes(certificate),
        addresses=tuple(f"tls:192.0.2.1:{port}" for port in range(7_000, 7_000 + addresses)),
        made=parties.card().made,
        expires=parties.card().expires,
    )


SEAT = Seat(of=RING_AT, act=SeatAct.LEAVES, number=0, role=Role.WATCH_OFFICER, sign="W1")
CONNECTED = replace(SEAT, act=SeatAct.CONNECTED, protection=PROTECTION)
MINUTES = Minutes(of=RING_AT, clauses=((("en", "a"),),), role=Role.WATCH_OFFICER, sign="W1")
# What reads a value of that bound: called with the bound and with one more.
READERS: dict[str, Callable[[int], object]] = {
    "MAX_VALUE": lambda n: decode(byte_string(n)),
    "MAX_DEPTH": lambda n: decode(b"\x81" * n + b"\x01"),
    "MAX_ITEMS": lambda n: decode(numbers_in(n)),
    "MAX_PARTIES": members,
    "MAX_GENERATION": lambda n: parse_generation(f"{n}-00ff00ff00ff00ff"),
    "MAX_SEQ": lambda n: content([3, 0, 0, ZERO, n, 0]),
    "MAX_INSTANT": lambda n: decode_time(encode(n)),
    "MAX_KIND": lambda n: decode_kind(encode(n)),
    "MAX_BODY": lambda n: content([0, 0, 0, 0, [[16, 0, None, bytes(n)]], bytes(64)]),
    "MAX_ACK": lambda n: decode_ack(acknowledgement(n)),
    "MAX_REFUSED": lambda n: decode_ack(encode([[0, 0, ZERO, 1_000, HASH, list(range(n))]])),
    "MAX_ENDED": lambda n: read_ended([[2, 1 + k, bytes(8), 1, HASH, []] for k in range(n)]),
    "MAX_TEXT": lambda n: body(replace(MESSAGE, text="é" * (n // 2) + "a" * (n % 2))),
    "MAX_SUBJECT": lambda n: body(replace(MESSAGE, subject="a" * n)),
    "MAX_REASON": lambda n: body(
        Decline(
            of=Ref(lane=0, generation=Generation(0, ZERO), index=0, leaf=HASH), reason="a" * n, role=Role(0), sign="A"
        )
    ),
    "MAX_QUERY": lambda n: body(
        Query(
            of=Ref(lane=0, generation=Generation(0, ZERO), index=0, leaf=HASH),
            text="x" * n,
            language="en",
            role=Role.WATCH_OFFICER,
            sign="W1",
        )
    ),
    "MAX_SIGNAL": lambda n: content([11, 0, 0, ZERO, 1, 0, 0, 0, 1, b"x" * n, 0]),
    "MAX_SEAT": lambda n: body(replace(SEAT, number=n)),
    "MAX_CLAUSES": lambda n: body(replace(MINUTES, clauses=((("en", "a"),),) * n)),
    "MAX_CLAUSE_LANGUAGES": lambda n: body(
        replace(MINUTES, clauses=(tuple((f"a{chr(97 + k)}", "") for k in range(n)),))
    ),
    "MAX_PROTECTION_TEXT": lambda n: body(replace(CONNECTED, protection=replace(PROTECTION, srtp="a" * n))),
    "MAX_SIGN": lambda n: body(Watch(attended=True, role=Role.WATCH_OFFICER, sign="A" * n)),
    "MAX_MEDIA_TYPE": lambda n: body(replace(FILE, media_type="a/" + "b" * (n - 2))),
    "MAX_ATTACHMENT": lambda n: body(replace(FILE, size=n)),
    "MAX_CHUNK": lambda n: body(replace(FILE, chunk=n)),
    "MAX_NAMED_HEADS": lambda n: body(GenerationEntry(heads=heads(n), cause=Cause.RESTORED)),
    "MAX_STATEMENT": lambda n: body(GenerationEntry(heads=(), cause=Cause.ROTATION, statement=bytes(n))),
    "MAX_CERTIFICATE": lambda n: carded(certificate=n),
    "MAX_ADDRESSES": lambda n: carded(addresses=n),
    "MAX_CONTENT": sealed,
    "MAX_ENTRIES": lambda n: content([0, 0, 0, 0, [[3, 0, None, b""]] * n, bytes(64)]),
    "MAX_HELD": lambda n: content([5, [[0, 0, ZERO, 1]] * n]),
    "MAX_PARTS": lambda n: content([9, 1, 0, n, b"part"]),
    "MAX_NOTE": lambda n: parse_note(filled_note(n), parties.lane(), parties.OWNER.public),
    "MAX_SIGNATURES": lambda n: parse_note(signatures(n), parties.lane(), parties.OWNER.public),
    "MAX_PROOF": lambda n: read_evidence(proof(n), parties.LINE),
}

# Bounds that something else than one reader keeps, and the test that goes to the bound and beyond.
OTHERS = {
    "WINDOW": ("tests/spec/test_envelope.py", "test_9_12_a_receiver_knows_a_window_ahead_and_no_more"),
    "RESERVE": (
        "tests/spec/test_envelope_windows.py",
        "test_9_12_neither_a_backlog_nor_acknowledgements_shut_flash_out",
    ),
    "RESERVED_INDEXES": (
        "tests/spec/test_envelope_windows.py",
        "test_9_11_a_crash_skips_fewer_indexes_than_are_reserved_and_uses_none_twice",
    ),
    "MAX_FRAMES": ("tests/spec/test_limits.py", "test_12_1_an_envelope_has_at_most_253_frames"),
    "MAX_KEY_GENERATIONS": (
        "tests/spec/test_bounds.py",
        "test_4_19_sixteen_more_generations_are_known_of_those_with_a_key_statement",
    ),
    "MAX_COUNTERS": (
        "tests/spec/test_rotation.py",
        "test_4_19_a_thief_of_a_lane_key_uses_up_no_counters_that_the_next_key_needs",
    ),
    "PAIR_MESSAGE": ("tests/contract/test_tls_links.py", "test_a_pairing_conversation_goes_both_ways"),
}
# Below, in tests of their own: bounds from below, a choice of sizes, and times.
BELOW = {"MIN_INSTANT", "MIN_CHUNK", "MAX_ROLES", "BUCKETS", "MAX_GENERATIONS", "QUIET_MS", "MILESTONE", "MAX_EVIDENCE"}


def test_12_1_every_bound_of_form_is_tested_at_its_value_and_beyond() -> None:
    assert {*READERS, *OTHERS, *BELOW} == set(ROWS)
    for path, name in OTHERS.values():
        assert f"def {name}" in (ROOT / path).read_text(), name


@pytest.mark.parametrize("name", READERS)
def test_12_1_what_is_at_the_bound_is_taken_and_one_more_is_refused(name: str) -> None:
    READERS[name](ROWS[name])
    with pytest.raises(Refused):
        READERS[name](ROWS[name] + 1)


def test_12_1_the_earliest_instant_and_the_smallest_chunk() -> None:
    decode_time(encode(ROWS["MIN_INSTANT"]))
    body(replace(FILE, chunk=ROWS["MIN_CHUNK"]))
    with pytest.raises(Refused):
        decode_time(encode(ROWS["MIN_INSTANT"] - 1))
    with pytest.raises(Refused):
        body(replace(FILE, chunk=ROWS["MIN_CHUNK"] - 1))


def test_12_1_a_message_goes_to_eight_roles_at_most() -> None:
    for numbers, fits in ((range(8), True), (range(9), False), ((*range(8), 8), False)):
        raw = decode(encode_body(MESSAGE))
        assert isinstance(raw, dict)
        key = next(key for key, value in raw.items() if value == [Role.WATCH_OFFICER])
        changed = encode({**raw, key: list(numbers)})
        assert ROWS["MAX_ROLES"] == 8
        if fits and len(Role) >= 8:
            decode_body(kind_of(MESSAGE), changed)
        else:
            with pytest.raises(Refused):
                decode_body(kind_of(MESSAGE), changed)


@pytest.mark.parametrize("size", [256, 1_024, 4_096, 16_384])
def test_9_2_envelopes_have_four_sizes_and_no_other(size: int) -> None:
    incoming = Incoming(IncomingState(edge=0, chain=first_chain(HASH, 0, 1)))
    with pytest.raises(Replayed):  # its size is one, its tag is nobody's
        incoming.open(b"\1" + bytes(size - 1))
    for other in (size - 1, size + 1):
        with pytest.raises(Malformed):
            incoming.open(b"\1" + bytes(other - 1))


def test_12_1_a_size_that_fits_no_envelope_is_too_large() -> None:
    with pytest.raises(TooLarge):
        sealed(16_384)


def test_12_1_sixty_four_generations_of_a_party_are_known_and_no_more() -> None:
    known = Generations(2, lambda _party, _generation: True, own=0)
    put = PutGeneration(party=1, generation=Generation(0, ZERO), seed=HASH)
    for counter in range(1, ROWS["MAX_GENERATIONS"] + 1):
        known.add(replace(put, generation=Generation(counter, HASH[:8])), claim=False, stored=True)
    assert len(known.known(1)) == 64
    with pytest.raises(TooLarge):
        known.add(replace(put, generation=Generation(65, HASH[:8])), claim=False, stored=True)


def test_4_19_sixteen_more_generations_are_known_of_those_with_a_key_statement() -> None:
    known = Generations(2, lambda _party, _generation: True, own=0)
    put = PutGeneration(party=1, generation=Generation(0, ZERO), seed=HASH)
    most = ROWS["MAX_GENERATIONS"] + ROWS["MAX_KEY_GENERATIONS"]
    for counter in range(1, most + 1):
        stated = b"statement" if counter > ROWS["MAX_GENERATIONS"] else b""
        known.add(
            replace(put, generation=Generation(counter, HASH[:8]), statement=stated), claim=False, stored=bool(stated)
        )
    assert len(known.known(1)) == most == 80
    for statement in (b"", b"statement"):
        with pytest.raises(TooLarge):
            known.add(
                replace(put, generation=Generation(most + 1, HASH[:8]), statement=statement), claim=False, stored=False
            )


@pytest.mark.parametrize("room", [1, 0])
def test_12_1_evidence_is_kept_up_to_its_bound(room: int) -> None:
    line = Line()
    alpha, bravo = line.hosts
    generation, _ = alpha.rotate("second key")
    line.settle()
    kept = ROWS["MAX_EVIDENCE"] - room
    bravo.store.commit([PutEvidence(party=0, evidence=number.to_bytes(2, "big")) for number in range(kept)])
    other = parties.signer("third key").public
    second = make_statement(line.terms.line, 0, generation, other, parties.ROOTS[alpha.name])
    alpha.lie(1, GenerationSeed(party=0, generation=generation, seed=HASH, statement=second))
    assert len(bravo.store.evidence()) == 1_024


def test_5_11_every_256th_entry_and_a_pause_of_1500_ms_bring_the_second_signature() -> None:
    engine = Line(2).hosts[0].engine
    state = engine.book.own(urgent=False)
    for size, wait in ((255, "QUIET_MS"), (256, ""), (257, "QUIET_MS"), (512, "")):
        milestones = Milestones(engine.book)
        milestones.note([(state, size)], [(watch(), state)], 10_000)
        assert milestones.deadline() == 10_000 + (ROWS[wait] if wait else PAUSE_MS), size
    assert ROWS["MILESTONE"] == 256
