"""Samples, and what is said of them: p50, p95, p99 and no more."""

from collections.abc import Iterable


class Samples:
    """Durations in nanoseconds."""

    def __init__(self, values: Iterable[int] = ()) -> None:
        self.values = list(values)

    def add(self, nanoseconds: int) -> None:
        self.values.append(nanoseconds)

    def __len__(self) -> int:
        return len(self.values)


def spread(samples: Samples) -> dict[str, float]:
    """p50, p95 and p99 in milliseconds, by nearest rank."""
    ordered = sorted(samples.values)
    if not ordered:
        return {"p50": 0.0, "p95": 0.0, "p99": 0.0}
    points = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
    last = len(ordered) - 1
    return {name: round(ordered[min(last, int(len(ordered) * part))] / 1e6, 4) for name, part in points.items()}
