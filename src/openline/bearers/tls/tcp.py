"""What we ask of the system's TCP: options of a connection, and how it fares."""

import contextlib
import socket
from typing import Final

_UNANSWERED: Final = slice(2, 4)
"""In struct tcp_info of linux/tcp.h: retransmissions in a row that nobody has acknowledged; and, where the system had no
way to send the bytes even once (a cable is pulled here), or the peer no room, probes in a row that nobody has."""


def prepare(connection: socket.socket, silence_s: float, *, below_us: int) -> None:
    """No delay, an end after so many seconds without acknowledgement, no more than so many bytes in its own queue."""
    for name, value in (
        ("TCP_NODELAY", 1),
        ("TCP_USER_TIMEOUT", round(silence_s * 1000)),  # unacknowledged bytes end it too
        ("TCP_NOTSENT_LOWAT", below_us),  # the kernel's queue is not ours to reorder: keep it short
    ):
        # Not every system has them all, and the socket may be dead already.
        with contextlib.suppress(OSError, AttributeError):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def unanswered(connection: socket.socket) -> int:
    """How often in a row the system has tried the same again without an answer; 0 where it does not say."""
    try:
        return max(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _UNANSWERED.stop)[_UNANSWERED])
    except (OSError, AttributeError, ValueError):
        return 0
