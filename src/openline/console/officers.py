"""The officers of the console: signs, roles, passkeys, recovery codes and one-time links.

Nobody is ever deleted, so that a number in the audit log names one person for
good. Of codes and links only the hash is kept; both are 128 random bits or
more, so that a plain hash is as good as a slow one.
"""

import base64
import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import Annotated, Final

import msgspec

from openline.kernel.errors import Conflict, Malformed, Unavailable, Unknown
from openline.station.console import LINK
from openline.station.people import ADMINISTRATOR, ROLES, Actor
from openline.station.runtime import Station

LINK_MS: Final = 15 * 60 * 1_000
"""A one-time link is good for so long."""
CODES: Final = 10
_CODE_BYTES, _TOKEN_BYTES, _HANDLE_BYTES = 16, 32, 32
_GROUP: Final = 5
MAX_PASSKEYS: Final = 16
MAX_OFFICERS: Final = 1_000
_OFFICER = "officer"


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept."""


class Passkey(Row, frozen=True, kw_only=True):
    """One credential (WebAuthn 3, 4)."""

    id: bytes
    public_key: bytes
    count: int
    """The authenticator's signature counter; 0 if it has none."""
    name: str
    made: int
    used: int
    transports: tuple[str, ...] = ()


class Preferences(Row, frozen=True, kw_only=True):
    """How an officer wants to see the console."""

    language: Annotated[str, msgspec.Meta(pattern=r"^([a-z]{2})?\Z")] = ""
    theme: Annotated[str, msgspec.Meta(pattern=r"^[a-z-]{0,16}\Z")] = ""
    times: Annotated[str, msgspec.Meta(pattern=r"^[a-z-]{0,16}\Z")] = ""
    sounds: bool | Annotated[str, msgspec.Meta(pattern=r"^[a-z-]{0,16}\Z")] = True


class Officer(Row, frozen=True, kw_only=True):
    """One officer. The station acts for them under `uid`, which no Unix user has."""

    number: int
    """From 1."""
    sign: str
    roles: tuple[str, ...]
    made: int
    handle: bytes
    """The user handle (WebAuthn 5.4.3): says nothing of the person."""
    disabled: bool = False
    passkeys: tuple[Passkey, ...] = ()
    codes: tuple[bytes, ...] = ()
    """Hashes of the recovery codes that are left."""
    preferences: Preferences = Preferences()

    @property
    def actor(self) -> Actor:
        """As whom the API knows the officer."""
        return Actor(uid=-self.number, signs=(self.sign,), roles=frozenset(self.roles))

    @property
    def can_sign_in(self) -> bool:
        """Whether there is a way in but a new link."""
        return not self.disabled and bool(self.passkeys or self.codes)


class Link(Row, frozen=True, kw_only=True):
    """A one-time link."""

    hash: bytes
    sign: str
    until: int


_ENCODER = msgspec.msgpack.Encoder()
_OFFICERS, _LINKS = msgspec.msgpack.Decoder(Officer), msgspec.msgpack.Decoder(Link)


class Officers:
    """All of them, in memory and in the store. Every change is durable when it returns. Raises Unavailable."""

    def __init__(self, station: Station) -> None:
        self._rows, self._entropy = station.store.console, station.entropy
        try:
            officers = [_OFFICERS.decode(row) for row in self._rows.all(_OFFICER)]
            links = [_LINKS.decode(row) for row in self._rows.all(LINK)]
        except msgspec.MsgspecError:
            raise Unavailable("the store is damaged: run openline doctor") from None
        self._by_sign = {officer.sign: officer for officer in sorted(officers, key=lambda each: each.number)}
        self._links = {link.sign: link for link in links}
        self._nothing = sha256(self._entropy(_TOKEN_BYTES)).digest()

    def all(self) -> tuple[Officer, ...]:
        """In the order in which they came."""
        return tuple(self._by_sign.values())

    def find(self, sign: str) -> Officer | None:
        """The officer of that sign."""
        return self._by_sign.get(sign)

    def get(self, sign: str) -> Officer:
        """The officer of that sign. Raises Unknown."""
        found = self._by_sign.get(sign)
        if found is None:
            raise Unknown("there is no officer of that sign")
        return found

    def numbered(self, number: int) -> Officer | None:
        """The officer of that number."""
        return next((each for each in self._by_sign.values() if each.number == number), None)

    def of_handle(self, handle: bytes) -> Officer | None:
        """The officer of that user handle."""
        return next((each for each in self._by_sign.values() if hmac.compare_digest(each.handle, handle)), None)

    def of_passkey(self, credential: bytes) -> Officer | None:
        """The officer with that credential."""
        found = [each for each in self._by_sign.values() if any(key.id == credential for key in each.passkeys)]
        return found[0] if found else None

    def add(self, sign: str, roles: Iterable[str], now: int) -> Officer:
        """A new officer. Raises Conflict (the sign is taken; too many) or Malformed."""
        if sign in self._by_sign:
            raise Conflict("there is an officer of that sign: signs are not given twice")
        if len(self._by_sign) >= MAX_OFFICERS:
            raise Conflict("there are as many officers as a station keeps")
        number = max((each.number for each in self._by_sign.values()), default=0) + 1
        handle = self._entropy(_HANDLE_BYTES)
        return self.put(Officer(number=number, sign=sign, roles=checked_roles(roles), made=now, handle=handle))

    def put(self, officer: Officer) -> Officer:
        """Replace what is kept. Raises Conflict if nobody would be left to administer the console."""
        others = [each for each in self._by_sign.values() if each.sign != officer.sign]
        before = self._by_sign.get(officer.sign)
        if before is not None and _administers(before) and not any(map(_administers, [*others, officer])):
            raise Conflict("the last administrator stays one: make another one first")
        self._rows.put(_OFFICER, officer.sign.encode(), _ENCODER.encode(officer))
        self._by_sign[officer.sign] = officer
        return officer

    # --- links and codes ---------------------------------------------------------------------------------------

    def new_link(self, officer: Officer, now: int) -> tuple[str, int]:
        """A token that signs that officer in once, and until when; a link from before is void."""
        token = base64.urlsafe_b64encode(self._entropy(_TOKEN_BYTES)).decode().rstrip("=")
        link = Link(hash=sha256(token.encode()).digest(), sign=officer.sign, until=now + LINK_MS)
        self._rows.put(LINK, officer.sign.encode(), _ENCODER.encode(link))
        self._links[officer.sign] = link
        return token, link.until

    def void_link(self, officer: Officer) -> None:
        """A link that is still out signs nobody in any more."""
        if self._links.pop(officer.sign, None) is not None:
            self._rows.drop(LINK, officer.sign.encode())

    def use_link(self, token: str, now: int) -> Officer | None:
        """Whom that token signs in; it is used up, durably, when this returns."""
        given, found = sha256(token.encode()).digest(), None
        for link in self._links.values():
            if hmac.compare_digest(link.hash, given):
                found = link
        if found is None:
            return None
        self._rows.drop(LINK, found.sign.encode())
        del self._links[found.sign]
        officer = self._by_sign.get(found.sign)
        return officer if officer is not None and not officer.disabled and now < found.until else None

    def new_codes(self, officer: Officer) -> list[str]:
        """Ten new recovery codes, shown once; those from before are void."""
        codes = [_written(self._entropy(_CODE_BYTES)) for _ in range(CODES)]
        self.put(msgspec.structs.replace(officer, codes=tuple(_code_hash(code) for code in codes)))
        return codes

    def use_code(self, sign: str, code: str) -> Officer | None:
        """Who signs in with that code; it is used up, durably, when this returns."""
        officer = self._by_sign.get(sign)
        hashes = officer.codes if officer is not None and officer.codes else (self._nothing,)
        given = _code_hash(code)
        left = [kept for kept in hashes if not hmac.compare_digest(kept, given)]
        if officer is None or officer.disabled or len(left) == len(hashes):
            return None
        return self.put(msgspec.structs.replace(officer, codes=tuple(left)))


def checked_roles(roles: Iterable[str]) -> tuple[str, ...]:
    """Roles in their usual order, "all" for all of them. Raises Malformed."""
    given = set(roles)
    if "all" in given:
        given = (given - {"all"}) | set(ROLES)
    if not given or not given <= set(ROLES):
        raise Malformed(
            "a role that does not exist, or none: watch-officer, principal, interpreter, technician, auditor, administrator"
        )
    return tuple(role for role in ROLES if role in given)


def _administers(officer: Officer) -> bool:
    return ADMINISTRATOR in officer.roles and not officer.disabled


def _written(code: bytes) -> str:
    """As people write it down: groups of five letters and digits, none of which looks like another."""
    text = base64.b32encode(code).decode().rstrip("=")
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))


def _code_hash(code: str) -> bytes:
    """However it was typed: small letters, blanks and dashes do not matter; 0 and 1 are taken for O and I."""
    plain = "".join(each for each in code.upper() if each.isascii() and each.isalnum())
    return sha256(plain.replace("0", "O").replace("1", "I").encode()).digest()
