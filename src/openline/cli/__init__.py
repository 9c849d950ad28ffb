"""The command line, on the station's local API only (verify needs no station at all)."""

from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code (docs/operators/exit-codes.md)."""
    from openline.cli.entrance import enter

    return enter(words)
