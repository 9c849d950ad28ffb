"""Figures of a line: how long since the last contact, how many tests were answered, how long messages waited for people.

Spec: spec/06-entries.md, 6.95.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from openline.kernel.lane import Generation
from openline.kernel.units import Instant
from openline.ports import Arrival, LineTest
from openline.protocol.contact_entries import Outcome
from openline.protocol.contact_states import ContactState, words_of
from openline.protocol.entries import AnyEntry, Decline, Interim, Message, Precedence, Receipt, Step
from openline.protocol.fields import Ref, decode_time
from openline.protocol.lanes import read_body
from openline.station.contact_answers import ContactFigures, ResponseFigures
from openline.station.contacts import Contacts
from openline.station.line_runner import LineRunner

MAX_ENTRIES = 4_000
"""Of the latest entries that are read for response times: some months of a quiet line, and a fifth of a second."""
_PAGE = 200
_DAY_MS = 86_400_000

_Key = tuple[int, Generation, int]


@dataclass(slots=True)
class _Waited:
    """Messages by place, and the first moment at which a person of another party had said something of each."""

    messages: dict[_Key, tuple[int, Precedence, int]] = field(default_factory=dict)
    """(author, precedence, time)."""
    handled: dict[_Key, int] = field(default_factory=dict)

    def take(self, arrival: Arrival, entry: AnyEntry | None) -> None:
        """One entry, in any order."""
        lane, row = arrival.lane, arrival.row
        if entry is None:
            return
        time = decode_time(row.entry.time)
        of = _about(entry)
        if of is not None and of.lane // 2 != lane.party:
            key = (of.lane, of.generation, of.index)
            self.handled[key] = min(time, self.handled.get(key, time))
        if isinstance(entry, Message):
            self.messages[lane.number, lane.generation, row.index] = (lane.party, entry.precedence, time)


def _about(entry: AnyEntry) -> Ref | None:
    """The message about which a person says something (spec 6.19, 6.20); that it was presented, no person says."""
    match entry:
        case Receipt():
            return entry.of if entry.step is not Step.PRESENTED else None
        case Interim() | Decline():
            return entry.of
        case Message():
            return entry.answers
        case _:
            return None


async def figures(
    contacts: Contacts, line: LineRunner, tests: Sequence[LineTest], first: Instant, now: Instant
) -> ContactFigures:
    """The figures of a line since `first`. Raises Unavailable while the line is stopped."""
    engine = line.working()
    words = words_of(engine.fold)
    due = contacts.due_between(line, first, now)
    states = [contacts.standing(line, engine, each, words) for each in due]
    missed: dict[str, int] = {}
    for state, cause in states:
        if state is ContactState.MISSED:
            missed[cause.value] = missed.get(cause.value, 0) + 1
    parties = set(range(len(line.names)))
    kept = [word.entry.at for word in words if word.entry.outcome is Outcome.KEPT
            and {word.place.party, *word.agreed} == parties]  # fmt: skip
    last = max(kept, default=None)
    return ContactFigures(
        last_contact=last,
        days_since=None if last is None else max(0, now - last) / _DAY_MS,
        kept=sum(state is ContactState.KEPT for state, _ in states),
        missed=sum(missed.values()),
        missed_by_cause=missed,
        tests=len(tests),
        tests_answered=sum(test.held is not None for test in tests),
        answers=_responses(line, await _waited(line), engine.fold.policy.handling_minutes),
    )


async def _waited(line: LineRunner) -> _Waited:
    found = _Waited()
    last = line.history.last_seq()
    at = max(0, last - MAX_ENTRIES)
    while arrivals := line.history.since(at, _PAGE):
        for arrival in arrivals:
            at, row = arrival.seq, arrival.row
            found.take(arrival, None if row.refused or not row.entry.secret else read_body(row.entry))
        await asyncio.sleep(0)  # the loop is everybody's
        if len(arrivals) < _PAGE:
            break
    return found


def _responses(line: LineRunner, waited: _Waited, agreed: Sequence[int]) -> list[ResponseFigures]:
    found = []
    for precedence in Precedence:
        for party, name in enumerate(line.names):
            keys = [key for key, (author, of, _) in waited.messages.items() if (author, of) == (party, precedence)]
            if not keys:
                continue
            took = [max(0, waited.handled[key] - waited.messages[key][2]) for key in keys if key in waited.handled]
            within = agreed[precedence] * 60_000
            found.append(
                ResponseFigures(
                    precedence=precedence.name.lower(),
                    author=name,
                    messages=len(keys),
                    handled=len(took),
                    median_ms=int(median(took)) if took else None,
                    longest_ms=max(took, default=None),
                    agreed_ms=within,
                    within=sum(each <= within for each in took),
                )
            )
    return found
