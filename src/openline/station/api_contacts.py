"""Calls about regular contacts: what is due and what became of it, figures, and calendar addresses."""

from typing import Annotated

import msgspec

from openline.kernel.errors import Malformed, TooLarge
from openline.kernel.units import MAX_INSTANT, Instant
from openline.protocol.contact_states import words_of
from openline.station.answers import Done
from openline.station.calendar_feed import OWNERS, calendars, give_out, revoke
from openline.station.calls import Call, Reply, Route, decoded, reply
from openline.station.contact_answers import (
    CalendarsView,
    CalendarView,
    ContactFigures,
    ContactsView,
    NewCalendar,
    OccurrencesView,
    OccurrenceView,
)
from openline.station.contact_figures import figures
from openline.station.contact_views import contacts_view, occurrence_view
from openline.station.line_runner import State
from openline.station.people import ADMINISTRATOR, AUDITOR, INTERPRETER, PRINCIPAL, TECHNICIAN, WATCH
from openline.station.requests import Request

DAY_MS = 86_400_000
MAX_SPAN_MS = 400 * DAY_MS
"""What is looked at in one call: more than a year's calendar."""
MAX_SHOWN = 2_000
_READERS = frozenset({WATCH, PRINCIPAL, INTERPRETER, AUDITOR, TECHNICIAN, ADMINISTRATOR})
_Moment = Annotated[int, msgspec.Meta(ge=0, le=MAX_INSTANT // 4)]


class SpanQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From when to when, ms; a week back and two ahead if it is not given."""

    first: _Moment | msgspec.UnsetType = msgspec.field(name="from", default=msgspec.UNSET)
    last: _Moment | msgspec.UnsetType = msgspec.field(name="to", default=msgspec.UNSET)


class FiguresQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of how many days."""

    days: Annotated[int, msgspec.Meta(ge=1, le=366)] = 30


class CalendarRequest(Request, frozen=True, kw_only=True):
    """For whom or what the address is: a word to know it by when it is revoked."""

    note: Annotated[str, msgspec.Meta(max_length=80)] = ""


_CALENDAR_REQUEST = msgspec.json.Decoder(CalendarRequest)


def _span(call: Call) -> tuple[Instant, Instant]:
    query, now = call.query(SpanQuery), call.station.clock.wall()
    first = Instant(now - 7 * DAY_MS if isinstance(query.first, msgspec.UnsetType) else query.first)
    last = Instant(now + 14 * DAY_MS if isinstance(query.last, msgspec.UnsetType) else query.last)
    if last < first:
        raise Malformed("from lies after to")
    if last - first > MAX_SPAN_MS:
        raise TooLarge("more than 400 days: ask for less at a time")
    return first, last


async def line_contacts(call: Call) -> Reply | None:
    """The contacts of a line."""
    first, last = _span(call)
    return reply(contacts_view(call.station.contacts, call.line, first, last, call.station.clock.wall()))


async def all_contacts(call: Call) -> Reply | None:
    """The occurrences on all lines."""
    first, last = _span(call)
    station = call.station
    found: list[OccurrenceView] = []
    for line in station.lines.values():
        engine = line.engine
        if engine is None or line.state is not State.RUNNING:
            continue
        words = words_of(engine.fold)
        found += [
            occurrence_view(station.contacts, line, engine, each, words)
            for each in station.contacts.due_between(line, first, last)[: MAX_SHOWN - len(found)]
        ]
    found.sort(key=lambda each: (each.start, each.line, each.name))
    return reply(OccurrencesView(now=station.clock.wall(), occurrences=found))


async def line_figures(call: Call) -> Reply | None:
    """Figures of a line."""
    station, line, days = call.station, call.line, call.query(FiguresQuery).days
    now = station.clock.wall()
    first = Instant(now - days * DAY_MS)
    tests = [test for test in station.store.tests(line.line, 10_000) if test.sent >= first]
    return reply(await figures(station.contacts, line, tests, first, now))


async def calendar_list(call: Call) -> Reply | None:
    """The calendar addresses in force."""
    found = [
        CalendarView(calendar=each.number, made=each.made, uid=each.uid, note=each.note)
        for each in calendars(call.station)
    ]
    return reply(CalendarsView(calendars=found))


async def calendar_new(call: Call) -> Reply | None:
    """A new calendar address."""
    request = decoded(_CALENDAR_REQUEST, await call.body())
    made, path = give_out(call.station, call.actor.uid, request.note)
    return reply(NewCalendar(calendar=made.number, path=path), 201)


async def calendar_revoke(call: Call) -> Reply | None:
    """End a calendar address."""
    revoke(call.station, call.part("calendar"))
    return reply(Done())


ROUTES = (
    Route(
        method="GET",
        path="/contacts",
        handler=all_contacts,
        summary="Regular contacts of all lines: what is due, kept and missed",
        roles=_READERS,
        query=SpanQuery,
        answers={200: OccurrencesView},
    ),
    Route(
        method="GET",
        path="/lines/{line}/contacts",
        handler=line_contacts,
        summary="Regular contacts of a line: the schedule, what is due, kept and missed",
        roles=_READERS,
        query=SpanQuery,
        answers={200: ContactsView},
    ),
    Route(
        method="GET",
        path="/lines/{line}/figures",
        handler=line_figures,
        summary="Figures of a line: the last contact, tests answered, response times",
        roles=_READERS,
        query=FiguresQuery,
        answers={200: ContactFigures},
    ),
    Route(
        method="GET",
        path="/calendars",
        handler=calendar_list,
        summary="Calendar addresses in force",
        roles=OWNERS,
        answers={200: CalendarsView},
    ),
    Route(
        method="POST",
        path="/calendars",
        handler=calendar_new,
        summary="Make a calendar address, protected by a token",
        roles=OWNERS,
        body=CalendarRequest,
        answers={201: NewCalendar},
        act="calendar",
    ),
    Route(
        method="POST",
        path="/calendars/{calendar}/revoke",
        handler=calendar_revoke,
        summary="End a calendar address",
        roles=OWNERS,
        answers={200: Done},
        act="calendar-revoke",
    ),
)
