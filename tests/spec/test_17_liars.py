"""What a party that lies in its own lane can make others believe of calls: nothing beyond itself. Spec 17."""

from dataclasses import replace

from openline.kernel.units import MAX_INSTANT, Instant
from openline.protocol import call_entries as c
from openline.protocol.call_states import (
    KEPT_CALLS,
    MAX_AHEAD,
    MAX_DRAFTS,
    MAX_SEAT_ACTS,
    CallBook,
    CallState,
    MinutesState,
    Said,
)
from openline.protocol.entries import AnyEntry
from openline.protocol.fields import Ref
from tests.spec.call_samples import PROTECTION
from tests.spec.calling import CALLER_KEY, LINE, OFFICER, Lanes, key, ref
from tests.spec.test_17_calls import called, the


def later(lanes: Lanes, party: int, count: int, time: int = 2**46) -> list[Said]:
    """Calls of that party, refused and hung up, that claim to be of a far future."""
    rings = []
    for number in range(count):
        rings.append(lanes.ring(party, time=time + number))
        lanes.refuse(1 - party, rings[-1])
        lanes.hang_up(party, rings[-1], c.EndCause.CONFIRMS)
    return rings


def test_17_19_calls_of_a_far_future_do_not_push_out_one_that_its_own_station_has_not_hung_up() -> None:
    lanes = Lanes()
    later(lanes, 1, KEPT_CALLS + 10)
    rung = lanes.ring(0)
    lanes.open(rung, lanes.pick_up(1, rung))
    lanes.hang_up(1, rung)
    later(lanes, 1, KEPT_CALLS + 10)
    assert the(lanes.book(), rung).state is CallState.ENDED  # its caller's lane has it open: another ring would be void


def test_17_19_what_this_station_has_not_settled_is_kept_and_missed_calls_push_out_no_held_one() -> None:
    lanes = Lanes()
    held = called(lanes)
    owed = lanes.ring(1)
    lanes.hang_up(1, owed, c.EndCause.WITHDRAWN)
    later(lanes, 1, KEPT_CALLS + 10)
    book = CallBook(LINE, 2, own=0)
    for said in lanes.said:
        book.take(said)
    assert the(book, held).state is CallState.ENDED
    assert the(book, owed).state is CallState.WITHDRAWN
    assert len(book.calls()) <= KEPT_CALLS + 1


def test_17_19_calls_stand_in_the_order_in_which_they_came_whatever_they_claim() -> None:
    lanes = Lanes()
    first = later(lanes, 1, 2, int(MAX_INSTANT) - 10)
    second = later(lanes, 0, 2, 1_000)
    assert [call.place for call in lanes.book().calls()] == [s.place for s in reversed([*first, *second])]


def test_17_15_typed_lines_stand_in_the_order_in_which_they_came() -> None:
    lanes = Lanes()
    rung = lanes.ring()
    lanes.open(rung, lanes.pick_up(1, rung))
    lanes.typed(0, rung, "Do you agree?", 5_000)
    lanes.typed(1, rung, "Yes", 1)
    lanes.typed(1, rung, "of a far future", 2**46)
    lanes.typed(0, rung, "the last", 6_000)
    book = CallBook(LINE, 2)
    for number, said in enumerate(lanes.said):
        book.take(replace(said, seq=number + 1))
    texts = [said.entry.text for said in the(book, rung).typed if isinstance(said.entry, c.TypedLine)]
    assert texts == ["Do you agree?", "Yes", "of a far future", "the last"]


def test_17_17_nobody_writes_agreed_minutes_away() -> None:
    lanes = Lanes()
    rung = called(lanes)
    ours, theirs = lanes.minutes(0, rung, "one"), lanes.minutes(1, rung, "two")
    lanes.word(1, ours, True)
    for number in range(200):
        lanes.minutes(1, rung, f"draft {number}", replaces=theirs)
        lanes.word(1, ours, False)
    call = the(lanes.book(), rung)
    assert call.minutes is MinutesState.AGREED
    assert next(draft for draft in call.drafts if draft.said == ours).agreed_by({0, 1})
    lanes = Lanes()
    rung = called(lanes)
    theirs = lanes.minutes(1, rung, "two")
    lanes.word(0, theirs, True)
    for number in range(200):
        lanes.minutes(1, rung, f"draft {number}")
    call = the(lanes.book(), rung)
    assert call.minutes is MinutesState.AGREED
    assert len(call.drafts) == MAX_DRAFTS


def test_17_16_a_word_that_is_void_does_not_take_the_place_of_one_that_counts() -> None:
    lanes = Lanes()
    rung = called(lanes)
    draft = lanes.minutes(0, rung, "one", "two")
    lanes.word(1, draft, True, True)
    lanes.word(1, draft, True)
    assert the(lanes.book(), rung).minutes is MinutesState.AGREED


def test_17_12_who_says_without_end_how_sound_goes_does_not_take_back_what_it_opened() -> None:
    lanes = Lanes()
    rung = lanes.ring()
    lanes.open(rung, lanes.pick_up(1, rung))
    check = the(lanes.book(), rung).check
    assert check is not None
    seen = c.Seat(of=ref(rung), act=c.SeatAct.CONNECTED, number=0, role=OFFICER, sign="K7", protection=PROTECTION)
    for _ in range(MAX_SEAT_ACTS + 10):
        lanes.say(0, seen)
    call = the(lanes.book(), rung)
    assert (call.state, call.check) == (CallState.OPEN, check)
    assert next(seat for seat in call.seats if seat.party == 0).fingerprint == CALLER_KEY
    lanes.open(rung, lanes.said[1], shown=key("another"))  # and nobody opens it twice
    assert not the(lanes.book(), rung).wrong_key


def test_17_4_an_opening_to_a_pick_up_that_never_was_is_a_wrong_key_and_rings_no_more() -> None:
    lanes = Lanes()
    rung = lanes.ring()
    first = lanes.pick_up(1, rung)
    second = lanes.pick_up(1, rung, "second")
    for named in (replace(first, leaf=bytes(32)), second):
        lying = Lanes()
        lying.said = list(lanes.said)
        lying._sizes = dict(lanes._sizes)
        lying.open(rung, named)
        call = the(lying.book(), rung)
        assert (call.state, call.pick_up, call.wrong_key, call.check) == (CallState.OPEN, first, True, None)


def test_17_4_of_three_an_opening_to_what_is_not_held_yet_leaves_the_call_as_it_stood() -> None:
    lanes = Lanes(parties=3)
    rung = lanes.ring()
    mine, other = lanes.pick_up(1, rung, "one"), lanes.pick_up(2, rung, "two")
    lanes.open(rung, other)
    entries = [said for said in lanes.said if said is not other]
    call = the(lanes.book(entries), rung)
    assert (call.state, call.pick_up, call.wrong_key, call.check) == (CallState.OPEN, mine, False, None)
    assert the(lanes.book(), rung).pick_up == other


def test_17_5_who_names_what_never_comes_takes_no_place_from_others() -> None:
    lanes = Lanes(parties=3)
    rung = lanes.ring()
    picked = lanes.pick_up(1, rung)
    missing = Ref(lane=0, generation=rung.place.generation, index=2**40, leaf=bytes(32))
    noise: AnyEntry = c.TypedLine(of=missing, text="x", language="en", role=OFFICER, sign="X1")
    flood = [lanes.say(2, noise) for _ in range(MAX_AHEAD + 10)]
    book = lanes.book([*flood, picked, rung])  # the third party hears of the pick up before it hears of the ring
    assert the(book, rung).state is CallState.OPEN
    assert book._ahead_count[2] == MAX_AHEAD


def test_17_9_a_ring_that_claims_a_far_future_or_past_is_overtaken_by_no_more_than_its_own_lane() -> None:
    lanes = Lanes()
    rung = lanes.ring(1, time=2**46)
    lanes.typed(0, rung, "mine", 5)
    assert not the(lanes.book(), rung).overtaken
    past = Lanes()
    old = past.ring(1, time=0)
    past.typed(0, old, "mine", int(Instant(2**46)))
    assert not the(past.book(), old).overtaken


def test_17_14_who_has_hung_up_says_nothing_more_in_that_call() -> None:
    lanes = Lanes()
    rung = lanes.ring()
    picked = lanes.pick_up(1, rung)
    lanes.hang_up(0, rung, c.EndCause.WITHDRAWN)
    lanes.open(rung, picked)  # it would have been open after all
    call = the(lanes.book(), rung)
    assert (call.state, call.opening, call.wrong_key) == (CallState.WITHDRAWN, None, False)
    lanes = Lanes()
    rung = called(lanes)
    lanes.typed(0, rung, "as if it had been said", 1)
    lanes.seat(0, rung, c.SeatAct.MATCHED)
    lanes.seat(0, rung, c.SeatAct.JOINS, 1, "nobody")
    call = the(lanes.book(), rung)
    assert (call.typed, call.check_words, len(call.seats)) == ((), (), 2)
    lanes = Lanes()
    rung = lanes.ring()
    lanes.hang_up(1, rung)
    lanes.pick_up(1, rung)
    assert the(lanes.book(), rung).state is CallState.WITHDRAWN
