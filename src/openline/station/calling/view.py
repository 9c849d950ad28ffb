"""A call as people see it: names for numbers, and what this station alone knows of it."""

from enum import IntEnum
from typing import TYPE_CHECKING

from openline.protocol.call_entries import EndCause, HangUp, PickUp, Protection, Refusal, TypedLine
from openline.protocol.call_entries import MinutesWord as Word
from openline.protocol.call_states import Call, CallState, Said, Seated
from openline.protocol.calls import Draft
from openline.protocol.entries import Attachment
from openline.station.answers import RefView
from openline.station.calling.answers import (
    CallMinutesView,
    CallPartyView,
    CallView,
    CheckWordView,
    ClauseView,
    ClauseWordView,
    DraftMinutesView,
    EndView,
    MinutesWordView,
    PickedUpView,
    ProtectionView,
    SeatName,
    SeatView,
    SpokenCheckView,
    TypedView,
    VoiceView,
)
from openline.station.calling.room import Room, Running
from openline.station.calling.standing import OFFICER, place_text
from openline.station.line_runner import LineRunner

if TYPE_CHECKING:
    from openline.station.calling.desk import Calling

WORDS = {
    "declined": "declined",
    "not-answered": "nobody answered",
    "unattended": "the floor is unattended",
    "busy": "another call is open on the line",
    "suspended": "the line is suspended",
    "no-console": "no console was open",
    "ended": "ended",
    "withdrawn": "withdrawn by the caller",
    "console-lost": "a console was lost, and nobody took the call over",
    "not-protected": "the sound was not protected as the consoles had signed",
    "check-failed": "the spoken check did not match",
    "wrong-key": "the caller's key is not the one that the ring committed to",
    "confirms": "ended",
    "yields": "two calls crossed, and the other one stands",
}
"""What a cause means, in English; the page has them in its languages."""


def call_view(calling: "Calling", room: Room, call: Call) -> CallView:
    """A call."""
    line, running, rung = room.line, room.running.get(call.place), call.rung
    ringing = call.state is CallState.RINGING
    cause, reason = _cause(call)
    return CallView(
        line=line.label,
        ref=_ref(call.ring),
        place=place_text(call.place),
        state=call.state.value,
        mine=call.caller == line.party,
        precedence=word(rung.precedence),
        lang=rung.language,
        to=[word(role) for role in rung.roles],
        subject=rung.subject,
        role=word(rung.role),
        sign=rung.sign,
        party=call.caller,
        number=call.ring.seq,
        rang_at=call.ring.time,
        came_at=room.came_at(call),
        picked_up_at=call.pick_up.time if call.pick_up is not None else None,
        ended_at=_ended_at(call),
        rings_until=running.accepted_at + calling.pace.ring if running is not None and ringing else None,
        rings=calling.rings(room, call),
        parties=[
            CallPartyView(party=party, name=name, me=party == line.party) for party, name in enumerate(line.names)
        ],
        by=_by(line, call),
        cause=cause,
        cause_words=WORDS.get(cause, ""),
        reason=reason,
        seats=[_seat(line, running, seat, is_live=call.live) for seat in call.seats],
        check=_check(line, call),
        ends=[_end(line, said, said.entry) for said in call.hang_ups if isinstance(said.entry, HangUp)],
        record=call.record.value,
        typed=[_typed(said, said.entry) for said in call.typed if isinstance(said.entry, TypedLine)],
        voice=[_voice(said, said.entry) for said in call.voice if isinstance(said.entry, Attachment)],
        minutes=CallMinutesView(state=call.minutes.value, drafts=[_draft(line, draft) for draft in call.drafts]),
        exercise=line.exercise,
    )


def word(value: IntEnum) -> str:
    """A number's name as the API writes it."""
    return value.name.lower().replace("_", "-")


def _ref(said: Said) -> RefView:
    place = said.place
    return RefView(lane=place.lane, generation=str(place.generation), index=place.index, leaf=said.leaf.hex())


def _cause(call: Call) -> tuple[str, str]:
    """Why it is over, and what whoever ended it said: a party's own cause goes before a mere confirmation."""
    if call.state is CallState.YIELDED:
        return "yields", ""
    ends = [said.entry for said in call.hang_ups if isinstance(said.entry, HangUp)]
    own = [end for end in ends if end.cause is not EndCause.CONFIRMS]
    refusals = [said.entry for said in call.refusals if isinstance(said.entry, Refusal)]
    if call.live:
        return "", ""
    if call.pick_up is None and refusals and call.state is not CallState.WITHDRAWN:
        first = min(refusals, key=lambda each: each.cause)
        return word(first.cause), first.text
    end = next(iter(own or ends), None)
    return (word(end.cause), end.text) if end is not None else ("withdrawn", "")


def _ended_at(call: Call) -> int | None:
    times = [said.time for said in (*call.hang_ups, *call.refusals)]
    return min(times) if times and not call.live else None


def _by(line: LineRunner, call: Call) -> PickedUpView | None:
    said = call.pick_up
    if said is None or not isinstance(said.entry, PickUp):
        return None
    return PickedUpView(
        party=said.party,
        name=line.names[said.party],
        role=word(said.entry.role),
        sign=said.entry.sign,
        lang=said.entry.language,
    )


def _seat(line: LineRunner, running: Running | None, seat: Seated, *, is_live: bool) -> SeatView:
    me = seat.party == line.party
    sitting = running.sitting.get(seat.number) if me and running is not None else None
    until = running.takeover_until if me and is_live and running is not None and seat.number == OFFICER else None
    return SeatView(
        party=seat.party,
        name=line.names[seat.party],
        me=me,
        seat=seat.number,
        role=word(seat.role),
        sign=seat.sign,
        lang=seat.language,
        fingerprint=seat.fingerprint.hex(),
        state=seat.state.value,
        console=sitting.console if sitting is not None else None,
        since=seat.since,
        protection=_protection(next(iter(seat.protections), None)),
        protections=[view for each in seat.protections if (view := _protection(each)) is not None],
        takeover_until=until,
    )


def _protection(seen: Protection | None) -> ProtectionView | None:
    if seen is None:
        return None
    peer = SeatName(party=seen.party, seat=seen.seat)
    return ProtectionView(dtls=seen.dtls, cipher=seen.cipher, srtp=seen.srtp, path=word(seen.path), peer=peer)


def _check(line: LineRunner, call: Call) -> SpokenCheckView | None:
    if call.check is None:
        return None
    read, heard = call.check.caller, call.check.called
    if line.party == call.called:
        read, heard = heard, read
    elif line.party != call.caller:
        return None  # of others: it is not for this floor to read
    words = [
        CheckWordView(party=each.party, matched=each.matched, sign=each.sign, at=each.time, earlier=each.earlier)
        for each in call.check_words
    ]
    return SpokenCheckView(read=read, heard=heard, words=words)


def _end(line: LineRunner, said: Said, end: HangUp) -> EndView:
    return EndView(
        party=said.party,
        name=line.names[said.party],
        role=word(end.role),
        sign=end.sign,
        cause=word(end.cause),
        at=said.time,
        began=end.began,
        ended=end.ended,
        protection=_protection(end.protection),
        text=end.text,
    )


def _typed(said: Said, typed: TypedLine) -> TypedView:
    return TypedView(
        party=said.party,
        text=typed.text,
        lang=typed.language,
        role=word(typed.role),
        sign=typed.sign,
        at=said.time,
        number=said.seq,
        ref=_ref(said),
    )


def _voice(said: Said, voice: Attachment) -> VoiceView:
    return VoiceView(
        ref=_ref(said),
        party=said.party,
        at=said.time,
        number=said.seq,
        name=voice.name,
        media_type=voice.media_type,
        size=voice.size,
        sha256=voice.digest.hex(),
    )


def _draft(line: LineRunner, draft: Draft) -> DraftMinutesView:
    said, minutes = draft.said, draft.minutes
    replaces = minutes.replaces
    return DraftMinutesView(
        ref=_ref(said),
        place=place_text(said.place),
        party=said.party,
        name=line.names[said.party],
        role=word(minutes.role),
        sign=minutes.sign,
        at=said.time,
        clauses=[ClauseView(texts=dict(clause)) for clause in minutes.clauses],
        replaces=None if replaces is None else f"{replaces.lane}/{replaces.generation}/{replaces.index}",
        replaced=draft.replaced,
        words=[_word(each, each.entry) for each in draft.words if isinstance(each.entry, Word)],
    )


def _word(said: Said, entry: Word) -> MinutesWordView:
    return MinutesWordView(
        party=said.party,
        role=word(entry.role),
        sign=entry.sign,
        at=said.time,
        clauses=[ClauseWordView(agreed=each.agreed, text=each.text) for each in entry.clauses],
    )
