"""A line as it stands: its state in one word and one sentence, its parties, bearers, lanes and clocks."""

from typing import Protocol

from openline.kernel.units import Instant
from openline.ports import LineTest
from openline.protocol.clocks import MessageClock, next_due, running, unhandled
from openline.protocol.engine import Engine
from openline.protocol.entries import Precedence, Watch
from openline.protocol.facts import Place
from openline.protocol.probing import End
from openline.station.answers import (
    DueView,
    EpochView,
    LaneSizeView,
    LineView,
    PartyView,
    RefView,
    TestView,
)
from openline.station.bearer_answers import BearerPastView, BearerThereView, BearerView, MinimizeView
from openline.station.bearers import Bearers
from openline.station.clock import StationClock
from openline.station.entry_view import policy_view, reference_of
from openline.station.line_runner import LineRunner, State
from openline.station.links import Links
from openline.station.minimize import STATION_SIGN, Minimize
from openline.station.probing import Probes
from openline.station.restores import generation_views
from openline.station.rhythm import Rhythm
from openline.station.silence import Reach, reached


class Floor(Protocol):
    """What of a station a view needs."""

    links: Links
    clock: StationClock
    rhythm: Rhythm
    bearers: Bearers
    probes: Probes
    minimize: Minimize


def state_of(floor: Floor, line: LineRunner) -> tuple[str, str]:
    """The state in a word of the API, and what it means."""
    engine = line.engine
    if engine is None:
        if line.state is State.DISK:
            return "stopped", "stopped: disk. Nothing is lost; it is tried again"
        if line.state is State.BUG:
            return "stopped", "stopped: a fault of this program. The other lines go on; restart the station"
        return "stopped", "stopped"
    if engine.closed:
        return "fault", "restored too often: nothing can be said before a new lane key: openline keys rotate lane"
    # A fault is said first: a party that suspended is still expected to be there, and silence must not hide behind it.
    suspended = bool(engine.suspended())
    also = "; suspended: only FLASH passes" if suspended else ""
    peers = [(party, line.stations[party]) for party in engine.peers]
    down = [party for party, station in peers if not floor.links.up(station)]
    if len(down) == len(peers):
        opening = all(engine.peers[party].epoch is None for party in down)
        return ("opening", "never linked yet") if opening else ("fault", "no link to any party" + also)
    # A party that has lost its keys says so before new ones are there; what it opened since shows that it has them.
    if any(peer.epoch is None or peer.rescue_at > peer.heard_at for peer in engine.peers.values()):
        return "opening", "linked; agreeing on keys"
    if suspended and not down:
        return "suspended", "suspended: only FLASH passes"
    if any(_is_silent(floor, line, party) for party, _ in peers):
        return "degraded", "a party's station is silent: bearers to it are up, and nothing comes" + also
    if down:
        return "degraded", "no link to some of the parties" + also
    if any(peer.suspected for peer in engine.peers.values()):
        return "degraded", "a party does not keep to the protocol"
    if floor.rhythm.missed(line):
        return "degraded", "the last test was not acknowledged in time"
    return "in service", "in service"


def _is_silent(floor: Floor, line: LineRunner, party: int) -> bool:
    return reached(floor.links, line, line.engine, party).reach is Reach.STATION_SILENT


def line_view(floor: Floor, line: LineRunner, last_test: LineTest | None, held: int) -> LineView:
    """All that the API says of a line."""
    state, words = state_of(floor, line)
    engine, names = line.engine, line.names
    policy = engine.fold.policy if engine is not None else line.terms.policy
    parties = [_party(floor, line, engine, party) for party in range(len(names))]
    return LineView(
        line=line.line.hex(),
        label=line.label,
        title=policy.title,
        simulated_clock=floor.clock.simulated,
        parties=parties,
        state=state,
        state_words=words,
        attended={party.name: party.attended for party in parties},
        bearers=_bearers(floor, line),
        epochs=_epochs(line, engine),
        policy=policy_view(policy),
        last_test=test_view(line, last_test) if last_test is not None else None,
        suspected=[party.name for party in parties if party.suspected],
        forks=len(line.history.evidence()),
        generations=generation_views(engine, line.names, line.restores) if engine is not None else [],
        sizes=_sizes(line, engine),
        digest=line.digest(),
        next_due=_due(line, engine, floor.clock.wall()),
        last_seq=line.history.last_seq(),
        notices=dict(line.notices),
        minimize=[
            MinimizeView(
                party=names[party],
                time=word.time,
                text=word.text,
                sign=word.sign,
                automatic=word.sign == STATION_SIGN,
            )
            for party, word in sorted(floor.minimize.words(line).items())
        ],
        held=held,
    )


def _party(floor: Floor, line: LineRunner, engine: Engine | None, party: int) -> PartyView:
    watch = engine.fold.watch(party) if engine is not None else None
    said = watch.entry if watch is not None and isinstance(watch.entry, Watch) else None
    peer = engine.peers.get(party) if engine is not None else None
    found = reached(floor.links, line, engine, party) if party != line.party else None
    return PartyView(
        name=line.names[party],
        me=party == line.party,
        fingerprint=line.stations[party],
        party=party,
        attended=said.attended if said is not None else None,
        watch_sign=said.sign if said is not None else "",
        suspended=engine is not None and engine.fold.suspension(party) is not None,
        suspected=peer.suspected if peer is not None else "",
        reach=found.reach.value if found is not None else "",
        heard_at=found.heard_at if found is not None else None,
        bearers_down=list(found.down) if found is not None else [],
    )


def _bearers(floor: Floor, line: LineRunner) -> list[BearerView]:
    return [
        _bearer(floor, line.names[party], name, station)
        for party, station in enumerate(line.stations)
        if party != line.party
        for name in floor.bearers.shown()
    ]


def _bearer(floor: Floor, party: str, name: str, station: str) -> BearerView:
    state, bearer = floor.links.state(name, station), floor.links.bearers.get(name)
    return BearerView(
        party=party,
        bearer=name,
        up=bearer is not None and bearer.up(station),
        last_heard=state.heard_at,
        sent=state.sent,
        received=state.received,
        sent_bytes=state.sent_bytes,
        received_bytes=state.received_bytes,
        one_way=bearer is not None and bearer.traits.one_way,
        silent=state.silent,
        changed_at=state.changed_at,
        sent_at=state.sent_at,
        delay_ms=state.delay_ms,
        loss=state.loss,
        probed_at=state.probed_at,
        past=[BearerPastView(at=at, was=was.value) for at, was in state.past.shown(floor.clock.wall())],
        trouble=floor.bearers.trouble(name),
        there=_there(floor.probes.said(station, name)),
    )


def _there(end: End | None) -> BearerThereView | None:
    if end is None:
        return None
    return BearerThereView(
        up=end.up, last_heard=end.heard or None, delay_ms=end.delay_ms or None, loss=end.lost_percent / 100
    )


def _epochs(line: LineRunner, engine: Engine | None) -> list[EpochView]:
    if engine is None:
        return []
    return [
        EpochView(
            party=line.names[party],
            open=peer.epoch is not None,
            attempt=peer.epoch.attempt if peer.epoch is not None else 0,
            opened=peer.epoch.opened if peer.epoch is not None else None,
        )
        for party, peer in engine.peers.items()
    ]


def _sizes(line: LineRunner, engine: Engine | None) -> list[LaneSizeView]:
    if engine is None:
        return []
    return [
        LaneSizeView(
            lane=state.lane.number,
            generation=str(state.lane.generation),
            author=line.names[state.lane.party],
            urgent=state.lane.urgent,
            size=state.durable,
            held_by={
                line.names[party]: peer.holds.get(state.lane.key, 0)
                for party, peer in engine.peers.items()
                if party != state.lane.party
            },
        )
        for state in engine.book.all_states()
        if state.durable
    ]


def _due(line: LineRunner, engine: Engine | None, now: Instant) -> DueView | None:
    if engine is None:
        return None
    # What is overdue comes before what is still running: it was due first.
    clocks = list(running(engine.fold))
    overdue = min((clock for clock in clocks if clock.due <= now), key=lambda clock: clock.due, default=None)
    clock = overdue or next_due(clocks, now)
    return due_view(line, engine, clock) if clock is not None else None


def unhandled_flashes(line: LineRunner) -> list[Place]:
    """Where the FLASHes stand that nobody here has handled yet; none while the line is stopped."""
    waiting = unhandled(line.engine.fold, line.party) if line.engine is not None else ()
    return [message.place for message in waiting if message.precedence is Precedence.FLASH]


def due_view(line: LineRunner, engine: Engine, clock: MessageClock) -> DueView:
    """A clock that runs."""
    place = clock.place
    status = engine.fold.status(place.lane, place.generation, place.index)
    lane = engine.book.lane(place.lane, place.generation)
    row = engine.book.rows(engine.book.state(lane), place.index, 1)[0]
    return DueView(
        ref=RefView(
            lane=place.lane,
            generation=str(place.generation),
            index=place.index,
            leaf=row.nodes[0].hex(),
            reference=reference_of(line, lane, status.serial, status.time),
        ),
        party=line.names[clock.party],
        due=clock.due,
        due_by=clock.basis.value,
    )


def test_view(line: LineRunner, test: LineTest) -> TestView:
    """One test."""
    return TestView(
        party=line.names[test.party],
        number=test.number,
        sent=test.sent,
        held=test.held,
        round_trip_ms=test.round_trip_ms,
    )
