"""What stands inside envelopes: spec 8, and what a station makes of frames it should never have been sent."""

from openline.protocol.frames import Want
from tests.spec.line import Line, watch


def outage(parties: int, entries: int) -> Line:
    """A line on which the first party wrote much while it reached nobody, or not the last."""
    line = Line(parties)
    line.cut(0, parties - 1)
    for _ in range(entries):
        line.hosts[0].say(watch())
    return line


def test_8_1_a_backlog_of_small_entries_stays_within_the_items_of_one_value() -> None:
    line = outage(2, 2_000)
    line.join(0, 1)
    line.settle(rounds=2_000)
    bravo = line.hosts[1]
    assert not bravo.noticed("envelope-refused")
    assert bravo.engine.book.own(urgent=True).size
    assert len([shown for shown in bravo.shown() if shown.lane.party == 0]) > 2_000


def test_8_6_a_long_lane_asked_for_in_full_comes_in_frames_that_can_be_joined() -> None:
    line = outage(2, 1_000)
    line.join(0, 1)
    line.settle(rounds=2_000)
    alpha, bravo = line.hosts
    alpha.outputs.clear()
    bravo.lie(0, Want(lane=alpha.engine.book.own(urgent=True).lane, first=0, full=True))
    line.settle(rounds=2_000)
    assert len(alpha.transmitted()) > 20
    assert not bravo.noticed("envelope-refused")
    assert not bravo.noticed("frame-refused")


def test_7_24_a_member_hands_a_long_backlog_on_in_the_full_form() -> None:
    line = outage(3, 600)
    line.settle(rounds=2_000)
    line.pass_time(20_000)
    charlie = line.hosts[2]
    assert len([shown for shown in charlie.shown() if shown.lane.party == 0]) > 600
    assert not any(peer.suspected for host in line.hosts for peer in host.engine.peers.values())
