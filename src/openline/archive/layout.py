"""Where things stand in an exported line, and how large each may be.

    manifest.json  manifest.note        what is there, and the exporter's word for it
    terms.cbor                          the terms body: its hash is the line id
    cards/<party>.card                  root keys -> lane keys, signed by the root
    statements/<party>.<generation>     root -> lane keys of a later generation
    lanes/<lane>.<generation>/          a C2SP tlog-tiles log
        checkpoint  vkey  [milestone]   signed heads; the keys as C2SP vkey lines
        tile/<L>/<N>[.p/<W>]            hashes
        tile/entries/<N>[.p/<W>]        leaves
        opened.jsonl                    the entries, opened
    evidence/<n>.cbor                   proofs of forks
    transcript.txt                      for people; can be made again from the rest

Spec: spec/14-export.md; C2SP tlog-tiles.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from openline.kernel.lane import GENERATION_ZERO, Generation, Lane, parse_generation
from openline.kernel.units import MAX_VALUE

MANIFEST, MANIFEST_NOTE, TERMS, TRANSCRIPT = "manifest.json", "manifest.note", "terms.cbor", "transcript.txt"
CHECKPOINT, VKEY, MILESTONE, OPENED = "checkpoint", "vkey", "milestone", "opened.jsonl"

TILE = 256
"""Hashes in a full tile (C2SP tlog-tiles)."""
MAX_MANIFEST = 32 * 2**20
"""A manifest: about 110 bytes a file, two files for 256 entries: 38 million entries."""
MAX_LANES = 4_096
"""Lanes in one export: 16 parties with 128 generations each."""
MAX_EVIDENCE_FILES = 1_024
MAX_LINE = 24_576
"""A line of opened.jsonl: base64 of a body (16 KB), an acknowledgement (4 KB) and small fields."""
MAX_SMALL = MAX_VALUE
"""Terms, cards, statements, evidence: one CBOR value."""

_STATEMENT = re.compile(r"statements/(0|[1-9]\d?)\.([0-9a-f-]{1,27})", re.ASCII)
COMMITMENTS_LENGTH = 4 * 34
"""The end of a leaf: four byte strings of 32, with their two-byte heads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSize:
    """One exported lane as the manifest states it: plain numbers, so that any process can take it."""

    number: int
    generation: Generation
    size: int
    root: bytes

    @property
    def folder(self) -> str:
        """Its folder in the export."""
        return f"lanes/{self.number}.{self.generation}"

    @property
    def party(self) -> int:
        """The party that writes it."""
        return self.number // 2

    @property
    def key(self) -> tuple[int, Generation]:
        """What tells it from other lanes of the line."""
        return self.number, self.generation

    def lane(self, line: bytes) -> Lane:
        """The lane of that line."""
        return Lane(line, self.number, self.generation)


def tile_file(level: int | str, number: int, width: int = TILE) -> str:
    """The path of a tile or (level `entries`) of a bundle of leaves, as C2SP tlog-tiles spells it."""
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join(["x" + part for part in parts[:-1]] + parts[-1:])
    return f"tile/{level}/{path}" if width == TILE else f"tile/{level}/{path}.p/{width}"


def tiles(size: int) -> Iterator[tuple[int, int, int]]:
    """(level, number, width) of every hash tile of a tree, levels from 0."""
    level, count = 0, size
    while count:
        full, part = divmod(count, TILE)
        for number in range(full):
            yield level, number, TILE
        if part:
            yield level, full, part
        level, count = level + 1, full


def lane_files(lane: LaneSize) -> Iterator[str]:
    """Every file that a lane must have."""
    for name in (CHECKPOINT, VKEY, OPENED):
        yield f"{lane.folder}/{name}"
    for level, number, width in tiles(lane.size):
        if level == 0:
            yield f"{lane.folder}/{tile_file('entries', number, width)}"
        yield f"{lane.folder}/{tile_file(level, number, width)}"


def card_file(party: int) -> str:
    """Where a party's signed card stands."""
    return f"cards/{party}.card"


def statement_file(party: int, generation: Generation) -> str:
    """Where the key statement for a generation of a party stands."""
    return f"statements/{party}.{generation}"


def statement_place(name: str) -> tuple[int, Generation] | None:
    """The party and generation of a statement's path; None if it is not one. Raises Malformed for a bad generation."""
    found = _STATEMENT.fullmatch(name)
    if found is None:
        return None
    generation = parse_generation(found[2])
    return None if generation == GENERATION_ZERO else (int(found[1]), generation)


def evidence_file(number: int) -> str:
    """Where a piece of evidence stands."""
    return f"evidence/{number}.cbor"
