"""What is held of generations that have ended: signed apart, counted, and shown as held. Spec 4.18."""

import pytest

from openline.kernel.codec import Value, encode
from openline.kernel.errors import Malformed, TooLarge
from openline.kernel.lane import GENERATION_ZERO, Generation
from openline.protocol.acknowledgements import MAX_ENDED, AckItem
from openline.protocol.bodies import decode_body, encode_body
from openline.protocol.entries import Ack, Kind
from openline.protocol.events import Tick
from openline.protocol.hearing import MAX_CLAIMS
from openline.stores import sealing
from tests.contract.store_contract import a_peer
from tests.spec.line import Host, Line, message, watch

ROOT = bytes(range(32))


def item(lane: int = 2, counter: int = 0, size: int = 7, refused: tuple[int, ...] = ()) -> AckItem:
    generation = Generation(counter, bytes(7) + b"n") if counter else GENERATION_ZERO
    return AckItem(lane=lane, generation=generation, size=size, root=ROOT, refused=refused)


def said(host: Host) -> list[AckItem]:
    """All that a host has said of ended generations."""
    found = (each.entry for each in host.shown() if each.lane.party == host.party and isinstance(each.entry, Ack))
    return [each for ack in found for each in ack.ended]


def unheld(host: Host, peer: int) -> list[str]:
    """Own lanes, of any generation, of which a peer is not known to hold all that asks for an acknowledgement."""
    found = []
    for state in host.engine.book.all_states():
        if state.lane.party == host.party:
            rows = host.store.entries(state.lane, 0, state.size)
            due = max((row.index + 1 for row in rows if row.entry.kind != encode(int(Kind.ACK))), default=0)
            if host.engine.peers[peer].holds.get(state.lane.key, 0) < due:
                found.append(str(state.lane))
    return found


def test_4_18_the_items_are_those_of_the_field_of_any_generation_in_one_order() -> None:
    items = (item(2, 0), item(2, 1, refused=(1, 5)), item(3, 0), item(3, 4))
    body = encode_body(Ack(items))
    assert decode_body(Kind.ACK, body) == Ack(items)
    assert encode_body(Ack()) == encode({})
    for wrong in ((items[1], items[0]), (items[0], items[0]), (item(3, 0), item(2, 1))):
        with pytest.raises(Malformed):
            decode_body(Kind.ACK, encode_body(Ack(wrong)))
    full = tuple(item(2, counter) for counter in range(MAX_ENDED + 1))
    assert decode_body(Kind.ACK, encode_body(Ack(full[:-1]))) == Ack(full[:-1])
    with pytest.raises(TooLarge):
        decode_body(Kind.ACK, encode_body(Ack(full)))
    values: tuple[Value, ...] = (None, 1, [1], [[2, 0, bytes(8), 7, ROOT]], [[2, 0, bytes(8), 0, ROOT, []]])
    for value in values:
        with pytest.raises(Malformed):
            decode_body(Kind.ACK, encode({0: value}))


@pytest.mark.parametrize("older", [0, 1])
def test_4_18_what_both_had_lost_or_nearly_and_got_back_is_shown_as_held(older: int) -> None:
    """Both are restored, one of them from an earlier backup; what the other still has comes back, and counts."""
    line = Line()
    backups = [host.store.backup() for host in line.hosts]
    for number in range(3):
        for host in line.hosts:
            host.say(message(f"{host.name} {number}"))
            host.say(watch())
    line.settle()
    backups[1 - older] = line.hosts[1 - older].store.backup()
    for host, backup in zip(line.hosts, backups, strict=True):
        host.restore(backup)
    line.link_all()
    line.pass_time(120_000)
    for host in line.hosts:
        other = line.hosts[1 - host.party]
        assert len({text for text in host.texts() if text.startswith(other.name)}) == 3
        assert not unheld(host, other.party)


def test_4_18_the_end_of_a_generation_that_was_still_under_way_is_shown_as_held() -> None:
    line = Line()
    alpha, bravo = line.hosts
    line.cut(0, 1)
    alpha.say(message("under the old key"))
    alpha.rotate("ALPHA lane 2")
    alpha.say(message("under the new one"))
    line.join(0, 1)
    line.pass_time(60_000)
    assert not unheld(alpha, 1)
    assert {each.lane for each in said(bravo)} == {1}  # of the other, all that asks for it had been acknowledged
    assert not said(alpha)


def test_4_18_who_opens_a_generation_says_it_of_all_that_have_ended_and_once() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("first"))
    line.settle()
    alpha.rotate("ALPHA lane 2")
    alpha.say(message("second"))
    line.pass_time(20_000)
    assert not said(bravo)  # its acknowledgements named all of it before it ended
    bravo.rotate("BRAVO lane 2")
    line.pass_time(20_000)
    assert [(each.lane, each.generation.counter) for each in said(bravo)] == [(0, 0), (1, 0)]
    assert not unheld(alpha, 1)
    for host in line.hosts:
        host.say(message("and so on"))
    line.pass_time(20_000)
    assert len(said(bravo)) == 2


def test_4_18_it_is_repeated_until_it_was_opened() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.rotate("ALPHA lane 2")
    line.pass_time(30_000)
    bravo.engine.book.unsaid.add((0, GENERATION_ZERO))
    bravo.give(Tick())
    assert line.under_way
    line.under_way.clear()  # lost; and nothing else is ever said
    line.pass_time(30_000)
    assert [each.entry for each in alpha.shown()][-1] == Ack(tuple(said(bravo)))
    assert said(bravo)


def test_4_18_two_whose_last_word_it_is_do_not_repeat_it_to_each_other_for_ever() -> None:
    line = Line()
    for host in line.hosts:
        host.rotate(f"{host.name} lane 2")
        line.pass_time(30_000)
    for host in line.hosts:
        host.engine.book.unsaid.add((2 - 2 * host.party, GENERATION_ZERO))
        host.give(Tick())
    line.under_way.clear()
    line.pass_time(120_000)
    for host in line.hosts:
        assert said(host)
        host.outputs.clear()
    line.pass_time(120_000)
    assert not [host.transmitted() for host in line.hosts if host.transmitted()]


def test_4_18_what_it_names_beyond_what_is_here_counts_when_it_has_come_and_across_a_restart() -> None:
    line = Line()
    alpha, bravo = line.hosts
    backup = alpha.store.backup()
    alpha.say(message("lost, and coming back"))
    line.settle()
    size = alpha.engine.book.own(urgent=False).size
    alpha.restore(backup)
    line.link_all()
    line.pass_time(3_000)
    state = alpha.engine.book.state(alpha.engine.book.lane(1, GENERATION_ZERO))
    # As if the word had come before the entries: the peer claims more than there is, and the process ends.
    peer = alpha.engine.peers[1]
    peer.holds.pop(state.lane.key, None)
    peer.ended[state.lane.key] = size, alpha.engine.book.root_at(state, size)
    kept = sealing.as_peer(1, sealing.peer_row(peer.record()), None)
    assert kept.ended == ((*state.lane.key, size, peer.ended[state.lane.key][1]),)
    alpha.engine.intake.hearing.again(peer, line.now())
    assert not peer.ended
    assert peer.holds[state.lane.key] == size
    assert bravo.texts()


def test_4_18_a_store_of_before_has_nothing_kept_of_it() -> None:
    peer = a_peer()
    row = sealing.peer_row(peer)
    assert sealing.as_peer(0, row, None).ended == peer.ended
    older = sealing.join(*list(sealing.split(row))[:3])
    assert sealing.as_peer(0, older, None).ended == ()


def test_4_18_claims_that_cannot_be_compared_are_bounded_and_those_of_ones_own_lanes_refused() -> None:
    line = Line()
    alpha, bravo = line.hosts
    for start in range(0, 4 * MAX_CLAIMS, MAX_ENDED):
        claims = tuple(item(0, 1 + start + number) for number in range(MAX_ENDED))
        bravo.write(Kind.ACK, encode_body(Ack(claims)), urgent=True)
    line.settle()
    assert len(alpha.engine.peers[1].ended) == MAX_CLAIMS
    assert not alpha.noticed("refused-entry")
    for wrong in (item(2), item(31)):
        bravo.write(Kind.ACK, encode_body(Ack((wrong,))), urgent=True)
        line.settle()
    assert len(alpha.noticed("refused-entry")) == 2
