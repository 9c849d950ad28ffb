"""What is repeated and when, what bearers are believed, and ways on which nothing comes back. Spec 7.28, 9.17 to 9.23."""

from collections import deque

from openline.kernel.codec import encode
from openline.ports import BearerTraits
from openline.protocol.delivery import FLASH_RETRY_MS, RETRY_MS
from openline.protocol.entries import Kind, Precedence, Test
from openline.protocol.events import Arrived, Link, Tick, Transmit
from openline.station.links import Links
from openline.station.ways import METERED_COST
from tests.spec.line import Host, Line, message


def moments(line: Line, host: Host, envelope: bytes, ms: int) -> list[int]:
    """When an envelope was sent again within a time in which nothing arrives, in ms from now."""
    found: list[int] = []
    for passed in range(50, ms + 1, 50):
        line.steady += 50
        before = len(host.outputs)
        host.give(Tick())
        found += [passed for o in host.outputs[before:] if isinstance(o, Transmit) and o.envelope == envelope]
    line.under_way.clear()
    return found


def said(line: Line, host: Host, text: str, precedence: Precedence) -> bytes:
    """The envelope of a message, which never arrives."""
    host.outputs.clear()
    host.say(message(text, precedence))
    line.under_way.clear()
    return next(o.envelope for o in host.transmitted() if o.precedence == (0 if precedence is Precedence.FLASH else 3))


def pauses(at: list[int]) -> list[int]:
    return [later - sooner for sooner, later in zip([0, *at], at, strict=False)]


def test_9_17_what_says_something_is_repeated_after_the_pauses_of_its_precedence() -> None:
    for precedence, table in ((Precedence.FLASH, FLASH_RETRY_MS), (Precedence.ROUTINE, RETRY_MS)):
        line = Line()
        alpha = line.hosts[0]
        least = 2 * alpha.engine.peers[1].smoothed_ms
        again = moments(line, alpha, said(line, alpha, "repeated", precedence), 40_000)
        assert pauses(again) == [max(pause, least + -least % 50) for pause in table][: len(again)]
        assert len(again) >= 5


def test_9_17_acknowledgements_are_not_repeated_by_a_clock() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("to be acknowledged"))
    bravo.outputs.clear()
    line.deliver()
    (answer,) = {o.envelope for o in bravo.transmitted()}
    line.under_way.clear()
    assert not moments(line, bravo, answer, 120_000)


def test_9_17_a_link_that_comes_back_repeats_at_once() -> None:
    line = Line()
    alpha = line.hosts[0]
    envelope = said(line, alpha, "waiting", Precedence.ROUTINE)
    line.cut(0, 1)
    line.steady += 50
    alpha.outputs.clear()
    alpha.give(Link(party=1, largest=16_384, smallest=16_384))
    assert envelope in {o.envelope for o in alpha.transmitted()}


def test_9_17_what_went_with_the_best_bearer_is_repeated_at_once_when_it_is_gone_or_back() -> None:
    """Another as wide was up all the while: what the dead one had swallowed waited for up to half a minute."""
    told: list[Link] = []

    class Listening:
        def envelope(self, envelope: bytes, bearer: str, *, stranger: bool = False) -> None:
            raise AssertionError((envelope, bearer, stranger))

        def linked(self, link: Link) -> None:
            told.append(link)

        def peer(self, party: int) -> None:
            raise AssertionError(party)

    fibre, relay = Way("fibre", 0), Way("relay", 5)
    links = Links(lambda: 0, lambda: 0, lambda _, __: None)
    for way in (fibre, relay):
        links.add(way)
    links.route("ff", Listening(), 1)
    told.clear()
    for bearer, up, anew in (
        (fibre, False, True), (fibre, True, True), (relay, False, False), (relay, True, False), (fibre, True, True)
    ):  # fmt: skip
        bearer.is_up = up
        links.link(bearer.traits.name, "ff", up=up)
        links.tell("ff")  # a delay was measured: nothing is lost by that
        assert [each.anew for each in told] == [anew, False], bearer.traits.name
        told.clear()

    line = Line()
    alpha = line.hosts[0]
    envelope = said(line, alpha, "swallowed", Precedence.ROUTINE)
    for anew in (False, True):
        alpha.outputs.clear()
        alpha.give(Link(party=1, largest=16_384, smallest=16_384, anew=anew))
        assert (envelope in {o.envelope for o in alpha.transmitted()}) is anew


def test_9_19_what_there_is_to_say_goes_together_and_waits_for_nothing() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.outputs.clear()
    alpha.say(message("at once"))
    assert len(alpha.transmitted()) == 1  # without a tick, in the same moment
    line.settle()
    alpha.held = deque()
    for number in range(5):
        alpha.say(message(f"number {number}"))
    alpha.outputs.clear()
    alpha.release()
    assert len(alpha.transmitted()) <= 2  # one for what was being written, one for all that had gathered behind it
    line.settle()
    assert bravo.texts() == ["at once", *(f"number {number}" for number in range(5))]


def test_9_20_a_bearer_is_believed_about_nothing() -> None:
    """It takes an envelope and drops it, alters it, tells it twice, and never says whose it is."""
    line = Line()
    alpha, bravo = line.hosts
    envelope = said(line, alpha, "over a bad bearer", Precedence.ROUTINE)
    assert not alpha.holds(1)
    assert not bravo.texts()
    bravo.give(Arrived(envelope[:-1] + bytes((envelope[-1] ^ 1,))))
    assert not bravo.texts()
    bravo.give(Arrived(envelope))
    bravo.give(Arrived(envelope))
    line.settle()
    assert bravo.texts() == ["over a bad bearer"]
    assert alpha.holds(1)


def test_9_23_a_drill_goes_as_a_flash_does_and_is_shown_as_a_drill() -> None:
    line = Line()
    alpha, bravo = line.hosts
    line.cut(0, 1)
    for number in range(50):
        alpha.say(message(f"traffic {number} " + "y" * 300))
    drill = Test(text="0123456789", language="en", drill=True, number=1)
    alpha.say(drill)
    alpha.outputs.clear()
    line.join(0, 1)
    line.settle()
    shown = [each.entry for each in bravo.shown() if each.lane.party == 0]
    assert shown.index(drill) < len(shown) - 50
    assert alpha.transmitted()[0].precedence == 0  # over all bearers, before everything else
    alpha.outputs.clear()
    alpha.say(Test(text="hourly", language="en", drill=False, number=2))
    line.settle()
    assert 0 not in {sent.precedence for sent in alpha.transmitted()}


def test_7_28_what_went_one_way_is_held_once_an_acknowledgement_came_some_other_way() -> None:
    line = Line()
    alpha, bravo = line.hosts
    before = len(alpha.holds(1))
    alpha.say(message("one way"))
    line.pass_time(60_000, keep=lambda sender, _: sender == 0)
    assert bravo.texts() == ["one way"]
    assert len(alpha.holds(1)) == before
    line.pass_time(60_000)
    assert len(alpha.holds(1)) > before
    assert bravo.texts() == ["one way"]


def test_7_28_no_epoch_opens_one_way() -> None:
    line = Line(opened=False)
    line.link_all()
    line.pass_time(60_000, keep=lambda sender, _: sender == 0)
    assert all(peer.epoch is None for host in line.hosts for peer in host.engine.peers.values())


class Way:
    """A bearer that notes what it was offered."""

    def __init__(self, name: str, cost: int, largest: int = 16_384, *, takes: bool = True) -> None:
        self.traits = BearerTraits(name=name, largest=largest, cost=cost, one_way=False)
        self.takes, self.offered, self.is_up = takes, 0, True

    async def run(self) -> None:
        """Nothing to do: it only notes."""

    def offer(self, station: str, envelope: bytes, *, urgent: bool = False) -> bool:
        self.offered += len(station) > 0 and len(envelope) > 0 and urgent in {True, False}
        return self.takes

    def up(self, station: str) -> bool:
        return bool(station) and self.is_up


def offered(ways: list[Way], precedence: int, size: int = 256, *, bulk: bool = False) -> list[str]:
    """Which bearers were offered an envelope, by name."""
    links = Links(lambda: 0, lambda: 0, lambda _, __: None)
    for way in ways:
        links.add(way)
    links.transmit("ff", Transmit(party=1, envelope=bytes(size), precedence=precedence, bulk=bulk))
    return [way.traits.name for way in ways if way.offered]


def test_9_21_flash_goes_over_all_bearers_and_the_rest_over_the_cheapest() -> None:
    assert offered([Way("slow", 10), Way("fibre", 0), Way("burst", 100, 270)], 0) == ["slow", "fibre", "burst"]
    for precedence in (2, 3):
        assert offered([Way("slow", 10), Way("fibre", 0), Way("burst", 100, 270)], precedence) == ["fibre"]
    assert offered([Way("slow", 10), Way("fibre", 0), Way("burst", 100, 270)], 1) == ["slow", "fibre"]
    assert offered([Way("fibre-a", 0), Way("fibre-b", 1), Way("burst", 100, 270)], 1) == ["fibre-a"]
    assert offered([Way("fibre", 0, takes=False), Way("slow", 10)], 3) == ["fibre", "slow"]
    assert offered([Way("burst", 0, 270), Way("slow", 10)], 3, size=1_024) == ["slow"]


def test_9_21_the_third_and_fourth_offer_begin_at_the_second_best_bearer_and_so_on_round() -> None:
    ways = [Way("fibre", 0), Way("slow", 10), Way("slower", 20)]
    links = Links(lambda: 0, lambda: 0, lambda _, __: None)
    for way in ways:
        links.add(way)
    went = []
    for tries in range(8):
        before = [way.offered for way in ways]
        links.transmit("ff", Transmit(party=1, envelope=bytes(256), precedence=3, tries=tries))
        went += [way.traits.name for way, seen in zip(ways, before, strict=True) if way.offered > seen]
    assert went == ["fibre", "fibre", "slow", "slow", "slower", "slower", "fibre", "fibre"]


def test_9_22_a_metered_bearer_carries_no_bulk() -> None:
    assert METERED_COST == 100
    assert offered([Way("burst", 100)], 3, bulk=True) == []
    assert offered([Way("burst", 100)], 3) == ["burst"]
    assert offered([Way("slow", 99)], 3, bulk=True) == ["slow"]


def test_7_6_a_last_word_that_was_lost_comes_when_a_bearer_comes_up_and_once() -> None:
    """Nothing follows it, and nobody repeats it by a clock."""
    line = Line()
    alpha, bravo = line.hosts
    line.pass_time(20_000)
    bravo.write(Kind.ACK, encode({}), urgent=True)
    line.under_way.clear()  # lost
    line.pass_time(120_000)
    lane = bravo.engine.book.own(urgent=True).lane
    assert alpha.store.size(lane) == bravo.store.size(lane) - 1
    line.cut(0, 1)
    line.join(0, 1)
    line.settle()
    assert alpha.store.size(lane) == bravo.store.size(lane)
    for host in line.hosts:
        host.outputs.clear()
    line.pass_time(120_000)
    assert not [host.transmitted() for host in line.hosts if host.transmitted()]
    for times in range(1, 4):
        line.cut(0, 1)
        line.join(0, 1)
        line.pass_time(60_000)
        assert all(len(host.transmitted()) <= times for host in line.hosts)


def test_8_3_a_seed_goes_ahead_of_the_first_entries_once_however_long_they_wait_for_room() -> None:
    """On 300 bit/s there is room for one envelope at a time: the seed alone took it, again and again."""
    line = Line()
    alpha = line.hosts[0]
    thin = Link(party=1, largest=256, smallest=256, slow_ms=8_192, bits_per_second=300)
    alpha.give(thin)
    line.settle()
    peer, key = alpha.engine.peers[1], alpha.engine.book.own(urgent=False).lane.key
    epoch = peer.epoch
    assert epoch is not None
    for sizes in (peer.sent, peer.holds, peer.told):
        sizes.pop(key, None)
    before = epoch.outgoing.index
    for _ in range(20):
        line.steady += 1_000
        peer.pace.busy_until = line.steady + 256 * 8_000 // 300  # what it carries now takes as long as one more
        alpha.give(Tick())
    assert epoch.outgoing.index - before < 10  # the seed, the first parts of the entries, and window numbers
    peer.pace.busy_until = 0
    line.pass_time(120_000)
    assert peer.sent[key] == alpha.engine.book.own(urgent=False).size


def test_9_27_what_holds_the_window_down_is_repeated_before_what_was_repeated_already() -> None:
    """At 300 bit/s a lost ROUTINE waited for ever behind FLASH that the peer had opened long ago (simulator: thin-300 400242)."""
    line = Line()
    alpha = line.hosts[0]
    for host in line.hosts:
        host.give(Link(party=1 - host.party, largest=256, smallest=256, slow_ms=6_830, bits_per_second=300))
    lost = said(line, alpha, "lost", Precedence.ROUTINE)
    for number in range(16):
        alpha.say(message(str(number), Precedence.FLASH))
    alpha.outputs.clear()
    line.pass_time(400_000)
    assert lost in {sent.envelope for sent in alpha.transmitted()}
    assert not alpha.engine.peers[1].outbox
