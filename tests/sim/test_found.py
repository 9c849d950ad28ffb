"""What the simulator once found, as short stories: each failed before its repair.

Spec: 7.2, 7.6, 7.12, 7.20, 8.11, 9.6, 13.4, 13.7, 13.8.
"""

from dataclasses import replace

from openline.protocol.entries import Message, Precedence
from openline.protocol.events import Committed, Submit
from tests.sim.checkers import Liveness
from tests.sim.profiles import PROFILES, Profile
from tests.sim.station import Station
from tests.sim.world import World

TWO = Profile(name="story of two", parties=(2,), latency_ms=5)
THREE = replace(TWO, name="story of three", parties=(3,))


def begun(profile: Profile, seed: int = 1) -> World:
    world = World(seed, profile)
    for station in world.stations:
        station.boot()
    world.run(5_000)
    return world


def say(station: Station, text: str = "steady", precedence: Precedence = Precedence.PRIORITY, token: int = 1) -> None:
    message = Message(precedence=precedence, language="en", text=text)
    station.give(Submit(token=token, entry=message, time=station.now().wall))


def settled(world: World, wait_ms: int = 120_000) -> None:
    world.healed = True
    liveness = Liveness(world)
    world.run(wait_ms)
    liveness.arrived()


def test_13_4_after_a_crash_between_commit_and_mark_the_mark_comes_first() -> None:
    world = begun(TWO)
    station = world.stations[0]
    say(station)
    commit = station.in_flight
    assert commit is not None
    station.store.commit(commit.writes)
    world.checks.committing(station, ())
    station.engine, station.in_flight = None, None
    world.checks.truth.clear()  # this story wrote around the world's back
    marked = station.mark
    assert marked is not None
    station.boot()
    world.checks.truth = {lane: [row.nodes[0] for row in rows] for lane, rows in station.store.copy().rows.items()}
    world.run(60_000)  # the checkers see that nothing leaves unmarked
    assert station.mark is not None
    assert station.mark.traffic == marked.traffic + 1


def test_7_20_a_station_that_fell_right_after_its_epoch_opened_still_introduces_itself() -> None:
    world = World(3, THREE)
    for station in world.stations:
        station.boot()
    while all(peer.epoch is None for peer in world.stations[0].engine.peers.values()):  # type: ignore[union-attr]
        world.run(1)
    world.stations[0].crash("in a story", 100)
    settled(world)


def test_7_5_three_stations_far_apart_fall_silent() -> None:
    world = begun(THREE)
    for way in world.ways.values():
        way.delay_ms = 900  # longer than an echo waits
    for turn in range(9):
        say(world.stations[turn % 3], token=turn)
        world.run(400)
    settled(world)
    before = world.envelopes
    world.run(600_000)
    assert world.envelopes - before < 10


def test_8_11_long_messages_cross_a_270_byte_bearer_in_any_order() -> None:
    world = begun(TWO)
    for pair, way in world.ways.items():
        way.largest, way.smallest, way.delay_ms = 270, 270, 700
        world.stations[pair[0]].linked(pair[1])
    for turn in range(6):
        say(world.stations[0], "long " * 1_200, token=turn)
    settled(world, 300_000)


def test_9_22_what_was_sealed_for_a_wide_bearer_is_not_stuck_when_only_a_thin_one_is_left() -> None:
    world = begun(TWO)
    for way in world.ways.values():
        way.cut = True
    for turn in range(6):
        say(world.stations[0], "long " * 300, token=turn)
    world.run(20_000)
    for pair, way in world.ways.items():
        way.largest, way.smallest, way.cut = 270, 270, False
        world.stations[pair[0]].linked(pair[1])
    settled(world, 300_000)


def test_13_8_your_adversary_is_your_backup() -> None:
    world = begun(TWO)
    station = world.stations[0]
    old = station.store.backup()
    for turn in range(12):
        say(station, token=turn)
        world.run(300)
    size = station.store.size(station.engine.book.own(urgent=False).lane)  # type: ignore[union-attr]
    station.restore(old, mark=True)
    world.run(30_000)
    assert size > 10
    settled(world)
    generations = station.engine.book.generations(0)  # type: ignore[union-attr]
    assert [g.counter for g in generations] == [0, 1]


def test_13_7_a_copied_disk_never_uses_an_index_of_its_epoch_twice() -> None:
    world = begun(TWO)
    station = world.stations[0]
    copy = station.store.copy()
    assert any(peer.epoch for peer in copy.peers.values())
    for turn in range(6):
        say(station, token=turn)
        world.run(300)
    station.restore(copy, mark=True)
    for turn in range(6):
        say(station, token=100 + turn)
        world.run(1_500)  # the checkers see every index
    settled(world)


def test_13_2_a_commit_that_nobody_heard_of_is_not_made_twice() -> None:
    world = begun(TWO)
    station = world.stations[1]
    say(station)
    commit = station.in_flight
    assert commit is not None
    station._write(commit)
    station.mark = commit.mark
    station.engine = None
    station.boot()
    station.give(Committed(1)) if station.in_flight is None else None
    settled(world)


def test_every_profile_has_a_name_of_its_own() -> None:
    assert all(name == profile.name for name, profile in PROFILES.items())
