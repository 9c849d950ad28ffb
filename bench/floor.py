"""What the machine itself can do: the floor under every number of ours.

    .venv/bin/python -m bench.floor

One-way latency, as the design has it, is two durable commits, one signature,
one verification and half a round trip. Those are measured here, with the
same disk, the same SQLite settings and the same cryptography that a station uses.
"""

import argparse
import contextlib
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw

from bench.spread import Samples, spread
from openline.kernel.crypto import Signer
from openline.stores.sqlite.file import _PRAGMAS

ROW = 400
"""Bytes: about what one sealed entry with its head takes."""


class Floor:
    """The measured operations, ready to be run once each; keep it open and `probe` between other measurements."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / "floor.bin", os.O_RDWR | os.O_CREAT, 0o600)
        os.pwrite(self._file, bytes(1 << 20), 0)
        os.fsync(self._file)
        self._at = 0
        self._database = apsw.Connection(str(folder / "floor.db"))
        for pragma in _PRAGMAS:
            self._database.execute(pragma).fetchall()
        self._database.execute("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT")
        self._signer = Signer(bytes(32), bytes(range(32)))
        self._text = os.urandom(120)
        self._signature = self._signer.ed25519(self._text)
        self._near, self._far = _pair()
        self._echo = threading.Thread(target=_echo, args=(self._far,), daemon=True)
        self._echo.start()
        self.samples: dict[str, Samples] = {name: Samples() for name in self._operations()}
        self._since: dict[str, int] = dict.fromkeys(self.samples, 0)

    def _operations(self) -> dict[str, Callable[[], None]]:
        return {
            "fsync_4k_ms": self._fsync,
            "sqlite_commit_ms": self._commit,
            "sign_ms": lambda: _nothing(self._signer.ed25519(self._text)),
            "verify_ms": lambda: self._signer.public.ed25519(self._signature, self._text),
            "loopback_round_trip_ms": self._round_trip,
        }

    def probe(self, times: int = 1) -> None:
        """Do each operation so often, and keep how long each took."""
        operations = self._operations()
        for _ in range(times):
            for name, operation in operations.items():
                began = time.perf_counter_ns()
                operation()
                self.samples[name].add(time.perf_counter_ns() - began)

    def _fsync(self) -> None:
        self._at = (self._at + 4096) % (1 << 20)
        os.pwrite(self._file, bytes(4096), self._at)
        os.fsync(self._file)

    def _commit(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        self._database.execute("INSERT INTO rows (data) VALUES (?)", (bytes(ROW),))
        self._database.execute("COMMIT")

    def _round_trip(self) -> None:
        self._near.sendall(bytes(256))
        got = 0
        while got < 256:
            got += len(self._near.recv(256))

    def begin(self) -> None:
        """From here on `implied_one_way_ms` speaks of what is probed from here on."""
        self._since = {name: len(found) for name, found in self.samples.items()}

    def implied_one_way_ms(self, *, whole: bool = False) -> float:
        """Two durable commits, one signature, one verification, half a round trip; of the median of each."""
        at = {
            name: spread(Samples(found.values[0 if whole else self._since[name] :]))["p50"]
            for name, found in self.samples.items()
        }
        return round(2 * at["sqlite_commit_ms"] + at["sign_ms"] + at["verify_ms"] + at["loopback_round_trip_ms"] / 2, 3)

    def result(self) -> dict[str, object]:
        """Each operation's spread, and what they imply."""
        return {
            **{name: spread(found) for name, found in self.samples.items()},
            "implied_one_way_ms": self.implied_one_way_ms(whole=True),
            "samples": len(self.samples["fsync_4k_ms"]),
        }

    def close(self) -> None:
        """Release files and sockets."""
        self._near.close()
        self._far.close()
        self._database.close()
        os.close(self._file)


def _nothing(_value: object) -> None:
    return


def _pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    for end in (near, far):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far


def _echo(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := end.recv(4096):
            end.sendall(data)


@contextlib.contextmanager
def floor_in(folder: Path) -> Iterator[Floor]:
    """A floor whose files lie in `folder`."""
    floor = Floor(folder)
    try:
        yield floor
    finally:
        floor.close()


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=300)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, floor_in(Path(folder)) as floor:
        floor.probe(asked.times)
        print(json.dumps(floor.result(), indent=2))


if __name__ == "__main__":
    main()
