r"""One line at work: an engine, and its outputs carried out in their order.

A commit and its mark are made durable and then reported to the engine; only
then does the engine sign, send and show. If that fails, the engine is thrown
away, whoever waits for it is told, the line shows itself stopped, and it is made
again from the store after a pause: nothing was said that the store does not have.

    RUNNING --store fails--> DISK --pause--> RUNNING
       \----our own bug----> BUG (until the next start)
"""

import asyncio
import enum
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TypeVar, assert_never

from openline.kernel import errors
from openline.kernel.errors import Refused, Unavailable
from openline.kernel.keys import read_card
from openline.kernel.lane import Generation
from openline.kernel.terms import parse_terms
from openline.kernel.units import Instant
from openline.ports import LineHistory
from openline.protocol.delivery import Peer
from openline.protocol.engine import Engine
from openline.protocol.entries import AnyEntry
from openline.protocol.events import (
    Accepted,
    Arrived,
    Commit,
    Committed,
    Holds,
    Input,
    Link,
    Noticed,
    Output,
    Rejected,
    Shown,
    Signalled,
    Stored,
    Strange,
    Submit,
    Tick,
    Transmit,
    WakeAt,
)
from openline.protocol.fields import Ref
from openline.protocol.records import Append, LineRecord, Mark, PutSnapshot
from openline.protocol.snapshots import snapshot
from openline.protocol.transcript import FOLD_VERSION
from openline.station.line_host import Host
from openline.station.seen import Ranges, Seen

RETRY_S = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses before a line is made again after the store failed."""
WAITERS = 1_024
"""Callers that wait for something on one line at a time."""

T = TypeVar("T")


class State(enum.Enum):
    """Whether a line works."""

    RUNNING = "running"
    DISK = "disk"
    BUG = "bug"
    CLOSED = "closed"


class LineRunner:
    """One line of this station."""

    def __init__(self, host: Host, record: LineRecord, history: LineHistory) -> None:
        """Raises Refused if the record is not one."""
        self._host = host
        self.record = record
        self.terms = parse_terms(record.terms)
        self.cards = [read_card(card) for card in record.cards]
        self.stations = [card.fingerprint.hex() for card in self.cards]
        self.names = [party.name for party in self.terms.parties]
        self.history = history
        self.engine: Engine | None = None
        self.state = State.CLOSED
        self.notices: Counter[str] = Counter()
        self.restores: dict[Generation, Mark] = {}
        """By own generation that a restore opened: the mark that was found then."""
        self.entries = 0
        """Entries that became durable since the start."""
        self._loop = asyncio.get_running_loop()
        self._tokens: dict[int, asyncio.Future[Accepted]] = {}
        self._token = 0
        self.presenting: set[Ref] = set()
        """Messages for which a receipt "presented" is being signed."""
        self._waiters: dict[asyncio.Future[None], Callable[[], bool]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._failures = 0
        self._under_way = 0
        """What the committer was asked for and has not answered."""
        self._digest: tuple[Engine, int, str] | None = None
        self._ranges: Ranges | None = None
        self._seen: list[Seen] = []
        self._changed = False
        self.strained = False  # MINIMIZE stands
        self.links = host.links

    @property
    def line(self) -> bytes:
        """The line id."""
        return self.record.line

    @property
    def label(self) -> str:
        """What people here call the line."""
        return self.record.label

    @property
    def party(self) -> int:
        """This station's party number."""
        return self.record.party

    @property
    def exercise(self) -> bool:
        """Whether everything on this line is an exercise: as the first terms say, for good (spec 6.46)."""
        return self.terms.policy.exercise

    # --- coming and going --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Make the engine from the store, and let bearers reach it."""
        self._host.guard(self, self._open)
        for party, station in enumerate(self.stations):
            if party != self.party:
                self._host.links.route(station, self, party)

    def _open(self) -> None:
        now = self._host.clock.now()
        mark = self._host.read_mark(self.line)
        self.engine = Engine(self._host.keystore.setup(self.record, mark), self.history, self._host.entropy, now)
        self.state, self._changed = State.RUNNING, True
        self._host.opened(self, mark)
        self._do(self.engine.start(now))

    def fail(self, state: State) -> None:
        """Throw the engine away; after a failure of the store it is made again."""
        self._end(state)
        if state is State.DISK:
            pause = RETRY_S[min(self._failures, len(RETRY_S) - 1)]
            self._failures += 1
            self._timer = self._loop.call_later(pause, self._again)
        self._host.state_changed(self)

    def _again(self) -> None:
        if self._under_way:  # a slow disk has a commit of before yet: an engine made now would not know of it
            self._timer = self._loop.call_later(RETRY_S[0], self._again)
            return
        self._host.guard(self, self._open)
        for party, station in enumerate(self.stations):
            if party != self.party:
                self._host.links.tell(station)

    def close(self) -> None:
        """Stop for good, leaving a snapshot of the fold, so that the next start is quick. Raises what the store raises."""
        engine = self.engine
        self._end(State.CLOSED)
        if engine is not None:
            sizes = tuple((ledger.number, ledger.generation, ledger.size) for ledger in engine.fold.ledgers())
            kept = self.history.snapshot(FOLD_VERSION)
            if kept is None or kept.sizes != sizes:
                self.history.commit([PutSnapshot(version=FOLD_VERSION, sizes=sizes, data=snapshot(engine.fold))])

    def _end(self, state: State) -> None:
        self.engine, self.state = None, state
        if self._timer is not None:
            self._timer.cancel()
        self._seen, self._ranges = [], None
        tokens, self._tokens = self._tokens, {}
        for future in tokens.values():
            if not future.done():
                future.set_exception(
                    Unavailable("the line has stopped: whether this was kept, the transcript will tell")
                )
                future.exception()  # nobody may be waiting any more, and that is no fault
        if state is State.CLOSED:
            for waiter in list(self._waiters):
                if not waiter.done():
                    waiter.set_exception(Unavailable("the station stops"))
                    waiter.exception()

    # --- what comes in -----------------------------------------------------------------------------------------

    def feed(self, event: Input) -> None:
        """Give the engine an input; while the line is stopped it is dropped, as the protocol will offer it again."""
        self._host.guard(self, partial(self._feed, event))

    def _feed(self, event: Input) -> None:
        if self.engine is not None:
            self._do(self.engine.handle(event, self._host.clock.now()))

    def envelope(self, envelope: bytes, bearer: str, *, stranger: bool = False) -> None:
        """See links.Line."""
        if not self._host.probes.take(self, bearer, envelope):
            self.feed(Strange(envelope) if stranger else Arrived(envelope))

    def linked(self, link: Link) -> None:
        """See links.Line."""
        self.feed(link)

    def peer(self, party: int) -> Peer | None:
        """See links.Line."""
        return self.engine.peers[party] if self.engine is not None else None

    def working(self) -> Engine:
        """The engine. Raises Unavailable while the line is stopped."""
        if self.engine is None:
            raise Unavailable("the line is stopped: openline doctor says why")
        return self.engine

    def digest(self) -> str:
        """The state digest (spec 6.70), in hexadecimal; computed once for each state, as many may ask."""
        engine = self.engine
        if engine is None:
            return ""
        if self._digest is None or self._digest[:2] != (engine, self.entries):
            self._digest = (engine, self.entries, engine.fold.digest().hex())
        return self._digest[2]

    def submit(self, entry: AnyEntry, time: Instant) -> "asyncio.Future[Accepted]":
        """Say something; done once it is durable and signed. Raises Unavailable at once, the future also Refused."""
        return self.asked(lambda token: Submit(token=token, entry=entry, time=time))

    def asked(self, event: Callable[[int], Input]) -> "asyncio.Future[Accepted]":
        """Give the engine what it answers by a token; done and failing as `submit`."""
        self.working()
        self._token += 1
        future: asyncio.Future[Accepted] = self._loop.create_future()
        self._tokens[self._token] = future
        self.feed(event(self._token))
        return future

    async def when(self, ready: Callable[[], T | None], deadline_s: float) -> T | None:
        """The first value that `ready` gives that is not None; None if there is none in time.

        It is asked again whenever entries or acknowledgements have come. Raises TooLarge if too many wait.
        """
        found = ready()
        if found is not None or deadline_s <= 0:
            return found
        if len(self._waiters) >= WAITERS:
            raise errors.TooLarge("too many calls wait on this line")

        def look() -> bool:
            nonlocal found
            found = ready()
            return found is not None

        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters[waiter] = look
        try:
            async with asyncio.timeout(deadline_s):
                await waiter
        except TimeoutError:
            return found
        finally:
            self._waiters.pop(waiter, None)
        return found

    # --- what comes out ----------------------------------------------------------------------------------------

    def _do(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case Transmit():
                    self._host.links.transmit(self.stations[output.party], output)
                case Commit():
                    self._commit(output)
                case Shown():
                    seq = self._ranges.seq(output.lane.key, output.row.index) if self._ranges else 0
                    self._seen.append(Seen(seq=seq, shown=output))
                case Accepted():
                    future = self._tokens.pop(output.token, None)
                    if future is not None and not future.done():
                        future.set_result(output)
                case Rejected():
                    future = self._tokens.pop(output.token, None)
                    if future is not None and not future.done():
                        future.set_exception(_refusal(output))
                case Holds():
                    self._changed = True
                    self._host.held(self, output)
                case Noticed():
                    self.notices[output.what] += 1
                    self._host.noticed(self, output)
                case WakeAt():
                    self._wake(output.steady)
                case Signalled():
                    self._tell()  # what stands before it says whose it is
                    self._host.signalled(self, output)
                case _:
                    assert_never(output)
        self._tell()

    def _tell(self) -> None:
        """Show what has come, and look whether somebody waited for it."""
        if self._seen:
            seen, self._seen = self._seen, []
            seen.sort(key=lambda each: each.seq)
            self.entries += len(seen)
            self._changed = True
            self._host.entries_shown(self, seen)
        if self._changed:
            self._changed = False
            for waiter, ready in list(self._waiters.items()):
                if not waiter.done() and ready():
                    waiter.set_result(None)

    def _commit(self, commit: Commit) -> None:
        """Make it durable, then its mark: in this order (spec 13.2)."""
        ranges = Ranges(commit, self.history.last_seq())
        appended = [write.lane.party for write in commit.writes if isinstance(write, Append)]
        if commit.mark is None or all(party == self.party for party in appended):
            self._ask(partial(self._write, commit), partial(self._committed, commit, ranges))
        else:  # what others said is shown without waiting for our own mark
            self._ask(partial(self.history.commit, commit.writes), partial(self._stored, commit, commit.mark, ranges))

    def _ask(self, work: Callable[[], None], then: Callable[[Engine], None]) -> None:
        """Let the committer do `work`, then go on with `then` unless the engine is another by now."""
        engine = self.engine
        self._under_way += 1
        self._host.committer.commit(work, partial(self._done, engine, then))

    def _done(self, engine: Engine | None, then: Callable[[Engine], None], result: Callable[[], None]) -> None:
        self._under_way -= 1
        if self.engine is engine and engine is not None:
            self._host.guard(self, partial(self._after, engine, then, result))

    def _after(self, engine: Engine, then: Callable[[Engine], None], result: Callable[[], None]) -> None:
        result()
        then(engine)

    def _write(self, commit: Commit) -> None:
        """On the loop or in the commit thread."""
        self.history.commit(commit.writes)
        if commit.mark is not None:
            self._host.write_mark(self.line, commit.mark)

    def _stored(self, commit: Commit, mark: Mark, ranges: Ranges, engine: Engine) -> None:
        self._ranges = ranges
        self._do(engine.handle(Stored(commit.token), self._host.clock.now()))
        self._ask(partial(self._host.write_mark, self.line, mark), partial(self._committed, commit, ranges))

    def _committed(self, commit: Commit, ranges: Ranges, engine: Engine) -> None:
        self._failures = 0
        self._ranges = ranges
        self._do(engine.handle(Committed(commit.token), self._host.clock.now()))

    def _wake(self, steady: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # A millisecond later: an early tick would be answered by silence and no further wake-up.
        delay = (steady - self._host.clock.steady() + 1) / 1000
        self._timer = self._loop.call_later(max(0.0, delay), self.feed, Tick())


_REFUSALS: dict[str, type[Refused]] = {
    kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Refused)
}


def _refusal(rejected: Rejected) -> Refused:
    reason = rejected.reason
    return _REFUSALS.get(rejected.code, Refused)(reason)
