"""Bearers, each by itself: how they stand at both ends, and a probe over exactly one."""

import itertools
from collections.abc import Sequence
from typing import Any

import click

from openline.cli.answering import ROLE, acting
from openline.cli.command import Desk, command
from openline.cli.failures import Exit, leave, usage
from openline.cli.inert import inert_line
from openline.cli.language import _, _n
from openline.cli.local import Json
from openline.cli.moments import until
from openline.cli.output import Cell, Output, table

_HOUR_MS = 3_600_000
_SIGNS = (("down", "."), ("silent", "~"), ("unseen", "?"), ("up", "#"))
"""The worst first."""


@command(
    "bearers",
    _("The bearers of a line, each by itself: up or down at both ends, last heard, delay, loss. Or probe them."),
    more=(_("test sends a probe over exactly that bearer (or over each) and waits for the echo over the same one."),),
    examples=("openline bearers", "openline bearers BRAVO --json", "openline bearers test BRAVO serial"),
)
@click.argument("words", nargs=-1, metavar="[LINE] | test LINE [BEARER]")
def bearers_(desk: Desk, *, words: tuple[str, ...]) -> None:
    """Show or probe bearers."""
    if words[:1] == ("test",):
        _probe(desk, words[1:])
        return
    if len(words) > 1:
        raise usage(_("Name one line."), _("Write: openline bearers LINE"))
    station, out = desk.station, desk.out
    lines = [station.line(words[0])] if words else station.lines()
    now = station.now()
    rows = [_row(line, bearer, now) for line in lines for bearer in line["bearers"]]
    headings = [
        _("line"),
        _("with"),
        _("bearer"),
        _("here"),
        _("there"),
        _("last heard"),
        _("delay"),
        _("loss"),
        _("24 h"),
    ]
    shown = [*table(out, headings, rows)] or [_("No line is open yet.")]
    troubles = {
        bearer["bearer"]: bearer["trouble"] for line in lines for bearer in line["bearers"] if bearer["trouble"]
    }
    shown += [f"{inert_line(name)}: {inert_line(_(why))}" for name, why in troubles.items()]
    if words and rows:
        shown += [
            "",
            _("The last 24 hours, an hour a sign: # up, ~ silent, . down, ? not seen."),
            *_strips(out, lines[0], now),
        ]
    out.answer({"lines": [{"line": line["label"], "bearers": line["bearers"]} for line in lines]}, shown)


@command(
    "minimize",
    _("Hold back what is below IMMEDIATE on a line under stress (on), or let it flow again (off). Both floors see it."),
    more=(_("It stands by itself when only thin bearers are up. Held messages go out when it ends."),),
    examples=("openline minimize BRAVO on --reason 'One modem is left.'", "openline minimize BRAVO off"),
)
@click.argument("line")
@click.argument("word", type=click.Choice(("on", "off")), metavar="on|off")
@click.option("--reason", metavar="TEXT", default="", help=_("Why."))
@click.option("--role", type=ROLE, metavar="ROLE", help=_("Your role, if you have several."))
@click.option("--sign", metavar="SIGN", help=_("Your sign, if you have several."))
def minimize_(desk: Desk, *, line: str, word: str, reason: str, role: str | None, sign: str | None) -> None:
    """Impose MINIMIZE, or lift it."""
    station = desk.station
    body = {"on": word == "on", "reason": reason, **acting(role, sign)}
    answer = station.client.post(station.about_line(line) + "/minimize", body)
    told = _("MINIMIZE stands. FLASH and IMMEDIATE pass; the other floor is told.")
    lifted = _("Lifted for your side. It ends when the other floor has lifted its own, if it imposed one.")
    desk.out.answer(answer, [told if word == "on" else lifted])


def _row(line: Json, bearer: Json, now: int) -> list[Cell | str]:
    state = here(bearer)
    there = bearer.get("there")
    heard = bearer.get("last_heard")
    return [
        inert_line(str(line["label"])),
        inert_line(str(bearer["party"])),
        inert_line(str(bearer["bearer"])),
        Cell(state, "work" if bearer["up"] and not bearer["silent"] else "look"),
        "-" if there is None else _("up") if there["up"] else _("down"),
        until(int(heard), now) if heard is not None else "-",
        f"{bearer['delay_ms']} ms" if bearer.get("delay_ms") is not None else "-",
        f"{round(100 * bearer['loss'])} %" if bearer.get("loss") is not None else "-",
        past_words(bearer["past"], now),
    ]


def past_words(past: Sequence[Json], now: int) -> str:
    """How much of what was seen of the last 24 hours a bearer was up, and how often it went down."""
    spans = _spans(past, now)
    seen = sum(until_ - at for at, until_, was in spans if was != "unseen")
    if not seen:
        return "-"
    up = sum(until_ - at for at, until_, was in spans if was in {"up", "silent"})
    stood = [was for _at, _until, was in spans]
    falls = sum(was == "down" and before != "unseen" for before, was in itertools.pairwise(stood))
    words = _("up {percent} %").format(percent=100 * up // seen)
    return words + (", " + _n("down {number} time", "down {number} times", falls) if falls else "")


def _spans(past: Sequence[Json], now: int) -> list[tuple[int, int, str]]:
    ends = [int(each["at"]) for each in past[1:]] + [now]
    return [(int(each["at"]), end, str(each["was"])) for each, end in zip(past, ends, strict=True)]


def _strips(out: Output, line: Json, now: int) -> list[str]:
    """A row for each bearer; the worst of an hour stands for it."""
    rows: list[list[Cell | str]] = []
    for bearer in line["bearers"]:
        spans = _spans(bearer["past"], now)
        signs = ""
        for hour in range(24, 0, -1):
            first, end = now - hour * _HOUR_MS, now - (hour - 1) * _HOUR_MS
            had = {was for at, until_, was in spans if at < end and until_ > first}
            signs += next((sign for was, sign in _SIGNS if was in had), "?")
        rows.append([inert_line(str(bearer["party"])), inert_line(str(bearer["bearer"])), signs])
    return table(out, [_("with"), _("bearer"), _("24 h")], rows)


def here(bearer: Any) -> str:
    """How a bearer stands here, in words."""
    if bearer["one_way"]:
        return _("one way")
    if not bearer["up"]:
        return _("down")
    return _("silent") if bearer["silent"] else _("up")


def _probe(desk: Desk, words: Sequence[str]) -> None:
    if not 1 <= len(words) <= 2:
        raise usage(_("Say which line, and which bearer if not all."), _("Write: openline bearers test LINE [BEARER]"))
    station, out = desk.station, desk.out
    body = {"bearer": words[1]} if len(words) > 1 else {}
    answer = station.client.post(station.about_line(words[0]) + "/bearers/test", body)
    tests = answer["tests"]
    out.answer(answer, [_told(out, test) for test in tests])
    if not all(test["answered"] for test in tests):
        leave(Exit.TIMEOUT)


def _told(out: Output, test: Json) -> str:
    place = f"{inert_line(str(test['bearer']))} {_('to')} {inert_line(str(test['party']))}: "
    if test["answered"]:
        return place + out.paint(_("{took} ms there and back").format(took=test["round_trip_ms"]), "work")
    return place + out.paint(inert_line(_(str(test["why"]))), "look")
