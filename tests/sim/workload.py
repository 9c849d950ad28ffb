"""What people say in a run: every kind that may be submitted, with marks in the texts that must never leave."""

from functools import partial
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING

from openline.kernel.terms import Policy
from openline.kernel.units import Instant
from openline.protocol import entries as kinds
from openline.protocol.contact_entries import Contact, Countersign, Medium, Outcome
from openline.protocol.entries import AnyEntry, Precedence, Role
from openline.protocol.events import Renew, Shown, Stow, Submit
from openline.protocol.fields import Ref
from tests.sim.checkers import MARKER
from tests.sim.station import WALL

if TYPE_CHECKING:
    from tests.sim.station import Station
    from tests.sim.world import World


class Workload:
    """Plans submissions into the world's heap."""

    def __init__(self, world: "World") -> None:
        self._world, self._dice = world, world.dice("workload")
        self._tokens = 0
        count = self._dice.randint(world.profile.entries // 4, world.profile.entries)
        for _ in range(count):
            burst = 1 if self._dice.random() < 0.95 else self._dice.choice((10, 60))
            at, party = self._dice.randrange(world.profile.chaos_ms), self._dice.randrange(world.parties)
            for _ in range(burst):
                world.at(at, self.say, party)
        if self._dice.random() < 0.3:
            world.at(self._dice.randrange(world.profile.chaos_ms), self._renew)

    def say(self, party: int) -> None:
        """Somebody at that party says something, if the station is up."""
        station = self._dice.choice([s for s in self._world.all_stations() if s.party == party])
        if station.engine is None:
            return
        entry = self._entry(station, self._dice)
        if isinstance(entry, kinds.Attachment):
            entry = self._attach(station, entry)
        self._tokens += 1
        wall = station.now().wall
        station.give(Submit(token=self._tokens, entry=entry, time=wall))

    def _renew(self) -> None:
        station = self._world.stations[0]
        if station.engine is not None:
            station.give(Renew(1))

    def _entry(self, station: "Station", dice: Random) -> AnyEntry:
        ref = self._reference(station, dice)
        sign, role = "W1", Role.WATCH_OFFICER
        text = partial(_text, dice, self._world.profile.thin)
        match dice.randrange(26):
            case 0:
                return kinds.Watch(attended=dice.random() < 0.5, role=role, sign=sign)
            case 1:
                return kinds.Test(
                    text="PACK MY BOX", language="en", drill=dice.random() < 0.3, number=dice.randrange(99)
                )
            case 2:
                return kinds.Service(text=text(), language="en", sign=sign)
            case 3 if dice.random() < 0.3:
                return kinds.Suspend(reason=text()[:500], role=role, sign=sign)
            case 4:
                return kinds.Lift(reason=text()[:500], role=role, sign=sign)
            case 5 | 6 if ref is not None:
                return kinds.Receipt(of=ref, step=dice.choice(list(kinds.Step)), role=role, sign=sign, at=Instant(WALL))
            case 7 if ref is not None:
                return kinds.Interim(of=ref, until=Instant(WALL + dice.randrange(10**9)), role=role, sign=sign)
            case 8 if ref is not None:
                return kinds.Decline(of=ref, reason=text()[:500], role=role, sign=sign)
            case 9:
                return kinds.Propose(replaces=station.record.line, policy=Policy(title=f"v{dice.randrange(99)}"))
            case 10 if ref is not None:
                return kinds.Assent(ref)
            case 11:
                return kinds.Unknown(kind=dice.randrange(40, 60_000), raw=MARKER.encode() + dice.randbytes(30))
            case 13 if ref is not None:
                part = kinds.Passage(start=3, end=3 + len(MARKER), words=MARKER) if dice.random() < 0.5 else None
                return kinds.Query(of=ref, text=text()[:500], language="en", role=role, sign=sign, passage=part)
            case 14 if ref is not None:
                return kinds.Answer(of=ref, text=text()[:500], language="en", role=role, sign=sign)
            case 15 if ref is not None:
                grade = dice.choice(list(kinds.Grade))
                return kinds.Translation(of=ref, language="fr", text=text(), grade=grade, role=role, sign=sign)
            case 24:
                name = f"{MARKER} {dice.randrange(3)}"  # few names, so that words meet
                return Contact(
                    name=name, occurrence="20261124T090000", medium=Medium(dice.randrange(4)),
                    outcome=Outcome(dice.randrange(4)), at=Instant(WALL), role=role, sign=sign, text=text()[:500],
                )  # fmt: skip
            case 25 if ref is not None:
                return Countersign(of=ref, agreed=dice.random() < 0.7, role=role, sign=sign, text=text()[:100])
            case 12:
                return kinds.Attachment(name="map.png", media_type="image/png", size=1, digest=bytes(32), chunk=256)
            case _:
                answers = ref if ref is not None and dice.random() < 0.3 else None
                return kinds.Message(
                    precedence=Precedence(dice.choice((0, 1, 1, 2, 2, 3, 3))),
                    language="en",
                    text=text(),
                    answers=answers,
                    acknowledge_by=Instant(WALL + 10**6) if dice.random() < 0.2 else None,
                )

    def _reference(self, station: "Station", dice: Random) -> Ref | None:
        """Something to speak of: one of the latest entries seen here, rarely one that does not exist."""
        shown: list[Shown] = station.shown[-30:]
        if not shown:
            return None
        place = dice.choice(shown)
        leaf = place.row.nodes[0] if dice.random() < 0.95 else dice.randbytes(32)
        return Ref(lane=place.lane.number, generation=place.lane.generation, index=place.row.index, leaf=leaf)

    def _attach(self, station: "Station", entry: kinds.Attachment) -> kinds.Attachment:
        chunk = self._dice.choice((256, 1_000, 12_000))
        data = MARKER.encode() + self._dice.randbytes(self._dice.randrange(1, 6 * chunk))
        digest = sha256(data).digest()
        wrong = self._dice.random() < 0.1
        for number in range(-(-len(data) // chunk)):
            part = data[number * chunk : (number + 1) * chunk]
            station.give(Stow(attachment=digest, number=number, data=bytes(len(part)) if wrong else part))
        return kinds.Attachment(
            name=entry.name, media_type=entry.media_type, size=len(data), digest=digest, chunk=chunk
        )


def _text(dice: Random, thin: float) -> str:
    size = dice.choice((0, 10, 60, 100, 300, 1_500, 8_000 if thin < 1 else 400))  # a thin bearer's day is long enough
    return f"{MARKER} {dice.randrange(10**9)} {'x' * size}"
