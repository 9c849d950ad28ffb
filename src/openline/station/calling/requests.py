"""What consoles ask of a call, as types."""

from typing import Annotated

import msgspec

from openline.protocol.call_entries import MAX_CLAUSE_LANGUAGES, MAX_CLAUSES, MAX_PROTECTION_TEXT
from openline.station.calling.descriptions import MAX_DESCRIPTION
from openline.station.spoken import Confirmation, Language, Place, Reason, Request, RoleWord, Sign

Hex32 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Console = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
PrecedenceWord = Annotated[str, msgspec.Meta(pattern=r"^(flash|immediate|priority|routine)\Z")]
_Name = Annotated[str, msgspec.Meta(max_length=MAX_PROTECTION_TEXT)]
_Party = Annotated[int, msgspec.Meta(ge=0, le=15)]
_Seat = Annotated[int, msgspec.Meta(ge=0, le=1)]
_Line = Annotated[str, msgspec.Meta(min_length=1, max_length=1_024)]
_Clause = Annotated[str, msgspec.Meta(min_length=1, max_length=8_192)]


class Said(Request, frozen=True, kw_only=True):
    """Under which role and sign; the actor's first ones if not given."""

    role: RoleWord | None = None
    sign: Sign | None = None


class RingRequest(Said, frozen=True, kw_only=True):
    """A call to the other parties, from this console."""

    precedence: PrecedenceWord = "routine"
    lang: Language | None = None
    to: Annotated[list[RoleWord], msgspec.Meta(min_length=1, max_length=8)] = msgspec.field(
        default_factory=lambda: ["watch-officer"]
    )
    subject: Annotated[str, msgspec.Meta(max_length=256)] = ""
    fingerprint: Hex32
    """SHA-256 of the console's DTLS certificate."""
    console: Console
    """Made at random by the page: who says it later is this console."""
    confirm: Confirmation | None = None
    """FLASH from the console: the line's label, typed once more."""


class PickUpRequest(Said, frozen=True, kw_only=True):
    """Pick the ring up at this console."""

    console: Console
    fingerprint: Hex32
    lang: Language | None = None


class DeclineCallRequest(Said, frozen=True, kw_only=True):
    """Do not pick it up, and say why."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=1_024)]


class HangUpRequest(Said, frozen=True, kw_only=True):
    """End the call, or withdraw a ring."""

    console: Console | None = None
    cause: Annotated[str, msgspec.Meta(pattern=r"^(ended|not-protected|check-failed)\Z")] = "ended"
    text: Reason = ""


class SeatRequest(Said, frozen=True, kw_only=True):
    """Join as the further console, take the officer's seat over, or leave."""

    console: Console
    act: Annotated[str, msgspec.Meta(pattern=r"^(joins|takes-over|leaves)\Z")]
    fingerprint: Hex32 | None = None
    lang: Language | None = None


class SeatNamed(Request, frozen=True, kw_only=True):
    """A seat."""

    party: _Party
    seat: _Seat


class SignalRequest(Request, frozen=True, kw_only=True):
    """Something for another seat of the call."""

    console: Console
    to: SeatNamed
    type: Annotated[str, msgspec.Meta(pattern=r"^(offer|answer|candidate|restart|end-of-candidates)\Z")]
    data: Annotated[str, msgspec.Meta(max_length=MAX_DESCRIPTION)] = ""


class AliveRequest(Request, frozen=True, kw_only=True):
    """The console is there."""

    console: Console
    sound: bool = False
    """Whether sound goes both ways with another seat now."""


class ConnectedRequest(Request, frozen=True, kw_only=True):
    """How the sound to another seat is protected."""

    console: Console
    peer: SeatNamed
    dtls: _Name
    cipher: _Name
    srtp: _Name
    path: Annotated[str, msgspec.Meta(pattern=r"^(direct|relay)\Z")]


class CheckRequest(Said, frozen=True, kw_only=True):
    """Whether the digits that were read are the ones on the screen."""

    console: Console
    matched: bool


class TypedRequest(Said, frozen=True, kw_only=True):
    """A line typed within the call."""

    text: _Line
    lang: Language | None = None


class ClauseRequest(Request, frozen=True, kw_only=True):
    """A clause, in one or more languages."""

    texts: Annotated[dict[Language, _Clause], msgspec.Meta(min_length=1, max_length=MAX_CLAUSE_LANGUAGES)]


class MinutesRequest(Said, frozen=True, kw_only=True):
    """Minutes of the call."""

    clauses: Annotated[list[ClauseRequest], msgspec.Meta(min_length=1, max_length=MAX_CLAUSES)]
    replaces: Place | None = None


class ClauseWordRequest(Request, frozen=True, kw_only=True):
    """Agreed, or how it differs."""

    agreed: bool
    text: Reason = ""


class MinutesWordRequest(Said, frozen=True, kw_only=True):
    """A word about minutes, one for each clause."""

    clauses: Annotated[list[ClauseWordRequest], msgspec.Meta(min_length=1, max_length=MAX_CLAUSES)]


class WantedRequest(Said, frozen=True, kw_only=True):
    """Ask a console of one's own to place a call."""

    precedence: PrecedenceWord = "routine"
    lang: Language | None = None
