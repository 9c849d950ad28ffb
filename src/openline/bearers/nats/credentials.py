"""Who we are to the relay: a user and password, an nkey, or a credentials file of NATS (JWT and nkey).

None of it says anything about envelopes: whoever may publish on the relay may
publish garbage, and the station treats it as such.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from openline.kernel.errors import Malformed

MOST_BYTES = 65_536
_SEED, _USER = 18 << 3, 20 << 3
"""Prefixes of nkeys: S for seeds, U for users."""
_BLOCK = re.compile(r"-+BEGIN ([A-Z ]+)-+\s+([A-Za-z0-9._=+/-]+)\s+-+END ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What is answered to the relay's first word. Empty: nothing is."""

    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    jwt: str = field(default="", repr=False)
    seed: bytes = field(default=b"", repr=False)

    def answer(self, nonce: str) -> dict[str, str]:
        """The members of CONNECT that say who we are."""
        said: dict[str, str] = {}
        if self.user:
            said["user"], said["pass"] = self.user, self.password
        if self.seed:
            key = Ed25519PrivateKey.from_private_bytes(self.seed)
            said["sig"] = base64.urlsafe_b64encode(key.sign(nonce.encode())).decode().rstrip("=")
            if self.jwt:
                said["jwt"] = self.jwt
            else:
                said["nkey"] = _nkey(key.public_key().public_bytes_raw())
        return said


def read_credentials(data: bytes) -> Credentials:
    """Read a file: `user:password` in one line, an nkey seed (SU...), or a file of NATS with both blocks.

    Raises Malformed.
    """
    try:
        text = data[:MOST_BYTES].decode("ascii").strip()
    except UnicodeDecodeError:
        raise Malformed("the relay's credentials are no text") from None
    if not text:
        return Credentials()
    blocks = {name.strip(): value for name, value in _BLOCK.findall(text)}
    if blocks:
        if not {"NATS USER JWT", "USER NKEY SEED"} <= set(blocks):
            raise Malformed("the relay's credentials lack a token or a key")
        return Credentials(jwt=blocks["NATS USER JWT"], seed=_seed(blocks["USER NKEY SEED"]))
    if re.fullmatch(r"SU[A-Z2-7]{56}", text):
        return Credentials(seed=_seed(text))
    user, colon, password = text.partition(":")
    if not user or not colon or re.search(r"[\x00-\x20]", text):
        raise Malformed("the relay's credentials are neither user:password, nor a key, nor a credentials file")
    return Credentials(user=user, password=password)


def _seed(text: str) -> bytes:
    """The 32 bytes behind an nkey's seed."""
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except binascii.Error:
        raise Malformed("the relay's key is not an nkey seed") from None
    prefix = (raw[0] & 0xF8, (raw[0] & 7) << 5 | raw[1] >> 3) if len(raw) == 36 else (0, 0)
    if prefix != (_SEED, _USER) or _check(raw[:-2]) != raw[-2:]:
        raise Malformed("the relay's key is not an nkey seed of a user")
    return raw[2:34]


def _nkey(public: bytes) -> str:
    raw = bytes((_USER,)) + public
    return base64.b32encode(raw + _check(raw)).decode().rstrip("=")


def _check(data: bytes) -> bytes:
    return binascii.crc_hqx(data, 0).to_bytes(2, "little")
