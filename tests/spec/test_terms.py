"""Spec 3, the terms: what all sign, read in one way or not at all."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openline.kernel.codec import decode, encode
from openline.kernel.crypto import digest
from openline.kernel.errors import Malformed, Refused, TooLarge, Unknown
from openline.kernel.terms import (
    Policy,
    check_language,
    check_name,
    line_id,
    make_terms,
    parse_policy,
    parse_terms,
    policy_value,
)
from tests.spec.parties import LANES, ROOTS, TERMS, card, secret, terms
from tests.spec.test_verifiers import SMALL_ORDER


def body() -> Any:
    """The terms as a value that a test may damage."""
    return decode(TERMS.raw)


def refused(value: Any) -> None:
    with pytest.raises(Refused):
        parse_terms(encode(value))


def test_3_5_terms_read_back_as_they_were_made() -> None:
    again = parse_terms(TERMS.raw)
    assert again == TERMS
    assert [party.name for party in again.parties] == sorted(
        ["ALPHA", "BRAVO"], key=lambda name: ROOTS[name].public.ed25519_key
    )


def test_3_5_two_to_sixteen_parties() -> None:
    assert len(terms("ALPHA", "BRAVO", "CHARLIE").parties) == 3
    with pytest.raises(Malformed):
        terms("ALPHA")
    value = body()
    sixteen = []
    for number in range(17):
        party = dict(value[1][0])
        party |= {0: f"S{number}", 1: bytes([number + 3]) * 32, 2: secret(f"a{number}"), 3: bytes([number + 100]) * 32,
                  4: secret(f"b{number}")}  # fmt: skip
        sixteen.append(party)
    value[1] = sixteen[:16]
    assert len(parse_terms(encode(value)).parties) == 16
    value[1] = sixteen
    with pytest.raises(TooLarge):
        parse_terms(encode(value))
    none: Any
    for none in ([], {}, None, 2):
        value[1] = none
        refused(value)


def test_3_5_parties_stand_in_the_order_of_their_root_keys() -> None:
    value = body()
    value[1].reverse()
    refused(value)


@pytest.mark.parametrize("suite", [0, 2, 255, 256, -1, "1", None, True])
def test_3_5_another_suite_is_refused(suite: Any) -> None:
    refused({**body(), 0: suite})


@pytest.mark.parametrize("member", range(6))
def test_3_5_every_member_of_a_party_is_needed_in_its_type_and_size(member: int) -> None:
    other: Any
    for other in (None, b"", bytes(31), bytes(33), 5, [], {}):
        value = body()
        value[1][0][member] = other
        refused(value)
    value = body()
    del value[1][0][member]
    refused(value)


@pytest.mark.parametrize("member", range(3))
def test_3_5_every_member_of_the_terms_is_needed(member: int) -> None:
    value = body()
    del value[member]
    refused(value)


def test_3_5_maps_and_arrays_do_not_pass_for_each_other() -> None:
    value = body()
    refused([value[0], value[1], value[2]])
    refused({**value, 2: [value[2][key] for key in sorted(value[2])]})
    refused({**value, 1: [[party[key] for key in range(6)] for party in value[1]]})
    refused({**value, 1: dict(enumerate(value[1]))})


@pytest.mark.parametrize("member, other", [(0, 0), (1, 1), (1, 3), (3, 3), (2, 2), (2, 4), (4, 4)])
def test_3_15_nothing_serves_twice(member: int, other: int) -> None:
    value = body()
    value[1][0][member] = value[1][1][other]
    value[1].sort(key=lambda party: party[1])
    refused(value)


def test_3_15_a_partys_own_keys_differ() -> None:
    for member, other in ((1, 3), (2, 4)):
        value = body()
        value[1][0][other] = value[1][0][member]
        refused(value)


@pytest.mark.parametrize("point", SMALL_ORDER)
@pytest.mark.parametrize("member", [1, 3])
def test_3_15_a_weak_key_is_refused(point: str, member: int) -> None:
    value = body()
    value[1][0][member] = bytes.fromhex(point)
    value[1].sort(key=lambda party: party[1])
    refused(value)


@pytest.mark.parametrize("name", ["A", "7", "ALPHA-2", "A" * 16, "A--B", "0123456789ABCDEF"])
def test_3_1_names_of_stations(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "A" * 17, "alpha", "-A", "A-", "-", "A B", "A\n", "A_B", "É", "Α", "A\x00", "١"])
def test_3_1_other_names_are_refused(name: str) -> None:
    with pytest.raises(Malformed):
        check_name(name)
    value = body()
    value[1][0][0] = name
    refused(value)


@pytest.mark.parametrize("tag", ["en", "fr", "ru", "ar", "sr-Latn", "zh-Hant-TW", "tlh", "de-1996-x-y"])
def test_3_16_language_tags(tag: str) -> None:
    assert check_language(tag) == tag


@pytest.mark.parametrize(
    "tag", ["", "e", "EN", "english", "en-", "en_GB", "en-toolongpart", "en-a-b-c-d", "en\n", "еn", "en "]
)
def test_3_16_other_language_tags_are_refused(tag: str) -> None:
    with pytest.raises(Malformed):
        check_language(tag)


def test_3_7_the_defaults_are_those_of_the_table() -> None:
    assert policy_value(Policy()) == {
        0: "", 1: ["en"], 2: 60, 3: [10, 30, 180, 360], 4: [3_600, 20_000, 256], 5: False, 6: [], 7: False,
    }  # fmt: skip
    assert parse_policy(policy_value(Policy())) == Policy()


@pytest.mark.parametrize(
    "member, most",
    [
        (0, "x" * 256), (0, ""), (1, ["en"] * 16), (1, []), (2, 0), (2, 10_080), (3, [525_600] * 4), (3, [0] * 4),
        (4, [2**32, 2**32, 2**20]), (4, [0, 0, 0]), (5, True), (7, True),
    ],
)  # fmt: skip
def test_3_7_each_bound_is_allowed(member: int, most: Any) -> None:
    value: Any = policy_value(Policy())
    value[member] = most
    assert policy_value(parse_policy(value)) == value


@pytest.mark.parametrize(
    "member, beyond",
    [
        (0, "x" * 257), (0, "é" * 129), (0, b""), (0, None), (1, ["en"] * 17), (1, ["EN"]), (1, [1]), (1, "en"), (2, 10_081),
        (2, -1), (2, True), (2, None), (3, [525_601] * 4), (3, [0] * 3), (3, [0, 0, 0, -1]), (3, [0, 0, 0, "0"]), (3, {0: 0}),
        (4, [2**32 + 1, 0, 0]), (4, [0, 2**32 + 1, 0]), (4, [0, 0, 2**20 + 1]), (4, [0, 0]), (5, 1), (5, None), (6, None),
        (6, {}), (7, 0), (7, None),
    ],
)  # fmt: skip
def test_3_7_beyond_a_bound_is_refused(member: int, beyond: Any) -> None:
    value: Any = policy_value(Policy())
    value[member] = beyond
    with pytest.raises((Malformed, TooLarge)):
        parse_policy(value)


@pytest.mark.parametrize("member", range(8))
def test_3_7_every_member_of_a_policy_is_needed(member: int) -> None:
    value: Any = policy_value(Policy())
    del value[member]
    with pytest.raises(Malformed):
        parse_policy(value)


def test_3_7_members_of_a_newer_version_are_kept() -> None:
    """And what stands in longer arrays is ignored (2.8); the bytes of the terms are kept in any case."""
    value: Any = policy_value(Policy())
    newer = {**value, 6: [[1, "weekly"]], 8: "more", 100: [1, {2: b"3"}], "text": None}
    read = parse_policy(newer)
    assert policy_value(read) == newer
    assert parse_policy({**value, 3: [1, 2, 3, 4, 5], 4: [1, 2, 3, 4]}).handling_minutes == (1, 2, 3, 4)
    raw = encode({**body(), 2: newer, 3: "more"})
    assert parse_terms(raw).raw == raw


def test_3_8_the_line_id_is_the_hash_of_the_bytes() -> None:
    assert TERMS.line == line_id(TERMS.raw) == digest(b"openline/1 terms\n" + TERMS.raw)


def test_3_8_any_other_terms_are_another_line() -> None:
    """And 3.19: other members or other keys among them; nothing that is said on a line changes those."""
    others = {terms(policy=Policy(title="Other")).line, terms("ALPHA", "CHARLIE").line, TERMS.line}
    fresh = make_terms((card("ALPHA").party(bytes(32)), card("BRAVO").party(secret("BRAVO nonce"))), TERMS.policy)
    assert len(others | {fresh.line}) == 4


@given(st.integers(0, len(TERMS.raw) * 8 - 1))
def test_3_8_a_flipped_bit_is_another_line_or_refused(bit: int) -> None:
    changed = bytearray(TERMS.raw)
    changed[bit >> 3] ^= 1 << (bit & 7)
    try:
        assert parse_terms(bytes(changed)).line != TERMS.line
    except Refused:
        pass


def test_3_9_a_partys_number_is_its_place() -> None:
    for number, party in enumerate(TERMS.parties):
        assert TERMS.party_of_root(party.root) == number
    with pytest.raises(Unknown):
        TERMS.party_of_root(LANES["ALPHA"].public.ed25519_key)


@given(st.binary(max_size=200))
def test_3_5_hostile_terms_are_refused_and_nothing_else(data: bytes) -> None:
    with pytest.raises(Refused):
        parse_terms(data)
