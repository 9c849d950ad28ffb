"""A way that carries in one direction alone, for long: what is said meanwhile, and that the line lives on afterwards. Spec 9.12, 9.14."""

from openline.kernel.units import RESERVE, WINDOW
from openline.protocol.entries import Precedence
from tests.spec.line import Line, message, watch


def test_9_14_a_way_that_was_half_open_for_an_hour_works_again() -> None:
    line = Line()
    alpha, bravo = line.hosts
    for minute in range(60):
        for host in line.hosts:
            host.say(message(f"{host.name} {minute}", Precedence.FLASH if minute % 10 == 3 else Precedence.ROUTINE))
            host.say(watch())
        line.pass_time(60_000, keep=lambda sender, _: sender == 1)
    for host in line.hosts:
        epoch = host.engine.peers[1 - host.party].epoch
        assert epoch is not None
        print(host.name, epoch.outgoing.index, host.engine.peers[1 - host.party].first_unopened)
    assert len(alpha.texts(1)) == 60
    line.pass_time(120_000)
    assert len(bravo.texts(0)) == 60


def test_9_14_a_way_that_lost_nearly_everything_both_ways_works_again() -> None:
    line = Line()
    alpha, bravo = line.hosts
    passed = [0]

    def now_and_then(_sender: int, _sent: object) -> bool:
        passed[0] += 1
        return passed[0] % 7 == 0

    for minute in range(60):
        for host in line.hosts:
            host.say(message(f"{host.name} {minute}", Precedence.FLASH if minute % 10 == 3 else Precedence.ROUTINE))
            host.say(watch())
        line.pass_time(60_000, keep=now_and_then)
    for host in line.hosts:
        peer = host.engine.peers[1 - host.party]
        assert peer.epoch is not None
        print(host.name, peer.epoch.outgoing.index, peer.first_unopened)
        assert peer.epoch.outgoing.index - peer.first_unopened < WINDOW - RESERVE
    line.pass_time(120_000)
    assert len(bravo.texts(0)) == len(alpha.texts(1)) == 60
