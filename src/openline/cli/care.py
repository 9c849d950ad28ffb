"""Commands of care: doctor, backup, archive, version."""

import contextlib
from pathlib import Path

import click

from openline.cli.command import Desk, command
from openline.cli.failures import Exit, Failure, leave, refused
from openline.cli.inert import inert_line
from openline.cli.language import _, _n
from openline.cli.local import Json, Local
from openline.cli.output import Cell, table
from openline.cli.problems import in_words
from openline.kernel.errors import Refused, Unavailable


@command(
    "doctor",
    _("Look at everything that can be wrong with a station here, and say what to do. It changes nothing."),
    more=(_("It opens the keys by the key file, or asks for the passphrase; with --sealed it stays outside."),),
    examples=("openline doctor", "openline doctor --sealed --json"),
)
@click.option("--sealed", is_flag=True, help=_("Do not open keys and store: only what shows from outside."))
def doctor_(desk: Desk, *, sealed: bool) -> None:
    """Examine the station."""
    import os

    from openline.cli.moments import now_ms
    from openline.cli.unlocking import unlock_of
    from openline.station.config import load_config, marks_folder
    from openline.station.doctor import Finding, Severity, examine
    from openline.station.places import Places
    from openline.station.restores import COPY_WRITES

    out = desk.out
    places, unlock, found = Places(desk.home), None, list[Finding]()
    try:
        config = load_config(desk.home)
        places = Places(desk.home, marks_folder(desk.home, config))
        unlock = None if sealed else unlock_of(desk.home, config)
    except (Refused, Unavailable) as error:
        said = inert_line(str(error)[:1].upper() + str(error)[1:])
        found.append(Finding(severity=Severity.FAULT, code="configuration", what=said + ".", do="Mend config.toml."))
    found += examine(places, unlock, now_ms(), os.urandom)
    for problem in _told(desk):
        if problem.startswith("bearer "):
            do = _("Look closer: openline bearers")
            found.append(Finding(severity=Severity.WARNING, code="bearer-down", what=in_words(problem), do=do))
        elif problem.endswith(COPY_WRITES):
            what, _stop, do = in_words(problem).partition(". ")
            found.append(Finding(severity=Severity.FAULT, code="copy-writes", what=what + ".", do=do))
    bad = [one for one in found if one.severity in {Severity.WARNING, Severity.FAULT}]
    signs = {
        Severity.GOOD: Cell(out.sign("✓", "+") + " " + _("good"), "work"),
        Severity.NOTE: Cell(out.sign("·", "-") + " " + _("note"), ""),
        Severity.WARNING: Cell(out.sign("△", "!") + " " + _("warning"), "look"),
        Severity.FAULT: Cell(out.sign("✕", "X") + " " + _("fault"), "act"),
    }
    lines = [
        _n("{number} thing needs you.", "{number} things need you.", len(bad)) if bad else _("Nothing is wrong here."),
        "",
    ]
    rows: list[list[Cell | str]] = []
    for one in sorted(found, key=lambda each: -list(Severity).index(each.severity)):
        rows.append([signs[one.severity], _(one.what)])
        rows += [["", _(one.do)]] if one.do and one.severity is not Severity.GOOD else []
    lines += table(out, ("", ""), rows)[1:]
    findings = [{"severity": one.severity.value, "code": one.code, "what": one.what, "do": one.do} for one in found]
    out.answer({"healthy": not bad, "findings": findings}, lines)
    if bad:
        leave(Exit.ATTENTION)


def _told(desk: Desk) -> list[str]:
    """What a running station says is wrong with it; nothing of one that does not run."""
    with contextlib.suppress(Refused, Unavailable, Failure):
        return [str(each) for each in desk.station.status()["problems"]]
    return []


@command(
    "backup",
    _("Write an encrypted backup: the store and the keys, but neither line keys in use nor the root key."),
    more=(_("Keep it apart from its passphrase or key file. Who opens it can speak as this station."),),
    examples=(
        "openline backup /media/usb/alpha.backup",
        "openline backup alpha.backup --key-file /media/usb/backup.key",
    ),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=_("Seal it by this file instead of a passphrase; made if it is not there."),
)
def backup_(desk: Desk, *, file: Path, key_file: Path | None) -> None:
    """Back the station up."""
    import os

    from openline.cli.unlocking import chosen, unlock_of
    from openline.station import config as configuration
    from openline.station.backup import write_backup
    from openline.station.card import FILE as CARD
    from openline.station.places import Places

    config = configuration.load_config(desk.home)
    if file.exists():
        raise refused(
            _("There is a file {path} already.").format(path=inert_line(str(file))), _("Choose another name.")
        )
    seal = chosen(key_file, _("A passphrase for the backup"))
    small = {
        name: (desk.home / name).read_bytes() for name in (configuration.FILE, CARD) if (desk.home / name).exists()
    }
    places = Places(desk.home, configuration.marks_folder(desk.home, config))
    report = write_backup(file.absolute(), places, unlock_of(desk.home, config), seal, os.urandom, files=small)
    out = desk.out
    out.answer(
        {"file": str(file), "size": report.size, "lines": report.lines},
        [
            _("Written: {folder}").format(folder=inert_line(str(file)))
            + f" ({report.size} B, "
            + _n("{number} line", "{number} lines", report.lines)
            + ")",
            _("The line keys in use and the root key are not in it, as they must not be copied."),
        ],
    )


@command(
    "version",
    _("The version of this program, and what it speaks."),
    examples=("openline version", "openline version --json"),
)
def version_(desk: Desk) -> None:
    """Show the version."""
    import platform

    from openline import __version__
    from openline.kernel.terms import SUITE

    told = {"version": __version__, "suite": SUITE, "python": platform.python_version()}
    desk.out.answer(told, [f"openline {__version__} (suite {SUITE}, Python {platform.python_version()})"])


@command(
    "archive",
    _("Export a line, verify the export, then destroy the line's keys and entries here. There is no way back."),
    more=(
        _("It is the only command that deletes. The export stays readable; the line cannot be continued. You are asked"
          " to type the line's label before anything is destroyed. The station must not run meanwhile."),
    ),
    examples=("openline archive BRAVO /srv/archive/bravo-2026",),
)  # fmt: skip
@click.argument("line")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--yes", metavar="LABEL", help=_("The line's label, instead of typing it when asked."))
def archive_(desk: Desk, *, line: str, directory: Path, yes: str | None) -> None:
    """Archive a line."""
    import os

    from openline.cli.running import is_running, with_station
    from openline.cli.unlocking import unlock_of
    from openline.station.config import load_config
    from openline.station.erasing import erase_line

    if is_running(desk):
        raise refused(
            _("The station is running. A line is destroyed only while it stands still."),
            _("End it (Ctrl-C at openline up), archive, and start it again. The other lines wait meanwhile."),
            name="running",
        )
    unlock = unlock_of(desk.home, load_config(desk.home))
    chosen: list[Json] = []
    with_station(desk, lambda station: chosen.append(_exported(desk, station, line, directory, yes)), unlock)
    for found in chosen:
        erase_line(desk.home, unlock, bytes.fromhex(found["line"]), os.urandom)
        label = str(found["label"])
        desk.out.answer(
            {"archived": label, "line": found["line"], "directory": str(directory.absolute())},
            [_("The line {label} is archived.").format(label=inert_line(label))],
        )


def _exported(desk: Desk, station: Local, line: str, directory: Path, yes: str | None) -> Json:
    """The line, exported, verified and given up by its people. Raises Failure otherwise."""
    from openline.archive.verify import check
    from openline.cli.record import Progress, export_line, tell_verdict

    out, found = desk.out, station.line(line)
    label = str(found["label"])
    export_line(desk, station, line, directory)
    shown = Progress(out)
    own = bytes.fromhex(station.status()["fingerprint"]["hex"])
    verdict = check(directory.absolute(), frozenset({own}), shown)
    shown.end()
    if not verdict.identity_proved:
        tell_verdict(out, verdict)
        raise refused(_("The export does not verify. Nothing was destroyed."), _("Look at it: openline doctor"))
    out.note(
        _("Exported and verified: {folder}").format(folder=inert_line(str(directory.absolute()))),
        _("Now everything of line {label} here is destroyed. The others keep theirs.").format(label=inert_line(label)),
    )
    typed = yes
    if typed is None:
        question = _("To destroy it, type the line's label ({label})").format(label=inert_line(label))
        typed = str(click.prompt(question, default="", show_default=False, err=True))
    if typed.strip() != label:
        raise refused(
            _("That is not this line's label. Nothing was destroyed."), _("The export stays."), name="not-confirmed"
        )
    return found
