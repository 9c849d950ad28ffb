"""Entries and their bodies, references and acknowledgements (spec 6, 4.16)."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openline.kernel.codec import Value, decode, encode
from openline.kernel.errors import Malformed, Refused, TooLarge
from openline.kernel.lane import GENERATION_ZERO, Generation
from openline.kernel.terms import Policy, policy_value
from openline.kernel.units import MAX_ACK, MAX_BODY, MAX_INSTANT, MAX_REFUSED, MAX_SEQ, MIN_INSTANT, Instant
from openline.protocol import entries as k
from openline.protocol.acknowledgements import NOTHING, AckItem, decode_ack, encode_ack
from openline.protocol.bodies import decode_body, encode_body
from openline.protocol.entries import AnyEntry, Kind, Precedence, Role, kind_of, lane_of, needs_acknowledgement
from openline.protocol.fields import (
    MAX_KIND,
    NamedHead,
    Ref,
    decode_kind,
    decode_ref,
    decode_time,
    encode_kind,
    encode_ref,
    encode_time,
)
from tests.spec.call_samples import CALL_ENTRIES, CALL_EXAMPLES, FULL_EXAMPLES

LATER = Generation(7, bytes(range(8)))
REF = Ref(lane=1, generation=GENERATION_ZERO, index=70_000, leaf=bytes(range(32)))
OFFICER = Role.WATCH_OFFICER
MESSAGE = k.Message(precedence=Precedence.ROUTINE, language="en", text="words")

EXAMPLES: list[AnyEntry] = [
    k.TermsEntry(b"terms"),
    k.GenerationEntry(heads=(), cause=k.Cause.RESTORED),
    k.Ack(),
    k.Propose(replaces=bytes(32), policy=Policy()),
    k.Assent(REF),
    k.Suspend(reason="r", role=OFFICER, sign="K7"),
    k.Lift(reason="r", role=OFFICER, sign="K7"),
    k.Test(text="t", language="en", drill=False, number=1),
    k.EpochEntry(peer=1, attempt=1, mode=k.Mode.FIRST, handshake=bytes(32)),
    k.Watch(attended=True, role=OFFICER, sign="K7"),
    k.Service(text="t", language="en", sign="K7"),
    MESSAGE,
    k.Receipt(of=REF, step=k.Step.READ, role=OFFICER, sign="K7", at=Instant(5)),
    k.Interim(of=REF, until=Instant(5), role=OFFICER, sign="K7"),
    k.Decline(of=REF, reason="r", role=OFFICER, sign="K7"),
    k.Attachment(name="map.png", media_type="image/png", size=1, digest=bytes(32), chunk=256),
    k.AttachmentReceipt(of=REF, state=k.AttachmentState.HELD),
    k.KeyNotice(role=k.KeyRole.LANE, stolen=True, key=bytes(32)),
    k.Query(of=REF, text="which?", language="en", role=OFFICER, sign="K7"),
    k.Answer(of=REF, text="this", language="en", role=OFFICER, sign="K7"),
    k.Translation(of=REF, language="fr", text="mots", grade=k.Grade.ROUGH, role=Role.INTERPRETER, sign="K7"),
    *CALL_EXAMPLES,
    *FULL_EXAMPLES,
]

GENERATIONS = st.just(GENERATION_ZERO) | st.builds(
    Generation, st.integers(1, 2**32 - 1), st.binary(min_size=8, max_size=8)
)
HASHES = st.binary(min_size=32, max_size=32)
REFS = st.builds(Ref, lane=st.integers(0, 31), generation=GENERATIONS, index=st.integers(0, MAX_SEQ), leaf=HASHES)
HEADS = st.builds(NamedHead, lane=st.integers(0, 31), generation=GENERATIONS, size=st.integers(0, MAX_SEQ), root=HASHES)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
SIGNS = st.from_regex(r"\A[A-Z0-9]{1,12}\Z")
LANGUAGES = st.sampled_from(["en", "fr", "ru", "sr-Latn", "zh-Hant-TW"])
MOMENTS = st.integers(MIN_INSTANT, MAX_INSTANT).map(Instant)
ROLES = st.sampled_from(Role)
POLICIES = st.builds(Policy, title=TEXTS, test_minutes=st.integers(0, 10_080), release=st.booleans())
ENTRIES: st.SearchStrategy[AnyEntry] = st.one_of(
    st.builds(k.TermsEntry, st.binary(max_size=200)),
    st.builds(
        k.GenerationEntry,
        heads=st.lists(HEADS, max_size=4).map(tuple),
        cause=st.sampled_from(k.Cause),
        statement=st.binary(max_size=99),
    ),
    st.just(k.Ack()),
    st.builds(k.Propose, replaces=HASHES, policy=POLICIES),
    st.builds(k.Assent, REFS),
    st.builds(k.Suspend, reason=TEXTS, role=ROLES, sign=SIGNS),
    st.builds(k.Lift, reason=TEXTS, role=ROLES, sign=SIGNS),
    st.builds(k.Test, text=TEXTS, language=LANGUAGES, drill=st.booleans(), number=st.integers(0, 2**32 - 1)),
    st.builds(
        k.EpochEntry,
        peer=st.integers(0, 15),
        attempt=st.integers(0, 2**32 - 1),
        mode=st.sampled_from(k.Mode),
        handshake=HASHES,
    ),
    st.builds(k.Watch, attended=st.booleans(), role=ROLES, sign=SIGNS),
    st.builds(k.Service, text=TEXTS, language=LANGUAGES, sign=SIGNS),
    st.builds(
        k.KeyNotice,
        role=st.sampled_from([role for role in k.KeyRole if role is not k.KeyRole.PSK]),
        stolen=st.booleans(),
        key=HASHES,
        card=st.binary(max_size=99),
    ),
    st.builds(k.KeyNotice, role=st.just(k.KeyRole.PSK), stolen=st.booleans(), key=HASHES, peer=st.integers(0, 15)),
    st.builds(
        k.Message,
        precedence=st.sampled_from(Precedence),
        language=LANGUAGES,
        text=TEXTS,
        subject=TEXTS,
        roles=st.lists(ROLES, min_size=1, max_size=k.MAX_ROLES).map(tuple),
        answer_by=st.none() | MOMENTS,
        answers=st.none() | REFS,
        supersedes=st.none() | REFS,
        drafter=st.just("") | SIGNS,
        releaser=st.just("") | SIGNS,
        acknowledge_by=st.none() | MOMENTS,
    ),
    st.builds(
        k.Receipt,
        of=REFS,
        step=st.sampled_from(k.Step),
        role=ROLES,
        sign=SIGNS,
        at=MOMENTS,
        relayed_to=st.none() | ROLES,
        unit=st.just("") | SIGNS,
    ),
    st.builds(k.Interim, of=REFS, until=MOMENTS, role=ROLES, sign=SIGNS, text=TEXTS),
    st.builds(k.Decline, of=REFS, reason=TEXTS, role=ROLES, sign=SIGNS),
    st.builds(
        k.Attachment,
        name=st.sampled_from(["a", "карта 1.png", ".hidden", "a..b"]),
        media_type=st.sampled_from(["image/png", "application/vnd.x+json"]),
        size=st.integers(0, k.MAX_ATTACHMENT),
        digest=HASHES,
        chunk=st.integers(k.MIN_CHUNK, k.MAX_CHUNK),
        of=st.none() | REFS,
    ),
    st.builds(k.AttachmentReceipt, of=REFS, state=st.sampled_from(k.AttachmentState)),
    st.builds(
        k.Query,
        of=REFS,
        text=TEXTS,
        language=LANGUAGES,
        role=ROLES,
        sign=SIGNS,
        passage=st.none() | TEXTS.filter(bool).map(lambda words: k.Passage(start=7, end=7 + len(words), words=words)),
    ),
    st.builds(k.Answer, of=REFS, text=TEXTS, language=LANGUAGES, role=ROLES, sign=SIGNS),
    st.builds(
        k.Translation,
        of=REFS,
        language=LANGUAGES,
        text=TEXTS,
        grade=st.sampled_from(k.Grade),
        role=ROLES,
        sign=SIGNS,
        subject=TEXTS,
    ),
    CALL_ENTRIES,
    st.builds(k.Unknown, kind=st.integers(max(Kind) + 1, MAX_KIND), raw=st.binary(max_size=99)),
)


def members_of(entry: AnyEntry) -> dict[int, Value]:
    members = decode(encode_body(entry))
    assert isinstance(members, dict)
    return members


STRANGE: list[Value] = [None, -1, "?", b"", [], {}, True, 2**63]


def refused(kind: int, members: dict[int, Value]) -> type[Refused] | None:
    try:
        decode_body(kind, encode(members))
    except Refused as refusal:
        return type(refusal)
    return None


# --- bodies ---


@given(ENTRIES)
def test_6_3_what_is_written_is_read(entry: AnyEntry) -> None:
    assert decode_body(kind_of(entry), encode_body(entry)) == entry


@given(st.sampled_from([int(kind) for kind in Kind]) | st.integers(0, MAX_KIND), st.binary(max_size=400))
def test_6_3_any_bytes_are_read_or_refused(kind: int, body: bytes) -> None:
    try:
        decode_body(kind, body)
    except Refused:
        pass


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**64), 2**64 - 1),
    st.binary(max_size=40),
    st.text(max_size=9),
    REFS.map(encode_ref),
)
VALUES: st.SearchStrategy[Value] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.integers(0, 12), inner, max_size=9),
    max_leaves=12,
)


@given(st.sampled_from(Kind), st.dictionaries(st.integers(0, 12), VALUES, max_size=11))
@settings(max_examples=400)
def test_6_3_any_map_is_read_or_refused(kind: Kind, members: dict[int, Value]) -> None:
    refused(kind, members)


@given(st.sampled_from(EXAMPLES), st.integers(0, 9), VALUES)
@settings(max_examples=400)
def test_6_3_any_member_changed_is_read_or_refused(entry: AnyEntry, key: int, value: Value) -> None:
    refused(kind_of(entry), members_of(entry) | {key: value})


@pytest.mark.parametrize("entry", EXAMPLES, ids=lambda entry: type(entry).__name__)
def test_6_3_a_missing_key_is_refused_and_an_unknown_one_ignored(entry: AnyEntry) -> None:
    members, kind = members_of(entry), kind_of(entry)
    for key in members:
        assert refused(kind, {k: v for k, v in members.items() if k != key}) is Malformed
        others: tuple[Value, ...] = (None, -1, (1.5).hex(), b"", [], {}, True, 2**63)
        for other in others:
            if type(other) is not type(members[key]):
                found = refused(kind, members | {key: other})
                assert found in {Malformed, TooLarge}
    assert decode_body(kind, encode(members | {99: [1, "new"]})) == entry


def test_6_3_a_body_is_a_map_with_nothing_after_it() -> None:
    for body in (b"", encode([]), encode(1), encode({}) + b"\x00"):
        with pytest.raises(Malformed):
            decode_body(Kind.ACK, body)


def test_6_9_an_unknown_kind_is_kept_whatever_its_body() -> None:
    assert decode_body(999, b"\xff") == k.Unknown(kind=999, raw=b"\xff")
    assert encode_body(k.Unknown(kind=999, raw=b"\xff")) == b"\xff"
    with pytest.raises(TooLarge):
        decode_body(999, bytes(MAX_BODY + 1))


@pytest.mark.parametrize(
    "entry, key, bound",
    [
        (MESSAGE, 3, k.MAX_TEXT),
        (MESSAGE, 1, k.MAX_SUBJECT),
        (EXAMPLES[7], 0, k.MAX_TEXT),
        (EXAMPLES[10], 0, k.MAX_TEXT),
        (EXAMPLES[5], 0, k.MAX_REASON),
        (EXAMPLES[13], 4, k.MAX_REASON),
        (EXAMPLES[14], 1, k.MAX_REASON),
        (EXAMPLES[15], 0, k.MAX_SUBJECT),
    ],
)
def test_6_7_texts_are_bounded_in_bytes(entry: AnyEntry, key: int, bound: int) -> None:
    kind, members = kind_of(entry), members_of(entry)
    for letter in ("a", "й", "語", "😀"):
        size = len(letter.encode())
        assert refused(kind, members | {key: letter * (bound // size)}) is None
        assert refused(kind, members | {key: letter * (bound // size + 1)}) is TooLarge


@pytest.mark.parametrize(
    "entry, key, most",
    [
        (EXAMPLES[7], 3, 2**32 - 1),
        (EXAMPLES[8], 0, 15),
        (EXAMPLES[8], 1, 2**32 - 1),
        (EXAMPLES[13], 1, MAX_INSTANT),
        (EXAMPLES[15], 2, k.MAX_ATTACHMENT),
        (EXAMPLES[15], 4, k.MAX_CHUNK),
    ],
)
def test_6_7_numbers_are_bounded(entry: AnyEntry, key: int, most: int) -> None:
    kind, members = kind_of(entry), members_of(entry)
    assert refused(kind, members | {key: most}) is None
    assert refused(kind, members | {key: most + 1}) is TooLarge


def test_6_7_a_chunk_is_not_below_its_least_size() -> None:
    kind, members = Kind.ATTACHMENT, members_of(EXAMPLES[15])
    assert refused(kind, members | {4: k.MIN_CHUNK}) is None
    assert refused(kind, members | {4: k.MIN_CHUNK - 1}) is Malformed


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a\\b", "a\x00", "a\n", "a\x7f", "a\x9f", "txt\u202eexe", "\u2066a", "a\u200f"]
)
def test_6_7_a_file_name_is_never_a_path_or_a_trick(name: str) -> None:
    assert refused(Kind.ATTACHMENT, members_of(EXAMPLES[15]) | {0: name}) is Malformed


@pytest.mark.parametrize("media_type", ["", "png", "image/", "/png", "Image/png", "image/png; q=1", "a/b/c"])
def test_6_7_a_media_type_has_one_form(media_type: str) -> None:
    assert refused(Kind.ATTACHMENT, members_of(EXAMPLES[15]) | {1: media_type}) is Malformed


def test_6_6_roles_and_signs() -> None:
    members = members_of(MESSAGE)
    assert refused(Kind.MESSAGE, members | {4: []}) is Malformed
    assert refused(Kind.MESSAGE, members | {4: [6]}) is Malformed
    assert refused(Kind.MESSAGE, members | {4: [0] * (k.MAX_ROLES + 1)}) is TooLarge
    assert refused(Kind.MESSAGE, members | {0: 4}) is Malformed
    for sign in ("", "k7", "A" * 13, "K 7", "К7"):
        assert refused(Kind.MESSAGE, members | {8: sign}) is Malformed
    assert "".join(role.letter for role in Role) == "WPITUA"
    assert [role.title for role in Role][:2] == ["watch officer", "principal"]


def test_6_3_nobody_writes_what_its_peers_would_refuse() -> None:
    with pytest.raises(TooLarge):
        encode_body(replace(MESSAGE, text="x" * (k.MAX_TEXT + 1)))
    with pytest.raises(Malformed):
        encode_body(replace(MESSAGE, drafter="lower"))
    with pytest.raises(TooLarge):
        encode_body(k.TermsEntry(bytes(MAX_BODY)))


def test_6_40_a_policy_keeps_what_a_newer_version_added() -> None:
    value = policy_value(Policy())
    assert isinstance(value, dict)
    found = decode_body(Kind.PROPOSE, encode({0: bytes(32), 1: value | {40: "new"}}))
    assert isinstance(found, k.Propose)
    assert found.policy.extra == ((40, "new"),)
    assert decode_body(Kind.PROPOSE, encode_body(found)) == found


# --- places and small fields ---


def test_6_5_lanes_by_kind() -> None:
    flash = replace(MESSAGE, precedence=Precedence.FLASH)
    traffic = {kind_of(entry) for entry in EXAMPLES if not lane_of(entry)}
    assert traffic == {Kind.PROPOSE, Kind.ASSENT, Kind.MESSAGE, Kind.ATTACHMENT, Kind.TRANSLATION}
    assert lane_of(flash)


def test_6_10_all_but_the_pure_acknowledgement_are_acknowledged() -> None:
    assert [kind for kind in range(30) if not needs_acknowledgement(kind)] == [Kind.ACK]


@given(REFS)
def test_6_4_references_round_trip(ref: Ref) -> None:
    assert decode_ref(encode_ref(ref)) == ref


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        [1, 0, bytes(8), 0],
        [1, 0, bytes(8), 0, bytes(32), 0],
        [1, 0, b"\x01" + bytes(7), 0, bytes(32)],
        [1, 0, bytes(7), 0, bytes(32)],
        [1, 0, bytes(8), 0, bytes(31)],
        [1, False, bytes(8), 0, bytes(32)],
        [True, 0, bytes(8), 0, bytes(32)],
        [32, 0, bytes(8), 0, bytes(32)],
        [1, 2**32, bytes(8), 0, bytes(32)],
        [1, 0, bytes(8), MAX_SEQ + 1, bytes(32)],
        [1, 0, bytes(8), -1, bytes(32)],
    ],
)
def test_6_4_any_other_reference_is_refused(value: Value) -> None:
    with pytest.raises(Refused):
        decode_ref(value)


@given(st.integers(0, MAX_KIND), MOMENTS)
def test_4_14_kind_and_time_are_single_numbers(kind: int, time: Instant) -> None:
    assert decode_kind(encode_kind(kind)) == kind
    assert decode_time(encode_time(time)) == time


@pytest.mark.parametrize("data", [b"", b"\x18\x10", b"\xf5", b"\x10\x10", b"\x60", encode(-1)])
def test_4_14_a_kind_in_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        decode_kind(data)


@pytest.mark.parametrize("data", [encode(MAX_INSTANT + 1), encode(MIN_INSTANT - 1), encode([]), b"\xf4"])
def test_4_14_a_time_beyond_its_bound_is_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        decode_time(data)


def test_4_14_a_kind_beyond_its_bound_is_refused() -> None:
    with pytest.raises(TooLarge):
        decode_kind(encode(MAX_KIND + 1))


# --- acknowledgements ---


def item(lane: int = 1, size: int = 10, refused: tuple[int, ...] = ()) -> AckItem:
    return AckItem(lane=lane, generation=GENERATION_ZERO, size=size, root=bytes(32), refused=refused)


ITEMS = st.builds(
    AckItem,
    lane=st.integers(0, 31),
    generation=GENERATIONS,
    size=st.integers(51, MAX_SEQ),
    root=HASHES,
    refused=st.sets(st.integers(0, 50), max_size=20).map(lambda found: tuple(sorted(found))),
)


@given(st.lists(ITEMS, max_size=10, unique_by=lambda found: found.lane))
def test_4_16_acknowledgements_round_trip(items: list[AckItem]) -> None:
    ascending = tuple(sorted(items, key=lambda found: found.lane))
    assert decode_ack(encode_ack(ascending)) == ascending


@given(st.binary(max_size=200) | VALUES.map(encode))
def test_4_16_any_bytes_are_an_acknowledgement_or_refused(data: bytes) -> None:
    try:
        decode_ack(data)
    except Refused:
        pass


def test_4_16_items_ascend_by_lane_and_name_what_is_held() -> None:
    assert encode_ack([]) == NOTHING
    assert decode_ack(NOTHING) == ()
    bad = [
        [item(2), item(1)],
        [item(1), item(1)],
        [item(size=0)],
        [item(refused=(3, 3))],
        [item(refused=(4, 3))],
        [item(refused=(10,))],
        [item(refused=(-1,))],
    ]
    for items in bad:
        with pytest.raises(Malformed):
            encode_ack(items)


def test_4_16_acknowledgements_are_bounded() -> None:
    most = [item(lane, MAX_SEQ) for lane in range(31)]
    assert len(encode_ack(most)) <= MAX_ACK
    with pytest.raises(TooLarge):
        encode_ack([item(lane, 5) for lane in range(32)])
    assert decode_ack(encode_ack([item(size=9_999, refused=tuple(range(MAX_REFUSED)))]))
    with pytest.raises(TooLarge):
        encode_ack([item(size=9_999, refused=tuple(range(MAX_REFUSED + 1)))])
    with pytest.raises(TooLarge):
        decode_ack(bytes(MAX_ACK + 1))
