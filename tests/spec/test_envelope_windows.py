"""Windows, repetition and what waits for what, between real engines. Spec 9.7 to 9.24."""

from openline.kernel.units import RESERVE, RESERVED_INDEXES, WINDOW
from openline.protocol.acknowledgements import decode_ack
from openline.protocol.entries import Precedence
from openline.protocol.events import Arrived, Link, Tick, Transmit
from tests.spec.line import Host, Line, message, watch


def peer_of(host: Host, other: int = 1):  # type: ignore[no-untyped-def]  # noqa: ANN201 - the engine's own peer
    """The delivery state towards another party."""
    return host.engine.peers[other]


def test_9_7_an_envelope_of_malformed_content_is_consumed_and_counted() -> None:
    line = Line()
    alpha, bravo = line.hosts
    before = alpha.engine.peers[1].epoch.incoming.edge  # type: ignore[union-attr]
    bravo.lie(0, [3, "no lane"])
    assert alpha.noticed("envelope-refused")
    assert alpha.engine.peers[1].epoch.incoming.edge == before + 1  # type: ignore[union-attr]
    alpha.boot()
    assert alpha.engine.peers[1].epoch.incoming.edge == before + 1  # type: ignore[union-attr]


def test_9_11_a_crash_skips_fewer_indexes_than_are_reserved_and_uses_none_twice() -> None:
    line = Line()
    alpha = line.hosts[0]
    seen: dict[bytes, bytes] = {}
    for turn in range(6):
        alpha.say(message(f"turn {turn}"))
        line.settle()
        index = peer_of(alpha).epoch.outgoing.index
        alpha.boot()
        line.link_all()
        line.settle()
        assert 0 <= peer_of(alpha).epoch.outgoing.index - index < 2 * RESERVED_INDEXES
    for sent in alpha.transmitted():
        assert seen.setdefault(sent.envelope[:7], sent.envelope) == sent.envelope


def shut(line: Line, entries: int = WINDOW) -> Host:
    """The first host with a window full of content that nobody opens."""
    alpha = line.hosts[0]
    for turn in range(entries):
        alpha.say(message(f"number {turn} " + "x" * 60))
        line.under_way.clear()
    return alpha


def test_9_12_neither_a_backlog_nor_acknowledgements_shut_flash_out() -> None:
    line = Line()
    alpha = shut(line)
    ahead = peer_of(alpha).epoch.outgoing.index - peer_of(alpha).first_unopened
    assert ahead <= WINDOW // 2
    alpha.outputs.clear()
    alpha.say(message("more"))
    assert not alpha.transmitted()
    alpha.say(message("urgent", Precedence.FLASH))
    assert [sent.precedence for sent in alpha.transmitted()] == [0]
    assert peer_of(alpha).epoch.outgoing.index - peer_of(alpha).first_unopened < WINDOW - RESERVE


def test_9_14_a_full_window_empties_itself_when_the_link_is_back() -> None:
    line = Line()
    shut(line)
    line.pass_time(120_000, step=5_000)
    assert len(line.hosts[1].texts()) == WINDOW


def test_9_13_a_receiver_that_only_listens_still_moves_the_senders_window() -> None:
    line = Line()
    alpha, bravo = line.hosts
    for _ in range(WINDOW // 4 + 8):
        alpha.give(Arrived(bravo.seal(0, [])))
    assert any(isinstance(output, Transmit) for output in alpha.outputs[-8:]) or peer_of(alpha).silent_for < WINDOW // 4


def test_9_15_a_repeated_envelope_has_identical_bytes_and_comes_until_it_is_opened() -> None:
    line = Line()
    alpha = line.hosts[0]
    alpha.outputs.clear()
    alpha.say(message("repeated"))
    line.under_way.clear()
    for _ in range(5):
        line.steady += 20_000
        alpha.give(Tick())
        line.under_way.clear()
    content = [sent.envelope for sent in alpha.transmitted() if sent.precedence == 3]
    assert len(content) >= 3
    assert len(set(content)) < len(content)


def test_9_16_after_a_restart_nothing_old_is_repeated_and_the_floor_says_so() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("of before"))
    old = {sent.envelope for _, sent in line.under_way}
    line.under_way.clear()
    alpha.boot()
    alpha.outputs.clear()
    line.link_all()
    line.settle()
    line.pass_time(20_000)
    assert not old & {sent.envelope for sent in alpha.transmitted()}
    assert bravo.texts() == ["of before"]
    assert bravo.engine.peers[0].epoch.incoming.first_unopened == bravo.engine.peers[0].epoch.incoming.edge  # type: ignore[union-attr]


def test_9_10_a_lost_envelope_that_nobody_repeats_holds_nothing_up() -> None:
    """A pure acknowledgement is not kept: once the floor has passed it, its key goes and what came after counts."""
    line = Line()
    alpha, bravo = line.hosts
    bravo.seal(0, [])  # used, and lost on the way
    bravo.say(message("after the hole"))
    line.settle()
    line.pass_time(90_000)
    assert alpha.texts() == ["after the hole"]
    assert not peer_of(bravo, 0).outbox
    quiet = len(alpha.outputs) + len(bravo.outputs)
    line.pass_time(600_000, step=10_000)
    sent = [o for host in line.hosts for o in host.outputs if isinstance(o, Transmit)]
    assert len(alpha.outputs) + len(bravo.outputs) - quiet < 200
    assert len(sent) < 100


def test_9_18_flash_overtakes_a_backlog_of_traffic() -> None:
    line = Line()
    alpha, bravo = line.hosts
    line.cut(0, 1)
    for turn in range(300):
        alpha.say(message(f"traffic {turn} " + "y" * 300))
    alpha.say(message("first of all", Precedence.FLASH))
    line.join(0, 1)
    line.settle(rounds=3_000)
    arrivals = bravo.texts()
    assert len(arrivals) == 301
    assert arrivals.index("first of all") < 50


def test_4_14_a_flash_before_a_backlog_is_acknowledged_fits_the_smallest_envelope() -> None:
    """The root of a traffic lane that nobody holds yet would cost it the satellite burst, and 30 s at 300 bit/s."""
    line = Line()
    alpha, bravo = line.hosts
    line.link_all(4_096)
    bravo.say(message("something to acknowledge"))
    line.settle()
    for turn in range(20):
        alpha.say(message(f"traffic {turn}"))
    before = len(alpha.transmitted())
    alpha.say(message("x" * 100, Precedence.FLASH))
    first = alpha.transmitted()[before]
    assert (first.precedence, len(first.envelope)) == (0, 256)
    line.settle()
    assert bravo.texts(0)[0] == "x" * 100 or "x" * 100 in bravo.texts(0)
    # What orders the two lanes follows in the next urgent entry, and nobody takes that for going back.
    bravo.say(message("and again", Precedence.FLASH))
    line.settle()
    own = alpha.engine.book.own(urgent=True)
    named = [item.lane for item in decode_ack(alpha.engine.book.rows(own, own.size - 1, 1)[0].entry.ack)]
    assert named == [1, 2, 3]
    assert not bravo.noticed("suspected")


def test_9_24_envelopes_of_an_epoch_that_overtake_its_handshake_are_tried_again() -> None:
    line = Line(opened=False)
    line.link_all()
    alpha, bravo = line.hosts
    for _ in range(3):
        line.deliver()
    late = list(line.under_way)
    line.under_way.clear()
    for sender, sent in reversed(late):
        line.hosts[sent.party].give(Arrived(sent.envelope))
        assert sender in {0, 1}
    line.settle()
    alpha.say(message("opened"))
    line.settle()
    assert bravo.texts() == ["opened"]


def test_12_7_unknown_envelopes_are_bounded() -> None:
    line = Line()
    alpha, bravo = line.hosts
    for number in range(600):
        alpha.give(Arrived(b"\x01" + number.to_bytes(6, "big") + bytes(249)))
    assert len(alpha.engine._unknown) <= 256
    bravo.say(message("still heard"))
    line.settle()
    assert alpha.texts() == ["still heard"]


def test_9_17_what_waited_arrives_when_the_link_is_back() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("waiting"))
    line.under_way.clear()
    line.cut(0, 1)
    line.steady += 300
    alpha.give(Link(party=1, largest=16_384, smallest=16_384))
    bravo.give(Link(party=0, largest=16_384, smallest=16_384))
    line.settle()
    assert bravo.texts() == ["waiting"]


def test_7_5_stations_at_rest_are_silent() -> None:
    line = Line(3)
    line.hosts[0].say(watch())
    line.settle()
    line.pass_time(120_000)
    sent = sum(len(host.transmitted()) for host in line.hosts)
    line.pass_time(3_600_000, step=5_000)
    assert sum(len(host.transmitted()) for host in line.hosts) == sent
