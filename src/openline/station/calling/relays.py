"""Credentials for the party's own relay: good for ten minutes, made anew for every call, known to no list.

The relay and the station share a secret. A user name is the moment at which it
ends, the password a MAC of it, so the relay needs no list of users, and what a
browser was given is worth nothing soon after (coturn: use-auth-secret).

HMAC-SHA1 is what that relay computes; it guards ten minutes of relaying of
sound that is protected from console to console, and nothing that was said.
"""

import base64
import hmac
import time
from pathlib import Path

from openline.kernel.errors import Malformed
from openline.kernel.units import Entropy
from openline.station.calling.answers import IceServerView, WaysView
from openline.station.calling.tables import CallsTable
from openline.station.files import read_private

GOOD_S = 600
_NAME_BYTES = 8
MIN_SECRET, _MOST_SECRET = 32, 4_096
"""Bytes of the secret that station and relay share."""


def real_s() -> int:
    """The real time of day, also where the station's clock is simulated: the relay goes by its own."""
    return time.time_ns() // 1_000_000_000


def ways(table: CallsTable, home: Path, real_s: int, entropy: Entropy) -> WaysView:
    """How this station's consoles may reach the other side's; `real_s` is the real time of day.

    Raises Malformed (a short secret), and as `read_private`.
    """
    if not table.turn:
        return WaysView(ice=[], relay_only=False, expires_at=None)
    secret = relay_secret(home, table)
    until = real_s + GOOD_S
    username = f"{until}:{entropy(_NAME_BYTES).hex()}"
    credential = base64.b64encode(hmac.digest(secret, username.encode(), "sha1")).decode()
    server = IceServerView(urls=list(table.turn), username=username, credential=credential)
    return WaysView(ice=[server], relay_only=table.relay_only, expires_at=until * 1_000)


def relay_secret(home: Path, table: CallsTable) -> bytes:
    """What the relay computes credentials with. Raises Malformed, and as `read_private`."""
    secret = read_private(home / table.turn_secret_file, _MOST_SECRET).strip()
    if len(secret) < MIN_SECRET:
        raise Malformed("the secret of the relay has at least 32 bytes")
    return secret
