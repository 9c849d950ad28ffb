"""Spec 1: derivation, Ed25519 with its edge cases, the seal. The arithmetic here is the curve's own, in integers."""

from collections.abc import Iterator
from hashlib import sha512

from openline.kernel.crypto import Signer, derive, extract, seal_key
from vectors.generate.case import Case, refused, secret

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]

SMALL = {
    "order-1": "0100000000000000000000000000000000000000000000000000000000000000",
    "order-2": "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "order-4": "0000000000000000000000000000000000000000000000000000000000000000",
    "order-4-other": "0000000000000000000000000000000000000000000000000000000000000080",
    "order-8-a": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "order-8-b": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "order-8-c": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "order-8-d": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "order-1-negative-zero": "0100000000000000000000000000000000000000000000000000000000000080",
    "order-2-negative-zero": "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "order-4-not-reduced": "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "order-1-not-reduced": "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "y-not-reduced": "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}


def add(left: Point, right: Point) -> Point:
    """The sum, in affine coordinates."""
    (a, b), (c, d) = left, right
    product = D * a * b * c * d
    return (
        (a * d + b * c) * pow(1 + product, -1, P) % P,
        (b * d + a * c) * pow(1 - product, -1, P) % P,
    )


def times(scalar: int, point: Point) -> Point:
    """The point `scalar` times."""
    total = (0, 1)
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total


def encoded(point: Point) -> bytes:
    """RFC 8032, 5.1.2."""
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def base() -> Point:
    """The base point: y = 4/5, x even."""
    y = 4 * pow(5, -1, P) % P
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    return (x if x % 2 == 0 else P - x, y)


def eight() -> Point:
    """The point of order eight that `order-8-a` encodes."""
    y = int.from_bytes(bytes.fromhex(SMALL["order-8-a"]), "little")
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    return (x if x % 2 == 0 else P - x, y)


def challenge(r: bytes, key: bytes, message: bytes) -> int:
    """k of RFC 8032, 5.1.7."""
    return int.from_bytes(sha512(r + key + message).digest(), "little") % ORDER


def case(  # noqa: PLR0917 - a row of a table
    name: str, clause: str, shows: str, key: bytes, signature: bytes, message: bytes, code: str = ""
) -> Case:
    """One verification."""
    data = {"key": key.hex(), "signature": signature.hex(), "message": message.hex()}
    expect = refused(code) if code else {"verifies": True}
    return Case(group="ed25519", name=name, clause=clause, shows=shows, operation="ed25519", input=data, expect=expect)


def mixed(residue: int) -> tuple[bytes, bytes, bytes]:
    """A key with a component of order eight and a signature under it, such that R + kA - SB is `residue` times that."""
    a, r = int.from_bytes(secret("mixed a"), "little") % ORDER, int.from_bytes(secret("mixed r"), "little") % ORDER
    key = encoded(add(times(a, base()), eight()))
    for number in range(64):
        message = b"mixed %d" % number
        for part in range(8):
            point = encoded(add(times(r, base()), times(part, eight())))
            k = challenge(point, key, message)
            if (part + k) % 8 == residue:
                return key, point + ((r + k * a) % ORDER).to_bytes(32, "little"), message
    raise SystemExit("no such message")


def signatures() -> Iterator[Case]:
    """Ed25519: what verifies and what must not."""
    signer = Signer(secret("ed25519"), secret("mldsa"))
    key, message = signer.public.ed25519_key, b"a message"
    good = signer.ed25519(message)
    s = int.from_bytes(good[32:], "little")
    scalar = int.from_bytes(sha512(secret("ed25519")).digest()[:32], "little") & (2**254 - 8) | 2**254
    yield case("verifies", "1.9", "a signature by its key", key, good, message)
    yield case("verifies-empty-message", "1.9", "a signature over nothing", key, signer.ed25519(b""), b"")
    yield case("another-message", "1.9", "a signature over another message", key, good, b"A message", "forged")
    yield case("short", "1.9", "a signature without its last byte", key, good[:-1], message, "forged")
    high = (s + ORDER).to_bytes(32, "little")
    yield case("s-not-reduced", "1.9", "S + L in place of S", key, good[:32] + high, message, "forged")
    flipped = bytes((good[0] ^ 1,)) + good[1:]
    yield case("flipped-bit", "1.9", "one bit of R flipped", key, flipped, message, "forged")
    for name, point in SMALL.items():
        weak, one = bytes.fromhex(point), (1).to_bytes(32, "little")
        shows = "a key of small order, or not reduced; R = B, S = 1 fits many messages"
        yield case(f"weak-key-{name}", "1.8", shows, weak, encoded(base()) + one, message, "malformed")
        k = challenge(weak, key, message)
        shows = "R of small order, or not reduced, made by the key's owner with S = k a"
        forged = weak + (k * scalar % ORDER).to_bytes(32, "little")
        yield case(f"weak-r-{name}", "1.8", shows, key, forged, message, "forged")
    shows = (
        "a key and an R with components of order eight that cancel out: its owner's own mischief, both equations hold"
    )
    yield case("mixed-order-cancels", "1.9", shows, *mixed(0))


def cases() -> Iterator[Case]:
    """Derivation, signatures, seals."""
    yield Case(
        group="suite", name="derive", clause="1.4", shows="HKDF-Expand of one block", operation="derive",
        input={"key": secret("key").hex(), "label": "openline/1 test", "info": "0102"},
        expect={"output": derive(secret("key"), b"openline/1 test", b"\x01\x02").hex()},
    )  # fmt: skip
    yield Case(
        group="suite", name="extract", clause="1.4", shows="HKDF-Extract", operation="extract",
        input={"salt": secret("salt").hex(), "secret": secret("key").hex()},
        expect={"output": extract(secret("salt"), secret("key")).hex()},
    )  # fmt: skip
    sealed = seal_key(secret("key"), b"content", b"header")
    opened = {"key": secret("key").hex(), "sealed": sealed.hex(), "associated": b"header".hex()}
    for name, shows, changes, expect in (
        ("seal-opens", "AES-256-GCM-SIV with a nonce of zeros", {}, {"output": b"content".hex()}),
        ("seal-other-key", "another key", {"key": bytes(32).hex()}, refused("forged")),
        ("seal-other-header", "another header", {"associated": "00"}, refused("forged")),
        ("seal-cut", "a byte too few", {"sealed": sealed[:-1].hex()}, refused("forged")),
    ):
        yield Case(group="suite", name=name, clause="9.1", shows=shows, operation="open-seal",
                   input={**opened, **changes}, expect=expect)  # fmt: skip
    yield from signatures()
