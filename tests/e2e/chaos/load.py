"""Traffic while things break: threads that send, and a record of what each station said it had kept.

A text is sent once and is like no other. What a station answered with 201 it
must never lose; where it fell before it answered, the text may stand in the
transcript once or not at all.
"""

import itertools
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from openline.kernel.errors import Refused, Unavailable
from openline.station.client import Client
from tests.e2e.chaos.rig import Station

CANARY = "canary-7f3a"
"""In every text: it must stand in no log."""
PRECEDENCES = ("flash", "immediate", "priority", "routine")
_RUNS = itertools.count()
"""One for each sender, so that no two send the same text."""


@dataclass(frozen=True)
class Sent:
    """One text, and what its station said of it."""

    station: str
    sender: int
    """The thread: what one sends is in its order."""
    text: str
    precedence: str
    ref: dict[str, Any] | None
    """None: the station fell, or said no, before it answered."""

    @property
    def place(self) -> tuple[int, str, int]:
        """Where it stands."""
        assert self.ref is not None
        return self.ref["lane"], self.ref["generation"], self.ref["index"]


@dataclass
class Record:
    """Everything that was sent. For several threads."""

    sent: list[Sent] = field(default_factory=list)
    lost: frozenset[str] = frozenset()
    """Texts that a test has destroyed on both sides, on purpose."""
    refused: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, found: list[Sent]) -> None:
        with self.lock:
            self.sent += found

    def accepted(self, station: str | None = None) -> list[Sent]:
        """What was said to be durable so far, and must be there still."""
        with self.lock:
            said = [one for one in self.sent if one.ref is not None and station in {None, one.station}]
        return [one for one in said if one.text not in self.lost]


@dataclass
class Pace:
    """How hard all of them work; may be changed while they do."""

    pause_s: float
    """Longest pause of one between two sends."""


class Sender(threading.Thread):
    """One caller of one station: single messages and batches of all precedences, at random, until told to end."""

    def __init__(self, station: Station, record: Record, number: int, seed: int, pace: Pace) -> None:
        super().__init__(daemon=True)
        self._station, self._record, self._number, self._pace = station, record, number, pace
        self._dice = random.Random(f"{seed}/{station.name}/{number}")
        self._count, self._run = 0, next(_RUNS)
        self._over = threading.Event()

    def end(self) -> None:
        self._over.set()

    def run(self) -> None:
        with self._station.caller() as client:
            while not self._over.wait(self._dice.uniform(0, self._pace.pause_s)):
                self._once(client)

    def _once(self, client: Client) -> None:
        precedence = self._dice.choices(PRECEDENCES, (2, 2, 3, 5))[0]
        size = 1 if self._dice.random() < 0.7 else self._dice.randrange(2, 40)
        texts = [self._text() for _ in range(size)]
        try:
            if size == 1:
                refs: list[Any] = [self._station.send(texts[0], precedence, client)]
            else:
                refs = self._station.send_many(texts, precedence, client)
        except (Unavailable, Refused) as error:
            refs = [None] * size
            if isinstance(error, Refused):
                self._record.refused += 1
            self._over.wait(0.02)
        station, number = self._station.name, self._number
        self._record.add([Sent(station, number, *one) for one in zip(texts, [precedence] * size, refs, strict=True)])

    def _text(self) -> str:
        self._count += 1
        filler = "x" * self._dice.choice((0, 10, 100, 100, 700))
        return f"{CANARY} {self._station.name} {self._run}.{self._count} {filler}"


@contextmanager
def under_load(
    stations: tuple[Station, ...], record: Record, *, seed: int = 0, senders: int = 1, pause_s: float = 0.05
) -> Iterator[Pace]:
    """Send from each of these stations while the block lasts."""
    pace = Pace(pause_s)
    threads = [Sender(station, record, number, seed, pace) for station in stations for number in range(senders)]
    for thread in threads:
        thread.start()
    try:
        yield pace
    finally:
        for thread in threads:
            thread.end()
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive()
