"""Spec 10: shares (pinned: an encapsulation is random), the root of an epoch, confirmations."""

import hmac
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from openline.kernel.crypto import seal_to, xwing_public
from vectors.generate.case import Case, refused, secret

LINE, INITIATOR, RESPONDER = secret("line"), secret("initiator"), secret("responder")
PSK, BASE = secret("psk"), secret("base")
SHARES = secret("share initiator"), secret("share responder")
OFFER = secret("offer seed")
T = secret("h init") + secret("h reply") + secret("h ct")


def context(transcript: bytes, attempt: int = 9) -> bytes:
    """10.4."""
    return LINE + attempt.to_bytes(4, "big") + INITIATOR + RESPONDER + transcript


def expand(key: bytes, info: bytes) -> bytes:
    """X of 1.4."""
    return hmac.new(key, info + b"\x01", sha256).digest()


def cases() -> Iterator[Case]:
    """Offers, shares, roots."""
    for name in ("one", "two"):
        seed = secret(f"xwing {name}")
        public = sha256(xwing_public(seed)).hexdigest()
        yield Case(group="epoch", name=f"offer-{name}", clause="1.11", shows="SHA-256 of the X-Wing public key of a seed",
                   operation="offer", input={"seed": seed.hex()}, expect={"public_sha256": public})  # fmt: skip
    about: dict[str, Any] = {
        "line": LINE.hex(),
        "attempt": 9,
        "initiator": INITIATOR.hex(),
        "responder": RESPONDER.hex(),
    }
    sealed = b64encode(seal_to(xwing_public(OFFER), SHARES[0], b"openline/1 epoch" + context(T))).decode()
    given = {**about, "transcript": T.hex(), "offer_seed": OFFER.hex(), "sealed": sealed}
    for name, shows, changes, code in (
        ("share-opens", "a share opens with its offer, in its handshake", {}, ""),
        ("refused-share-line", "another line", {"line": "00" * 32}, "forged"),
        ("refused-share-attempt", "another attempt", {"attempt": 10}, "forged"),
        ("refused-share-roles", "initiator and responder exchanged",
         {"initiator": RESPONDER.hex(), "responder": INITIATOR.hex()}, "forged"),
        ("refused-share-transcript", "another transcript", {"transcript": "00"}, "forged"),
        ("refused-share-offer", "another offer", {"offer_seed": "00" * 32}, "forged"),
    ):  # fmt: skip
        expect = refused(code) if code else {"share": SHARES[0].hex()}
        yield Case(group="epoch", name=name, clause="10.5", shows=shows, operation="share", pinned=True,
                   input={**given, **changes}, expect=expect)  # fmt: skip
    for name, base in (("root-of-a-first-epoch", bytes(32)), ("root-of-a-renewal", BASE)):
        prk = hmac.new(base, SHARES[0] + SHARES[1] + PSK, sha256).digest()
        root = expand(prk, b"openline/1 root" + context(T))
        expect = {
            "root": root.hex(),
            "finish_mac": expand(root, b"openline/1 confirm initiator" + T).hex(),
            "confirm_mac": expand(root, b"openline/1 confirm responder" + T).hex(),
        }
        data = {**about, "transcript": T.hex(), "base": base.hex(), "psk": PSK.hex(),
                "shares": [share.hex() for share in SHARES]}  # fmt: skip
        yield Case(group="epoch", name=name, clause="10.6", shows="root and both confirmations", operation="epoch-root",
                   input=data, expect=expect)  # fmt: skip
