"""A plain HTTPS client of a console: what a browser sends, without a page; and stations with a console."""

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.homes import Home, new_home


def with_console(home: Home, *, lock_after_s: int = 900) -> Home:
    """Give a station a console, at a free port."""
    home.change("\n[log]\n", f'\n[console]\nlisten = "127.0.0.1:0"\nlock_after_s = {lock_after_s}\n\n[log]\n')
    return home


def console_home(folder: Path, name: str = "ALPHA", *, lock_after_s: int = 900) -> Home:
    """A new station with a console and no line."""
    return with_console(new_home(folder, name), lock_after_s=lock_after_s)


def link_for(home: Home, sign: str, *roles: str) -> str:
    """A one-time link, as `openline console link` makes it."""
    with home.client() as station:
        made: str = station.post("console/links", {"sign": sign, "roles": list(roles)})["url"]
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    data: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """What it says."""
        return json.loads(self.data)

    @property
    def error(self) -> str:
        """The code of a refusal."""
        assert self.status >= 400, (self.status, self.data)
        return str(self.json["error"])


class Browser:
    """Speaks to one console and trusts its authority alone; one call a connection."""

    def __init__(self, home: Home) -> None:
        with home.client() as station:
            told = station.get("console/authority")
        self.url: str = told["url"]
        self.context = ssl.create_default_context(cadata=told["certificate"])
        self.host, _, port = self.url.removeprefix("https://").partition(":")
        self.port = int(port)
        self.cookie = self.page = ""

    def connect(self) -> ssl.SSLSocket:
        """A connection."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        return self.context.wrap_socket(plain, server_hostname=self.host)

    def open(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str | None] | None = None
    ) -> http.client.HTTPResponse:
        """Call; the answer is still to be read. `headers`: more, others, or (None) not."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        sent: dict[str, str | None] = {"Host": f"{self.host}:{self.port}", "Sec-Fetch-Site": "same-origin"}
        if method not in {"GET", "HEAD"}:
            sent |= {"Origin": self.url, "Content-Type": "application/json", "Content-Length": str(len(data))}
        if self.cookie:
            sent |= {"Cookie": f"__Host-openline={self.cookie}", "Openline-Page": self.page}
        sent |= headers or {}
        lines = [f"{method} {path} HTTP/1.1", *(f"{key}: {value}" for key, value in sent.items() if value is not None)]
        connection = self.connect()
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode() + data)
        answer = http.client.HTTPResponse(connection, method=method)
        connection.close()  # the answer keeps it open until it is read
        answer.begin()
        return answer

    def call(self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str | None] | None = None) -> Got:
        """Call, read all, and keep the cookie as a browser would."""
        with self.open(method, path, body, headers=headers) as answer:
            got = Got(
                status=answer.status,
                headers={key.lower(): value for key, value in answer.getheaders()},
                data=answer.read(),
            )
        given = got.headers.get("set-cookie", "")
        if given:
            self.cookie = given.partition("=")[2].partition(";")[0]
            self.page = got.json.get("page_key", "")
        return got

    def take(self, other: "Browser") -> None:
        """Be signed in as another browser is."""
        self.cookie, self.page = other.cookie, other.page

    def get(self, path: str) -> Got:
        """GET."""
        return self.call("GET", path)

    def post(self, path: str, body: Any = None) -> Got:
        """POST, as the console's own page does."""
        return self.call("POST", path, {} if body is None else body)

    def put(self, path: str, body: Any) -> Got:
        """PUT."""
        return self.call("PUT", path, body)


def token_of(link: str) -> str:
    """The token of a one-time link."""
    return link.rpartition("/")[2]


def entered(home: Home, sign: str = "W1", *roles: str) -> Browser:
    """A browser that is signed in by a one-time link."""
    browser = Browser(home)
    got = browser.post("/console/enter", {"token": token_of(link_for(home, sign, *roles))})
    assert got.status == 200, got.data
    return browser
