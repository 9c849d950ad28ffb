"""What one entry does to another that it names.

Spec: spec/06-entries.md, 6.17 to 6.23, 6.92 and 6.100 to 6.104.
"""

from typing import Final, NamedTuple

from openline.kernel.lane import Generation
from openline.protocol.ledgers import Ledger, Rows

SUPERSEDE: Final = 142
HELD: Final = 128
NOT_TAKEN: Final = 129
ASSENT: Final = 130
AGREES: Final = 140
DIFFERS: Final = 141
ANSWER: Final = 143
TRANSLATE: Final = 144
"""Forms of effects beside the marks of a message (facts.Mark)."""


class Effect(NamedTuple):
    """What one entry does to another; waits while that is not held."""

    form: int
    lane: int
    generation: Generation
    seq: int
    """Index of the entry that has the effect."""
    leaf: bytes
    """Of the entry that is named: its tag; for a vote, all of it."""
    until: int


def rows_of(target: Ledger, form: int) -> Rows:
    """The rows among which an effect of that form finds what it names."""
    if form == ANSWER:
        return target.queries
    if form in {HELD, NOT_TAKEN}:
        return target.attachments
    return target.contacts if form in {AGREES, DIFFERS} else target.messages


def may(form: int, *, own: bool) -> bool:
    """Whether an entry may have that effect on one of its own party (`own`), or of another."""
    return form == TRANSLATE or own is (form == SUPERSEDE)
