"""Probes: whether one bearer carries there and back, and what the peer's station says of its own bearers.

A probe goes over one bearer and is answered over the one it came by. It
travels in a handshake envelope (10.2): it needs no epoch, uses no envelope
index, and leaves nothing in the transcript. It may be replayed, and then costs
an answer, but few of them; what it reports carries its author's time, so
that an old one is known by that.

    probe   [25, nonce, time, report]
    echo    [26, nonce, time, report]
    report  [27, nonce, time, report]       not answered

Spec: spec/09-envelopes.md, 9.28; spec/10-epochs.md, 10.3.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from openline.kernel.codec import Fields, Value, decode, encode
from openline.kernel.envelope import open_handshake, seal_handshake
from openline.kernel.errors import Refused
from openline.kernel.units import MAX_INSTANT, Entropy, Instant
from openline.protocol.secrets import Secrets

MAX_BEARERS = 6
"""In one report: at most 31 bytes each, so that it fits the smallest envelope."""
MAX_NAME = 12
MAX_DELAY_MS = 2**32 - 1


class Sort(enum.IntEnum):
    """Which of the three."""

    PROBE = 25
    ECHO = 26
    REPORT = 27


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One bearer, as the station at that end sees it."""

    bearer: str
    up: bool
    heard: Instant
    """When that station last heard this one over it; 0 if never."""
    delay_ms: int
    """0: not measured."""
    lost_percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One of the three, opened."""

    sort: Sort
    nonce: bytes
    time: Instant
    ends: tuple[End, ...]


def sealed(secrets: Secrets, probe: Probe, entropy: Entropy) -> list[bytes]:
    """Envelopes with this, one under each pairing secret in use; none if there is no secret."""
    ends: list[Value] = [
        [end.bearer[:MAX_NAME].encode(), int(end.up), end.heard, min(end.delay_ms, MAX_DELAY_MS), end.lost_percent]
        for end in probe.ends[:MAX_BEARERS]
    ]
    content = encode([int(probe.sort), probe.nonce, probe.time, ends])
    return [seal_handshake(secret.outgoing, content, entropy) for secret in secrets.all]


def opened(secrets: Secrets, envelope: bytes) -> Probe | None:
    """What an envelope holds, if it is one of these from that peer; None for all else."""
    secret = secrets.of(envelope)
    if secret is None:
        return None
    try:
        members = Fields(decode(open_handshake(secret.incoming, envelope)))
        sort = Sort(members.uint(0, 255))
        return Probe(
            sort=sort,
            nonce=members.bytes(1, exactly=8),
            time=Instant(members.uint(2, MAX_INSTANT)),
            ends=_ends(members.list(3, MAX_BEARERS)),
        )
    except (Refused, ValueError):
        return None  # a handshake message, or nothing that is known


def _ends(listed: Sequence[Value]) -> tuple[End, ...]:
    ends = []
    for value in listed:
        end = Fields(value)
        name = end.bytes(0, most=MAX_NAME).decode("ascii", "replace")
        ends.append(
            End(
                bearer="".join(c for c in name if c.isalnum() or c == "-"),
                up=end.uint(1, 1) == 1,
                heard=Instant(end.uint(2, MAX_INSTANT)),
                delay_ms=end.uint(3, MAX_DELAY_MS),
                lost_percent=end.uint(4, 100),
            )
        )
    return tuple(ends)
