#!/usr/bin/env python3
"""Check an exported Openline lane, without Openline. Plain Python 3.11 or newer, one file, nothing to install.

usage: openline_verify.py [--vkey VKEY] LANE_DIR [LANE_DIR ...]

LANE_DIR is one folder `lanes/<lane>.<generation>/` of an exported line (or the whole export: then each of its lanes).
VKEY is the owner's Ed25519 key as a C2SP vkey line that you have from elsewhere; without it the key comes from the
folder itself, and the lane is shown to be consistent but not whose it is.

Checked: the C2SP signed note `checkpoint` (and `milestone`) and its Ed25519 signature; every leaf, its place in its
line, lane and generation; every hash tile; the RFC 9162 root; in `opened.jsonl` every field against its commitment.
NOT checked: ML-DSA-44 signatures, what acknowledgements say of other lanes, the manifest, who holds the key.

Exit status: 0 all checked and right; 1 something is wrong, missing or added; 2 it could not be checked (usage, no such
folder, unreadable).

Written from the specification (spec/04, 05, 14; C2SP signed-note, tlog-checkpoint, tlog-tiles; RFC 8032, RFC 9162). It
shares no code with Openline: an error there should not be repeated here.
"""
# ruff: noqa: T201 - a command: it prints

import base64
import hashlib
import hmac
import re
import sys
from collections.abc import Iterator
from pathlib import Path

Point = tuple[int, int, int, int]

# --- Ed25519 verification (RFC 8032, 5.1) in plain integers: slow, and secret-free, so timing does not matter ---------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1, 1, 0)


class Wrong(Exception):
    """What was checked is not right. The message names the place, never content."""


def add(p: Point, q: Point) -> Point:
    """Sum of two points in extended coordinates (X, Y, Z, T), x = X/Z, y = Y/Z, xy = T/Z."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(scalar: int, point: Point) -> Point:
    """The point `scalar` times."""
    total = NEUTRAL
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total


def compress(point: Point) -> bytes:
    """The 32-byte encoding of a point."""
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decompress(data: bytes) -> Point | None:
    """The point of an encoding; None if there is none, or if it is not the one encoding of its point."""
    number = int.from_bytes(data, "little")
    y, sign = number & (2**255 - 1), number >> 255
    if y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * SQRT_MINUS_1 % P
    if v * x * x % P != u or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else P - x
    return (x, y, 1, x * y % P)


BASE = decompress(bytes([0x58]) + bytes([0x66]) * 31) or NEUTRAL


def small_order(point: Point) -> bool:
    """Whether 8 times the point is neutral: such a key would verify signatures that nobody made."""
    return compress(multiply(8, point)) == compress(NEUTRAL)


def ed25519(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature is the key's. Refuses points of small order and encodings that are not canonical."""
    if len(key) != 32 or len(signature) != 64:
        return False
    point, r = decompress(key), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if point is None or r is None or s >= ORDER or small_order(point) or small_order(r):
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    minus = (-point[0] % P, point[1], 1, -point[3] % P)
    return compress(add(multiply(s, BASE), multiply(k, minus))) == signature[:32]


ORIGIN = re.compile(r"([0-9a-f]{64})/(0|[1-9][0-9]?)\.(0|[1-9][0-9]{0,9}-[0-9a-f]{16})")


def unbase64(text: str, where: str) -> bytes:
    """Bytes of canonical base64."""
    try:
        found = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise Wrong(f"{where}: not base64") from None
    if base64.b64encode(found).decode() != text:
        raise Wrong(f"{where}: not the one base64 form")
    return found


def key_id(name: str, kind: int, key: bytes) -> bytes:
    """A C2SP key id."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + key).digest()[:4]


def read_vkey(line: str) -> tuple[str, int, bytes]:
    """Name, type and key of a C2SP vkey line."""
    parts = line.split("+", 2)
    if len(parts) != 3:
        raise Wrong("vkey: not a verifier key")
    name, found, material = parts[0], parts[1], unbase64(parts[2], "vkey")
    if len(material) < 2 or key_id(name, material[0], material[1:]).hex() != found:
        raise Wrong("vkey: the key id is not the key's")
    return name, material[0], material[1:]


def read_keys(data: bytes, expected: str | None) -> tuple[str, bytes, bytes | None]:
    """Name and Ed25519 key of the owner, and its ML-DSA-44 key or None; from `vkey`, the first line Ed25519."""
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise Wrong("vkey: not ASCII") from None
    lines = text.split("\n")
    if lines[-1] != "" or not 2 <= len(lines) <= 3:
        raise Wrong("vkey: one or two lines are expected")
    name, kind, key = read_vkey(lines[0])
    if kind != 1 or len(key) != 32:
        raise Wrong("vkey: the first key is not Ed25519")
    second = None
    if len(lines) == 3:
        other, kind, second = read_vkey(lines[1])
        if other != name or kind != 6 or len(second) != 1312:
            raise Wrong("vkey: the second key is not the owner's ML-DSA-44 key")
    if expected is not None and read_vkey(expected) != (name, 1, key):
        raise Wrong("vkey: not the key that was expected")
    return name, key, second


def read_note(data: bytes, where: str, name: str, key: bytes, second: bytes | None) -> tuple[int, bytes, bool]:
    """(size, root, whether an ML-DSA-44 signature of the owner is there) of a checkpoint that its owner signed."""
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Wrong(f"{where}: not UTF-8") from None
    text, blank, signatures = whole.rpartition("\n\n")
    text += "\n"
    lines = text.split("\n")
    if not blank or not signatures.endswith("\n") or len(lines) != 4 or any(ord(c) < 32 and c != "\n" for c in whole):
        raise Wrong(f"{where}: not a signed checkpoint")
    if lines[0] != name:
        raise Wrong(f"{where}: the origin is not the name of the key")
    if not re.fullmatch(r"0|[1-9][0-9]{0,14}", lines[1], re.ASCII):
        raise Wrong(f"{where}: not a size")
    root = unbase64(lines[2], where)
    if len(root) != 32:
        raise Wrong(f"{where}: not a root")
    found, post_quantum = set(), False
    for line in signatures[:-1].split("\n"):
        match = re.fullmatch(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)", line)
        if not match:
            raise Wrong(f"{where}: not a signature line")
        signature = unbase64(match[2], where)
        signer = (match[1], signature[:4])
        if len(signature) < 5 or signer in found:
            raise Wrong(f"{where}: an empty signature, or two by one key")
        found.add(signer)
        if signer == (name, key_id(name, 1, key)) and not ed25519(key, signature[4:], text.encode()):
            raise Wrong(f"{where}: the Ed25519 signature is wrong")
        if second is not None and signer == (name, key_id(name, 6, second)):
            post_quantum = True
            if len(signature) != 4 + 8 + 2420 or signature[4:12] != bytes(8):
                raise Wrong(f"{where}: the ML-DSA-44 signature has another form")
    if (name, key_id(name, 1, key)) not in found:
        raise Wrong(f"{where}: no Ed25519 signature by its owner")
    return int(lines[1]), root, post_quantum


def head(major: int, number: int) -> bytes:
    """A deterministic CBOR head."""
    for extra, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 24:
            return bytes([major << 5 | number])
        if number < 256**size:
            return bytes([major << 5 | extra]) + number.to_bytes(size, "big")
    raise Wrong("a number beyond 64 bits")


def leaf_start(origin: str) -> bytes:
    """What every leaf of that lane begins with, up to its index."""
    match = ORIGIN.fullmatch(origin)
    if not match:
        raise Wrong("the origin is not that of an Openline lane")
    line, lane, generation = bytes.fromhex(match[1]), int(match[2]), match[3]
    counter, _, nonce = generation.partition("-")
    if lane > 31 or int(counter) >= 2**32:
        raise Wrong("the origin is not that of an Openline lane")
    start = b"\x8a\x01\x58\x20" + line + head(0, lane) + head(0, int(counter)) + b"\x48"
    return start + (bytes.fromhex(nonce) if nonce else bytes(8))


def commitments_of(leaf: bytes, start: bytes, index: int) -> list[bytes]:
    """The four commitments of the leaf that stands at `index`."""
    before = start + head(0, index)
    ends = [len(before) + 34 * n for n in range(5)]
    if not leaf.startswith(before) or len(leaf) != ends[4]:
        raise Wrong(f"entry {index}: the leaf does not belong there")
    if any(leaf[at : at + 2] != b"\x58\x20" for at in ends[:4]):
        raise Wrong(f"entry {index}: the leaf is not of the one form")
    return [leaf[at + 2 : at + 34] for at in ends[:4]]


def root_of(hashes: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1: carrying an odd node up unchanged gives the same root as splitting at powers of two."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    while len(hashes) > 1:
        joined = [hashlib.sha256(b"\x01" + a + b).digest() for a, b in zip(hashes[::2], hashes[1::2], strict=False)]
        hashes = joined + hashes[len(hashes) & ~1 :]
    return hashes[0]


def tile_path(level: int | str, number: int, width: int) -> str:
    """The C2SP tlog-tiles path of a tile."""
    groups = f"{number % 1000:03d}"
    while number >= 1000:
        number //= 1000
        groups = f"x{number % 1000:03d}/{groups}"
    return f"tile/{level}/{groups}" + (f".p/{width}" if width < 256 else "")


def tiles(count: int) -> Iterator[tuple[int, int]]:
    """(number, width) of the tiles that hold `count` things, one after the other: a size may be a lie."""
    return ((number, min(256, count - 256 * number)) for number in range((count + 255) // 256))


class Folder:
    """The files of a lane; remembers which were asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: set[str] = set()

    def read(self, name: str, most: int = 65_536) -> bytes:
        """A file's bytes, at most so many. A missing one is wrong: an export lacks something."""
        self.known.add(name)
        if (file := self.path / name).is_symlink() or not file.is_file() or file.stat().st_size > most:
            raise Wrong(f"{name}: missing, not a regular file, or larger than it may be")
        return file.read_bytes()

    def strangers(self) -> list[str]:
        """Files nobody asked for, and links: what stands behind one is not part of the lane."""
        names = (p.relative_to(self.path).as_posix() for p in self.path.rglob("*") if p.is_symlink() or not p.is_dir())
        return sorted(set(names) - self.known)


def read_leaves(folder: Folder, size: int) -> list[bytes]:
    """All leaves, from the entry bundles."""
    leaves = []
    for number, width in tiles(size):
        name = tile_path("entries", number, width)
        data, at = folder.read(name, width * 65_537), 0
        for _ in range(width):
            end = at + 2 + int.from_bytes(data[at : at + 2], "big")
            if end > len(data) or end < at + 3:
                raise Wrong(f"{name}: cut short")
            leaves.append(data[at + 2 : end])
            at = end
        if at != len(data):
            raise Wrong(f"{name}: more than its entries")
    return leaves


def check_tiles(folder: Folder, hashes: list[bytes]) -> None:
    """Compare every hash tile with what the leaves give."""
    level = 0
    while hashes:
        for number, width in tiles(len(hashes)):
            name = tile_path(level, number, width)
            if folder.read(name) != b"".join(hashes[256 * number : 256 * number + width]):
                raise Wrong(f"{name}: not the hashes of the leaves")
        hashes = [root_of(hashes[at : at + 256]) for at in range(0, len(hashes) - 255, 256)]
        level += 1


OPENED = re.compile(
    rb'\{"a":"([^"]*)","b":"([^"]*)","i":(0|[1-9][0-9]{0,14}),"k":"([^"]*)","s":"([^"]*)","t":"([^"]*)"\}|\{"i":(0|[1-9][0-9]{0,14})\}'
)


def check_opened(data: bytes, commitments: list[list[bytes]]) -> int:
    """Compare every opened field with its commitment; returns how many entries are open. One line an entry, in order."""
    lines = data.split(b"\n")
    if lines.pop() != b"" or len(lines) != len(commitments):
        raise Wrong("opened.jsonl: not one line for each entry")
    opened = 0
    for index, (line, committed) in enumerate(zip(lines, commitments, strict=True)):
        match = OPENED.fullmatch(line)
        if not match or int(match[3] or match[7] or b"-1") != index:
            raise Wrong(f"opened.jsonl: line {index + 1} is not that of entry {index}")
        if match[7] is not None:
            continue
        where = f"opened.jsonl: entry {index}"
        ack, body, kind, secret, time = (unbase64(match[n].decode("latin-1"), where) for n in (1, 2, 4, 5, 6))
        if len(secret) != 32:
            raise Wrong(f"{where}: the secret has another length")
        for number, field in enumerate((kind, time, ack, body), 1):
            salt = hmac.digest(secret, b"openline/1 salt" + bytes([number, 1]), "sha256")  # HKDF-Expand, one block
            if hashlib.sha256(b"openline/1 field" + bytes([number]) + salt + field).digest() != committed[number - 1]:
                raise Wrong(f"{where}: field {number} is not the one committed to")
        opened += 1
    return opened


def verify(path: Path, expected: str | None = None, given: Path | None = None) -> list[str]:
    """Check one lane, of the export `given` if that is another folder; returns the lines of the report. Raises Wrong."""
    folder = Folder(path)
    name, key, second = read_keys(folder.read("vkey"), expected)
    start = leaf_start(name)
    if given not in {None, path} and name.partition("/")[2] != path.name:
        raise Wrong("vkey: the folder has the name of another lane")
    size, root, both = read_note(folder.read("checkpoint"), "checkpoint", name, key, second)
    leaves = read_leaves(folder, size)
    commitments = [commitments_of(leaf, start, index) for index, leaf in enumerate(leaves)]
    hashes = [hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves]
    check_tiles(folder, hashes)
    if root_of(hashes) != root:
        raise Wrong("checkpoint: the root is not that of the leaves")
    covered, opened = size if both else 0, "none (no opened.jsonl)"
    if (path / "milestone").is_file():
        covered, earlier, both = read_note(folder.read("milestone"), "milestone", name, key, second)
        if not both or covered > size or root_of(hashes[:covered]) != earlier:
            raise Wrong("milestone: not an earlier head of this lane with both signatures")
    if (path / "opened.jsonl").is_file():
        opened = f"{check_opened(folder.read('opened.jsonl', (size + 1) * 65_536), commitments)} of {size}"
    for stranger in folder.strangers():
        raise Wrong(f"{stranger.encode('unicode_escape').decode()}: does not belong to the lane")
    return [
        f"lane    {name}",
        f"head    {size} entries, root {root.hex()}",
        f"checked Ed25519 signature, {size} leaves, all tiles; opened entries checked: {opened}",
        f"NOT checked: ML-DSA-44 ({f'present, covers {covered} entries' if covered else 'absent'}); acknowledgements; manifest",
        "key     " + ("the one given with --vkey" if expected else "from the folder itself: identity NOT proved"),
    ]


def lanes_of(path: Path) -> list[Path]:
    """The lane folders that a path names: itself, or those below `lanes/` of an export."""
    return sorted(place for place in path.glob("lanes/*") if place.is_dir()) or [path]


def main(words: list[str]) -> int:
    """Returns the exit status."""
    expected = None
    if words[:1] == ["--vkey"] and len(words) > 1:
        expected, words = words[1], words[2:]
    if not words or any(word.startswith("-") for word in words):
        print(__doc__.strip(), file=sys.stdout if words in (["-h"], ["--help"]) else sys.stderr)
        return 0 if words in (["-h"], ["--help"]) else 2
    status = 0
    for word in words:
        for place in lanes_of(Path(word)):
            if not place.is_dir():
                print(f"CANNOT CHECK {place}: no such folder", file=sys.stderr)
                status = 2
                continue
            try:
                print("\n".join([f"RIGHT {place}", *verify(place, expected, Path(word))]))
            except Wrong as wrong:
                print(f"WRONG {place}: {wrong}")
                status = max(status, 1)
            except OSError as failure:
                print(f"CANNOT CHECK {place}: {failure.strerror}", file=sys.stderr)
                status = 2
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
