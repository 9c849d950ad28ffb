"""Delivery to one peer: epochs, windows, what is under way and until when.

A bearer taking an envelope means nothing. The peer's `first_unopened` says
that an envelope was opened and what it said is durable there; the peer's
signed acknowledgement says that it holds an entry. So an envelope is kept
and offered again, the same bytes, until it was opened; and entries that stay
unacknowledged though nothing is under way are sealed anew.

Spec: spec/07-delivery.md, spec/09-envelopes.md.
"""

from collections import OrderedDict, deque

from openline.kernel.codec import encode
from openline.kernel.errors import TooLarge
from openline.kernel.lane import Generation
from openline.kernel.units import BUCKETS, MAX_SEQ, RESERVE, WINDOW
from openline.protocol.call_rooms import Outgoing
from openline.protocol.epochs import Handshake, Stage
from openline.protocol.events import Link, Transmit
from openline.protocol.fragments import Streams, cut
from openline.protocol.frames import encode_content
from openline.protocol.haste import Haste
from openline.protocol.open_epoch import Epoch
from openline.protocol.pacing import Pace
from openline.protocol.records import PutPeer
from openline.protocol.secrets import Secrets
from openline.protocol.under_way import Asked, Given, Part, Sent, floor_told, opened_told

RETRY_MS = (1_000, 2_000, 4_000, 8_000, 16_000, 30_000)
"""Waits before an unopened envelope is offered again: a lost one costs a second, a dead link two an minute."""
FLASH_RETRY_MS = (500, 500, 1_000, 2_000, 4_000, 8_000, 15_000)
MOST_ROUND_TRIP_MS = 10_000
GAP_MS = 300
"""How long a gap may last before it is asked for: two bearers seldom differ by more."""
BY_HAND_MS = 3_600_000
"""A way that takes an hour or more is a courier's."""
RESEAL_MS = 5_000
"""Nothing under way and entries still unacknowledged after this long: they are sealed anew; doubles to a minute."""
RESEAL_MOST_MS = 60_000
ANSWERED_MS = 5_000
"""How long a caller that was answered is given to go on, before this side calls itself and undoes its answer."""
OVERLAP_MS = 60_000
"""How long the keys of a left epoch outlive the peer's `last`: what is still in flight is sealed anew anyway."""
HANDSHAKE_BYTES = 2_048
"""An init in fragments (10.3): what a thin bearer carries before the other side knows that it was called."""
CONTENT_OVERHEAD = 16
"""Array head, two window numbers of up to 5 bytes each, and slack."""
MAX_CONTROL = 256
"""Control frames waiting for one peer; a peer that asks for more is not answered until some have gone."""


class Peer:
    """Everything about one other party that delivery needs."""

    def __init__(self, party: int, handshake: Handshake, secrets: Secrets, kept: PutPeer | None) -> None:
        self.party, self.handshake, self.secrets = party, handshake, secrets
        self.epoch = Epoch(kept.epoch) if kept and kept.epoch else None
        self.previous = Epoch(kept.previous) if kept and kept.previous else None
        self.previous_ends: tuple[int, int] | None = None  # (last index, steady deadline)
        self.holds = {(lane, generation): size for lane, generation, size in kept.acknowledged} if kept else {}
        self.heard: dict[tuple[tuple[int, Generation], tuple[int, Generation]], int] = {}
        """(its lane generation, the one acknowledged) -> size, to see one going back."""
        self.ended = {(lane, generation): (size, root) for lane, generation, size, root in kept.ended} if kept else {}
        """What it signed that it holds of ended generations, as far as that does not count yet: not so much is here."""
        self.suspected = kept.suspected if kept else ""
        self.sent: dict[tuple[int, Generation], int] = {}
        self.kept_to: dict[tuple[int, Generation], int] = {}  # what was once sealed to be kept until opened (spec 4.18)
        self.full: set[tuple[int, Generation]] = set()
        self.introduced: set[tuple[int, Generation]] = set()  # whose seed has gone ahead of their first entries
        self.outbox: dict[int, Sent] = {}
        self.control: deque[bytes] = deque()
        self.bulk: deque[bytes] = deque()
        self.announced = self.epoch.incoming.first_unopened if self.epoch else 0
        # After a restart nothing old is sent again: what was under way counts as gone, and the floor says so.
        self.first_unopened = self.floor = self.epoch.outgoing.index if self.epoch else 0
        self.needed: dict[tuple[int, Generation], int] = {}
        self.consumed: OrderedDict[bytes, bool] = OrderedDict()
        """Tags of what was opened: carried it something in haste."""
        self.haste, self.signals = Haste(), Outgoing()
        self.echo_due = self.floor_due = False
        self.echoed_at = self.echoes = 0  # when what it repeats was answered, how often since it opened something
        self.largest = self.smallest = self.widest = self.bulky = 0  # see events.Link
        self.one_way = False
        self.call_later_ms = 0
        """How much later than the peer this side calls when a link comes up: one of the two is enough."""
        self.pace = Pace()
        self.sealed: OrderedDict[tuple[bytes, int, tuple[bytes, ...]], tuple[bytes, ...]] = OrderedDict()
        """Handshake messages and how they were sealed last: (its hash, room, names of keys) -> envelopes (spec 10.13)."""
        self.repeated = False  # what went to it last was a repeat
        self.handshake_due: int | None = None
        self.heard_at = self.progress_at = 0
        self.reseal_ms = RESEAL_MS
        self.unknown_tags = 0
        self.base_ok = True
        self.streams, self.handshake_streams = Streams(), Streams()
        """Apart, as handshake envelopes can be replayed by anybody: that must not push out what an epoch carries."""
        self.refuse_after = self.answer_after = self.rescue_at = self.refusals = 0
        """Before the first two no further `no`, and no answer to a new init; when it last said that it has lost its keys; how
        often it said `no` since an epoch was opened."""
        self.parts: deque[Part] = deque()
        self.unheard: set[tuple[int, Generation]] = set()
        """Lanes of which it acknowledged more than was held here then: to be looked at again when they have grown."""
        self.told: dict[tuple[int, Generation], int] = {}
        self.wanted: dict[tuple[int, Generation], Asked] = {}
        self.given: dict[tuple[int, Generation], Given] = {}
        self.gaps: dict[tuple[int, Generation], int] = {}
        self.cropped: set[tuple[int, Generation]] = set()
        """Lanes of which more came early than is kept: to be asked for, as its sender believes it is here."""
        self.asked: set[tuple[int, Generation]] = set()
        """Lanes, its own among them, of which it asked for what it lacks: your adversary is your backup."""
        self.audited: set[tuple[int, Generation]] = set()
        self.noted: dict[tuple[int, Generation], int] = {}
        self.behind: dict[tuple[int, Generation], int] = {}
        self.smoothed_ms, self.silent_for = 500, 0

    def forget(self, lanes: list[tuple[int, Generation]]) -> None:
        """Drop what is remembered of lanes that were only ever announced: announcing fills no memory."""
        for key in lanes:
            for sizes in (
                self.sent,
                self.told,
                self.needed,
                self.wanted,
                self.given,
                self.gaps,
                self.noted,
                self.behind,
            ):
                sizes.pop(key, None)
            for keys in (self.full, self.unheard, self.asked, self.audited, self.introduced, self.cropped):
                keys.discard(key)

    def begin_anew(self) -> None:
        """It opened another generation: what it held before counts no more (spec 13.9), and it is owed all of that again.

        What it said of its own lanes stands: this is what it has lost and is getting back.
        """
        self.holds.clear()
        self.heard.clear()
        self.ended.clear()
        self.given = {key: given.at_once(0) for key, given in self.given.items() if given.owed}
        for sizes in (self.told, self.sent):
            for key in [known for known in sizes if known[0] // 2 != self.party]:
                del sizes[key]

    # --- epochs ---

    def record(self) -> PutPeer:
        """For the store."""
        return PutPeer(
            party=self.party,
            attempt=self.handshake.attempt,
            acknowledged=tuple((lane, generation, size) for (lane, generation), size in self.holds.items()),
            epoch=self.epoch.record() if self.epoch else None,
            previous=self.previous.record() if self.previous else None,
            suspected=self.suspected,
            ended=tuple((lane, generation, *of) for (lane, generation), of in self.ended.items()),
        )

    def lose_epochs(self) -> bool:
        """Forget the keys of all epochs; return whether there were any. The next one is a rescue."""
        had = self.epoch is not None or self.previous is not None
        self.epoch = self.previous = None
        return had

    def switch(self, epoch: Epoch, now: int) -> int | None:
        """Send under a new epoch from now on; return the index at which sending in the old one ended."""
        left = self.epoch
        self.previous, self.previous_ends = left, None
        if left is not None:
            self.previous_ends = (MAX_SEQ, now + self.pace.long_patience(OVERLAP_MS, now))
            left.root = bytes(32)  # erased: its only use left was as a base, and the new root stands on it
        self.epoch = epoch
        self.outbox.clear()
        self.first_unopened = self.announced = self.floor = 0
        self.unknown_tags = 0
        self.base_ok = True
        self.handshake_due = None
        self.sent, self.kept_to = {}, {}
        self.introduced.clear()
        self.signals.again()
        self.parts.clear()
        self.consumed.clear()
        return left.outgoing.index if left is not None else None

    # --- windows ---

    def room(self, now: int, *, precedence: int, acknowledgement: bool) -> bool:
        """Whether an envelope of that sort may go now (spec 9.12): content, then acknowledgements, then FLASH only."""
        epoch = self.epoch
        if epoch is None or not epoch.outgoing.left or (precedence and not self.pace.takes(now)):
            return False
        ahead = epoch.outgoing.index - self.first_unopened
        if precedence == 0 and not acknowledgement:
            return ahead < WINDOW
        return ahead < (WINDOW - RESERVE if acknowledgement else WINDOW // 2)

    def may_tell(self) -> bool:
        """Whether an envelope of the window numbers alone may go now (spec 9.13).

        Far ahead of what the peer has opened only with something new, as what is kept tells the rest again and again.
        Such news may use half of the reserve: else two that are both at their bound would wait for each other for ever.
        """
        epoch = self.epoch
        if epoch is None or not epoch.outgoing.left:
            return False
        ahead = epoch.outgoing.index - self.first_unopened
        told = floor_told(self.outbox, self.first_unopened) and opened_told(self.outbox, self.announced)
        return ahead < WINDOW // 2 or (ahead < WINDOW - RESERVE // 2 and not told)

    def capacity(self, precedence: int, *, bulk: bool = False) -> int:
        """Bytes of frames that fit one envelope for the bearers that are to carry it."""
        limit = (self.bulky if bulk else self.smallest if precedence == 0 else self.largest) or BUCKETS[-1]
        fitting = [bucket for bucket in BUCKETS if bucket <= limit]
        return (fitting[-1] if fitting else BUCKETS[0]) - 25 - CONTENT_OVERHEAD

    def seal(
        self, frames: list[bytes], now: int, *, precedence: int, bulk: bool, kept: bool, part: bool = False
    ) -> Transmit:
        """One envelope of these frames; the caller asked `room`.

        A kept one stays in the outbox until opened. Pure acknowledgements are
        not kept while the window is wide open: if one is lost, the peer sends
        again what it was about, and that brings it back (spec 7.5).
        """
        epoch = self.epoch
        if epoch is None:
            raise TooLarge("no epoch is open")
        self.floor = min(self.outbox, default=epoch.outgoing.index)
        content = encode_content(self.announced, self.floor, frames)
        index, envelope = epoch.outgoing.seal(content)
        self.pace.took(len(envelope), now, bulk=bulk)
        if kept or index - self.first_unopened >= WINDOW // 2:
            self.outbox[index] = Sent(
                envelope=envelope,
                due=now + self._wait(0, precedence, now),
                tries=0,
                precedence=precedence,
                bulk=bulk,
                at=now,
                part=part,
                floor=self.floor,
                announced=self.announced,
            )
        self.silent_for, self.echo_due, self.floor_due = 0, False, False
        return Transmit(party=self.party, envelope=envelope, precedence=precedence, bulk=bulk)

    def _wait(self, tries: int, precedence: int, now: int) -> int:
        table = FLASH_RETRY_MS if precedence == 0 else RETRY_MS
        return self.pace.patience(max(table[min(tries, len(table) - 1)], 2 * self.smoothed_ms), now)

    def opened_up_to(self, first_unopened: int, now: int) -> None:
        """The peer has opened, durably, all below this index. What was never sent nobody has opened: that says nothing."""
        if self.epoch is None or not self.first_unopened < first_unopened <= self.epoch.outgoing.index:
            return
        self.first_unopened, self.echoes = first_unopened, 0
        self.signals.opened(first_unopened)
        for index in [known for known in self.outbox if known < first_unopened]:
            sent = self.outbox.pop(index)
            if not sent.tries:  # and what waited for a cut to end says nothing of the bearers
                took = min(now - sent.at, max(MOST_ROUND_TRIP_MS, 4 * self.pace.slow_ms))
                self.smoothed_ms += (took - self.smoothed_ms) // 8
        self.progress_at = now  # opened is not held: only what it signs makes patience start anew

    def progress(self, now: int) -> None:
        """The peer is getting on: patience starts anew."""
        self.progress_at, self.reseal_ms = now, RESEAL_MS

    def retransmissions(self, now: int) -> list[Transmit]:
        """Unopened envelopes whose time has come, the same bytes again: the most urgent first, but none twice before the lowest."""
        if not self.largest:
            return []
        again: list[Transmit] = []
        # It may wait for one that is gone: an envelope sealed now tells the floor of now.
        self.floor_due = self.floor_due or not floor_told(self.outbox, self.first_unopened)
        lowest = min(self.outbox, default=0)  # it alone holds back what the peer can say of all others (spec 9.27)
        due = [(index != lowest and sent.tries > 0, sent) for index, sent in self.outbox.items() if sent.due <= now]
        for _, sent in sorted(due, key=lambda each: (each[0], each[1].precedence)):
            if not self.pace.takes(now):
                sent.due = self.pace.busy_until
                continue
            sent.tries += 1
            self.pace.took(len(sent.envelope), now, bulk=sent.bulk)
            sent.due = now + self._wait(sent.tries, sent.precedence, now)
            again.append(
                Transmit(
                    party=self.party,
                    envelope=sent.envelope,
                    precedence=sent.precedence,
                    bulk=sent.bulk,
                    tries=sent.tries,
                )
            )
        return again

    def link(self, link: Link, now: int) -> bool:
        """The bearers changed; on a link that came back, or a better one (True), everything unopened is due at once."""
        was_down, slow_ms = not self.largest, self.pace.slow_ms
        quicker = self.pace.link(link, now)
        came_up = link.largest > self.largest or ((quicker or link.anew) and link.largest > 0)
        self.largest, self.smallest, self.widest = link.largest, link.smallest, max(link.widest, link.largest)
        self.bulky, self.one_way = link.largest if link.bulk is None else link.bulk, link.one_way
        if was_down or link.slow_ms != slow_ms:  # what a courier took in the meantime says nothing of this one
            self.smoothed_ms = max(500, 2 * link.slow_ms)
        if came_up:
            for sent in self.outbox.values():
                sent.due = now
            if self.handshake_due is not None:
                self.handshake_due = now + self._call_later(now)
            self.progress_at = now
            # What lacks was to be asked for at the pace of the bearers before, and may have been lost with them.
            self.wanted.clear()
            self.given = {key: given.at_once(now) for key, given in self.given.items() if given.owed}
            for key, due in self.gaps.items():
                self.gaps[key] = min(due, now + self.pace.patience(GAP_MS, now))
        return came_up

    def _call_later(self, now: int) -> int:
        """How long to leave the call to the peer, on a link that came up: one of the two is enough."""
        if self.handshake.stage is Stage.ANSWERED:
            return self.pace.long_patience(ANSWERED_MS, now)
        if self.pace.slow_ms >= BY_HAND_MS:
            return 0  # somebody stands there with a stick: it takes the call along
        return self.call_later_ms and max(self.call_later_ms, self.pace.transfer_ms(HANDSHAKE_BYTES))

    def deadline(self, now: int) -> int | None:
        """When this peer next needs a tick."""
        times = [] if self.handshake_due is None else [self.handshake_due]
        times.extend(self.gaps.values())
        times.extend(given.due for given in self.given.values() if given.owed)
        if self.largest and self.outbox:
            times.append(min(sent.due for sent in self.outbox.values()))
        if self.largest and self.epoch and not self.outbox and self.behind_on():
            times.append(self.progress_at + self.pace.long_patience(self.reseal_ms, now))
        if self.largest and (free := self.pace.free_at(now)) is not None:
            times.append(free)
        if self.previous_ends is not None:
            times.append(self.previous_ends[1])
        return min(times, default=None)

    def behind_on(self) -> list[tuple[int, Generation]]:
        """Lane generations of which the peer has not acknowledged all that was sent and needs acknowledging."""
        return [key for key, size in self.sent.items() if min(size, self.needed.get(key, 0)) > self.has(key)]

    def has(self, key: tuple[int, Generation]) -> int:
        """How far the peer holds a lane generation, as it signed or at least said: what decides about sending only."""
        return max(self.holds.get(key, 0), self.told.get(key, 0))

    def note_opened(self, envelope: bytes) -> None:
        """An envelope of the current epoch opened; remember its tag, so that seeing it again is understood."""
        self.consumed[envelope[:7]], self.haste.shown = self.haste.shown, False
        if len(self.consumed) > WINDOW:
            self.consumed.popitem(last=False)
        self.silent_for += 1

    def seen_again(self, envelope: bytes) -> bool:
        """Whether this is an opened envelope once more: the peer has not heard us, and is owed a sign of life."""
        if envelope[:7] not in self.consumed:
            return False
        self.echo_due = True
        self.haste.again = self.haste.again or self.consumed[envelope[:7]]
        return True

    def reseal(self, now: int) -> bool:
        """If nothing is under way and the peer still lacks what was sent, forget that it was sent."""
        behind = self.behind_on()
        if not behind or self.outbox or now - self.progress_at < self.pace.long_patience(self.reseal_ms, now):
            return False
        for key in behind:
            self.sent[key] = self.has(key)
        self.progress_at, self.reseal_ms = now, min(2 * self.reseal_ms, RESEAL_MOST_MS)
        return True

    def tell(self, frame: bytes, *, haste: bool = False) -> bool:
        """Queue a control frame. Returns False, and it is not queued, while too many wait: who does not listen fills nothing."""
        waiting = self.haste.wants if haste else self.control
        if len(waiting) >= MAX_CONTROL:
            return False
        waiting.append(frame)
        return True

    # --- fragments ---

    def may_fragment(self, precedence: int) -> bool:
        """Whether another large frame of that precedence may be cut up now: one at a time, as the peer joins only four."""
        waiting = any(part.precedence == precedence for part in self.parts)
        return not waiting and not any(sent.part and sent.precedence == precedence for sent in self.outbox.values())

    def fragment(self, frame: bytes, stream: int, *, precedence: int, bulk: bool) -> None:
        """Queue a frame too large for one envelope as fragment frames that fit (spec 8.11)."""
        size = max(64, self.capacity(precedence, bulk=bulk) - 24)
        self.parts.extend(
            Part(frame=piece, precedence=precedence, bulk=bulk) for piece in cut(_array_head(1) + frame, stream, size)
        )


def _array_head(count: int) -> bytes:
    return encode([None] * count)[: -count or None]
