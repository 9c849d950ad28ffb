"""What stands inside envelopes: spec 8, and what a station makes of frames it should never have been sent."""

from dataclasses import replace

import pytest

from openline.kernel.codec import Value, encode
from openline.kernel.errors import Malformed, TooLarge
from openline.kernel.lane import GENERATION_ZERO, Generation, extend
from openline.protocol.events import Renew, Tick
from openline.protocol.fitting import LEAF_BYTES, MOST_HANDED_ON
from openline.protocol.fragments import Streams
from openline.protocol.frames import (
    Cosignature,
    Entries,
    Fragment,
    GenerationSeed,
    HeadNote,
    Last,
    Want,
    WireEntry,
    decode_content,
)
from openline.protocol.under_way import WANT_ANSWER_MS
from tests.spec import parties
from tests.spec.line import Host, Line, message, watch


def heard(host: Host, sender: Host) -> list[object]:
    """Every frame that a host takes from another from now on."""
    frames: list[object] = []
    take = host.engine.intake._take

    def listening(peer, frame, now):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if peer.party == sender.party:
            frames.append(frame)
        take(peer, frame, now)

    host.engine.intake._take = listening  # type: ignore[method-assign]
    return frames


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


def burst(line: Line, count: int) -> Entries:
    """Entries of an unknown kind of the first party, all under one signature, as the second one would expand them."""
    alpha, book = line.hosts[0], line.hosts[1].engine.book
    state = book.state(book.lane(1, GENERATION_ZERO))
    items = (WireEntry(kind=200, delta=0, ack=None, body=b""),) * count
    frame = Entries(lane=1, counter=0, first=state.size, items=items, signature=bytes(64))
    head = extend(state.lane, state.peaks, book.opened(state, frame)).head(state.lane)
    return replace(frame, signature=alpha.signer.ed25519(head.text()))


def test_8_14_nobody_takes_more_under_one_signature_than_can_be_handed_on() -> None:
    """Else one envelope of a hostile member keeps two others busy with frames that no one can join."""
    for members, taken in ((3, False), (2, True)):
        line = Line(members)
        alpha, bravo = line.hosts[:2]
        each = LEAF_BYTES + len(bravo.engine.book.state(bravo.engine.book.lane(1, GENERATION_ZERO)).last_ack)
        before = bravo.store.size(alpha.engine.book.own(urgent=False).lane)
        alpha.lie(1, burst(line, MOST_HANDED_ON // each + 1))
        assert (bravo.store.size(alpha.engine.book.own(urgent=False).lane) > before) is taken
        assert bool(bravo.noticed("frame-refused")) is not taken


def test_8_14_what_is_taken_under_one_signature_is_handed_on() -> None:
    line = Line(3)
    alpha, bravo, charlie = line.hosts
    lane = alpha.engine.book.own(urgent=False).lane
    each = LEAF_BYTES + len(bravo.engine.book.state(lane).last_ack)
    alpha.lie(1, burst(line, MOST_HANDED_ON // each))
    line.settle(rounds=2_000)
    line.pass_time(20_000)
    assert charlie.store.size(lane) == bravo.store.size(lane) > MOST_HANDED_ON // each


def test_8_2_a_short_acknowledgement_stands_for_the_root_that_the_receiver_knows() -> None:
    """Both stations hold the same field bytes, though none of the roots went over the wire."""
    line = Line()
    alpha, bravo = line.hosts
    frames = heard(alpha, bravo)
    alpha.say(message("to be acknowledged"))
    line.settle()
    assert frames
    lane = bravo.engine.book.own(urgent=True).lane
    size = bravo.store.size(lane)
    for mine, theirs in zip(alpha.store.entries(lane, 0, size), bravo.store.entries(lane, 0, size), strict=True):
        assert mine.entry.ack == theirs.entry.ack


def test_4_2_no_seed_opens_a_generation_zero_with_a_nonce() -> None:
    """Who believed in one named it to all others, and they refused all that it stood in (simulator: liar-garbles 400631)."""
    line = Line(3)
    bravo, charlie = line.hosts[1:]
    for party in range(3):
        odd = Generation(0, b"not zero")
        charlie.lie(1, GenerationSeed(party=party, generation=odd, seed=bytes(32), statement=b""))
        assert bravo.engine.book.generations(party) == [GENERATION_ZERO]
    assert len(bravo.noticed("envelope-refused")) == 3


def test_8_3_a_generation_is_told_before_its_first_entry_and_again_until_it_is_held() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.mark = None
    alpha.boot()
    line.link_all()
    line.under_way.clear()
    bravo.boot()  # whatever it heard of the new generation was not stored
    line.link_all()
    frames = heard(bravo, alpha)
    alpha.say(message("under a new seed"))
    line.settle()
    line.pass_time(20_000)
    told = [
        frame for frame in frames if isinstance(frame, GenerationSeed) and frame.generation == alpha.engine.book.mine
    ]
    assert told
    assert bravo.texts() == ["under a new seed"]


def test_8_5_a_want_from_the_size_held_asks_for_what_follows() -> None:
    line = Line()
    alpha, bravo = line.hosts
    size = alpha.engine.book.own(urgent=False).size
    bravo.lie(0, Want(lane=alpha.engine.book.own(urgent=False).lane, first=size, full=False))
    alpha.say(message("what followed"))
    line.settle()
    assert bravo.texts() == ["what followed"]


def test_7_12_wants_of_a_lane_are_answered_once_in_half_a_second() -> None:
    """256 bytes brought a lane of two thousand entries, as often as they were said; or as often as they said something else."""
    line = outage(2, 300)
    line.join(0, 1)
    line.settle(rounds=2_000)
    alpha, bravo = line.hosts
    lane = alpha.engine.book.own(urgent=True).lane

    def brought(*wants: Want) -> int:
        alpha.outputs.clear()
        for want in wants:
            bravo.lie(0, want)
            while line.deliver():
                pass  # and no time goes by
        return len(alpha.transmitted())

    want = Want(lane=lane, first=0, full=True)
    once = brought(want)
    assert once > 2
    assert not brought(*[want] * 20)
    assert not brought(*[Want(lane=lane, first=first, full=True) for first in range(20)])  # nor from elsewhere
    line.steady += WANT_ANSWER_MS
    alpha.give(Tick())
    assert len(alpha.transmitted()) >= once  # what was asked for meanwhile
    assert not brought(*[want] * 20)
    line.pass_time(60_000)
    assert not alpha.engine.peers[1].given[lane.key].owed
    for again in (line.cut, line.join):  # what was on its way is gone with the link
        again(0, 1)
    line.settle(rounds=2_000)
    assert brought(want) >= once


def test_8_7_what_is_said_to_be_held_proves_nothing() -> None:
    line = Line()
    alpha, bravo = line.hosts
    before = dict(alpha.engine.peers[1].holds)
    bravo.lie(0, [5, [[0, 0, bytes(8), 2**48 - 1], [1, 0, bytes(8), 2**48 - 1]]])
    assert alpha.engine.peers[1].holds == before
    alpha.boot()
    line.link_all()
    alpha.say(message("in spite of that"))
    line.settle()
    line.pass_time(10_000)
    assert bravo.texts() == ["in spite of that"]


def test_8_8_a_greedy_chunk_want_is_served_in_part() -> None:
    line = Line()
    alpha, bravo = line.hosts
    want: Value = [6, bytes(32), 0, 2**16 - 1]
    bravo.lie(0, *(want for _ in range(200)))
    assert len(alpha.engine.peers[1].bulk) <= 128


def test_8_10_the_second_signature_follows_and_is_kept_beside_the_head() -> None:
    line = Line()
    alpha, bravo = line.hosts
    line.pass_time(2_000)
    lane = alpha.engine.book.own(urgent=True).lane
    cosigned = [signed for signed in bravo.store.heads(lane, 0, 99) if signed.mldsa]
    assert cosigned
    for signed in cosigned:
        signed.check(alpha.signer.public)
    bravo.lie(0, Cosignature(lane=bravo.engine.book.own(urgent=True).lane, size=1, signature=bytes(2_420)))
    kept = [
        signed
        for signed in alpha.store.heads(bravo.engine.book.own(urgent=True).lane, 0, 99)
        if signed.mldsa == bytes(2_420)
    ]
    assert not kept


def part(number: int, parts: int, data: bytes, stream: int = 1) -> Fragment:
    return Fragment(stream=stream, part=number, parts=parts, data=data)


def test_8_11_parts_are_joined_in_any_order_once_all_are_there() -> None:
    streams = Streams()
    assert streams.join(part(2, 3, b"c")) is None
    assert streams.join(part(0, 3, b"a")) is None
    assert streams.join(part(0, 3, b"a")) is None
    assert streams.join(part(1, 3, b"b")) == b"abc"
    assert len(streams) == 0


def test_8_11_parts_that_contradict_each_other_drop_the_set() -> None:
    for wrong in (part(0, 2, b"x"), part(1, 3, b"b")):
        streams = Streams()
        streams.join(part(0, 2, b"a"))
        assert streams.join(wrong) is None
        assert len(streams) == 0


def test_8_11_unfinished_sets_are_few_and_bounded_in_bytes() -> None:
    streams = Streams()
    for stream in range(100):
        streams.join(part(0, 512, bytes(200), stream))
    assert len(streams) == 4
    for number in range(40):
        streams.join(part(number, 512, bytes(12_000), 99))
    assert streams.parts <= 4 * 512
    assert len(streams) <= 4


def test_8_11_a_fragment_within_fragments_is_not_taken() -> None:
    line = Line()
    alpha, bravo = line.hosts
    inner: Value = [9, 7, 0, 2, b"half"]
    bravo.lie(0, part(0, 1, encode([inner])))
    assert len(alpha.engine.peers[1].streams) == 0
    alpha.say(message("goes on"))
    line.settle()
    assert bravo.texts() == ["goes on"]


def test_8_12_last_ends_the_old_epoch_once_all_below_it_was_opened() -> None:
    line = Line()
    alpha, bravo = line.hosts
    frames = heard(bravo, alpha)
    alpha.give(Renew(1))
    line.settle()
    line.pass_time(5_000)
    assert [frame for frame in frames if isinstance(frame, Last)]
    assert bravo.engine.peers[0].previous is None
    assert alpha.engine.peers[1].previous is None


def test_8_14_a_frame_of_entries_has_one_at_least_and_512_at_most() -> None:
    entry: Value = [3, 0, None, b"\xa0"]
    for count, error in ((0, Malformed), (513, TooLarge)):
        with pytest.raises(error):
            decode_content(parties.LINE, encode([0, 0, [0, 0, 0, 1, [entry] * count, bytes(64)]]))
    for count in (1, 512):
        assert decode_content(parties.LINE, encode([0, 0, [0, 0, 0, 1, [entry] * count, bytes(64)]])).frames


def test_7_4_only_sizes_that_the_owner_signed_are_acknowledged() -> None:
    line = Line()
    alpha, bravo = line.hosts
    line.cut(0, 1)
    for _ in range(40):
        alpha.say(watch())
    line.join(0, 1)
    line.settle()
    lane = alpha.engine.book.own(urgent=True).lane
    signed = {head.head.size for head in bravo.store.heads(lane, 0, 999) if head.ed25519}
    assert {held.size for held in alpha.holds(1) if held.lane == lane.number} <= signed


def test_7_21_a_third_members_head_travels_whole_and_once() -> None:
    line = Line(3)
    alpha, bravo, charlie = line.hosts
    frames = heard(charlie, bravo)
    alpha.say(message("named by the second"))
    line.settle()
    heads = [
        f.signed.head
        for f in frames
        if isinstance(f, HeadNote) and f.signed.head.lane == alpha.engine.book.own(urgent=False).lane
    ]
    assert len(heads) == len({head.size for head in heads}) == 1


def test_4_13_terms_and_generations_stand_at_the_start_and_nowhere_else() -> None:
    line = Line()
    alpha, bravo = line.hosts
    bravo.write(1, encode({0: line.terms.raw}), urgent=True)
    bravo.write(2, encode({0: [], 1: 0}), urgent=False)
    line.settle()
    assert len(alpha.noticed("refused-entry")) == 2
    assert alpha.engine.book.current(1) == GENERATION_ZERO
    assert not alpha.noticed("generation-opened")
