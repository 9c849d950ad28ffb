"""Calls that need a file or an auditor: attachments, export, proof, backup, audit, metrics."""

import re
from pathlib import Path
from typing import Annotated

import msgspec

from openline.kernel.errors import Conflict, Forbidden, Malformed
from openline.kernel.units import MAX_SEQ
from openline.protocol.calls import CallState
from openline.protocol.facts import Place as CallPlace
from openline.protocol.fields import Ref
from openline.station.answers import AuditView, BackupView, Placed, ProofView
from openline.station.api_entries import lane_of_place, placed_ref
from openline.station.calling.standing import SEATED
from openline.station.calls import BYTES, LINES, TEXT, Call, Reply, Route, decoded, reply
from openline.station.files import private_folder
from openline.station.files_sent import attach, attachment
from openline.station.line_runner import LineRunner
from openline.station.metrics import exposition
from openline.station.people import ADMINISTRATOR, AUDITOR, INTERPRETER, PRINCIPAL, TECHNICIAN, WATCH
from openline.station.requests import Place, Request, find_ref

_READERS = frozenset({WATCH, PRINCIPAL, INTERPRETER, AUDITOR})
_WATCH = frozenset({WATCH})
SAVED = (b"content-disposition", b"attachment")
"""A browser saves what a party sent, and never shows it."""
EXPORTS = "exports"
"""The folder in the station's own for what is written from the console."""
_PATH = Annotated[str, msgspec.Meta(min_length=1, max_length=4_096)]


class AttachQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file is called, and the message it belongs to."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    media_type: Annotated[str, msgspec.Meta(max_length=128)] = "application/octet-stream"
    of: Annotated[str, msgspec.Meta(max_length=80)] | None = None
    """A reference as people write it, or "lane/generation/index"."""


class ExportRequest(Request, frozen=True, kw_only=True):
    """Where to: a new folder, as the station's user sees it."""

    directory: _PATH


class ProveRequest(Request, frozen=True, kw_only=True):
    """Which entry, and what of it is shown."""

    lane: Annotated[int, msgspec.Meta(ge=0, le=31)]
    generation: Annotated[str, msgspec.Meta(max_length=27)] = "0"
    index: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)]
    show: Annotated[list[Annotated[str, msgspec.Meta(pattern="^(kind|time|ack|body)$")]], msgspec.Meta(max_length=4)]


class BackupRequest(Request, frozen=True, kw_only=True):
    """Where to, and what will open it: a passphrase or a key file."""

    path: _PATH
    passphrase: Annotated[str, msgspec.Meta(max_length=1_024)] | None = None
    key_file: _PATH | None = None


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part: after a number ascending, or the last ones before one."""

    after: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)] = 0
    before: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)] = 0
    """0: not given."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 100


_EXPORT = msgspec.json.Decoder(ExportRequest)
_PROVE = msgspec.json.Decoder(ProveRequest)
_BACKUP = msgspec.json.Decoder(BackupRequest)


# --- attachments -----------------------------------------------------------------------------------------------


async def post_attachment(call: Call) -> Reply | None:
    """Attach a file."""
    line, query = call.line, call.query(AttachQuery)
    of = None if query.of is None else find_ref(line, _named(query.of))
    if WATCH not in call.actor.roles:
        await call.station.calling.ready(line)
        _check_spoken(call, line, of)
    accepted = await attach(call.station, line, call.body, name=query.name, media_type=query.media_type, of=of)
    return reply(Placed(ref=placed_ref(line, accepted, is_message=False)), 201)


def _check_spoken(call: Call, line: LineRunner, of: Ref | None) -> None:
    """Who is not on watch attaches nothing but what is said in a call that is open: a voice message. Raises Refused."""
    if of is None:
        raise Forbidden("this user does not have the role for that")
    place = CallPlace(lane=of.lane, generation=of.generation, index=of.index)
    held = call.station.calling.held(line, place)
    if held.state is not CallState.OPEN:
        raise Conflict("this call is over: only a watch officer attaches files")
    call.station.calling.check_speaks(line, held, call.actor)


def _named(text: str) -> str | Place:
    found = re.fullmatch(r"([0-9]{1,2})/([0-9a-f-]{1,27})/([0-9]{1,15})", text, re.ASCII)
    if found is None:
        return text
    return Place(lane=int(found[1]), generation=found[2], index=int(found[3]))


async def get_attachment(call: Call) -> Reply | None:
    """The bytes of a file that is whole."""
    line, name = call.line, call.part("sha256")
    if not re.fullmatch(r"[0-9a-f]{64}", name, re.ASCII):
        raise Malformed("an attachment is named by 64 hexadecimal digits")
    chunks = attachment(line, bytes.fromhex(name))
    await call.begin_stream(BYTES, SAVED)
    for chunk in chunks:
        await call.piece(chunk)
    await call.end_stream()
    return None


# --- archive ---------------------------------------------------------------------------------------------------


async def export_line(call: Call) -> Reply | None:
    """Write the line as a folder that anybody can check."""
    from openline.station.archiving import exported  # late, like the two below: seldom called, and not small

    request = decoded(_EXPORT, await call.body())
    line = call.line
    pieces = exported(call.station, line, _place(call, request.directory))
    first = await anext(pieces)  # what is wrong from the start is an error, not a line of a stream
    await call.begin_stream(LINES)
    await call.piece(first)
    async for piece in pieces:
        await call.piece(piece)
    await call.end_stream()
    return None


def _place(call: Call, text: str) -> Path:
    """Where something is written. Whoever is at the console names a file and no folder: the machine is not theirs."""
    if call.actor.at_console:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text, re.ASCII):
            raise Malformed("from the console a plain name is given; it is written into the station's folder exports")
        private_folder(call.station.home / EXPORTS)
        return call.station.home / EXPORTS / text
    path = Path(text)
    if not path.is_absolute() or "\0" in text:
        raise Malformed("a path must be absolute: the station does not stand where you do")
    return path


async def prove_entry(call: Call) -> Reply | None:
    """A proof of one entry that shows what was asked and hides the rest."""
    from openline.station.archiving import proof

    request = decoded(_PROVE, await call.body())
    line = call.line
    lane = lane_of_place(line, request.lane, request.generation)
    return reply(ProofView(proof=proof(call.station, line, lane, request.index, request.show)))


async def backup(call: Call) -> Reply | None:
    """Write an encrypted backup."""
    from openline.station.archiving import back_up

    request = decoded(_BACKUP, await call.body())
    if (request.passphrase is None) == (request.key_file is None):
        raise Malformed("a backup is sealed by a passphrase or by a key file: give one of the two")
    if request.key_file is not None and call.actor.at_console:
        raise Forbidden("from the console a backup is sealed by a passphrase: key files are used at the station itself")
    key_file = None if request.key_file is None else _place(call, request.key_file)
    path = _place(call, request.path)
    report = await back_up(call.station, path, passphrase=request.passphrase, key_file=key_file)
    return reply(BackupView(size=report.size, lines=report.lines))


# --- audit and metrics -----------------------------------------------------------------------------------------


async def audit(call: Call) -> Reply | None:
    """The audit log."""
    query, audit_log = call.query(AuditQuery), call.station.audit
    if query.before:
        return reply(AuditView(rows=await audit_log.latest(query.before, query.limit)))
    return reply(AuditView(rows=await audit_log.read(query.after, query.limit)))


async def metrics(call: Call) -> Reply | None:
    """Numbers for Prometheus."""
    return Reply(media=TEXT, data=exposition(call.station))


_FILES = (
    Route(
        method="POST",
        path="/lines/{line}/attachments",
        handler=post_attachment,
        summary="Attach a file",
        roles=SEATED,
        query=AttachQuery,
        body=BYTES,
        answers={201: Placed},
        act="attach",
    ),
    Route(
        method="GET",
        path="/lines/{line}/attachments/{sha256}",
        handler=get_attachment,
        summary="The bytes of an attachment",
        roles=_READERS,
        answers={200: BYTES},
    ),
    Route(
        method="POST",
        path="/lines/{line}/export",
        handler=export_line,
        summary="Export a line as a folder; progress as lines of JSON, the last is the report",
        roles=frozenset({AUDITOR}),
        body=ExportRequest,
        answers={200: LINES},
        act="export",
        first=True,
    ),
    Route(
        method="POST",
        path="/lines/{line}/prove",
        handler=prove_entry,
        summary="Prove one entry to somebody who sees nothing else of the line",
        roles=frozenset({AUDITOR}),
        body=ProveRequest,
        answers={200: ProofView},
        act="prove",
        first=True,
    ),
    Route(
        method="POST",
        path="/backup",
        handler=backup,
        summary="Write an encrypted backup",
        roles=frozenset({TECHNICIAN, ADMINISTRATOR}),
        body=BackupRequest,
        answers={200: BackupView},
        act="backup",
        first=True,
    ),
)
_CHECKS = (
    Route(
        method="GET",
        path="/audit",
        handler=audit,
        summary="The audit log",
        roles=frozenset({AUDITOR}),
        query=AuditQuery,
        answers={200: AuditView},
    ),
    Route(
        method="GET",
        path="/metrics",
        handler=metrics,
        summary="Numbers for Prometheus",
        roles=frozenset({TECHNICIAN}),
        answers={200: TEXT},
    ),
)
ROUTES = (*_FILES, *_CHECKS)
