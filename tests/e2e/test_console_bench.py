"""The bench of the console runs in real Chromium, and what it counts (never what it times) is what it set out to do."""

from pathlib import Path

import pytest

from tests.benching import quick

pytestmark = pytest.mark.full

SPREADS = ("flash_pixels_ms", "tls_round_trip_ms", "two_frames_ms")
OTHERS = (
    "flash_pixels_ratio",
    "clock_error_ms",
    "first_paint_ratio",
    "day_station_rss_mb",
    "floor",
    "machine",
)


def test_the_bench_of_the_console_runs_prints_every_key_and_counts_what_it_did(tmp_path: Path) -> None:
    found = quick("console", tmp_path, timeout_s=600)
    for name in SPREADS:
        assert set(found[name]) == {"p50", "p95", "p99"}
    assert set(OTHERS) <= set(found)
    assert set(found["first_paint_ms"]) == {"10", "40"}
    for loads in found["first_paint_ms"].values():
        assert set(loads) == {"sender", "receiver"}
        for load in loads.values():
            assert load["paint"] > 0, "something was painted"
            assert load["rows"] > 0, "and messages were"
    assert set(found["page_memory"]) == {"floor", "line"}
    for moments in found["page_memory"].values():
        assert list(moments) == ["before", "half", "after"]
        assert all(set(held) == {"heap_mb", "nodes", "listeners"} for held in moments.values())
        assert all(held["nodes"] > 0 for held in moments.values())
    consoles = found["consoles"]
    assert set(consoles["cpu_ms_per_entry"]) == {"none", "all"}
    assert set(consoles["rss_mb"]) == {"before", "after"}
    counted = found["operations"]
    assert counted["flashes"] == 2
    assert counted["transcript"] >= 40
    assert counted["day"]["messages"] == 20
    assert counted["day"]["entries"] >= 20 + counted["day"]["tests"]
    assert counted["consoles"] == {"clients": 3, "browsers": 1, "entries": 3, "events_read": 9}, (
        "every client read every entry"
    )
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
