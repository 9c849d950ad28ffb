"""The regular contacts as an iCalendar feed (RFC 5545), for calendars that people have already.

A calendar program cannot sign in: it has an address with a token of 256 bits
in it. Only the token's hash is kept, so that nobody reads addresses out of the
store; each is revoked by its number. What a feed tells is when contacts are
due, with which stations and by what: nothing that anybody said.

Every occurrence is one event in UTC, not a rule: what a calendar does with a
rule at a change of clocks is its own, and both floors must see the same hour.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec

from openline.kernel.errors import Conflict, Unavailable, Unknown
from openline.kernel.units import Entropy, Instant
from openline.ports import Store
from openline.station.clock import StationClock
from openline.station.committer import Gate
from openline.station.contacts import Contacts
from openline.station.line_runner import LineRunner
from openline.station.occurrences import Occurrence

MAX_CALENDARS: Final = 64
"""Addresses in force: two for everybody of a large floor."""
BACK_MS, AHEAD_MS = 30 * 86_400_000, 120 * 86_400_000
"""What a feed shows: a month back, and a quarter ahead."""
MAX_EVENTS: Final = 2_000
MEDIA: Final = "text/calendar; charset=utf-8"
_PATH = re.compile(r"/calendar/([0-9a-f]{64})\.ics", re.ASCII)
_SETTING = "calendars"


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """An address that was given out."""

    number: str
    hash: str
    """SHA-256 of the token."""
    made: int
    uid: int
    """Who asked for it."""
    note: str


class Floor(Protocol):
    """What of a station this needs."""

    clock: StationClock
    store: Store
    gate: Gate
    entropy: Entropy
    contacts: Contacts
    lines: dict[bytes, LineRunner]


_CALENDARS = msgspec.json.Decoder(list[Calendar])


def calendars(floor: Floor) -> list[Calendar]:
    """All addresses in force. Raises Unavailable."""
    kept = floor.gate.call(floor.store.setting, _SETTING)
    try:
        return _CALENDARS.decode(kept) if kept else []
    except msgspec.MsgspecError:
        raise Unavailable("the list of calendar addresses is damaged: revoke them and make new ones") from None


def give_out(floor: Floor, uid: int, note: str) -> tuple[Calendar, str]:
    """A new address and its path, which is told this once. Raises Conflict if there are too many."""
    known = calendars(floor)
    if len(known) >= MAX_CALENDARS:
        raise Conflict("too many calendar addresses are in force: revoke one first")
    token = floor.entropy(32).hex()
    made = Calendar(number=floor.entropy(4).hex(), hash=_hash(token), made=floor.clock.wall(), uid=uid, note=note)
    _keep(floor, [*known, made])
    return made, f"/calendar/{token}.ics"


def revoke(floor: Floor, number: str) -> None:
    """End an address. Raises Unknown."""
    known = calendars(floor)
    left = [each for each in known if each.number != number]
    if len(left) == len(known):
        raise Unknown("there is no such calendar address")
    _keep(floor, left)


def feed(floor: Floor, path: str) -> bytes | None:
    """What stands at `/calendar/TOKEN.ics`; None if the path is another, or its token is not in force.

    Raises Unavailable (disk).
    """
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    hashed = _hash(found[1])
    if not any(hmac.compare_digest(each.hash, hashed) for each in calendars(floor)):
        return None
    return calendar_of(floor.contacts, floor.lines, floor.clock.wall())


def _keep(floor: Floor, known: list[Calendar]) -> None:
    floor.gate.call(floor.store.put_setting, _SETTING, msgspec.json.encode(known))


def _hash(token: str) -> str:
    return hashlib.sha256(b"openline calendar\n" + token.encode()).hexdigest()


# --- the calendar ----------------------------------------------------------------------------------------------


def calendar_of(contacts: Contacts, lines: Mapping[bytes, LineRunner], now: Instant) -> bytes:
    """The contacts of all lines that work, a month back and a quarter ahead."""
    from icalendar import Calendar as ICalendar  # 60 ms to import: only who asks for a calendar waits for it

    made = ICalendar()
    made.add("prodid", "-//Openline//regular contacts//EN")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    made.add("x-wr-calname", "Openline")
    left = MAX_EVENTS
    for line in lines.values():
        if line.engine is None:
            continue
        due = contacts.due_between(line, Instant(now - BACK_MS), Instant(now + AHEAD_MS))[:left]
        left -= len(due)
        for occurrence in due:
            made.add_component(_event(line, occurrence, now))
    data: bytes = made.to_ical()
    return data


def _event(line: LineRunner, occurrence: Occurrence, now: Instant):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a type of the library
    from icalendar import Event

    contact, others = occurrence.contact, [name for party, name in enumerate(line.names) if party != line.party]
    event = Event()
    uid = hashlib.sha256(f"{line.line.hex()}\n{contact.name}\n{occurrence.local}".encode()).hexdigest()[:32]
    event.add("uid", f"{uid}@openline")
    event.add("dtstamp", _utc(now))
    event.add("dtstart", _utc(occurrence.start))
    event.add("dtend", _utc(occurrence.end))
    mark = "EXERCISE: " if line.exercise else ""
    event.add("summary", f"{mark}{contact.name} ({', '.join(others)}, {contact.medium.name.lower()})")
    event.add("categories", ["EXERCISE"] if line.exercise else ["OPENLINE"])
    event.add("description", f"{mark}line {line.label}; {occurrence.local} {contact.zone}")
    event.add("transp", "OPAQUE")
    return event


def _utc(at: Instant) -> datetime:
    return datetime.fromtimestamp(at / 1_000, UTC)
