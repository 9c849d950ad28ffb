"""The station's local API, from outside: HTTP and JSON over its Unix socket.

    with Client(home / "run" / "api.sock") as station:
        answer = station.post("lines/relay/entries", {"kind": "message", ...})
        for event in station.events("lines/relay/events", after="17"):
            ...

One connection, kept open, for one thread. Streams have a connection each.
What the station refuses is raised as the house's error of that code, with the
station's own words; none of them quotes what was sent.
"""

import contextlib
import http.client
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

from openline.kernel import errors
from openline.kernel.errors import Refused, Unavailable

PREFIX = "/v1/"
TIMEOUT_S = 60.0
"""Without an answer for this long a call fails; long polls and streams wait by their own measure."""
_LONGEST_PATH = 100
"""Bytes of a Unix socket's name that fit `sockaddr_un` (108 with its end), less some."""
_HOUSE = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, Refused | Unavailable)
}
_CODES = {"quota": errors.TooLarge}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One server-sent event."""

    name: str
    id: str
    """Where to resume after it; empty if it has none."""
    data: Any = field(repr=False)


class Client:
    """A station's API. Every call may raise Unavailable: the station does not run or answer."""

    def __init__(self, path: Path, *, timeout_s: float = TIMEOUT_S) -> None:
        self._path, self._timeout_s = path, timeout_s
        self._kept: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the kept connection; the next call opens another."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    # --- calls -------------------------------------------------------------------------------------------------

    def get(self, path: str, /, **query: object) -> Any:
        """The answer's JSON."""
        return self._json("GET", path, None, query)

    def post(self, path: str, body: object = None, /, **query: object) -> Any:
        """Post JSON; the answer's JSON."""
        return self._json("POST", path, _encoded(body), query)

    def delete(self, path: str, /) -> Any:
        """Delete; the answer's JSON."""
        return self._json("DELETE", path, None, {})

    def post_bytes(self, path: str, body: bytes, /, **query: object) -> Any:
        """Post bytes as they are; the answer's JSON."""
        return self._json("POST", path, body, query)

    def text(self, path: str, body: object = None, /, *, method: str = "GET", **query: object) -> str:
        """An answer that is text."""
        return self.raw(path, body, method=method, **query).decode()

    def raw(self, path: str, body: object = None, /, *, method: str = "GET", **query: object) -> bytes:
        """An answer's bytes."""
        return self._call(method, path, None if body is None else _encoded(body), query)

    def _json(self, method: str, path: str, body: bytes | None, query: dict[str, object]) -> Any:
        answer = self._call(method, path, body, query)
        return json.loads(answer) if answer else None

    def _call(self, method: str, path: str, body: bytes | None, query: dict[str, object]) -> bytes:
        fresh = self._kept is None
        connection = self._kept = self._kept or self._connection()
        try:
            try:
                answer = _ask(connection, method, _target(path, query), body)
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self.close()
                # A kept connection may have been closed by the station's idle limit: then nothing was read of it.
                if fresh or method != "GET":
                    raise
                connection = self._kept = self._connection()
                answer = _ask(connection, method, _target(path, query), body)
            data = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise Unavailable("the station does not answer") from None
        if answer.status >= 400:
            raise refusal(answer.status, data)
        return data

    # --- streams -----------------------------------------------------------------------------------------------

    def events(self, path: str = "events", /, *, after: str | int | None = None) -> Iterator[Event]:
        """Events as they come, heartbeats left out. Ends when the station ends it: resume after the last id.

        The first thing it does is to connect, so that nothing is missed between
        this call and the first `next`.
        """
        query: dict[str, object] = {} if after is None else {"after": after}
        return _events(self._stream("GET", path, None, query))

    def progress(self, path: str, body: object, /) -> Iterator[Any]:
        """Each line of an answer that comes line by line (NDJSON)."""
        return _lines(self._stream("POST", path, _encoded(body), {}))

    def _stream(
        self, method: str, path: str, body: bytes | None, query: dict[str, object]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = self._connection()
        try:
            answer = _ask(connection, method, _target(path, query), body)
            if answer.status >= 400:
                data = answer.read()
                connection.close()
                raise refusal(answer.status, data)
        except (OSError, http.client.HTTPException):
            connection.close()
            raise Unavailable("the station does not answer") from None
        return connection, answer

    def _connection(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("station", timeout=self._timeout_s)
        connection.sock = connect(self._path, self._timeout_s)
        return connection


def connect(path: Path, timeout_s: float) -> socket.socket:
    """A connection to a station's socket. Raises Unavailable when no station listens there, Forbidden."""
    plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    plain.settimeout(timeout_s)
    try:
        with short_path(path) as name:
            plain.connect(name)
    except PermissionError:
        plain.close()
        raise errors.Forbidden("this user may not speak to the station") from None
    except OSError:
        plain.close()
        raise Unavailable("the station is not running: start it with openline up") from None
    return plain


@contextlib.contextmanager
def short_path(path: Path) -> Iterator[str]:
    """Lend a name for `path` that fits a socket address, however deep its folder is. Raises OSError."""
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def refusal(status: int, data: bytes) -> Refused | Unavailable:
    """What an answer with an error status means."""
    try:
        answer = json.loads(data)
        code, words, hint = str(answer["error"]), str(answer["message"]), str(answer.get("do", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return (
            Unavailable("the station answered with something that is not its own")
            if status >= 500
            else Refused("the station refused the call")
        )
    kind = _HOUSE.get(code) or _CODES.get(code) or (Unavailable if status >= 500 else Refused)
    message = f"{words}: {hint}" if hint else words
    return kind(message)


def _ask(
    connection: http.client.HTTPConnection, method: str, target: str, body: bytes | None
) -> http.client.HTTPResponse:
    connection.request(method, target, body=body)
    return connection.getresponse()


def _encoded(body: object) -> bytes:
    return b"" if body is None else json.dumps(body, ensure_ascii=False).encode()


def _target(path: str, query: dict[str, object]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return PREFIX + quote(path.lstrip("/"), safe="/:") + ("?" + urlencode(given) if given else "")


def _lines(stream: tuple[http.client.HTTPConnection, http.client.HTTPResponse]) -> Iterator[Any]:
    connection, answer = stream
    try:
        while line := answer.readline():
            if line.strip():
                yield json.loads(line)
    except (OSError, http.client.HTTPException):
        raise Unavailable("the station ended the answer early") from None
    finally:
        connection.close()


def _events(stream: tuple[http.client.HTTPConnection, http.client.HTTPResponse]) -> Iterator[Event]:
    connection, answer = stream
    name, number, data = "message", "", ""
    try:
        while line := answer.readline().decode():
            word, _, value = line.rstrip("\n").partition(": ")
            if word == "event":
                name = value
            elif word == "id":
                number = value
            elif word == "data":
                data += value
            elif not word and data:
                yield Event(name=name, id=number, data=json.loads(data))
                name, number, data = "message", "", ""
    except TimeoutError:
        raise Unavailable("the station has fallen silent") from None
    except (OSError, http.client.HTTPException):
        return  # the station stops: the same as an end
    finally:
        connection.close()
