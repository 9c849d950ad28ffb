"""How the command line opens keys: the key file that the configuration names, else a passphrase asked for."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from openline.cli.failures import refused, usage
from openline.cli.language import _

if TYPE_CHECKING:
    from openline.station.config import Config
    from openline.station.unlock import Unlock

SHORTEST = 8
"""Characters of a passphrase, as the keystore asks for."""


def unlock_of(home: Path, config: "Config") -> "Unlock":
    """What opens this station's keys. Raises Failure when nobody can be asked."""
    from openline.station.unlock import KeyFile, Passphrase

    if config.unlock.key_file:
        return KeyFile(home / config.unlock.key_file)
    return Passphrase(ask(_("Passphrase of this station")))


def chosen(key_file: Path | None, what: str) -> "Unlock":
    """A key file, made if it is not there, or a new passphrase typed twice."""
    import os

    from openline.station.unlock import KeyFile, Passphrase, make_key_file

    if key_file is None:
        return Passphrase(new_passphrase(what))
    path = key_file.absolute()
    return KeyFile(path) if path.exists() else make_key_file(path, os.urandom)


def existing(key_file: Path | None, what: str) -> "Unlock":
    """A key file that is there, or a passphrase."""
    from openline.station.unlock import KeyFile, Passphrase

    return KeyFile(key_file.absolute()) if key_file is not None else Passphrase(ask(what))


def ask(what: str) -> str:
    """A passphrase, unseen on a terminal. Raises Failure when nobody answers."""
    hidden = sys.stdin.isatty()
    try:
        typed: str = click.prompt(what, hide_input=hidden, err=True, default="", show_default=False)
    except click.Abort:
        click.echo(err=True)
        raise usage(
            _("A passphrase is needed, and nobody was there to type it."),
            _("Run this on a terminal, or use a key file for unattended starts."),
        ) from None
    return typed


def new_passphrase(what: str) -> str:
    """A new passphrase, typed twice. Raises Failure."""
    first = ask(what)
    if len(first) < SHORTEST:
        raise refused(
            _("A passphrase needs at least {least} characters.").format(least=SHORTEST), _("Take several words.")
        )
    if ask(_("The same once more")) != first:
        raise refused(_("The two were not the same. Nothing was made."), _("Begin again."))
    return first
