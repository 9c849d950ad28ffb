"""Spec 9 (and the sealing of 10.2): tags, one-use keys, padding, the window, and what a store may keep."""

from collections import deque
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openline.kernel.crypto import derive, seal_key
from openline.kernel.envelope import (
    HEADER,
    MAX_CONTENT,
    NONCE,
    SMALL_CONTENT,
    VERSION,
    Incoming,
    IncomingState,
    Outgoing,
    OutgoingState,
    first_chain,
    handshake_key,
    is_handshake,
    open_handshake,
    seal_handshake,
)
from openline.kernel.errors import Bug, Forged, Malformed, Refused, Replayed, TooLarge
from openline.kernel.units import BUCKETS, RESERVED_INDEXES, WINDOW
from tests.spec.parties import secret

ROOT = secret("epoch root")
CHAIN = first_chain(ROOT, 0, 1)


def ratchet(count: int, chain: bytes = CHAIN) -> list[tuple[bytes, bytes, bytes]]:
    """(tag, key, next chain key) of the first indexes, written out from 9.4."""
    found = []
    for _ in range(count):
        tag, key = derive(chain, b"openline/1 tag")[:6], derive(chain, b"openline/1 key")
        chain = derive(chain, b"openline/1 next")
        found.append((tag, key, chain))
    return found


def sender(count: int = 0) -> Outgoing:
    """A sending direction with that many indexes freed, by whole reservations."""
    outgoing = Outgoing(OutgoingState(index=0, chain=CHAIN))
    while outgoing.left < count:
        outgoing.free(outgoing.reserve()[1])
    return outgoing


def receiver() -> Incoming:
    return Incoming(IncomingState(edge=0, chain=CHAIN))


def envelopes(count: int) -> list[bytes]:
    outgoing = sender(count)
    return [outgoing.seal(b"content %d" % index)[1] for index in range(count)]


# --- bytes -------------------------------------------------------------------------------------------------------------


def test_9_3_and_9_4_the_example_is_true() -> None:
    """Clauses 9.3 and 9.4."""
    chain = first_chain(bytes(32), 0, 1)
    assert chain.hex() == "874c1301c0351ded5a3a381d1572f9960cdf2646dfcbbd852cda5b10e11b2db7"
    ((tag, key, after),) = ratchet(1, chain)
    assert tag.hex() == "3dfe39c96f04"
    assert key.hex() == "d9b3cf10887cdda5ac9ea9b296318b5ef280520ab35855acc1e6066b92ce7d9a"
    assert after.hex() == "90625ab424e7cc91c44f829ac5bc6bde4a8242030f32cf7ddd6d198654d9c29c"


def test_9_3_directions_and_parties_share_no_key() -> None:
    assert len({first_chain(ROOT, a, b) for a in range(4) for b in range(4)}) == 16


def test_9_1_an_envelope_is_header_and_seal() -> None:
    (tag, key, _), *_ = ratchet(1)
    index, envelope = sender(1).seal(b"hello")
    header = b"\x01" + tag
    padded = b"\x00\x05hello" + bytes(256 - 7 - 16 - 7)
    assert (index, envelope) == (0, header + seal_key(key, padded, header))


@pytest.mark.parametrize(
    "size, bucket",
    [(0, 256), (SMALL_CONTENT, 256), (SMALL_CONTENT + 1, 1_024), (999, 1_024), (1_000, 4_096), (4_071, 4_096),
     (4_072, 16_384), (MAX_CONTENT, 16_384)],
)  # fmt: skip
def test_9_2_the_smallest_size_that_fits(size: int, bucket: int) -> None:
    content = bytes(range(1, 256)) * 70
    envelope = sender(1).seal(content[:size])[1]
    assert len(envelope) == bucket
    assert receiver().open(envelope) == (0, content[:size])
    assert (SMALL_CONTENT, MAX_CONTENT) == (231, 16_359)


def test_9_2_what_is_too_large_uses_no_key() -> None:
    outgoing = sender(1)
    with pytest.raises(TooLarge):
        outgoing.seal(bytes(MAX_CONTENT + 1))
    assert outgoing.seal(b"")[0] == 0


@pytest.mark.parametrize("size", [0, 1, 6, 7, 255, 257, 1_023, 16_385, 70_000])
def test_9_2_another_size_is_refused(size: int) -> None:
    incoming, envelope = receiver(), envelopes(1)[0]
    with pytest.raises(Malformed):
        incoming.open((envelope + bytes(70_000))[:size])
    assert incoming.open(envelope)[0] == 0


@pytest.mark.parametrize(
    "padded",
    [
        b"\x00\x00" + bytes(230) + b"\x01",
        b"\x00\x05hello\x01" + bytes(225),
        b"\xff\xff" + bytes(231),
        b"\x00\x05hello" + bytes(994),
    ],
)
def test_9_2_another_padding_is_refused_and_the_key_gone(padded: bytes) -> None:
    (tag, key, _), *_ = ratchet(1)
    incoming = receiver()
    envelope = VERSION + tag + seal_key(key, padded, VERSION + tag)
    assert len(envelope) in BUCKETS
    with pytest.raises(Malformed):
        incoming.open(envelope)
    with pytest.raises(Replayed):
        incoming.open(envelope)
    assert incoming.first_unopened == 1


def test_9_5_an_unknown_tag_costs_a_look_up() -> None:
    incoming, (known, *_) = receiver(), envelopes(1)
    assert incoming.knows(known)
    for unknown in (b"\x02" + known[1:], bytes(256), b"", b"\x01", known[:6], VERSION + secret("x")[:6] + known[7:]):
        assert not incoming.knows(unknown)
        with pytest.raises((Replayed, Malformed)):
            incoming.open(unknown)
    assert incoming.open(known) == (0, b"content 0")


# --- one-use keys -------------------------------------------------------------------------------------------------------


def test_9_6_an_envelope_opens_once() -> None:
    incoming, (one, *_) = receiver(), envelopes(1)
    incoming.open(one)
    assert not incoming.knows(one)
    with pytest.raises(Replayed):
        incoming.open(one)


@given(st.integers(8 * HEADER, 256 * 8 - 1))
@settings(max_examples=50)
def test_9_6_garbage_under_a_seen_tag_cannot_burn_it(bit: int) -> None:
    incoming, (one, *_) = receiver(), envelopes(1)
    damaged = bytearray(one)
    damaged[bit >> 3] ^= 1 << (bit & 7)
    with pytest.raises(Forged):
        incoming.open(bytes(damaged))
    assert incoming.open(one) == (0, b"content 0")


def test_9_6_what_the_store_keeps_opens_nothing_that_was_opened() -> None:
    """Keys of opened indexes are in no part of the state; keys of holes and of what is to come are."""
    sealed, incoming = envelopes(6), receiver()
    for index in (0, 1, 4):
        incoming.open(sealed[index])
    again = Incoming(incoming.state)
    for index in (0, 1, 4):
        with pytest.raises(Replayed):
            again.open(sealed[index])
    assert [again.open(sealed[index])[0] for index in (5, 3, 2)] == [5, 3, 2]
    kept = repr([(hole[0], hole[1], hole[2]) for hole in incoming.state.holes]) + repr(incoming.state.chain)
    keys = ratchet(6)
    assert [repr(keys[index][1]) in kept for index in range(6)] == [False, False, True, True, False, False]
    assert incoming.state.chain == keys[4][2]


def test_9_6_secrets_do_not_show_in_a_representation() -> None:
    state = Incoming(IncomingState(edge=0, chain=CHAIN)).state
    assert repr(CHAIN) not in repr(state) + repr(OutgoingState(index=0, chain=CHAIN))


def test_9_5_two_indexes_may_share_a_tag() -> None:
    """By chance one epoch in a hundred thousand; and whoever grinds shares can have it so."""
    (tag, key, _), *_ = ratchet(1)
    other = secret("another key")
    hole = (1, tag, other)
    for state, wanted in (
        (IncomingState(edge=2, chain=CHAIN, holes=(hole,)), (2, key)),
        (IncomingState(edge=2, chain=CHAIN, holes=(hole, (0, tag, secret("third")))), (1, other)),
    ):
        incoming = Incoming(state)
        header = VERSION + tag
        envelope = header + seal_key(wanted[1], b"\x00\x01x" + bytes(230), header)
        assert incoming.open(envelope) == (wanted[0], b"x")
        assert incoming.knows(envelope)  # for the other index
        with pytest.raises(Forged):
            incoming.open(envelope)
        incoming.raise_floor(incoming.edge)
        assert Incoming(incoming.state).first_unopened == incoming.edge


# --- window -------------------------------------------------------------------------------------------------------------


def test_9_8_first_unopened_is_the_lowest_that_may_still_come() -> None:
    sealed, incoming = envelopes(5), receiver()
    found = [incoming.first_unopened]
    for index in (1, 0, 4, 2, 3):
        incoming.open(sealed[index])
        found.append(incoming.first_unopened)
    assert found == [0, 0, 2, 2, 3, 5]


@given(st.permutations(range(12)))
def test_9_9_it_never_falls_and_every_order_opens_everything(order: list[int]) -> None:
    sealed, incoming = envelopes(12), receiver()
    found = [incoming.first_unopened]
    for index in order:
        assert incoming.open(sealed[index]) == (index, b"content %d" % index)
        incoming = Incoming(incoming.state)  # as after a restart
        found.append(incoming.first_unopened)
    assert all(left <= right for left, right in pairwise(found))
    assert found[-1] == 12
    assert incoming.state.holes == ()


def test_9_10_keys_below_the_senders_floor_are_erased() -> None:
    sealed, incoming = envelopes(10), receiver()
    incoming.open(sealed[9])
    incoming.raise_floor(6)
    assert incoming.first_unopened == 6
    assert [hole[0] for hole in incoming.state.holes] == [6, 7, 8]
    with pytest.raises(Replayed):
        incoming.open(sealed[5])
    incoming.raise_floor(3)  # an old envelope tells an old floor
    assert incoming.open(sealed[6])[0] == 6
    incoming.raise_floor(10**9)  # beyond the edge it says nothing
    assert incoming.first_unopened == 10
    assert incoming.open(envelopes(11)[10])[0] == 10


def test_9_11_an_index_is_used_only_once_its_reservation_is_durable() -> None:
    outgoing = sender()
    with pytest.raises(Bug):
        outgoing.seal(b"")
    state, fresh = outgoing.reserve()
    assert state.index == RESERVED_INDEXES == len(fresh)
    assert outgoing.left == 0
    outgoing.free(fresh)
    assert [outgoing.seal(b"")[0] for _ in range(RESERVED_INDEXES)] == list(range(RESERVED_INDEXES))
    with pytest.raises(Bug):
        outgoing.seal(b"")
    assert outgoing.index == RESERVED_INDEXES


def test_9_11_after_a_crash_indexes_are_skipped_and_none_is_used_twice() -> None:
    first = Outgoing(OutgoingState(index=0, chain=CHAIN))
    state, fresh = first.reserve()
    first.free(fresh)
    before = [first.seal(b"")[1] for _ in range(3)]
    second = Outgoing(state)
    second.free(second.reserve()[1])
    index, after = second.seal(b"later")
    assert index == RESERVED_INDEXES
    assert after[:HEADER] not in {envelope[:HEADER] for envelope in before}
    incoming = receiver()
    for envelope in (*before, after):
        incoming.open(envelope)
    assert incoming.first_unopened == 3


def test_9_11_a_reservation_that_never_became_durable_is_given_up() -> None:
    """The commit failed, the next one succeeded: index, tag and key still belong together."""
    outgoing = sender()
    outgoing.reserve()
    outgoing.free(outgoing.reserve()[1])
    assert outgoing.index == RESERVED_INDEXES
    index, envelope = outgoing.seal(b"x")
    assert (index, envelope[1:HEADER]) == (RESERVED_INDEXES, ratchet(RESERVED_INDEXES + 1)[-1][0])
    assert receiver().open(envelope) == (RESERVED_INDEXES, b"x")
    outgoing.reserve()
    late = outgoing.reserve()[1]
    outgoing.free(late)
    found = [outgoing.seal(b"x") for _ in range(2 * RESERVED_INDEXES - 1)]
    tags = [tag for tag, _, _ in ratchet(5 * RESERVED_INDEXES)]
    assert all(sealed[1:HEADER] == tags[place] for place, sealed in found)
    assert outgoing.left == 0


def test_9_12_a_receiver_knows_a_window_ahead_and_no_more() -> None:
    sealed = envelopes(WINDOW + 2)
    incoming = receiver()
    assert incoming.knows(sealed[WINDOW - 1])
    assert not incoming.knows(sealed[WINDOW])
    incoming.open(sealed[0])
    assert incoming.knows(sealed[WINDOW])
    assert not incoming.knows(sealed[WINDOW + 1])
    incoming.open(sealed[WINDOW])
    assert incoming.first_unopened == 1


def test_9_12_and_a_window_behind_and_no_more() -> None:
    sealed = envelopes(2 * WINDOW)
    incoming = receiver()
    incoming.open(sealed[WINDOW - 1])  # the edge is WINDOW: holes from 0
    assert incoming.first_unopened == 0
    incoming.open(sealed[WINDOW])  # the edge is one further: index 0 is out
    assert incoming.first_unopened == 1
    with pytest.raises(Replayed):
        incoming.open(sealed[0])
    incoming.open(sealed[1])
    incoming.open(sealed[2 * WINDOW - 1])
    assert incoming.first_unopened == WINDOW + 1
    assert len(incoming.state.holes) == WINDOW - 2


def test_9_12_memory_stays_bounded_however_the_sender_jumps() -> None:
    incoming = receiver()
    sealed = deque(envelopes(5 * WINDOW))
    step = 0
    while sealed:
        envelope = sealed.popleft()
        if step % (WINDOW // 2) == WINDOW // 2 - 1:
            incoming.open(envelope)
        step += 1
        assert len(incoming.state.holes) <= WINDOW
        assert len(incoming._tags) <= 2 * WINDOW


# --- handshake envelopes --------------------------------------------------------------------------------------------------


def test_10_2_a_handshake_envelope_is_written_out() -> None:
    key = handshake_key(secret("psk"), bytes(32), 0, 1)
    assert key == derive(secret("psk"), b"openline/1 handshake", bytes(32) + bytes.fromhex("00000001"))
    nonce = bytes(range(NONCE))
    header = VERSION + derive(key, b"openline/1 handshake tag", nonce)[:6] + nonce
    sealed = seal_key(
        derive(key, b"openline/1 handshake key", nonce), b"\x00\x05hello" + bytes(256 - 23 - 16 - 7), header
    )
    assert seal_handshake(key, b"hello", lambda size: nonce[:size]) == header + sealed
    assert open_handshake(key, header + sealed) == b"hello"


@pytest.mark.parametrize("size, bucket", [(0, 256), (215, 256), (216, 1_024), (16_343, 16_384)])
def test_10_2_handshakes_are_padded_alike(size: int, bucket: int) -> None:
    key = secret("key")
    envelope = seal_handshake(key, bytes(size), bytes)
    assert len(envelope) == bucket
    assert open_handshake(key, envelope) == bytes(size)
    with pytest.raises(TooLarge):
        seal_handshake(key, bytes(16_344), bytes)


def test_10_2_a_handshake_belongs_to_its_pair_line_and_direction() -> None:
    psk = secret("psk")
    key = handshake_key(psk, bytes(32), 0, 1)
    envelope = seal_handshake(key, b"hello", lambda size: secret("nonce")[:size])
    others = [
        handshake_key(psk, bytes(32), 1, 0), handshake_key(psk, secret("line"), 0, 1), handshake_key(psk, bytes(32), 0, 2),
        handshake_key(secret("other"), bytes(32), 0, 1),
    ]  # fmt: skip
    assert is_handshake(key, envelope)
    for other in others:
        assert not is_handshake(other, envelope)
        with pytest.raises(Forged):
            open_handshake(other, envelope)


@given(st.integers(0, 256 * 8 - 1))
@settings(max_examples=60)
def test_10_2_a_flipped_bit_of_a_handshake_is_refused(bit: int) -> None:
    key = secret("key")
    envelope = bytearray(seal_handshake(key, b"hello", lambda size: secret("nonce")[:size]))
    envelope[bit >> 3] ^= 1 << (bit & 7)
    with pytest.raises(Forged):
        open_handshake(key, bytes(envelope))


@given(st.binary(max_size=300) | st.sampled_from(BUCKETS).map(bytes))
def test_9_5_hostile_envelopes_are_refused_and_nothing_else(data: bytes) -> None:
    incoming = receiver()
    assert not is_handshake(secret("key"), data)
    for attempt in (incoming.open, lambda envelope: open_handshake(secret("key"), envelope)):
        with pytest.raises(Refused):
            attempt(data)
    assert incoming.first_unopened == 0
