"""What a new generation of a party's lanes means to people: why it began, what its store still knew, what came back.

Read from the lanes as they are held here: the opening entry names the heads
that the party's store knew, and what is held beyond them was lost there and is
back, or goes back. Only the party itself can know what nobody has any more: its
high-water mark said how much there had been, and is kept for that.

Spec: spec/13-restart.md (13.8, 13.9, 13.14).
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from openline.kernel.codec import Fields, Value, decode, encode
from openline.kernel.errors import Unavailable
from openline.kernel.lane import Generation, read_generation
from openline.kernel.units import MAX_SEQ, Instant
from openline.ports import LineHistory
from openline.protocol.engine import Engine
from openline.protocol.entries import MAX_NAMED_HEADS, Cause, GenerationEntry
from openline.protocol.fields import NamedHead, decode_time
from openline.protocol.lane_state import LaneState
from openline.protocol.lanes import read_body
from openline.protocol.ledgers import REFUSED
from openline.protocol.records import Mark
from openline.protocol.references import format_reference
from openline.station.answers import GenerationView, MissingView

MOST = 8
"""Generations shown of each party, the latest: more restores than that are a trouble of their own."""

COPY_WRITES = (
    "a copy of this station writes too: for at most a day what is acknowledged here does not count there."
    " End the copy for good, then restart this station: it goes on at once"
)
"""What it means for a line that it is passed, and what people do."""

FoundMarks = Mapping[Generation, Mark]
"""By the own generation that a restore opened: the mark that was found then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opening:
    """How a generation began."""

    party: int
    generation: Generation
    time: Instant
    entry: GenerationEntry


def check_lengths(engine: Engine, history: LineHistory) -> None:
    """Raise Unavailable if a lane looks shorter than it was: its table is damaged.

    Acknowledged so, or continued, it would make a liar of this station (4.16, 13.6). Every entry arrived once,
    and no lane is shorter than a head that its owner signed.
    """
    states = engine.book.all_states()
    heads = ((state, history.last_head(state.lane)) for state in states)
    short = any(head is not None and head.head.size > state.durable for state, head in heads)
    if short or sum(state.durable for state in states) != history.last_seq():
        raise Unavailable("the store is damaged: lanes look shorter than they were; openline doctor")


def setting_name(line: bytes) -> str:
    """Under which the marks of a line's restores are kept."""
    return f"restores {line.hex()}"


def encode_marks(marks: FoundMarks) -> bytes:
    """For the store."""
    rows: list[Value] = [
        [*_members(opened), *_members(mark.generation), mark.urgent, mark.traffic] for opened, mark in marks.items()
    ]
    return encode(rows)


def decode_marks(data: bytes | None) -> dict[Generation, Mark]:
    """Of the store. Raises Malformed."""
    found: dict[Generation, Mark] = {}
    rows = decode(data) if data else []
    for row in rows if isinstance(rows, list) else []:
        members = Fields(row)
        opened, known = read_generation(members, 0), read_generation(members, 2)
        found[opened] = Mark(generation=known, urgent=members.uint(4, MAX_SEQ), traffic=members.uint(5, MAX_SEQ))
    return found


def _members(generation: Generation) -> list[Value]:
    return [generation.counter, generation.nonce]


def generation_views(engine: Engine, names: list[str], marks: FoundMarks) -> list[GenerationView]:
    """The later generations of all parties, by party, the oldest first."""
    return [_view(engine, names, opening, marks) for party in range(len(names)) for opening in _openings(engine, party)]


def generation_view(
    engine: Engine, names: list[str], marks: FoundMarks, party: int, generation: Generation
) -> GenerationView | None:
    """One of them; None if its opening is not held."""
    opening = _opening(engine, party, generation)
    return _view(engine, names, opening, marks) if opening is not None else None


def _openings(engine: Engine, party: int) -> Iterator[_Opening]:
    later = [generation for generation in engine.book.named.held(party) if generation.counter]
    for generation in later[-MOST:]:
        opening = _opening(engine, party, generation)
        if opening is not None:
            yield opening


def _opening(engine: Engine, party: int, generation: Generation) -> _Opening | None:
    for number in (2 * party, 2 * party + 1):  # both lanes carry the same body
        state = engine.book.state(engine.book.lane(number, generation))
        for row in engine.book.rows(state, 0, 1) if state.durable else ():
            body = None if row.refused or not row.entry.secret else read_body(row.entry)
            if isinstance(body, GenerationEntry):
                return _Opening(party=party, generation=generation, time=decode_time(row.entry.time), entry=body)
    return None


def _view(engine: Engine, names: list[str], opening: _Opening, marks: FoundMarks) -> GenerationView:
    named = {(head.lane, head.generation): head.size for head in opening.entry.heads}
    # A full list leaves out the oldest generations; of those it says nothing.
    oldest = min((generation for _, generation in named), default=None) if len(named) == MAX_NAMED_HEADS else None
    entries = messages = 0
    for state in _older(engine, opening):
        if oldest is not None and state.lane.generation < oldest:
            continue
        known = named.get(state.lane.key, 0)
        entries += max(0, state.durable - known)
        messages += _messages(engine, state, known)
    mark = marks.get(opening.generation) if opening.party == engine.party else None
    return GenerationView(
        party=names[opening.party],
        own=opening.party == engine.party,
        generation=str(opening.generation),
        cause=opening.entry.cause.name.lower(),
        time=opening.time,
        known=_known(engine, names, opening.entry.heads),
        known_until=_known_until(engine, opening.entry.heads),
        back=entries if _lost(opening) else 0,
        back_messages=messages if _lost(opening) else 0,
        missing=_missing(engine, opening.party, mark) if mark is not None else None,
    )


def _lost(opening: _Opening) -> bool:
    """Whether its party had lost something when it began."""
    return opening.entry.cause in {Cause.RESTORED, Cause.SUPERSEDED}


def _older(engine: Engine, opening: _Opening) -> Iterator[LaneState]:
    """Both lanes of the generations before."""
    for generation in engine.book.named.held(opening.party):
        if generation < opening.generation:
            for number in (2 * opening.party, 2 * opening.party + 1):
                yield engine.book.state(engine.book.lane(number, generation))


def _messages(engine: Engine, state: LaneState, known: int) -> int:
    """Messages of a lane that stand at `known` or beyond."""
    ledger = engine.fold.lanes.get(state.lane.key)
    return len(ledger.messages) - bisect_left(ledger.messages.indexes, known) if ledger is not None else 0


def _known(engine: Engine, names: list[str], heads: tuple[NamedHead, ...]) -> list[str]:
    """The last message below the named heads in each of both lanes, traffic first, as people name it."""
    found: dict[bool, str] = {}
    for head in sorted(heads, key=lambda head: head.generation, reverse=True):
        ledger = engine.fold.lanes.get((head.lane, head.generation))
        urgent = head.lane % 2 == 0
        if ledger is None or urgent in found:
            continue
        row = bisect_left(ledger.messages.indexes, head.size) - 1
        while row >= 0 and ledger.messages.flags(row) & REFUSED:
            row -= 1
        if row >= 0:
            found[urgent] = format_reference(
                station=names[head.lane // 2],
                urgent=urgent,
                serial=row + 1,
                counter=head.generation.counter,
                time=Instant(ledger.messages.times[row]),
            )
    return [found[urgent] for urgent in (False, True) if urgent in found]


def _known_until(engine: Engine, heads: tuple[NamedHead, ...]) -> int | None:
    """The latest time that the last entries below the named heads claim, ms; None if none is held."""
    times: list[int] = []
    for head in heads:
        if not engine.book.knows(head.lane // 2, head.generation):
            continue
        state = engine.book.state(engine.book.lane(head.lane, head.generation))
        if 0 < head.size <= state.durable:
            row = engine.book.rows(state, head.size - 1, 1)[0]
            if row.entry.secret and not row.refused:
                times.append(decode_time(row.entry.time))
    return max(times, default=None)


def _missing(engine: Engine, party: int, mark: Mark) -> list[MissingView]:
    """What there had been by the mark, and is not here."""
    found = []
    for number, size in ((2 * party, mark.urgent), (2 * party + 1, mark.traffic)):
        knows = engine.book.knows(party, mark.generation)
        held = engine.book.state(engine.book.lane(number, mark.generation)).durable if knows else 0
        if held < size:
            found.append(MissingView(lane=number, generation=str(mark.generation), first=held, last=size - 1))
    return found
