"""What a station does by itself in calls: open what its ring promised, confirm, refuse in time, notice lost consoles.

Under the line's lock, again and again and whenever something came; each step
rests on entries, so that one that was interrupted is done at the next look.

Spec: spec/17-calls.md.
"""

from typing import TYPE_CHECKING

from openline.kernel.units import Instant
from openline.protocol.call_entries import EndCause, Refusal, RefusalCause, Seat, SeatAct
from openline.protocol.call_keys import opens_commitment
from openline.protocol.call_states import Call, CallState
from openline.protocol.entries import AnyEntry, Precedence, Role, Watch
from openline.protocol.fields import Ref
from openline.station.calling.room import Room
from openline.station.calling.standing import (
    OFFICER,
    STATION_SIGN,
    is_open,
    is_settled,
    may_end,
    may_pick_up,
    ref_to,
)

if TYPE_CHECKING:
    from openline.station.calling.desk import Calling


async def look(calling: "Calling", room: Room) -> None:
    """Do what is to be done. Raises Refused or Unavailable."""
    own, book = room.line.party, room.shelf.book
    waiting = [call.place for call in book.calls() if not is_settled(call, own)]
    for place in waiting:
        for step in (_own, _theirs, _end, _consoles):
            call = book.call(place)
            if call is not None:
                await step(calling, room, call)
        calling.publish(room, place)
    room.settled = not waiting


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
    if not may_pick_up(call, room.line.party) or call.pick_up is not None:
        return
    cause = _in_the_way(room, call)
    if cause is None and call.overtaken:
        cause = RefusalCause.NOT_ANSWERED
    if cause is None and _age(calling, room, call) >= calling.pace.ring:
        cause = _nobody(calling, room)
    if cause is not None:
        await say(calling, room, Refusal(of=ref_to(call), cause=cause, role=Role.TECHNICIAN, sign=STATION_SIGN))


def _in_the_way(room: Room, call: Call) -> RefusalCause | None:
    if room.line.working().suspended() and call.rung.precedence is not Precedence.FLASH:
        return RefusalCause.SUSPENDED
    if any(is_open(each) and each.place != call.place for each in room.shelf.book.calls()):
        return RefusalCause.BUSY
    return None


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
    if is_settled(call, own):
        return
    if call.hang_up(call.caller) is not None or call.state is CallState.ENDED:
        await calling.end(room, call, EndCause.CONFIRMS)
    elif is_open(call) and call.wrong_key and call.called == own:
        calling.station.counters["call-wrong-key"] += 1
        await calling.end(room, call, EndCause.WRONG_KEY)
    elif is_open(call) and room.running[call.place].forged and may_end(call, own):
        await calling.end(room, call, EndCause.NOT_PROTECTED)


async def _consoles(calling: "Calling", room: Room, call: Call) -> None:
    """Those that do not report themselves are lost; if nobody takes the call over, it ends."""
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
