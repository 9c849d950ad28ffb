"""The transcript as text for people: all lanes of a line read together.

Entries stand after everything their author had acknowledged, and among those
free to come next in order of the time their author claimed. What an author
had not seen yet is said beside its entry: that is a crossing. The text is a
function of the opened entries alone, so anybody can make it again.

Text of the parties stands behind `    | `, with control characters and
bidirectional controls shown as their code (spec 6.8): no entry can look like
another one.

Spec: spec/14-export.md (14.6).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from openline.archive.entry_text import clean, describe, lane_words, moment, place
from openline.archive.layout import LaneSize
from openline.kernel.errors import Refused
from openline.kernel.lane import Entry, Generation
from openline.kernel.terms import Terms
from openline.kernel.units import Instant
from openline.protocol.acknowledgements import AckItem, decode_ack
from openline.protocol.bodies import decode_body
from openline.protocol.entries import Ack
from openline.protocol.fields import decode_kind, decode_time

Key = tuple[int, Generation]


@dataclass(slots=True)
class _Cursor:
    """One lane on its way into the text."""

    lane: LaneSize
    entries: Iterator[Entry | None]
    names: Sequence[str]
    index: int = -1
    entry: Entry | None = None
    time: int = 0
    dated: bool = False
    ack: bytes = b""
    items: tuple[AckItem, ...] = ()
    fresh: bool = False
    """Whether the current entry's acknowledgement says something new."""
    seen: dict[Key, int] = field(default_factory=dict)
    """By lane generation: how many entries the author acknowledged last."""
    newest: dict[int, Generation] = field(default_factory=dict)
    needs: list[tuple[Key, int]] = field(default_factory=list)

    def advance(self, sizes: Mapping[Key, int]) -> bool:
        """Go to the next entry; False at the end."""
        self.index += 1
        if self.index == self.lane.size:
            return False
        self.entry = next(self.entries)
        self.fresh = False
        if self.entry is None:
            self.dated = False
            return True
        try:
            self.time, self.dated = decode_time(self.entry.time), True
        except Refused:
            self.dated = False
        if self.entry.ack != self.ack:
            self.ack, self.fresh = self.entry.ack, True
            try:
                self.items = decode_ack(self.ack)
            except Refused:
                self.items = ()
            self.seen = {(item.lane, item.generation): item.size for item in self.items}
            self.newest = {item.lane: item.generation for item in self.items}
            self.needs = [(key, min(size, sizes[key])) for key, size in self.seen.items() if key in sizes]
        return True

    def free(self, written: Mapping[Key, int]) -> bool:
        """Whether all that the current entry acknowledges stands above already."""
        return all(written[key] >= size for key, size in self.needs)


def transcript(terms: Terms, lanes: Mapping[LaneSize, Iterator[Entry | None]]) -> Iterator[str]:
    """The text, in pieces that end with a newline; memory does not grow with the lanes.

    An iterator yields each entry of its lane, None for one that cannot be opened.
    """
    names = [party.name for party in terms.parties]
    yield from _opening(terms, names, list(lanes))
    sizes = {lane.key: lane.size for lane in lanes}
    written = dict.fromkeys(sizes, 0)
    cursors = [_Cursor(lane=lane, entries=entries, names=names) for lane, entries in lanes.items()]
    mark = "  EXERCISE" if terms.policy.exercise else ""
    running = [cursor for cursor in cursors if cursor.advance(sizes)]
    while running:
        # Acknowledged roots forbid circles; a forged archive may have one, and is then written by time alone.
        ready = [cursor for cursor in running if cursor.free(written)] or running
        cursor = min(ready, key=lambda c: (c.time, c.lane.key))
        yield _block(cursor, written, mark)
        written[cursor.lane.key] += 1
        if not cursor.advance(sizes):
            running.remove(cursor)


def _opening(terms: Terms, names: Sequence[str], lanes: Sequence[LaneSize]) -> Iterator[str]:
    yield f"OPENLINE TRANSCRIPT\n\nline    {terms.line.hex()}\n"
    if terms.policy.title:
        yield f"title   {clean(terms.policy.title)}\n"
    if terms.policy.exercise:
        yield "        EXERCISE: everything on this line is an exercise\n"
    for number, name in enumerate(names):
        yield f"party   {number} {name}\n"
    for lane in lanes:
        yield f"lane    {lane.number}.{lane.generation} {names[lane.party]} {lane_words(lane.number)}: {lane.size} entries\n"
    yield "\nEntries are numbered from 0 in their lane. Times are what each station's clock claimed. `holds` names how many\n"
    yield "entries of a lane the author signed to hold. `not yet seen` lists what stands above and had not reached the\n"
    yield "author: the entries crossed.\n"


def _block(cursor: _Cursor, written: Mapping[Key, int], mark: str) -> str:
    names, lane, entry = cursor.names, cursor.lane, cursor.entry
    name = names[lane.party]
    where = place(name, lane.number, lane.generation, cursor.index)
    if entry is None:
        return f"\n{where}{mark}\n    CANNOT BE OPENED\n"
    when = Instant(cursor.time) if cursor.dated else None
    head = f"\n{where}  {moment(when)}{mark}\n"
    lines: list[str] = []
    try:
        said = decode_body(decode_kind(entry.kind), entry.body)
        lines = describe(said, names)
    except Refused:
        said, lines = None, ["REFUSED: its form breaks the rules of its kind"]
    if cursor.fresh and cursor.items:
        held = ", ".join(place(names[i.lane // 2], i.lane, i.generation, i.size) for i in _named(cursor))
        lines.append(f"holds {held}")
        refused = [(item, index) for item in cursor.items for index in item.refused]
        lines += [f"refuses entry {i.lane}.{i.generation} {index}" for i, index in refused]
    if not isinstance(said, Ack):
        crossed = _crossed(cursor, written)
        if crossed:
            lines.append(f"not yet seen: {crossed}")
    return head + "".join(f"    {line}\n" for line in lines)


def _named(cursor: _Cursor) -> list[AckItem]:
    return [item for item in cursor.items if item.lane // 2 < len(cursor.names)]


def _crossed(cursor: _Cursor, written: Mapping[Key, int]) -> str:
    found: list[str] = []
    party = cursor.lane.party
    for key, count in written.items():
        seen = cursor.seen.get(key, 0)
        if count <= seen:
            continue
        number, generation = key
        if number // 2 == party or cursor.newest.get(number, generation) > generation:
            continue
        last = f" to {count - 1}" if count - 1 > seen else ""
        found.append(place(cursor.names[number // 2], number, generation, seen) + last)
    return ", ".join(found)
