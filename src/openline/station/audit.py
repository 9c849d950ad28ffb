"""The audit log: who did what at this station, and how it ended. Never what was said.

Rows are chained by digest and can only be added. What leaves the station or
changes who may do what is written before it is done; what becomes an entry is
in the lanes anyway, with role and sign, and its row follows within GATHER_S,
several acts together, so that a message does not wait for a second commit.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Annotated

import msgspec

from openline.kernel.errors import Unavailable
from openline.ports import AuditRow, Store
from openline.station.answers import AuditActView, AuditRowView, LogEntryView
from openline.station.clock import StationClock
from openline.station.committer import Committer
from openline.station.people import Actor

GATHER_S = 0.1
GATHER_ACTS = 256
PAGE, MAX_LOOKED_AT = 500, 20_000
"""Rows read at a time, and looked at for one answer: the acts of a busy week."""
LOG, HANDED, TOOK, LEFT = "log", "watch-offered", "watch-taken", "watch-left"
LOGGED = frozenset({LOG, HANDED, TOOK, LEFT})
"""Acts whose text is the operators' log."""
MAX_WAITING = 16_384
"""Acts kept while the disk refuses; beyond it the oldest go, as the disk has refused the entries too."""


class _Act(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """As it is kept."""

    time: int
    uid: int
    sign: str
    act: str
    line: str
    outcome: Annotated[str, msgspec.Meta(max_length=64)]
    text: str = ""
    """Operators' log only: what the officer wrote."""


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(list[_Act])


class AuditLog:
    """The acts of one station."""

    def __init__(self, store: Store, committer: Committer, clock: StationClock) -> None:
        self._store, self._committer, self._clock = store, committer, clock
        self._writing = threading.Lock()
        self._waiting: list[_Act] = []
        self._timer: asyncio.TimerHandle | None = None

    def note(self, actor: Actor, act: str, line: str = "", outcome: str = "done") -> None:
        """An act that stands in a lane, or was refused: written soon."""
        self._waiting.append(self._act(actor, act, line, outcome))
        if len(self._waiting) >= GATHER_ACTS:
            self._later(0.0)
        elif self._timer is None:
            self._later(GATHER_S)

    async def before(self, actor: Actor, act: str, line: str = "") -> None:
        """An act that is about to be done: durable when this returns. Raises Unavailable: then do not do it."""
        self._waiting.append(self._act(actor, act, line, "begun"))
        await self._committer.done(self._write)

    def write(self, actor: Actor, act: str, line: str, text: str, sign: str) -> int:
        """A row of the operators' log, in the same chain: durable when this returns its number. Raises Unavailable.

        The file keeps what was written sealed, as all else; the audit log that auditors read shows only that it was.
        """
        self.flush()
        made = self._act(actor, act, line, "done", text=text, sign=sign)
        return self._store.append_audit(_ENCODER.encode([made])).number

    def _act(self, actor: Actor, act: str, line: str, outcome: str, *, text: str = "", sign: str = "") -> _Act:
        sign = sign or (actor.signs[0] if actor.signs else "")
        return _Act(time=self._clock.wall(), uid=actor.uid, sign=sign, act=act, line=line, outcome=outcome, text=text)

    def _later(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._try)

    def _try(self) -> None:
        self._timer = None
        self._committer.commit(self._write, self._tried)

    def _tried(self, result: Callable[[], None]) -> None:
        try:
            result()
        except Unavailable:
            del self._waiting[:-MAX_WAITING]
            self._later(1.0)

    def flush(self) -> None:
        """Write what waits. Raises Unavailable; it waits on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._write()

    def _write(self) -> None:
        """On the loop or in the commit thread."""
        with self._writing:
            while self._waiting:
                some = self._waiting[:GATHER_ACTS]
                self._store.append_audit(_ENCODER.encode(some))
                del self._waiting[: len(some)]

    async def read(self, after: int, count: int) -> list[AuditRowView]:
        """Rows with number > `after`, in order, with what still waited if the disk has room for it. Raises Unavailable."""
        await self._write_first()
        return [_view(row) for row in self._store.audit(after, count)]

    async def _write_first(self) -> None:
        """Write what waits. A full disk refuses that, and is no reason to show nothing: it waits on, and follows."""
        with contextlib.suppress(Unavailable):
            await self._committer.done(self._write)

    async def latest(self, before: int, count: int) -> list[AuditRowView]:
        """The last `count` rows with number < `before`, in order; as `read`. Raises Unavailable."""
        await self._write_first()
        end = min(before, self._store.last_audit() + 1)
        first = max(1, end - count)
        return [_view(row) for row in self._store.audit(first - 1, end - first)] if end > first else []

    def written(self, before: int, count: int, line: str = "") -> tuple[list[LogEntryView], int]:
        """Rows of the operators' log with number < `before`, the latest first; and where to go on, 0 at the end.

        Looks at no more than MAX_LOOKED_AT rows in one call. What waits to be written is none of them: reading writes
        nothing, and needs no room on the disk. Raises Unavailable.
        """
        found: list[LogEntryView] = []
        end = min(before, self._store.last_audit() + 1)
        least = max(1, end - MAX_LOOKED_AT)
        while end > least and len(found) < count:
            first = max(least, end - PAGE)
            rows = self._store.audit(first - 1, end - first)
            for row in reversed(rows):
                found += [
                    _written(row.number, act) for act in _acts(row) if act.act in LOGGED and line in {"", act.line}
                ]
                if len(found) >= count:
                    return found, row.number
            end = first
        return found, end if end > 1 else 0


def _acts(row: AuditRow) -> list[_Act]:
    try:
        return _DECODER.decode(row.content)
    except msgspec.MsgspecError:
        raise Unavailable("the audit log is damaged") from None


def _written(number: int, act: _Act) -> LogEntryView:
    return LogEntryView(number=number, time=act.time, sign=act.sign, act=act.act, line=act.line, text=act.text)


def _view(row: AuditRow) -> AuditRowView:
    acts = _acts(row)
    return AuditRowView(
        number=row.number,
        digest=row.digest.hex(),
        acts=[
            AuditActView(
                number=row.number,
                time=act.time,
                uid=act.uid,
                sign=act.sign,
                act=act.act,
                line=act.line,
                outcome=act.outcome,
            )
            for act in acts
        ],
    )
