"""One call of the local API: who calls, what was sent, and the answer.

A route says which roles may call it, what query and body it takes and what it
answers; from the same table the API's document is made. A handler returns a
Reply, or None if it has streamed its answer itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from openline.kernel.errors import Malformed, Refused, TooLarge, Unavailable
from openline.station.answers import Failure, encoded
from openline.station.line_runner import LineRunner
from openline.station.people import Actor
from openline.station.runtime import Station

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

MAX_JSON = 16 * 2**20
"""A batch of the most entries of the longest text, in the most wasteful JSON, is below that."""
MAX_CONSOLE_JSON = 2**20
"""The largest call of a page is below a tenth of that; 256 connections at once still fit into memory."""
JSON, TEXT, STREAM, LINES, BYTES = (
    "application/json",
    "text/plain; charset=utf-8",
    "text/event-stream",
    "application/x-ndjson",
    "application/octet-stream",
)

S = TypeVar("S", bound=msgspec.Struct)
W = TypeVar("W")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer."""

    status: int = 200
    media: str = JSON
    allow: str = ""
    """Methods that the path has, where the one called is not among them."""
    data: bytes = field(repr=False)


def reply(answer: object, status: int = 200) -> Reply:
    """An answer as JSON."""
    return Reply(status=status, data=encoded(answer))


@dataclass(slots=True, kw_only=True)
class Call:
    """A call under way."""

    station: Station
    actor: Actor
    scope: Scope
    receive: Receive
    send: Send
    noted: str = ""
    """The line's label, for the audit log."""

    @property
    def line(self) -> LineRunner:
        """The line in the path. Raises Unknown or Conflict."""
        line = self.station.find(self.scope["path_params"]["line"])
        self.noted = line.label
        return line

    def part(self, name: str) -> str:
        """A part of the path."""
        part: str = self.scope["path_params"][name]
        return part

    def query(self, shape: type[S]) -> S:
        """The query. Raises Malformed."""
        pairs: Mapping[str, str] = _query(self.scope.get("query_string", b""))
        try:
            return msgspec.convert(pairs, shape, strict=False)
        except msgspec.ValidationError:
            raise Malformed("a parameter is unknown, missing or not allowed") from None

    def header(self, name: bytes) -> str:
        """A header's value; empty if it is not there."""
        return next((value.decode("latin-1") for key, value in self.scope["headers"] if key == name), "")

    async def body(self, most: int = 0) -> bytes:
        """All that was sent, `most` bytes or what a call may have. Raises TooLarge, or Unavailable when the caller left."""
        most = most or (MAX_CONSOLE_JSON if self.actor.at_console else MAX_JSON)
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                raise Unavailable("the caller has left")
            part = message.get("body", b"")
            size += len(part)
            if size > most:
                raise TooLarge("the call is larger than the API takes")
            parts.append(part)
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    async def left(self) -> None:
        """Returns once the caller has left, or may see nothing more."""
        await left(self.receive)

    async def unless_left(self, work: Coroutine[Any, Any, W]) -> W:
        """What that gives. Ended when the caller leaves: whoever has left keeps no place among those who wait. Raises Unavailable."""
        working, leaving = asyncio.create_task(work), asyncio.create_task(self.left())
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise Unavailable("the caller has left")
            return working.result()
        finally:
            working.cancel()
            leaving.cancel()

    async def json(self, decoder: "msgspec.json.Decoder[S]") -> S:
        """The body as a request. Raises Malformed or TooLarge."""
        return decoded(decoder, await self.body())

    async def answer(self, made: Reply) -> None:
        """Send a whole answer."""
        head = [(b"content-type", made.media.encode()), (b"content-length", b"%d" % len(made.data))]
        if made.allow:
            head.append((b"allow", made.allow.encode()))
        await self.send({"type": "http.response.start", "status": made.status, "headers": head})
        await self.send({"type": "http.response.body", "body": made.data})

    async def begin_stream(self, media: str, *more: tuple[bytes, bytes]) -> None:
        """Begin an answer that comes in pieces; `more` are headers."""
        head = [(b"content-type", media.encode()), (b"cache-control", b"no-store"), *more]
        await self.send({"type": "http.response.start", "status": 200, "headers": head})

    async def piece(self, data: bytes) -> None:
        """Send a piece."""
        await self.send({"type": "http.response.body", "body": data, "more_body": True})

    async def end_stream(self) -> None:
        """End it."""
        await self.send({"type": "http.response.body", "body": b""})


async def left(receive: Receive) -> None:
    """Returns once the caller has left, or may see nothing more."""
    while (await receive())["type"] != "http.disconnect":
        pass


def decoded(decoder: "msgspec.json.Decoder[S]", data: bytes) -> S:
    """A request out of its JSON. Raises Malformed."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError:
        raise Malformed("a field is unknown, missing or not allowed") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("not JSON") from None


def _query(raw: bytes) -> dict[str, str]:
    if not raw:
        return {}
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=32
        )
    except (ValueError, UnicodeDecodeError):
        raise Malformed("the query is not well-formed") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("a parameter is given twice")
    return found


Handler = Callable[[Call], Awaitable[Reply | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation of the API."""

    method: str
    path: str
    handler: Handler
    summary: str
    roles: frozenset[str] = frozenset()
    """One of these is needed; empty: whoever has any role."""
    query: type[msgspec.Struct] | None = None
    body: Any = None
    """A request type, or BYTES."""
    answers: Mapping[int, Any] = field(default_factory=dict)
    """Status -> answer type, or a media type."""
    act: str = ""
    """Its name in the audit log; empty: reading is not noted."""
    first: bool = False
    """Whether it is in the audit log before it is done."""


STATUS = {
    "malformed": 400,
    "signed-out": 401,
    "forged": 400,
    "foreign": 400,
    "replayed": 400,
    "refused": 400,
    "forbidden": 403,
    "unknown": 404,
    "method-not-allowed": 405,
    "conflict": 409,
    "too-large": 413,
    "misdirected": 421,
    "locked": 423,
    "quota": 429,
    "bug": 500,
    "unavailable": 503,
}
_DO = {
    "malformed": "compare the call with /v1/openapi.json",
    "forbidden": "ask the administrator of this station for the role, or let somebody who has it do this",
    "unknown": "list what there is, and look for a slip in the name",
    "method-not-allowed": "compare the call with /v1/openapi.json",
    "conflict": "look at what stands there now, and decide anew",
    "too-large": "send less at a time",
    "quota": "wait a moment and try again",
    "signed-out": "sign in",
    "locked": "unlock the console with your passkey",
    "bug": "this is a fault of the program: keep the log and report it",
    "unavailable": "try again; if it stays so, run openline doctor",
}
_QUOTA = frozenset(
    {
        "too many entries are waiting for the disk",
        "too many calls wait on this line",
        "too many streams are open",
        "too many searches run: wait for one of them to end",
    }
)
"""What passes by waiting."""


class NotAllowed(Refused):
    """The path exists, the method on it does not."""

    code = "method-not-allowed"


def failure(error: Exception) -> Reply:
    """What is answered when a call is refused. Messages of the house are constants, so they may be told."""
    code, message = getattr(error, "code", "bug"), str(error)
    if message in _QUOTA:
        code = "quota"
    status = STATUS.get(code, 400)
    message, _colon, own = message.partition(": ")  # what helps here, where the house knows better than the code
    own = getattr(error, "do", "") or own
    if code == "bug":
        message, own = "a fault of this program", ""
    return reply(Failure(error=code, message=message, do=own or _DO.get(code, _DO["malformed"]), own=bool(own)), status)
