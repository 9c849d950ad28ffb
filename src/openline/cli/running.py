"""Run the station in this process: for `up`, and for commands that need one for a while."""

import contextlib
from collections.abc import Iterator

from openline.cli.command import Desk
from openline.cli.local import Local


def run_here(desk: Desk) -> None:
    """Run the station until it is told to stop."""
    from openline.cli.unlocking import unlock_of
    from openline.station.config import load_config

    config = load_config(desk.home)
    unlock_of(desk.home, config)


@contextlib.contextmanager
def running_station(desk: Desk) -> Iterator[Local]:
    """The running station, or one that runs here until the block ends."""
    yield desk.station
