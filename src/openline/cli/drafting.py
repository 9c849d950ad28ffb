"""Commands for lines whose terms ask for a second person: drafts, release, discard."""

import click

from openline.cli.answering import ROLE, acting
from openline.cli.command import Desk, command
from openline.cli.entry_lines import heading
from openline.cli.failures import refused
from openline.cli.inert import inert_line
from openline.cli.language import _, _n
from openline.cli.moments import clock
from openline.cli.output import table
from openline.cli.signs import role_word
from openline.cli.waiting import drafts_of


@command(
    "drafts",
    _("Texts that wait for a second person, because the line's terms ask for release."),
    examples=("openline drafts", "openline drafts BRAVO --json"),
)
@click.argument("line", required=False)
def drafts_(desk: Desk, *, line: str | None) -> None:
    """List drafts."""
    station, out = desk.station, desk.out
    lines = [station.line(line)] if line else station.lines()
    found = drafts_of(station, lines)
    if not found:
        out.answer({"drafts": []}, [_("No draft waits.")])
        return
    rows = []
    for draft in found:
        message = draft["message"]
        rows.append(
            [
                str(draft["draft"]),
                inert_line(str(draft["line"])),
                inert_line(str(draft["drafter"])),
                clock(int(draft["made"])),
                _waits_for(str(draft["state"])),
                str(message.get("precedence", "")).upper(),
                heading(message)[:48],
            ]
        )
    headings = [_("draft"), _("line"), _("by"), _("when"), _("waits for"), _("precedence"), _("text")]
    count = _n("{number} draft waits for release.", "{number} drafts wait for release.", len(found))
    out.answer({"drafts": found}, [count, "", *table(out, headings, rows)])


def _waits_for(state: str) -> str:
    words = {"held": _("the end of MINIMIZE"), "grace": _("the end of its ten seconds")}
    return words.get(state) or _("a second person")


@command(
    "release",
    _("Send a draft that somebody else wrote. Read it first; you answer for it together."),
    examples=("openline drafts", "openline release 3"),
)
@click.argument("number", type=click.IntRange(min=1))
@click.option("--role", type=ROLE, metavar="ROLE", help=_("Your role, if you have several."))
@click.option("--sign", metavar="SIGN", help=_("Your sign, if you have several."))
@click.option("--minimize-considered", is_flag=True, help=_("Although MINIMIZE stands: you answer for it."))
def release_(desk: Desk, *, number: int, role: str | None, sign: str | None, minimize_considered: bool) -> None:
    """Release a draft."""
    shown = desk.station.client.get(f"drafts/{number}")
    draft = shown["message"]
    confirmed = {"to": draft["to"], "precedence": draft["precedence"], "digest": shown["digest"]}
    body = {**acting(role, sign), **confirmed, "minimize_considered": minimize_considered}
    if desk.out.terminal:
        desk.out.note(
            _("{precedence} to {roles}: {text}").format(
                precedence=str(draft["precedence"]).upper(),
                roles=", ".join(role_word(str(name)) for name in draft["to"]),
                text=heading(draft)[:48],
            )
        )
        if not click.confirm(_("Release it to them, with this precedence?"), err=True):
            raise refused(_("Not released. The draft waits on."), name="not-confirmed")
    answer = desk.station.client.post(f"drafts/{number}/release", body)
    desk.out.answer(answer, [_("Released: {reference}").format(reference=inert_line(str(answer["ref"]["reference"])))])


@command(
    "discard",
    _("Throw a draft away. Nothing of it was sent; the audit log keeps that it was."),
    examples=("openline discard 3",),
)
@click.argument("number", type=click.IntRange(min=1))
def discard_(desk: Desk, *, number: int) -> None:
    """Discard a draft."""
    answer = desk.station.client.post(f"drafts/{number}/discard")
    desk.out.answer(answer or {"discarded": number}, [_("Draft {number} is gone.").format(number=number)])
