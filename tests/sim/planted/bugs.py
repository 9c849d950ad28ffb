"""Bugs put in by hand, one a function: each must be found, or the simulator proves nothing.

Each patches the program inside this process, which is a fresh one:

    python -m tests.sim --plant mark-not-written --seeds 20

`BUGS` names for each the profiles in which it shows and the checks that may find it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from openline.kernel import envelope, lane
from openline.kernel.codec import Fields, decode
from openline.kernel.crypto import Verifier, digest
from openline.kernel.envelope import Incoming, Outgoing
from openline.kernel.errors import Forged
from openline.protocol import call_rooms, lanes
from openline.protocol import engine as engines
from openline.protocol.auditing import Auditing
from openline.protocol.call_states import CallBook
from openline.protocol.delivery import Peer
from openline.protocol.engine import Engine
from openline.protocol.epochs import Handshake, Said
from openline.protocol.events import Commit, Output
from openline.protocol.gathering import Gathering
from openline.protocol.intake import Intake
from openline.protocol.lane_state import LaneState
from openline.protocol.lanes import LaneBook
from openline.protocol.quotas import PartyQuotas
from openline.protocol.records import Append, PutEvidence, Write
from openline.protocol.restart import Continue
from openline.protocol.transcript import Fold


def _wrap(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    setattr(owner, name, make(getattr(owner, name)))


def send_before_commit() -> None:
    """Entries count as durable as soon as they are in memory."""

    def make(real: Any) -> Any:
        def grow(self: LaneState, *given: Any) -> Any:
            rows = real(self, *given)
            self.durable = self.size
            return rows

        return grow

    _wrap(LaneState, "grow", make)


def acknowledge_before_durable() -> None:
    """What a peer said is written one commit later than the entry that acknowledges it."""
    late: dict[int, list[Write]] = {}

    def make(real: Any) -> Any:
        def begin(self: Engine) -> list[Output]:
            outputs: list[Output] = []
            for output in real(self):
                if isinstance(output, Commit):
                    theirs = [w for w in output.writes if isinstance(w, Append) and w.lane.party != self.party]
                    rest = tuple(w for w in output.writes if w not in theirs)
                    output = replace(output, writes=(*late.pop(id(self), ()), *rest))  # noqa: PLW2901
                    late[id(self)] = [*theirs]
                outputs.append(output)
            return outputs

        return begin

    _wrap(Engine, "_begin", make)


def mark_not_written() -> None:
    """The high-water mark is never asked for."""

    def make(real: Any) -> Any:
        def begin(self: Engine) -> list[Output]:
            return [replace(o, mark=None) if isinstance(o, Commit) else o for o in real(self)]

        return begin

    _wrap(Engine, "_begin", make)


def continues_after_restore() -> None:
    """A store that came back from a backup writes on in its old generation."""
    real = engines.judge  # type: ignore[attr-defined]

    def judge(line: bytes, party: int, mark: Any, reader: Any) -> Any:
        own = [known.generation for known in reader.generations() if known.party == party]
        return Continue(max(own)) if own else real(line, party, mark, reader)

    engines.judge = judge  # type: ignore[attr-defined]


def signature_not_checked() -> None:
    """Whatever follows on a lane is taken, whoever signed it."""

    def accept(of: Any, peaks: Any, entries: Any, signature: bytes, owner: Verifier) -> Any:
        return lane.extend(of, peaks, entries)

    lanes.accept = accept  # type: ignore[attr-defined,assignment]


def tag_not_consumed() -> None:
    """An opened envelope can be opened again."""

    def consume(self: Incoming, index: int, tag: bytes) -> None:
        """Nothing."""

    Incoming._consume = consume  # type: ignore[method-assign]


def acknowledgements_maxed_over_generations() -> None:
    """What a restored peer says it holds never lowers what it said before."""

    class Kept(dict[Any, int]):
        def clear(self) -> None:
            """Nothing."""

    def make(real: Any) -> Any:
        def init(self: Peer, *given: Any, **named: Any) -> None:
            real(self, *given, **named)
            self.holds, self.told, self.sent = Kept(self.holds), Kept(), Kept()

        return init

    _wrap(Peer, "__init__", make)


def opened_before_durable() -> None:
    """The peer is told that an envelope was opened before the disk knows it."""

    def make(real: Any) -> Any:
        def seal(self: Peer, *given: Any, **named: Any) -> Any:
            if self.epoch is not None:
                self.announced = self.epoch.incoming.first_unopened
            return real(self, *given, **named)

        return seal

    _wrap(Peer, "seal", make)


def never_sealed_anew() -> None:
    """What stays unacknowledged with nothing under way is not sealed again."""

    def reseal(self: Peer, now: int) -> bool:
        return False

    Peer.reseal = reseal  # type: ignore[method-assign]
    Peer.behind_on = lambda self: []  # type: ignore[method-assign]


def forks_ignored() -> None:
    """Two histories under one key are nobody's business."""

    def proved(self: Auditing, *given: Any) -> None:
        """Nothing."""

    Auditing._proved = proved  # type: ignore[method-assign,assignment]


def quota_ignored() -> None:
    """A peer may add as much as it likes."""

    def take(self: PartyQuotas, *given: Any, **named: Any) -> bool:
        return True

    Intake._within_quota = take  # type: ignore[method-assign,assignment]


def never_asks_again() -> None:
    """Missing entries are not asked for."""

    def want(self: Gathering, *given: Any, **named: Any) -> None:
        """Nothing."""

    Gathering.want = want  # type: ignore[method-assign]


def confirmation_not_awaited() -> None:
    """The caller uses an epoch before the other side has proved that it has it."""

    def make(real: Any) -> Any:
        def on_reply(self: Handshake, *given: Any) -> Said:
            said = real(self, *given)
            if not self._root or not said.messages:
                return said
            transcript = digest(self._init + self._reply + Fields(decode(said.messages[0])).bytes(2))
            return self._open(self._root, transcript, said.messages, initiator=True)

        return on_reply

    _wrap(Handshake, "_on_reply", make)


def floor_ignored() -> None:
    """What a peer has given up is waited for."""

    def raise_floor(self: Incoming, floor: int) -> None:
        """Nothing."""

    Incoming.raise_floor = raise_floor  # type: ignore[method-assign]


def garbage_burns_a_tag() -> None:
    """A key is erased although its envelope did not open."""

    def make(real: Any) -> Any:
        def open_(self: Incoming, data: bytes) -> Any:
            try:
                return real(self, data)
            except Forged:
                for index in self._tags.get(data[1:7], ()):
                    self._consume(index, data[1:7])
                raise

        return open_

    _wrap(Incoming, "open", make)


def indexes_not_reserved() -> None:
    """The store keeps an envelope index that has been used: a crash uses it twice."""

    def make(real: Any) -> Any:
        def reserve(self: Outgoing) -> Any:
            before = self._reserved
            _, fresh = real(self)
            return before, fresh

        return reserve

    _wrap(Outgoing, "reserve", make)


def envelopes_in_clear() -> None:
    """Envelopes are authenticated by nobody and sealed to nobody."""

    def clear(key: bytes, plaintext: bytes, associated: bytes) -> bytes:
        return plaintext + bytes(16)

    envelope.seal_key = clear  # type: ignore[attr-defined]
    envelope.open_key = lambda key, sealed, associated: sealed[:-16]  # type: ignore[attr-defined]


def strangers_fill_memory() -> None:
    """Envelopes of unknown tags are all kept."""
    engines.MAX_UNKNOWN = 10**9


def fold_depends_on_order() -> None:
    """The state remembers the order in which lanes came in."""

    def make(real: Any) -> Any:
        def apply(self: Fold, of: Any, index: int, leaf: bytes, kind: int, time: int, entry: Any) -> Any:
            turned = of.urgent and kind == 10 and len(self.lanes) > 2 and self.waiting
            return real(self, of, index, leaf, kind, time, None if turned else entry)

        return apply

    _wrap(Fold, "apply", make)


def claims_more_than_it_holds() -> None:
    """An acknowledgement names one entry too many where it knows a later root."""

    def make(real: Any) -> Any:
        def items(self: LaneBook, *, urgent: bool) -> Any:
            return tuple(replace(item, size=item.size + (item.size % 7 == 0)) for item in real(self, urgent=urgent))

        return items

    _wrap(LaneBook, "ack_items", make)


def signals_handed_out_again() -> None:
    """The receiver does not look at the numbers of signals, and the sender never learns that they were opened."""

    def takes(_: Any) -> Any:
        return lambda self, signal: True

    def opened(_: Any) -> Any:
        return lambda self, first_unopened: None

    _wrap(call_rooms._Heard, "takes", takes)
    _wrap(call_rooms.Outgoing, "opened", opened)


def signals_after_the_end() -> None:
    """A call is open once it was picked up, for ever."""

    def make(real: Any) -> Any:
        def open_between(fold: Fold, ring: Any, one: int, other: int) -> bool | None:
            return real(fold, ring, one, other) is not None or None

        return open_between

    _wrap(call_rooms, "open_between", make)


def both_rings_stand() -> None:
    """Of two rings that cross, each side takes its own."""

    def make(_: Any) -> Any:
        return lambda self, key: self._views[key]

    _wrap(CallBook, "_standing_view", make)


def signals_are_kept() -> None:
    """A signal is written down with what else came."""

    def make(real: Any) -> Any:
        def came(self: call_rooms.Rooms, party: int, signal: Any, now: Any) -> Any:
            kept.append(PutEvidence(party=party, evidence=signal.data.encode()))
            return real(self, party, signal, now)

        return came

    def begin(real: Any) -> Any:
        def begun(self: Engine) -> list[Output]:
            outputs: list[Output] = real(self)
            for place, output in enumerate(outputs):
                if isinstance(output, Commit) and kept:
                    outputs[place] = replace(output, writes=(*output.writes, *kept))
                    kept.clear()
            return outputs

        return begun

    kept: list[Write] = []
    _wrap(call_rooms.Rooms, "came", make)
    _wrap(Engine, "_begin", begin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """A planted bug: where it shows, and which checks are right to find it."""

    plant: Callable[[], None]
    profiles: tuple[str, ...]
    checkers: tuple[str, ...]


_LIVE = ("held by all", "acknowledged", "quiet", "nothing lost")

BUGS: dict[str, Bug] = {
    "send-before-commit": Bug(plant=send_before_commit, profiles=("calm",), checkers=("persist before send",)),
    "acknowledge-before-durable": Bug(plant=acknowledge_before_durable, profiles=("calm",), checkers=("possession", "persist before send", "persist before show")),
    "mark-not-written": Bug(plant=mark_not_written, profiles=("calm",), checkers=("mark before send",)),
    "continues-after-restore": Bug(plant=continues_after_restore, profiles=("restore", "both-restored"), checkers=("one history", "mark", "no honest suspect", "no false proof")),
    "signature-not-checked": Bug(plant=signature_not_checked, profiles=("liar-garbles",), checkers=("signed", "forks are noticed")),
    "tag-not-consumed": Bug(plant=tag_not_consumed, profiles=("calm", "crash"), checkers=_LIVE),
    "acknowledgements-maxed-over-generations": Bug(plant=acknowledgements_maxed_over_generations, profiles=("restore", "both-restored"), checkers=_LIVE),
    "opened-before-durable": Bug(plant=opened_before_durable, profiles=("calm",), checkers=("persist before send",)),
    "never-sealed-anew": Bug(plant=never_sealed_anew, profiles=("quota", "crash"), checkers=_LIVE),
    "forks-ignored": Bug(plant=forks_ignored, profiles=("liar-two-faces", "liar-rewinds"), checkers=("forks are noticed",)),
    "quota-ignored": Bug(plant=quota_ignored, profiles=("quota",), checkers=("quota",)),
    "never-asks-again": Bug(plant=never_asks_again, profiles=("restore", "liar-poisons", "network"), checkers=(*_LIVE, "one state")),
    "confirmation-not-awaited": Bug(plant=confirmation_not_awaited, profiles=("network", "crash"), checkers=("both sides of an epoch",)),
    "floor-ignored": Bug(plant=floor_ignored, profiles=("crash", "network"), checkers=_LIVE),
    "garbage-burns-a-tag": Bug(plant=garbage_burns_a_tag, profiles=("network", "flood"), checkers=("opened means opened",)),
    "indexes-not-reserved": Bug(plant=indexes_not_reserved, profiles=("crash",), checkers=("persist before send", "one key, one envelope")),
    "envelopes-in-clear": Bug(plant=envelopes_in_clear, profiles=("calm",), checkers=("nothing leaks",)),
    "strangers-fill-memory": Bug(plant=strangers_fill_memory, profiles=("flood",), checkers=("bounded memory",)),
    "fold-depends-on-order": Bug(plant=fold_depends_on_order, profiles=("network", "crash"), checkers=("one state",)),
    "signals-handed-out-again": Bug(plant=signals_handed_out_again, profiles=("calls",), checkers=("signals once",)),
    "signals-after-the-end": Bug(plant=signals_after_the_end, profiles=("calls",), checkers=("signals in calls",)),
    "both-rings-stand": Bug(plant=both_rings_stand, profiles=("calls",), checkers=("one ring stands",)),
    "signals-are-kept": Bug(plant=signals_are_kept, profiles=("calls",), checkers=("signals are not kept",)),
    "claims-more-than-it-holds": Bug(plant=claims_more_than_it_holds, profiles=("calm",), checkers=("possession",)),
}  # fmt: skip
