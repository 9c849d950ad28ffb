"""Spec 3 and 10: cards, key statements, and what an epoch's keys are bound to."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openline.kernel.codec import decode, encode
from openline.kernel.crypto import Signer, Verifier, derive, digest, extract, xwing_public
from openline.kernel.errors import Conflict, Foreign, Forged, Malformed, Refused, TooLarge
from openline.kernel.keys import (
    MAX_ADDRESSES,
    MAX_CERTIFICATE,
    EpochContext,
    Keyring,
    check_member,
    confirmation,
    epoch_root,
    fingerprint,
    make_statement,
    open_share,
    read_card,
    read_statement,
    seal_share,
)
from openline.kernel.lane import GENERATION_ZERO, Generation
from tests.spec.parties import LANES, LINE, ROOTS, TERMS, card, secret, signer

CARD = card()
LABEL = b"openline/1 card\n"
ROOT = ROOTS["ALPHA"]


def whole() -> Any:
    return decode(CARD.raw)


def body() -> Any:
    return decode(whole()[0])


def signed(value: Any, root: Signer = ROOT) -> bytes:
    """A card with this body, truly signed: what is refused then is refused for its form."""
    data = encode(value)
    return encode([data, root.ed25519(LABEL + data), root.mldsa(LABEL + data)])


# --- cards -----------------------------------------------------------------------------------------------------------


def test_3_1_a_card_reads_back() -> None:
    again = read_card(CARD.raw)
    for name in ("name", "certificate", "addresses", "made", "expires", "raw", "fingerprint"):
        assert getattr(again, name) == getattr(CARD, name)
    assert again.root.mldsa_key == ROOT.public.mldsa_key


@pytest.mark.parametrize("member", range(10))
def test_3_1_every_member_is_needed_in_its_type(member: int) -> None:
    others: list[Any] = [None, True, {}, [1], "é" if member != 7 else "text", -1 if member not in (8, 9) else 2**60]
    for wrong in others:
        with pytest.raises(Refused):
            read_card(signed({**body(), member: wrong}))
    missing = body()
    del missing[member]
    with pytest.raises(Malformed):
        read_card(signed(missing))


def test_3_1_each_bound_is_allowed_and_nothing_beyond() -> None:
    for member, most, beyond in (
        (1, "A" * 16, "A" * 17),
        (6, bytes(MAX_CERTIFICATE), bytes(MAX_CERTIFICATE + 1)),
        (7, ["a" * 256] * MAX_ADDRESSES, ["a"] * (MAX_ADDRESSES + 1)),
        (7, [], ["a" * 257]),
        (8, 2**48 - 1, 2**48),
        (9, -(2**48) + 1, -(2**48)),
    ):
        assert read_card(signed({**body(), member: most}))
        with pytest.raises((Malformed, TooLarge)):
            read_card(signed({**body(), member: beyond}))


def test_3_1_further_members_are_kept_and_ignored() -> None:
    """Clause 2.10: the bytes stay as they came."""
    raw = signed({**body(), 10: "more"})
    assert read_card(raw).raw == raw


def test_3_1_another_suite_is_refused() -> None:
    for suite in (0, 2, 300):
        with pytest.raises(Refused):
            read_card(signed({**body(), 0: suite}))


def test_3_2_both_signatures_are_needed() -> None:
    data, ed25519, mldsa = whole()
    other = signer("other")
    for forged in (
        [data, bytes(64), mldsa], [data, ed25519, bytes(2_420)], [data, other.ed25519(LABEL + data), mldsa],
        [data, ed25519, other.mldsa(LABEL + data)], [data, ROOT.ed25519(data), mldsa], [data, ed25519, ROOT.mldsa(data)],
        [data, ed25519[:-1], mldsa], [data, ed25519, mldsa[:-1]], [data, b"", b""],
    ):  # fmt: skip
        with pytest.raises(Forged):
            read_card(encode(forged))


def test_3_2_a_card_is_an_array_of_three() -> None:
    """Also clause 2.9: an identity does not grow."""
    data, ed25519, mldsa = whole()
    for wrong in (
        {0: data, 1: ed25519, 2: mldsa}, [data, ed25519, mldsa, b""], [data, ed25519], [decode(data), ed25519, mldsa], data, [],
    ):  # fmt: skip
        with pytest.raises(Malformed):
            read_card(encode(wrong))
    as_array = encode([body()[key] for key in range(10)])
    with pytest.raises(Malformed):
        read_card(encode([as_array, ROOT.ed25519(LABEL + as_array), ROOT.mldsa(LABEL + as_array)]))


@given(st.integers(0, len(CARD.raw) * 8 - 1))
def test_3_2_a_flipped_bit_is_refused(bit: int) -> None:
    changed = bytearray(CARD.raw)
    changed[bit >> 3] ^= 1 << (bit & 7)
    with pytest.raises(Refused):
        read_card(bytes(changed))


def test_3_3_the_fingerprint_is_of_both_root_keys_and_of_nothing_else() -> None:
    keys = ROOT.public
    assert CARD.fingerprint == fingerprint(keys) == digest(b"openline/1 identity\n" + keys.ed25519_key + keys.mldsa_key)
    assert card(addresses=(), lane=signer("new").public).fingerprint == CARD.fingerprint
    mixed = Verifier(keys.ed25519_key, ROOTS["BRAVO"].public.mldsa_key)
    assert len({fingerprint(keys), fingerprint(mixed), fingerprint(ROOTS["BRAVO"].public)}) == 3


def test_3_6_no_key_has_two_roles() -> None:
    same_ed25519 = Verifier(ROOT.public.ed25519_key, LANES["ALPHA"].public.mldsa_key)
    same_mldsa = Verifier(LANES["ALPHA"].public.ed25519_key, ROOT.public.mldsa_key)
    for lane in (same_ed25519, same_mldsa, ROOT.public):
        with pytest.raises(Malformed):
            card(lane=lane)
        with pytest.raises(Malformed):
            read_statement(make_statement(LINE, 0, LATER, lane, ROOT), LINE, 0, LATER, ROOT.public)


def test_3_17_a_member_must_be_the_station_of_its_card() -> None:
    number = TERMS.party_of_root(ROOT.public.ed25519_key)
    check_member(TERMS, number, CARD)
    check_member(TERMS, number, card(addresses=()))
    renamed = read_card(signed({**body(), 1: "ALPHA-2"}))
    for other in (card("BRAVO"), card(lane=signer("new").public), renamed):
        with pytest.raises(Foreign):
            check_member(TERMS, number, other)
    with pytest.raises(Foreign):
        check_member(TERMS, 1 - number, CARD)


# --- key statements ----------------------------------------------------------------------------------------------------

LATER = Generation(3, bytes.fromhex("00ff00ff00ff00ff"))
NEW = signer("new lane")


def test_3_10_a_statement_puts_a_lane_key_in_place() -> None:
    raw = make_statement(LINE, 1, LATER, NEW.public, ROOT)
    found = read_statement(raw, LINE, 1, LATER, ROOT.public)
    assert (found.ed25519_key, found.mldsa_key) == (NEW.public.ed25519_key, NEW.public.mldsa_key)


def test_3_10_a_statement_serves_one_place() -> None:
    raw = make_statement(LINE, 1, LATER, NEW.public, ROOT)
    for line, party, generation in (
        (bytes(32), 1, LATER), (LINE, 0, LATER), (LINE, 1, Generation(4, LATER.nonce)), (LINE, 1, Generation(3, bytes(8))),
        (LINE, 1, GENERATION_ZERO),
    ):  # fmt: skip
        with pytest.raises(Foreign):
            read_statement(raw, line, party, generation, ROOT.public)


def test_3_10_a_statement_needs_both_signatures_of_the_root() -> None:
    statement: Any = decode(make_statement(LINE, 1, LATER, NEW.public, ROOT))
    data, ed25519, mldsa = statement
    lane = LANES["ALPHA"]
    label = b"openline/1 key statement\n"
    for forged in (
        [data, bytes(64), mldsa], [data, ed25519, bytes(2_420)], [data, lane.ed25519(label + data), lane.mldsa(label + data)],
        [data, ROOT.ed25519(LABEL + data), ROOT.mldsa(LABEL + data)],
    ):  # fmt: skip
        with pytest.raises(Forged):
            read_statement(encode(forged), LINE, 1, LATER, ROOT.public)
    for wrong in ({0: data, 1: ed25519, 2: mldsa}, [data, ed25519, mldsa, b""], [data, ed25519]):
        with pytest.raises(Malformed):  # clause 2.9: the outer array does not grow
            read_statement(encode(wrong), LINE, 1, LATER, ROOT.public)


def test_3_10_another_suite_or_shape_is_refused() -> None:
    keys = [NEW.public.ed25519_key, NEW.public.mldsa_key]
    label = b"openline/1 key statement\n"
    members: Any
    for members in (
        [2, LINE, 1, 3, LATER.nonce, *keys], [1, LINE, 1, 3, LATER.nonce, keys[0]], [1, LINE, 1, 3, b"", *keys],
        [1, LINE, 1, 3, LATER.nonce, bytes(32), keys[1]], [1, LINE, 1, 3, LATER.nonce, keys[0], keys[1][:-1]],
    ):  # fmt: skip
        data = encode(members)
        raw = encode([data, ROOT.ed25519(label + data), ROOT.mldsa(label + data)])
        with pytest.raises(Refused):
            read_statement(raw, LINE, 1, LATER, ROOT.public)


def test_3_13_the_key_of_a_generation_is_that_of_the_latest_statement() -> None:
    first, second = signer("first").public, signer("second").public
    ring = Keyring(ROOT.public, LANES["ALPHA"].public)
    ring.rotate(Generation(5, bytes(8)), second)
    ring.rotate(Generation(2, b"\x80" + bytes(7)), first)
    found = [
        ring.lane(generation)
        for generation in (
            GENERATION_ZERO, Generation(1, b"\xff" * 8), Generation(2, b"\x7f" + b"\xff" * 7), Generation(2, b"\x80" + bytes(7)),
            Generation(4, bytes(8)), Generation(5, bytes(8)), Generation(6, bytes(8)),
        )
    ]  # fmt: skip
    zero = LANES["ALPHA"].public
    assert found == [zero, zero, zero, first, first, second, second]


def test_3_14_a_key_in_place_is_not_replaced() -> None:
    """And 11.7: of two statements for one generation the one in place stays."""
    ring = Keyring(ROOT.public, LANES["ALPHA"].public)
    ring.rotate(LATER, NEW.public)
    ring.rotate(LATER, NEW.public)
    for generation, key in ((GENERATION_ZERO, NEW.public), (LATER, signer("third").public)):
        with pytest.raises(Conflict):
            ring.rotate(generation, key)
    assert ring.lane(GENERATION_ZERO) == LANES["ALPHA"].public
    assert ring.lane(LATER) == NEW.public


# --- epochs ------------------------------------------------------------------------------------------------------------

CONTEXT = EpochContext(line=LINE, attempt=7, initiator=secret("i"), responder=secret("r"))
SEED = secret("offer")
OFFER = xwing_public(SEED)
SHARES = (secret("share i"), secret("share r"))


def other_contexts() -> list[EpochContext]:
    return [
        replace(CONTEXT, line=bytes(32)), replace(CONTEXT, attempt=8), replace(CONTEXT, initiator=bytes(32)),
        replace(CONTEXT, responder=bytes(32)), replace(CONTEXT, initiator=CONTEXT.responder, responder=CONTEXT.initiator),
    ]  # fmt: skip


def test_10_4_the_context_names_line_attempt_and_roles() -> None:
    assert CONTEXT.info(b"t") == LINE + bytes.fromhex("00000007") + secret("i") + secret("r") + b"t"
    assert {each.name for each in fields(EpochContext)} == {"line", "attempt", "initiator", "responder"}
    assert len({each.info(b"") for each in (CONTEXT, *other_contexts())}) == 6


def test_10_5_a_share_opens_in_its_own_handshake_alone() -> None:
    sealed = seal_share(CONTEXT, b"transcript", OFFER, SHARES[0])
    assert open_share(CONTEXT, b"transcript", SEED, sealed) == SHARES[0]
    for context, transcript, seed, data in (
        *((other, b"transcript", SEED, sealed) for other in other_contexts()),
        (CONTEXT, b"Transcript", SEED, sealed), (CONTEXT, b"transcript", secret("other"), sealed),
        (CONTEXT, b"transcript", SEED, sealed[:-1]), (CONTEXT, b"transcript", SEED, sealed + b"\x00"),
        (CONTEXT, b"transcript", SEED, seal_share(CONTEXT, b"transcript", OFFER, bytes(31))),
        (CONTEXT, b"transcript", SEED, seal_share(CONTEXT, b"transcript", OFFER, bytes(33))),
    ):  # fmt: skip
        with pytest.raises(Forged):
            open_share(context, transcript, seed, data)


def test_10_6_the_root_depends_on_every_part() -> None:
    psk, base = secret("psk"), bytes(32)
    root = epoch_root(CONTEXT, b"t", base, SHARES, psk)
    found = {
        root,
        epoch_root(CONTEXT, b"T", base, SHARES, psk),
        epoch_root(CONTEXT, b"t", secret("base"), SHARES, psk),
        epoch_root(CONTEXT, b"t", base, (SHARES[1], SHARES[0]), psk),
        epoch_root(CONTEXT, b"t", base, (bytes(32), SHARES[1]), psk),
        epoch_root(CONTEXT, b"t", base, (SHARES[0], bytes(32)), psk),
        epoch_root(CONTEXT, b"t", base, SHARES, bytes(32)),
        *(epoch_root(other, b"t", base, SHARES, psk) for other in other_contexts()),
    }
    assert len(found) == 12
    prk = extract(base, SHARES[0] + SHARES[1] + psk)
    assert root == derive(prk, b"openline/1 root", CONTEXT.info(b"t"))


def test_10_7_the_two_confirmations_differ() -> None:
    root = epoch_root(CONTEXT, b"t", bytes(32), SHARES, secret("psk"))
    found = {
        confirmation(root, b"t", initiator=True), confirmation(root, b"t", initiator=False),
        confirmation(root, b"T", initiator=True), confirmation(bytes(32), b"t", initiator=True),
    }  # fmt: skip
    assert len(found) == 4
