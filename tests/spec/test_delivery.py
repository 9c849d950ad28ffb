"""Delivery between real engines: what is owed, acknowledged, refused, handed on and fetched. Spec 7."""

from hashlib import sha256

import pytest

from openline.kernel.codec import Value, encode
from openline.kernel.lane import GENERATION_ZERO, Generation
from openline.kernel.terms import Policy
from openline.protocol.acknowledgements import decode_ack
from openline.protocol.early import MAX_EARLY
from openline.protocol.entries import Attachment, AttachmentReceipt, AttachmentState, Precedence
from openline.protocol.events import Arrived, Holds, Link, Stow, Tick, Transmit
from openline.protocol.frames import GenerationSeed
from tests.spec.line import Host, Line, message


def receipts(host: Host, author: int) -> list[AttachmentState]:
    found = (shown.entry for shown in host.shown() if shown.lane.party == author)
    return [entry.state for entry in found if isinstance(entry, AttachmentReceipt)]


def attach(host: Host, data: bytes, *, stowed: bytes | None = None, chunk: int = 256) -> Attachment:
    """Announce a file; `stowed` is what the station really has."""
    entry = Attachment(
        name="map.png", media_type="image/png", size=len(data), digest=sha256(data).digest(), chunk=chunk
    )
    whole = data if stowed is None else stowed
    for number in range(-(-len(whole) // chunk)):
        part = whole[number * chunk : (number + 1) * chunk]
        host.give(Stow(attachment=entry.digest, number=number, data=part))
    host.say(entry)
    return entry


def test_7_1_delivery_ends_with_the_receivers_signed_acknowledgement() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("owed"))
    traffic = alpha.engine.book.own(urgent=False)
    line.deliver()
    assert bravo.texts() == ["owed"]
    assert not [held for held in alpha.holds(1) if held.size == traffic.size and held.lane == traffic.lane.number]
    line.settle()
    assert [held for held in alpha.holds(1) if held.size == traffic.size and held.lane == traffic.lane.number]


def test_7_3_held_is_said_by_an_acknowledgement_that_names_this_root() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("held"))
    line.settle()
    own = bravo.engine.book.own(urgent=True)
    items = {item.lane: item for item in decode_ack(own.last_ack)}
    traffic = alpha.engine.book.own(urgent=False)
    assert items[traffic.lane.number].root == traffic.root


def test_7_2_nothing_is_acknowledged_before_it_is_durable() -> None:
    from collections import deque

    line = Line()
    alpha, bravo = line.hosts
    bravo.held = deque()
    alpha.say(message("not on disk yet"))
    for _ in range(5):
        line.deliver()
    assert not bravo.texts()
    assert not [held for held in alpha.holds(1) if held.lane == 1 and held.size == 2]
    bravo.boot()  # the disk never had it
    line.link_all()
    line.settle()
    line.pass_time(10_000)
    bravo.release()
    line.settle()
    assert bravo.texts() == ["not on disk yet"]


def test_7_6_a_lost_acknowledgement_is_sent_again_and_not_appended_again() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("whose acknowledgement is lost"))
    line.deliver()
    size = bravo.engine.book.own(urgent=True).size
    line.under_way.clear()
    line.pass_time(20_000)
    assert [held for held in alpha.holds(1) if held.lane == 1 and held.size == 2]
    assert bravo.engine.book.own(urgent=True).size == size


def test_7_7_a_refused_body_keeps_its_place_and_stops_nothing() -> None:
    line = Line()
    alpha, bravo = line.hosts
    bravo.write(16, encode({0: 9}), urgent=False)
    bravo.say(message("behind it"))
    line.settle()
    refused = alpha.noticed("refused-entry")
    assert [notice.number for notice in refused] == [1]
    assert alpha.texts() == ["behind it"]
    named = [
        i
        for shown in bravo.shown()
        if shown.lane.party == 0
        for item in decode_ack(shown.row.entry.ack)
        for i in item.refused
    ]
    assert set(named) == {1}


def test_7_8_a_refusal_is_final() -> None:
    line = Line()
    alpha, bravo = line.hosts
    bravo.write(16, encode({0: 9}), urgent=False)
    line.settle()
    alpha.boot()
    line.link_all()
    line.settle()
    state = alpha.engine.book.state(alpha.engine.book.lane(3, GENERATION_ZERO))
    assert [row.refused for row in alpha.store.entries(state.lane, 0, 9)] == [False, True]


def test_7_11_a_batch_is_accepted_whole_or_not_at_all() -> None:
    line = Line()
    alpha, bravo = line.hosts
    frame: Value = [0, 3, 0, 1, [[11, 0, None, b"\xa0"], [99, 0, None, b"\xa0"]], bytes(64)]
    bravo.lie(0, frame)
    assert alpha.engine.book.state(alpha.engine.book.lane(3, GENERATION_ZERO)).size == 1
    assert not alpha.engine.peers[1].suspected


def test_7_12_what_comes_before_its_turn_waits_and_the_gap_is_asked_for() -> None:
    line = Line()
    alpha, bravo = line.hosts
    for text in ("one", "two", "three"):
        alpha.say(message(text))
    first, *rest = [sent for _, sent in line.under_way if sent.precedence == 3]
    line.under_way.clear()
    for sent in rest:
        bravo.give(Arrived(sent.envelope))
    assert not bravo.texts()
    line.settle()
    line.pass_time(5_000)
    assert bravo.texts() == ["one", "two", "three"]
    assert first


def test_7_12_what_comes_next_is_kept_and_what_is_farthest_ahead_is_dropped_and_asked_for() -> None:
    """In whatever order a bearer brings more than the buffer holds."""
    for order in (1, -1):
        line = Line()
        alpha, bravo = line.hosts
        said = [str(number) for number in range(MAX_EARLY + 40)]
        for text in said:
            alpha.say(message(text))
        first, *rest = [sent for _, sent in line.under_way if sent.precedence == 3]
        line.under_way.clear()
        for sent in rest[::order]:
            bravo.give(Arrived(sent.envelope))
        assert not bravo.texts()
        bravo.give(Arrived(first.envelope))
        assert bravo.texts() == said[: MAX_EARLY + 1]
        line.under_way.clear()
        line.pass_time(1_000, keep=lambda sender, _: sender == 0, step=100)  # all has been opened: nothing is repeated
        line.pass_time(1_000, step=100)
        assert bravo.texts() == said


def test_7_12_a_gap_is_not_asked_for_at_a_slow_bearers_pace_once_a_quick_one_is_there() -> None:
    line = Line()
    alpha, bravo = line.hosts
    for host in line.hosts:
        host.give(Link(party=1 - host.party, largest=16_384, smallest=16_384, slow_ms=30_000))
    for text in ("one", "two", "three"):
        alpha.say(message(text))
    first, *rest = [sent for _, sent in line.under_way if sent.precedence == 3]
    line.under_way.clear()
    for sent in rest:
        bravo.give(Arrived(sent.envelope))
    line.pass_time(5_000, step=100)
    assert not bravo.texts()
    bravo.give(Link(party=alpha.party, largest=16_384, smallest=16_384))
    line.pass_time(1_000, step=100)
    assert bravo.texts() == ["one", "two", "three"]
    assert first


def test_7_13_duplicates_are_counted_and_shown_once() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("once"))
    copies = [sent.envelope for _, sent in line.under_way]
    for envelope in copies * 3:
        bravo.give(Arrived(envelope))
    line.settle()
    assert bravo.texts() == ["once"]


def test_7_14_a_compact_batch_that_does_not_check_is_asked_for_in_full() -> None:
    """Somebody gave us a wrong seed: nobody is suspected, the full form settles it."""
    line = Line(3)
    alpha, bravo, charlie = line.hosts
    alpha.restore(alpha.store.backup())
    alpha.mark = None
    alpha.boot()
    mine = alpha.engine.book.mine
    charlie.lie(1, GenerationSeed(party=0, generation=mine, seed=bytes(32), statement=b""))
    line.link_all()
    line.settle()
    alpha.say(message("in spite of a wrong seed"))
    line.settle()
    line.pass_time(15_000)
    assert bravo.texts() == ["in spite of a wrong seed"]
    assert not bravo.engine.peers[0].suspected


def test_7_18_a_want_is_answered_with_what_is_held_and_nothing_else() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("wanted"))
    line.settle()
    alpha.outputs.clear()
    bravo.lie(0, [3, 1, 0, bytes(8), 0, 1], [3, 1, 0, bytes(8), 2**48 - 1, 0], [3, 1, 9, b"x" * 8, 0, 0])
    line.settle()
    assert alpha.transmitted()
    assert bravo.texts() == ["wanted"]


def test_7_19_refill_reseals_the_identical_leaves() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("the same leaf"))
    line.under_way.clear()
    alpha.boot()
    line.link_all()
    line.settle()
    lane = alpha.engine.book.own(urgent=False).lane
    ours, theirs = (host.store.entries(lane, 1, 1)[0] for host in line.hosts)
    assert ours.nodes == theirs.nodes
    assert ours.entry == theirs.entry
    assert bravo.texts() == ["the same leaf"]


def test_7_20_what_is_told_moves_the_cursor_and_only_what_is_signed_is_delivered() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("told only"))
    line.under_way.clear()
    before = len([o for o in alpha.outputs if isinstance(o, Holds)])
    bravo.lie(0, [5, [[1, 0, bytes(8), 2]]])
    assert len([o for o in alpha.outputs if isinstance(o, Holds)]) == before


def test_7_22_by_sticks_a_file_of_megabytes_takes_few_trips() -> None:
    """A link comes up at one end, takes what there is, and goes; the other end reads it before its own comes up."""
    line = Line()
    alpha, bravo = line.hosts
    entry = attach(alpha, bytes(range(256)) * 800)  # 800 chunks
    line.under_way.clear()
    line.cut(0, 1)
    made = 0
    while bravo.store.chunks(entry.digest) < 800 and made < 100:
        host, other = (alpha, bravo) if made % 2 == 0 else (bravo, alpha)
        host.give(Link(party=other.party, largest=16_384, smallest=16_384, slow_ms=6 * 3_600_000))
        host.give(Tick())
        line.cut(0, 1)
        line.steady += 12 * 3_600_000
        line.deliver()
        made += 1
    assert bravo.store.chunks(entry.digest) == 800
    assert made <= 6


def test_7_22_an_attachment_comes_in_chunks_and_is_receipted() -> None:
    line = Line()
    alpha, bravo = line.hosts
    data = bytes(range(256)) * 40
    entry = attach(alpha, data)
    line.settle(rounds=2_000)
    assert b"".join(bravo.store.chunk(entry.digest, n) or b"" for n in range(40)) == data
    assert receipts(alpha, 1) == [AttachmentState.HELD]


def test_7_22_an_attachment_goes_on_after_a_restart() -> None:
    line = Line()
    alpha, bravo = line.hosts
    entry = attach(alpha, bytes(range(256)) * 100)
    for _ in range(6):
        line.deliver()
    kept = bravo.store.chunks(entry.digest)
    bravo.boot()
    line.link_all()
    line.settle(rounds=2_000)
    line.pass_time(60_000)
    assert 0 < kept < 100
    assert receipts(alpha, 1) == [AttachmentState.HELD]


def test_7_23_an_attachment_that_is_not_what_its_name_says_is_refused_and_forgotten() -> None:
    line = Line()
    alpha, bravo = line.hosts
    entry = attach(alpha, b"a" * 1_000, stowed=b"b" * 1_000)
    line.settle(rounds=2_000)
    assert receipts(alpha, 1) == [AttachmentState.REFUSED]
    assert bravo.store.chunks(entry.digest) == 0


def test_7_22_attachments_beyond_the_quota_wait_for_the_bucket() -> None:
    line = Line(policy=Policy(attachment_mib_per_day=0))
    alpha, bravo = line.hosts
    first = attach(alpha, b"a" * 1_000)
    second = attach(alpha, b"b" * 1_000)
    line.settle(rounds=2_000)
    assert bravo.store.chunks(first.digest) == 4
    assert bravo.store.chunks(second.digest) == 0


def test_7_24_a_cut_pair_still_hears_each_other() -> None:
    line = Line(3)
    alpha, _, charlie = line.hosts
    line.cut(0, 2)
    alpha.say(message("by way of the third"))
    line.settle()
    assert not charlie.texts()
    line.pass_time(10_000)
    assert charlie.texts() == ["by way of the third"]


def test_7_25_what_was_handed_on_is_acknowledged_to_its_author() -> None:
    line = Line(3)
    alpha = line.hosts[0]
    line.cut(0, 2)
    alpha.say(message("handed on"))
    line.settle()
    line.pass_time(30_000)
    assert [held for held in alpha.holds(2) if held.lane == 1 and held.size == 2]


def test_7_27_large_entries_pass_a_thin_bearer_in_fragments() -> None:
    line = Line(link=270)
    alpha, bravo = line.hosts
    alpha.say(message("z" * 8_000))
    line.settle(rounds=3_000)
    assert bravo.texts() == ["z" * 8_000]


def test_7_29_what_stays_unacknowledged_is_sealed_anew() -> None:
    """The peer opened the envelope and lost what it said with its process."""
    from collections import deque

    line = Line()
    alpha, bravo = line.hosts
    bravo.held = deque()
    alpha.say(message("opened and lost"))
    line.deliver()
    bravo.held = None
    bravo.boot()
    line.link_all()
    line.settle()
    line.pass_time(30_000)
    assert bravo.texts() == ["opened and lost"]


def test_7_5_flash_is_acknowledged_at_once() -> None:
    line = Line()
    alpha, _ = line.hosts
    alpha.say(message("now", Precedence.FLASH))
    line.deliver()
    line.deliver()
    urgent = alpha.engine.book.own(urgent=True)
    assert [held for held in alpha.holds(1) if held.lane == 0 and held.size == urgent.size]


def test_8_13_two_generations_of_one_counter_still_arrive() -> None:
    """A restore from a restore: both lives of the party reach the others, in full where a short form would be unclear."""
    line = Line(3)
    alpha, bravo, charlie = line.hosts
    backup, mark = alpha.store.backup(), alpha.mark
    for text in ("first life", "second life"):
        alpha.mark = mark
        alpha.restore(backup)
        alpha.mark = None
        alpha.boot()
        line.link_all()
        alpha.say(message(text))
        line.settle(rounds=2_000)
        line.pass_time(20_000)
    assert set(bravo.texts()) == {"first life", "second life"} == set(charlie.texts())
    assert alpha.engine.book.mine > Generation(1, bytes(8))


def test_7_10_the_author_hears_which_of_its_entries_was_refused() -> None:
    line = Line()
    alpha, bravo = line.hosts
    bravo.write(11, b"\xff", urgent=True)
    line.settle()
    items = [
        item for shown in bravo.shown() if shown.lane.party == alpha.party for item in decode_ack(shown.row.entry.ack)
    ]
    assert any(item.refused for item in items if item.lane == 2)
    assert not [o for o in alpha.outputs if isinstance(o, Transmit) and o.party == 0]


@pytest.mark.parametrize("restored", [0, 1], ids=["its author", "its receiver"])
def test_13_8_a_file_that_a_backup_lacks_comes_back_with_the_entries(restored: int) -> None:
    """Whoever was restored asks for it again, and nobody says a second time that it is held."""
    line = Line()
    alpha, bravo = line.hosts
    backup = line.hosts[restored].store.backup()
    data = bytes(range(256)) * 20
    entry = attach(alpha, data)
    line.settle()
    assert receipts(bravo, 1) == [AttachmentState.HELD]
    line.hosts[restored].restore(backup)
    assert not line.hosts[restored].store.chunks(entry.digest)
    line.link_all()
    line.settle()
    line.pass_time(60_000)
    whole = b"".join(line.hosts[restored].store.chunk(entry.digest, number) or b"" for number in range(20))
    assert whole == data
    assert len(set(receipts(alpha, 1))) == 1
    assert alpha.engine.fold.digest() == bravo.engine.fold.digest()


def test_13_8_a_file_that_was_coming_back_goes_on_after_another_start() -> None:
    line = Line()
    alpha, _ = line.hosts
    backup = alpha.store.backup()
    entry = attach(alpha, bytes(range(256)) * 100)
    line.settle()
    alpha.restore(backup)
    line.link_all()
    for _ in range(1_000):
        if 0 < alpha.store.chunks(entry.digest) < 100:
            break
        if not line.deliver():
            line.pass_time(250, step=50)
    assert alpha.store.chunks(entry.digest) < 100
    alpha.boot()
    line.link_all()
    line.settle()
    line.pass_time(60_000)
    assert alpha.store.chunks(entry.digest) == 100
