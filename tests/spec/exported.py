"""Writes a lane as an export does (spec 14; C2SP tlog-tiles), from the kernel alone: a second hand beside the archive's."""

from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

from openline.kernel.crypto import Signer, Verifier
from openline.kernel.lane import Entry, Lane, extend, note, sign_head, vkeys
from openline.kernel.merkle import Node, Peaks, subtree_root

TILE = 256


def tile_path(level: str, number: int, width: int) -> str:
    """A path as C2SP tlog-tiles spells it."""
    parts = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        parts.insert(0, f"x{number % 1000:03d}")
    return f"tile/{level}/{'/'.join(parts)}" + (f".p/{width}" if width < TILE else "")


def opened_line(index: int, entry: Entry | None) -> str:
    """A line of opened.jsonl."""
    if entry is None:
        return f'{{"i":{index}}}\n'
    ack, body, kind, secret, time = (
        b64encode(part).decode() for part in (entry.ack, entry.body, entry.kind, entry.secret, entry.time)
    )
    return f'{{"a":"{ack}","b":"{body}","i":{index},"k":"{kind}","s":"{secret}","t":"{time}"}}\n'


def lane_files(
    lane: Lane,
    entries: Sequence[Entry],
    signer: Signer,
    *,
    milestone: bool = False,
    closed: frozenset[int] = frozenset(),
    owner: Verifier | None = None,
) -> dict[str, bytes]:
    """The files of an exported lane, by path within its folder."""
    grown = extend(lane, Peaks(), entries)
    completed = [nodes for _, nodes in grown.leaves]
    node: Node = lambda level, k: completed[((k + 1) << level) - 1][level]  # noqa: E731 - a look-up
    size = grown.peaks.size
    keys = owner or signer.public
    files = {
        "checkpoint": note(sign_head(signer, grown.head(lane), milestone=milestone), keys),
        "vkey": "".join(line + "\n" for line in vkeys(lane.origin, keys)).encode(),
        "opened.jsonl": "".join(
            opened_line(index, None if index in closed else entry) for index, entry in enumerate(entries)
        ).encode(),
    }
    for start in range(0, size, TILE):
        leaves = [leaf for leaf, _ in grown.leaves[start : start + TILE]]
        bundle = b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)
        files[tile_path("entries", start // TILE, len(leaves))] = bundle
    level, span = 0, 1
    while span <= size:
        hashes = [subtree_root(at * span, (at + 1) * span, node) for at in range(size // span)]
        for start in range(0, len(hashes), TILE):
            part = hashes[start : start + TILE]
            files[tile_path(str(level), start // TILE, len(part))] = b"".join(part)
        level, span = level + 1, span * TILE
    return files


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Write them; returns the folder."""
    for name, data in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return folder
