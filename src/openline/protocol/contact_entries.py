"""What an entry can say of a regular contact: that it was kept, declined or failed, why, and that the other side agrees.

Spec: spec/06-entries.md, 6.90 to 6.96.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from openline.kernel.units import Instant
from openline.protocol.fields import Ref
from openline.protocol.numbers import Role

MAX_CONTACT_NAME = 64
"""UTF-8 bytes of a contact's name: a few words in any script, in one cell of a calendar."""


class Medium(IntEnum):
    """By what a contact is kept."""

    TEST = 0
    MESSAGE = 1
    CALL = 2
    MEETING = 3


class Outcome(IntEnum):
    """What became of a contact, in one party's word."""

    KEPT = 0
    DECLINED = 1
    NO_CALL = 2
    """The party was there, and the other was not."""
    ACCOUNT = 3
    """Not what became of it but why: it was missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A party's word about one occurrence of a regular contact, or about one that took place outside the schedule."""

    name: str = field(default="", repr=False)
    """Of the contact in the terms; empty: outside the schedule."""
    occurrence: str = ""
    """Its local time as the rule gives it, `20261124T090000`: the same on every floor, whatever its zone tables say."""
    medium: Medium
    outcome: Outcome
    at: Instant
    """When it took place, or was declined."""
    role: Role
    sign: str
    text: str = field(default="", repr=False)
    """A reason, or what is to be remembered of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Countersign:
    """A party says of another's contact entry that it was so, or was not."""

    of: Ref
    agreed: bool
    role: Role
    sign: str
    text: str = field(default="", repr=False)
