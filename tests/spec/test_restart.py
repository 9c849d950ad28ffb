"""Restart is not restore: real engines, stores and marks. Spec 13."""

from collections import deque

import pytest

from openline.kernel.codec import encode
from openline.kernel.errors import Conflict
from openline.kernel.lane import GENERATION_ZERO, leaf_of, sign_head
from openline.protocol.entries import Cause, GenerationEntry, Kind, Precedence
from openline.protocol.events import Arrived, Commit, Tick
from openline.protocol.frames import FullEntries
from openline.protocol.generations import MAX_GENERATIONS
from openline.protocol.records import Mark
from openline.protocol.succession import SUCCEED_AGAIN_MS, SUCCEED_AT_ONCE, is_passed
from tests.spec.line import Host, Line, message


def openings(host: Host, of: Host) -> list[GenerationEntry]:
    """The generations of a party that were shown to a host, urgent lane only."""
    shown = (each for each in host.shown() if each.lane.party == of.party and each.lane.urgent)
    return [each.entry for each in shown if isinstance(each.entry, GenerationEntry)]


def test_13_1_a_second_writer_on_one_store_finds_another_size_and_stops() -> None:
    line = Line()
    alpha = line.hosts[0]
    other = Host.__new__(Host)
    other.__dict__.update(alpha.__dict__)
    other.outputs = []
    other.boot()
    alpha.say(message("first writer"))
    with pytest.raises(Conflict):
        other.say(message("second writer"))


def test_13_2_a_crash_between_commit_and_mark_loses_nothing_and_signs_nothing_twice() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.held = deque()
    alpha.say(message("committed, not marked"))
    commit = alpha.held[0]
    alpha.store.commit(commit.writes)
    alpha.held = None
    alpha.boot()
    line.link_all()
    line.settle()
    assert alpha.engine.book.mine == GENERATION_ZERO
    assert bravo.texts() == ["committed, not marked"]
    assert alpha.mark == Mark(
        generation=GENERATION_ZERO,
        urgent=alpha.engine.book.own(urgent=True).size,
        traffic=alpha.engine.book.own(urgent=False).size,
    )


def test_13_3_the_mark_grows_with_every_own_entry() -> None:
    line = Line()
    alpha = line.hosts[0]
    alpha.outputs.clear()
    alpha.say(message("marked"))
    marks = [output.mark for output in alpha.outputs if isinstance(output, Commit) and output.mark]
    assert marks[-1].traffic == alpha.engine.book.own(urgent=False).size


@pytest.mark.parametrize("loss", ["store behind its mark", "mark lost", "mark of another generation"])
def test_13_4_what_means_a_restore_opens_a_successor_generation(loss: str) -> None:
    line = Line()
    alpha, bravo = line.hosts
    backup = alpha.store.backup()
    alpha.say(message("after the backup"))
    line.settle()
    if loss == "mark lost":
        alpha.mark = None
    elif loss == "mark of another generation":
        alpha.mark = Mark(generation=type(GENERATION_ZERO)(7, b"g" * 8), urgent=1, traffic=1)
    else:
        alpha.store.restore(backup)
    alpha.boot()
    line.link_all()
    line.settle()
    assert alpha.engine.book.mine.counter == (
        8 if loss == "mark of another generation" else 1 + bool(openings(bravo, alpha)[1:])
    )
    assert openings(bravo, alpha)[0].cause is Cause.RESTORED


def test_13_4_a_clean_stop_goes_on() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("before"))
    line.settle()
    alpha.boot()
    line.link_all()
    alpha.say(message("after"))
    line.settle()
    assert alpha.engine.book.mine == GENERATION_ZERO
    assert bravo.texts() == ["before", "after"]


def test_13_5_a_successor_opens_at_once_and_waits_for_nobody() -> None:
    line = Line()
    alpha = line.hosts[0]
    line.cut(0, 1)
    alpha.mark = None
    alpha.boot()
    alpha.say(message("alone"))
    assert alpha.texts()[-1] == "alone"
    assert alpha.engine.book.mine.counter == 1


def restored(line: Line) -> tuple[Host, Host]:
    """The first party says one thing, is backed up, says another, and is restored."""
    alpha, bravo = line.hosts[:2]
    alpha.say(message("in the backup"))
    line.settle()
    backup = alpha.store.backup()
    alpha.say(message("lost here"))
    line.settle()
    alpha.outputs.clear()
    alpha.restore(backup)
    line.link_all()
    line.settle()
    line.pass_time(30_000)
    return alpha, bravo


def test_13_6_the_old_lanes_are_never_continued() -> None:
    line = Line()
    alpha, bravo = restored(line)
    old = alpha.engine.book.state(alpha.engine.book.lane(1, GENERATION_ZERO)).size
    alpha.say(message("in the new generation"))
    line.settle()
    assert alpha.engine.book.state(alpha.engine.book.lane(1, GENERATION_ZERO)).size == old
    assert bravo.texts() == ["in the backup", "lost here", "in the new generation"]
    assert not bravo.store.evidence()


def test_13_7_attempt_numbers_come_back_from_the_peer() -> None:
    line = Line()
    alpha, bravo = restored(line)
    ours, theirs = alpha.engine.peers[1].epoch, bravo.engine.peers[0].epoch
    assert ours is not None
    assert theirs is not None
    assert ours.attempt == theirs.attempt


def test_13_8_what_the_backup_lost_comes_back_from_the_peer() -> None:
    line = Line()
    alpha, bravo = restored(line)
    assert "lost here" in alpha.texts()
    for number in (0, 1):
        lane = alpha.engine.book.lane(number, GENERATION_ZERO)
        assert alpha.store.size(lane) == bravo.store.size(lane)


def test_13_9_the_acknowledgements_of_a_new_generation_replace_the_former() -> None:
    """The peer sees what it must send again, and nobody is suspected for holding less than before."""
    line = Line()
    alpha, bravo = line.hosts
    backup = alpha.store.backup()
    bravo.say(message("to be sent again"))
    line.settle()
    alpha.outputs.clear()
    alpha.restore(backup)
    line.link_all()
    line.settle()
    line.pass_time(30_000)
    assert alpha.texts() == ["to be sent again"]
    assert not bravo.engine.peers[0].suspected
    assert bravo.noticed("generation-opened")


def test_13_9_also_when_the_traffic_lane_of_the_new_generation_is_heard_first() -> None:
    line = Line(3)
    alpha, bravo = line.hosts[:2]
    backup = alpha.store.backup()
    bravo.say(message("again"))
    line.settle()
    alpha.restore(backup)
    line.link_all()
    for _ in range(60):
        line.steady += 250
        line.under_way.reverse()
        if not line.deliver():
            break
    line.settle(rounds=2_000)
    line.pass_time(30_000)
    assert not bravo.engine.peers[0].suspected


def test_13_8_both_sides_restored_lose_only_what_nobody_held() -> None:
    line = Line(3)
    alpha, bravo, charlie = line.hosts
    backups = [host.store.backup() for host in line.hosts[:2]]
    alpha.say(message("held by the third"))
    line.settle()
    for host, backup in zip((alpha, bravo), backups, strict=True):
        host.outputs.clear()
        host.restore(backup)
    line.link_all()
    line.settle(rounds=2_000)
    line.pass_time(60_000)
    assert "held by the third" in alpha.texts()
    assert "held by the third" in bravo.texts()
    assert charlie.texts() == ["held by the third"]


def test_13_10_committed_leaves_are_signed_as_they_stand_in_an_ended_generation() -> None:
    line = Line()
    alpha, bravo = line.hosts
    line.cut(0, 1)
    alpha.say(message("committed, then the mark was lost"))
    alpha.mark = None
    alpha.boot()
    line.link_all()
    line.settle()
    line.pass_time(20_000)
    assert bravo.texts() == ["committed, then the mark was lost"]


def test_13_12_what_the_peer_last_acknowledged_stands_in_its_own_lane() -> None:
    line = Line()
    _, bravo = restored(line)
    assert any(shown.lane.party == 1 and shown.kind == 3 for shown in bravo.shown())


def test_13_14_people_are_told_of_a_restore() -> None:
    line = Line()
    alpha, bravo = restored(line)
    assert alpha.noticed("restored")
    assert alpha.noticed("entries-recovered")
    assert bravo.noticed("generation-opened")


@pytest.mark.parametrize("seed", range(8))
def test_13_11_a_generation_of_its_own_with_an_equal_counter_makes_a_station_open_another(seed: int) -> None:
    """Restored again and again from one backup, its mark lost: whichever nonce is the greater."""
    line = Line()
    alpha, bravo = line.hosts
    backup = alpha.store.backup()
    for number in range(3):
        alpha.say(message(f"{number}"))
        line.settle()
        alpha.seed += 1_000 * seed + 7
        alpha.mark = None
        alpha.restore(backup)
        line.link_all()
        line.settle()
        line.pass_time(20_000)
    mine, others = alpha.engine.book.mine, [put.generation for put in bravo.store.generations() if put.party == 0]
    assert all(other.counter < mine.counter for other in others if other != mine)
    assert [text for text in alpha.texts() if text == "2"]


@pytest.mark.parametrize("count", [1, 12])
def test_13_8_both_lanes_come_back_whatever_crosses(count: int) -> None:
    """What it asks for, and the opening that ends what it was owed, may reach the peer in one envelope."""
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("in the backup"))
    line.settle()
    backup = alpha.store.backup()
    for number in range(count):
        alpha.say(message(f"lost flash {number}", Precedence.FLASH))
        bravo.say(message(f"answer {number}"))
        alpha.say(message(f"lost {number}"))
    line.settle()
    alpha.restore(backup)
    bravo.say(message("while it was away"))
    line.link_all()
    line.settle()
    line.pass_time(120_000)
    for number in (0, 1):
        lane = alpha.engine.book.lane(number, GENERATION_ZERO)
        assert alpha.store.size(lane) == bravo.store.size(lane)


def test_10_17_a_station_restored_again_within_seconds_is_not_made_to_wait() -> None:
    """Each time it calls with a number that is taken, and each time it is told so."""
    line = Line()
    alpha, bravo = line.hosts
    backup = alpha.store.backup()
    for number in range(3):
        alpha.say(message(f"{number}"))
        line.settle()
        alpha.restore(backup)
        began = line.steady
        line.link_all()
        while bravo.engine.peers[0].epoch is None or alpha.engine.peers[1].epoch is None:
            assert line.steady - began < 3_000
            line.pass_time(100, step=50)
        line.settle()


def test_13_7_the_peer_knows_that_the_epoch_is_gone_before_another_is_open() -> None:
    line = Line()
    alpha, bravo = line.hosts
    backup = alpha.store.backup()
    peer = bravo.engine.peers[0]
    alpha.say(message("all is well"))
    line.settle()
    assert peer.rescue_at <= peer.heard_at
    alpha.restore(backup)
    line.link_all()
    epoch = peer.epoch
    while peer.rescue_at <= peer.heard_at:
        assert peer.epoch is epoch, "another epoch opened and nobody was told"
        if not line.deliver():
            line.pass_time(50, step=50)
    line.settle()
    assert peer.epoch is not epoch
    assert peer.rescue_at <= peer.heard_at


def test_13_11_a_generation_that_ended_before_it_was_written_leaves_nothing() -> None:
    """Several of its own are shown while one commit is under way: one opening is written, as entry 0, and none else."""
    line = Line()
    alpha, bravo = line.hosts
    alpha.held = deque()
    alpha.say(message("a commit is under way"))
    for _ in range(2):
        alpha.engine._succession._succeed(alpha.engine.book.mine.counter, Cause.SUPERSEDED, line.now())
    alpha.release()
    line.settle()
    assert alpha.engine.book.mine.counter == 2
    assert not bravo.noticed("refused-entry")
    assert len(openings(bravo, alpha)) == 1
    assert alpha.engine.fold.digest() == bravo.engine.fold.digest()


def twins(line: Line) -> tuple[Host, Host]:
    """ALPHA twice, both from one backup without its mark; the one that is not in the line's place hears nothing."""
    alpha = line.hosts[0]
    backup = alpha.store.backup()
    twin = Host(line, 0, alpha.name)
    for number, host in enumerate((alpha, twin)):
        host.mark, host.seed = None, 1_000_000 * (number + 1)
        host.restore(backup)
    return alpha, twin


def take_turns(line: Line, copies: tuple[Host, Host], turns: int) -> None:
    """First the one has the other side's ear, then the other."""
    for turn in range(turns):
        line.hosts[0] = copies[turn % 2]
        line.under_way.clear()
        line.link_all()
        line.hosts[0].say(message(f"turn {turn}"))
        line.pass_time(15_000)


def test_13_17_two_copies_that_both_run_do_not_use_up_the_generations_of_a_line() -> None:
    line = Line()
    copies, bravo = twins(line), line.hosts[1]
    take_turns(line, copies, 44)
    opened = len({str(put.generation) for put in bravo.store.generations() if put.party == 0})
    assert SUCCEED_AT_ONCE < opened < MAX_GENERATIONS // 2
    for copy in copies:
        assert copy.noticed("second-writer")
        assert not copy.noticed("generations-exhausted")
    assert {f"turn {turn}" for turn in range(44)} <= set(bravo.texts())
    # The copy is found and stopped; the other is started again, and is heard at once.
    line.hosts[0] = copies[0]
    copies[0].boot()
    line.link_all()
    bravo.say(message("one of you is left"))
    line.pass_time(60_000)
    assert copies[0].engine.fold.digest() == bravo.engine.fold.digest()
    own = bravo.engine.book.own(urgent=False)
    assert bravo.engine.peers[0].holds[own.lane.key] == own.size


def test_13_17_one_that_waits_opens_another_generation_by_itself() -> None:
    line = Line()
    copies, bravo = twins(line), line.hosts[1]
    take_turns(line, copies, 2 * SUCCEED_AT_ONCE + 6)
    passed = line.hosts[0] = min(copies, key=lambda copy: copy.engine.book.mine.counter)
    before = max(copy.engine.book.mine.counter for copy in copies)
    assert passed.engine.book.mine.counter < before
    assert [is_passed(copy.engine.book) for copy in copies] == [copy is passed for copy in copies], (
        "its people are told"
    )
    line.link_all()
    bravo.say(message("to whoever is there"))
    line.pass_time(SUCCEED_AGAIN_MS << 3)
    assert passed.engine.book.mine.counter > before
    assert not is_passed(passed.engine.book)
    own = bravo.engine.book.own(urgent=False)
    assert bravo.engine.peers[0].holds[own.lane.key] == own.size


def test_4_18_a_lost_kind_3_entry_of_an_ended_generation_comes_back_without_a_handshake() -> None:
    """The last word of a copy that is gone: nothing follows it, and the author knows nothing of it."""
    line = Line()
    copies, bravo = twins(line), line.hosts[1]
    take_turns(line, copies, 2)
    gone, left = copies[0], copies[1]
    lane = gone.engine.book.lane(0, gone.engine.book.mine)
    state = gone.engine.book.state(lane)
    gone.write(int(Kind.ACK), encode({}), urgent=True)
    row = gone.store.entries(lane, 0, state.size)[-1]
    assert row.entry.kind == encode(int(Kind.ACK))
    signature = sign_head(gone.signer, state.head()).ed25519
    items = ((leaf_of(lane, row.index, row.entry), row.entry),)
    left.lie(1, FullEntries(lane=lane, first=row.index, items=items, signature=signature))
    line.pass_time(30_000)
    assert left.engine.book.state(lane).size == state.size
    assert left.engine.fold.digest() == bravo.engine.fold.digest()


@pytest.mark.parametrize("cut", [5, 8, 10, 14])
def test_7_20_one_that_falls_before_it_has_its_unknown_generation_back_is_told_of_it_again(cut: int) -> None:
    """Restored twice from one backup, its mark lost, and killed when `cut` envelopes have been opened."""
    line = Line()
    alpha, bravo = line.hosts
    backup = alpha.store.backup()

    def again() -> None:
        alpha.mark = None
        alpha.seed += 1_000
        alpha.restore(backup)
        line.under_way.clear()
        line.link_all()

    again()
    line.pass_time(5_000)
    for number in range(30):
        alpha.say(message(f"in a generation that the backup does not know {number}"))
    line.settle()
    again()
    opened = 0
    while opened < cut:
        if line.under_way:
            _, sent = line.under_way.popleft()
            line.hosts[sent.party].give(Arrived(sent.envelope))
            opened += 1
        else:
            line.steady += 50
            for host in line.hosts:
                host.give(Tick())
    line.under_way.clear()
    alpha.boot()
    line.link_all()
    alpha.say(message("after the fall"))
    line.pass_time(60_000)
    assert "after the fall" in bravo.texts()
    assert alpha.engine.fold.digest() == bravo.engine.fold.digest()
