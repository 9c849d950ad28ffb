"""Officers and their roles: an administrator's work. Whoever loses a role loses it in open sessions too."""

from dataclasses import asdict
from typing import Annotated

import msgspec

from openline.console.desk import real_ms
from openline.console.officers import Officer, checked_roles
from openline.console.views import PeopleView, link_view
from openline.console.visits import Operation, Visit
from openline.station.api_console import KnownView
from openline.station.calls import Reply, reply
from openline.station.people import ADMINISTRATOR
from openline.station.requests import Request, RoleWord, Sign

_ROLES = frozenset({ADMINISTRATOR})
_Roles = Annotated[list[RoleWord], msgspec.Meta(min_length=1, max_length=8)]


class NewPersonRequest(Request, frozen=True, kw_only=True):
    """A new officer."""

    sign: Sign
    roles: _Roles


class PersonRequest(Request, frozen=True, kw_only=True):
    """What is to change."""

    roles: _Roles | None = None
    disabled: bool | None = None
    forget: bool = False
    """Passkeys and recovery codes: all is lost, a new link is the way in."""


_NEW = msgspec.json.Decoder(NewPersonRequest)
_CHANGE = msgspec.json.Decoder(PersonRequest)


async def people(visit: Visit) -> Reply:
    """All officers."""
    return reply(PeopleView(people=[_view(visit, each) for each in visit.desk.officers.all()]))


async def add(visit: Visit) -> Reply:
    """A new officer, who then needs a link."""
    asked = await visit.json(_NEW)
    visit.noted = asked.sign
    made = visit.desk.officers.add(asked.sign, asked.roles, real_ms())
    return reply(_view(visit, made), 201)


async def change(visit: Visit) -> Reply:
    """Other roles, disabled or enabled again, or without passkeys and codes."""
    desk, officer = visit.desk, _named(visit)
    asked = await visit.json(_CHANGE)
    officer = desk.officers.get(officer.sign)  # as it stands now: reading the call took time
    if asked.roles is not None:
        officer = msgspec.structs.replace(officer, roles=checked_roles(asked.roles))
    if asked.disabled is not None:
        officer = msgspec.structs.replace(officer, disabled=asked.disabled)
    if asked.forget:
        officer = msgspec.structs.replace(officer, passkeys=(), codes=())
    desk.officers.put(officer)
    if asked.forget or officer.disabled:
        desk.officers.void_link(officer)
    if asked.forget:
        for session in desk.sessions:
            if session.officer == officer.number and session is not visit.session:
                desk.sessions.end(session)
    desk.sessions.stir(officer)
    return reply(_view(visit, officer))


async def link(visit: Visit) -> Reply:
    """A one-time link for an officer."""
    return reply(link_view(visit.desk.entry(_named(visit))), 201)


def _named(visit: Visit) -> Officer:
    officer = visit.desk.officers.get(visit.part("sign"))
    visit.noted = officer.sign
    return officer


def _view(visit: Visit, officer: Officer) -> KnownView:
    return KnownView(**asdict(visit.desk.known_as(officer)))


ROUTES = (
    Operation(method="GET", path="/people", handler=people, roles=_ROLES),
    Operation(method="POST", path="/people", handler=add, roles=_ROLES, act="officer-add", first=True),
    Operation(method="POST", path="/people/{sign}", handler=change, roles=_ROLES, act="officer-change", first=True),
    Operation(method="POST", path="/people/{sign}/link", handler=link, roles=_ROLES, act="officer-link", first=True),
)
