"""A NATS server in a network namespace, which is killed, frozen, and forgets the inboxes that it kept."""

import itertools
import json
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

from tests.contract.nats_rig import PROGRAM
from tests.e2e.chaos.rig import Station
from tests.e2e.chaos.world import Space
from tests.waiting import until

PORT = 4222
_HELLO = b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nSUB answer 1\r\n'


class Relay:
    """The server; it runs."""

    def __init__(self, space: Space, folder: Path) -> None:
        self._space, self._folder = space, folder
        folder.mkdir()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it on what it has stored, until it answers. Harmless when it runs."""
        if self._process is not None:
            return
        words = [PROGRAM, "-a", "0.0.0.0", "-p", str(PORT), "-js", "-sd", str(self._folder / "store")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*self._space.inside, *words], stdout=log, stderr=log)
        until(self._answers, deadline_s=30)

    def kill(self) -> None:
        """kill -9: nothing is flushed. Harmless when repeated."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(60)
            self._process = None

    def freeze(self) -> None:
        """It neither answers nor ends."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def forget(self) -> None:
        """Delete every inbox, with all that waits there."""
        names = self._asked("STREAM.NAMES").get("streams")
        for name in names if isinstance(names, list) else ():
            self._asked(f"STREAM.DELETE.{name}")

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._folder / "store", ignore_errors=True)

    def subscribe(self, station: Station, host: str) -> None:
        """Let a station that does not run use it; it reaches it at `host`."""
        with (station.home / "config.toml").open("a") as config:
            config.write(f'\n[nats]\nservers = ["{host}:{PORT}"]\n')

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "nats-server has ended"
        try:
            return "memory" in self._asked("INFO")
        except OSError:
            return False

    def _asked(self, what: str) -> dict[str, object]:
        """A request to the server by somebody with every right, from within its namespace."""
        found: list[dict[str, object] | OSError] = []

        def there() -> None:
            try:
                self._space.enter()
                found.append(_ask(what))
            except OSError as error:
                found.append(error)

        thread = threading.Thread(target=there)
        thread.start()
        thread.join()
        if isinstance(found[0], OSError):
            raise found[0]
        return found[0]


def _ask(what: str) -> dict[str, object]:
    with socket.create_connection(("127.0.0.1", PORT), 5) as wire, wire.makefile("rb") as lines:
        wire.sendall(_HELLO + f"PUB $JS.API.{what} answer 0\r\n\r\n".encode())
        for line in itertools.takewhile(bool, lines):
            if line.startswith(b"MSG "):
                said: dict[str, object] = json.loads(lines.read(int(line.split()[-1])))
                return said
            if line.startswith(b"HMSG "):  # nobody answers: it is still starting
                break
    raise ConnectionError("no answer")
