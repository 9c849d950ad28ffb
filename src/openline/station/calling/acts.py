"""What people do in a call, each checked and then said: under the line's lock, so that the second of two finds what the first did.

Spec: spec/17-calls.md.
"""

from typing import Final

from openline.kernel.errors import Conflict, Forbidden, Malformed, Unknown
from openline.kernel.terms import check_language
from openline.kernel.units import Instant
from openline.protocol.call_entries import (
    ClauseWord,
    EndCause,
    Minutes,
    MinutesWord,
    Path,
    PickUp,
    Protection,
    Refusal,
    RefusalCause,
    Ring,
    Seat,
    SeatAct,
    TypedLine,
)
from openline.protocol.call_keys import commitment
from openline.protocol.call_signals import CallSignal, SignalType
from openline.protocol.call_states import Call
from openline.protocol.engine import Engine
from openline.protocol.entries import AnyEntry, Precedence, Role
from openline.protocol.events import Accepted, Signal
from openline.protocol.facts import Place
from openline.protocol.fields import Ref
from openline.station.calling import answers, requests
from openline.station.calling.descriptions import TYPES, Strictness
from openline.station.calling.descriptions import check as check_description
from openline.station.calling.desk import Calling
from openline.station.calling.kept import KeptSeat
from openline.station.calling.room import Room, Sitting
from openline.station.calling.standing import (
    CALLERS,
    FURTHER,
    OFFICER,
    SEATED,
    fingerprint_of,
    has_refused,
    is_open,
    is_seated,
    may_pick_up,
    ref_to,
    seat_of,
)
from openline.station.line_runner import LineRunner
from openline.station.people import Actor
from openline.station.requests import find_ref, role_of
from openline.station.spoken import one_of

DTLS: Final = "1.3"
"""The one version under which sound passes (spec 17.50)."""
_NONCE: Final = 32
_CAUSES: Final = {
    "ended": EndCause.ENDED, "not-protected": EndCause.NOT_PROTECTED, "check-failed": EndCause.CHECK_FAILED
}  # fmt: skip


class Speaker:
    """Under which role, sign and language somebody speaks."""

    def __init__(self, calling: Calling, actor: Actor, said: requests.Said, roles: frozenset[str]) -> None:
        """Raises Forbidden or Malformed."""
        self.role, self.sign = calling.station.people.speaking(actor, said.role, said.sign, roles)
        given = getattr(said, "lang", None)
        self.language = check_language(calling.station.config.language if given is None else given)


async def _say(room: Room, calling: Calling, entry: AnyEntry) -> Accepted:
    now = Instant(calling.station.clock.wall())
    return await room.line.submit(entry, now)


# --- ringing ---------------------------------------------------------------------------------------------------


async def ring(calling: Calling, line: LineRunner, actor: Actor, request: requests.RingRequest) -> Call:
    """Call the other parties. Raises Conflict, Malformed, Forbidden or Unavailable."""
    from openline.station.drafting import check_confirmed  # it needs a station itself

    speaker = Speaker(calling, actor, request, CALLERS)
    precedence = one_of(Precedence, request.precedence)
    roles = tuple(dict.fromkeys(role_of(name) for name in request.to))
    if actor.at_console:
        check_confirmed(line, request.precedence, request.confirm)
    room = calling.room(line)
    async with room.lock:
        engine = line.working()
        _check_free(calling, room, engine, precedence)
        nonce, fingerprint = calling.station.entropy(_NONCE), bytes.fromhex(request.fingerprint)
        committed = commitment(nonce, fingerprint)
        kept = room.keeping.call(committed)
        kept.nonce, kept.fingerprint = nonce.hex(), fingerprint.hex()
        kept.seats[OFFICER] = KeptSeat(console=request.console, uid=actor.uid)
        room.save()  # before the ring: what it promises can be opened whatever happens to this process
        said = Ring(
            precedence=precedence, language=speaker.language, roles=roles, role=speaker.role, sign=speaker.sign,
            commitment=committed, subject=request.subject,
        )  # fmt: skip
        placed = await _say(room, calling, said)
        place = Place(lane=placed.lane.number, generation=placed.lane.generation, index=placed.index)
        made = calling.held(line, place)
    calling.stir(line)
    return made


def _check_free(calling: Calling, room: Room, engine: Engine, precedence: Precedence) -> None:
    if engine.suspended() and precedence is not Precedence.FLASH:
        raise Conflict("the line is suspended: only FLASH passes")
    own = room.line.party
    for call in room.shelf.book.calls():
        if is_open(call):
            raise Conflict("a call is open on this line: end it, or join it")
        if call.caller == own and call.hang_up(own) is None:
            raise Conflict("this station is calling already")
        if calling.rings(room, call):
            raise Conflict("the other side is calling: pick it up")


def want(calling: Calling, line: LineRunner, actor: Actor, request: requests.WantedRequest) -> None:
    """Ask a console of this officer to place the call. Raises Conflict."""
    speaker = Speaker(calling, actor, request, CALLERS)
    line.working()
    if not calling.station.feed.has_page_of(speaker.sign):
        raise Conflict("no console of this officer is open: sound lives in the browser, so sign in there first")
    event = answers.CallWanted(
        line=line.label, sign=speaker.sign, precedence=request.precedence, lang=speaker.language
    )  # fmt: skip
    calling.push(line, "call-wanted", event)


async def pick_up(
    calling: Calling, line: LineRunner, call: Call, actor: Actor, request: requests.PickUpRequest
) -> None:
    """Pick a ring up at this console. Raises Conflict or Forbidden."""
    speaker = Speaker(calling, actor, request, CALLERS)
    room = calling.room(line)
    async with room.lock:
        call = calling.held(line, call.place)
        if call.caller == line.party:
            raise Conflict("this station is calling itself: the other side picks up")
        if call.pick_up is not None:
            raise Conflict("picked up at another console")
        if has_refused(call, line.party):
            raise Conflict("declined at another console")
        if not may_pick_up(call, line.party):
            raise Conflict("it rings no more")
        seat = KeptSeat(console=request.console, uid=actor.uid)
        room.sit(call, OFFICER, seat, calling.station.clock.steady())
        entry = PickUp(
            of=ref_to(call), language=speaker.language, role=speaker.role, sign=speaker.sign,
            fingerprint=bytes.fromhex(request.fingerprint),
        )  # fmt: skip
        try:
            await _say(room, calling, entry)
        except BaseException:
            room.leave(call, OFFICER)
            raise


async def decline(
    calling: Calling, line: LineRunner, call: Call, actor: Actor, request: requests.DeclineCallRequest
) -> None:
    """Do not pick it up, and say why. Raises Conflict."""
    speaker = Speaker(calling, actor, request, CALLERS)
    room = calling.room(line)
    async with room.lock:
        call = calling.held(line, call.place)
        if call.caller == line.party or not may_pick_up(call, line.party):
            raise Conflict("it rings no more")
        entry = Refusal(
            of=ref_to(call), cause=RefusalCause.DECLINED, role=speaker.role, sign=speaker.sign, text=request.reason
        )  # fmt: skip
        await _say(room, calling, entry)


async def hang_up(
    calling: Calling, line: LineRunner, call: Call, actor: Actor, request: requests.HangUpRequest
) -> None:
    """End the call, or withdraw the ring; nothing is left to do if this station has hung up. Raises Conflict or Unknown."""
    speaker = Speaker(calling, actor, request, SEATED)
    room = calling.room(line)
    async with room.lock:
        call = calling.held(line, call.place)
        if call.hang_up(line.party) is not None:
            return  # both sides pressed at once, and the other was quicker
        if request.console is not None:
            _sitting(room, call, actor, request.console)
        if not CALLERS & actor.roles and (request.console is None or request.cause == "ended"):
            raise Forbidden("who interprets leaves a call: a watch officer or a principal ends it")
        cause = _CAUSES[request.cause]
        if call.pick_up is None:
            if call.caller != line.party:
                raise Conflict("a ring that was not picked up is declined, and not hung up")
            cause = EndCause.WITHDRAWN
        _check_within(line, call)
        await calling.end(room, call, cause, role=speaker.role, sign=speaker.sign, text=request.text)


# --- seats -----------------------------------------------------------------------------------------------------


async def seat(calling: Calling, line: LineRunner, call: Call, actor: Actor, request: requests.SeatRequest) -> None:
    """Join, take over or leave. Raises Conflict, Malformed or Unknown."""
    speaker = Speaker(calling, actor, request, SEATED)
    room = calling.room(line)
    async with room.lock:
        call = calling.held(line, call.place)
        _check_open(line, call)
        if request.act == "leaves":
            number, _ = _sitting(room, call, actor, request.console)
            await calling.leave(room, call, number, SeatAct.LEAVES, speaker.role, speaker.sign)
            return
        if request.fingerprint is None:
            raise Malformed("a console that sits down has a fingerprint")
        number = FURTHER if request.act == "joins" else OFFICER
        _check_seat(room, call, number, request.console, speaker)
        act = SeatAct.JOINS if number == FURTHER else SeatAct.TAKES_OVER
        entry = Seat(
            of=ref_to(call), act=act, number=number, role=speaker.role, sign=speaker.sign,
            fingerprint=bytes.fromhex(request.fingerprint), language=speaker.language,
        )  # fmt: skip
        await _say(room, calling, entry)
        room.sit(call, number, KeptSeat(console=request.console, uid=actor.uid), calling.station.clock.steady())
        if number == OFFICER:
            room.running[call.place].vacant = room.running[call.place].takeover_until = None
    calling.publish(room, call.place)


def _check_open(line: LineRunner, call: Call) -> None:
    if not is_open(call):
        raise Conflict("the call is not open")
    _check_within(line, call)


def _check_within(line: LineRunner, call: Call) -> None:
    if line.party not in {call.caller, call.called}:
        raise Conflict("the call is between other stations")


def _check_seat(room: Room, call: Call, number: int, console: str, speaker: Speaker) -> None:
    taken = room.running[call.place].sitting
    if number == FURTHER and number in taken:
        raise Conflict("the further seat is taken: two consoles of a station are the most")
    if number == OFFICER and speaker.role is Role.INTERPRETER:
        raise Forbidden("a call is taken over by a watch officer or a principal")
    if any(each.console == console for each in taken.values()):
        raise Conflict("this console sits in the call already")


def _sitting(room: Room, call: Call, actor: Actor, console: str) -> tuple[int, Sitting]:
    """The seat of a console, if it is that officer's. Raises Unknown."""
    running = room.running.get(call.place)
    for number, each in running.sitting.items() if running is not None else ():
        if each.console == console and each.uid == actor.uid:
            return number, each
    raise Unknown("this console does not sit in the call: it may have been taken over, or counts as lost")


def alive(calling: Calling, line: LineRunner, call: Call, actor: Actor, request: requests.AliveRequest) -> int:
    """A console is there: the number of its seat. Raises Unknown."""
    room = calling.room(line)
    number, sitting = _sitting(room, call, actor, request.console)
    sitting.heard = calling.station.clock.steady()
    calling.heard(room, call, sitting, sound=request.sound)
    return number


def signal(calling: Calling, line: LineRunner, call: Call, actor: Actor, request: requests.SignalRequest) -> None:
    """Carry something to another seat. Raises Conflict, Unknown, and what a description is refused with."""
    room = calling.room(line)
    number, _ = _sitting(room, call, actor, request.console)
    _check_open(line, call)
    to = (request.to.party, request.to.seat)
    if to == (line.party, number) or not is_seated(call, *to):
        raise Unknown("nobody sits there")
    own = fingerprint_of(call, line.party, number)
    strict = Strictness(fingerprint=own, relay_only=calling.station.config.calls.relay_only)
    check_description(request.type, request.data, strict)
    calling.station.counters["call-signal"] += 1
    if to[0] == line.party:
        calling.deliver(room, call, (line.party, number), to, request.type, request.data)
        return
    place = call.place
    said = CallSignal(
        lane=place.lane, generation=place.generation, index=place.index, sender=number, to=to[1],
        type=SignalType(TYPES.index(request.type)), data=request.data,
    )  # fmt: skip
    line.feed(Signal(party=to[0], signal=said))


async def connected(
    calling: Calling, line: LineRunner, call: Call, actor: Actor, request: requests.ConnectedRequest
) -> None:
    """Sign how the sound to another seat is protected, whenever it changes; too weak, and the call ends. Raises Unknown or Conflict."""
    room = calling.room(line)
    number, _ = _sitting(room, call, actor, request.console)
    path = Path.RELAY if request.path == "relay" else Path.DIRECT
    seen = Protection(
        dtls=request.dtls, cipher=request.cipher, srtp=request.srtp, path=path, party=request.peer.party,
        seat=request.peer.seat,
    )  # fmt: skip
    if not is_seated(call, seen.party, seen.seat):
        raise Unknown("nobody sits there")
    async with room.lock:
        call = calling.held(line, call.place)
        _check_open(line, call)
        own = seat_of(call, line.party, number)
        if own is None or seen in own.protections:
            return
        entry = Seat(
            of=ref_to(call), act=SeatAct.CONNECTED, number=number, role=own.role, sign=own.sign, protection=seen
        )  # fmt: skip
        await _say(room, calling, entry)
        if seen.dtls != DTLS:
            await calling.end(
                room, calling.held(line, call.place), EndCause.NOT_PROTECTED, role=own.role, sign=own.sign
            )


async def check(calling: Calling, line: LineRunner, call: Call, actor: Actor, request: requests.CheckRequest) -> None:
    """Sign whether the digits matched. If not, the call ends. Raises Unknown or Conflict."""
    speaker = Speaker(calling, actor, request, SEATED)
    room = calling.room(line)
    async with room.lock:
        call = calling.held(line, call.place)
        number, _ = _sitting(room, call, actor, request.console)
        _check_open(line, call)
        act = SeatAct.MATCHED if request.matched else SeatAct.DIFFERED
        entry = Seat(of=ref_to(call), act=act, number=number, role=speaker.role, sign=speaker.sign)
        await _say(room, calling, entry)
        if not request.matched:
            call = calling.held(line, call.place)
            await calling.end(room, call, EndCause.CHECK_FAILED, role=speaker.role, sign=speaker.sign)


# --- what is written -------------------------------------------------------------------------------------------


async def typed(calling: Calling, line: LineRunner, call: Call, actor: Actor, request: requests.TypedRequest) -> None:
    """Type a line. Raises Conflict."""
    speaker = Speaker(calling, actor, request, SEATED)
    room = calling.room(line)
    _check_open(line, call)
    calling.check_speaks(line, call, actor)
    entry = TypedLine(
        of=ref_to(call), text=request.text, language=speaker.language, role=speaker.role, sign=speaker.sign
    )  # fmt: skip
    await _say(room, calling, entry)


async def minutes(
    calling: Calling, line: LineRunner, call: Call, actor: Actor, request: requests.MinutesRequest
) -> None:
    """Draft minutes. Raises Conflict, Malformed, Unknown or TooLarge."""
    speaker = Speaker(calling, actor, request, SEATED)
    room = calling.room(line)
    if call.pick_up is None:
        raise Conflict("nobody picked up: there is nothing to keep minutes of")
    _check_within(line, call)
    clauses = tuple(
        tuple(sorted(((check_language(tongue), text) for tongue, text in clause.texts.items()), key=_as_codec))
        for clause in request.clauses
    )
    replaces = None if request.replaces is None else find_ref(line, request.replaces)
    if replaces is not None and not any(replaces.leaf == draft.said.leaf for draft in call.drafts):
        raise Unknown("those are not minutes of this call")
    entry = Minutes(of=ref_to(call), clauses=clauses, role=speaker.role, sign=speaker.sign, replaces=replaces)
    await _say(room, calling, entry)


def _as_codec(item: tuple[str, str]) -> tuple[int, bytes]:
    return len(item[0]), item[0].encode()


async def minutes_word(  # noqa: PLR0917 - a call, and an entry of it
    calling: Calling, line: LineRunner, call: Call, place: Place, actor: Actor, request: requests.MinutesWordRequest
) -> None:
    """Agree with minutes clause by clause, or differ. Raises Conflict, Malformed or Unknown."""
    speaker = Speaker(calling, actor, request, CALLERS)
    room = calling.room(line)
    draft = next((each for each in call.drafts if each.said.place == place), None)
    if draft is None:
        raise Unknown("those are not minutes of this call")
    if draft.said.party == line.party:
        raise Conflict("these are this station's own minutes: the other side agrees")
    if len(draft.minutes.clauses) != len(request.clauses):
        raise Malformed("one word for each clause")
    if any(not each.agreed and not each.text for each in request.clauses):
        raise Malformed("say how a clause differs")
    of = Ref(lane=place.lane, generation=place.generation, index=place.index, leaf=draft.said.leaf)
    words = tuple(ClauseWord(agreed=each.agreed, text=each.text) for each in request.clauses)
    await _say(room, calling, MinutesWord(of=of, clauses=words, role=speaker.role, sign=speaker.sign))
