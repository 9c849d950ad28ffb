"""The last 24 hours of a bearer, as a station saw them: in order, bounded, kept over restarts, and never more than was seen."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from openline.cli.bearers import past_words
from openline.station.bearer_past import MOST, PAST_MS, SEEN_MS, BearerPast, Was
from openline.station.bearer_state import SILENT_AFTER, BearerState

DAY = 1_795_392_000_000
HOUR = 3_600_000
STEPS = st.lists(st.tuples(st.integers(0, 2 * HOUR), st.sampled_from(list(Was))), max_size=300)


@given(STEPS)
def test_what_is_shown_is_in_order_within_a_day_and_bounded(steps: list[tuple[int, Was]]) -> None:
    past, at, seen = BearerPast(), DAY, list[tuple[int, Was]]()
    for wait, was in steps:
        at += wait
        past.observe(at, was)
        seen.append((at, was))
    shown = past.shown(at)
    assert [moment for moment, _ in shown] == sorted({moment for moment, _ in shown})
    assert len(shown) <= MOST
    assert all(moment >= at - PAST_MS for moment, _ in shown)
    assert all(one != other for (_, one), (_, other) in itertools.pairwise(shown))
    for moment, was in seen:  # each look, as far as it is within what is shown and not at the very moment of a change
        later = [each for each in shown if each[0] <= moment]
        if later and later[-1][0] < moment and [each for each, _ in seen].count(moment) == 1:
            assert later[-1][1] is was


def test_a_restart_shows_when_nothing_was_seen() -> None:
    past = BearerPast()
    past.observe(DAY, Was.UP)
    past.observe(DAY + HOUR + 1, Was.UP)
    again, killed = BearerPast(), BearerPast()
    again.recall(past.kept(exactly=True))
    killed.recall(past.kept(exactly=False))
    for each in (again, killed):
        each.observe(DAY + 2 * HOUR, Was.DOWN)
    assert again.shown(DAY + 3 * HOUR) == [(DAY, Was.UP), (DAY + HOUR + 1, Was.UNSEEN), (DAY + 2 * HOUR, Was.DOWN)]
    assert killed.shown(DAY + 3 * HOUR)[1] == (DAY + HOUR, Was.UNSEEN)
    assert HOUR % SEEN_MS == 0


def test_what_is_damaged_is_left_and_a_clock_that_is_set_back_begins_anew() -> None:
    past = BearerPast()
    for kept in ([], ["x"], [1, 2, "nothing"], [None, DAY, "up"], [DAY, "up", DAY]):
        past.recall(kept)
        assert past.shown(DAY) == []
    past.observe(DAY, Was.UP)
    past.observe(DAY - HOUR, Was.DOWN)
    assert past.shown(DAY) == [(DAY - HOUR, Was.DOWN)]


def test_a_link_that_answers_no_probe_was_silent_and_is_kept_so() -> None:
    state = BearerState()
    state.seen(DAY, up=True)
    for _ in range(SILENT_AFTER):
        state.unanswered()
    state.seen(DAY + 1, up=True)
    state.seen(DAY + 2, up=False)
    other = BearerState()
    other.recall(state.kept())
    assert [was for _, was in other.past.shown(DAY + 3)] == [Was.UP, Was.SILENT, Was.DOWN, Was.UNSEEN]


def test_the_words_of_a_day() -> None:
    spans = [{"at": DAY, "was": "up"}, {"at": DAY + HOUR, "was": "down"}, {"at": DAY + 2 * HOUR, "was": "unseen"}]
    assert past_words(spans, DAY + 9 * HOUR) == "up 50 %, down 1 time"
    assert past_words(spans[2:], DAY + 9 * HOUR) == "-"
    assert past_words(spans[1:], DAY + 9 * HOUR) == "up 0 %"  # it never was up, and did not fall
