"""The calls of a station: what stands, who sits where, what is pushed to consoles, and what passes between them.

    ring --picked up--> open --hung up--> ended, once both have said so
      '--declined, nobody came, withdrawn, yields--> over

People's acts stand in calling.acts, what the station does by itself in
calling.automatic. Everything that counts is an entry; here is only what a
restart may forget, and calling.kept has what it may not.

Spec: spec/17-calls.md.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from openline.kernel.errors import Forbidden, Foreign, Refused, Unavailable, Unknown
from openline.kernel.units import Instant
from openline.protocol.call_entries import EndCause, HangUp, Protection, Seat, SeatAct
from openline.protocol.call_states import Call, may_ring
from openline.protocol.entries import Precedence, Role
from openline.protocol.events import Signalled
from openline.protocol.facts import Place
from openline.station.answers import encoded
from openline.station.calling import automatic, view
from openline.station.calling.answers import CallView, SeatName, SignalEvent, SignalRefused
from openline.station.calling.descriptions import TYPES, Strictness, check
from openline.station.calling.kept import Keeping
from openline.station.calling.room import OFTEN, OFTEN_MS, CallPace, Room, Running, Sitting
from openline.station.calling.shelf import Shelf, rings_of
from openline.station.calling.standing import (
    CALLERS,
    STATION_SIGN,
    fingerprint_of,
    is_open,
    is_seated,
    may_pick_up,
    place_text,
    ref_to,
    seat_of,
    was_held,
)
from openline.station.feed import Published
from openline.station.line_runner import LineRunner, State
from openline.station.people import Actor
from openline.station.seen import Seen

if TYPE_CHECKING:
    from openline.station.runtime import Station

LOOK_S = 0.5
STILL_MS = 1_000
"""So long after the last look, which was due much sooner, the station itself had stood still."""
TOLD = 16
"""Refused signals of a call that are logged and pushed; all are counted."""
NOBODY = -(2**63)
"""Of a seat whose console is not known: no officer has that number."""


class Calling:
    """All of them."""

    def __init__(self, station: "Station", pace: CallPace | None = None) -> None:
        self.station, self.pace = station, pace or CallPace()
        self._rooms: dict[bytes, Room] = {}
        self._awake = station.clock.steady()
        self._main: asyncio.Task[None] | None = None
        self._looking: dict[bytes, asyncio.Task[None]] = {}
        self._reading: dict[bytes, asyncio.Task[None]] = {}

    # --- coming and going --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin."""
        self._main = asyncio.create_task(self._run())

    def stop(self) -> None:
        """End."""
        for task in (self._main, *self._looking.values(), *self._reading.values()):
            if task is not None:
                task.cancel()

    async def _run(self) -> None:
        while True:
            self.awake()
            for line in list(self.station.lines.values()):
                self.stir(line)
            await asyncio.sleep(LOOK_S)

    def awake(self) -> None:
        """Time in which this station itself stood still is no console's silence: nobody read what they reported (spec 17.13)."""
        now = self.station.clock.steady()
        stood, self._awake = now - self._awake, now
        if stood < STILL_MS:
            return
        for room in self._rooms.values():
            for running in room.running.values():
                for sitting in running.sitting.values():
                    sitting.heard += stood

    def stir(self, line: LineRunner) -> None:
        """Look soon at what is to be done about a line's calls."""
        under_way, room = self._looking.get(line.line), self._rooms.get(line.line)
        if room is not None and room.settled:
            return
        if line.state is State.RUNNING and (under_way is None or under_way.done()):
            self._looking[line.line] = asyncio.create_task(self._look(line))

    async def _look(self, line: LineRunner) -> None:
        with contextlib.suppress(Refused, Unavailable):  # the line stops, or the disk: looked at again
            await self.ready(line)
            await automatic.look(self, self.room(line))

    async def ready(self, line: LineRunner) -> None:
        """Wait until the calls of a line have been read. Raises Unavailable."""
        if line.line not in self._rooms and line.history.last_seq() > self.pace.reading.at_once:
            await asyncio.shield(self._begins(line))

    def _begins(self, line: LineRunner) -> asyncio.Task[None]:
        task = self._reading.get(line.line)
        if task is None or task.done():
            task = self._reading[line.line] = asyncio.create_task(self._read(line))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be waiting
        return task

    async def _read(self, line: LineRunner) -> None:
        """Read a long line beside the loop, and the last of it on the loop: nothing comes in between then."""
        reading = self.pace.reading
        shelf = await asyncio.to_thread(Shelf, line, rings_of(line, reading.calls), reading)
        while line.history.last_seq() - shelf.seq > reading.page:
            await asyncio.to_thread(shelf.catch_up)
        shelf.catch_up()
        self._opened(line, shelf)
        self.stir(line)

    def _opened(self, line: LineRunner, shelf: Shelf) -> Room:
        room = self._rooms[line.line] = Room(line, Keeping(self.station.store, line.line), shelf)
        for call in room.unsettled():
            self._running(room, call, again=True)
        return room

    def room(self, line: LineRunner) -> Room:
        """What is known of a line's calls. Raises Unavailable, also while they are being read."""
        room = self._rooms.get(line.line)
        if room is None:
            if line.history.last_seq() > self.pace.reading.at_once:
                self._begins(line)
                raise Unavailable("the calls of this line are being read: ask again")
            room = self._opened(line, Shelf(line, rings_of(line, self.pace.reading.calls), self.pace.reading))
        return room

    def _running(self, room: Room, call: Call, *, again: bool) -> Running:
        """What runs of a call here; made at the first sight of it, or `again` after a start."""
        found = room.running.get(call.place)
        if found is not None:
            return found
        steady, wall = self.station.clock.steady(), int(self.station.clock.wall())
        kept = room.kept(call)
        known = bool(kept.accepted)
        if not kept.accepted:
            kept.accepted = wall
            room.unsaved = True
        elapsed = min(max(0, wall - kept.accepted), self.pace.ring) if again else 0
        running = room.running[call.place] = Running(accepted=steady - elapsed, accepted_at=wall - elapsed)
        running.counted = known and not call.live
        if call.caller != room.line.party:
            room.rung.append(running.accepted)
        running.remember(call)
        heard = steady + (self.pace.restart - self.pace.lost if again else 0)
        for number, seat in kept.seats.items():
            running.sitting[number] = Sitting(console=seat.console, uid=seat.uid, heard=heard)
        for own in call.seats:  # of a console that was not written down in time: it counts as lost, and can be replaced
            if own.party == room.line.party and is_seated(call, own.party, own.number):
                running.sitting.setdefault(own.number, Sitting(console="", uid=NOBODY, heard=heard))
        return running

    # --- what comes --------------------------------------------------------------------------------------------

    def shown(self, line: LineRunner, seen: list[Seen]) -> None:
        """Entries became durable."""
        with contextlib.suppress(Unavailable):  # what is missed now is read at the next look
            room = self.room(line)
            changed = room.shelf.shown(seen)
            for place in changed:
                call = room.shelf.book.call(place)
                if call is not None:
                    running = self._running(room, call, again=False)
                    running.remember(call)
                    if not call.live and not running.counted:
                        running.counted = True
                        room.outcomes[call.state.value] += 1
            if changed:
                room.settled = False
                self.stir(line)
            for place in changed:
                self.publish(room, place)

    def signalled(self, line: LineRunner, said: Signalled) -> None:
        """A seat of another party says something to one of ours; nothing of it reaches a page unless it may (spec 17.40)."""
        with contextlib.suppress(Unavailable):
            room, signal = self.room(line), said.signal
            call = room.shelf.book.call(Place(lane=signal.lane, generation=signal.generation, index=signal.index))
            running = None if call is None else room.running.get(call.place)
            if call is None or running is None or not is_open(call):
                return
            sender, name = (said.party, signal.sender), TYPES[int(signal.type)]
            if seat_of(call, *sender) is None:  # another member of the line, or a seat that nobody took
                self.station.counters["call-signal-refused"] += 1
                return
            try:
                check(name, signal.data, Strictness(fingerprint=fingerprint_of(call, *sender)))
            except Refused as refusal:
                # What a console said before another took its seat over may come after that: it is old, and no forgery.
                if isinstance(refusal, Foreign) and not _was_signed(running, sender, name, signal.data):
                    running.forged = True
                    self.stir(line)
                running.refusals += 1
                self.station.counters["call-signal-refused"] += 1
                if running.refusals <= TOLD:
                    self._refuse(room, call, sender, refusal.code)
            else:
                self.deliver(room, call, sender, (line.party, signal.to), name, signal.data)

    def _refuse(self, room: Room, call: Call, sender: tuple[int, int], code: str) -> None:
        self.station.log.event("call.signal-refused", line=room.line.label, party=sender[0], code=code)
        event = SignalRefused(line=room.line.label, call=place_text(call.place), sender=_name(sender), code=code)
        self.push(room.line, "signal-refused", event)

    def deliver(  # noqa: PLR0917 - from whom, to whom, what
        self, room: Room, call: Call, sender: tuple[int, int], to: tuple[int, int], kind: str, data: str
    ) -> None:
        """Push a signal to the pages of this station."""
        event = SignalEvent(
            line=room.line.label, call=place_text(call.place), sender=_name(sender), to=_name(to), type=kind,
            data=data,
        )  # fmt: skip
        self.push(room.line, "signal", event)

    # --- what goes to pages ------------------------------------------------------------------------------------

    def push(self, line: LineRunner, name: str, event: object) -> None:
        """Push an event."""
        self.station.feed.publish(Published(line=line.line, name=name, seq=0, data=encoded(event)))

    def publish(self, room: Room, place: Place) -> None:
        """Push how a call stands, if that is not what was pushed last."""
        call, running = room.shelf.call(place), room.running.get(place)
        if call is None or not self.station.feed.listened(room.line.line):
            return
        data = encoded(self.view(room.line, call))
        if running is not None:
            told = hashlib.sha256(data).digest()
            if running.told == told:
                return
            running.told = told
        event = Published(line=room.line.line, name="call", seq=0, data=data, of=place_text(place))
        self.station.feed.publish(event)

    def view(self, line: LineRunner, call: Call) -> CallView:
        """A call as people see it."""
        return view.call_view(self, self.room(line), call)

    def held(self, line: LineRunner, place: Place) -> Call:
        """A call by its ring. Raises Unknown or Unavailable."""
        line.working()
        call = self.room(line).shelf.call(place)
        if call is None:
            raise Unknown("no such call on this line")
        return call

    def page(self, line: LineRunner, before: Place | None, limit: int) -> list[CallView]:
        """Calls, the newest first. Raises Unknown or Unavailable."""
        line.working()
        room = self.room(line)
        places = room.shelf.rings()[::-1]
        if before is not None:
            if before not in places:
                raise Unknown("no such call on this line")
            places = places[places.index(before) + 1 :]
        found = [room.shelf.call(place) for place in places[:limit]]
        return [self.view(line, call) for call in found if call is not None]

    def check_speaks(self, line: LineRunner, call: Call, actor: Actor) -> None:
        """Pass who may say something in a call: officers of the floor, and whoever else sits in it. Raises Forbidden."""
        running = self.room(line).running.get(call.place)
        sits = running is not None and any(each.uid == actor.uid for each in running.sitting.values())
        if not sits and not CALLERS & actor.roles:
            raise Forbidden("join the call first: who interprets speaks in the calls it sits in")

    # --- what is said ------------------------------------------------------------------------------------------

    def rings(self, room: Room, call: Call) -> bool:
        """Whether it rings on this floor now."""
        running = room.running.get(call.place)
        if running is None or call.pick_up is not None or not may_pick_up(call, room.line.party):
            return False
        if room.line.working().suspended() and call.rung.precedence is not Precedence.FLASH:
            return False
        now = self.station.clock.steady()
        return now - running.accepted < self.pace.ring and may_ring(call, running.accepted, now)

    def ringing(self, line: LineRunner) -> list[tuple[str, Precedence]]:
        """See alarms.causes.Ringing."""
        room = self._rooms.get(line.line)
        if room is None or room.settled or line.engine is None:
            return []
        calls = [call for call in room.shelf.book.calls() if self.rings(room, call)]
        return [(place_text(call.place), call.rung.precedence) for call in calls]

    def rings_often(self, line: LineRunner) -> bool:
        """See alarms.causes.Ringing."""
        room, now = self._rooms.get(line.line), self.station.clock.steady()
        return room is not None and len(room.rung) > OFTEN and now - room.rung[0] < OFTEN_MS

    def outcomes(self, line: LineRunner) -> Mapping[str, int]:
        """How many calls of a line went how since the start."""
        room = self._rooms.get(line.line)
        return room.outcomes if room is not None else {}

    def held_between(self, line: LineRunner, first: Instant, last: Instant) -> Instant | None:
        """When a call was picked up in that time in which both sides heard each other, and which both have signed for."""
        room = self._rooms.get(line.line)
        calls = room.shelf.book.calls() if room is not None else ()
        held = [call.pick_up.time for call in calls if call.pick_up is not None and was_held(call)]
        return min((at for at in held if first <= at <= last), default=None)

    def heard(self, room: Room, call: Call, sitting: Sitting, *, sound: bool) -> None:
        """A console says whether sound goes both ways."""
        kept, now = room.kept(call), int(self.station.clock.wall())
        if sound:
            kept.ended = now
        if sound and kept.began is None:
            kept.began = now
        if sound is not sitting.sound:
            sitting.sound = sound
            with contextlib.suppress(Unavailable):  # the call goes on; the record says it when it ends
                room.save()

    async def end(
        self,
        room: Room,
        call: Call,
        cause: EndCause,
        *,
        role: Role = Role.TECHNICIAN,
        sign: str = STATION_SIGN,
        text: str = "",
    ) -> None:
        """Sign that the call is over for this party, with what its consoles saw. Raises Unavailable or Refused."""
        kept, own = room.kept(call), room.line.party
        began = kept.began if call.pick_up is not None else None
        entry = HangUp(
            of=ref_to(call), cause=cause, role=role, sign=sign, text=text,
            began=None if began is None else Instant(began),
            ended=None if began is None else Instant(kept.ended or began),
            protection=_protection(call, own),
        )  # fmt: skip
        await room.line.submit(entry, Instant(self.station.clock.wall()))
        room.running[call.place].sitting.clear()

    async def leave(  # noqa: PLR0917 - whose seat, and why
        self, room: Room, call: Call, number: int, act: SeatAct, role: Role, sign: str
    ) -> None:
        """Sign that nobody sits there any more. Raises Unavailable or Refused."""
        entry = Seat(of=ref_to(call), act=act, number=number, role=role, sign=sign)
        await room.line.submit(entry, Instant(self.station.clock.wall()))
        room.leave(call, number)
        self.stir(room.line)


def _protection(call: Call, own: int) -> Protection | None:
    """How this party's officer heard another party, else its further console."""
    seen = [each for seat in call.seats if seat.party == own for each in seat.protections if each.party != own]
    return seen[0] if seen else None


def _was_signed(running: Running, sender: tuple[int, int], kind: str, data: str) -> bool:
    """Whether the seat signed that fingerprint once in this call."""
    for fingerprint in running.signed.get(sender, ()):
        with contextlib.suppress(Refused):
            check(kind, data, Strictness(fingerprint=fingerprint))
            return True
    return False


def _name(seat: tuple[int, int]) -> SeatName:
    return SeatName(party=seat[0], seat=seat[1])
