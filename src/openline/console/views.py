"""What the console answers, as types."""

from openline.console.officers import Officer, Passkey
from openline.console.passkeys import key_name
from openline.console.sessions import Session
from openline.station.bearer_answers import Answer
from openline.station.console import EntryLink


class HouseView(Answer, frozen=True, kw_only=True):
    """The station."""

    name: str
    exercise: bool
    version: str


class MeView(Answer, frozen=True, kw_only=True):
    """Who is signed in, and how they want to see the console."""

    sign: str
    signs: tuple[str, ...]
    roles: tuple[str, ...]
    language: str
    theme: str | None
    times: str | None
    sounds: bool | str
    locked: bool
    station: HouseView
    passkeys: int
    codes: int
    """Recovery codes that are left."""
    lock_after_s: int


class RegisteredView(MeView, frozen=True, kw_only=True):
    """After a passkey was made."""

    recovery_codes: list[str]
    """With the first passkey, as none were there: shown this once. Else empty."""


class SessionView(Answer, frozen=True, kw_only=True):
    """One session."""

    id: str
    sign: str
    made: int
    seen: int
    locked: bool
    this: bool
    """Whether it is the caller's own."""
    browser: str


class SessionsView(Answer, frozen=True, kw_only=True):
    """Sessions, the oldest first."""

    sessions: list[SessionView]


class PasskeyView(Answer, frozen=True, kw_only=True):
    """One passkey."""

    id: str
    name: str
    made: int
    used: int


class PasskeysView(Answer, frozen=True, kw_only=True):
    """The caller's passkeys."""

    passkeys: list[PasskeyView]


class CodesView(Answer, frozen=True, kw_only=True):
    """New recovery codes: shown this once."""

    codes: list[str]


class PersonView(Answer, frozen=True, kw_only=True):
    """One officer."""

    sign: str
    roles: tuple[str, ...]
    disabled: bool
    made: int
    passkeys: int
    codes: int
    sessions: int
    seen: int | None
    """The last act in a session that is open."""


class PeopleView(Answer, frozen=True, kw_only=True):
    """All officers."""

    people: list[PersonView]


class LinkView(Answer, frozen=True, kw_only=True):
    """A one-time link."""

    sign: str
    url: str
    until: int


def passkey_view(key: Passkey) -> PasskeyView:
    """One passkey."""
    return PasskeyView(id=key_name(key), name=key.name, made=key.made, used=key.used)


def person_view(officer: Officer, sessions: list[Session]) -> PersonView:
    """One officer; `sessions` are theirs."""
    return PersonView(
        sign=officer.sign,
        roles=officer.roles,
        disabled=officer.disabled,
        made=officer.made,
        passkeys=len(officer.passkeys),
        codes=len(officer.codes),
        sessions=len(sessions),
        seen=max((each.seen for each in sessions), default=None),
    )


def link_view(link: EntryLink) -> LinkView:
    """A one-time link."""
    return LinkView(sign=link.sign, url=link.url, until=link.until)
