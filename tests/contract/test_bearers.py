"""Every bearer against the one contract."""

import asyncio

import pytest

from tests.contract.bearer_contract import CHECKS, ONE_WAY_CHECKS, Check, Factory
from tests.contract.simulated import SimulatedRig, one_way_rig
from tests.contract.tls_rig import ipv4_rig, ipv6_rig


def named(check: Check) -> str:
    return check.__name__


@pytest.mark.parametrize("check", CHECKS, ids=named)
@pytest.mark.parametrize("rig", [SimulatedRig, ipv4_rig, ipv6_rig], ids=["simulated", "tls-ipv4", "tls-ipv6"])
def test_a_bearer(rig: Factory, check: Check) -> None:
    asyncio.run(check(rig))


@pytest.mark.parametrize("check", ONE_WAY_CHECKS, ids=named)
@pytest.mark.parametrize("rig", [one_way_rig], ids=["simulated-one-way"])
def test_a_one_way_bearer(rig: Factory, check: Check) -> None:
    asyncio.run(check(rig))
