"""Small questions about a call that acts, automatic steps and views all ask."""

from typing import Final

from openline.protocol.call_states import Call, CallState, Seated, SeatState
from openline.protocol.facts import Place
from openline.protocol.fields import Ref
from openline.station.people import INTERPRETER, PRINCIPAL, WATCH

CALLERS: Final = frozenset({WATCH, PRINCIPAL})
"""Who may place a call, pick one up, and end one."""
SEATED: Final = frozenset({WATCH, PRINCIPAL, INTERPRETER})
"""Who may sit in one."""
OFFICER: Final = 0
FURTHER: Final = 1
"""Seats of a station."""
STATION_SIGN: Final = "STATION"
"""Who signs what the stations do by themselves."""
_THERE: Final = frozenset({SeatState.OPENING, SeatState.CONNECTED})


def place_text(place: Place) -> str:
    """How the API names a call: lane/generation/index."""
    return f"{place.lane}/{place.generation}/{place.index}"


def ref_to(call: Call) -> Ref:
    """The reference to a call's ring."""
    place = call.place
    return Ref(lane=place.lane, generation=place.generation, index=place.index, leaf=call.ring.leaf)


def is_open(call: Call) -> bool:
    """Whether it was picked up and nobody has hung up."""
    return call.state is CallState.OPEN


def has_refused(call: Call, party: int) -> bool:
    """Whether that party has refused the ring."""
    return any(said.party == party for said in call.refusals)


def may_pick_up(call: Call, party: int) -> bool:
    """Whether that party could still pick it up."""
    return call.state is CallState.RINGING and call.caller != party and not has_refused(call, party)


def may_end(call: Call, party: int) -> bool:
    """Whether that party is in the call and has not hung up."""
    return party in {call.caller, call.called} and call.hang_up(party) is None


def was_held(call: Call) -> bool:
    """Whether caller and called party have both signed that they heard each other."""
    ends = [call.hang_up(party) for party in (call.caller, call.called) if party is not None]
    return len(ends) == 2 and all(end is not None and end.began is not None for end in ends)


def seat_of(call: Call, party: int, number: int) -> Seated | None:
    """A seat that was ever taken."""
    return next((seat for seat in call.seats if (seat.party, seat.number) == (party, number)), None)


def is_seated(call: Call, party: int, number: int) -> bool:
    """Whether a console sits there now."""
    seat = seat_of(call, party, number)
    return seat is not None and seat.state in _THERE


def fingerprint_of(call: Call, party: int, number: int) -> bytes:
    """The signed fingerprint of a seat; empty while there is none."""
    seat = seat_of(call, party, number)
    return seat.fingerprint if seat is not None else b""
