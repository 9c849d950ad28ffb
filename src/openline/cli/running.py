"""Run the station in this process: for `up`, and for a command that needs one for a while."""

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from openline.cli.command import Desk
from openline.cli.failures import Failure, leave
from openline.cli.inert import inert_line
from openline.cli.language import _
from openline.cli.local import Local, of_house
from openline.kernel.errors import Refused, Unavailable

if TYPE_CHECKING:
    from openline.station.runtime import Station
    from openline.station.unlock import Unlock


def run_here(desk: Desk) -> None:
    """Run the station until it is told to stop."""

    def ready(station: "Station") -> None:
        about, lines = _console(station)
        desk.out.answer(
            {"state": "up", "name": station.config.name, "lines": len(station.lines), "home": str(desk.home), **about},
            [_("The station {name} is up. Ctrl-C ends it.").format(name=inert_line(station.config.name)), *lines],
        )

    _run(desk, ready, None)
    desk.out.say(_("Stopped."))


def _console(station: "Station") -> tuple[dict[str, str], list[str]]:
    """Where the console is; and the first administrator's link while nobody can sign in there."""
    console = station.console
    if console is None:
        return {}, []
    about, lines = {"console": console.url}, [_("The console: {url}").format(url=console.url)]
    if "JOURNAL_STREAM" in os.environ:  # what is said here is kept for months: a link is not
        return about, lines
    link = console.first_link()
    if link is not None:
        about["link"] = link.url
        lines += [_("Nobody administers it yet. Open this link within 15 minutes; it is good once:"), link.url]
    return about, lines


def _run(desk: Desk, ready: "Callable[[Station], None]", unlock: "Unlock | None") -> None:
    from openline.cli.unlocking import unlock_of
    from openline.station.config import load_config
    from openline.station.main import main

    main(desk.home, unlock or unlock_of(desk.home, load_config(desk.home)), ready=ready)


def is_running(desk: Desk) -> bool:
    """Whether a station answers in that folder."""
    try:
        desk.station.status()
    except Unavailable:
        return False
    return True


def with_station(desk: Desk, work: Callable[[Local], None], unlock: "Unlock | None" = None) -> None:
    """Do something with the running station; without one, with a station that runs here until it is done.

    The station's loop has this thread and its signals; the work, which asks
    people, has another. `unlock` opens the keys, if they are not to be asked for.
    """
    if is_running(desk):
        work(desk.station)
        return
    desk.out.note(_("The station is not running: it runs here for as long as this takes."))
    ended: list[BaseException] = []

    def ready(station: "Station") -> None:
        from asyncio import get_running_loop

        loop = get_running_loop()

        def do() -> None:
            here = Local(desk.home)
            try:
                work(here)
            except (Failure, Refused, Unavailable, click.Abort, click.exceptions.Exit) as end:
                ended.append(end)
            finally:
                here.client.close()
                loop.call_soon_threadsafe(station.stop)

        threading.Thread(target=do, daemon=True).start()

    _run(desk, ready, unlock)
    for end in ended:
        if isinstance(end, click.exceptions.Exit):
            leave(end.exit_code)
        raise of_house(end) if isinstance(end, Refused | Unavailable) else end
