"""What the parties adopt holds at once, and after a restart."""

from dataclasses import replace

from openline.protocol.entries import Assent, Propose
from openline.protocol.fields import Ref
from tests.spec.line import Line


def test_6_45_an_adopted_policy_changes_the_quotas_in_force() -> None:
    line = Line(2)
    one, other = line.hosts
    policy = replace(line.terms.policy, traffic_per_hour=7)
    one.say(Propose(replaces=line.terms.line, policy=policy))
    line.settle()
    placed = one.accepted()[-1]
    proposal = Ref(
        lane=placed.lane.number, generation=placed.lane.generation, index=placed.index, leaf=placed.leaf_hash
    )
    assert other.engine.intake.quotas[one.party].traffic.burst == line.terms.policy.traffic_per_hour
    other.say(Assent(proposal))
    line.settle()
    for host in line.hosts:
        assert host.engine.fold.policy.traffic_per_hour == 7
        assert all(quota.traffic.burst == 7 for quota in host.engine.intake.quotas.values())
    other.boot()
    assert other.engine.intake.quotas[one.party].traffic.burst == 7
