"""Commands that make and run a station: init, up."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from openline.cli.command import Desk, command
from openline.cli.failures import refused
from openline.cli.inert import inert_line
from openline.cli.language import _, language
from openline.kernel.errors import Conflict, Malformed


@command(
    "init",
    _("Make a station in the folder: its keys, its store, its card. Whoever runs this may do everything in it."),
    more=(
        _("NAME is what the others call it: capital letters, digits, hyphens, at most 16, such as ALPHA."
          " Without --key-file a passphrase is asked for."),
        _("The root key vouches for all others: move keys/root.key to a medium that is kept offline."),
    ),
    examples=(
        "openline init ALPHA --listen 192.0.2.1:7601",
        "openline init BRAVO --home /srv/openline --listen '[2001:db8::1]:7601' --key-file /etc/openline/unlock.key",
        "openline init CHARLIE --address charlie.example:7601 --listen 0.0.0.0:7601",
    ),
)  # fmt: skip
@click.argument("name")
@click.option("--listen", multiple=True, metavar="ADDRESS", help=_("Where to listen, as 192.0.2.1:7601; repeatable."))
@click.option(
    "--address",
    "addresses",
    multiple=True,
    metavar="ADDRESS",
    help=_("Where the others reach us, for the card (default: where we listen); repeatable."),
)
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=_("Open the keys by this file instead of a passphrase; made if it is not there."),
)
@click.option(
    "--root-key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=_("Seal the root key by a file of its own (default: as the other keys)."),
)
@click.option(
    "--lang", default=None, metavar="TAG", help=_("Language of this station's texts (default: that of the interface).")
)
@click.option(
    "--simulated-clock", is_flag=True, help=_("For exercises: the clock is set by hand, and every screen says so.")
)
def init_(
    desk: Desk,
    *,
    name: str,
    listen: Sequence[str],
    addresses: Sequence[str],
    key_file: Path | None,
    root_key_file: Path | None,
    lang: str | None,
    simulated_clock: bool,
) -> None:
    """Make a station."""
    from openline.cli.unlocking import chosen
    from openline.station.cards import as_digits, as_words
    from openline.station.setup import create_home

    home = _new_home(desk.home.absolute(), name)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)  # before a key file inside it is made
    unlock = chosen(key_file, _("A passphrase for this station"))
    root_unlock = chosen(root_key_file, _("A passphrase for the root key")) if root_key_file else None
    made = create_home(
        home,
        name=name,
        unlock=unlock,
        listen=tuple(listen),
        addresses=tuple(addresses) or None,
        root_unlock=root_unlock,
        language=lang or language(),
        simulated_clock=simulated_clock,
    )
    fingerprint = made.card.fingerprint
    desk.out.answer(
        {
            "home": str(home),
            "name": name,
            "fingerprint": {
                "hex": fingerprint.hex(),
                "digits": as_digits(fingerprint),
                "words": as_words(fingerprint),
            },
        },
        [
            _("The station {name} is made in {home}.").format(name=name, home=inert_line(str(home))),
            _("Move {file} to a medium that is kept offline.").format(file=inert_line(str(home / "keys" / "root.key"))),
            "",
            _("Next: hand your card to the other floor, and start the station:"),
            f"  openline card{_where(desk)} > card.txt",
            f"  openline up{_where(desk)}",
        ],
    )


def _where(desk: Desk) -> str:
    """The option that the next commands need too, if this one did."""
    typed = click.get_current_context().get_parameter_source("home") is ParameterSource.COMMANDLINE
    return f" --home {inert_line(shlex.quote(str(desk.home)))}" if typed else ""


def _new_home(home: Path, name: str) -> Path:
    """The folder, if a station of that name may be made in it. Raises Failure."""
    from openline.kernel.terms import check_name
    from openline.station.config import FILE
    from openline.station.files import check_path

    check_path(home)
    try:
        check_name(name)
    except Malformed:
        raise refused(
            _("{name} cannot be a station's name.").format(name=inert_line(name)),
            _("Take 1 to 16 capital letters, digits and inner hyphens, such as ALPHA."),
        ) from None
    if (home / FILE).exists():
        raise refused(
            _("There is a station in {home} already.").format(home=inert_line(str(home))),
            _("Name another folder: --home DIR"),
            name=Conflict.code,
        )
    return home


@command(
    "up",
    _("Run the station here, until Ctrl-C or SIGTERM. Under systemd use the unit of the documents instead."),
    examples=("openline up", "openline up --home /srv/openline"),
)
def up_(desk: Desk) -> None:
    """Run the station."""
    from openline.cli.running import run_here

    run_here(desk)
