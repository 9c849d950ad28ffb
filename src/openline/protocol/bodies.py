"""Bodies of entries: the union of protocol.entries to bytes and back.

A body is a CBOR map with integer keys. A key that this version does not know
is ignored (the bytes are kept as received and are never encoded anew); a key
that is missing, of another type or beyond its bound makes the body refused.

Spec: spec/06-entries.md.
"""

import re
from collections.abc import Callable
from typing import assert_never

from openline.kernel.codec import Value, decode, encode
from openline.kernel.errors import Malformed, TooLarge
from openline.kernel.terms import parse_policy, policy_value
from openline.kernel.units import MAX_BODY, MAX_PARTIES
from openline.protocol.acknowledgements import item_values, read_ended
from openline.protocol.asking_bodies import (
    answer_members,
    query_members,
    read_answer,
    read_query,
    read_translation,
    translation_members,
)
from openline.protocol.body_fields import (
    Members,
    flag,
    formed,
    given,
    hash_at,
    instant,
    octets,
    one_of,
    sign,
    text,
    uint,
)
from openline.protocol.call_bodies import CALL_READERS, call_members
from openline.protocol.call_entries import HangUp, Minutes, MinutesWord, PickUp, Refusal, Ring, Seat, TypedLine
from openline.protocol.contact_bodies import contact_members, countersign_members, read_contact, read_countersign
from openline.protocol.contact_entries import Contact, Countersign
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
    Answer,
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
    Query,
    Receipt,
    Role,
    Service,
    Step,
    Suspend,
    TermsEntry,
    Test,
    Translation,
    Unknown,
    Watch,
    kind_of,
)
from openline.protocol.fields import NamedHead, decode_ref, encode_ref, place

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,3}", re.ASCII)
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*", re.ASCII)
_NOT_IN_NAMES = re.compile("[\x00-\x1f\x7f-\x9f/\\\\\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Path separators, controls, and the bidirectional marks that make `exe.txt` of `txt.exe`."""


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
            return members | {4: entry.at} | given(5, entry.relayed_to) | given(6, entry.unit or None)
        case Ack():
            return {0: item_values(entry.ended)} if entry.ended else {}
        case TermsEntry():
            return {0: entry.terms}
        case GenerationEntry():
            heads: list[Value] = [
                [h.lane, h.generation.counter, h.generation.nonce, h.size, h.root] for h in entry.heads
            ]
            opening: dict[int, Value] = {0: heads, 1: entry.cause}
            return opening | given(2, entry.statement or None)
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
            return members | given(3, entry.peer) | given(4, entry.card or None)
        case Service():
            return {0: entry.text, 1: entry.language, 2: entry.sign} | given(3, entry.minimize)
        case Interim():
            members = {0: encode_ref(entry.of), 1: entry.until, 2: entry.role, 3: entry.sign}
            return members | given(4, entry.text or None)
        case Decline():
            return {0: encode_ref(entry.of), 1: entry.reason, 2: entry.role, 3: entry.sign}
        case Attachment():
            members = {0: entry.name, 1: entry.media_type, 2: entry.size, 3: entry.digest, 4: entry.chunk}
            return members | given(5, encode_ref(entry.of) if entry.of else None)
        case AttachmentReceipt():
            return {0: encode_ref(entry.of), 1: entry.state}
        case Query():
            return query_members(entry)
        case Answer():
            return answer_members(entry)
        case Translation():
            return translation_members(entry)
        case Contact():
            return contact_members(entry)
        case Countersign():
            return countersign_members(entry)
        case Ring() | PickUp() | Refusal() | Seat() | HangUp() | TypedLine() | Minutes() | MinutesWord():
            return call_members(entry)
        case Unknown():
            raise Malformed("an unknown kind has only its bytes")
        case _:
            assert_never(entry)


def _message_members(entry: Message) -> dict[int, Value]:
    members: dict[int, Value] = {0: entry.precedence, 2: entry.language, 3: entry.text, 4: list(entry.roles)}
    return (
        members
        | given(1, entry.subject or None)
        | given(5, entry.answer_by)
        | given(6, encode_ref(entry.answers) if entry.answers else None)
        | given(7, encode_ref(entry.supersedes) if entry.supersedes else None)
        | given(8, entry.drafter or None)
        | given(9, entry.releaser or None)
        | given(10, entry.acknowledge_by)
    )


# --- reading ---


def _language(members: Members, key: int) -> str:
    return formed(members, key, MAX_LANGUAGE, _LANGUAGE)


_PRECEDENCES = {int(p): p for p in Precedence}
_ROLES = {int(r): r for r in Role}
_STEPS = {int(s): s for s in Step}
_CAUSES = {int(c): c for c in Cause}
_MODES = {int(m): m for m in Mode}
_KEY_ROLES = {int(r): r for r in KeyRole}
_ATTACHMENT_STATES = {int(s): s for s in AttachmentState}


def _read_message(members: Members) -> Message:
    listed = members.get(4)
    if not isinstance(listed, list) or not listed:
        raise Malformed("a message is addressed to a role at least")
    if len(listed) > MAX_ROLES:
        raise TooLarge("too many roles")
    of_place = dict(enumerate(listed))
    return Message(
        precedence=one_of(members, 0, _PRECEDENCES),
        subject=text(members, 1, MAX_SUBJECT) if 1 in members else "",
        language=_language(members, 2),
        text=text(members, 3, MAX_TEXT),
        roles=tuple(one_of(of_place, n, _ROLES) for n in of_place),
        answer_by=instant(members, 5) if 5 in members else None,
        answers=decode_ref(members[6]) if 6 in members else None,
        supersedes=decode_ref(members[7]) if 7 in members else None,
        drafter=sign(members, 8) if 8 in members else "",
        releaser=sign(members, 9) if 9 in members else "",
        acknowledge_by=instant(members, 10) if 10 in members else None,
    )


def _read_receipt(members: Members) -> Receipt:
    return Receipt(
        of=decode_ref(members.get(0)),
        step=one_of(members, 1, _STEPS),
        role=one_of(members, 2, _ROLES),
        sign=sign(members, 3),
        at=instant(members, 4),
        relayed_to=one_of(members, 5, _ROLES) if 5 in members else None,
        unit=sign(members, 6) if 6 in members else "",
    )


def _read_generation(members: Members) -> GenerationEntry:
    listed = members.get(0)
    if not isinstance(listed, list):
        raise Malformed("not heads")
    if len(listed) > MAX_NAMED_HEADS:
        raise TooLarge("too many heads")
    places = [place(item) for item in listed]
    return GenerationEntry(
        heads=tuple(NamedHead(lane=n, generation=g, size=s, root=r) for n, g, s, r in places),
        cause=one_of(members, 1, _CAUSES),
        statement=octets(members, 2, MAX_STATEMENT) if 2 in members else b"",
    )


def _read_propose(members: Members) -> Propose:
    return Propose(replaces=hash_at(members, 0), policy=parse_policy(members.get(1)))


def _read_suspend(members: Members) -> Suspend:
    reason = text(members, 0, MAX_REASON)
    return Suspend(reason=reason, role=one_of(members, 1, _ROLES), sign=sign(members, 2))


def _read_lift(members: Members) -> Lift:
    reason = text(members, 0, MAX_REASON)
    return Lift(reason=reason, role=one_of(members, 1, _ROLES), sign=sign(members, 2))


def _read_test(members: Members) -> Test:
    return Test(
        text=text(members, 0, MAX_TEXT),
        language=_language(members, 1),
        drill=flag(members, 2),
        number=uint(members, 3, MAX_ATTEMPT),
    )


def _read_epoch(members: Members) -> EpochEntry:
    peer, attempt = uint(members, 0, MAX_PARTIES - 1), uint(members, 1, MAX_ATTEMPT)
    return EpochEntry(peer=peer, attempt=attempt, mode=one_of(members, 2, _MODES), handshake=hash_at(members, 3))


def _read_watch(members: Members) -> Watch:
    return Watch(attended=flag(members, 0), role=one_of(members, 1, _ROLES), sign=sign(members, 2))


def _read_keys(members: Members) -> KeyNotice:
    role = one_of(members, 0, _KEY_ROLES)
    if (role is KeyRole.PSK) is not (3 in members):
        raise Malformed("a pairing secret, and nothing else, is shared with one party")
    return KeyNotice(
        role=role,
        stolen=flag(members, 1),
        key=hash_at(members, 2),
        peer=uint(members, 3, MAX_PARTIES - 1) if 3 in members else None,
        card=octets(members, 4, MAX_STATEMENT) if 4 in members else b"",
    )


def _read_service(members: Members) -> Service:
    return Service(
        text=text(members, 0, MAX_TEXT),
        language=_language(members, 1),
        sign=sign(members, 2),
        minimize=flag(members, 3) if 3 in members else None,
    )


def _read_interim(members: Members) -> Interim:
    return Interim(
        of=decode_ref(members.get(0)),
        until=instant(members, 1),
        role=one_of(members, 2, _ROLES),
        sign=sign(members, 3),
        text=text(members, 4, MAX_REASON) if 4 in members else "",
    )


def _read_decline(members: Members) -> Decline:
    of, reason = decode_ref(members.get(0)), text(members, 1, MAX_REASON)
    return Decline(of=of, reason=reason, role=one_of(members, 2, _ROLES), sign=sign(members, 3))


def _read_attachment(members: Members) -> Attachment:
    name, chunk = text(members, 0, MAX_SUBJECT), uint(members, 4, MAX_CHUNK)
    if name in {"", ".", ".."} or _NOT_IN_NAMES.search(name):
        raise Malformed("not the name of a file")
    if chunk < MIN_CHUNK:
        raise Malformed("a chunk below its least size")
    return Attachment(
        name=name,
        media_type=formed(members, 1, MAX_MEDIA_TYPE, _MEDIA_TYPE),
        size=uint(members, 2, MAX_ATTACHMENT),
        digest=hash_at(members, 3),
        chunk=chunk,
        of=decode_ref(members[5]) if 5 in members else None,
    )


_READERS: dict[int, Callable[[Members], AnyEntry]] = {
    Kind.TERMS: lambda m: TermsEntry(octets(m, 0, MAX_BODY)),
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
    Kind.CONTACT: read_contact,
    Kind.COUNTERSIGN: read_countersign,
    Kind.MESSAGE: _read_message,
    Kind.RECEIPT: _read_receipt,
    Kind.INTERIM: _read_interim,
    Kind.DECLINE: _read_decline,
    Kind.ATTACHMENT: _read_attachment,
    Kind.ATTACHMENT_RECEIPT: lambda m: AttachmentReceipt(
        of=decode_ref(m.get(0)), state=one_of(m, 1, _ATTACHMENT_STATES)
    ),
    Kind.QUERY: read_query,
    Kind.ANSWER: read_answer,
    Kind.TRANSLATION: read_translation,
    **CALL_READERS,
}
