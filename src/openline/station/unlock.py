"""Secrets at rest: sealed by a passphrase or by a key file.

    "openline/1 sealed" LF | how | cost | salt 32 | length u32 | AES-256-GCM-SIV(key of salt, secret)

`how` is 1 for a passphrase, 2 for a key file, 3 for another key that is open
already. A fresh salt makes a fresh key each time, so each key seals once. The
purpose ("station.key") and all of the header are associated data: no sealed
file can stand in for another.

scrypt costs 2^17 * 8 * 128 = 128 MiB and about half a second a guess. A key
file holds 32 random bytes and needs no stretching.
"""

from dataclasses import dataclass, field
from hashlib import scrypt
from pathlib import Path

from openline.kernel.crypto import SIV_TAG, derive, digest, open_key, seal_key
from openline.kernel.errors import Forbidden, Forged, Malformed, TooLarge
from openline.kernel.units import Entropy
from openline.station.files import read_private, write_private

_MAGIC = b"openline/1 sealed\n"
_SALT = 32
_HEADER = len(_MAGIC) + 2 + _SALT + 4
_PASSPHRASE, _KEY_FILE, _KEY = 1, 2, 3

COST = 17
"""log2 of scrypt's n."""
_MOST_COST = 20
"""1 GiB: a header cannot ask for more memory than that."""
MAX_SECRET = 65_536
_MAX_KEY_FILE = 4_096
_SHORTEST_PASSPHRASE = 8


@dataclass(frozen=True, slots=True)
class Passphrase:
    """What a person types."""

    text: str = field(repr=False)
    cost: int = COST
    """Of sealing; opening takes the cost that stands in the file."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file for unattended starts; only its owner may read it."""

    path: Path


Unlock = Passphrase | KeyFile


def make_key_file(path: Path, entropy: Entropy) -> KeyFile:
    """A new key file: 32 random bytes in hexadecimal. Raises Forbidden if there is a file, Unavailable."""
    if path.exists():
        raise Forbidden("there is a key file already")
    write_private(path, entropy(32).hex().encode() + b"\n")
    return KeyFile(path)


def seal_secret(unlock: Unlock, secret: bytes, purpose: bytes, entropy: Entropy) -> bytes:
    """Seal a secret for a purpose. Raises Forbidden for a short passphrase, and what reading a key file raises."""
    if isinstance(unlock, Passphrase):
        if len(unlock.text) < _SHORTEST_PASSPHRASE:
            raise Forbidden("a passphrase needs at least 8 characters")
        how, cost = _PASSPHRASE, unlock.cost
    else:
        how, cost = _KEY_FILE, 0
    salt = entropy(_SALT)
    return _seal(bytes((how, cost)) + salt, _stretched(unlock, cost, salt), secret, purpose)


def open_secret(unlock: Unlock, sealed: bytes, purpose: bytes) -> bytes:
    """The secret of `seal_secret`.

    Raises Forbidden for a wrong passphrase or key file, Malformed for a file
    that is cut short or is none of these, and what reading a key file raises.
    """
    how, cost, salt = _parsed(sealed)
    if how != (_PASSPHRASE if isinstance(unlock, Passphrase) else _KEY_FILE):
        if how == _PASSPHRASE:
            raise Forbidden("this is sealed by a passphrase, not by a key file")
        raise Forbidden("this is sealed by a key file, not by a passphrase")
    try:
        return _open(_stretched(unlock, cost, salt), sealed, purpose)
    except Forged:
        if how == _PASSPHRASE:
            raise Forbidden("the passphrase is not the right one, or the file is damaged") from None
        raise Forbidden("the key file is not the right one, or the sealed file is damaged") from None


def seal_under(key: bytes, secret: bytes, purpose: bytes, entropy: Entropy) -> bytes:
    """Seal a secret under a key that is open already."""
    salt = entropy(_SALT)
    return _seal(bytes((_KEY, 0)) + salt, derive(key, b"openline/1 sealed", salt), secret, purpose)


def open_under(key: bytes, sealed: bytes, purpose: bytes) -> bytes:
    """The secret of `seal_under`. Raises Malformed if it is cut short or none, Forged if it is another's or damaged."""
    how, _, salt = _parsed(sealed)
    if how != _KEY:
        raise Malformed("not a file that this key sealed")
    try:
        return _open(derive(key, b"openline/1 sealed", salt), sealed, purpose)
    except Forged:
        raise Forged("a key file is damaged, or belongs to another station") from None


def _seal(start: bytes, key: bytes, secret: bytes, purpose: bytes) -> bytes:
    if len(secret) > MAX_SECRET:
        raise TooLarge("a secret beyond its bound")
    header = _MAGIC + start + (len(secret) + SIV_TAG).to_bytes(4, "big")
    return header + seal_key(key, secret, header + purpose)


def _open(key: bytes, sealed: bytes, purpose: bytes) -> bytes:
    return open_key(key, sealed[_HEADER:], sealed[:_HEADER] + purpose)


def _parsed(sealed: bytes) -> tuple[int, int, bytes]:
    """(how, cost, salt)."""
    if not sealed.startswith(_MAGIC):
        if _MAGIC.startswith(sealed):
            raise Malformed("a sealed file is cut short")
        raise Malformed("not a sealed file of Openline")
    if len(sealed) < _HEADER or len(sealed) < _HEADER + int.from_bytes(sealed[_HEADER - 4 : _HEADER], "big"):
        raise Malformed("a sealed file is cut short")
    if len(sealed) != _HEADER + int.from_bytes(sealed[_HEADER - 4 : _HEADER], "big"):
        raise Malformed("bytes after the end of a sealed file")
    at = len(_MAGIC)
    how, cost = sealed[at], sealed[at + 1]
    if how not in (_PASSPHRASE, _KEY_FILE, _KEY) or cost > _MOST_COST or (how == _PASSPHRASE) != (cost > 0):
        raise Malformed("not a sealed file of Openline")
    return how, cost, sealed[at + 2 : at + 2 + _SALT]


def _stretched(unlock: Unlock, cost: int, salt: bytes) -> bytes:
    if isinstance(unlock, KeyFile):
        return derive(digest(read_private(unlock.path, _MAX_KEY_FILE).strip()), b"openline/1 key file", salt)
    n = 1 << cost
    return scrypt(unlock.text.encode(), salt=salt, n=n, r=8, p=1, maxmem=n * 1_024 + (1 << 20), dklen=32)
