"""Milestones: when a lane's head gets its second, post-quantum signature.

Every MILESTONE entries; at the opening of a lane, a FLASH and an assent to
terms; and when a party has fallen silent for a moment after saying something,
so that a transcript at rest carries both kinds to its end. The signature travels by itself, after everything urgent; its
absence lowers the grade of the evidence and never stops anything.

Spec: spec/05-heads.md.
"""

from collections import Counter
from collections.abc import Sequence

from openline.kernel.codec import encode
from openline.kernel.errors import Unknown
from openline.kernel.lane import Head, SignedHead, sign_head
from openline.protocol.delivery import Peer
from openline.protocol.entries import AnyEntry, Assent, GenerationEntry, Message, Precedence, TermsEntry
from openline.protocol.frames import Cosignature, frame_value
from openline.protocol.lane_state import LaneState
from openline.protocol.lanes import LaneBook
from openline.protocol.records import PutHead, Write

MILESTONE = 256
"""Entries between ML-DSA-44 signatures: 2,420 bytes and 0.7 ms spread over 256 entries, 10 bytes and 3 us each."""
MAX_BULK = 128
"""Frames that may wait for one peer behind everything else, cosignatures and chunks: half a MiB of the former."""
PAUSE_MS = 50
"""Signed a moment after its entries, so that they are on their way first."""
QUIET_MS = 1_500
"""Silence after which what was said last is signed too: one signature a pause, whatever was said before it."""


class Milestones:
    """Which own heads are due for the second signature."""

    def __init__(self, book: LaneBook) -> None:
        self._book = book
        self._due: dict[str, tuple[LaneState, int]] = {}
        """Lane and moment (steady, ms), by origin."""

    def note(self, sizes: Sequence[tuple[LaneState, int]], own: Sequence[tuple[AnyEntry, LaneState]], now: int) -> None:
        """These lanes grew, by these own entries."""
        special = {state.lane.origin for entry, state in own if _is_milestone(entry)}
        grown = Counter(state.lane.origin for _, state in own)
        for state, size in sizes:
            if state.lane.party != self._book.party or state.lane.origin not in grown:
                continue
            if state.lane.origin in special or size % MILESTONE < grown[state.lane.origin]:
                self._due[state.lane.origin] = (state, now + PAUSE_MS)
            else:
                known = self._due.get(state.lane.origin)
                at = now + QUIET_MS if known is None or known[1] > now + PAUSE_MS else known[1]
                self._due[state.lane.origin] = (state, at)

    def deadline(self) -> int | None:
        """When to call `cosign`."""
        return min((at for _, at in self._due.values()), default=None)

    def sign(self, state: LaneState) -> SignedHead:
        """A lane's durable head under both own keys. Raises Unknown if they are not here any more."""
        signer = self._book.signer(state.lane.generation)
        if signer is None:
            raise Unknown("the lane key of that generation is not here")
        size = state.durable
        head = Head(lane=state.lane, size=size, root=self._book.root_at(state, size))
        return sign_head(signer, head, milestone=True)

    def cosign(self, peers: dict[int, Peer], now: int) -> list[Write]:
        """Sign what is due: writes for the store, frames for the peers' queues. One lane a call."""
        origin = next((origin for origin, (_, at) in self._due.items() if at <= now), None)
        if origin is None:
            return []
        state = self._due.pop(origin)[0]
        signed = self.sign(state)  # what was acknowledged since then comes along for nothing
        size = signed.head.size
        frame = encode(frame_value(Cosignature(lane=state.lane, size=size, signature=signed.mldsa)))
        for peer in peers.values():
            if len(peer.bulk) < MAX_BULK:  # of a peer that is away for long; the next milestone covers all before it
                peer.bulk.append(frame)
        return [PutHead(signed=signed)]


def _is_milestone(entry: AnyEntry) -> bool:
    flash = isinstance(entry, Message) and entry.precedence is Precedence.FLASH
    return flash or isinstance(entry, TermsEntry | GenerationEntry | Assent)
