"""Names on the relay, what is worth a counter, and every deadline and bound."""

import enum
import hashlib
from dataclasses import dataclass
from typing import Final

LARGEST_ENVELOPE: Final = 16_384
MOST_MESSAGE: Final = 65_536
"""A message of the relay, headers included: the largest answers are descriptions of a stream, some kilobytes."""
MOST_LINE: Final = 32_768
"""A line of the protocol; INFO, the longest, names the servers of a cluster."""
DURABLE: Final = "openline"
"""The name of the one consumer of an inbox."""


class Event(enum.StrEnum):
    """What is worth a counter; the names that `Intake.counted` gets."""

    DIAL_FAILED = "dial-failed"
    NOT_SECURED = "not-secured"
    """TLS is asked for, and the relay does not offer it or shows another certificate: nothing was said to it."""
    NOT_ADMITTED = "not-admitted"
    """The relay refuses our credentials."""
    NOT_ALLOWED = "not-allowed"
    """The relay refuses a subject to us: its permissions are too narrow."""
    GARBLED = "garbled"
    """What the relay sent is not its protocol, or beyond every bound; the connection was ended."""
    SILENT = "relay-silent"
    LOST = "connection-lost"
    NO_JETSTREAM = "no-jetstream"
    """The relay has no JetStream for us, or not yet."""
    NO_INBOX = "no-inbox"
    """Our own inbox is not there, or was taken away."""
    NOT_STORED = "not-stored"
    """The relay did not store an envelope, or did not say so in time."""
    NO_ENVELOPE = "no-envelope"
    """Something came into our inbox that cannot be an envelope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Every deadline (seconds) and bound of the bearer."""

    connect_s: float = 5.0
    """TCP, TLS, and the relay's first word, together."""
    reach_s: float = 2.0
    """TCP alone. Its first word is repeated after 1 s; a new attempt beats the third one after 3 s."""
    beat_s: float = 2.5
    """A ping after so long ..."""
    silence_s: float = 7.5
    """... and without a word for so long the relay is gone: a pulled cable is seen within 10 s."""
    answer_s: float = 5.0
    """The relay's answer to a request, and its word that it has stored an envelope."""
    retry_s: float = 0.1
    slow_retry_s: float = 5.0
    """Longest pause between attempts, doubling from `retry_s`, while the relay is there and does not let us work."""
    quick_retry_s: float = 1.0
    """The same while nobody is reached: a healed path is found within 2 s, and asking costs nobody anything."""
    look_s: float = 5.0
    """Between two looks whether a peer's inbox is there; after a failure `quick_look_s`."""
    quick_look_s: float = 1.0
    fetch_s: float = 20.0
    """How long one request for messages stands at the relay."""
    fetch: int = 64
    """Messages asked for at a time: 1 MiB of the largest."""
    under_way: int = 32
    """Envelopes that the relay has not yet said to have stored."""
    queue_files: int = 1_024
    queue_bytes: int = 2**20
    urgent_files: int = 16
    """Room beyond both bounds for what is urgent, of the largest size."""
    inbox_bytes: int = 64 * 2**20
    """Our own inbox: four full windows (spec 9.12). The oldest make room; the protocol repeats what is missed."""
    inbox_age_s: float = 14 * 86_400.0
    twice_s: float = 1.0
    """Within so long the relay drops an envelope published twice; longer would keep out an honest repetition."""

    def longest(self, event: Event) -> float:
        """The longest pause, in seconds, after a connection that ended or was not made for that reason."""
        return self.quick_retry_s if event in _UNREACHED else self.slow_retry_s


_UNREACHED: Final = frozenset({Event.DIAL_FAILED, Event.LOST, Event.SILENT})


def inbox(station: str) -> str:
    """What a station's inbox is called on a relay (spec 9.51): to who does not know the station it says nothing."""
    return hashlib.sha256(f"openline/1 nats\n{station}".encode()).hexdigest()[:32]


def subject(station: str, envelope: bytes | None = None) -> str:
    """Where an envelope for a station is published: one subject each, so that the same bytes lie there once.

    Without an envelope the subject of all.
    """
    last = "*" if envelope is None else hashlib.sha256(envelope).hexdigest()
    return f"openline.{inbox(station)}.{last}"
