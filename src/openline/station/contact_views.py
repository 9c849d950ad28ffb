"""Regular contacts as people see them: the schedule, each occurrence in UTC and local times, and what was signed of it."""

from openline.kernel.errors import Unknown
from openline.kernel.units import Instant
from openline.protocol.contact_states import ContactWord, words_of
from openline.protocol.engine import Engine
from openline.station.answers import RefView
from openline.station.contact_answers import ContactsView, ContactWordView, OccurrenceView, ZoneTime
from openline.station.contact_terms import terms_of
from openline.station.contacts import Contacts, ref_of, words_about
from openline.station.line_runner import LineRunner
from openline.station.occurrences import Occurrence, locally, zone_of


def contacts_view(contacts: Contacts, line: LineRunner, first: Instant, last: Instant, now: Instant) -> ContactsView:
    """The contacts of a line between two moments. Raises Unavailable while the line is stopped."""
    engine = line.working()
    schedule, words = contacts.schedule(line), words_of(engine.fold)
    due = contacts.due_between(line, first, last)
    told = {word.place for occurrence in due for word in words_about(occurrence, words)}
    outside = [word for word in words if word.place not in told and first <= word.entry.at <= last]
    zones = {each for contact in schedule.contacts for each in (contact.zone, *contact.also)}
    return ContactsView(
        line=line.label,
        exercise=line.exercise,
        now=now,
        schedule=[terms_of(contact) for contact in schedule.contacts],
        not_understood=list(schedule.not_understood),
        unknown_zones=sorted(zone for zone in zones if not _known(zone)),
        occurrences=[occurrence_view(contacts, line, engine, each, words) for each in due],
        outside=[word_view(line, word) for word in sorted(outside, key=lambda each: each.entry.at)],
    )


def occurrence_view(
    contacts: Contacts, line: LineRunner, engine: Engine, occurrence: Occurrence, words: list[ContactWord]
) -> OccurrenceView:
    """One occurrence."""
    contact, window = occurrence.contact, occurrence.window
    state, cause = contacts.standing(line, engine, occurrence, words)
    zones = dict.fromkeys(("UTC", contact.zone, *contact.also))
    return OccurrenceView(
        line=line.label,
        exercise=line.exercise,
        name=contact.name,
        occurrence=occurrence.local,
        medium=contact.medium.name.lower(),
        begins=contact.begins,
        start=occurrence.start,
        end=occurrence.end,
        opens=window.opens,
        closes=window.closes,
        times=[ZoneTime(zone=zone, time=locally(occurrence.start, zone)) for zone in zones if _known(zone)],
        clock_change=occurrence.clock_change,
        state=state.value,
        cause=cause.value,
        words=[word_view(line, word) for word in words_about(occurrence, words)],
    )


def word_view(line: LineRunner, word: ContactWord) -> ContactWordView:
    """One word about a contact."""
    entry, ref = word.entry, ref_of(line, word)
    return ContactWordView(
        ref=RefView(lane=ref.lane, generation=str(ref.generation), index=ref.index, leaf=ref.leaf.hex()),
        author=line.names[word.place.party],
        name=entry.name,
        occurrence=entry.occurrence,
        medium=entry.medium.name.lower(),
        outcome=entry.outcome.name.lower().replace("_", "-"),
        at=entry.at,
        time=word.time,
        role=entry.role.name.lower().replace("_", "-"),
        sign=entry.sign,
        text=entry.text,
        agreed=[line.names[party] for party in word.agreed],
        differs=[line.names[party] for party in word.differs],
    )


def _known(zone: str) -> bool:
    try:
        zone_of(zone)
    except Unknown:
        return False
    return True
