"""The bench of calls runs in real Chromium, and what it counts (never what it times) is what it set out to do."""

from pathlib import Path

from tests.benching import quick
from tests.e2e.call_sound.floors import needs

pytestmark = needs()


def test_the_bench_of_calls_runs_prints_every_key_and_counts_what_it_did(tmp_path: Path) -> None:
    found = quick("calls", tmp_path, timeout_s=600)
    for name in ("press_to_ring_ms", "answer_to_sound_ms"):
        assert set(found[name]) == {"p50", "p95", "p99"}
        assert found[name]["p50"] > 0
    assert found["signalling_bytes_per_call"] > 4_000, "two session descriptions went over the line"
    assert set(found["quality"]) == {"0.00"}
    assert set(found["quality"]["0.00"]) == {"stoi", "stoi_least", "heard", "lost", "kbits"}
    assert set(found["ten_calls"]) == {"cpu_ms_per_call_to_open", "seconds_to_open_all", "cpu_percent_during", "rss_mb"}
    counted = found["operations"]
    assert (counted["calls"], counted["records"]) == (1, 2)
    assert (counted["ten"]["calls"], counted["ten"]["consoles"]) == (2, 4)
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
