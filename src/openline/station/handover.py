"""The watch changes hands: the outgoing officer leaves a note, the incoming one accepts every open clock by its name.

    nobody offers --offer--> OFFERED --accept--> TAKEN
                               '---withdraw---> WITHDRAWN

Whoever takes the watch names each clock that runs or has run out at that
moment: one that began meanwhile makes him look again. A watch may also be
taken without an offer, because an absent officer must not stop a line (FIELD
2.1); the log says so. What was written stands in the operators' log before
any line hears of it, so a crash in between leaves a handover to be accepted
again, and never a watch that nobody has.

Spec: spec/06-entries.md, 6.14.
"""

import asyncio
from typing import TYPE_CHECKING, Annotated

import msgspec

from openline.kernel.errors import Conflict, Forbidden, Unavailable
from openline.protocol.clocks import running
from openline.protocol.entries import Watch
from openline.station.answers import DueView, encoded
from openline.station.audit import HANDED, LEFT, TOOK
from openline.station.bearer_answers import Answer
from openline.station.drafting import UNSAID
from openline.station.feed import Published
from openline.station.line_runner import LineRunner, State
from openline.station.line_view import due_view
from openline.station.people import WATCH, Actor
from openline.station.spoken import Moment, Request, Sign

if TYPE_CHECKING:
    from openline.station.runtime import Station

OFFERED, TAKEN, WITHDRAWN = "offered", "taken", "withdrawn"
_SETTING = "handover"
MAX_CLOCKS = 1_024
"""Clocks of one handover that can be named: far more than a watch can answer for."""
Note = Annotated[str, msgspec.Meta(max_length=8_192)]
ClockName = Annotated[str, msgspec.Meta(max_length=512)]


class OfferRequest(Request, frozen=True, kw_only=True):
    """What the next officer must know."""

    note: Note = ""
    sign: Sign | None = None


class AcceptRequest(Request, frozen=True, kw_only=True):
    """Every open clock, by its name."""

    clocks: Annotated[list[ClockName], msgspec.Meta(max_length=2 * MAX_CLOCKS)]
    offer: Moment | None = None
    """`at` of the offer that is accepted: refused once that is over. Without it, whatever is offered now, or the watch alone."""
    note: Note = ""
    sign: Sign | None = None


class LeaveRequest(Request, frozen=True, kw_only=True):
    """Why nobody is on watch from now on."""

    note: Note = ""
    sign: Sign | None = None


class Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last handover, as it is kept."""

    state: str
    uid: int
    sign: str
    signs: tuple[str, ...]
    at: int
    note: str
    by: str = ""
    """Who took it."""
    ended: int | None = None
    clocks: tuple[str, ...] = ()
    """What was accepted with it."""


class OpenClockView(Answer, frozen=True, kw_only=True):
    """A clock that runs or has run out."""

    name: str
    """By this it is accepted."""
    line: str
    mine: bool
    """Whether something is due of this floor; else of the other side."""
    overdue: bool
    clock: DueView


class HandoverView(Answer, frozen=True, kw_only=True):
    """A handover."""

    state: str
    by: str
    """Sign of the outgoing officer."""
    at: int
    """When it was offered; by this it is accepted."""
    note: str
    mine: bool
    """Whether the caller offered it."""
    taken_by: str
    ended: int | None
    clocks: tuple[str, ...]
    """What was accepted with it."""


class LineWatchView(Answer, frozen=True, kw_only=True):
    """What this floor last said on a line of its watch."""

    line: str
    attended: bool | None
    sign: str
    since: int | None


class WatchView(Answer, frozen=True, kw_only=True):
    """The watch of this floor."""

    lines: list[LineWatchView]
    handover: HandoverView | None
    """The last one."""
    clocks: list[OpenClockView]
    """All that run or have run out, the first due first: whoever takes the watch accepts each by name."""
    drafts: int
    """Messages that are not said yet."""


class TakenView(Answer, frozen=True, kw_only=True):
    """Where the other side hears that the watch changed hands."""

    lines: list[str]
    unreached: list[str]
    """Lines that are stopped: they hear of it when the watch is taken again."""


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Kept)


def last(station: "Station") -> Kept | None:
    """The last handover. Raises Unavailable."""
    raw = station.store.setting(_SETTING)
    try:
        return None if raw is None else _DECODER.decode(raw)
    except msgspec.MsgspecError:
        raise Unavailable("what is kept of the handover is damaged") from None


def _keep(station: "Station", kept: Kept) -> None:
    station.store.put_setting(_SETTING, _ENCODER.encode(kept))
    station.feed.publish(Published(line=b"", name="watch", seq=0, data=encoded({"handover": kept.state})))


def open_clocks(station: "Station") -> list[OpenClockView]:
    """All clocks of all lines, the first due first."""
    now = station.clock.wall()
    found: list[OpenClockView] = []
    for line in station.lines.values():
        engine = line.engine
        if engine is None:
            continue
        for clock in running(engine.fold):
            view = due_view(line, engine, clock)
            name = f"{line.label}: {view.ref.reference}, {view.due_by}, {view.party}"
            mine = clock.party == line.party
            found.append(OpenClockView(name=name, line=line.label, mine=mine, overdue=clock.due <= now, clock=view))
    return sorted(found, key=lambda each: (each.clock.due, each.name))[:MAX_CLOCKS]


def watch_view(station: "Station", actor: Actor) -> WatchView:
    """The watch as it stands."""
    kept = last(station)
    handover = None
    if kept is not None:
        handover = HandoverView(
            state=kept.state,
            by=kept.sign,
            at=kept.at,
            note=kept.note,
            mine=kept.uid == actor.uid,
            taken_by=kept.by,
            ended=kept.ended,
            clocks=kept.clocks,
        )
    waiting = sum(len(station.store.drafts(state)) for state in UNSAID)
    lines = [_line_watch(line) for line in station.lines.values()]
    return WatchView(lines=lines, handover=handover, clocks=open_clocks(station), drafts=waiting)


def _line_watch(line: LineRunner) -> LineWatchView:
    found = line.engine.fold.watch(line.party) if line.engine is not None else None
    said = found.entry if found is not None and isinstance(found.entry, Watch) else None
    return LineWatchView(
        line=line.label,
        attended=said.attended if said is not None else None,
        sign=said.sign if said is not None else "",
        since=found.time if found is not None else None,
    )


def offer(station: "Station", actor: Actor, request: OfferRequest) -> None:
    """Offer the watch to the next officer. Raises Conflict if it is offered already."""
    _, sign = station.people.speaking(actor, None, request.sign, frozenset({WATCH}))
    kept = last(station)
    if station.handing.locked() or (kept is not None and kept.state == OFFERED):
        raise Conflict("the watch is offered already: withdraw that, or let it be accepted")
    station.audit.write(actor, HANDED, "", request.note, sign)
    now = int(station.clock.wall())
    _keep(station, Kept(state=OFFERED, uid=actor.uid, sign=sign, signs=actor.signs, at=now, note=request.note))


def withdraw(station: "Station", actor: Actor) -> None:
    """Keep the watch after all. Raises Conflict if none is offered, Forbidden unless by who offered it."""
    kept = last(station)
    if kept is None or kept.state != OFFERED or station.handing.locked():
        raise Conflict("no handover waits")
    if not _same(actor, kept):
        raise Forbidden("only the officer who offered the watch withdraws that")
    now = int(station.clock.wall())
    _keep(station, msgspec.structs.replace(kept, state=WITHDRAWN, ended=now))


async def accept(station: "Station", actor: Actor, request: AcceptRequest) -> TakenView:
    """Take the watch, with every clock that is open.

    Raises Conflict (one is not named; another officer was quicker; the offer is over), Forbidden (one's own offer).
    """
    _, sign = station.people.speaking(actor, None, request.sign, frozenset({WATCH}))
    kept = last(station)
    async with station.handing:  # it takes until all lines have heard of it
        if last(station) != kept:
            raise Conflict("no handover waits")
        return await _take(station, actor, sign, request, kept)


async def _take(station: "Station", actor: Actor, sign: str, request: AcceptRequest, kept: Kept | None) -> TakenView:
    offered = kept is not None and kept.state == OFFERED
    if kept is not None and offered and _same(actor, kept):
        raise Forbidden("the incoming officer accepts the watch: not the one who offers it")
    if request.offer is not None and (kept is None or not offered or kept.at != request.offer):
        raise Conflict("that offer of the watch is over: look who has the watch now, and decide anew")
    names = tuple(clock.name for clock in open_clocks(station))
    if not set(names) <= set(request.clocks):
        raise Conflict("a clock is open that was not accepted: look at the clocks again, and name each")
    accepted = "\n".join(names)
    text = (
        f"{request.note}\n\n{accepted}".strip() if offered else f"{request.note}\n\n(no handover)\n{accepted}".strip()
    )
    station.audit.write(actor, TOOK, "", text, sign)
    view = await _say(station, actor, sign, attended=True)
    now = int(station.clock.wall())
    if kept is not None and offered:
        _keep(station, msgspec.structs.replace(kept, state=TAKEN, by=sign, ended=now, clocks=names))
    else:
        empty = Kept(state=TAKEN, uid=actor.uid, sign="", signs=(), at=now, note="", by=sign, ended=now, clocks=names)
        _keep(station, empty)
    return view


async def leave(station: "Station", actor: Actor, request: LeaveRequest) -> TakenView:
    """Say on every line that nobody is on watch."""
    _, sign = station.people.speaking(actor, None, request.sign, frozenset({WATCH}))
    async with station.handing:
        station.audit.write(actor, LEFT, "", request.note, sign)
        view = await _say(station, actor, sign, attended=False)
    station.feed.publish(Published(line=b"", name="watch", seq=0, data=encoded({"handover": "left"})))
    return view


async def _say(station: "Station", actor: Actor, sign: str, *, attended: bool) -> TakenView:
    role, _ = station.people.speaking(actor, WATCH, sign, frozenset({WATCH}))
    lines = list(station.lines.values())
    working = [line for line in lines if line.state is State.RUNNING and line.engine is not None]
    now = station.clock.wall()
    said = [line.submit(Watch(attended=attended, role=role, sign=sign), now) for line in working]
    done = await asyncio.gather(*said, return_exceptions=True)
    reached = [
        line.label for line, outcome in zip(working, done, strict=True) if not isinstance(outcome, BaseException)
    ]
    return TakenView(lines=reached, unreached=[line.label for line in lines if line.label not in reached])


def _same(actor: Actor, kept: Kept) -> bool:
    return actor.uid == kept.uid or bool({kept.sign, *kept.signs} & set(actor.signs))
