"""What waits for this watch, first clock first: computed from what the station shows of its messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from openline.cli.command import Desk, command
from openline.cli.entry_lines import heading
from openline.cli.inert import inert_line
from openline.cli.language import _, _n
from openline.cli.local import Json, Local, me_of
from openline.cli.moments import until
from openline.cli.output import Cell, Output, table
from openline.cli.signs import precedence

MOST_SCANNED = 2_000
"""Messages of a line looked through, newest first: a busy floor's week. What is older was missed long ago."""


READERS = frozenset({"watch-officer", "principal", "interpreter", "auditor"})
"""Roles that may see entries, as the station has it."""
RELEASERS = frozenset({"watch-officer", "principal"})
"""Roles that may see drafts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One thing that waits: to be read, to be answered, or to come from them."""

    line: str
    label: str
    entry: Json
    what: str
    """read, answer, or theirs."""
    due: int | None

    def as_object(self, now: int) -> Json:
        """For programs."""
        overdue = self.due is not None and self.due <= now
        return {"line": self.label, "waits": self.what, "due": self.due, "overdue": overdue, "entry": self.entry}


def waiting_on(station: Local, line: Json) -> tuple[list[Waiting], bool]:
    """What waits on one line, and whether older messages were left out."""
    label, me = str(line["label"]), me_of(line)
    found: list[Waiting] = []
    seen = 0
    for entry in station.backwards(str(line["line"]), kind="message", most=MOST_SCANNED):
        seen += 1
        if entry.get("superseded") or entry.get("refused"):
            continue
        found += _of_entry(entry, line, label, me)
    return found, seen >= MOST_SCANNED


def _of_entry(entry: Json, line: Json, label: str, me: str) -> list[Waiting]:
    statuses: Mapping[str, Mapping[str, Any]] = entry.get("status") or {}
    what, due = _ours(statuses.get(me, {})) if entry["author"] != me else _theirs(statuses)
    return [Waiting(line=str(line["line"]), label=label, entry=entry, what=what, due=due)] if what else []


def _ours(mine: Mapping[str, Any]) -> tuple[str, int | None]:
    if mine.get("answered") or mine.get("declined"):
        return "", None
    if mine.get("read") or mine.get("relayed"):
        return ("answer", mine["due"]) if mine.get("due") is not None else ("", None)
    return "read", mine.get("due")


def _theirs(statuses: Mapping[str, Mapping[str, Any]]) -> tuple[str, int | None]:
    """An answer was asked for, or promised, by a moment. That they have not yet read is their floor's matter."""
    owed = [int(status["due"]) for status in statuses.values() if status.get("due_by") in {"answer by", "interim"}]
    return ("theirs", min(owed)) if owed else ("", None)


def first_clock_first(found: list[Waiting]) -> list[Waiting]:
    """By due time; what has none comes last, in order of time."""
    return sorted(found, key=lambda one: (one.due is None, one.due or int(one.entry["time"])))


@command(
    "inbox",
    _("What waits for this watch, first clock first: messages to read, and answers that are owed."),
    examples=("openline inbox", "openline inbox BRAVO", "openline inbox --json"),
)
@click.argument("line", required=False)
def inbox_(desk: Desk, *, line: str | None) -> None:
    """Show what waits."""
    station, out = desk.station, desk.out
    lines = [station.line(line)] if line else station.lines()
    found: list[Waiting] = []
    cut = False
    for each in lines:
        some, more = waiting_on(station, each)
        found, cut = found + some, cut or more
    ordered, now = first_clock_first(found), station.now()
    ours = [one for one in ordered if one.what != "theirs"]
    theirs = [one for one in ordered if one.what == "theirs"]
    drafts = drafts_of(station, lines) if has_role(station, RELEASERS) else []
    shown = [*sentence(ours, now, sum(one["state"] == "waiting" for one in drafts))]
    if ours:
        shown += ["", *_rows(out, ours, now)]
    if theirs:
        shown += ["", _("They owe you an answer:"), *_rows(out, theirs, now)]
    if cut:
        shown += ["", _("Only the newest {most} messages of a line were looked through.").format(most=MOST_SCANNED)]
    out.answer(
        {
            "waiting": [one.as_object(now) for one in ours],
            "theirs": [one.as_object(now) for one in theirs],
            "drafts": drafts,
            "now": now,
        },
        shown,
    )


def has_role(station: Local, roles: frozenset[str]) -> bool:
    """Whether whoever types this has one of these roles."""
    return bool(roles & set(station.status()["actor"]["roles"]))


def drafts_of(station: Local, lines: list[Json]) -> list[Json]:
    """Drafts that wait for release."""
    found: list[Json] = []
    for line in lines:
        found += station.client.get(f"lines/{line['line']}/drafts")["drafts"]
    return found


def sentence(ours: list[Waiting], now: int, drafts: int) -> list[str]:
    """How much waits, in plain words, and what to do first."""
    lines: list[str] = []
    if not ours:
        lines.append(_("Nothing waits for this watch."))
    else:
        first = ours[0]
        overdue = sum(1 for one in ours if one.due is not None and one.due <= now)
        lines.append(_n("{number} message waits for you.", "{number} messages wait for you.", len(ours)))
        if overdue:
            lines[0] += " " + _n("{number} is overdue.", "{number} are overdue.", overdue)
        lines.append(
            _("First: {command}").format(command=f"openline read {inert_line(first.label)} {short_name(first.entry)}")
        )
    if drafts:
        lines.append(
            _n("{number} draft waits for release.", "{number} drafts wait for release.", drafts) + " openline drafts"
        )
    return lines


def short_name(entry: Json) -> str:
    """Station and serial, which suffice to find a message."""
    return inert_line(" ".join(str(entry["ref"]["reference"]).split()[:2]))


def _rows(out: Output, found: list[Waiting], now: int) -> list[str]:
    words = {"read": _("to read"), "answer": _("to answer"), "theirs": _("their answer")}
    rows: list[list[Cell | str]] = []
    for one in found:
        due = Cell("-") if one.due is None else Cell(until(one.due, now), "act" if one.due <= now else "")
        body = one.entry["body"]
        subject = heading(body)[:40]
        sign = precedence(Output(unicode=out.unicode), str(body.get("precedence", "")))
        reference = str(one.entry["ref"].get("reference", ""))
        mark = f" [{_('EXERCISE')}]" if one.entry.get("exercise") else ""
        rows.append([due, words[one.what], sign, inert_line(one.label) + mark, inert_line(reference), subject])
    return table(out, [_("due"), _("waits"), _("precedence"), _("line"), _("reference"), _("subject")], rows)
