"""FLASH and its acknowledgement: both over every bearer at once, small, and past every queue. Spec 4.14, 7.5, 7.6, 9.18, 9.21."""

from collections import deque

from openline.kernel.codec import encode
from openline.protocol.acknowledgements import decode_ack
from openline.protocol.entries import Ack, Precedence, Test
from openline.protocol.events import Arrived, Link, Tick, Transmit
from openline.protocol.frames import Want, frame_value
from openline.protocol.haste import AGAIN_MS
from tests.spec.line import Host, Line, message, watch

FLASH = message("x" * 100, Precedence.FLASH)
DRILL = Test(text="0123456789", language="en", drill=True, number=1)


def flash(line: Line, sender: int = 0) -> bytes:
    """Say a FLASH; its envelope, not yet delivered."""
    host = line.hosts[sender]
    host.outputs.clear()
    host.say(FLASH)
    (sent,) = (each for each in host.transmitted() if each.precedence == 0)
    line.under_way.clear()
    return sent.envelope


def answers(host: Host) -> list[Transmit]:
    """What went from there over all bearers."""
    return [sent for sent in host.transmitted() if sent.precedence == 0]


def thin(line: Line) -> None:
    """All there is carries 300 bit/s."""
    for host in line.hosts:
        for other in line.hosts:
            if other is not host:
                host.give(Link(party=other.party, largest=256, smallest=256, slow_ms=8_192, bits_per_second=300))


def test_7_5_what_first_acknowledges_a_flash_or_a_drill_goes_over_all_bearers_and_nothing_else_does() -> None:
    line = Line()
    alpha, bravo = line.hosts
    for said in (FLASH, DRILL):
        line.pass_time(10_000)
        bravo.outputs.clear()
        alpha.say(said)
        line.settle()
        (answer,) = answers(bravo)
        assert len(answer.envelope) == 256
        assert [each.entry for each in bravo.shown() if each.lane.party == 1] == [Ack()]
    for other in (
        watch(),
        message("slower", Precedence.IMMEDIATE),
        Test(text="1", language="en", drill=False, number=2),
    ):
        bravo.outputs.clear()
        alpha.outputs.clear()
        alpha.say(other)
        line.settle()
        assert not answers(bravo)
        assert not answers(alpha)


def test_7_5_an_answer_is_not_answered() -> None:
    line = Line()
    alpha, bravo = line.hosts
    bravo.give(Arrived(flash(line)))
    line.pass_time(30_000)
    alpha.outputs.clear()
    bravo.outputs.clear()
    line.pass_time(120_000)
    assert not alpha.transmitted()
    assert not bravo.transmitted()


def test_7_5_the_answer_passes_what_waits_for_a_thin_bearer_and_does_not_wait_for_it() -> None:
    line = Line()
    alpha, bravo = line.hosts
    thin(line)
    for number in range(6):
        bravo.say(message(f"traffic {number} " + "y" * 400))
        bravo.say(watch())
    line.under_way.clear()  # what was handed over is still being carried, for half a minute and more
    assert not bravo.engine.peers[0].pace.takes(line.steady)
    envelope = flash(line)
    bravo.outputs.clear()
    bravo.give(Arrived(envelope))
    assert {len(each.envelope) for each in answers(bravo)} == {256}
    before = len(alpha.holds(1))
    for each in answers(bravo):
        alpha.give(Arrived(each.envelope))
    bravo.engine.peers[0].pace.busy_until = 0
    line.settle(rounds=4_000)
    assert len(alpha.holds(1)) > before


def test_7_12_what_a_flash_waits_for_is_asked_for_over_all_bearers_and_what_others_wait_for_is_not() -> None:
    """What lacks went over a bearer that is dead and does not say so: a want by the best one went there too."""
    for said, wanted in ((FLASH, 0), (DRILL, 0), (watch(), 2)):
        line = Line()
        alpha, bravo = line.hosts
        line.pass_time(10_000)
        alpha.say(watch())
        line.under_way.clear()  # lost
        alpha.say(said)
        bravo.outputs.clear()
        line.pass_time(500, step=100, keep=lambda sender, _: sender == 0)
        asked = [each for each in bravo.transmitted() if each.tries == 0]
        assert [each.precedence for each in asked] == [wanted]
        assert len(asked[0].envelope) == 256
        lane = alpha.engine.book.own(urgent=True).lane
        assert bravo.store.size(lane) < alpha.store.size(lane)
        line.pass_time(3_000, step=100)
        assert bravo.store.size(lane) == alpha.store.size(lane)


def test_7_12_a_want_in_haste_is_repeated_as_seldom_as_any() -> None:
    """Over a bearer that is paid for it would cost: and who never answers it must not cost more."""
    line = Line()
    alpha, bravo = line.hosts
    line.pass_time(10_000)
    alpha.say(watch())
    line.under_way.clear()
    bravo.give(Arrived(flash(line)))
    bravo.outputs.clear()
    line.pass_time(120_000, step=100, keep=lambda *_: False)
    assert 5 <= len(answers(bravo)) <= 9


def test_4_14_an_answer_leaves_out_its_authors_traffic_lane_while_that_is_not_acknowledged() -> None:
    line = Line()
    _, bravo = line.hosts
    bravo.say(message("not acknowledged"))
    line.under_way.clear()
    bravo.give(Arrived(flash(line)))
    state = bravo.engine.book.own(urgent=True)
    (row,) = bravo.store.entries(state.lane, state.size - 1, 1)
    assert [item.lane for item in decode_ack(row.entry.ack)] == [0, 1]
    line.pass_time(10_000)
    bravo.say(watch())
    line.settle()
    (row,) = bravo.store.entries(state.lane, state.size - 1, 1)
    assert [item.lane for item in decode_ack(row.entry.ack)] == [0, 1, 3]


def test_7_5_an_answer_stands_before_all_else_that_waits_and_goes_alone() -> None:
    line = Line()
    alpha, bravo = line.hosts
    envelope = flash(line)
    waiting, bravo.held = bravo.held, deque()
    assert waiting is None
    bravo.say(watch())  # its commit is under way, so that what follows gathers
    for number in range(3):
        bravo.say(message(f"big {number} " + "z" * 2_000, Precedence.FLASH if number > 5 else Precedence.ROUTINE))
        bravo.say(watch())
    bravo.give(Arrived(envelope))
    bravo.outputs.clear()
    bravo.release()
    kinds = [type(each.entry) for each in bravo.shown() if each.lane.party == 1 and each.lane.urgent]
    assert kinds[:2] == [type(watch()), Ack]
    (answer,) = answers(bravo)
    assert len(answer.envelope) == 256
    line.settle()
    assert alpha.holds(1)


def test_7_6_an_answer_that_was_lost_goes_in_haste_again_when_the_flash_is_seen_again() -> None:
    line = Line()
    alpha, bravo = line.hosts
    envelope = flash(line)
    bravo.give(Arrived(envelope))
    line.under_way.clear()  # lost
    bravo.outputs.clear()
    line.steady += AGAIN_MS
    bravo.give(Arrived(envelope))
    (again,) = answers(bravo)
    assert len(again.envelope) == 256
    held = len(alpha.holds(1))
    alpha.give(Arrived(again.envelope))
    assert len(alpha.holds(1)) > held


def test_7_6_a_flash_that_is_sealed_anew_is_answered_in_haste_too_and_copies_of_one_are_not() -> None:
    line = Line()
    alpha, bravo = line.hosts
    envelope = flash(line)
    bravo.give(Arrived(envelope))
    line.under_way.clear()
    bravo.outputs.clear()
    for _ in range(50):  # copies, over other bearers
        line.steady += 10
        bravo.give(Arrived(envelope))
    assert not answers(bravo)
    line.steady += AGAIN_MS
    state = alpha.engine.book.own(urgent=True)
    alpha.engine.peers[1].sent[state.lane.key] = state.size - 1
    alpha.outputs.clear()
    line.under_way.clear()
    alpha.give(Tick())
    sealed = answers(alpha)[-1]
    assert sealed.envelope != envelope
    bravo.give(Arrived(sealed.envelope))
    assert len(answers(bravo)) == 1


def test_7_6_however_often_a_flash_comes_again_its_answers_are_a_second_apart() -> None:
    line = Line()
    _, bravo = line.hosts
    envelope = flash(line)
    bravo.give(Arrived(envelope))
    bravo.outputs.clear()
    for _ in range(100):
        line.steady += 100
        bravo.give(Arrived(envelope))
    assert 5 <= len(answers(bravo)) <= 10
    bravo.give(Tick())


def test_9_18_flash_does_not_wait_for_control_frames() -> None:
    line = Line()
    alpha, bravo = line.hosts
    thin(line)
    peer = alpha.engine.peers[1]
    lane = alpha.engine.book.lane(2, alpha.engine.book.current(1))
    for first in range(40):
        peer.tell(encode(frame_value(Want(lane=lane, first=1_000 + first, full=False))))
    alpha.give(Tick())
    assert peer.control
    assert not peer.pace.takes(line.steady)
    alpha.outputs.clear()
    alpha.say(FLASH)
    assert len(answers(alpha)) == 1
    line.deliver()
    assert bravo.texts() == [FLASH.text]


def test_9_12_answers_leave_the_reserve_to_flash() -> None:
    line = Line()
    _, bravo = line.hosts
    peer = bravo.engine.peers[0]
    assert peer.epoch is not None
    for ahead, flash_goes, answer_goes in (
        (959, True, True),
        (960, True, False),
        (1_023, True, False),
        (1_024, False, False),
    ):
        peer.first_unopened = peer.epoch.outgoing.index - ahead
        assert peer.room(line.steady, precedence=0, acknowledgement=False) is flash_goes
        assert peer.room(line.steady, precedence=0, acknowledgement=True) is answer_goes
