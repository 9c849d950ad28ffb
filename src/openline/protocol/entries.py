"""The closed union of what an entry can say, and every bound of it with its reason.

A kind is a number that never changes its meaning. A kind that this version
does not know is `Unknown`: kept, acknowledged, counted and shown as such.
How bodies become bytes and back stands in protocol.bodies, the other fields
in protocol.fields and protocol.acknowledgements.

Spec: spec/06-entries.md.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from openline.kernel.terms import Policy
from openline.kernel.units import Instant
from openline.protocol.acknowledgements import AckItem
from openline.protocol.fields import NamedHead, Ref

# --- bounds (spec 6, 12) ---
MAX_TEXT = 8_192
"""UTF-8 bytes of a text: 200 words (the bound of FLASH) in any script are under 4 KB; it leaves a third of MAX_BODY."""
MAX_SUBJECT = 256
"""Subject, and the name of an attachment: one line of a screen in any script."""
MAX_REASON = 1_024
"""Why something is suspended, lifted or declined; the holding text of an interim: a paragraph."""
MAX_LANGUAGE = 32
"""A language tag: three letters and three subtags of eight."""
MAX_SIGN = 12
"""An officer's sign: a short call-sign that can be read over a telephone."""
MAX_ROLES = 8
"""Addressees of a message: every role there is, and two to come."""
MAX_MEDIA_TYPE = 128
"""A media type (RFC 6838 allows 255; the longest one registered today has 73)."""
MAX_ATTACHMENT = 64 * 2**20
"""Bytes of an attachment: a quarter of the daily quota that terms give by default."""
MIN_CHUNK, MAX_CHUNK = 256, 12_000
"""Bytes of a chunk: not below the smallest envelope; with its frame it fits the largest."""
MAX_NAMED_HEADS = 32
"""Heads named by a new generation: both lanes of the sixteen before it."""
MAX_STATEMENT = 8_192
"""A key statement: two public keys and two pairs of signatures, 6.4 KB."""
MAX_ATTEMPT = 2**32 - 1
"""Handshake attempts and test numbers are counted in 32 bits."""


class Kind(IntEnum):
    """The number of a kind (spec 6.3)."""

    TERMS = 1
    GENERATION = 2
    ACK = 3
    PROPOSE = 4
    ASSENT = 5
    SUSPEND = 6
    LIFT = 7
    TEST = 8
    EPOCH = 9
    WATCH = 10
    SERVICE = 11
    KEYS = 12
    MESSAGE = 16
    RECEIPT = 17
    INTERIM = 18
    DECLINE = 19
    ATTACHMENT = 20
    ATTACHMENT_RECEIPT = 21


class Precedence(IntEnum):
    """Speed of service, not importance. Lower numbers go first."""

    FLASH = 0
    IMMEDIATE = 1
    PRIORITY = 2
    ROUTINE = 3

    @property
    def letter(self) -> str:
        """The letter used in message headings."""
        return "ZOPR"[self]


class Role(IntEnum):
    """Who acts or is addressed: never a person."""

    WATCH_OFFICER = 0
    PRINCIPAL = 1
    INTERPRETER = 2
    TECHNICIAN = 3
    AUDITOR = 4
    ADMINISTRATOR = 5

    @property
    def letter(self) -> str:
        """One letter for narrow places; auditor is U, as A is the administrator's."""
        return "WPITUA"[self]

    @property
    def title(self) -> str:
        """The role in words."""
        return self.name.lower().replace("_", " ")


class Step(IntEnum):
    """How far a message came at the receiver; that it is held, acknowledgements say."""

    PRESENTED = 1
    READ = 2
    RELAYED = 3


class Cause(IntEnum):
    """Why a party opened a new generation of its lanes."""

    RESTORED = 0
    ROTATION = 1
    SUPERSEDED = 2
    """It was shown a newer generation of its own than it knew."""
    COMPROMISED = 3
    """Its people hold the lane key for stolen: what stands beyond the heads named is disputed."""


class Mode(IntEnum):
    """How an epoch came about."""

    FIRST = 0
    RENEWAL = 1
    RESCUE = 2


class KeyRole(IntEnum):
    """What a key is for (spec 3.6)."""

    ROOT = 0
    LANE = 1
    CERTIFICATE = 2
    DATA = 3
    PSK = 4


class AttachmentState(IntEnum):
    """What became of an attachment at the receiver."""

    HELD = 1
    REFUSED = 2


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A message was presented, read or relayed at the signer's station."""

    of: Ref
    step: Step
    role: Role
    sign: str
    at: Instant
    relayed_to: Role | None = None


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
    """The message it belongs to."""


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
    | Message | Receipt | Interim | Decline | Attachment | AttachmentReceipt | Unknown
)  # fmt: skip

_KINDS: dict[type[AnyEntry], Kind] = {
    TermsEntry: Kind.TERMS,
    GenerationEntry: Kind.GENERATION,
    Ack: Kind.ACK,
    Propose: Kind.PROPOSE,
    Assent: Kind.ASSENT,
    Suspend: Kind.SUSPEND,
    Lift: Kind.LIFT,
    Test: Kind.TEST,
    EpochEntry: Kind.EPOCH,
    Watch: Kind.WATCH,
    Service: Kind.SERVICE,
    KeyNotice: Kind.KEYS,
    Message: Kind.MESSAGE,
    Receipt: Kind.RECEIPT,
    Interim: Kind.INTERIM,
    Decline: Kind.DECLINE,
    Attachment: Kind.ATTACHMENT,
    AttachmentReceipt: Kind.ATTACHMENT_RECEIPT,
}
_TRAFFIC = frozenset({Kind.PROPOSE, Kind.ASSENT, Kind.ATTACHMENT})
_OPENING = frozenset({Kind.TERMS, Kind.GENERATION})


def kind_of(entry: AnyEntry) -> int:
    """The number of the entry's kind."""
    return entry.kind if isinstance(entry, Unknown) else _KINDS[type(entry)]


def lane_of(entry: AnyEntry) -> bool:
    """Whether its author must write the entry to the urgent lane, else to the traffic lane; openings, to both: True."""
    if isinstance(entry, Message):
        return entry.precedence is Precedence.FLASH
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
