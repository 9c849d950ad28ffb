"""Calls about the console for whoever is at the station itself: a one-time link, and the certificate for workstations."""

from dataclasses import asdict
from typing import Annotated

import msgspec

from openline.kernel.errors import Conflict
from openline.station.bearer_answers import Answer
from openline.station.calls import Call, Reply, Route, reply
from openline.station.console import ConsoleDesk
from openline.station.people import ADMINISTRATOR, AUDITOR, TECHNICIAN
from openline.station.requests import Request, RoleWord, Sign


class LinkRequest(Request, frozen=True, kw_only=True):
    """For whom, and for a new officer in which roles."""

    sign: Sign
    roles: Annotated[list[RoleWord], msgspec.Meta(max_length=8)] = msgspec.field(default_factory=list)


class EntryLinkView(Answer, frozen=True, kw_only=True):
    """A one-time link."""

    sign: str
    url: str
    until: int


class AuthorityView(Answer, frozen=True, kw_only=True):
    """The certificate of the console's authority."""

    url: str
    certificate: str
    """PEM."""


class KnownView(Answer, frozen=True, kw_only=True):
    """An officer of the console."""

    sign: str
    roles: tuple[str, ...]
    disabled: bool
    passkeys: int
    codes: int
    sessions: int
    seen: int | None


class KnownsView(Answer, frozen=True, kw_only=True):
    """Where the console is, and its officers."""

    url: str
    people: list[KnownView]


_LINK = msgspec.json.Decoder(LinkRequest)


async def link(call: Call) -> Reply | None:
    """A one-time link."""
    asked = await call.json(_LINK)
    made = _desk(call).link(call.actor, asked.sign, tuple(asked.roles))
    call.noted = made.sign
    return reply(EntryLinkView(sign=made.sign, url=made.url, until=made.until), 201)


async def people(call: Call) -> Reply | None:
    """Who may sign in."""
    desk = _desk(call)
    return reply(KnownsView(url=desk.url, people=[KnownView(**asdict(each)) for each in desk.known()]))


async def authority(call: Call) -> Reply | None:
    """The certificate that a workstation installs."""
    desk = _desk(call)
    return reply(AuthorityView(url=desk.url, certificate=desk.certificate().decode()))


def _desk(call: Call) -> ConsoleDesk:
    """Raises Conflict."""
    if call.station.console is None:
        raise Conflict("this station has no console: put a table [console] into config.toml and start it again")
    return call.station.console


ROUTES = (
    Route(
        method="POST",
        path="/console/links",
        handler=link,
        summary="A one-time link by which an officer signs in at the console",
        roles=frozenset({ADMINISTRATOR}),
        body=LinkRequest,
        answers={201: EntryLinkView},
        act="officer-link",
        first=True,
    ),
    Route(
        method="GET",
        path="/console/people",
        handler=people,
        summary="The officers of the console",
        roles=frozenset({ADMINISTRATOR, TECHNICIAN, AUDITOR}),
        answers={200: KnownsView},
    ),
    Route(
        method="GET",
        path="/console/authority",
        handler=authority,
        summary="The certificate of the console's authority",
        answers={200: AuthorityView},
    ),
)
