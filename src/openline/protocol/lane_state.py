"""One lane generation as one station holds it.

It runs ahead of the store: `size` counts what was accepted or written in
memory, `durable` what the store has.

Spec: spec/04-lanes.md, spec/07-delivery.md.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence

from openline.kernel.lane import Entry, Extension, Head, Lane
from openline.kernel.merkle import peaks_at
from openline.protocol.acknowledgements import NOTHING, AckItem
from openline.protocol.fields import decode_time
from openline.protocol.records import EntryRow, LineReader

RECENT = 1_024
"""Rows kept in memory a lane, so that sending what was just written reads no store: one window's worth."""
ROOTS = 2_048
"""Roots kept in memory a lane, by size: what acknowledgements in flight may name."""


class LaneState:
    """One lane generation as held here."""

    __slots__ = (
        "durable",
        "lane",
        "last_ack",
        "last_time",
        "peaks",
        "recent",
        "refused_unnamed",
        "roots",
    )

    def __init__(self, lane: Lane, reader: LineReader) -> None:
        self.lane = lane
        self.durable = reader.size(lane)
        self.peaks = peaks_at(self.durable, lambda level, place: reader.node(lane, level, place))
        self.recent: deque[EntryRow] = deque(maxlen=RECENT)
        self.roots: OrderedDict[int, bytes] = OrderedDict()
        self.refused_unnamed: list[int] = []
        self.last_time, self.last_ack = 0, NOTHING
        for row in reader.entries(lane, self.durable - 1, 1) if self.durable else ():
            self._note(row)
        self._keep_root()

    @property
    def size(self) -> int:
        """Entries held, in memory or durably."""
        return self.peaks.size

    @property
    def root(self) -> bytes:
        """The root at `size`."""
        return self.roots[self.peaks.size]

    def held(self, refused: int) -> AckItem:
        """What is held of it, naming at most so many refused entries that were not named yet."""
        named = tuple(self.refused_unnamed[:refused])
        return AckItem(
            lane=self.lane.number, generation=self.lane.generation, size=self.size, root=self.root, refused=named
        )

    def head(self) -> Head:
        """The head at `size`."""
        return Head(lane=self.lane, size=self.size, root=self.root)

    def grow(self, extension: Extension, entries: Sequence[Entry], refused: Sequence[bool]) -> tuple[EntryRow, ...]:
        """Take an extension over; return the rows for the store."""
        first = self.size
        rows = []
        for place, ((leaf, nodes), entry) in enumerate(zip(extension.leaves, entries, strict=True)):
            row = EntryRow(
                index=first + place,
                nodes=nodes,
                entry=entry,
                unopened=b"" if entry.secret else leaf,
                refused=refused[place],
            )
            if refused[place]:
                self.refused_unnamed.append(row.index)
            self.recent.append(row)
            self._note(row)
            rows.append(row)
        self.peaks = extension.peaks
        self._keep_root()
        return tuple(rows)

    def _note(self, row: EntryRow) -> None:
        if row.entry.secret and not row.refused:
            self.last_time = decode_time(row.entry.time)
            self.last_ack = row.entry.ack

    def _keep_root(self) -> None:
        self.roots[self.peaks.size] = self.peaks.root()
        if len(self.roots) > ROOTS:
            self.roots.popitem(last=False)
