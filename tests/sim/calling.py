"""Calls in the simulated world: what a station does about rings by itself, as spec 17 has it, with people who decide by dice.

The rules are those of a station (17.3 to 17.14, 17.32): ring, pick up or
refuse, yield, open, signal, hang up, confirm. What a process forgets when it
dies it takes for lost: it hangs up what it finds open. Checked at every step:
at most one ring stands; a signal is handed out once and only while its call
is open; nothing of one is in a store. After healing, no call is left open.
"""

import pickle
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from openline.kernel.errors import Refused
from openline.protocol import call_entries as c
from openline.protocol.call_keys import commitment
from openline.protocol.call_signals import CallSignal, SignalType
from openline.protocol.call_states import CallBook, CallState, Said, may_ring
from openline.protocol.calls import Call, Key
from openline.protocol.entries import AnyEntry, Precedence, Role
from openline.protocol.events import Renew, Shown, Signal, Signalled, Submit
from openline.protocol.facts import Place
from openline.protocol.fields import Ref, decode_time
from openline.protocol.lanes import read_body
from tests.sim.checkers import MARKER

if TYPE_CHECKING:
    from tests.sim.station import Station
    from tests.sim.world import World

SIGNAL_MARKER = f"{MARKER} of a signal"
LOOK_MS = 2_000
TALK_MS = 60_000
"""The longest call of a run."""
TOKENS = 10**6
"""From here on the desks number what they submit."""


def plan(world: "World") -> None:
    """Rings at any time, half of them from all sides within the same second."""
    dice = world.dice("calls")
    for _ in range(world.profile.calls):
        at = dice.randrange(world.profile.chaos_ms)
        parties = range(world.parties) if dice.random() < 0.5 else [dice.randrange(world.parties)]
        for party in parties:
            world.at(at + dice.randrange(1_000), _ring, world, party)
        if dice.random() < 0.5:
            world.at(at + dice.randrange(30_000), _renew, world, dice.randrange(world.parties))


def _ring(world: "World", party: int) -> None:
    desk = world.stations[party].desk
    if desk is not None and world.stations[party].engine is not None:
        desk.ring()


def _renew(world: "World", party: int) -> None:
    """New keys in mid-call: what is under way goes again under them."""
    if world.stations[party].engine is not None:
        world.stations[party].give(Renew((party + 1) % world.parties))


class Desk:
    """What one process of one station knows of calls."""

    def __init__(self, world: "World", station: "Station") -> None:
        self._world, self._station = world, station
        self._dice: Random = world.dice(f"desk {station.party}")
        self._incarnation = station.incarnation
        self.book = CallBook(world.line, world.parties)
        self._accepted: dict[Key, int] = {}
        self._mine: set[Key] = set()
        """Rings that this process has made or picked up; what else is open was lost with another."""
        self._nonces: dict[bytes, tuple[bytes, bytes]] = {}
        """Commitment -> nonce and fingerprint."""
        self._done: set[tuple[Key, str]] = set()
        self._handed: set[tuple[int, int]] = set()
        self._tokens = TOKENS * (1 + station.incarnation)
        self._fold()
        world.at(LOOK_MS, self._look)

    def _fold(self) -> None:
        """Everything on the disk, each lane in its order."""
        for lane, rows in sorted(self._station.store.copy().rows.items(), key=lambda item: item[0].key):
            for row in rows:
                try:
                    body = None if row.refused or not row.entry.secret else read_body(row.entry)
                    time = decode_time(row.entry.time) if body is not None else None
                except Refused:
                    continue
                if body is not None and time is not None:
                    place = Place(lane=lane.number, generation=lane.generation, index=row.index)
                    self.book.take(Said(place=place, leaf=row.nodes[0], time=time, entry=body))

    # --- what is told ---

    def shown(self, output: Shown) -> None:
        """An entry is durable here."""
        if output.entry is None:
            return
        place = Place(lane=output.lane.number, generation=output.lane.generation, index=output.row.index)
        said = Said(place=place, leaf=output.row.nodes[0], time=decode_time(output.row.entry.time), entry=output.entry)
        self.book.take(said)
        if isinstance(output.entry, c.Ring):
            self._accepted[said.key] = self._world.now
            if output.entry.commitment in self._nonces:
                self._mine.add(said.key)
            self._stands()
        if isinstance(output.entry, c.CALL_ENTRIES):
            self._world.at(self._dice.choice((0, 0, 100, 3_000)), self._act)

    def _stands(self) -> None:
        ringing = [call for call in self.book.calls() if call.state is CallState.RINGING]
        if len(ringing) > 1:
            self._world.checks.fail("one ring stands", f"station {self._station.name}: {len(ringing)} ring")

    def signalled(self, output: Signalled) -> None:
        """A signal was handed out: never twice, and only while its call is open for both."""
        checks, signal, me = self._world.checks, output.signal, self._station
        self._world.count("signals handed out")
        if (output.party, signal.number) in self._handed:
            checks.fail("signals once", f"station {me.name} hands out signal {signal.number} twice")
        self._handed.add((output.party, signal.number))
        call = self.book.call(Place(lane=signal.lane, generation=signal.generation, index=signal.index))
        if call is None or call.caller not in {
            output.party,
            me.party,
        }:  # of three, one may not know yet that it does not count
            checks.fail("signals in calls", f"station {me.name} hands out a signal of no call")
        elif call.hang_up(output.party) is not None or call.hang_up(me.party) is not None:
            checks.fail("signals in calls", f"station {me.name} hands out a signal after the end")

    # --- what is done ---

    @property
    def _runs(self) -> bool:
        return self._station.engine is not None and self._station.incarnation == self._incarnation

    def _look(self) -> None:
        if self._runs:
            self._act()
            self._world.at(LOOK_MS, self._look)

    def ring(self) -> None:
        """Somebody places a call, unless one is open already."""
        mine = [call for call in self.book.calls() if call.caller == self._station.party]
        if any(call.hang_up(self._station.party) is None for call in mine) or self.book.standing() is not None:
            self._world.count("calls: busy")
            return
        nonce, shown = self._dice.randbytes(32), self._dice.randbytes(32)
        made = commitment(nonce, shown)
        self._nonces[made] = (nonce, shown)
        role, precedence = Role.WATCH_OFFICER, self._dice.choice(list(Precedence))
        self._say(
            c.Ring(precedence=precedence, language="en", roles=(role,), role=role, sign="K7", commitment=made,
                   subject=MARKER if self._dice.random() < 0.3 else "")
        )  # fmt: skip

    def _say(self, entry: AnyEntry) -> None:
        self._tokens += 1
        self._station.give(Submit(token=self._tokens, entry=entry, time=self._station.now().wall))

    def _once(self, call: Call, what: str) -> bool:
        known = (call.ring.key, what) in self._done
        self._done.add((call.ring.key, what))
        return not known

    def _act(self) -> None:
        for call in self.book.calls():
            if not self._runs:
                return
            if call.caller == self._station.party:
                self._own(call)
            else:
                self._other(call)

    def _own(self, call: Call) -> None:
        if call.hang_up(call.caller) is not None:
            return None
        key, age = call.ring.key, self._world.now - self._accepted.get(call.ring.key, -TALK_MS - c.RING_MS)
        if key not in self._mine:
            return self._hang_up(call, c.EndCause.CONSOLE_LOST)
        if call.state is CallState.YIELDED:
            self._world.count("calls: yielded")
            return self._hang_up(call, c.EndCause.YIELDS)
        if call.state is CallState.RINGING:
            if age > c.RING_MS:
                self._hang_up(call, c.EndCause.NOT_ANSWERED)
            elif self._dice.random() < 0.02:
                self._hang_up(call, c.EndCause.WITHDRAWN)
            return None
        if call.state is not CallState.OPEN:
            return self._hang_up(call, c.EndCause.CONFIRMS)
        if call.opening is None:
            return self._open(call)
        return self._talk(call, call.called, age)

    def _other(self, call: Call) -> None:
        me = self._station.party
        words = {said.party for said in (*call.refusals, *call.hang_ups)}
        if me in words:
            return
        if call.called == me:
            if call.ring.key not in self._mine:
                self._hang_up(call, c.EndCause.CONSOLE_LOST)
            elif call.wrong_key:
                self._hang_up(call, c.EndCause.WRONG_KEY)
            elif call.state is not CallState.OPEN:
                self._hang_up(call, c.EndCause.CONFIRMS)
            else:
                self._talk(call, call.caller, self._world.now - self._accepted[call.ring.key])
        elif call.state is CallState.RINGING and may_ring(call, self._since(call), self._world.now):
            if self._dice.random() < 0.5 and self._once(call, "answer"):
                self._answer(call)
        elif call.live and self._once(call, "answer"):
            self._refuse(call, c.RefusalCause.NOT_ANSWERED)

    def _since(self, call: Call) -> int:
        """When this process took the ring; what it found on its disk when it came up rings no more."""
        return self._accepted.get(call.ring.key, -c.RING_MS)

    def _answer(self, call: Call) -> None:
        if self._dice.random() < 0.3:
            return self._refuse(call, self._dice.choice([c.RefusalCause.DECLINED, c.RefusalCause.BUSY]))
        self._mine.add(call.ring.key)
        shown = self._dice.randbytes(32)
        role = Role.WATCH_OFFICER
        return self._say(c.PickUp(of=_ref(call.ring), language="fr", role=role, sign="B2", fingerprint=shown))

    def _refuse(self, call: Call, cause: c.RefusalCause) -> None:
        self._say(c.Refusal(of=_ref(call.ring), cause=cause, role=Role.WATCH_OFFICER, sign="B2", text=MARKER))

    def _open(self, call: Call) -> None:
        if call.pick_up is None or not self._once(call, "open"):
            return
        nonce, shown = self._nonces[call.rung.commitment]
        seat = c.Seat(
            of=_ref(call.ring), act=c.SeatAct.OPENS, number=0, role=Role.WATCH_OFFICER, sign="K7", fingerprint=shown,
            nonce=nonce, pick_up=_ref(call.pick_up),
        )  # fmt: skip
        if self._dice.random() < 0.05:
            self._world.count("calls: wrong key")
            seat = replace(seat, nonce=bytes(32))
        self._say(seat)

    def _talk(self, call: Call, other: int | None, age: int) -> None:
        """Signals, and in the end somebody hangs up."""
        if age > TALK_MS or self._dice.random() < 0.05:
            return self._hang_up(call, c.EndCause.ENDED)
        if self._dice.random() < 0.1 and self._once(call, "minutes"):
            texts = (("en", MARKER),)
            role = Role.WATCH_OFFICER
            self._say(c.Minutes(of=_ref(call.ring), clauses=(texts,), role=role, sign="K7"))
        for _ in range(self._dice.randrange(3)):
            if other is not None and self._runs:
                self._signal(call, other)
        return None

    def _signal(self, call: Call, other: int) -> None:
        at = call.place
        kind = self._dice.choice(list(SignalType))
        data = f"{SIGNAL_MARKER} {self._dice.randrange(10**9)} " + "x" * self._dice.choice((0, 100, 2_000))
        self._world.count("signals said")
        self._station.give(
            Signal(
                party=other,
                signal=CallSignal(
                    lane=at.lane, generation=at.generation, index=at.index, sender=0, to=0, type=kind, data=data
                ),
            )
        )

    def _hang_up(self, call: Call, cause: c.EndCause) -> None:
        if self._once(call, "hang up"):
            self._say(c.HangUp(of=_ref(call.ring), cause=cause, role=Role.WATCH_OFFICER, sign="STATION"))


def _ref(said: Said) -> Ref:
    at = said.place
    return Ref(lane=at.lane, generation=at.generation, index=at.index, leaf=said.leaf)


def unstored(world: "World", station: "Station", writes: object) -> None:
    """Nothing of a signal goes to a disk."""
    if SIGNAL_MARKER.encode() in pickle.dumps(writes):
        world.checks.fail("signals are not kept", f"station {station.name} stores a signal")


def settled(world: "World") -> None:
    """After healing: all honest stations tell the same of every call, and none is left open."""
    told: list[dict[Key, Call]] = []
    for station in world.honest_stations():
        if station.desk is None:
            continue
        told.append({call.ring.key: call for call in station.desk.book.calls()})  # each in the order in which they came
        for call in told[-1].values():
            world.count(f"calls: {call.state.value}")
            if call.live and not world.liars():
                world.checks.fail("calls end", f"station {station.name}: a call is {call.state.value} for ever")
    if any(calls != told[0] for calls in told[1:]) and not world.liars():
        world.checks.fail("one view of calls", "stations tell calls differently")
