"""A station that was restored more often than a line has room for: it hears, and speaks again under a new lane key. Spec 4.19."""

import pytest

from openline.protocol.entries import Cause
from openline.protocol.events import Renew
from openline.protocol.generations import MAX_GENERATIONS, MAX_KEY_GENERATIONS
from tests.spec.line import Host, Line, message


def restored(line: Line, host: Host) -> None:
    """Start without the mark."""
    host.mark = None
    host.boot()
    line.link_all()
    line.settle(rounds=2_000)
    line.pass_time(3_000)


@pytest.fixture(scope="module")
def full() -> Line:
    line = Line()
    for _ in range(MAX_GENERATIONS - 1):
        restored(line, line.hosts[0])
    assert len(line.hosts[1].engine.book.named.held(0)) == MAX_GENERATIONS
    assert not line.hosts[0].engine.closed
    restored(line, line.hosts[0])
    return line


def test_4_19_a_restored_station_without_room_hears_all_and_says_nothing(full: Line) -> None:
    alpha, bravo = full.hosts
    known = list(bravo.engine.book.generations(0))
    for _ in range(2):  # and so at each further start
        assert alpha.engine.closed
        assert alpha.noticed("generations-exhausted")
        alpha.outputs.clear()
        alpha.say(message("which nobody would take"))
        assert [refusal.code for refusal in alpha.rejected()] == ["forbidden"]
        bravo.say(message("which is heard"))
        alpha.give(Renew(1))
        full.settle()
        full.pass_time(70_000)
        assert alpha.texts() == ["which is heard"]
        assert alpha.mark is None
        assert list(bravo.engine.book.generations(0)) == known
        assert not bravo.engine.peers[0].suspected
        alpha.boot()
        full.link_all()
        full.settle(rounds=2_000)


def test_4_19_a_restored_station_without_room_speaks_again_under_a_new_lane_key(full: Line) -> None:
    alpha, bravo = full.hosts
    alpha.outputs.clear()
    bravo.say(message("before the new key"))
    full.settle(rounds=2_000)
    alpha.rotate("second key", cause=Cause.ROTATION)
    assert not alpha.rejected()
    full.settle(rounds=2_000)
    assert not alpha.engine.closed
    alpha.say(message("under the second"))
    full.settle(rounds=2_000)
    full.pass_time(20_000)
    assert bravo.texts(0)[-1] == "under the second"
    lane = bravo.engine.book.own(urgent=False)
    assert bravo.engine.peers[0].holds[lane.lane.key] == lane.size  # what came meanwhile is acknowledged too
    assert alpha.engine.fold.digest() == bravo.engine.fold.digest()
    assert alpha.mark is not None
    alpha.boot()
    full.link_all()
    full.settle(rounds=2_000)
    assert not alpha.engine.closed


def test_4_19_nobody_changes_to_a_key_whose_generation_no_other_member_would_take(full: Line) -> None:
    alpha, bravo = full.hosts
    while len(alpha.engine.book.named.held(0)) < MAX_GENERATIONS + MAX_KEY_GENERATIONS:
        alpha.rotate(f"key {len(alpha.engine.book.named.held(0))}")
        full.settle(rounds=2_000)
        assert not alpha.rejected()
    assert len(bravo.engine.book.named.held(0)) == 80
    alpha.rotate("one too many")
    assert [refusal.code for refusal in alpha.rejected()] == ["too-large"]
    alpha.say(message("goes on"))
    full.settle(rounds=2_000)
    assert bravo.texts(0)[-1] == "goes on"
