"""What must be true, looked at after every event (safety) and after healing (liveness).

The checkers know everything: all stores, all marks, all keys. They compare
what stations do with what the disks hold, and never tell a station anything.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from openline.kernel.crypto import Signer
from openline.kernel.errors import Refused
from openline.kernel.lane import Generation, Lane
from openline.kernel.merkle import peaks_at
from openline.protocol.acknowledgements import decode_ack
from openline.protocol.call_rooms import MAX_SIGNALS
from openline.protocol.epochs import Stage
from openline.protocol.events import Accepted, Holds, Noticed, Output, Shown, Transmit
from openline.protocol.folding import apply_row
from openline.protocol.forks import decode_fork
from openline.protocol.frames import Entries, Fragment, Frame, FullEntries, GenerationSeed, Held, Want
from openline.protocol.records import Append, Mark, PutEvidence, PutHead, PutPeer, Write
from openline.protocol.transcript import Fold
from tests.sim.tap import named

if TYPE_CHECKING:
    from tests.sim.station import Station
    from tests.sim.world import World

ACK = b"\x03"
"""The kind field of a pure acknowledgement."""
MARKER = "MARKED PLAINTEXT"
"""Stands in every text that is submitted; no bearer, notice or exception may carry it."""
ONE_SIDED = 24
"""Envelopes of one handshake with all that follows it, for each party that hears of it. Where only one floor took a new pairing secret over, its station
tries it again and again, after pauses that double (spec 10.22): at most one such try falls into a part of the quiet time."""


class Failed(AssertionError):
    """Something that must be true was not. `checker` names which check found it."""

    def __init__(self, checker: str, what: str) -> None:
        super().__init__(f"{checker}: {what}")
        self.checker = checker


def summary(frame: Frame) -> str:
    """A frame in a word, for the trace."""
    match frame:
        case Entries():
            kinds = "".join("a" if item.kind == 3 else "e" for item in frame.items)
            return f"entries {frame.lane}.{frame.counter}#{frame.first}{kinds}"
        case FullEntries():
            return f"full {frame.lane.number}.{frame.lane.generation.counter}#{frame.first}+{len(frame.items)}"
        case GenerationSeed():
            return f"generation {frame.party}.{frame.generation.counter}"
        case Want():
            return f"want{' full' * frame.full} {frame.lane.number}.{frame.lane.generation.counter}#{frame.first}"
        case Held():
            return "held " + ",".join(f"{lane.number}.{lane.generation.counter}:{size}" for lane, size in frame.heads)
        case Fragment():
            return f"part {frame.part}/{frame.parts}"
        case _:
            return type(frame).__name__.lower()


def _verifies(key: Signer, signature: bytes, text: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.public.ed25519_key).verify(signature, text)
    except InvalidSignature:
        return False
    return True


class Checkers:
    """Safety. Everything here is asked of honest stations only."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.truth: dict[Lane, list[bytes]] = {}
        """The leaves of honest lanes, as their owners first made them durable."""
        self.recoverable: Counter[Lane] = Counter()
        self.accepted_by: list[tuple[Station, Accepted]] = []
        self._roots: dict[tuple[Lane, int], bytes] = {}
        self._acked: dict[tuple[int, Generation], dict[tuple[int, Generation], int]] = {}
        self._sent: set[tuple[int, int, bytes]] = set()
        self._writing: dict[Lane, int] = {}
        """From where on the last append to a lane was new to the world, and not recovered."""
        self.searched = 0
        self._taken: dict[tuple[int, int, int], int] = {}
        self._opened: dict[bytes, set[int]] = {}

    def fail(self, checker: str, what: str) -> NoReturn:
        raise Failed(checker, f"{what} (at {self._world.now} ms)")

    def _lane(self, number: int, generation: Generation) -> Lane:
        return Lane(self._world.line, number, generation)

    def honest(self, party: int) -> bool:
        return self._world.stations[party].honest

    # --- what a station makes durable ---

    def committing(self, station: "Station", writes: Sequence[Write]) -> None:
        """Before a commit: what it appends must be what the lane's owner wrote, and nothing else."""
        for write in writes:
            if isinstance(write, Append) and station.honest and self.honest(write.lane.party):
                self._append(station, write)

    def _append(self, station: "Station", write: Append) -> None:
        truth = self.truth.setdefault(write.lane, [])
        self._writing[write.lane] = len(truth)
        own = write.lane.party == station.party
        for row in write.rows:
            if row.index < len(truth):
                if truth[row.index] != row.nodes[0]:
                    self.fail("one history", f"station {station.name} holds another leaf at {write.lane}#{row.index}")
            elif own and row.index == len(truth):
                truth.append(row.nodes[0])
            else:
                self.fail(
                    "one history", f"station {station.name} holds {write.lane}#{row.index}, which its owner never wrote"
                )

    def committed(self, station: "Station", writes: Sequence[Write]) -> None:
        """After a commit: acknowledgements cover what is durable, evidence is good, and nobody honest is blamed."""
        if not station.honest:
            return
        for write in writes:
            if isinstance(write, Append) and write.lane.party == station.party:
                self._acknowledgements(station, write)
            elif isinstance(write, PutEvidence):
                self._evidence(write)
            elif isinstance(write, Append):
                self._signed(station, write, writes)
                self._quota(station, write)
            elif isinstance(write, PutPeer) and self.honest(write.party):
                if write.suspected:
                    self.fail("no honest suspect", f"station {station.name} suspects {write.party}: {write.suspected}")
                self._epoch(station, write)

    def _signed(self, station: "Station", write: Append, writes: Sequence[Write]) -> None:
        """What is taken of others stands under a head that its owner signed; checked by the library alone."""
        end = write.size + len(write.rows)
        for put in writes:
            if isinstance(put, PutHead) and put.signed.head.lane == write.lane and put.signed.head.size >= end:
                keys = self._world.stations[write.lane.party].keys
                if not any(_verifies(key, put.signed.ed25519, put.signed.head.text()) for key in keys):
                    self.fail(
                        "signed",
                        f"station {station.name} took {write.lane} to {end} on a signature that is not its owner's",
                    )
                return
        self.fail("signed", f"station {station.name} took {write.lane} to {end} without a signed head")

    def _quota(self, station: "Station", write: Append) -> None:
        """No more of a party than its quota of the time this process runs, and one frame."""
        if not self._world.profile.quota:
            return
        life = (station.party, station.incarnation, write.lane.party)
        taken = self._taken[life] = self._taken.get(life, 0) + sum(row.entry.kind != ACK for row in write.rows)
        policy = self._world.terms.policy
        hourly = policy.urgent_per_hour + policy.traffic_per_hour
        hours = 1 + (self._world.now - station.booted_at) / 3_600_000
        if taken > hourly * hours + 64:
            self.fail(
                "quota", f"station {station.name} took {taken} entries of {write.lane.party} in {hours - 1:.1f} hours"
            )

    def _epoch(self, station: "Station", write: PutPeer) -> None:
        """Who has called uses an epoch only when the other side has it, durably."""
        if write.epoch is None:
            return
        root, other = write.epoch.root, self._world.stations[write.party]
        opened = self._opened.setdefault(root, set())
        opened.add(station.party)
        if other.party in opened or other.engine is None:
            return
        handshake = other.engine.peers[station.party].handshake
        if handshake.stage is Stage.ANSWERED and handshake.attempt == write.epoch.attempt:
            self.fail(
                "both sides of an epoch",
                f"station {station.name} uses epoch {write.epoch.attempt}, which {other.name} lacks",
            )

    def _acknowledgements(self, station: "Station", write: Append) -> None:
        last = b""
        for row in write.rows:
            if row.entry.ack == last or row.refused or row.index < self._writing[write.lane]:
                continue
            last = row.entry.ack
            told = self._acked.setdefault((station.party, write.lane.generation), {})
            for item in decode_ack(last):
                lane = self._lane(item.lane, item.generation)
                if station.store.size(lane) < item.size:
                    self.fail(
                        "possession", f"station {station.name} acknowledges {lane} to {item.size} without holding it"
                    )
                if self._root(station, lane, item.size) != item.root:
                    self.fail("possession", f"station {station.name} acknowledges another root of {lane}")
                if lane.party != station.party and write.lane.generation == self._newest(station):
                    if item.size < told.get(lane.key, 0):
                        self.fail("acks never regress", f"station {station.name} about {lane}")
                    told[lane.key] = item.size

    def _newest(self, station: "Station") -> Generation | None:
        return station.engine.book.mine if station.engine is not None else None

    def _root(self, station: "Station", lane: Lane, size: int) -> bytes:
        def node(level: int, place: int) -> bytes:
            return station.store.node(lane, level, place)

        if not self.honest(lane.party):
            return peaks_at(size, node).root()
        found = self._roots.get((lane, size))
        if found is None:
            found = self._roots[lane, size] = peaks_at(size, node).root()
        return found

    def _evidence(self, write: PutEvidence) -> None:
        if self.honest(write.party):
            self.fail("no false proof", f"a fork was proved against party {write.party}, which is honest")
        try:
            fork = decode_fork(self._world.line, write.evidence)
            fork.check(self._world.stations[write.party].keys[0].public)
        except Refused:
            self.fail("evidence", "kept evidence that does not check")

    def marking(self, station: "Station", mark: Mark) -> None:
        """The mark only grows within a generation."""
        old = station.mark
        if old is None or old.generation != mark.generation:
            return
        if mark.urgent < old.urgent or mark.traffic < old.traffic:
            self.fail("mark", f"station {station.name}: the mark went back")

    def restored(self, station: "Station") -> None:
        """A disk came back from a backup: what others hold is owed back to it."""
        station.restores += 1
        self.recoverable.clear()
        for other in self._world.honest_stations():
            for lane in other.store.copy().rows:
                self.recoverable[lane] = max(self.recoverable[lane], other.store.size(lane))

    # --- what a station says ---

    def transmitted(self, station: "Station", sent: Transmit) -> None:
        """What leaves: nothing that is not durable and marked, under keys that are used once, and no secret."""
        if not station.honest:
            return None
        key = (station.party, sent.party, named(sent.envelope))
        if key in self._sent:
            return self._world.note(station, "    the same again")
        self._sent.add(key)
        self._secrets(sent.envelope)
        try:
            heard = self._world.tap.open(station.party, sent.party, sent.envelope)
        except Refused:
            self.fail("nothing leaks", f"station {station.name} sends what its own key does not open")
        if heard is None:
            return self._world.note(station, "    handshake")
        content = heard.content
        told = " ".join(map(summary, content.frames))
        self._world.note(
            station, f"    {heard.attempt}#{heard.index} floor {content.floor} opened {content.first_unopened} {told}"
        )
        if heard.reused:
            self.fail("one key, one envelope", f"station {station.name} used index {heard.index} twice")
        for opened in self._world.tap.called_opened(station.party, sent.party, heard.root, content.first_unopened):
            if self.honest(sent.party) and (station.party, opened) not in self._world.delivered:
                self.fail("opened means opened", f"station {station.name} says it opened what never came")
        self._reserved(station, sent.party, heard.attempt, heard.index, heard.content.first_unopened)
        for frame in heard.content.frames:
            match frame:
                case FullEntries():
                    self._persisted(station, frame.lane, frame.first + len(frame.items))
                case Entries():
                    self._short(station, frame)
                case Held():
                    for lane, size in frame.heads:
                        self._persisted(station, lane, size)
        return None

    def _short(self, station: "Station", frame: Entries) -> None:
        """A short form names a counter alone; two generations may share it, and one of them must be meant."""
        if station.engine is None:
            return
        known = [g for g in station.engine.book.generations(frame.lane // 2) if g.counter == frame.counter]
        size = frame.first + len(frame.items)
        meant = [g for g in known if station.store.size(self._lane(frame.lane, g)) >= size]
        if known:
            self._persisted(station, self._lane(frame.lane, (meant or known)[-1]), size)

    def _persisted(self, station: "Station", lane: Lane, size: int) -> None:
        if station.store.size(lane) < size:
            self.fail("persist before send", f"station {station.name} sends {lane} to {size}, and its disk lacks it")
        mark = station.mark
        if lane.party != station.party or not size:
            return
        if mark is None or mark.generation < lane.generation:
            self.fail("mark before send", f"station {station.name} sends {lane} without a mark")
        marked = mark.urgent if lane.urgent else mark.traffic
        if mark.generation == lane.generation and marked < size:
            self.fail("mark before send", f"station {station.name} sends {lane} to {size}, marked {marked}")

    def _reserved(self, station: "Station", party: int, attempt: int, index: int, first_unopened: int) -> None:
        kept = {peer.party: peer for peer in station.store.peers()}.get(party)
        epoch = kept.epoch if kept is not None else None
        if epoch is None or epoch.attempt != attempt:
            self.fail("persist before send", f"station {station.name} sends in an epoch that its disk does not have")
        if index >= epoch.outgoing.index:
            self.fail("persist before send", f"station {station.name} uses an envelope index that is not reserved")
        incoming = epoch.incoming
        lowest = min((hole[0] for hole in incoming.holes), default=incoming.edge)
        if first_unopened > lowest:
            self.fail("persist before send", f"station {station.name} says it opened what its disk does not know of")

    def _secrets(self, envelope: bytes) -> None:
        self.searched += 1
        if MARKER.encode() in envelope:
            self.fail("nothing leaks", "a plaintext left in an envelope")
        if self.searched % 16 == 0:
            for secret in (*self._world.secrets, *self._world.tap.roots()):
                if secret in envelope:
                    self.fail("nothing leaks", "a key left in an envelope")

    # --- what a station tells its people ---

    def handled(self, station: "Station", outputs: Sequence[Output]) -> None:
        if not station.honest:
            return
        for output in outputs:
            if MARKER in repr(output):
                self.fail("nothing leaks", f"a plaintext in the repr of {type(output).__name__}")
        self.bounded(station)

    def booted(self, station: "Station") -> None:
        """Hook for what must be true of every new engine."""

    def accepted(self, station: "Station", output: Accepted) -> None:
        self._kept("accepted", station, output.lane, output.index, output.leaf_hash)
        if station.honest:
            self.accepted_by.append((station, output))

    def shown(self, station: "Station", output: Shown) -> None:
        self._kept("shown", station, output.lane, output.row.index, output.row.nodes[0])

    def _kept(self, what: str, station: "Station", lane: Lane, index: int, leaf: bytes) -> None:
        if not station.honest:
            return
        rows = station.store.entries(lane, index, 1)
        if not rows or rows[0].nodes[0] != leaf:
            self.fail("persist before show", f"station {station.name}: {what} {lane}#{index}, and its disk lacks it")

    def noticed(self, station: "Station", output: Output) -> None:
        """A Holds must be true: the peer's disk has it, unless a disk was lost since."""
        if not station.honest or not isinstance(output, Holds | Noticed):
            return
        if isinstance(output, Noticed) and output.what in {"suspected", "fork-proved", "refused-entry", "quota"}:
            self._world.count(f"noticed: {output.what}")
        if isinstance(output, Holds) and self.honest(output.party):
            other = self._world.stations[output.party]
            if not other.restores and other.store.size(self._lane(output.lane, output.generation)) < output.size:
                self.fail(
                    "possession", f"station {other.name} acknowledged {output.size} of lane {output.lane} and lacks it"
                )
        if isinstance(output, Noticed) and output.what in {"suspected", "fork-proved"} and self.honest(output.party):
            self.fail("no honest suspect", f"station {station.name}: {output.what} {output.party}")

    # --- memory ---

    def bounded(self, station: "Station") -> None:
        """Nothing a peer or a stranger sends makes an engine grow without bound."""
        engine = station.engine
        if engine is None or self._world.events % 64:
            return
        lanes = sum(len(engine.book.generations(party)) for party in range(self._world.parties)) * 2
        bounds = {
            "unknown envelopes": (len(engine._unknown), 256),
            "early frames": (len(engine.intake.early), 256 * len(engine.peers)),
            "lane states": (len(engine.book._states), lanes + 2 * self._world.parties),
            "fetches": (len(engine.transfers._fetches), 4_096),
        }
        for peer in engine.peers.values():
            bounds |= {
                f"outbox {peer.party}": (len(peer.outbox), 1_024),
                f"early bytes {peer.party}": (engine.intake.early.bytes_kept(peer.party), 8 * 2**20),
                f"given {peer.party}": (len(peer.given), lanes + 2 * self._world.parties),
                f"control {peer.party}": (len(peer.control), 512),
                f"bulk {peer.party}": (len(peer.bulk), 512),
                f"streams {peer.party}": (len(peer.streams), 4),
                f"parts {peer.party}": (peer.streams.parts, 4 * 512),
                f"consumed {peer.party}": (len(peer.consumed), 1_024),
                f"cursors {peer.party}": (
                    max(len(peer.sent), len(peer.told), len(peer.wanted), len(peer.noted), len(peer.behind)),
                    512,
                ),
                f"claims {peer.party}": (len(peer.holds) + len(peer.heard), 1_024),
                f"signals {peer.party}": (len(peer.signals), MAX_SIGNALS),
            }
        for what, (size, bound) in bounds.items():
            if size > bound:
                self.fail("bounded memory", f"station {station.name}: {size} {what}, at most {bound}")


class Liveness:
    """After healing: all is held, acknowledged, folded alike, and it is quiet."""

    def __init__(self, world: "World") -> None:
        self._world, self._checks = world, world.checks
        self.owed: dict[Lane, int] = {}
        """What everybody must hold; a last pure acknowledgement that was lost may wait for what comes next (7.5)."""
        held: dict[Lane, int] = {}
        for station in world.honest_stations():
            for lane, rows in station.store.copy().rows.items():
                if world.checks.honest(lane.party):
                    held[lane] = max(held.get(lane, 0), len(rows))
                    due = max((row.index + 1 for row in rows if row.entry.kind != ACK), default=0)
                    self.owed[lane] = max(self.owed.get(lane, 0), due)
        for lane, size in world.checks.recoverable.items():
            if world.checks.honest(lane.party) and held.get(lane, 0) < size:
                world.checks.fail("nothing lost", f"{lane} was held to {size} and is gone")

    def arrived(self) -> None:
        """Call after the quiet time."""
        stations = self._world.honest_stations()
        for station in stations:
            if station.engine is None:
                self._checks.fail("alive", f"station {station.name} is down")
            self._lanes(station)
        for station in stations:
            self._acknowledged(station)
            self._folded(station)
        digests = {station.engine.fold.digest() for station in stations if station.engine is not None}
        if len(digests) > 1 and self._alike():
            self._checks.fail("one state", "stations fold to different digests")
        self._forks()

    def _alike(self) -> bool:
        """Whether the honest stations hold the same lanes: a liar may keep its own from some."""
        held = [
            {lane: rows[-1].nodes for lane, rows in s.store.copy().rows.items()} for s in self._world.honest_stations()
        ]
        return all(other == held[0] for other in held)

    def _lanes(self, station: "Station") -> None:
        for lane, size in self.owed.items():
            if station.store.size(lane) < size:
                self._checks.fail(
                    "held by all", f"station {station.name} has {lane} to {station.store.size(lane)} of {size}"
                )

    def _acknowledged(self, station: "Station") -> None:
        engine = station.engine
        if engine is None:
            return
        for party, peer in engine.peers.items():
            if not self._checks.honest(party):
                continue
            for state in engine.book.all_states():  # also those of generations that have ended (spec 4.18)
                if state.lane.party != engine.party:
                    continue
                kinds = [row.entry.kind for row in station.store.entries(state.lane, 0, state.size)]
                due = max((n + 1 for n, kind in enumerate(kinds) if kind != ACK), default=0)
                if peer.holds.get(state.lane.key, 0) < due:
                    held = peer.holds.get(state.lane.key, 0)
                    self._checks.fail("acknowledged", f"{party} has signed for {held} of {due} of {state.lane}")
            if peer.suspected:
                self._checks.fail("no honest suspect", f"station {station.name} suspects {party}: {peer.suspected}")

    def _folded(self, station: "Station") -> None:
        engine = station.engine
        if engine is None:
            return
        anew = Fold(engine.terms.line, len(engine.terms.parties), engine.terms.policy)
        for state in engine.book.all_states():
            for row in station.store.entries(state.lane, 0, station.store.size(state.lane)):
                apply_row(anew, state.lane, row)
        if anew.digest() != engine.fold.digest():
            self._checks.fail("one state", f"station {station.name}: folding its store anew gives another digest")

    def _forks(self) -> None:
        """Two honest stations with two histories of a liar's lane: at least one holds the proof."""
        stations = self._world.honest_stations()
        for left in stations:
            for right in stations:
                if left.party < right.party:
                    for lane in left.store.copy().rows:
                        self._compare(left, right, lane)

    def _compare(self, left: "Station", right: "Station", lane: Lane) -> None:
        both = min(left.store.size(lane), right.store.size(lane))
        ours, theirs = (s.store.entries(lane, 0, both) for s in (left, right))
        if all(a.nodes[0] == b.nodes[0] for a, b in zip(ours, theirs, strict=True)):
            return
        if not any(e.party == lane.party for s in (left, right) for e in s.store.evidence()):
            self._checks.fail(
                "forks are noticed", f"{left.name} and {right.name} hold two histories of {lane}, unproved"
            )

    def silent(self, envelopes: int, minutes: float) -> None:
        """Call after more time without events: stations at rest are silent."""
        allowed = 20 + minutes * self._world.parties * (100 if self._world.liars() else 0.5)
        allowed += (
            ONE_SIDED
            * (self._world.parties - 1)
            * sum(
                len(peer.secrets.all) > 1
                for station in self._world.honest_stations()
                if station.engine is not None
                for peer in station.engine.peers.values()
            )
        )
        if envelopes > allowed:
            self._checks.fail("quiet", f"{envelopes / minutes:.0f} envelopes a minute at rest")
