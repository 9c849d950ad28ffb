"""The bench runs, and what it counts (never what it times) is as the design has it."""

from pathlib import Path

import pytest

from tests.benching import quick

SPREADS = ("one_way_ms", "round_trip_ms", "api_one_way_ms")
OTHERS = (
    "throughput_per_s",
    "envelope_bytes_per_message",
    "wire_bytes_per_message",
    "rss_mb",
    "start_ms",
    "verify_1m_s",
    "floor",
    "one_way_ratio",
    "api_one_way_ratio",
)


def test_the_bench_runs_prints_every_key_and_counts_what_the_design_says(tmp_path: Path) -> None:
    found = quick("line", tmp_path, timeout_s=240, environment={"OPENLINE_BENCH_CACHE": str(tmp_path / "cache")})
    for name in SPREADS:
        assert set(found[name]) == {"p50", "p95", "p99"}
    assert set(OTHERS) <= set(found)
    assert set(found["throughput_per_s"]) == {"1", "16", "256"}
    assert found["bytes_per_message"]["envelope_least"] == 256, (
        "a signed 100-byte text fits the smallest envelope (9.5)"
    )
    counted = found["operations"]
    # Medians of five turns: a slow neighbour causes repetitions, and the first has the last of what a start says.
    assert [round(count) for count in counted["envelopes_per_message"]] == [1, 1], "one there, one back"
    # And one commit of twenty messages may fall to the next turn: at B the last mark is written after its acknowledgement left.
    assert counted["commits_per_message"] == pytest.approx([2, 2], abs=0.06), (
        "A: the message, then what B holds; B: the message, then its mark"
    )
    assert counted["messages_inside"] == counted["messages_api"] == 100
    assert found["verify_1m_s"]["outcome"] == "consistent"
