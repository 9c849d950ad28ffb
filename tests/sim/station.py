"""One station of the simulated world: a process that dies and comes back, its disk, its mark and its clocks.

Commits take time, as on a disk; between any two outputs, between a commit
and its mark, and before the engine hears of either, the process may die.
"""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from openline.kernel.crypto import Signer
from openline.kernel.errors import Unavailable
from openline.kernel.keys import make_statement
from openline.kernel.lane import GENERATION_ZERO, Generation
from openline.kernel.units import Instant
from openline.protocol.engine import Engine
from openline.protocol.entries import Cause
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
    Secret,
    Shown,
    Signalled,
    Stored,
    Strange,
    Submit,
    Tick,
    Transmit,
    WakeAt,
)
from openline.protocol.records import LineRecord, Mark
from openline.protocol.setup import Setup
from tests.sim.bearers import Wiring
from tests.sim.calling import Desk, unstored
from tests.sim.memory_store import MemoryStore, State

if TYPE_CHECKING:
    from tests.sim.world import World

WALL = 1_763_000_000_000
"""The true time at the start of every run, ms since 1970."""


class Station:
    """A party's station (a liar may run several). `engine` is None while the process is down."""

    def __init__(
        self, world: "World", record: LineRecord, signer: Signer, psks: dict[int, bytes], face: int = 0
    ) -> None:
        self.world, self.record, self.signer, self.psks = world, record, signer, psks
        self.keys = [signer]
        """All lane keys this party ever had: the keystore, which no crash touches."""
        self.new_psks: dict[int, bytes] = {}
        self.party, self.face, self.honest = record.party, face, True
        self.random = Random(f"{world.scenario} station {self.party}.{face}")
        self.store = MemoryStore(record.line)
        self.mark: Mark | None = Mark(generation=GENERATION_ZERO, urgent=0, traffic=0)
        self.engine: Engine | None = None
        self.incarnation = 0
        self.skew = self.steady_base = self.booted_at = 0
        self.wake: int | None = None
        self.in_flight: Commit | None = None
        self.backups: list[State] = []
        self.restores = 0
        self.shown: list[Shown] = []
        self.noticed: Counter[str] = Counter()
        self.after_boot: Callable[[Engine], None] | None = None
        """A liar's hand on its own engine."""
        self.desk: Desk | None = None
        """What this process does about calls, where a profile has some."""
        self.wiring: Wiring | None = None
        """The station's true Links, where a profile names bearers."""
        self.rewrites: Callable[[Transmit], list[Transmit]] | None = None
        """A liar's hand on what it sends."""

    @property
    def name(self) -> str:
        return f"{self.party}.{self.face}" if self.face else str(self.party)

    def now(self) -> Now:
        at = self.world.now
        return Now(steady=at + self.steady_base, wall=Instant(WALL + at + self.skew))

    def entropy(self, size: int) -> bytes:
        data = self.random.randbytes(size)
        if size == 32:
            self.world.secrets.add(data)
        return data

    # --- life and death ---

    @property
    def runs(self) -> bool:
        """Whether there is an engine now."""
        return self.engine is not None

    def boot(self) -> None:
        """Start the process. Its steady clock begins anywhere, as after a reboot."""
        self.incarnation += 1
        self.steady_base = self.random.randrange(10**9) - self.world.now
        self.wake, self.in_flight = None, None
        self.booted_at = self.world.now
        self.world.note(self, "boot")
        setup = Setup(
            record=self.record,
            signer=self.keys[-1],
            retired=tuple(self.keys[:-1]),
            psks=self.psks,
            new_psks=self.new_psks,
            mark=self.mark,
        )
        engine = Engine(setup, self.store, self.entropy, self.now())
        self.engine = engine
        if self.after_boot is not None:
            self.after_boot(engine)
        self.desk = Desk(self.world, self) if self.world.profile.calls else None
        self.world.checks.booted(self)
        self._perform(engine.start(self.now()))
        if self.world.profile.bearers:
            self.wiring = Wiring(self.world, self)
            return
        for party in range(self.world.parties):
            if self.runs and party != self.party:  # a first commit may already have failed
                self.linked(party)

    def linked(self, party: int) -> None:
        """Tell the engine what bearers reach a party now."""
        if self.world.profile.bearers:
            if self.wiring is not None and self.engine is not None:
                self.wiring.links.tell(str(party))
            return
        way = self.world.way(self, party)
        if way is not None and self.engine is not None:
            self.give(Link(party=party, largest=way.largest, smallest=way.smallest))

    def crash(self, why: str, back_ms: int | None = None) -> None:
        """The process dies; a commit under way may or may not have reached the disk, with or without its mark."""
        if self.engine is None:
            return
        self.world.fault(f"crash {why}", self)
        self.engine, commit, self.in_flight = None, self.in_flight, None
        dice = self.world.dice("crash")
        if commit is not None and dice.random() < 0.5:
            try:
                self._write(commit)
            except Unavailable:
                commit = None
            if commit is not None and commit.mark is not None and dice.random() < 0.3:
                self.mark = commit.mark
            self.world.count("crash with a commit done and unreported")
        wait = back_ms if back_ms is not None else dice.choice((0, 50, 3_000, 60_000))
        self.world.at(wait, self._back, self.incarnation)

    def _back(self, incarnation: int) -> None:
        if self.engine is None and self.incarnation == incarnation:
            self.boot()

    def rotate(self, root: Signer) -> None:
        """Its people put a new lane key in place; the keystore has it before the engine hears of it."""
        if self.engine is None:
            return
        new = Signer(self.entropy(32), self.entropy(32))
        above = max(each.counter for each in self.engine.book.generations(self.party)) + 1
        generation = Generation(above, self.entropy(8))
        statement = make_statement(self.record.line, self.party, generation, new.public, root)
        self.keys.append(new)
        self.give(Rotate(token=0, generation=generation, statement=statement, signer=new, cause=Cause.ROTATION))

    def pair(self, party: int, psk: bytes) -> None:
        """Its people accept a new pairing secret with a party; it is kept beside the one before."""
        self.new_psks = {**self.new_psks, party: psk}
        self.give(Secret(party=party, psk=psk))

    # --- events ---

    def give(self, event: Input) -> None:
        """One event for the engine, and everything that follows from it."""
        if self.engine is None:
            return None
        self.world.note(self, f"< {described(event)}")
        try:
            outputs = self.engine.handle(event, self.now())
        except Exception:
            if self.honest:
                raise
            return self.crash("of a liar")  # its own lies may break it
        self.world.checks.handled(self, outputs)
        self._perform(outputs)
        return None

    def _perform(self, outputs: list[Output]) -> None:
        alive = self.incarnation
        if self.engine is not None:
            self.world.tap.learn(self.party, self.engine)
        for output in outputs:
            if self.world.crashes_here(self):
                self.crash("between outputs")
                return
            self._output(output)
            if self.incarnation != alive or self.engine is None:
                return

    def _output(self, output: Output) -> None:
        checks = self.world.checks
        if not isinstance(output, WakeAt):
            self.world.note(self, f"> {described(output)}")
        match output:
            case Commit():
                self.in_flight = output
                self.world.at(self.world.latency(self), self._durable, self.incarnation, output)
            case Transmit():
                for sent in self.rewrites(output) if self.rewrites else [output]:
                    checks.transmitted(self, sent)
                    self.world.carry(self, sent)
            case WakeAt():
                self.wake = output.steady
                self.world.at(output.steady - self.now().steady, self._tick, self.incarnation, output.steady)
            case Accepted():
                checks.accepted(self, output)
            case Shown():
                checks.shown(self, output)
                self.shown.append(output)
                if self.desk is not None:
                    self.desk.shown(output)
            case Signalled() if self.desk is not None:
                self.desk.signalled(output)
            case Rejected():
                self.world.count(f"rejected {output.code}")
            case Noticed(what="secret-agreed", party=party) if party in self.new_psks:
                self.psks = {**self.psks, party: self.new_psks[party]}
                self.new_psks = {other: psk for other, psk in self.new_psks.items() if other != party}
            case _:
                self.noticed[getattr(output, "what", "holds")] += 1
                checks.noticed(self, output)

    def _tick(self, incarnation: int, wake: int) -> None:
        if incarnation == self.incarnation and self.wake == wake and self.engine is not None:
            self.give(Tick())

    # --- the disk ---

    def _write(self, commit: Commit) -> None:
        if not self.honest:
            self.store.commit(commit.writes)
            return
        self.world.checks.committing(self, commit.writes)
        if self.desk is not None:
            unstored(self.world, self, commit.writes)
        self.store.commit(commit.writes)
        self.world.checks.committed(self, commit.writes)

    def _durable(self, incarnation: int, commit: Commit) -> None:
        if incarnation != self.incarnation or self.engine is None:
            return None
        if self.world.crashes_here(self):
            return self.crash("before a commit")
        if self.world.disk_fails(self):
            self.in_flight = None
            return self.crash("for a full disk", 1_000)
        self._write(commit)
        self.in_flight = None
        if self.world.crashes_here(self):
            return self.crash("between commit and mark")
        if commit.mark is None:
            return self._marked(incarnation, commit)
        if commit.token % 2:  # the runtime says so where there is something to show; it may be left out
            self.give(Stored(commit.token))
            if incarnation != self.incarnation:
                return None
        self.world.at(self.world.latency(self) // 4, self._marked, incarnation, commit)
        return None

    def _marked(self, incarnation: int, commit: Commit) -> None:
        if incarnation != self.incarnation or self.engine is None:
            return None
        if commit.mark is not None:
            if self.world.disk_fails(self):
                return self.crash("for a mark that fails", 1_000)
            self.world.checks.marking(self, commit.mark)
            self.mark = commit.mark
        if self.world.crashes_here(self):
            return self.crash("before Committed")
        self.give(Committed(commit.token))
        return None

    def restore(self, state: State, *, mark: bool) -> None:
        """The disk is replaced by an old state; the mark, kept elsewhere, stays or is lost."""
        self.engine, self.in_flight = None, None
        self.incarnation += 1
        self.store.restore(state)
        if not mark:
            self.mark = None
        self.world.checks.restored(self)
        self.world.at(1_000, self._back, self.incarnation)

    def is_behind(self, state: State) -> bool:
        """Whether the mark would tell that this state is not what the station wrote last."""
        if self.mark is None:
            return True
        lanes = {lane.key: len(rows) for lane, rows in state.rows.items()}
        urgent, traffic = ((2 * self.party + low, self.mark.generation) for low in (0, 1))
        return lanes.get(urgent, 0) < self.mark.urgent or lanes.get(traffic, 0) < self.mark.traffic

    def recover(self) -> None:
        """Healing: a process that is down comes up now."""
        if self.engine is None:
            self.boot()


def described(event: Input | Output) -> str:
    """An event by kind and sizes: no byte of it, since HPKE draws its own randomness."""
    match event:
        case Transmit():
            return f"Transmit to {event.party} {len(event.envelope)} p{event.precedence}"
        case Commit():
            return f"Commit {event.token}: {' '.join(type(w).__name__ for w in event.writes)}{' +mark' if event.mark else ''}"
        case Shown():
            return f"Shown {event.lane.number}.{event.lane.generation.counter}#{event.row.index} kind {event.kind}"
        case Accepted():
            return f"Accepted {event.token} at {event.lane.number}.{event.lane.generation.counter}#{event.index}"
        case Arrived() | Strange():
            return f"Arrived {len(event.envelope)}"
        case Noticed():
            return f"Noticed {event.what} {event.party} {event.number}"
        case Holds():
            return f"Holds {event.party} {event.lane}.{event.generation.counter} {event.size}"
        case Link():
            return f"Link {event.party} {event.largest}/{event.smallest}"
        case Submit() | Committed() | Stored() | Rejected():
            return f"{type(event).__name__} {event.token}"
        case _:
            return type(event).__name__
