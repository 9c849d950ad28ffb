"""Two real stations joined by a serial cable alone: a FLASH at 300 bit/s, a new epoch, cuts, and a process killed.

Seconds are printed and not asserted: a busy machine keeps no time. Bytes are asserted.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openline.station.client import Client
from tests.contract.serial_rig import Plug
from tests.e2e.homes import Home, in_service, pair, running
from tests.e2e.serial_cable import Cable, cable, plugged
from tests.waiting import until

pytestmark = pytest.mark.full

QUICK = 115_200
"""To open the line before what is slow is measured."""


@pytest.fixture
def homes(tmp_path: Path) -> list[Home]:
    return pair(tmp_path)


@pytest.fixture
def plugs() -> Iterator[tuple[Plug, Plug]]:
    with plugged() as both:
        yield both


def say(station: Client, text: str, **more: object) -> dict[str, Any]:
    """Post a message, also where MINIMIZE stands by itself (6.75), as it does after a minute on a thin line; its place."""
    body = {"kind": "message", "text": text, "minimize_considered": True, **more}
    ref: dict[str, Any] = station.post("lines/relay/entries", body)["ref"]
    return ref


def held(station: Client, ref: dict[str, Any]) -> bool | None:
    """Whether the other side has signed for it."""
    waited = station.get("lines/relay/wait", lane=ref["lane"], index=ref["index"], timeout_ms=2_000)
    return bool(waited["done"]) or None


def texts(station: Client) -> list[str]:
    return [
        entry["body"]["text"] for entry in station.get("lines/relay/entries", kind="message", limit=1000)["entries"]
    ]


def epoch(station: Client) -> int:
    """The number of the epoch in use; 0 while there is none."""
    epochs = station.get("lines/relay")["epochs"]
    return int(epochs[0]["attempt"] or 0) if epochs else 0


def opened(*homes: Home) -> None:
    """Wait until all that opens a line has gone both ways, so that what comes after it is measured alone."""
    in_service(*homes, deadline_s=240)
    for home in homes:
        with home.client() as station:
            ref = say(station, f"{home.name} is here.", precedence="flash")
            until(lambda: held(station, ref), deadline_s=240)  # noqa: B023 - called before the next


def opened_quickly(homes: list[Home], plugs: tuple[Plug, Plug]) -> None:
    """Open the line over a quick cable and end: a station sends no faster than the rate that its configuration names."""
    with cable(homes, plugs, QUICK), running(*homes) as stations:
        opened(*homes)
        for station in stations:
            station.stop()


def measured(wire: Cable, here: Client, there: Client, text: str) -> str:
    """Send a FLASH over a wire that may be held until then; what it took, in words.

    Asserts that it was no more than it may be on the wire.
    """
    stream = there.events("lines/relay/events")
    mark, began = wire.there.carried, time.monotonic()
    ref = say(here, text, precedence="flash")
    wire.call(wire.there.resume)
    next(event for event in stream if event.name == "entry" and event.data.get("body", {}).get("text") == text)
    shown, carried = time.monotonic() - began, wire.there.carried - mark
    until(lambda: held(here, ref), deadline_s=60)
    signed = time.monotonic() - began
    # 299 bytes are ten seconds at 300 bit/s. Until this process hears of it on a busy machine, more of them pass.
    assert carried <= 299 + 3 * wire.bits_per_second // 10
    return f"FLASH of {len(text)} bytes at {wire.bits_per_second} bit/s: {shown:.2f} s, {carried} bytes to the peer's durable show; signed for after {signed:.2f} s"


def settled(wire: Cable) -> bool:
    """Whether nothing but beats goes over the wire."""
    before = wire.there.carried + wire.back.carried
    end = time.monotonic() + 6
    until(lambda: time.monotonic() > end, deadline_s=20)
    return wire.there.carried + wire.back.carried - before < 60


def test_9_73_a_flash_reaches_the_other_floor_over_a_serial_line_alone(
    homes: list[Home], plugs: tuple[Plug, Plug]
) -> None:
    """At 1,200 bit/s; at 300 by serial_long.py, which takes five minutes."""
    flash_reaches_the_other_floor(homes, plugs, 1_200)


def flash_reaches_the_other_floor(homes: list[Home], plugs: tuple[Plug, Plug], rate: int) -> None:
    """On a quiet line, and in the middle of routine traffic that waits for it."""
    alpha, bravo = homes
    opened_quickly(homes, plugs)
    with cable(homes, plugs, rate) as wire, running(*homes), alpha.client() as here, bravo.client() as there:
        in_service(*homes, deadline_s=240)
        until(lambda: settled(wire) or None, deadline_s=240)
        print(measured(wire, here, there, "x" * 100))
        wire.there.hold_at = wire.there.carried + 60  # in the middle of the first, however late the FLASH is
        routine = [say(here, f"routine {number} " + "y" * 80) for number in range(3)]
        busy = wire.there.hold_at
        until(lambda: wire.there.carried >= busy or None, deadline_s=60)
        print("in the middle of routine traffic:", measured(wire, here, there, "z" * 100))
        for ref in routine:
            until(lambda: held(here, ref), deadline_s=180)  # noqa: B023 - called before the next
        arrived = [text[:7] for text in texts(there)[-4:]]
        assert arrived == ["z" * 7, "routine", "routine", "routine"]


def test_a_new_epoch_is_agreed_over_a_serial_line_alone(homes: list[Home], plugs: tuple[Plug, Plug]) -> None:
    alpha, bravo = homes
    opened_quickly(homes, plugs)
    with cable(homes, plugs, 9_600) as wire, running(*homes), alpha.client() as here, bravo.client() as there:
        in_service(*homes, deadline_s=240)
        before, mark, began = epoch(here), wire.there.carried + wire.back.carried, time.monotonic()
        here.post("lines/relay/renew", {})
        ref = say(there, "While keys change.")
        until(lambda: min(epoch(here), epoch(there)) > before or None, deadline_s=120)
        took, carried = time.monotonic() - began, wire.there.carried + wire.back.carried - mark
        print(f"new epoch at 9600 bit/s: {took:.1f} s, {carried} bytes both ways")
        until(lambda: held(there, ref), deadline_s=60)
        under_new = say(here, "Under the new keys.")
        until(lambda: held(here, under_new), deadline_s=120)
        assert texts(here) == texts(there)


def test_what_was_said_over_a_serial_line_survives_cuts_and_kills_once(
    homes: list[Home], plugs: tuple[Plug, Plug]
) -> None:
    alpha, bravo = homes
    said: list[str] = []
    with cable(homes, plugs, QUICK) as wire, running(*homes) as (_, second), alpha.client() as here:
        opened(*homes)
        before = texts(here)
        for number in range(30):
            said.append(f"message {number}")
            say(here, said[-1])
            if number == 10:
                wire.cut()
            if number == 15:
                wire.heal()
            if number == 20:
                second.kill()
        with running(bravo), bravo.client() as there:
            until(lambda: texts(there)[len(before) :] == said or None, deadline_s=240)
            assert texts(here) == texts(there)
