"""What all calls of the console share: officers, sessions, passkeys, and the links by which people first come in."""

import os
import time
from collections.abc import Callable
from typing import Final

from openline.console.attempts import Attempts
from openline.console.officers import Officer, Officers, checked_roles
from openline.console.passkeys import Passkeys
from openline.console.sessions import Sessions
from openline.kernel.errors import Conflict, Malformed
from openline.station.config import console_host
from openline.station.console import EntryLink, Known
from openline.station.people import ADMINISTRATOR, Actor
from openline.station.runtime import Station

_FIRST_SIGN: Final = "ADMIN"


class Desk:
    """One station's console, behind the page."""

    def __init__(self, station: Station, certificate: Callable[[], bytes]) -> None:
        config = station.config
        lock_ms = (config.console.lock_after_s if config.console is not None else 0) * 1_000
        self.station, self.certificate = station, certificate
        self.host = console_host(config)
        self.lock_after_s = lock_ms // 1_000
        self.officers = Officers(station)
        self.sessions = Sessions(station, self.officers, real_ms, lock_ms)
        self.passkeys = Passkeys(
            self.officers, station.entropy, station.clock.steady, self.host, f"Openline {config.name}"
        )
        self.failed = Attempts()

    @property
    def url(self) -> str:
        """The console's address, once it listens."""
        return self.passkeys.origin

    def entry(self, officer: Officer) -> EntryLink:
        """A one-time link. Raises Conflict or Unavailable. The token stands in the fragment: no server is sent it, no log has it."""
        if officer.disabled:
            raise Conflict("this officer is disabled: enable them first")
        token, until = self.officers.new_link(officer, real_ms())
        return EntryLink(sign=officer.sign, url=f"{self.url}/#/enter/{token}", until=until)

    def link(self, actor: Actor, sign: str, roles: tuple[str, ...]) -> EntryLink:
        """See station.console.ConsoleDesk."""
        officer = self.officers.find(sign)
        if officer is None:
            given = checked_roles(roles) if roles else self._configured(sign)
            officer = self.officers.add(sign, given, real_ms())
            self.station.audit.note(actor, "officer-add", sign)
        elif roles and checked_roles(roles) != officer.roles:
            raise Conflict(
                "there is an officer of that sign with other roles: an administrator changes them in the console"
            )
        return self.entry(officer)

    def roles_of(self, uid: int) -> frozenset[str]:
        """See station.console.ConsoleDesk."""
        officer = self.officers.numbered(-uid)
        return frozenset() if officer is None or officer.disabled else officer.actor.roles

    def known(self) -> list[Known]:
        """All officers."""
        return [self.known_as(each) for each in self.officers.all()]

    def known_as(self, officer: Officer) -> Known:
        """How an officer stands."""
        sessions = [each for each in self.sessions if each.officer == officer.number]
        return Known(
            sign=officer.sign,
            roles=officer.roles,
            disabled=officer.disabled,
            passkeys=len(officer.passkeys),
            codes=len(officer.codes),
            sessions=len(sessions),
            seen=max((each.seen for each in sessions), default=None),
        )

    def first_link(self) -> EntryLink | None:
        """See station.console.ConsoleDesk."""
        administrators = [each for each in self.officers.all() if ADMINISTRATOR in each.roles and not each.disabled]
        numbers = {each.number for each in administrators}
        if any(each.can_sign_in for each in administrators) or any(each.officer in numbers for each in self.sessions):
            return None
        if administrators:
            return self.entry(administrators[0])
        people = [each for each in self.station.config.people.values() if {ADMINISTRATOR, "all"} & set(each.roles)]
        sign, roles = (people[0].sign, people[0].roles) if people else (_FIRST_SIGN, (ADMINISTRATOR,))
        if self.officers.find(sign) is not None:
            sign, roles = _FIRST_SIGN, (ADMINISTRATOR,)
        return self.link(Actor(uid=os.getuid(), signs=(), roles=frozenset()), sign, tuple(roles))

    def _configured(self, sign: str) -> tuple[str, ...]:
        """The roles that the configuration gives a sign. Raises Malformed."""
        for person in self.station.config.people.values():
            if sign == person.sign or sign in person.also:
                return checked_roles(person.roles)
        raise Malformed("nobody in config.toml has that sign: give the roles of the new officer")


def real_ms() -> int:
    """The real time of day, also where the station's clock is simulated: a session must not end because an exercise jumps."""
    return time.time_ns() // 1_000_000
