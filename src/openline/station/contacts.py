"""Regular contacts at work: reminded of, kept by themselves where machines can, and raised when they are missed.

Each station watches for itself: what it raises rests on its own clock and its
own observation of link and floors, what was kept or declined on signed words
of both. One station writes the word that a test or an exchange of messages took
place, under the sign STATION, and the other signs it if it saw the same.

    reminder before --> due --> kept by a word that all signed
                         '--window over, or declined, or nobody came--> missed, raised once, with its cause

Spec: spec/06-entries.md, 6.90 to 6.96.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from openline.kernel.errors import Refused, Unavailable, Unknown
from openline.kernel.units import Instant
from openline.ports import Store
from openline.protocol.contact_entries import Contact, Countersign, Medium, Outcome
from openline.protocol.contact_states import (
    ContactState,
    ContactWord,
    MissCause,
    said_between,
    silence_cause,
    state_of,
    words_of,
)
from openline.protocol.contacts import RegularContact, Schedule, schedule_of
from openline.protocol.engine import Engine
from openline.protocol.entries import Role, Watch
from openline.protocol.events import Noticed
from openline.protocol.fields import Ref
from openline.station.answers import encoded
from openline.station.calling.desk import Calling
from openline.station.clock import StationClock
from openline.station.feed import Feed, Published
from openline.station.line_runner import LineRunner, State
from openline.station.links import Links
from openline.station.log import Log
from openline.station.occurrences import Occurrence, occurrences
from openline.station.rhythm import Rhythm
from openline.station.silence import Reach, reached

STATION_SIGN = "STATION"
"""Who signs what the stations saw themselves."""
LOOK_S = 1.0
REMIND_MS = 15 * 60_000
"""So long before a contact the floor is reminded: time to find the other officer and an interpreter."""
LOOK_BACK_MS = 3 * 86_400_000
"""What was missed while the station was off is raised for three days: after a weekend somebody must hear of it."""
SKEW_MS = 60_000
"""How far the other station's clock may be behind ours when its test counts."""
MAX_KEPT = 512
"""Occurrences of a line of which is remembered that they were raised or reminded of."""
_HOUR_MS = 3_600_000


class _Kept(msgspec.Struct, kw_only=True):
    """What a restart must not forget of one line."""

    since: dict[str, int] = msgspec.field(default_factory=dict)
    """By contact: when it came into force here; nothing before that was missed."""
    raised: dict[str, tuple[str, int]] = msgspec.field(default_factory=dict)
    """By occurrence: the cause, and when it was raised."""
    reminded: list[str] = msgspec.field(default_factory=list)


class ContactEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What is pushed when a contact draws near, is due or was missed."""

    line: str
    what: str
    """reminder, due or missed."""
    name: str
    occurrence: str
    start: int
    medium: str
    cause: str
    exercise: bool


class Floor(Protocol):
    """What of a station this needs."""

    clock: StationClock
    store: Store
    log: Log
    links: Links
    feed: Feed
    lines: dict[bytes, LineRunner]
    started: Instant
    rhythm: Rhythm

    @property
    def calling(self) -> Calling:
        """Its calls."""
        ...

    def noticed(self, line: LineRunner, notice: Noticed) -> None:
        """Tell people."""
        ...


class Contacts:
    """The regular contacts of all lines of a station."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._kept: dict[bytes, _Kept] = {}
        self._schedules: dict[bytes, tuple[bytes, Schedule]] = {}
        self._near: dict[bytes, tuple[bytes, int, tuple[Occurrence, ...]]] = {}
        self._watched: dict[tuple[bytes, str], tuple[bool, bool]] = {}
        """Occurrence whose window is open -> whether all were reached, and all floors attended, at some moment of it."""
        self._tested: dict[bytes, Instant] = {}
        self._words: dict[bytes, tuple[Engine, int, list[ContactWord]]] = {}
        self._main: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._main = asyncio.create_task(self._run())

    def stop(self) -> None:
        """End."""
        if self._main is not None:
            self._main.cancel()

    # --- reading -----------------------------------------------------------------------------------------------

    def schedule(self, line: LineRunner) -> Schedule:
        """The regular contacts of the policy in force."""
        engine = line.engine
        if engine is None:
            return Schedule()
        force = engine.fold.amendments.in_force
        found = self._schedules.get(line.line)
        if found is None or found[0] != force:
            found = self._schedules[line.line] = (force, schedule_of(engine.fold.policy))
        return found[1]

    def due_between(self, line: LineRunner, first: Instant, last: Instant) -> list[Occurrence]:
        """All occurrences of a line since each contact came into force, ascending; of a zone not known here, none."""
        found: list[Occurrence] = []
        for contact in self.schedule(line).contacts:
            since = self.since(line, contact)
            with contextlib.suppress(Unknown):
                found += [each for each in occurrences(contact, first, last) if each.window.closes >= since]
        return sorted(found, key=lambda each: (each.start, each.contact.name))

    def since(self, line: LineRunner, contact: RegularContact) -> int:
        """When a contact came into force here, ms."""
        kept = self._of(line)
        name = _fingerprint(contact)
        if kept.since.get(name, 2**62) > self._floor.clock.wall():  # or a simulated clock was put back
            living = {_fingerprint(each) for each in self.schedule(line).contacts}
            kept.since = {known: at for known, at in kept.since.items() if known in living}
            kept.since[name] = self._floor.clock.wall()
            self._save(line)
        return kept.since[name]

    def standing(
        self, line: LineRunner, engine: Engine, occurrence: Occurrence, words: Sequence[ContactWord]
    ) -> tuple[ContactState, MissCause]:
        """Where an occurrence stands now, by all `words` of the line."""
        mine = words_about(occurrence, words)
        raised = self._of(line).raised.get(_key(occurrence))
        observed = MissCause(raised[0]) if raised else self._observed(line, engine, occurrence)
        now = self._floor.clock.wall()
        return state_of(mine, occurrence.window, parties=len(line.names), now=now, observed=observed)

    # --- at work -----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            for line in list(self._floor.lines.values()):
                if line.state is State.RUNNING:
                    with contextlib.suppress(Refused, Unavailable):  # the line stops, or the disk: looked at again
                        await self.look(line)
            await asyncio.sleep(LOOK_S)

    async def look(self, line: LineRunner) -> None:
        """Do what is to be done about a line's contacts now. Raises Refused or Unavailable."""
        engine = line.engine
        if engine is None or not self.schedule(line).contacts:
            return
        words = self._words_of(line, engine)
        for occurrence in self._now(line):
            state, cause = self.standing(line, engine, occurrence, words)
            self._tell(line, occurrence, state, cause)
            if state is ContactState.DUE:
                self._watch(line, engine, occurrence)
            if state in {ContactState.DUE, ContactState.RECORDED}:
                await self._keep(line, engine, occurrence, words_about(occurrence, words))

    def _words_of(self, line: LineRunner, engine: Engine) -> Sequence[ContactWord]:
        """The words about contacts: gathered once for each state of the line, as this looks every second."""
        found = self._words.get(line.line)
        if found is None or found[:2] != (engine, line.entries):
            found = self._words[line.line] = (engine, line.entries, words_of(engine.fold))
        return found[2]

    def _now(self, line: LineRunner) -> Iterator[Occurrence]:
        """The occurrences that matter now: expanded once an hour."""
        now = self._floor.clock.wall()
        hour = now // _HOUR_MS
        force = line.working().fold.amendments.in_force
        near = self._near.get(line.line)
        if near is None or near[:2] != (force, hour):
            first, last = Instant(hour * _HOUR_MS - LOOK_BACK_MS), Instant((hour + 1) * _HOUR_MS + 13 * _HOUR_MS)
            near = self._near[line.line] = (force, hour, tuple(self.due_between(line, first, last)))
        for occurrence in near[2]:
            if occurrence.start - REMIND_MS <= now or occurrence.window.opens <= now:
                yield occurrence

    def _tell(self, line: LineRunner, occurrence: Occurrence, state: ContactState, cause: MissCause) -> None:
        """Remind of what draws near, and raise what was missed: each once."""
        kept, key, now = self._of(line), _key(occurrence), self._floor.clock.wall()
        if state is ContactState.MISSED:
            if key not in kept.raised:
                kept.raised[key] = (cause.value, now)
                self._save(line)
                self._publish(line, occurrence, "missed", cause)
                self._floor.log.event("contact.missed", line=line.label, cause=cause.value.replace(" ", "-"))
                self._floor.noticed(line, Noticed(what="contact-missed", party=line.party))
        elif state in {ContactState.UPCOMING, ContactState.DUE}:
            what = "reminder" if now < occurrence.start else "due"
            if f"{what}\n{key}" not in kept.reminded:
                kept.reminded.append(f"{what}\n{key}")
                self._save(line)
                self._publish(line, occurrence, what, MissCause.NONE)
                self._floor.log.event(f"contact.{what}", line=line.label)
                self._floor.noticed(line, Noticed(what=f"contact-{what}", party=line.party))

    def _publish(self, line: LineRunner, occurrence: Occurrence, what: str, cause: MissCause) -> None:
        event = ContactEvent(
            line=line.label,
            what=what,
            name=occurrence.contact.name,
            occurrence=occurrence.local,
            start=occurrence.start,
            medium=occurrence.contact.medium.name.lower(),
            cause=cause.value,
            exercise=line.exercise,
        )
        self._floor.feed.publish(Published(line=line.line, name="contact", seq=0, data=encoded(event)))

    # --- what is seen here -------------------------------------------------------------------------------------

    def _watch(self, line: LineRunner, engine: Engine, occurrence: Occurrence) -> None:
        key = (line.line, _key(occurrence))
        linked, attended = self._watched.get(key, (False, False))
        self._watched[key] = (linked or self._linked(line, engine), attended or _all_attended(engine, line))
        if len(self._watched) > MAX_KEPT:
            self._watched.pop(next(iter(self._watched)))

    def _linked(self, line: LineRunner, engine: Engine) -> bool:
        apart = {Reach.BEARERS_DOWN, Reach.STATION_SILENT}
        return all(reached(self._floor.links, line, engine, party).reach not in apart for party in engine.peers)

    def _observed(self, line: LineRunner, engine: Engine, occurrence: Occurrence) -> MissCause:
        """What this station concludes from silence."""
        if occurrence.window.closes < self._floor.started:
            return MissCause.FAULT  # this station itself was not there
        linked, attended = self._watched.get((line.line, _key(occurrence)), (False, False))
        floors = [True] if attended else _attended(engine, line)
        linked = linked or self._linked(line, engine)
        return silence_cause(occurrence.contact.medium, linked=linked, attended=floors)

    def _took_place(self, line: LineRunner, engine: Engine, occurrence: Occurrence) -> Instant | None:
        """When an exchange that stations see by themselves was complete; None while it is not, or people keep it."""
        window, medium = occurrence.window, occurrence.contact.medium
        if medium is Medium.MESSAGE:
            said = [said_between(engine.fold, party, window.opens, window.closes) for party in range(len(line.names))]
            times = [at for at in said if at is not None]
            return max(times) if len(times) == len(line.names) else None
        if medium is Medium.CALL:
            return self._floor.calling.held_between(line, window.opens, window.closes)
        if medium is not Medium.TEST:
            return None
        own = engine.fold.test(line.party)
        if own is None or not window.start <= own.time <= window.closes:
            return None
        lane = engine.book.own(urgent=True).lane
        for party, peer in engine.peers.items():
            theirs = engine.fold.test(party)
            if theirs is None or not window.start - SKEW_MS <= theirs.time <= window.closes:
                return None
            if own.generation != lane.generation or peer.holds.get(lane.key, 0) <= own.index:
                return None
        return own.time

    # --- keeping -----------------------------------------------------------------------------------------------

    async def _keep(
        self, line: LineRunner, engine: Engine, occurrence: Occurrence, words: Sequence[ContactWord]
    ) -> None:
        """Test where a test is due; say that a contact took place, or sign that the other station said so."""
        now, contact = self._floor.clock.wall(), occurrence.contact
        if contact.medium is Medium.TEST and now >= occurrence.start:
            last = engine.fold.test(line.party)
            if max(last.time if last else -1, self._tested.get(line.line, -1)) < occurrence.start:
                self._tested[line.line] = now
                await self._floor.rhythm.test(line, drill=False)
        at = self._took_place(line, engine, occurrence)
        if at is None:
            return
        theirs = [each for each in words if each.entry.outcome is Outcome.KEPT and each.place.party != line.party]
        unsigned = [each for each in theirs if line.party not in (*each.agreed, *each.differs)]
        for word in unsigned:
            if word.entry.sign == STATION_SIGN:
                ref = ref_of(line, word)
                signed = Countersign(of=ref, agreed=True, role=Role.TECHNICIAN, sign=STATION_SIGN)
                await line.submit(signed, now)
        mine = any(each.place.party == line.party for each in words)
        patience = (occurrence.window.closes - occurrence.start) // 2
        if not mine and not theirs and (self._records(line, contact) or now > occurrence.start + patience):
            said = Contact(
                name=contact.name,
                occurrence=occurrence.local,
                medium=contact.medium,
                outcome=Outcome.KEPT,
                at=at,
                role=Role.TECHNICIAN,
                sign=STATION_SIGN,
            )
            await line.submit(said, now)

    def _records(self, line: LineRunner, contact: RegularContact) -> bool:
        """Whether this station writes the word: that of the party that begins, else of the first party."""
        if contact.begins in line.names:
            return line.names[line.party] == contact.begins
        return line.party == 0

    # --- what outlives a restart -------------------------------------------------------------------------------

    def _of(self, line: LineRunner) -> _Kept:
        kept = self._kept.get(line.line)
        if kept is None:
            data = self._floor.store.setting(_setting(line))
            kept = _Kept()
            if data is not None:
                with contextlib.suppress(msgspec.MsgspecError):  # damaged: it is raised again, which is the safe side
                    kept = _DECODER.decode(data)
            self._kept[line.line] = kept
        return kept

    def _save(self, line: LineRunner) -> None:
        kept = self._kept[line.line]
        for old in list(kept.raised)[:-MAX_KEPT]:
            del kept.raised[old]
        del kept.reminded[:-MAX_KEPT]
        self._floor.store.put_setting(_setting(line), msgspec.json.encode(kept))


_DECODER = msgspec.json.Decoder(_Kept)


def words_about(occurrence: Occurrence, words: Sequence[ContactWord]) -> list[ContactWord]:
    """The words about one occurrence."""
    name, local = occurrence.contact.name, occurrence.local
    return [word for word in words if (word.entry.name, word.entry.occurrence) == (name, local)]


def ref_of(line: LineRunner, word: ContactWord) -> Ref:
    """The reference to a word."""
    place, book = word.place, line.working().book
    state = book.state(book.lane(place.lane, place.generation))
    leaf = book.rows(state, place.index, 1)[0].nodes[0]
    return Ref(lane=place.lane, generation=place.generation, index=place.index, leaf=leaf)


def _attended(engine: Engine, line: LineRunner) -> list[bool | None]:
    said = [engine.fold.watch(party) for party in range(len(line.names))]
    return [last.entry.attended if last and isinstance(last.entry, Watch) else None for last in said]


def _all_attended(engine: Engine, line: LineRunner) -> bool:
    return all(each is not False for each in _attended(engine, line))


def _key(occurrence: Occurrence) -> str:
    return f"{occurrence.local}\n{occurrence.contact.name}"


def _fingerprint(contact: RegularContact) -> str:
    parts = (contact.name, contact.rule, contact.start, contact.zone, contact.medium.name)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _setting(line: LineRunner) -> str:
    return "contacts " + line.line.hex()
