"""Bodies of the kinds about calls: to members and back.

Spec: spec/17-calls.md, 17.1 to 17.10.
"""

import re
from collections.abc import Callable
from typing import assert_never

from openline.kernel.codec import Value
from openline.kernel.errors import Malformed, TooLarge
from openline.kernel.units import MAX_PARTIES
from openline.protocol.body_fields import Members, flag, formed, given, hash_at, instant, one_of, sign, text, uint
from openline.protocol.call_entries import (
    MAX_CLAUSE_LANGUAGES,
    MAX_CLAUSES,
    MAX_PROTECTION_TEXT,
    MAX_SEAT,
    CallEntry,
    ClauseWord,
    EndCause,
    HangUp,
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
    Texts,
    TypedLine,
)
from openline.protocol.fields import decode_ref, encode_ref
from openline.protocol.numbers import MAX_LANGUAGE, MAX_REASON, MAX_ROLES, MAX_SUBJECT, MAX_TEXT, Kind, Precedence, Role

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,3}", re.ASCII)
_ROLES = {int(r): r for r in Role}
_PRECEDENCES = {int(p): p for p in Precedence}
_REFUSALS = {int(c): c for c in RefusalCause if c is not RefusalCause.YIELDS}
_ACTS = {int(a): a for a in SeatAct}
_ENDS = {int(c): c for c in EndCause}
_PATHS = {int(p): p for p in Path}
_WITH_FINGERPRINT = frozenset({SeatAct.OPENS, SeatAct.JOINS, SeatAct.TAKES_OVER})


def call_members(entry: CallEntry) -> dict[int, Value]:
    """The members of a body about a call."""
    match entry:
        case Ring():
            members: dict[int, Value] = {0: entry.precedence, 1: entry.language, 2: list(entry.roles), 3: entry.role}
            return members | {4: entry.sign, 5: entry.commitment} | given(6, entry.subject or None)
        case PickUp():
            members = {0: encode_ref(entry.of), 1: entry.language, 2: entry.role, 3: entry.sign}
            return members | {4: entry.fingerprint}
        case Refusal():
            members = {0: encode_ref(entry.of), 1: entry.cause, 2: entry.role, 3: entry.sign}
            return members | given(4, entry.text or None)
        case Seat():
            return _seat_members(entry)
        case HangUp():
            members = {0: encode_ref(entry.of), 1: entry.cause, 2: entry.role, 3: entry.sign}
            members |= given(4, entry.began) | given(5, entry.ended)
            return members | given(6, _protection_value(entry.protection)) | given(7, entry.text or None)
        case TypedLine():
            return {0: encode_ref(entry.of), 1: entry.text, 2: entry.language, 3: entry.role, 4: entry.sign}
        case Minutes():
            members = {0: encode_ref(entry.of), 1: [dict(texts) for texts in entry.clauses]}
            members |= {2: entry.role, 3: entry.sign}
            return members | given(4, encode_ref(entry.replaces) if entry.replaces else None)
        case MinutesWord():
            words: list[Value] = [[word.agreed, word.text] if word.text else [word.agreed] for word in entry.clauses]
            return {0: encode_ref(entry.of), 1: words, 2: entry.role, 3: entry.sign}
        case _:
            assert_never(entry)


def _seat_members(entry: Seat) -> dict[int, Value]:
    members: dict[int, Value] = {0: encode_ref(entry.of), 1: entry.act, 2: entry.number, 3: entry.role, 4: entry.sign}
    members |= given(5, entry.fingerprint or None) | given(6, entry.nonce or None) | given(7, entry.language or None)
    return (
        members
        | given(8, _protection_value(entry.protection))
        | given(9, encode_ref(entry.pick_up) if entry.pick_up else None)
    )


def _protection_value(seen: Protection | None) -> Value:
    if seen is None:
        return None
    return [seen.dtls, seen.cipher, seen.srtp, int(seen.path), seen.party, seen.seat]


# --- reading ---


def _listed(members: Members, key: int, most: int) -> list[Value]:
    value = members.get(key)
    if not isinstance(value, list) or not value:
        raise Malformed("a list of one at least")
    if len(value) > most:
        raise TooLarge("a list beyond its bound")
    return value


def _read_protection(members: Members, key: int) -> Protection:
    of_place = dict(enumerate(_listed(members, key, 16)))  # it may grow (spec 2.8)
    return Protection(
        dtls=text(of_place, 0, MAX_PROTECTION_TEXT),
        cipher=text(of_place, 1, MAX_PROTECTION_TEXT),
        srtp=text(of_place, 2, MAX_PROTECTION_TEXT),
        path=one_of(of_place, 3, _PATHS),
        party=uint(of_place, 4, MAX_PARTIES - 1),
        seat=uint(of_place, 5, MAX_SEAT),
    )


def _read_ring(members: Members) -> Ring:
    roles = dict(enumerate(_listed(members, 2, MAX_ROLES)))
    return Ring(
        precedence=one_of(members, 0, _PRECEDENCES),
        language=formed(members, 1, MAX_LANGUAGE, _LANGUAGE),
        roles=tuple(one_of(roles, place, _ROLES) for place in roles),
        role=one_of(members, 3, _ROLES),
        sign=sign(members, 4),
        commitment=hash_at(members, 5),
        subject=text(members, 6, MAX_SUBJECT) if 6 in members else "",
    )


def _read_pick_up(members: Members) -> PickUp:
    return PickUp(
        of=decode_ref(members.get(0)),
        language=formed(members, 1, MAX_LANGUAGE, _LANGUAGE),
        role=one_of(members, 2, _ROLES),
        sign=sign(members, 3),
        fingerprint=hash_at(members, 4),
    )


def _read_refusal(members: Members) -> Refusal:
    cause = one_of(members, 1, _REFUSALS)
    said = text(members, 4, MAX_REASON) if 4 in members else ""
    if cause is RefusalCause.DECLINED and not said:
        raise Malformed("who declines a call says why")
    return Refusal(
        of=decode_ref(members.get(0)),
        cause=cause,
        role=one_of(members, 2, _ROLES),
        sign=sign(members, 3),
        text=said,
    )


def _read_seat(members: Members) -> Seat:
    act, number = one_of(members, 1, _ACTS), uint(members, 2, MAX_SEAT)
    opens = act is SeatAct.OPENS
    if opens and number:
        raise Malformed("the caller's first seat opens a call")
    return Seat(
        of=decode_ref(members.get(0)),
        act=act,
        number=number,
        role=one_of(members, 3, _ROLES),
        sign=sign(members, 4),
        fingerprint=hash_at(members, 5) if act in _WITH_FINGERPRINT else b"",
        nonce=hash_at(members, 6) if opens else b"",
        language=formed(members, 7, MAX_LANGUAGE, _LANGUAGE) if 7 in members else "",
        protection=_read_protection(members, 8) if act is SeatAct.CONNECTED else None,
        pick_up=decode_ref(members.get(9)) if opens else None,
    )


def _read_hang_up(members: Members) -> HangUp:
    return HangUp(
        of=decode_ref(members.get(0)),
        cause=one_of(members, 1, _ENDS),
        role=one_of(members, 2, _ROLES),
        sign=sign(members, 3),
        began=instant(members, 4) if 4 in members else None,
        ended=instant(members, 5) if 5 in members else None,
        protection=_read_protection(members, 6) if 6 in members else None,
        text=text(members, 7, MAX_REASON) if 7 in members else "",
    )


def _read_typed(members: Members) -> TypedLine:
    return TypedLine(
        of=decode_ref(members.get(0)),
        text=text(members, 1, MAX_REASON),
        language=formed(members, 2, MAX_LANGUAGE, _LANGUAGE),
        role=one_of(members, 3, _ROLES),
        sign=sign(members, 4),
    )


def _read_texts(value: Value) -> Texts:
    if not isinstance(value, dict) or not value:
        raise Malformed("a clause is a text in each language")
    if len(value) > MAX_CLAUSE_LANGUAGES:
        raise TooLarge("a clause in too many languages")
    found: list[tuple[str, str]] = []
    for language, said in value.items():
        tag = formed({0: language}, 0, MAX_LANGUAGE, _LANGUAGE)
        found.append((tag, text({0: said}, 0, MAX_TEXT)))
    return tuple(found)


def _read_minutes(members: Members) -> Minutes:
    clauses = tuple(_read_texts(value) for value in _listed(members, 1, MAX_CLAUSES))
    if sum(len(said.encode()) for texts in clauses for _, said in texts) > MAX_TEXT:
        raise TooLarge("minutes beyond their bound")
    return Minutes(
        of=decode_ref(members.get(0)),
        clauses=clauses,
        role=one_of(members, 2, _ROLES),
        sign=sign(members, 3),
        replaces=decode_ref(members[4]) if 4 in members else None,
    )


def _read_minutes_word(members: Members) -> MinutesWord:
    words: list[ClauseWord] = []
    for value in _listed(members, 1, MAX_CLAUSES):
        if not isinstance(value, list):
            raise Malformed("a word about a clause is a list")
        of_place = dict(enumerate(value))
        said = text(of_place, 1, MAX_TEXT) if 1 in of_place else ""
        words.append(ClauseWord(agreed=flag(of_place, 0), text=said))
    if sum(len(word.text.encode()) for word in words) > MAX_TEXT:
        raise TooLarge("words about minutes beyond their bound")
    return MinutesWord(
        of=decode_ref(members.get(0)),
        clauses=tuple(words),
        role=one_of(members, 2, _ROLES),
        sign=sign(members, 3),
    )


CALL_READERS: dict[int, Callable[[Members], CallEntry]] = {
    Kind.RING: _read_ring,
    Kind.PICK_UP: _read_pick_up,
    Kind.REFUSAL: _read_refusal,
    Kind.SEAT: _read_seat,
    Kind.HANG_UP: _read_hang_up,
    Kind.TYPED_LINE: _read_typed,
    Kind.MINUTES: _read_minutes,
    Kind.MINUTES_WORD: _read_minutes_word,
}
"""The reader of each kind's body. Each raises Malformed or TooLarge."""
