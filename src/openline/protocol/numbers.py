"""The numbers and bounds of entries, each bound with its reason; protocol.entries gives them on.

Spec: spec/06-entries.md, spec/12-limits.md.
"""

from enum import IntEnum

# --- bounds (spec 6, 12) ---
MAX_TEXT = 8_192
"""UTF-8 bytes of a text: 200 words (the bound of FLASH) in any script are under 4 KB; it leaves a third of MAX_BODY."""
MAX_SUBJECT = 256
"""Subject, and the name of an attachment: one line of a screen in any script."""
MAX_REASON = 1_024
"""Why something is suspended, lifted or declined; the holding text of an interim: a paragraph."""
MAX_QUERY = 2_048
"""A question about a passage, and its answer: some 300 words in any script are under it, and it goes with the urgent."""
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
    CONTACT = 13
    COUNTERSIGN = 14
    MESSAGE = 16
    RECEIPT = 17
    INTERIM = 18
    DECLINE = 19
    ATTACHMENT = 20
    ATTACHMENT_RECEIPT = 21
    QUERY = 22
    ANSWER = 23
    TRANSLATION = 24
    RING = 25
    PICK_UP = 26
    REFUSAL = 27
    SEAT = 28
    HANG_UP = 29
    TYPED_LINE = 30
    MINUTES = 31
    MINUTES_WORD = 32


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


class Grade(IntEnum):
    """What a translation is good for."""

    SIGHT = 0
    """Spoken or typed at sight, minutes after it came."""
    ROUGH = 1
    OFFICIAL = 2
    """Its party stands by it."""
    MACHINE = 3
