"""What one entry does to another that it names.

Spec: spec/06-entries.md, 6.17 to 6.23, 6.92 and 6.100 to 6.104; spec/17-calls.md, 17.8.
"""

from typing import Final, NamedTuple

from openline.kernel.lane import Generation
from openline.protocol.call_entries import HangUp, Minutes, MinutesWord, PickUp, Refusal, Ring, Seat, TypedLine
from openline.protocol.entries import AnyEntry
from openline.protocol.facts import Mark
from openline.protocol.fields import Ref
from openline.protocol.ledgers import Ledger, Rows
from openline.protocol.numbers import Step

SUPERSEDE: Final = 142
HELD: Final = 128
NOT_TAKEN: Final = 129
ASSENT: Final = 130
AGREES: Final = 140
DIFFERS: Final = 141
ANSWER: Final = 143
TRANSLATE: Final = 144
PICK: Final = 145
REFUSE: Final = 146
HANG: Final = 147
SPEAK: Final = 148
"""It says something about a call, and marks nothing."""
AGREES_MINUTES: Final = 149
DIFFERS_MINUTES: Final = 150
REPLACES: Final = 151
"""Forms of effects beside the marks of a message (facts.Mark)."""

HUNG_UP = 1
"""Of the author, in the row of its ring."""
PICKED_UP, REFUSED_RING, CALLED_HUNG_UP = 1, 2, 4
"""Marks of another party in the row of a ring."""
MINUTES_AGREED, MINUTES_DIFFER = 1, 2
"""Marks of a party in the row of another's minutes."""

STEPS = {Step.PRESENTED: Mark.PRESENTED, Step.READ: Mark.READ, Step.RELAYED: Mark.RELAYED}
_ANY = frozenset({TRANSLATE, HANG, SPEAK, REPLACES})
_RINGS = frozenset({PICK, REFUSE, HANG, SPEAK})
_MINUTES = frozenset({AGREES_MINUTES, DIFFERS_MINUTES, REPLACES})


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
    if form in _RINGS:
        return target.rings
    if form in _MINUTES:
        return target.minutes
    return target.contacts if form in {AGREES, DIFFERS} else target.messages


def may(form: int, *, own: bool) -> bool:
    """Whether an entry may have that effect on one of its own party (`own`), or of another."""
    return form in _ANY or own is (form == SUPERSEDE)


def said_of_call(entry: AnyEntry) -> list[tuple[Ref, int, int]]:
    """What an entry about a call names, in what form, and how many clauses it speaks of: nothing for any other entry."""
    match entry:
        case PickUp():
            return [(entry.of, PICK, 0)]
        case Refusal():
            return [(entry.of, REFUSE, 0)]
        case HangUp():
            return [(entry.of, HANG, 0)]
        case Seat() | TypedLine():
            return [(entry.of, SPEAK, 0)]
        case Minutes():
            return [(entry.of, SPEAK, 0), *([(entry.replaces, REPLACES, 0)] if entry.replaces else [])]
        case MinutesWord():
            agreed = all(word.agreed for word in entry.clauses)
            return [(entry.of, AGREES_MINUTES if agreed else DIFFERS_MINUTES, len(entry.clauses))]
        case _:
            return []


def add_call_row(ledger: Ledger, index: int, time: int, leaf: bytes, entry: AnyEntry) -> None:
    """A row for a ring or for minutes, of which the author's byte says how many clauses they have."""
    if isinstance(entry, Ring):
        ledger.rings.add(index, time, leaf, 0)
        ledger.ringing = True
    elif isinstance(entry, Minutes):
        ledger.minutes.add(index, time, leaf, len(entry.clauses) << 2)


def mark_call(target: Ledger, row: int, party: int, effect: Effect) -> bool:
    """Let an effect on a ring or on minutes be; False if it has none, as it speaks of another number of clauses."""
    own = party == target.number // 2
    if effect.form in {AGREES_MINUTES, DIFFERS_MINUTES}:
        if target.minutes.flags(row) >> 2 != effect.until:
            return False
        target.minutes.mark(row, party, MINUTES_AGREED if effect.form == AGREES_MINUTES else MINUTES_DIFFER)
    elif effect.form == HANG:
        target.rings.mark(row, party, HUNG_UP if own else CALLED_HUNG_UP)
        if (effect.lane, effect.generation) == (target.number, target.generation) and row == len(target.rings) - 1:
            target.ringing = False
    elif effect.form in {PICK, REFUSE}:
        target.rings.mark(row, party, PICKED_UP if effect.form == PICK else REFUSED_RING)
    return True
