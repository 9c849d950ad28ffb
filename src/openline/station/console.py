"""What the station knows of its console: the console stands above the station, and is there only if it is configured."""

from dataclasses import dataclass, field
from typing import Protocol

from openline.station.people import Actor

SESSION, LINK = "session", "link"
PASSING = (SESSION, LINK)
"""Kinds of the console's rows that a restored station must not bring back."""
CALENDARS = "calendars"
"""The setting in which calendar addresses are kept, of which that is true too: some were revoked since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLink:
    """A one-time link by which an officer signs in."""

    sign: str
    url: str = field(repr=False)
    until: int
    """Ms since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An officer of the console, as the station's own people see them."""

    sign: str
    roles: tuple[str, ...]
    disabled: bool
    passkeys: int
    codes: int
    """Recovery codes that are left."""
    sessions: int
    seen: int | None
    """The last act in a session that is open, ms since 1970."""


class ConsoleDesk(Protocol):
    """The console of a running station."""

    @property
    def url(self) -> str:
        """Its address."""
        ...

    def certificate(self) -> bytes:
        """Its authority's certificate (PEM), for installing on workstations. Raises Unavailable."""
        ...

    def link(self, actor: Actor, sign: str, roles: tuple[str, ...]) -> EntryLink:
        """A link for an officer; a new one is made with those roles, or with those that the configuration gives the sign.

        Raises Conflict (that officer is there with other roles; disabled), Malformed or Unavailable.
        """
        ...

    def roles_of(self, uid: int) -> frozenset[str]:
        """Of the officer for whom the station acts under that number; none of one who is disabled or unknown."""
        ...

    def known(self) -> list[Known]:
        """All officers."""
        ...

    def first_link(self) -> EntryLink | None:
        """A link for the first administrator; None if an administrator can sign in already. Raises Unavailable."""
        ...
