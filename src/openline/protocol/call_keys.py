"""What binds the voices to the lanes: the ring's commitment, and the digits that two people read to each other.

The ring commits to the caller's certificate before the pick up shows the
called party's; only then is it opened. So somebody in the middle who has
stolen both lane keys has to choose both certificates before it knows what
they will be checked against: one chance in 10^8, of which people hear.

Spec: spec/17-calls.md, 17.20 to 17.24.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from openline.kernel.crypto import digest

_CALL = b"openline/1 call\n"
_CHECK = b"openline/1 spoken check\n"
DIGITS = 10_000
"""Four digits each way: said in two breaths, and with the other four one chance in a hundred million."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenCheck:
    """What each side reads aloud, as it is written: `28 41`."""

    caller: str
    called: str


def commitment(nonce: bytes, fingerprint: bytes) -> bytes:
    """What a ring says of the caller's certificate: nothing, until nonce and fingerprint (32 bytes each) are shown."""
    return digest(_CALL + nonce + fingerprint)


def opens_commitment(committed: bytes, nonce: bytes, fingerprint: bytes) -> bool:
    """Whether that nonce and fingerprint are what the ring committed to."""
    return len(nonce) == len(fingerprint) == 32 and commitment(nonce, fingerprint) == committed


def spoken_check(  # noqa: PLR0917 - the parts that are hashed, in their order
    line: bytes,
    ring: bytes,
    pick_up: bytes,
    caller: bytes,
    nonce: bytes,
    called: bytes,
    take_overs: Sequence[bytes] = (),
) -> SpokenCheck:
    """The digits of a call: of line id, leaf hashes of ring and pick up, both first seats' fingerprints and the nonce.

    `take_overs` are the leaf hashes of the entries by which either first seat was taken over, ascending by
    lane, generation and index; `caller` and `called` are then the fingerprints of now.
    """
    parts = (line, ring, pick_up, caller, nonce, called, *take_overs)
    hashed = digest(_CHECK + b"".join(parts))
    return SpokenCheck(caller=_digits(hashed[0:8]), called=_digits(hashed[8:16]))


def _digits(part: bytes) -> str:
    said = f"{int.from_bytes(part, 'big') % DIGITS:04}"
    return f"{said[:2]} {said[2:]}"
