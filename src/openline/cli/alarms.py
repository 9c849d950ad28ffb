"""Alarms: what is open, who is called when, whether the paths out of the building work; and taking one."""

from collections.abc import Sequence

import click

from openline.cli.command import Desk, command
from openline.cli.failures import Exit, leave, usage
from openline.cli.inert import inert_line
from openline.cli.language import _
from openline.cli.local import Json
from openline.cli.moments import span, until
from openline.cli.output import Cell, Output, table


@command(
    "alarms",
    _("Alarms that leave the building: open and past ones, who is called, and whether the paths work. Or take one."),
    more=(
        _("acknowledge stops the escalation of an alarm; the first digits of its id are enough. test calls over a path"
          " (or over each), saying that it is a test. roster shows who is called when."),
    ),
    examples=(
        "openline alarms",
        "openline alarms acknowledge 3fa1",
        "openline alarms test pager",
        "openline alarms roster",
    ),
)  # fmt: skip
@click.argument("words", nargs=-1, metavar="[list | test [PATH] | acknowledge ID | roster]")
@click.option("--sign", metavar="SIGN", help=_("Your sign, if you have several."))
def alarms_(desk: Desk, *, words: tuple[str, ...], sign: str | None) -> None:
    """Show, take or test alarms."""
    match words:
        case () | ("list",):
            _list(desk)
        case ("test",) | ("test", _):
            _test(desk, words[1:])
        case ("acknowledge", name):
            _acknowledge(desk, name, sign)
        case ("roster",):
            _roster(desk)
        case _:
            raise usage(
                _("Say list, test, acknowledge with an id, or roster."), _("Write: openline alarms acknowledge ID")
            )


def _list(desk: Desk) -> None:
    out, found, now = desk.out, desk.station.client.get("alarms"), desk.station.now()
    is_open, past = found["open"], found["past"]
    lines = [out.paint(_("{number} open").format(number=len(is_open)), "act")] if is_open else [_("No alarm is open.")]
    headings = [_("id"), _("alarm"), _("line"), _("since"), _("called"), _("next step")]
    lines += table(out, headings, [_row(alarm, now) for alarm in is_open])
    if found["standing"]:
        lines += ["", _("Acknowledged, and still so:")]
        lines += table(out, headings, [_row(alarm, now) for alarm in found["standing"]])
    lines += ["", *_paths(out, found, now)]
    if past:
        lines += ["", _("Past:")]
        ends = [_("id"), _("alarm"), _("line"), _("since"), _("ended"), _("by"), _("told so")]
        lines += table(out, ends, [_past(alarm, now) for alarm in past[:10]])
    out.answer(found, lines)


def _row(alarm: Json, now: int) -> list[Cell | str]:
    step = alarm["next_step_ms"]
    return [
        alarm["id"][:8],
        Cell(kind_word(alarm), "act" if alarm["state"] == "open" else "look"),
        inert_line(str(alarm["line"])) or "-",
        until(int(alarm["since"]), now),
        ", ".join(alarm["called"]) or "-",
        _("in {span}").format(span=span(step)) if step is not None else "-",
    ]


def _past(alarm: Json, now: int) -> list[Cell | str]:
    return [
        alarm["id"][:8],
        kind_word(alarm),
        inert_line(str(alarm["line"])) or "-",
        until(int(alarm["since"]), now),
        until(int(alarm["ended"]), now) if alarm["ended"] else "-",
        inert_line(str(alarm["sign"])) or "-",
        ", ".join(alarm["told"]) or "-",
    ]


def kind_word(alarm: Json) -> str:
    """What an alarm is about, in words; a kind that this program does not know by its name."""
    words = {
        "flash": _("FLASH not acknowledged"),
        "unattended": _("something came, nobody is on watch"),
        "line-fault": _("line in fault"),
        "clock-ours": _("a clock of ours ran out"),
        "clock-theirs": _("a clock of theirs ran out"),
        "bearer-down": _("bearer down"),
        "disk-low": _("disk nearly full"),
        "alarm-path": _("alarm path broken"),
        "key-stolen": _("a key is held for stolen"),
        "restored": _("this station was restored"),
        "fork-proved": _("a fork is proved"),
        "second-writer": _("a second writer uses our key"),
        "keys-contradict": _("keys contradict each other"),
        "generations-exhausted": _("no room for generations"),
        "contact-missed": _("contact missed"),
        "station-silent": _("the station is silent"),
    }
    kind = str(alarm["kind"])
    about = f" ({inert_line(str(alarm['about']))})" if alarm.get("about") else ""
    return words.get(kind, inert_line(kind)) + about


def _paths(out: Output, found: Json, now: int) -> list[str]:
    if not found["paths"]:
        return [out.paint(_("No path leads out of the building: set [alarms] in config.toml."), "look")]
    rows: list[list[Cell | str]] = []
    for path in found["paths"]:
        works = path["works"]
        state = (
            _("not tried yet")
            if works is None
            else _("works")
            if works
            else _("BROKEN: {why}").format(why=path["failure"])
        )
        rows.append(
            [
                inert_line(str(path["name"])),
                path["medium"],
                Cell(state, "work" if works else "look" if works is None else "act"),
                until(int(path["succeeded_at"]), now) if path["succeeded_at"] is not None else "-",
                until(int(path["tested_at"]), now) if path["tested_at"] is not None else "-",
            ]
        )
    return table(out, [_("path"), _("medium"), _("state"), _("last taken"), _("last test")], rows)


def _acknowledge(desk: Desk, name: str, sign: str | None) -> None:
    station = desk.station
    is_open = [alarm for alarm in station.client.get("alarms")["open"] if alarm["id"].startswith(name.lower())]
    if len(is_open) != 1:
        raise usage(
            _("Several open alarms begin so.") if is_open else _("No open alarm has that id."),
            _("List them: openline alarms"),
        )
    body = {"sign": sign.upper()} if sign else {}
    answer = station.client.post(f"alarms/{is_open[0]['id']}/acknowledge", body)
    told = _("Acknowledged: {alarm}. Nobody else is called about it.").format(alarm=kind_word(answer))
    desk.out.answer(answer, [told])


def _test(desk: Desk, words: Sequence[str]) -> None:
    answer = desk.station.client.post("alarms/test", {"path": words[0]} if words else {})
    out, tests = desk.out, answer["tests"]
    taken = out.paint(_("taken. Ask whether it has come."), "work")
    lines = [
        f"{inert_line(str(each['path']))}: "
        + (taken if each["taken"] else out.paint(_("BROKEN: {why}").format(why=each["why"]), "act"))
        for each in tests
    ]
    out.answer(answer, lines or [_("No path leads out of the building: set [alarms] in config.toml.")])
    if not tests or not all(each["taken"] for each in tests):
        leave(Exit.ATTENTION)


def _roster(desk: Desk) -> None:
    out, found = desk.out, desk.station.client.get("alarms")
    steps = [
        [
            _("after {minutes} min").format(minutes=step["after_minutes"]),
            ", ".join(step["to"]),
            ", ".join(step["kinds"]) or _("all"),
            ", ".join(step["paths"]) or "-",
        ]
        for step in found["steps"]
    ]
    lines = table(out, [_("step"), _("who"), _("alarms"), _("now")], steps)
    shifts = [
        [shift["duty"], " ".join(shift["days"]), f"{shift['start']}-{shift['end']}", ", ".join(shift["paths"])]
        for shift in found["roster"]
    ]
    if shifts:
        lines += ["", *table(out, [_("duty"), _("days"), inert_line(found["zone"]), _("paths")], shifts)]
    for name in found["gaps"]:
        lines += [
            "",
            out.paint(_("At some hours nobody has {duty}: everybody is called then.").format(duty=name), "look"),
        ]
    out.answer({name: found[name] for name in ("steps", "roster", "zone", "gaps")}, lines)
