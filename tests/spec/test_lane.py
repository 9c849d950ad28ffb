"""Spec 4: generations, commitments, leaves; and forks (11), which are proved with nothing but keys."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openline.kernel.codec import Fields, decode, encode
from openline.kernel.crypto import derive, digest
from openline.kernel.errors import Foreign, Forged, Malformed, Refused, TooLarge
from openline.kernel.lane import (
    ACK,
    BODY,
    FIELDS,
    GENERATION_ZERO,
    KIND,
    TIME,
    Entry,
    Fork,
    Generation,
    Lane,
    SignedHead,
    accept,
    ack_lane,
    commitment,
    extend,
    extend_leaves,
    field_salt,
    leaf_of,
    leaf_secret,
    make_leaf,
    opens,
    parse_generation,
    parse_leaf,
    sign_head,
)
from openline.kernel.merkle import EMPTY, Peaks, inclusion_proof, leaf_hash
from openline.kernel.units import MAX_SEQ
from tests.spec.parties import LANES, OWNER, ZERO, entry, grown_lane, lane

LATER = Generation(1, bytes.fromhex("00ff00ff00ff00ff"))
GENERATIONS = st.builds(Generation, st.integers(1, 2**32 - 1), st.binary(min_size=8, max_size=8)) | st.just(ZERO)


def test_4_1_a_party_has_an_urgent_and_a_traffic_lane() -> None:
    assert [(lane(n).party, lane(n).urgent) for n in range(4)] == [(0, True), (0, False), (1, True), (1, False)]


def test_4_2_generation_zero_has_no_nonce() -> None:
    assert Generation(0, bytes(8)) == GENERATION_ZERO
    with pytest.raises(Malformed):
        parse_generation("0-0102030405060708")
    with pytest.raises(Malformed):
        ack_lane(bytes(32), Fields([0, 0, bytes(7) + b"\x01"]))


@given(GENERATIONS)
def test_4_3_a_generation_has_one_text(generation: Generation) -> None:
    assert parse_generation(str(generation)) == generation
    assert repr(Lane(bytes(32), 3, generation)) == f"Lane(3.{generation})"


@pytest.mark.parametrize(
    "text",
    ["", "1", "00", "-", "0-", "1-", "01-00ff00ff00ff00ff", "1-00FF00FF00FF00FF", "1-00ff00ff00ff00f", "1-00ff00ff00ff00ff0",
     "1-00ff00ff00ff00ff ", " 0", "+1-00ff00ff00ff00ff", "1-00ff00ff 0ff00ff", "4294967296-00ff00ff00ff00ff", "١-00ff00ff00ff00ff",
     "1_0-00ff00ff00ff00ff", "-1-00ff00ff00ff00ff", "0\n", "9" * 5_000 + "-00ff00ff00ff00ff", "0-0000000000000000", "1-gg", "1-00-00"],
)  # fmt: skip
def test_4_3_no_other_form_of_a_generation_is_accepted(text: str) -> None:
    with pytest.raises(Malformed):
        parse_generation(text)


def test_4_4_generations_are_ordered_by_counter_then_nonce() -> None:
    one, two, three = Generation(1, b"\xff" * 8), Generation(2, bytes(8)), Generation(2, bytes(7) + b"\x01")
    assert sorted([three, one, GENERATION_ZERO, two]) == [GENERATION_ZERO, one, two, three]
    assert max(one, two, three) == three
    assert two <= two  # noqa: PLR0124 - total ordering
    assert three > two


def test_4_6_to_4_10_the_example_is_true() -> None:
    """Clauses 4.6, 4.7, 4.8, 4.9 and 4.10."""
    of = Lane(b"\xaa" * 32, 0, GENERATION_ZERO)
    secret = leaf_secret(bytes(32), 0, 5)
    item = Entry(
        kind=bytes.fromhex("03"), time=bytes.fromhex("1b0000018bcfe56800"), ack=b"\x80", body=b"\xa0", secret=secret
    )
    assert secret.hex() == "8a2907c498caa353f2e47f37deff0c41548cb9948f71278525c6dae6324b90a7"
    assert field_salt(secret, 1).hex() == "00e710dedccbf8fb4f570b76e05db35108ca6bded819802174bf848cddfc7ea1"
    assert [commitment(n, field_salt(secret, n), item.of(n)).hex()[:8] for n in FIELDS] == [
        "1476d73d", "aa5d71ba", "1cbfef14", "756e03f1",
    ]  # fmt: skip
    leaf = leaf_of(of, 5, item)
    assert len(leaf) == 184
    assert leaf.hex().startswith("8a015820" + "aa" * 32 + "000048000000000000000005" + "5820")
    assert leaf_hash(leaf).hex() == "6e665ee4e833193f7ac81206d700b708a7ecf27c62cd2b8f8e3996bd772a1c41"


def test_4_6_secrets_are_bound_to_lane_and_index() -> None:
    seed = bytes(32)
    found = {leaf_secret(seed, number, index) for number in range(4) for index in range(4)}
    assert len(found) == 16
    assert leaf_secret(seed, 1, 2) == derive(seed, b"openline/1 leaf", bytes.fromhex("0001" + "0000000000000002"))


def test_4_8_a_commitment_is_bound_to_field_salt_and_bytes() -> None:
    salt = field_salt(bytes(32), KIND)
    one = commitment(KIND, salt, b"\x03")
    assert one == digest(b"openline/1 field\x01" + salt + b"\x03")
    assert one not in {
        commitment(TIME, salt, b"\x03"),
        commitment(KIND, bytes(32), b"\x03"),
        commitment(KIND, salt, b"\x04"),
    }
    assert len({field_salt(bytes(32), number) for number in FIELDS}) == 4


@given(st.integers(0, 31), GENERATIONS, st.integers(0, MAX_SEQ - 1))
def test_4_9_a_leaf_is_the_deterministic_encoding_of_its_ten_members(
    number: int, generation: Generation, index: int
) -> None:
    of = Lane(b"\xaa" * 32, number, generation)
    commitments = [bytes((n,)) * 32 for n in range(4)]
    leaf = make_leaf(of, index, commitments)
    assert leaf == encode([1, of.line, number, generation.counter, generation.nonce, index, *commitments])
    assert parse_leaf(of, index, leaf) == commitments


def test_4_9_a_leaf_of_another_place_is_refused() -> None:
    of = lane()
    leaf = leaf_of(of, 5, entry(of, 5))
    for other, index in ((of, 4), (of, 6), (lane(1), 5), (lane(0, LATER), 5), (Lane(bytes(32), 0, ZERO), 5)):
        with pytest.raises(Foreign):
            parse_leaf(other, index, leaf)


def test_4_9_a_leaf_of_another_form_is_refused() -> None:
    """Version, number and size of members, another encoding, a map, bytes after it (2.9: exactly the members shown)."""
    of = lane()
    members: list[object] = decode(leaf_of(of, 5, entry(of, 5)))  # type: ignore[assignment]
    mapped = dict(enumerate(members))
    for changed in (
        [2, *members[1:]],
        members[:9],
        [*members, 0],
        [*members[:9], bytes(31)],
        [*members[:9], "a" * 32],
        mapped,
    ):
        with pytest.raises(Refused):
            parse_leaf(of, 5, encode(changed))  # type: ignore[arg-type]
    for damaged in (leaf_of(of, 5, entry(of, 5)) + b"\x00", leaf_of(of, 5, entry(of, 5))[:-1], b"", bytes(70_000)):
        with pytest.raises(Refused):
            parse_leaf(of, 5, damaged)


@given(st.sampled_from(["kind", "time", "ack", "body", "secret"]), st.binary(max_size=40))
def test_4_8_an_entry_opens_its_leaf_only_as_it_was_written(name: str, other: bytes) -> None:
    of, item = lane(), entry(lane(), 3)
    commitments = parse_leaf(of, 3, leaf_of(of, 3, item))
    assert opens(commitments, item)
    assert opens(commitments, replace(item, **{name: other})) == (getattr(item, name) == other)


def test_4_12_the_four_fields_are_read_by_number() -> None:
    item = entry(lane(), 3)
    assert [item.of(n) for n in (KIND, TIME, ACK, BODY)] == [item.kind, item.time, item.ack, item.body]


def test_4_17_a_lane_ends_at_its_last_index() -> None:
    last = Peaks(MAX_SEQ - 1, (bytes(32),) * (MAX_SEQ - 1).bit_count())
    assert extend_leaves(last, [b"leaf"]).peaks.size == MAX_SEQ
    with pytest.raises(TooLarge):
        extend_leaves(last, [b"leaf", b"leaf"])


# --- accepting another party's entries -----------------------------------------------------------------------------


def test_5_9_one_signature_covers_a_batch() -> None:
    of = lane()
    entries, grown = grown_lane(of, 7)
    signature = OWNER.ed25519(grown.head(of).text())
    assert accept(of, Peaks(), entries, signature, OWNER.public) == grown
    first = extend(of, Peaks(), entries[:3])
    assert accept(of, first.peaks, entries[3:], signature, OWNER.public).head(of) == grown.head(of)


def test_5_9_entries_that_their_owner_did_not_sign_are_forged() -> None:
    of = lane()
    entries, grown = grown_lane(of, 4)
    signature = OWNER.ed25519(grown.head(of).text())
    bravo = LANES["BRAVO"].ed25519(grown.head(of).text())
    damaged = replace(entries[2], body=encode({0: 1}))
    first = extend(of, Peaks(), entries[:1])
    wrong = [
        (of, Peaks(), entries[:3], signature), (of, Peaks(), [*entries, entries[0]], signature),
        (of, Peaks(), [entries[1], entries[0], *entries[2:]], signature), (of, first.peaks, entries, signature),
        (of, Peaks(), [*entries[:2], damaged, entries[3]], signature), (of, Peaks(), entries, bravo),
        (of, Peaks(), entries, bytes(64)), (of, Peaks(), entries, b""), (lane(1), Peaks(), entries, signature),
        (lane(0, LATER), Peaks(), entries, signature), (Lane(bytes(32), 0, ZERO), Peaks(), entries, signature),
    ]  # fmt: skip
    for where, peaks, items, signed in wrong:
        with pytest.raises(Forged):
            accept(where, peaks, items, signed, OWNER.public)


def test_4_2_the_lane_that_a_vector_names_is_within_bounds() -> None:
    line = bytes(32)
    members: Any
    assert ack_lane(line, Fields([31, 2**32 - 1, b"12345678"])) == Lane(line, 31, Generation(2**32 - 1, b"12345678"))
    for members in ([32, 0, bytes(8)], [0, 2**32, bytes(8)]):
        with pytest.raises(TooLarge):
            ack_lane(line, Fields(members))
    for members in ([0, 0, bytes(7)], [0, 0], [-1, 0, bytes(8)], [True, 0, bytes(8)], [0, "0", bytes(8)]):
        with pytest.raises(Malformed):
            ack_lane(line, Fields(members))


# --- forks -----------------------------------------------------------------------------------------------------------


def proof_of(entries: list[Entry], of: Lane, index: int, size: int) -> tuple[bytes, tuple[bytes, ...]]:
    grown = extend(of, Peaks(), entries[:size])
    nodes = [completed for _, completed in grown.leaves]
    leaf = nodes[index][0]
    return leaf, tuple(inclusion_proof(index, size, lambda level, k: nodes[((k + 1) << level) - 1][level]))


def history(kind: int, size: int, *, common: int = 2) -> list[Entry]:
    """A lane's entries; two histories of different kind part after `common` entries."""
    return [entry(lane(), index, kind=3 if index < common else kind) for index in range(size)]


def head_of(entries: list[Entry], owner: str = "ALPHA") -> SignedHead:
    return sign_head(LANES[owner], extend(lane(), Peaks(), entries).head(lane()))


def fork_at(index: int, left_size: int = 5, right_size: int = 7, *, right_kind: int = 8) -> Fork:
    left, right = history(3, left_size), history(right_kind, right_size)
    left_leaf, left_proof = proof_of(left, lane(), index, left_size)
    right_leaf, right_proof = proof_of(right, lane(), index, right_size)
    return Fork(
        left=head_of(left), right=head_of(right), index=index,
        left_leaf=left_leaf, left_proof=left_proof, right_leaf=right_leaf, right_proof=right_proof,
    )  # fmt: skip


def test_11_4_two_roots_of_one_size_prove_a_fork() -> None:
    fork = Fork(left=head_of(history(3, 5)), right=head_of(history(8, 5)))
    fork.check(OWNER.public)
    replace(fork, left=fork.right, right=fork.left).check(OWNER.public)


@pytest.mark.parametrize("index", [2, 3, 4])
def test_11_4_two_leaves_at_one_index_prove_a_fork_at_unequal_sizes(index: int) -> None:
    fork_at(index).check(OWNER.public)


def test_11_9_honest_heads_prove_nothing() -> None:
    """Growth is no fork, whatever is put beside the heads."""
    honest = fork_at(3, right_kind=3)
    for wrong in (
        honest,
        Fork(left=honest.left, right=honest.right),
        Fork(left=honest.left, right=honest.left),
        replace(honest, right_leaf=bytes(32)),
        replace(honest, right_leaf=honest.right_proof[0]),
        replace(fork_at(1), index=1),  # before the histories part
        replace(honest, index=7),
        replace(honest, index=-1),
    ):
        with pytest.raises(Forged):
            wrong.check(OWNER.public)


def test_11_9_evidence_is_checked_in_every_part() -> None:
    fork = fork_at(3)
    other_lane = sign_head(OWNER, replace(fork.right.head, lane=lane(1)))
    for wrong in (
        replace(fork, left=replace(fork.left, ed25519=bytes(64))),
        replace(fork, right=replace(fork.right, ed25519=fork.left.ed25519)),
        replace(fork, right=head_of(history(8, 7), "BRAVO")),
        replace(fork, right=other_lane),
        replace(fork, left_proof=fork.left_proof[:-1]),
        replace(fork, right_proof=(*fork.right_proof, bytes(32))),
        replace(fork, left_leaf=fork.left_leaf[:31]),
        replace(fork, left_leaf=b""),
        replace(fork, index=2),
        replace(fork, left=replace(fork.left, mldsa=bytes(2_420))),
    ):
        with pytest.raises(Forged):
            wrong.check(OWNER.public)
    with pytest.raises(Forged):
        fork.check(LANES["BRAVO"].public)


def test_4_10_the_head_of_an_empty_lane_has_the_root_of_no_leaves() -> None:
    assert extend(lane(), Peaks(), []).head(lane()).root == EMPTY
