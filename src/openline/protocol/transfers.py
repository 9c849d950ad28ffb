"""Attachments under way in both directions, for one line.

Spec: spec/07-delivery.md.
"""

from openline.kernel.codec import encode
from openline.kernel.errors import Unknown
from openline.kernel.units import Instant
from openline.protocol.attachments import IN_FLIGHT, IN_TRIP, Fetch, is_whole
from openline.protocol.delivery import Peer
from openline.protocol.entries import Attachment, AttachmentReceipt, AttachmentState
from openline.protocol.fields import Ref
from openline.protocol.frames import Chunk, ChunkWant, frame_value
from openline.protocol.quotas import PartyQuotas
from openline.protocol.records import DropChunks, LineReader, PutChunk, Write

MAX_FETCHES = 256
"""Attachments being fetched at a time; further ones wait in their order."""
MAX_WAITING = 4_096
"""Attachments remembered at a time; who announces more without serving any fills no memory."""
MAX_BULK = 64
"""Chunks waiting to go to one peer; a greedy request is served in part and asked again."""


class Transfers:
    """What is being fetched, and what peers asked for."""

    def __init__(self, reader: LineReader, quotas: dict[int, PartyQuotas]) -> None:
        """`quotas` are those by which intake counts: shared, and amended there."""
        self._reader, self._quotas = reader, quotas
        self._fetches: dict[bytes, Fetch] = {}

    def begin(self, attachment: Attachment, ref: Ref, *, owed: bool = True) -> None:
        """An attachment entry is held, and its chunks are wanted: another party's, or what a restore has lost.

        Without `owed` no receipt is: it is one's own, or was given before.
        """
        if len(self._fetches) >= MAX_WAITING:
            return  # taken up again at a start: `_resume` finds what is not here
        fetch = Fetch(attachment=attachment, ref=ref, party=ref.lane // 2, owed=owed)
        have = self._reader.chunks(attachment.digest)
        if not owed and have == fetch.chunks:
            return
        if have:
            fetch.have = {n for n in range(fetch.chunks) if self._reader.chunk(attachment.digest, n) is not None}
        self._fetches.setdefault(attachment.digest, fetch)

    def take(self, chunk: Chunk) -> list[Write]:
        """A chunk came; what the store must keep of it."""
        fetch = self._fetches.get(chunk.attachment)
        if fetch is None:
            raise Unknown("nobody asked for this chunk")
        if not fetch.takes(chunk):
            return []
        fetch.have.add(chunk.number)
        return [PutChunk(attachment=chunk.attachment, number=chunk.number, data=chunk.data)]

    def finished(self) -> list[tuple[AttachmentReceipt | None, list[Write]]]:
        """Receipts for what is complete and durable; a whole that is not what its name says is forgotten."""
        done: list[tuple[AttachmentReceipt | None, list[Write]]] = []
        for digest, fetch in list(self._fetches.items()):
            if not fetch.complete or self._reader.chunks(digest) < fetch.chunks:
                continue
            good = is_whole(fetch, self._reader, None)
            state = AttachmentState.HELD if good else AttachmentState.REFUSED
            receipt = AttachmentReceipt(of=fetch.ref, state=state) if fetch.owed else None
            done.append((receipt, [] if good else [DropChunks(attachment=digest)]))
            del self._fetches[digest]
        return done

    def ask(self, peers: dict[int, Peer], now: int) -> int | None:
        """Put the requests that are due into their peers' queues; return when to ask again."""
        again = None
        for place, fetch in enumerate(self._fetches.values()):
            others = sorted(peers)
            peer = peers.get(fetch.party, peers[others[fetch.turn % len(others)]])
            if peer.epoch is None or place >= MAX_FETCHES or not peer.bulky:
                continue
            if not fetch.allowed and fetch.owed:
                quota, at = self._quotas[fetch.party], Instant(now)
                self._quotas[fetch.party], fetch.allowed = quota.take_attachment(at, fetch.attachment.size)
                if not fetch.allowed:
                    continue  # held back until the bucket has room (spec 12.4)
            most = IN_TRIP if peer.pace.by_trips else IN_FLIGHT
            wanted = fetch.wanted(now, peer.pace.transfer_ms(most * fetch.attachment.chunk), most)
            if wanted is not None:
                peer.tell(encode(frame_value(wanted)))
            if not fetch.complete:
                again = fetch.deadline if again is None else min(again, fetch.deadline)
        return again

    def serve(self, wanted: ChunkWant, peer: Peer) -> None:
        """Queue what a peer asked for, as far as it is here and there is room.

        What a stick brought is read before the links come up over which it is answered.
        """
        most = IN_TRIP if peer.pace.by_trips or not peer.largest else MAX_BULK
        for number in range(wanted.first, wanted.first + min(wanted.count, most)):
            data = self._reader.chunk(wanted.attachment, number) if len(peer.bulk) < most else None
            if data is None:
                return
            peer.bulk.append(encode(frame_value(Chunk(attachment=wanted.attachment, number=number, data=data))))
