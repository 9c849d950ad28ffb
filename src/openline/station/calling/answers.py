"""What the local API answers about calls: one type for each, from which its document is generated too."""

from openline.station.answers import RefView
from openline.station.bearer_answers import Answer


class SeatName(Answer, frozen=True, kw_only=True):
    """A seat of a call: 0 the officer, 1 the further console."""

    party: int
    seat: int


class ProtectionView(Answer, frozen=True, kw_only=True):
    """How a seat saw the sound to another seat protected, in the browser's names."""

    dtls: str
    cipher: str
    srtp: str
    path: str
    """direct or relay."""
    peer: SeatName


class CallPartyView(Answer, frozen=True, kw_only=True):
    """A party of the line."""

    party: int
    name: str
    me: bool


class PickedUpView(Answer, frozen=True, kw_only=True):
    """Who picked up."""

    party: int
    name: str
    role: str
    sign: str
    lang: str


class SeatView(Answer, frozen=True, kw_only=True):
    """A seat that was ever taken."""

    party: int
    name: str
    me: bool
    seat: int
    role: str
    sign: str
    lang: str
    fingerprint: str
    """64 hexadecimal digits, as signed; empty while the caller's has not been opened."""
    state: str
    """opening, connected, lost or left."""
    console: str | None
    """Own station's seats only: the console that sits there."""
    since: int
    """When this state was signed, ms."""
    protection: ProtectionView | None
    """The first of `protections`."""
    protections: list[ProtectionView]
    """The last that it saw to each other seat."""
    takeover_until: int | None
    """Own station's first seat, while nobody sits there: until when it can be taken over, ms."""


class CheckWordView(Answer, frozen=True, kw_only=True):
    """What one party said of the spoken check."""

    party: int
    matched: bool
    sign: str
    at: int
    earlier: bool
    """Said of other digits than those of now: a first seat was taken over after it."""


class SpokenCheckView(Answer, frozen=True, kw_only=True):
    """The digits that are read to each other, "28 41"."""

    read: str
    """What this side reads aloud; empty for a party that is not in the call."""
    heard: str
    """What the other side must read."""
    words: list[CheckWordView]


class EndView(Answer, frozen=True, kw_only=True):
    """One party's signed end."""

    party: int
    name: str
    role: str
    sign: str
    cause: str
    at: int
    began: int | None
    """When sound first went both ways there, ms."""
    ended: int | None
    protection: ProtectionView | None
    text: str


class TypedView(Answer, frozen=True, kw_only=True):
    """A line typed within the call."""

    party: int
    text: str
    lang: str
    role: str
    sign: str
    at: int
    """As its author claims."""
    number: int
    """What is said in a call, typed or spoken, in the order in which this station came to hold it."""
    ref: RefView


class VoiceView(Answer, frozen=True, kw_only=True):
    """A voice message within the call."""

    ref: RefView
    party: int
    at: int
    number: int
    name: str
    media_type: str
    size: int
    sha256: str


class ClauseView(Answer, frozen=True, kw_only=True):
    """A clause of minutes: language -> text."""

    texts: dict[str, str]


class ClauseWordView(Answer, frozen=True, kw_only=True):
    """A word about a clause."""

    agreed: bool
    text: str


class MinutesWordView(Answer, frozen=True, kw_only=True):
    """What a party said of minutes, clause by clause."""

    party: int
    role: str
    sign: str
    at: int
    clauses: list[ClauseWordView]


class DraftMinutesView(Answer, frozen=True, kw_only=True):
    """One party's minutes."""

    ref: RefView
    place: str
    party: int
    name: str
    role: str
    sign: str
    at: int
    clauses: list[ClauseView]
    replaces: str | None
    """The place of the minutes that these replace."""
    replaced: bool
    """Whether other minutes replace these."""
    words: list[MinutesWordView]


class CallMinutesView(Answer, frozen=True, kw_only=True):
    """What was agreed of a call."""

    state: str
    """none, drafted, agreed or differs."""
    drafts: list[DraftMinutesView]


class CallView(Answer, frozen=True, kw_only=True):
    """A call."""

    line: str
    ref: RefView
    place: str
    """lane/generation/index."""
    state: str
    """ringing, open, ended, refused, missed, withdrawn or yielded."""
    mine: bool
    """Whether this party rang."""
    precedence: str
    lang: str
    to: list[str]
    subject: str
    role: str
    sign: str
    party: int
    """Who rang."""
    number: int
    """Calls of a line in the order in which this station came to hold their rings: the greater is the later one."""
    rang_at: int
    """As the caller claims."""
    came_at: int
    """When this station first held the ring, ms of its own time of day; 0 if that is not known any more."""
    picked_up_at: int | None
    ended_at: int | None
    rings_until: int | None
    """While it rings: until when, ms of this station's time of day."""
    rings: bool
    """Whether it rings on this floor now: not what yields, waits for nobody any more, or is this party's own."""
    parties: list[CallPartyView]
    by: PickedUpView | None
    cause: str
    """Why it ended or was not picked up: a constant name; empty while it has not."""
    cause_words: str
    reason: str
    seats: list[SeatView]
    check: SpokenCheckView | None
    ends: list[EndView]
    record: str
    """open, one-sided, agreed or differs."""
    typed: list[TypedView]
    voice: list[VoiceView]
    minutes: CallMinutesView
    exercise: bool


class CallsView(Answer, frozen=True, kw_only=True):
    """Calls of a line, the newest first."""

    calls: list[CallView]


class IceServerView(Answer, frozen=True, kw_only=True):
    """A relay, as a browser takes it."""

    urls: list[str]
    username: str
    credential: str


class WaysView(Answer, frozen=True, kw_only=True):
    """How consoles may reach each other."""

    ice: list[IceServerView]
    relay_only: bool
    expires_at: int | None
    """Until when the credentials are good, ms."""


class AliveView(Answer, frozen=True, kw_only=True):
    """What a console hears when it says that it is there."""

    state: str
    """Of the call."""
    seat: int | None
    """None once it is over."""


class CallWanted(Answer, frozen=True, kw_only=True):
    """An event: an officer asks a console of theirs to place a call."""

    line: str
    sign: str
    precedence: str
    lang: str


class SignalEvent(Answer, frozen=True, kw_only=True, rename={"sender": "from"}):
    """An event: what a seat says to another."""

    line: str
    call: str
    sender: SeatName
    to: SeatName
    type: str
    data: str


class SignalRefused(Answer, frozen=True, kw_only=True, rename={"sender": "from"}):
    """An event: what the other station sent for a console was not passed on."""

    line: str
    call: str
    sender: SeatName
    code: str
