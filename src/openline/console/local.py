"""The station's local API for whoever is signed in: the same operations, checked by the same roles below the page.

What a locked page may see, and an officer who may not read what is said, is
the state of the lines, and alarms, which never say what anybody said; of a
FLASH that comes in, that one came and where; of a call, that it rings. A call
in which a locked page's own console sits goes on (in_call.py).
"""

import asyncio
import re
from dataclasses import replace
from typing import Any, Final

import msgspec

from openline.console import in_call
from openline.console.app import App, answer
from openline.console.desk import Desk
from openline.console.officers import Officer
from openline.console.sessions import Session
from openline.console.visits import PAGE, Locked, SignedOut, own_page, signed_in
from openline.kernel.errors import Refused, TooLarge, Unavailable
from openline.station.api import ACTOR
from openline.station.api_streams import HEARTBEAT_S, STREAMS
from openline.station.calls import STREAM, Receive, Scope, Send, failure, left
from openline.station.feed import Published, Subscriber
from openline.station.line_view import unhandled_flashes
from openline.station.people import AUDITOR, INTERPRETER, PRINCIPAL, WATCH
from openline.station.server import UID

_SAFE: Final = frozenset({"GET", "HEAD"})
_EVENTS: Final = "/v1/events"
_FILES: Final = "/attachments/"
_READERS: Final = frozenset({WATCH, PRINCIPAL, INTERPRETER, AUDITOR})
_READABLE: Final = frozenset({"/v1/status", "/v1/lines", "/v1/alarms"})
"""Of a locked page."""
_IN_THE_OPEN: Final = frozenset({"state", "alarm"})
"""Events that a locked page gets as they are."""
_BY_ITSELF: Final = re.compile(r"/v1/lines/[^/]+/presented")
"""What a page says with nobody at it: what the other side sends must keep no session open."""
_PAGE_PAIR: Final = b"page="


class _Body(msgspec.Struct, frozen=True):
    precedence: str = ""
    step: str = ""
    of: Any = None
    answers: Any = None


class _Entry(msgspec.Struct, frozen=True):
    """What of an entry's event decides whether a locked page hears of it."""

    line: str
    author: str
    kind: str
    seq: int
    ref: Any
    body: _Body


class _Call(msgspec.Struct, frozen=True):
    """What of a call's event a locked page hears: nobody's name, and nothing that was said."""

    line: str
    place: str
    state: str
    precedence: str
    mine: bool
    rings: bool


class _Signal(msgspec.Struct, frozen=True):
    """In which call something is said to a seat."""

    call: str


_ENTRY: Final = msgspec.json.Decoder(_Entry)
_CALL: Final = msgspec.json.Decoder(_Call)
_SIGNAL: Final = msgspec.json.Decoder(_Signal)


class LocalApi:
    """The application of /v1/..., around the station's own."""

    def __init__(self, desk: Desk, api: App) -> None:
        self._desk, self._api = desk, api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        desk, headers, method = self._desk, dict(scope["headers"]), scope["method"]
        if method == "GET" and (scope["path"] == _EVENTS or _FILES in scope["path"]):
            scope = _addressed(scope, headers)
        try:
            own_page(desk, method, headers)
            session, officer = signed_in(desk, scope, headers)
            if session is None or officer is None:
                raise SignedOut("nobody is signed in: sign in")
            blind = session.locked or not officer.actor.roles & _READERS
            if method == "GET" and scope["path"] == _EVENTS and blind:
                await self._states(session, officer, receive, send)
            elif not session.locked:
                if method not in _SAFE and not _BY_ITSELF.fullmatch(scope["path"]):
                    desk.sessions.touch(session)
                actor = officer.actor
                inner = {**scope, "state": {**scope["state"], ACTOR: actor, UID: actor.uid}}
                await self._api(inner, _until_changed(session, receive), send)
            elif method == "GET" and scope["path"] in _READABLE:
                actor = replace(officer.actor, roles=frozenset())
                await self._api({**scope, "state": {**scope["state"], ACTOR: actor, UID: actor.uid}}, receive, send)
            elif (act := in_call.act_of(method, scope["path"])) is not None:
                actor = officer.actor
                inner = {**scope, "state": {**scope["state"], ACTOR: actor, UID: actor.uid}}
                asked = await in_call.narrowed(act, officer.preferences.language, _until_changed(session, receive))
                await self._api(inner, asked, in_call.blinded(act, send))
            else:
                raise Locked("the console is locked: unlock it with your passkey")
        except (Refused, Unavailable) as error:
            desk.station.counters["console-refused"] += 1
            await answer(send, failure(error))

    async def _states(self, session: Session, officer: Officer, receive: Receive, send: Send) -> None:
        """The stream of a locked page, and of officers who may not read what is said: it says that something came."""
        feed = self._desk.station.feed
        if len(feed) >= STREAMS:
            raise TooLarge("too many streams are open")
        subscriber = feed.subscribe(None)
        uid = officer.actor.uid if session.locked else None
        leaving = asyncio.create_task(_until_left(_until_changed(session, receive), subscriber))
        try:
            head = [(b"content-type", STREAM.encode()), (b"cache-control", b"no-store")]
            await send({"type": "http.response.start", "status": 200, "headers": head})
            await _piece(send, b": states\n\n" + self._flashes())
            while not subscriber.ended:
                data = b"".join(self._reduced(event, uid) for event in subscriber.take())
                if data:
                    await _piece(send, data)
                elif not await subscriber.wait(HEARTBEAT_S):
                    await _piece(send, b": \n\n")
            await send({"type": "http.response.body", "body": b""})
        finally:
            feed.leave(subscriber)
            leaving.cancel()

    def _flashes(self) -> bytes:
        """Of each line the FLASHes that nobody here has handled: what came or was read before this stream stood is known by it."""
        told = []
        for line in self._desk.station.lines.values():
            places = [_named(place.lane, place.generation, place.index) for place in unhandled_flashes(line)]
            told.append(_event("flashes", {"line": line.label, "places": places}))
        return b"".join(told)

    def _reduced(self, event: Published, uid: int | None) -> bytes:
        """What of an event is neither content nor about content; `uid`: of the officer whose page is locked."""
        if event.name in _IN_THE_OPEN:
            return b"event: %b\ndata: %b\n\n" % (event.name.encode(), event.data)
        if event.name == "call":
            call = _CALL.decode(event.data)
            told = {"line": call.line, "call": call.place, "state": call.state, "precedence": call.precedence}
            own = {"seats": in_call.seats(event.data)} if self._sits(event, call.place, uid) else {}
            return _event("call", {**told, "mine": call.mine, "rings": call.rings, **own})
        if event.name == "signal" and self._sits(event, _SIGNAL.decode(event.data).call, uid):
            return b"event: signal\ndata: %b\n\n" % event.data
        if event.name != "entry":
            return b""
        try:
            entry = _ENTRY.decode(event.data)
        except msgspec.MsgspecError:
            return b""  # of another form than a message's
        line = self._desk.station.lines.get(event.line)
        if line is None:
            return b""
        if entry.author == line.names[line.record.party]:
            of = entry.body.of or entry.body.answers
            if not of or entry.kind == "translation" or entry.body.step == "presented":
                return b""
            return _event("answered", {"line": entry.line, "of": _place(of)})
        if entry.kind != "message" or entry.body.precedence.lower() != "flash":
            return b""
        return _event("flash", {"line": entry.line, "seq": entry.seq, "place": _place(entry.ref)})

    def _sits(self, event: Published, place: str, uid: int | None) -> bool:
        """Whether a console of that officer sits in the call."""
        line, calling = self._desk.station.lines.get(event.line), self._desk.station.calling
        return uid is not None and line is not None and in_call.sits(line, calling, place, uid)


def _addressed(scope: Scope, headers: dict[bytes, bytes]) -> Scope:
    """Take the page's token out of the address: a browser asks for streams and files by itself, without headers of a page."""
    pairs = scope.get("query_string", b"").split(b"&")
    found = [pair for pair in pairs if pair.startswith(_PAGE_PAIR)]
    if not found:
        return scope
    headers[PAGE] = found[0].removeprefix(_PAGE_PAIR)
    return {**scope, "query_string": b"&".join(pair for pair in pairs if pair not in found)}


def _event(name: str, data: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))


def _place(ref: Any) -> str:
    """Which entry, and nothing of it: so that a FLASH which somebody has read stops ringing on a locked page too."""
    return _named(ref["lane"], ref["generation"], ref["index"]) if isinstance(ref, dict) and "index" in ref else ""


def _named(lane: int, generation: object, index: int) -> str:
    """An entry's place as the pages name it."""
    return f"{lane}/{generation}/{index}"


def _until_changed(session: Session, receive: Receive) -> Receive:
    """As if the caller left, once the session is locked, unlocked or over, or its officer's roles are others."""
    changed = session.changed

    async def received() -> dict[str, Any]:
        if changed.is_set():
            return {"type": "http.disconnect"}
        next_one, gone = asyncio.ensure_future(receive()), asyncio.ensure_future(changed.wait())
        try:
            await asyncio.wait({next_one, gone}, return_when=asyncio.FIRST_COMPLETED)
            return next_one.result() if next_one.done() else {"type": "http.disconnect"}
        finally:
            next_one.cancel()
            gone.cancel()

    return received


async def _until_left(receive: Receive, subscriber: Subscriber) -> None:
    await left(receive)
    subscriber.end()


async def _piece(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})
