"""Attachments: fetching the chunks of files that entries name by hash.

The receiver asks, a few chunks at a time; so a broken transfer goes on where
it stopped, and a sender is never flooded. A whole that does not hash to its
name is forgotten and refused, with a receipt either way.

Spec: spec/07-delivery.md.
"""

from dataclasses import dataclass, field
from hashlib import sha256

from openline.kernel.units import WINDOW
from openline.protocol.entries import Attachment
from openline.protocol.fields import Ref
from openline.protocol.frames import Chunk, ChunkWant
from openline.protocol.records import LineReader

IN_FLIGHT = 16
"""Chunks asked for at a time: 192 KB, enough to fill a fast path's round trip without a queue worth noticing."""
IN_TRIP = WINDOW // 2 - 64
"""The same where a bearer takes hours: 5.4 MB with one stick, and what else is said still finds room in the window."""
PATIENCE_MS = 10_000
"""When missing chunks are asked for again."""
PATIENCE_MOST_MS = 3_600_000
"""The longest wait: whoever lost what it announced is asked once an hour, and may yet find it."""


@dataclass(slots=True, kw_only=True)
class Fetch:
    """One attachment on its way here."""

    attachment: Attachment
    ref: Ref
    party: int
    """The author."""
    owed: bool = True
    """Whether a receipt is owed for it: not for one's own, nor for what was held before a restore."""
    turn: int = 0
    """Whom to ask for one's own, which any member may hold: the next one after each request that brought nothing."""
    have: set[int] = field(default_factory=set)
    asked_at: int = 0
    asked: int = 0
    had: int = -1
    """Chunks held when it was asked last: without progress, the waits double."""
    patience_ms: int = PATIENCE_MS
    allowed: bool = False
    """Whether its size was taken from the quota of the party that announced it."""

    @property
    def chunks(self) -> int:
        """How many chunks the whole has."""
        return -(-self.attachment.size // self.attachment.chunk)

    def wanted(self, now: int, least_ms: int = 0, most: int = IN_FLIGHT) -> ChunkWant | None:
        """The next request, if one is due, of `most` chunks; the next comes no sooner than `least_ms`, what bearers need."""
        missing = next((number for number in range(self.chunks) if number not in self.have), None)
        if missing is None or (self.asked > missing and now < self.deadline):
            return None
        nothing_came = len(self.have) == self.had
        self.turn += nothing_came
        self.patience_ms = min(2 * self.patience_ms, PATIENCE_MOST_MS) if nothing_came else PATIENCE_MS
        self.had = len(self.have)
        count = min(most, self.chunks - missing)
        self.patience_ms = max(self.patience_ms, least_ms)
        self.asked_at, self.asked = now, missing + count
        return ChunkWant(attachment=self.attachment.digest, first=missing, count=count)

    @property
    def deadline(self) -> int:
        """When to look again."""
        return self.asked_at + self.patience_ms

    def takes(self, chunk: Chunk) -> bool:
        """Whether this chunk belongs to the whole, has its one size and is new."""
        last = self.chunks - 1
        size = self.attachment.chunk if chunk.number < last else self.attachment.size - last * self.attachment.chunk
        return chunk.number <= last and len(chunk.data) == size and chunk.number not in self.have

    @property
    def complete(self) -> bool:
        """Whether every chunk came."""
        return len(self.have) == self.chunks


def is_whole(fetch: Fetch, reader: LineReader, latest: Chunk | None) -> bool:
    """Whether the chunks hash to the attachment's name; `latest` may not be durable yet."""
    whole = sha256()
    for number in range(fetch.chunks):
        if latest is not None and number == latest.number:
            whole.update(latest.data)
            continue
        data = reader.chunk(fetch.attachment.digest, number)
        if data is None:
            return False
        whole.update(data)
    return whole.digest() == fetch.attachment.digest
