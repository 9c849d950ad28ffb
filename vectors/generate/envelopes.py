"""Spec 9 and the sealing of 10.2: written out from the clauses, with the seal as the only primitive."""

import hmac
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from openline.kernel.crypto import seal_key
from vectors.generate.case import Case, refused, secret

ROOT = secret("epoch root")
PSK = secret("psk")
LINE = secret("line")


def expand(key: bytes, info: bytes) -> bytes:
    """X of 1.4."""
    return hmac.new(key, info + b"\x01", sha256).digest()


def keys(sender: int, receiver: int, index: int) -> tuple[bytes, bytes]:
    """Tag and key of an index (9.3, 9.4)."""
    chain = expand(ROOT, b"openline/1 chain" + sender.to_bytes(2, "big") + receiver.to_bytes(2, "big"))
    for _ in range(index):
        chain = expand(chain, b"openline/1 next")
    return expand(chain, b"openline/1 tag")[:6], expand(chain, b"openline/1 key")


def envelope(index: int, padded: bytes, sender: int = 0, receiver: int = 1) -> bytes:
    """9.1, around a plaintext that is padded already."""
    tag, key = keys(sender, receiver, index)
    return b"\x01" + tag + seal_key(key, padded, b"\x01" + tag)


def padded(content: bytes, size: int = 256) -> bytes:
    """9.2, for an envelope of that size."""
    return (len(content).to_bytes(2, "big") + content).ljust(size - 7 - 16, b"\x00")


def handshake(key: bytes, nonce: bytes, content: bytes) -> bytes:
    """10.2."""
    header = b"\x01" + expand(key, b"openline/1 handshake tag" + nonce)[:6] + nonce
    plain = (len(content).to_bytes(2, "big") + content).ljust(256 - 23 - 16, b"\x00")
    return header + seal_key(expand(key, b"openline/1 handshake key" + nonce), plain, header)


def cases() -> Iterator[Case]:
    """Envelopes in and out of the window, damaged ones, handshakes."""
    way: dict[str, Any] = {"root": ROOT.hex(), "sender": 0, "receiver": 1}
    content = b"some content"
    whole = envelope(5, padded(content))
    full = padded(b"x" * 231)
    for name, clause, shows, data, expect in (
        ("first", "9.4", "index 0", envelope(0, padded(content)), (0, content)),
        ("sixth", "9.4", "index 5 before any other", whole, (5, content)),
        ("window-edge", "9.12", "the last index of the window", envelope(1_023, padded(b"")), (1_023, b"")),
        ("full-256", "9.2", "231 bytes fill the smallest size", envelope(0, full), (0, b"x" * 231)),
        ("size-1024", "9.2", "232 bytes need the next", envelope(0, padded(b"x" * 232, 1_024)), (0, b"x" * 232)),
    ):
        found = {"index": expect[0], "content": expect[1].hex()}
        yield Case(group="envelope", name=name, clause=clause, shows=shows, operation="envelope",
                   input={**way, "envelope": data.hex()}, expect=found)  # fmt: skip
    flipped = whole[:100] + bytes((whole[100] ^ 1,)) + whole[101:]
    nonzero = padded(content)[:-1] + b"\x01"
    for name, clause, shows, data, code in (
        ("beyond-the-window", "9.12", "index 1,024", envelope(1_024, padded(b"")), "replayed"),
        ("other-direction", "9.3", "the other direction's", envelope(0, padded(b""), 1, 0), "replayed"),
        ("version", "9.1", "another version", b"\x02" + whole[1:], "replayed"),
        ("garbage-under-a-seen-tag", "9.6", "the right tag and garbage", flipped, "forged"),
        ("size-255", "9.2", "a byte too few", whole[:-1], "malformed"),
        ("size-257", "9.2", "a byte too many", whole + b"\x00", "malformed"),
        ("padding-not-zero", "9.2", "padding that is not zero", envelope(5, nonzero), "malformed"),
        ("larger-than-needed", "9.2", "12 bytes in the second size", envelope(5, padded(content, 1_024)), "malformed"),
        ("length-beyond", "9.2", "a length beyond the plaintext", envelope(5, b"\xff\xff" + bytes(231)), "malformed"),
    ):
        yield Case(group="envelope", name=f"refused-{name}", clause=clause, shows=shows, operation="envelope",
                   input={**way, "envelope": data.hex()}, expect=refused(code))  # fmt: skip
    key = expand(PSK, b"openline/1 handshake" + LINE + bytes.fromhex("00000001"))
    shaken = handshake(key, bytes(range(16)), content)
    pair: dict[str, Any] = {"psk": PSK.hex(), "line": LINE.hex(), "sender": 0, "receiver": 1, "envelope": shaken.hex()}
    for name, shows, changes, code in (
        ("handshake", "a handshake envelope", {}, ""),
        ("refused-handshake-direction", "the other direction", {"sender": 1, "receiver": 0}, "forged"),
        ("refused-handshake-line", "another line", {"line": "00" * 32}, "forged"),
        ("refused-handshake-psk", "another PSK", {"psk": "00" * 32}, "forged"),
        (
            "refused-handshake-damaged",
            "a flipped bit",
            {"envelope": (shaken[:-1] + bytes((shaken[-1] ^ 1,))).hex()},
            "forged",
        ),
    ):
        opened = refused(code) if code else {"content": content.hex()}
        yield Case(group="envelope", name=name, clause="10.2", shows=shows, operation="handshake", input={**pair, **changes},
                   expect=opened)  # fmt: skip
