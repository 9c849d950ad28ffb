"""Calls about alarms: what is open, who is called and whether that works; acknowledging one, and testing the paths."""

import re
from typing import Annotated

import msgspec

from openline.kernel.errors import Malformed
from openline.station.alarms.duty import AlarmView
from openline.station.alarms.tables import Name, Shift
from openline.station.bearer_answers import Answer
from openline.station.calls import Call, Reply, Route, decoded, reply
from openline.station.people import ADMINISTRATOR, PRINCIPAL, TECHNICIAN, WATCH
from openline.station.requests import Request, Sign

MOST_SHIFTS = 200
TEST_S = 50.0
"""A call over the API is answered within a minute."""
_ANYBODY = frozenset({WATCH, PRINCIPAL, TECHNICIAN, ADMINISTRATOR})


class AlarmPathView(Answer, frozen=True, kw_only=True):
    """One path on which alarms leave the building; never where it leads."""

    name: str
    medium: str
    """webhook or mail."""
    works: bool | None
    """None while nothing was tried."""
    succeeded_at: int | None
    failed_at: int | None
    failure: str
    """Why the last call was not taken, as a constant name; empty if it was."""
    tested_at: int | None
    calls: int
    """Taken since the start."""
    waiting: int


class AlarmStepView(Answer, frozen=True, kw_only=True):
    """A step of the escalation, and whom it would call now."""

    after_minutes: int
    to: tuple[str, ...]
    kinds: tuple[str, ...]
    paths: tuple[str, ...]


class ShiftView(Answer, frozen=True, kw_only=True):
    """A shift of the roster."""

    duty: str
    days: tuple[str, ...]
    start: str
    end: str
    paths: tuple[str, ...]


class AlarmsView(Answer, frozen=True, kw_only=True):
    """The alarms of a station."""

    open: list[AlarmView]
    """Not acknowledged, the oldest first."""
    standing: list[AlarmView]
    """Acknowledged, and their cause is still there."""
    past: list[AlarmView]
    """The latest first."""
    before: int | None
    """Give it back for older ones; None if there are no more."""
    paths: list[AlarmPathView]
    steps: list[AlarmStepView]
    roster: list[ShiftView]
    roster_set: bool
    """Whether the roster was set by an administrator; else it is the one of config.toml."""
    zone: str
    gaps: tuple[str, ...]
    """Duties that at some hours nobody has: everybody is called then."""
    heartbeat: str
    """off, works, or why the last sign of life did not go out."""


class AlarmsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part of the past."""

    before: Annotated[int, msgspec.Meta(ge=1, le=1 << 53)] = 1 << 53
    limit: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 50


class AcknowledgeRequest(Request, frozen=True, kw_only=True):
    """Under which of one's own signs."""

    sign: Sign | None = None


class ShiftRequest(Request, frozen=True, kw_only=True):
    """A shift: whose a duty is, and when."""

    duty: Name
    paths: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=32)]
    days: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=7)]
    start: Annotated[str, msgspec.Meta(max_length=5)]
    end: Annotated[str, msgspec.Meta(max_length=5)]


class RosterRequest(Request, frozen=True, kw_only=True):
    """All shifts; null: those of config.toml."""

    shifts: Annotated[tuple[ShiftRequest, ...], msgspec.Meta(max_length=MOST_SHIFTS)] | None


class PathTestRequest(Request, frozen=True, kw_only=True):
    """Which path; all if not given."""

    path: Annotated[str, msgspec.Meta(max_length=32)] | None = None


class PathTestView(Answer, frozen=True, kw_only=True):
    """What a test of one path came to."""

    path: str
    taken: bool
    why: str
    """Why not, as a constant name."""


class PathTestsView(Answer, frozen=True, kw_only=True):
    """Tests of several paths."""

    tests: list[PathTestView]


_ACKNOWLEDGE = msgspec.json.Decoder(AcknowledgeRequest)
_ROSTER = msgspec.json.Decoder(RosterRequest)
_TEST = msgspec.json.Decoder(PathTestRequest)


async def alarms(call: Call) -> Reply | None:
    """How it stands with alarms."""
    query, duty = call.query(AlarmsQuery), call.station.alarms
    live = [duty.view(alarm) for alarm in duty.calls.book.live()]
    past = duty.past(query.before, query.limit)
    plan, table, now = duty.calls.plan, duty.table, call.station.clock.wall()
    return reply(
        AlarmsView(
            open=[alarm for alarm in live if alarm.state == "open"],
            standing=[alarm for alarm in live if alarm.state != "open"],
            past=[alarm for _, alarm in past],
            before=past[-1][0] if len(past) == query.limit and past else None,
            paths=_paths(call),
            steps=[
                AlarmStepView(
                    after_minutes=step.after_minutes, to=step.to, kinds=step.kinds, paths=plan.paths(step, now)
                )
                for step in plan.all_steps
            ],
            roster=[
                ShiftView(duty=shift.duty, days=shift.days, start=shift.start, end=shift.end, paths=shift.paths)
                for shift in table.shifts
            ],
            roster_set=duty.is_set,
            zone=table.zone,
            gaps=duty.calls.gaps,
            heartbeat=duty.heartbeat(),
        )
    )


def _paths(call: Call) -> list[AlarmPathView]:
    duty = call.station.alarms
    found = []
    for name, path in duty.calls.paths.items():
        state = path.state
        tried = state.succeeded_at is not None or state.failed_at is not None
        found.append(
            AlarmPathView(
                name=name,
                medium="webhook" if duty.table.paths[name].webhook is not None else "mail",
                works=not state.failure if tried else None,
                succeeded_at=state.succeeded_at,
                failed_at=state.failed_at,
                failure=state.failure,
                tested_at=state.tested_at,
                calls=state.calls,
                waiting=len(path),
            )
        )
    return found


async def acknowledge(call: Call) -> Reply | None:
    """A person has taken an alarm: nobody else is called about it."""
    request = decoded(_ACKNOWLEDGE, await call.body())
    actor, people = call.actor, call.station.people
    name = call.part("id")
    if not re.fullmatch(r"[0-9a-f]{32}", name, re.ASCII):
        raise Malformed("the id of an alarm is 32 hexadecimal digits")
    call.noted = name
    role = next(role for role in sorted(_ANYBODY) if role in actor.roles)
    _, sign = people.speaking(actor, role, request.sign, _ANYBODY)
    return reply(call.station.alarms.acknowledge(name, sign))


async def set_roster(call: Call) -> Reply | None:
    """Go by another roster from now on."""
    shifts = decoded(_ROSTER, await call.body()).shifts
    call.noted = "config.toml" if shifts is None else f"{len(shifts)} shifts"
    made = None if shifts is None else tuple(msgspec.convert(each, Shift, from_attributes=True) for each in shifts)
    call.station.alarms.set_roster(made)
    return await alarms(call)


async def test(call: Call) -> Reply | None:
    """Try the paths now, with a call that says that it is a test."""
    request = decoded(_TEST, await call.body())
    calls = call.station.alarms.calls
    found = await calls.test([request.path] if request.path is not None else [], TEST_S)
    tests = [
        PathTestView(path=name, taken=bool(taken), why="" if taken else calls.paths[name].state.failure or "timeout")
        for name, taken in found.items()
    ]
    return reply(PathTestsView(tests=tests))


ROUTES = (
    Route(
        method="PUT",
        path="/alarms/roster",
        handler=set_roster,
        summary="Set who has which duty when, or go by config.toml again",
        roles=frozenset({ADMINISTRATOR}),
        body=RosterRequest,
        answers={200: AlarmsView},
        act="alarm-roster",
    ),
    Route(
        method="GET",
        path="/alarms",
        handler=alarms,
        summary="Alarms: open and past, paths, escalation and roster",
        query=AlarmsQuery,
        answers={200: AlarmsView},
    ),
    Route(
        method="POST",
        path="/alarms/test",
        handler=test,
        summary="Test the paths on which alarms leave the building",
        roles=_ANYBODY,
        body=PathTestRequest,
        answers={200: PathTestsView},
        act="alarm-test",
    ),
    Route(
        method="POST",
        path="/alarms/{id}/acknowledge",
        handler=acknowledge,
        summary="Acknowledge an alarm: its escalation stops",
        roles=_ANYBODY,
        body=AcknowledgeRequest,
        answers={200: AlarmView},
        act="alarm-acknowledge",
        first=True,
    ),
)
