"""A lean client of the local API: bare sockets, kept open, so that it is never the bottleneck."""

import json
import time
from pathlib import Path
from typing import Any

from openline.station.client import connect

PATIENCE_S = 30.0


class Poster:
    """Posts to one path over one kept connection."""

    def __init__(self, path: Path, target: str) -> None:
        self._socket = connect(path, PATIENCE_S)
        self._head = (
            f"POST {target} HTTP/1.1\r\nHost: station\r\nContent-Type: application/json\r\nContent-Length: ".encode()
        )

    def send(self, body: bytes) -> None:
        """Send one call; its answer comes with `answer`."""
        self._socket.sendall(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))

    def answer(self) -> Any:  # noqa: ANN401 - JSON
        """The answer's JSON. Raises RuntimeError if the call was refused."""
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        head, body = data[:end].lower(), data[end + 4 :]
        at = head.index(b"content-length:") + len(b"content-length:")
        size = int(head[at:].split(b"\r\n", 1)[0])
        while len(body) < size:
            body += self._more()
        if not data.startswith(b"HTTP/1.1 2"):
            raise RuntimeError(f"the API refused: {body[:200].decode()}")
        return json.loads(body)

    def _more(self) -> bytes:
        data = self._socket.recv(262_144)
        if not data:
            raise RuntimeError("the station closed the connection")
        return data

    def close(self) -> None:
        self._socket.close()


class Listener:
    """Reads server-sent events of one line."""

    def __init__(self, path: Path, target: str) -> None:
        self._socket = connect(path, PATIENCE_S)
        self._socket.sendall(f"GET {target} HTTP/1.1\r\nHost: station\r\n\r\n".encode())
        self._data = b""
        while b": openline" not in self._data:
            self._data += self._socket.recv(65_536)
        self._data = b""

    def event(self, name: bytes, before: float | None = None) -> tuple[bytes, int]:
        """The next event of that name: its data, and the moment (monotonic ns) when its last byte was read."""
        wanted = b"event: " + name + b"\n"
        while True:
            start = self._data.find(wanted)
            end = self._data.find(b"\n\n", start) if start >= 0 else -1
            if end >= 0:
                found = self._data[start:end]
                self._data = self._data[end + 2 :]
                return found[found.index(b"data: ") + 6 :], self._at
            self._socket.settimeout(PATIENCE_S if before is None else max(0.001, before - time.monotonic()))
            data = self._socket.recv(262_144)
            self._at = time.monotonic_ns()
            if not data:
                raise RuntimeError("the station ended the stream")
            self._data += data

    _at = 0

    def close(self) -> None:
        self._socket.close()
