"""A new pairing secret on a line that stands, and one that is held for stolen, between real engines. Spec 10.22, 10.23, 15.22."""

import pytest

from openline.kernel.codec import Value, encode
from openline.kernel.errors import Refused
from openline.protocol.bodies import decode_body
from openline.protocol.entries import EpochEntry, KeyNotice, KeyRole, Kind, Mode
from openline.protocol.events import Renew, Secret
from openline.protocol.secrets import secret_name
from openline.protocol.snapshots import restore, snapshot
from openline.protocol.vouching import is_stolen, key_notices
from tests.spec import parties
from tests.spec.line import Host, Line, message

NEW = parties.secret("a new pairing secret")


def accept(host: Host, *, peer: int, psk: bytes = NEW) -> None:
    """People on that floor accept the other; the station keeps the secret and tells its engine."""
    host.give(Secret(party=peer, psk=psk))


def modes(host: Host) -> list[Mode]:
    return [s.entry.mode for s in host.shown() if isinstance(s.entry, EpochEntry) and s.lane.party == host.party]


def names(host: Host, peer: int) -> list[bytes]:
    return [secret.psk for secret in host.engine.peers[peer].secrets.all]


def held_for_stolen(line: Line, host: Host, peer: int) -> None:
    name = secret_name(line.psks(host.party)[peer])
    host.say(KeyNotice(role=KeyRole.PSK, stolen=True, key=name, peer=peer))
    line.settle()


def test_10_23_when_both_floors_have_accepted_the_new_secret_stands_alone() -> None:
    line = Line()
    alpha, bravo = line.hosts
    accept(alpha, peer=1)
    accept(bravo, peer=0)
    line.settle()
    line.pass_time(60_000)
    assert names(alpha, 1) == names(bravo, 0) == [NEW]
    assert alpha.noticed("secret-agreed")
    assert bravo.noticed("secret-agreed")
    assert modes(alpha)[-1] is Mode.RENEWAL
    bravo.say(message("under the new one"))
    line.settle()
    assert alpha.texts(1) == ["under the new one"]


def test_10_23_a_secret_that_only_one_floor_accepted_silences_nothing() -> None:
    """The other floor may accept hours later, or never."""
    line = Line()
    alpha, bravo = line.hosts
    accept(alpha, peer=1)
    line.settle()
    bravo.give(Renew(0))
    line.settle()
    alpha.say(message("still heard"))
    line.settle()
    assert bravo.texts(0) == ["still heard"]
    assert len(names(alpha, 1)) == 2
    accept(bravo, peer=0)
    line.settle()
    line.pass_time(60_000)
    assert names(alpha, 1) == names(bravo, 0) == [NEW]


def test_10_23_a_third_secret_replaces_the_newer_of_two() -> None:
    line = Line()
    alpha, bravo = line.hosts
    [first] = names(alpha, 1)
    third = parties.secret("a third pairing secret")
    for psk in (NEW, third):
        accept(alpha, peer=1, psk=psk)
    assert names(alpha, 1) == [third, first]
    line.settle()
    accept(bravo, peer=0, psk=third)
    line.settle()
    line.pass_time(120_000)
    assert names(alpha, 1) == names(bravo, 0) == [third]


def test_10_22_rescue_is_refused_under_a_stolen_secret_until_a_new_one_is_paired() -> None:
    line = Line()
    alpha, bravo = line.hosts
    held_for_stolen(line, alpha, 1)
    bravo.restore(bravo.store.backup())
    line.link_all()
    line.pass_time(200_000, step=1_000)
    assert bravo.engine.peers[0].epoch is None
    assert Mode.RESCUE not in modes(alpha)
    for host, peer in ((alpha, 1), (bravo, 0)):
        accept(host, peer=peer)
    line.settle()
    line.pass_time(120_000)
    assert modes(bravo)[-1] is Mode.RESCUE
    bravo.say(message("after the theft"))
    line.settle()
    assert alpha.texts(1)[-1] == "after the theft"


def test_10_22_no_init_without_a_base_is_sent_under_a_stolen_secret() -> None:
    """An offer under it would tell the thief who listens, and earn a refusal."""
    line = Line()
    alpha, _ = line.hosts
    held_for_stolen(line, alpha, 1)
    alpha.restore(alpha.store.backup())
    before = len(alpha.transmitted())
    line.link_all()
    line.pass_time(200_000, step=1_000, keep=lambda sender, _sent: sender == 0)
    assert alpha.engine.peers[1].epoch is None
    assert alpha.transmitted()[before:] == []


def test_10_22_who_forgot_the_theft_is_refused_by_who_remembers() -> None:
    """A station restored from a backup of before calls by the stolen secret; so does the thief."""
    line = Line()
    alpha, bravo = line.hosts
    state = bravo.store.backup()
    held_for_stolen(line, alpha, 1)
    bravo.restore(state)
    line.link_all()
    line.pass_time(100_000)
    assert bravo.engine.peers[0].epoch is None


def test_10_22_the_word_of_either_side_counts_and_outlives_a_restart() -> None:
    line = Line()
    alpha, bravo = line.hosts
    held_for_stolen(line, bravo, 0)
    alpha.boot()
    line.link_all()
    line.settle()
    name = secret_name(line.psks(0)[1])
    assert all(is_stolen(host.engine.fold, name) for host in line.hosts)
    assert not any(is_stolen(host.engine.fold, secret_name(NEW)) for host in line.hosts)


def test_10_22_both_secrets_of_a_change_may_be_held_for_stolen_and_no_later_word_takes_that_back() -> None:
    line = Line()
    alpha, bravo = line.hosts
    accept(alpha, peer=1)
    line.settle()
    both = [secret.name for secret in alpha.engine.peers[1].secrets.all]
    assert len(both) == 2
    for name in both:
        alpha.say(KeyNotice(role=KeyRole.PSK, stolen=True, key=name, peer=1))
    alpha.say(KeyNotice(role=KeyRole.PSK, stolen=False, key=secret_name(parties.secret("a third")), peer=1))
    line.settle()
    for host in line.hosts:
        assert all(is_stolen(host.engine.fold, name) for name in both)
    fold = bravo.engine.fold
    again = restore(snapshot(fold), fold.line, fold.parties, fold.policy)
    assert all(is_stolen(again, name) for name in both)
    assert again.digest() == fold.digest()


def test_10_22_the_epoch_that_stands_goes_on_and_is_renewed_meanwhile() -> None:
    line = Line()
    alpha, bravo = line.hosts
    held_for_stolen(line, alpha, 1)
    alpha.give(Renew(1))
    line.settle()
    bravo.say(message("goes on"))
    line.settle()
    assert modes(alpha) == [Mode.FIRST, Mode.RENEWAL]
    assert alpha.texts(1) == ["goes on"]


def test_10_22_a_handshake_under_way_is_given_up_with_its_offer() -> None:
    line = Line()
    alpha, _ = line.hosts
    alpha.give(Renew(1))
    line.under_way.clear()
    attempt = alpha.engine.peers[1].handshake.attempt
    alpha.give(Renew(1))
    assert alpha.engine.peers[1].handshake.attempt == attempt + 1


def test_6_26_a_word_about_a_key_has_its_members_and_no_others() -> None:
    name = bytes(32)
    good: dict[int, Value] = {0: 1, 1: True, 2: name}
    assert decode_body(Kind.KEYS, encode(good)) == KeyNotice(role=KeyRole.LANE, stolen=True, key=name)
    shared = decode_body(Kind.KEYS, encode({0: 4, 1: False, 2: name, 3: 1}))
    assert shared == KeyNotice(role=KeyRole.PSK, stolen=False, key=name, peer=1)
    wrong: tuple[dict[int, Value], ...] = ({0: 5}, {0: 4}, {1: 1}, {2: b"short"}, {3: 1}, {4: "text"})
    for changed in wrong:
        with pytest.raises(Refused):
            decode_body(Kind.KEYS, encode({**good, **changed}))


def test_6_26_a_secret_with_oneself_or_with_nobody_is_void() -> None:
    line = Line()
    alpha, bravo = line.hosts
    for peer in (0, 7):
        alpha.say(KeyNotice(role=KeyRole.PSK, stolen=True, key=bytes(32), peer=peer))
    line.settle()
    assert not key_notices(bravo.engine.fold)
    assert alpha.engine.fold.digest() == bravo.engine.fold.digest()


def test_15_22_a_station_without_any_secret_waits_for_its_people() -> None:
    line = Line()
    alpha, _ = line.hosts
    line.psks = lambda party: {} if party == 0 else {0: parties.secret("psk 0 1")}  # type: ignore[method-assign]
    alpha.restore(alpha.store.backup())
    line.link_all()
    line.pass_time(90_000)
    assert alpha.engine.peers[1].epoch is None
    for host, peer in ((alpha, 1), (line.hosts[1], 0)):
        accept(host, peer=peer)
    line.settle()
    line.pass_time(60_000)
    assert modes(alpha)[-1] is Mode.RESCUE
