"""Spec 6.26 and 11.13: names of keys, words about keys, and two statements of one root (pinned: ML-DSA-44 signs at random)."""

import hmac
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from openline.kernel.codec import encode
from openline.kernel.crypto import Signer
from vectors.generate.case import Case, refused, secret
from vectors.generate.identities import LANE, LINE, OTHER, ROOT, STATEMENT, signed

NONCE = secret("generation nonce")[:8]


def statement(lane: Signer, root: Signer = ROOT) -> bytes:
    """A statement for one generation of party 0."""
    keys = [lane.public.ed25519_key, lane.public.mldsa_key]
    return signed(STATEMENT, encode([1, LINE, 0, 3, NONCE, *keys]), root)


def contradiction(statements: list[bytes], line: bytes = LINE) -> bytes:
    """The array of 11.13, in the order given."""
    return encode([2, line, 0, 3, NONCE, *statements])


def cases() -> Iterator[Case]:
    """Names, words, contradictions."""
    psk = secret("psk")
    name = hmac.new(psk, b"openline/1 psk name\x01", sha256).hexdigest()
    yield Case(group="keys", name="name-of-a-pairing-secret", clause="6.26", shows="what names a pairing secret",
               operation="psk-name", input={"psk": psk.hex()}, expect={"name": name})  # fmt: skip
    both = sha256(LANE.public.ed25519_key + LANE.public.mldsa_key).hexdigest()
    given = {"ed25519": LANE.public.ed25519_key.hex(), "mldsa": b64encode(LANE.public.mldsa_key).decode()}
    yield Case(group="keys", name="name-of-a-lane-key", clause="6.26", shows="what names a lane key",
               operation="lane-name", input=given, expect={"name": both})  # fmt: skip
    key = secret("key name")
    words: tuple[tuple[str, str, dict[int, Any], str], ...] = (
        ("word-stolen", "a lane key held for stolen", {0: 1, 1: True, 2: key}, ""),
        ("word-renewed", "a pairing secret with party 1, renewed", {0: 4, 1: False, 2: key, 3: 1}, ""),
        ("word-further", "a member of a newer version is ignored", {0: 3, 1: True, 2: key, 9: "more"}, ""),
        ("refused-word-role", "a role that there is not", {0: 5, 1: True, 2: key}, "malformed"),
        ("refused-word-alone", "a pairing secret with nobody", {0: 4, 1: True, 2: key}, "malformed"),
        ("refused-word-peer", "a lane key with a peer", {0: 1, 1: True, 2: key, 3: 1}, "malformed"),
        ("refused-word-short", "a name of 31 bytes", {0: 1, 1: True, 2: key[:31]}, "malformed"),
    )
    for name, shows, body, code in words:
        expect = refused(code) if code else {"role": body[0], "stolen": body[1], "key": key.hex(), "peer": body.get(3)}
        yield Case(group="keys", name=name, clause="6.26", shows=shows, operation="word",
                   input={"body": encode(body).hex()}, expect=expect)  # fmt: skip
    one, other = sorted((statement(LANE), statement(OTHER[0])))
    same = sorted((statement(LANE), statement(LANE)))
    root = {"ed25519": ROOT.public.ed25519_key.hex(), "mldsa": b64encode(ROOT.public.mldsa_key).decode()}
    for name, shows, raw, code in (
        ("contradiction", "a root that signed two lane keys for one generation", contradiction([one, other]), ""),
        ("refused-contradiction-order", "the larger statement first", contradiction([other, one]), "malformed"),
        ("refused-contradiction-same", "two statements of one key", contradiction(same), "malformed"),
        ("refused-contradiction-line", "of another line", contradiction([one, other], bytes(32)), "foreign"),
        ("refused-contradiction-root", "one signed by another root",
         contradiction(sorted((one, statement(OTHER[1], OTHER[2])))), "forged"),
    ):  # fmt: skip
        expect = refused(code) if code else {"party": 0, "counter": 3}
        yield Case(group="keys", name=name, clause="11.13", shows=shows, operation="contradiction", pinned=True,
                   input={"evidence": b64encode(raw).decode(), "line": LINE.hex(), "root": root}, expect=expect)  # fmt: skip
