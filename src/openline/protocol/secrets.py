"""The pairing secrets that may open epochs with one peer: the newest, and the one before until the newest has served.

People accept a new secret on one floor and then on the other. Between the two moments, and if the second never
comes, both secrets are tried: what starts goes out under each, what comes is opened by either. Once an epoch was
opened under the newest, the peer has it too, and the one before is forgotten.

Spec: spec/10-epochs.md (10.22, 10.23), spec/15-pairing.md (15.22).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from openline.kernel.crypto import derive
from openline.kernel.envelope import handshake_key, is_handshake

FIRST_PAUSE_MS, MOST_PAUSE_MS = 60_000, 86_400_000
"""Pauses before the newest is tried once more, if an epoch was opened under the one before: doubling to a day, as the
other floor calls by itself when it has accepted, and each epoch writes an entry."""
NAME_LABEL = b"openline/1 psk name"


def secret_name(psk: bytes) -> bytes:
    """What names a pairing secret and tells nothing of it (spec 6.26)."""
    return derive(psk, NAME_LABEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A pairing secret with the keys of its handshake envelopes."""

    psk: bytes = field(repr=False)
    outgoing: bytes = field(repr=False)
    incoming: bytes = field(repr=False)

    @property
    def name(self) -> bytes:
        """See `secret_name`."""
        return secret_name(self.psk)


class Secrets:
    """Those of one peer, the newest first; there may be none, as in a station that was rebuilt."""

    def __init__(self, line: bytes, own: int, peer: int, psks: Sequence[bytes]) -> None:
        self._line, self._own, self._peer = line, own, peer
        self.all = [self._secret(psk) for psk in psks]
        self.chosen: Secret | None = None
        """Under which the handshake under way goes on, once the peer has answered."""
        self._pause_ms = FIRST_PAUSE_MS

    def _secret(self, psk: bytes) -> Secret:
        return Secret(
            psk=psk,
            outgoing=handshake_key(psk, self._line, self._own, self._peer),
            incoming=handshake_key(psk, self._line, self._peer, self._own),
        )

    def of(self, envelope: bytes) -> Secret | None:
        """The secret whose handshake envelope this is."""
        return next((secret for secret in self.all if is_handshake(secret.incoming, envelope)), None)

    def add(self, psk: bytes) -> None:
        """A newer one. The last of those before stays: both sides have that."""
        self._pause_ms = FIRST_PAUSE_MS
        if all(secret.psk != psk for secret in self.all):
            self.all = [self._secret(psk), *self.all[-1:]]

    def pause_ms(self) -> int:
        """How long to wait before the newest is tried again."""
        pause, self._pause_ms = self._pause_ms, min(2 * self._pause_ms, MOST_PAUSE_MS)
        return pause

    def served(self) -> bool:
        """An epoch was opened under the chosen one: if it is the newest, it stays alone. Returns whether any left."""
        if self.chosen is None or not self.all or self.chosen.psk != self.all[0].psk:
            return False
        left = len(self.all) > 1
        del self.all[1:]
        return left
