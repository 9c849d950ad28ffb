"""Export, proof and backup beside the running lines.

An export reads a whole line, which may take minutes: it runs in a thread and
takes its turns at the store, page by page, between the commits. The threads
are its own: in those of the loop names are looked up and signs of life
written, and neither may wait until a few exports are over.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from openline.archive.export import ExportReport, export
from openline.archive.prove import prove
from openline.kernel.errors import Refused, Unavailable
from openline.kernel.lane import Lane
from openline.station.answers import encoded
from openline.station.backup import BackupReport, write_backup
from openline.station.card import FILE as CARD
from openline.station.config import FILE as CONFIG
from openline.station.line_runner import LineRunner
from openline.station.runtime import Station
from openline.station.unlock import KeyFile, Passphrase

_TELL_EVERY = 4_096
"""Entries between two lines of progress."""
_THREADS: Final = ThreadPoolExecutor(2, "openline-archive")
"""What is asked for beyond that waits for its turn."""


async def exported(station: Station, line: LineRunner, folder: Path) -> AsyncIterator[bytes]:
    """Export a line; yields progress as lines of JSON, the last of which is the report or what went wrong.

    Raises as `archive.export` if it cannot begin.
    """
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[bytes | None] = asyncio.Queue()
    told_at, told_stage = 0, ""

    def progress(stage: str, done: int, total: int) -> None:
        nonlocal told_at, told_stage
        if stage != told_stage or done - told_at >= _TELL_EVERY or done == total:
            told_at, told_stage = done, stage
            line_of_json = encoded({"stage": stage, "done": done, "total": total}) + b"\n"
            loop.call_soon_threadsafe(told.put_nowait, line_of_json)

    work = loop.run_in_executor(
        _THREADS,
        partial(
            export,
            reader=line.history,
            record=line.record,
            signer=station.signer,
            retired=station.keystore.retired,
            folder=folder,
            made=station.clock.wall(),
            progress=progress,
        ),
    )
    work.add_done_callback(lambda _: told.put_nowait(None))
    begun = False
    while (piece := await told.get()) is not None:
        begun = True
        yield piece
    try:
        yield _report(await work)
    except (Refused, Unavailable) as error:
        if not begun:
            raise
        yield encoded({"error": error.code, "message": str(error)}) + b"\n"


def _report(report: ExportReport) -> bytes:
    lanes = [
        {"lane": lane.number, "generation": str(lane.generation), "size": lane.size} for lane in report.manifest.lanes
    ]
    answer = {
        "stage": "report",
        "directory": str(report.folder),
        "entries": report.entries,
        "unopened": report.unopened,
        "lanes": lanes,
        "files": len(report.manifest.files),
    }
    return encoded(answer) + b"\n"


def proof(station: Station, line: LineRunner, lane: Lane, index: int, show: Iterable[str]) -> str:
    """A C2SP tlog-proof of one entry. Raises Unknown or Malformed."""
    signers = (station.signer, *station.keystore.retired)
    made = prove(reader=line.history, record=line.record, signers=signers, lane=lane, index=index, show=tuple(show))
    return made.decode()


async def back_up(station: Station, target: Path, *, passphrase: str | None, key_file: Path | None) -> BackupReport:
    """Write a backup, sealed by the passphrase or key file. Raises as `write_backup`."""
    seal = Passphrase(passphrase) if passphrase is not None else KeyFile(key_file or Path())
    small = {name: (station.home / name).read_bytes() for name in (CONFIG, CARD)}
    work = partial(write_backup, target, station.places, station.unlock, seal, station.entropy, files=small)
    return await asyncio.get_running_loop().run_in_executor(_THREADS, work)
