"""Two stations that reach each other by two families: when one route dies the line goes on by the other."""

import socket
from pathlib import Path

import pytest

from tests.e2e.chaos.proxy import Proxy
from tests.e2e.homes import Home, in_service, join, new_home, running
from tests.ports import free_port
from tests.waiting import until


def ipv6_port() -> int:
    """A free port of IPv6 loopback."""
    try:
        with socket.create_server(("::1", free_port()), family=socket.AF_INET6) as probe:
            return int(probe.getsockname()[1])
    except OSError:
        pytest.skip("this machine has no IPv6 loopback (sysctl net.ipv6.conf.lo.disable_ipv6=0 gives it one)")


def texts(home: Home) -> list[str]:
    """What is shown of messages, in the order of arrival."""
    with home.client() as station:
        entries = station.get("lines/relay/entries", kind="message")["entries"]
    return [entry["body"]["text"] for entry in entries]


def say(home: Home, text: str) -> None:
    with home.client() as station:
        station.post("lines/relay/entries", {"kind": "message", "text": text, "precedence": "immediate"})


def test_9_36_a_line_lives_on_either_family_by_literal_addresses(tmp_path: Path) -> None:
    alpha, bravo = new_home(tmp_path, "ALPHA"), new_home(tmp_path, "BRAVO")
    join([alpha, bravo])
    sixth = ipv6_port()
    alpha.change(f'["127.0.0.1:{alpha.port}"]', f'["127.0.0.1:{alpha.port}", "[::1]:{sixth}"]')
    with Proxy(alpha.port) as fourth:
        places = f'["127.0.0.1:{fourth.port}", "[::1]:{sixth}"]'
        config = bravo.folder / "config.toml"
        config.write_text(f"{config.read_text()}\n[peers.{alpha.card.fingerprint.hex()}]\ntls = {places}\n")
        config = alpha.folder / "config.toml"
        # Only BRAVO calls: nobody listens at the discard port.
        config.write_text(f'{config.read_text()}\n[peers.{bravo.card.fingerprint.hex()}]\ntls = ["127.0.0.1:9"]\n')
        with running(alpha, bravo):
            in_service(alpha, bravo)
            assert fourth.connections
            say(alpha, "by the fourth")
            until(lambda: texts(bravo) == ["by the fourth"])
            by_fourth = fourth.connections
            fourth.cut()
            say(alpha, "by the sixth")
            until(lambda: texts(bravo) == ["by the fourth", "by the sixth"])
            in_service(alpha, bravo)
            assert fourth.connections == by_fourth
