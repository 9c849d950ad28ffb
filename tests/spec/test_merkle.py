"""Spec 4.10 and 4.11: RFC 9162 trees; roots against the published reference, proofs against RFC's own definition."""

from base64 import b64decode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openline.kernel.errors import Forged, TooLarge
from openline.kernel.merkle import (
    EMPTY,
    Node,
    Peaks,
    check_consistency,
    consistency_proof,
    grown,
    inclusion_proof,
    leaf_hash,
    node_hash,
    peaks_at,
    root_from_inclusion,
    subtree_root,
)
from openline.kernel.units import MAX_PROOF

# The reference tree of RFC 6962 implementations (certificate-transparency, transparency-dev/merkle; Apache-2.0).
REFERENCE_LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
REFERENCE_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def mth(leaves: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + mth(leaves[:split]) + mth(leaves[split:])).digest()


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 9162, 2.1.3.1, word for word."""
    if len(leaves) == 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if index < split:
        return [*path(index, leaves[:split]), mth(leaves[split:])]
    return [*path(index - split, leaves[split:]), mth(leaves[:split])]


def subproof(size: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """RFC 9162, 2.1.4.1, word for word."""
    if size == len(leaves):
        return [] if whole else [mth(leaves)]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if size <= split:
        return [*subproof(size, leaves[:split], whole), mth(leaves[split:])]
    return [*subproof(size - split, leaves[split:], False), mth(leaves[:split])]


LEAVES = [b"leaf %d" % number for number in range(70)]


def nodes_of(leaves: list[bytes]) -> Node:
    """Node look-up as a store has it: what each leaf completed, beside that leaf."""
    completed: list[tuple[bytes, ...]] = []
    peaks = Peaks()
    for leaf in leaves:
        peaks, done = grown(peaks, leaf_hash(leaf))
        completed.append(done)
    return lambda level, k: completed[((k + 1) << level) - 1][level]


NODE = nodes_of(LEAVES)


def peaks_of(leaves: list[bytes]) -> Peaks:
    peaks = Peaks()
    for leaf in leaves:
        peaks, _ = grown(peaks, leaf_hash(leaf))
    return peaks


@pytest.mark.parametrize("size", range(9))
def test_4_10_the_published_roots_of_the_reference_tree(size: int) -> None:
    assert peaks_of(REFERENCE_LEAVES[:size]).root().hex() == REFERENCE_ROOTS[size]
    assert mth(REFERENCE_LEAVES[:size]).hex() == REFERENCE_ROOTS[size]


def test_4_10_leaves_and_nodes_are_hashed_apart() -> None:
    assert sha256(b"").digest() == EMPTY
    assert leaf_hash(b"x") == sha256(b"\x00x").digest()
    assert node_hash(b"l" * 32, b"r" * 32) == sha256(b"\x01" + b"l" * 32 + b"r" * 32).digest()


def test_4_10_growing_is_the_same_as_building() -> None:
    for size in range(len(LEAVES) + 1):
        assert peaks_of(LEAVES[:size]).root() == mth(LEAVES[:size])
        assert peaks_at(size, NODE) == peaks_of(LEAVES[:size])


def test_4_10_a_range_of_the_tree_has_its_own_root() -> None:
    for start, end in ((0, 70), (64, 70), (32, 64), (66, 68), (68, 69), (0, 33)):
        assert subtree_root(start, end, NODE) == mth(LEAVES[start:end])


def test_4_11_every_inclusion_proof_is_that_of_the_rfc() -> None:
    for size in range(1, 34):
        for index in range(size):
            proof = inclusion_proof(index, size, NODE)
            assert proof == path(index, LEAVES[:size])
            assert root_from_inclusion(index, size, leaf_hash(LEAVES[index]), proof) == mth(LEAVES[:size])


def test_4_11_every_consistency_proof_is_that_of_the_rfc() -> None:
    for new in range(34):
        for old in range(new + 1):
            proof = consistency_proof(old, new, NODE)
            assert proof == (subproof(old, LEAVES[:new], True) if old else [])
            check_consistency(old, new, mth(LEAVES[:old]), mth(LEAVES[:new]), proof)


@pytest.mark.parametrize("index, size", [(0, 1), (0, 8), (5, 8), (2, 3), (1, 5), (6, 7), (32, 33)])
def test_4_11_an_inclusion_proof_has_no_hash_too_few_or_too_many(index: int, size: int) -> None:
    leaf, proof = leaf_hash(LEAVES[index]), inclusion_proof(index, size, NODE)
    for wrong in ([*proof, bytes(32)], [bytes(32), *proof], [*proof, *proof], proof[:-1], proof[1:]):
        if wrong != proof:
            with pytest.raises(Forged):
                root_from_inclusion(index, size, leaf, wrong)


@given(st.integers(1, 33), st.data())
def test_4_11_an_inclusion_proof_serves_its_leaf_index_and_size_alone(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    other_index = data.draw(st.integers(0, 40))
    other_size = data.draw(st.just(size) | st.integers(0, 40))
    other_leaf = data.draw(st.integers(0, 40))
    proof = inclusion_proof(index, size, NODE)
    try:
        root = root_from_inclusion(other_index, other_size, leaf_hash(LEAVES[other_leaf]), proof)
    except Forged:
        return
    if root == mth(LEAVES[:size]):
        # Of another size, another place may have a path of the same shape: the last leaf of 2 has that of the last of 3. The
        # signed head tells the sizes apart.
        assert other_leaf == index
        assert other_index == index or other_size != size


@pytest.mark.parametrize("index, size", [(1, 1), (-1, 1), (0, 0), (8, 8)])
def test_4_11_there_is_no_proof_out_of_range(index: int, size: int) -> None:
    with pytest.raises(TooLarge):
        inclusion_proof(index, size, NODE)
    with pytest.raises(Forged):
        root_from_inclusion(index, size, bytes(32), [])


def test_4_11_hashes_are_32_bytes_and_at_most_64() -> None:
    for leaf, proof in (
        (bytes(32), [bytes(31)]),
        (bytes(32), [bytes(33)]),
        (bytes(31), [bytes(32)]),
        (b"", [bytes(32)]),
    ):
        with pytest.raises(Forged):
            root_from_inclusion(0, 2, leaf, proof)
    most = [bytes(32)] * MAX_PROOF
    assert root_from_inclusion(0, 2**64, bytes(32), most)
    with pytest.raises(Forged):
        root_from_inclusion(0, 2**65, bytes(32), [*most, bytes(32)])
    with pytest.raises(Forged):
        check_consistency(1, 2, bytes(32), bytes(32), [bytes(31)])
    with pytest.raises(Forged):
        check_consistency(1, 2**65, bytes(32), bytes(32), [*most, bytes(32)])


def test_4_11_from_nothing_the_proof_is_empty() -> None:
    check_consistency(0, 5, EMPTY, mth(LEAVES[:5]), [])
    check_consistency(0, 0, EMPTY, EMPTY, [])
    for old_root, proof in ((bytes(32), []), (EMPTY, [bytes(32)])):
        with pytest.raises(Forged):
            check_consistency(0, 5, old_root, mth(LEAVES[:5]), proof)
    with pytest.raises(Forged):
        check_consistency(0, 0, EMPTY, bytes(32), [])


def test_4_11_a_size_is_consistent_with_itself_by_the_same_root_alone() -> None:
    root = mth(LEAVES[:5])
    check_consistency(5, 5, root, root, [])
    for old_root, proof in ((bytes(32), []), (root, [root])):
        with pytest.raises(Forged):
            check_consistency(5, 5, old_root, root, proof)


def test_4_11_time_does_not_run_backwards() -> None:
    with pytest.raises(TooLarge):
        consistency_proof(6, 5, NODE)
    for old, new in ((6, 5), (-1, 5)):
        with pytest.raises(Forged):
            check_consistency(old, new, EMPTY, EMPTY, [])


@pytest.mark.parametrize("old, new", [(1, 2), (1, 8), (2, 8), (4, 8), (3, 7), (6, 8), (7, 33), (32, 33)])
def test_4_11_a_consistency_proof_has_no_hash_wrong_too_few_or_too_many(old: int, new: int) -> None:
    roots, proof = (mth(LEAVES[:old]), mth(LEAVES[:new])), consistency_proof(old, new, NODE)
    wrongs = [[*proof, bytes(32)], [bytes(32), *proof], proof[:-1], proof[1:], [], [roots[0], *proof]]
    wrongs += [[*proof[:at], bytes(32), *proof[at + 1 :]] for at in range(len(proof))]
    for wrong in wrongs:
        with pytest.raises(Forged):
            check_consistency(old, new, *roots, wrong)
    for pair in ((bytes(32), roots[1]), (roots[0], bytes(32)), roots[::-1]):
        with pytest.raises(Forged):
            check_consistency(old, new, *pair, proof)


def test_4_11_the_published_consistency_proof() -> None:
    """transparency-dev/merkle, testdata/consistency/1/happy-path.json (Apache-2.0), and its garbled variants."""
    proof = [
        b64decode(text)
        for text in (
            "lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c=",
            "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=",
            "a0eq8p7jwq+a+Im8H7klTavTEXfxYjLdaqsDXKOb9uQ=",
        )
    ]
    roots = bytes.fromhex(REFERENCE_ROOTS[1]), bytes.fromhex(REFERENCE_ROOTS[8])
    check_consistency(1, 8, *roots, proof)
    garbled = [[*proof[:at], bytes((proof[at][0] ^ 4,)) + proof[at][1:], *proof[at + 1 :]] for at in range(3)]
    for wrong in (*garbled, [], proof[:2], [*proof, bytes(32)], [bytes(32), *proof], [roots[0], *proof]):
        with pytest.raises(Forged):
            check_consistency(1, 8, *roots, wrong)
