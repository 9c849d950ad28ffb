"""The conversation with a modem before the line stands: say a line, wait for a word.

    dialling   ATZ -> OK, ATDT... -> CONNECT
    answering  ATZ -> OK, ATS0=1 -> OK, (nothing) -> CONNECT, for as long as it takes

What is dialled is an address: it appears in no log, counter or error.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from openline.kernel.errors import Unavailable

REFUSALS: Final = (b"NO CARRIER", b"NO DIALTONE", b"NO DIAL TONE", b"NO ANSWER", b"BUSY", b"ERROR")
_KEPT_BYTES: Final = 1_024
"""Of what a modem says while one word is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line to say and the word to wait for."""

    send: str = field(default="", repr=False)
    """Printable ASCII, without the carriage return; empty: only wait."""
    expect: str = field(default="OK", repr=False)
    wait_s: float = 60.0
    """0: for ever, as when a call is waited for."""


class Conversation:
    """One chat. `hear` is called with what comes in while `hold` runs."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._heard = b""
        self._gone = False
        self._stirred = asyncio.Event()

    def hear(self, data: bytes) -> None:
        """Take what the modem says."""
        self._heard = (self._heard + data)[-_KEPT_BYTES:]
        self._stirred.set()

    def end(self) -> None:
        """Give up: the device is gone."""
        self._gone = True
        self._stirred.set()

    async def hold(self, steps: Sequence[Step]) -> None:
        """Go through all steps. Raises Unavailable: refused, no answer in time, or the device gone."""
        for step in steps:
            self._heard = b""
            if step.send:
                self._write(step.send.encode("ascii") + b"\r")
            try:
                async with asyncio.timeout(step.wait_s or None):
                    await self._until(step.expect.encode("ascii"))
            except TimeoutError:
                raise Unavailable("the modem does not answer") from None

    async def _until(self, expected: bytes) -> None:
        while expected not in self._heard:
            if self._gone or any(refusal in self._heard for refusal in REFUSALS):
                raise Unavailable("the modem refuses")
            self._stirred.clear()
            await self._stirred.wait()
