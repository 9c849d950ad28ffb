"""A line of real engines over queues in memory: no clock but the test's, no network but the test's hand.

Commits and marks succeed at once unless a test holds them back. What a party sends waits in `Line.under_way`
until `deliver` or `settle`; a test may look at it, drop it, double it or keep it. A party lies through `lie`:
any frames, sealed under its own true keys.
"""

from collections import deque
from collections.abc import Callable, Sequence
from hashlib import sha256

from openline.kernel.codec import Value, encode
from openline.kernel.crypto import Signer
from openline.kernel.keys import Card, make_statement
from openline.kernel.lane import GENERATION_ZERO, Generation
from openline.kernel.terms import Policy
from openline.kernel.units import Instant
from openline.protocol.drafts import Draft
from openline.protocol.engine import Engine
from openline.protocol.entries import AnyEntry, Cause, Message, Precedence, Role, Unknown, Watch
from openline.protocol.events import (
    Accepted,
    Arrived,
    Commit,
    Committed,
    Holds,
    Input,
    Link,
    Noticed,
    Now,
    Output,
    Rejected,
    Rotate,
    Shown,
    Submit,
    Tick,
    Transmit,
    WakeAt,
)
from openline.protocol.frames import Frame, encode_content, frame_value
from openline.protocol.records import LineRecord, Mark
from openline.protocol.setup import Setup
from tests.sim.memory_store import MemoryStore, State
from tests.spec import parties

WALL = 1_763_000_000_000
NAMES = ("ALPHA", "BRAVO", "CHARLIE")


class Host:
    """One party: its engine, its disk, its mark, and everything its engine ever put out."""

    def __init__(self, line: "Line", party: int, name: str) -> None:
        self.line, self.party, self.name = line, party, name
        self.signer: Signer = parties.LANES[name]
        self.retired: list[Signer] = []
        self.store = MemoryStore(line.terms.line)
        self.mark: Mark | None = Mark(generation=GENERATION_ZERO, urgent=0, traffic=0)
        self.outputs: list[Output] = []
        self.held: deque[Commit] | None = None
        """Commits that wait for the test, if it asked to hold them."""
        self.wake = 0
        self.seed = 0
        self.engine: Engine
        self.boot()

    def entropy(self, size: int) -> bytes:
        """Deterministic, and never the same twice."""
        self.seed += 1
        return sha256(f"{self.name} {self.seed}".encode()).digest()[:size]

    def boot(self) -> None:
        """A new process on the same disk."""
        cards = tuple(card.raw for card in self.line.cards)
        record = LineRecord(
            line=self.line.terms.line, party=self.party, terms=self.line.terms.raw, cards=cards, label="TEST"
        )
        setup = Setup(
            record=record,
            signer=self.signer,
            retired=tuple(self.retired),
            psks=self.line.psks(self.party),
            mark=self.mark,
        )
        if self.held is not None:
            self.held = deque()
        self.engine = Engine(setup, self.store, self.entropy, self.line.now())
        self._perform(self.engine.start(self.line.now()))

    def restore(self, state: State) -> None:
        """The disk becomes an old backup; the mark stays where it is."""
        self.store.restore(state)
        self.boot()

    def give(self, event: Input) -> list[Output]:
        """One event and all that follows at once; nothing may be raised."""
        outputs = self.engine.handle(event, self.line.now())
        self._perform(outputs)
        return outputs

    def _perform(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            self.outputs.append(output)
            match output:
                case Commit() if self.held is not None:
                    self.held.append(output)
                case Commit():
                    self.commit(output)
                case Transmit():
                    self.line.under_way.append((self.party, output))
                case WakeAt():
                    self.wake = output.steady
                case _:
                    pass

    def commit(self, commit: Commit) -> None:
        """Make a commit durable, then its mark, then say so."""
        self.store.commit(commit.writes)
        if commit.mark is not None:
            self.mark = commit.mark
        self.give(Committed(commit.token))

    def release(self) -> None:
        """Let the commits that wait happen, and hold no more."""
        waiting, self.held = self.held or deque(), None
        for commit in waiting:
            self.commit(commit)

    # --- what a test says and asks ---

    def say(self, entry: AnyEntry) -> None:
        """Submit an entry."""
        self.give(Submit(token=len(self.outputs), entry=entry, time=self.line.now().wall))

    def rotate(
        self, key: str, counter: int = 0, *, cause: Cause = Cause.ROTATION, root: Signer | None = None
    ) -> tuple[Generation, bytes]:
        """Go on under the lane key of that name, in the next generation unless another counter is asked for."""
        new, known = parties.signer(key), self.engine.book.generations(self.party)
        generation = Generation(counter or known[-1].counter + 1, self.entropy(8))
        statement = make_statement(
            self.line.terms.line, self.party, generation, new.public, root or parties.ROOTS[self.name]
        )
        before = len(self.rejected())
        self.give(Rotate(token=len(self.outputs), generation=generation, statement=statement, signer=new, cause=cause))
        if len(self.rejected()) == before:
            self.retired.append(self.signer)
            self.signer = new
        return generation, statement

    def write(self, kind: int, body: bytes, *, urgent: bool) -> None:
        """Sign an entry of any kind with any body into an own lane, unchecked: as a faulty or hostile station would."""
        entry = Unknown(kind=kind, raw=body)
        draft = Draft(token=None, urgent=urgent, entry=entry, body=body, time=self.line.now().wall)
        self.engine._drafts._waiting.append(draft)
        self.give(Tick())

    def shown(self) -> list[Shown]:
        return [output for output in self.outputs if isinstance(output, Shown)]

    def texts(self, author: int | None = None) -> list[str]:
        """The texts of the messages shown, of one author if so asked."""
        return [
            each.entry.text
            for each in self.shown()
            if isinstance(each.entry, Message) and author in {None, each.lane.party}
        ]

    def noticed(self, what: str) -> list[Noticed]:
        return [output for output in self.outputs if isinstance(output, Noticed) and output.what == what]

    def accepted(self) -> list[Accepted]:
        return [output for output in self.outputs if isinstance(output, Accepted)]

    def rejected(self) -> list[Rejected]:
        return [output for output in self.outputs if isinstance(output, Rejected)]

    def holds(self, party: int) -> list[Holds]:
        """What a party signed that it holds of this one's lanes."""
        return [o for o in self.outputs if isinstance(o, Holds) and o.party == party]

    def transmitted(self) -> list[Transmit]:
        return [output for output in self.outputs if isinstance(output, Transmit)]

    def seal(self, to: int, frames: Sequence[Frame | Value], *, first_unopened: int | None = None) -> bytes:
        """An envelope of any frames (or values in their place) under the true keys towards a party."""
        peer = self.engine.peers[to]
        assert peer.epoch is not None
        raw = [encode(frame if isinstance(frame, list) else frame_value(frame)) for frame in frames]  # type: ignore[arg-type]
        told = peer.announced if first_unopened is None else first_unopened
        if not peer.epoch.outgoing.left:
            peer.epoch.record_outgoing, keys = peer.epoch.outgoing.reserve()
            peer.epoch.outgoing.free(keys)
        return peer.epoch.outgoing.seal(encode_content(told, 0, raw))[1]

    def lie(self, to: int, *frames: Frame | Value) -> None:
        """Hand a party any frames, as if this one's station had sent them."""
        self.line.hosts[to].give(Arrived(self.seal(to, frames)))


class Line:
    """Hosts, the time, and what is under way between them."""

    def __init__(
        self, count: int = 2, *, policy: Policy | None = None, link: int = 16_384, opened: bool = True
    ) -> None:
        names = NAMES[:count]
        self.terms = parties.terms(*names, policy=policy)
        order = [party.name for party in self.terms.parties]
        self.cards: list[Card] = [parties.card(name) for name in order]
        self.steady = 1_000_000
        self.under_way: deque[tuple[int, Transmit]] = deque()
        self.link = link
        self.skew: dict[int, int] = {}
        self.hosts = [Host(self, party, name) for party, name in enumerate(order)]
        if opened:
            self.link_all()
            self.pass_time(2_000, step=250)
            self.settle()

    def psks(self, party: int) -> dict[int, bytes]:
        others = [other for other in range(len(self.terms.parties)) if other != party]
        return {other: parties.secret(f"psk {min(party, other)} {max(party, other)}") for other in others}

    def now(self) -> Now:
        return Now(steady=self.steady, wall=Instant(WALL + self.steady))

    def link_all(self, largest: int | None = None) -> None:
        """Every bearer is up."""
        for host in self.hosts:
            for other in self.hosts:
                if host is not other:
                    size = self.link if largest is None else largest
                    host.give(Link(party=other.party, largest=size, smallest=size))

    def cut(self, a: int, b: int) -> None:
        """The bearers between two parties are gone."""
        for one, other in ((a, b), (b, a)):
            self.hosts[one].give(Link(party=other, largest=0, smallest=0))

    def join(self, a: int, b: int) -> None:
        """They are back."""
        for one, other in ((a, b), (b, a)):
            self.hosts[one].give(Link(party=other, largest=self.link, smallest=self.link))

    def deliver(self, keep: Callable[[int, Transmit], bool] | None = None) -> int:
        """Hand over what is under way now, as far as `keep` allows; return how many envelopes."""
        batch, self.under_way = self.under_way, deque()
        for sender, sent in batch:
            if keep is None or keep(sender, sent):
                self.hosts[sent.party].give(Arrived(sent.envelope))
        return len(batch)

    def settle(self, *, keep: Callable[[int, Transmit], bool] | None = None, rounds: int = 400) -> None:
        """Deliver until nobody has anything more to say at this moment or within a second of silence."""
        for _ in range(rounds):
            if not self.deliver(keep):
                self.steady += 250
                for host in self.hosts:
                    host.give(Tick())
                if not self.under_way:
                    return
        raise AssertionError("the line does not come to rest")

    def pass_time(self, ms: int, *, step: int = 1_000, keep: Callable[[int, Transmit], bool] | None = None) -> None:
        """Let time go by, everything delivered as it comes."""
        end = self.steady + ms
        while self.steady < end:
            self.steady = min(self.steady + step, end)
            for host in self.hosts:
                host.give(Tick())
            for _ in range(200):
                if not self.deliver(keep):
                    break


def message(text: str, precedence: Precedence = Precedence.ROUTINE) -> Message:
    """A message to the watch officer."""
    return Message(precedence=precedence, language="en", text=text)


def watch() -> Watch:
    """The smallest entry that asks for an acknowledgement."""
    return Watch(attended=True, role=Role.WATCH_OFFICER, sign="A")
