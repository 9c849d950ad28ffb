"""Two stations with a line between them, made without pairing: both are handed the same terms and pairing key."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from openline.kernel.errors import Unavailable
from openline.kernel.keys import Card
from openline.kernel.lane import GENERATION_ZERO
from openline.kernel.terms import Policy, Terms, make_terms
from openline.protocol.records import LineRecord, Mark
from openline.station.client import Client
from openline.station.keystore import Keystore
from openline.station.main import socket_path
from openline.station.marks import Marks
from openline.station.places import Places
from openline.station.setup import create_home
from openline.station.unlock import KeyFile, make_key_file
from openline.stores.sqlite import SqliteStore
from tests.ports import free_port
from tests.waiting import until

POLICY = Policy(title="Test line")


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A station's data folder."""

    name: str
    folder: Path
    unlock: KeyFile
    card: Card
    port: int

    @property
    def log(self) -> Path:
        """Where a process of it writes its events."""
        return self.folder.parent / f"{self.name}.log"

    def client(self) -> Client:
        """Its local API."""
        return Client(socket_path(self.folder), timeout_s=60)

    def change(self, old: str, new: str) -> None:
        """Change its configuration."""
        path = self.folder / "config.toml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


def new_home(folder: Path, name: str, *, simulated_clock: bool = False, language: str = "en") -> Home:
    """A new station below `folder`."""
    port = free_port()
    unlock = make_key_file(folder / f"{name}.key", os.urandom)
    made = create_home(
        folder / name.lower(),
        name=name,
        unlock=unlock,
        listen=(f"127.0.0.1:{port}",),
        language=language,
        simulated_clock=simulated_clock,
    )
    return Home(name=name, folder=made.home, unlock=unlock, card=made.card, port=port)


def records(homes: list[Home], policy: Policy, label: str) -> tuple[Terms, list[LineRecord]]:
    """The line as each of them keeps it."""
    terms = make_terms(tuple(home.card.party(os.urandom(32)) for home in homes), policy)
    by_party = {terms.party_of_root(home.card.root.ed25519_key): home.card for home in homes}
    cards = tuple(by_party[party].raw for party in range(len(homes)))
    return terms, [
        LineRecord(
            line=terms.line,
            party=terms.party_of_root(home.card.root.ed25519_key),
            terms=terms.raw,
            cards=cards,
            label=label,
        )
        for home in homes
    ]


def join(homes: list[Home], policy: Policy = POLICY, label: str = "relay") -> Terms:
    """Put a line between stations that do not run."""
    terms, made = records(homes, policy, label)
    shared = {frozenset((a, b)): os.urandom(32) for a in range(len(homes)) for b in range(a)}
    for home, record in zip(homes, made, strict=True):
        places = Places(home.folder)
        keys = Keystore.open(places.keys, home.unlock, os.urandom)
        for party in range(len(homes)):
            if party != record.party:
                keys.put_psk(terms.line, party, shared[frozenset((party, record.party))])
        marks = Marks(places.marks)
        marks.write(terms.line, Mark(generation=GENERATION_ZERO, urgent=0, traffic=0))
        marks.close()
        with contextlib.closing(SqliteStore.open(places.store, keys.data_key)) as store:
            store.add_line(record)
    return terms


def pair(folder: Path, policy: Policy = POLICY, *, simulated_clock: bool = False) -> list[Home]:
    """ALPHA and BRAVO with the line `relay`."""
    homes = [new_home(folder, name, simulated_clock=simulated_clock) for name in ("ALPHA", "BRAVO")]
    join(homes, policy)
    return homes


class Running:
    """A station as a process."""

    def __init__(self, home: Home, module: str = "openline.station") -> None:
        self.home = home
        with home.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", module, str(home.folder)], stdout=log, stderr=log)
        try:
            until(self._answers, deadline_s=120)
        except BaseException:  # nobody is handed it, so nobody would end it
            self.kill()
            raise

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(self.home.log.read_text())
        try:
            with self.home.client() as station:
                return bool(station.get("status"))
        except Unavailable:
            return False

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(120)

    def kill(self) -> None:
        """SIGKILL: what a power cut is to the process."""
        self.process.kill()
        self.process.wait(60)


@contextlib.contextmanager
def hang_up(answer: signal.Handlers) -> Iterator[None]:
    """What a process that is begun in the block does when its terminal is closed: SIG_DFL, or SIG_IGN as after nohup."""
    before = signal.signal(signal.SIGHUP, answer)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@contextlib.contextmanager
def running(*homes: Home, module: str = "openline.station") -> Iterator[list[Running]]:
    """Processes of these stations; killed at the end if they still run. `module`: what else is run in their place."""
    started: list[Running] = []
    try:
        for home in homes:
            started.append(Running(home, module))  # noqa: PERF401 - one that is up is ended also when the next fails
        yield started
    finally:
        for each in started:
            if each.process.poll() is None:
                each.kill()


def in_service(*homes: Home, deadline_s: float = 120) -> None:
    """Wait until the line of all of them works."""
    for home in homes:
        with home.client() as station:
            until(partial(_all_in_service, station), deadline_s=deadline_s)


def _all_in_service(station: Client) -> bool:
    return all(line["state"] == "in service" for line in station.get("lines")["lines"])
