"""Opening epochs between real engines: first, renewal, rescue; what is replayed, lost, forged or claimed. Spec 10."""

from copy import deepcopy

import pytest

from openline.kernel.codec import Value, decode, encode
from openline.kernel.crypto import digest
from openline.kernel.envelope import handshake_key, is_handshake, open_handshake, seal_handshake
from openline.kernel.errors import Refused
from openline.kernel.units import BUCKETS, Instant
from openline.protocol.entries import EpochEntry, Mode
from openline.protocol.epochs import FREE_JUMP, MAX_JUMP, NO_ROOT, Handshake, Stage
from openline.protocol.events import Arrived, Renew, Tick, Transmit
from tests.spec import parties
from tests.spec.line import Host, Line, message


def heard(line: Line, sender: int, sent: Transmit) -> list[Value] | None:
    """The handshake message in an envelope, by the secret of the pair; None if it is another envelope."""
    key = handshake_key(line.psks(sender)[sent.party], line.terms.line, sender, sent.party)
    try:
        message = decode(open_handshake(key, sent.envelope))
    except Refused:
        return None
    return list(message) if isinstance(message, list) else None


def calls(line: Line) -> list[tuple[int, list[Value], bytes]]:
    """Handshake messages under way: (sender, message, envelope)."""
    found = ((sender, heard(line, sender, sent), sent.envelope) for sender, sent in line.under_way)
    return [(sender, said, envelope) for sender, said, envelope in found if said is not None]


def give_handshake(line: Line, sender: int, receiver: int, said: Value) -> None:
    """A handshake message under the secret of the pair: what a thief of that secret can send."""
    host = line.hosts[receiver]
    key = handshake_key(line.psks(sender)[receiver], line.terms.line, sender, receiver)
    host.give(Arrived(seal_handshake(key, encode(said), host.entropy)))


def epochs(host: Host) -> list[EpochEntry]:
    return [
        shown.entry for shown in host.shown() if isinstance(shown.entry, EpochEntry) and shown.lane.party == host.party
    ]


def attempt_of(host: Host, peer: int) -> int:
    epoch = host.engine.peers[peer].epoch
    assert epoch is not None
    return epoch.attempt


def test_10_1_the_first_epoch_and_a_renewal_are_one_handshake_with_another_base() -> None:
    line = Line()
    alpha, bravo = line.hosts
    assert [entry.mode for entry in epochs(alpha)] == [Mode.FIRST]
    alpha.give(Renew(1))
    line.settle()
    assert [entry.mode for entry in epochs(alpha)] == [Mode.FIRST, Mode.RENEWAL]
    assert epochs(alpha)[-1].handshake == epochs(bravo)[-1].handshake
    assert attempt_of(alpha, 1) == attempt_of(bravo, 0) == 2


def test_10_2_handshake_messages_look_like_every_envelope() -> None:
    line = Line(opened=False)
    line.link_all()
    line.settle(keep=lambda _, sent: len(sent.envelope) in BUCKETS)
    assert epochs(line.hosts[0])


def test_10_3_messages_of_other_shapes_are_refused_and_change_nothing() -> None:
    line = Line()
    alpha = line.hosts[0]
    root = alpha.engine.peers[1].epoch.root  # type: ignore[union-attr]
    shapes: tuple[Value, ...] = ([], [19], [20], [20, 2, 0, bytes(1_216), [], b"", bytes(64)], [21, 1, bytes(32), bytes(1_216), bytes(1_168), [], b"", bytes(64)],
                 [22, 0, bytes(1_168), bytes(32)], [22, 1, b"", bytes(32)], [23, 1, bytes(32)], [24, 1, 2, 1], [24, 1, 2, 2], {1: 2}, 7)  # fmt: skip
    for said in shapes:
        give_handshake(line, 1, 0, said)
    line.settle()
    assert alpha.engine.peers[1].epoch.root == root  # type: ignore[union-attr]
    alpha.say(message("as before"))
    line.settle()
    assert line.hosts[1].texts() == ["as before"]


def pair(attempt: int = 0) -> tuple[Handshake, Handshake]:
    """Two ends of a handshake without a line."""
    ends = []
    for own, other in (("ALPHA", "BRAVO"), ("BRAVO", "ALPHA")):
        ends.append(
            Handshake(
                line=parties.LINE,
                own_root=parties.ROOTS[own].public.ed25519_key,
                peer_root=parties.ROOTS[other].public.ed25519_key,
                psk=bytes(32),
                signer=parties.LANES[own],
                attempt=attempt,
            )
        )
    return ends[0], ends[1]


COUNT = iter(range(10**9))


def entropy(size: int) -> bytes:
    return digest(next(COUNT).to_bytes(8, "big"))[:size]


ALPHA_KEY, BRAVO_KEY = parties.LANES["ALPHA"].public, parties.LANES["BRAVO"].public


def test_10_5_an_offer_that_is_no_key_is_refused_and_the_attempt_before_stands() -> None:
    a, b = pair()
    init = a.start([], 0, NO_ROOT, entropy).messages[0]
    reply = b.receive(init, ALPHA_KEY, [], {}, entropy, yields=True).messages[0]
    for offer in (b"\xff" * 1_216, bytes(1_216), bytes(1_184) + b"\x01" + bytes(31)):
        bad: list[Value] = [20, 2, 0, offer, [], b""]
        signed = a._sign(bad)
        with pytest.raises(Refused):
            b.receive(signed, ALPHA_KEY, [], {}, entropy, yields=True)
    finish = a.receive(reply, BRAVO_KEY, [], {}, entropy, yields=False).messages[0]
    assert b.receive(finish, ALPHA_KEY, [], {}, entropy, yields=True).opened is not None


def test_10_8_a_message_that_another_key_signed_is_refused() -> None:
    a, b = pair()
    init = a.start([], 0, NO_ROOT, entropy).messages[0]
    with pytest.raises(Refused):
        b.receive(init, BRAVO_KEY, [], {}, entropy, yields=True)
    assert b.stage is Stage.IDLE


def test_10_12_neither_side_switches_before_it_has_checked_the_other() -> None:
    line = Line(opened=False)
    alpha, bravo = line.hosts
    line.link_all()
    stages: list[tuple[bool, bool]] = []
    for _ in range(12):
        line.deliver()
        line.steady += 100
        for host in line.hosts:
            host.give(Tick())
        stages.append((alpha.engine.peers[1].epoch is not None, bravo.engine.peers[0].epoch is not None))
    assert stages[-1] == (True, True)
    assert len({*stages}) >= 2  # the responder first, on finish; the initiator on confirm


def test_10_13_lost_messages_are_repeated_in_identical_bytes() -> None:
    line = Line(opened=False)
    line.link_all()
    seen: list[bytes] = []
    for _ in range(3):
        seen += [encode(said) for _, said, _ in calls(line)]
        line.under_way.clear()
        line.steady += 2_500
        for host in line.hosts:
            host.give(Tick())
    assert len(seen) > len(set(seen))


def taken(line: Line, sender: int) -> list[bytes]:
    """The handshake envelopes that a party has sent since the last look; they do not arrive."""
    found = [sent.envelope for who, sent in line.under_way if who == sender and is_handshake_of(line, sender, sent)]
    line.under_way.clear()
    return found


def is_handshake_of(line: Line, sender: int, sent: Transmit) -> bool:
    return is_handshake(
        handshake_key(line.psks(sender)[sent.party], line.terms.line, sender, sent.party), sent.envelope
    )


@pytest.mark.parametrize("largest", [16_384, 256])
def test_10_13_a_repeated_message_is_the_envelopes_of_before_which_slow_bearers_know_again(largest: int) -> None:
    line = Line(opened=False)
    line.link_all(largest)
    alpha, bravo = line.hosts

    def arrive(host: Host, envelopes: list[bytes]) -> list[bytes]:
        for envelope in envelopes:
            host.give(Arrived(envelope))
        return taken(line, host.party)

    def wait() -> list[bytes]:
        line.steady += 2_500
        alpha.give(Tick())
        return taken(line, 0)

    init = taken(line, 0)
    assert init
    assert wait() == wait() == init
    reply = arrive(bravo, init)
    assert reply
    assert arrive(bravo, init) == reply
    finish = arrive(alpha, reply)
    assert finish
    assert arrive(alpha, reply) == wait() == finish
    confirm = arrive(bravo, finish)
    assert confirm
    assert arrive(bravo, finish) == confirm
    arrive(alpha, confirm)
    assert attempt_of(alpha, 1) == attempt_of(bravo, 0) == 1


def test_10_13_what_another_bearer_needs_in_other_parts_is_sealed_for_it() -> None:
    line = Line(opened=False)
    line.link_all(256)
    alpha, bravo = line.hosts
    parts = taken(line, 0)
    line.link_all(16_384)
    line.steady += 2_500
    alpha.give(Tick())
    whole = set(taken(line, 0))
    assert len(parts) > len(whole) == 1
    for envelope in (parts[0], *whole):
        bravo.give(Arrived(envelope))
    assert len(taken(line, 1)) == 1


def test_10_14_after_the_switch_the_root_before_is_erased_and_what_is_owed_sealed_anew() -> None:
    line = Line()
    alpha, bravo = line.hosts
    old = alpha.engine.peers[1].epoch
    alpha.say(message("in flight"))
    line.under_way.clear()
    alpha.give(Renew(1))
    line.settle()
    assert old is not None
    assert old.root == bytes(32)
    assert bravo.texts() == ["in flight"]


def test_10_15_the_keys_of_an_old_epoch_end_also_if_the_peer_never_says_last() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.give(Renew(1))
    line.settle(keep=lambda sender, sent: sender == 0 or heard(line, sender, sent) is not None)
    peers = alpha.engine.peers
    assert [peer.previous is None for peer in peers.values()] == [False]
    line.pass_time(70_000, step=5_000, keep=lambda sender, _: sender == 0)
    assert [peer.previous is None for peer in peers.values()] == [True]
    assert bravo.engine.peers[0].epoch is not None


def test_10_15_saying_last_again_does_not_keep_old_keys_alive() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.give(Renew(1))
    line.deliver()
    line.settle()
    for _ in range(9):
        line.steady += 10_000
        bravo.lie(0, [10, 1, 2**48 - 1])
        alpha.give(Tick())
    assert alpha.engine.peers[1].previous is None


def test_10_16_an_attempt_number_is_durable_before_it_is_used() -> None:
    line = Line()
    alpha = line.hosts[0]
    alpha.give(Renew(1))
    sent = calls(line)
    assert sent
    kept = list(alpha.store.peers())
    assert kept[0].attempt == sent[0][1][1]


def test_10_17_a_no_is_said_seldom() -> None:
    """An init that is replayed a thousand times earns four answers, and then one in ten seconds."""
    line = Line(opened=False)
    line.link_all()
    recorded = next((sender, env) for sender, said, env in calls(line) if said[0] == 20)
    line.settle()
    host = line.hosts[1 - recorded[0]]
    for _ in range(100):
        host.give(Arrived(recorded[1]))
    assert len([said for _, said, _ in calls(line) if said[0] == 24]) == 4
    line.under_way.clear()
    line.steady += 10_001
    host.give(Arrived(recorded[1]))
    assert len([said for _, said, _ in calls(line) if said[0] == 24]) == 1


def test_10_17_an_older_init_does_not_replace_the_one_being_answered() -> None:
    a, b = pair()
    older = a.start([], 0, NO_ROOT, entropy).messages[0]
    a.abandon()
    init = a.start([], 0, NO_ROOT, entropy).messages[0]
    reply = b.receive(init, ALPHA_KEY, [], {}, entropy, yields=True).messages[0]
    said = b.receive(older, ALPHA_KEY, [], {}, entropy, yields=True)
    assert said.refused
    finish = a.receive(reply, BRAVO_KEY, [], {}, entropy, yields=False).messages[0]
    assert b.receive(finish, ALPHA_KEY, [], {}, entropy, yields=True).opened is not None


def test_10_18_a_no_moves_the_attempt_number_in_bounded_steps() -> None:
    a, _ = pair()
    a.start([], 0, NO_ROOT, entropy)
    a.receive(encode([24, 1, 2**32 - 1, 1]), BRAVO_KEY, [], {}, entropy, yields=False)
    assert a.attempt <= 2 * MAX_JUMP


def test_10_18_who_has_the_pairing_secret_alone_uses_no_attempt_numbers_up() -> None:
    """Somebody in the middle answers every init by a `no` of its own that names the highest number there is."""
    line = Line(opened=False)
    line.link_all()
    began, alpha, said = line.steady, line.hosts[0], 0
    while line.steady < began + 600_000:
        for sender, frame, _ in calls(line):
            if sender == 0 and frame[0] == 20:
                said += 1
                give_handshake(line, 1, 0, [24, frame[1], 2**32 - 1, 1])
        line.under_way.clear()
        line.steady += 500
        alpha.give(Tick())
    assert 4 < said <= 4 + 6 + 10
    assert alpha.engine.peers[1].handshake.attempt < 2**20


def test_10_17_who_has_the_keys_of_a_station_uses_up_no_attempt_numbers_by_inits() -> None:
    """One far above is answered by a `no`, of which few pass; each of those lets one init come nearer."""
    a, b = pair()
    refused = 0
    for _ in range(40):
        a.attempt = max(a.attempt, b.attempt + MAX_JUMP - 1)
        said = b.receive(a.start([], 0, NO_ROOT, entropy).messages[0], ALPHA_KEY, [], {}, entropy, yields=True)
        refused += said.refused
        assert said.refused or said.answered
        a.abandon()
    assert refused >= 20
    assert b.attempt <= MAX_JUMP * refused + FREE_JUMP * 20


def test_10_18_who_is_truly_far_ahead_is_followed() -> None:
    """A station that lost its numbers and one that did not find each other, whoever begins."""
    for behind, ahead in ((0, 50_000), (50_000, 0)):
        a, _ = pair(behind)
        _, b = pair(ahead)
        for _ in range(20):
            init = a.start([], 0, NO_ROOT, entropy).messages[0]
            said = b.receive(init, ALPHA_KEY, [], {}, entropy, yields=True)
            if said.answered:
                break
            a.receive(said.messages[0], BRAVO_KEY, [], {}, entropy, yields=False)
        assert b.stage is Stage.ANSWERED


def test_10_17_the_last_attempt_number_cannot_be_taken_by_one_message() -> None:
    a, b = pair()
    a.attempt = 2**32 - 2
    said = b.receive(a.start([], 0, NO_ROOT, entropy).messages[0], ALPHA_KEY, [], {}, entropy, yields=True)
    assert said.refused
    assert b.attempt == 0


def test_10_19_both_call_at_once_and_open_one_epoch() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.give(Renew(1))
    bravo.give(Renew(0))
    line.settle()
    assert attempt_of(alpha, 1) == attempt_of(bravo, 0) == 2
    alpha.say(message("one epoch"))
    line.settle()
    assert bravo.texts() == ["one epoch"]


def test_10_20_an_epoch_is_renewed_after_a_day() -> None:
    line = Line()
    line.pass_time(25 * 3_600_000, step=600_000)
    assert [entry.mode for entry in epochs(line.hosts[0])][:2] == [Mode.FIRST, Mode.RENEWAL]


def test_10_20_an_epoch_from_the_future_is_renewed_after_a_day_or_at_the_next_start() -> None:
    """The clock was days ahead when it was opened, and has been set right."""
    for restarted in (False, True):
        line = Line()
        alpha, bravo = line.hosts
        for host in line.hosts:
            epoch = host.engine.peers[1 - host.party].epoch
            assert epoch is not None
            epoch.opened = Instant(epoch.opened + 30 * 86_400_000)
        alpha.say(message("kept with what follows"))
        line.settle()
        if restarted:
            for host in line.hosts:
                host.boot()
            line.link_all()
            line.pass_time(60_000)
        else:
            line.pass_time(23 * 3_600_000, step=600_000)
            assert len(epochs(alpha)) == 1
            line.pass_time(2 * 3_600_000, step=600_000)
        assert [entry.mode for entry in epochs(alpha)] == [Mode.FIRST, Mode.RENEWAL]
        assert attempt_of(alpha, 1) == attempt_of(bravo, 0) == 2


def test_10_21_a_station_that_lost_its_epochs_opens_a_rescue() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.restore(alpha.store.backup())
    line.link_all()
    line.settle()
    assert epochs(alpha)[-1].mode is Mode.RESCUE
    alpha.say(message("after the rescue"))
    line.settle()
    assert bravo.texts() == ["after the rescue"]


def test_10_11_a_crash_between_finish_and_confirm_costs_another_attempt_and_no_more() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.give(Renew(1))
    for _ in range(3):  # init, reply, finish; the confirm is lost with the process
        line.deliver()
    line.under_way.clear()
    alpha.boot()
    line.link_all()
    line.settle()
    bravo.say(message("from the new epoch"))
    line.settle()
    line.pass_time(60_000)
    assert alpha.texts() == ["from the new epoch"]
    assert attempt_of(alpha, 1) == attempt_of(bravo, 0)


def test_10_17_replayed_handshakes_do_not_keep_a_station_from_calling() -> None:
    """Somebody repeats an old init all the time: the station that needs a new epoch calls nevertheless."""
    line = Line()
    alpha, bravo = line.hosts
    bravo.give(Renew(0))
    recorded = [env for sender, said, env in calls(line) if sender == 1 and said[0] == 20]
    line.under_way.clear()
    bravo.boot()  # it never goes on with that attempt
    alpha.restore(alpha.store.backup())
    line.link_all()
    for _ in range(40):
        line.steady += 500
        for host in line.hosts:
            host.give(Tick())
        alpha.give(Arrived(recorded[0]))
        line.deliver()
    line.settle()
    alpha.say(message("called nevertheless"))
    line.settle()
    assert recorded
    assert bravo.texts() == ["called nevertheless"]


def test_10_24_no_backup_holds_an_epoch() -> None:
    line = Line()
    alpha = line.hosts[0]
    epoch = alpha.engine.peers[1].epoch
    assert epoch is not None
    state = alpha.store.backup()
    assert all(peer.epoch is None and peer.previous is None for peer in state.peers.values())


def test_10_25_old_envelopes_do_not_open_with_what_the_store_keeps_later() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("of yesterday"))
    recorded = [sent.envelope for sender, sent in line.under_way if sender == 0]
    line.settle()
    bravo.boot()
    before = len(bravo.shown())
    for envelope in recorded:
        bravo.give(Arrived(envelope))
    assert len(bravo.shown()) == before
    assert not any(
        peer.epoch and peer.epoch.incoming.knows(envelope)
        for peer in bravo.engine.peers.values()
        for envelope in recorded
    )


def test_10_26_a_thief_of_the_pairing_secret_alone_opens_no_epoch() -> None:
    """It can seal handshake envelopes; without a lane key nothing it says is answered but by silence."""
    line = Line()
    alpha = line.hosts[0]
    members: list[Value] = [20, 2, 0, bytes(1_216), []]
    give_handshake(line, 1, 0, [*members, parties.signer("thief").ed25519(digest(encode(members)))])
    assert not calls(line)
    assert alpha.noticed("handshake-refused")


def test_10_9_epochs_open_over_a_satellite_bearer_in_fragments() -> None:
    line = Line(link=270)
    line.hosts[0].say(message("over a thin bearer"))
    line.settle(rounds=1_000)
    assert line.hosts[1].texts() == ["over a thin bearer"]
    assert all(len(sent.envelope) == 256 for host in line.hosts for sent in host.transmitted())


def test_10_10_a_renewal_needs_the_root_before() -> None:
    line = Line()
    alpha = line.hosts[0]
    alpha.give(Renew(1))
    assert calls(line)[0][1][2] == 1


def test_10_22_a_renewal_shuts_out_who_copied_the_state_and_only_listens() -> None:
    line = Line()
    alpha, bravo = line.hosts
    stolen = deepcopy(bravo.engine.peers[0].epoch)
    assert stolen is not None
    alpha.say(message("before"))
    assert any(stolen.incoming.knows(sent.envelope) for sender, sent in line.under_way if sender == 0)
    line.settle()
    alpha.give(Renew(1))
    line.settle()
    alpha.say(message("after"))
    recorded = [sent.envelope for sender, sent in line.under_way if sender == 0]
    assert recorded
    for envelope in recorded:
        assert not stolen.incoming.knows(envelope)
    line.settle()
    assert bravo.texts() == ["before", "after"]


def test_10_23_handshakes_under_another_secret_of_the_pair_are_strangers_bytes() -> None:
    line = Line(opened=False)
    line.link_all()
    alpha = line.hosts[0]
    members: list[Value] = [20, 1, 0, bytes(1_216), []]
    said: list[Value] = [*members, line.hosts[1].signer.ed25519(b"openline/1 handshake\n" + digest(encode(members)))]
    other = handshake_key(parties.secret("a secret of before"), line.terms.line, 1, 0)
    before = len(alpha.noticed("handshake-refused"))
    alpha.give(Arrived(seal_handshake(other, encode(said), alpha.entropy)))
    assert len(alpha.noticed("handshake-refused")) == before  # not even opened
    give_handshake(line, 1, 0, said)
    assert len(alpha.noticed("handshake-refused")) == before + 1  # the same words, opened and judged
