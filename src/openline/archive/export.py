"""Write a line as a folder that anybody can check.

Everything streams: memory holds one tile of hashes a level and one batch of
entries a lane, whatever the lanes' sizes. The folder appears whole or not at
all. Only what its owner signed is written (spec 5.9).

Spec: spec/14-export.md.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from openline.archive.evidence import write_evidence
from openline.archive.files import Output, new_folder
from openline.archive.layout import (
    CHECKPOINT,
    MANIFEST,
    MANIFEST_NOTE,
    MILESTONE,
    OPENED,
    TERMS,
    TILE,
    TRANSCRIPT,
    VKEY,
    LaneSize,
    card_file,
    evidence_file,
    statement_file,
)
from openline.archive.manifest import Manifest, sign_manifest, write_manifest
from openline.archive.members import Members, members_of
from openline.archive.opened import write_line
from openline.archive.tiles import TileWriter
from openline.archive.transcript_text import transcript
from openline.kernel.crypto import Signer, Verifier
from openline.kernel.errors import Bug, Forbidden
from openline.kernel.lane import (
    GENERATION_ZERO,
    Entry,
    Generation,
    Head,
    Lane,
    SignedHead,
    leaf_of,
    note,
    sign_head,
    vkeys,
)
from openline.kernel.merkle import Peaks, grown, leaf_hash, peaks_at
from openline.kernel.terms import parse_terms
from openline.kernel.units import Instant
from openline.protocol.forks import decode_fork
from openline.protocol.records import EntryRow, LineReader, LineRecord
from openline.protocol.statements import is_contradiction

Progress = Callable[[str, int, int], None]
"""(stage, done, of how many): called often, must be quick."""

_MILESTONE_SPAN = 16_384
"""How far below a head its owner's last ML-DSA-44 signature is looked for: one is due every 256 entries (spec 5.11)."""
_HEADS = 256


def silent(_stage: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What was written."""

    folder: Path
    manifest: Manifest = field(repr=False)
    entries: int
    """In all lanes together."""
    unopened: int
    """Of these, entries whose fields do not open their leaf."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedHead:
    """A head to be written, with its owner's keys; `milestone` is an earlier one that has both signatures."""

    signed: SignedHead
    owner: Verifier
    milestone: SignedHead | None = None

    @property
    def size(self) -> LaneSize:
        """As the manifest states it."""
        head = self.signed.head
        return LaneSize(number=head.lane.number, generation=head.lane.generation, size=head.size, root=head.root)


def reader_members(reader: LineReader, record: LineRecord) -> tuple[Members, dict[tuple[int, Generation], bytes]]:
    """The members of a line as its store knows them, and the key statements they rest on."""
    statements = {(put.party, put.generation): put.statement for put in reader.generations() if put.statement}
    return members_of(parse_terms(record.terms), record.cards, statements), statements


def owned_head(reader: LineReader, members: Members, lane: Lane, signers: Sequence[Signer]) -> OwnedHead | None:
    """The last head of a lane that its owner signed; of an own lane (by one of `signers`) one of all it has, signed now.

    Own heads are kept at milestones only, as they can be signed again at any time: what is committed stands,
    and a head at its end is the one that any later head extends. None if the lane has no signed head.
    """
    owner = members.owner(lane.party, lane.generation)
    for signer in signers:
        if _same_keys(signer.public, owner):
            return _signed_now(reader, lane, signer, owner)
    signed = reader.last_head(lane)
    if signed is None or signed.head.size == 0:
        return None
    span = max(0, signed.head.size - _MILESTONE_SPAN)
    milestone: SignedHead | None = None
    usable = signed if signed.ed25519 else None
    while not signed.mldsa:
        heads = reader.heads(lane, span, _HEADS)
        for head in heads:
            milestone = head if head.mldsa and head.ed25519 else milestone
            usable = head if head.ed25519 else usable
        if len(heads) < _HEADS:
            break
        span = heads[-1].head.size
    if usable is None:
        return None
    both = milestone if milestone is not None and milestone.head.size < usable.head.size else None
    return OwnedHead(signed=usable, owner=owner, milestone=both)


def _signed_now(reader: LineReader, lane: Lane, signer: Signer, owner: Verifier) -> OwnedHead | None:
    size = reader.size(lane)
    if not size:
        return None
    root = peaks_at(size, lambda level, place: reader.node(lane, level, place)).root()
    return OwnedHead(signed=sign_head(signer, Head(lane=lane, size=size, root=root), milestone=True), owner=owner)


def _same_keys(left: Verifier, right: Verifier) -> bool:
    return left.ed25519_key == right.ed25519_key and left.mldsa_key == right.mldsa_key


def exported_heads(reader: LineReader, members: Members, own: int, signers: Sequence[Signer]) -> list[OwnedHead]:
    """Every lane generation with a signed head, ascending by number and generation."""
    known = {(put.party, put.generation) for put in reader.generations()}
    known |= {(party, GENERATION_ZERO) for party in range(len(members.cards))}
    found: list[OwnedHead] = []
    # Own lanes last: by then they are at least as long as the others' acknowledgements say.
    for party, generation in sorted(known, key=lambda each: each[0] == own):
        for number in (2 * party, 2 * party + 1):
            lane = Lane(members.terms.line, number, generation)
            head = owned_head(reader, members, lane, signers if party == own else ())
            if head is not None:
                found.append(head)
    return sorted(found, key=lambda head: head.size.key)


def export(
    *,
    reader: LineReader,
    record: LineRecord,
    signer: Signer,
    retired: Sequence[Signer] = (),
    folder: Path,
    made: Instant,
    progress: Progress = silent,
) -> ExportReport:
    """Write the line to `folder`, which must not exist or be empty; `signer` holds this party's lane keys.

    `retired` are its keys of before, for the generations that they sign.

    Raises Conflict (something stands there), Unavailable (the disk is full or
    fails; nothing is left half-written), Forbidden (not this party's keys),
    Bug (the store contradicts its own heads).
    """
    members, statements = reader_members(reader, record)
    signers = (signer, *retired)
    heads = exported_heads(reader, members, record.party, signers)
    lanes = tuple(head.size for head in heads)
    speakers = members.speakers(record.party, [lane.key for lane in lanes])
    speaks = next((each for key in speakers for each in signers if _same_keys(each.public, key)), None)
    if speaks is None:
        raise Forbidden("these keys do not speak for this party")
    total = sum(lane.size for lane in lanes)
    unopened = done = 0
    with new_folder(folder) as output:
        output.put(TERMS, record.terms)
        for party, card in enumerate(record.cards):
            output.put(card_file(party), card)
        for (party, generation), statement in statements.items():
            output.put(statement_file(party, generation), statement)
        for number, evidence in enumerate(reader.evidence()):
            raw = evidence.evidence
            kept = raw if is_contradiction(raw) else write_evidence(decode_fork(members.terms.line, raw))
            output.put(evidence_file(number), kept)
        for head in heads:
            unopened += _write_lane(output, reader, head, partial(_counted, progress, done, total))
            done += head.size.size
        _write_transcript(output, reader, members, heads, progress)
        manifest = Manifest(
            line=members.terms.line, exporter=record.party, made=made, lanes=lanes, files=dict(output.digests)
        )
        data = write_manifest(manifest)
        output.put(MANIFEST, data)
        output.put(MANIFEST_NOTE, sign_manifest(data, manifest.line, speaks))
    return ExportReport(folder=folder, manifest=manifest, entries=total, unopened=unopened)


def _counted(progress: Progress, before: int, total: int, count: int) -> None:
    progress("entries", before + count, total)


def _write_lane(output: Output, reader: LineReader, owned: OwnedHead, progress: Callable[[int], None]) -> int:
    """Write one lane; return how many of its entries are not opened."""
    head, folder = owned.signed.head, owned.size.folder
    tiles = TileWriter(lambda name, data: output.put(f"{folder}/{name}", data))
    peaks, unopened = Peaks(), 0
    with output.stream(f"{folder}/{OPENED}") as opened:
        for row in rows(reader, head.lane, head.size):
            leaf = row.unopened or leaf_of(head.lane, row.index, row.entry)
            digest = leaf_hash(leaf)
            peaks, _ = grown(peaks, digest)
            tiles.add(leaf, digest)
            opened.write(write_line(row.index, opened_entry(row)))
            unopened += bool(row.unopened)
            if peaks.size % TILE == 0:
                progress(peaks.size)
    tiles.close()
    if peaks.size != head.size or peaks.root() != head.root:
        raise Bug("the store's entries are not those of its signed head")
    output.put(f"{folder}/{CHECKPOINT}", note(owned.signed, owned.owner))
    output.put(f"{folder}/{VKEY}", "".join(f"{key}\n" for key in vkeys(head.lane.origin, owned.owner)).encode())
    if owned.milestone is not None:
        output.put(f"{folder}/{MILESTONE}", note(owned.milestone, owned.owner))
    progress(peaks.size)
    return unopened


def rows(reader: LineReader, lane: Lane, size: int) -> Iterator[EntryRow]:
    """The first `size` rows of a lane, in batches. Raises Bug if one is missing or out of order."""
    for first in range(0, size, TILE):
        count = min(TILE, size - first)
        batch = reader.entries(lane, first, count)
        if [row.index for row in batch] != list(range(first, first + count)):
            raise Bug("the store lacks entries of its own lane")
        yield from batch


def opened_entry(row: EntryRow) -> Entry | None:
    """The entry of a row; None if its fields do not open its leaf."""
    return None if row.unopened else row.entry


def _write_transcript(
    output: Output, reader: LineReader, members: Members, heads: Sequence[OwnedHead], progress: Progress
) -> None:
    lanes = {head.size: map(opened_entry, rows(reader, head.signed.head.lane, head.signed.head.size)) for head in heads}
    total = sum(lane.size for lane in lanes)
    with output.stream(TRANSCRIPT) as file:
        for number, piece in enumerate(transcript(members.terms, lanes)):
            file.write(piece.encode())
            if number % TILE == 0:
                progress("transcript", min(number, total), total)
    progress("transcript", total, total)
