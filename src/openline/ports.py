"""What the station needs of the outside world, as short Protocols.

A new store or bearer is one file and one line in its contract test; nothing
here is a base class.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from openline.kernel.lane import Lane
from openline.protocol.records import EntryRow, LineRecord, LineStore


@dataclass(frozen=True, slots=True, kw_only=True)
class BearerTraits:
    """What a bearer declares of itself."""

    name: str
    largest: int
    """The largest envelope it carries whole, in bytes; larger ones are fragmented by the protocol."""
    cost: int
    """Relative cost of a byte: 0 free (fibre), 10 slow, 100 metered (satellite burst)."""
    one_way: bool
    """True where nothing ever comes back: the state of what it carried is "sent, unknown"."""
    bits_per_second: int = 0
    """How fast it carries, where that decides how long an envelope takes; 0 where it does not."""
    delay_ms: int = 0
    """How long an envelope takes to the other side before that was measured: mail seconds, a courier hours."""


class Intake(Protocol):
    """Where a bearer reports; the station implements it."""

    def arrived(self, bearer: str, station: str | None, envelope: bytes) -> None:
        """Bytes came in; `station` is the peer's station id where the bearer has authenticated it."""
        ...

    def link(self, bearer: str, station: str, *, up: bool) -> None:
        """The bearer's link to a station came up (the peer's first byte was read) or went down."""
        ...

    def counted(self, bearer: str, event: str) -> None:
        """Something worth a counter and nothing more happened; `event` is a constant name."""
        ...


class Bearer(Protocol):
    """Moves envelopes; to it they are noise. It is never believed about delivery."""

    @property
    def traits(self) -> BearerTraits:
        """What it can do; constant over its life."""
        ...

    async def run(self) -> None:
        """Work until cancelled; closes everything it opened before it returns."""
        ...

    def offer(self, station: str, envelope: bytes, *, urgent: bool = False) -> bool:
        """Hand over one envelope for a station.

        Returns whether the bearer took it; False (link down, queue full) loses
        nothing: the protocol offers it again. Urgent ones go before what is queued.
        On a slow bearer the protocol repeats what still waits here: bytes that are
        queued already are taken and not queued twice (they become urgent if asked).
        """
        ...

    def up(self, station: str) -> bool:
        """Whether the link to that station is up now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One entry of a line in the order in which this station came to hold it."""

    seq: int
    """From 1, dense within a line; a local number, which no peer ever sees."""
    lane: Lane
    row: EntryRow


class LineHistory(LineStore, Protocol):
    """One line's store as the station uses it: also in order of arrival."""

    def since(self, seq: int, count: int) -> Sequence[Arrival]:
        """At most `count` entries that arrived after `seq` (0: from the first), in order of arrival."""
        ...

    def last_seq(self) -> int:
        """The latest arrival; 0 if there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What somebody drafted and nobody has released yet, or what became of it."""

    number: int
    line: bytes
    state: str
    """A constant name of the station's."""
    content: bytes = field(repr=False)


PAST_DRAFTS: Final = frozenset({"released", "discarded"})
"""States of drafts of which nothing more becomes: they are kept apart from those that wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One act in the audit log; `digest` covers it and all before it."""

    number: int
    """From 1, dense."""
    content: bytes = field(repr=False)
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LineTest:
    """An automatic test towards one peer."""

    line: bytes
    party: int
    """The peer that was to acknowledge it."""
    number: int
    sent: int
    """When it was appended, ms."""
    held: int | None
    """When the peer's acknowledgement came, ms; None while it has not."""
    round_trip_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRow:
    """One alarm as it is kept."""

    number: int
    live: bool
    """Whether it still stands: nobody has acknowledged it, or its cause is still there."""
    content: bytes = field(repr=False)


class AlarmRows(Protocol):
    """The alarms of one station; every method may raise Unavailable."""

    def add(self, content: bytes) -> int:
        """Keep a new, live alarm; its number. A bounded number of past ones is kept, the latest."""
        ...

    def put(self, row: AlarmRow) -> None:
        """Replace an alarm. Raises Unknown."""
        ...

    def live(self) -> Sequence[AlarmRow]:
        """The live ones, the oldest first."""
        ...

    def past(self, before: int, count: int) -> Sequence[AlarmRow]:
        """At most `count` past ones with number < `before`, the latest first."""
        ...


class ConsoleRows(Protocol):
    """What the console keeps of its officers; every method may raise Unavailable. `kind` is a constant name."""

    def put(self, kind: str, name: bytes, content: bytes) -> None:
        """Keep a row; replaces what stood under (kind, name)."""
        ...

    def drop(self, kind: str, name: bytes) -> None:
        """Forget a row, if it is there."""
        ...

    def all(self, kind: str) -> Sequence[bytes]:
        """The contents of all rows of a kind, in no order."""
        ...

    def clear(self, kind: str) -> None:
        """Forget all rows of a kind."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmCall:
    """What leaves the building of an alarm: names and times, and nothing that anybody said."""

    id: str
    """The same whenever the same call is made again: who gets it twice knows by this. Ends in .over if it is over."""
    alarm: str
    """The alarm's own id: one for all its calls."""
    station: str
    kind: str
    """A constant name: "flash", "line-fault", ..."""
    state: str
    """open; or that nobody needs to come any more: acknowledged (a person at the station has it), over (its cause is gone)."""
    line: str
    """The line's label, or its number if labels stay at home; empty: it is of no line."""
    precedence: str
    """"FLASH" and so on; empty where there is none."""
    clock: str
    """What ran out, where something did: "handling time", ..."""
    since: int
    """Ms since 1970."""
    step: int
    """Of the escalation, from 1; 0: a test. Of what is over, the last one that was called on that path."""
    exercise: bool
    """Nothing of it is live."""


class Alarm(Protocol):
    """A way on which alarms leave the building."""

    async def send(self, call: AlarmCall) -> None:
        """Hand one call over: somebody else's machine has taken it when this returns. Raises Unavailable.

        Ends by itself within a bounded time, whatever the other end does.
        """
        ...


class Store(Protocol):
    """All that one station keeps. One writer: a second process that opens it gets Unavailable.

    For any thread. A write waits for those before it; a reading, also of one line, waits for none:
    it sees what was committed, whole, and nothing of the commit that another thread is in.

    Every method may raise Unavailable (disk full, read-only or failing, store
    damaged); nothing is half-written then, and the same call works later.
    """

    def lines(self) -> Sequence[LineRecord]:
        """Every line, the oldest first."""
        ...

    def add_line(self, record: LineRecord) -> None:
        """Keep a new line. Raises Conflict if it is there."""
        ...

    def replace_line(self, record: LineRecord) -> None:
        """Put newer cards or another label. Raises Unknown, or Conflict if party or terms are not the same."""
        ...

    def line(self, line: bytes) -> LineHistory:
        """One line's store, the same object each time. Raises Unknown."""
        ...

    def destroy_line(self, line: bytes) -> None:
        """Destroy a line's key and all its rows: the one way to delete (archive). Raises Unknown."""
        ...

    def add_draft(self, line: bytes, state: str, content: bytes) -> int:
        """Keep a draft; its number."""
        ...

    def move_draft(self, number: int, expected: str, state: str) -> None:
        """Change a draft's state from `expected`, else Conflict: two releases cannot both succeed. Raises Unknown."""
        ...

    def rewrite_draft(self, before: Draft, state: str, content: bytes) -> None:
        """Replace a draft that is still exactly `before`, else Conflict: nobody overwrites what he did not see. Raises Unknown."""
        ...

    def draft(self, number: int) -> Draft:
        """One draft. Raises Unknown."""
        ...

    def drafts(self, state: str) -> Sequence[Draft]:
        """All drafts in a state that is none of PAST_DRAFTS, the oldest first."""
        ...

    def past_drafts(self, line: bytes, state: str, before: int, count: int) -> Sequence[Draft]:
        """At most `count` drafts of a line in one of PAST_DRAFTS, with number < `before`, the latest first.

        Of discarded ones, those that are far behind may be forgotten; of released ones none is.
        """
        ...

    def append_audit(self, content: bytes) -> AuditRow:
        """Append an act to the audit log, durably."""
        ...

    def last_audit(self) -> int:
        """The number of the latest act; 0 if there is none."""
        ...

    def audit(self, after: int, count: int) -> Sequence[AuditRow]:
        """At most `count` acts with number > `after`, in order."""
        ...

    def put_test(self, result: LineTest) -> None:
        """Keep a test's result; replaces what stood under (line, party, number)."""
        ...

    def tests(self, line: bytes, count: int) -> Sequence[LineTest]:
        """The latest tests of a line by their numbers, as a clock may have been wrong; the latest first."""
        ...

    def put_setting(self, name: str, value: bytes) -> None:
        """Keep a setting; replaces what stood there."""
        ...

    def setting(self, name: str) -> bytes | None:
        """One setting."""
        ...

    @property
    def alarms(self) -> AlarmRows:
        """The station's alarms."""
        ...

    @property
    def console(self) -> ConsoleRows:
        """The console's officers."""
        ...

    def close(self) -> None:
        """Release everything; nothing that was committed depends on it."""
        ...
