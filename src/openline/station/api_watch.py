"""Calls about the watch: who has it, how it changes hands, and the operators' log."""

from typing import Annotated

import msgspec

from openline.kernel.units import MAX_SEQ
from openline.station.answers import Done, LogEntryView
from openline.station.audit import LOG
from openline.station.bearer_answers import Answer
from openline.station.calls import Call, Reply, Route, decoded, reply
from openline.station.handover import (
    AcceptRequest,
    LeaveRequest,
    Note,
    OfferRequest,
    TakenView,
    WatchView,
    accept,
    leave,
    offer,
    watch_view,
    withdraw,
)
from openline.station.people import ADMINISTRATOR, AUDITOR, INTERPRETER, PRINCIPAL, TECHNICIAN, WATCH
from openline.station.spoken import Request, Sign

_ALL = frozenset({WATCH, PRINCIPAL, INTERPRETER, TECHNICIAN, AUDITOR, ADMINISTRATOR})
_LOGGERS = frozenset({WATCH, TECHNICIAN, INTERPRETER})
_WATCH = frozenset({WATCH})
_Label = Annotated[str, msgspec.Meta(max_length=256)]


class LogRequest(Request, frozen=True, kw_only=True):
    """A note in the operators' log, which stays at this station."""

    text: Annotated[Note, msgspec.Meta(min_length=1)]
    line: _Label = ""
    """Which line it is about, if it is about one."""
    sign: Sign | None = None


class LogQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part, the latest first."""

    before: Annotated[int, msgspec.Meta(ge=1, le=MAX_SEQ)] = MAX_SEQ
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100
    line: _Label = ""


class LogView(Answer, frozen=True, kw_only=True):
    """A part of the operators' log, the latest first."""

    entries: list[LogEntryView]
    before: int
    """Ask with this for what is older; 0: there is no more."""


class Logged(Answer, frozen=True, kw_only=True):
    """A note that is durable."""

    number: int


_LOG = msgspec.json.Decoder(LogRequest)
_OFFER = msgspec.json.Decoder(OfferRequest)
_ACCEPT = msgspec.json.Decoder(AcceptRequest)
_LEAVE = msgspec.json.Decoder(LeaveRequest)


async def watch(call: Call) -> Reply | None:
    """Who has the watch, the last handover, and every open clock."""
    return reply(watch_view(call.station, call.actor))


async def offer_watch(call: Call) -> Reply | None:
    """Offer the watch to the next officer."""
    offer(call.station, call.actor, decoded(_OFFER, await call.body()))
    return reply(watch_view(call.station, call.actor), 201)


async def withdraw_offer(call: Call) -> Reply | None:
    """Keep the watch after all."""
    withdraw(call.station, call.actor)
    return reply(Done())


async def accept_watch(call: Call) -> Reply | None:
    """Take the watch, with every open clock by name."""
    return reply(await accept(call.station, call.actor, decoded(_ACCEPT, await call.body())))


async def leave_watch(call: Call) -> Reply | None:
    """Leave the floor unattended."""
    return reply(await leave(call.station, call.actor, decoded(_LEAVE, await call.body())))


async def read_log(call: Call) -> Reply | None:
    """The operators' log."""
    query = call.query(LogQuery)
    entries, before = call.station.audit.written(query.before, query.limit, query.line)
    return reply(LogView(entries=entries, before=before))


async def write_log(call: Call) -> Reply | None:
    """Write in the operators' log."""
    request, station = decoded(_LOG, await call.body()), call.station
    label = station.find(request.line).label if request.line else ""
    _, sign = station.people.speaking(call.actor, None, request.sign, _LOGGERS)
    return reply(Logged(number=station.audit.write(call.actor, LOG, label, request.text, sign)), 201)


ROUTES = (
    Route(
        method="GET",
        path="/watch",
        handler=watch,
        summary="The watch of this floor: who has it, and every open clock",
        roles=_ALL,
        answers={200: WatchView},
    ),
    Route(
        method="POST",
        path="/watch/offer",
        handler=offer_watch,
        summary="Offer the watch to the next officer",
        roles=_WATCH,
        body=OfferRequest,
        answers={201: WatchView},
        act="offer-watch",
    ),
    Route(
        method="POST",
        path="/watch/withdraw",
        handler=withdraw_offer,
        summary="Keep the watch after all",
        roles=_WATCH,
        answers={200: Done},
        act="keep-watch",
    ),
    Route(
        method="POST",
        path="/watch/accept",
        handler=accept_watch,
        summary="Take the watch, accepting every open clock by name",
        roles=_WATCH,
        body=AcceptRequest,
        answers={200: TakenView},
        act="take-watch",
        first=True,
    ),
    Route(
        method="POST",
        path="/watch/leave",
        handler=leave_watch,
        summary="Leave the floor unattended, and say so on every line",
        roles=_WATCH,
        body=LeaveRequest,
        answers={200: TakenView},
        act="leave-watch",
        first=True,
    ),
    Route(
        method="GET",
        path="/log",
        handler=read_log,
        summary="The operators' log, the latest first",
        roles=_ALL,
        query=LogQuery,
        answers={200: LogView},
    ),
    Route(
        method="POST",
        path="/log",
        handler=write_log,
        summary="Write in the operators' log",
        roles=_LOGGERS,
        body=LogRequest,
        answers={201: Logged},
    ),
)
