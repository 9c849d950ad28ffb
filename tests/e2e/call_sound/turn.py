"""Debian's coturn as the parties run it: short-lived credentials from a shared secret (REST form), no other users, loopback only."""

import base64
import contextlib
import hashlib
import hmac
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.ports import free_port
from tests.waiting import until

_RELAYS = 200
"""Ports that are for relaying; a seat needs one for each other seat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A TURN server that runs."""

    port: int
    secret: str = field(repr=False)
    log: Path

    def url(self, port: int | None = None) -> str:
        """Where it is reached over UDP; `port`: by a road that leads to it."""
        return f"turn:127.0.0.1:{port or self.port}?transport=udp"

    def credentials(self, seconds: int = 600) -> dict[str, str]:
        """A user name that holds so long, and what opens with it: as a station makes them."""
        name = f"{int(time.time()) + seconds}:test"
        made = hmac.new(self.secret.encode(), name.encode(), hashlib.sha1).digest()
        return {"username": name, "credential": base64.b64encode(made).decode()}

    def sessions(self) -> int:
        """How many relays it has given out so far."""
        return self.log.read_text(errors="replace").count("ALLOCATE processed, success")


def missing() -> str | None:
    """Why there is no TURN server on this machine, or None."""
    return None if shutil.which("turnserver") else "no turnserver (Debian: coturn)"


@contextlib.contextmanager
def turn_server(folder: Path) -> Iterator[Turn]:
    """One, with its files in `folder`, until the end of the block."""
    port, first, secret, log = (
        free_port(),
        min(free_port(), 65_535 - _RELAYS),
        secrets.token_hex(16),
        folder / "turn.log",
    )
    settings = {
        "listening-ip": "127.0.0.1",
        "listening-port": port,
        "relay-ip": "127.0.0.1",
        "min-port": first,
        "max-port": first + _RELAYS,
        "realm": "openline",
        "static-auth-secret": secret,
        "cli-password": secrets.token_hex(16),
        "pidfile": folder / "turn.pid",
        "userdb": folder / "turn.db",
        "relay-threads": 1,
    }
    switches = ("use-auth-secret", "fingerprint", "no-tls", "no-dtls", "no-cli", "allow-loopback-peers", "verbose")
    lines = [*(f"{name}={value}" for name, value in settings.items()), *switches, "log-file=stdout"]
    config = folder / "turn.conf"
    config.write_text("\n".join(lines) + "\n")
    with log.open("wb") as out:
        process = subprocess.Popen(["turnserver", "-c", str(config)], stdout=out, stderr=out, cwd=folder)
    try:
        until(lambda: f"IPv4. UDP listener opened on: 127.0.0.1:{port}" in _said(process, log), deadline_s=30)
        yield Turn(port=port, secret=secret, log=log)
    finally:
        process.kill()
        process.wait(10)


def _said(process: "subprocess.Popen[bytes]", log: Path) -> str:
    text = log.read_text(errors="replace")
    if process.poll() is not None:
        raise AssertionError(text)
    return text
