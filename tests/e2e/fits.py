"""Whether every word on a page stands in its box, on the screen, and over no other word: measured in the page."""

from pathlib import Path

from tests.e2e.browser import Seat

FINDS = (Path(__file__).parent / "fits.js").read_text(encoding="utf-8")
"""A function of the screen's width, for a page."""


def misfits(seat: Seat, width: int) -> list[str]:
    """What does not fit on the page as it stands, on a screen so wide; each with its words."""
    found: list[str] = seat.page.evaluate(FINDS, width)
    return found
