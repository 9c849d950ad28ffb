"""Attachments at this station: in from a caller, chunk by chunk into the store, and out again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from hashlib import sha256

from openline.kernel.errors import Forbidden, Malformed, Unavailable, Unknown
from openline.protocol.bodies import encode_body
from openline.protocol.entries import MAX_ATTACHMENT, MAX_CHUNK, Attachment
from openline.protocol.events import Accepted, Stow
from openline.protocol.fields import Ref
from openline.station.line_runner import LineRunner
from openline.station.runtime import Station

UPLOAD_S = 120.0
"""For the largest file: half a megabyte a second, far below what a floor's own network carries."""
_CHUNKS_AT_A_TIME = 64
"""Chunks handed to a commit: 0.8 MB, so that other lines' commits come in between."""


async def attach(
    station: Station,
    line: LineRunner,
    body: Callable[[int], Awaitable[bytes]],
    *,
    name: str,
    media_type: str,
    of: Ref | None,
) -> Accepted:
    """Take a file in and say on the line that it is there; done once both are durable.

    One at a time is held in memory, at most MAX_ATTACHMENT: nothing of it
    touches a disk unsealed. Raises as `submit`, TooLarge.
    """
    async with station.uploads:
        data = await _in_time(body)
        if not data:
            raise Malformed("an empty file says nothing")
        digest = sha256(data).digest()
        entry = Attachment(name=name, media_type=media_type, size=len(data), digest=digest, chunk=MAX_CHUNK, of=of)
        encode_body(entry)  # refused before anything is kept
        if line.working().suspended():
            raise Forbidden("the line is suspended: only FLASH passes")
        for first in range(0, len(data), _CHUNKS_AT_A_TIME * MAX_CHUNK):
            for at in range(first, min(len(data), first + _CHUNKS_AT_A_TIME * MAX_CHUNK), MAX_CHUNK):
                line.feed(Stow(attachment=digest, number=at // MAX_CHUNK, data=data[at : at + MAX_CHUNK]))
            await asyncio.sleep(0)
        del data
    return await line.submit(entry, station.clock.wall())


async def _in_time(body: Callable[[int], Awaitable[bytes]]) -> bytes:
    """All of a file. Raises Unavailable: whoever sends it drop by drop must not keep the others waiting for good."""
    try:
        async with asyncio.timeout(UPLOAD_S):
            return await body(MAX_ATTACHMENT)
    except TimeoutError:
        raise Unavailable("the file comes too slowly: send it from a place with a faster connection") from None


def attachment(line: LineRunner, digest: bytes) -> Iterator[bytes]:
    """The chunks of a whole attachment, one's own or another's. Raises Unknown if it is not here, not whole, or not that."""
    count, whole = line.history.chunks(digest), sha256()
    for number in range(count):
        whole.update(_chunk(line, digest, number))
    if not count or whole.digest() != digest:
        raise Unknown("no such attachment is held here whole")
    return (_chunk(line, digest, number) for number in range(count))


def _chunk(line: LineRunner, digest: bytes, number: int) -> bytes:
    data = line.history.chunk(digest, number)
    if data is None:
        raise Unavailable("a part of the attachment is missing")
    return data
