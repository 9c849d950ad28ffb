"""Clocks and silence: what depends on now, as views outside the state.

Both sides see the same clocks, because they rest on the same entries; only
`now` is each station's own. Nothing here changes the state or its digest.

Spec: spec/06-entries.md, 6.16, 6.20, 6.21.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from openline.kernel.terms import Policy
from openline.kernel.units import Instant
from openline.protocol.facts import HANDLED, SETTLED, Mark, MessageStatus, PartyStatus, Place
from openline.protocol.ledgers import status_of
from openline.protocol.transcript import Fold

MAX_SHOWN = 256
"""Unhandled messages of one lane, precedence and party whose clocks are shown, oldest first: ten screens."""

_MINUTE = 60_000
_HANDLED, _SETTLED = int(HANDLED), int(SETTLED)


class Basis(Enum):
    """What a clock rests on."""

    HANDLING = "handling time"
    """The time that the policy gives for that precedence."""
    ANSWER_BY = "answer by"
    """The moment that the author named."""
    ACKNOWLEDGE_BY = "acknowledge by"
    """The moment by which the author demands that a person has it."""
    INTERIM = "interim"
    """The moment that the party itself named."""


class Phase(Enum):
    """Where a clock stands."""

    RUNNING = "running"
    LAST_QUARTER = "last quarter"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageClock:
    """A clock that runs for one party about one message."""

    place: Place
    party: int
    basis: Basis
    start: Instant
    """The message's own time."""
    due: Instant

    @property
    def warning(self) -> Instant:
        """When the last quarter begins."""
        return Instant(self.due - max(0, self.due - self.start) // 4)

    def phase(self, now: Instant) -> Phase:
        """Where it stands now; due is the first overdue moment."""
        if now >= self.due:
            return Phase.OVERDUE
        return Phase.LAST_QUARTER if now >= self.warning else Phase.RUNNING


def clock_of(message: MessageStatus, party: PartyStatus, policy: Policy) -> MessageClock | None:
    """The clock that runs for that party, None if nothing is due of it any more.

    Its own interim replaces what was due before; else the earlier of answer-by
    and, until a person has it, the handling time.
    """
    marks = int(party.marks)  # of hundreds of messages, again and again: plain numbers are quicker than flags
    if message.superseded or marks & _SETTLED:
        return None
    due: list[tuple[Instant, Basis]] = []
    if party.until is not None:
        due.append((party.until, Basis.INTERIM))
    else:
        if message.answer_by is not None:
            due.append((message.answer_by, Basis.ANSWER_BY))
        if message.acknowledge_by is not None and not marks & _HANDLED:
            due.append((message.acknowledge_by, Basis.ACKNOWLEDGE_BY))
        if not marks & _HANDLED:
            minutes = policy.handling_minutes[message.precedence]
            due.append((Instant(message.time + minutes * _MINUTE), Basis.HANDLING))
    if not due:
        return None
    first, basis = min(due, key=lambda pair: pair[0])
    return MessageClock(place=message.place, party=party.party, basis=basis, start=message.time, due=first)


def clocks_of(message: MessageStatus, policy: Policy) -> tuple[MessageClock, ...]:
    """The clocks that run about a message, by party."""
    found = (clock_of(message, party, policy) for party in message.parties)
    return tuple(clock for clock in found if clock is not None)


def running(fold: Fold) -> Iterator[MessageClock]:
    """Every clock that runs on a line.

    Of messages that only wait to be handled, at most MAX_SHOWN for each lane,
    precedence and party, the oldest: the rest is as overdue as these.
    """
    for ledger in fold.ledgers():
        rows = set(ledger.clocks) | set(ledger.demands) | {row for row, _ in ledger.interims}
        rows.update(ledger.unhandled(HANDLED, MAX_SHOWN))
        for row in sorted(rows):
            yield from clocks_of(status_of(ledger, row), fold.policy)


def unhandled(fold: Fold, party: int) -> Iterator[MessageStatus]:
    """Messages of others that nobody of that party has handled; at most MAX_SHOWN of each lane and precedence, the oldest."""
    for ledger in fold.ledgers():
        if ledger.number // 2 == party:
            continue
        for row in dict.fromkeys(ledger.unhandled(HANDLED, MAX_SHOWN)):
            message = status_of(ledger, row)
            if any(each.party == party and not each.marks & HANDLED for each in message.parties):
                yield message


def next_due(clocks: Iterable[MessageClock], now: Instant) -> MessageClock | None:
    """The clock that runs out first of those not yet overdue."""
    return min((clock for clock in clocks if clock.due > now), key=lambda clock: clock.due, default=None)


def next_change(clocks: Iterable[MessageClock], now: Instant) -> Instant | None:
    """The next moment at which some clock changes its phase: when to look again."""
    moments = (moment for clock in clocks for moment in (clock.warning, clock.due) if moment > now)
    return min(moments, default=None)


class Silence(Enum):
    """What the silence of a party about a message means. Never a guess."""

    ANSWERED = "answered"
    """There is no silence."""
    DECLINED = "declined"
    CONSIDERING = "considering"
    """Until the moment that the party itself named."""
    LAPSED = "lapsed"
    """It was considering until a moment that has passed."""
    LINK_FAULT = "link fault"
    UNDELIVERED = "undelivered"
    """The link is up, and the party has not signed that it holds the message."""
    READ = "read"
    """An officer read it, or put it before somebody."""
    UNATTENDED = "unattended"
    RECEIVED = "received"
    """Its station holds the message, and somebody is on watch there."""
    RECEIVED_WATCH_UNKNOWN = "received, watch unknown"
    """Its station holds the message, and has never said whether somebody is on watch."""


class Ground(Enum):
    """What a meaning of silence rests on; all but the link are the party's own signatures."""

    ANSWER = "answer"
    DECLINE = "decline"
    INTERIM = "interim"
    RECEIPT = "receipt"
    WATCH = "watch"
    ACKNOWLEDGEMENT = "acknowledgement"
    LINK = "link"
    """This station's own observation: signed by nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceState:
    """What the silence means, on what grounds, and until when if it says so."""

    silence: Silence
    grounds: tuple[Ground, ...]
    until: Instant | None = None


def silence(party: PartyStatus, *, held: bool, link: bool, attended: bool | None, now: Instant) -> SilenceState:
    """What the silence of one party about one message means. Total: never raises.

    `held` says that its acknowledgements cover the message, `link` that a link
    to it is up, `attended` what its last watch entry says (None: it has none).
    Its own word about the message comes first; then whether word could come at all;
    then how far the message came.
    """
    marks, until = party.marks, party.until
    if marks & Mark.ANSWERED:
        return SilenceState(silence=Silence.ANSWERED, grounds=(Ground.ANSWER,))
    if marks & Mark.DECLINED:
        return SilenceState(silence=Silence.DECLINED, grounds=(Ground.DECLINE,))
    if until is not None and now < until:
        return SilenceState(silence=Silence.CONSIDERING, grounds=(Ground.INTERIM,), until=until)
    came: tuple[Ground, ...] = (Ground.ACKNOWLEDGEMENT,) if held else ()
    if not link:
        return SilenceState(silence=Silence.LINK_FAULT, grounds=(Ground.LINK, *came), until=until)
    if until is not None:
        return SilenceState(silence=Silence.LAPSED, grounds=(Ground.INTERIM,), until=until)
    if marks & (Mark.READ | Mark.RELAYED):
        return SilenceState(silence=Silence.READ, grounds=(Ground.RECEIPT,))
    if not held:
        return SilenceState(silence=Silence.UNDELIVERED, grounds=(Ground.LINK,))
    if attended is None:
        return SilenceState(silence=Silence.RECEIVED_WATCH_UNKNOWN, grounds=came)
    state = Silence.RECEIVED if attended else Silence.UNATTENDED
    return SilenceState(silence=state, grounds=(*came, Ground.WATCH))
