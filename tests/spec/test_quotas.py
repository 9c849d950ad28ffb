"""Quotas of the terms (spec 12): late, never lost, and FLASH is never shut out."""

from hypothesis import given
from hypothesis import strategies as st

from openline.kernel.terms import Policy
from openline.kernel.units import Instant
from openline.protocol.quotas import DAY_MS, HOUR_MS, full, quotas_of

NOW = Instant(1_000_000)


def later(ms: int) -> Instant:
    return Instant(NOW + ms)


def test_12_3_a_bucket_holds_one_period_and_refills_evenly() -> None:
    quota, taken = full(3_600, HOUR_MS, NOW).take(NOW, 3_600)
    assert taken
    assert quota.available(NOW) == 0
    assert not quota.take(later(999), 1)[1]
    assert quota.take(later(1_000), 1)[1]
    assert quota.available(later(HOUR_MS)) == 3_600
    assert quota.available(later(10 * HOUR_MS)) == 3_600


def test_12_3_attachments_count_in_bytes_a_day() -> None:
    quotas, taken = quotas_of(Policy(attachment_mib_per_day=1), NOW).take_attachment(NOW, 2**20)
    assert taken
    assert not quotas.take_attachment(NOW, 1)[1]
    assert quotas.take_attachment(later(DAY_MS), 2**20)[1]


def test_12_4_what_is_refused_takes_nothing_and_the_wait_is_told() -> None:
    quota = full(60, HOUR_MS, NOW).take(NOW, 59)[0]
    after, taken = quota.take(NOW, 2)
    assert not taken
    assert after.available(NOW) == 1
    assert quota.wait_ms(NOW, 1) == 0
    assert quota.wait_ms(NOW, 2) == 60_000
    assert quota.wait_ms(NOW, 61) is None
    assert full(0, HOUR_MS, NOW).wait_ms(NOW, 1) is None


def test_12_5_traffic_cannot_shut_out_the_urgent_lane() -> None:
    quotas = quotas_of(Policy(urgent_per_hour=2, traffic_per_hour=3), NOW)
    spent, taken = quotas.take(NOW, 3, urgent=False)
    assert taken
    assert spent.available(NOW, urgent=False) == 0
    assert spent.take(NOW, 2, urgent=True)[1]
    assert not spent.take(NOW, 1, urgent=False)[1]


def test_12_5_the_urgent_lane_draws_on_traffic_when_its_own_is_empty() -> None:
    quotas = quotas_of(Policy(urgent_per_hour=2, traffic_per_hour=3), NOW)
    spent, taken = quotas.take(NOW, 4, urgent=True)
    assert taken
    assert spent.available(NOW, urgent=False) == 1
    assert not spent.take(NOW, 2, urgent=True)[1]
    assert spent.available(NOW, urgent=True) == 1


def test_12_3_an_amended_policy_keeps_what_is_left_as_far_as_it_fits() -> None:
    quotas = quotas_of(Policy(urgent_per_hour=100, traffic_per_hour=100), NOW).take(NOW, 50, urgent=False)[0]
    smaller = quotas.amended(Policy(urgent_per_hour=100, traffic_per_hour=10), NOW)
    assert smaller.traffic.available(NOW) == 10
    larger = quotas.amended(Policy(urgent_per_hour=100, traffic_per_hour=1_000), NOW)
    assert larger.traffic.available(NOW) == 50


STEPS = st.lists(st.tuples(st.integers(0, HOUR_MS), st.integers(0, 50)))


@given(st.integers(0, 1_000), STEPS)
def test_12_3_never_more_than_the_bucket_and_what_flowed_in(rate: int, steps: list[tuple[int, int]]) -> None:
    quota, now, accepted = full(rate, HOUR_MS, NOW), 0, 0
    for wait, units in steps:
        now += wait
        quota, taken = quota.take(later(now), units)
        accepted += units if taken else 0
        assert accepted <= rate + rate * now // HOUR_MS


@given(st.integers(1, 1_000), st.integers(0, 1_000), st.integers(0, 1_000))
def test_12_4_after_the_wait_there_is_enough(rate: int, spent: int, units: int) -> None:
    quota = full(rate, HOUR_MS, NOW).take(NOW, min(rate, spent))[0]
    wait = quota.wait_ms(NOW, units)
    assert (wait is None) == (units > rate)
    if wait:
        assert not quota.take(later(wait - 1), units)[1]
        assert quota.take(later(wait), units)[1]


@given(st.lists(st.integers(-HOUR_MS, HOUR_MS)))
def test_12_3_a_clock_that_steps_back_neither_breaks_nor_starves(steps: list[int]) -> None:
    quota, now = full(10, HOUR_MS, NOW), 0
    for step in steps:
        now += step
        quota, _ = quota.take(later(now), 1)
        assert 0 <= quota.available(later(now)) <= 10
    assert quota.take(later(now + HOUR_MS), 10)[1]
