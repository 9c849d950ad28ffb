"""What a locked page may still do: keep up the call in which its own console sits, and end it.

A call is no reason to leave a console open, and a lock is none to drop the
other side. So a locked page says that it is there, mends the paths of sound
and gives the call up. It takes no seat, types nothing and agrees to nothing;
what it is told and answered has no name, and no word that anybody wrote.
Nobody knows who ends a call at a locked page: the record says that it was one.

Spec: spec/17-calls.md (17.13).
"""

import re
from typing import Any, Final, Literal

import msgspec

from openline.kernel.errors import TooLarge, Unavailable
from openline.station.calling.desk import Calling
from openline.station.calling.standing import place_text
from openline.station.calls import MAX_CONSOLE_JSON, Receive, Send, decoded
from openline.station.line_runner import LineRunner

_ACTS: Final = re.compile(r"/v1/lines/[^/]+/calls/[^/]+/[^/]+/[^/]+/(alive|signal|connected|hang-up|seat|ways)")
_VIEWED: Final = frozenset({"connected", "hang-up", "seat"})
"""They answer how the call stands, with all that was said in it."""
ENDED: Final = {
    "en": "Ended at a locked console.",
    "fr": "Terminé depuis une console verrouillée.",
    "ru": "Завершено с заблокированного пульта.",
    "ar": "أُنهيت من لوحة مقفلة.",
}
"""Stands in the record, in the officer's language."""


class _HangsUp(msgspec.Struct, frozen=True, kw_only=True):
    console: str
    cause: Literal["ended", "not-protected"] = "ended"


class _Leaves(msgspec.Struct, frozen=True, kw_only=True):
    console: str
    act: Literal["leaves"]


class _Seat(msgspec.Struct, frozen=True, kw_only=True):
    """A seat as a locked page hears of it: what it needs to mend the sound, and nobody's name."""

    party: int
    seat: int
    me: bool
    fingerprint: str
    state: str
    console: str | None
    since: int


class _Seats(msgspec.Struct, frozen=True, kw_only=True):
    seats: list[_Seat]


_HANGS_UP: Final = msgspec.json.Decoder(_HangsUp)
_LEAVES: Final = msgspec.json.Decoder(_Leaves)
_SEATS: Final = msgspec.json.Decoder(_Seats)


def act_of(method: str, path: str) -> str | None:
    """What a locked page asks for in a call; None if it may not."""
    found = _ACTS.fullmatch(path)
    act = found[1] if found is not None else None
    return act if act is not None and (method == "GET") == (act == "ways") else None


async def narrowed(act: str, language: str, receive: Receive) -> Receive:
    """The same request, without what a locked page may not say. Raises Malformed, TooLarge or Unavailable."""
    if act not in {"hang-up", "seat"}:
        return receive
    data = await _body(receive)
    if act == "seat":
        leaving = decoded(_LEAVES, data)
        asked = {"console": leaving.console, "act": "leaves"}
    else:
        ending = decoded(_HANGS_UP, data)
        text = ENDED.get(language, ENDED["en"]) if ending.cause == "ended" else ""
        asked = {"console": ending.console, "cause": ending.cause, "text": text}
    waiting = [{"type": "http.request", "body": msgspec.json.encode(asked), "more_body": False}]

    async def received() -> dict[str, Any]:
        return waiting.pop() if waiting else await receive()

    return received


def blinded(act: str, send: Send) -> Send:
    """The answer, but not what stands in it where it shows the call."""
    if act not in _VIEWED:
        return send
    passes = False

    async def sent(message: dict[str, Any]) -> None:
        nonlocal passes
        if message["type"] == "http.response.start":
            passes = message["status"] >= 400
            kept = [(name, value) for name, value in message["headers"] if passes or name != b"content-length"]
            await send({**message, "headers": kept})
        elif passes:
            await send(message)
        elif not message.get("more_body", False):
            await send({"type": "http.response.body", "body": b"{}"})

    return sent


def seats(view: bytes) -> list[dict[str, Any]]:
    """The seats of a call's event, for a locked page that sits in it."""
    return [msgspec.structs.asdict(each) for each in _SEATS.decode(view).seats]


def sits(line: LineRunner, calling: Calling, place: str, uid: int) -> bool:
    """Whether a console of that officer sits in that call. Raises Unavailable."""
    running = calling.room(line).running.items()
    return any(
        place_text(at) == place and any(each.uid == uid for each in call.sitting.values()) for at, call in running
    )


async def _body(receive: Receive) -> bytes:
    data = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Unavailable("the caller has left")
        part: bytes = message.get("body", b"")
        data += part
        if len(data) > MAX_CONSOLE_JSON:
            raise TooLarge("the call is larger than the API takes")
        if not message.get("more_body", False):
            return data
