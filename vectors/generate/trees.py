"""Spec 4.10 and 4.11, from RFC 9162's own recursive definitions, not from the kernel."""

from collections.abc import Iterator
from hashlib import sha256

from vectors.generate.case import Case, refused

LEAVES = [b"leaf %d" % number for number in range(40)]


def split_at(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = split_at(len(leaves))
    return sha256(b"\x01" + root(leaves[:split]) + root(leaves[split:])).digest()


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162, 2.1.3.1."""
    if len(leaves) == 1:
        return []
    split = split_at(len(leaves))
    if index < split:
        return [*path(index, leaves[:split]), root(leaves[split:])]
    return [*path(index - split, leaves[split:]), root(leaves[:split])]


def subproof(size: int, leaves: list[bytes], *, whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 9162, 2.1.4.1."""
    if size == len(leaves):
        return [] if whole else [root(leaves)]
    split = split_at(len(leaves))
    if size <= split:
        return [*subproof(size, leaves[:split], whole=whole), root(leaves[split:])]
    return [*subproof(size - split, leaves[split:], whole=False), root(leaves[:split])]


def inclusion(  # noqa: PLR0917 - a row of a table
    name: str, shows: str, index: int, size: int, proof: list[bytes], expect: dict[str, str]
) -> Case:
    """One inclusion proof."""
    data = {"index": index, "size": size, "leaf": LEAVES[index].hex(), "proof": [part.hex() for part in proof]}
    return Case(group="tree", name=f"inclusion-{name}", clause="4.11", shows=shows, operation="inclusion", input=data,
                expect=expect)  # fmt: skip


def consistency(
    name: str, shows: str, old: int, new: int, proof: list[bytes], *, code: str = "", **changes: str
) -> Case:
    """One consistency proof; refused if `code` is given."""
    data = {"old": old, "new": new, "old_root": root(LEAVES[:old]).hex(), "new_root": root(LEAVES[:new]).hex(),
            "proof": [part.hex() for part in proof], **changes}  # fmt: skip
    return Case(group="tree", name=f"consistency-{name}", clause="4.11", shows=shows, operation="consistency", input=data,
                expect=refused(code) if code else {"consistent": True})  # fmt: skip


def cases() -> Iterator[Case]:
    """Roots, inclusion, consistency."""
    for size in (0, 1, 2, 3, 7, 8, 33):
        data = {"leaves": [leaf.hex() for leaf in LEAVES[:size]]}
        yield Case(group="tree", name=f"root-of-{size}", clause="4.10", shows=f"the root of {size} leaves",
                   operation="root", input=data, expect={"root": root(LEAVES[:size]).hex()})  # fmt: skip
    for index, size in ((0, 1), (0, 8), (5, 8), (6, 7), (32, 33)):
        expect = {"root": root(LEAVES[:size]).hex()}
        proof = path(index, LEAVES[:size])
        yield inclusion(f"{index}-in-{size}", f"leaf {index} in {size}", index, size, proof, expect)
    proof, forged = path(5, LEAVES[:8]), refused("forged")
    yield inclusion("too-short", "a hash too few", 5, 8, proof[:-1], forged)
    yield inclusion("too-long", "a hash too many", 5, 8, [*proof, bytes(32)], forged)
    yield inclusion("odd-hash", "a hash of 31 bytes", 5, 8, [proof[0][:31], *proof[1:]], forged)
    yield inclusion("out-of-range", "an index beyond the size", 8, 8, proof, forged)
    for old, new in ((0, 5), (5, 5), (1, 8), (3, 7), (4, 8), (6, 8), (32, 33)):
        proof = subproof(old, LEAVES[:new]) if old else []
        yield consistency(f"{old}-to-{new}", f"{old} leaves are a prefix of {new}", old, new, proof)
    proof = subproof(6, LEAVES[:8])
    yield consistency("too-short", "a hash too few", 6, 8, proof[:-1], code="forged")
    yield consistency("too-long", "a hash too many", 6, 8, [*proof, bytes(32)], code="forged")
    yield consistency("other-old-root", "another old root", 6, 8, proof, old_root="00" * 32, code="forged")
    yield consistency("other-new-root", "another new root", 6, 8, proof, new_root="00" * 32, code="forged")
    yield consistency("backwards", "the older tree is the larger one", 8, 6, proof, code="forged")
    yield consistency("nothing-has-one-root", "size 0 with another root", 0, 5, [], old_root="00" * 32, code="forged")
    yield consistency(
        "nothing-to-nothing", "size 0 to size 0, another new root", 0, 0, [], new_root="00" * 32, code="forged"
    )
    yield consistency("same-size-other-root", "one size, two roots", 5, 5, [], new_root="00" * 32, code="forged")
