"""What is written of events, and how much of it."""

import io
import json
from datetime import UTC, datetime

from openline.station.log import Few, Log


def test_an_event_is_one_line_of_json_with_names_and_numbers_and_nothing_else() -> None:
    target = io.StringIO()
    log = Log(target)
    before = datetime.now(UTC)
    log.event("line.stopped", line="relay", size=3, part=0.5, simulated=True, kind=None, why="said: \n{hello}")
    log.event("station.stopped")
    first, second = (json.loads(line) for line in target.getvalue().splitlines())
    moment = datetime.fromisoformat(first.pop("timestamp"))
    assert before <= moment <= datetime.now(UTC)
    assert moment.tzinfo is not None
    assert first == {
        "event": "line.stopped",
        "line": "relay",
        "size": 3,
        "part": 0.5,
        "simulated": True,
        "kind": None,
        "why": "?",
    }
    assert second["event"] == "station.stopped"


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    target = io.StringIO()
    target.close()
    Log(target).event("line.stopped", line="relay")


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
