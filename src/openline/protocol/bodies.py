"""Bodies of entries: the union of protocol.entries to bytes and back.

A body is a CBOR map with integer keys. A key that this version does not know
is ignored (the bytes are kept as received and are never encoded anew); a key
that is missing, of another type or beyond its bound makes the body refused.

Spec: spec/06-entries.md.
"""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar, assert_never

from openline.kernel.codec import Value, decode, encode
from openline.kernel.errors import Malformed, TooLarge
from openline.kernel.terms import parse_policy, policy_value
from openline.kernel.units import MAX_BODY, MAX_INSTANT, MAX_PARTIES, MIN_INSTANT, Instant
from openline.protocol.acknowledgements import item_values, read_ended
from openline.protocol.entries import (
    MAX_ATTACHMENT,
    MAX_ATTEMPT,
    MAX_CHUNK,
    MAX_LANGUAGE,
    MAX_MEDIA_TYPE,
    MAX_NAMED_HEADS,
    MAX_REASON,
    MAX_ROLES,
    MAX_STATEMENT,
    MAX_SUBJECT,
    MAX_TEXT,
    MIN_CHUNK,
    Ack,
    AnyEntry,
    Assent,
    Attachment,
    AttachmentReceipt,
    AttachmentState,
    Cause,
    Decline,
    EpochEntry,
    GenerationEntry,
    Interim,
    KeyNotice,
    KeyRole,
    Kind,
    Lift,
    Message,
    Mode,
    Precedence,
    Propose,
    Receipt,
    Role,
    Service,
    Step,
    Suspend,
    TermsEntry,
    Test,
    Unknown,
    Watch,
    kind_of,
)
from openline.protocol.fields import NamedHead, decode_ref, encode_ref, place, whole

_SIGN = re.compile(r"[A-Z0-9]{1,12}", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,3}", re.ASCII)
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*", re.ASCII)
_NOT_IN_NAMES = re.compile("[\x00-\x1f\x7f-\x9f/\\\\\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Path separators, controls, and the bidirectional marks that make `exe.txt` of `txt.exe`."""

_Members = Mapping[int, Value]
_Number = TypeVar("_Number")


def encode_body(entry: AnyEntry) -> bytes:
    """The body field of an own entry.

    Raises what `decode_body` raises: nobody writes what its peers would refuse.
    """
    body = entry.raw if isinstance(entry, Unknown) else encode(_members(entry))
    decode_body(kind_of(entry), body)
    return body


def decode_body(kind: int, body: bytes) -> AnyEntry:
    """What a body says. Raises Malformed or TooLarge if it is to be refused; an unknown kind never is for its form."""
    if len(body) > MAX_BODY:
        raise TooLarge("body beyond its bound")
    reader = _READERS.get(kind)
    if reader is None:
        return Unknown(kind=kind, raw=body)
    members = decode(body)
    if not isinstance(members, dict):
        raise Malformed("a body is a map")
    return reader(members)


# --- writing ---


def _members(entry: AnyEntry) -> dict[int, Value]:
    match entry:
        case Message():
            return _message_members(entry)
        case Receipt():
            members: dict[int, Value] = {0: encode_ref(entry.of), 1: entry.step, 2: entry.role, 3: entry.sign}
            return members | {4: entry.at} | _given(5, entry.relayed_to)
        case Ack():
            return {0: item_values(entry.ended)} if entry.ended else {}
        case TermsEntry():
            return {0: entry.terms}
        case GenerationEntry():
            heads: list[Value] = [
                [h.lane, h.generation.counter, h.generation.nonce, h.size, h.root] for h in entry.heads
            ]
            opening: dict[int, Value] = {0: heads, 1: entry.cause}
            return opening | _given(2, entry.statement or None)
        case Propose():
            return {0: entry.replaces, 1: policy_value(entry.policy)}
        case Assent():
            return {0: encode_ref(entry.proposal)}
        case Suspend() | Lift():
            return {0: entry.reason, 1: entry.role, 2: entry.sign}
        case Test():
            return {0: entry.text, 1: entry.language, 2: entry.drill, 3: entry.number}
        case EpochEntry():
            return {0: entry.peer, 1: entry.attempt, 2: entry.mode, 3: entry.handshake}
        case Watch():
            return {0: entry.attended, 1: entry.role, 2: entry.sign}
        case KeyNotice():
            members = {0: entry.role, 1: entry.stolen, 2: entry.key}
            return members | _given(3, entry.peer) | _given(4, entry.card or None)
        case Service():
            return {0: entry.text, 1: entry.language, 2: entry.sign} | _given(3, entry.minimize)
        case Interim():
            members = {0: encode_ref(entry.of), 1: entry.until, 2: entry.role, 3: entry.sign}
            return members | _given(4, entry.text or None)
        case Decline():
            return {0: encode_ref(entry.of), 1: entry.reason, 2: entry.role, 3: entry.sign}
        case Attachment():
            members = {0: entry.name, 1: entry.media_type, 2: entry.size, 3: entry.digest, 4: entry.chunk}
            return members | _given(5, encode_ref(entry.of) if entry.of else None)
        case AttachmentReceipt():
            return {0: encode_ref(entry.of), 1: entry.state}
        case Unknown():
            raise Malformed("an unknown kind has only its bytes")
        case _:
            assert_never(entry)


def _message_members(entry: Message) -> dict[int, Value]:
    members: dict[int, Value] = {0: entry.precedence, 2: entry.language, 3: entry.text, 4: list(entry.roles)}
    return (
        members
        | _given(1, entry.subject or None)
        | _given(5, entry.answer_by)
        | _given(6, encode_ref(entry.answers) if entry.answers else None)
        | _given(7, encode_ref(entry.supersedes) if entry.supersedes else None)
        | _given(8, entry.drafter or None)
        | _given(9, entry.releaser or None)
    )


def _given(key: int, value: Value) -> dict[int, Value]:
    return {} if value is None else {key: value}


# --- reading: each function takes a value out of its map, with its type and its bound ---


def _uint(members: _Members, key: int, most: int) -> int:
    return whole(members.get(key), most)


def _instant(members: _Members, key: int) -> Instant:
    value = members.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Malformed("not a moment")
    if not MIN_INSTANT <= value <= MAX_INSTANT:
        raise TooLarge("moment beyond its bound")
    return Instant(value)


def _flag(members: _Members, key: int) -> bool:
    value = members.get(key)
    if not isinstance(value, bool):
        raise Malformed("neither true nor false")
    return value


def _bytes(members: _Members, key: int, most: int) -> bytes:
    value = members.get(key)
    if not isinstance(value, bytes):
        raise Malformed("not bytes")
    if len(value) > most:
        raise TooLarge("bytes beyond their bound")
    return value


def _hash(members: _Members, key: int) -> bytes:
    value = members.get(key)
    if not isinstance(value, bytes) or len(value) != 32:
        raise Malformed("not a hash")
    return value


def _text(members: _Members, key: int, most: int) -> str:
    value = members.get(key)
    if not isinstance(value, str):
        raise Malformed("not text")
    if len(value) * 4 > most and len(value.encode()) > most:
        raise TooLarge("text beyond its bound")
    return value


def _formed(members: _Members, key: int, most: int, form: re.Pattern[str]) -> str:
    value = _text(members, key, most)
    if not form.fullmatch(value):
        raise Malformed("text of another form")
    return value


def _one_of(members: _Members, key: int, known: Mapping[int, _Number]) -> _Number:
    value = members.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value not in known:
        raise Malformed("not one of the numbers that this place knows")
    return known[value]


def _sign(members: _Members, key: int) -> str:
    value = members.get(key)
    if not isinstance(value, str) or not _SIGN.fullmatch(value):
        raise Malformed("a sign is 1 to 12 of A-Z and 0-9")
    return value


def _language(members: _Members, key: int) -> str:
    return _formed(members, key, MAX_LANGUAGE, _LANGUAGE)


_PRECEDENCES = {int(p): p for p in Precedence}
_ROLES = {int(r): r for r in Role}
_STEPS = {int(s): s for s in Step}
_CAUSES = {int(c): c for c in Cause}
_MODES = {int(m): m for m in Mode}
_KEY_ROLES = {int(r): r for r in KeyRole}
_ATTACHMENT_STATES = {int(s): s for s in AttachmentState}


def _read_message(members: _Members) -> Message:
    listed = members.get(4)
    if not isinstance(listed, list) or not listed:
        raise Malformed("a message is addressed to a role at least")
    if len(listed) > MAX_ROLES:
        raise TooLarge("too many roles")
    of_place = dict(enumerate(listed))
    return Message(
        precedence=_one_of(members, 0, _PRECEDENCES),
        subject=_text(members, 1, MAX_SUBJECT) if 1 in members else "",
        language=_language(members, 2),
        text=_text(members, 3, MAX_TEXT),
        roles=tuple(_one_of(of_place, n, _ROLES) for n in of_place),
        answer_by=_instant(members, 5) if 5 in members else None,
        answers=decode_ref(members[6]) if 6 in members else None,
        supersedes=decode_ref(members[7]) if 7 in members else None,
        drafter=_sign(members, 8) if 8 in members else "",
        releaser=_sign(members, 9) if 9 in members else "",
    )


def _read_receipt(members: _Members) -> Receipt:
    return Receipt(
        of=decode_ref(members.get(0)),
        step=_one_of(members, 1, _STEPS),
        role=_one_of(members, 2, _ROLES),
        sign=_sign(members, 3),
        at=_instant(members, 4),
        relayed_to=_one_of(members, 5, _ROLES) if 5 in members else None,
    )


def _read_generation(members: _Members) -> GenerationEntry:
    listed = members.get(0)
    if not isinstance(listed, list):
        raise Malformed("not heads")
    if len(listed) > MAX_NAMED_HEADS:
        raise TooLarge("too many heads")
    places = [place(item) for item in listed]
    return GenerationEntry(
        heads=tuple(NamedHead(lane=n, generation=g, size=s, root=r) for n, g, s, r in places),
        cause=_one_of(members, 1, _CAUSES),
        statement=_bytes(members, 2, MAX_STATEMENT) if 2 in members else b"",
    )


def _read_propose(members: _Members) -> Propose:
    return Propose(replaces=_hash(members, 0), policy=parse_policy(members.get(1)))


def _read_suspend(members: _Members) -> Suspend:
    reason = _text(members, 0, MAX_REASON)
    return Suspend(reason=reason, role=_one_of(members, 1, _ROLES), sign=_sign(members, 2))


def _read_lift(members: _Members) -> Lift:
    reason = _text(members, 0, MAX_REASON)
    return Lift(reason=reason, role=_one_of(members, 1, _ROLES), sign=_sign(members, 2))


def _read_test(members: _Members) -> Test:
    text, language = _text(members, 0, MAX_TEXT), _language(members, 1)
    return Test(text=text, language=language, drill=_flag(members, 2), number=_uint(members, 3, MAX_ATTEMPT))


def _read_epoch(members: _Members) -> EpochEntry:
    peer, attempt = _uint(members, 0, MAX_PARTIES - 1), _uint(members, 1, MAX_ATTEMPT)
    return EpochEntry(peer=peer, attempt=attempt, mode=_one_of(members, 2, _MODES), handshake=_hash(members, 3))


def _read_watch(members: _Members) -> Watch:
    return Watch(attended=_flag(members, 0), role=_one_of(members, 1, _ROLES), sign=_sign(members, 2))


def _read_keys(members: _Members) -> KeyNotice:
    role = _one_of(members, 0, _KEY_ROLES)
    if (role is KeyRole.PSK) is not (3 in members):
        raise Malformed("a pairing secret, and nothing else, is shared with one party")
    return KeyNotice(
        role=role,
        stolen=_flag(members, 1),
        key=_hash(members, 2),
        peer=_uint(members, 3, MAX_PARTIES - 1) if 3 in members else None,
        card=_bytes(members, 4, MAX_STATEMENT) if 4 in members else b"",
    )


def _read_service(members: _Members) -> Service:
    return Service(
        text=_text(members, 0, MAX_TEXT),
        language=_language(members, 1),
        sign=_sign(members, 2),
        minimize=_flag(members, 3) if 3 in members else None,
    )


def _read_interim(members: _Members) -> Interim:
    return Interim(
        of=decode_ref(members.get(0)),
        until=_instant(members, 1),
        role=_one_of(members, 2, _ROLES),
        sign=_sign(members, 3),
        text=_text(members, 4, MAX_REASON) if 4 in members else "",
    )


def _read_decline(members: _Members) -> Decline:
    of, reason = decode_ref(members.get(0)), _text(members, 1, MAX_REASON)
    return Decline(of=of, reason=reason, role=_one_of(members, 2, _ROLES), sign=_sign(members, 3))


def _read_attachment(members: _Members) -> Attachment:
    name, chunk = _text(members, 0, MAX_SUBJECT), _uint(members, 4, MAX_CHUNK)
    if name in {"", ".", ".."} or _NOT_IN_NAMES.search(name):
        raise Malformed("not the name of a file")
    if chunk < MIN_CHUNK:
        raise Malformed("a chunk below its least size")
    return Attachment(
        name=name,
        media_type=_formed(members, 1, MAX_MEDIA_TYPE, _MEDIA_TYPE),
        size=_uint(members, 2, MAX_ATTACHMENT),
        digest=_hash(members, 3),
        chunk=chunk,
        of=decode_ref(members[5]) if 5 in members else None,
    )


_READERS: dict[int, Callable[[_Members], AnyEntry]] = {
    Kind.TERMS: lambda m: TermsEntry(_bytes(m, 0, MAX_BODY)),
    Kind.GENERATION: _read_generation,
    Kind.ACK: lambda m: Ack(read_ended(m[0]) if 0 in m else ()),
    Kind.PROPOSE: _read_propose,
    Kind.ASSENT: lambda m: Assent(decode_ref(m.get(0))),
    Kind.SUSPEND: _read_suspend,
    Kind.LIFT: _read_lift,
    Kind.TEST: _read_test,
    Kind.EPOCH: _read_epoch,
    Kind.WATCH: _read_watch,
    Kind.SERVICE: _read_service,
    Kind.KEYS: _read_keys,
    Kind.MESSAGE: _read_message,
    Kind.RECEIPT: _read_receipt,
    Kind.INTERIM: _read_interim,
    Kind.DECLINE: _read_decline,
    Kind.ATTACHMENT: _read_attachment,
    Kind.ATTACHMENT_RECEIPT: lambda m: AttachmentReceipt(
        of=decode_ref(m.get(0)), state=_one_of(m, 1, _ATTACHMENT_STATES)
    ),
}
