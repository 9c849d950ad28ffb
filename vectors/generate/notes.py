"""Spec 5: signed notes, put together as text. Those with an ML-DSA-44 signature are pinned."""

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from vectors.generate.case import Case, refused, secret
from vectors.generate.identities import LANE, OTHER

LINE = secret("line")
ORIGIN = f"{LINE.hex()}/3.7-00ff00ff00ff00ff"
ROOT = secret("root")
KEYS = LANE.public


def text(origin: str = ORIGIN, size: str = "300", root: str = "") -> str:
    """The three lines."""
    return f"{origin}\n{size}\n{root or b64encode(ROOT).decode()}\n"


def line(kind: int, key: bytes, signature: bytes, name: str = ORIGIN) -> str:
    """A signature line."""
    identity = sha256(name.encode() + b"\n" + bytes([kind]) + key).digest()[:4]
    return f"— {name} {b64encode(identity + signature).decode()}\n"


def ed25519(body: str) -> str:
    """The owner's line of type 0x01."""
    return line(1, KEYS.ed25519_key, LANE.ed25519(body.encode()))


def mldsa(size: int, *, stamp: int = 0) -> str:
    """The owner's line of type 0x06."""
    name = ORIGIN.encode()
    prefix = bytes([len(name)]) + name + bytes(8)
    message = b"subtree/v1\n\x00" + prefix + prefix + size.to_bytes(8, "big") + ROOT
    return line(6, KEYS.mldsa_key, stamp.to_bytes(8, "big") + LANE.mldsa(message))


def refusals() -> Iterator[tuple[str, str, str, str, str, bool]]:
    """(name, clause, what it shows, note, refusal, pinned)."""
    body = text()
    own = ed25519(body)
    for name, shows, changed, code in (
        ("leading-zero", "a size with a leading zero", text(size="0300"), "malformed"),
        ("size-of-49-bits", "a size of 2^48", text(size=str(2**48)), "malformed"),
        ("root-of-31-bytes", "a root of 31 bytes", text(root=b64encode(bytes(31)).decode()), "malformed"),
        ("stray-bits", "base64 with stray bits", text(root="A" * 42 + "B="), "malformed"),
        ("extension", "an extension line", body + "more\n", "malformed"),
        ("other-lane", "another lane of the line", text(origin=ORIGIN.replace("/3.", "/2.")), "foreign"),
        ("other-line", "the lane of another line", text(origin="00" * 32 + ORIGIN[64:]), "foreign"),
    ):
        yield name, "5.6", f"{shows}, signed by the owner", changed + "\n" + ed25519(changed), code, False
    yield "other-size", "5.6", "another size under the signature", text(size="301") + "\n" + own, "forged", False
    yield "no-signature", "5.7", "a note without signatures", body + "\n", "malformed", False
    stranger = line(1, OTHER[3].public.ed25519_key, OTHER[3].ed25519(body.encode()))
    yield "stranger", "5.6", "signed by another key", body + "\n" + stranger, "forged", False
    yield "twice", "5.7", "the owner's signature twice", body + "\n" + own + own, "malformed", False
    yield "carriage-return", "5.7", "a control character", (body + "\n" + own).replace("\n", "\r\n"), "malformed", False
    many = "".join(line(1, bytes([n]) * 32, b"x", name=f"w{n}.example") for n in range(16))
    yield "seventeen-signatures", "5.7", "sixteen witnesses and the owner", body + "\n" + many + own, "too-large", False
    stamped = body + "\n" + own + mldsa(300, stamp=1)
    yield "timestamp", "5.4", "an ML-DSA-44 cosignature with a timestamp", stamped, "forged", True
    other = body + "\n" + own + mldsa(299)
    yield "mldsa-other-size", "5.6", "a good Ed25519 and a bad ML-DSA-44 signature", other, "forged", True
    bad = body + "\n" + line(1, KEYS.ed25519_key, bytes(64)) + mldsa(300)
    yield "ed25519-bad", "5.6", "a good ML-DSA-44 and a bad Ed25519 signature", bad, "forged", True
    yield "mldsa-alone", "5.6", "the ML-DSA-44 signature alone", body + "\n" + mldsa(300), "forged", True


def cases() -> Iterator[Case]:
    """Notes that read and notes that must not."""
    body = text()
    keys = {"ed25519": KEYS.ed25519_key.hex(), "mldsa": b64encode(KEYS.mldsa_key).decode()}
    place: dict[str, Any] = {"line": LINE.hex(), "lane": 3, "generation": "7-00ff00ff00ff00ff", "keys": keys}
    witness = line(4, secret("witness"), bytes(72), name="witness.example/w1")
    for name, shows, note, both in (
        ("ed25519", "a head with its Ed25519 signature", body + "\n" + ed25519(body), False),
        ("both", "a head with both signatures", body + "\n" + ed25519(body) + mldsa(300), True),
        ("witnessed", "a witness beside the owner is ignored", body + "\n" + witness + ed25519(body), False),
    ):
        yield Case(group="note", name=name, clause="5.6", shows=shows, operation="note", pinned=both,
                   input={**place, "note": note}, expect={"size": 300, "root": ROOT.hex(), "both": both})  # fmt: skip
    for name, clause, shows, note, code, pinned in refusals():
        yield Case(group="note", name=f"refused-{name}", clause=clause, shows=shows, operation="note", pinned=pinned,
                   input={**place, "note": note}, expect=refused(code))  # fmt: skip
