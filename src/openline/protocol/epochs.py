"""Opening an epoch with one peer: first, renewal and rescue are one handshake.

    initiator                                   responder
    IDLE --start--> CALLING --- init ----------> ANSWERED
                       |   <-- reply -----------    |
                    PROVED --- finish ---------->  opens the epoch
    opens the epoch    <-- confirm -------------

Each side seals a fresh 32-byte share to the other's fresh X-Wing offer; the
root comes from both shares, the pairing secret and, where both still have
it, the root before. Each shows the other a MAC under the new root before it
is used. Messages are signed by lane keys and travel in handshake envelopes.

Nothing of a handshake under way is kept: a crash starts another attempt.

Spec: spec/10-epochs.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from openline.kernel.codec import Fields, Value, decode, encode
from openline.kernel.crypto import (
    ED25519_SIGNATURE,
    XWING_PUBLIC,
    XWING_SEALED_32,
    Signer,
    Verifier,
    digest,
    same,
    xwing_public,
)
from openline.kernel.errors import Forged, Malformed, Replayed
from openline.kernel.keys import EpochContext, confirmation, epoch_root, open_share, seal_share
from openline.kernel.lane import Head
from openline.kernel.units import Entropy
from openline.protocol.entries import MAX_STATEMENT

INIT, REPLY, FINISH, CONFIRM, NO = 20, 21, 22, 23, 24
MAX_ATTEMPT = 2**32 - 1
MAX_JUMP = 4_096
"""How far one `no` moves the attempt number: eleven years of daily renewals. One that names the last number there is would
otherwise end all handshakes; whoever truly is further ahead is followed in a few steps."""
FREE_JUMP = 64
"""How far above the highest one known an init is answered at once; beyond, a `no` first, of which few pass (spec 10.17)."""
RESEND_MS = (1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000)
"""When the last message is sent again: doubling to a minute, which a 300 bit/s link can still carry."""
PATIENCE = 4
"""Repetitions of a finish before the attempt is given up: 15 s, longer than a restart takes."""
_SIGNED = b"openline/1 handshake\n"
NO_ROOT = bytes(32)


def shown_statement(members: Fields) -> bytes:
    """The key statement that an init or reply shows; empty if it shows none. Raises Malformed or TooLarge."""
    place = {INIT: 5, REPLY: 6}.get(members.uint(0, 255))
    return b"" if place is None else members.bytes(place, most=MAX_STATEMENT)


class Stage(Enum):
    """Where this side stands."""

    IDLE = "idle"
    CALLING = "calling"
    PROVED = "proved"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An epoch that both sides have proved to each other."""

    attempt: int
    root: bytes = field(repr=False)
    base: int
    """The attempt whose root went in; 0 for none (first, or rescue)."""
    transcript: bytes
    initiator: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a step of the handshake leads to."""

    messages: tuple[bytes, ...] = ()
    opened: Opened | None = None
    refused: bool = False
    """It is a `no`: the caller lets few of them pass."""
    answered: bool = False
    """It answers an init not heard before: public-key work that the caller lets happen seldom."""


class Handshake:
    """One peer's handshake. The caller seals messages, keeps the clock and persists what opens."""

    def __init__(
        self, *, line: bytes, own_root: bytes, peer_root: bytes, psk: bytes, signer: Signer, attempt: int
    ) -> None:
        self._line, self._own, self._peer, self._psk, self._signer = line, own_root, peer_root, psk, signer
        self.attempt = attempt
        """The highest attempt made, answered or completed."""
        self._statement, self._known = b"", True
        self.stage = Stage.IDLE
        self._completed = attempt
        self._tried = 0
        self._reach = FREE_JUMP
        self._last: bytes = b""
        self._confirm: tuple[int, bytes] = (0, b"")
        self._init = self._reply = self._root = b""
        self._base = 0
        self._seed = self._share = self._base_root = b""

    def wait_ms(self) -> int:
        """How long to wait before `again`."""
        return RESEND_MS[min(self._tried, len(RESEND_MS) - 1)]

    def speak_as(self, signer: Signer, statement: bytes, *, known: bool) -> None:
        """Sign with that key from now on; `statement` is the root's for it, empty for the key of the terms.

        Where `known`, the peer has acknowledged an entry under that key: then only a rescue shows the statement
        again, as its other side may have lost everything (spec 10.27).
        """
        self._signer, self._statement, self._known = signer, statement, known

    def use(self, psk: bytes) -> None:
        """The pairing secret that the attempt under way goes on with: that of the peer's last message."""
        self._psk = psk

    def _shown(self, base: int) -> bytes:
        return b"" if base and self._known else self._statement

    def _context(self, *, initiator: bool) -> EpochContext:
        first, second = (self._own, self._peer) if initiator else (self._peer, self._own)
        return EpochContext(line=self._line, attempt=self.attempt, initiator=first, responder=second)

    def _sign(self, members: list[Value]) -> bytes:
        place = _SIGNED + self._line + self._own + self._peer
        return encode([*members, self._signer.ed25519(place + digest(encode(members)))])

    def start(self, heads: Sequence[Head], base: int, base_root: bytes, entropy: Entropy) -> Said:
        """Begin an attempt as initiator; `base` 0 and NO_ROOT where no earlier root is left."""
        self.attempt = min(self.attempt + 1, MAX_ATTEMPT)
        self._seed, self._base, self._base_root = entropy(32), base, base_root
        named: list[Value] = [
            [h.lane.number, h.lane.generation.counter, h.lane.generation.nonce, h.size, h.root] for h in heads
        ]
        self._init = self._sign([INIT, self.attempt, base, xwing_public(self._seed), named, self._shown(base)])
        self.stage, self._tried, self._last = Stage.CALLING, 0, self._init
        return Said(messages=(self._init,))

    def again(self) -> Said:
        """Send the last message once more; the same bytes."""
        if self.stage is Stage.IDLE or not self._last:
            return Said()
        self._tried += 1
        if self.stage is Stage.PROVED and self._tried > PATIENCE:
            self.abandon()  # the peer fell between opening the epoch and telling us: only another attempt helps
            return Said()
        return Said(messages=(self._last,))

    def abandon(self) -> None:
        """Forget an attempt under way and its secrets."""
        self.stage = Stage.IDLE
        self._last = self._seed = self._share = self._root = b""

    def receive(
        self,
        message: bytes,
        peer_key: Verifier,
        heads: Sequence[Head],
        roots: dict[int, bytes],
        entropy: Entropy,
        *,
        yields: bool,
        may_refuse: bool = True,
        may_answer: bool = True,
        may_rescue: bool = True,
    ) -> Said:
        """Take a message of the peer.

        `roots` are the epoch roots at hand by attempt; `yields` says that at
        equal attempts the peer's init stands (it has the lower party number).
        Without `may_refuse` or `may_answer`, what would be a `no` or the answer
        to a new init is nothing at all; without `may_rescue`, one without a base is refused (spec 10.22).
        Raises Malformed, Forged or Replayed: nothing changed.
        """
        members = Fields(decode(message))
        match members.uint(0, 255):
            case 20:
                return self._on_init(
                    message, members, peer_key, heads, roots, entropy,
                    yields=yields, may_refuse=may_refuse, may_answer=may_answer, may_rescue=may_rescue,
                )  # fmt: skip
            case 21:
                return self._on_reply(message, members, peer_key, entropy)
            case 22:
                return self._on_finish(members)
            case 23:
                return self._on_confirm(members)
            case 24:
                return self._on_no(members)
            case _:
                raise Malformed("no handshake message")

    def _check(self, members: Fields, count: int, key: Verifier) -> None:
        """Raise Forged unless the last of `count + 1` members signs the others."""
        if len(members) != count + 1:
            raise Malformed("a handshake message of another length")
        body = encode([members.any(place) for place in range(count)])
        place = _SIGNED + self._line + self._peer + self._own
        key.ed25519(members.bytes(count, exactly=ED25519_SIGNATURE), place + digest(body))

    def _on_init(  # noqa: PLR0917 - see receive
        self,
        message: bytes,
        members: Fields,
        key: Verifier,
        heads: Sequence[Head],
        roots: dict[int, bytes],
        entropy: Entropy,
        *,
        yields: bool,
        may_refuse: bool,
        may_answer: bool,
        may_rescue: bool,
    ) -> Said:
        attempt, base = members.uint(1, MAX_ATTEMPT), members.uint(2, MAX_ATTEMPT)
        offer = members.bytes(3, exactly=XWING_PUBLIC)
        self._check(members, 6, key)
        if self.stage is Stage.ANSWERED and message == self._init:
            return Said(messages=(self._reply,))  # our reply was lost
        answering = self.stage is Stage.ANSWERED and attempt < self.attempt
        far = attempt > max(self.attempt, self._completed) + self._reach
        barred = not base and not may_rescue
        if attempt <= self._completed or answering or far or barred or (base and base not in roots):
            if not may_refuse:
                return Said()
            if far:
                self._reach += MAX_JUMP
            known = int(not base or base in roots)
            following = attempt + 1 if far else self.attempt + 1
            return Said(messages=(encode([NO, attempt, min(following, MAX_ATTEMPT), known]),), refused=True)
        if self.stage in (Stage.CALLING, Stage.PROVED) and (
            attempt < self.attempt or (attempt == self.attempt and not yields)
        ):
            return Said()  # glare: our init stands, and the peer will answer it
        if not may_answer:
            return Said()
        seed, share = entropy(32), entropy(32)
        context = EpochContext(line=self._line, attempt=attempt, initiator=self._peer, responder=self._own)
        heard = digest(message)
        sealed = seal_share(context, heard, offer, share)  # raises for a bad offer, before anything has changed
        self.attempt, self._init, self._base, self._reach = attempt, message, base, FREE_JUMP
        self._base_root = roots[base] if base else NO_ROOT
        self._seed, self._share = seed, share
        named: list[Value] = [
            [h.lane.number, h.lane.generation.counter, h.lane.generation.nonce, h.size, h.root] for h in heads
        ]
        self._reply = self._sign([REPLY, attempt, heard, xwing_public(self._seed), sealed, named, self._shown(base)])
        self.stage, self._tried, self._last = Stage.ANSWERED, 0, b""
        return Said(messages=(self._reply,), answered=True)

    def _on_reply(self, message: bytes, members: Fields, key: Verifier, entropy: Entropy) -> Said:
        offer, sealed = members.bytes(3, exactly=XWING_PUBLIC), members.bytes(4, exactly=XWING_SEALED_32)
        self._check(members, 7, key)
        if self.stage is Stage.PROVED and message == self._reply:
            return Said(messages=(self._last,))  # our finish was lost
        if self.stage is not Stage.CALLING or members.bytes(2) != digest(self._init):
            raise Replayed("a reply to another attempt")
        context = self._context(initiator=True)
        theirs = open_share(context, digest(self._init), self._seed, sealed)
        ours = entropy(32)
        heard = digest(self._init + message)
        finish = seal_share(context, heard, offer, ours)
        transcript = digest(self._init + message + finish)
        self._root = epoch_root(context, transcript, self._base_root, (ours, theirs), self._psk)
        self._reply = message
        mac = confirmation(self._root, transcript, initiator=True)
        self._last = encode([FINISH, self.attempt, finish, mac])
        self.stage, self._tried, self._seed = Stage.PROVED, 0, b""
        return Said(messages=(self._last,))

    def _on_finish(self, members: Fields) -> Said:
        attempt, sealed, mac = members.uint(1, MAX_ATTEMPT), members.bytes(2), members.bytes(3, exactly=32)
        if attempt and attempt == self._confirm[0]:
            return Said(messages=(self._confirm[1],))  # our confirm was lost
        if self.stage is not Stage.ANSWERED or attempt != self.attempt:
            raise Replayed("a finish of another attempt")
        context = self._context(initiator=False)
        theirs = open_share(context, digest(self._init + self._reply), self._seed, sealed)
        transcript = digest(self._init + self._reply + sealed)
        root = epoch_root(context, transcript, self._base_root, (theirs, self._share), self._psk)
        if not same(mac, confirmation(root, transcript, initiator=True)):
            raise Forged("the peer derived another epoch")
        answer = encode([CONFIRM, attempt, confirmation(root, transcript, initiator=False)])
        self._confirm = (attempt, answer)
        return self._open(root, transcript, (answer,), initiator=False)

    def _on_confirm(self, members: Fields) -> Said:
        if self.stage is not Stage.PROVED or members.uint(1, MAX_ATTEMPT) != self.attempt:
            raise Replayed("a confirmation of another attempt")
        finish = Fields(decode(self._last)).bytes(2)
        transcript = digest(self._init + self._reply + finish)
        if not same(members.bytes(2, exactly=32), confirmation(self._root, transcript, initiator=False)):
            raise Forged("the peer derived another epoch")
        return self._open(self._root, transcript, (), initiator=True)

    def _open(self, root: bytes, transcript: bytes, messages: tuple[bytes, ...], *, initiator: bool) -> Said:
        opened = Opened(attempt=self.attempt, root=root, base=self._base, transcript=transcript, initiator=initiator)
        self._completed, self._reach = self.attempt, FREE_JUMP
        self.abandon()
        return Said(messages=messages, opened=opened)

    def _on_no(self, members: Fields) -> Said:
        """The peer cannot take this attempt: number the next one above its own, without a base it does not have."""
        if self.stage is not Stage.CALLING or members.uint(1, MAX_ATTEMPT) != self.attempt:
            raise Replayed("a refusal of another attempt")
        following = members.uint(2, MAX_ATTEMPT)
        base_known = members.uint(3, 1) == 1
        self.attempt = max(self.attempt, min(following - 1, self.attempt + MAX_JUMP))
        if not base_known:
            self._base = 0
        self.abandon()
        return Said()

    @property
    def base_refused(self) -> bool:
        """Whether the peer said that it lacks our base, so that the next attempt must be a rescue."""
        return self._base == 0
