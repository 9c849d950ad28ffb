"""The audit log: who did what at this station, and how it ended. Never what was said.

Rows are chained by digest and can only be added. What leaves the station or
changes who may do what is written before it is done; what becomes an entry is
in the lanes anyway, with role and sign, and its row follows within GATHER_S,
several acts together, so that a message does not wait for a second commit.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Annotated

import msgspec

from openline.kernel.errors import Unavailable
from openline.ports import AuditRow, Store
from openline.station.answers import AuditActView, AuditRowView
from openline.station.clock import StationClock
from openline.station.committer import Committer
from openline.station.people import Actor

GATHER_S = 0.1
GATHER_ACTS = 256
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

    def _act(self, actor: Actor, act: str, line: str, outcome: str) -> _Act:
        sign = actor.signs[0] if actor.signs else ""
        return _Act(time=self._clock.wall(), uid=actor.uid, sign=sign, act=act, line=line, outcome=outcome)

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
        """Rows with number > `after`, in order, with what still waited. Raises Unavailable."""
        await self._committer.done(self._write)
        return [_view(row) for row in self._store.audit(after, count)]


def _view(row: AuditRow) -> AuditRowView:
    try:
        acts = _DECODER.decode(row.content)
    except msgspec.MsgspecError:
        raise Unavailable("the audit log is damaged") from None
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
