"""What a silence means: a fault of bearers, a station that is silent, a floor that nobody attends, or people who consider.

None of it is guessed: bearers are observed here, the rest is what the other
side signed. The five are told apart for each party, and for each message:

    bearers-down     no bearer to them is up; which ones, is said
    station-silent   bearers are up, and nothing has been heard over them since T
    unattended       their station holds it; their floor says that nobody is on watch
    considering      they hold it and promised an answer by T
    declined         they will not answer, and said so

and beside them: sent-unknown (only one-way bearers lead there), under-way, not-read, read, answered.

Spec: spec/06-entries.md, 6.78.
"""

import enum
from dataclasses import dataclass

from openline.protocol.engine import Engine
from openline.protocol.entries import Watch
from openline.protocol.facts import Standing
from openline.station.line_runner import LineRunner
from openline.station.links import Links

PATIENT_TRIES = 4
"""So often offered again and not opened, and nothing else heard since: their station is silent."""


class Reach(enum.StrEnum):
    """Whether a party's station is reached."""

    REACHED = "reached"
    BEARERS_DOWN = "bearers-down"
    STATION_SILENT = "station-silent"
    SENT_UNKNOWN = "sent-unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How a party is reached, since when nothing was heard, and which bearers are down."""

    reach: Reach
    heard_at: int | None
    down: tuple[str, ...]


def reached(links: Links, line: LineRunner, engine: Engine | None, party: int) -> Reached:
    """How a party is reached now."""
    station = line.stations[party]
    ways = links.ways(station)
    both = [way for way in ways if not way.traits.one_way]
    heard = [state.heard_at for (_, of), state in links.states.items() if of == station and state.heard_at is not None]
    names = {way.traits.name for way in ways}
    down = tuple(sorted(name for name in links.bearers if name not in names and name != "courier"))
    if not both:
        reach = Reach.SENT_UNKNOWN if ways else Reach.BEARERS_DOWN
    elif all(way.state.silent for way in both) or _unanswered(engine, party):
        reach = Reach.STATION_SILENT
    else:
        reach = Reach.REACHED
    return Reached(reach=reach, heard_at=max(heard, default=None), down=down)


def _unanswered(engine: Engine | None, party: int) -> bool:
    peer = engine.peers[party] if engine is not None else None
    if peer is None:
        return False
    return any(sent.tries >= PATIENT_TRIES and peer.heard_at < sent.at for sent in peer.outbox.values())


def meaning(line: LineRunner, engine: Engine, party: int, standing: Standing) -> str:
    """What it means that a party has not said more of a message than this."""
    if standing is Standing.SENT:
        reach = reached(line.links, line, engine, party).reach
        return "under-way" if reach is Reach.REACHED else reach.value
    if standing in {Standing.HELD, Standing.PRESENTED}:
        watch = engine.fold.watch(party)
        said = watch.entry if watch is not None and isinstance(watch.entry, Watch) else None
        return "not-read" if said is not None and said.attended else "unattended"
    return standing.name.lower()
