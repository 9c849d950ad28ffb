"""What takes minutes over a serial line alone: a FLASH at 300 bit/s (five), a line that opens at 2,400 (one) and 1,200 (three).

By command; the full check has a FLASH at 1,200 bit/s, and a line that opens at 9,600:

.venv/bin/python -m pytest --full -n0 tests/e2e/serial_long.py
"""

import pytest

from tests.contract.serial_rig import Plug
from tests.e2e.homes import Home
from tests.e2e.test_bearers import opens_over_a_serial_line
from tests.e2e.test_serial_line import flash_reaches_the_other_floor, homes, plugs, pytestmark

__all__ = ["homes", "plugs", "pytestmark"]  # what a test file needs by its name


def test_9_73_at_300_bit_a_second(homes: list[Home], plugs: tuple[Plug, Plug]) -> None:
    flash_reaches_the_other_floor(homes, plugs, 300)


@pytest.mark.parametrize("rate", [2_400, 1_200])
def test_a_line_opens_over_a_serial_line_alone(homes: list[Home], rate: int) -> None:
    opens_over_a_serial_line(homes, rate)
