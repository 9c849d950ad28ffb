"""The systemd unit: whole, hardened, and spoken to."""

import configparser
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from openline.station.main import notify
from tests.e2e.homes import Home, Running, pair
from tests.house.rules import ROOT
from tests.waiting import until

UNIT = ROOT / "packaging" / "openline.service"


def unit() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return parser["Service"]


def test_the_unit_runs_the_station_and_waits_for_it_as_long_as_it_needs() -> None:
    service = unit()
    assert service["ExecStart"].split()[1:] == ["-m", "openline.station", "/var/lib/openline"]
    assert (service["Type"], service["Restart"], service["RestartPreventExitStatus"]) == ("notify", "on-failure", "78")
    assert service["UMask"] == "0077"
    assert service["LimitCORE"] == service["MemorySwapMax"] == "0"


def analysed(tmp_path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed (Debian: systemd)")
    copy = tmp_path / "openline.service"
    copy.write_text(UNIT.read_text().replace("/opt/openline/.venv/bin/python", sys.executable))
    return subprocess.run([program, *command, str(copy)], capture_output=True, text=True)


@pytest.mark.full
def test_systemd_understands_every_line_of_it(tmp_path: Path) -> None:
    done = analysed(tmp_path, "verify", "--man=no")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.full
def test_systemd_rates_it_as_hardened(tmp_path: Path) -> None:
    done = analysed(tmp_path, "security", "--offline=true", "--threshold=20")
    assert done.returncode == 0, done.stdout[-200:]


def test_a_systemd_that_does_not_listen_holds_no_station_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        place = tmp_path / "notify"
        deaf.bind(os.path.relpath(place))
        monkeypatch.setenv("NOTIFY_SOCKET", str(place))
        for _ in range(2_000):  # more than any socket has room for
            notify("WATCHDOG=1")
        deaf.setblocking(False)
        assert deaf.recv(100) == b"WATCHDOG=1"


def test_it_tells_systemd_that_it_is_ready_alive_and_stopping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    homes: list[Home] = pair(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        place = tmp_path / "notify"
        heard.bind(os.path.relpath(place))
        heard.settimeout(120)
        monkeypatch.setenv("NOTIFY_SOCKET", str(place))
        monkeypatch.setenv("WATCHDOG_USEC", "300000")
        said: list[bytes] = []

        def listen() -> None:
            while b"STOPPING=1" not in said:
                said.append(heard.recv(100))

        listening = Thread(target=listen, daemon=True)  # what nobody takes fills the socket, and the station waits
        listening.start()
        station = Running(homes[0])
        until(lambda: len(said) >= 3)
        assert station.stop() == 0
        listening.join(120)
    assert said[-1] == b"STOPPING=1"
    assert set(said[:2]) == {b"READY=1", b"WATCHDOG=1"}
    assert said.count(b"READY=1") == 1
