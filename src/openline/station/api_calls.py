"""Calls of consoles about voice calls: place, pick up, decline, sit in, say things to other seats, hang up; and what is kept of it.

A console names itself by 32 hexadecimal digits that its page made: who says
them, as the officer who sat down with them, is that console.

Spec: spec/17-calls.md.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import msgspec

from openline.kernel.errors import Conflict, Malformed
from openline.kernel.lane import parse_generation
from openline.kernel.units import MAX_SEQ
from openline.protocol.call_states import Call as Held
from openline.protocol.facts import Place
from openline.station.answers import Done
from openline.station.calling import acts
from openline.station.calling import requests as asked
from openline.station.calling.answers import AliveView, CallsView, CallView, WaysView
from openline.station.calling.relays import real_s, ways
from openline.station.calling.standing import CALLERS, SEATED
from openline.station.calls import Call, Reply, Route, decoded, reply
from openline.station.line_runner import LineRunner
from openline.station.people import AUDITOR, INTERPRETER, PRINCIPAL, WATCH

_READERS = frozenset({WATCH, PRINCIPAL, INTERPRETER, AUDITOR})
_CALLERS = CALLERS
_SEATED = SEATED
_PLACE = "/lines/{line}/calls/{lane}/{generation}/{index}"
_MINUTES = _PLACE + "/minutes/{minutes_lane}/{minutes_generation}/{minutes_index}/word"

R = TypeVar("R", bound=msgspec.Struct)


class CallsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which calls: the newest, or those before one."""

    before: Annotated[str, msgspec.Meta(max_length=48)] | None = None
    """A call's place, lane/generation/index."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=64)] = 20


# --- reading ---------------------------------------------------------------------------------------------------


async def calls(call: Call) -> Reply | None:
    """Calls of a line."""
    line, query = call.line, call.query(CallsQuery)
    await call.station.calling.ready(line)
    before = None if query.before is None else _place(*_parts(query.before))
    return reply(CallsView(calls=call.station.calling.page(line, before, query.limit)))


async def one_call(call: Call) -> Reply | None:
    """A call."""
    line, calling = call.line, call.station.calling
    await calling.ready(line)
    return reply(calling.view(line, calling.held(line, _named(call))))


async def call_ways(call: Call) -> Reply | None:
    """How its consoles may reach the others."""
    line, station = call.line, call.station
    await station.calling.ready(line)
    if not station.calling.held(line, _named(call)).live:
        raise Conflict("the call is not open")
    return reply(ways(station.config.calls, station.home, real_s(), station.entropy))


def _parts(text: str) -> tuple[str, str, str]:
    parts = text.split("/")
    if len(parts) != 3:
        raise Malformed("a call is named lane/generation/index")
    return parts[0], parts[1], parts[2]


def _named(call: Call, before: str = "") -> Place:
    return _place(call.part(before + "lane"), call.part(before + "generation"), call.part(before + "index"))


def _place(lane: str, generation: str, index: str) -> Place:
    if not all(part.isascii() and part.isdigit() and len(part) <= 15 for part in (lane, index)):
        raise Malformed("a call is named lane/generation/index")
    if int(lane) > 31 or int(index) > MAX_SEQ or len(generation) > 27:
        raise Malformed("a call is named lane/generation/index")
    return Place(lane=int(lane), generation=parse_generation(generation), index=int(index))


# --- acting ----------------------------------------------------------------------------------------------------


async def place_call(call: Call) -> Reply | None:
    """Ring."""
    request = decoded(_RING, await call.body())
    line = call.line
    await call.station.calling.ready(line)
    made = await acts.ring(call.station.calling, line, call.actor, request)
    return reply(call.station.calling.view(line, made), 201)


async def want_call(call: Call) -> Reply | None:
    """Ask a console of this officer to place a call."""
    request = decoded(_WANTED, await call.body())
    acts.want(call.station.calling, call.line, call.actor, request)
    return reply(Done())


Act = Callable[[Any, LineRunner, Held, Any, Any], Awaitable[None]]


def _acting(act: Act, shape: type[R]) -> Callable[[Call], Awaitable[Reply | None]]:
    """An operation on a call that answers how it stands then."""
    decoder = msgspec.json.Decoder(shape)

    async def handler(call: Call) -> Reply | None:
        request = decoded(decoder, await call.body())
        line, calling = call.line, call.station.calling
        place = _named(call)
        await calling.ready(line)
        await act(calling, line, calling.held(line, place), call.actor, request)
        return reply(calling.view(line, calling.held(line, place)))

    handler.__name__ = act.__name__
    handler.__module__ = __name__
    return handler


async def send_signal(call: Call) -> Reply | None:
    """Say something to another seat."""
    request = decoded(_SIGNAL, await call.body())
    line, calling = call.line, call.station.calling
    await calling.ready(line)
    acts.signal(calling, line, calling.held(line, _named(call)), call.actor, request)
    return reply(Done())


async def stay_alive(call: Call) -> Reply | None:
    """The console is there."""
    request = decoded(_ALIVE, await call.body())
    line, calling = call.line, call.station.calling
    await calling.ready(line)
    held = calling.held(line, _named(call))
    if not held.live:
        return reply(AliveView(state=held.state.value, seat=None))
    return reply(AliveView(state=held.state.value, seat=acts.alive(calling, line, held, call.actor, request)))


async def say_of_minutes(call: Call) -> Reply | None:
    """Agree with minutes, or differ, clause by clause."""
    request = decoded(_MINUTES_WORD, await call.body())
    line, calling = call.line, call.station.calling
    place = _named(call)
    await calling.ready(line)
    held = calling.held(line, place)
    await acts.minutes_word(calling, line, held, _named(call, "minutes_"), call.actor, request)
    return reply(calling.view(line, calling.held(line, place)))


_RING = msgspec.json.Decoder(asked.RingRequest)
_WANTED = msgspec.json.Decoder(asked.WantedRequest)
_SIGNAL = msgspec.json.Decoder(asked.SignalRequest)
_ALIVE = msgspec.json.Decoder(asked.AliveRequest)
_MINUTES_WORD = msgspec.json.Decoder(asked.MinutesWordRequest)


def _operation(  # noqa: PLR0917 - a row of the table
    path: str, act: Act, shape: type[R], summary: str, roles: frozenset[str], name: str = ""
) -> Route:
    handler = _acting(act, shape)
    return Route(
        method="POST", path=_PLACE + path, handler=handler, summary=summary, roles=roles, body=shape,
        answers={200: CallView}, act=name,
    )  # fmt: skip


ROUTES = (
    Route(method="GET", path="/lines/{line}/calls", handler=calls, summary="Calls of a line, the newest first",
          roles=_READERS, query=CallsQuery, answers={200: CallsView}),
    Route(method="POST", path="/lines/{line}/calls", handler=place_call, summary="Place a call",
          roles=_CALLERS, body=asked.RingRequest, answers={201: CallView}, act="call"),
    Route(method="POST", path="/lines/{line}/calls/wanted", handler=want_call,
          summary="Ask one's own open console to place a call", roles=_CALLERS, body=asked.WantedRequest,
          answers={200: Done}, act="call-wanted"),
    Route(method="GET", path=_PLACE, handler=one_call, summary="A call", roles=_READERS, answers={200: CallView}),
    Route(method="GET", path=_PLACE + "/ways", handler=call_ways,
          summary="Relays for the sound, with credentials that are good for ten minutes", roles=_SEATED,
          answers={200: WaysView}),
    Route(method="POST", path=_PLACE + "/signal", handler=send_signal, summary="Say something to another seat of a call",
          roles=_SEATED, body=asked.SignalRequest, answers={200: Done}),
    Route(method="POST", path=_PLACE + "/alive", handler=stay_alive, summary="Say that a console is in the call still",
          roles=_SEATED, body=asked.AliveRequest, answers={200: AliveView}),
    _operation("/pick-up", acts.pick_up, asked.PickUpRequest, "Pick a call up", _CALLERS, "call-pick-up"),
    _operation("/decline", acts.decline, asked.DeclineCallRequest, "Decline a call", _CALLERS, "call-decline"),
    _operation("/hang-up", acts.hang_up, asked.HangUpRequest, "End a call, or withdraw it", _SEATED, "call-hang-up"),
    _operation("/seat", acts.seat, asked.SeatRequest, "Join a call, take it over, or leave it", _SEATED, "call-seat"),
    _operation("/connected", acts.connected, asked.ConnectedRequest, "Say how the sound to a seat is protected", _SEATED),
    _operation("/check", acts.check, asked.CheckRequest, "Say whether the spoken check matched", _SEATED, "call-check"),
    _operation("/typed", acts.typed, asked.TypedRequest, "Type a line within a call", _SEATED, "call-typed"),
    _operation("/minutes", acts.minutes, asked.MinutesRequest, "Draft minutes of a call", SEATED, "call-minutes"),
    Route(method="POST", path=_MINUTES, handler=say_of_minutes, summary="Agree with minutes clause by clause, or differ",
          roles=_CALLERS, body=asked.MinutesWordRequest, answers={200: CallView}, act="call-minutes-word"),
)  # fmt: skip
