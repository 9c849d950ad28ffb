"""What all tests share: which run, and what is said at the end.

Hypothesis is derandomised: the same tree gives the same result. To search further:
    .venv/bin/python -m pytest --hypothesis-profile=search tests/...
"""

import functools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants, _constants_from_source

from tests.house import clauses

SOURCE = Path(__file__).resolve().parents[1] / "src" / "openline"

settings.register_profile("check", derandomize=True, deadline=None, database=None)
settings.register_profile("search", deadline=None, max_examples=2_000, print_blob=True)
settings.load_profile("check")


@functools.cache
def _constants() -> Constants:
    """Values that the program's own code names: Hypothesis tries them among what it draws.

    Left to itself it takes those of the modules that are loaded, and so draws otherwise with each test that ran before in
    the same process; thus it takes those of every module.
    """
    found = Constants()
    for path in sorted(SOURCE.rglob("*.py")):
        found |= _constants_from_source(path.read_bytes(), limit=True)
    return found


providers._get_local_constants = _constants


SKIPPED = 6
"""How a run ends in continuous integration in which a real part was missing; pytest's own numbers end at 5."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="also the tests marked `full`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--full"):
        return
    left_out = [item for item in items if item.get_closest_marker("full")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("full")]


def skips_are_failures(config: pytest.Config) -> bool:
    """In continuous integration a real part that cannot be had is a failure."""
    return bool(config.getoption("--full")) and os.environ.get("CI") == "true"


def skipped(reporter: pytest.TerminalReporter) -> Iterator[tuple[str, str]]:
    """The test (or file) and the reason of each skip."""
    for report in reporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        yield report.nodeid, reason.removeprefix("Skipped: ")


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(session.config, "workerinput"):
        return
    ended = session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
    if ended and skips_are_failures(session.config) and any(skipped(reporter)):
        session.exitstatus = SKIPPED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    stages = os.environ.get("OPENLINE_CHECK_STAGES", "")
    if stages:
        bad = "FAILED" in stages
        terminalreporter.section("stages before the tests", red=bad, green=not bad)
        terminalreporter.write_line(stages)
        terminalreporter.write_line(clauses.report())
    missing = sorted(skipped(terminalreporter))
    if missing:
        fails = skips_are_failures(config)
        terminalreporter.section(
            f"{len(missing)} SKIPPED: A REAL PART IS MISSING", red=fails, yellow=not fails, bold=True
        )
        for test, reason in missing:
            terminalreporter.write_line(f"{test}: {reason}")
        if fails:
            terminalreporter.write_line("With CI=true this is a failure.", red=True)
