"""A pairing under way, as the people of one floor follow it: waiting, comparing, signing."""

import select
import sys

import click

from openline.cli.failures import Failure, refused
from openline.cli.inert import inert_line
from openline.cli.language import _
from openline.cli.local import Json, Local
from openline.cli.moments import now_ms, span
from openline.cli.output import Output
from openline.cli.terms import sign_by_word
from openline.kernel.errors import Refused, Unavailable

SAY_EVERY_MS = 60_000
"""So often it is said that nothing has changed: whoever waits shall not take it for a command that hangs."""


def somebody_answers(asked: bool) -> None:
    """Raise Failure, before anything begins, if something will be `asked` and the standard input has ended."""
    if asked and _has_ended():
        raise refused(
            _("To compare and to sign, somebody must be at a terminal, and the standard input has ended."),
            _("Type it at a terminal. For scripts: --fingerprint FP, got in person, and --yes."),
            name="not-confirmed",
        )


def _has_ended() -> bool:
    if sys.stdin is None or sys.stdin.closed:
        return True
    try:
        if sys.stdin.isatty() or not select.select([sys.stdin], [], [], 0)[0]:
            return False  # what is not there yet may still be typed, or come by a pipe
        return not sys.stdin.buffer.peek(1)  # type: ignore[union-attr]
    except (OSError, ValueError):  # a stream without a file behind it: it is asked
        return False


def give_up(station: Local, place: str) -> None:
    """End what was begun."""
    try:
        station.client.delete(place)
    except (Refused, Unavailable):
        return  # it is over on that side already


def follow(
    out: Output,
    station: Local,
    place: str,
    told: Json,
    *,
    fingerprint: str | None,
    signed: bool,
    say_every_ms: int = SAY_EVERY_MS,
) -> Json:
    """Follow a pairing until the line is open. Raises Failure if it ends otherwise."""
    answered, begun, said = "", now_ms(), now_ms()
    name = inert_line(str(told["peer"]["name"]))
    while True:
        state = str(told["state"])
        match state:
            case "open":
                return told
            case "refused":
                raise _ended(told)
            case "comparing" if fingerprint is not None:
                if not answered:
                    signed = signed or sign_by_word(_("To sign these terms, type yes"))
                    answered = fingerprint
                    station.client.post(f"{place}/confirm", {"fingerprint": fingerprint})
            case "comparing" if told["sas"] != answered or not answered:
                answered = str(told["sas"])
                heard = _spoken(out, answered)
                signed = signed or sign_by_word(_("To sign these terms, type yes"))
                station.client.post(f"{place}/confirm", {"sas": heard})
            case _:
                pass
        told = station.client.get(place, state=state)
        if str(told["state"]) == "confirming" != state:
            out.note(_("This floor has signed. Waiting until {name} has compared and signed too.").format(name=name))
        elif str(told["state"]) == state and now_ms() - said >= say_every_ms:
            said = now_ms()
            out.note(
                _("Still waiting for {name}, for {span} now. Ctrl-C ends the pairing.").format(
                    name=name, span=span(said - begun)
                )
            )


def _ended(told: Json) -> Failure:
    """Why there is no line, and what to do."""
    reason, do = (inert_line(_(str(told[name]))) for name in ("reason", "do"))
    lines = [_("The pairing has ended: {reason}.").format(reason=reason)]
    for each in told["differs"]:
        ours, theirs = inert_line(str(each["ours"])), inert_line(str(each["theirs"]))
        member = inert_line(str(each["member"]))
        lines.append(_("  {member}: here {ours}, there {theirs}").format(member=member, ours=ours, theirs=theirs))
    return refused("\n".join(lines), do[:1].upper() + do[1:] + ".", name=f"pairing-{told['code']}")


def _spoken(out: Output, ours: str) -> str:
    """Show our half of the code, ask for theirs."""
    if not ours:
        raise refused(
            _("Codes were entered wrongly too often: today only whole fingerprints may be compared."),
            _("Get the other's fingerprint in person, and give it: --fingerprint FP"),
            name="pairing-fingerprint-only",
        )
    out.note(
        "",
        _("Read this aloud to the other floor:   {half}").format(half=ours),
        _("They read you theirs. Do not say it for them: if both sides hear the right half, nobody is between you."),
    )
    heard = str(click.prompt(_("Type the digits that you hear"), default="", show_default=False, err=True))
    return " ".join(heard.split())
