"""One call of the console itself (/console/...): who calls, whether the page itself calls, and the answer.

What an operation needs stands in its table row: nobody, a session, one that
is not locked, a role. Nothing of it depends on the page.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
from starlette.routing import Route as Path
from starlette.routing import Router

from openline.console.app import answer
from openline.console.attempts import TooOften
from openline.console.desk import Desk
from openline.console.listening import KNOWN, PEER
from openline.console.officers import Officer
from openline.console.sessions import COOKIE, Session
from openline.kernel.errors import Bug, Forbidden, Refused, TooLarge, Unavailable, Unknown
from openline.station.calls import NotAllowed, Receive, Reply, Scope, decoded, failure, reply
from openline.station.people import Actor

MAX_BODY: Final = 65_536
"""A passkey's answer takes a few thousand bytes."""
BODY_S: Final = 10.0
"""From the end of the head to that of the body."""
NOBODY: Final = Actor(uid=2**32 - 1, signs=(), roles=frozenset())
"""Whoever is not signed in, in the audit log: the user number that no user has."""
_SAFE: Final = frozenset({"GET", "HEAD"})
_BROWSER_LENGTH: Final = 128
PAGE: Final = b"openline-page"
"""The header with the page's token."""

S = TypeVar("S", bound=msgspec.Struct)


class SignedOut(Refused):
    """Nobody is signed in."""

    code = "signed-out"


class Locked(Refused):
    """The session is locked."""

    code = "locked"


class Access(Enum):
    """Who may call."""

    ANYBODY = 0
    LOCKED = 1
    """Whoever is signed in, also on a locked page."""
    OPEN = 2
    """Whoever is signed in."""


@dataclass(slots=True, kw_only=True)
class Visit:
    """A call under way."""

    desk: Desk
    scope: Scope
    receive: Receive
    headers: Mapping[bytes, bytes]
    session: Session | None = None
    officer: Officer | None = None
    noted: str = ""
    """Of whom the act is, for the audit log."""
    counted: bool = False
    """Whether it is among the tries that failed already."""
    cookie: str | None = None
    """A session's token for the browser; empty: forget it."""

    @property
    def me(self) -> tuple[Session, Officer]:
        """Who is signed in, as it stands now: reading a body takes time. Raises SignedOut."""
        session = self.session
        officer = None if session is None or session.ended else self.desk.officers.numbered(session.officer)
        if session is None or officer is None or officer.disabled:
            raise SignedOut("nobody is signed in: sign in")
        return session, officer

    @property
    def address(self) -> str:
        """Of the caller, for counting tries; it is kept nowhere."""
        return str(self.scope["state"][PEER])

    def failed(self) -> bool:
        """Count it among the tries that failed; whether those are too many by now."""
        self.counted = True
        return self.desk.failed.failed(self.address, self.desk.station.clock.steady())

    @property
    def browser(self) -> str:
        """What the browser says that it is, in plain characters."""
        text = self.headers.get(b"user-agent", b"").decode("latin-1")
        return "".join(each for each in text if each.isascii() and each.isprintable())[:_BROWSER_LENGTH]

    def part(self, name: str) -> str:
        """A part of the path."""
        part: str = self.scope["path_params"][name]
        return part

    async def json(self, decoder: "msgspec.json.Decoder[S]") -> S:
        """The body as a request; none is an empty one. Raises Malformed, TooLarge or Unavailable."""
        return decoded(decoder, await self._body() or b"{}")

    async def _body(self) -> bytes:
        try:
            async with asyncio.timeout(BODY_S):
                return await self._received()
        except TimeoutError:
            raise Unavailable("the caller is too slow") from None

    async def _received(self) -> bytes:
        parts, size = [], 0
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                raise Unavailable("the caller has left")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > MAX_BODY:
                raise TooLarge("the call is larger than the console takes")
            if not message.get("more_body", False):
                return b"".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation."""

    method: str
    path: str
    handler: Callable[[Visit], Awaitable[Reply]]
    access: Access = Access.OPEN
    roles: frozenset[str] = frozenset()
    """One of these is needed; empty: whoever is signed in."""
    act: str = ""
    """Its name in the audit log."""
    first: bool = False
    """Whether it is in the audit log before it is done: what changes who may do what."""


@dataclass(slots=True)
class _Paths:
    methods: dict[str, Operation] = field(default_factory=dict)


class Visits:
    """The application of /console/..."""

    def __init__(self, desk: Desk, operations: tuple[Operation, ...]) -> None:
        tables: dict[str, dict[str, Operation]] = {}
        for operation in operations:
            tables.setdefault(operation.path, {})[operation.method] = operation
        paths = [Path("/console" + path, _Operations(desk, methods)) for path, methods in tables.items()]
        self._router = Router(paths, redirect_slashes=False, default=_Operations(desk, {}))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        await self._router(scope, receive, send)


class _Operations:
    """One path with its methods; none: a path that does not exist."""

    def __init__(self, desk: Desk, methods: Mapping[str, Operation]) -> None:
        self._desk, self._methods = desk, methods

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI: whoever calls is known, may do it or is refused, and what is done is noted."""
        desk, operation = self._desk, self._methods.get(scope["method"])
        visit = Visit(desk=desk, scope=scope, receive=receive, headers=dict(scope["headers"]))
        try:
            own_page(desk, scope["method"], visit.headers)
            visit.session, visit.officer = signed_in(desk, scope, visit.headers)
            if operation is None:
                raise NotAllowed("the path has no such method") if self._methods else Unknown("there is no such path")
            _allow(visit, operation)
            if operation.first and visit.officer is not None:
                whom = desk.officers.find(str(scope.get("path_params", {}).get("sign", "")))
                await desk.station.audit.before(
                    visit.officer.actor, operation.act, whom.sign if whom is not None else ""
                )
            made = await operation.handler(visit)
        except (Refused, Unavailable, Bug) as error:
            desk.station.counters["console-refused"] += 1
            if operation and operation.act and not isinstance(error, SignedOut | TooOften) and _is_noted(visit):
                self._note(visit, operation, str(getattr(error, "code", "bug")))
            made = failure(error)
            if isinstance(error, NotAllowed):
                made = replace(made, allow=", ".join(self._methods))
        else:
            desk.station.counters["console-calls"] += 1
            if operation.act:
                self._note(visit, operation, "done")
        await answer(send, made, _cookies(visit))

    def _note(self, visit: Visit, operation: Operation, outcome: str) -> None:
        actor = visit.officer.actor if visit.officer is not None else NOBODY
        self._desk.station.audit.note(actor, operation.act, visit.noted, outcome)


def _is_noted(visit: Visit) -> bool:
    """Whether a refusal goes into the audit log: of whoever is nobody, only so many in a minute."""
    return visit.officer is not None or visit.counted or not visit.failed()


def own_page(desk: Desk, method: str, headers: Mapping[bytes, bytes]) -> None:
    """Raise Forbidden unless this console's own page calls (Fetch Metadata; RFC 6454, 7)."""
    site = headers.get(b"sec-fetch-site")
    if method in _SAFE:
        if site not in {None, b"same-origin", b"none"}:
            raise Forbidden("this was asked for by another page")
    elif headers.get(b"origin", b"") != desk.passkeys.origin.encode() or site != b"same-origin":
        raise Forbidden("this was asked for by another page")


def signed_in(desk: Desk, scope: Scope, headers: Mapping[bytes, bytes]) -> tuple[Session, Officer] | tuple[None, None]:
    """Whose cookie that is, if the console's own page sent it."""
    for pair in headers.get(b"cookie", b"").decode("latin-1").split(";"):
        name, _, token = pair.strip().partition("=")
        if name == COOKIE:
            found = desk.sessions.of_token(token, headers.get(PAGE, b"").decode("latin-1"))
            if found is not None:
                scope["state"][KNOWN](partial(_stands, found[0]))
            return found or (None, None)
    return None, None


def _stands(session: Session) -> bool:
    return not session.ended


def _allow(visit: Visit, operation: Operation) -> None:
    """Raises SignedOut, Locked or Forbidden."""
    if operation.access is Access.ANYBODY:
        return
    session, officer = visit.me
    if operation.access is Access.OPEN and session.locked:
        raise Locked("the console is locked: unlock it with your passkey")
    if operation.roles and not operation.roles & officer.actor.roles:
        raise Forbidden("this user does not have the role for that")
    if operation.method not in _SAFE and not session.locked:
        visit.desk.sessions.touch(session)


def _cookies(visit: Visit) -> tuple[tuple[bytes, bytes], ...]:
    if visit.cookie is None:
        return ()
    end = "" if visit.cookie else "; Max-Age=0"
    value = f"{COOKIE}={visit.cookie}; Path=/; Secure; HttpOnly; SameSite=Strict{end}"
    return ((b"set-cookie", value.encode()),)


def done() -> Reply:
    """An answer that says nothing more."""
    return reply({})
