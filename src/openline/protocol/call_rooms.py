"""Signals on their way: to one peer, until opened there; and from peers, until what they belong to is held here.

A signal is good for half a minute and for as long as its call is open; what
cannot go or be handed on in that time is dropped, and the seats ask anew.
Nothing of it is in the store.

Spec: spec/17-calls.md, 17.30 to 17.36.
"""

from collections import deque
from dataclasses import dataclass, field, replace

from openline.kernel.codec import encode
from openline.kernel.errors import Refused
from openline.kernel.lane import Generation
from openline.kernel.units import Instant
from openline.protocol.call_signals import CallSignal, SignalType, check_size, signal_value
from openline.protocol.effects import CALLED_HUNG_UP, HUNG_UP, PICKED_UP, REFUSED_RING
from openline.protocol.events import Noticed, Now, Output, Signalled
from openline.protocol.quotas import HOUR_MS, Quota, full
from openline.protocol.transcript import Fold

SIGNAL_MS = 30_000
"""How long a signal is good for: by then both consoles have given the path up and ask for another."""
MAX_SIGNALS = 64
"""Signals that wait for one peer, and of one peer: an offer and a dozen candidates for each pair of seats."""
SIGNALS_PER_HOUR = 7_200
"""Signals accepted of a party: two a second, fifty times what a call of an hour needs."""
REMEMBERED = 256
"""Numbers remembered of one seat, so that nothing is handed out twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    frame: bytes = field(repr=False)
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    waiting: _Waiting
    opened_at: int | None = None
    """The envelope index from which on all that carries it was opened; None while parts of it wait."""


class Outgoing:
    """What goes to one peer: kept until the peer has opened it, and put into the next epoch if one ends before."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._taken: list[_Taken] = []

    def __len__(self) -> int:
        return len(self._waiting) + len(self._taken)

    def add(self, frame: bytes, until: int) -> None:
        """Send this, until then (steady ms)."""
        self._waiting.append(_Waiting(frame=frame, until=until))

    def next(self, now: int) -> bytes | None:
        """The frame that should go now, if there is one; what is past its time is dropped."""
        self._taken = [taken for taken in self._taken if taken.waiting.until > now]
        while self._waiting and self._waiting[0].until <= now:
            self._waiting.popleft()
        return self._waiting[0].frame if self._waiting else None

    def took(self) -> None:
        """What `next` gave is being sealed."""
        self._taken.append(_Taken(waiting=self._waiting.popleft()))

    def sealed(self, index: int) -> None:
        """All that was taken stands in envelopes below that index."""
        self._taken = [
            taken if taken.opened_at is not None else replace(taken, opened_at=index) for taken in self._taken
        ]

    def opened(self, first_unopened: int) -> None:
        """The peer has opened all envelopes below that index."""
        self._taken = [taken for taken in self._taken if taken.opened_at is None or taken.opened_at > first_unopened]

    def again(self) -> None:
        """What carried them is given up, or its epoch is left: what was not opened goes again."""
        self._waiting.extendleft(taken.waiting for taken in reversed(self._taken))
        self._taken = []


def open_between(fold: Fold, ring: tuple[int, Generation, int], one: int, other: int) -> bool | None:
    """Whether the call of that ring is open between two parties; None while the entries that say so are not held."""
    number, generation, index = ring
    ledger = fold.lanes.get((number, generation))
    if ledger is None or index >= ledger.size:
        return None
    row, author = ledger.rings.find(index), number // 2
    if row < 0 or author not in {one, other} or one == other:
        return False
    marks = ledger.rings.of(row)
    called = marks[other if author == one else one]
    if marks[author] & HUNG_UP or called & CALLED_HUNG_UP:
        return False
    if called & PICKED_UP:
        return True
    return False if called & REFUSED_RING else None


def _said(fold: Fold, party: int) -> int:
    """How many entries of a party's urgent lane, in its newest generation, are folded in."""
    found = [ledger for (number, _), ledger in fold.lanes.items() if number == 2 * party]
    return max(found, key=lambda ledger: ledger.generation).size if found else 0


class _Heard:
    """What a seat has sent of one call."""

    __slots__ = ("_floor", "_last", "_numbers")

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._floor = -1
        self._last: dict[tuple[int, bool], int] = {}
        """(seat addressed, whether an answer) -> the greatest number of an offer or restart, or of an answer."""

    def takes(self, signal: CallSignal) -> bool:
        """Whether it is new: neither had before, nor an offer or answer older than one that was."""
        if signal.number <= self._floor or signal.number in self._numbers:
            return False
        if signal.type in {SignalType.OFFER, SignalType.ANSWER, SignalType.RESTART}:
            last = self._last.get((signal.to, signal.type is SignalType.ANSWER), -1)
            if signal.number < last:
                return False
            self._last[signal.to, signal.type is SignalType.ANSWER] = signal.number
        self._numbers.append(signal.number)
        if len(self._numbers) > REMEMBERED:
            self._floor = min(self._numbers)
            self._numbers.remove(self._floor)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Early:
    party: int
    signal: CallSignal
    until: int


class Rooms:
    """The signals of one line's calls at one station."""

    def __init__(self, party: int, outgoing: dict[int, Outgoing]) -> None:
        self._party, self._outgoing = party, outgoing
        self._early: deque[_Early] = deque()
        self._heard: dict[tuple[int, int, Generation, int, int], _Heard] = {}
        self._number = 0
        self._quotas: dict[int, Quota] = {}

    def send(self, fold: Fold, party: int, signal: CallSignal, now: Now) -> list[Output]:
        """Queue a signal to a party; it is dropped, visibly, if its call is not open or too many wait."""
        out = self._outgoing.get(party)
        self._number = max(self._number + 1, now.wall, 1)
        numbered = replace(signal, number=self._number, after=_said(fold, self._party))
        try:
            check_size(signal.data)
        except Refused:
            out = None
        if out is None or len(out) >= MAX_SIGNALS or not open_between(fold, signal.ring, self._party, party):
            return [Noticed(what="signal-dropped", party=party, number=1)]
        out.add(encode(signal_value(numbered)), now.steady + SIGNAL_MS)
        return []

    def came(self, party: int, signal: CallSignal, now: Now) -> list[Output]:
        """A peer's signal: it waits until `hand_out` finds its call open."""
        bucket = self._quotas.get(party) or full(SIGNALS_PER_HOUR, HOUR_MS, Instant(now.steady))
        self._quotas[party], accepted = bucket.take(Instant(now.steady), 1)
        if not accepted or sum(early.party == party for early in self._early) >= MAX_SIGNALS:
            return [Noticed(what="signal-dropped", party=party, number=1)]
        self._early.append(_Early(party=party, signal=signal, until=now.steady + SIGNAL_MS))
        return []

    def hand_out(self, fold: Fold, now: Now) -> list[Output]:
        """What may be handed out by the entries held now, in the order in which it came."""
        if not self._early:
            return []
        outputs: list[Output] = []
        waiting, self._early = self._early, deque()
        for early in waiting:
            is_open = open_between(fold, early.signal.ring, self._party, early.party)
            if is_open and _said(fold, early.party) < early.signal.after:
                is_open = None
            if is_open:
                heard = self._heard.setdefault((early.party, *early.signal.ring, early.signal.sender), _Heard())
                if heard.takes(early.signal):
                    outputs.append(Signalled(party=early.party, signal=early.signal))
            elif is_open is None and now.steady < early.until:
                self._early.append(early)
            else:
                outputs.append(Noticed(what="signal-dropped", party=early.party, number=1))
        self._forget(fold)
        return outputs

    def _forget(self, fold: Fold) -> None:
        """What is remembered of calls that are over."""
        for key in [known for known in self._heard if not open_between(fold, known[1:4], self._party, known[0])]:
            del self._heard[key]
