"""Commands of the watch: status, lines, watch, test, suspend, lift, renew."""

from collections.abc import Mapping
from typing import Any

import click

from openline.cli.answering import ROLE, acting
from openline.cli.command import Desk, command
from openline.cli.failures import Exit, leave
from openline.cli.inert import inert_line
from openline.cli.language import _, _n
from openline.cli.local import Json, Local, peers_of
from openline.cli.moments import clock, until
from openline.cli.output import Cell, Output, table
from openline.cli.problems import in_words
from openline.cli.restores import sentences
from openline.cli.signs import state_word, wire
from openline.cli.waiting import READERS, RELEASERS, drafts_of, first_clock_first, has_role, sentence, waiting_on


@command(
    "status",
    _("How things stand: one sentence first, then each line as a wire with its ends."),
    more=(_("Two strands: in service. One strand broken: degraded. A cross: fault. Two bars: suspended."),),
    examples=("openline status", "openline status --json"),
)
def status_(desk: Desk) -> None:
    """Show how things stand."""
    station, out = desk.station, desk.out
    told, lines, now = station.status(), station.lines(), station.now()
    reads, releases = has_role(station, READERS), has_role(station, RELEASERS)
    found = [one for line in lines for one in waiting_on(station, line)[0]] if reads else []
    waits = first_clock_first([one for one in found if one.what != "theirs"])
    drafts = [one for one in drafts_of(station, lines) if one["state"] == "waiting"] if releases else []
    shown = [*stand(lines), *_minimized(lines), *(told for line in lines for told in _reached(line, now))]
    if lines and reads:
        shown += sentence(waits, now, len(drafts))
    if told.get("simulated_clock"):
        shown.append(_("The clock of this station is simulated: {moment}.").format(moment=clock(now)))
    shown += [sentence for line in lines for sentence in sentences(line, now)]
    shown += _problems(told["problems"])
    rows = [_row(out, line, now) for line in lines]
    headings = ["", _("line"), _("state"), _("with"), _("on watch there"), _("last heard"), _("last test")]
    grid = table(out, headings, rows)
    shown += ["", *grid] if grid else []
    out.answer(
        {"station": told, "lines": lines, "waiting": [one.as_object(now) for one in waits], "drafts": len(drafts)},
        shown,
    )


def stand(lines: list[Json]) -> list[str]:
    """One sentence in plain words about all lines."""
    if not lines:
        return [_("No line is open yet."), _("Open one: openline pair CARD --terms FILE")]
    by_state: dict[str, list[str]] = {}
    for line in lines:
        by_state.setdefault(str(line["state"]), []).append(inert_line(str(line["label"])))
    if set(by_state) == {"in service"}:
        return [_n("The line is in service.", "All {number} lines are in service.", len(lines))]
    order = ("fault", "stopped", "degraded", "opening", "suspended")
    known = [state for state in order if state in by_state]
    known += [state for state in by_state if state not in order and state != "in service"]
    words = [f"{', '.join(by_state[state])}: {state_word(state)}." for state in known]
    if "in service" in by_state:
        words.append(
            _n("The other line is in service.", "The other {number} are in service.", len(by_state["in service"]))
        )
    advice: list[str] = []
    if "fault" in by_state:
        advice.append(_("Silence is a link fault, not a refusal. Look closer: openline lines"))
    if "stopped" in by_state:
        advice.append(_("A line that is out of service needs a technician: openline doctor"))
    return [" ".join(words), *advice]


def _minimized(lines: list[Json]) -> list[str]:
    """Where MINIMIZE stands, by whose word, and what waits for its end."""
    told = []
    for line in lines:
        words = line.get("minimize") or []
        if words:
            by = ", ".join(inert_line(str(word["party"])) for word in words)
            said = _("MINIMIZE on {line}, by {by}: only FLASH and IMMEDIATE pass.")
            told.append(said.format(line=inert_line(str(line["label"])), by=by))
        if line.get("held"):
            waits = _n("{number} message is held for its end.", "{number} messages are held for its end.", line["held"])
            told.append(waits + " openline drafts")
    return told


def _problems(problems: list[str]) -> list[str]:
    """What the station itself says is wrong; the clock has its own sentence."""
    return [in_words(text) for text in problems if not text.startswith("SIMULATED CLOCK")]


def _row(out: Output, line: Json, now: int) -> list[Cell | str]:
    state = str(line["state"])
    drawn, colour = wire(out, state)
    heard = [bearer["last_heard"] for bearer in line.get("bearers") or () if bearer.get("last_heard") is not None]
    return [
        Cell(drawn, colour),
        inert_line(str(line["label"])) + (f" [{_('EXERCISE')}]" if (line["policy"] or {}).get("exercise") else ""),
        Cell(state_word(state), colour),
        inert_line(", ".join(peers_of(line))),
        _attendance(line),
        until(int(max(heard)), now) if heard else "-",
        _last_test(line, now),
    ]


def _reached(line: Mapping[str, Any], now: int) -> list[str]:
    """Where a fault lies, by party: bearers, or the station behind them."""
    told = []
    for party in line.get("parties") or ():
        name, since = inert_line(str(party["name"])), party.get("heard_at")
        heard = until(int(since), now) if since is not None else _("never")
        down = ", ".join(inert_line(str(each)) for each in party.get("bearers_down") or ())
        if party.get("reach") == "bearers-down":
            told.append(
                _("{name}: no bearer is up ({bearers}); last heard {moment}.").format(
                    name=name, bearers=down, moment=heard
                )
            )
        elif party.get("reach") == "station-silent":
            told.append(
                _("{name}: bearers are up, and the station is silent; last heard {moment}.").format(
                    name=name, moment=heard
                )
            )
        elif party.get("reach") == "sent-unknown":
            told.append(_("{name}: only one-way bearers lead there; what goes is sent, unknown.").format(name=name))
    return told


def _attendance(line: Mapping[str, Any]) -> str:
    words = []
    for name in peers_of(line):
        attended = (line.get("attended") or {}).get(name)
        said = _("attended") if attended else _("not told") if attended is None else _("nobody")
        words.append(f"{inert_line(name)} {said}" if len(peers_of(line)) > 1 else said)
    return ", ".join(words)


def _last_test(line: Mapping[str, Any], now: int) -> str:
    last = line.get("last_test")
    if last is None:
        return "-"
    if last["held"] is None:
        return _("{when}, not held").format(when=until(int(last["sent"]), now))
    return f"{until(int(last['sent']), now)}, {last['round_trip_ms']} ms"


@command(
    "lines",
    _("The lines of this station in full: members, fingerprints, bearers, sizes, and what is suspected."),
    examples=("openline lines", "openline lines BRAVO", "openline lines --json"),
)
@click.argument("line", required=False)
def lines_(desk: Desk, *, line: str | None) -> None:
    """Show lines in full."""
    station, out = desk.station, desk.out
    found = [station.line(line)] if line else station.lines()
    shown: list[str] = [] if found else stand([])
    now = station.now()
    for each in found:
        shown += [*_line_lines(out, each, now), ""]
    out.answer({"lines": found}, shown[:-1] if found else shown)


def _line_lines(out: Output, line: Json, now: int) -> list[str]:
    drawn, colour = wire(out, str(line["state"]))
    title = inert_line(str(line.get("title") or ""))
    head = f"{out.paint(drawn, colour)} {inert_line(str(line['label']))}  {state_word(str(line['state']))}"
    lines = [f"{head}  {title}".rstrip()]
    if (line["policy"] or {}).get("exercise"):
        lines.append(f"     {_('EXERCISE'):<12} {_('everything on this line is an exercise')}")
    lines += [f"     {_('id'):<12} {line['line']}"]
    for party in line["parties"]:
        mine = f" ({_('this station')})" if party["me"] else ""
        lines.append(f"     {_('member'):<12} {inert_line(str(party['name']))}{mine}  {party['fingerprint']}")
    for bearer in line.get("bearers") or ():
        up = _("up") if bearer["up"] else _("down")
        heard = bearer.get("last_heard")
        told = f", {_('last heard')} {until(int(heard), now)}" if heard is not None else ""
        rtt = f", {bearer['delay_ms']} ms" if bearer.get("delay_ms") is not None else ""
        lines.append(
            f"     {_('bearer'):<12} {bearer['bearer']} {_('to')} {inert_line(str(bearer['party']))}: {up}{told}{rtt}"
        )
    lines.append(f"     {_('on watch'):<12} {_attendance(line)}")
    for size in line.get("sizes") or ():
        held = ", ".join(f"{inert_line(name)} {count}" for name, count in size["held_by"].items())
        lane = f"{size['lane']}.{size['generation']}"
        kept = _("{size} entries; held by {held}") if held else _("{size} entries, held here")
        told = kept.format(size=size["size"], held=held)
        lines.append(f"     {_('lane'):<12} {lane} {inert_line(str(size['author']))}: {told}")
    lines += [f"     {_('generation'):<12} {said}" for said in sentences(line)]
    lines.append(f"     {_('digest'):<12} {line['digest']}")
    if line.get("suspected"):
        lines.append(f"     {_('SUSPECTED'):<12} {inert_line(', '.join(line['suspected']))}")
    if line.get("forks"):
        lines.append(
            f"     {_('FORKS'):<12} {line['forks']}: {_('both histories are kept as evidence; export the line')}"
        )
    return lines


@command(
    "watch",
    _("Say that somebody is on watch here (on), or nobody (off). The other side sees it, so silence is not a riddle."),
    examples=("openline watch BRAVO on", "openline watch BRAVO off", "openline watch --all on --sign W4"),
)
@click.argument("words", nargs=-1, required=True, metavar="[LINE] on|off")
@click.option("--all", "everywhere", is_flag=True, help=_("On every line."))
@click.option("--role", type=ROLE, metavar="ROLE", help=_("Your role, if you have several."))
@click.option("--sign", metavar="SIGN", help=_("Your sign, if you have several."))
def watch_(desk: Desk, *, words: tuple[str, ...], everywhere: bool, role: str | None, sign: str | None) -> None:
    """Tell whether this floor is attended."""
    from openline.cli.failures import usage

    if words[-1].lower() not in {"on", "off"} or len(words) != (1 if everywhere else 2):
        raise usage(
            _("Say which line, and on or off."), _("Write: openline watch LINE on, or openline watch --all off")
        )
    attended = words[-1].lower() == "on"
    station = desk.station
    lines = station.lines() if everywhere else [station.line(words[0])]
    answers = [
        {
            "line": line["label"],
            **station.post(line["line"], {"kind": "watch", "attended": attended, **acting(role, sign)}),
        }
        for line in lines
    ]
    told = _("Told: somebody is on watch here.") if attended else _("Told: nobody is on watch here.")
    desk.out.answer({"attended": attended, "told": answers}, [told])


@command(
    "test",
    _("Test a line now, both ways. A drill goes the way of a FLASH and cannot be taken for live traffic."),
    examples=("openline test BRAVO", "openline test BRAVO --drill --wait held"),
)
@click.argument("line")
@click.option("--drill", is_flag=True, help=_("As urgent as a FLASH, and marked as a drill."))
@click.option("--wait", type=click.Choice(("held",)), metavar="held", help=_("Wait until the others hold it."))
@click.option("--timeout", default="1m", metavar="SPAN", help=_("How long to wait (default: 1m)."))
def test_(desk: Desk, *, line: str, drill: bool, wait: str | None, timeout: str) -> None:
    """Test a line."""
    from openline.cli.moments import now_ms
    from openline.cli.sending import span_of

    for_ms = span_of(timeout)
    station, out = desk.station, desk.out
    began = now_ms()
    answer = station.client.post(station.about_line(line) + "/test", {"drill": drill})
    if wait is None:
        out.answer(answer, [_("The test is on its way.")])
        return
    come = bool(station.wait(line, answer["ref"], "held", for_ms)["done"])
    took = now_ms() - began
    good = _("The others hold it: {took} ms there and back.").format(took=took)
    bad = _("The time is over and nobody has said that they hold it. Look closer: openline lines")
    out.answer({**answer, "in_time": come, "round_trip_ms": took if come else None}, [good if come else bad])
    if not come:
        leave(Exit.TIMEOUT)


@command(
    "suspend",
    _(
        "Suspend a line for your side, with its reason. The other side sees it. FLASH still passes: a line never closes."
    ),
    examples=("openline suspend BRAVO --reason 'Consultations until Monday.'",),
)
@click.argument("line")
@click.option("--reason", metavar="TEXT", default="", help=_("Why."))
@click.option("--role", type=ROLE, metavar="ROLE", help=_("Your role, if you have several."))
@click.option("--sign", metavar="SIGN", help=_("Your sign, if you have several."))
def suspend_(desk: Desk, *, line: str, reason: str, role: str | None, sign: str | None) -> None:
    """Suspend a line."""
    answer = desk.station.post(line, {"kind": "suspend", "reason": reason, **acting(role, sign)})
    said = _("Suspended for your side. FLASH still passes. To lift it: openline lift {line}")
    desk.out.answer(answer, [said.format(line=inert_line(line))])


@command(
    "lift",
    _("Lift your own suspension of a line."),
    examples=("openline lift BRAVO --reason 'We go on.'",),
)
@click.argument("line")
@click.option("--reason", metavar="TEXT", default="", help=_("Why."))
@click.option("--role", type=ROLE, metavar="ROLE", help=_("Your role, if you have several."))
@click.option("--sign", metavar="SIGN", help=_("Your sign, if you have several."))
def lift_(desk: Desk, *, line: str, reason: str, role: str | None, sign: str | None) -> None:
    """Lift a suspension."""
    answer = desk.station.post(line, {"kind": "lift", "reason": reason, **acting(role, sign)})
    desk.out.answer(answer, [_("Lifted.")])


@command(
    "renew",
    _("Change the keys of a line now: a new epoch, agreed with the other side; the old keys are erased."),
    examples=("openline renew BRAVO",),
)
@click.argument("line")
def renew_(desk: Desk, *, line: str) -> None:
    """Begin a new epoch."""
    station: Local = desk.station
    answer = station.client.post(station.about_line(line) + "/renew")
    desk.out.answer(answer or {}, [_("New keys are being agreed. The line goes on meanwhile.")])
