"""Where a regular contact stands: what depends on now, as a view outside the state.

    UPCOMING --window opens--> DUE --window ends--> MISSED (with its cause)
        any --a party's word--> RECORDED --all have signed--> KEPT
        any --declined, or nobody came--> MISSED

Both floors see the same words, because these are signed entries; the cause of
a silence is each station's own observation, as `now` is.

Spec: spec/06-entries.md, 6.93 to 6.95.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from openline.kernel.units import Instant
from openline.protocol.contact_entries import Contact, Medium, Outcome
from openline.protocol.facts import Place
from openline.protocol.transcript import CONTACT_AGREED, CONTACT_DIFFERS, Fold


class ContactState(Enum):
    """Where an occurrence stands."""

    UPCOMING = "upcoming"
    DUE = "due"
    """Its window is open, and nobody has said anything of it."""
    RECORDED = "recorded"
    """A party says that it was kept, and not all others have signed that."""
    KEPT = "kept"
    DISPUTED = "disputed"
    """A party says that it was kept, and another that it was not."""
    MISSED = "missed"


class MissCause(Enum):
    """Why an occurrence was missed."""

    NONE = ""
    FAULT = "fault"
    """No link to a party, or a test that was not answered."""
    UNATTENDED = "unattended"
    """A floor had said that nobody is on watch."""
    DECLINED = "declined"
    NO_CALL = "no call"
    """The line was up, the floors attended, and nobody called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactWord:
    """A party's word about an occurrence, and who signed it besides."""

    place: Place
    leaf_tag: bytes
    time: Instant
    entry: Contact = field(repr=False)
    agreed: tuple[int, ...]
    differs: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When an occurrence is due, and between which moments it counts."""

    start: Instant
    opens: Instant
    closes: Instant


def words_of(fold: Fold) -> list[ContactWord]:
    """Every word about contacts that is kept whole, by lane and index."""
    found = []
    for ledger in fold.ledgers():
        rows = ledger.contacts
        for row, entry in ledger.contact_words.items():
            marks = rows.of(row)
            found.append(
                ContactWord(
                    place=Place(lane=ledger.number, generation=ledger.generation, index=rows.indexes[row]),
                    leaf_tag=bytes(rows.tags[row * 8 : row * 8 + 8]),
                    time=Instant(rows.times[row]),
                    entry=entry,
                    agreed=tuple(party for party, mark in enumerate(marks) if mark & CONTACT_AGREED),
                    differs=tuple(
                        party
                        for party, mark in enumerate(marks)
                        if mark & CONTACT_DIFFERS and not mark & CONTACT_AGREED
                    ),
                )
            )
    return found


def state_of(
    words: Sequence[ContactWord], window: Window, *, parties: int, now: Instant, observed: MissCause
) -> tuple[ContactState, MissCause]:
    """Where an occurrence stands, from the words about it; `observed` is what is concluded from silence.

    Total: never raises.
    """
    kept = [word for word in words if word.entry.outcome is Outcome.KEPT]
    signed = {word.place.party for word in kept} | {party for word in kept for party in word.agreed}
    if len(signed) == parties:
        return ContactState.KEPT, MissCause.NONE
    if any(word.differs for word in kept):
        return ContactState.DISPUTED, MissCause.NONE
    if kept:
        return ContactState.RECORDED, MissCause.NONE
    if any(word.entry.outcome is Outcome.DECLINED for word in words):
        return ContactState.MISSED, MissCause.DECLINED
    if any(word.entry.outcome is Outcome.NO_CALL for word in words):
        return ContactState.MISSED, MissCause.NO_CALL
    if now < window.opens:
        return ContactState.UPCOMING, MissCause.NONE
    if now <= window.closes:
        return ContactState.DUE, MissCause.NONE
    return ContactState.MISSED, observed


def silence_cause(medium: Medium, *, linked: bool, attended: Iterable[bool | None]) -> MissCause:
    """What the silence about an occurrence means: a link that is not there explains more than an empty chair."""
    if not linked:
        return MissCause.FAULT
    if medium is Medium.TEST:
        return MissCause.FAULT  # stations keep it by themselves: people do not come into it
    if any(each is False for each in attended):
        return MissCause.UNATTENDED
    return MissCause.NO_CALL


def said_between(fold: Fold, party: int, first: Instant, last: Instant) -> Instant | None:
    """The earliest message of a party whose own time lies there, of the last MAX_LOOKED in each of its lanes."""
    found = [
        time
        for ledger in fold.ledgers()
        if ledger.number // 2 == party
        for time in ledger.messages.times[-MAX_LOOKED:]
        if first <= time <= last
    ]
    return Instant(min(found)) if found else None


MAX_LOOKED = 256
"""Messages looked at for a contact that messages keep: more in one window than people write."""
