"""Clocks and silence (spec 6.16, 6.20, 6.21): views with now as a parameter."""

from itertools import product

import pytest

from openline.kernel.lane import GENERATION_ZERO, Lane
from openline.kernel.terms import Policy
from openline.kernel.units import Instant
from openline.protocol import entries as k
from openline.protocol.clocks import (
    MAX_SHOWN,
    Basis,
    Ground,
    Phase,
    Silence,
    clock_of,
    next_change,
    next_due,
    running,
    silence,
)
from openline.protocol.entries import Precedence
from openline.protocol.facts import Mark, MessageStatus, PartyStatus, Place
from openline.protocol.fields import Ref
from openline.protocol.transcript import Fold

LINE, POLICY = bytes(32), Policy(handling_minutes=(10, 30, 180, 360))
MINUTE = 60_000
START = Instant(1_000_000_000)


def at(minutes: float) -> Instant:
    return Instant(START + int(minutes * MINUTE))


def party(marks: Mark = Mark.NONE, until: Instant | None = None) -> PartyStatus:
    return PartyStatus(party=1, marks=marks, until=until)


def message(
    precedence: Precedence = Precedence.ROUTINE, answer_by: Instant | None = None, *, superseded: bool = False
) -> MessageStatus:
    return MessageStatus(
        place=Place(lane=1, generation=GENERATION_ZERO, index=1),
        serial=1,
        precedence=precedence,
        time=START,
        answer_by=answer_by,
        superseded=superseded,
        parties=(party(),),
    )


@pytest.mark.parametrize("precedence, minutes", list(zip(Precedence, (10, 30, 180, 360), strict=True)))
def test_6_16_until_somebody_has_it_the_handling_time_of_the_policy_runs(precedence: Precedence, minutes: int) -> None:
    clock = clock_of(message(precedence), party(Mark.PRESENTED), POLICY)
    assert clock is not None
    assert (clock.basis, clock.due) == (Basis.HANDLING, at(minutes))
    assert clock_of(message(precedence), party(Mark.READ), POLICY) is None


def test_6_16_answer_by_runs_until_the_answer_and_the_earlier_clock_is_shown() -> None:
    clock = clock_of(message(answer_by=at(60)), party(), POLICY)
    assert clock is not None
    assert (clock.basis, clock.due) == (Basis.ANSWER_BY, at(60))
    clock = clock_of(message(Precedence.FLASH, answer_by=at(60)), party(), POLICY)
    assert clock is not None
    assert (clock.basis, clock.due) == (Basis.HANDLING, at(10))
    clock = clock_of(message(Precedence.FLASH, answer_by=at(60)), party(Mark.READ), POLICY)
    assert clock is not None
    assert clock.basis is Basis.ANSWER_BY


def test_6_20_an_interim_replaces_what_was_due() -> None:
    clock = clock_of(message(answer_by=at(60)), party(Mark.INTERIM, at(90)), POLICY)
    assert clock is not None
    assert (clock.basis, clock.due) == (Basis.INTERIM, at(90))


@pytest.mark.parametrize("mark", [Mark.ANSWERED, Mark.DECLINED])
def test_6_20_answer_and_decline_end_the_clock(mark: Mark) -> None:
    assert clock_of(message(answer_by=at(60)), party(mark), POLICY) is None


def test_6_17_a_superseded_message_has_no_clock() -> None:
    assert clock_of(message(answer_by=at(60), superseded=True), party(), POLICY) is None


def test_6_21_phases_change_at_three_quarters_and_when_due() -> None:
    clock = clock_of(message(answer_by=at(60)), party(Mark.READ), POLICY)
    assert clock is not None
    phases = {minutes: clock.phase(at(minutes)) for minutes in (-5, 0, 44.9, 45, 59.9, 60, 600)}
    assert list(phases.values()) == [Phase.RUNNING] * 3 + [Phase.LAST_QUARTER] * 2 + [Phase.OVERDUE] * 2
    assert next_change([clock], at(0)) == at(45)
    assert next_change([clock], at(45)) == at(60)
    assert next_change([clock], at(60)) is None
    assert next_due([clock], at(59)) == clock
    assert next_due([clock], at(60)) is None


def test_6_21_an_answer_by_in_the_past_is_overdue_at_once() -> None:
    clock = clock_of(message(answer_by=at(-10)), party(Mark.READ), POLICY)
    assert clock is not None
    assert clock.phase(START) is Phase.OVERDUE


def test_6_16_running_clocks_are_found_in_the_fold() -> None:
    fold = Fold(LINE, 3, POLICY)
    lane = Lane(LINE, 1, GENERATION_ZERO)

    def send(index: int, precedence: Precedence, answer_by: Instant | None = None) -> Ref:
        leaf = index.to_bytes(32, "big")
        made = k.Message(precedence=precedence, language="en", text="", answer_by=answer_by)
        fold.apply(lane, index, leaf, 16, START, made)
        return Ref(lane=1, generation=GENERATION_ZERO, index=index, leaf=leaf)

    first = send(0, Precedence.ROUTINE)
    for index in range(1, MAX_SHOWN + 10):
        send(index, Precedence.ROUTINE)
    pressing = send(MAX_SHOWN + 10, Precedence.IMMEDIATE)
    asked = send(MAX_SHOWN + 11, Precedence.ROUTINE, at(600))
    clocks = list(running(fold))
    found = {(clock.place.index, clock.party) for clock in clocks}
    assert {(pressing.index, 1), (pressing.index, 2), (asked.index, 1), (first.index, 2)} <= found
    assert len(found) == 2 * (MAX_SHOWN + 2)
    due = next_due(clocks, START)
    assert due is not None
    assert due.place.index == pressing.index
    for number in (2, 4):
        read = k.Receipt(of=first, step=k.Step.READ, role=k.Role.WATCH_OFFICER, sign="K7", at=START)
        fold.apply(Lane(LINE, number, GENERATION_ZERO), 0, bytes(32), 17, START, read)
    assert 0 not in {clock.place.index for clock in running(fold)}


# --- silence ---

NOW = at(30)


def meaning(
    marks: Mark = Mark.NONE,
    until: Instant | None = None,
    *,
    held: bool = True,
    link: bool = True,
    attended: bool | None = True,
) -> Silence:
    return silence(party(marks, until), held=held, link=link, attended=attended, now=NOW).silence


def test_6_21_silence_is_never_ambiguous() -> None:
    assert meaning(held=False) is Silence.UNDELIVERED
    assert meaning(held=False, link=False) is Silence.LINK_FAULT
    assert meaning() is Silence.RECEIVED
    assert meaning(attended=False) is Silence.UNATTENDED
    assert meaning(attended=None) is Silence.RECEIVED_WATCH_UNKNOWN
    assert meaning(Mark.PRESENTED, attended=False) is Silence.UNATTENDED
    assert meaning(Mark.READ, attended=False) is Silence.READ
    assert meaning(Mark.INTERIM, at(60)) is Silence.CONSIDERING
    assert meaning(Mark.INTERIM, at(20)) is Silence.LAPSED
    assert meaning(Mark.INTERIM | Mark.DECLINED) is Silence.DECLINED
    assert meaning(Mark.ANSWERED | Mark.DECLINED) is Silence.ANSWERED


def test_6_21_a_partys_own_word_outlasts_a_link_fault_and_nothing_less_does() -> None:
    assert meaning(Mark.INTERIM, at(60), link=False) is Silence.CONSIDERING
    assert meaning(Mark.DECLINED, link=False) is Silence.DECLINED
    assert meaning(Mark.INTERIM, at(20), link=False) is Silence.LINK_FAULT
    assert meaning(Mark.READ, link=False) is Silence.LINK_FAULT


def test_6_21_every_combination_has_a_meaning_and_a_ground() -> None:
    signed = set(Ground) - {Ground.LINK}
    for marks, held, link, attended, until in product(
        range(64), (False, True), (False, True), (None, False, True), (None, at(20), at(60))
    ):
        found = silence(party(Mark(marks), until), held=held, link=link, attended=attended, now=NOW)
        assert found.grounds
        if found.silence not in {Silence.LINK_FAULT, Silence.UNDELIVERED}:
            assert set(found.grounds) <= signed
