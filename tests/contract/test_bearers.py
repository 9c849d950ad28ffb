"""Every bearer against the one contract."""

import pytest

from tests import steady
from tests.contract.bearer_contract import CHECKS, ONE_WAY_CHECKS, SLOW_CHECKS, Check, Factory
from tests.contract.drop_rig import diode_rig, share_rig
from tests.contract.mail_rig import MailRig
from tests.contract.nats_rig import NatsRig, needs_nats
from tests.contract.serial_rig import serial_rig
from tests.contract.simulated import SimulatedRig, one_way_rig
from tests.contract.tls_rig import ipv4_rig, ipv6_rig


def named(check: Check) -> str:
    return check.__name__


@pytest.mark.parametrize("check", CHECKS, ids=named)
@pytest.mark.parametrize("rig", [SimulatedRig, ipv4_rig, ipv6_rig], ids=["simulated", "tls-ipv4", "tls-ipv6"])
def test_a_bearer(rig: Factory, check: Check) -> None:
    steady.run(check(rig))


@pytest.mark.parametrize("check", ONE_WAY_CHECKS, ids=named)
@pytest.mark.parametrize("rig", [one_way_rig], ids=["simulated-one-way"])
def test_a_one_way_bearer(rig: Factory, check: Check) -> None:
    steady.run(check(rig))


@pytest.mark.parametrize("check", [*CHECKS, *SLOW_CHECKS], ids=named)
@pytest.mark.parametrize("rig", [share_rig], ids=["drop"])
def test_a_bearer_over_a_folder(rig: Factory, check: Check) -> None:
    steady.run(check(rig))


@pytest.mark.parametrize("check", [*ONE_WAY_CHECKS, *SLOW_CHECKS], ids=named)
@pytest.mark.parametrize("rig", [diode_rig], ids=["drop-one-way"])
def test_a_diode(rig: Factory, check: Check) -> None:
    steady.run(check(rig))


@pytest.mark.parametrize("check", [*CHECKS, *SLOW_CHECKS], ids=named)
@pytest.mark.parametrize("rig", [serial_rig], ids=["serial"])
def test_a_bearer_over_a_wire(rig: Factory, check: Check) -> None:
    steady.run(check(rig))


@needs_nats
@pytest.mark.full
@pytest.mark.parametrize("check", [*CHECKS, *SLOW_CHECKS], ids=named)
@pytest.mark.parametrize("rig", [NatsRig], ids=["nats"])
def test_a_bearer_over_a_relay(rig: Factory, check: Check) -> None:
    steady.run(check(rig))


@pytest.mark.full
@pytest.mark.parametrize("check", [*CHECKS, *SLOW_CHECKS], ids=named)
@pytest.mark.parametrize("rig", [MailRig], ids=["mail"])
def test_a_bearer_by_mail(rig: Factory, check: Check) -> None:
    steady.run(check(rig))
