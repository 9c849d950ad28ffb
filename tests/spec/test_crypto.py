"""Spec 1: the one cipher suite, against published vectors and against a second reading of the specifications.

Sources: RFC 5869 A.1, RFC 8032 7.1, RFC 8452 C.3, the X-Wing draft, and C2SP CCTV (Ed25519 edge cases: a few of its 914,
https://c2sp.org/CCTV/ed25519; the rest is the same cases with other messages).
"""

import hmac
from hashlib import sha3_256, sha256, shake_256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from openline.kernel import crypto
from openline.kernel.crypto import (
    Signer,
    Verifier,
    derive,
    digest,
    extract,
    open_from,
    open_key,
    refuse_weak_point,
    same,
    seal_key,
    seal_to,
    xwing_public,
)
from openline.kernel.errors import Forged, Malformed
from tests.spec.parties import OWNER, secret, signer
from tests.spec.test_verifiers import SMALL_ORDER, VERIFIER

P, ORDER = VERIFIER.P, VERIFIER.ORDER
ANY_MLDSA = OWNER.public.mldsa_key


def test_1_3_the_hash_is_sha256() -> None:
    assert digest(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_1_4_the_example_is_true() -> None:
    expected = "36ef39a65cdee42a2c97297bdec9b6a1b051aa1b2044b90c0b0d69ff4df9b3f9"
    assert derive(bytes(32), b"openline/1 test").hex() == expected


def test_1_4_derivation_is_hkdf() -> None:
    """RFC 5869, A.1: the extract, and the first block of the expand."""
    prk = extract(bytes(range(13)), b"\x0b" * 22)
    assert prk.hex() == "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"
    okm = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
    assert derive(prk, bytes(range(0xF0, 0xFA))).hex() == okm


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=20), st.binary(max_size=20))
def test_1_4_derivation_is_one_hmac(key: bytes, label: bytes, info: bytes) -> None:
    assert derive(key, label, info) == hmac.new(key, label + info + b"\x01", sha256).digest()


def test_1_5_no_label_begins_another_that_is_used_with_the_same_key() -> None:
    """Else label || info of one purpose could equal that of another."""
    families: list[list[bytes]] = [
        [b"openline/1 tag", b"openline/1 key", b"openline/1 next"],
        [b"openline/1 chain", b"openline/1 confirm initiator", b"openline/1 confirm responder"],
        [b"openline/1 handshake tag", b"openline/1 handshake key"],
        [b"openline/1 card\n", b"openline/1 key statement\n"],
        [b"openline/1 terms\n", b"openline/1 identity\n", b"openline/1 field"],
    ]
    for labels in families:
        for one in labels:
            assert not any(other.startswith(one) for other in labels if other != one)


# --- Ed25519 ---------------------------------------------------------------------------------------------------------


def test_1_6_ed25519_is_that_of_rfc_8032() -> None:
    """RFC 8032, 7.1, tests 1 and 2."""
    for seed, key, message, signature in (
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ):
        pair = Signer(bytes.fromhex(seed), bytes(32))
        assert pair.public.ed25519_key.hex() == key
        assert pair.ed25519(bytes.fromhex(message)).hex() == signature
        pair.public.ed25519(bytes.fromhex(signature), bytes.fromhex(message))


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_1_8_every_encoding_of_a_point_of_small_order_is_refused(point: str) -> None:
    with pytest.raises(Malformed):
        refuse_weak_point(bytes.fromhex(point))
    with pytest.raises(Malformed):
        Verifier(bytes.fromhex(point), ANY_MLDSA)


def test_1_8_these_are_all_eight_points_of_small_order() -> None:
    canonical = {point for point in SMALL_ORDER if VERIFIER.decompress(bytes.fromhex(point)) is not None}
    assert len(canonical) == 8
    assert all(VERIFIER.small_order(VERIFIER.decompress(bytes.fromhex(point))) for point in canonical)
    eight = VERIFIER.decompress(bytes.fromhex(SMALL_ORDER[4]))
    assert {VERIFIER.compress(VERIFIER.multiply(n, eight)).hex() for n in range(8)} == canonical


@pytest.mark.parametrize("y", [P, P + 1, P + 2, P + 18, 2**255 - 1])
@pytest.mark.parametrize("sign", [0, 1])
def test_1_8_a_y_that_is_not_reduced_is_refused(y: int, sign: int) -> None:
    with pytest.raises(Malformed):
        refuse_weak_point((y | sign << 255).to_bytes(32, "little"))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_1_8_a_point_is_32_bytes(size: int) -> None:
    with pytest.raises(Malformed):
        refuse_weak_point(bytes(range(1, 34))[:size])


def test_1_8_a_signature_with_a_weak_r_is_forged() -> None:
    """Forged, not malformed: whoever catches a bad signature must catch this one too."""
    good = OWNER.ed25519(b"text")
    for point in SMALL_ORDER:
        with pytest.raises(Forged):
            OWNER.public.ed25519(bytes.fromhex(point) + good[32:], b"text")


CCTV = [
    # (key, signature, message, whether the kernel takes it): low-order components that no list of points can refuse.
    ("10eb7c3acfb2bed3e0d6ab89bf5a3d6afddd1176ce4812e38d9fd485058fdb1f",
     "00000000000000000000000000000000000000000000000000000000000000009472a69cd9a701a50d130ed52189e2455b23767db52cacb8716fb896ffeeac09",
     "ed25519vectors 3", False),  # low_order_R
    ("10eb7c3acfb2bed3e0d6ab89bf5a3d6afddd1176ce4812e38d9fd485058fdb1f",
     "36684ea91032ba5b1dbab2d02f4debc74c3327f2b3802e2e4d371aa42b12b56bc02e2b9e63e385c058bf62b14b3a2b29ccefe8e38ddb536bc3f9865320a3d801",
     "ed25519vectors 10", False),  # low_order_residue: only the cofactored equation holds
    ("10eb7c3acfb2bed3e0d6ab89bf5a3d6afddd1176ce4812e38d9fd485058fdb1f",
     "36684ea91032ba5b1dbab2d02f4debc74c3327f2b3802e2e4d371aa42b12b56bbbfd00bd9c259d8d222d15e67a3d8228585050dbb9b9585be20d8fadc721da03",
     "ed25519vectors", True),  # low_order_component_A and _R that cancel out
    ("10eb7c3acfb2bed3e0d6ab89bf5a3d6afddd1176ce4812e38d9fd485058fdb1f",
     "b797b156efcd45a4e2454d2fd0b21438b3ccd80d4c7fd1d1b2c8e55bd4ed4a94732d9e0279fe001d90327efa319816e3e4506b78432b8b4e1f2fdc4b960d700f",
     "ed25519vectors 2", True),  # the same, another R
    ("10eb7c3acfb2bed3e0d6ab89bf5a3d6afddd1176ce4812e38d9fd485058fdb1f",
     "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7fad7a355469b5c87e550469f6b2de409ee723acd584bf35f86b80c384e8ceb702",
     "ed25519vectors 3", False),  # non_canonical_R
    ("10eb7c3acfb2bed3e0d6ab89bf5a3d6afddd1176ce4812e38d9fd485058fdb1f",
     "000000000000000000000000000000000000000000000000000000000000008075b3d7e9547febbdbf3fde21df901c7ca1fc59e8b689a4ae283919e78cf62b03",
     "ed25519vectors 11", False),  # low_order_R, residue
]  # fmt: skip
"""From C2SP CCTV, ed25519/ed25519vectors.json, numbers 5, 6, 7, 29, 17, 26."""


@pytest.mark.parametrize("key, signature, message, taken", CCTV)
def test_1_9_edge_cases_are_taken_alike_by_the_kernel_and_the_plain_verifier(
    key: str, signature: str, message: str, taken: bool
) -> None:
    """Ours is the cofactorless equation (OpenSSL); a key with a low-order component is its owner's own mischief."""
    verifier = Verifier(bytes.fromhex(key), ANY_MLDSA)
    try:
        verifier.ed25519(bytes.fromhex(signature), message.encode())
        found = True
    except Forged:
        found = False
    assert found == taken
    assert VERIFIER.ed25519(bytes.fromhex(key), bytes.fromhex(signature), message.encode()) == taken


@pytest.mark.parametrize(
    "key, signature, message",
    [
        ("0000000000000000000000000000000000000000000000000000000000000000", "00" * 64, "ed25519vectors 11"),
        ("0000000000000000000000000000000000000000000000000000000000000000",
         "36684ea91032ba5b1dbab2d02f4debc74c3327f2b3802e2e4d371aa42b12b56b05ba9a796274d80437afa36f1236563f2f3b0aa84cecddc3d20914615ba4fe02",
         "ed25519vectors 3"),
        ("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "00" * 64, "ed25519vectors 6"),
    ],
)  # fmt: skip
def test_1_8_what_ordinary_libraries_take_under_a_weak_key_is_refused(key: str, signature: str, message: str) -> None:
    """C2SP CCTV numbers 1, 3 and 9: OpenSSL and Go verify these."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), message.encode())
    with pytest.raises(Malformed):
        Verifier(bytes.fromhex(key), ANY_MLDSA)
    assert not VERIFIER.ed25519(bytes.fromhex(key), bytes.fromhex(signature), message.encode())


def test_1_9_s_is_below_the_group_order() -> None:
    signature = OWNER.ed25519(b"text")
    s = int.from_bytes(signature[32:], "little")
    OWNER.public.ed25519(signature, b"text")
    with pytest.raises(Forged):
        OWNER.public.ed25519(signature[:32] + (s + ORDER).to_bytes(32, "little"), b"text")


@given(st.integers(0, 511), st.binary(max_size=20))
@settings(max_examples=60)
def test_1_9_a_flipped_bit_is_a_forgery(bit: int, message: bytes) -> None:
    signature = bytearray(OWNER.ed25519(message))
    OWNER.public.ed25519(bytes(signature), message)
    signature[bit >> 3] ^= 1 << (bit & 7)
    with pytest.raises(Forged):
        OWNER.public.ed25519(bytes(signature), message)


@pytest.mark.parametrize("size", [0, 63, 65])
def test_1_9_a_signature_of_another_length_is_a_forgery(size: int) -> None:
    with pytest.raises(Forged):
        OWNER.public.ed25519((OWNER.ed25519(b"") + b"\x00")[:size], b"")


def test_1_9_a_key_that_is_no_point_verifies_nothing() -> None:
    """y = 2 has no x: it may stand in terms, and no signature will ever be its owner's."""
    assert VERIFIER.decompress((2).to_bytes(32, "little")) is None
    try:
        verifier = Verifier((2).to_bytes(32, "little"), ANY_MLDSA)
    except Malformed:
        return
    with pytest.raises(Forged):
        verifier.ed25519(OWNER.ed25519(b""), b"")


# --- ML-DSA-44 -------------------------------------------------------------------------------------------------------


def test_1_10_mldsa_has_an_empty_context_and_the_sizes_of_fips_204() -> None:
    signature = OWNER.mldsa(b"text")
    assert (len(ANY_MLDSA), len(signature)) == (crypto.MLDSA_PUBLIC, crypto.MLDSA_SIGNATURE) == (1_312, 2_420)
    OWNER.public.mldsa(signature, b"text")
    with_context = OWNER._mldsa.sign(b"text", b"context")
    for wrong in (with_context, signature[:-1], signature + b"\x00", b"", bytes(2_420)):
        with pytest.raises(Forged):
            OWNER.public.mldsa(wrong, b"text")
    for other, message in ((signature, b"another"), (signer("another").mldsa(b"text"), b"text")):
        with pytest.raises(Forged):
            OWNER.public.mldsa(other, message)


@pytest.mark.parametrize("bit", [0, 255, 1_000, 9_999, 8 * 2_420 - 8, 8 * 2_420 - 1])
def test_1_10_a_flipped_bit_is_a_forgery(bit: int) -> None:
    signature = bytearray(OWNER.mldsa(b"text"))
    signature[bit >> 3] ^= 1 << (bit & 7)
    with pytest.raises(Forged):
        OWNER.public.mldsa(bytes(signature), b"text")


@pytest.mark.parametrize("size", [0, 1_311, 1_313])
def test_1_10_a_key_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(Malformed):
        Verifier(OWNER.public.ed25519_key, (ANY_MLDSA + b"\x00")[:size])


def test_1_11_seeds_are_32_bytes() -> None:
    for one, two in ((31, 32), (32, 33)):
        with pytest.raises(Malformed):
            Signer(bytes(one), bytes(two))
    for size in (0, 31, 33):
        with pytest.raises(Malformed):
            xwing_public(bytes(size))
        with pytest.raises(Malformed):
            open_from(bytes(size), bytes(crypto.XWING_SEALED_32), b"")


# --- AES-256-GCM-SIV -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "plaintext, sealed",
    [
        (
            "000000000000000000000000000000004db923dc793ee6497c76dcc03a98e108",
            "f3f80f2cf0cb2dd9c5984fcda908456cc537703b5ba70324a6793a7bf218d3eaffffffff000000000000000000000000",
        ),
        (
            "eb3640277c7ffd1303c7a542d02d3e4c00000000000000000000000000000000",
            "18ce4f0b8cb4d0cac65fea8f79257b20888e53e72299e56dffffffff000000000000000000000000",
        ),
    ],
)
def test_1_6_the_seal_is_that_of_rfc_8452(plaintext: str, sealed: str) -> None:
    """RFC 8452, C.3 (counter wrap): key and nonce zero, as our nonce is."""
    length = len(sealed) // 2 - 16
    assert seal_key(bytes(32), bytes.fromhex(plaintext)[:length], b"").hex() == sealed
    assert open_key(bytes(32), bytes.fromhex(sealed), b"") == bytes.fromhex(plaintext)[:length]


def test_9_1_a_seal_opens_with_the_same_key_bytes_and_header_alone() -> None:
    key, sealed = secret("key"), seal_key(secret("key"), b"content", b"header")
    assert open_key(key, sealed, b"header") == b"content"
    wrong: list[tuple[bytes, bytes, bytes]] = [
        (secret("other"), sealed, b"header"), (key, sealed, b"Header"), (key, sealed[:-1], b"header"),
        (key, sealed + b"\x00", b"header"), (key, b"", b"header"), (key, sealed[:15], b"header"),
        *((key, sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :], b"header") for at in range(len(sealed))),
    ]  # fmt: skip
    for arguments in wrong:
        with pytest.raises(Forged):
            open_key(*arguments)


# --- X-Wing and HPKE -------------------------------------------------------------------------------------------------

XWING = [
    # Of each vector of the X-Wing draft: seed, SHA3-256 of the public key.
    ("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26",
     "5121745904643ad9dfacca7869292c19a8a69533b53e60666b7db910b4ad6367"),
    ("badfd6dfaac359a5efbb7bcc4b59d538df9a04302e10c8bc1cbf1a0b3a5120ea",
     "799b6016e5daa56ffa1b5e79f7caf73413ceecd6df428642404cac41ddee4853"),
    ("ef58538b8d23f87732ea63b02b4fa0f4873360e2841928cd60dd4cee8cc0d4c9",
     "1ef0c99a06026450564957a5402a788feffbbefdcce55d25de254d0a49eb095a"),
]  # fmt: skip


@pytest.mark.parametrize("seed, public", XWING)
def test_1_11_public_keys_are_those_of_the_xwing_draft(seed: str, public: str) -> None:
    key = xwing_public(bytes.fromhex(seed))
    assert len(key) == crypto.XWING_PUBLIC
    assert sha3_256(key).hexdigest() == public


def open_by_the_book(seed: bytes, sealed: bytes, info: bytes) -> bytes:
    """HPKE base mode over X-Wing, written out from RFC 9180 and the X-Wing draft with nothing but primitives."""
    expanded = shake_256(seed).digest(96)
    x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
    enc, ciphertext = sealed[:1_120], sealed[1_120:]
    shared_m = MLKEM768PrivateKey.from_seed_bytes(expanded[:64]).decapsulate(enc[:1_088])
    shared_x = x25519.exchange(X25519PublicKey.from_public_bytes(enc[1_088:]))
    shared = sha3_256(
        shared_m + shared_x + enc[1_088:] + x25519.public_key().public_bytes_raw() + bytes.fromhex("5c2e2f2f5e5c")
    ).digest()
    suite = b"HPKE" + bytes.fromhex("647a" + "0001" + "0002")  # X-Wing, HKDF-SHA256, AES-256-GCM

    def labelled_extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return hmac.new(salt, b"HPKE-v1" + suite + label + ikm, sha256).digest()

    def labelled_expand(prk: bytes, label: bytes, about: bytes, length: int) -> bytes:
        text = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + about
        return hmac.new(prk, text + b"\x01", sha256).digest()[:length]

    psk_id = labelled_extract(b"", b"psk_id_hash", b"")
    context = b"\x00" + psk_id + labelled_extract(b"", b"info_hash", info)
    prk = labelled_extract(shared, b"secret", b"")
    key, nonce = labelled_expand(prk, b"key", context, 32), labelled_expand(prk, b"base_nonce", context, 12)
    return AESGCM(key).decrypt(nonce, ciphertext, b"")


def test_1_6_sealing_is_hpke_over_xwing_by_the_book() -> None:
    for name in ("one", "two", "three"):
        seed, share = secret(name), secret(name + " share")
        sealed = seal_to(xwing_public(seed), share, name.encode())
        assert len(sealed) == crypto.XWING_SEALED_32
        assert open_by_the_book(seed, sealed, name.encode()) == share == open_from(seed, sealed, name.encode())


def test_1_11_a_seal_opens_with_its_seed_and_info_alone() -> None:
    seed = secret("seed")
    sealed = seal_to(xwing_public(seed), b"share", b"info")
    wrong = [
        (secret("other"), sealed, b"info"), (seed, sealed, b"Info"), (seed, sealed[:-1], b"info"), (seed, b"", b"info"),
        (seed, sealed[:1_119], b"info"), (seed, sealed + b"\x00", b"info"),
        *((seed, sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :], b"info") for at in (0, 1_087, 1_088, 1_119, 1_120)),
    ]  # fmt: skip
    for arguments in wrong:
        with pytest.raises(Forged):
            open_from(*arguments)


def test_1_11_two_seals_of_one_share_differ() -> None:
    public = xwing_public(secret("seed"))
    assert seal_to(public, b"share", b"") != seal_to(public, b"share", b"")


@pytest.mark.parametrize(
    "damage",
    [
        lambda key: key[:-1],
        lambda key: key + b"\x00",
        lambda key: b"",
        lambda key: b"\xff" * 1_184 + key[1_184:],  # coefficients that are not reduced (FIPS 203, 7.2)
        lambda key: key[:1_184] + bytes(32),  # an X25519 point of small order: the shared secret would be zero
    ],
)
def test_1_11_a_bad_offer_is_refused(damage: Any) -> None:
    with pytest.raises(Malformed):
        seal_to(damage(xwing_public(secret("seed"))), b"share", b"")


def test_1_13_secrets_are_compared() -> None:
    assert same(b"a" * 32, b"a" * 32)
    assert not same(b"a" * 32, b"b" * 32)
    assert not same(b"a", b"aa")
