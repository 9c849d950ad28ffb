"""The view of one call from the entries about it.

Total: it takes whatever was accepted, and what has no effect is left out.

Spec: spec/17-calls.md, 17.5 to 17.19.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from openline.kernel.units import Instant
from openline.protocol.call_entries import (
    RING_MS,
    EndCause,
    HangUp,
    Minutes,
    MinutesWord,
    PickUp,
    Refusal,
    RefusalCause,
    Ring,
    Seat,
    SeatAct,
)
from openline.protocol.call_keys import SpokenCheck, opens_commitment, spoken_check
from openline.protocol.calls import (
    Call,
    CallState,
    CheckWord,
    Draft,
    Key,
    MinutesState,
    Record,
    Said,
    Seated,
    SeatState,
    agrees,
)
from openline.protocol.entries import AnyEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The entries about one ring, each kind in the order of `Said.order`."""

    ring: Said
    rung: Ring
    pick_ups: dict[int, Said]
    """The first of each party."""
    refusals: dict[int, Said]
    hang_ups: dict[int, Said]
    opening: Said | None
    """The first by which the caller opens its first seat."""
    seats: Sequence[Said]
    """What seats did beside that."""
    typed: Sequence[Said]
    voice: Sequence[Said]
    drafts: Sequence[Said]
    words: Sequence[Said]
    later: Instant
    """The latest time that a later entry of the same lane generation claims."""
    succeeded: bool
    """Its author rang in a later generation."""


def view(parts: Parts, line: bytes, parties: int) -> Call:
    """The call that these entries make, as if no other rang at the same time."""
    ring, caller = parts.ring, parts.ring.party
    pick_up, opening = _counting(parts)
    called = pick_up.party if pick_up is not None else None
    within = {caller} if called is None else {caller, called}
    acts = [s for s in parts.seats if s.party in within and _in_time(parts, s)]
    seats = _seats(acts if opening is None else sorted([opening, *acts], key=lambda said: said.order), pick_up)
    named = parts.opening is not None and _in_time(parts, parts.opening)
    lies = parties == 2 and pick_up is not None and named and opening is None  # it names what was never said
    wrong = lies or (opening is not None and not _opens(opening, parts.rung))
    drafts = _drafts(parts, within)
    return Call(
        ring=ring,
        rung=parts.rung,
        state=_state(parts, parties, pick_up, opening),
        called=called,
        pick_up=pick_up,
        opening=opening,
        wrong_key=wrong,
        check=None if wrong or pick_up is None or opening is None else _check(line, parts, pick_up, opening, seats),
        check_words=_check_words(acts),
        refusals=tuple(parts.refusals[party] for party in sorted(parts.refusals)),
        hang_ups=tuple(parts.hang_ups[party] for party in sorted(parts.hang_ups)),
        seats=seats,
        typed=_as_they_came(s for s in parts.typed if s.party in within and _in_time(parts, s)),
        voice=_as_they_came(s for s in parts.voice if s.party in within),
        drafts=drafts,
        minutes=_minutes_state(drafts, within),
        record=_record(parts, called, parties),
        overtaken=parts.later - ring.time > RING_MS,
    )


def _as_they_came(said: Iterable[Said]) -> tuple[Said, ...]:
    return tuple(sorted(said, key=lambda each: each.arrival))


def _opens(opening: Said, ring: Ring) -> bool:
    seat = opening.entry
    return isinstance(seat, Seat) and opens_commitment(ring.commitment, seat.nonce, seat.fingerprint)


def _act(said: Said) -> SeatAct | None:
    return said.entry.act if isinstance(said.entry, Seat) else None


def _in_time(parts: Parts, said: Said) -> bool:
    """Whether its author had not hung up before, in the same lane: who has hung up says nothing more in that call."""
    hung = parts.hang_ups.get(said.party)
    return hung is None or said.order < hung.order


def _counting(parts: Parts) -> tuple[Said | None, Said | None]:
    """The pick up that counts and what opens to it: the one the caller named, else that of the lowest party, not opened."""
    opening = parts.opening
    if (
        opening is not None
        and _in_time(parts, opening)
        and isinstance(opening.entry, Seat)
        and opening.entry.pick_up is not None
    ):
        ref = opening.entry.pick_up
        for said in parts.pick_ups.values():
            if _in_time(parts, said) and said.key == (ref.lane, ref.generation, ref.index) and said.leaf == ref.leaf:
                return said, opening
    for party, said in sorted(parts.pick_ups.items()):
        refused = parts.refusals.get(party)
        if _in_time(parts, said) and (refused is None or said.order < refused.order):
            return said, None
    return None, None


_BY_PERSONS = {RefusalCause.DECLINED, RefusalCause.BUSY, RefusalCause.SUSPENDED}
_HUNG = {
    EndCause.WITHDRAWN: CallState.WITHDRAWN,
    EndCause.NOT_ANSWERED: CallState.MISSED,
    EndCause.YIELDS: CallState.YIELDED,
}


def _state(parts: Parts, parties: int, pick_up: Said | None, opening: Said | None) -> CallState:
    caller = parts.ring.party
    hung = parts.hang_ups.get(caller)
    refused = _refused(parts)
    if hung is not None and isinstance(hung.entry, HangUp):
        if opening is not None:
            return CallState.ENDED
        return _HUNG.get(hung.entry.cause) or (refused if refused and pick_up is None else CallState.ENDED)
    if pick_up is not None:
        return CallState.ENDED if pick_up.party in parts.hang_ups or parts.succeeded else CallState.OPEN
    others = {*parts.refusals, *parts.hang_ups} - {caller}
    if len(others) == parties - 1:
        return refused or CallState.WITHDRAWN
    return CallState.WITHDRAWN if parts.succeeded else CallState.RINGING


def _refused(parts: Parts) -> CallState | None:
    causes = {said.entry.cause for said in parts.refusals.values() if isinstance(said.entry, Refusal)}
    if not causes:
        return None
    return CallState.REFUSED if causes & _BY_PERSONS else CallState.MISSED


def _seats(acts: list[Said], pick_up: Said | None) -> tuple[Seated, ...]:
    """All seats that were taken, from what was said of them in its order; the called party's first by its pick up."""
    found: dict[tuple[int, int], Seated] = {}
    if pick_up is not None and isinstance(pick_up.entry, PickUp):
        said = pick_up.entry
        found[pick_up.party, 0] = Seated(
            party=pick_up.party, number=0, role=said.role, sign=said.sign, language=said.language,
            fingerprint=said.fingerprint, state=SeatState.OPENING, since=pick_up.time, protections=(),
        )  # fmt: skip
    for each in acts:
        seat = each.entry
        if not isinstance(seat, Seat):
            continue
        key, before = (each.party, seat.number), found.get((each.party, seat.number))
        if seat.fingerprint and (seat.act is not SeatAct.TAKES_OVER or before is not None):
            found[key] = Seated(
                party=each.party, number=seat.number, role=seat.role, sign=seat.sign,
                language=seat.language or (before.language if before else ""), fingerprint=seat.fingerprint,
                state=SeatState.OPENING, since=each.time, protections=(),
            )  # fmt: skip
        elif before is not None:
            found[key] = _after(before, seat, each.time)
    return tuple(found[key] for key in sorted(found))


def _after(seat: Seated, said: Seat, time: Instant) -> Seated:
    state, seen = seat.state, seat.protections
    if said.protection is not None:
        to = said.protection.party, said.protection.seat
        kept = [known for known in seen if (known.party, known.seat) != to]
        seen = tuple(sorted([*kept, said.protection], key=lambda known: (known.party, known.seat)))
        state = SeatState.CONNECTED
    elif said.act is SeatAct.LEAVES:
        state = SeatState.LEFT
    elif said.act is SeatAct.LOST:
        state = SeatState.LOST
    changed = (state, seen) != (seat.state, seat.protections)
    return Seated(
        party=seat.party, number=seat.number, role=seat.role, sign=seat.sign, language=seat.language,
        fingerprint=seat.fingerprint, state=state, since=time if changed else seat.since, protections=seen,
    )  # fmt: skip


def _check(line: bytes, parts: Parts, pick_up: Said, opening: Said, seats: tuple[Seated, ...]) -> SpokenCheck | None:
    first = {seat.party: seat.fingerprint for seat in seats if seat.number == 0}
    taken = [
        said
        for said in parts.seats
        if said.party in first and _in_time(parts, said) and isinstance(said.entry, Seat) and _takes_first(said.entry)
    ]  # fmt: skip
    if not isinstance(opening.entry, Seat):
        return None
    return spoken_check(
        line,
        parts.ring.leaf,
        pick_up.leaf,
        first[parts.ring.party],
        opening.entry.nonce,
        first[pick_up.party],
        [said.leaf for said in sorted(taken, key=lambda said: said.key)],
    )


def _takes_first(seat: Seat) -> bool:
    return seat.act is SeatAct.TAKES_OVER and not seat.number


def _before(one: Said, other: Said) -> bool:
    """Whether it was said earlier: of one party by its lanes, of two as people read them."""
    return one.order < other.order if one.party == other.party else one.arrival < other.arrival


def _check_words(acts: list[Said]) -> tuple[CheckWord, ...]:
    found: dict[tuple[int, int], CheckWord] = {}
    taken = [each for each in acts if isinstance(each.entry, Seat) and _takes_first(each.entry)]
    for each in acts:
        seat = each.entry
        if isinstance(seat, Seat) and seat.act in {SeatAct.MATCHED, SeatAct.DIFFERED}:
            matched = seat.act is SeatAct.MATCHED
            earlier = any(_before(each, other) for other in taken)
            found[each.party, seat.number] = CheckWord(
                party=each.party, seat=seat.number, matched=matched, sign=seat.sign, time=each.time, earlier=earlier
            )
    return tuple(found[key] for key in sorted(found))


def _drafts(parts: Parts, within: set[int]) -> tuple[Draft, ...]:
    """Drafts as they came; words on another number of clauses, or on one's own draft, say nothing."""
    drafts = [said for said in parts.drafts if said.party in within]
    replaced = {_replaced(said) for said in drafts}
    found: list[Draft] = []
    for said in sorted(drafts, key=lambda said: said.arrival):
        if not isinstance(said.entry, Minutes):
            continue
        words = tuple(
            word for word in parts.words if word.party in within - {said.party} and speaks_of(word.entry, said)
        )
        found.append(Draft(said=said, minutes=said.entry, words=words, replaced=(said.key, said.leaf) in replaced))
    return tuple(found)


def _replaced(said: Said) -> tuple[Key, bytes] | None:
    ref = said.entry.replaces if isinstance(said.entry, Minutes) else None
    return ((ref.lane, ref.generation, ref.index), ref.leaf) if ref is not None else None


def speaks_of(word: AnyEntry, said: Said) -> bool:
    """Whether a word is one on these minutes, clause by clause."""
    if not isinstance(word, MinutesWord) or not isinstance(said.entry, Minutes):
        return False
    named = (word.of.lane, word.of.generation, word.of.index) == said.key and word.of.leaf == said.leaf
    return named and len(word.clauses) == len(said.entry.clauses)


def _minutes_state(drafts: tuple[Draft, ...], within: set[int]) -> MinutesState:
    """Minutes that all in the call agreed to stand for good; else the last words on what is not replaced."""
    if len(within) > 1 and any(draft.agreed_by(within) for draft in drafts):
        return MinutesState.AGREED
    if any(not agrees(word.entry) for draft in drafts if not draft.replaced for word in draft.words):
        return MinutesState.DIFFERS
    return MinutesState.DRAFTED if drafts else MinutesState.NONE


def _record(parts: Parts, called: int | None, parties: int) -> Record:
    """What caller and called party signed of the end: a hang up each, or the called party's refusal."""
    caller = parts.ring.party
    other = called if called is not None else 1 - caller if parties == 2 else None
    mine = parts.hang_ups.get(caller)
    theirs = (
        None if other is None else parts.hang_ups.get(other) or (parts.refusals.get(other) if called is None else None)
    )
    if mine is None or theirs is None:
        return Record.OPEN if mine is theirs else Record.ONE_SIDED
    ends = [said.entry for said in (mine, theirs) if isinstance(said.entry, HangUp)]
    return Record.AGREED if len({_sounded(end) for end in ends}) == 1 else Record.DIFFERS


def _sounded(end: HangUp) -> tuple[bool, str, str]:
    seen = end.protection
    return end.began is not None, seen.dtls if seen else "", seen.srtp if seen else ""
