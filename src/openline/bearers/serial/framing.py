"""Frames in a stream of bytes that may be damaged anywhere.

    frame = stuffed(body || CRC-32 of the body, big-endian) || 0x00

Stuffing is COBS (Cheshire and Baker, 1999): no zero byte remains, for one byte
more, whatever the content, so a zero is always the end of a frame and a reader
that has lost its place finds it again there. The CRC begins from a seed that
both ends of a link have and nobody else: a frame of an earlier link, of
another line, or one's own that comes back, does not check.

Pure. A frame that checks is believed to be whole, and nothing more.
Spec: spec/09-envelopes.md, 9.70 to 9.72.
"""

import zlib
from typing import Final

_CRC_BYTES: Final = 4
_MOST_CONTENT: Final = 254
_MOST_STUFFED: Final = 255


def frame_of(body: bytes, seed: int) -> bytes:
    """Return what goes over the wire for a body of at most 250 bytes."""
    return stuffed(body + zlib.crc32(body, seed).to_bytes(_CRC_BYTES, "big")) + b"\0"


def checked(content: bytes, seed: int) -> bytes | None:
    """Return the body of a frame's content if its CRC fits the seed."""
    body, crc = content[:-_CRC_BYTES], content[-_CRC_BYTES:]
    return body if zlib.crc32(body, seed) == int.from_bytes(crc, "big") else None


def stuffed(content: bytes) -> bytes:
    """Write at most 254 bytes without a zero: each run of others is preceded by its length plus one."""
    assert len(content) <= _MOST_CONTENT
    return b"".join(bytes((len(run) + 1,)) + run for run in content.split(b"\0"))


def unstuffed(coded: bytes) -> bytes | None:
    """Return what `stuffed` was given; None if these bytes are nothing that it returns."""
    runs: list[bytes] = []
    at = 0
    while at < len(coded):
        run = coded[at + 1 : at + coded[at]]
        if len(run) + 1 != coded[at]:
            return None
        runs.append(run)
        at += coded[at]
    content = b"\0".join(runs)
    return content if 0 < len(content) <= _MOST_CONTENT else None


class Receiver:
    """Cuts what comes in at the zero bytes; keeps no more than a frame."""

    def __init__(self) -> None:
        self.noise = 0
        """How many stretches between zero bytes were no frame."""
        self._partial = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they come; return the contents of the frames that end in them, CRC not yet checked."""
        stretches = (self._partial + data).split(b"\0")
        # One byte more than a frame has is enough to remember that it is none.
        self._partial = stretches.pop()[: _MOST_STUFFED + 1]
        contents: list[bytes] = []
        for stretch in stretches:
            if not stretch:
                continue
            content = unstuffed(stretch) if len(stretch) <= _MOST_STUFFED else None
            if content is None or len(content) <= _CRC_BYTES:
                self.noise += 1
            else:
                contents.append(content)
        return contents
