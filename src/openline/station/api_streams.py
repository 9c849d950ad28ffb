"""Server-sent events: what happens on one line or on all, as it happens, and from any point of the past.

An event that shows an entry has an id: the entry's arrival number, or for the
stream of all lines "<line>:<number>" of each line, separated by commas, lines
by the first 16 digits of their id. Give it back (`after` or Last-Event-ID) and
nothing is missed and nothing comes twice.
"""

import asyncio
from typing import Annotated

import msgspec

from openline.kernel.errors import Malformed, TooLarge
from openline.kernel.units import MAX_SEQ
from openline.protocol.entries import Kind, kind_of
from openline.protocol.lanes import read_body
from openline.station.answers import encoded
from openline.station.calls import STREAM, Call, Reply, Route
from openline.station.entry_view import arrival_view
from openline.station.feed import Subscriber
from openline.station.line_runner import LineRunner
from openline.station.people import AUDITOR, INTERPRETER, PRINCIPAL, WATCH

HEARTBEAT_S = 15.0
PAGE = 256
STREAMS = 256
"""Streams at a time: consoles and programs of one floor."""
_SHORT = 16
_READERS = frozenset({WATCH, PRINCIPAL, INTERPRETER, AUDITOR})


class EventsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From where on; without it (and without Last-Event-ID) from now on."""

    after: Annotated[str, msgspec.Meta(max_length=8_192)] | None = None


async def one_line(call: Call) -> Reply | None:
    """The events of one line."""
    line, after = call.line, _after(call)
    marks = {} if after is None else {line.line: _number(after)}
    return await _stream(call, [line], marks, line.line)


async def all_lines(call: Call) -> Reply | None:
    """The events of all lines."""
    after = _after(call)
    lines = list(call.station.lines.values())
    marks: dict[bytes, int] = {}
    for part in after.split(",") if after else ():
        short, colon, number = part.partition(":")
        if not colon or len(short) != _SHORT:
            raise Malformed("not an event id of this stream")
        marks.update({line.line: _number(number) for line in lines if line.line.hex().startswith(short)})
    if after is not None:
        marks = {line.line: marks.get(line.line, 0) for line in lines}
    return await _stream(call, lines, marks, None)


def _after(call: Call) -> str | None:
    """Last-Event-ID is what a browser sends when it resumes by itself: it is later than `after`."""
    return call.header(b"last-event-id") or call.query(EventsQuery).after


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 15) or int(text) > MAX_SEQ:
        raise Malformed("not an event id of this stream")
    return int(text)


async def _stream(call: Call, lines: list[LineRunner], marks: dict[bytes, int], only: bytes | None) -> Reply | None:
    feed = call.station.feed
    if len(feed) >= STREAMS:
        raise TooLarge("too many streams are open")
    signs = call.actor.signs if call.actor.at_console else ()
    subscriber = feed.subscribe(only, signs)  # first, so that nothing falls between the past and the present
    told = _Told(lines, marks, whole=only is None)
    leaving = asyncio.create_task(_until_left(call, subscriber))
    try:
        await call.begin_stream(STREAM)
        await call.piece(b": openline\n\n")
        if marks:
            for line in lines:
                await _past(call, line, told, subscriber)
        await _present(call, subscriber, told)
        await call.end_stream()
    finally:
        feed.leave(subscriber)
        leaving.cancel()
    return None


class _Told:
    """What this stream has shown of each line."""

    def __init__(self, lines: list[LineRunner], marks: dict[bytes, int], *, whole: bool) -> None:
        self.seqs = {line.line: marks.get(line.line, line.history.last_seq()) for line in lines}
        self._whole = whole

    def event(self, line: bytes, name: str, seq: int, data: bytes) -> bytes:
        """An event in its form; empty if it was told already."""
        if not seq:
            return b"event: %b\ndata: %b\n\n" % (name.encode(), data)
        if seq <= self.seqs.get(line, 0):
            return b""
        self.seqs[line] = seq
        return b"event: %b\nid: %b\ndata: %b\n\n" % (name.encode(), self._id(seq), data)

    def _id(self, seq: int) -> bytes:
        if not self._whole:
            return b"%d" % seq
        return ",".join(f"{line.hex()[:_SHORT]}:{last}" for line, last in self.seqs.items()).encode()


async def _past(call: Call, line: LineRunner, told: _Told, subscriber: Subscriber) -> None:
    """What arrived before, out of the store: as long as somebody listens who may."""
    at = told.seqs[line.line]
    while not subscriber.ended and (arrivals := line.history.since(at, PAGE)):
        pieces = []
        for arrival in arrivals:
            at, row = arrival.seq, arrival.row
            body = None if row.refused or not row.entry.secret else read_body(row.entry)
            if body is None or kind_of(body) != Kind.ACK:
                pieces.append(told.event(line.line, "entry", at, encoded(arrival_view(line, arrival))))
        if pieces:
            await call.piece(b"".join(pieces))
        if len(arrivals) < PAGE:
            return
        await asyncio.sleep(
            0
        )  # who takes it all at once, or has left, is not waited for: let everybody else have a turn


async def _present(call: Call, subscriber: Subscriber, told: _Told) -> None:
    """What comes, until the station stops, the listener leaves, or is too slow and is cut."""
    while not subscriber.ended:
        events = subscriber.take()
        if events:
            data = b"".join(told.event(each.line, each.name, each.seq, each.data) for each in events)
            if data:
                await call.piece(data)
            continue
        if not await subscriber.wait(HEARTBEAT_S):
            await call.piece(b": \n\n")


async def _until_left(call: Call, subscriber: Subscriber) -> None:
    await call.left()
    subscriber.end()


ROUTES = (
    Route(
        method="GET",
        path="/lines/{line}/events",
        handler=one_line,
        summary="Events of one line",
        roles=_READERS,
        query=EventsQuery,
        answers={200: STREAM},
    ),
    Route(
        method="GET",
        path="/events",
        handler=all_lines,
        summary="Events of all lines",
        roles=_READERS,
        query=EventsQuery,
        answers={200: STREAM},
    ),
)
