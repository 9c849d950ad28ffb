"""What a few bytes of a peer may bring: entries given anew, and entries that come before their turn. Spec 7.12, 7.20."""

from collections.abc import Callable

import pytest

from openline.kernel.codec import decode, encode
from openline.kernel.lane import GENERATION_ZERO, Entry, Generation
from openline.kernel.units import WINDOW
from openline.protocol.early import FULL_ITEM, MAX_EARLY, MAX_EARLY_BYTES, SHORT_ITEM, Early, bytes_of
from openline.protocol.events import Arrived, Link, Tick
from openline.protocol.fitting import LEAF_BYTES
from openline.protocol.fragments import cut
from openline.protocol.frames import (
    Entries,
    Frame,
    FullAck,
    FullEntries,
    Held,
    ShortAck,
    Want,
    WireEntry,
    frame_value,
)
from openline.protocol.under_way import WANT_ANSWER_MOST_MS, WANT_ANSWER_MS
from tests.spec import parties
from tests.spec.line import Host, Line, message, watch

KEY = (1, GENERATION_ZERO)


def unanswered(entries: int = 200) -> Line:
    """A line on which the second party opens all that comes, and signs nothing of it."""
    line = Line()
    for _ in range(entries):
        line.hosts[0].say(message("x" * 500))
    line.under_way.clear()
    line.hosts[0].outputs.clear()
    return line


def lane_bytes(host: Host) -> int:
    rows = host.engine.book.rows(host.engine.book.own(urgent=False), 0, 10_000)
    return sum(len(row.entry.body) for row in rows)


def claims(line: Line, frame: Callable[[int], Frame], *, every_ms: int, for_ms: int) -> tuple[int, int]:
    """What the second party says again and again, all opened; (bytes it sent, bytes it was sent)."""
    alpha, bravo = line.hosts
    said = 0
    for number in range(for_ms // every_ms):
        line.steady += every_ms
        alpha.give(Tick())
        epoch = alpha.engine.peers[1].epoch
        assert epoch is not None
        envelope = bravo.seal(0, [frame(number)], first_unopened=epoch.outgoing.index)
        said += len(envelope)
        alpha.give(Arrived(envelope))
    return said, sum(len(sent.envelope) for sent in alpha.transmitted())


@pytest.mark.parametrize("what", ["held", "want", "wants from here and there", "wants from ever lower, in both forms"])
def test_7_12_what_a_peer_wants_or_says_to_hold_brings_a_lane_again_ever_more_seldom(what: str) -> None:
    """Ten times a second each brought all of it: seven hundred bytes for one, as long as the peer liked."""
    line = unanswered()
    lane = line.hosts[0].engine.book.own(urgent=False).lane
    frames: dict[str, Callable[[int], Frame]] = {
        "held": lambda _: Held(heads=((lane, 0),)),
        "want": lambda _: Want(lane=lane, first=0, full=False),
        "wants from here and there": lambda n: Want(lane=lane, first=n % 7, full=False),
        "wants from ever lower, in both forms": lambda n: Want(lane=lane, first=max(0, 150 - n), full=n % 2 == 1),
    }
    said, sent = claims(line, frames[what], every_ms=100, for_ms=60_000)
    most = 20 * lane_bytes(
        line.hosts[0]
    )  # nine times in a minute, or as often in both forms, and what each is sealed in
    assert lane_bytes(line.hosts[0]) < sent < most
    assert sent < 20 * said
    further, more = claims(line, frames[what], every_ms=100, for_ms=60_000)
    assert more - sent < most / 2
    assert further == said


def test_7_12_what_is_asked_for_in_the_pause_comes_when_it_ends() -> None:
    line = unanswered()
    alpha, bravo = line.hosts
    lane = alpha.engine.book.own(urgent=False).lane
    bravo.lie(0, Want(lane=lane, first=100, full=False))
    alpha.outputs.clear()
    bravo.lie(0, Want(lane=lane, first=1, full=False))
    line.under_way.clear()
    assert not alpha.transmitted()
    assert alpha.wake <= line.steady + WANT_ANSWER_MS
    line.steady += WANT_ANSWER_MS
    alpha.give(Tick())
    assert sum(len(sent.envelope) for sent in alpha.transmitted()) > lane_bytes(alpha) * 9 // 10
    line.settle(rounds=2_000)
    assert len(bravo.texts()) == 200


def test_7_12_who_gets_on_with_a_lane_is_given_it_as_quickly_as_at_first() -> None:
    line = unanswered()
    alpha, bravo = line.hosts
    lane = alpha.engine.book.own(urgent=False).lane
    claims(line, lambda _: Want(lane=lane, first=0, full=False), every_ms=100, for_ms=60_000)
    given = alpha.engine.peers[1].given[lane.key]
    assert given.pause == WANT_ANSWER_MOST_MS
    line.pass_time(10_000)  # now its station takes what came, and signs it
    line.settle(rounds=2_000)
    assert len(bravo.texts()) == 200
    assert alpha.engine.peers[1].given[lane.key].pause == WANT_ANSWER_MS
    line.pass_time(30_000)
    alpha.outputs.clear()
    bravo.lie(0, Want(lane=lane, first=0, full=False))
    assert sum(len(sent.envelope) for sent in alpha.transmitted()) > lane_bytes(alpha)


def test_7_12_a_peer_that_was_restored_waits_for_no_pause_of_before() -> None:
    """Restored again and again within seconds, it gets back what it wrote."""
    line = Line()
    alpha, bravo = line.hosts
    backup = bravo.store.backup()
    for number in range(50):
        bravo.say(message(str(number)))
    line.settle(rounds=2_000)
    for _ in range(6):
        bravo.restore(backup)
        for host in line.hosts:
            host.give(Link(party=1 - host.party, largest=16_384, smallest=16_384))
        before = line.steady
        line.settle(rounds=2_000)
        while (
            len(bravo.engine.book.rows(bravo.engine.book.state(bravo.engine.book.lane(3, GENERATION_ZERO)), 0, 99)) < 51
        ):
            line.pass_time(100, step=100)
            assert line.steady - before < 20_000
    assert bravo.engine.fold.digest() == alpha.engine.fold.digest()


# --- what comes before its turn ---


def entries(first: int, *bodies: int, ack: tuple[ShortAck | FullAck, ...] | None = None) -> Entries:
    items = tuple(WireEntry(kind=16, delta=0, ack=ack, body=bytes(size)) for size in bodies)
    return Entries(lane=3, counter=0, first=first, items=items, signature=bytes(64))


def test_7_12_so_many_bytes_of_a_peer_wait_and_no_more() -> None:
    early = Early()
    large = entries(0, *[12_288] * 5)
    fit = MAX_EARLY_BYTES // bytes_of(large)
    assert fit < MAX_EARLY
    for number in range(fit):
        assert not early.keep(1, KEY, 10 + number, large)
    rest = MAX_EARLY_BYTES - early.bytes_kept(1)
    exactly = entries(0, *[rest % 1_000] * 1) if rest < LEAF_BYTES else entries(0, rest - LEAF_BYTES)
    assert not early.keep(1, (3, GENERATION_ZERO), 7, exactly)
    assert early.bytes_kept(1) == MAX_EARLY_BYTES
    assert early.keep(1, (3, GENERATION_ZERO), 8, entries(0, 0)) == {
        KEY
    }  # of the lane with most bytes, the farthest ahead
    assert early.bytes_kept(1) <= MAX_EARLY_BYTES
    assert len(early.ahead(KEY, 0)) == fit - 1
    assert not early.keep(2, KEY, 10, large)  # another's
    assert early.bytes_kept(2) == bytes_of(large)


def test_7_12_what_waits_is_counted_as_it_is_kept() -> None:
    lane = parties.lane()
    short = ShortAck(lane=1, counter=0, size=3)
    full = FullAck(lane=lane, size=3, root=bytes(32), refused=(1, 2))
    entry = Entry(kind=b"k", time=b"ti", ack=b"ack", body=b"body", secret=bytes(32))
    assert bytes_of(entries(0, 5, 7)) == 2 * LEAF_BYTES + 12
    assert bytes_of(entries(0, 5, ack=(short, full))) > LEAF_BYTES + 5 + SHORT_ITEM + FULL_ITEM
    whole = FullEntries(lane=lane, first=0, items=((bytes(512), entry),), signature=bytes(64))
    assert bytes_of(whole) == LEAF_BYTES + 512 + 10


def test_7_12_fragments_fill_no_more_of_the_buffer_than_envelopes_do() -> None:
    """256 frames of 64 KiB each came in fragments, where four MiB were meant to be the end of it."""
    line = Line()
    alpha, bravo = line.hosts
    for number in range(MAX_EARLY):
        frame = entries(10 + number, *[12_288] * 5)
        whole = encode([frame_value(frame)])
        for part in cut(whole, number + 1, 16_000):
            alpha.give(Arrived(bravo.seal(0, [decode(part)], first_unopened=0)))
    kept = alpha.engine.intake.early.bytes_kept(1)
    assert MAX_EARLY_BYTES * 9 // 10 < kept <= MAX_EARLY_BYTES
    assert MAX_EARLY_BYTES == WINDOW // 2 * 16_384
    assert alpha.engine.peers[1].cropped


def test_7_12_what_a_lane_has_passed_waits_no_longer_and_what_goes_on_is_taken() -> None:
    early = Early()
    for first, count in ((3, 2), (4, 6), (9, 1), (12, 1)):
        early.keep(1, KEY, first, entries(first, *[1] * count))
    early.keep(1, (1, Generation(1, bytes(8))), 3, entries(3, 1))
    assert [frame.first for frame in early.take(1, KEY, 9)] == [4, 9]
    assert [frame.first for frame in early.ahead(KEY, 0)] == [12]
    assert not early.take(1, KEY, 9)
    assert not early.take(2, KEY, 9)


def test_7_12_batches_cut_otherwise_the_second_time_leave_nothing_in_the_buffer() -> None:
    line = Line()
    alpha, bravo = line.hosts
    for _ in range(30):
        alpha.say(watch())
    waiting = [sent for _, sent in line.under_way]
    line.under_way.clear()
    for sent in waiting[1:]:
        bravo.give(Arrived(sent.envelope))
    assert bravo.engine.intake.early.bytes_kept(0)
    lane = alpha.engine.book.own(urgent=True).lane
    bravo.lie(0, Want(lane=lane, first=bravo.engine.book.state(lane).size, full=True))  # in one frame
    line.settle()
    assert len([shown for shown in bravo.shown() if shown.lane.party == 0]) >= 30
    assert not bravo.engine.intake.early.bytes_kept(0)
