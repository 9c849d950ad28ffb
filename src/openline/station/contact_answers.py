"""What the local API answers about regular contacts."""

from openline.station.answers import RefView
from openline.station.bearer_answers import Answer
from openline.station.contact_terms import ContactTerms


class ContactWordView(Answer, frozen=True, kw_only=True):
    """A party's signed word about a contact, and who signed it besides."""

    ref: RefView
    author: str
    name: str
    """Empty: outside the schedule."""
    occurrence: str
    medium: str
    outcome: str
    """kept, declined, no-call, or account (why it was missed)."""
    at: int
    """When it took place, or was declined, ms."""
    time: int
    """When it was written, ms."""
    role: str
    sign: str
    text: str
    agreed: list[str]
    """The other parties that signed it."""
    differs: list[str]
    """Those that said that it was not so."""


class ZoneTime(Answer, frozen=True, kw_only=True):
    """A moment as the clocks of a zone show it."""

    zone: str
    time: str
    """`2026-11-24 09:00 +01:00`."""


class OccurrenceView(Answer, frozen=True, kw_only=True):
    """One time that a contact is due, and where it stands."""

    line: str
    exercise: bool
    name: str
    occurrence: str
    """What names it: its local time as the rule gives it, `20261124T090000`."""
    medium: str
    begins: str
    """The station that begins; empty: any."""
    start: int
    end: int
    opens: int
    """From then on it counts as kept, ms."""
    closes: int
    """Until then; from then on it is missed, ms."""
    times: list[ZoneTime]
    """UTC first, then the contact's own zone, then those in which the terms want it shown besides."""
    clock_change: str
    """"twice" or "left out": what the clocks of its zone do at that local time; empty: nothing."""
    state: str
    """upcoming, due, recorded (not all have signed), kept, disputed or missed."""
    cause: str
    """Of a missed one: fault, unattended, declined or "no call"."""
    words: list[ContactWordView]


class ContactFigures(Answer, frozen=True, kw_only=True):
    """Figures of one line, of what is looked at."""

    last_contact: int | None
    """When the last contact was that all parties signed, ms."""
    days_since: float | None
    kept: int
    missed: int
    missed_by_cause: dict[str, int]
    tests: int
    """Of the last tests this station sent to each party."""
    tests_answered: int
    answers: list["ResponseFigures"]


class ResponseFigures(Answer, frozen=True, kw_only=True):
    """How long messages of one precedence waited for a person: from the time of the message to the first word about it."""

    precedence: str
    author: str
    """Whose messages."""
    messages: int
    handled: int
    median_ms: int | None
    longest_ms: int | None
    agreed_ms: int
    """What the terms agree."""
    within: int
    """How many were handled within that."""


class ContactsView(Answer, frozen=True, kw_only=True):
    """The regular contacts of a line."""

    line: str
    exercise: bool
    now: int
    schedule: list[ContactTerms]
    not_understood: list[int]
    """Places in the terms, from 0, of contacts that this version cannot read: they are never due here."""
    unknown_zones: list[str]
    """Zones of the schedule that this machine's tables do not have: their contacts are never due here."""
    occurrences: list[OccurrenceView]
    outside: list[ContactWordView]
    """Words about contacts outside the schedule, or about times that it does not have (any more)."""


class OccurrencesView(Answer, frozen=True, kw_only=True):
    """Occurrences on all lines, ascending."""

    now: int
    occurrences: list[OccurrenceView]


class CalendarView(Answer, frozen=True, kw_only=True):
    """A calendar address that was given out; the token itself is not kept here."""

    calendar: str
    """Its number, by which it is revoked."""
    made: int
    uid: int
    note: str


class CalendarsView(Answer, frozen=True, kw_only=True):
    """All calendar addresses in force."""

    calendars: list[CalendarView]


class NewCalendar(Answer, frozen=True, kw_only=True):
    """A new calendar address. It is shown this once."""

    calendar: str
    path: str
    """`/calendar/TOKEN.ics` on the console's address: who has it can read when contacts are due, and nothing else."""
