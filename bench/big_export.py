"""An export of any number of entries, made without a station: what verification is measured on.

    .venv/bin/python -m bench.big_export DIR 1000000            writes DIR
    .venv/bin/python -m bench.big_export DIR --verify           verifies DIR, and prints the seconds of each stage

Two parties talk in turns of 16 messages of 100 characters in their traffic
lanes, and each turn acknowledges the other's last: so every sixteenth entry
names a new root. Entries are a function of their place, hence nothing of the
lanes is kept in memory but one root for each turn.
"""

import argparse
import json
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from openline.archive.export import ExportReport, export
from openline.archive.verdict import Verdict
from openline.archive.verify import verify
from openline.kernel.codec import encode
from openline.kernel.crypto import Signer
from openline.kernel.keys import make_card
from openline.kernel.lane import GENERATION_ZERO, Entry, Head, Lane, SignedHead, leaf_of, leaf_secret, sign_head
from openline.kernel.merkle import Peaks, grown, leaf_hash
from openline.kernel.terms import Policy, make_terms
from openline.kernel.units import Instant
from openline.protocol.acknowledgements import NOTHING, AckItem, encode_ack
from openline.protocol.bodies import encode_body
from openline.protocol.entries import Kind, Precedence, TermsEntry
from openline.protocol.fields import encode_kind
from openline.protocol.records import EntryRow, LineRecord, PutEvidence, PutGeneration, PutPeer, PutSnapshot

TURN = 16
START = 1_763_700_000_000
_MESSAGE, _TERMS = encode_kind(Kind.MESSAGE), encode_kind(Kind.TERMS)


def _seed(*words: object) -> bytes:
    return sha256(repr(words).encode()).digest()


_SEEDS = (_seed(0, "seed"), _seed(1, "seed"))


def _signer(*words: object) -> Signer:
    return Signer(_seed(*words, 1), _seed(*words, 2))


class BigLine:
    """A LineReader over entries that are computed when they are asked for. Lanes 1 and 3 are large, 0 and 2 empty."""

    def __init__(self, entries: int) -> None:
        roots = [_signer(name, "root") for name in ("ALPHA", "BRAVO")]
        lanes = [_signer(name, "lane") for name in ("ALPHA", "BRAVO")]
        cards = [
            make_card(
                name=name,
                root=root,
                lane=lane.public,
                certificate=b"none",
                addresses=(),
                made=Instant(START),
                expires=Instant(START + 2**40),
            )
            for name, root, lane in zip(("ALPHA", "BRAVO"), roots, lanes, strict=True)
        ]
        self.terms = make_terms(tuple(card.party(_seed(card.name, "nonce")) for card in cards), Policy(title="Bench"))
        order = sorted(range(2), key=lambda n: cards[n].root.ed25519_key)
        self.cards, self.signers = [cards[n] for n in order], [lanes[n] for n in order]
        self.each = max(TURN, entries // 2)
        self._roots: dict[int, list[bytes]] = {1: [], 3: []}
        self._acks: dict[int, tuple[int, bytes]] = {1: (-1, b""), 3: (-1, b"")}
        self._peaks: dict[int, dict[int, bytes]] = {}
        self._heads = self._grow()

    def lane(self, number: int) -> Lane:
        return Lane(self.terms.line, number, GENERATION_ZERO)

    def entry(self, number: int, index: int) -> Entry:
        """A function of the place, given the roots of earlier turns."""
        return Entry(
            kind=_MESSAGE if index else _TERMS,
            time=encode(START + 2_000 * index + 1_000 * (number // 2)),
            ack=self._ack(number, index // TURN),
            body=self._body(number, index),
            secret=leaf_secret(_SEEDS[number // 2], number, index),
        )

    def _body(self, number: int, index: int) -> bytes:
        if not index:
            return encode_body(TermsEntry(self.terms.raw))
        text = f"Message {index} of lane {number}: ".ljust(100, "x")
        return encode({0: int(Precedence.ROUTINE), 2: "en", 3: text, 4: [0]})

    def _ack(self, number: int, turn: int) -> bytes:
        # Lane 1 speaks first in each turn, so lane 3 has seen the same turn of lane 1, and lane 1 the one before.
        seen = turn + 1 if number == 3 else turn
        if not seen:
            return NOTHING
        if self._acks[number][0] != turn:
            size, root = min(seen * TURN, self.each), self._roots[4 - number][seen - 1]
            item = AckItem(lane=4 - number, generation=GENERATION_ZERO, size=size, root=root)
            self._acks[number] = turn, encode_ack([item])
        return self._acks[number][1]

    def _grow(self) -> dict[int, SignedHead]:
        peaks = {1: Peaks(), 3: Peaks()}
        for first in range(0, self.each, TURN):
            for number in (1, 3):
                lane, tree = self.lane(number), peaks[number]
                for index in range(first, min(first + TURN, self.each)):
                    tree, _ = grown(tree, leaf_hash(leaf_of(lane, index, self.entry(number, index))))
                peaks[number] = tree
                self._roots[number].append(tree.root())
        for number, tree in peaks.items():
            levels = [level for level in reversed(range(tree.size.bit_length())) if tree.size >> level & 1]
            self._peaks[number] = dict(zip(levels, tree.hashes, strict=True))
        return {
            number: sign_head(
                self.signers[number // 2],
                Head(lane=self.lane(number), size=tree.size, root=tree.root()),
                milestone=True,
            )
            for number, tree in peaks.items()
        }

    # --- LineReader ---

    def generations(self) -> Sequence[PutGeneration]:
        return [PutGeneration(party=n, generation=GENERATION_ZERO, seed=_SEEDS[n]) for n in range(2)]

    def size(self, lane: Lane) -> int:
        return self.each if lane.number % 2 else 0

    def entries(self, lane: Lane, first: int, count: int) -> Sequence[EntryRow]:
        last = min(first + count, self.size(lane))
        return [EntryRow(index=n, nodes=(), entry=self.entry(lane.number, n)) for n in range(first, last)]

    def node(self, lane: Lane, level: int, place: int) -> bytes:
        if (self.each >> level) - 1 != place:
            raise NotImplementedError  # an export asks for the peaks of a whole lane, and for no other node
        return self._peaks[lane.number][level]

    def heads(self, lane: Lane, above: int, count: int) -> Sequence[SignedHead]:
        head = self.last_head(lane)
        return [head][:count] if head is not None and head.head.size > above else []

    def last_head(self, lane: Lane) -> SignedHead | None:
        return self._heads.get(lane.number)

    def peers(self) -> Sequence[PutPeer]:
        return []

    def evidence(self) -> Sequence[PutEvidence]:
        return []

    def chunk(self, attachment: bytes, number: int) -> bytes | None:  # noqa: ARG002 - there is none
        return None

    def chunks(self, attachment: bytes) -> int:  # noqa: ARG002 - there are none
        return 0

    def snapshot(self, version: int) -> PutSnapshot | None:  # noqa: ARG002 - there is none
        return None


def write(folder: Path, entries: int) -> ExportReport:
    """Write an export of about that many entries. About 130 s for a million on one core."""
    line = BigLine(entries)
    record = LineRecord(
        line=line.terms.line,
        party=0,
        terms=line.terms.raw,
        cards=tuple(card.raw for card in line.cards),
        label="bench",
    )
    return export(reader=line, record=record, signer=line.signers[0], folder=folder, made=Instant(START))


def measure(folder: Path, jobs: int = 2) -> tuple[Verdict, dict[str, float]]:
    """Verify, and the seconds of each stage: `tiles_and_heads` up to the signed heads, `everything` in all."""
    began = time.perf_counter()
    last: dict[str, float] = {}

    def told(stage: str, _done: int, _total: int) -> None:
        last[stage] = time.perf_counter() - began

    verdict = verify(folder, progress=told, jobs=jobs)
    whole = time.perf_counter() - began
    return verdict, {"tiles_and_heads": last["tiles"], "entries": last["entries"], "everything": whole}


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("entries", type=int, nargs="?", default=100_000)
    parser.add_argument("--verify", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    if asked.verify:
        verdict, seconds = measure(asked.folder, asked.jobs)
        print(json.dumps({"outcome": verdict.outcome.value, **{key: round(s, 2) for key, s in seconds.items()}}))
        return
    began = time.perf_counter()
    report = write(asked.folder, asked.entries)
    print(json.dumps({"entries": report.entries, "seconds": round(time.perf_counter() - began, 2)}))


if __name__ == "__main__":
    main()
