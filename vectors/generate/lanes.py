"""Spec 4: leaves. Written out from the clauses with hashes alone, not from the kernel's constructors."""

import hmac
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from openline.kernel.codec import encode
from vectors.generate.case import Case, refused, secret

LINE = secret("line")
SEED = secret("seed")
NONCE = bytes.fromhex("00ff00ff00ff00ff")
FIELDS = (b"\x03", bytes.fromhex("1b0000018bcfe56800"), b"\x80", b"\xa0")


def expand(key: bytes, info: bytes) -> bytes:
    """X of 1.4."""
    return hmac.new(key, info + b"\x01", sha256).digest()


def leaf(number: int, counter: int, nonce: bytes, index: int) -> tuple[bytes, bytes, list[bytes]]:
    """Secret, leaf and salts of the entry FIELDS at a place."""
    of = expand(SEED, b"openline/1 leaf" + number.to_bytes(2, "big") + index.to_bytes(8, "big"))
    salts = [expand(of, b"openline/1 salt" + bytes([f])) for f in range(1, 5)]
    commitments = [
        sha256(b"openline/1 field" + bytes([f]) + salt + data).digest()
        for f, (salt, data) in enumerate(zip(salts, FIELDS, strict=True), 1)
    ]
    return of, encode([1, LINE, number, counter, nonce, index, *commitments]), salts


def cases() -> Iterator[Case]:
    """Leaves in their place, and in another."""
    for name, number, counter, nonce, index in (
        ("first-of-generation-zero", 0, 0, bytes(8), 0),
        ("traffic-of-a-later-generation", 3, 7, NONCE, 24),
        ("far-in-the-last-lane", 31, 2**32 - 1, b"\xff" * 8, 2**48 - 2),
    ):
        of, made, salts = leaf(number, counter, nonce, index)
        generation = "0" if counter == 0 else f"{counter}-{nonce.hex()}"
        data: dict[str, Any] = {
            "line": LINE.hex(), "lane": number, "generation": generation, "index": index, "seed": SEED.hex(),
            "kind": FIELDS[0].hex(), "time": FIELDS[1].hex(), "ack": FIELDS[2].hex(), "body": FIELDS[3].hex(),
        }  # fmt: skip
        expect: dict[str, Any] = {
            "secret": of.hex(), "salts": [salt.hex() for salt in salts], "leaf": made.hex(),
            "leaf_hash": sha256(b"\x00" + made).hexdigest(),
        }  # fmt: skip
        yield Case(group="leaf", name=name, clause="4.9", shows=f"the leaf of an entry: {name}", operation="leaf", input=data,
                   expect=expect)  # fmt: skip
    _, made, _ = leaf(0, 0, bytes(8), 5)
    place: dict[str, Any] = {"line": LINE.hex(), "lane": 0, "generation": "0", "index": 5, "leaf": made.hex()}
    cut = encode([1, LINE, 0, 0, bytes(8), 5, bytes(32), bytes(32), bytes(32)])
    more = encode([1, LINE, 0, 0, bytes(8), 5, bytes(32), bytes(32), bytes(32), bytes(32), 0])
    version = encode([2, LINE, 0, 0, bytes(8), 5, bytes(32), bytes(32), bytes(32), bytes(32)])
    for name, shows, changes, code in (
        ("in-place", "a leaf in its place", {}, ""),
        ("refused-index", "another index", {"index": 4}, "foreign"),
        ("refused-lane", "another lane", {"lane": 1}, "foreign"),
        ("refused-generation", "another generation", {"generation": "1-00ff00ff00ff00ff"}, "foreign"),
        ("refused-line", "another line", {"line": "00" * 32}, "foreign"),
        ("refused-version", "another version", {"leaf": version.hex()}, "foreign"),
        ("refused-nine-members", "a commitment too few", {"leaf": cut.hex()}, "malformed"),
        ("refused-eleven-members", "a member too many", {"leaf": more.hex()}, "malformed"),
        ("refused-trailing-byte", "a byte after it", {"leaf": made.hex() + "00"}, "malformed"),
    ):
        expect = refused(code) if code else {"fits": True}
        yield Case(group="leaf", name=name, clause="4.9", shows=shows, operation="leaf-in-place", input={**place, **changes},
                   expect=expect)  # fmt: skip
