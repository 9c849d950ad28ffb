"""The manifest: what an export holds, in one canonical form, and the exporter's signature over its hash.

It is JSON, but no general JSON parser touches it: the one form is matched
piece by piece, so that depth, duplicates and size are bounded before memory
is spent, and made again and compared.

Spec: spec/14-export.md; C2SP signed-note.
"""

import re
from dataclasses import dataclass, field

from openline.archive.layout import MAX_LANES, MAX_MANIFEST, LaneSize
from openline.kernel.crypto import Signer, Verifier, digest
from openline.kernel.errors import Forged, Malformed, TooLarge
from openline.kernel.lane import key_id, parse_generation, signature_lines, split_note
from openline.kernel.units import MAX_INSTANT, MAX_NOTE, MAX_PARTIES, MAX_SEQ, Instant

FORMAT = "openline-export/1"

_OPENING = re.compile(rb'\{"exporter":(0|[1-9][0-9]?),"files":\{')
_FILE = re.compile(rb'"([a-z0-9][a-z0-9./-]{0,127})":"([0-9a-f]{64})"(,?)')
_BETWEEN = re.compile(rb'\},"format":"openline-export/1","lanes":\[')
_LANE = re.compile(
    rb'\{"generation":"([0-9a-f-]{1,27})","lane":(0|[1-9][0-9]?),"root":"([0-9a-f]{64})",'
    rb'"size":([1-9][0-9]{0,14})\}(,?)'
)
_CLOSING = re.compile(rb'\],"line":"([0-9a-f]{64})","made":(0|-?[1-9][0-9]{0,14})\}\n')


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an export holds."""

    line: bytes
    exporter: int
    """Party number of who made it."""
    made: Instant
    """When, as the exporter's clock had it."""
    lanes: tuple[LaneSize, ...]
    """Ascending by number and generation."""
    files: dict[str, str] = field(repr=False)
    """SHA-256 of every file but the manifest and its note, by path, in hexadecimal."""


def write_manifest(manifest: Manifest) -> bytes:
    """The one form of a manifest: keys in order, no spaces, ASCII, one newline."""
    files = ",".join(f'"{name}":"{manifest.files[name]}"' for name in sorted(manifest.files))
    lanes = ",".join(
        f'{{"generation":"{lane.generation}","lane":{lane.number},"root":"{lane.root.hex()}","size":{lane.size}}}'
        for lane in manifest.lanes
    )
    return (
        f'{{"exporter":{manifest.exporter},"files":{{{files}}},"format":"{FORMAT}","lanes":[{lanes}],'
        f'"line":"{manifest.line.hex()}","made":{manifest.made}}}\n'
    ).encode("ascii")


def read_manifest(data: bytes) -> Manifest:
    """The manifest of which `data` is the one form. Raises Malformed, or TooLarge beyond its bounds."""
    if len(data) > MAX_MANIFEST:
        raise TooLarge("the manifest is larger than it may be")
    opening = _OPENING.match(data)
    if opening is None:
        raise Malformed("not the one form of a manifest")
    files, at = _files(data, opening.end())
    between = _BETWEEN.match(data, at)
    if between is None:
        raise Malformed("not the one form of a manifest")
    lanes, at = _lanes(data, between.end())
    closing = _CLOSING.fullmatch(data, at)
    exporter = int(opening[1])
    if closing is None or exporter >= MAX_PARTIES or abs(int(closing[2])) > MAX_INSTANT:
        raise Malformed("not the one form of a manifest")
    line, made = bytes.fromhex(closing[1].decode()), Instant(int(closing[2]))
    manifest = Manifest(line=line, exporter=exporter, made=made, lanes=lanes, files=files)
    if write_manifest(manifest) != data:
        raise Malformed("not the one form of a manifest")
    return manifest


def _files(data: bytes, at: int) -> tuple[dict[str, str], int]:
    files: dict[str, str] = {}
    more, previous = True, ""
    while more:
        found = _FILE.match(data, at)
        if found is None:
            raise Malformed("not the one form of a manifest")
        name = found[1].decode()
        if name <= previous or ".." in name or "//" in name or name.endswith("/"):
            raise Malformed("paths that are out of order or lead elsewhere")
        files[name] = found[2].decode()
        previous, at, more = name, found.end(), bool(found[3])
    return files, at


def _lanes(data: bytes, at: int) -> tuple[tuple[LaneSize, ...], int]:
    lanes: list[LaneSize] = []
    more = data[at : at + 1] == b"{"
    while more:
        found = _LANE.match(data, at)
        if found is None:
            raise Malformed("not the one form of a manifest")
        size, number = int(found[4]), int(found[2])
        lane = LaneSize(
            number=number,
            generation=parse_generation(found[1].decode()),
            size=size,
            root=bytes.fromhex(found[3].decode()),
        )
        if size > MAX_SEQ or number >= 2 * MAX_PARTIES or (lanes and lanes[-1].key >= lane.key):
            raise Malformed("lanes that are out of order or cannot be")
        lanes.append(lane)
        if len(lanes) > MAX_LANES:
            raise TooLarge("more lanes than an export may have")
        at, more = found.end(), bool(found[5])
    return tuple(lanes), at


def _name(line: bytes) -> str:
    return f"{line.hex()}/export"


def _text(data: bytes) -> bytes:
    return f"{FORMAT}\n{digest(data).hex()}\n".encode()


def sign_manifest(data: bytes, line: bytes, signer: Signer) -> bytes:
    """The note by which the exporter's lane key vouches for a manifest."""
    text = _text(data)
    return text + b"\n" + signature_lines(_name(line), signer.public, signer.ed25519(text))


def check_manifest(data: bytes, note: bytes, line: bytes, owner: Verifier) -> None:
    """Raise Forged (or Malformed, TooLarge) unless `note` is the owner's for that manifest, in its one form."""
    if len(note) > MAX_NOTE:
        raise TooLarge("note beyond its bound")
    text, name = _text(data), _name(line)
    found_text, found = split_note(note)
    if found_text != text:
        raise Forged("the note is about another manifest")
    signature = found.get((name, key_id(name, 0x01, owner.ed25519_key)), b"")
    owner.ed25519(signature, text)
    if text + b"\n" + signature_lines(name, owner, signature) != note:
        raise Malformed("not the one form of the manifest's note")
