"""What this station has to say and has not yet written: submissions, and its own service entries.

Spec: spec/04-lanes.md, spec/06-entries.md.
"""

from collections.abc import Callable
from dataclasses import dataclass

from openline.kernel.errors import Forbidden, Refused, TooLarge
from openline.kernel.units import Instant
from openline.protocol.acknowledgements import encode_ack
from openline.protocol.bodies import encode_body
from openline.protocol.call_entries import Ring
from openline.protocol.entries import (
    Ack,
    AnyEntry,
    Attachment,
    GenerationEntry,
    Kind,
    Message,
    Precedence,
    TermsEntry,
    kind_of,
    lane_of,
)
from openline.protocol.events import Now, Rejected, Submit
from openline.protocol.haste import in_haste
from openline.protocol.lane_state import LaneState
from openline.protocol.lanes import LaneBook
from openline.protocol.records import Append, EntryRow, Write

MAX_DRAFTS = 512
"""Own entries in one commit: about 16 envelopes; more wait for the next."""
MAX_WAITING = 8_192
"""Own entries waiting for a commit; beyond it a submission is refused and may be tried again."""
_OF_STATION = frozenset({Kind.TERMS, Kind.GENERATION, Kind.ACK, Kind.EPOCH})


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An entry that waits to be written; `token` is its submitter's, if it has one."""

    token: int | None
    urgent: bool
    entry: AnyEntry
    body: bytes
    time: Instant


Written = tuple[Draft, LaneState, EntryRow]


class Drafts:
    """The queue of own entries, and their way into the own lanes."""

    def __init__(
        self, book: LaneBook, suspended: Callable[[], list[int]], held_by_all: Callable[[LaneState], bool]
    ) -> None:
        """`held_by_all`: whether every other party has acknowledged all of that lane."""
        self._book, self._suspended, self._held_by_all = book, suspended, held_by_all
        self._waiting: list[Draft] = []
        self.closed = False
        """No generation is open to write in, and none may be opened but under a new lane key (spec 4.19)."""

    def __bool__(self) -> bool:
        return bool(self._waiting) and not self.closed

    def submit(self, event: Submit) -> Rejected | None:
        """Queue a submission, or say why it is refused."""
        try:
            self._check_allowed(event.entry)
            body = encode_body(event.entry)
        except Refused as refusal:
            return Rejected(token=event.token, code=refusal.code, reason=str(refusal))
        urgent = lane_of(event.entry)
        self._waiting.append(Draft(token=event.token, urgent=urgent, entry=event.entry, body=body, time=event.time))
        return None

    def _check_allowed(self, entry: AnyEntry) -> None:
        """Raise Forbidden or TooLarge if this station may not say that now. FLASH always passes (spec 6.33)."""
        if kind_of(entry) in _OF_STATION:
            raise Forbidden("the station alone writes that kind of entry")
        if self.closed:
            raise Forbidden("nothing can be said on this line before it has a new lane key: openline keys rotate lane")
        if isinstance(entry, Message | Ring) and entry.precedence is Precedence.FLASH:
            return
        if len(self._waiting) >= MAX_WAITING:
            raise TooLarge("too many entries are waiting for the disk")
        if isinstance(entry, Message | Attachment | Ring) and self._suspended():
            raise Forbidden("the line is suspended: only FLASH passes")

    def add(self, entry: AnyEntry, now: Now) -> None:
        """Queue an entry of the station itself."""
        body = encode_body(entry)
        self._waiting.append(Draft(token=None, urgent=lane_of(entry), entry=entry, body=body, time=now.wall))

    def open_lanes(self, entry: AnyEntry, now: Now, token: int | None = None) -> None:
        """Entry 0 of both own lanes, before anything else that waits; `token` hears of the urgent one.

        A generation that was to open and is ended before anything of it was written needs no opening any more.
        """
        body = encode_body(entry)
        self.closed = False
        waiting, self._waiting = self._waiting, []
        for draft in waiting:
            if not isinstance(draft.entry, TermsEntry | GenerationEntry):
                self._waiting.append(draft)
            elif draft.token is not None:
                token = draft.token
        self._waiting[:0] = [
            Draft(token=token if urgent else None, urgent=urgent, entry=entry, body=body, time=now.wall)
            for urgent in (True, False)
        ]

    def acknowledge(self, *, haste: bool = False) -> None:
        """See to it that the next commit has an entry, and so an acknowledgement.

        A pure one claims the time of the last own entry: it has nothing to say about time. In `haste` there is one
        before all else that waits, so that it leaves alone and small (spec 7.5). What is to be said of ended
        generations stands in one of its own (spec 4.18).
        """
        if self.closed:
            return
        ended: list[Ack] = []
        while self._book.unsaid:  # all of it in this commit: after a crash nothing here knows what is still to be said
            ended.append(Ack(self._book.ended_items()))
        pure = [Ack()] if haste or not (self._waiting or ended) else []
        openings = sum(isinstance(draft.entry, TermsEntry | GenerationEntry) for draft in self._waiting)
        self._waiting[openings:openings] = [self._draft_of(ack) for ack in [*pure, *ended]]

    def write(self, *, haste: bool = False) -> tuple[list[Written], list[Write]]:
        """Append what waits to the own lanes, in memory; in `haste` the acknowledgement is kept small (spec 4.14).

        The traffic lane comes first, so that the urgent lane's acknowledgement names its new head.
        """
        if self.closed:
            return [], []
        drafts, self._waiting = self._waiting[:MAX_DRAFTS], self._waiting[MAX_DRAFTS:]
        own: list[Written] = []
        writes: list[Write] = []
        more = False
        for urgent in (False, True):
            mine = [draft for draft in drafts if draft.urgent is urgent]
            if mine:
                more = self._write(mine, own, writes, haste=haste)
        while more:  # the rest is named in this commit too: after a crash nothing here knows what was (spec 4.15)
            more = self._write([self._draft_of(Ack())], own, writes, haste=False)
        return own, writes

    def _draft_of(self, ack: Ack) -> Draft:
        """An acknowledgement of the station's own accord: at no later time than what it follows."""
        time = Instant(self._book.own(urgent=True).last_time)
        return Draft(token=None, urgent=True, entry=ack, body=encode_body(ack), time=time)

    def _write(self, mine: list[Draft], own: list[Written], writes: list[Write], *, haste: bool) -> bool:
        """Append to one own lane, with one acknowledgement; whether more was refused than it could name."""
        urgent = mine[0].urgent
        state = self._book.own(urgent=urgent)
        before = state.size
        items = self._book.ack_items(urgent=urgent)
        hasty = haste or any(in_haste(draft.entry) for draft in mine)
        if hasty and not self._held_by_all(self._book.own(urgent=False)):
            items = tuple(item for item in items if item.lane // 2 != self._book.party)
        ack = encode_ack(items)
        rows = self._book.append_own(state, [(kind_of(d.entry), d.time, d.body) for d in mine], ack)
        own.extend((draft, state, row) for draft, row in zip(mine, rows, strict=True))
        writes.append(Append(lane=state.lane, size=before, rows=rows))
        return self._book.refused_named(items)
