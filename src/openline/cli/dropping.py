"""Command of couriers: drop write, drop read (spec 9.67)."""

import base64
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openline.cli.command import Desk, command
from openline.cli.failures import Failure, unavailable, usage
from openline.cli.inert import inert_line
from openline.cli.language import _, _n
from openline.cli.local import Json, of_house

if TYPE_CHECKING:
    from openline.station.sticks import Stick

_COUNTS = ("envelopes", "opened", "handshakes", "duplicates", "unknown", "entries")


@command(
    "drop",
    _("Carry a line's envelopes by hand: write those that wait onto a stick, or read those that a stick brought."),
    more=(
        _("The stick may be any folder. It holds sealed envelopes and nothing else; who finds it learns no name."),
        _("A line can live on sticks alone: the first four trips agree on keys, and each later one carries all that"
          " there is. Read a stick before you write on it, so that the answers go back with it."),
    ),
    examples=(
        "openline drop write /media/usb",
        "openline drop read /media/usb",
        "openline drop read /media/usb bravo --delete",
    ),
)  # fmt: skip
@click.argument("act", type=click.Choice(["write", "read"]), metavar="write|read")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.argument("line", required=False)
@click.option("--delete", is_flag=True, help=_("Delete from the stick what the station has taken (read only)."))
def drop_(desk: Desk, *, act: str, folder: Path, line: str | None, delete: bool) -> None:
    """Write a stick, or read one."""
    from openline.station.sticks import Stick

    if delete and act == "write":
        raise usage(_("--delete goes with read only."), _("See: {command} --help").format(command="openline drop"))
    stick = Stick(folder)
    if line is not None:
        desk.station.line(line)
    if act == "write":
        _write(desk, stick, line)
    else:
        _read(desk, stick, line, delete=delete)


# --- write -----------------------------------------------------------------------------------------------------


def _write(desk: Desk, stick: "Stick", line: str | None) -> None:
    from openline.station.sticks import Faulty

    answer: Json = desk.station.client.post("drop/write", {"line": line} if line else {})
    files = size = there = 0
    wanted = sum(len(load["envelopes"]) for load in answer["loads"])
    try:
        for load in answer["loads"]:
            if load["envelopes"]:
                done = stick.write(load["out"], [base64.b64decode(each) for each in load["envelopes"]])
                files, size, there = files + done.files, size + done.size, there + done.there
    except Faulty as fault:
        raise _interrupted(fault, files + fault.written, wanted) from None
    desk.out.answer(
        {"written": files, "bytes": size, "there": there, "standing": answer["standing"]},
        [
            _written(files, size, there),
            *_standing(answer["standing"], writing=True),
            "",
            _("Safe to remove: unmount the stick, then pull it out."),
        ],
    )


def _interrupted(fault: Any, files: int, wanted: int) -> Failure:
    """The stick failed in the middle; what is on it is whole."""
    said = of_house(fault)
    count = _("{files} of {wanted} envelopes were written.").format(files=files, wanted=wanted)
    safe = _("Nothing is lost: the next stick gets them all.")
    return unavailable(f"{said.message} {count}", f"{said.do} {safe}".strip(), name="medium")


def _written(files: int, size: int, there: int) -> str:
    if not files and not there:
        return _("Nothing waits: nothing was written.")
    said = _n("Written: {number} envelope", "Written: {number} envelopes", files) + f" ({size} B)"
    if there:
        said += ", " + _n("{number} was there already", "{number} were there already", there)
    return said + "."


# --- read ------------------------------------------------------------------------------------------------------


def _read(desk: Desk, stick: "Stick", line: str | None, *, delete: bool) -> None:
    view: Json = desk.station.client.get("drop", **({"line": line} if line else {}))
    totals: Counter[str] = Counter()
    standing = view["standing"]
    for name in dict.fromkeys(str(folder["into"]) for folder in view["folders"]):
        for looked in stick.parts(name):
            totals["foreign"] += looked.foreign
            if not looked.found:
                continue
            body = b"".join(len(each.envelope).to_bytes(2, "big") + each.envelope for each in looked.found)
            answer: Json = desk.station.client.post_bytes("drop/read", body)
            for count in _COUNTS:
                totals[count] += int(answer[count])
            standing = answer["standing"]
            if delete:
                totals["deleted"] += stick.delete(name, looked.found)
    shown = [each for each in standing if line is None or any(_same(each, folder) for folder in view["folders"])]
    told = {name: totals[name] for name in (*_COUNTS, "foreign", "deleted")}
    desk.out.answer({**told, "standing": shown}, [*_report(totals, delete=delete), *_standing(shown, writing=False)])


def _same(standing: Json, folder: Json) -> bool:
    return bool(standing["line"] == folder["line"] and standing["party"] == folder["party"])


def _report(totals: "Counter[str]", *, delete: bool) -> list[str]:
    if not totals["envelopes"]:
        lines = [_("There is nothing for this station on it.")]
    else:
        lines = [
            _n("Read: {number} envelope", "Read: {number} envelopes", totals["envelopes"])
            + ", "
            + _n("{number} new entry", "{number} new entries", totals["entries"])
            + "."
        ]
    handshakes, known, unknown = (totals[name] for name in ("handshakes", "duplicates", "unknown"))
    if handshakes:
        lines.append("  " + _n("{number} carried keys.", "{number} carried keys.", handshakes))
    if known:
        lines.append("  " + _n("{number} was known already.", "{number} were known already.", known))
    if unknown:
        said = _n(
            "{number} opens with no key here: it is old, or not for us.",
            "{number} open with no key here: they are old, or not for us.",
            unknown,
        )
        lines.append("  " + said)
    if totals["foreign"]:
        said = _n(
            "{number} other or damaged file, left alone.",
            "{number} other or damaged files, left alone.",
            totals["foreign"],
        )
        lines.append("  " + said)
    if delete and totals["deleted"]:
        lines.append("  " + _n("{number} file deleted.", "{number} files deleted.", totals["deleted"]))
    return lines


# --- what the next trip is for ---------------------------------------------------------------------------------


def _standing(standing: list[Json], *, writing: bool) -> list[str]:
    return [f"{each['line']}, {each['party']}: {_next(each, writing=writing)}" for each in map(_inert, standing)]


def _inert(each: Json) -> Json:
    return {**each, "line": inert_line(str(each["line"])), "party": inert_line(str(each["party"]))}


def _next(each: Json, *, writing: bool) -> str:
    """In one sentence, what the next trip is for."""
    party = each["party"]
    match each["step"], writing:
        case "call", True:
            said = _("keys are to be agreed on. This stick calls; bring back the answer of {party} (trip 1 of 4).")
        case "answer", True:
            said = _("this stick answers the call of {party}; bring back its proof (trip 2 of 4).")
        case "proof", True:
            said = _("this stick carries the proof; bring back the confirmation of {party} (trip 3 of 4).")
        case (("call" | "answer" | "proof"), _reading):
            said = _("keys are being agreed on. Write a stick now, and carry it to {party}: openline drop write DIR")
        case "content", _any:
            number = int(each["waiting"])
            return _n(
                "{number} entry still waits for a further trip.",
                "{number} entries still wait for a further trip.",
                number,
            )
        case "confirm", _any:
            said = _("nothing more waits; the next stick from {party} will say what it holds.")
        case _:
            said = _("{party} holds everything.")
    return said.format(party=party)
