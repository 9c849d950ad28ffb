"""What the local API answers: one type for each, from which its document is generated too."""

from typing import Any

import msgspec

from openline.station.bearer_answers import Answer, BearerView, MinimizeView
from openline.station.contact_terms import ContactTerms

_ENCODER = msgspec.json.Encoder()


def encoded(answer: object) -> bytes:
    """An answer as JSON."""
    return _ENCODER.encode(answer)


class Failure(Answer, frozen=True, kw_only=True):
    """Why a call was refused. Nothing here quotes what was sent."""

    error: str
    message: str
    do: str
    own: bool
    """Whether `do` was written for this very refusal; else it is what its code always says."""


class Fingerprint(Answer, frozen=True, kw_only=True):
    """A station's fingerprint in the forms that people compare."""

    hex: str
    digits: str
    words: str


class RefView(Answer, frozen=True, kw_only=True, omit_defaults=True):
    """A reference to an entry; `reference` is how people name it, if it is a message."""

    lane: int
    generation: str
    index: int
    leaf: str
    reference: str = ""


class PartyStatusView(Answer, frozen=True, kw_only=True):
    """Where a message stands with one party."""

    standing: str
    meaning: str
    """What it means that there is no more: bearers-down, station-silent, sent-unknown, under-way, unattended, not-read,
    read, relayed, considering, declined or answered."""
    silent_since: int | None
    """While it is not held: when their station was last heard, ms."""
    held: bool
    presented: bool
    read: bool
    relayed: bool
    interim_until: int | None
    declined: bool
    queried: bool
    """It asked the author about it."""
    acknowledged: bool
    """A person of that party has it: by its receipt read or relayed, holding reply, refusal, query or answer."""
    answered: bool
    due: int | None
    """When the clock that runs for it runs out, ms; None if none runs."""
    due_by: str
    """What that clock rests on: "handling time", "answer by", "acknowledge by", "interim", or empty."""


class EntryView(Answer, frozen=True, kw_only=True):
    """One entry as people see it."""

    line: str
    seq: int
    ref: RefView
    author: str
    kind: str
    time: int
    dtg: str
    held_here: bool
    body: dict[str, Any]
    refused: bool
    superseded: bool = False
    disputed: bool = False
    """Its author has since held the lane key of then for stolen, and does not vouch for it."""
    status: dict[str, PartyStatusView] | None = None
    """Messages only: by party."""
    exercise: bool = False
    """Everything on its line is an exercise."""
    seen: dict[str, int] | None = None
    """Messages and replies only: how much of each other lane its author held, by "lane.generation"; the rest crossed it."""
    remarks: "list[EntryView] | None" = None
    """What speaks of it (receipts, replies, queries with their answers, translations), where that was asked for."""
    stands: bool | None = None
    """Queries only: whether the words of its passage stand in the message that it names; null if it quotes none."""


class PartyView(Answer, frozen=True, kw_only=True):
    """A member of a line."""

    name: str
    me: bool
    fingerprint: str
    party: int
    attended: bool | None
    watch_sign: str
    suspended: bool
    suspected: str
    reach: str
    """reached, bearers-down, station-silent, or sent-unknown where only one-way bearers lead there; empty for oneself."""
    heard_at: int | None
    """When its station was last heard over any bearer, ms."""
    bearers_down: list[str]


class EpochView(Answer, frozen=True, kw_only=True):
    """The epoch with one party."""

    party: str
    open: bool
    attempt: int
    opened: int | None


class LaneSizeView(Answer, frozen=True, kw_only=True):
    """How long a lane generation is here, and how far each party says that it holds it."""

    lane: int
    generation: str
    author: str
    urgent: bool
    size: int
    held_by: dict[str, int]


class MissingView(Answer, frozen=True, kw_only=True):
    """Entries that there were, and that are not here: `first` to `last`, from 0."""

    lane: int
    generation: str
    first: int
    last: int


class GenerationView(Answer, frozen=True, kw_only=True):
    """A later generation of a party's lanes: why it began, what its store knew then, and what it had lost."""

    party: str
    own: bool
    """Whether it is this station's party."""
    generation: str
    cause: str
    """restored, rotation, superseded (it was shown a generation of its own that it did not know) or compromised."""
    time: int
    """When, by its own clock, ms."""
    known: list[str]
    """The last messages of its own that its store knew, traffic and urgent, by reference."""
    known_until: int | None
    """The time of the last entry that it knew, ms."""
    back: int
    """Its own entries that it had lost and that are held here: at the party itself, what came back."""
    back_messages: int
    """How many of these are messages."""
    missing: list[MissingView] | None
    """What it had lost and nobody has given back; None if that cannot be known here."""


class TestView(Answer, frozen=True, kw_only=True):
    """One automatic or called-for test."""

    __test__ = False  # a word of the field, and of pytest

    party: str
    number: int
    sent: int
    held: int | None
    round_trip_ms: int | None


class PolicyView(Answer, frozen=True, kw_only=True):
    """The policy in force."""

    title: str
    languages: tuple[str, ...]
    test_minutes: int
    handling_minutes: tuple[int, int, int, int]
    urgent_per_hour: int
    traffic_per_hour: int
    attachment_mib_per_day: int
    release: bool
    exercise: bool
    contacts: tuple[ContactTerms, ...]
    """Regular contacts; those that this version cannot read are left out."""


class DueView(Answer, frozen=True, kw_only=True):
    """The clock that runs out next."""

    ref: RefView
    party: str
    due: int
    due_by: str


class LineView(Answer, frozen=True, kw_only=True):
    """One line as it stands."""

    line: str
    label: str
    title: str
    simulated_clock: bool
    parties: list[PartyView]
    state: str
    state_words: str
    attended: dict[str, bool | None]
    bearers: list[BearerView]
    epochs: list[EpochView]
    policy: PolicyView | None
    last_test: TestView | None
    suspected: list[str]
    forks: int
    generations: list[GenerationView]
    """Later than the first, of all parties: restores and changes of keys."""
    sizes: list[LaneSizeView]
    digest: str
    next_due: DueView | None
    last_seq: int
    notices: dict[str, int]
    minimize: list[MinimizeView]
    """Empty: routine traffic flows."""
    held: int
    """Messages that wait here for its end."""


class StatusView(Answer, frozen=True, kw_only=True):
    """The station."""

    name: str
    fingerprint: Fingerprint
    version: str
    started: int
    now: int
    lines: int
    simulated_clock: bool
    language: str
    console: str
    """The address of the console; empty without one."""
    actor: "ActorView"
    problems: list[str]


class ActorView(Answer, frozen=True, kw_only=True):
    """Whoever calls."""

    uid: int
    signs: tuple[str, ...]
    roles: list[str]


class LinesView(Answer, frozen=True, kw_only=True):
    """All lines."""

    lines: list[LineView]


class EntriesView(Answer, frozen=True, kw_only=True):
    """Some entries, ascending by arrival; `last_seq` is the latest there is."""

    entries: list[EntryView]
    last_seq: int


class Placed(Answer, frozen=True, kw_only=True):
    """An entry that is durable and signed."""

    ref: RefView
    state: str = "durable"


class PlacedMany(Answer, frozen=True, kw_only=True):
    """Several, in the order in which they were given."""

    refs: list[RefView]
    state: str = "durable"


class DraftNumber(Answer, frozen=True, kw_only=True):
    """The message is not sent yet: it waits as a draft."""

    draft: int
    held: bool = False
    """MINIMIZE stands: it goes out by itself when that ends. Else it waits for a second person, as the terms ask."""
    due: int | None = None
    """It waits for neither: it goes out at this moment, ms, unless somebody takes it back."""


class DraftView(Answer, frozen=True, kw_only=True):
    """A message that waits for its release, or what became of it."""

    draft: int
    line: str
    state: str
    made: int
    drafter: str
    releaser: str
    """Signs; nobody's as long as nobody has released it."""
    due: int | None
    """When its grace ends, ms: until then any officer may take it back."""
    message: dict[str, Any]
    digest: str
    """Whoever releases it gives this back, and so releases what was read."""


class WaitView(Answer, frozen=True, kw_only=True):
    """What was reached of what was waited for, and by whom."""

    reached: str
    done: bool
    parties: dict[str, PartyStatusView]


class TestsView(Answer, frozen=True, kw_only=True):
    """Tests, the latest first."""

    __test__ = False

    tests: list[TestView]


class AuditActView(Answer, frozen=True, kw_only=True):
    """One act in the audit log."""

    number: int
    time: int
    uid: int
    sign: str
    act: str
    line: str
    outcome: str


class AuditRowView(Answer, frozen=True, kw_only=True):
    """Acts that were written together, chained to all before them."""

    number: int
    digest: str
    acts: list[AuditActView]


class LogEntryView(Answer, frozen=True, kw_only=True):
    """A row of the operators' log."""

    number: int
    """Of the row in the audit log, with which it is chained."""
    time: int
    sign: str
    act: str
    """`log`: a note; `watch-offered`, `watch-taken`, `watch-left`: what was written when the watch changed hands."""
    line: str
    text: str


class AuditView(Answer, frozen=True, kw_only=True):
    """A part of the audit log."""

    rows: list[AuditRowView]


class ProofView(Answer, frozen=True, kw_only=True):
    """A C2SP tlog-proof."""

    proof: str


class Done(Answer, frozen=True, kw_only=True):
    """It is done."""

    done: bool = True


class BackupView(Answer, frozen=True, kw_only=True):
    """A backup that was written."""

    size: int
    lines: int


class ClockView(Answer, frozen=True, kw_only=True):
    """The time of day, and whether it is simulated."""

    now: int
    simulated_clock: bool
