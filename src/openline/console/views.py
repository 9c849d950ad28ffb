"""What the console answers, as types."""

from openline.console.officers import Passkey
from openline.console.passkeys import key_name
from openline.station.api_console import EntryLinkView, KnownView
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


class SignedInView(MeView, frozen=True, kw_only=True):
    """After a sign-in."""

    page_key: str
    """The page's token: it keeps this to itself and sends it with every call."""


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


class PeopleView(Answer, frozen=True, kw_only=True):
    """All officers."""

    people: list[KnownView]


def passkey_view(key: Passkey) -> PasskeyView:
    """One passkey."""
    return PasskeyView(id=key_name(key), name=key.name, made=key.made, used=key.used)


def link_view(link: EntryLink) -> EntryLinkView:
    """A one-time link."""
    return EntryLinkView(sign=link.sign, url=link.url, until=link.until)
