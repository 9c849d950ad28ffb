"""Command that puts a backup back: restore."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from openline.cli.command import Desk, command
from openline.cli.failures import refused
from openline.cli.inert import inert_line
from openline.cli.language import _, _n
from openline.kernel.errors import Conflict

if TYPE_CHECKING:
    from openline.station.backup import BackupReport

_KEY_FILE_LINE = re.compile(r'^key_file\s*=\s*"[^"\n]*"', re.MULTILINE)


@command(
    "restore",
    _("Put a backup into a new folder. Never run the old and the restored station at the same time."),
    more=(
        _("At its next start the station opens a new generation of its lanes, agrees on new line keys, and takes back"
          " from the others what it lost since the backup. The root key is not in a backup."),
    ),
    examples=(
        "openline restore /media/usb/alpha.backup --home /srv/openline",
        "openline restore alpha.backup --key-file /media/usb/backup.key --unlock-file /etc/openline/unlock.key",
    ),
)  # fmt: skip
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=_("The file that the backup was sealed by (default: its passphrase)."),
)
@click.option(
    "--unlock-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=_("Open the station's keys by this file from now on instead of a passphrase; made if it is not there."),
)
def restore_(desk: Desk, *, file: Path, key_file: Path | None, unlock_file: Path | None) -> None:
    """Restore a backup."""
    import os

    from openline.cli.unlocking import chosen, existing
    from openline.station.backup import check_backup, restore_backup
    from openline.station.config import FILE
    from openline.station.files import check_path
    from openline.station.places import Places

    home = check_path(desk.home.absolute())
    if home.is_dir() and any(home.iterdir()):
        raise refused(
            _("The folder {home} is not empty.").format(home=inert_line(str(home))),
            _("Name a new folder: --home DIR"),
            name=Conflict.code,
        )
    seal = existing(key_file, _("Passphrase of the backup"))
    check_backup(file.absolute(), seal)  # before a new passphrase is asked for
    made = not home.exists()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)  # before a key file inside it is made
    try:
        unlock = chosen(unlock_file, _("A passphrase for this station"))
        report = restore_backup(file.absolute(), Places(home), seal, unlock, os.urandom)
        _put_files(home, report, "" if unlock_file is None else str(unlock_file.absolute()))
    except BaseException:
        _clear(home, whole=made)
        raise
    desk.out.answer(
        {"home": str(home), "lines": report.lines},
        [
            _("Restored: {folder}").format(folder=inert_line(str(home)))
            + " ("
            + _n("{number} line", "{number} lines", report.lines)
            + ")",
            _(
                "Make sure that the old station never starts again. Look at {file}: addresses, users, marks folder."
            ).format(file=inert_line(str(home / FILE))),
            _("Then: openline doctor, and openline up"),
        ],
    )


def _clear(home: Path, *, whole: bool) -> None:
    """Take away what was put into a folder that was empty: half a station must not be taken for one."""
    import shutil

    for path in list(home.iterdir()):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    if whole:
        home.rmdir()


def _put_files(home: Path, report: "BackupReport", unlock_file: str) -> None:
    """The backup's small files; the configuration last, and naming the key file that opens the keys now."""
    from openline.station.config import FILE, load_config
    from openline.station.files import private_folder, write_private

    for folder in (home / "run", home / "marks"):
        private_folder(folder)
    for name, data in sorted(report.files.items(), key=lambda item: item[0] == FILE):
        write_private(home / name, _opened_by(unlock_file, data) if name == FILE else data)
    load_config(home)


def _opened_by(unlock_file: str, configuration: bytes) -> bytes:
    escaped = unlock_file.replace("\\", "\\\\").replace('"', '\\"')
    return _KEY_FILE_LINE.sub(lambda _found: f'key_file = "{escaped}"', configuration.decode()).encode()
