"""The command line, on the station's local API only (verify needs no station at all)."""

import sys
from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code (docs/operators/exit-codes.md)."""
    try:
        from openline.cli.entrance import enter

        return enter(words)
    except KeyboardInterrupt:  # while it loads: nothing has begun, and no language is chosen
        sys.stderr.write("\nStopped.\n")
        return 130
