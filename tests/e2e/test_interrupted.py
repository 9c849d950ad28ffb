"""Ctrl-C at the first moment of a command, while its parts are still being loaded."""

import subprocess
import sys

import pytest

from openline.cli.failures import Exit

SCRIPT = """
import sys
class Pressed:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Pressed())
from openline.cli import main
sys.exit(main(["doctor", "--home", "/nonexistent"]))
"""


@pytest.mark.parametrize(
    "module", ["openline.cli.entrance", "click", "openline.cli.command", "openline.station.doctor"]
)
def test_a_command_that_is_interrupted_while_it_loads_says_so_and_nothing_else(module: str) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(module=module)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (Exit.INTERRUPTED, "")
    assert done.stderr.strip() == "Stopped."
