"""Commands about voice calls: ask one's console to place one, decline, hang up, list them, and agree on minutes.

Sound lives in the browser: what the command line does is what needs no ears.
"""

import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from openline.cli.call_lines import call_cause, call_state
from openline.cli.command import Desk, command
from openline.cli.entry_lines import exercise_mark, text_lines
from openline.cli.failures import Failure, refused, usage
from openline.cli.inert import inert_line
from openline.cli.language import _
from openline.cli.local import Json, Local
from openline.cli.moments import clock, span
from openline.cli.output import Cell, Output, table
from openline.cli.signs import precedence as precedence_word
from openline.cli.signs import role_word
from openline.kernel.errors import Malformed, Unknown

PRECEDENCES = ("flash", "immediate", "priority", "routine")
_LOOK_S = 0.5
_PLACED_S = 30.0
"""So long is waited for the console to place the call: an officer confirms it there."""
_PLACE = re.compile(r"([0-9]{1,2})\.([0-9a-f-]{1,27}):([0-9]{1,15})", re.ASCII)
_CLAUSE_LINE = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,31}):\s*(.*)", re.ASCII)
_DIFFERS = re.compile(r"([0-9]{1,2})=(.+)", re.ASCII | re.DOTALL)
MOST_FILE = 65_536


def record_word(record: str) -> str:
    """How far both have signed the end, in words."""
    words = {"open": "", "one-sided": _("one side alone has signed"), "agreed": _("both have signed the same"),
             "differs": _("both have signed, and differ")}  # fmt: skip
    return words.get(record, inert_line(record))


def minutes_word(state: str) -> str:
    """How far minutes are, in words."""
    words = {"none": _("no agreed minutes"), "drafted": _("minutes drafted, not agreed"),
             "agreed": _("minutes agreed"), "differs": _("minutes differ")}  # fmt: skip
    return words.get(state, inert_line(state))


def _place(call: Mapping[str, Any]) -> str:
    ref = call["ref"]
    return f"{ref['lane']}.{ref['generation']}:{ref['index']}"


# --- placing, declining, hanging up ----------------------------------------------------------------------------


@command(
    "call",
    _("Call the other side: your own open console places the call, and this follows it to its end."),
    more=(
        _("Sound lives in the browser, so a console of yours must be open. It asks you to confirm, and then rings."),
        _("With --decline or --hang-up no call is placed: what rings here is declined, or what is open ends."),
    ),
    examples=(
        "openline call BRAVO",
        "openline call BRAVO --precedence immediate",
        "openline call BRAVO --decline 'In a briefing until 1500Z.'",
        "openline call BRAVO --hang-up",
    ),
)
@click.argument("line")
@click.option("--precedence", type=click.Choice(PRECEDENCES, case_sensitive=False), default="routine",
              metavar="|".join(PRECEDENCES), help=_("How urgent it is (default: routine)."))  # fmt: skip
@click.option("--lang", metavar="LANG", help=_("The language that you speak."))
@click.option("--decline", metavar="REASON", help=_("Decline the call that rings here, and say why."))
@click.option("--hang-up", "hang_up", is_flag=True, help=_("End the call that is open, or withdraw your own."))
@click.option("--sign", metavar="SIGN", help=_("Your sign, if you have several."))
def call_(
    desk: Desk, *, line: str, precedence: str, lang: str | None, decline: str | None, hang_up: bool, sign: str | None
) -> None:
    """Place, decline or end a call."""
    if decline is not None and hang_up:
        raise usage(_("A call is declined before it is picked up, and hung up after: give one of the two."))
    station, out = desk.station, desk.out
    path = station.about_line(line) + "/calls"
    said: Json = {"sign": sign.upper()} if sign else {}
    if decline is not None:
        found = _the_call(station, path, lambda call: bool(call["rings"]), _("Nothing rings on this line."))
        answer: Json = station.client.post(f"{path}/{found['place']}/decline", {"reason": decline, **said})
        out.answer(answer, [_("Declined.")])
    elif hang_up:
        found = _the_call(station, path, _endable, _("No call is open on this line."))
        answer = station.client.post(f"{path}/{found['place']}/hang-up", said)
        out.answer(answer, [_("The call has ended.")])
    else:
        before = {str(call["place"]) for call in station.client.get(path, limit=1)["calls"]}
        wanted: Json = {"precedence": precedence.lower(), **said, **({"lang": lang} if lang else {})}
        station.client.post(f"{path}/wanted", wanted)
        out.note(_("Your console has been asked to place the call."))
        answer = _followed(station, out, path, before)
        out.answer(answer, _outcome(answer))


def _endable(call: Mapping[str, Any]) -> bool:
    return call["state"] == "open" or (call["state"] == "ringing" and bool(call["mine"]))


def _the_call(station: Local, path: str, fits: Any, missing: str) -> Json:
    found: Json | None = next((call for call in station.client.get(path)["calls"] if fits(call)), None)
    if found is None:
        raise refused(missing, _("See what there was: openline calls LINE"), name="unknown")
    return found


def _followed(station: Local, out: Output, path: str, before: set[str]) -> Json:
    """The call that the console placed, at its end; each state is told as it comes."""
    end = time.monotonic() + _PLACED_S
    place, told = "", ""
    while True:
        calls = station.client.get(path, limit=4)["calls"]
        call = next((each for each in calls if each["place"] == place), None)
        if call is None:
            call = next((each for each in calls if each["mine"] and each["place"] not in before), None)
        if call is None and time.monotonic() > end:
            raise refused(_("Your console has not placed the call."), _("Look at the page, and confirm it there."),
                          name="timeout")  # fmt: skip
        if call is not None:
            place = str(call["place"])
            if call["state"] != told:
                told = str(call["state"])
                out.note(f"{clock(station.client.get('status')['now'])}  {call_state(told)}{_who(call)}")
            if told not in {"ringing", "open"}:
                return dict(call)
        time.sleep(_LOOK_S)


def _who(call: Mapping[str, Any]) -> str:
    by = call["by"]
    return f": {inert_line(str(by['name']))}, {role_word(str(by['role']))} {inert_line(str(by['sign']))}" if by else ""


def _outcome(call: Mapping[str, Any]) -> list[str]:
    why = call_cause(str(call["cause"]))
    said = f" “{inert_line(str(call['reason']))}”" if call["reason"] else ""
    shown = [f"{_place(call)}  {call_state(str(call['state']))}{': ' + why if why else ''}{said}"]
    if call["picked_up_at"] is not None:
        shown.append(
            f"{_length(call)}; {record_word(str(call['record']))}; {minutes_word(str(call['minutes']['state']))}"
        )
    return shown


def _length(call: Mapping[str, Any]) -> str:
    if call["ended_at"] is None or call["picked_up_at"] is None:
        return "-"
    return span(max(0, int(call["ended_at"]) - int(call["picked_up_at"])))


# --- the list --------------------------------------------------------------------------------------------------


@command(
    "calls",
    _("The calls of a line, the newest first: who called whom, how it ended, and what was signed of it."),
    examples=("openline calls BRAVO", "openline calls BRAVO --limit 50 --json"),
)
@click.argument("line")
@click.option("--limit", type=click.IntRange(1, 64), default=20, metavar="N", help=_("At most so many (default: 20)."))
def calls_(desk: Desk, *, line: str, limit: int) -> None:
    """List calls."""
    station, out = desk.station, desk.out
    answer: Json = station.client.get(station.about_line(line) + "/calls", limit=limit)
    rows: list[list[Cell | str]] = [_row(out, call) for call in answer["calls"]]
    shown = [exercise_mark(out)] if any(call["exercise"] for call in answer["calls"]) else []
    headings = [_("call"), _("rang"), _("by"), "", _("state"), _("length"), _("record"), _("minutes")]
    shown += table(out, headings, rows)
    out.answer(answer, shown if rows else [_("No call was placed on this line yet.")])


def _row(out: Output, call: Mapping[str, Any]) -> list[Cell | str]:
    names = {int(party["party"]): inert_line(str(party["name"])) for party in call["parties"]}
    why = call_cause(str(call["cause"]))
    state = call_state(str(call["state"])) + (f": {why}" if why else "")
    urgent = call["state"] in {"missed", "ringing"}
    minutes = minutes_word(str(call["minutes"]["state"])) if call["picked_up_at"] is not None else ""
    return [
        _place(call),
        clock(int(call["rang_at"])),
        f"{names.get(int(call['party']), '')} {inert_line(str(call['sign']))}",
        precedence_word(out, str(call["precedence"])),
        Cell(state, "act" if urgent else ""),
        _length(call),
        record_word(str(call["record"])),
        minutes,
    ]


# --- minutes ---------------------------------------------------------------------------------------------------


@command(
    "minutes",
    _("Minutes of a call: read them, draft them, or agree with the other side's clause by clause."),
    more=(
        _("CALL is the place that openline calls shows, or last. Without an option the minutes are shown."),
        _(
            "In the FILE clauses are separated by an empty line, and each line begins with its language, as in en: text."
        ),
    ),
    examples=(
        "openline minutes BRAVO last",
        "openline minutes BRAVO 2.0:41 --draft minutes.txt",
        "openline minutes BRAVO 2.0:41 --agree",
        "openline minutes BRAVO 2.0:41 --differ '2=The convoy has five vehicles.'",
    ),
)
@click.argument("line")
@click.argument("call")
@click.option(
    "--draft", type=click.Path(path_type=Path), metavar="FILE", help=_("Draft minutes from a file; - reads them here.")
)
@click.option("--agree", is_flag=True, help=_("Agree with every clause of the other side's latest minutes."))
@click.option("--differ", multiple=True, metavar="N=TEXT", help=_("How clause N differs; you agree with the others."))
@click.option("--sign", metavar="SIGN", help=_("Your sign, if you have several."))
def minutes_(
    desk: Desk, *, line: str, call: str, draft: Path | None, agree: bool, differ: Sequence[str], sign: str | None
) -> None:
    """Read, draft or agree on minutes."""
    if sum((draft is not None, agree, bool(differ))) > 1:
        raise usage(_("Draft, agree or differ: one at a time."))
    station, out = desk.station, desk.out
    path = station.about_line(line) + "/calls"
    found = _named(station, path, call)
    said: Json = {"sign": sign.upper()} if sign else {}
    here = f"{path}/{found['place']}"
    if draft is not None:
        answer: Json = station.client.post(f"{here}/minutes", {"clauses": _clauses(_read(draft)), **said})
    elif agree or differ:
        theirs = _theirs(found)
        words = _words(theirs, differ)
        answer = station.client.post(f"{here}/minutes/{theirs['place']}/word", {"clauses": words, **said})
    else:
        answer = found
    out.answer(answer, _minutes(out, answer))


def _named(station: Local, path: str, typed: str) -> Json:
    calls: Sequence[Json]
    if typed == "last":
        calls = [call for call in station.client.get(path)["calls"] if call["picked_up_at"] is not None]
        if calls:
            return calls[0]
    elif at := _PLACE.fullmatch(typed):
        try:
            found: Json = station.client.get(f"{path}/{at[1]}/{at[2]}/{at[3]}")
        except (Unknown, Malformed):
            raise _no_call() from None
        return found
    raise _no_call()


def _no_call() -> Failure:
    return refused(_("There is no such call on this line."), _("See them: openline calls LINE"), name="unknown")


def _read(path: Path) -> str:
    try:
        if str(path) == "-":
            return str(sys.stdin.read(MOST_FILE))
        with path.open(encoding="utf-8") as file:
            return file.read(MOST_FILE)
    except (OSError, UnicodeDecodeError):
        raise refused(
            _("The file cannot be read."), _("It is text in UTF-8, and readable for you."), name="malformed"
        ) from None


def _clauses(text: str) -> list[Json]:
    """Clauses out of a file. Raises Failure."""
    found: list[dict[str, str]] = []
    last = ""
    fresh = True
    for line in text.splitlines():
        named = _CLAUSE_LINE.fullmatch(line.strip())
        if not line.strip():
            fresh = True
        elif named is not None and fresh:
            last = named[1]
            found.append({last: named[2]})
            fresh = False
        elif named is not None and named[1] not in found[-1]:
            last = named[1]
            found[-1][last] = named[2]
        elif fresh:
            raise usage(_("A line of minutes begins with its language."), _("Write: en: Both floors test at 0900Z."))
        else:
            found[-1][last] += "\n" + line.strip()
    if not found:
        raise usage(_("There is no clause in the file."), _("Write: en: Both floors test at 0900Z."))
    return [{"texts": clause} for clause in found]


def _theirs(call: Mapping[str, Any]) -> Json:
    me = next(int(party["party"]) for party in call["parties"] if party["me"])
    drafts = [each for each in call["minutes"]["drafts"] if each["party"] != me and not each["replaced"]]
    if not drafts:
        raise refused(_("The other side has drafted no minutes of this call."), _("Draft them: openline minutes LINE CALL --draft FILE"),
                      name="unknown")  # fmt: skip
    return dict(drafts[-1])


def _words(draft: Mapping[str, Any], differ: Sequence[str]) -> list[Json]:
    words: list[Json] = [{"agreed": True} for _clause in draft["clauses"]]
    for each in differ:
        named = _DIFFERS.fullmatch(each)
        if named is None or not 1 <= int(named[1]) <= len(words):
            raise usage(_("A difference is written N=TEXT, N being the number of a clause."), "--differ '2=...'")
        words[int(named[1]) - 1] = {"agreed": False, "text": named[2].strip()}
    return words


def _minutes(out: Output, call: Mapping[str, Any]) -> list[str]:
    shown = [f"{_place(call)}  {minutes_word(str(call['minutes']['state']))}"]
    for draft in call["minutes"]["drafts"]:
        if draft["replaced"]:
            continue
        who = f"{inert_line(str(draft['name']))} {role_word(str(draft['role']))} {inert_line(str(draft['sign']))}"
        shown += ["", f"{who}  {clock(int(draft['at']))}"]
        for number, clause in enumerate(draft["clauses"], 1):
            for language, text in clause["texts"].items():
                shown += [f"{number}. {inert_line(str(language))}", *text_lines(out, str(text))]
            shown += _said_of(draft, number - 1)
    return shown


def _said_of(draft: Mapping[str, Any], place: int) -> list[str]:
    shown = []
    for word in draft["words"]:
        said = word["clauses"][place]
        sign = inert_line(str(word["sign"]))
        if said["agreed"]:
            shown.append("   " + _("agreed by {sign}").format(sign=sign))
        else:
            shown.append(
                "   " + _("differs, says {sign}: {text}").format(sign=sign, text=inert_line(str(said["text"])))
            )
    return shown
