"""Two real stations over other bearers than TLS, one at a time, and over several at once."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openline.station.client import Client
from tests.contract.nats_rig import server
from tests.e2e.homes import Home, in_service, pair, running
from tests.e2e.serial_cable import cable, plugged
from tests.waiting import until

Json = dict[str, Any]


def without_tls(*homes: Home) -> None:
    """Nobody listens any more, so nobody is reached by TLS."""
    for home in homes:
        home.change(f'listen = ["127.0.0.1:{home.port}"]', "listen = []")


def table(home: Home, text: str) -> None:
    """Add a table to the configuration."""
    with (home.folder / "config.toml").open("a") as file:
        file.write("\n" + text + "\n")


def say(station: Client, text: str, precedence: str = "routine") -> Json:
    """Post a message; its place."""
    answer = station.post("lines/relay/entries", {"kind": "message", "text": text, "precedence": precedence})
    return {"lane": answer["ref"]["lane"], "index": answer["ref"]["index"]}


def held(station: Client, place: Json, deadline_s: float = 60.0) -> bool:
    """Whether the peer signs for it in time."""
    left = deadline_s
    while left > 0:
        waited = station.get("lines/relay/wait", **place, timeout_ms=10_000)
        if waited["done"]:
            return True
        left -= 10
    return False


def texts(station: Client) -> list[str]:
    return [e["body"]["text"] for e in station.get("lines/relay/entries", kind="message", limit=1000)["entries"]]


def bearer(station: Client, name: str) -> Json:
    """What a station says of one bearer to the peer."""
    found: list[Json] = [each for each in station.get("lines/relay")["bearers"] if each["bearer"] == name]
    assert found, "no such bearer"
    return found[0]


def both_ways(alpha: Home, bravo: Home) -> None:
    """Every precedence goes both ways, and is acknowledged."""
    with alpha.client() as here, bravo.client() as there:
        sent = [say(here, f"{precedence} from here", precedence) for precedence in ("routine", "immediate", "flash")]
        back = say(there, "and back", "priority")
        assert all(held(here, place) for place in sent)
        assert held(there, back)
        assert sorted(texts(here)) == sorted(texts(there))


@pytest.fixture
def homes(tmp_path: Path) -> list[Home]:
    return pair(tmp_path)


def shared_folder(folder: Path, *homes: Home) -> Path:
    """Both on one folder."""
    share = folder / "share"
    share.mkdir()
    for home in homes:
        table(home, f'[drop]\nout = "{share}"\ninto = "{share}"')
    return share


def test_a_line_over_a_drop_folder_alone(homes: list[Home], tmp_path: Path) -> None:
    without_tls(*homes)
    shared_folder(tmp_path, *homes)
    with running(*homes):
        in_service(*homes)
        both_ways(*homes)


def test_two_bearers_at_once_and_either_may_go(homes: list[Home], tmp_path: Path) -> None:
    """FLASH goes over both; what is said while the folder is gone or the other side has no TLS arrives."""
    alpha, bravo = homes
    share = shared_folder(tmp_path, *homes)
    with running(*homes), alpha.client() as here, bravo.client() as there:
        in_service(*homes)
        until(lambda: bearer(here, "drop")["up"] and bearer(here, "tls")["up"])
        before = bearer(here, "drop")["sent"]
        assert held(here, say(here, "over the wire alone"))
        assert bearer(here, "drop")["sent"] == before
        assert held(here, say(here, "over both", "flash"))
        until(lambda: bearer(here, "drop")["sent"] > before)
        share.rename(tmp_path / "pulled")
        until(lambda: not bearer(here, "drop")["up"])
        assert held(here, say(here, "without the folder", "flash"))
        assert texts(here) == texts(there)


def test_a_bearer_that_cannot_start_stops_nobody(homes: list[Home], tmp_path: Path) -> None:
    """A port that is taken, a device that is missing, a relay that is not there: the drop folder goes on."""
    alpha, bravo = homes
    shared_folder(tmp_path, *homes)
    table(alpha, '[[serial]]\nname = "serial-x"\ndevice = "/nonexistent/ttyS9"')
    table(alpha, '[nats]\nservers = ["127.0.0.1:9"]')
    bravo.change(f'listen = ["127.0.0.1:{bravo.port}"]', "listen = []")
    with taken(alpha.port), running(*homes):
        in_service(*homes)
        both_ways(*homes)
        with alpha.client() as here:
            told = here.get("status")["problems"]
            assert any("tls" in each and "cannot listen" in each for each in told)
            assert not any("drop" in each for each in told)
            assert not bearer(here, "serial-x")["up"]
            assert "cannot be opened" in bearer(here, "serial-x")["trouble"]
            assert any("serial-x" in each for each in told)
            assert not bearer(here, "nats")["up"]
            assert bearer(here, "tls")["trouble"]
    with running(*homes), alpha.client() as here:
        until(lambda: not bearer(here, "tls")["trouble"])


@contextlib.contextmanager
def taken(port: int) -> Iterator[None]:
    """Somebody else listens at a port."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        yield


@pytest.mark.parametrize("rate", [9_600, pytest.param(1_200, marks=pytest.mark.full)])
def test_a_line_over_a_serial_line_alone(homes: list[Home], rate: int) -> None:
    with plugged() as plugs, cable(homes, plugs, rate), running(*homes):
        in_service(*homes, deadline_s=120)
        both_ways(*homes)


@pytest.mark.full
def test_a_line_over_a_relay_alone(homes: list[Home]) -> None:
    without_tls(*homes)
    with server() as relay:
        for home in homes:
            table(home, f'[nats]\nservers = ["{relay.address}"]')
        with running(*homes):
            in_service(*homes)
            both_ways(*homes)
