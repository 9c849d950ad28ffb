"""Two real stations, as two processes over TLS on loopback: what people are promised of them."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openline.kernel.errors import Unavailable
from openline.station.api_streams import HEARTBEAT_S
from openline.station.client import Client, Event
from openline.station.main import TEMPORARY, socket_path
from tests.e2e.homes import Home, hang_up, in_service, pair, running
from tests.waiting import until

SECRET = "ZANZIBAR-PLANTED-CONTENT"


def say(station: Client, text: str, **more: object) -> dict[str, object]:
    """Post a message on the line; its reference."""
    ref: dict[str, object] = station.post("lines/relay/entries", {"kind": "message", "text": text, **more})["ref"]
    return ref


def texts(station: Client) -> list[str]:
    """The texts of all messages, in order of arrival."""
    return [
        entry["body"]["text"] for entry in station.get("lines/relay/entries", kind="message", limit=1000)["entries"]
    ]


def come(station: Client, ref: dict[str, object], step: str) -> dict[str, object]:
    """What a wait says once that step is reached."""
    query: dict[str, object] = {"lane": ref["lane"], "index": ref["index"], "for": step, "timeout_ms": 10_000}

    def waited() -> dict[str, object] | None:
        said: dict[str, object] = station.get("lines/relay/wait", **query)
        return said if said["done"] else None

    return until(waited) or {}


@pytest.fixture
def homes(tmp_path: Path) -> list[Home]:
    return pair(tmp_path)


def next_entry(stream: object, kind: str = "message") -> Event:
    """The next event that shows an entry of that kind."""
    return next(event for event in stream if event.name == "entry" and event.data["kind"] == kind)  # type: ignore[attr-defined]


def test_a_message_is_durable_when_posted_is_pushed_and_is_held(homes: list[Home]) -> None:
    alpha, bravo = homes
    with running(alpha, bravo), alpha.client() as here, bravo.client() as there:
        in_service(alpha, bravo)
        stream = there.events("lines/relay/events")
        ref = say(here, "Good morning.", precedence="immediate")
        event = next_entry(stream)
        assert event.data["body"]["text"] == "Good morning."
        assert event.data["body"]["precedence"] == "immediate"
        assert event.data["ref"] == ref
        assert str(ref["reference"]).startswith("ALPHA 0001 ")
        waited = come(here, ref, "held")
        assert (waited["done"], waited["reached"]) == (True, "held")
        there.post("lines/relay/entries", {"kind": "receipt", "of": ref["reference"], "step": "read"})
        waited = come(here, ref, "read")
        assert (waited["done"], waited["reached"]) == (True, "read")
        until(lambda: here.get("lines/relay")["digest"] == there.get("lines/relay")["digest"])


def test_what_was_accepted_survives_kill_9_of_both_sides(homes: list[Home]) -> None:
    """The order commit, mark, sign, send (13.2): whatever was answered with 201 is there, once, on both sides."""
    alpha, bravo = homes
    said: list[str] = []
    with running(alpha, bravo) as (first, second):
        in_service(alpha, bravo)
        with alpha.client() as here:
            for number in range(40):
                said.append(f"message {number}")
                say(here, said[-1])
                if number == 19:
                    second.kill()  # the rest is said to nobody
        first.kill()
    with running(alpha, bravo), alpha.client() as here, bravo.client() as there:
        until(lambda: texts(there) == said, deadline_s=60)
        assert texts(here) == said
        assert {lane["generation"] for lane in here.get("lines/relay")["sizes"]} == {"0"}


def test_it_stops_in_order_with_streams_open_and_waits_for_no_listener(homes: list[Home]) -> None:
    """Under two seconds on a machine that has nothing else to do; whoever waited for a stream would wait for its heartbeat."""
    alpha, bravo = homes
    with running(alpha, bravo) as (first, second), alpha.client() as here:
        in_service(alpha, bravo)
        streams = [here.events("lines/relay/events"), here.events("events")]
        say(here, "The last one.")
        began = time.monotonic()
        assert first.stop() == 0
        assert time.monotonic() - began < HEARTBEAT_S - 1
        for stream in streams:
            assert all(event.name for event in stream)  # each ends
        with pytest.raises(Unavailable):
            here.get("status")
        assert second.stop() == 0
        assert not socket_path(alpha.folder).exists()


def test_a_terminal_that_is_closed_ends_it_in_order_unless_it_was_told_not_to_care(homes: list[Home]) -> None:
    with hang_up(signal.SIG_DFL), running(homes[0]) as (station,):
        station.process.send_signal(signal.SIGHUP)
        assert station.process.wait(60) == 0
    with hang_up(signal.SIG_IGN), running(homes[0]) as (station,):
        station.process.send_signal(signal.SIGHUP)
        with homes[0].client() as client:
            assert client.get("status")
        assert station.stop() == 0


def test_one_process_a_home(homes: list[Home]) -> None:
    alpha, _ = homes
    command = [sys.executable, "-m", "openline.station", str(alpha.folder)]
    with running(alpha):
        second = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert second.returncode == TEMPORARY
    assert second.stderr.endswith("openline: this station runs already\n")


def test_logs_and_metrics_name_no_content_no_key_no_address(homes: list[Home]) -> None:
    alpha, bravo = homes
    with running(alpha, bravo), alpha.client() as here, bravo.client() as there:
        in_service(alpha, bravo)
        ref = say(here, f"Hear {SECRET}.", subject=SECRET)
        here.post_bytes("lines/relay/attachments", SECRET.encode() * 3, name=f"{SECRET}.txt")
        come(here, ref, "held")
        for body in ({"kind": "message", "text": SECRET, "odd": SECRET}, {"kind": SECRET}, [SECRET]):
            with pytest.raises(Exception, match="not allowed") as refused:
                here.post("lines/relay/entries", body)
            assert SECRET not in str(refused.value)
        for path in (f"lines/{SECRET}", f"lines/relay/find?reference={SECRET}", SECRET, f"drafts/{SECRET}"):
            with pytest.raises(Exception, match=r".") as refused:
                here.get(path)
            assert SECRET not in str(refused.value)
        metrics = here.text("metrics") + there.text("metrics")
        line = here.get("lines/relay")
    said = metrics + alpha.log.read_text() + bravo.log.read_text()
    assert "line.state" in said
    assert "openline_bearer_envelopes_sent_total" in metrics
    planted = [SECRET, line["line"], *(party["fingerprint"] for party in line["parties"]), "127.0.0.1"]
    assert [word for word in planted if word in said] == []
    assert not re.search(rf"(?<![\d.]){bravo.port}(?![\d.])", said), "a port; as part of a longer number it is none"


def test_the_socket_is_the_owners_alone(homes: list[Home]) -> None:
    alpha, _ = homes
    with running(alpha):
        assert socket_path(alpha.folder).stat().st_mode & 0o777 == 0o600
        assert socket_path(alpha.folder).parent.stat().st_mode & 0o777 == 0o700


def test_a_simulated_clock_is_set_and_says_so(tmp_path: Path) -> None:
    homes = pair(tmp_path, simulated_clock=True)
    with running(*homes), homes[0].client() as here:
        in_service(*homes)
        at = -81_500_000_000  # 2 June 1967
        assert at <= here.post("clock", {"at": at})["now"] < at + 60_000
        ref = say(here, "By the simulated clock.")
        assert str(ref["reference"]).endswith("JUN 67")
        status = here.get("status")
        assert status["simulated_clock"]
        assert status["problems"][0].startswith("SIMULATED CLOCK")
        assert here.get("lines/relay")["simulated_clock"]


def test_a_real_clock_cannot_be_set(homes: list[Home]) -> None:
    with running(homes[0]), homes[0].client() as here, pytest.raises(Exception, match="not simulated"):
        here.post("clock", {"at": 0})
