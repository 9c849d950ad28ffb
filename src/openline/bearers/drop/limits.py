"""How files and folders are named, what is worth a counter, and every deadline and bound."""

import enum
import hashlib
import re
from dataclasses import dataclass
from typing import Final

LARGEST_ENVELOPE: Final = 16_384
NAME: Final = re.compile(r"[0-9a-f]{64}\.envelope", re.ASCII)
"""A whole file, named by the SHA-256 of its bytes (spec 9.61)."""
PART: Final = re.compile(r"\.[0-9a-f]{64}\.part", re.ASCII)
"""A file that is being written."""


class Event(enum.StrEnum):
    """What is worth a counter; the names that `Intake.counted` gets."""

    READY = "folder-ready"
    GONE = "folder-gone"
    """The folder is not there, or no folder: not mounted, pulled out."""
    FULL = "folder-full"
    READ_ONLY = "folder-read-only"
    FAILED = "folder-failed"
    """Another error of the operating system."""
    STUCK = "folder-stuck"
    """An operation takes very long: a network share that is dead."""
    FOREIGN = "file-foreign"
    """Something that is no envelope; left alone."""
    BROKEN = "file-broken"
    """A file of an envelope's name whose bytes are others, or cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Every deadline (seconds) and bound of the bearer."""

    poll_s: float = 0.5
    """Between two looks while nothing happens: half of it is the delay that people feel at first ..."""
    quick_poll_s: float = 0.05
    """... and while something does: an answer usually follows."""
    lively_s: float = 5.0
    """How long after the last envelope something still happens."""
    rest: float = 4.0
    """A look that took long is followed by a pause so many times as long: a crowded folder must not fill our day."""
    stuck_s: float = 10.0
    """An operation longer than this counts as a dead folder; a sleepy disk turns up in less."""
    most_files: int = 1_024
    """Files that wait for the other side: twice the content that its window lets wait (spec 9.12)."""
    most_bytes: int = 16 * 2**20
    """The same in bytes: 1,024 of the largest."""
    urgent_files: int = 128
    """Further ones for what is urgent, in files and (of the largest) in bytes."""
    read_files: int = 64
    """Files handed on at one look ..."""
    read_bytes: int = 2**20
    """... and their bytes; then the loop has its turn, and what is to be written."""
    keep_s: float = 14 * 86_400.0
    """Own files that nobody fetched for so long make room: what is still needed is written again."""
    remembered: int = 16_384
    """Files that were read and still lie there, at about 200 bytes each."""


def direction(sender: str, receiver: str) -> str:
    """The folder for what one station sends to another (spec 9.60); it names neither to who does not know both."""
    return hashlib.sha256(f"openline/1 drop\n{sender}\n{receiver}".encode()).hexdigest()[:32]


def file_name(envelope: bytes) -> str:
    """The name of an envelope's file."""
    return hashlib.sha256(envelope).hexdigest() + ".envelope"
