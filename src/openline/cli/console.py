"""The console in the browser, from the station itself: where it is, who may sign in, a link, the certificate for workstations."""

from pathlib import Path

import click

from openline.cli.command import Desk, command
from openline.cli.failures import Exit, Failure, usage
from openline.cli.inert import inert_line
from openline.cli.language import _
from openline.cli.local import Json
from openline.cli.moments import now_ms, until
from openline.cli.output import table


@command(
    "console",
    _(
        "The console in the browser: where it is and who may sign in; a one-time link; the certificate for workstations."
    ),
    more=(
        _("link signs an officer in once, within 15 minutes; --role makes a new officer."),
        _("ca writes the certificate that a workstation installs, so that its browser trusts this console."),
    ),
    examples=(
        "openline console",
        "openline console link W1",
        "openline console link W7 --role watch-officer --role technician",
        "openline console ca console-ca.pem",
    ),
)
@click.argument("words", nargs=-1, metavar="[link SIGN | ca FILE]")
@click.option(
    "--role", "roles", metavar="ROLE", multiple=True, help=_("Of a new officer; several times for several roles.")
)
def console_(desk: Desk, *, words: tuple[str, ...], roles: tuple[str, ...]) -> None:
    """Show the console, make a link, or write the certificate."""
    match words:
        case ():
            _show(desk)
        case ("link", sign):
            _link(desk, sign, roles)
        case ("ca", file):
            _authority(desk, Path(file))
        case _:
            raise usage(_("That is not a way to call it."), _("See: openline console --help"))


def _show(desk: Desk) -> None:
    told = desk.station.client.get("console/people")
    now = now_ms()  # of the machine, also where the station's clock is simulated
    rows = [_row(person, now) for person in told["people"]]
    headings = [_("sign"), _("roles"), _("passkeys"), _("recovery codes"), _("sessions"), _("last act")]
    shown = [str(told["url"]), *table(desk.out, headings, rows)]
    if not any(person["passkeys"] for person in told["people"]):
        shown.append(_("Nobody has a passkey yet. A link to begin with: openline console link SIGN"))
    desk.out.answer(told, shown)


def _row(person: Json, now: int) -> list[str]:
    roles = _("disabled") if person["disabled"] else ", ".join(person["roles"])
    seen = person["seen"]
    counts = [str(person[name]) for name in ("passkeys", "codes", "sessions")]
    return [inert_line(str(person["sign"])), roles, *counts, "-" if seen is None else until(int(seen), now)]


def _link(desk: Desk, sign: str, roles: tuple[str, ...]) -> None:
    made = desk.station.client.post("console/links", {"sign": sign.upper(), "roles": list(roles)})
    told = _("Good once, for 15 minutes, for whoever opens it: hand it over in person.")
    desk.out.answer(made, [str(made["url"]), told])


def _authority(desk: Desk, file: Path) -> None:
    made = desk.station.client.get("console/authority")
    try:
        file.write_text(str(made["certificate"]), encoding="ascii")
    except OSError:
        raise Failure(
            Exit.UNAVAILABLE, _("The file cannot be written."), _("Choose another folder, or another name.")
        ) from None
    told = _("Written. How a workstation installs it: docs/operators/console.md")
    desk.out.answer({"file": str(file), "url": made["url"]}, [told])
