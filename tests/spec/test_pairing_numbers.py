"""What a pairing computes, written out beside the specification with nothing but HMAC and SHA-256. Spec 15.1 to 15.12."""

import hmac
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from openline.kernel.keys import read_card
from openline.protocol.pairing import Stage
from openline.protocol.pairing_messages import agree, short_strings
from openline.protocol.pairing_outcomes import Accepted, Countersigned
from tests.spec import parties
from tests.spec.test_pairing import finish, pair, posing_as, setup, stages


def mac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def expanded(key: bytes, label: bytes, info: bytes = b"") -> bytes:
    """X of 1.4: one block of HKDF-Expand."""
    return mac(key, label + info + b"\x01")


@given(st.binary(min_size=32, max_size=32))
def test_15_8_the_halves_are_eight_digits_each_of_the_transcript_alone(t: bytes) -> None:
    block = expanded(t, b"openline/1 pair sas")
    halves = [f"{int.from_bytes(block[at : at + 8], 'big') % 100_000_000:08d}" for at in (0, 8)]
    assert short_strings(t) == (f"{halves[0][:4]} {halves[0][4:]}", f"{halves[1][:4]} {halves[1][4:]}")


@given(*[st.binary(min_size=32, max_size=32)] * 3, *[st.binary(min_size=1_168, max_size=1_168)] * 2)
def test_15_12_the_secret_is_of_both_shares_and_of_all_that_was_sealed(
    t: bytes, low: bytes, high: bytes, ct_low: bytes, ct_high: bytes
) -> None:
    t2 = sha256(b"openline/1 pair seals\n" + t + ct_low + ct_high).digest()
    key = mac(t2, low + high)
    agreed = agree(t, (ct_low, ct_high), (low, high))
    assert agreed.psk() == expanded(key, b"openline/1 pair psk", t2)
    for other in (
        agree(bytes(32), (ct_low, ct_high), (low, high)),
        agree(t, (ct_low, bytes(1_168)), (low, high)),
        agree(t, (ct_low, ct_high), (low, bytes(32))),
    ):
        same = (other.transcript, other.key) == (agreed.transcript, agreed.key)
        assert same == (other.psk() == agreed.psk())


def test_15_1_two_stations_come_to_keys_a_secret_and_terms_that_both_signed() -> None:
    a, b = pair()
    assert stages(a, b) == {Stage.COMPARING}
    assert not a.said(Accepted)  # nothing of it before people have compared
    finish(a, b)
    assert stages(a, b) == {Stage.SIGNED}
    assert a.accepted.psk == b.accepted.psk
    [signed] = a.said(Countersigned)
    assert isinstance(signed, Countersigned)
    assert {each.party for each in signed.signatures} == {0, 1}
    assert [signed] == b.said(Countersigned)


def test_15_2_a_card_holds_nothing_secret_and_a_forged_one_is_found() -> None:
    for name, whose in parties.ROOTS.items():
        raw = parties.card(name).raw
        for label in ("root", "lane"):
            for kind in ("ed25519", "mldsa"):
                assert parties.secret(f"{name} {label} {kind}") not in raw
        assert read_card(raw).root.ed25519_key == whose.public.ed25519_key
    false, _ = posing_as("BRAVO")
    assert read_card(false.raw).name == "BRAVO"  # whoever makes a card may write any name into it
    a, _ = pair(setup())
    a.take(a.machine.accept_fingerprint(false.fingerprint))
    assert a.ended is not None
