r"""Pairing with one station, from its card to the line: one conversation at a time, over the TLS bearer.

    WAITING --both talk--> COMPARING --people accept--> CONFIRMING --both signed--> OPEN
        \-------------------------- anything wrong ---------------------------------> REFUSED

Both stations dial and both listen. What was said on a connection that is lost
before people accepted is begun anew, with a new code, but not without end:
whoever stands between and cuts what does not suit him gets PAIR_ATTEMPTS
guesses and no more. What was accepted is written down before our signature
leaves, and finished later, also after a crash.

Spec: spec/15-pairing.md.
"""

import asyncio
import contextlib
import enum
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Final

from openline.bearers.tls import PairStream, TlsBearer
from openline.kernel.errors import Bug, Conflict, Refused, Unavailable
from openline.kernel.keys import Card
from openline.kernel.terms import Policy
from openline.protocol.pairing import Pairing, Stage, two_party_terms
from openline.protocol.pairing_messages import Reason, Signature, is_signed_terms, read_heard
from openline.protocol.pairing_outcomes import Accepted, Compare, Countersigned, Dropped, Ended, Output, Send
from openline.station.cards import fits, read_fingerprint
from openline.station.config import peer_addresses
from openline.station.line_runner import LineRunner
from openline.station.papers import Host, Papers, SecretPapers

PAIR_ATTEMPTS: Final = 10
"""Conversations in one pairing that may break off after our reveal was shown: 10 chances in 10^8."""


class State(enum.Enum):
    """What people see."""

    WAITING = "waiting"
    COMPARING = "comparing"
    CONFIRMING = "confirming"
    OPEN = "open"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Deadlines, in seconds."""

    pair_s: float = 3_600.0
    """PAIR_MS of spec 12: people must find each other."""
    dial_s: float = 5.0
    retry_s: float = 1.0
    yield_s: float = 1.0
    """High dials so much later than low, so that they seldom cross."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why there is no line."""

    reason: Reason
    by_peer: bool = False
    members: tuple[str, ...] = ()
    """What differs between the two proposals."""
    theirs: Policy | None = None
    cut_off: bool = False
    """The connection broke too often."""
    trouble: str = ""
    """What our own station could not do: a constant text."""


class Meeting:
    """Pairing with one station, from the card to the line."""

    def __init__(
        self,
        host: Host,
        pace: Pace,
        *,
        identity: str,
        card: Card,
        policy: Policy,
        label: str,
        again: LineRunner | None = None,
    ) -> None:
        """With `again`, a new pairing secret for that line (spec 15.22)."""
        self.identity, self.card, self.policy, self.label = identity, card, policy, label
        self.state = State.WAITING
        self.refusal: Refusal | None = None
        self.read_aloud = ""
        """What this floor reads, also after it has accepted, since the other one may still have to hear it; empty
        while nothing is to be read, or when only fingerprints may be compared."""
        self.line = b""
        self._host, self._pace = host, pace
        self._papers: Papers | SecretPapers = (
            Papers(host, card, policy) if again is None else SecretPapers(host, card, again)
        )
        self._low = host.card.root.ed25519_key < card.root.ed25519_key
        self._machine: Pairing | None = None
        self._stream: PairStream | None = None
        self._voice: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._by_low = False
        self._attempts = 0
        self._fingerprint_fits = False
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._late: asyncio.TimerHandle | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._expecting = False

    # --- what people do ----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Listen and dial."""
        if self._papers.waiting() is not None:
            self._now(State.CONFIRMING)
        tls = self._listen_for()
        self._dialling = self._task(self._dial(tls))

    def attend(self, line: bytes) -> None:
        """Listen alone: the line is open here, and the peer may have lost our last word (spec 15.25)."""
        self.line = line
        self._now(State.OPEN)
        self._listen_for()

    def _listen_for(self) -> TlsBearer:
        tls = self._host.tls
        if tls is None:
            raise Unavailable("no bearer can carry a pairing")
        tls.expect_pairing(self.card.certificate, lambda stream: self._opened(stream, dialled=False))
        self._expecting = True
        self._late = asyncio.get_running_loop().call_later(self._pace.pair_s, self._too_late)
        return tls

    def compare_fingerprint(self, text: str) -> None:
        """People entered the peer's fingerprint; also before the two stations have met. Raises Malformed, Conflict."""
        self._still()
        if not fits(read_fingerprint(text), self.card.fingerprint):
            if self._machine is not None:
                self._carry(self._machine.end(Reason.MISMATCH))
            self._refuse(Refusal(reason=Reason.MISMATCH))
            return
        self._fingerprint_fits = True
        if self.state is State.COMPARING and self._machine is not None:
            self._carry(self._machine.accept_fingerprint(self.card.fingerprint))

    def enter_heard(self, text: str) -> None:
        """People entered what the other floor read aloud. Raises Malformed, or Conflict when nothing is being read."""
        self._still()
        digits = read_heard(text)
        if self.state is not State.COMPARING or self._machine is None or not self.read_aloud:
            raise Conflict("nothing is being read aloud now: wait, or compare fingerprints")
        self._carry(self._machine.accept_heard(digits))

    def end(self) -> None:
        """People end it; what was accepted and not yet signed by the other side is forgotten."""
        if self.state in (State.OPEN, State.REFUSED):
            return
        if self._machine is not None:
            self._carry(self._machine.end(Reason.PEOPLE))
        self._papers.forget()
        self._refuse(Refusal(reason=Reason.PEOPLE))

    async def changed_from(self, state: str, wait_s: float) -> None:
        """Wait until the state is another one, or the time has passed."""
        try:
            async with asyncio.timeout(wait_s):
                while self.state.value == state:
                    await self._changed.wait()
        except TimeoutError:
            pass

    def _still(self) -> None:
        if self.state in (State.OPEN, State.REFUSED, State.CONFIRMING):
            raise Conflict("this pairing is decided already")

    # --- connections -------------------------------------------------------------------------------------------

    async def _dial(self, tls: TlsBearer) -> None:
        places = peer_addresses(self._host.config, self.card.fingerprint.hex(), self.card.addresses).get("tls", ())
        await asyncio.sleep(0 if self._low else self._pace.yield_s)
        while places and self.state not in (State.OPEN, State.REFUSED):
            if self._stream is None:
                try:
                    stream = await tls.pair_dial(self.card.certificate, places, deadline_s=self._pace.dial_s)
                except (Unavailable, Refused):  # not there yet, or an address that is none
                    pass
                else:
                    self._opened(stream, dialled=True)
            await asyncio.sleep(self._pace.retry_s)

    def _opened(self, stream: PairStream, *, dialled: bool) -> None:
        """Talk on a new connection, unless a conversation goes on; when both dialled, low's connection stays."""
        by_low = dialled is self._low
        fresh = self._machine is None or self._machine.stage in (Stage.COMMITTED, Stage.RESUMING)
        better = fresh and by_low and not self._by_low
        if self.state is State.REFUSED or (self._stream is not None and not better and self.state is not State.OPEN):
            stream.close()
            return
        self._hang_up()
        self._stream, self._by_low, self._voice = stream, by_low, asyncio.Queue()
        self._task(_speak(stream, self._voice))
        with self._answering_for():
            self._machine = machine = Pairing(self._papers.setup(), self._host.entropy)
            self._task(self._listen(stream, machine))
            if self.state is not State.OPEN:  # else only asked for what we signed already
                self._carry(machine.start())

    async def _listen(self, stream: PairStream, machine: Pairing) -> None:
        try:
            while stream is self._stream:
                frame = await stream.receive(deadline_s=self._pace.pair_s)
                if stream is self._stream:
                    self._heard(frame, machine)
        except Unavailable:
            if stream is self._stream:
                self._lost(machine)

    def _heard(self, frame: bytes, machine: Pairing) -> None:
        if self.state is State.OPEN and not (is_signed_terms(frame) or isinstance(self._papers, SecretPapers)):
            self._hang_up()  # our people have no pairing under way (spec 15.24)
            return
        self._carry(machine.receive(frame))

    def _hang_up(self) -> None:
        """End the connection, after what was given to it."""
        self._stream = self._machine = None
        self._voice.put_nowait(None)

    def _lost(self, machine: Pairing) -> None:
        self._hang_up()
        if self.state in (State.OPEN, State.REFUSED, State.CONFIRMING):
            return
        if machine.stage not in (Stage.COMMITTED, Stage.RESUMING):
            self._attempts += 1
            if self._attempts >= PAIR_ATTEMPTS:
                self._refuse(Refusal(reason=Reason.PEOPLE, cut_off=True))
                return
        self.read_aloud = ""
        self._now(State.WAITING)

    # --- what the conversation asks for ------------------------------------------------------------------------

    def _carry(self, outputs: list[Output]) -> None:
        """Do what the machine asks, in its order."""
        with self._answering_for():
            for each in outputs:
                self._do(each)

    @contextlib.contextmanager
    def _answering_for(self) -> Iterator[None]:
        """What cannot be done here ends this pairing, and nothing else."""
        try:
            yield
        except (Refused, Unavailable, Bug) as trouble:
            aborting = [] if self._machine is None else self._machine.end(Reason.PEOPLE)
            for each in aborting:
                if isinstance(each, Send):
                    self._voice.put_nowait(each.frame)
            self._refuse(Refusal(reason=Reason.PEOPLE, trouble=str(trouble)))

    def _do(self, output: Output) -> None:
        match output:
            case Send(frame):
                self._voice.put_nowait(frame)
            case Compare(own):
                self._compare(own)
            case Accepted(psk=psk, peer_nonce=nonce):
                self._accepted(psk, nonce)
            case Countersigned(line=line, signatures=signatures):
                self._countersigned(line, signatures)
            case Dropped():
                self._papers.forget()
                self._now(State.WAITING)
            case Ended():
                self._ended(output)

    def _compare(self, own: str) -> None:
        self.read_aloud = "" if self._papers.mismatched_too_often() else own
        self._now(State.COMPARING)
        if self._fingerprint_fits and self._machine is not None:
            self._carry(self._machine.accept_fingerprint(self.card.fingerprint))

    def _accepted(self, psk: bytes, nonce: bytes) -> None:
        """Write down the secret and what we sign, then give our signature away: in this order (spec 15.16)."""
        if self._machine is None:
            raise Bug("people accepted nobody")
        if isinstance(self._papers, SecretPapers):
            self._papers.keep(psk)
            self.line = self._papers.line.line
            self._now(State.OPEN)  # the other floor may still be reading: the connection stays for it
            return
        terms = two_party_terms(self._machine.setup, nonce)
        signing = self._machine.sign(terms)
        self._papers.keep(terms, psk, self.label)
        self._now(State.CONFIRMING)
        for each in signing:
            self._do(each)

    def _countersigned(self, line: bytes, signatures: tuple[Signature, ...]) -> None:
        """Both have signed: the line is open."""
        if isinstance(self._papers, SecretPapers):
            raise Bug("terms of a line that stands were signed")
        self.label = self._papers.open_line(line, signatures)
        self.line, self.read_aloud = line, ""
        self._hang_up()
        self._now(State.OPEN)

    def _ended(self, ended: Ended) -> None:
        if ended.reason is Reason.MISMATCH:
            self._papers.add_mismatch()
        self._papers.forget()
        self._refuse(Refusal(reason=ended.reason, by_peer=ended.by_peer, members=ended.members, theirs=ended.theirs))

    # --- ends --------------------------------------------------------------------------------------------------

    def _too_late(self) -> None:
        if self.state is State.OPEN:
            self.leave()
        elif self.state is not State.REFUSED:
            if self._machine is not None and self.state is not State.CONFIRMING:
                self._carry(self._machine.end(Reason.LATE))
            self._refuse(Refusal(reason=Reason.LATE))

    def _refuse(self, refusal: Refusal) -> None:
        if self.state is State.REFUSED:
            return
        self.refusal, self.read_aloud = refusal, ""
        self._now(State.REFUSED)
        self.leave()

    def leave(self) -> None:
        """Stop listening and dialling, and end the conversation. What waits stays."""
        self._hang_up()
        if self._late is not None:
            self._late.cancel()
        if self._dialling is not None:
            self._dialling.cancel()
        tls = self._host.tls
        if tls is not None and self._expecting:
            self._expecting = False
            tls.end_pairing(self.card.certificate)

    async def left(self) -> None:
        """After `leave`: wait until nobody dials, listens or speaks any more."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _now(self, state: State) -> None:
        self.state = state
        self._changed.set()
        self._changed = asyncio.Event()

    def _task(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _speak(stream: PairStream, voice: "asyncio.Queue[bytes | None]") -> None:
    """Send frames until told to end; a lost connection is noticed by who listens."""
    try:
        while (frame := await voice.get()) is not None:
            await stream.send(frame)
    except Unavailable:
        pass
    finally:
        stream.close()
