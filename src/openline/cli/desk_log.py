"""Commands of the desk itself: the operators' log, and the watch that changes hands."""

from collections.abc import Sequence

import click

from openline.cli.command import Desk, command
from openline.cli.failures import refused
from openline.cli.inert import inert_line
from openline.cli.language import _, _n
from openline.cli.local import Json
from openline.cli.moments import clock
from openline.cli.output import table


@command(
    "log",
    _("The operators' log: notes that stay at this station, sealed and chained. With TEXT: write one."),
    examples=("openline log", "openline log --line BRAVO 'They telephoned: their generator is on.'"),
)
@click.argument("text", required=False)
@click.option("--line", metavar="LINE", help=_("The line that it is about."))
@click.option("--sign", metavar="SIGN", help=_("Your sign, if you have several."))
@click.option("--limit", type=click.IntRange(1, 500), default=20, metavar="NUMBER", help=_("How many (default: 20)."))
def log_(desk: Desk, *, text: str | None, line: str | None, sign: str | None, limit: int) -> None:
    """Read or write the operators' log."""
    client, out = desk.station.client, desk.out
    if text is not None:
        note: Json = {"text": text} | ({"line": line} if line else {}) | ({"sign": sign.upper()} if sign else {})
        out.answer(client.post("log", note), [_("Written.")])
        return
    asked: Json = {"limit": limit} | ({"line": line} if line else {})
    found = client.get("log", **asked)
    rows = [
        [
            clock(int(each["time"])),
            inert_line(str(each["sign"])),
            inert_line(str(each["line"])),
            inert_line(str(each["text"]).partition("\n")[0])[:80],
        ]
        for each in found["entries"]
    ]
    lines = table(out, [_("when"), _("by"), _("line"), _("note")], rows) if rows else [_("Nothing is written yet.")]
    out.answer(found, lines)


@command(
    "handover",
    _("The watch changes hands. Alone: how it stands, with every open clock. --offer hands it on; --accept takes it, and"
      " with it every clock that is shown."),
    examples=("openline handover", "openline handover --offer 'Ask them about the ferries.'", "openline handover --accept"),
)  # fmt: skip
@click.option("--offer", metavar="NOTE", help=_("Offer the watch to the next officer, with what must be known."))
@click.option("--withdraw", is_flag=True, help=_("Keep the watch after all."))
@click.option(
    "--accept", "accepting", is_flag=True, help=_("Take the watch: each open clock is shown and asked for by name.")
)
@click.option("--leave", metavar="NOTE", help=_("Leave the floor unattended, on every line, and say why."))
@click.option("--yes", is_flag=True, help=_("Accept every clock without being asked for each."))
@click.option("--sign", metavar="SIGN", help=_("Your sign, if you have several."))
def handover_(
    desk: Desk, *, offer: str | None, withdraw: bool, accepting: bool, leave: str | None, yes: bool, sign: str | None
) -> None:
    """Hand over the watch, or take it."""
    client, out = desk.station.client, desk.out
    signed: Json = {"sign": sign.upper()} if sign else {}
    if offer is not None:
        out.answer(client.post("watch/offer", {"note": offer, **signed}), [_("Offered. The next officer accepts it.")])
    elif withdraw:
        out.answer(client.post("watch/withdraw"), [_("You keep the watch.")])
    elif leave is not None:
        out.answer(
            client.post("watch/leave", {"note": leave, **signed}), [_("The floor is unattended, on every line.")]
        )
    elif accepting:
        found = client.get("watch")
        meant = {"offer": found["handover"]["at"]} if _is_offered(found) else {}
        names = _accepted(found["clocks"], yes=yes)
        out.answer(client.post("watch/accept", {"clocks": names, **meant, **signed}), [_("You have the watch.")])
    else:
        found = client.get("watch")
        out.answer(found, _standing(desk, found))


def _accepted(clocks: Sequence[Json], *, yes: bool) -> list[str]:
    """The names of all clocks, each agreed to."""
    for each in clocks:
        if not yes and not click.confirm(_("Accept {clock}?").format(clock=inert_line(str(each["name"]))), err=True):
            raise refused(_("Not accepted. The watch is where it was."), name="not-confirmed")
    return [str(each["name"]) for each in clocks]


def _is_offered(watch: Json) -> bool:
    return watch["handover"] is not None and watch["handover"]["state"] == "offered"


def _standing(desk: Desk, found: Json) -> list[str]:
    handover, out = found["handover"], desk.out
    lines = []
    if _is_offered(found):
        offered = _("{sign} offers the watch since {moment}: {note}")
        note = inert_line(str(handover["note"]))
        lines += [
            offered.format(sign=inert_line(str(handover["by"])), moment=clock(int(handover["at"])), note=note),
            "",
        ]
    clocks = found["clocks"]
    if not clocks:
        return [*lines, _("No clock is open.")]
    rows = [
        [clock(int(each["clock"]["due"])), _("overdue") if each["overdue"] else "", inert_line(str(each["name"]))]
        for each in clocks
    ]
    count = _n("{number} clock is open.", "{number} clocks are open.", len(rows))
    return [*lines, count, "", *table(out, [_("due"), "", _("clock")], rows)]
