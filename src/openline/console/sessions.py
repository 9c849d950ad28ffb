"""Who is signed in: sessions that survive a restart, lock themselves, and end.

    OPEN --idle, lock--> LOCKED --passkey, code--> OPEN
      '------------- leave, limits, administrator -------------> gone

The browser keeps a random token in a cookie, and the page another one where
only pages of its own origin read it: a cookie also goes to every other port of
the host's name (RFC 6265, 8.5). Both are needed; the store has their hashes.
Whatever changes a session stirs those who stream on it: they end and look anew.
"""

import asyncio
import base64
import contextlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

import msgspec

from openline.console.officers import Officer, Officers, Row
from openline.kernel.errors import Unavailable
from openline.station.console import SESSION
from openline.station.runtime import Station

COOKIE: Final = "__Host-openline"
IDLE_MS: Final = 24 * 3_600_000
"""A session in which nobody acted for a day ends: a wall display is signed in once a day."""
LONGEST_MS: Final = 7 * 24 * 3_600_000
"""Every session ends after a week."""
MAX_OF_ONE: Final = 16
"""Sessions of one officer; the oldest ends when another one begins."""
_NOTED_MS: Final = 60_000
"""The last act of a session is written so often: after a crash it is older by at most so much."""
_TOKEN_BYTES: Final = 32
_SWEEP_S: Final = 0.5


class Kept(Row, frozen=True, kw_only=True):
    """A session as it is kept."""

    hash: bytes
    page: bytes = b""
    officer: int
    made: int
    seen: int
    locked: bool
    browser: str


@dataclass(slots=True, kw_only=True)
class Session:
    """A session as it is."""

    hash: bytes = field(repr=False)
    page: bytes = field(repr=False)
    """The hash of the page's token."""
    officer: int
    """The officer's number."""
    made: int
    seen: int
    """The last act."""
    noted: int
    """`seen` as the store has it."""
    locked: bool
    browser: str
    ended: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def id(self) -> str:
        """How people name it; tells nothing of the token."""
        return sha256(b"openline console session" + self.hash).hexdigest()[:16]

    @property
    def changed(self) -> asyncio.Event:
        """Is set at the next change."""
        return self._changed

    def stir(self) -> None:
        """Tell everybody who streams on it."""
        self._changed.set()
        self._changed = asyncio.Event()


_ENCODER, _DECODER = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Kept)


class Sessions:
    """All sessions of one station. Raises Unavailable."""

    def __init__(self, station: Station, officers: Officers, now: Callable[[], int], lock_ms: int) -> None:
        self._rows, self._entropy = station.store.console, station.entropy
        self._officers, self._now, self._lock_ms = officers, now, lock_ms
        self._all: dict[bytes, Session] = {}
        self._ended: set[bytes] = set()
        """What the disk has still to hear of: else a restart would bring them back."""
        self._unwritten: set[bytes] = set()
        """Likewise: else a restart would open what somebody locked by hand."""
        try:
            kept = [_DECODER.decode(row) for row in self._rows.all(SESSION)]
        except msgspec.MsgspecError:
            raise Unavailable("the store is damaged: run openline doctor") from None
        for each in kept:
            self._all[each.hash] = Session(
                hash=each.hash, page=each.page, officer=each.officer, made=each.made, seen=each.seen, noted=each.seen,
                locked=each.locked, browser=each.browser,
            )  # fmt: skip

    def __iter__(self) -> Iterator[Session]:
        """All, the oldest first."""
        return iter(sorted(self._all.values(), key=lambda each: each.made))

    def begin(self, officer: Officer, browser: str) -> tuple[Session, str, str]:
        """A new session, its token, and the page's."""
        token, page = (base64.urlsafe_b64encode(self._entropy(_TOKEN_BYTES)).decode().rstrip("=") for _ in range(2))
        now = self._now()
        session = Session(
            hash=sha256(token.encode()).digest(), page=sha256(page.encode()).digest(), officer=officer.number,
            made=now, seen=now, noted=now, locked=False, browser=browser,
        )  # fmt: skip
        own = [each for each in self if each.officer == officer.number]
        for each in own[: max(0, len(own) - MAX_OF_ONE + 1)]:
            self.end(each)
        self._write(session)
        self._all[session.hash] = session
        return session, token, page

    def of_token(self, token: str, page: str) -> tuple[Session, Officer] | None:
        """The session that a cookie names, and whose it is, as they stand now; None without its page's token."""
        given, session = sha256(token.encode()).digest(), None
        for kept, each in self._all.items():
            if hmac.compare_digest(kept, given):
                session = each
        if session is None or not hmac.compare_digest(session.page, sha256(page.encode()).digest()):
            return None
        if self._look(session):
            return None
        officer = self._officers.numbered(session.officer)
        return (session, officer) if officer is not None and not officer.disabled else None

    def touch(self, session: Session) -> None:
        """The officer acted."""
        session.seen = self._now()
        if session.seen - session.noted >= _NOTED_MS:
            self._write(session)

    def lock(self, session: Session) -> None:
        """Show the state of the lines and nothing else."""
        if not session.locked:
            session.locked = True
            session.stir()
            self._write(session)

    def unlock(self, session: Session) -> None:
        """The officer has shown a passkey or a code."""
        session.locked, session.seen = False, self._now()
        self._write(session)
        session.stir()

    def end(self, session: Session) -> None:
        """Nobody is signed in by it any more."""
        session.ended = True
        self._all.pop(session.hash, None)
        self._unwritten.discard(session.hash)
        session.stir()
        self._ended.add(session.hash)
        self._forget(session.hash)

    def _forget(self, ended: bytes) -> None:
        self._rows.drop(SESSION, ended)
        self._ended.discard(ended)

    def stir(self, officer: Officer) -> None:
        """The officer's roles changed: their streams look anew; who may not sign in is signed out."""
        for session in self:
            if session.officer == officer.number:
                if officer.disabled:
                    self.end(session)
                else:
                    session.stir()

    async def run(self) -> None:
        """Lock and end what has been idle, until cancelled."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            for session in self:
                try:
                    self._look(session)
                except Unavailable:
                    continue  # it is locked or ended in memory
            with contextlib.suppress(Unavailable):
                for ended in tuple(self._ended):
                    self._forget(ended)
                for unwritten in tuple(self._unwritten):
                    if unwritten in self._all:
                        self._write(self._all[unwritten])
                    self._unwritten.discard(unwritten)

    def _look(self, session: Session) -> bool:
        """Lock a session that is idle; whether it has ended."""
        now = self._now()
        # A clock that was put back must not prolong anything for long: what lies ahead counts as now.
        session.seen, session.made = min(session.seen, now), min(session.made, now)
        if now - session.seen >= IDLE_MS or now - session.made >= LONGEST_MS:
            if not session.ended:
                self.end(session)
        elif now - session.seen >= self._lock_ms:
            self.lock(session)
        return session.ended

    def _write(self, session: Session) -> None:
        kept = Kept(
            hash=session.hash, page=session.page, officer=session.officer, made=session.made, seen=session.seen, locked=session.locked,
            browser=session.browser,
        )  # fmt: skip
        self._unwritten.add(session.hash)
        self._rows.put(SESSION, session.hash, _ENCODER.encode(kept))
        self._unwritten.discard(session.hash)
        session.noted = session.seen
