"""Adjacent versions: what a newer one may add, and what the first one wrote. Spec 16."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openline.kernel.codec import Value, decode, encode
from openline.kernel.errors import Malformed, Refused
from openline.kernel.keys import Keyring, read_card
from openline.kernel.lane import Entry, Head, Lane, SignedHead, leaf_of, parse_generation
from openline.kernel.merkle import leaf_hash
from openline.kernel.terms import Policy, parse_terms
from openline.kernel.units import Instant
from openline.protocol.acknowledgements import decode_ack
from openline.protocol.bodies import decode_body
from openline.protocol.entries import Unknown
from openline.protocol.folding import load_fold
from openline.protocol.frames import Entries, decode_content
from openline.protocol.lanes import LaneBook
from openline.protocol.pairing_messages import decode_message
from openline.protocol.quotas import quotas_of
from openline.protocol.records import Append, EntryRow, PutGeneration, PutHead
from openline.protocol.transfers import Transfers
from tests.sim.memory_store import MemoryStore
from tests.spec.line import Line, message

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.json"))


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_16_3_an_unknown_kind_is_kept_acknowledged_and_shown_with_its_number() -> None:
    line = Line()
    alpha, bravo = line.hosts
    bravo.write(4_711, b"not even CBOR \xff", urgent=False)
    bravo.say(message("and on it goes"))
    line.settle()
    shown = [each for each in alpha.shown() if each.kind == 4_711]
    assert isinstance(shown[0].entry, Unknown)
    assert shown[0].row.entry.body == b"not even CBOR \xff"
    assert alpha.texts() == ["and on it goes"]
    assert not alpha.noticed("refused-entry")
    assert [held for held in bravo.holds(0) if held.lane == 3 and held.size == 3]


def test_16_4_unknown_keys_of_a_known_kind_are_kept_as_bytes_and_ignored() -> None:
    line = Line()
    alpha, bravo = line.hosts
    body = encode({0: 3, 2: "en", 3: "from a newer version", 4: [0], 77: [1, {2: None}]})
    bravo.write(16, body, urgent=False)
    line.settle()
    assert alpha.texts() == ["from a newer version"]
    assert alpha.shown()[-1].row.entry.body == body or any(shown.row.entry.body == body for shown in alpha.shown())


def test_16_5_unknown_frames_and_added_members_are_ignored_and_counted() -> None:
    line = Line()
    alpha, bravo = line.hosts
    bravo.lie(0, [200, {1: "of a version to come"}], [5, [], "one member more"], [3, 1, 0, bytes(8), 0, 0, "more"])
    assert [notice.number for notice in alpha.noticed("frame-unknown")] == [1]
    assert not alpha.noticed("envelope-refused")


def test_16_4_unknown_members_of_the_policy_are_kept_and_signed() -> None:
    line = Line(policy=Policy(title="newer", extra=((12, ["value", 1]),)))
    assert parse_terms(line.terms.raw).policy.extra == ((12, ["value", 1]),)
    line.hosts[0].say(message("works"))
    line.settle()
    assert line.hosts[1].texts() == ["works"]


def test_2_8_arrays_in_bodies_and_frames_grow_and_identities_do_not() -> None:
    """And 2.9: what one implementation takes for longer and another refuses would part their states."""
    ref: list[Value] = [0, 0, bytes(8), 0, bytes(32)]
    protection: list[Value] = ["DTLS 1.3", "AES", "SRTP", 0, 1, 0]
    seat: dict[int, Value] = {0: ref, 1: 5, 2: 0, 3: 0, 4: "W1"}
    word: dict[int, Value] = {0: ref, 2: 0, 3: "W1"}
    query: dict[int, Value] = {0: ref, 1: "what", 2: "en", 3: 0, 4: "W1", 6: "ab"}
    entry: list[Value] = [3, 0, None, encode({})]
    held: list[Value] = [0, 0, bytes(8), 1]
    item: list[Value] = [2, 0, bytes(8), 1, bytes(32), []]
    grown: list[Callable[[], object]] = [
        lambda: decode_body(28, encode({**seat, 8: [*protection, *range(10)]})),
        lambda: decode_body(32, encode({**word, 1: [[True, "so", 7]]})),
        lambda: decode_content(bytes(32), encode([0, 0, [0, 0, 0, 0, [[*entry, 7]], bytes(64), 7]])),
        lambda: decode_content(bytes(32), encode([0, 0, [5, [[*held, 7]], 7]])),
        lambda: decode_content(bytes(32), encode([0, 0, [0, 0, 0, 0, [[3, 0, [item], b""]], bytes(64)]])),
    ]
    for take in grown:
        take()
    exact: list[Callable[[], object]] = [
        lambda: decode_body(28, encode({**seat, 8: [*protection, *range(11)]})),
        lambda: decode_body(22, encode({**query, 5: [0, 2, 7]})),
        lambda: decode_body(23, encode({**query, 0: [*ref, 7]})),
        lambda: decode_content(bytes(32), encode([0, 0, [0, 0, 0, 0, [[3, 0, [[*item, 7]], b""]], bytes(64)]])),
        lambda: decode_ack(encode([[*item, 7]])),
        lambda: decode_message(encode([30, bytes(32), 7])),
    ]
    decode_body(22, encode({**query, 5: [0, 2]}))
    decode_ack(encode([item]))
    decode_message(encode([30, bytes(32)]))
    for refused in exact:
        with pytest.raises(Refused):
            refused()


def test_16_7_a_number_that_a_place_does_not_list_is_refused_visibly() -> None:
    line = Line()
    alpha, bravo = line.hosts
    bravo.write(16, encode({0: 3, 2: "en", 3: "for a role to come", 4: [9]}), urgent=False)
    line.settle()
    assert alpha.noticed("refused-entry")
    assert not alpha.texts()


def test_16_1_another_suite_is_refused() -> None:
    terms = decode(Line(opened=False).terms.raw)
    assert isinstance(terms, dict)
    with pytest.raises(Malformed):
        parse_terms(encode({**terms, 0: 2}))


def rebuilt(found: dict[str, Any]) -> tuple[MemoryStore, LaneBook]:
    """A store as that version left it, and the lanes as this version reads them."""
    terms = parse_terms(bytes.fromhex(found["terms"]))
    cards = [read_card(bytes.fromhex(card)) for card in found["cards"]]
    store = MemoryStore(terms.line)
    for party, generation, seed in found["generations"]:
        store.commit([PutGeneration(party=party, generation=parse_generation(generation), seed=bytes.fromhex(seed))])
    for origin, lane_found in found["lanes"].items():
        lane = lane_named(terms.line, origin)
        rows = tuple(row_of(index, row) for index, row in enumerate(lane_found["rows"]))
        store.commit([Append(lane=lane, size=0, rows=rows)])
        for size, root, ed25519, mldsa in lane_found["heads"]:
            head = Head(lane=lane, size=size, root=bytes.fromhex(root))
            store.commit(
                [PutHead(signed=SignedHead(head=head, ed25519=bytes.fromhex(ed25519), mldsa=bytes.fromhex(mldsa)))]
            )
    return store, LaneBook(terms, found["party"], [Keyring(card.root, card.lane) for card in cards], store)


def lane_named(line: bytes, origin: str) -> Lane:
    number, _, generation = origin.partition("/")[2].partition(".")
    return Lane(line, int(number), parse_generation(generation))


def row_of(index: int, row: list[Any]) -> EntryRow:
    nodes, kind, time, ack, body, secret, refused = row
    parts = {
        name: bytes.fromhex(part)
        for name, part in zip(("kind", "time", "ack", "body", "secret"), (kind, time, ack, body, secret), strict=True)
    }
    return EntryRow(
        index=index, nodes=tuple(bytes.fromhex(node) for node in nodes), entry=Entry(**parts), refused=refused
    )


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_16_6_what_a_release_kept_is_read_as_it_was_meant(path: Path) -> None:
    """From the first release on: entries, signatures, trees and the state they come to."""
    found = load(path)
    _, book = rebuilt(found)
    for origin, lane_found in found["lanes"].items():
        state = book.state(lane_named(book.terms.line, origin))
        for row in book.rows(state, 0, state.size):
            assert leaf_hash(leaf_of(state.lane, row.index, row.entry)) == row.nodes[0]
        for size, root, ed25519, mldsa in lane_found["heads"]:
            head = Head(lane=state.lane, size=size, root=bytes.fromhex(root))
            assert book.root_at(state, size) == head.root
            if ed25519:
                SignedHead(head=head, ed25519=bytes.fromhex(ed25519), mldsa=bytes.fromhex(mldsa)).check(
                    book.owner(state.lane)
                )


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_16_3_what_a_release_kept_folds_to_the_state_it_had(path: Path) -> None:
    """And 16.9: the fold of today gives what was said then the meaning it had."""
    found = load(path)
    store, book = rebuilt(found)
    quotas = {party: quotas_of(book.terms.policy, Instant(0)) for party in range(2)}
    fold = load_fold(book, store, Transfers(store, quotas))
    assert fold.digest().hex() == found["state"]


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_16_2_what_a_release_sent_is_still_understood(path: Path) -> None:
    """Every content is read frame for frame, and the short entries among them check under their signatures."""
    found = load(path)
    _, book = rebuilt(found)
    checked = 0
    for receiver, content, names in found["contents"]:
        read = decode_content(book.terms.line, bytes.fromhex(content))
        assert [type(frame).__name__ for frame in read.frames] == names
        assert not read.unknown
        for frame in read.frames:
            if isinstance(frame, Entries) and receiver == found["party"]:
                checked += entries_check(book, frame)
    assert checked


def entries_check(book: LaneBook, frame: Entries) -> bool:
    """Whether a short frame, expanded by this version, is signed as it stands."""
    generation = book.named.of_counter(frame.lane // 2, frame.counter)
    assert generation is not None
    state = book.state(book.lane(frame.lane, generation))
    before = book.rows(state, frame.first - 1, 1) if frame.first else []
    for row in before:
        state.last_time, state.last_ack = int.from_bytes(row.entry.time[1:], "big"), row.entry.ack
    if not frame.first:
        state.last_time, state.last_ack = 0, b"\x80"
    try:
        entries = book.opened(state, frame)
    except Refused:
        return False
    kept = [row.entry for row in book.rows(state, frame.first, len(frame.items))]
    if any(row.refused for row in [*before, *book.rows(state, frame.first, len(frame.items))]):
        return False
    assert entries == kept
    return True


def test_16_12_nothing_in_an_envelope_is_compressed_or_negotiated() -> None:
    """Content is CBOR of known frames: what is said is as long as what is sent."""
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("a" * 4_000))
    assert max(len(sent.envelope) for _, sent in line.under_way) == 16_384
    line.settle()
    assert bravo.texts() == ["a" * 4_000]
