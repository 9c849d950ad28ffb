"""The table about calls: `[calls]` of a station's config.toml.

Sound goes from console to console. Where there is no direct path it goes
through a relay of the parties' own (TURN, RFC 8656); no server of anybody
else is ever asked, and no STUN server at all.
"""

import re
from typing import Annotated

import msgspec

from openline.kernel.errors import Malformed
from openline.station.bearer_tables import Table

_TURN = re.compile(
    r"turns?:(?:\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::[0-9]{1,5})?(?:\?transport=(?:udp|tcp))?",
    re.ASCII,
)


class CallsTable(Table, frozen=True, kw_only=True):
    """`[calls]`."""

    turn: Annotated[tuple[str, ...], msgspec.Meta(max_length=8)] = ()
    """The party's own relays: "turn:192.0.2.7:3478?transport=udp", "turns:turn.example.org:5349"."""
    turn_secret_file: str = ""
    """What the relay has as `static-auth-secret`, at least 32 bytes; readable for the station's user alone."""
    relay_only: bool = False
    """Sound goes through the relay alone: the other side's consoles learn its address and not those of ours."""


def check_calls(table: CallsTable) -> None:
    """Pass a table that can be meant. Raises Malformed, saying where."""
    if not all(_TURN.fullmatch(url) for url in table.turn):
        raise Malformed('config.toml: calls.turn: not an address of a relay, as "turn:192.0.2.7:3478?transport=udp"')
    if bool(table.turn) is not bool(table.turn_secret_file):
        raise Malformed("config.toml: calls: turn and turn_secret_file go together")
    if table.relay_only and not table.turn:
        raise Malformed("config.toml: calls.relay_only: only with a relay in calls.turn")
