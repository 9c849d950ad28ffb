"""Commands about the record: export, verify, prove."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from openline.cli.command import Desk, command
from openline.cli.failures import Exit, leave, new_file, refused, unavailable, usage
from openline.cli.inert import inert_line
from openline.cli.language import _
from openline.cli.local import Json, Local
from openline.cli.output import Output
from openline.kernel.errors import Malformed, Refused

if TYPE_CHECKING:
    from openline.archive.prove import ProofVerdict
    from openline.archive.verdict import Verdict

FIELDS = ("kind", "time", "ack", "body")


@command(
    "export",
    _("Write a line as a folder that anybody can check with openline verify, without a station or a key."),
    more=(_("Whoever gets the folder reads all that was said. It holds no secret key."),),
    examples=("openline export BRAVO bravo-november", "openline verify bravo-november"),
)
@click.argument("line")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
def export_(desk: Desk, *, line: str, directory: Path) -> None:
    """Export a line."""
    report = export_line(desk, desk.station, line, directory)
    desk.out.answer(
        report,
        [
            _("Written: {folder}").format(folder=inert_line(str(directory.absolute()))),
            _("Check it: openline verify {folder}").format(folder=inert_line(str(directory))),
        ],
    )


def export_line(desk: Desk, station: Local, line: str, directory: Path) -> Json:
    """Let the station write an export; its report. Raises Failure."""
    target = directory.absolute()
    shown, report = Progress(desk.out), Json()
    for told in station.client.progress(station.about_line(line) + "/export", {"directory": str(target)}):
        if "error" in told:
            raise unavailable(inert_line(str(told["message"])), _("Check the folder and the disk."), name=told["error"])
        if told["stage"] != "report":
            shown(str(told["stage"]), int(told["done"]), int(told["total"]))
        else:
            report = told
    shown.end()
    if not report:  # the answer ended before its last line, so nothing is known of what was written
        raise unavailable(
            _("The station stopped before the export was done."), _("Start it and export again, into another folder.")
        )
    return report


class Progress:
    """A counter on the terminal, of what takes long."""

    def __init__(self, out: Output) -> None:
        self._shows = out.terminal and not out.json
        self._last = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show how far a stage came."""
        import sys

        text = f"{stage} {100 * done // max(total, 1):3d} %"
        if self._shows and text != self._last:
            self._last = text
            sys.stderr.write(f"\r{text:<40}")
            sys.stderr.flush()

    def end(self) -> None:
        """Leave the line empty."""
        import sys

        if self._shows and self._last:
            sys.stderr.write(f"\r{'':<40}\r")
            sys.stderr.flush()


@command(
    "verify",
    _("Check an export (a folder) or a proof (a file). It needs no station, no keys and no network."),
    more=(
        _("Without --expect the best verdict is “consistent, identity not proved”: compare the fingerprint with one"
          " that you got from the parties themselves, as digits, words or hexadecimal."),
    ),
    examples=(
        "openline verify bravo-november",
        "openline verify bravo-november --expect '26302 60150 48047 10669 39962 42130 31023 14638 22571 58173 24098 41688'",
        "openline verify entry.proof --json",
    ),
)  # fmt: skip
@click.argument("path", metavar="DIR|PROOF", type=click.Path(path_type=Path))
@click.option("--expect", multiple=True, metavar="FINGERPRINT", help=_("The fingerprint of a party; may be repeated."))
@click.option(
    "--evidence",
    type=click.Path(path_type=Path),
    metavar="NEW-DIR",
    help=_("Write the forks that it proves there, as signed notes and tlog-proofs for other tools."),
)
def verify_(desk: Desk, *, path: Path, expect: Sequence[str], evidence: Path | None) -> None:
    """Verify an export or a proof."""
    from openline.archive.verify import check

    expected = frozenset(fingerprint_of(text) for text in expect)
    if not path.exists():
        raise usage(_("There is nothing at {path}.").format(path=inert_line(str(path))), _("Name a folder or a file."))
    shown = Progress(desk.out)
    verdict = check(path, expected, shown)
    shown.end()
    if evidence is not None:
        _write_evidence(path, evidence)
    tell_verdict(desk.out, verdict)


def _write_evidence(export: Path, folder: Path) -> None:
    """Write what other tools read of the forks that an export proves. Raises Failure."""
    from openline.archive.files import new_folder
    from openline.archive.verify import fork_files

    try:
        found = fork_files(export)
    except Refused:
        raise refused(_("The export does not check."), _("Verify it without --evidence: it says where.")) from None
    if not found:
        raise refused(_("The export proves no fork."), _("Verify it without --evidence."))
    with new_file(folder), new_folder(folder) as output:
        for name, content in found.items():
            output.put(name, content)


def tell_verdict(out: Output, verdict: "Verdict | ProofVerdict") -> None:
    """Show a verdict; leaves with its exit code unless it is good."""
    import json

    lines = [inert_line(line) for line in verdict.lines()]
    if lines:
        lines[0] = out.paint(lines[0], "act" if not verdict.ok else "work" if verdict.identity_proved else "look")
    out.answer(json.loads(verdict.to_json()), lines)
    if not verdict.ok:
        leave(Exit.NOT_VERIFIED)


def fingerprint_of(text: str) -> bytes:
    """A fingerprint as typed. Raises Failure."""
    from openline.station.cards import read_fingerprint

    try:
        return read_fingerprint(text)
    except Malformed:
        raise usage(
            _("That is not a fingerprint."),
            _("It is 12 groups of 5 digits, or 24 words, or 64 hexadecimal digits: openline card --fingerprint"),
        ) from None


@command(
    "prove",
    _("Prove one entry to somebody who sees nothing else of the line, showing only the fields that you choose."),
    more=(_("ENTRY is a reference, or lane.generation:index as history shows it for what is no message."),),
    examples=(
        "openline prove BRAVO 'BRAVO 0012' --show kind,time --out call.proof",
        "openline prove BRAVO 3.0:12 --show kind,time,body > entry.proof",
    ),
)
@click.argument("line")
@click.argument("reference", metavar="ENTRY", nargs=-1, required=True)
@click.option("--show", default="kind,time", metavar="FIELDS", help=_("Of kind, time, ack, body (default: kind,time)."))
@click.option("--out", "target", type=click.Path(path_type=Path), metavar="FILE", help=_("Write it there."))
def prove_(desk: Desk, *, line: str, reference: Sequence[str], show: str, target: Path | None) -> None:
    """Prove one entry."""
    fields = [word.strip().lower() for word in show.split(",") if word.strip()]
    if not set(fields) <= set(FIELDS):
        raise usage(_("An entry has the fields kind, time, ack and body."), _("Write: --show kind,time"))
    station = desk.station
    ref = station.find(line, " ".join(reference), peer=False)["ref"]
    asked = {"lane": ref["lane"], "generation": ref["generation"], "index": ref["index"], "show": fields}
    proof = str(station.client.post(f"lines/{line}/prove", asked)["proof"])
    if target is None:
        desk.out.answer({"proof": proof, "shown": fields}, [proof.removesuffix("\n")])
        return
    write_text(target, proof)
    desk.out.answer(
        {"file": str(target), "shown": fields},
        [_("Written: {folder}").format(folder=inert_line(str(target)))],
    )


def write_text(target: Path, text: str) -> None:
    """Write a new file; nothing is overwritten. Raises Failure."""
    with new_file(target), target.open("x", encoding="utf-8") as file:
        file.write(text)
