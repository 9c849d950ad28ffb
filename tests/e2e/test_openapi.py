"""The API's document is true: every operation in it is called with what it allows and with what it does not.

schemathesis makes the calls and checks each answer against the document: a
status that is not in it, a body of another shape or a 500 fails.
"""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from requests.adapters import HTTPAdapter
from schemathesis.checks import CHECKS
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection

from openline.station.api import all_routes
from openline.station.main import socket_path
from openline.station.openapi import document_of
from tests.e2e.homes import Home, in_service, pair, running

DOCUMENT = document_of(all_routes()[:-1])
# Streams do not end, and a path made up by a fuzzer must not be written to: test_api.py calls these.
schema = schemathesis.openapi.from_dict(DOCUMENT).exclude(path_regex=r"/(events|export|backup)$")


class _Connection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("station")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


class _Pool(HTTPConnectionPool):
    def __init__(self, path: Path) -> None:
        super().__init__("station")
        self._path = path

    def _new_conn(self) -> Any:
        return _Connection(self._path)


class _UnixAdapter(HTTPAdapter):
    """requests over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def get_connection_with_tls_context(self, *_args: Any, **_more: Any) -> Any:
        return _Pool(self._path)


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    homes = pair(tmp_path_factory.mktemp("openapi"), simulated_clock=True)
    with running(*homes):
        in_service(*homes)
        with homes[0].client() as here:
            here.post("lines/relay/entries", {"kind": "message", "text": "To be found."})
        yield homes[0]


@schema.parametrize()
@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_operation_keeps_to_the_document(case: Any, station: Home) -> None:
    with requests.Session() as session:
        session.mount("http://station", _UnixAdapter(socket_path(station.folder)))
        if "line" in (case.path_parameters or {}) and case.meta.generation.mode.is_positive:
            case.path_parameters["line"] = "relay"
        if isinstance((case.query or {}).get("timeout_ms", 0), int) and "timeout_ms" in str(case.operation.query):
            case.query["timeout_ms"] = 50  # nobody comes
        response = case.call(base_url="http://station", session=session, timeout=90)
        case.validate_response(response, excluded_checks=[CHECKS.get_one("positive_data_acceptance")])


def test_the_document_names_every_operation_once_and_is_served() -> None:
    operations = [
        (path, method) for path, methods in DOCUMENT["paths"].items() for method in methods if method != "parameters"
    ]
    assert len(operations) == len(all_routes()) - 1
    identities = [DOCUMENT["paths"][path][method]["operationId"] for path, method in operations]
    assert len(set(identities)) == len(identities)


def test_the_station_serves_the_document(station: Home) -> None:
    with station.client() as here:
        served = here.get("openapi.json")
    assert set(DOCUMENT["paths"]) < set(served["paths"])
    assert served["openapi"] == "3.1.0"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n" * 3,
        b"\x16\x03\x01 not HTTP at all\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\nHost: a\r\n\r\n",
        b"GET /%ff%00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /v1/lines/relay/entries HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab",
        b"GET /v1/" + b"a" * 100_000,
    ],
)
def test_garbage_on_the_socket_costs_nothing(station: Home, sent: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as plain:
        plain.connect(str(socket_path(station.folder)))
        plain.settimeout(5)
        with contextlib.suppress(TimeoutError, ConnectionResetError, BrokenPipeError):  # it may hang up before the end
            plain.sendall(sent)
            plain.shutdown(socket.SHUT_WR)
            while plain.recv(65_536):
                pass
    with station.client() as here:
        assert here.get("status")["lines"] == 1
