"""Commands that say how a message of the other side stands here: receipt, interim, decline."""

from collections.abc import Sequence

import click

from openline.cli.command import Desk, command
from openline.cli.failures import usage
from openline.cli.inert import inert_line
from openline.cli.language import _
from openline.cli.local import Json
from openline.cli.moments import clock
from openline.cli.sending import ROLES, happened, moment_of
from openline.cli.signs import role_word, step_word

ROLE = click.Choice(ROLES, case_sensitive=False)


def acting(role: str | None, sign: str | None) -> Json:
    """Role and sign under which an act is signed; the station knows the actor's own where none is given."""
    found: Json = {"role": role.lower()} if role else {}
    return found | ({"sign": sign.upper()} if sign else {})


@command(
    "receipt",
    _("Say that a message was presented (it is on an attended screen), read (by an officer) or relayed (put before"
      " somebody). The other side sees role and sign, never a person."),
    examples=(
        "openline receipt BRAVO 'BRAVO 0012' presented",
        "openline receipt BRAVO 'BRAVO 0012' relayed --relayed-to principal",
    ),
)  # fmt: skip
@click.argument("line")
@click.argument("reference", metavar="REF", nargs=-1, required=True)
@click.argument("step", type=click.Choice(("presented", "read", "relayed")), metavar="presented|read|relayed")
@click.option("--relayed-to", type=ROLE, metavar="ROLE", help=_("Before whom it was put."))
@click.option("--unit", metavar="SIGN", help=_("Call-sign of the acting unit that it was put before."))
@click.option("--at", metavar="MOMENT", help=_("When it happened (default: now)."))
@click.option("--role", type=ROLE, metavar="ROLE", help=_("Your role, if you have several."))
@click.option("--sign", metavar="SIGN", help=_("Your sign, if you have several."))
def receipt_(
    desk: Desk,
    *,
    line: str,
    reference: Sequence[str],
    step: str,
    relayed_to: str | None,
    unit: str | None,
    at: str | None,
    role: str | None,
    sign: str | None,
) -> None:
    """Record a receipt."""
    if relayed_to is not None and step != "relayed":
        raise usage(_("--relayed-to goes with relayed only."))
    if unit is not None and step != "relayed":
        raise usage(_("--unit goes with relayed only."))
    station = desk.station
    ref = station.find(line, " ".join(reference), peer=True)["ref"]
    entry: Json = {"kind": "receipt", "of": ref, "step": step, **acting(role, sign)}
    if relayed_to is not None:
        entry["relayed_to"] = relayed_to.lower()
    if unit is not None:
        entry["unit"] = unit.upper()
    if at is not None:
        entry["at"] = happened(at, station.now())
    answer = station.post(line, entry)
    said = [inert_line(str(ref["reference"])), step_word(step)]
    said += [_("to {role}").format(role=role_word(relayed_to.lower()))] if relayed_to else []
    desk.out.answer(answer, [" ".join(said)])


@command(
    "interim",
    _("A signed holding reply: promise an answer by a moment. The other side sees the clock that you set."),
    examples=(
        "openline interim BRAVO 'BRAVO 0012' +2h",
        "openline interim BRAVO 'BRAVO 0012' '211800Z NOV 26' --text 'The principal is being told.'",
    ),
)
@click.argument("line")
@click.argument("reference", metavar="REF", nargs=-1, required=True)
@click.argument("moment", metavar="MOMENT")
@click.option("--text", metavar="TEXT", help=_("A word with it."))
@click.option("--role", type=ROLE, metavar="ROLE", help=_("Your role, if you have several."))
@click.option("--sign", metavar="SIGN", help=_("Your sign, if you have several."))
def interim_(
    desk: Desk,
    *,
    line: str,
    reference: Sequence[str],
    moment: str,
    text: str | None,
    role: str | None,
    sign: str | None,
) -> None:
    """Send a holding reply."""
    station = desk.station
    by = moment_of(moment, station.now())
    ref = station.find(line, " ".join(reference), peer=True)["ref"]
    entry: Json = {"kind": "interim", "of": ref, "until": by, **acting(role, sign)}
    if text:
        entry["text"] = text
    answer = station.post(line, entry)
    desk.out.answer(answer, [_("Promised: an answer by {moment}.").format(moment=clock(by))])


@command(
    "decline",
    _("Say, signed, that no answer will come, and why. So silence is never taken for a fault."),
    examples=("openline decline BRAVO 'BRAVO 0012' --reason 'Not a matter for this line.'",),
)
@click.argument("line")
@click.argument("reference", metavar="REF", nargs=-1, required=True)
@click.option("--reason", metavar="TEXT", required=True, help=_("Why no answer will come."))
@click.option("--role", type=ROLE, metavar="ROLE", help=_("Your role, if you have several."))
@click.option("--sign", metavar="SIGN", help=_("Your sign, if you have several."))
def decline_(
    desk: Desk, *, line: str, reference: Sequence[str], reason: str, role: str | None, sign: str | None
) -> None:
    """Decline to answer."""
    station = desk.station
    ref = station.find(line, " ".join(reference), peer=True)["ref"]
    answer = station.post(line, {"kind": "decline", "of": ref, "reason": reason, **acting(role, sign)})
    declined = _("Declined: {reference}").format(reference=inert_line(str(ref["reference"])))
    desk.out.answer(answer, [declined])
