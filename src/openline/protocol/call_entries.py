"""What an entry can say of a call: that it rings, is picked up or refused, who sits in it, how it ended, and its minutes.

A call is its ring: everything else names the ring by reference. What the two
consoles say to each other so that sound can flow is no entry and is never
kept (protocol.call_signals).

Spec: spec/17-calls.md.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from openline.kernel.units import Instant
from openline.protocol.fields import Ref
from openline.protocol.numbers import Precedence, Role

RING_MS = 90_000
"""How long a ring may ring: who is in the next room and was asleep is at the console by then."""
MAX_SEAT = 1
"""The highest number of a seat: the officer, and one further console of a station. Four hear each other in a call of two."""
MAX_CLAUSES = 32
"""Clauses of minutes: a page; who agreed on more writes a message."""
MAX_CLAUSE_LANGUAGES = 8
"""Languages of a clause: two sides have one or two each."""
MAX_PROTECTION_TEXT = 64
"""Bytes of a name in a protection: the longest cipher suite of DTLS has 45."""
FINGERPRINT = NONCE = COMMITMENT = 32
"""Bytes of a SHA-256 of a DTLS certificate, of the nonce that hides it, and of what commits to both."""


class RefusalCause(IntEnum):
    """Why a ring was not picked up."""

    DECLINED = 0
    """By a person, who gives the reason."""
    NOT_ANSWERED = 1
    UNATTENDED = 2
    BUSY = 3
    SUSPENDED = 4
    YIELDS = 5
    """Kept free: a ring that yields is hung up by its author."""
    NO_CONSOLE = 6


class SeatAct(IntEnum):
    """What a seat did, or was seen to do."""

    OPENS = 0
    """The caller's seat 0 after the pick up: what its ring committed to."""
    JOINS = 1
    TAKES_OVER = 2
    LEAVES = 3
    LOST = 4
    """Its station does not hear its console any more."""
    CONNECTED = 5
    MATCHED = 6
    """The spoken check matched."""
    DIFFERED = 7


class EndCause(IntEnum):
    """Why a party hung up."""

    ENDED = 0
    WITHDRAWN = 1
    """By the caller, before anybody picked up."""
    NOT_ANSWERED = 2
    CONSOLE_LOST = 3
    NOT_PROTECTED = 4
    CHECK_FAILED = 5
    WRONG_KEY = 6
    """What the caller opened is not what its ring committed to."""
    CONFIRMS = 7
    """The other party's end is held: this party's own word."""
    YIELDS = 8
    """Two rings crossed, and the other stands."""


class Path(IntEnum):
    """How the media goes."""

    DIRECT = 0
    RELAY = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """How a seat saw the media to another seat protected: names as the browser gives them."""

    dtls: str
    cipher: str
    srtp: str
    path: Path
    party: int
    """The other seat's party."""
    seat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """A party calls all others of the line."""

    precedence: Precedence
    language: str
    """Of the caller."""
    roles: tuple[Role, ...]
    role: Role
    sign: str
    commitment: bytes
    """To the caller's certificate, before the called party's is known (protocol.call_keys)."""
    subject: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PickUp:
    """The ring is picked up at this console."""

    of: Ref
    language: str
    role: Role
    sign: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The ring is not picked up here."""

    of: Ref
    cause: RefusalCause
    role: Role
    sign: str
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """What a seat of the author's own party did in a call."""

    of: Ref
    act: SeatAct
    number: int
    role: Role
    sign: str
    fingerprint: bytes = b""
    """With OPENS, JOINS and TAKES_OVER."""
    nonce: bytes = b""
    """With OPENS."""
    language: str = ""
    protection: Protection | None = None
    """With CONNECTED."""
    pick_up: Ref | None = None
    """With OPENS: the pick up that counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """The call is over for this party; every party of a call writes one."""

    of: Ref
    cause: EndCause
    role: Role
    sign: str
    began: Instant | None = None
    """When sound first went both ways here."""
    ended: Instant | None = None
    protection: Protection | None = None
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedLine:
    """A line typed within a call."""

    of: Ref
    text: str = field(repr=False)
    language: str
    role: Role
    sign: str


Texts = tuple[tuple[str, str], ...]
"""A clause: (language, text) for each language, ascending as the codec orders keys (2.4): by length, then bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Minutes:
    """One party's draft of what was agreed in a call."""

    of: Ref
    clauses: tuple[Texts, ...] = field(repr=False)
    role: Role
    sign: str
    replaces: Ref | None = None
    """Earlier minutes of the same call, of any party."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClauseWord:
    """A party agrees with a clause of another's minutes, or says how it differs."""

    agreed: bool
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MinutesWord:
    """What a party says of another's minutes, clause by clause."""

    of: Ref
    clauses: tuple[ClauseWord, ...]
    role: Role
    sign: str


CallEntry = Ring | PickUp | Refusal | Seat | HangUp | TypedLine | Minutes | MinutesWord
CALL_ENTRIES = (Ring, PickUp, Refusal, Seat, HangUp, TypedLine, Minutes, MinutesWord)
"""The same, for isinstance."""
