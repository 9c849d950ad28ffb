"""What the doctor sees of the relays for sound: whether the secret can be read, and whether each answers.

One question is asked of each, as a console would: a binding request of STUN
(RFC 8489, 5), which a TURN server answers to anybody; of those over TCP or TLS
only whether they take a connection.
"""

import contextlib
import ipaddress
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

from openline.kernel.errors import Refused, Unavailable
from openline.station.calling.relays import relay_secret
from openline.station.calling.tables import CallsTable
from openline.station.doctor import Finding, Severity

WAIT_S = 1.5
TRIES = 2
_COOKIE = bytes.fromhex("2112a442")
_URL = re.compile(r"(turns?):(\[[^\]]+\]|[^:?\[]+)(?::([0-9]+))?(?:\?transport=(udp|tcp))?", re.ASCII)


def relay_findings(home: Path, table: CallsTable) -> Iterator[Finding]:
    """Nothing without a relay."""
    if not table.turn:
        return
    try:
        relay_secret(home, table)
    except (Refused, Unavailable):
        yield Finding(
            severity=Severity.FAULT,
            code="calls-secret",
            what="The secret of the relay for calls cannot be read, or is too short.",
            do="Put at least 32 bytes into calls.turn_secret_file, readable for the station's user alone.",
        )
    silent = sum(not _answers(url) for url in table.turn)
    if silent:
        yield Finding(
            severity=Severity.WARNING,
            code="calls-relay",
            what="A relay for calls does not answer from here.",
            do="Start it, and let the consoles of both sides reach it: docs/operators/calls.md",
        )
    else:
        yield Finding(severity=Severity.GOOD, code="calls-relay", what="The relay for calls answers.")


def _answers(url: str) -> bool:
    found = _URL.fullmatch(url)
    if found is None:
        return False
    scheme, host, port, transport = found.groups()
    place = host.strip("[]"), int(port or (5349 if scheme == "turns" else 3478))
    try:
        if scheme == "turns" or transport == "tcp":
            socket.create_connection(place, timeout=WAIT_S).close()
            return True
        return _bound(place)
    except OSError:
        return False


def _bound(place: tuple[str, int]) -> bool:
    """Whether a binding request is answered over UDP."""
    named = os.urandom(12)
    request = bytes.fromhex("00010000") + _COOKIE + named
    family = socket.AF_INET6 if ":" in place[0] and ipaddress.ip_address(place[0]).version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.settimeout(WAIT_S)
        asking.connect(place)
        for _ in range(TRIES):
            asking.send(request)
            with contextlib.suppress(TimeoutError):
                answer = asking.recv(2_048)
                if answer[:2] == b"\x01\x01" and answer[4:20] == _COOKIE + named:
                    return True
    return False
