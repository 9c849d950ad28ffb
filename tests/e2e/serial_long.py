"""FLASH over a serial line of 300 bit/s alone. By command, since it takes five minutes (the full check has 1,200 bit/s):

.venv/bin/python -m pytest --full -n0 tests/e2e/serial_long.py
"""

from tests.contract.serial_rig import Plug
from tests.e2e.homes import Home
from tests.e2e.test_serial_line import flash_reaches_the_other_floor, homes, plugs, pytestmark

__all__ = ["homes", "plugs", "pytestmark"]  # what a test file needs by its name


def test_9_73_at_300_bit_a_second(homes: list[Home], plugs: tuple[Plug, Plug]) -> None:
    flash_reaches_the_other_floor(homes, plugs, 300)
