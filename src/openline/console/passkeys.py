"""Passkeys (WebAuthn 3): a challenge is good once and for five minutes, and the user is verified.

A challenge carries its end and whose it is, authenticated by a key of this
process, and the browser names it in what it signs. So nothing is kept of a
ceremony that was only begun, and nobody can push out another one's by
beginning many; kept are those that were used, until they end.
"""

import hmac
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, TypeVar

import msgspec

from openline.console.officers import MAX_PASSKEYS, Officer, Officers, Passkey
from openline.kernel.errors import Conflict, Forbidden, Malformed
from openline.kernel.units import Entropy

CHALLENGE_MS: Final = 5 * 60 * 1_000
_CHALLENGE: Final = struct.Struct(">QI16s")
_MAC: Final = 16
_TIMEOUT_MS: Final = 120_000
"""How long the browser waits for the officer's finger."""
_TRANSPORTS: Final = frozenset({"ble", "cable", "hybrid", "internal", "nfc", "smart-card", "usb"})
_NAME_LENGTH: Final = 64
_REFUSED: Final = "this passkey is not accepted"
_LATE: Final = "this passkey came too late: begin again"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ceremony:
    challenge: bytes
    until: int
    officer: int
    """Who registers; 0: somebody signs in."""


class Passkeys:
    """The ceremonies of one station."""

    def __init__(self, officers: Officers, entropy: Entropy, now: Callable[[], int], host: str, name: str) -> None:
        """`host` is the relying party's id: passkeys are bound to it. `name` is what the browser shows."""
        self._officers, self._entropy, self._now, self._host, self._name = officers, entropy, now, host, name
        self._used: dict[bytes, int] = {}
        """Challenge -> its end."""
        self._hidden = entropy(32)
        self.origin = ""

    def begin_registration(self, officer: Officer) -> bytes:
        """Options (JSON) for a further passkey of that officer. Raises Conflict."""
        from webauthn import generate_registration_options, options_to_json
        from webauthn.helpers.structs import (
            AuthenticatorSelectionCriteria,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        _check_room(officer)
        options = generate_registration_options(
            rp_id=self._host,
            rp_name=self._name,
            user_id=officer.handle,
            user_name=officer.sign,
            user_display_name=officer.sign,
            challenge=self._challenge(officer.number),
            timeout=_TIMEOUT_MS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,  # else it does not name its officer, and signs nobody in
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=_descriptors(officer.passkeys),
        )
        return options_to_json(options).encode()

    def finish_registration(self, officer: Officer, credential: dict[str, Any], name: str) -> Officer:
        """Keep the passkey that was made. Raises Forbidden, Malformed or Conflict."""
        from webauthn import verify_registration_response

        ceremony = self._ceremony(credential)
        if ceremony.officer != officer.number:
            raise Forbidden(_REFUSED)
        made = _verified(
            lambda: verify_registration_response(
                credential=credential,
                expected_challenge=ceremony.challenge,
                expected_rp_id=self._host,
                expected_origin=self.origin,
                require_user_verification=True,
            )
        )
        self._use(ceremony)
        _check_room(officer)  # several may have been begun while there was room for one
        if self._officers.of_passkey(made.credential_id) is not None:
            raise Conflict("this passkey is registered already")
        response = credential.get("response")
        told = response.get("transports", ()) if isinstance(response, dict) else ()
        now = self._now()
        passkey = Passkey(
            id=made.credential_id,
            public_key=made.credential_public_key,
            count=made.sign_count,
            name=name[:_NAME_LENGTH],
            made=now,
            used=now,
            transports=tuple(each for each in told if isinstance(each, str) and each in _TRANSPORTS),
        )
        return self._officers.put(msgspec.structs.replace(officer, passkeys=(*officer.passkeys, passkey)))

    def begin_sign_in(self, officer: Officer | None) -> bytes:
        """Options (JSON) for signing in by any passkey that names its officer itself, or for unlocking by that officer's."""
        from webauthn import generate_authentication_options, options_to_json
        from webauthn.helpers.structs import UserVerificationRequirement

        options = generate_authentication_options(
            rp_id=self._host,
            challenge=self._challenge(0),
            timeout=_TIMEOUT_MS,
            allow_credentials=_descriptors(officer.passkeys if officer is not None else ()),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json(options).encode()

    def finish_sign_in(self, credential: dict[str, Any]) -> Officer:
        """Whose passkey that was. Raises Forbidden or Malformed."""
        from webauthn import verify_authentication_response

        ceremony = self._ceremony(credential)
        key_id = _bytes(credential.get("id"))
        officer = self._officers.of_passkey(key_id)
        if ceremony.officer or officer is None or officer.disabled:
            raise Forbidden(_REFUSED)
        response = credential.get("response")
        handle = response.get("userHandle") if isinstance(response, dict) else None
        if handle and not hmac.compare_digest(_bytes(handle), officer.handle):
            raise Forbidden(_REFUSED)
        passkey = next(each for each in officer.passkeys if each.id == key_id)
        used = _verified(
            lambda: verify_authentication_response(
                credential=credential,
                expected_challenge=ceremony.challenge,
                expected_rp_id=self._host,
                expected_origin=self.origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.count,  # a counter that did not grow: the key was copied (6.1.1)
                require_user_verification=True,
            )
        )
        self._use(ceremony)
        newer = msgspec.structs.replace(passkey, count=used.new_sign_count, used=self._now())
        passkeys = tuple(newer if each.id == key_id else each for each in officer.passkeys)
        return self._officers.put(msgspec.structs.replace(officer, passkeys=passkeys))

    def _challenge(self, officer: int) -> bytes:
        body = _CHALLENGE.pack(self._now() + CHALLENGE_MS, officer, self._entropy(16))
        return body + self._mac(body)

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._hidden, b"challenge" + body, "sha256")[:_MAC]

    def _ceremony(self, credential: dict[str, Any]) -> _Ceremony:
        """The ceremony that an answer belongs to. Raises Forbidden or Malformed."""
        response = credential.get("response")
        try:
            client = json.loads(_bytes(response.get("clientDataJSON") if isinstance(response, dict) else None))
            challenge = _bytes(client.get("challenge") if isinstance(client, dict) else None)
        except (ValueError, RecursionError):
            raise Malformed(_REFUSED) from None
        body, mac = challenge[:-_MAC], challenge[-_MAC:]
        if len(body) != _CHALLENGE.size or not hmac.compare_digest(mac, self._mac(body)):
            raise Forbidden(_LATE)
        until, officer, _ = _CHALLENGE.unpack(body)
        if self._now() >= until or challenge in self._used:
            raise Forbidden(_LATE)
        return _Ceremony(challenge=challenge, until=until, officer=officer)

    def _use(self, ceremony: _Ceremony) -> None:
        now = self._now()
        self._used = {challenge: until for challenge, until in self._used.items() if now < until}
        self._used[ceremony.challenge] = ceremony.until


def _check_room(officer: Officer) -> None:
    """Raises Conflict."""
    if len(officer.passkeys) >= MAX_PASSKEYS:
        raise Conflict("there are as many passkeys as one officer may have: forget one")


def key_name(key: Passkey) -> str:
    """How the API names a passkey."""
    return sha256(key.id).hexdigest()[:16]


def _descriptors(passkeys: tuple[Passkey, ...]) -> list[Any]:
    from webauthn.helpers.structs import AuthenticatorTransport, PublicKeyCredentialDescriptor

    known = {each.value: each for each in AuthenticatorTransport}
    return [
        PublicKeyCredentialDescriptor(
            id=each.id, transports=[known[name] for name in each.transports if name in known] or None
        )
        for each in passkeys
    ]


def _bytes(text: object) -> bytes:
    from webauthn import base64url_to_bytes

    if not isinstance(text, str):
        raise Malformed(_REFUSED)
    try:
        return base64url_to_bytes(text)
    except ValueError:
        raise Malformed(_REFUSED) from None


def _verified(check: Callable[[], T]) -> T:
    """What the library found. Raises Forbidden: on hostile input it fails in more ways than it documents."""
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        return check()
    except (WebAuthnException, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
        raise Forbidden(_REFUSED) from None
