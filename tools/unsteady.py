"""What `./check --full` does with the few tests of real processes that failed: it plays them once more, each with nothing beside it.

A test that then passes is *unsteady*: it is told of in red, its first failure stays in the output, and
with `--steady` it fails the check after all. Only tests that start real processes against a real clock
(FOLDERS) are played again, and only where at most MOST failed: whatever is computed gives the same result
each time, and many failures are no accident. docs/decisions/0028 says why.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

FOLDERS = ("tests/contract/", "tests/e2e/")
MOST = 3
RECORD = Path(".pytest_cache/v/cache/lastfailed")
"""Where pytest notes what failed, below the root."""


def forget(root: Path) -> None:
    """Let the record tell of the next run alone."""
    (root / RECORD).unlink(missing_ok=True)


def failed(root: Path) -> list[str]:
    """The tests that failed since `forget`, as pytest names them; none if nobody took note."""
    try:
        noted = json.loads((root / RECORD).read_text())
    except (OSError, ValueError):
        return []
    return sorted(noted)


def may_be_repeated(tests: Sequence[str]) -> bool:
    """Whether these failures may be of the machine and not of the tree."""
    return 0 < len(tests) <= MOST and all(test.startswith(FOLDERS) and "::" in test for test in tests)


def pass_alone(root: Path, tests: Sequence[str], options: Sequence[str]) -> list[str]:
    """Play each in a pytest of its own, with nothing beside it; those that passed."""
    command = [sys.executable, "-m", "pytest", "--no-header", "--tb=short", "-p", "no:cacheprovider", *options]
    return [test for test in tests if subprocess.run([*command, test], cwd=root).returncode == 0]
