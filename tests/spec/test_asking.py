"""Demands, queries and their answers, translations, and receipts of acting units (spec 6.100 to 6.104)."""

from dataclasses import replace

import pytest

from openline.archive.entry_text import describe
from openline.kernel.codec import Value, decode, encode
from openline.kernel.errors import Malformed, TooLarge
from openline.kernel.lane import GENERATION_ZERO, Generation, Lane
from openline.kernel.terms import Policy
from openline.kernel.units import Instant
from openline.protocol import entries as k
from openline.protocol.bodies import decode_body, encode_body
from openline.protocol.clocks import Basis, Phase, clocks_of, running
from openline.protocol.entries import AnyEntry, Kind, Precedence, Role, Step, fits
from openline.protocol.facts import Mark
from openline.protocol.fields import Ref
from openline.protocol.snapshots import restore, snapshot
from openline.protocol.transcript import QUERY_ANSWERED, Fold
from tests.spec.test_transcript import (
    LATER,
    LINE,
    OFFICER,
    POLICY,
    World,
    decline,
    interim,
    marks,
    message,
    receipt,
    void,
)

HOUR = 3_600_000


def query(ref: Ref, passage: k.Passage | None = None) -> k.Query:
    return k.Query(of=ref, text="Which day?", language="en", role=OFFICER, sign="K7", passage=passage)


def answer(ref: Ref) -> k.Answer:
    return k.Answer(of=ref, text="Monday.", language="en", role=OFFICER, sign="W1")


def translation(ref: Ref, grade: k.Grade = k.Grade.SIGHT) -> k.Translation:
    return k.Translation(of=ref, language="fr", text="mots", grade=grade, role=Role.INTERPRETER, sign="I1")


def demands(fold: Fold) -> list[int]:
    return [clock.due for clock in running(fold) if clock.basis is Basis.ACKNOWLEDGE_BY]


def demanded(precedence: Precedence = Precedence.ROUTINE) -> k.Message:
    return message(precedence, acknowledge_by=Instant(5_000))


# --- a demand -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["read", "relayed", "interim", "decline", "query", "answer"])
def test_6_100_a_persons_word_meets_a_demand(how: str) -> None:
    world = World()
    ref = world.write(0, demanded())
    assert demands(world.fold()) == [5_000]
    words: dict[str, AnyEntry] = {
        "read": receipt(ref, Step.READ),
        "relayed": receipt(ref, Step.RELAYED),
        "interim": interim(ref, 9_000),
        "decline": decline(ref),
        "query": query(ref),
        "answer": message(answers=ref),
    }
    world.write(1, words[how])
    fold = world.fold()
    assert demands(fold) == []
    assert fold.status(1, GENERATION_ZERO, 0).acknowledge_by is None


def test_6_100_presented_is_no_persons_word() -> None:
    world = World()
    world.write(1, receipt(world.write(0, demanded()), Step.PRESENTED))
    assert demands(world.fold()) == [5_000]


def test_6_100_a_demand_stands_until_every_party_has_met_it_and_is_overdue_from_its_moment() -> None:
    world = World(3)
    ref = world.write(0, demanded())
    world.write(1, receipt(ref))
    fold = world.fold()
    (clock,) = [each for each in running(fold) if each.basis is Basis.ACKNOWLEDGE_BY]
    assert (clock.party, clock.phase(Instant(4_999)), clock.phase(Instant(5_000))) == (
        2,
        Phase.LAST_QUARTER,
        Phase.OVERDUE,
    )
    world.write(2, receipt(ref))
    assert demands(world.fold()) == []


def test_6_100_a_superseded_message_demands_nothing() -> None:
    world = World()
    ref = world.write(0, demanded())
    world.write(0, message(supersedes=ref))
    assert demands(world.fold()) == []


def test_6_100_the_handling_time_counts_where_it_ends_before() -> None:
    world = World()
    world.write(0, message(Precedence.FLASH, acknowledge_by=Instant(100 * HOUR)))
    fold = world.fold()
    (clock,) = clocks_of(fold.status(0, GENERATION_ZERO, 0), fold.policy)
    assert clock.basis is Basis.HANDLING


def test_6_100_and_6_73_a_demand_is_part_of_the_state_while_it_stands() -> None:
    plain, asking = World(), World()
    plain.write(0, message())
    ref = asking.write(0, demanded())
    assert plain.fold().digest() != asking.fold().digest()
    for world in (plain, asking):
        world.write(1, receipt(ref))
    assert plain.fold().digest() == asking.fold().digest()


# --- queries and answers ----------------------------------------------------------------------------------------------


def test_6_101_a_query_about_anothers_message_is_marked_and_ones_own_is_void() -> None:
    world = World()
    ref = world.write(0, message(answer_by=Instant(9_000)))
    world.write(1, query(ref, k.Passage(start=0, end=1, words="x")))
    fold = world.fold()
    assert marks(fold, ref, 1) is Mark.QUERIED
    assert [status.answer_by for status in fold.open_messages()] == [9_000]
    world.write(0, query(ref))
    assert void(world.fold()) == 1


@pytest.mark.parametrize(
    "place, words",
    [([0, 2], "x"), ([1, 1], ""), ([2, 1], "x"), ([0], "x"), ("0-1", "x"), ([-1, 1], "xx"), ([0, 1, 2], "x")],
)
def test_6_101_a_passage_that_is_not_as_long_as_its_words_is_refused(place: Value, words: str) -> None:
    ref = Ref(lane=1, generation=GENERATION_ZERO, index=0, leaf=bytes(32))
    members = decode(encode_body(query(ref)))
    assert isinstance(members, dict)
    with pytest.raises(Malformed):
        decode_body(Kind.QUERY, encode(members | {5: place, 6: words}))
    halves: tuple[dict[int, Value], ...] = ({5: [0, 1]}, {6: "x"})
    for half in halves:
        with pytest.raises(Malformed):
            decode_body(Kind.QUERY, encode(members | half))


def test_6_101_a_passage_counts_code_points_and_is_bounded() -> None:
    ref = Ref(lane=1, generation=GENERATION_ZERO, index=0, leaf=bytes(32))
    whole = query(ref, k.Passage(start=3, end=5, words="😀й"))
    assert decode_body(Kind.QUERY, encode_body(whole)) == whole
    long = k.MAX_QUERY + 1
    with pytest.raises(TooLarge):
        encode_body(query(ref, k.Passage(start=0, end=long, words="x" * long)))
    with pytest.raises(TooLarge):
        encode_body(replace(whole, text="x" * long))


def test_6_102_an_answer_names_a_query_of_another_party() -> None:
    world = World()
    ref = world.write(0, message())
    asked = world.write(1, query(ref))
    world.write(0, answer(asked))
    fold = world.fold()
    ledger = fold.lanes[asked.lane, asked.generation]
    assert ledger.queries.of(ledger.queries.find(asked.index)) == bytes((QUERY_ANSWERED, 0))
    assert ledger.answers.of(0, 9) == [(0, GENERATION_ZERO, 0)]
    assert (void(fold), marks(fold, ref, 1)) == (0, Mark.QUERIED)
    world.write(1, answer(asked))  # its own
    world.write(0, answer(ref))  # not a query
    assert void(world.fold()) == 2


@pytest.mark.parametrize("order", [[], [1] * 9, [0, 1, 0, 1]])
def test_6_23_queries_and_answers_may_come_before_what_they_name(order: list[int]) -> None:
    world = World()
    ref = world.write(0, message(Precedence.ROUTINE))
    asked = world.write(1, query(ref), LATER)
    world.write(0, answer(asked))
    world.write(1, translation(ref))
    fold = world.fold(order)
    assert fold.waiting() == 0
    assert fold.digest() == world.fold().digest()
    assert sorted(fold.lanes[1, GENERATION_ZERO].remarks.of(0, 9)) == [(2, LATER, 0), (3, GENERATION_ZERO, 0)]


def test_6_63_a_snapshot_keeps_demands_queries_and_who_spoke_of_what() -> None:
    world = World()
    ref = world.write(0, demanded())
    other = world.write(0, message())
    asked = world.write(1, query(other))
    world.write(1, query(Ref(lane=1, generation=GENERATION_ZERO, index=7, leaf=bytes(32))))  # waits
    world.write(0, answer(asked))
    world.write(1, receipt(other, Step.PRESENTED), Generation(3, b"\xff" * 8))
    fold = world.fold()
    again = restore(snapshot(fold), LINE, 2, POLICY)
    assert again.digest() == fold.digest()
    assert demands(again) == demands(fold) == [5_000]
    ledger = again.lanes[ref.lane, ref.generation]
    assert ledger.remarks.of(1, 9) == [(2, GENERATION_ZERO, 0), (2, Generation(3, b"\xff" * 8), 0)]
    assert again.lanes[2, GENERATION_ZERO].answers.of(0, 9) == [(0, GENERATION_ZERO, 0)]


# --- translations -----------------------------------------------------------------------------------------------------


def test_6_103_anybody_may_translate_any_message_and_it_changes_no_state_of_it() -> None:
    world = World()
    ref = world.write(0, message())
    before = world.fold().status(1, GENERATION_ZERO, 0)
    world.write(0, translation(ref, k.Grade.OFFICIAL))
    world.write(1, translation(ref))
    fold = world.fold()
    assert (void(fold), fold.status(1, GENERATION_ZERO, 0)) == (0, before)
    assert len(fold.lanes[1, GENERATION_ZERO].remarks.of(0, 9)) == 2
    world.write(1, translation(Ref(lane=3, generation=GENERATION_ZERO, index=0, leaf=bytes(32))))
    assert void(world.fold()) == 1


@pytest.mark.parametrize("lane", [0, 1])
def test_6_103_and_6_5_a_translation_goes_as_fast_as_what_it_translates(lane: int) -> None:
    entry = translation(Ref(lane=lane, generation=GENERATION_ZERO, index=0, leaf=bytes(32)))
    assert fits(entry, urgent=lane == 0, index=1, opening=True)
    assert not fits(entry, urgent=lane == 1, index=1, opening=True)


# --- acting units, and how all of it reads --------------------------------------------------------------------------


def test_6_104_a_receipt_names_the_acting_unit() -> None:
    world = World()
    ref = world.write(0, message())
    relayed = replace(receipt(ref, Step.RELAYED), unit="ECHO3")
    assert decode_body(Kind.RECEIPT, encode_body(relayed)) == relayed
    world.write(1, relayed)
    assert marks(world.fold(), ref, 1) is Mark.RELAYED
    with pytest.raises(Malformed):
        encode_body(replace(relayed, unit="echo 3"))


def test_6_7_an_export_says_all_of_it_in_inert_lines() -> None:
    ref = Ref(lane=1, generation=GENERATION_ZERO, index=4, leaf=bytes(32))
    names = ["ALPHA", "BRAVO"]
    asked = query(ref, k.Passage(start=2, end=5, words="a\u202eb"))
    assert describe(asked, names) == [
        "QUERY ALPHA traffic 4 (00000000) characters 2 to 5 en by watch officer K7",
        "| a<U+202E>b",
        "asks",
        "| Which day?",
    ]
    assert describe(query(ref), names)[1:] == ["| Which day?"]
    assert describe(answer(ref), names) == ["ANSWER ALPHA traffic 4 (00000000) en by watch officer W1", "| Monday."]
    assert describe(translation(ref), names) == [
        "TRANSLATION SIGHT ALPHA traffic 4 (00000000) fr by interpreter I1",
        "| mots",
    ]
    assert "acknowledge by 1970-01-01 00:00:05.000 UTC" in describe(demanded(), names)[0]
    assert "RELAYED to acting unit ECHO3" in describe(replace(receipt(ref, Step.RELAYED), unit="ECHO3"), names)[0]


def test_6_9_what_an_older_program_sees_of_them_is_an_unknown_kind_that_it_keeps() -> None:
    # To it they are what any number beyond its own is: the fold counts them, and nothing else changes.
    ref = Ref(lane=1, generation=GENERATION_ZERO, index=0, leaf=bytes(32))
    fold = Fold(LINE, 2, Policy())
    asked: tuple[AnyEntry, ...] = (query(ref), answer(ref))
    for index, entry in enumerate(asked):
        kept = k.Unknown(kind=int(Kind.QUERY) + index + 100, raw=encode_body(entry))
        assert fold.apply(Lane(LINE, 2, GENERATION_ZERO), index, bytes(32), kept.kind, 0, kept) == []
    assert void(fold) == 0
