"""The only door: whatever a peer or a network sends, `handle` returns; and what it must not move, it does not move.

Each test is a lie told under true keys (Host.lie): authenticated, and false. Spec 1.13, 2.8, 7, 8, 12.7, 13.
"""

from collections import deque
from random import Random

import pytest

from openline.kernel.codec import Value, encode
from openline.kernel.lane import GENERATION_ZERO, Entry, Generation, Head, SignedHead, extend, leaf_of, leaf_secret
from openline.kernel.terms import Policy
from openline.kernel.units import MAX_GENERATION, MAX_REFUSED
from openline.protocol.acknowledgements import decode_ack
from openline.protocol.events import Arrived, Committed, Shown, Tick, Transmit
from openline.protocol.frames import Chunk, ChunkWant, Entries, FullAck, GenerationSeed, HeadNote, Held, Want, WireEntry
from tests.spec import parties
from tests.spec.line import Line, message, watch

FAR = Generation(MAX_GENERATION, b"\xff" * 8)


def some_value(dice: Random, depth: int = 0) -> Value:
    """Anything the codec can carry, the edges more often than the middle."""
    match dice.randrange(9 if depth < 3 else 6):
        case 0:
            return dice.choice((0, 1, 2, 3, 23, 255, 2**16, 2**32 - 1, 2**48 - 1, 2**48, 2**64 - 1, -1, -(2**48)))
        case 1:
            return dice.randbytes(dice.choice((0, 1, 8, 31, 32, 33, 64, 100)))
        case 2:
            return dice.choice(("", "a", "\x00", "é" * 20))
        case 3:
            return dice.choice((None, True, False))
        case 4 | 5:
            return dice.randrange(8)
        case 6 | 7:
            return [some_value(dice, depth + 1) for _ in range(dice.randrange(7))]
        case _:
            return {dice.randrange(8): some_value(dice, depth + 1) for _ in range(dice.randrange(4))}


def some_frame(dice: Random) -> Value:
    """A frame that is nearly right: members of the right type, with one or none spoilt."""
    lane: list[Value] = [dice.randrange(8), dice.choice((0, 0, 1, 2**32 - 1)), dice.choice((bytes(8), b"\xff" * 8))]
    number = dice.choice((0, 0, 1, 2, 3, 255, 2**20, 2**48 - 1))
    acks: tuple[Value, ...] = (
        None,
        [],
        [[dice.randrange(34), 0, number]],
        [[*lane, number, bytes(32), [0]]],
        [[31, 0, bytes(8), 1, bytes(32), []]],
    )
    ack = dice.choice(acks)
    body = dice.choice((b"", b"\xa0", encode(some_value(dice)), bytes(12_289)))
    full: list[Value] = [dice.randbytes(20), bytes(32), encode(dice.choice((3, 16))), encode(number), b"\x80", body]
    frames: list[list[Value]] = [
        [
            0,
            lane[0],
            lane[1],
            number,
            [[dice.randrange(70_000), dice.choice((0, -(2**48), 2**49)), ack, body]],
            bytes(64),
        ],
        [1, dice.randrange(4), lane[1], lane[2], dice.randbytes(32), dice.choice((b"", dice.randbytes(40)))],
        [2, *lane, number, bytes(32), bytes(64)],
        [3, *lane, number, dice.randrange(2)],
        [4, *lane, number, [full], bytes(64)],
        [5, [[*lane, number]]],
        [6, bytes(32), number % 2**20, dice.randrange(2**16)],
        [7, bytes(32), number % 2**20, dice.randbytes(300)],
        [8, *lane, number, bytes(2_420)],
        [9, dice.randrange(9), dice.randrange(3), dice.randrange(4), encode([[3, *lane, number, 0]])],
        [10, dice.choice((0, 1, 2**32 - 1)), number],
        [dice.randrange(11, 2**31), some_value(dice)],
    ]
    frame = dice.choice(frames)
    if dice.random() < 0.3:
        frame[dice.randrange(len(frame))] = some_value(dice)
    return frame


@pytest.mark.parametrize("count", [2, 3])
def test_8_1_frames_that_are_nearly_right_stop_nothing(count: int) -> None:
    line = Line(count)
    alpha, bravo = line.hosts[:2]
    dice = Random(8)
    for turn in range(400):
        frames = [some_frame(dice) for _ in range(dice.randrange(1, 6))]
        bravo.lie(0, *(frames if sum(len(encode(frame)) for frame in frames) < 16_000 else frames[:1]))
        if turn % 50 == 0:
            line.pass_time(2_000)
    alpha.say(message("still here"))
    line.settle()
    assert line.hosts[-1].texts() == ["still here"]
    assert alpha.engine.book.mine == GENERATION_ZERO


def test_6_2_no_body_that_a_hostile_author_signs_stops_the_fold() -> None:
    """Every kind, bodies that are nearly right, references to anything: shown as refused or void, alike everywhere."""
    line = Line(3)
    alpha, bravo, charlie = line.hosts
    alpha.say(message("to be named"))
    line.settle()
    dice = Random(6)
    leaf = alpha.shown()[-1].row.nodes[0]
    for turn in range(300):
        ref: Value = [dice.randrange(7), dice.choice((0, 0, 1)), bytes(8), dice.choice((0, 1, 2, 2**47)), leaf]
        named: dict[int, Value] = {1: ref}
        policy: dict[int, Value] = {
            0: "t",
            1: ["en"],
            2: 1,
            3: [1, 1, 1, 1],
            4: [1, 1, 1],
            5: False,
            6: [1, 2],
            7: False,
            9: named,
        }
        members: list[Value] = [ref, policy, 0, 1, 2, "A", "en", True, bytes(32), 2**32 - 1, -(2**48), [0], [ref], None]
        body = {key: dice.choice(members) for key in range(dice.randrange(1, 10))}
        good: dict[int, Value] = {
            4: {0: alpha.engine.terms.line, 1: policy},
            5: {0: ref},
            17: {0: ref, 1: 1, 2: 0, 3: "A", 4: 0},
        }
        kind = dice.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 99, 65_535))
        bravo.write(kind, encode(good.get(kind, body) if turn % 3 else body), urgent=dice.random() < 0.5)
    line.settle()
    alpha.say(message("still here"))
    line.settle()
    assert charlie.texts()[-1] == "still here"
    assert alpha.engine.fold.digest() == charlie.engine.fold.digest()
    for host in (alpha, charlie):
        digest = host.engine.fold.digest()
        host.boot()
        assert host.engine.fold.digest() == digest


def test_7_7_more_refused_entries_than_one_acknowledgement_names_follow_at_once() -> None:
    """And 4.15: indexes ascend, each is named once, the rest in the entries right after."""
    line = Line()
    alpha, bravo = line.hosts
    line.cut(0, 1)
    for _ in range(700):
        bravo.write(16, b"\xff", urgent=False)
        bravo.write(11, b"\xff", urgent=True)
    line.join(0, 1)
    line.settle(rounds=2_000)
    named: dict[int, list[int]] = {2: [], 3: []}
    for shown in alpha.shown():
        if shown.lane.party == 0:
            for item in decode_ack(shown.row.entry.ack):
                assert len(item.refused) <= MAX_REFUSED
                assert all(index < item.size for index in item.refused)
                assert list(item.refused) == sorted(set(item.refused))
                named.get(item.lane, []).extend(item.refused)
    assert len(named[2]) == len(named[3]) == 700
    assert all(len(set(indexes)) == 700 for indexes in named.values())
    assert alpha.engine.peers[1].party == 1
    alpha.say(message("not stopped"))
    line.settle()
    assert bravo.texts() == ["not stopped"]


def test_4_15_a_crash_loses_no_name_of_a_refused_entry() -> None:
    """After it nothing here knows which were named: whoever acknowledges says in the same commit which it could not open."""
    line = Line()
    alpha, bravo = line.hosts
    line.cut(0, 1)
    for _ in range(400):
        bravo.write(16, b"\xff", urgent=False)
    lane = bravo.engine.book.own(urgent=False).lane
    alpha.held = deque()
    line.join(0, 1)
    while alpha.store.size(lane) < 100:
        line.deliver()
        bravo.give(Tick())
        if alpha.held:
            commit = alpha.held.popleft()
            alpha.store.commit(commit.writes)
            alpha.mark = commit.mark or alpha.mark
            if alpha.store.size(lane) < 100:
                alpha.give(Committed(commit.token))
        else:
            line.steady += 250
    alpha.held = None
    alpha.boot()  # as after kill -9 between this commit and the next
    line.link_all()
    line.settle(rounds=2_000)
    line.pass_time(30_000)
    named: list[int] = []
    held_to = 0
    for row in alpha.store.entries(alpha.engine.book.own(urgent=True).lane, 0, 10_000):
        for item in decode_ack(row.entry.ack):
            if item.lane == lane.number:
                named.extend(item.refused)
                held_to = item.size
    refused = [row.index for row in alpha.store.entries(lane, 0, held_to) if row.refused]
    assert len(refused) > 300
    assert sorted(named) == refused


def test_9_6_bytes_of_strangers_stop_nothing() -> None:
    line = Line()
    alpha, bravo = line.hosts
    dice = Random(9)
    true = bravo.seal(0, [])
    for size in (0, 1, 6, 7, 22, 23, 255, 256, 257, 1_024, 4_096, 16_384, 16_385):
        for start in (b"", b"\x01", true[:7], true[:40]):
            alpha.give(Arrived((start + dice.randbytes(size))[:size]))
    alpha.give(Arrived(true))
    bravo.say(message("heard"))
    line.settle()
    assert alpha.texts() == ["heard"]


def test_13_11_a_claimed_generation_of_ours_moves_no_counter() -> None:
    """Neither now nor at the next start: a claim without our signature changes nothing."""
    line = Line()
    alpha, bravo = line.hosts
    bravo.lie(0, GenerationSeed(party=0, generation=FAR, seed=bytes(32), statement=b""))
    line.settle()
    assert not [put for put in alpha.store.generations() if put.generation == FAR]
    alpha.boot()
    assert alpha.engine.book.mine == GENERATION_ZERO
    backup = alpha.store.backup()
    alpha.say(message("lost and found"))
    line.settle()
    alpha.restore(backup)
    bravo.lie(0, GenerationSeed(party=0, generation=FAR, seed=bytes(32), statement=b""))
    line.link_all()
    line.settle()
    line.pass_time(20_000)
    assert alpha.engine.book.mine.counter <= 2
    assert "lost and found" in alpha.texts()


def test_4_4_a_generation_nobody_holds_displaces_no_lane() -> None:
    """A member that speaks of another's generation with the same counter does not divert its entries."""
    line = Line(3)
    alpha, bravo, charlie = line.hosts
    for nonce in (b"\xff" * 8, b"\x01" * 8):
        charlie.lie(1, [1, 0, 0, nonce, bytes(32), b""])
        charlie.lie(1, GenerationSeed(party=0, generation=Generation(1, nonce), seed=bytes(32), statement=b""))
    alpha.say(message("to all"))
    line.settle()
    assert bravo.texts() == ["to all"]
    assert not bravo.engine.peers[0].suspected


def test_4_4_claims_about_generations_fill_neither_table_nor_disk() -> None:
    line = Line(3)
    bravo, charlie = line.hosts[1:]
    stored = len(bravo.store.generations())
    for number in range(1, 300):
        generation = Generation(number, bytes(8))
        charlie.lie(1, GenerationSeed(party=0, generation=generation, seed=bytes(32), statement=b""))
        lane = parties.lane(0, generation)
        charlie.lie(1, Held(heads=((lane, 7),)), Want(lane=lane, first=0, full=True))
    line.settle()
    assert len(bravo.store.generations()) == stored
    assert len(bravo.engine.book.generations(0)) <= 9
    assert len(bravo.engine.peers[2].told) < 16
    assert len(bravo.engine.peers[2].wanted) < 512


def test_7_15_another_members_seed_does_not_replace_the_partys_own() -> None:
    line = Line(3)
    alpha, bravo, charlie = line.hosts
    true = alpha.engine.book.named.get(0, GENERATION_ZERO)
    charlie.lie(1, GenerationSeed(party=0, generation=GENERATION_ZERO, seed=bytes(32), statement=b""))
    assert bravo.engine.book.named.get(0, GENERATION_ZERO) == true


def full_of(line: Line, author: int, number: int, first: int, count: int) -> Value:
    """A true full frame of an author's lane, as a value that a test may spoil."""
    host = line.hosts[author]
    state = host.engine.book.state(host.engine.book.lane(number, host.engine.book.mine))
    rows = host.engine.book.rows(state, first, count)
    signature = host.engine.sending.signature(state, first + count)
    entries: list[Value] = [
        [
            leaf_of(state.lane, row.index, row.entry),
            row.entry.secret,
            row.entry.kind,
            row.entry.time,
            row.entry.ack,
            row.entry.body,
        ]
        for row in rows
    ]
    return [4, number, 0, bytes(8), first, entries, signature]


def test_7_9_a_member_that_spoils_anothers_entry_does_not_have_it_refused() -> None:
    """Not even when its frame came early and the author's own frame makes it fit."""
    line = Line(3)
    alpha, bravo, charlie = line.hosts
    line.cut(0, 1)
    alpha.say(message("one"))
    alpha.say(message("two"))
    traffic = alpha.engine.book.own(urgent=False).lane.number
    spoilt = full_of(line, 0, traffic, 2, 1)
    assert isinstance(spoilt, list)
    spoilt[5] = [[spoilt[5][0][0], bytes(32), b"", b"", b"", b""]]
    charlie.lie(1, spoilt)
    bravo.give(Arrived(alpha.seal(1, [full_of(line, 0, traffic, 1, 1)])))
    assert bravo.texts() == ["one"]
    line.join(0, 1)
    line.settle()
    line.pass_time(10_000)
    assert bravo.texts() == ["one", "two"]
    assert not bravo.noticed("refused-entry")


def test_12_3_what_does_not_check_costs_its_author_no_quota() -> None:
    line = Line(3, policy=Policy(traffic_per_hour=20))
    alpha, bravo, charlie = line.hosts
    for _ in range(60):
        entry: Value = [bytes(184), bytes(32), encode(16), encode(0), b"\x80", b"\xa0"]
        charlie.lie(1, [4, 1, 0, bytes(8), bravo.engine.book.state(parties.lane(1)).size or 1, [entry], bytes(64)])
    alpha.say(message("within quota"))
    line.settle()
    assert bravo.texts() == ["within quota"]


def test_12_3_one_large_frame_does_not_pass_for_a_small_one() -> None:
    line = Line(policy=Policy(urgent_per_hour=50, traffic_per_hour=0))
    alpha, bravo = line.hosts
    line.cut(0, 1)
    for _ in range(400):
        alpha.say(watch())
    line.join(0, 1)
    line.settle()
    line.pass_time(30 * 60_000, step=30_000)
    assert len([shown for shown in bravo.shown() if shown.lane.party == 0]) < 460
    assert bravo.noticed("quota")


def acknowledging(line: Line, author: int, items: list[FullAck]) -> Entries:
    """A true signed frame of one watch entry with any acknowledgement, by a host that writes it nowhere else."""
    host = line.hosts[author]
    book = host.engine.book
    state = book.own(urgent=True)
    raw = encode(
        [
            [i.lane.number, i.lane.generation.counter, i.lane.generation.nonce, i.size, i.root, list(i.refused)]
            for i in items
        ]
    )
    body = encode({0: True, 1: 0, 2: "A"})
    seed = book.named.get(author, book.mine).seed
    entry = Entry(
        kind=b"\x0a", time=encode(0), ack=raw, body=body, secret=leaf_secret(seed, state.lane.number, state.size)
    )
    grown = extend(state.lane, state.peaks, [entry])
    signature = host.signer.ed25519(grown.head(state.lane).text())
    item = WireEntry(kind=10, delta=-state.last_time, ack=tuple(items), body=body)
    return Entries(lane=state.lane.number, counter=0, first=state.size, items=(item,), signature=signature)


def test_7_7_an_acknowledgement_of_lanes_that_are_not_there_is_refused_and_starts_again_can_be_survived() -> None:
    """It must not stop the line when it comes, nor when the station starts and reads it again."""
    line = Line()
    alpha, bravo = line.hosts
    item = FullAck(lane=parties.lane(31), size=1, root=bytes(32), refused=())
    bravo.lie(0, acknowledging(line, 1, [item]))
    assert alpha.noticed("refused-entry")
    alpha.boot()
    line.link_all()
    alpha.say(message("up again"))
    assert alpha.texts()[-1] == "up again"


def test_7_16_an_acknowledgement_of_another_history_is_suspicion_and_not_counted() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("one"))
    line.settle()
    before = len(alpha.holds(1))
    traffic = alpha.engine.book.own(urgent=False).lane
    bravo.lie(0, acknowledging(line, 1, [FullAck(lane=traffic, size=2, root=bytes(32), refused=())]))
    assert alpha.engine.peers[1].suspected == "acknowledges-another-history"
    assert len(alpha.holds(1)) == before


def test_4_16_an_acknowledgement_that_goes_back_is_suspicion_and_not_counted() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("one"))
    line.settle()
    state = alpha.engine.book.own(urgent=False)
    item = FullAck(lane=state.lane, size=1, root=alpha.engine.book.root_at(state, 1), refused=())
    bravo.lie(0, acknowledging(line, 1, [item]))
    assert alpha.engine.peers[1].suspected == "acknowledgement-went-back"
    assert alpha.engine.peers[1].holds[state.lane.key] == 2


def test_9_9_an_index_that_was_never_used_was_not_opened() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.give(Arrived(bravo.seal(0, [], first_unopened=2**48 - 1)))
    alpha.say(message("kept until opened"))
    peer = alpha.engine.peers[1]
    assert peer.first_unopened <= peer.epoch.outgoing.index  # type: ignore[union-attr]
    assert peer.outbox


def test_7_18_wants_without_end_queue_no_more_than_their_bound() -> None:
    """A peer that never opens anything cannot make us keep more and more control frames for it."""
    line = Line()
    alpha, bravo = line.hosts
    lane = alpha.engine.book.own(urgent=True).lane
    for number in range(2_000):
        bad = WireEntry(kind=10, delta=0, ack=None, body=b"\xa0")
        first = number % max(bravo.engine.book.own(urgent=True).size, 1)
        bravo.lie(
            0,
            Entries(lane=2, counter=0, first=first, items=(bad,), signature=bytes(64)),
            Want(lane=lane, first=0, full=True),
        )
    assert len(alpha.engine.peers[1].control) <= 256
    assert len(alpha.engine.peers[1].outbox) <= 1_024


def test_8_9_chunks_that_nobody_asked_for_are_refused() -> None:
    line = Line()
    alpha, bravo = line.hosts
    bravo.lie(
        0, Chunk(attachment=bytes(32), number=0, data=b"x" * 300), ChunkWant(attachment=bytes(32), first=0, count=9)
    )
    assert alpha.store.chunks(bytes(32)) == 0
    assert alpha.noticed("frame-refused")


def test_7_6_a_flood_of_repeated_envelopes_is_answered_seldom() -> None:
    """Somebody on the way repeats what it recorded: no envelope of ours for each of its own."""
    line = Line()
    alpha, bravo = line.hosts
    bravo.say(message("recorded"))
    recorded = [sent for host, sent in line.under_way if host == 1]
    line.settle()
    alpha.outputs.clear()
    for _ in range(500):
        for sent in recorded:
            alpha.give(Arrived(sent.envelope))
    assert recorded
    assert len(alpha.transmitted()) <= 2


def test_8_4_a_head_of_ours_that_we_did_not_sign_changes_nothing() -> None:
    line = Line()
    alpha, bravo = line.hosts
    head = Head(lane=alpha.engine.book.own(urgent=True).lane, size=3, root=bytes(32))
    bravo.lie(0, HeadNote(signed=SignedHead(head=head, ed25519=bravo.signer.ed25519(head.text()))))
    line.settle()
    assert alpha.engine.book.mine == GENERATION_ZERO
    assert not alpha.noticed("second-writer")


def test_11_11_a_second_writer_with_our_key_is_told_at_once_and_left_behind() -> None:
    line = Line()
    alpha, bravo = line.hosts
    head = Head(lane=alpha.engine.book.own(urgent=True).lane, size=2, root=bytes(32))
    bravo.lie(0, HeadNote(signed=SignedHead(head=head, ed25519=alpha.signer.ed25519(head.text()))))
    line.settle()
    assert alpha.noticed("second-writer")
    assert alpha.engine.book.mine.counter == 1
    bravo.lie(0, HeadNote(signed=SignedHead(head=head, ed25519=alpha.signer.ed25519(head.text()))))
    line.settle()
    assert alpha.engine.book.mine.counter == 1
    alpha.say(message("in the new generation"))
    line.settle()
    assert bravo.texts() == ["in the new generation"]


def test_13_2_nothing_is_signed_sent_or_shown_before_it_is_durable() -> None:
    line = Line()
    alpha = line.hosts[0]
    alpha.held = deque()
    alpha.outputs.clear()
    alpha.say(message("not yet"))
    alpha.give(Tick())
    assert not [o for o in alpha.outputs if isinstance(o, Shown | Transmit)]
    assert not alpha.accepted()
    alpha.release()
    line.settle()
    assert alpha.texts() == ["not yet"] == line.hosts[1].texts()
