"""The dead-man's switch: a process of its own that calls when a station says nothing any more."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from openline.cli.alarms import kind_word
from openline.cli.command import Desk, command
from openline.cli.failures import usage
from openline.cli.language import _
from openline.cli.moments import now_ms, until
from openline.cli.output import table

if TYPE_CHECKING:
    from openline.station.alarms.deadman import Switch


@command(
    "deadman",
    _("Watch stations from outside, best on another machine: without a sign of life from one, its people are called."),
    more=(
        _("FILE names the stations, and who is called over which paths; docs/operators/alarms.md has one to copy."
          " Runs until Ctrl-C."),
    ),
    examples=(
        "openline deadman /etc/openline-guard/deadman.toml",
        "openline deadman /etc/openline-guard/deadman.toml --list",
        "openline deadman /etc/openline-guard/deadman.toml --acknowledge 3fa1 --sign W4",
    ),
)  # fmt: skip
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--list", "listing", is_flag=True, help=_("Show the alarms that the running switch has open."))
@click.option(
    "--acknowledge", metavar="ID", help=_("Take an alarm of the running switch; the first digits are enough.")
)
@click.option("--sign", metavar="SIGN", default="", help=_("Your sign."))
def deadman_(desk: Desk, *, file: Path, listing: bool, acknowledge: str | None, sign: str) -> None:
    """Run the switch, or speak to the one that runs."""
    import asyncio

    from openline.station.alarms import deadman

    file = file.absolute()
    if listing or acknowledge is not None:
        _speak(desk, file, acknowledge, sign)
        return

    def ready(switch: "Switch") -> None:
        desk.out.answer(
            {"state": "up", "stations": list(switch.stations), "port": switch.port},
            [_("The dead-man's switch watches: {stations}.").format(stations=", ".join(switch.stations))],
        )

    asyncio.run(deadman.serve(file, ready))
    desk.out.say(_("Stopped."))


def _speak(desk: Desk, file: Path, name: str | None, sign: str) -> None:
    from openline.station.alarms import deadman

    found = [alarm for alarm in deadman.open_alarms(file) if alarm.state == "open"]
    if name is None:
        views = [
            {"id": alarm.id, "kind": str(alarm.key.kind), "about": alarm.key.what, "since": alarm.cause.since}
            for alarm in found
        ]
        rows = [[str(view["id"])[:8], kind_word(view), until(int(str(view["since"])), now_ms())] for view in views]
        lines = table(desk.out, [_("id"), _("alarm"), _("since")], rows)
        desk.out.answer({"open": views}, lines or [_("No alarm is open.")])
        return
    named = [alarm for alarm in found if alarm.id.startswith(name.lower())]
    if len(named) != 1:
        raise usage(
            _("Several open alarms begin so.") if named else _("No open alarm has that id."),
            _("List them: openline deadman FILE --list"),
        )
    deadman.acknowledge(file, named[0].id, sign.upper())
    desk.out.answer({"id": named[0].id}, [_("The switch is told. Nobody else is called about it.")])
