"""The closed union of what an entry can say, and every bound of it with its reason.

A kind is a number that never changes its meaning. A kind that this version
does not know is `Unknown`: kept, acknowledged, counted and shown as such.
How bodies become bytes and back stands in protocol.bodies, the other fields
in protocol.fields and protocol.acknowledgements.

Spec: spec/06-entries.md.
"""

from dataclasses import dataclass, field

from openline.kernel.terms import Policy
from openline.kernel.units import Instant
from openline.protocol.acknowledgements import AckItem
from openline.protocol.asking import Answer, Passage, Query, Translation
from openline.protocol.call_entries import HangUp, Minutes, MinutesWord, PickUp, Refusal, Ring, Seat, TypedLine
from openline.protocol.contact_entries import Contact, Countersign
from openline.protocol.fields import NamedHead, Ref
from openline.protocol.numbers import (
    MAX_ATTACHMENT,
    MAX_ATTEMPT,
    MAX_CHUNK,
    MAX_LANGUAGE,
    MAX_MEDIA_TYPE,
    MAX_NAMED_HEADS,
    MAX_QUERY,
    MAX_REASON,
    MAX_ROLES,
    MAX_SIGN,
    MAX_STATEMENT,
    MAX_SUBJECT,
    MAX_TEXT,
    MIN_CHUNK,
    AttachmentState,
    Cause,
    Grade,
    KeyRole,
    Kind,
    Mode,
    Precedence,
    Role,
    Step,
)

# What reads entries needs these with them: they stand in protocol.numbers.
__all__ = [
    "MAX_ATTACHMENT",
    "MAX_ATTEMPT",
    "MAX_CHUNK",
    "MAX_LANGUAGE",
    "MAX_MEDIA_TYPE",
    "MAX_NAMED_HEADS",
    "MAX_QUERY",
    "MAX_REASON",
    "MAX_ROLES",
    "MAX_SIGN",
    "MAX_STATEMENT",
    "MAX_SUBJECT",
    "MAX_TEXT",
    "MIN_CHUNK",
    "Answer",
    "AttachmentState",
    "Cause",
    "Grade",
    "KeyRole",
    "Kind",
    "Mode",
    "Passage",
    "Precedence",
    "Query",
    "Role",
    "Step",
    "Translation",
]


@dataclass(frozen=True, slots=True)
class TermsEntry:
    """The terms, as all signed them: entry 0 of both lanes in generation zero."""

    terms: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationEntry:
    """The opening of a later generation: entry 0 of both its lanes."""

    heads: tuple[NamedHead, ...]
    """The last own heads that the store knows."""
    cause: Cause
    statement: bytes = b""
    """The root's statement of new lane keys; empty if the keys stay."""


@dataclass(frozen=True, slots=True)
class Ack:
    """A pure acknowledgement, which needs none itself. `ended`: what its field does not name (spec 4.18)."""

    ended: tuple[AckItem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Propose:
    """A proposal to replace the policy in force; also the proposer's vote for it."""

    replaces: bytes
    """Hash of the terms in force: the line id, or the leaf hash of the proposal all assented to."""
    policy: Policy


@dataclass(frozen=True, slots=True)
class Assent:
    """A vote for a proposal."""

    proposal: Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspend:
    """A party suspends the line for itself: binds consoles, never the protocol."""

    reason: str = field(repr=False)
    role: Role
    sign: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """A party lifts its own suspension."""

    reason: str = field(repr=False)
    role: Role
    sign: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """A regular test, or a drill that cannot be taken for live traffic."""

    __test__ = False  # a word of the field, and of pytest

    text: str = field(repr=False)
    language: str
    drill: bool
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochEntry:
    """An epoch with one peer was opened."""

    peer: int
    attempt: int
    mode: Mode
    handshake: bytes
    """Hash of the handshake (spec 10)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Whether somebody is on watch, and who."""

    attended: bool
    role: Role
    sign: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Operators' chatter, apart from messages."""

    text: str = field(repr=False)
    language: str
    sign: str
    minimize: bool | None = None  # imposes MINIMIZE, or lifts what this party imposed


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNotice:
    """A party's word about one of its keys: it was renewed, or its people hold it for stolen."""

    role: KeyRole
    stolen: bool
    key: bytes
    """What names the key concerned (spec 6.26): the new one, or the one held for stolen."""
    peer: int | None = None
    """With whom the pairing secret is shared; None for every other role."""
    card: bytes = b""
    """The party's card of now, if it has another than before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message from one party to all others, addressed by role."""

    precedence: Precedence
    language: str
    text: str = field(repr=False)
    subject: str = field(default="", repr=False)
    roles: tuple[Role, ...] = (Role.WATCH_OFFICER,)
    answer_by: Instant | None = None
    answers: Ref | None = None
    supersedes: Ref | None = None
    drafter: str = ""
    """Sign of the drafter; empty if not told."""
    releaser: str = ""
    acknowledge_by: Instant | None = None
    """By when the author demands that a person has it (spec 6.100)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A message was presented, read or relayed at the signer's station."""

    of: Ref
    step: Step
    role: Role
    sign: str
    at: Instant
    relayed_to: Role | None = None
    unit: str = ""
    """Call-sign of the acting unit that it was put before; empty if it was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interim:
    """A signed holding reply: the answer comes by `until`."""

    of: Ref
    until: Instant
    role: Role
    sign: str
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decline:
    """A signed refusal to answer."""

    of: Ref
    reason: str = field(repr=False)
    role: Role
    sign: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file by its hash; its chunks travel beside the lanes."""

    name: str = field(repr=False)
    media_type: str
    size: int
    digest: bytes
    """SHA-256 of the whole."""
    chunk: int
    """Bytes of every chunk but the last."""
    of: Ref | None = None
    """The message it belongs to, or the ring of the call in which it was spoken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentReceipt:
    """The whole attachment is held and hashes to its name, or it was refused."""

    of: Ref
    state: AttachmentState


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """An entry of a kind that this version does not know: kept, and its body is not judged."""

    kind: int
    raw: bytes = field(repr=False)


AnyEntry = (
    TermsEntry | GenerationEntry | Ack | Propose | Assent | Suspend | Lift | Test | EpochEntry | Watch | Service | KeyNotice
    | Contact | Countersign | Message | Receipt | Interim | Decline | Attachment | AttachmentReceipt
    | Query | Answer | Translation
    | Ring | PickUp | Refusal | Seat | HangUp | TypedLine | Minutes | MinutesWord | Unknown
)  # fmt: skip

_KINDS: dict[type[AnyEntry], Kind] = {
    TermsEntry: Kind.TERMS, GenerationEntry: Kind.GENERATION, Ack: Kind.ACK, Propose: Kind.PROPOSE,
    Assent: Kind.ASSENT, Suspend: Kind.SUSPEND, Lift: Kind.LIFT, Test: Kind.TEST, EpochEntry: Kind.EPOCH,
    Watch: Kind.WATCH, Service: Kind.SERVICE, KeyNotice: Kind.KEYS, Contact: Kind.CONTACT,
    Countersign: Kind.COUNTERSIGN, Message: Kind.MESSAGE, Receipt: Kind.RECEIPT, Interim: Kind.INTERIM,
    Decline: Kind.DECLINE, Attachment: Kind.ATTACHMENT, AttachmentReceipt: Kind.ATTACHMENT_RECEIPT,
    Query: Kind.QUERY, Answer: Kind.ANSWER, Translation: Kind.TRANSLATION,
    Ring: Kind.RING, PickUp: Kind.PICK_UP, Refusal: Kind.REFUSAL, Seat: Kind.SEAT, HangUp: Kind.HANG_UP,
    TypedLine: Kind.TYPED_LINE, Minutes: Kind.MINUTES, MinutesWord: Kind.MINUTES_WORD,
}  # fmt: skip
_TRAFFIC = frozenset({Kind.PROPOSE, Kind.ASSENT, Kind.ATTACHMENT})
_OPENING = frozenset({Kind.TERMS, Kind.GENERATION})


def kind_of(entry: AnyEntry) -> int:
    """The number of the entry's kind."""
    return entry.kind if isinstance(entry, Unknown) else _KINDS[type(entry)]


def lane_of(entry: AnyEntry) -> bool:
    """Whether its author must write the entry to the urgent lane, else to the traffic lane; openings, to both: True."""
    if isinstance(entry, Message):
        return entry.precedence is Precedence.FLASH
    if isinstance(entry, Translation):
        return not entry.of.lane & 1  # it goes as fast as what it translates
    return kind_of(entry) not in _TRAFFIC


def fits(entry: AnyEntry, *, urgent: bool, index: int, opening: bool) -> bool:
    """Whether an entry may stand at that place (spec 6.5).

    `opening` says that the generation is zero. Terms open generation zero,
    a generation entry every later one, and nothing else stands at index 0.
    Kinds that are not known fit anywhere but there.
    """
    if index == 0:
        return type(entry) is (TermsEntry if opening else GenerationEntry)
    kind = kind_of(entry)
    return kind not in _OPENING and (isinstance(entry, Unknown) or lane_of(entry) is urgent)


def needs_acknowledgement(kind: int) -> bool:
    """Whether receivers owe an acknowledgement for it: all kinds, known or not, but the pure acknowledgement."""
    return kind != Kind.ACK
