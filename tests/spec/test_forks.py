"""Forks between real engines: suspected, proved, and what goes on. Spec 11."""

import pytest

from openline.kernel.errors import Forged
from openline.kernel.keys import make_statement
from openline.kernel.lane import Fork, Generation, Head, SignedHead, sign_head
from openline.protocol.delivery import Peer
from openline.protocol.events import Arrived, Now
from openline.protocol.forks import decode_fork
from openline.protocol.frames import Frame, GenerationSeed, HeadNote, Want
from openline.protocol.records import Mark
from tests.sim.memory_store import State
from tests.spec import parties
from tests.spec.line import Host, Line, message


def fork(line: Line) -> Line:
    """The first party's whole machine is put back, mark and all, and it says something else to the third."""
    alpha = line.hosts[0]
    line.cut(1, 2)
    state, mark = alpha.store.copy(), alpha.mark
    line.cut(0, 2)
    alpha.say(message("to the second"))
    line.settle()
    put_back(alpha, state, mark)
    line.join(0, 2)
    alpha.say(message("to the third"))
    line.settle()
    line.pass_time(10_000)
    return line


def put_back(host: Host, state: State, mark: Mark | None) -> None:
    host.mark = mark
    host.store.restore(state)
    host.boot()


def proofs(host: Host) -> list[Fork]:
    return [decode_fork(host.store.line, put.evidence) for put in host.store.evidence()]


@pytest.fixture
def forked() -> Line:
    line = fork(Line(3))
    line.join(1, 2)
    line.settle(rounds=2_000)
    line.hosts[1].say(message("from the second"))
    line.hosts[2].say(message("from the third"))
    line.settle(rounds=2_000)
    line.pass_time(120_000)
    return line


def test_11_1_a_party_that_tells_two_histories_is_found_when_two_members_compare(forked: Line) -> None:
    """And 13.13: what runs here is two copies of one station, store and mark alike."""
    _, bravo, charlie = forked.hosts
    assert proofs(bravo) or proofs(charlie)


def test_11_4_what_is_kept_is_proof_to_anybody_with_the_owners_keys(forked: Line) -> None:
    alpha, bravo, charlie = forked.hosts
    for found in proofs(bravo) + proofs(charlie):
        found.check(alpha.signer.public)
        assert found.left.head.lane.party == 0
        with pytest.raises(Forged):
            found.check(bravo.signer.public)


def test_11_6_after_a_proof_nothing_more_is_taken_of_either_history_and_the_line_goes_on(forked: Line) -> None:
    alpha, bravo, charlie = forked.hosts
    finder = bravo if proofs(bravo) else charlie
    before = finder.texts(0)
    alpha.say(message("neither history"))
    forked.settle(rounds=2_000)
    forked.pass_time(10_000)
    assert "neither history" not in finder.texts(0) or alpha.engine.book.mine.counter > 0
    assert finder.texts(0)[: len(before)] == before
    bravo.say(message("the line goes on"))
    forked.settle(rounds=2_000)
    assert "the line goes on" in charlie.texts()


def test_11_2_the_members_who_told_of_it_are_not_suspected(forked: Line) -> None:
    _, bravo, charlie = forked.hosts
    assert not bravo.engine.peers[2].suspected
    assert not charlie.engine.peers[1].suspected


def test_11_4_two_heads_of_one_size_are_proof() -> None:
    line = Line(3)
    alpha, bravo, charlie = line.hosts
    alpha.say(message("one history"))
    line.settle()
    head = Head(lane=alpha.engine.book.own(urgent=False).lane, size=2, root=bytes(32))
    charlie.lie(1, HeadNote(signed=SignedHead(head=head, ed25519=alpha.signer.ed25519(head.text()))))
    line.settle()
    (found,) = proofs(bravo)
    found.check(alpha.signer.public)
    assert bravo.noticed("fork-proved")
    assert not bravo.engine.peers[2].suspected


def test_11_2_a_head_that_was_shown_before_its_entries_must_fit_them() -> None:
    line = Line(3)
    alpha, bravo, charlie = line.hosts
    head = Head(lane=alpha.engine.book.own(urgent=False).lane, size=3, root=bytes(32))
    charlie.lie(1, HeadNote(signed=SignedHead(head=head, ed25519=alpha.signer.ed25519(head.text()))))
    peers = bravo.engine.peers
    assert [party for party, peer in peers.items() if peer.suspected] == []
    for text in ("one", "two", "three"):
        alpha.say(message(text))
        line.settle()
    assert [party for party, peer in peers.items() if peer.suspected] == [0]


def test_11_9_a_head_that_the_owner_did_not_sign_is_refused_and_counts_against_nobody() -> None:
    line = Line(3)
    alpha, bravo, charlie = line.hosts
    alpha.say(message("true"))
    line.settle()
    head = Head(lane=alpha.engine.book.own(urgent=False).lane, size=2, root=bytes(32))
    charlie.lie(1, HeadNote(signed=SignedHead(head=head, ed25519=charlie.signer.ed25519(head.text()))))
    line.settle()
    assert not proofs(bravo)
    assert not any(peer.suspected for peer in bravo.engine.peers.values())


def test_11_6_a_proof_is_remembered_after_a_restart(forked: Line) -> None:
    finder = next(host for host in forked.hosts if proofs(host))
    lanes = set(finder.engine.book.forked)
    finder.boot()
    assert finder.engine.book.forked == lanes


def test_11_5_an_audit_ends() -> None:
    """A member that acknowledges another history in bad faith is asked for it once, not for ever."""
    line = Line(3)
    alpha, bravo, charlie = line.hosts
    for number in range(5):
        alpha.say(message(f"entry {number}"))
        line.settle()
    head = Head(lane=alpha.engine.book.own(urgent=False).lane, size=3, root=bytes(32))
    envelope = charlie.seal(1, [HeadNote(signed=SignedHead(head=head, ed25519=alpha.signer.ed25519(head.text())))])
    bravo.give(Arrived(envelope))
    line.settle(rounds=2_000)
    line.pass_time(60_000)
    bravo.outputs.clear()
    line.pass_time(600_000, step=10_000)
    assert len(bravo.transmitted()) < 200


def test_11_3_suspicion_stays_with_its_cause_and_stops_nothing() -> None:
    """Also over a restart, and although the lane that was doubted checks ever after."""
    line = Line(3)
    alpha, bravo, charlie = line.hosts
    head = Head(lane=alpha.engine.book.own(urgent=False).lane, size=3, root=bytes(32))
    charlie.lie(1, HeadNote(signed=SignedHead(head=head, ed25519=alpha.signer.ed25519(head.text()))))
    for text in ("one", "two", "three"):
        alpha.say(message(text))
        line.settle()
    cause = bravo.engine.peers[0].suspected
    assert cause
    bravo.boot()
    line.link_all()
    alpha.say(message("four"))
    line.settle()
    line.pass_time(60_000)
    assert bravo.engine.peers[0].suspected in {cause, "fork-proved"}
    assert "four" in bravo.texts(0)


def test_11_12_a_stolen_lane_key_opens_nothing_in_the_generation_that_a_key_statement_opened() -> None:
    line = Line()
    alpha, bravo = line.hosts
    successor, fresh = Generation(1, b"rotated\x00"), parties.signer("fresh lane")
    statement = make_statement(line.terms.line, 0, successor, fresh.public, parties.ROOTS[alpha.name])
    alpha.lie(1, GenerationSeed(party=0, generation=successor, seed=parties.secret("new seed"), statement=statement))
    lane = bravo.engine.book.lane(0, successor)
    assert bravo.engine.book.owner(lane).ed25519_key == fresh.public.ed25519_key
    assert (
        bravo.engine.book.owner(alpha.engine.book.own(urgent=True).lane).ed25519_key == alpha.signer.public.ed25519_key
    )
    head = Head(lane=lane, size=1, root=bytes(32))
    by_thief = SignedHead(head=head, ed25519=alpha.signer.ed25519(head.text()))
    with pytest.raises(Forged):
        by_thief.check(bravo.engine.book.owner(lane))


def test_7_17_who_acknowledges_another_history_of_a_third_is_asked_to_show_it() -> None:
    line = fork(Line(3))
    asked = wants(line.hosts[1]) + wants(line.hosts[2])
    line.join(1, 2)
    line.hosts[1].say(message("from the second"))
    line.hosts[2].say(message("from the third"))
    line.settle(rounds=2_000)
    line.pass_time(60_000)
    heard = [want for each in asked for want in each]
    assert any(want.full and want.first == 0 and want.lane.party == 0 for want in heard)


def wants(host: Host) -> list[list[Want]]:
    """Everything that this host is asked for from now on."""
    found: list[Want] = []
    take = host.engine.intake._take

    def listening(peer: Peer, frame: Frame, now: Now) -> None:
        if isinstance(frame, Want):
            found.append(frame)
        take(peer, frame, now)

    host.engine.intake._take = listening  # type: ignore[method-assign]
    return [found]


def test_7_26_every_member_gets_the_owners_second_signature_and_makes_the_proof_itself(forked: Line) -> None:
    line = Line(3)
    line.pass_time(5_000)
    lane = line.hosts[0].engine.book.own(urgent=True).lane
    for host in line.hosts[1:]:
        cosigned = [signed for signed in host.store.heads(lane, 0, 99) if signed.mldsa]
        assert cosigned
        for signed in cosigned:
            signed.check(line.hosts[0].signer.public)
    alpha, bravo, charlie = forked.hosts
    for host in (bravo, charlie):
        assert proofs(host)
        for found in proofs(host):
            found.check(alpha.signer.public)


def test_11_6_after_a_proof_further_contradictions_are_not_kept() -> None:
    """One proves it; who contradicts itself without end fills no disk (12.1, MAX_EVIDENCE)."""
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("said once"))
    line.settle()
    state = alpha.engine.book.own(urgent=False)
    for number in range(20):
        head = Head(lane=state.lane, size=state.size, root=parties.secret(f"another {number}"))
        alpha.lie(1, HeadNote(signed=sign_head(alpha.signer, head)))
    assert len(proofs(bravo)) == 1
    assert len(bravo.noticed("fork-proved")) == 1
    bravo.boot()
    head = Head(lane=state.lane, size=state.size, root=parties.secret("and another"))
    line.link_all()
    line.settle()
    alpha.lie(1, HeadNote(signed=sign_head(alpha.signer, head)))
    assert len(proofs(bravo)) == 1


def test_11_8_the_owner_of_a_forked_lane_is_shown_the_proof_and_goes_on_in_a_new_generation() -> None:
    """Also 11.11: a second writer has spoken. Else the owner's line looks sound and nothing of it arrives any more."""
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("said once"))
    line.settle()
    state = alpha.engine.book.own(urgent=False)
    head = Head(lane=state.lane, size=state.size, root=parties.secret("another"))
    alpha.lie(1, HeadNote(signed=sign_head(alpha.signer, head)))
    assert len(proofs(bravo)) == 1
    assert alpha.engine.book.mine.counter == 0
    alpha.say(message("taken by nobody"))
    line.settle()
    line.pass_time(10_000)
    assert len(alpha.noticed("second-writer")) == 1
    assert alpha.engine.book.mine.counter == 1
    alpha.say(message("and on it goes"))
    line.settle()
    line.pass_time(200_000)
    assert bravo.texts(0) == ["said once", "and on it goes"]
    assert alpha.engine.book.mine.counter == 1
    assert len(alpha.noticed("second-writer")) == 1
    assert not bravo.noticed("second-writer")


def test_13_11_a_larger_head_of_ones_own_lane_under_ones_own_signature_ends_the_generation() -> None:
    """Nothing is signed before it is durable, so somebody else signed it."""
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("said once"))
    line.settle()
    state = alpha.engine.book.own(urgent=False)
    head = Head(lane=state.lane, size=state.size + 3, root=parties.secret("another"))
    bravo.lie(0, HeadNote(signed=sign_head(bravo.signer, head)))  # not ours: it counts against nobody
    assert alpha.engine.book.mine.counter == 0
    bravo.lie(0, HeadNote(signed=sign_head(alpha.signer, head)))
    assert alpha.engine.book.mine.counter == 1
    assert len(alpha.noticed("second-writer")) == 1
