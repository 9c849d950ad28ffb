"""Sign, verify, seal, open, derive: thin, over pyca/cryptography alone.

One suite, named by the version byte 1: SHA-256, Ed25519, ML-DSA-44, HPKE with
X-Wing (ML-KEM-768 + X25519), HKDF-SHA256 and AES-256-GCM, and AES-256-GCM-SIV
for envelopes. There is no negotiation and no other algorithm in the process.

Spec: spec/01-words.md (notation), 05-heads.md, 09-envelopes.md, 10-epochs.md.
"""

import hmac
from hashlib import sha256, shake_256

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from openline.kernel.errors import Forged, Malformed

ED25519_SIGNATURE = 64
MLDSA_PUBLIC = 1_312
MLDSA_SIGNATURE = 2_420
XWING_PUBLIC = 1_216
XWING_SEALED_32 = 1_168  # enc 1,120 + 32 bytes + tag 16
SIV_TAG = 16

_NO_NONCE = bytes(12)
_HPKE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)

_P = 2**255 - 19
_SMALL_ORDER_Y = frozenset(
    {
        0,
        1,
        _P - 1,
        2707385501144840649318225287225658788936804267575313519463743609750303402022,
        55188659117513257062467267217118295137698188065244968500265048394206261417927,
    }
)
"""The y coordinates of Ed25519's eight points of small order (x = 0 or y in these five); see `refuse_weak_point`."""


def digest(data: bytes) -> bytes:
    """SHA-256."""
    return sha256(data).digest()


def derive(key: bytes, label: bytes, info: bytes = b"") -> bytes:
    """X(key, label, info) of spec 1: HKDF-Expand (RFC 5869, 2.3) of one 32-byte block."""
    return hmac.digest(key, label + info + b"\x01", "sha256")


def extract(salt: bytes, secret: bytes) -> bytes:
    """HKDF-Extract (RFC 5869, 2.2)."""
    return hmac.digest(salt, secret, "sha256")


def same(left: bytes, right: bytes) -> bool:
    """Whether two secrets are equal, in time that tells nothing of them."""
    return hmac.compare_digest(left, right)


class Signer:
    """A private Ed25519 and ML-DSA-44 key pair of one role, from their 32-byte seeds."""

    __slots__ = ("_ed25519", "_mldsa", "public")

    def __init__(self, ed25519_seed: bytes, mldsa_seed: bytes) -> None:
        """Raises Malformed unless both seeds are 32 bytes."""
        if len(ed25519_seed) != 32 or len(mldsa_seed) != 32:
            raise Malformed("a key seed must be 32 bytes")
        self._ed25519 = Ed25519PrivateKey.from_private_bytes(ed25519_seed)
        self._mldsa = MLDSA44PrivateKey.from_seed_bytes(mldsa_seed)
        self.public = Verifier(
            self._ed25519.public_key().public_bytes_raw(), self._mldsa.public_key().public_bytes_raw()
        )

    def ed25519(self, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature (RFC 8032)."""
        return self._ed25519.sign(message)

    def mldsa(self, message: bytes) -> bytes:
        """A 2,420-byte ML-DSA-44 signature (FIPS 204), empty context."""
        return self._mldsa.sign(message)


class Verifier:
    """The public half of a `Signer`; holds the raw keys for display and hashing."""

    __slots__ = ("_ed25519", "_mldsa", "ed25519_key", "mldsa_key")

    def __init__(self, ed25519_key: bytes, mldsa_key: bytes) -> None:
        """Raises Malformed if either key is not one, or is a point of small order."""
        refuse_weak_point(ed25519_key)
        self.ed25519_key, self.mldsa_key = ed25519_key, mldsa_key
        try:
            self._ed25519 = Ed25519PublicKey.from_public_bytes(ed25519_key)
            self._mldsa = MLDSA44PublicKey.from_public_bytes(mldsa_key)
        except ValueError:
            raise Malformed("not a public key") from None

    def ed25519(self, signature: bytes, message: bytes) -> None:
        """Raises Forged unless `signature` is the Ed25519 key's over `message`."""
        if len(signature) != ED25519_SIGNATURE:
            raise Forged("signature of the wrong length")
        try:
            refuse_weak_point(signature[:32])
            self._ed25519.verify(signature, message)
        except (InvalidSignature, Malformed):
            raise Forged("Ed25519 signature does not check") from None

    def mldsa(self, signature: bytes, message: bytes) -> None:
        """Raises Forged unless `signature` is the ML-DSA-44 key's over `message`, empty context."""
        try:
            self._mldsa.verify(signature, message)
        except (InvalidSignature, ValueError):
            raise Forged("ML-DSA-44 signature does not check") from None


def refuse_weak_point(point: bytes) -> None:
    """Raise Malformed for an Ed25519 point of small order or a y coordinate that is not reduced.

    Small-order keys verify signatures over anything, and small-order R values
    make signatures malleable; libraries disagree about both (C2SP CCTV, 914
    vectors), so they are refused here before any library sees them.
    """
    if len(point) != 32:
        raise Malformed("not an Ed25519 point")
    y = int.from_bytes(point, "little") & (2**255 - 1)
    if y >= _P or y in _SMALL_ORDER_Y:
        raise Malformed("Ed25519 point of small order")


def seal_key(key: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """AES-256-GCM-SIV under a key that is used once: the nonce is zero, and a repeat would only show equality."""
    return AESGCMSIV(key).encrypt(_NO_NONCE, plaintext, associated)


def open_key(key: bytes, sealed: bytes, associated: bytes) -> bytes:
    """The plaintext of `seal_key`. Raises Forged if key, bytes or associated data are not the same."""
    try:
        return AESGCMSIV(key).decrypt(_NO_NONCE, sealed, associated)
    except (InvalidTag, ValueError):
        raise Forged("sealed bytes do not open") from None


def _xwing_private(seed: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    """Expand a 32-byte X-Wing seed (draft-connolly-cfrg-xwing-kem, 5.2: SHAKE-256 to 96 bytes)."""
    if len(seed) != 32:
        raise Malformed("a key seed must be 32 bytes")
    expanded = shake_256(seed).digest(96)
    return MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), X25519PrivateKey.from_private_bytes(expanded[64:])


def xwing_public(seed: bytes) -> bytes:
    """The 1,216-byte X-Wing public key of a seed: ML-KEM-768 (1,184), then X25519 (32)."""
    mlkem, x25519 = _xwing_private(seed)
    return mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()


def seal_to(public: bytes, secret: bytes, info: bytes) -> bytes:
    """HPKE (RFC 9180) base mode, single shot: enc (1,120) and ciphertext. Raises Malformed for a bad public key.

    The encapsulation's randomness is the library's own: no caller can repeat it.
    """
    if len(public) != XWING_PUBLIC:
        raise Malformed("not an X-Wing public key")
    try:
        key = hpke.MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(public[:1184]), X25519PublicKey.from_public_bytes(public[1184:])
        )
        return _HPKE.encrypt(secret, key, info)
    except ValueError:
        raise Malformed("not an X-Wing public key") from None


def open_from(seed: bytes, sealed: bytes, info: bytes) -> bytes:
    """What `seal_to` sealed to the public key of `seed`. Raises Forged if it does not open."""
    try:
        return _HPKE.decrypt(sealed, hpke.MLKEM768X25519PrivateKey(*_xwing_private(seed)), info)
    except (InvalidTag, ValueError):
        raise Forged("sealed bytes do not open") from None
