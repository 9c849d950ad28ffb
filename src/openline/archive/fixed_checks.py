"""The checks of an export that do not grow with its lanes: what is there, who speaks, what they signed.

In order, each relying on those before it. What is wrong becomes a Problem
with its file.

Spec: spec/14-export.md (14.3, 14.4, 14.8).
"""

from collections.abc import Iterator
from pathlib import Path

from openline.archive.entry_text import clean
from openline.archive.evidence import read_evidence, write_evidence
from openline.archive.files import listing, read_file
from openline.archive.lane_checks import Archive, hashed
from openline.archive.layout import (
    CHECKPOINT,
    MANIFEST,
    MANIFEST_NOTE,
    MAX_EVIDENCE_FILES,
    MAX_MANIFEST,
    MAX_SMALL,
    MILESTONE,
    TERMS,
    TRANSCRIPT,
    VKEY,
    LaneSize,
    card_file,
    evidence_file,
    lane_files,
    statement_place,
)
from openline.archive.manifest import Manifest, check_manifest, read_manifest
from openline.archive.members import Members, members_of
from openline.archive.verdict import MOST_PROBLEMS, Problem
from openline.kernel.crypto import Verifier
from openline.kernel.errors import Foreign, Forged, Malformed, Refused
from openline.kernel.keys import check_member, read_card
from openline.kernel.lane import Fork, Generation, SignedHead, note, parse_note, vkeys
from openline.kernel.terms import Terms, parse_terms
from openline.kernel.units import MAX_NOTE
from openline.protocol.statements import decode_contradiction, encode_contradiction, is_contradiction

Key = tuple[int, Generation]


class Stop(Exception):
    """Leave the checks; the problem is noted."""


class FixedChecks:
    """The checks that do not grow with the lanes, in order; each relies on those before it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[Problem] = []
        self.forks: list[str] = []
        self.proved: list[tuple[Fork, Verifier]] = []
        """Each fork that evidence proves, with the keys of its lane's owner."""
        self.forked: set[Key] = set()
        self.both_to: dict[Key, int] = {}
        """By lane: the size up to which both kinds of signature stand."""
        self.milestones: dict[Key, tuple[int, bytes]] = {}
        """Size and root of the earlier heads that have both, still to be found in the tree."""
        self.found: Manifest
        self.terms: Terms
        self.members: Members
        self.statements: dict[Key, bytes] = {}
        self._data = b""

    def note(self, file: str, refusal: Refused | str) -> None:
        """Keep a problem."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(file=file, reason=str(refusal)))

    def small(self, name: str) -> bytes:
        """A small file that the manifest names."""
        return hashed(self.root, name, self.found.files.get(name, ""), MAX_SMALL)

    # --- the manifest, and the files it names ---

    def manifest(self) -> None:
        """The manifest is in its one form and names exactly the files that are there."""
        try:
            if self.root.is_symlink() or not self.root.is_dir():
                raise Malformed("not a folder")
            self._data = read_file(self.root, MANIFEST, MAX_MANIFEST)
            self.found = read_manifest(self._data)
        except Refused as refusal:
            self.note(MANIFEST, refusal)
            raise Stop from None
        for name, reason in _misnamed(self.found):
            self.note(name, reason)
        self._listing()
        if self.problems:
            raise Stop

    def _listing(self) -> None:
        missing = set(self.found.files) | {MANIFEST, MANIFEST_NOTE}
        folders = {
            "/".join(parts[:end]) for parts in (name.split("/") for name in missing) for end in range(1, len(parts))
        }
        try:
            for name, kind in listing(self.root, 2 * (len(missing) + len(folders)) + 1_000):
                shown = clean(name.encode("ascii", "backslashreplace").decode())
                if kind == "folder":
                    if name not in folders:
                        self.note(shown, "a folder that does not belong here")
                elif name not in missing:
                    self.note(shown, "a file that the manifest does not name")
                elif kind != "file":
                    self.note(shown, "not a regular file")
                else:
                    missing.discard(name)
        except Refused as refusal:
            self.note(".", refusal)
        for name in sorted(missing)[:MOST_PROBLEMS]:
            self.note(name, "the file is missing")

    # --- who speaks ---

    def identities(self) -> None:
        """Terms make the line, cards and statements the keys, and the exporter's key signs the manifest."""
        name = TERMS
        try:
            self.terms = parse_terms(self.small(TERMS))
            if self.terms.line != self.found.line:
                raise Foreign("the terms are another line's")
            cards: list[bytes] = []
            for party in range(len(self.terms.parties)):
                name = card_file(party)
                cards.append(self.small(name))
                check_member(self.terms, party, read_card(cards[-1]))
            name = card_file(len(cards))
            if name in self.found.files:
                raise Foreign("a card of no party")
            self.members = members_of(self.terms, cards, {})
            for name in self.found.files:
                place = statement_place(name)
                if place is not None:
                    self.statements[place] = self.small(name)
                    self.members = members_of(self.terms, cards, self.statements)
            name = MANIFEST_NOTE
            self._manifest_note()
        except Refused as refusal:
            self.note(name, refusal)
            raise Stop from None

    def _manifest_note(self) -> None:
        data = read_file(self.root, MANIFEST_NOTE, MAX_NOTE)
        if self.found.exporter >= len(self.members.cards):
            raise Malformed("the exporter is no party")
        if any(lane.party >= len(self.members.cards) for lane in self.found.lanes):
            raise Malformed("a lane of no party")
        refusal: Refused = Forged("not signed by the exporter")
        for owner in self.members.speakers(self.found.exporter, [lane.key for lane in self.found.lanes]):
            try:
                check_manifest(self._data, data, self.found.line, owner)
            except Refused as found:
                refusal = found
            else:
                return
        raise refusal

    # --- heads ---

    def heads(self) -> None:
        """Every checkpoint is its owner's, in its one form, and of the size and root that the manifest states."""
        for lane in self.found.lanes:
            for name, check in ((CHECKPOINT, self._checkpoint), (VKEY, self._vkey), (MILESTONE, self._milestone)):
                path = f"{lane.folder}/{name}"
                if path not in self.found.files:
                    continue
                try:
                    check(lane, hashed(self.root, path, self.found.files[path], MAX_NOTE))
                except Refused as refusal:
                    self.note(path, refusal)

    def _signed(self, lane: LaneSize, data: bytes) -> SignedHead:
        owner = self.members.owner(lane.party, lane.generation)
        signed = parse_note(data, lane.lane(self.found.line), owner)
        if note(signed, owner) != data:
            raise Malformed("not the one form of a note")
        return signed

    def _checkpoint(self, lane: LaneSize, data: bytes) -> None:
        signed = self._signed(lane, data)
        if (signed.head.size, signed.head.root) != (lane.size, lane.root):
            raise Forged("not the head that the manifest states")
        self.both_to[lane.key] = lane.size if signed.mldsa else 0

    def _milestone(self, lane: LaneSize, data: bytes) -> None:
        signed = self._signed(lane, data)
        if self.both_to.get(lane.key) or not signed.mldsa or not 0 < signed.head.size < lane.size:
            raise Malformed("a milestone that adds nothing")
        self.both_to[lane.key] = signed.head.size
        self.milestones[lane.key] = (signed.head.size, signed.head.root)

    def _vkey(self, lane: LaneSize, data: bytes) -> None:
        owner = self.members.owner(lane.party, lane.generation)
        lines = vkeys(lane.lane(self.found.line).origin, owner)
        if "".join(f"{line}\n" for line in lines).encode() != data:
            raise Forged("not the owner's two keys")

    # --- forks ---

    def evidence(self) -> None:
        """Every piece of evidence proves a fork by the owner of its lane, or two statements of a root (spec 11.9)."""
        number = 0
        while (name := evidence_file(number)) in self.found.files:
            number += 1
            try:
                raw = self.small(name)
                if is_contradiction(raw):
                    self._contradiction(raw)
                    continue
                fork = read_evidence(raw, self.found.line)
                if write_evidence(fork) != raw:
                    raise Malformed("not the one form of evidence")
                lane = fork.left.head.lane
                if lane.party >= len(self.members.cards):
                    raise Foreign("evidence against no party")
                owner = self.members.owner(lane.party, lane.generation)
                fork.check(owner)
            except Refused as refusal:
                self.note(name, refusal)
                continue
            self.forked.add(lane.key)
            self.proved.append((fork, owner))
            heads = f"sizes {fork.left.head.size} and {fork.right.head.size}"
            where = f", at index {fork.index}" if fork.left_leaf else ""
            self.forks.append(
                f"{self.members.name(lane.party)} signed two histories of lane {lane.number}.{lane.generation}: {heads}{where}"
            )

    def _contradiction(self, raw: bytes) -> None:
        found = decode_contradiction(raw, self.found.line)
        if encode_contradiction(found) != raw:
            raise Malformed("not the one form of evidence")
        if found.party >= len(self.members.cards):
            raise Foreign("evidence against no party")
        found.check(self.members.cards[found.party].root)
        name = self.members.name(found.party)
        self.forks.append(f"the root of {name} signed two lane keys for generation {found.generation}")

    def archive(self) -> Archive:
        """What the checks of the lanes need to know."""
        return Archive(
            root=self.root,
            line=self.found.line,
            terms=self.terms.raw,
            parties=len(self.terms.parties),
            lanes=self.found.lanes,
            forked=frozenset(self.forked),
            statements=tuple((party, generation, raw) for (party, generation), raw in self.statements.items()),
        )


def _misnamed(found: Manifest) -> Iterator[tuple[str, str]]:
    """What the manifest names and should not, or does not name and should."""
    expected = 0
    for lane in found.lanes:
        for name in lane_files(lane):
            expected += 1
            if name not in found.files:
                yield name, "the manifest does not name this file"
                return  # a size that lies could name files without end
        expected += f"{lane.folder}/{MILESTONE}" in found.files
    for name in (TERMS, TRANSCRIPT):
        expected += 1
        if name not in found.files:
            yield name, "the manifest does not name this file"
    parties = 0
    while card_file(parties) in found.files:
        parties += 1
    evidence = 0
    while evidence <= MAX_EVIDENCE_FILES and evidence_file(evidence) in found.files:
        evidence += 1
    statements = sum(1 for name in found.files if name.startswith("statements/") and _is_statement(name))
    if expected + parties + evidence + statements != len(found.files):
        yield MANIFEST, "it names files that an export does not have"


def _is_statement(name: str) -> bool:
    try:
        return statement_place(name) is not None
    except Refused:
        return False
