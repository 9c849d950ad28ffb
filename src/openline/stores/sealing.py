"""Rows at rest: sealed under the store's keys, so that a disk shows sizes and counts and no content.

A sealed row is a 12-byte random nonce and AES-256-GCM-SIV of the row. Its
associated data names the table and the place, so that rows cannot be swapped,
moved or taken from another line. Under one key 2^32 random nonces are safe
with any nonce-misuse-resistant cipher; each line has its own key, which
`archive` destroys.

This is a format of this program's disks, not of the protocol: no peer sees it.
"""

import contextlib
import os
import struct
from collections.abc import Sequence
from dataclasses import replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from openline.kernel.crypto import derive, digest
from openline.kernel.envelope import IncomingState, OutgoingState
from openline.kernel.errors import Bug, Conflict, Unavailable
from openline.kernel.lane import Entry, Generation, Head, Lane, SignedHead
from openline.ports import LineTest
from openline.protocol.records import EntryRow, EpochRecord, LineRecord, PutGeneration, PutPeer, PutSnapshot

KEY = 32
NONCE = 12
_ENTRY = struct.Struct(">BHHHHH")  # refused; sizes of kind, time, ack, body, unopened leaf; the secret takes 0 or 32
_HOLE = struct.Struct(">Q6s32s")
_LARGEST = 65_535


def damaged() -> Unavailable:
    """What is said when what was read is not what was written."""
    return Unavailable("the store is damaged: run openline doctor")


class Seal:
    """A key over rows: `seal` and `open` bind each row to the place that `place` names.

    After a rotation there are several, 32 bytes each, the newest first: it
    seals; whichever sealed a row opens it. Blind names stay those of the first.
    """

    __slots__ = ("_cipher", "_naming", "_older")

    def __init__(self, key: bytes) -> None:
        if not key or len(key) % KEY:
            raise Bug("a store's key must be 32 bytes, or several of them")
        self._cipher, *older = (AESGCMSIV(key[at : at + KEY]) for at in range(0, len(key), KEY))
        self._older = tuple(older)
        self._naming = key[-KEY:]

    def seal(self, place: bytes, plain: bytes) -> bytes:
        """The sealed row."""
        nonce = os.urandom(NONCE)
        return nonce + self._cipher.encrypt(nonce, plain, place)

    def open(self, place: bytes, sealed: bytes) -> bytes:
        """The row. Raises Unavailable if it is not what was sealed there."""
        try:
            return self._cipher.decrypt(sealed[:NONCE], sealed[NONCE:], place)
        except (InvalidTag, ValueError):
            for cipher in self._older:
                with contextlib.suppress(InvalidTag, ValueError):
                    return cipher.decrypt(sealed[:NONCE], sealed[NONCE:], place)
        raise damaged()

    def opens(self, place: bytes, sealed: bytes) -> bool:
        """Whether a row is what was sealed there."""
        try:
            self.open(place, sealed)
        except Unavailable:
            return False
        return True

    def blind(self, name: bytes) -> bytes:
        """A name for an index column that tells nothing without the key."""
        return derive(self._naming, b"openline/1 store name", name)[:16]

    def seal_entries(self, lane: Lane, rows: Sequence[EntryRow]) -> list[tuple[int, bytes, bytes]]:
        """(index, nodes, sealed) of each row. The hot path: one call for a whole batch."""
        nonces = os.urandom(NONCE * len(rows))
        encrypt, pack, prefix = self._cipher.encrypt, _ENTRY.pack, b"entry" + lane.prefix
        done = []
        for at, row in enumerate(rows):
            entry, leaf = row.entry, row.unopened
            kind, time, ack, body, secret = entry.kind, entry.time, entry.ack, entry.body, entry.secret
            try:
                head = pack(row.refused, len(kind), len(time), len(ack), len(body), len(leaf))
            except struct.error:
                raise Bug("a field larger than any the codec reads") from None
            if len(secret) not in (0, KEY):
                raise Bug("an entry's secret must be 32 bytes")
            nonce = nonces[at * NONCE : (at + 1) * NONCE]
            nodes = b"".join(row.nodes)
            plain = b"".join((head, kind, time, ack, body, leaf, secret))
            index = row.index
            done.append((index, nodes, nonce + encrypt(nonce, plain, prefix + index.to_bytes(8, "big") + nodes)))
        return done

    def open_entry(self, lane: Lane, index: int, nodes: bytes, sealed: bytes) -> EntryRow:
        """The row that `seal_entries` sealed. Raises Unavailable if index, nodes or bytes are not the same."""
        plain = self.open(b"entry" + lane.prefix + index.to_bytes(8, "big") + nodes, sealed)
        refused, *sizes = _ENTRY.unpack_from(plain)
        at, parts = _ENTRY.size, []
        for size in sizes:
            parts.append(plain[at : at + size])
            at += size
        kind, time, ack, body, leaf = parts
        return EntryRow(
            index=index,
            nodes=tuple(nodes[n : n + 32] for n in range(0, len(nodes), 32)),
            entry=Entry(kind=kind, time=time, ack=ack, body=body, secret=plain[at:]),
            unopened=leaf,
            refused=bool(refused),
        )


def merged(known: PutGeneration, put: PutGeneration, *, proven: bool) -> PutGeneration:
    """What is kept when a known generation is put again: it may gain what it lacked and loses nothing.

    While nothing is held under it, a seed is only what somebody said, and a
    later word replaces it. Once entries have opened (`proven`), raises Conflict
    for another seed or statement than the one that is there.
    """
    if not proven:
        return replace(put, seed=put.seed or known.seed, statement=put.statement or known.statement)
    for old, new in ((known.seed, put.seed), (known.statement, put.statement)):
        if old and new and old != new:
            raise Conflict("a generation has one seed and one statement")
    return replace(put, seed=put.seed or known.seed, statement=put.statement or known.statement)


def audit_digest(before: bytes, number: int, content: bytes) -> bytes:
    """The chain of the audit log: each act's digest covers all before it; the first follows 32 zero bytes."""
    return digest(b"openline/1 audit\n" + before + number.to_bytes(8, "big") + content)


def join(*parts: bytes) -> bytes:
    """Parts as one row: each with its length in four bytes before it."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def split(row: bytes) -> list[bytes]:
    """The parts of a row made by `join`."""
    parts, at = [], 0
    while at < len(row):
        size = int.from_bytes(row[at : at + 4], "big")
        parts.append(row[at + 4 : at + 4 + size])
        at += 4 + size
    return parts


def number(value: int) -> bytes:
    """A part that holds a number: 8 bytes, of either sign."""
    return value.to_bytes(8, "big", signed=True)


def as_number(part: bytes) -> int:
    """The number in a part."""
    return int.from_bytes(part, "big", signed=True)


def _sizes(sizes: Sequence[tuple[int, Generation, int]]) -> bytes:
    return join(*(number(lane) + number(g.counter) + g.nonce + number(size) for lane, g, size in sizes))


def _as_sizes(row: bytes) -> tuple[tuple[int, Generation, int], ...]:
    return tuple(_size(part) for part in split(row))


def _size(part: bytes) -> tuple[int, Generation, int]:
    return as_number(part[:8]), Generation(as_number(part[8:16]), part[16:24]), as_number(part[24:])


def peer_row(peer: PutPeer) -> bytes:
    """What is kept of a peer beside its epochs."""
    ended = [number(lane) + number(g.counter) + g.nonce + number(size) + root for lane, g, size, root in peer.ended]
    return join(number(peer.attempt), _sizes(peer.acknowledged), peer.suspected.encode(), join(*ended))


def epochs_row(peer: PutPeer) -> bytes:
    """A peer's epochs: a row of its own, in a table that no copy of the store takes along."""
    return join(*(b"" if epoch is None else _epoch(epoch) for epoch in (peer.epoch, peer.previous)))


def as_peer(party: int, row: bytes, epochs: bytes | None) -> PutPeer:
    """The peer of both rows; without epochs in a restored store."""
    attempt, acknowledged, suspected, *later = split(row)  # an earlier program wrote three
    ended = [(part[:32], part[32:]) for rows in later[:1] for part in split(rows)]
    found = [_as_epoch(part) if part else None for part in split(epochs)] if epochs else [None, None]
    return PutPeer(
        party=party,
        attempt=as_number(attempt),
        acknowledged=_as_sizes(acknowledged),
        epoch=found[0],
        previous=found[1],
        suspected=suspected.decode(),
        ended=tuple((*_size(place), root) for place, root in ended),
    )


def _epoch(epoch: EpochRecord) -> bytes:
    outgoing, incoming = epoch.outgoing, epoch.incoming
    return join(
        number(epoch.attempt),
        epoch.root,
        number(outgoing.index),
        outgoing.chain,
        number(incoming.edge),
        incoming.chain,
        b"".join(_HOLE.pack(*hole) for hole in incoming.holes),
        number(epoch.opened),
    )


def _as_epoch(row: bytes) -> EpochRecord:
    attempt, root, index, sending, edge, receiving, holes, opened = split(row)
    return EpochRecord(
        attempt=as_number(attempt),
        root=root,
        outgoing=OutgoingState(index=as_number(index), chain=sending),
        incoming=IncomingState(edge=as_number(edge), chain=receiving, holes=tuple(_HOLE.iter_unpack(holes))),
        opened=as_number(opened),
    )


def snapshot_row(snapshot: PutSnapshot) -> bytes:
    """A fold's snapshot."""
    return join(_sizes(snapshot.sizes), snapshot.data)


def as_snapshot(version: int, row: bytes) -> PutSnapshot:
    """The snapshot in a row."""
    sizes, data = split(row)
    return PutSnapshot(version=version, sizes=_as_sizes(sizes), data=data)


def head_row(signed: SignedHead) -> bytes:
    """A head with its signatures; lane and size are its place."""
    return join(signed.head.root, signed.ed25519, signed.mldsa)


def as_head(lane: Lane, size: int, row: bytes) -> SignedHead:
    """The head in a row."""
    root, ed25519, mldsa = split(row)
    return SignedHead(head=Head(lane=lane, size=size, root=root), ed25519=ed25519, mldsa=mldsa)


def merged_head(known: SignedHead, put: SignedHead) -> SignedHead:
    """What is kept when a known head is put again: it may gain a signature. Raises Conflict for another root."""
    if known.head != put.head:
        raise Conflict("another head of that size is kept")
    return replace(put, ed25519=put.ed25519 or known.ed25519, mldsa=put.mldsa or known.mldsa)


def test_row(test: LineTest) -> bytes:
    """A test's result beside its place."""
    return join(*(b"" if value is None else number(value) for value in (test.held, test.round_trip_ms)))


def as_test(line: bytes, party: int, count: int, sent: int, row: bytes) -> LineTest:
    """The test in a row."""
    held, round_trip = (as_number(part) if part else None for part in split(row))
    return LineTest(line=line, party=party, number=count, sent=sent, held=held, round_trip_ms=round_trip)


def line_row(key: bytes, record: LineRecord) -> bytes:
    """A line with the key of its rows."""
    return join(key, number(record.party), record.terms, record.label.encode(), *record.cards)


def as_line(line: bytes, row: bytes) -> tuple[bytes, LineRecord]:
    """(key of its rows, record)."""
    key, party, terms, label, *cards = split(row)
    record = LineRecord(line=line, party=as_number(party), terms=terms, cards=tuple(cards), label=label.decode())
    return key, record
