"""What a station does by itself in calls: open what its ring promised, confirm, refuse in time, notice lost consoles.

Under the line's lock, again and again and whenever something came; each step
rests on entries, so that one that was interrupted is done at the next look.

Spec: spec/17-calls.md.
"""

from typing import TYPE_CHECKING

from openline.kernel.units import Instant
from openline.protocol.call_entries import EndCause, Refusal, RefusalCause, Seat, SeatAct
from openline.protocol.call_keys import opens_commitment
from openline.protocol.call_states import Call, CallState, is_settled
from openline.protocol.entries import AnyEntry, Precedence, Role, Watch
from openline.protocol.facts import Place
from openline.protocol.fields import Ref
from openline.station.calling.room import Room
from openline.station.calling.standing import (
    OFFICER,
    STATION_SIGN,
    has_refused,
    is_open,
    may_end,
    may_pick_up,
    ref_to,
)

if TYPE_CHECKING:
    from openline.station.calling.desk import Calling


AT_ONCE = 8
"""Calls that are looked at before whoever waits for the lock has a turn: an officer's act waits for so many, and no flood."""


async def look(calling: "Calling", room: Room) -> None:
    """Do what is to be done, the live calls first; the lock is held for a few at a time. Raises Refused or Unavailable."""
    waiting = [call.place for call in room.unsettled()]
    for first in range(0, len(waiting), AT_ONCE):
        async with room.lock:
            if room.unsaved:
                room.save()
            for place in waiting[first : first + AT_ONCE]:
                await _look_at(calling, room, place)
    async with room.lock:
        room.tidy()
    room.settled = not room.unsettled()


async def _look_at(calling: "Calling", room: Room, place: Place) -> None:
    for step in (_own, _theirs, _end, _consoles):
        call = room.shelf.book.call(place)
        if call is not None and not is_settled(call, room.line.party):
            await step(calling, room, call)
    calling.publish(room, place)


async def _own(calling: "Calling", room: Room, call: Call) -> None:
    """A ring of this station's."""
    if call.caller != room.line.party or not may_end(call, call.caller):
        return
    if call.state is CallState.OPEN and call.opening is None:
        await _opens(calling, room, call)
    elif call.state is CallState.YIELDED:
        await calling.end(room, call, EndCause.YIELDS)
    elif not call.live:  # refused by all, or given up by the other side
        await calling.end(room, call, EndCause.CONFIRMS)
    elif call.state is CallState.RINGING and _age(calling, room, call) > calling.pace.ring + calling.pace.patience:
        await calling.end(room, call, EndCause.NOT_ANSWERED)


def _age(calling: "Calling", room: Room, call: Call) -> int:
    return calling.station.clock.steady() - room.running[call.place].accepted


async def _opens(calling: "Calling", room: Room, call: Call) -> None:
    """Show what the ring has committed to, now that the other side's key is signed."""
    kept = room.kept(call)
    nonce, fingerprint = bytes.fromhex(kept.nonce), bytes.fromhex(kept.fingerprint)
    if call.pick_up is None or not opens_commitment(call.rung.commitment, nonce, fingerprint):
        await calling.end(room, call, EndCause.CONSOLE_LOST)  # restored from a backup: what was promised is not here
        return
    place = call.pick_up.place
    counts = Ref(lane=place.lane, generation=place.generation, index=place.index, leaf=call.pick_up.leaf)
    entry = Seat(
        of=ref_to(call), act=SeatAct.OPENS, number=OFFICER, role=call.rung.role, sign=call.rung.sign,
        fingerprint=fingerprint, nonce=nonce, pick_up=counts, language=call.rung.language,
    )  # fmt: skip
    sitting = room.running[call.place].sitting.get(OFFICER)
    if sitting is not None:
        sitting.heard = calling.station.clock.steady()
    await say(calling, room, entry)


async def _theirs(calling: "Calling", room: Room, call: Call) -> None:
    """Another party's ring."""
    own = room.line.party
    if call.caller == own or call.pick_up is not None or has_refused(call, own):
        return
    cause = _in_the_way(room, call)
    if cause is None and not may_pick_up(call, own):
        return
    if cause is None and call.overtaken:
        cause = RefusalCause.NOT_ANSWERED
    if cause is None and _age(calling, room, call) >= calling.pace.ring:
        cause = _nobody(calling, room)
    if cause is not None:
        await say(calling, room, Refusal(of=ref_to(call), cause=cause, role=Role.TECHNICIAN, sign=STATION_SIGN))


def _in_the_way(room: Room, call: Call) -> RefusalCause | None:
    if call.state not in {CallState.RINGING, CallState.YIELDED} or call.hang_up(call.caller) is not None:
        return None
    if call.state is CallState.RINGING and _is_suspended(room, call):
        return RefusalCause.SUSPENDED
    if any(is_open(each) and each.place != call.place for each in room.shelf.book.calls()):
        return RefusalCause.BUSY
    return None


def _is_suspended(room: Room, call: Call) -> bool:
    return bool(room.line.working().suspended()) and call.rung.precedence is not Precedence.FLASH


def _nobody(calling: "Calling", room: Room) -> RefusalCause:
    """Why nobody picked up, as far as this station knows."""
    watch = room.line.working().fold.watch(room.line.party)
    if watch is not None and isinstance(watch.entry, Watch) and not watch.entry.attended:
        return RefusalCause.UNATTENDED
    if not calling.station.feed.listened(room.line.line):
        return RefusalCause.NO_CONSOLE
    return RefusalCause.NOT_ANSWERED


async def _end(calling: "Calling", room: Room, call: Call) -> None:
    """A call that is over, or must be: this party's own word of it (spec 17.14)."""
    own = room.line.party
    if call.hang_up(call.caller) is not None or call.state is CallState.ENDED:
        await calling.end(room, call, EndCause.CONFIRMS)
    elif is_open(call) and call.wrong_key and call.called == own:
        calling.station.counters["call-wrong-key"] += 1
        await calling.end(room, call, EndCause.WRONG_KEY)
    elif is_open(call) and room.running[call.place].forged and may_end(call, own):
        await calling.end(room, call, EndCause.NOT_PROTECTED)
    elif is_open(call) and call.called == own and call.opening is None:
        await _unopened(calling, room, call)


async def _unopened(calling: "Calling", room: Room, call: Call) -> None:
    """Picked up here, and the caller does not open what its ring promised: it is waited for as long as a ring rings (17.21)."""
    running, now = room.running[call.place], calling.station.clock.steady()
    if running.unopened is None:
        running.unopened = now
    elif now - running.unopened >= calling.pace.ring:
        await calling.end(room, call, EndCause.CONSOLE_LOST)


async def _consoles(calling: "Calling", room: Room, call: Call) -> None:
    """Those that do not report themselves are lost; if nobody takes the call over, it ends."""
    calling.awake()
    running, now = room.running[call.place], calling.station.clock.steady()
    if not is_open(call) or not may_end(call, room.line.party) or call.opening is None:
        return  # until it is opened, the caller's console does not know that somebody picked up
    for number, sitting in list(running.sitting.items()):
        if now - sitting.heard >= calling.pace.lost:
            calling.station.counters["call-console-lost"] += 1
            await calling.leave(room, call, number, SeatAct.LOST, Role.TECHNICIAN, STATION_SIGN)
    if OFFICER in running.sitting:
        running.vacant = running.takeover_until = None
    elif running.vacant is None:
        running.vacant, running.takeover_until = now, int(calling.station.clock.wall()) + calling.pace.takeover
    elif now - running.vacant >= calling.pace.takeover:
        await calling.end(room, call, EndCause.CONSOLE_LOST)


async def say(calling: "Calling", room: Room, entry: AnyEntry) -> None:
    """Sign something as the station."""
    await room.line.submit(entry, Instant(calling.station.clock.wall()))
