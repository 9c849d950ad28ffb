"""Targets in the kernel: codec, envelopes, notes, proofs, leaves, cards, terms, key statements.

Where a signature or a seal would stop every change at the door, the target also signs or seals what it was given,
under the true key: the peer is authenticated and hostile.
"""

import fuzz.remembered  # noqa: F401 - for its effect
from fuzz.target import Input, Run, vector_inputs
from openline.kernel import keys, lane, terms
from openline.kernel.codec import Value, decode, encode
from openline.kernel.crypto import Signer, digest, seal_key
from openline.kernel.envelope import (
    HEADER,
    Incoming,
    IncomingState,
    Outgoing,
    OutgoingState,
    first_chain,
    handshake_key,
    open_handshake,
    seal_handshake,
)
from openline.kernel.errors import Refused
from openline.kernel.lane import GENERATION_ZERO, Generation, Head, Lane
from openline.kernel.merkle import (
    Peaks,
    check_consistency,
    consistency_proof,
    grown,
    inclusion_proof,
    leaf_hash,
    root_from_inclusion,
    subtree_root,
)
from openline.kernel.units import BUCKETS, Instant

LINE = digest(b"line")
LANE = Lane(LINE, 3, Generation(7, bytes.fromhex("00ff00ff00ff00ff")))
OWNER = Signer(digest(b"owner"), digest(b"owner's second"))
ROOT = Signer(digest(b"root"), digest(b"root's second"))


def fixed(size: int) -> bytes:
    """No randomness: a finding must be found again."""
    return bytes(size)


# --- codec -------------------------------------------------------------------------------------------------


def make_codec() -> Run:
    """Spec 2.1 to 2.9: one form for each value."""

    def run(data: bytes) -> None:
        assert encode(decode(data)) == data, "a value has two forms"

    return run


def seeds_codec() -> dict[str, bytes]:
    return {name: data for name, data in vector_inputs("codec", "data").items() if len(data) < 2_000}


# --- envelopes ---------------------------------------------------------------------------------------------

EPOCH = digest(b"epoch")


def _incoming() -> IncomingState:
    """A receiver that has opened index 2 of indexes 0 to 2."""
    outgoing, incoming = Outgoing(OutgoingState(index=0, chain=first_chain(EPOCH, 0, 1))), _fresh()
    outgoing.free(outgoing.reserve()[1])
    sealed = [outgoing.seal(b"\x82\x00\x00")[1] for _ in range(3)]
    incoming.open(sealed[2])
    return incoming.state


def _fresh() -> Incoming:
    return Incoming(IncomingState(edge=0, chain=first_chain(EPOCH, 0, 1)))


def _keys() -> list[tuple[bytes, bytes]]:
    """Tags and keys of the first indexes, as the sender has them."""
    outgoing = Outgoing(OutgoingState(index=0, chain=first_chain(EPOCH, 0, 1)))
    return [(tag, key) for _, tag, key in outgoing.reserve()[1]]


def make_envelope() -> Run:
    """Spec 9.1 to 9.6. First byte 0: an envelope as it comes; else a plaintext sealed under the key of index first - 1."""
    kept, keys = _incoming(), _keys()

    def run(data: bytes) -> None:
        given = Input(data)
        mode = given.number()
        envelope = given.rest()
        if mode:
            tag, key = keys[(mode - 1) % len(keys)]
            envelope = b"\x01" + tag + seal_key(key, envelope, b"\x01" + tag)
        receiver = Incoming(kept)
        before, known = receiver.state, receiver.knows(envelope)
        try:
            receiver.open(envelope)
        except Refused as refusal:
            # Of a refused envelope the key is gone only if it opened and what was in it is out of form (9.2).
            if receiver.state != before and not (refusal.code == "malformed" and known):
                raise AssertionError("a refused envelope changed something") from None
            raise
        assert not receiver.knows(envelope), "an envelope opens twice"

    return run


def seeds_envelope() -> dict[str, bytes]:
    outgoing = Outgoing(OutgoingState(index=0, chain=first_chain(EPOCH, 0, 1)))
    outgoing.free(outgoing.reserve()[1])
    made = {f"index-{index}": b"\0" + outgoing.seal(b"\x82\x00\x00")[1] for index in range(4)}
    for bucket in BUCKETS[:2]:
        inside = b"\x82\x00\x00"
        made[f"padded-{bucket}"] = b"\1" + (len(inside).to_bytes(2, "big") + inside).ljust(bucket - HEADER - 16, b"\0")
    return made


def make_handshake_envelope() -> Run:
    """Spec 10.2. First byte 0: an envelope as it comes; else a plaintext sealed under the true key."""
    key = handshake_key(digest(b"psk"), LINE, 0, 1)

    def run(data: bytes) -> None:
        mode, rest = data[:1], data[1:]
        if mode != b"\0":
            assert open_handshake(key, seal_handshake(key, rest, fixed)) == rest
            return
        open_handshake(key, rest)

    return run


def seeds_handshake_envelope() -> dict[str, bytes]:
    key = handshake_key(digest(b"psk"), LINE, 0, 1)
    return {"whole": b"\0" + seal_handshake(key, b"\x83\x18\x18\x01\x02", fixed), "inside": b"\1\x83\x18\x18\x01\x02"}


# --- lanes -------------------------------------------------------------------------------------------------


def make_note() -> Run:
    """Spec 5.1 to 5.7. First byte 0: a note as it comes; 1: a text, which the owner signs; 2: lines after a true note."""
    true = lane.note(lane.sign_head(OWNER, Head(lane=LANE, size=300, root=digest(b"root of 300"))), OWNER.public)

    def run(data: bytes) -> None:
        mode, rest = data[:1], data[1:]
        if mode == b"\1":
            rest += b"\n" + lane.signature_lines(LANE.origin, OWNER.public, OWNER.ed25519(rest))
        elif mode == b"\2":
            rest = true + rest
        signed = lane.parse_note(rest, LANE, OWNER.public)
        text, _ = lane.split_note(rest)
        assert signed.head.text() == text, "a head has two texts"
        lane.parse_note(lane.note(signed, OWNER.public), LANE, OWNER.public)

    return run


def seeds_note() -> dict[str, bytes]:
    head = Head(lane=LANE, size=300, root=digest(b"root of 300"))
    true = lane.note(lane.sign_head(OWNER, head), OWNER.public)
    other = lane.signature_lines("example.com/witness", ROOT.public, bytes(64))
    made = {
        "true": b"\0" + true,
        "text": b"\1" + head.text(),
        "witness": b"\2" + other,
        "twice": b"\2" + other + other,
        "both": b"\0" + lane.note(lane.sign_head(OWNER, head, milestone=True), OWNER.public),
    }
    return made | {name: b"\0" + text for name, text in vector_inputs("note", "note").items() if len(text) < 2_000}


def make_generation() -> Run:
    """Spec 4.3: one text for each generation."""

    def run(data: bytes) -> None:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return
        assert str(lane.parse_generation(text)) == text

    return run


def seeds_generation() -> dict[str, bytes]:
    return {"zero": b"0"} | {name: text for name, text in vector_inputs("generation", "text").items() if len(text) < 99}


def make_leaf() -> Run:
    """Spec 4.9: a leaf stands in one place. The index is the first eight bytes."""

    def run(data: bytes) -> None:
        given = Input(data)
        index, leaf = given.number(8), given.rest()
        commitments = lane.parse_leaf(LANE, index, leaf)
        assert len(commitments) == 4
        assert all(len(each) == 32 for each in commitments)

    return run


def seeds_leaf() -> dict[str, bytes]:
    hashes = [digest(bytes((n,))) for n in range(4)]
    made = {f"at-{at}": at.to_bytes(8, "big") + lane.make_leaf(LANE, at, hashes) for at in (0, 5, 24, 300, 2**48 - 1)}
    return made | {"elsewhere": bytes(8) + lane.make_leaf(Lane(LINE, 2, GENERATION_ZERO), 0, hashes)}


def make_proof() -> Run:
    """Spec 4.11, RFC 9162. Numbers, then hashes; first byte even: an inclusion, odd: a consistency."""

    def run(data: bytes) -> None:
        given = Input(data)
        mode, old, new = given.number(), given.number(6), given.number(6)
        first, second = given.take(32), given.take(32)
        hashes = []
        while given:
            hashes.append(given.take(32))
        if mode % 2:
            check_consistency(old, new, first, second, hashes)
            assert old <= new
            return
        root = root_from_inclusion(old, new, leaf_hash(first), hashes)
        assert len(root) == 32
        assert old < new

    return run


def seeds_proof() -> dict[str, bytes]:
    peaks, completed = Peaks(), []
    for index in range(11):
        peaks, nodes = grown(peaks, leaf_hash(bytes((index,)).ljust(32, b"\0")))
        completed.append(nodes)

    def node(level: int, place: int) -> bytes:
        return completed[((place + 1) << level) - 1][level]

    made: dict[str, bytes] = {}
    for index, size in ((0, 1), (3, 7), (6, 7), (10, 11)):
        path = inclusion_proof(index, size, node)
        numbers = b"\0" + index.to_bytes(6, "big") + size.to_bytes(6, "big")
        made[f"inclusion-{index}-in-{size}"] = numbers + bytes((index,)).ljust(32, b"\0") + bytes(32) + b"".join(path)
    for old, new in ((0, 5), (3, 7), (7, 7), (4, 11)):
        numbers = b"\1" + old.to_bytes(6, "big") + new.to_bytes(6, "big")
        roots = (subtree_root(0, old, node) if old else digest(b"")) + subtree_root(0, new, node)
        made[f"consistency-{old}-{new}"] = numbers + roots + b"".join(consistency_proof(old, new, node))
    return made


# --- identities --------------------------------------------------------------------------------------------


def make_card() -> Run:
    """Spec 3.1 to 3.5. First byte 0: a signed card as it comes; else the card's body, which its root signs."""

    def run(data: bytes) -> None:
        mode, rest = data[:1], data[1:]
        raw = rest if mode == b"\0" else _signed_card(rest)
        assert keys.read_card(raw).raw == raw

    return run


def _signed_card(body: bytes) -> bytes:
    """A card of that body under the root of this file; the form of spec 3.2."""
    signed = b"openline/1 card\n" + body
    return encode([body, ROOT.ed25519(signed), ROOT.mldsa(signed)])


def _body(raw: bytes) -> bytes:
    """The part of a card or statement that is signed."""
    whole: Value = decode(raw)
    assert isinstance(whole, list)
    assert isinstance(whole[0], bytes)
    return whole[0]


def seeds_card() -> dict[str, bytes]:
    card = keys.make_card(
        name="ALPHA",
        root=ROOT,
        lane=OWNER.public,
        certificate=b"certificate",
        addresses=("tls:192.0.2.1:7460", "mail:alpha@example.org"),
        made=Instant(1_700_000_000_000),
        expires=Instant(1_800_000_000_000),
    )
    return {"whole": b"\0" + card.raw, "body": b"\1" + _body(card.raw)}


def make_terms() -> Run:
    """Spec 3.6 to 3.9, 16.4: terms, and the policy in them."""

    def run(data: bytes) -> None:
        mode, rest = data[:1], data[1:]
        if mode == b"\1":
            policy = terms.parse_policy(decode(rest))
            assert terms.parse_policy(terms.policy_value(policy)) == policy
            return
        assert terms.parse_terms(rest).line == terms.line_id(rest)

    return run


def seeds_terms() -> dict[str, bytes]:
    parties = [
        keys.make_card(
            name=name,
            root=Signer(digest(name.encode()), digest(name.encode() * 2)),
            lane=Signer(digest(name.encode() * 4), digest(name.encode() * 5)).public,
            certificate=b"certificate",
            addresses=(),
            made=Instant(0),
            expires=Instant(1),
        ).party(digest(name.encode() * 3))
        for name in ("ALPHA", "BRAVO")
    ]
    policy = terms.Policy(title="Test line")
    return {
        "terms": b"\0" + terms.make_terms((parties[0], parties[1]), policy).raw,
        "policy": b"\1" + encode(terms.policy_value(policy)),
    } | {name: b"\0" + raw for name, raw in vector_inputs("terms", "terms").items() if len(raw) < 4_000}


def make_statement() -> Run:
    """Spec 3.10. First byte 0: a statement as it comes; else a body, which the root signs."""
    generation = Generation(3, bytes(8))

    def run(data: bytes) -> None:
        mode, rest = data[:1], data[1:]
        if mode != b"\0":
            signed = b"openline/1 key statement\n" + rest
            rest = encode([rest, ROOT.ed25519(signed), ROOT.mldsa(signed)])
        keys.statement_generation(rest)
        keys.read_statement(rest, LINE, 1, generation, ROOT.public)

    return run


def seeds_statement() -> dict[str, bytes]:
    raw = keys.make_statement(LINE, 1, Generation(3, bytes(8)), OWNER.public, ROOT)
    return {"whole": b"\0" + raw, "body": b"\1" + _body(raw)}
