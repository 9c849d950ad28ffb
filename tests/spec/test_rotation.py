"""New lane keys on a line that stands, between real engines: planned, after a theft, and after a loss. Spec 3, 10, 11, 13."""

from collections import deque
from hashlib import sha256

import pytest

from openline.kernel.codec import encode
from openline.kernel.envelope import handshake_key, seal_handshake
from openline.kernel.errors import Conflict, Foreign, Refused
from openline.kernel.keys import make_statement
from openline.kernel.lane import GENERATION_ZERO, Entry, Generation, Lane, extend, leaf_of, leaf_secret
from openline.kernel.merkle import Peaks
from openline.protocol.bodies import encode_body
from openline.protocol.entries import Attachment, Cause, EpochEntry, GenerationEntry, Mode
from openline.protocol.epochs import NO_ROOT, Handshake
from openline.protocol.events import Arrived, Renew, Rotate, Stow
from openline.protocol.frames import FullEntries, GenerationSeed
from openline.protocol.generations import MAX_COUNTERS, MAX_GENERATIONS
from openline.protocol.records import Mark, PutGeneration
from openline.protocol.statements import decode_contradiction, encode_contradiction
from openline.protocol.vouching import disputed
from tests.sim.memory_store import MemoryStore
from tests.spec import parties
from tests.spec.line import Host, Line, message


def rotated(line: Line) -> Generation:
    """The first party goes on under another key."""
    generation, _ = line.hosts[0].rotate("second key")
    line.settle()
    return generation


def openings(host: Host, party: int) -> list[GenerationEntry]:
    return [
        shown.entry for shown in host.shown()
        if isinstance(shown.entry, GenerationEntry) and shown.lane.party == party and shown.lane.urgent
    ]  # fmt: skip


def both_agree(line: Line) -> bool:
    return len({host.engine.fold.digest() for host in line.hosts}) == 1


def modes(host: Host) -> list[Mode]:
    return [s.entry.mode for s in host.shown() if isinstance(s.entry, EpochEntry) and s.lane.party == host.party]


def test_3_10_the_root_and_the_new_key_suffice_to_rotate() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("under the first"))
    line.settle()
    generation = rotated(line)
    alpha.say(message("under the second"))
    bravo.say(message("heard"))
    line.settle()
    assert bravo.texts(0) == ["under the first", "under the second"]
    assert alpha.texts(1) == ["heard"]
    assert [entry.cause for entry in openings(bravo, 0)] == [Cause.ROTATION]
    lane = bravo.engine.book.lane(1, generation)
    assert bravo.engine.book.owner(lane).ed25519_key == parties.signer("second key").public.ed25519_key
    assert both_agree(line)


def test_3_10_a_message_that_waits_when_the_key_changes_is_said_once() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.held = deque()
    alpha.say(message("one"))
    alpha.say(message("two"))
    alpha.rotate("second key")
    alpha.say(message("three"))
    alpha.release()
    line.settle()
    assert sorted(bravo.texts(0)) == ["one", "three", "two"]
    assert both_agree(line)


def test_3_10_the_first_generation_stays_verifiable_and_is_signed_again_as_it_stands() -> None:
    """And 13.10: a peer that was restored gets both generations again, each under its own key."""
    line = Line()
    alpha, bravo = line.hosts
    state = bravo.store.backup()
    alpha.say(message("under the first"))
    line.settle()
    rotated(line)
    alpha.say(message("under the second"))
    line.settle()
    alpha.boot()
    bravo.restore(state)
    line.link_all()
    line.settle()
    line.pass_time(20_000)
    assert sorted(set(bravo.texts(0))) == ["under the first", "under the second"]
    assert both_agree(line)


def test_3_14_what_the_root_did_not_sign_for_this_place_changes_nothing() -> None:
    line = Line()
    alpha, bravo = line.hosts
    before = alpha.engine.book.mine
    alpha.rotate("second key", root=parties.signer("a stranger"))
    stale = Generation(0, parties.secret("nonce")[:8])
    key = parties.signer("second key")
    for place, by in ((bytes(32), 0), (line.terms.line, 1)):
        statement = make_statement(place, by, Generation(1, bytes(8)), key.public, parties.ROOTS[alpha.name])
        with pytest.raises(Foreign):
            alpha.engine.book.stated(0, Generation(1, bytes(8)), statement)
    assert [each.code for each in alpha.rejected()] == ["forged"]
    assert alpha.engine.book.mine == before
    assert stale not in alpha.engine.book.generations(0)
    alpha.say(message("as before"))
    line.settle()
    assert bravo.texts(0) == ["as before"]


def test_3_14_a_generation_that_is_not_above_all_known_is_not_opened() -> None:
    line = Line()
    alpha = line.hosts[0]
    generation = rotated(line)
    alpha.rotate("third key", generation.counter)
    assert [each.code for each in alpha.rejected()] == [Conflict.code]
    assert alpha.engine.book.mine == generation


def stated(line: Line, party: int, generation: Generation, key: str) -> PutGeneration:
    """A generation of that party, said with a statement of its true root for a key of that name."""
    root = parties.ROOTS[line.hosts[party].name]
    statement = make_statement(line.terms.line, party, generation, parties.signer(key).public, root)
    return PutGeneration(party=party, generation=generation, seed=parties.secret(key), statement=statement)


def test_3_14_a_second_statement_for_a_generation_that_has_not_opened_leaves_the_first() -> None:
    line = Line()
    book, generation = line.hosts[0].engine.book, Generation(5, bytes(8))
    first, second = (stated(line, 1, generation, key) for key in ("second key", "third key"))
    book.learn(first)
    with pytest.raises(Conflict):
        book.learn(second)
    assert book.named.get(1, generation) == first
    assert book.rings[1].lane(generation).ed25519_key == parties.signer("second key").public.ed25519_key


def test_3_14_a_statement_gives_no_other_key_to_a_generation_that_is_held() -> None:
    line = Line()
    alpha, bravo = line.hosts
    before = bravo.store.backup()
    bravo.say(message("lost"))
    line.settle()
    bravo.restore(before)
    line.link_all()
    line.pass_time(30_000)
    book = alpha.engine.book
    held, between = book.current(1), Generation(1, bytes(8))
    assert GENERATION_ZERO < between < held
    key = book.rings[1].lane(held)
    with pytest.raises(Conflict):
        book.learn(stated(line, 1, between, "third key"))
    assert book.rings[1].lane(held) == key
    assert not book.knows(1, between)


def test_3_14_a_statement_for_another_key_than_the_one_at_hand_changes_nothing() -> None:
    line = Line()
    alpha = line.hosts[0]
    above = stated(line, 0, Generation(1, bytes(8)), "second key")
    other = parties.signer("third key")
    alpha.give(
        Rotate(token=1, generation=above.generation, statement=above.statement, signer=other, cause=Cause.ROTATION)
    )
    assert [each.code for each in alpha.rejected()] == [Foreign.code]
    assert alpha.engine.book.mine == GENERATION_ZERO
    assert not alpha.engine.book.knows(0, above.generation)


def test_3_6_a_key_of_another_party_is_not_put_in_place() -> None:
    line = Line()
    alpha, bravo = line.hosts
    theirs = parties.LANES[bravo.name].public
    statement = make_statement(line.terms.line, 0, Generation(1, bytes(8)), theirs, parties.ROOTS[alpha.name])
    frame = GenerationSeed(party=0, generation=Generation(1, bytes(8)), seed=bytes(32), statement=statement)
    alpha.lie(1, frame)
    line.settle()
    assert not bravo.engine.book.knows(0, Generation(1, bytes(8)))
    assert bravo.noticed("frame-refused")


def test_10_27_a_rescue_after_a_rotation_shows_the_statement() -> None:
    """The peer rotated while we were down, and our backup is from before: its answer proves its new key by its root."""
    line = Line()
    alpha, bravo = line.hosts
    state = bravo.store.backup()
    line.cut(0, 1)
    alpha.rotate("second key")
    alpha.say(message("under the second"))
    line.settle()
    bravo.restore(state)
    line.link_all()
    line.settle()
    line.pass_time(20_000)
    assert bravo.texts(0) == ["under the second"]
    assert modes(bravo)[-1] is Mode.RESCUE


def test_10_27_who_calls_under_a_key_the_peer_has_not_seen_shows_the_statement() -> None:
    line = Line()
    alpha, bravo = line.hosts
    line.cut(0, 1)
    alpha.rotate("second key")
    line.settle()
    alpha.boot()
    alpha.give(Renew(1))
    line.join(0, 1)
    line.settle()
    line.pass_time(10_000)
    alpha.say(message("after"))
    line.settle()
    assert bravo.texts(0) == ["after"]


def test_10_27_a_renewal_does_not_repeat_a_statement_that_the_peer_has_acknowledged() -> None:
    line = Line()
    alpha, _ = line.hosts
    rotated(line)
    line.pass_time(5_000)
    alpha.give(Renew(1))
    sizes = [len(sent.envelope) for sender, sent in line.under_way if sender == 0]
    assert sizes
    assert max(sizes) <= 4_096
    line.settle()
    assert modes(alpha)[-1] is Mode.RENEWAL


def thief(line: Line, key: str, statement: bytes) -> Handshake:
    """Whoever has the pairing secret and a lane key of the first party."""
    handshake = Handshake(
        line=line.terms.line, own_root=line.terms.parties[0].root, peer_root=line.terms.parties[1].root,
        psk=line.psks(0)[1], signer=parties.LANES[line.hosts[0].name] if not key else parties.signer(key), attempt=7,
    )  # fmt: skip
    handshake.speak_as(handshake._signer, statement, known=False)
    return handshake


def call(line: Line, handshake: Handshake) -> None:
    key = handshake_key(line.psks(0)[1], line.terms.line, 0, 1)
    init = handshake.start([], 0, NO_ROOT, line.hosts[0].entropy).messages[0]
    line.hosts[1].give(Arrived(seal_handshake(key, init, line.hosts[0].entropy)))


def test_10_27_a_key_that_was_replaced_opens_no_epoch_any_more() -> None:
    line = Line()
    _, bravo = line.hosts
    rotated(line)
    for statement in (b"", b"\x83"):
        before = len(bravo.transmitted())
        call(line, thief(line, "", statement))
        assert len(bravo.transmitted()) == before
    assert len(bravo.noticed("handshake-refused")) == 2


def test_10_27_a_statement_of_an_earlier_generation_is_not_believed_again() -> None:
    line = Line()
    alpha, bravo = line.hosts
    _, first = alpha.rotate("second key")
    line.settle()
    alpha.rotate("third key")
    line.settle()
    before = len(bravo.transmitted())
    call(line, thief(line, "second key", first))
    assert len(bravo.transmitted()) == before
    assert len(bravo.noticed("handshake-refused")) == 1


def test_13_15_a_station_whose_root_certified_a_generation_opens_it_with_nothing_else_left() -> None:
    """The station is gone with everything in it; its root signs for a new key, and the peer gives back what it holds."""
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("before the fire"))
    bravo.say(message("answered"))
    line.settle()
    line.cut(0, 1)
    rebuild(line, Generation(5, parties.secret("nonce")[:8]))
    line.link_all()
    line.settle()
    line.pass_time(30_000)
    alpha.say(message("after the fire"))
    line.settle()
    assert sorted(set(alpha.texts())) == ["after the fire", "answered", "before the fire"]
    assert bravo.texts(0)[-1] == "after the fire"
    assert both_agree(line)
    assert [entry.cause for entry in openings(bravo, 0)] == [Cause.RESTORED]


def rebuild(line: Line, generation: Generation) -> None:
    """An empty store and the root's word."""
    alpha, new = line.hosts[0], parties.signer("key after the fire")
    statement = make_statement(line.terms.line, 0, generation, new.public, parties.ROOTS[alpha.name])
    alpha.signer, alpha.retired = new, []
    alpha.store = MemoryStore(line.terms.line)
    alpha.store.commit(
        [PutGeneration(party=0, generation=generation, seed=parties.secret("seed of it"), statement=statement)]
    )
    alpha.mark = Mark(generation=generation, urgent=0, traffic=0)
    alpha.outputs.clear()
    alpha.boot()


def test_13_15_a_rebuilt_station_gets_back_many_generations_under_several_keys() -> None:
    line = Line()
    alpha, bravo = line.hosts
    for number in range(12):
        alpha.say(message(f"number {number}"))
        bravo.say(message(f"answer {number}"))
        line.settle()
        if number % 3:
            alpha.restore(alpha.store.backup())
            line.link_all()
        else:
            alpha.rotate(f"key {number}")
        line.settle()
        line.pass_time(3_000)
    top = bravo.engine.book.generations(0)[-1].counter
    rebuild(line, Generation(top + 1, parties.secret("nonce")[:8]))
    line.link_all()
    line.settle(rounds=2_000)
    line.pass_time(120_000)
    assert len(set(alpha.texts())) == 24
    assert both_agree(line)


def test_11_7_a_second_statement_for_one_generation_is_refused_and_kept_as_evidence() -> None:
    """And 11.13: in one form, which whoever has the root key can check."""
    line = Line()
    alpha, bravo = line.hosts
    generation, first = alpha.rotate("second key")
    line.settle()
    other = parties.signer("third key").public
    second = make_statement(line.terms.line, 0, generation, other, parties.ROOTS[alpha.name])
    for _ in range(2):
        alpha.lie(1, GenerationSeed(party=0, generation=generation, seed=bytes(32), statement=second))
        line.settle()
    kept = [put.evidence for put in bravo.store.evidence()]
    assert len(kept) == 1
    assert first in kept[0]
    assert second in kept[0]
    found = decode_contradiction(kept[0], line.terms.line)
    found.check(parties.ROOTS[alpha.name].public)
    assert encode_contradiction(found) == kept[0]
    assert (found.party, found.generation) == (0, generation)
    for root, raw in ((bravo.name, kept[0]), (alpha.name, encode([2, line.terms.line, 0, 1, bytes(8), first, first]))):
        with pytest.raises(Refused):
            decode_contradiction(raw, line.terms.line).check(parties.ROOTS[root].public)
    with pytest.raises(Foreign):
        decode_contradiction(kept[0], bytes(32))
    assert bravo.noticed("keys-contradict")
    bravo.boot()
    line.link_all()
    alpha.say(message("goes on under the one in place"))
    line.settle()
    assert bravo.texts(0)[-1] == "goes on under the one in place"


# --- theft -------------------------------------------------------------------------------------------------------


def test_11_12_what_a_party_does_not_vouch_for_is_disputed_and_changes_no_state() -> None:
    """The thief speaks from a copy of the station; its owner has another store, and replaces the key."""
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("vouched for"))
    line.settle()
    state, mark = alpha.store.copy(), alpha.mark
    alpha.say(message("by the thief"))
    line.settle()
    index = bravo.engine.book.state(bravo.engine.book.lane(1, Generation(0, bytes(8)))).size - 1
    alpha.store.restore(state)
    alpha.mark = mark
    alpha.boot()
    alpha.rotate("second key", cause=Cause.COMPROMISED)
    line.link_all()
    line.settle()
    line.pass_time(10_000)
    fold = bravo.engine.fold
    assert disputed(fold, 1, Generation(0, bytes(8)), index)
    assert not disputed(fold, 1, Generation(0, bytes(8)), index - 1)
    assert not disputed(fold, 1, alpha.engine.book.mine, 0)
    assert "by the thief" in bravo.texts(0)
    assert [entry.cause for entry in openings(bravo, 0)][-1] is Cause.COMPROMISED
    bravo.boot()
    assert disputed(bravo.engine.fold, 1, Generation(0, bytes(8)), index)
    assert both_agree(line)


def stolen(line: Line, generation: Generation) -> None:
    """A thief of the first party's lane key and epoch opens a generation at the second."""
    alpha, seed = line.hosts[0], parties.secret(f"seed of {generation}")
    lane = Lane(line.terms.line, 0, generation)
    opened = Entry(
        kind=encode(2),
        time=encode(1),
        ack=encode([]),
        body=encode_body(GenerationEntry(heads=(), cause=Cause.RESTORED)),
        secret=leaf_secret(seed, 0, 0),
    )
    signature = alpha.signer.ed25519(extend(lane, Peaks(), [opened]).head(lane).text())
    alpha.lie(
        1,
        GenerationSeed(party=0, generation=generation, seed=seed, statement=b""),
        FullEntries(lane=lane, first=0, items=((leaf_of(lane, 0, opened), opened),), signature=signature),
    )


def test_4_19_a_thief_of_a_lane_key_uses_up_no_counters_that_the_next_key_needs() -> None:
    line = Line()
    alpha, bravo = line.hosts
    highest = Generation(MAX_COUNTERS, b"\xff" * 8)
    for generation in (highest, Generation(MAX_COUNTERS + 1, bytes(8)), Generation(2**32 - 1, b"\xff" * 8)):
        stolen(line, generation)
    assert bravo.engine.book.named.held(0) == [GENERATION_ZERO, highest]
    line.settle()
    line.pass_time(5_000)
    alpha.rotate("second key", MAX_COUNTERS + 1, cause=Cause.COMPROMISED)
    line.settle()
    alpha.say(message("under the second"))
    line.settle()
    assert not alpha.rejected()
    assert bravo.texts(0) == ["under the second"]
    stolen_later = Generation(2 * MAX_COUNTERS + 2, bytes(8))
    alpha.lie(1, GenerationSeed(party=0, generation=stolen_later, seed=bytes(32), statement=b""))
    assert stolen_later not in bravo.engine.book.generations(0)
    assert both_agree(line)


def test_4_19_nobody_opens_a_generation_that_the_others_would_not_take() -> None:
    """The station that is shown the highest counter of its key goes on where it is, and says that there is no room."""
    line = Line()
    alpha, bravo = line.hosts
    stolen(line, Generation(MAX_COUNTERS, b"\xff" * 8))
    alpha.give(Renew(1))
    line.settle()
    line.pass_time(5_000)
    assert alpha.noticed("generations-exhausted")
    assert {generation.counter for generation in bravo.engine.book.generations(0)} == {0, MAX_COUNTERS}


def test_4_19_a_thief_of_a_lane_key_leaves_room_for_the_next_key() -> None:
    line = Line()
    alpha, bravo = line.hosts
    for counter in range(1, MAX_GENERATIONS + 2):
        stolen(line, Generation(counter, b"stolen--"))
    assert len(bravo.engine.book.named.held(0)) == MAX_GENERATIONS
    alpha.give(Renew(1))
    line.settle(rounds=5_000)
    line.pass_time(10_000)
    alpha.rotate("second key", cause=Cause.COMPROMISED)
    line.settle()
    alpha.say(message("under the second"))
    line.settle()
    assert not alpha.rejected()
    assert bravo.texts(0) == ["under the second"]


def test_3_19_a_root_key_is_never_replaced_on_a_line() -> None:
    """And 3.21: what another root signs for this party puts nothing in place."""
    line = Line()
    alpha, bravo = line.hosts
    other = parties.signer("another root")
    statement = make_statement(line.terms.line, 0, Generation(1, bytes(8)), parties.signer("key").public, other)
    alpha.lie(1, GenerationSeed(party=0, generation=Generation(1, bytes(8)), seed=bytes(32), statement=statement))
    line.settle()
    assert not bravo.engine.book.knows(0, Generation(1, bytes(8)))


def test_13_15_a_lost_stations_own_files_come_back_from_the_peer() -> None:
    line = Line()
    alpha, bravo = line.hosts
    whole = bytes(range(256)) * 10
    for number in range(10):
        alpha.give(
            Stow(attachment=sha256(whole).digest(), number=number, data=whole[number * 256 : (number + 1) * 256])
        )
    alpha.say(Attachment(name="a", media_type="text/plain", size=len(whole), digest=sha256(whole).digest(), chunk=256))
    line.settle()
    line.pass_time(5_000)
    assert bravo.store.chunks(sha256(whole).digest()) == 10
    rebuild(line, Generation(1, parties.secret("nonce")[:8]))
    line.link_all()
    line.settle()
    line.pass_time(60_000)
    kept = [alpha.store.chunk(sha256(whole).digest(), number) for number in range(10)]
    assert b"".join(piece or b"" for piece in kept) == whole
    assert both_agree(line)


def test_13_16_a_station_restored_from_before_a_rotation_reaches_nobody_and_is_rebuilt() -> None:
    """Its backup has the lane key of before, which its peer believes no more; nothing it says meanwhile is held against it."""
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("before"))
    line.settle()
    state, signer = alpha.store.backup(), alpha.signer
    for name in ("second key", "third key"):
        alpha.rotate(name)
        alpha.say(message(f"under the {name}"))
        line.settle()
    alpha.signer, alpha.retired = signer, []
    alpha.restore(state)
    line.link_all()
    line.pass_time(60_000)
    assert alpha.engine.peers[1].epoch is None
    alpha.rotate("fourth key")
    assert [each.code for each in alpha.rejected()] == [Conflict.code]
    rebuild(line, Generation(bravo.engine.book.generations(0)[-1].counter + 1, parties.secret("nonce")[:8]))
    line.link_all()
    line.settle()
    line.pass_time(30_000)
    alpha.say(message("and back"))
    line.settle()
    wanted = {"before", "under the second key", "under the third key", "and back"}
    assert set(bravo.texts(0)) == set(alpha.texts(0)) == wanted
    assert both_agree(line)
    assert not bravo.noticed("suspected")


def test_10_27_a_handshake_under_way_begins_anew_under_the_new_key() -> None:
    line = Line(opened=False)
    alpha, bravo = line.hosts
    line.link_all()
    line.under_way.clear()
    attempt = alpha.engine.peers[1].handshake.attempt
    assert attempt
    alpha.rotate("second key")
    line.pass_time(1_000, keep=lambda _from, _sent: False)
    assert alpha.engine.peers[1].handshake.attempt > attempt
    line.settle()
    line.pass_time(20_000)
    alpha.say(message("first word"))
    line.settle()
    assert bravo.texts(0) == ["first word"]
