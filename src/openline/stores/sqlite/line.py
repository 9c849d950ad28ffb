"""One line in the SQLite store.

`commit` is one transaction. What the store knows by heart (lanes, their
sizes and greatest heads, the latest arrival) changes only after that
transaction is durable. Who reads meanwhile may find newer rows than that in
the file: they are not shown before the sizes know of them, so that a head
never stands on entries that are not there.

Spec: spec/07-delivery.md, spec/13-restart.md.
"""

from collections.abc import Mapping, Sequence
from typing import assert_never

import apsw

from openline.kernel.errors import Bug, Conflict
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
from openline.stores import sealing
from openline.stores.sealing import Seal
from openline.stores.sqlite.file import Database, Row, Shape
from openline.stores.sqlite.schema import SEQ_BITS

_SEQ = (1 << SEQ_BITS) - 1


class SqliteLine:
    """A LineHistory over the store's database."""

    def __init__(self, database: Database, number: int, line: bytes, key: bytes) -> None:
        self._database, self._number, self._line = database, number, line
        self._seal = Seal(key)
        self._base = number << SEQ_BITS
        self._ids: dict[Lane, int] = {}
        self._lanes: dict[int, Lane] = {}
        self._sizes: dict[Lane, int] = {}
        self._heads: dict[Lane, int] = {}
        """The greatest size of which a head is kept."""
        rows = database.rows(
            (int, int, int, bytes, bytes, int, int),
            "SELECT id, number, counter, nonce, name, (SELECT ifnull(max(idx), -1) FROM entries WHERE lane = id),"
            " (SELECT ifnull(max(size), 0) FROM heads WHERE lane = id) FROM lanes WHERE line = ?",
            (number,),
        )
        for known, lane_number, counter, nonce, name, last, head in rows:
            lane = Lane(line, lane_number, Generation(counter, nonce))
            if self._seal.blind(lane.prefix) != name:
                raise sealing.damaged()
            self._ids[lane], self._lanes[known] = known, lane
            self._sizes[lane], self._heads[lane] = last + 1, head
        sql = "SELECT ifnull(max(place), ?1) FROM entries WHERE place BETWEEN ?1 AND ?2"
        ((last,),) = database.rows((int,), sql, (self._base, self._base + _SEQ))
        self._last: int = last - self._base

    # --- writing -------------------------------------------------------------------------------------------

    def commit(self, writes: Sequence[Write]) -> None:
        """Make all writes durable, or none. Raises Conflict or Unavailable."""
        with self._database.turn:
            pending = _Pending(self._ids, self._sizes, self._last)
            with self._database.transaction() as connection:
                for write in writes:
                    self._write(connection, write, pending)
            # In this order for who reads meanwhile: a lane before its sizes, those before the arrivals.
            self._lanes.update({known: lane for lane, known in pending.new_ids.items()})
            self._ids.update(pending.new_ids)
            self._sizes.update(pending.new_sizes)
            for lane, size in pending.new_heads.items():
                self._heads[lane] = max(size, self._heads.get(lane, 0))
            self._last = pending.last

    def _write(self, connection: apsw.Connection, write: Write, pending: "_Pending") -> None:
        match write:
            case Append():
                self._append(connection, write, pending)
            case PutHead():
                self._put_head(connection, write.signed, pending)
            case PutPeer():
                self._put_peer(connection, write)
            case PutGeneration():
                self._put_generation(connection, write)
            case PutEvidence():
                name = self._seal.blind(b"evidence" + write.evidence)
                sealed = self._seal.seal(_evidence_place(write.party, name), write.evidence)
                connection.execute(
                    "INSERT OR IGNORE INTO evidence (line, party, name, sealed) VALUES (?, ?, ?, ?)",
                    (self._number, write.party, name, sealed),
                )
            case PutChunk():
                name = self._attachment(write.attachment)
                sealed = self._seal.seal(_chunk_place(name, write.number), write.data)
                connection.execute(
                    "INSERT OR REPLACE INTO chunks (line, attachment, number, sealed) VALUES (?, ?, ?, ?)",
                    (self._number, name, write.number, sealed),
                )
            case DropChunks():
                name = self._attachment(write.attachment)
                connection.execute("DELETE FROM chunks WHERE line = ? AND attachment = ?", (self._number, name))
            case PutSnapshot():
                place = b"snapshot" + sealing.number(write.version)
                row = self._seal.seal(place, sealing.snapshot_row(write))
                connection.execute(
                    "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?)", (self._number, write.version, row)
                )
            case _:
                assert_never(write)

    def _append(self, connection: apsw.Connection, write: Append, pending: "_Pending") -> None:
        lane, rows, size = write.lane, write.rows, write.size
        if pending.size(lane) != size:
            raise Conflict("the lane has another size")
        if any(row.index != size + place for place, row in enumerate(rows)):
            raise Bug("entries out of order")
        known = self._lane(connection, lane, pending)
        sealed = self._seal.seal_entries(lane, rows)
        first = self._base + pending.last + 1
        connection.executemany(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?)",
            [(first + at, known, index, nodes, row) for at, (index, nodes, row) in enumerate(sealed)],
        )
        pending.last += len(rows)
        pending.new_sizes[lane] = size + len(rows)

    def _lane(self, connection: apsw.Connection, lane: Lane, pending: "_Pending") -> int:
        known = pending.id(lane)
        if known is None:
            if lane.line != self._line:
                raise Bug("a lane of another line")
            connection.execute(
                "INSERT INTO lanes (line, number, counter, nonce, name) VALUES (?, ?, ?, ?, ?)",
                (
                    self._number,
                    lane.number,
                    lane.generation.counter,
                    lane.generation.nonce,
                    self._seal.blind(lane.prefix),
                ),
            )
            known = pending.new_ids[lane] = connection.last_insert_rowid()
        return known

    def _put_head(self, connection: apsw.Connection, signed: SignedHead, pending: "_Pending") -> None:
        lane, size = signed.head.lane, signed.head.size
        known = self._lane(connection, lane, pending)
        for (sealed,) in connection.execute("SELECT sealed FROM heads WHERE lane = ? AND size = ?", (known, size)):
            signed = sealing.merged_head(self._head(lane, size, sealed), signed)
        sealed = self._seal.seal(_head_place(lane, size), sealing.head_row(signed))
        connection.execute("INSERT OR REPLACE INTO heads VALUES (?, ?, ?)", (known, size, sealed))
        pending.new_heads[lane] = max(size, pending.new_heads.get(lane, 0))

    def _put_peer(self, connection: apsw.Connection, peer: PutPeer) -> None:
        place = sealing.number(peer.party)
        for table, row in (("peers", sealing.peer_row(peer)), ("epochs", sealing.epochs_row(peer))):
            sealed = self._seal.seal(table.encode() + place, row)
            connection.execute(
                f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?)",  # noqa: S608 - one of the two above
                (self._number, peer.party, sealed),
            )

    def _put_generation(self, connection: apsw.Connection, put: PutGeneration) -> None:
        same = [old for old in self.generations() if (old.party, old.generation) == (put.party, put.generation)]
        lanes = [Lane(self._line, 2 * put.party + low, put.generation) for low in (0, 1)]
        proven = any(self.size(lane) for lane in lanes)
        put = sealing.merged(same[0], put, proven=proven) if same else put
        generation = put.generation
        sealed = self._seal.seal(_generation_place(put.party, generation), sealing.join(put.seed, put.statement))
        connection.execute(
            "INSERT OR REPLACE INTO generations VALUES (?, ?, ?, ?, ?)",
            (self._number, put.party, generation.counter, generation.nonce, sealed),
        )

    def _attachment(self, attachment: bytes) -> bytes:
        return self._seal.blind(b"attachment" + attachment)

    # --- reading -------------------------------------------------------------------------------------------

    def _rows(self, shape: Shape, sql: str, *bindings: int | bytes) -> list[Row]:
        return self._database.rows(shape, sql, bindings)

    def generations(self) -> Sequence[PutGeneration]:
        """Every known generation of every party."""
        done = []
        sql = "SELECT party, counter, nonce, sealed FROM generations WHERE line = ? ORDER BY party, counter, nonce"
        for party, counter, nonce, sealed in self._rows((int, int, bytes, bytes), sql, self._number):
            generation = Generation(counter, nonce)
            seed, statement = sealing.split(self._seal.open(_generation_place(party, generation), sealed))
            done.append(PutGeneration(party=party, generation=generation, seed=seed, statement=statement))
        return done

    def size(self, lane: Lane) -> int:
        """Entries kept of a lane generation; 0 if none."""
        return self._sizes.get(lane, 0)

    def entries(self, lane: Lane, first: int, count: int) -> Sequence[EntryRow]:
        """Rows first .. first+count-1, as far as they exist, in order."""
        end = min(first + count, self.size(lane))
        if first >= end:
            return []
        sql = "SELECT idx, nodes, sealed FROM entries WHERE lane = ? AND idx >= ? AND idx < ? ORDER BY idx"
        rows = self._rows((int, bytes, bytes), sql, self._ids[lane], first, end)
        if len(rows) != end - first:
            raise sealing.damaged()  # an entry that was there is gone
        return [self._seal.open_entry(lane, *row) for row in rows]

    def node(self, lane: Lane, level: int, place: int) -> bytes:
        """The root of a perfect subtree. Raises Bug if it is not there."""
        index = ((place + 1) << level) - 1
        if not 0 <= index < self.size(lane):
            raise Bug("a subtree that is not there")
        return self.entries(lane, index, 1)[0].nodes[level]

    def heads(self, lane: Lane, above: int, count: int) -> Sequence[SignedHead]:
        """Kept heads with size > `above`, ascending."""
        greatest = self._heads.get(lane, 0)
        sql = "SELECT size, sealed FROM heads WHERE lane = ? AND size > ? AND size <= ? ORDER BY size LIMIT ?"
        rows = self._rows((int, bytes), sql, self._ids.get(lane, 0), above, greatest, count)
        return [self._head(lane, *row) for row in rows]

    def last_head(self, lane: Lane) -> SignedHead | None:
        """The kept head of the greatest size."""
        greatest = self._heads.get(lane, 0)
        sql = "SELECT size, sealed FROM heads WHERE lane = ? AND size <= ? ORDER BY size DESC LIMIT 1"
        rows = self._rows((int, bytes), sql, self._ids.get(lane, 0), greatest)
        return self._head(lane, *rows[0]) if rows else None

    def _head(self, lane: Lane, size: int, sealed: bytes) -> SignedHead:
        return sealing.as_head(lane, size, self._seal.open(_head_place(lane, size), sealed))

    def peers(self) -> Sequence[PutPeer]:
        """What is kept about each peer."""
        sql = """
            SELECT peers.party, peers.sealed, ifnull(epochs.sealed, x'') FROM peers
            LEFT JOIN epochs ON epochs.line = peers.line AND epochs.party = peers.party
            WHERE peers.line = ? ORDER BY peers.party
        """
        done = []
        for party, peer, epochs in self._rows((int, bytes, bytes), sql, self._number):
            place = sealing.number(party)
            live = self._seal.open(b"epochs" + place, epochs) if epochs else None
            done.append(sealing.as_peer(party, self._seal.open(b"peers" + place, peer), live))
        return done

    def evidence(self) -> Sequence[PutEvidence]:
        """All evidence, each piece once."""
        sql = "SELECT party, name, sealed FROM evidence WHERE line = ? ORDER BY number"
        return [
            PutEvidence(party=party, evidence=self._seal.open(_evidence_place(party, name), sealed))
            for party, name, sealed in self._rows((int, bytes, bytes), sql, self._number)
        ]

    def chunk(self, attachment: bytes, number: int) -> bytes | None:
        """One chunk, if it is here."""
        name = self._attachment(attachment)
        sql = "SELECT sealed FROM chunks WHERE line = ? AND attachment = ? AND number = ?"
        rows = self._rows((bytes,), sql, self._number, name, number)
        return self._seal.open(_chunk_place(name, number), rows[0][0]) if rows else None

    def chunks(self, attachment: bytes) -> int:
        """How many chunks of an attachment are here."""
        sql = "SELECT count(*) FROM chunks WHERE line = ? AND attachment = ?"
        count: int = self._rows((int,), sql, self._number, self._attachment(attachment))[0][0]
        return count

    def snapshot(self, version: int) -> PutSnapshot | None:
        """The latest snapshot of that fold version."""
        rows = self._rows(
            (bytes,), "SELECT sealed FROM snapshots WHERE line = ? AND version = ?", self._number, version
        )
        if not rows:
            return None
        return sealing.as_snapshot(version, self._seal.open(b"snapshot" + sealing.number(version), rows[0][0]))

    def since(self, seq: int, count: int) -> Sequence[Arrival]:
        """At most `count` entries that arrived after `seq`, in order of arrival."""
        sql = (
            "SELECT place, lane, idx, nodes, sealed FROM entries WHERE place > ? AND place <= ? ORDER BY place LIMIT ?"
        )
        done: list[Arrival] = []
        for place, known, index, nodes, sealed in self._rows(
            (int, int, int, bytes, bytes), sql, self._base + seq, self._base + self._last, count
        ):
            lane = self._lanes.get(known)
            if lane is None or place != self._base + seq + len(done) + 1:
                raise sealing.damaged()
            row = self._seal.open_entry(lane, index, nodes, sealed)
            done.append(Arrival(seq=place - self._base, lane=lane, row=row))
        return done

    def last_seq(self) -> int:
        """The latest arrival; 0 if there is none."""
        return self._last

    def lanes(self) -> Sequence[Lane]:
        """Every lane generation of which anything is kept."""
        return list(self._ids)


class _Pending:
    """What a transaction will have changed of what the store knows by heart, once it is durable."""

    __slots__ = ("_ids", "_sizes", "last", "new_heads", "new_ids", "new_sizes")

    def __init__(self, ids: Mapping[Lane, int], sizes: Mapping[Lane, int], last: int) -> None:
        self._ids, self._sizes, self.last = ids, sizes, last
        self.new_ids: dict[Lane, int] = {}
        self.new_sizes: dict[Lane, int] = {}
        self.new_heads: dict[Lane, int] = {}

    def id(self, lane: Lane) -> int | None:
        known = self._ids.get(lane)
        return self.new_ids.get(lane) if known is None else known

    def size(self, lane: Lane) -> int:
        size = self.new_sizes.get(lane)
        return self._sizes.get(lane, 0) if size is None else size


def _head_place(lane: Lane, size: int) -> bytes:
    return b"head" + lane.prefix + sealing.number(size)


def _generation_place(party: int, generation: Generation) -> bytes:
    return b"generation" + sealing.number(party) + sealing.number(generation.counter) + generation.nonce


def _evidence_place(party: int, name: bytes) -> bytes:
    return b"evidence" + sealing.number(party) + name


def _chunk_place(name: bytes, number: int) -> bytes:
    return b"chunk" + name + sealing.number(number)
