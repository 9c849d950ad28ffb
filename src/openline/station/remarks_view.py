"""What speaks of an entry, beside it: receipts with role, sign and time, replies, queries with their answers, translations.

Spec: spec/06-entries.md, 6.19 to 6.21 and 6.100 to 6.104.
"""

import msgspec

from openline.ports import Arrival
from openline.protocol.engine import Engine
from openline.protocol.remarks import Source
from openline.station.answers import EntryView
from openline.station.entry_view import arrival_view
from openline.station.line_runner import LineRunner

MAX_REMARKS = 64
"""Remarks shown of one entry: three receipts, a reply and a translation of each of ten parties, and room."""


def with_remarks(line: LineRunner, arrival: Arrival, view: EntryView) -> EntryView:
    """The entry with what speaks of it; only messages and queries are spoken of. Raises Unavailable."""
    engine = line.engine
    if engine is None or view.refused or view.kind not in {"message", "query"}:
        return view
    sources = _sources(engine, arrival, message=view.kind == "message")
    return msgspec.structs.replace(view, remarks=[_remark(line, engine, source) for source in sources])


def _sources(engine: Engine, arrival: Arrival, *, message: bool) -> list[Source]:
    ledger = engine.fold.lanes.get(arrival.lane.key)
    if ledger is None:
        return []
    rows, remarks = (ledger.messages, ledger.remarks) if message else (ledger.queries, ledger.answers)
    row = rows.find(arrival.row.index)
    return remarks.of(row, MAX_REMARKS) if row >= 0 else []


def _remark(line: LineRunner, engine: Engine, source: Source) -> EntryView:
    number, generation, index = source
    lane = engine.book.lane(number, generation)
    (row,) = engine.book.rows(engine.book.state(lane), index, 1)
    arrival = Arrival(seq=0, lane=lane, row=row)
    view = arrival_view(line, arrival)
    if view.kind == "message":  # an answer, or what supersedes: it stands elsewhere, whole
        return msgspec.structs.replace(view, body={}, status=None)
    return with_remarks(line, arrival, view)
