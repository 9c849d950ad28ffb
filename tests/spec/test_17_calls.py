"""Calls as entries, and the view that everybody makes of them. Spec 17."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openline.archive.entry_text import clean, describe
from openline.kernel.errors import Malformed, Refused, TooLarge
from openline.kernel.lane import Generation
from openline.kernel.units import Instant
from openline.protocol import call_entries as c
from openline.protocol import entries as k
from openline.protocol.bodies import decode_body, encode_body
from openline.protocol.call_keys import SpokenCheck, commitment, opens_commitment, spoken_check
from openline.protocol.call_states import (
    KEPT_CALLS,
    MAX_TYPED,
    CallBook,
    CallState,
    MinutesState,
    Record,
    Said,
    SeatState,
    may_ring,
)
from openline.protocol.calls import Call
from openline.protocol.entries import Kind, Precedence, fits, kind_of
from openline.protocol.facts import Place
from tests.spec.call_samples import CALL_ENTRIES, CALL_EXAMPLES, FULL_EXAMPLES, PROTECTION, RING_AT
from tests.spec.calling import CALLED_KEY, CALLER_KEY, LINE, NONCE, OFFICER, Lanes, key, ref, ring


def state(lanes: Lanes, of: Said) -> CallState:
    return the(lanes.book(), of).state


def the(book: CallBook, of: Said) -> Call:
    found = book.call(of.place)
    assert found is not None
    return found


# --- bodies ---


@given(CALL_ENTRIES)
def test_17_1_every_entry_about_a_call_stands_in_the_urgent_lane(entry: k.AnyEntry) -> None:
    assert Kind.RING <= kind_of(entry) <= Kind.MINUTES_WORD
    assert fits(entry, urgent=True, index=1, opening=True)
    assert not fits(entry, urgent=False, index=1, opening=True)


def refuses(entry: k.AnyEntry) -> type[Refused]:
    with pytest.raises(Refused) as refusal:
        encode_body(entry)
    return type(refusal.value)


def test_17_2_who_declines_a_call_says_why() -> None:
    declined = c.Refusal(of=RING_AT, cause=c.RefusalCause.DECLINED, role=OFFICER, sign="B2")
    assert refuses(declined) is Malformed
    assert decode_body(Kind.REFUSAL, encode_body(replace(declined, text="a meeting")))
    assert refuses(replace(declined, cause=c.RefusalCause.YIELDS, text="a number kept free")) is Malformed


def test_17_2_a_seat_says_what_its_act_needs() -> None:
    seat = c.Seat(of=RING_AT, act=c.SeatAct.OPENS, number=0, role=OFFICER, sign="K7", fingerprint=key("a"))
    assert refuses(seat) is Malformed
    assert refuses(replace(seat, nonce=NONCE)) is Malformed
    whole = replace(seat, nonce=NONCE, pick_up=RING_AT)
    assert decode_body(Kind.SEAT, encode_body(whole)) == whole
    assert refuses(replace(whole, number=1)) is Malformed
    for act in (c.SeatAct.JOINS, c.SeatAct.TAKES_OVER):
        assert refuses(replace(seat, act=act, fingerprint=b"")) is Malformed
        assert refuses(replace(seat, act=act, fingerprint=b"short")) is Malformed
    assert refuses(replace(seat, act=c.SeatAct.CONNECTED, protection=None)) is Malformed
    assert refuses(replace(seat, act=c.SeatAct.LEAVES, number=2)) is TooLarge


def test_17_2_bounds_of_a_call() -> None:
    clause = (("en", "x"),)
    minutes = c.Minutes(of=RING_AT, clauses=(clause,), role=OFFICER, sign="K7")
    assert refuses(replace(minutes, clauses=())) is Malformed
    assert refuses(replace(minutes, clauses=((),))) is Malformed
    assert refuses(replace(minutes, clauses=(clause,) * (c.MAX_CLAUSES + 1))) is TooLarge
    assert (
        refuses(replace(minutes, clauses=((("en", "x" * (k.MAX_TEXT // 2)), ("fr", "x" * (k.MAX_TEXT // 2 + 1))),)))
        is TooLarge
    )
    assert refuses(replace(minutes, clauses=(tuple((f"a{n}", "") for n in "abcdefghi"),))) is TooLarge
    word = c.MinutesWord(
        of=RING_AT, clauses=(c.ClauseWord(agreed=False, text="x" * k.MAX_TEXT),), role=OFFICER, sign="K7"
    )
    assert decode_body(Kind.MINUTES_WORD, encode_body(word)) == word
    assert refuses(replace(word, clauses=(*word.clauses, c.ClauseWord(agreed=True, text="x")))) is TooLarge
    assert refuses(replace(word, clauses=(c.ClauseWord(agreed=True),) * 33)) is TooLarge
    seen = c.HangUp(of=RING_AT, cause=c.EndCause.ENDED, role=OFFICER, sign="K7", protection=PROTECTION)
    assert decode_body(Kind.HANG_UP, encode_body(seen)) == seen
    assert refuses(replace(seen, protection=replace(PROTECTION, cipher="x" * 65))) is TooLarge
    typed = c.TypedLine(of=RING_AT, text="x" * (k.MAX_REASON + 1), language="en", role=OFFICER, sign="K7")
    assert refuses(typed) is TooLarge


# --- where a call stands ---


def test_17_5_a_call_rings_is_open_and_ends() -> None:
    lanes = Lanes()
    rung = lanes.ring()
    assert state(lanes, rung) is CallState.RINGING
    picked = lanes.pick_up(1, rung)
    assert state(lanes, rung) is CallState.OPEN
    lanes.open(rung, picked)
    assert state(lanes, rung) is CallState.OPEN
    lanes.hang_up(1, rung)
    assert state(lanes, rung) is CallState.ENDED
    lanes.hang_up(0, rung, c.EndCause.CONFIRMS)
    call = the(lanes.book(), rung)
    assert (call.state, call.called, [s.party for s in call.hang_ups]) == (CallState.ENDED, 1, [0, 1])


@pytest.mark.parametrize(
    "cause, expected",
    [
        (c.RefusalCause.DECLINED, CallState.REFUSED),
        (c.RefusalCause.BUSY, CallState.REFUSED),
        (c.RefusalCause.SUSPENDED, CallState.REFUSED),
        (c.RefusalCause.NOT_ANSWERED, CallState.MISSED),
        (c.RefusalCause.UNATTENDED, CallState.MISSED),
        (c.RefusalCause.NO_CONSOLE, CallState.MISSED),
    ],
)
def test_17_5_a_refusal_is_a_persons_or_a_missed_call(cause: c.RefusalCause, expected: CallState) -> None:
    lanes = Lanes()
    rung = lanes.ring()
    lanes.refuse(1, rung, cause)
    assert state(lanes, rung) is expected
    lanes.hang_up(0, rung, c.EndCause.CONFIRMS)
    assert state(lanes, rung) is expected


@pytest.mark.parametrize(
    "cause, expected",
    [
        (c.EndCause.WITHDRAWN, CallState.WITHDRAWN),
        (c.EndCause.NOT_ANSWERED, CallState.MISSED),
        (c.EndCause.YIELDS, CallState.YIELDED),
        (c.EndCause.CONSOLE_LOST, CallState.ENDED),
    ],
)
def test_17_6_a_pick_up_that_crosses_the_callers_hang_up_opens_nothing(cause: c.EndCause, expected: CallState) -> None:
    lanes = Lanes()
    rung = lanes.ring()
    lanes.pick_up(1, rung)
    lanes.hang_up(0, rung, cause)
    assert state(lanes, rung) is expected
    assert the(lanes.book(), rung).check is None


def test_17_3_a_ring_beside_an_own_open_one_is_void() -> None:
    lanes = Lanes()
    first, second = lanes.ring(), lanes.ring()
    assert lanes.book().call(second.place) is None
    lanes.pick_up(1, second)
    assert [call.place for call in lanes.book().calls()] == [first.place]
    lanes.hang_up(0, first, c.EndCause.WITHDRAWN)
    third = lanes.ring(time=2_000)
    assert [call.place for call in lanes.book().calls()] == [third.place, first.place]


def test_17_3_nobody_picks_up_or_refuses_its_own_ring_and_the_first_word_counts() -> None:
    lanes = Lanes()
    rung = lanes.ring()
    lanes.pick_up(0, rung)
    lanes.refuse(0, rung)
    assert state(lanes, rung) is CallState.RINGING
    lanes.refuse(1, rung)
    lanes.pick_up(1, rung)
    assert state(lanes, rung) is CallState.REFUSED


def test_17_3_another_leaf_is_named_by_nothing() -> None:
    lanes = Lanes()
    rung = lanes.ring()
    lanes.pick_up(1, replace(rung, leaf=bytes(32)))
    lanes.hang_up(0, replace(rung, leaf=bytes(32)))
    assert state(lanes, rung) is CallState.RINGING


def test_17_4_two_consoles_that_pick_up_at_once_are_one_pick_up() -> None:
    lanes = Lanes()
    rung = lanes.ring()
    first = lanes.pick_up(1, rung, "first")
    lanes.pick_up(1, rung, "second")
    lanes.open(rung, first)
    call = the(lanes.book(), rung)
    assert call.pick_up == first
    assert [(seat.party, seat.fingerprint) for seat in call.seats] == [(0, CALLER_KEY), (1, key("first"))]


def test_17_4_of_three_parties_the_caller_says_whose_pick_up_counts() -> None:
    lanes = Lanes(parties=3)
    rung = lanes.ring()
    lanes.pick_up(1, rung, "one")
    second = lanes.pick_up(2, rung, "two")
    assert the(lanes.book(), rung).called == 1
    lanes.open(rung, second)
    call = the(lanes.book(), rung)
    assert (call.called, call.state) == (2, CallState.OPEN)
    lanes.hang_up(1, rung, c.EndCause.CONFIRMS)
    assert state(lanes, rung) is CallState.OPEN
    lanes.hang_up(2, rung)
    assert state(lanes, rung) is CallState.ENDED


def test_17_5_of_three_parties_all_others_must_have_refused() -> None:
    lanes = Lanes(parties=3)
    rung = lanes.ring()
    lanes.refuse(1, rung)
    assert state(lanes, rung) is CallState.RINGING
    lanes.refuse(2, rung, c.RefusalCause.UNATTENDED)
    assert state(lanes, rung) is CallState.REFUSED


# --- glare ---


@pytest.mark.parametrize(
    "of_zero, of_one, stands",
    [
        (Precedence.PRIORITY, Precedence.PRIORITY, 0),
        (Precedence.ROUTINE, Precedence.FLASH, 1),
        (Precedence.FLASH, Precedence.ROUTINE, 0),
        (Precedence.FLASH, Precedence.FLASH, 0),
    ],
)
def test_17_7_of_two_rings_that_cross_one_stands_on_both_sides(
    of_zero: Precedence, of_one: Precedence, stands: int
) -> None:
    lanes = Lanes()
    rings = [lanes.ring(0, of_zero), lanes.ring(1, of_one)]
    for order in permutations(rings):
        book = lanes.book(order)
        standing = book.standing()
        assert standing is not None
        assert standing.caller == stands
        assert the(book, rings[stands]).state is CallState.RINGING
        assert the(book, rings[1 - stands]).state is CallState.YIELDED
    lanes.hang_up(1 - stands, rings[1 - stands], c.EndCause.YIELDS)
    lanes.pick_up(1 - stands, rings[stands])
    assert state(lanes, rings[1 - stands]) is CallState.YIELDED
    assert state(lanes, rings[stands]) is CallState.OPEN


def test_17_7_what_is_picked_up_stands_before_what_only_rings() -> None:
    lanes = Lanes()
    low, high = lanes.ring(1, Precedence.ROUTINE), lanes.ring(0, Precedence.FLASH)
    lanes.pick_up(0, low)
    book = lanes.book()
    assert the(book, low).state is CallState.OPEN
    assert the(book, high).state is CallState.YIELDED


def test_17_8_a_call_of_before_a_restore_is_over_when_its_author_rings_again() -> None:
    lanes = Lanes()
    old = lanes.ring()
    lanes.pick_up(1, old)
    lanes.generation[0] = Generation(1, b"restored")
    new = lanes.ring(time=5_000)
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        book = lanes.book([lanes.said[place] for place in order])
        assert (the(book, old).state, the(book, new).state) == (CallState.ENDED, CallState.RINGING)


# --- staleness ---


def test_17_9_a_ring_rings_for_ninety_seconds_from_its_acceptance() -> None:
    lanes = Lanes()
    call = the(lanes.book([lanes.ring()]), lanes.said[0])
    assert may_ring(call, 5_000, 5_000 + c.RING_MS - 1)
    assert not may_ring(call, 5_000, 5_000 + c.RING_MS)


def test_17_9_a_ring_whose_lane_went_on_for_longer_is_stale_when_it_comes() -> None:
    lanes = Lanes()
    rung = lanes.ring(time=1_000)
    lanes.say(0, k.Watch(attended=True, role=OFFICER, sign="K7"), 1_000 + c.RING_MS)
    assert may_ring(the(lanes.book(), rung), 0, 0)
    lanes.say(0, k.Watch(attended=True, role=OFFICER, sign="K7"), 1_001 + c.RING_MS)
    call = the(lanes.book(), rung)
    assert (call.overtaken, call.state, may_ring(call, 0, 0)) == (True, CallState.RINGING, False)


def test_17_9_a_ring_that_ended_or_yields_does_not_ring() -> None:
    lanes = Lanes()
    first, second = lanes.ring(0), lanes.ring(1)
    assert not may_ring(the(lanes.book(), second), 0, 0)
    lanes.hang_up(0, first, c.EndCause.WITHDRAWN)
    assert not may_ring(the(lanes.book(), first), 0, 0)
    assert may_ring(the(lanes.book(), second), 0, 0)


# --- seats ---


def test_17_12_seats_join_connect_are_lost_taken_over_and_leave() -> None:
    lanes = Lanes()
    rung = lanes.ring()
    picked = lanes.pick_up(1, rung)
    lanes.open(rung, picked)
    lanes.seat(1, rung, c.SeatAct.JOINS, 1, "interpreter")
    seen = c.Seat(of=ref(rung), act=c.SeatAct.CONNECTED, number=0, role=OFFICER, sign="K7", protection=PROTECTION)
    lanes.say(0, seen, 1_700)
    lanes.say(0, replace(seen, protection=replace(PROTECTION, path=c.Path.RELAY)), 1_800)
    seats = {(s.party, s.number): s for s in the(lanes.book(), rung).seats}
    assert seats[0, 0].state is SeatState.CONNECTED
    assert [p.path for p in seats[0, 0].protections] == [c.Path.RELAY]
    assert seats[1, 1].fingerprint == key("interpreter")
    lanes.seat(1, rung, c.SeatAct.LOST)
    lanes.seat(1, rung, c.SeatAct.LEAVES, 1)
    seats = {(s.party, s.number): s for s in the(lanes.book(), rung).seats}
    assert (seats[1, 0].state, seats[1, 1].state) == (SeatState.LOST, SeatState.LEFT)
    lanes.seat(1, rung, c.SeatAct.TAKES_OVER, 0, "another console")
    seats = {(s.party, s.number): s for s in the(lanes.book(), rung).seats}
    assert (seats[1, 0].state, seats[1, 0].fingerprint) == (SeatState.OPENING, key("another console"))


def test_17_12_who_is_not_in_the_call_has_no_seat_in_it() -> None:
    lanes = Lanes(parties=3)
    rung = lanes.ring()
    picked = lanes.pick_up(1, rung)
    lanes.open(rung, picked)
    lanes.seat(2, rung, c.SeatAct.JOINS, 1, "listener")
    assert {seat.party for seat in the(lanes.book(), rung).seats} == {0, 1}


# --- commitment and spoken check ---


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), st.integers(0, 63))
def test_17_20_a_commitment_opens_to_what_it_was_made_of_alone(nonce: bytes, shown: bytes, at: int) -> None:
    committed = commitment(nonce, shown)
    assert opens_commitment(committed, nonce, shown)
    other = bytearray(nonce + shown)
    other[at] ^= 1
    assert not opens_commitment(committed, bytes(other[:32]), bytes(other[32:]))
    assert not opens_commitment(committed, nonce + shown[:1], shown[1:])


@pytest.mark.parametrize("nonce, shown", [(NONCE, key("another")), (key("another"), CALLER_KEY)])
def test_17_21_what_does_not_open_the_commitment_is_told_and_gives_no_digits(nonce: bytes, shown: bytes) -> None:
    lanes = Lanes()
    rung = lanes.ring()
    picked = lanes.pick_up(1, rung)
    assert not the(lanes.book(), rung).wrong_key
    lanes.open(rung, picked, shown=shown, nonce=nonce)
    call = the(lanes.book(), rung)
    assert call.wrong_key
    assert call.check is None
    lanes.open(rung, picked)
    assert the(lanes.book(), rung).wrong_key  # the first counts


def test_17_22_both_read_digits_of_all_that_binds_the_call() -> None:
    lanes = Lanes()
    rung = lanes.ring()
    picked = lanes.pick_up(1, rung)
    assert the(lanes.book(), rung).check is None
    lanes.open(rung, picked)
    expected = spoken_check(LINE, rung.leaf, picked.leaf, CALLER_KEY, NONCE, CALLED_KEY)
    assert the(lanes.book(), rung).check == expected
    for said in (expected.caller, expected.called):
        assert len(said) == 5
        assert said[2] == " "
        assert (said[:2] + said[3:]).isdecimal()


@given(st.integers(0, 6), st.integers(0, 31))
def test_17_22_every_part_changes_the_digits(part: int, at: int) -> None:
    parts = [key(str(number)) for number in range(7)]
    changed = list(parts)
    changed[part] = bytes(byte ^ (255 * (place == at)) for place, byte in enumerate(parts[part]))
    assert digits(changed) != digits(parts) != digits(parts[:6])


def digits(parts: list[bytes]) -> SpokenCheck:
    one, two, three, four, five, six = parts[:6]
    return spoken_check(one, two, three, four, five, six, parts[6:])


def test_17_23_a_take_over_of_a_first_seat_changes_the_digits() -> None:
    lanes = Lanes()
    rung = lanes.ring()
    picked = lanes.pick_up(1, rung)
    lanes.open(rung, picked)
    theirs = lanes.seat(1, rung, c.SeatAct.TAKES_OVER, 0, "their second")
    mine = lanes.seat(0, rung, c.SeatAct.TAKES_OVER, 0, "my second")
    lanes.seat(0, rung, c.SeatAct.JOINS, 1, "adviser")
    expected = spoken_check(
        LINE, rung.leaf, picked.leaf, key("my second"), NONCE, key("their second"), [mine.leaf, theirs.leaf]
    )
    assert the(lanes.book(), rung).check == expected


def test_17_24_the_last_word_of_each_seat_about_the_digits_is_shown() -> None:
    lanes = Lanes()
    rung = lanes.ring()
    lanes.open(rung, lanes.pick_up(1, rung))
    lanes.seat(1, rung, c.SeatAct.DIFFERED)
    lanes.seat(1, rung, c.SeatAct.MATCHED)
    lanes.seat(0, rung, c.SeatAct.MATCHED)
    assert [(w.party, w.matched) for w in the(lanes.book(), rung).check_words] == [(0, True), (1, True)]


def test_17_24_a_word_from_before_a_take_over_says_nothing_of_the_digits_of_now() -> None:
    lanes = Lanes()
    rung = lanes.ring()
    lanes.open(rung, lanes.pick_up(1, rung))

    def earlier() -> list[bool]:
        lanes.said[:] = [replace(each, seq=seq) for seq, each in enumerate(lanes.said, 1)]  # as they came
        return [word.earlier for word in the(lanes.book(), rung).check_words]

    for party in (0, 1):
        lanes.seat(party, rung, c.SeatAct.MATCHED)
    assert earlier() == [False, False]
    lanes.seat(1, rung, c.SeatAct.TAKES_OVER, 0, "their second")
    assert earlier() == [True, True]
    lanes.seat(1, rung, c.SeatAct.MATCHED)
    lanes.seat(0, rung, c.SeatAct.JOINS, 1, "adviser")
    assert earlier() == [True, False]
    lanes.seat(0, rung, c.SeatAct.MATCHED)
    assert earlier() == [False, False]


# --- the record and the minutes ---


def test_17_14_a_call_is_on_record_when_both_have_signed_its_end() -> None:
    lanes = Lanes()
    rung = lanes.ring()
    lanes.open(rung, lanes.pick_up(1, rung))
    assert the(lanes.book(), rung).record is Record.OPEN
    lanes.hang_up(0, rung, began=1_200)
    assert the(lanes.book(), rung).record is Record.ONE_SIDED
    before = list(lanes.said)
    lanes.hang_up(1, rung, c.EndCause.CONFIRMS, began=1_201)
    assert the(lanes.book(), rung).record is Record.AGREED
    lanes.said = before
    lanes.hang_up(1, rung, c.EndCause.CONFIRMS)
    assert the(lanes.book(), rung).record is Record.DIFFERS


def test_17_14_a_refusal_is_the_called_partys_word_of_the_end() -> None:
    lanes = Lanes()
    rung = lanes.ring()
    lanes.refuse(1, rung)
    assert the(lanes.book(), rung).record is Record.ONE_SIDED
    lanes.hang_up(0, rung, c.EndCause.CONFIRMS)
    assert the(lanes.book(), rung).record is Record.AGREED


def test_17_15_typed_lines_and_voice_messages_belong_to_the_call() -> None:
    lanes = Lanes()
    rung = lanes.ring()
    lanes.open(rung, lanes.pick_up(1, rung))
    lanes.typed(1, rung, "second", 1_600)
    lanes.typed(0, rung, "first", 1_500)
    voice = k.Attachment(
        name="a.ogg", media_type="audio/ogg", size=1, digest=bytes(32), chunk=256, of=ref(rung)
    )  # fmt: skip
    sent = lanes.say(1, voice, traffic=True)
    call = the(lanes.book(), rung)
    assert [s.entry.text for s in call.typed if isinstance(s.entry, c.TypedLine)] == ["first", "second"]
    assert call.voice == (sent,)


def called(lanes: Lanes) -> Said:
    rung = lanes.ring()
    lanes.open(rung, lanes.pick_up(1, rung))
    lanes.hang_up(0, rung)
    return rung


def test_17_16_minutes_are_agreed_clause_by_clause() -> None:
    lanes = Lanes()
    rung = called(lanes)
    assert the(lanes.book(), rung).minutes is MinutesState.NONE
    draft = lanes.minutes(0, rung, "one", "two")
    assert the(lanes.book(), rung).minutes is MinutesState.DRAFTED
    lanes.word(0, draft, True, True)
    lanes.word(1, draft, True)
    assert the(lanes.book(), rung).minutes is MinutesState.DRAFTED
    lanes.word(1, draft, True, False)
    assert the(lanes.book(), rung).minutes is MinutesState.DIFFERS
    second = lanes.minutes(1, rung, "one", "two, but", replaces=draft, time=3_000)
    call = the(lanes.book(), rung)
    assert (call.minutes, [d.replaced for d in call.drafts]) == (MinutesState.DRAFTED, [True, False])
    lanes.word(0, second, True, True)
    assert the(lanes.book(), rung).minutes is MinutesState.AGREED


def test_17_17_minutes_that_both_agreed_to_stand_whatever_follows() -> None:
    lanes = Lanes()
    rung = called(lanes)
    draft = lanes.minutes(0, rung, "one")
    lanes.word(1, draft, True)
    lanes.minutes(0, rung, "nothing of the sort", replaces=draft, time=3_000)
    lanes.word(1, draft, False)
    assert the(lanes.book(), rung).minutes is MinutesState.AGREED


# --- the book ---

_ACTS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 2), st.integers(0, 3), st.booleans()), max_size=24)


def story(acts: list[tuple[int, int, int, bool]], parties: int) -> Lanes:
    """Lanes with these things said, sensible or not."""
    lanes = Lanes(parties)
    rings: list[Said] = []
    drafts: list[Said] = []
    for act, who, which, flag in acts:
        party = who % parties
        if act < 3 or not rings:
            rings.append(lanes.ring(party, Precedence(which), 1_000 + len(lanes.said)))
            continue
        of = rings[which % len(rings)]
        picked = [s for s in lanes.said if isinstance(s.entry, c.PickUp)]
        match act:
            case 3 | 4:
                lanes.pick_up(party, of)
            case 5:
                lanes.refuse(party, of, c.RefusalCause(which))
            case 6 | 7:
                lanes.hang_up(party, of, c.EndCause(which if flag else 8))
            case 8 if picked:
                lanes.open(of, picked[-1], shown=CALLER_KEY if flag else key("other"))
            case 9:
                lanes.seat(party, of, c.SeatAct.TAKES_OVER if flag else c.SeatAct.LOST, 0, "x" if flag else "")
            case 10 if drafts and flag:
                lanes.word(party, drafts[which % len(drafts)], flag, which > 1)
            case 10:
                drafts.append(lanes.minutes(party, of, "one", "two"))
            case _:
                lanes.generation[party] = Generation(which + 1, bytes([which]) * 8)
    return lanes


def mixed(lanes: Lanes, draw: st.DrawFn) -> list[Said]:
    """The same entries in another order that keeps that of each lane generation."""
    left: dict[tuple[int, Generation], list[Said]] = {}
    for said in lanes.said:
        left.setdefault((said.place.lane, said.place.generation), []).append(said)
    found = []
    while left:
        lane = draw(st.sampled_from(sorted(left)))
        found.append(left[lane].pop(0))
        if not left[lane]:
            del left[lane]
    return found


@given(_ACTS, st.integers(2, 3), st.data())
@settings(max_examples=300)
def test_17_5_any_interleaving_of_the_lanes_gives_the_same_calls(
    acts: list[tuple[int, int, int, bool]], parties: int, data: st.DataObject
) -> None:
    lanes = story(acts, parties)
    other = data.draw(st.composite(lambda draw: mixed(lanes, draw))())
    one, another = ({call.place: call for call in lanes.book(order).calls()} for order in (other, lanes.said))
    assert one == another


@given(_ACTS, st.integers(2, 3))
@settings(max_examples=200)
def test_17_7_at_most_one_ring_stands_and_nothing_changes_untold(
    acts: list[tuple[int, int, int, bool]], parties: int
) -> None:
    lanes = story(acts, parties)
    book = CallBook(LINE, parties)
    before: dict[Place, Call] = {}
    for said in lanes.said:
        told = book.take(said)
        now = {call.place: call for call in book.calls()}
        assert sum(call.state is CallState.RINGING for call in now.values()) <= 1
        assert {place for place, call in now.items() if before.get(place) != call} <= told
        before = now


def test_17_19_the_book_keeps_what_is_open_and_the_newest_of_the_rest() -> None:
    lanes = Lanes()
    book = CallBook(LINE, 2)
    rings = []
    for number in range(KEPT_CALLS + 5):
        rings.append(lanes.ring(time=1_000 + number))
        lanes.refuse(1, rings[-1])
        lanes.hang_up(0, rings[-1], c.EndCause.CONFIRMS)
    last = lanes.ring(1, time=1)
    for said in lanes.said:
        book.take(said)
    kept = book.calls()
    assert len(kept) == KEPT_CALLS + 1
    assert book.call(rings[4].place) is None
    assert the(book, last).state is CallState.RINGING
    again = lanes.book([said for said in lanes.said if said.place.index <= 2])  # read again from the store
    assert the(again, rings[0]).state is CallState.REFUSED
    assert book.take(lanes.typed(0, rings[0], "late")) == set()


def test_17_19_who_types_without_end_fills_no_memory() -> None:
    lanes = Lanes()
    rung = lanes.ring()
    lanes.pick_up(1, rung)
    for number in range(MAX_TYPED + 50):
        lanes.typed(1, rung, str(number), number)
    lanes.typed(0, rung, "still here", 5)
    call = the(lanes.book(), rung)
    assert [s.party for s in call.typed].count(1) == MAX_TYPED
    assert [s.party for s in call.typed].count(0) == 1


def test_17_9_a_time_is_a_claim() -> None:
    lanes = Lanes()
    rung = lanes.ring(time=2**47)
    assert the(lanes.book(), rung).ring.time == Instant(2**47)
    assert ring().commitment == commitment(NONCE, CALLER_KEY)


# --- in words, as an export has them ---


def test_17_1_an_export_says_in_words_what_a_call_was() -> None:
    """Inert lines, and the words of others behind a bar."""
    names = ("ALPHA", "BRAVO")
    lines = [line for entry in (*CALL_EXAMPLES, *FULL_EXAMPLES) for line in describe(entry, names)]
    assert "RING PRIORITY to watch officer, en by watch officer K7" in lines
    assert "PICK UP ALPHA urgent 3 (00010203) fr by watch officer B2" in lines
    assert "NOT PICKED UP ALPHA urgent 3 (00010203), DECLINED by watch officer B2" in lines
    assert "| in a briefing" in lines
    assert "SEAT 0 OPENS in ALPHA urgent 3 (00010203) by watch officer K7; to BRAVO urgent 4 (01020304)" in lines
    assert "to BRAVO seat 0: DTLS 1.3, TLS_AES_128_GCM_SHA256, AEAD_AES_256_GCM, direct path" in lines
    assert lines[lines.index("clause 1, fr") + 1] == "| un"
    assert "clause 1 AGREED" in lines
    tricky = c.TypedLine(of=RING_AT, text="a\u202eb\nRING", language="en", role=OFFICER, sign="K7")
    assert describe(tricky, names)[1:] == ["| a<U+202E>b", "| RING"]


@given(CALL_ENTRIES)
def test_17_1_any_entry_about_a_call_is_told_in_lines(entry: k.AnyEntry) -> None:
    for line in describe(entry, ("ALPHA", "BRAVO")):
        assert line == clean(line)
