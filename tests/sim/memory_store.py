"""A line's store in memory: a model for the real ones, and the simulator's disk.

A commit is applied whole or not at all. `copy` is the state as it stands: what
comes back after a crash, or much later as an old backup (then without epochs).
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import assert_never

from openline.kernel.errors import Bug, Conflict, Unavailable
from openline.kernel.lane import Generation, Lane, SignedHead
from openline.ports import Arrival
from openline.protocol.records import (
    Append,
    DropChunks,
    EntryRow,
    PutChunk,
    PutEvidence,
    PutGeneration,
    PutHead,
    PutPeer,
    PutSnapshot,
    Write,
)
from openline.stores.sealing import merged, merged_head


@dataclass(slots=True)
class State:
    """Everything that is durable. Values are immutable, so copies of the containers are copies of it all."""

    rows: dict[Lane, list[EntryRow]] = field(default_factory=dict)
    arrivals: list[tuple[Lane, int]] = field(default_factory=list)
    heads: dict[Lane, dict[int, SignedHead]] = field(default_factory=dict)
    generations: dict[tuple[int, Generation], PutGeneration] = field(default_factory=dict)
    peers: dict[int, PutPeer] = field(default_factory=dict)
    evidence: dict[bytes, PutEvidence] = field(default_factory=dict)
    chunks: dict[tuple[bytes, int], bytes] = field(default_factory=dict)
    snapshots: dict[int, PutSnapshot] = field(default_factory=dict)

    def copied(self, *, epochs: bool = True) -> "State":
        peers = self.peers.items()
        return State(
            rows={lane: list(rows) for lane, rows in self.rows.items()},
            arrivals=list(self.arrivals),
            heads={lane: dict(heads) for lane, heads in self.heads.items()},
            generations=dict(self.generations),
            peers={n: peer if epochs else replace(peer, epoch=None, previous=None) for n, peer in peers},
            evidence=dict(self.evidence),
            chunks=dict(self.chunks),
            snapshots=dict(self.snapshots),
        )


class MemoryStore:
    """A LineHistory. `full` makes the next commits fail as a full disk does."""

    def __init__(self, line: bytes, state: State | None = None) -> None:
        self.line = line
        self.full = False
        self.commits = 0
        self._state = state or State()

    def copy(self) -> State:
        """What a snapshot of the whole machine would hold."""
        return self._state.copied()

    def backup(self) -> State:
        """What a backup holds: all but the epochs."""
        return self._state.copied(epochs=False)

    def restore(self, state: State) -> None:
        """Become what `state` was; it can be restored again later."""
        self._state = state.copied()

    def commit(self, writes: Sequence[Write]) -> None:
        if self.full:
            raise Unavailable("the disk is full: nothing was written")
        undo: list[tuple[Lane, int]] = []
        state, arrivals = copy(self._state), len(self._state.arrivals)
        # Rows are appended in place and cut off again on failure: copying them would make a long line slow.
        for name in ("generations", "peers", "evidence", "chunks", "snapshots"):
            setattr(state, name, dict(getattr(state, name)))
        changed: dict[tuple[Lane, int], SignedHead] = {}
        try:
            for write in writes:
                self._apply(state, write, undo, changed)
        except BaseException:
            for lane, size in reversed(undo):
                del self._state.rows[lane][size:]
            del self._state.arrivals[arrivals:]
            raise
        for (lane, size), signed in changed.items():
            state.heads.setdefault(lane, {})[size] = signed
        self._state = state
        self.commits += 1

    def _apply(
        self, state: State, write: Write, undo: list[tuple[Lane, int]], heads: dict[tuple[Lane, int], SignedHead]
    ) -> None:
        match write:
            case Append(lane=lane, size=size, rows=rows):
                kept = state.rows.setdefault(lane, [])
                if len(kept) != size:
                    raise Conflict("the lane has another size")
                if lane.line != self.line or any(row.index != size + n for n, row in enumerate(rows)):
                    raise Bug("entries out of order, or a lane of another line")
                undo.append((lane, size))
                kept.extend(rows)
                state.arrivals.extend((lane, row.index) for row in rows)
            case PutHead(signed=signed):
                lane, size = signed.head.lane, signed.head.size
                old = heads.get((lane, size)) or state.heads.get(lane, {}).get(size)
                if old is not None:
                    signed = merged_head(old, signed)
                heads[lane, size] = signed
            case PutGeneration():
                key = write.party, write.generation
                proven = any(self.size(Lane(self.line, 2 * write.party + low, write.generation)) for low in (0, 1))
                known = state.generations.get(key)
                state.generations[key] = merged(known, write, proven=proven) if known else write
            case PutPeer():
                state.peers[write.party] = write
            case PutEvidence():
                state.evidence.setdefault(write.evidence, write)
            case PutChunk():
                state.chunks[write.attachment, write.number] = write.data
            case DropChunks():
                state.chunks = {key: data for key, data in state.chunks.items() if key[0] != write.attachment}
            case PutSnapshot():
                state.snapshots[write.version] = write
            case _:
                assert_never(write)

    def generations(self) -> Sequence[PutGeneration]:
        return [self._state.generations[key] for key in sorted(self._state.generations)]

    def size(self, lane: Lane) -> int:
        return len(self._state.rows.get(lane, ()))

    def entries(self, lane: Lane, first: int, count: int) -> Sequence[EntryRow]:
        return self._state.rows.get(lane, [])[first : first + count]

    def node(self, lane: Lane, level: int, place: int) -> bytes:
        rows, index = self._state.rows.get(lane, []), ((place + 1) << level) - 1
        if index >= len(rows) or level >= len(rows[index].nodes):
            raise Bug("a subtree that is not there")
        return rows[index].nodes[level]

    def heads(self, lane: Lane, above: int, count: int) -> Sequence[SignedHead]:
        kept = self._state.heads.get(lane, {})
        return [kept[size] for size in sorted(size for size in kept if size > above)[:count]]

    def last_head(self, lane: Lane) -> SignedHead | None:
        kept = self._state.heads.get(lane)
        return kept[max(kept)] if kept else None

    def peers(self) -> Sequence[PutPeer]:
        return [self._state.peers[party] for party in sorted(self._state.peers)]

    def evidence(self) -> Sequence[PutEvidence]:
        return list(self._state.evidence.values())

    def chunk(self, attachment: bytes, number: int) -> bytes | None:
        return self._state.chunks.get((attachment, number))

    def chunks(self, attachment: bytes) -> int:
        return sum(1 for key in self._state.chunks if key[0] == attachment)

    def snapshot(self, version: int) -> PutSnapshot | None:
        return self._state.snapshots.get(version)

    def since(self, seq: int, count: int) -> Sequence[Arrival]:
        state = self._state
        chosen = enumerate(state.arrivals[seq : seq + count], seq + 1)
        return [Arrival(seq=n, lane=lane, row=state.rows[lane][index]) for n, (lane, index) in chosen]

    def last_seq(self) -> int:
        return len(self._state.arrivals)
