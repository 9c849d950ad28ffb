"""What goes over which bearer, and when, on the simulator's clock: spec 9.21, 9.22, 9.25 to 9.28, 7.27, 7.28."""

from openline.protocol.engine import Engine
from openline.protocol.entries import AnyEntry, Attachment, Message, Precedence
from openline.protocol.events import Submit
from openline.station.bearer_state import BearerState
from tests.sim.profiles import MINUTE, Profile
from tests.sim.station import Station
from tests.sim.world import World


def world_of(*bearers: str) -> World:
    """Two stations with these bearers and no faults, whose epoch is open."""
    world = World(7, Profile(name="story", parties=(2,), bearers=bearers))
    for station in world.stations:
        station.boot()
    world.run(20 * MINUTE)
    assert all(peer.epoch is not None for station in world.stations for peer in engine_of(station).peers.values())
    return world


def engine_of(station: Station) -> Engine:
    assert station.engine is not None
    return station.engine


def say(station: Station, text: str, precedence: Precedence, count: int = 1) -> None:
    for number in range(count):
        entry: AnyEntry = Message(precedence=precedence, language="en", text=f"{text} {number}")
        station.give(Submit(token=1_000 + number, entry=entry, time=station.now().wall))


def texts(station: Station) -> list[str]:
    return [shown.entry.text for shown in station.shown if isinstance(shown.entry, Message)]


def state(station: Station, bearer: str) -> BearerState:
    assert station.wiring is not None
    return station.wiring.links.state(bearer, str(1 - station.party))


def test_9_27_flash_overtakes_two_hundred_routine_messages_at_300_bits_a_second() -> None:
    """An envelope takes 7 seconds: at most two are before it, and its acknowledgement comes back past the backlog's."""
    world = world_of("thin")
    alpha, bravo = world.stations
    say(alpha, "routine" + "r" * 80, Precedence.ROUTINE, 200)
    world.run(MINUTE)
    say(alpha, "flash", Precedence.FLASH)
    world.run(30_000)
    assert "flash 0" in texts(bravo)
    assert len(texts(bravo)) < 20
    world.run(30_000)
    assert any(size for key, size in engine_of(alpha).peers[1].holds.items() if key[0] == 0)
    world.run(90 * MINUTE)
    assert len(texts(bravo)) == 201


def test_9_26_nothing_is_repeated_on_a_thin_bearer_before_an_answer_could_have_come() -> None:
    world = world_of("thin")
    alpha, bravo = world.stations
    before = state(alpha, "thin").sent
    say(alpha, "once", Precedence.ROUTINE)
    say(alpha, "once", Precedence.FLASH)
    world.run(10 * MINUTE)
    assert len(texts(bravo)) == 2
    assert state(alpha, "thin").sent - before <= 4  # the two, and what acknowledges the acknowledgement's echo


def test_9_22_only_a_thin_bearer_carries_neither_cosignatures_nor_chunks() -> None:
    world = world_of("thin")
    alpha, bravo = world.stations
    assert engine_of(alpha).peers[1].bulky == 0
    before = state(alpha, "thin").sent_bytes
    say(alpha, "a milestone", Precedence.FLASH)
    world.run(5 * MINUTE)
    assert state(alpha, "thin").sent_bytes - before < 2_420
    attachment = Attachment(name="map.png", media_type="image/png", size=9_000, digest=bytes(32), chunk=1_000)
    alpha.give(Submit(token=1, entry=attachment, time=alpha.now().wall))
    world.run(5 * MINUTE)
    assert len(bravo.shown) > 0
    assert state(bravo, "thin").sent_bytes < 40 * 256


def test_9_21_routine_never_fills_the_thin_bearer_beside_a_wide_one() -> None:
    world = world_of("fibre", "thin")
    alpha, bravo = world.stations
    before = state(alpha, "thin").sent
    say(alpha, "routine", Precedence.ROUTINE, 50)
    world.run(MINUTE)
    assert len(texts(bravo)) == 50
    assert state(alpha, "thin").sent == before
    say(alpha, "flash", Precedence.FLASH)
    world.run(MINUTE)
    assert state(alpha, "thin").sent == before + 1
    say(alpha, "soon", Precedence.IMMEDIATE)
    world.run(MINUTE)
    assert state(alpha, "thin").sent == before + 2


def test_9_21_immediate_goes_over_two_and_not_over_a_metered_one() -> None:
    world = world_of("fibre", "mail", "burst")
    alpha, _ = world.stations
    before = [state(alpha, name).sent for name in ("fibre", "mail", "burst")]
    say(alpha, "soon", Precedence.IMMEDIATE)
    world.run(1_000)
    after = [state(alpha, name).sent for name in ("fibre", "mail", "burst")]
    assert [now - then for now, then in zip(after, before, strict=True)][1:] == [1, 0]
    assert after[0] > before[0]


def test_9_21_what_is_not_opened_in_time_goes_by_the_next_bearer() -> None:
    world = world_of("fibre", "mail")
    alpha, bravo = world.stations
    world.bearers_deaf.add(("fibre", frozenset((0, 1))))
    say(alpha, "around", Precedence.ROUTINE)
    world.run(3 * MINUTE)
    assert texts(bravo) == ["around 0"]


def test_7_28_one_way_is_for_flash_and_for_the_rest_only_if_nothing_else_is_up() -> None:
    world = world_of("fibre", "diode")
    alpha, bravo = world.stations
    before = state(alpha, "diode").sent
    say(alpha, "both", Precedence.ROUTINE)
    world.run(1_000)
    assert state(alpha, "diode").sent == before
    say(alpha, "all", Precedence.FLASH)
    world.run(1_000)
    assert state(alpha, "diode").sent == before + 1
    pair = ("fibre", frozenset((0, 1)))
    world.bearers_down.add(pair)
    for station, other in ((alpha, 1), (bravo, 0)):
        station.linked(other)
    held = dict(engine_of(alpha).peers[1].holds)
    say(alpha, "alone", Precedence.ROUTINE)
    world.run(MINUTE)
    assert texts(bravo) == ["both 0", "all 0", "alone 0"]
    assert engine_of(alpha).peers[1].holds == held  # sent, unknown
    sent = state(alpha, "diode").sent
    world.run(60 * MINUTE)
    assert state(alpha, "diode").sent - sent < 12  # repeated ever more seldom
    world.bearers_down.discard(pair)
    for station, other in ((alpha, 1), (bravo, 0)):
        station.linked(other)
    world.run(MINUTE)
    assert engine_of(alpha).peers[1].holds != held


def test_9_22_a_handshake_goes_over_the_wide_bearer() -> None:
    world = World(7, Profile(name="story", parties=(2,), bearers=("thin", "mail")))
    for station in world.stations:
        station.boot()
    while all(engine_of(station).peers[1 - station.party].epoch is None for station in world.stations):
        world.run(1_000)
        assert world.now < 10 * MINUTE
    assert sum(state(station, "thin").sent for station in world.stations) < 4  # init, reply and finish would be 28
