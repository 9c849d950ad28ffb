r"""An alarm as this station keeps it, its states, and the kinds that there are.

    OPEN ----a person acknowledges----> ACKNOWLEDGED
      \----its cause is over----> OVER

An alarm is live while it is open, or while its cause stands: so what was acknowledged is not raised again before it was over.
It is also kept in mind until every path that took a call of it was told that nobody needs to come any more.
"""

import enum
from typing import Annotated

import msgspec

from openline.kernel.errors import Unavailable

SUBJECTS = 256
"""Things that one alarm is about and remembers: so many unread FLASH on one line are one trouble."""


class State(enum.StrEnum):
    """Where an alarm stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    OVER = "over"


class Kind(enum.StrEnum):
    """What the station itself raises. Other modules raise kinds of their own by name."""

    FLASH = "flash"
    """A FLASH that no person has acknowledged in time."""
    RING = "ring"
    """A call that nobody has answered in time, or that rings on an empty floor."""
    UNATTENDED = "unattended"
    """Something came on a line whose floor nobody attends."""
    LINE_FAULT = "line-fault"
    CLOCK_OURS = "clock-ours"
    """A clock has run out that runs for this party: handling time, answer-by, interim."""
    CLOCK_THEIRS = "clock-theirs"
    BEARER_DOWN = "bearer-down"
    DISK_LOW = "disk-low"
    ALARM_PATH = "alarm-path"
    """A path on which alarms leave the building does not work."""
    KEY_STOLEN = "key-stolen"
    """A party holds one of its keys for stolen."""
    STATION_SILENT = "station-silent"
    """Raised by a dead-man's switch: no sign of life."""
    TEST = "test"


NOTICES = {
    "restored": "restored",
    "fork-proved": "fork-proved",
    "second-writer": "second-writer",
    "keys-contradict": "keys-contradict",
    "generations-exhausted": "generations-exhausted",
    "contact-missed": "contact-missed",
}
"""Notices of the station that raise an alarm, and its kind."""


class Key(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What an alarm is about: two of one key are one alarm."""

    kind: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z-]{0,31}\Z")]
    line: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """Label; empty: of no line."""
    what: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """A bearer, a party, a path: never leaves the building."""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Why an alarm is raised now."""

    since: int
    """Ms since 1970."""
    precedence: str = ""
    clock: str = ""
    subjects: frozenset[str] = frozenset()
    """Names of what it is about (places of messages): one that an acknowledged alarm did not have raises it anew."""
    exercise: bool = False


class Called(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A call that was taken: on which path, for which step."""

    path: str
    step: int


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm."""

    id: str
    """32 hexadecimal digits."""
    key: Key
    cause: Cause
    raised: int
    """Ms since 1970."""
    state: State = State.OPEN
    stands: bool = True
    """Whether its cause is still there."""
    step: int = 0
    """The last step of the escalation that was taken, from 1."""
    stepped: int = 0
    """When, ms."""
    called: tuple[Called, ...] = ()
    ended: int = 0
    """When it was acknowledged or over, ms."""
    sign: str = ""
    """Of whoever acknowledged."""
    told: tuple[str, ...] = ()
    """Paths that have taken the word that it is over."""
    given_up: bool = False
    """Whether it is too late to tell the others."""

    @property
    def ended_for_good(self) -> bool:
        """Whether it is past: neither open nor still so."""
        return self.state is not State.OPEN and not self.stands

    @property
    def owed(self) -> tuple[str, ...]:
        """Paths that took a call of it, and are still to be told that nobody needs to come: none while it is open."""
        if self.state is State.OPEN or self.given_up:
            return ()
        return tuple(sorted({call.path for call in self.called} - set(self.told)))

    @property
    def live(self) -> bool:
        """Whether it must be kept in mind."""
        return not self.ended_for_good or bool(self.owed)


_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER = msgspec.json.Decoder(Raised)


def encode_alarm(alarm: Raised) -> bytes:
    """As it is kept."""
    return _ENCODER.encode(alarm)


def decode_alarm(content: bytes) -> Raised:
    """What `encode_alarm` gave. Raises Unavailable."""
    try:
        return _DECODER.decode(content)
    except msgspec.MsgspecError:
        raise Unavailable("an alarm that was kept is damaged") from None
