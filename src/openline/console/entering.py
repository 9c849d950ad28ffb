"""Signing in and out, locking, and how an officer wants to see the console."""

from typing import Annotated, Any

import msgspec

from openline.console.attempts import TooOften
from openline.console.desk import real_ms
from openline.console.officers import Officer, Preferences
from openline.console.views import HouseView, MeView, SignedInView
from openline.console.visits import Access, Operation, Visit, done
from openline.kernel.errors import Forbidden, Malformed, Refused
from openline.station.calls import Reply, reply
from openline.station.requests import Request, Sign

_Token = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
_Code = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class EnterRequest(Request, frozen=True, kw_only=True):
    """The token of a one-time link."""

    token: _Token


class RecoveryRequest(Request, frozen=True, kw_only=True):
    """A recovery code."""

    sign: Sign
    code: _Code


class UnlockRequest(Request, frozen=True, kw_only=True):
    """A passkey's answer, or a recovery code."""

    credential: dict[str, Any] | None = None
    code: _Code | None = None


class CredentialRequest(Request, frozen=True, kw_only=True):
    """A passkey's answer, as PublicKeyCredential.toJSON gives it (WebAuthn 3, 5.1)."""

    credential: dict[str, Any]


class PreferencesRequest(Request, frozen=True, kw_only=True):
    """What is to change; nothing: the officer is there."""

    language: Annotated[str, msgspec.Meta(pattern=r"^([a-z]{2})?\Z")] | None = None
    theme: Annotated[str, msgspec.Meta(pattern=r"^[a-z-]{0,16}\Z")] | None = None
    times: Annotated[str, msgspec.Meta(pattern=r"^[a-z-]{0,16}\Z")] | None = None
    sounds: bool | Annotated[str, msgspec.Meta(pattern=r"^[a-z-]{0,16}\Z")] | None = None


class BeginRequest(Request, frozen=True, kw_only=True):
    """Whose passkey: for unlocking. Whoever is not that officer is asked for any that names its officer itself."""

    sign: Sign | None = None


_ENTER = msgspec.json.Decoder(EnterRequest)
_RECOVERY = msgspec.json.Decoder(RecoveryRequest)
_UNLOCK = msgspec.json.Decoder(UnlockRequest)
_CREDENTIAL = msgspec.json.Decoder(CredentialRequest)
_PREFERENCES = msgspec.json.Decoder(PreferencesRequest)
_BEGIN = msgspec.json.Decoder(BeginRequest)


async def me(visit: Visit) -> Reply:
    """Who is signed in."""
    return reply(me_view(visit))


def me_view(visit: Visit) -> MeView:
    """Who is signed in. Raises SignedOut."""
    session, officer = visit.me
    config, preferences = visit.desk.station.config, officer.preferences
    return MeView(
        sign=officer.sign,
        signs=(officer.sign,),
        roles=officer.roles,
        language=preferences.language or config.language,
        theme=preferences.theme or None,
        times=preferences.times or None,
        sounds=preferences.sounds,
        locked=session.locked,
        station=HouseView(name=config.name, exercise=config.simulated_clock, version=visit.desk.station.version),
        passkeys=len(officer.passkeys),
        codes=len(officer.codes),
        lock_after_s=visit.desk.lock_after_s,
    )


async def prefer(visit: Visit) -> Reply:
    """Keep how an officer wants to see the console."""
    asked = await visit.json(_PREFERENCES)
    _, officer = visit.me
    changed = {name: value for name, value in msgspec.structs.asdict(asked).items() if value is not None}
    if changed:
        preferences: Preferences = msgspec.structs.replace(officer.preferences, **changed)
        visit.desk.officers.put(msgspec.structs.replace(officer, preferences=preferences))
    return await me(visit)


async def enter(visit: Visit) -> Reply:
    """By a one-time link."""
    asked = await visit.json(_ENTER)
    officer = visit.desk.officers.use_link(asked.token, real_ms())
    if officer is None:
        raise _failed(visit, "this link has been used, or is older than 15 minutes: ask the administrator for another")
    return await _signed_in(visit, officer)


async def recover(visit: Visit) -> Reply:
    """By a recovery code."""
    asked = await visit.json(_RECOVERY)
    officer = visit.desk.officers.use_code(asked.sign, asked.code)
    if officer is None:
        raise _failed(visit, "sign and code do not fit: look for a slip; every code is good once")
    return await _signed_in(visit, officer)


async def begin_passkey(visit: Visit) -> Reply:
    """What a browser needs to ask for a passkey. Which ones an officer has is told to nobody but that officer."""
    asked = await visit.json(_BEGIN)
    mine = visit.officer if visit.officer is not None and visit.officer.sign == asked.sign else None
    return Reply(data=visit.desk.passkeys.begin_sign_in(mine))


async def finish_passkey(visit: Visit) -> Reply:
    """By a passkey."""
    asked = await visit.json(_CREDENTIAL)
    return await _signed_in(visit, _by_passkey(visit, asked.credential))


async def lock(visit: Visit) -> Reply:
    """Leave the state of the lines on the screen, and nothing else."""
    session, _ = visit.me
    visit.desk.sessions.lock(session)
    return await me(visit)


async def unlock(visit: Visit) -> Reply:
    """By the officer's own passkey or recovery code."""
    asked = await visit.json(_UNLOCK)
    session, officer = visit.me
    if asked.credential is not None:
        found = _by_passkey(visit, asked.credential)
    elif asked.code is not None:
        used = visit.desk.officers.use_code(officer.sign, asked.code)
        if used is None:
            raise _failed(visit, "this code does not fit: look for a slip; every code is good once")
        found = used
    else:
        raise Malformed("a passkey or a recovery code is needed")
    if found.number != officer.number:
        raise _failed(visit, "this is another officer's: leave first, and sign in as yourself")
    visit.desk.sessions.unlock(session)
    return await me(visit)


async def leave(visit: Visit) -> Reply:
    """Sign out."""
    session, _ = visit.me
    visit.desk.sessions.end(session)
    visit.cookie = ""
    return done()


def _failed(visit: Visit, why: str) -> Refused:
    """A try that failed, counted. It is not told whether such an officer exists."""
    visit.desk.station.counters["console-sign-in-failed"] += 1
    if visit.failed():
        return TooOften("too many tries: wait a minute, and look for a slip")
    return Forbidden(why)


def _by_passkey(visit: Visit, credential: dict[str, Any]) -> Officer:
    try:
        return visit.desk.passkeys.finish_sign_in(credential)
    except Refused as refusal:
        raise _failed(visit, str(refusal)) from None


async def _signed_in(visit: Visit, officer: Officer) -> Reply:
    """A new session; the one that the browser had ends."""
    if visit.session is not None:
        visit.desk.sessions.end(visit.session)
    visit.session, visit.cookie, page = visit.desk.sessions.begin(officer, visit.browser)
    visit.officer, visit.noted = officer, officer.sign
    return reply(SignedInView(**msgspec.structs.asdict(me_view(visit)), page_key=page))


ROUTES = (
    Operation(method="GET", path="/me", handler=me, access=Access.LOCKED),
    Operation(method="PUT", path="/me", handler=prefer),
    Operation(method="POST", path="/enter", handler=enter, access=Access.ANYBODY, act="sign-in"),
    Operation(method="POST", path="/recovery", handler=recover, access=Access.ANYBODY, act="sign-in-recovery"),
    Operation(method="POST", path="/passkey/enter/begin", handler=begin_passkey, access=Access.ANYBODY),
    Operation(
        method="POST",
        path="/passkey/enter/finish",
        handler=finish_passkey,
        access=Access.ANYBODY,
        act="sign-in-passkey",
    ),
    Operation(method="POST", path="/lock", handler=lock, access=Access.LOCKED, act="lock"),
    Operation(method="POST", path="/unlock", handler=unlock, access=Access.LOCKED, act="unlock"),
    Operation(method="POST", path="/leave", handler=leave, access=Access.LOCKED, act="sign-out"),
)
