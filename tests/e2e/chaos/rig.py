"""Two real stations, as processes of their own, with a proxy on each way between them.

They are made and paired once, by the commands that people type; each test has
a copy of both homes. A copy starts where the template ended, in a world of its
own: the two never meet another copy.
"""

import atexit
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openline.kernel.errors import Refused, Unavailable
from openline.station.client import Client
from tests.e2e.chaos.proxy import Proxy
from tests.e2e.chaos.shim import Machine
from tests.e2e.cli_rig import Done, Floor, founded, paired, process
from tests.e2e.everyones_python import everyones_python
from tests.ports import free_port
from tests.waiting import until

TERMS = """
title = "A line that is to be broken"
languages = ["en"]
test_minutes = 0

[quota]
urgent_per_hour = 4000000000
traffic_per_hour = 4000000000
attachment_mib_per_day = 100000
"""
NAMES = ("ALPHA", "BRAVO")
START_S = 120.0
UP = ["-m", "openline", "up"]


def make_template(folder: Path, terms: str = TERMS) -> Path:
    """Two stations with an open line, stopped in order. By the commands alone."""
    folder.mkdir(parents=True)
    alpha, bravo = (founded(folder, name) for name in NAMES)
    with alpha.up(), bravo.up():
        paired(folder, alpha, bravo, terms)
    return folder


@dataclass
class Station:
    """One station's home, and its process while it runs."""

    name: str
    home: Path
    port: int
    user: int | None = None
    """The Unix user that it runs as; only root can choose another."""
    groups: list[int] | None = None
    inside: list[str] = field(default_factory=list)
    """What its command runs under: a namespace of its own."""
    machine: Machine | None = None
    """Whose orders its process is under."""
    starts: int = 0
    running: "subprocess.Popen[bytes] | None" = None
    client: Client = field(init=False)
    """Of the test's main thread; threads make their own."""

    def __post_init__(self) -> None:
        self.client = self.caller()

    def caller(self, timeout_s: float = 60.0) -> Client:
        """A client of one's own."""
        return Client(self.home / "run" / "api.sock", timeout_s=timeout_s)

    # --- its process ---

    def spawn(self) -> "subprocess.Popen[bytes]":
        """Start the process, without waiting for anything."""
        assert self.running is None, "it runs"
        self.starts += 1
        with self.log.open("ab") as log:
            python = sys.executable if self.user is None else everyones_python()
            self.running = subprocess.Popen(
                [*self.inside, python, *UP],
                env={**os.environ, **(self.machine.env if self.machine else {}), "OPENLINE_HOME": str(self.home)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.user,
                group=self.user,
                extra_groups=self.groups,
                start_new_session=True,
            )
        return self.running

    def start(self) -> None:
        """Start it, until its local API answers."""
        self.spawn()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Until the local API answers."""
        until(self.answers, deadline_s=START_S)

    def answers(self) -> bool:
        """Whether the API answers. Fails if the process has ended."""
        self.assert_alive()
        try:
            self.client.get("status")
        except (Refused, Unavailable):
            return False
        return True

    def assert_alive(self) -> None:
        """Fails, with the end of the log, if the process has ended by itself."""
        assert self.running is not None
        status = self.running.poll()
        assert status is None, f"{self.name} ended with status {status}: {self.log_tail()}"

    def kill(self) -> None:
        """SIGKILL: nothing of it runs on, nothing is put in order."""
        if self.running is not None:
            self.running.kill()
            self.running.wait()
        self._gone()

    def fell(self, deadline_s: float) -> None:
        """Wait until SIGKILL has ended it."""
        assert self.running is not None
        status = self.running.wait(deadline_s)
        assert status == -signal.SIGKILL, f"{self.name} ended with status {status}: {self.log_tail()}"
        self._gone()

    def stop(self) -> int:
        """SIGTERM, as the service manager does; the exit status."""
        assert self.running is not None
        self.running.send_signal(signal.SIGTERM)
        status = self.running.wait(60)
        self._gone()
        return status

    def ended(self) -> int:
        """Wait until it ends by itself; the exit status."""
        assert self.running is not None
        status = self.running.wait(START_S)
        self._gone()
        return status

    def _gone(self) -> None:
        self.running = None
        self.client.close()

    # --- its files and what it says ---

    @property
    def log(self) -> Path:
        return self.home.parent / f"{self.name}.log"

    @property
    def store(self) -> Path:
        return self.home / "store" / "store.db"

    @property
    def marks(self) -> Path:
        return self.home / "marks"

    @property
    def key_file(self) -> Path:
        return self.home / "unlock.key"

    def log_tail(self) -> str:
        """The last lines of the log, for a failure's message."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])

    def events(self, name: str) -> list[dict[str, Any]]:
        """Log events of that name."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            if line.startswith("{"):
                event = json.loads(line)
                if event.get("event") == name:
                    found.append(event)
        return found

    def command(self, *words: str) -> Done:
        """A command in a process of its own, as a person types it."""
        return process(*words, env={"OPENLINE_HOME": str(self.home), "OPENLINE_LANG": "en"})

    def line(self, client: Client | None = None) -> dict[str, Any]:
        """The line as it stands. Raises Unavailable."""
        lines: list[dict[str, Any]] = (client or self.client).get("lines")["lines"]
        assert len(lines) == 1, lines
        return lines[0]

    def entries(self, kind: str | None = "message") -> list[dict[str, Any]]:
        """All entries of these kinds, by arrival."""
        path, found, after = f"lines/{self.line()['line']}/entries", list[dict[str, Any]](), 0
        while page := self.client.get(path, after=after, limit=1_000, kind=kind)["entries"]:
            found += page
            after = page[-1]["seq"]
        return found

    def send(self, text: str, precedence: str = "routine", client: Client | None = None) -> dict[str, Any]:
        """Send one message; its place. Raises what the station says."""
        body = _message(text, precedence)
        ref: dict[str, Any] = (client or self.client).post(f"lines/{self.peer}/entries", body)["ref"]
        return ref

    def send_many(self, texts: Sequence[str], precedence: str, client: Client | None = None) -> list[dict[str, Any]]:
        """Send several as one group; their places."""
        body = {"entries": [_message(text, precedence) for text in texts]}
        refs: list[dict[str, Any]] = (client or self.client).post(f"lines/{self.peer}/entries:batch", body)["refs"]
        return refs

    def held(self, ref: dict[str, Any], timeout_ms: int = 60_000) -> bool:
        """Wait until the other party holds it."""
        query: dict[str, object] = {"lane": ref["lane"], "generation": ref["generation"], "index": ref["index"]}
        path = f"lines/{self.peer}/wait"
        with self.caller(timeout_ms / 1_000 + 60.0) as client:
            return bool(client.get(path, **query, **{"for": "held"}, timeout_ms=timeout_ms)["done"])

    def shows_up(self, bearer: str) -> bool:
        """Whether that bearer is up, as it is shown here."""
        return any(each["bearer"] == bearer and each["up"] for each in self.line()["bearers"])

    def reaches(self, bearer: str) -> bool:
        """Whether a probe over that bearer alone comes back."""
        with self.caller(70.0) as client:
            (test,) = client.post(f"lines/{self.peer}/bearers/test", {"bearer": bearer})["tests"]
        return bool(test["answered"])

    @property
    def peer(self) -> str:
        """The other's name, which is the line's label here."""
        return NAMES[1 - NAMES.index(self.name)]


def _message(text: str, precedence: str) -> dict[str, object]:
    """Also where MINIMIZE stands by itself after a minute on thin bearers."""
    return {"kind": "message", "text": text, "precedence": precedence, "minimize_considered": True}


@dataclass
class Rig:
    """Both stations and what is between them."""

    folder: Path
    alpha: Station
    bravo: Station
    to_alpha: Proxy
    to_bravo: Proxy

    @property
    def both(self) -> tuple[Station, Station]:
        return self.alpha, self.bravo

    @property
    def proxies(self) -> tuple[Proxy, Proxy]:
        return self.to_alpha, self.to_bravo

    def other(self, station: Station) -> Station:
        return self.bravo if station is self.alpha else self.alpha

    def start(self) -> None:
        """Start both, until the line is in service on both sides."""
        for station in self.both:
            station.spawn()
        for station in self.both:
            station.wait_ready()
        self.wait_service()

    def wait_service(self, deadline_s: float = 120.0) -> None:
        """Until both show the line in service."""
        for station in self.both:
            until(lambda station=station: station.line()["state"] == "in service", deadline_s=deadline_s)  # type: ignore[misc]

    def fingerprints(self) -> list[str]:
        """Both parties' fingerprints, as hexadecimal."""
        return [party["fingerprint"] for party in self.alpha.line()["parties"]]


def write_config(station: Station, peer_fingerprint: str, *, listen: Sequence[str], dial: Sequence[str]) -> None:
    """Give a copied home its own addresses, its own key file and, for the peer, those at which it is reached."""
    path = station.home / "config.toml"
    text = re.sub(r"(?m)^listen = .*$", f"listen = {json.dumps(list(listen))}", path.read_text())
    text = re.sub(r"(?m)^key_file = .*$", 'key_file = "unlock.key"', text)
    text = re.sub(r"(?ms)^\[peers\..*", "", text)
    path.write_text(text + f"[peers.{peer_fingerprint}]\ntls = {json.dumps(list(dial))}\n")


def copied(template: Path, folder: Path, name: str, port: int) -> Station:
    """A copy of one of the template's stations."""
    folder.mkdir(parents=True, exist_ok=True)
    home = folder / name.lower()
    shutil.copytree(template / name.lower(), home, ignore=shutil.ignore_patterns("*.sock", "up.log"))
    return Station(name, home, port)


def fingerprint_of(folder: Path, name: str) -> str:
    """A template station's fingerprint."""
    found: str = Floor(name, folder / name.lower()).good("card")["fingerprint"]["hex"]
    return found


@contextmanager
def rig(template: Path, folder: Path, seed: int = 0) -> Iterator[Rig]:
    """Copies of the template's stations, not started; killed at the end."""
    stations = [copied(template, folder, name, free_port()) for name in NAMES]
    alpha, bravo = stations
    with Proxy(alpha.port, seed) as to_alpha, Proxy(bravo.port, seed + 1) as to_bravo:
        for station, peer, proxy in ((alpha, "BRAVO", to_bravo), (bravo, "ALPHA", to_alpha)):
            here, there = (f"127.0.0.1:{port}" for port in (station.port, proxy.port))
            write_config(station, fingerprint_of(template, peer), listen=[here], dial=[there])
        try:
            yield Rig(folder, alpha, bravo, to_alpha, to_bravo)
        finally:
            for station in stations:
                station.kill()


@functools.cache
def paired_template() -> Path:
    """One template for all tests of this process."""
    folder = Path(tempfile.mkdtemp(prefix="openline-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return make_template(folder / "pair")
