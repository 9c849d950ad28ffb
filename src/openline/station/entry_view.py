"""Entries as people see them: names for numbers, references, and where a message stands."""

from dataclasses import fields
from enum import IntEnum
from typing import Any

import msgspec

from openline.kernel.errors import Bug, Refused
from openline.kernel.lane import Lane
from openline.kernel.terms import Policy
from openline.kernel.units import Instant
from openline.ports import Arrival
from openline.protocol.acknowledgements import decode_ack
from openline.protocol.asking import Passage, Query
from openline.protocol.call_entries import ClauseWord, Minutes, Protection
from openline.protocol.clocks import clock_of
from openline.protocol.engine import Engine
from openline.protocol.entries import (
    AnyEntry,
    Decline,
    GenerationEntry,
    Interim,
    Kind,
    Message,
    TermsEntry,
    Unknown,
    kind_of,
)
from openline.protocol.events import Shown
from openline.protocol.facts import HANDLED, Mark, MessageStatus, Standing, standing_of
from openline.protocol.fields import NamedHead, Ref, decode_time
from openline.protocol.lanes import read_body
from openline.protocol.records import EntryRow
from openline.protocol.references import dtg, format_reference
from openline.protocol.vouching import disputed
from openline.station.answers import EntryView, PartyStatusView, PolicyView, RefView
from openline.station.contact_terms import contacts_of
from openline.station.line_runner import LineRunner
from openline.station.restores import generation_view
from openline.station.silence import meaning, reached

KINDS: dict[str, int] = {kind.name.lower().replace("_", "-"): int(kind) for kind in Kind}
"""Kinds by the names that the API uses."""
_NAMES = {number: name for name, number in KINDS.items()}
_QUIET = Kind.ACK
"""Pure acknowledgements say nothing to people; they are in the export, and `held` comes from them."""


def kind_name(kind: int) -> str:
    """The name of a kind; "unknown:NN" for one that this version does not know."""
    return _NAMES.get(kind) or f"unknown:{kind}"


def lane_party(line: LineRunner, party: int) -> str:
    """The name of a party."""
    return line.names[party] if 0 <= party < len(line.names) else ""


def reference_of(line: LineRunner, lane: Lane, serial: int, time: int) -> str:
    """How people name a message."""
    return format_reference(
        station=line.names[lane.party],
        urgent=lane.urgent,
        serial=serial,
        counter=lane.generation.counter,
        time=Instant(time),
    )


def entry_view(line: LineRunner, seq: int, shown: Shown) -> EntryView | None:
    """One entry; None for what is not for people (pure acknowledgements)."""
    if shown.kind == _QUIET:
        return None
    return _view(line, seq, shown.lane, shown.row, shown.time, shown.entry)


def arrival_view(line: LineRunner, arrival: Arrival) -> EntryView:
    """One entry out of the store."""
    row = arrival.row
    entry = None if row.refused or not row.entry.secret else read_body(row.entry)
    time = decode_time(row.entry.time) if entry is not None else 0
    return _view(line, arrival.seq, arrival.lane, row, time, entry)


def _view(  # noqa: PLR0917 - the parts of one entry
    line: LineRunner, seq: int, lane: Lane, row: EntryRow, time: int, entry: AnyEntry | None
) -> EntryView:
    engine, index = line.engine, row.index
    status = _status(engine, lane, index) if engine is not None and isinstance(entry, Message) else None
    reference = reference_of(line, lane, status.serial, time) if status is not None else ""
    return EntryView(
        line=line.label,
        seq=seq,
        ref=RefView(
            lane=lane.number, generation=str(lane.generation), index=index, leaf=row.nodes[0].hex(), reference=reference
        ),
        author=line.names[lane.party],
        kind=kind_name(kind_of(entry)) if entry is not None else "refused",
        time=time,
        dtg=dtg(Instant(time)) if entry is not None else "",
        held_here=True,
        body=_body(line, lane, entry) if entry is not None else {},
        refused=entry is None,
        superseded=status is not None and status.superseded,
        disputed=engine is not None and disputed(engine.fold, lane.number, lane.generation, index),
        status=status_view(line, engine, status) if engine is not None and status is not None else None,
        exercise=line.exercise,
        stands=passage_stands(line, entry) if isinstance(entry, Query) else None,
        seen=_seen(row) if isinstance(entry, Message | Interim | Decline) else None,
    )


def _seen(row: EntryRow) -> dict[str, int]:
    """What the author held of other lanes."""
    try:
        return {f"{item.lane}.{item.generation}": item.size for item in decode_ack(row.entry.ack)}
    except Refused:
        return {}


def _status(engine: Engine, lane: Lane, index: int) -> MessageStatus | None:
    ledger = engine.fold.lanes.get(lane.key)
    if ledger is None or ledger.messages.find(index) < 0:
        return None
    return engine.fold.status(lane.number, lane.generation, index)


def passage_stands(line: LineRunner, query: Query) -> bool | None:
    """Whether the passage that a query quotes stands in the message that it names; None if it quotes none, or that is not held."""
    engine, ref, part = line.engine, query.of, query.passage
    if engine is None or part is None or engine.fold.size(ref.lane, ref.generation) <= ref.index:
        return None
    lane = engine.book.lane(ref.lane, ref.generation)
    (row,) = engine.book.rows(engine.book.state(lane), ref.index, 1)
    if row.refused or not row.entry.secret or row.nodes[0] != ref.leaf:
        return None
    said = read_body(row.entry)
    return isinstance(said, Message) and said.text[part.start : part.end] == part.words


# --- where a message stands ------------------------------------------------------------------------------------


def status_view(line: LineRunner, engine: Engine, status: MessageStatus) -> dict[str, PartyStatusView]:
    """By party: every one but the author."""
    place = status.place
    found = {}
    for each in status.parties:
        peer = engine.peers.get(each.party)
        held = peer is None or peer.holds.get((place.lane, place.generation), 0) > place.index
        marks, clock = each.marks, clock_of(status, each, engine.fold.policy)
        found[line.names[each.party]] = PartyStatusView(
            standing=_STANDINGS[standing_of(marks, held=held)],
            meaning=meaning(line, engine, each.party, standing_of(marks, held=held)),
            silent_since=reached(line.links, line, engine, each.party).heard_at if not held else None,
            held=held,
            presented=bool(marks & Mark.PRESENTED),
            read=bool(marks & Mark.READ),
            relayed=bool(marks & Mark.RELAYED),
            interim_until=each.until,
            declined=bool(marks & Mark.DECLINED),
            queried=bool(marks & Mark.QUERIED),
            acknowledged=bool(marks & HANDLED),
            answered=bool(marks & Mark.ANSWERED),
            due=clock.due if clock is not None else None,
            due_by=clock.basis.value if clock is not None else "",
        )
    return found


_STANDINGS = {standing: standing.name.lower() for standing in Standing}


# --- bodies ----------------------------------------------------------------------------------------------------


def _body(line: LineRunner, lane: Lane, entry: AnyEntry) -> dict[str, Any]:
    """The fields of an entry; with an opening of a generation goes what it means."""
    body = body_view(entry)
    if isinstance(entry, GenerationEntry) and line.engine is not None:
        told = generation_view(line.engine, line.names, line.restores, lane.party, lane.generation)
        if told is not None:
            body["told"] = msgspec.to_builtins(told)
    return body


def body_view(entry: AnyEntry) -> dict[str, Any]:
    """The fields of an entry by name: roles and precedence as words, references as objects, bytes in hexadecimal."""
    if isinstance(entry, Unknown):
        return {"raw": entry.raw.hex()}
    if isinstance(entry, TermsEntry):
        return {"bytes": len(entry.terms)}
    body = {name: _plain(getattr(entry, name)) for name in _members(entry)}
    if isinstance(entry, Minutes):
        body["clauses"] = [{"texts": dict(clause)} for clause in entry.clauses]
    return body


_MEMBERS: dict[type[AnyEntry], tuple[str, ...]] = {}


def _members(entry: AnyEntry) -> tuple[str, ...]:
    kind = type(entry)
    found = _MEMBERS.get(kind)
    if found is None:
        found = _MEMBERS[kind] = tuple(each.name for each in fields(entry))
    return found


def _plain(value: object) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, IntEnum):
        return value.name.lower().replace("_", "-")
    if isinstance(value, int):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Ref):
        return ref_object(value)
    if isinstance(value, Passage):
        return {"start": value.start, "end": value.end, "words": value.words}
    if isinstance(value, Protection | ClauseWord):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Policy):
        return policy_view(value)
    if isinstance(value, NamedHead):
        return {"lane": value.lane, "generation": str(value.generation), "size": value.size, "root": value.root.hex()}
    raise Bug("a field of an entry that has no form for people")


def ref_object(ref: Ref) -> dict[str, Any]:
    """A reference as an object."""
    return {"lane": ref.lane, "generation": str(ref.generation), "index": ref.index, "leaf": ref.leaf.hex()}


def policy_view(policy: Policy) -> PolicyView:
    """A policy."""
    return PolicyView(
        title=policy.title,
        languages=policy.languages,
        test_minutes=policy.test_minutes,
        handling_minutes=policy.handling_minutes,
        urgent_per_hour=policy.urgent_per_hour,
        traffic_per_hour=policy.traffic_per_hour,
        attachment_mib_per_day=policy.attachment_mib_per_day,
        release=policy.release,
        exercise=policy.exercise,
        contacts=contacts_of(policy),
    )
