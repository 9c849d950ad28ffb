"""The keys of one epoch with one peer, as long as they live.

Spec: spec/09-envelopes.md (9.3, 9.11), spec/10-epochs.md.
"""

from openline.kernel.envelope import Incoming, IncomingState, Outgoing, OutgoingState, first_chain
from openline.protocol.epochs import Opened
from openline.protocol.events import Now
from openline.protocol.records import EpochRecord


class Epoch:
    """The live keys of one epoch with one peer."""

    __slots__ = ("attempt", "incoming", "opened", "outgoing", "record_outgoing", "root", "since")

    def __init__(self, record: EpochRecord) -> None:
        self.attempt, self.root, self.opened = record.attempt, record.root, record.opened
        self.outgoing, self.incoming = Outgoing(record.outgoing), Incoming(record.incoming)
        self.record_outgoing = record.outgoing
        self.since = 0
        """The steady moment from which its age counts, whatever the wall clock says; set by who runs it."""

    @classmethod
    def begin(cls, opened: Opened, own: int, peer: int, now: Now) -> "Epoch":
        """A new epoch; nothing of it has been used."""
        found = cls(
            EpochRecord(
                attempt=opened.attempt,
                root=opened.root,
                outgoing=OutgoingState(index=0, chain=first_chain(opened.root, own, peer)),
                incoming=IncomingState(edge=0, chain=first_chain(opened.root, peer, own)),
                opened=now.wall,
            )
        )
        found.since = now.steady
        return found

    def record(self) -> EpochRecord:
        """For the store."""
        return EpochRecord(
            attempt=self.attempt,
            root=self.root,
            outgoing=self.record_outgoing,
            incoming=self.incoming.state,
            opened=self.opened,
        )
