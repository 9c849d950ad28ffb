"""Commands about regular contacts: what is due and what became of it, records of both sides, figures, calendars."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from openline.cli.answering import ROLE, acting
from openline.cli.command import Desk, command
from openline.cli.entry_lines import exercise_mark, local_time, medium_word, outcome_word, place_of
from openline.cli.failures import Failure, refused, usage
from openline.cli.inert import inert_line
from openline.cli.language import _
from openline.cli.local import Json, Local
from openline.cli.moments import clock, span, until
from openline.cli.output import Cell, Output, table
from openline.cli.sending import happened
from openline.cli.signs import role_word
from openline.kernel.errors import Unknown

DAY_MS = 86_400_000
MEDIA = ("test", "message", "call", "meeting")


def state_words(state: str, cause: str) -> str:
    """Where an occurrence stands, in words."""
    words = {
        "upcoming": _("to come"),
        "due": _("due now"),
        "recorded": _("recorded, not signed by all"),
        "kept": _("kept"),
        "disputed": _("disputed"),
        "missed": _("MISSED"),
    }
    causes = {
        "fault": _("link fault"),
        "unattended": _("a floor was unattended"),
        "declined": _("declined"),
        "no call": _("nobody called"),
    }
    said = words.get(state, inert_line(state))
    return f"{said}: {causes.get(cause, inert_line(cause))}" if cause else said


@command(
    "contacts",
    _("The regular contacts: when each is due, in UTC and in local times, and what became of it."),
    more=(
        _("A missed one says why: link fault, unattended, declined, nobody called. Words of the parties stand below."),
    ),
    examples=("openline contacts", "openline contacts BRAVO --days 30", "openline contacts BRAVO --json"),
)
@click.argument("line", required=False)
@click.option(
    "--days", type=click.IntRange(1, 200), default=7, metavar="N", help=_("So many days back and ahead (default: 7).")
)
def contacts_(desk: Desk, *, line: str | None, days: int) -> None:
    """Show regular contacts."""
    station, out = desk.station, desk.out
    now = station.now()
    when = {"from": max(0, now - days * DAY_MS), "to": now + days * DAY_MS}
    if line is None:
        answer: Json = station.client.get("contacts", **when)
        shown = _occurrences(out, answer["occurrences"], now)
        out.answer(answer, shown or [_("No regular contacts are agreed: propose terms that have some.")])
        return
    answer = station.client.get(station.about_line(line) + "/contacts", **when)
    shown = [exercise_mark(out)] if answer["exercise"] else []
    if not answer["schedule"]:
        shown.append(_("No regular contacts are agreed: propose terms that have some."))
    shown += _occurrences(out, answer["occurrences"], now)
    for place in answer["not_understood"]:
        shown.append(
            _("Contact {number} of the terms is of a newer version, and is never due here.").format(number=place + 1)
        )
    for zone in answer["unknown_zones"]:
        shown.append(
            _("The zone {zone} is not known to this machine: its contacts are never due here.").format(
                zone=inert_line(zone)
            )
        )
    words = [word for each in answer["occurrences"] for word in each["words"]]
    if words or answer["outside"]:
        shown += ["", _("What was said:"), *(_word(word) for word in (*words, *answer["outside"]))]
    out.answer(answer, shown)


def _occurrences(out: Output, found: Sequence[Json], now: int) -> list[str]:
    rows: list[list[Cell | str]] = []
    for each in found:
        local = [f"{inert_line(str(at['time']))[:16]} {inert_line(str(at['zone']))}" for at in each["times"][1:]]
        change = {"twice": _("the hour that comes twice: the first"), "left out": _("the clocks leave that hour out")}
        note = change.get(str(each["clock_change"]), "")
        mark = f" [{_('EXERCISE')}]" if each["exercise"] else ""
        urgent = each["state"] in {"due", "missed", "disputed"}
        rows.append(
            [
                clock(int(each["start"])),
                until(int(each["start"]), now),
                inert_line(str(each["line"])) + mark,
                inert_line(str(each["name"])),
                medium_word(str(each["medium"])),
                Cell(state_words(str(each["state"]), str(each["cause"])), "act" if urgent else ""),
                ", ".join(local) + (f" ({note})" if note else ""),
            ]
        )
    headings = [_("UTC"), "", _("line"), _("contact"), _("by"), _("state"), _("local times")]
    return table(out, headings, rows)


def _word(word: Mapping[str, Any]) -> str:
    which = (
        f"{inert_line(str(word['name']))} {local_time(str(word['occurrence']))}"
        if word["name"]
        else _("outside the schedule")
    )
    said = [
        place_of(word["ref"]),
        inert_line(str(word["author"])),
        which,
        f"{medium_word(str(word['medium']))}: {outcome_word(str(word['outcome']))}",
        clock(int(word["at"])),
        _("by {who}").format(who=f"{role_word(str(word['role']))} {inert_line(str(word['sign']))}"),
    ]
    if word["text"]:
        said.append(f"“{inert_line(str(word['text']))}”")
    if word["agreed"]:
        said.append(_("signed by {names}").format(names=inert_line(", ".join(word["agreed"]))))
    if word["differs"]:
        said.append(_("denied by {names}").format(names=inert_line(", ".join(word["differs"]))))
    return "  " + ", ".join(said)


@command(
    "contact",
    _(
        "Record a contact: it was kept, you decline it, or nobody came; or say why it was missed. The other side signs it."
    ),
    more=(
        _("NAME is that of the terms; without it the contact was outside the schedule: a telephone call, a meeting."),
        _("The time is the nearest one that the schedule has, unless --on names another."),
    ),
    examples=(
        "openline contact BRAVO kept 'Morning call' --text 'Both spoke.'",
        "openline contact BRAVO declined 'Morning call' --on 2026-11-24T09:00 --text 'A holiday.'",
        "openline contact BRAVO account 'Morning call' --text 'Our interpreter was ill.'",
        "openline contact BRAVO kept --medium call --at 1430Z --text 'By telephone.'",
    ),
)
@click.argument("line")
@click.argument(
    "outcome", type=click.Choice(("kept", "declined", "no-call", "account")), metavar="kept|declined|no-call|account"
)
@click.argument("name", required=False)
@click.option("--on", "occurrence", metavar="TIME", help=_("Which one: its local time, such as 2026-11-24T09:00."))
@click.option("--medium", type=click.Choice(MEDIA), metavar="|".join(MEDIA), help=_("By what, outside the schedule."))
@click.option("--at", metavar="MOMENT", help=_("When it took place (default: now)."))
@click.option("--text", metavar="TEXT", default="", help=_("A reason, or what is to be remembered."))
@click.option("--role", type=ROLE, metavar="ROLE", help=_("Your role, if you have several."))
@click.option("--sign", metavar="SIGN", help=_("Your sign, if you have several."))
def contact_(
    desk: Desk,
    *,
    line: str,
    outcome: str,
    name: str | None,
    occurrence: str | None,
    medium: str | None,
    at: str | None,
    text: str,
    role: str | None,
    sign: str | None,
) -> None:
    """Record a contact."""
    station = desk.station
    now = station.now()
    entry: Json = {"kind": "contact", "outcome": outcome, "text": text, **acting(role, sign)}
    if at is not None:
        entry["at"] = happened(at, now)
    if name is None:
        if medium is None or outcome != "kept":
            raise usage(
                _("Outside the schedule a contact took place, by something."),
                _("Write: openline contact LINE kept --medium call, or name a contact of the terms."),
            )
        entry["medium"] = medium
    else:
        found = _which(station, line, name, occurrence, now)
        entry |= {key: found[key] for key in ("name", "occurrence", "medium")}
    answer = station.post(line, entry)
    desk.out.answer(
        answer,
        [_("Recorded: {place}. The other side signs it: openline countersign").format(place=place_of(answer["ref"]))],
    )


def _which(station: Local, line: str, name: str, typed: str | None, now: int) -> Json:
    """The occurrence that is meant: the nearest that has begun to count, else the next."""
    span_ms = {"from": max(0, now - 31 * DAY_MS), "to": now + 31 * DAY_MS}
    answer: Json = station.client.get(station.about_line(line) + "/contacts", **span_ms)
    found = [each for each in answer["occurrences"] if str(each["name"]).casefold() == name.casefold()]
    if typed is not None:
        wanted = "".join(sign for sign in typed if sign not in "-: ").upper()[:13]
        found = [each for each in found if str(each["occurrence"])[:13] == wanted]
    if not found:
        raise refused(
            _("That contact is not due then, or there is none of that name."),
            _("See when they are due: openline contacts {line}").format(line=inert_line(line)),
            name="unknown",
        )
    return min(found, key=lambda each: abs(int(each["start"]) - now))


@command(
    "countersign",
    _("Sign what the other side recorded of a contact: it was so, or (--differs) it was not."),
    more=(
        _(
            "REF is the place that openline contacts shows; without it: the newest word of the others that you have not signed."
        ),
    ),
    examples=("openline countersign BRAVO", "openline countersign BRAVO 2.0:41 --differs --text 'We were not there.'"),
)
@click.argument("line")
@click.argument("reference", metavar="[REF]", required=False)
@click.option("--differs", is_flag=True, help=_("It was not so."))
@click.option("--text", metavar="TEXT", default="", help=_("Why."))
@click.option("--role", type=ROLE, metavar="ROLE", help=_("Your role, if you have several."))
@click.option("--sign", metavar="SIGN", help=_("Your sign, if you have several."))
def countersign_(
    desk: Desk, *, line: str, reference: str | None, differs: bool, text: str, role: str | None, sign: str | None
) -> None:
    """Countersign a record."""
    station = desk.station
    entry = station.find(line, reference) if reference else _unsigned(station, line)
    if entry["kind"] != "contact":
        raise usage(_("That entry says nothing about a contact."), _("See: openline contacts LINE"))
    place = {key: entry["ref"][key] for key in ("lane", "generation", "index", "leaf")}
    request: Json = {"kind": "countersign", "of": place, "agreed": not differs, "text": text, **acting(role, sign)}
    answer = station.post(line, request)
    said = _("Denied: {place}") if differs else _("Signed: {place}")
    desk.out.answer(answer, [said.format(place=place_of(entry["ref"]))])


def _unsigned(station: Local, line: str) -> Json:
    me = next(str(party["name"]) for party in station.line(line)["parties"] if party["me"])
    signed = set()
    for entry in station.backwards(line, kind="contact,countersign", most=1_000):
        body = entry.get("body") or {}
        if entry["kind"] == "countersign" and entry["author"] == me:
            signed.add(str(body["of"]["leaf"]))
        if entry["kind"] == "contact" and entry["author"] != me and str(entry["ref"]["leaf"]) not in signed:
            return entry
    raise refused(_("Nothing of the others waits for your signature."), "", name="unknown")


@command(
    "figures",
    _("Figures of a line: days since the last contact that both signed, share of tests answered, response times."),
    examples=("openline figures BRAVO", "openline figures BRAVO --days 90 --json"),
)
@click.argument("line")
@click.option("--days", type=click.IntRange(1, 366), default=30, metavar="N", help=_("Of so many days (default: 30)."))
def figures_(desk: Desk, *, line: str, days: int) -> None:
    """Show figures."""
    station, out = desk.station, desk.out
    found: Json = station.client.get(station.about_line(line) + "/figures", days=days)
    last, tests = found["last_contact"], int(found["tests"])
    shown = [
        _("last contact signed by all: {moment}, {days:.1f} days ago").format(
            moment=clock(int(last)), days=found["days_since"]
        )
        if last is not None
        else _("no contact was signed by all yet"),
        _("contacts kept: {kept}, missed: {missed}").format(kept=found["kept"], missed=found["missed"]),
    ]
    shown += [f"  {state_words('missed', cause)}: {number}" for cause, number in found["missed_by_cause"].items()]
    if tests:
        share = 100 * int(found["tests_answered"]) / tests
        shown.append(_("tests answered: {answered} of {tests} ({share:.1f} %)").format(
            answered=found["tests_answered"], tests=tests, share=share))  # fmt: skip
    rows = [
        [
            str(each["precedence"]).upper(),
            inert_line(str(each["author"])),
            str(each["messages"]),
            str(each["handled"]),
            span(int(each["median_ms"])) if each["median_ms"] is not None else "-",
            span(int(each["longest_ms"])) if each["longest_ms"] is not None else "-",
            span(int(each["agreed_ms"])),
            str(each["within"]),
        ]
        for each in found["answers"]
    ]
    headings = [
        _("precedence"),
        _("messages of"),
        _("number"),
        _("handled"),
        _("median"),
        _("longest"),
        _("agreed"),
        _("within that"),
    ]
    out.answer(found, [*shown, *table(out, headings, rows)])


@command(
    "calendar",
    _(
        "Addresses from which a calendar program reads when contacts are due. Each has a token in it and can be revoked."
    ),
    more=(
        _(
            "Put the console's address in front of the path. Who has it sees times, names of contacts and stations, and nothing said."
        ),
    ),
    examples=(
        "openline calendar",
        "openline calendar new --note 'Duty telephone'",
        "openline calendar revoke 1f2e3d4c",
    ),
)
@click.argument("words", nargs=-1, metavar="[new | revoke NUMBER]")
@click.option("--note", metavar="TEXT", default="", help=_("For whom or what it is."))
def calendar_(desk: Desk, *, words: tuple[str, ...], note: str) -> None:
    """List, make or revoke calendar addresses."""
    station, out = desk.station, desk.out
    match words:
        case ():
            answer: Json = station.client.get("calendars")
            rows = [
                [each["calendar"], clock(int(each["made"])), inert_line(str(each["note"]))]
                for each in answer["calendars"]
            ]
            shown = table(out, [_("number"), _("made"), _("for")], rows)
            out.answer(answer, shown or [_("No calendar address is in force. Make one: openline calendar new")])
        case ("new",):
            answer = station.client.post("calendars", {"note": note})
            out.answer(answer, [str(answer["path"]), _("It is shown this once. To end it: openline calendar revoke {number}").format(
                number=answer["calendar"])])  # fmt: skip
        case ("revoke", number):
            out.answer(_revoked(station, number), [_("Revoked.")])
        case _:
            raise usage(_("That is not how it is written."), "openline calendar | new | revoke NUMBER")


def _revoked(station: Local, number: str) -> Json:
    try:
        answer: Json = station.client.post(f"calendars/{number}/revoke")
    except Unknown:
        raise _no_calendar() from None
    return answer


def _no_calendar() -> Failure:
    return refused(_("There is no calendar address of that number."), _("List them: openline calendar"), name="unknown")
