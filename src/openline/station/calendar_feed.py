"""The regular contacts as an iCalendar feed (RFC 5545), for calendars that people have already.

A calendar program cannot sign in: it has an address with a token of 256 bits
in it. Only the token's hash is kept, so that nobody reads addresses out of the
store; each is revoked by its number, and is not in force while whoever made it
may make none. What a feed tells is when contacts are
due, with which stations and by what: nothing that anybody said.

Every occurrence is one event in UTC, not a rule: what a calendar does with a
rule at a change of clocks is its own, and both floors must see the same hour.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec

from openline.kernel.errors import Conflict, Forbidden, Unavailable, Unknown
from openline.kernel.units import Entropy, Instant
from openline.ports import Store
from openline.station.clock import StationClock
from openline.station.console import CALENDARS, ConsoleDesk
from openline.station.contacts import Contacts
from openline.station.line_runner import LineRunner
from openline.station.occurrences import Occurrence
from openline.station.people import ADMINISTRATOR, INTERPRETER, PRINCIPAL, WATCH, People

MAX_CALENDARS: Final = 64
"""Addresses in force: two for everybody of a large floor."""
BACK_MS, AHEAD_MS = 30 * 86_400_000, 120 * 86_400_000
"""What a feed shows: a month back, and a quarter ahead."""
MAX_EVENTS: Final = 1_000
"""A tenth of a second of the loop where this was measured, and more than a person keeps."""
FRESH_MS: Final = 10_000
"""A calendar program asks every few minutes."""
OWNERS: Final = frozenset({WATCH, PRINCIPAL, INTERPRETER, ADMINISTRATOR})
MEDIA: Final = "text/calendar; charset=utf-8"
_PATH = re.compile(r"/calendar/([0-9a-f]{64})\.ics", re.ASCII)


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
    entropy: Entropy
    contacts: Contacts
    lines: dict[bytes, LineRunner]
    people: People
    console: ConsoleDesk | None


@dataclass(slots=True)
class Last:
    """The calendar as it was made last: who asks again and again costs the loop nothing."""

    at: int = 0
    """Ms, steady."""
    data: bytes = b""


_CALENDARS = msgspec.json.Decoder(list[Calendar])


def calendars(floor: Floor) -> list[Calendar]:
    """All addresses in force. Raises Unavailable."""
    kept = floor.store.setting(CALENDARS)
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


def feed(floor: Floor, path: str, last: Last | None = None) -> bytes | None:
    """What stands at `/calendar/TOKEN.ics`; None if the path is another, or its token is not in force.

    With `last`, as it stood FRESH_MS ago at most. Raises Unavailable (disk).
    """
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    hashed = _hash(found[1])
    made = [each for each in calendars(floor) if hmac.compare_digest(each.hash, hashed)]
    if not made or not _may(floor, made[0].uid):
        return None
    now = floor.clock.steady()
    if last is not None and last.data and now - last.at < FRESH_MS:
        return last.data
    data = calendar_of(floor.contacts, floor.lines, floor.clock.wall())
    if last is not None:
        last.at, last.data = now, data
    return data


def _may(floor: Floor, uid: int) -> bool:
    """Whether that officer or user may have calendar addresses now."""
    if uid < 0:
        return floor.console is not None and bool(OWNERS & floor.console.roles_of(uid))
    try:
        return bool(OWNERS & floor.people.actor(uid).roles)
    except Forbidden:
        return False


def _keep(floor: Floor, known: list[Calendar]) -> None:
    floor.store.put_setting(CALENDARS, msgspec.json.encode(known))


def _hash(token: str) -> str:
    return hashlib.sha256(b"openline calendar\n" + token.encode()).hexdigest()


# --- the calendar ----------------------------------------------------------------------------------------------


def calendar_of(contacts: Contacts, lines: Mapping[bytes, LineRunner], now: Instant) -> bytes:
    """The contacts of all lines that work, a month back and a quarter ahead.

    Written by hand: the usual library takes 0.6 ms of the loop for each event, thirty times as long.
    """
    said = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Openline//regular contacts//EN", "METHOD:PUBLISH"]
    left = MAX_EVENTS
    for line in lines.values():
        if line.engine is None:
            continue
        due = contacts.due_between(line, Instant(now - BACK_MS), Instant(now + AHEAD_MS))[:left]
        left -= len(due)
        for occurrence in due:
            said += _event(line, occurrence, now)
    return b"".join(_folded(each) for each in (*said, "END:VCALENDAR"))


def _event(line: LineRunner, occurrence: Occurrence, now: Instant) -> list[str]:
    contact, others = occurrence.contact, [name for party, name in enumerate(line.names) if party != line.party]
    named = hashlib.sha256(f"{line.line.hex()}\n{contact.name}\n{occurrence.local}".encode()).hexdigest()[:32]
    mark = "EXERCISE: " if line.exercise else ""
    return [
        "BEGIN:VEVENT",
        f"UID:{named}@openline",
        f"DTSTAMP:{_utc(now)}",
        f"DTSTART:{_utc(occurrence.start)}",
        f"DTEND:{_utc(occurrence.end)}",
        f"SUMMARY:{mark}{_text(contact.name)} ({_text(', '.join(others))}\\, {contact.medium.name.lower()})",
        f"DESCRIPTION:{mark}{_text(line.label)}\\; {occurrence.local} {contact.zone}",
        f"CATEGORIES:{'EXERCISE' if line.exercise else 'OPENLINE'}",
        "END:VEVENT",
    ]


def _text(words: str) -> str:
    """A value of type TEXT (RFC 5545, 3.3.11): a name can end no line and begin no property."""
    escaped = words.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return "".join(each if each >= " " and each != "\x7f" else " " for each in escaped)


def _folded(line: str) -> bytes:
    """A content line in pieces of at most 75 octets, never through a character (RFC 5545, 3.1)."""
    if len(whole := line.encode()) <= _OCTETS:
        return whole + b"\r\n"
    pieces, piece = [], b""
    for each in line:
        octets = each.encode()
        if len(piece) + len(octets) > _OCTETS:
            pieces.append(piece)
            piece = b" "
        piece += octets
    return b"\r\n".join([*pieces, piece]) + b"\r\n"


_OCTETS: Final = 75


def _utc(at: Instant) -> str:
    return datetime.fromtimestamp(at / 1_000, UTC).strftime("%Y%m%dT%H%M%SZ")
