"""Says at the end of a run how much was simulated."""

from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    hours, seeds = 0.0, 0
    faults: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") != "call":
                continue
            for name, value in getattr(report, "user_properties", ()):
                if name == "simulated":
                    for spent, met in value:
                        hours, seeds = hours + spent, seeds + 1
                        faults.update(met)
    if seeds:
        terminalreporter.section("simulated")
        terminalreporter.write_line(
            f"{seeds} seeds, {hours:,.0f} line-hours, {sum(faults.values()):,} faults and lies:"
        )
        terminalreporter.write_line(", ".join(f"{name} {count:,}" for name, count in faults.most_common()))
