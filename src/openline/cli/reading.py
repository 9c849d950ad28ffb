"""Commands that show what was said: read, find, history, tail."""

from collections.abc import Iterator, Sequence

import click

from openline.cli.answering import ROLE, acting
from openline.cli.command import Desk, command
from openline.cli.entry_lines import headline, message_lines
from openline.cli.failures import unavailable, usage
from openline.cli.inert import inert_line
from openline.cli.language import _
from openline.cli.local import Json, Local, Place, me_of
from openline.cli.output import Output
from openline.cli.sending import moment_of
from openline.cli.waiting import first_clock_first, waiting_on

KINDS = (
    "message", "receipt", "interim", "decline", "query", "answer", "translation", "service", "contact", "countersign",
    "ring", "pick-up", "refusal", "hang-up", "seat", "typed-line", "minutes", "minutes-word", "watch", "suspend",
    "lift", "test", "attachment", "attachment-receipt", "propose", "assent", "terms", "generation", "epoch", "keys",
    "ack", "refused", "unknown",
)  # fmt: skip
"""Every kind of entry; then those that are none: refused, and of a newer program."""
QUIET = frozenset({"ack", "epoch", "attachment-receipt"})
"""Kinds that a history leaves out unless asked: housekeeping between the stations."""


@command(
    "read",
    _("Show a message in full, and record the receipt “read” with your role and sign: its author sees it."),
    more=(_("Without REF: the message that waits with the first clock. Hidden characters are shown as their codes."),),
    examples=("openline read BRAVO", "openline read BRAVO 0012", "openline read BRAVO 'BRAVO Z003 211430Z NOV 26'"),
)
@click.argument("line")
@click.argument("reference", metavar="[REF]", nargs=-1)
@click.option("--no-receipt", is_flag=True, help=_("Only look: tell nobody."))
@click.option("--role", type=ROLE, metavar="ROLE", help=_("Your role, if you have several."))
@click.option("--sign", metavar="SIGN", help=_("Your sign, if you have several."))
def read_(
    desk: Desk, *, line: str, reference: Sequence[str], no_receipt: bool, role: str | None, sign: str | None
) -> None:
    """Show a message and say so."""
    station, out = desk.station, desk.out
    found = station.line(line)
    me = me_of(found)
    entry = station.find(line, " ".join(reference), peer=True) if reference else _first_waiting(station, found, out)
    if entry is None:
        return
    if entry["kind"] != "message":
        raise usage(
            _("That entry is not a message."), _("Look at it: openline history {line}").format(line=inert_line(line))
        )
    lines = message_lines(out, entry, station.names(line, [entry], {}), me=me, now=station.now())
    owed = entry["author"] != me and not no_receipt and not (entry.get("status") or {}).get(me, {}).get("read")
    answer: Json = {"entry": entry, "receipt": None}
    out.say(*lines)  # first what was read, then that it was
    if owed:
        receipt = station.post(line, {"kind": "receipt", "of": entry["ref"], "step": "read", **acting(role, sign)})
        answer["receipt"] = receipt.get("ref")
        out.say("", _("Its author will see that you read it."))
    if out.json:
        out.object(answer)


def _first_waiting(station: Local, line: Json, out: Output) -> Json | None:
    waits, _cut = waiting_on(station, line)
    ordered = [one for one in first_clock_first(waits) if one.what != "theirs"]
    if ordered:
        return ordered[0].entry
    out.answer({"entry": None, "receipt": None}, [_("Nothing waits for this watch.")])
    return None


@command(
    "find",
    _("Find a message by its reference, as people say it: any case, with or without the date-time group."),
    examples=("openline find BRAVO bravo 12", "openline find BRAVO 'ALPHA Z003' --json"),
)
@click.argument("line")
@click.argument("reference", metavar="REF", nargs=-1, required=True)
def find_(desk: Desk, *, line: str, reference: Sequence[str]) -> None:
    """Find one message."""
    entry = desk.station.find(line, " ".join(reference), peer=True)
    desk.out.answer(entry, [headline(desk.out, entry, {})])


@command(
    "history",
    _("What was said and done on a line, oldest first; at most --limit of the newest entries."),
    examples=(
        "openline history BRAVO",
        "openline history BRAVO --since '210000Z NOV 26' --kind message --limit 500",
        "openline history BRAVO --json > history.jsonl",
    ),
)
@click.argument("line")
@click.option("--since", metavar="MOMENT", help=_("Only what is said to be later."))
@click.option(
    "--kind", type=click.Choice(KINDS), metavar="KIND", help=_("Only this kind: message, receipt, interim, test, ...")
)
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=100, metavar="N", help=_("How many (default: 100).")
)
@click.option("--all", "everything", is_flag=True, help=_("Also acknowledgements and other housekeeping."))
def history_(desk: Desk, *, line: str, since: str | None, kind: str | None, limit: int, everything: bool) -> None:
    """Show a line's entries; with --json one object a line."""
    station = desk.station
    station.line(line)
    after = moment_of(since, station.now(), past=True) if since is not None else None
    found: list[Json] = []
    for entry in station.backwards(line, kind=kind):
        if after is not None and int(entry["time"]) < after:
            # Times are claims: one that lies is no reason to stop, a page of them is.
            if found and int(found[-1]["seq"]) - int(entry["seq"]) > _STRAYS:
                break
            continue
        if everything or kind or not _quiet(entry):
            found.append(entry)
        if len(found) >= limit:
            break
    found.reverse()
    _show(desk, line, found, {}, empty=_("Nothing was said on this line yet, or nothing that fits."))


def _quiet(entry: Json) -> bool:
    """Whether a history leaves it out. Both lanes open a generation with the same words: once is enough."""
    return str(entry["kind"]) in QUIET or (entry["kind"] == "generation" and int(entry["ref"]["lane"]) % 2 == 1)


_STRAYS = 500
"""Entries looked at beyond the last that was late enough."""


@command(
    "tail",
    _("The newest entries of a line; with -f all that come, until Ctrl-C."),
    examples=("openline tail BRAVO", "openline tail -f BRAVO", "openline tail -f BRAVO --json | your-program"),
)
@click.argument("line")
@click.option("-f", "--follow", is_flag=True, help=_("Stay, and show what comes."))
@click.option(
    "-n", "--lines", type=click.IntRange(0, 100_000), default=10, metavar="N", help=_("How many (default: 10).")
)
@click.option("--all", "everything", is_flag=True, help=_("Also acknowledgements and other housekeeping."))
def tail_(desk: Desk, *, line: str, follow: bool, lines: int, everything: bool) -> None:
    """Show the newest entries, and follow."""
    station = desk.station
    path = f"{station.about_line(line)}/events"
    found: list[Json] = []
    newest = -1
    for entry in station.backwards(line):
        newest = max(newest, int(entry["seq"]))
        if everything or not _quiet(entry):
            found.append(entry)
        if len(found) >= lines:
            break
    known: dict[Place, str] = {}
    shown = found[:lines][::-1]
    _show(
        desk, line, shown, known, empty="" if follow else _("Nothing was said on this line yet, or nothing that fits.")
    )
    if follow:
        for entry in following(station, path, newest):
            if everything or not _quiet(entry):
                _show(desk, line, [entry], known, empty="")
        raise unavailable(_("The station has stopped."), _("Start it: openline up"), name="station-stopped")


def following(station: Local, path: str, newest: int) -> Iterator[Json]:
    """Entries after the newest one seen, as they come; ends when the station does."""
    for event in station.client.events(path, after=max(newest, 0)):
        if event.name == "entry" and int(event.data["seq"]) > newest:
            yield event.data


def _show(desk: Desk, line: str, entries: list[Json], known: dict[Place, str], *, empty: str) -> None:
    if desk.out.json:
        for entry in entries:
            desk.out.object(entry)
        return
    names = desk.station.names(line, entries, known)
    for entry in entries:
        desk.out.say(headline(desk.out, entry, names))
    if not entries and empty:
        desk.out.say(empty)
