"""A line on which nothing happens costs nothing: an engine asks to be woken seldom, and says nothing when it is."""

import pytest

from openline.protocol.entries import Message, Precedence
from openline.protocol.events import Tick
from tests.spec.line import Line

HOUR_MS = 3_600_000


@pytest.mark.parametrize("count", [2, 3])
def test_a_quiet_line_wakes_less_than_every_two_seconds_and_sends_nothing(count: int) -> None:
    line = Line(count)
    line.hosts[0].say(Message(precedence=Precedence.FLASH, language="en", text="Before the silence."))
    line.settle()
    line.pass_time(120_000)
    sent = [len(host.transmitted()) for host in line.hosts]
    wakes = 0
    end = line.steady + HOUR_MS
    while (soonest := min(host.wake for host in line.hosts)) < end:
        line.steady = max(line.steady, soonest)
        for host in line.hosts:
            if host.wake <= line.steady:
                host.give(Tick())
                wakes += 1
    assert wakes < count * HOUR_MS // 2_000
    assert [len(host.transmitted()) for host in line.hosts] == sent
