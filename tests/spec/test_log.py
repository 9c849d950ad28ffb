"""What is written of events, and how much of it."""

from openline.station.log import Few


def test_few_of_a_sort_pass_in_a_minute_and_the_rest_is_counted() -> None:
    few = Few(many=3, span_ms=60_000)
    assert [few.held_back(now, "relay", "frame-refused") for now in (0, 1, 2, 3, 59_999)] == [0, 0, 0, None, None]
    assert few.held_back(60_000, "relay", "frame-refused") == 2
    assert few.held_back(60_001, "relay", "frame-refused") == 0


def test_a_flood_of_one_sort_hides_no_other() -> None:
    few = Few(many=3, span_ms=60_000)
    for now in range(1_000):
        few.held_back(now, "relay", "frame-refused")
    assert few.held_back(1_000, "relay", "fork-proved") == 0
    assert few.held_back(1_000, "other", "frame-refused") == 0
    assert few.held_back(1_000, "relay", "frame-refused") is None
