"""Ports on loopback for tests: none is handed out twice, and none that the system gives out by itself.

What is bound to port 0, and the near end of every connection, gets a port of the system's own range. Out of that range, a
port that was free a moment ago may be another test's by the time that it is used. Below it nobody takes one unasked; and
each process of a run takes from blocks of its own, whose first port it holds for as long as it lives.
"""

import atexit
import os
import socket

BLOCK = 64
FIRST, LAST = 10_240, 32_704
"""Where blocks begin: above the ports of services, below the range that Linux gives out of (ip_local_port_range)."""

_left: list[int] = []


def free_port() -> int:
    """A port that nobody listens at now, and nobody else will be handed."""
    while True:
        if not _left:
            _left.extend(_block())
        port = _left.pop(0)
        if (probe := _bound(port)) is not None:
            probe.close()
            return port


def _block() -> range:
    """The ports of a block that no other process has; processes begin to look far from each other."""
    blocks = (LAST - FIRST) // BLOCK
    for number in range(blocks):
        first = FIRST + BLOCK * ((97 * os.getpid() + number) % blocks)
        if (lead := _bound(first)) is not None:
            atexit.register(lead.close)
            return range(first + 1, first + BLOCK)
    raise RuntimeError("every block of ports is taken: are there runs that never ended?")


def _bound(port: int) -> socket.socket | None:
    """A socket at that port of loopback; None where another has it."""
    probe = socket.socket()
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        probe.close()
        return None
    return probe
