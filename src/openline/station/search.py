"""Search over the transcript: every word that was asked for, whatever its case and accents, the latest first.

Nothing of what was said is ever written anywhere in the clear: pages are
opened in a thread, latest first, and what is kept of them for the next search
is in memory alone, folded, and bounded. Whoever leaves ends his search.

Entries are found by their text: messages, service messages, replies, queries,
answers, translations, reasons and names of files.
"""

import asyncio
import threading
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

from openline.kernel.errors import Malformed
from openline.kernel.units import MAX_INSTANT, MIN_INSTANT
from openline.ports import Arrival
from openline.protocol import entries as kinds
from openline.protocol.asking import Answer, Query, Translation
from openline.protocol.contact_entries import Contact, Countersign
from openline.protocol.entries import AnyEntry, Precedence
from openline.protocol.fields import decode_time
from openline.protocol.lanes import read_body
from openline.station.line_runner import LineRunner

PAGE = 100
"""Entries opened at a time: some ten milliseconds, of which two have the store for themselves."""
MAX_KEPT = 32 * 2**20
"""Characters of folded text kept in memory for the next search, of all lines: 100,000 messages of 300 characters."""
MAX_TERMS = 16
_FIRST_MARK = "\u0300"
"""Below it there is no combining mark."""
AROUND = 60
"""Characters of a passage on either side of what was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What is looked for."""

    terms: tuple[str, ...] = field(repr=False)
    """Folded; all must occur. None: everything that the rest lets through."""
    kinds: frozenset[int] | None = None
    precedence: Precedence | None = None
    earliest: int = MIN_INSTANT
    latest: int = MAX_INSTANT


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """What is kept of an entry to search in it again."""

    seq: int
    kind: int
    time: int
    precedence: int
    """-1 for what has none."""
    text: str = field(repr=False)


def terms_of(query: str) -> tuple[str, ...]:
    """The words of a query, folded; what stands in quotation marks is one. Raises Malformed if there are too many."""
    found: list[str] = []
    for place, part in enumerate(query.split('"')):
        found += [part.strip()] if place % 2 else part.split()
    terms = tuple(term for term in (folded(each) for each in found) if term)
    if len(terms) > MAX_TERMS:
        raise Malformed("too many words: look for fewer")
    return terms


def folded(text: str) -> str:
    """Without case and accents (NFKD without combining marks)."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.casefold())
    for character in set(plain):  # of these there are few, however long the text is
        if character >= _FIRST_MARK and unicodedata.combining(character):
            plain = plain.replace(character, "")
    return plain


def texts_of(entry: AnyEntry | None) -> tuple[str, ...]:
    """Where the words of an entry stand."""
    match entry:
        case kinds.Message() | Translation():
            return (entry.subject, entry.text)
        case kinds.Service() | kinds.Interim() | Answer() | Contact() | Countersign():
            return (entry.text,)
        case Query():
            return (entry.text, entry.passage.words if entry.passage is not None else "")
        case kinds.Decline() | kinds.Suspend() | kinds.Lift():
            return (entry.reason,)
        case kinds.Attachment():
            return (entry.name,)
        case _:
            return ()


def passage(entry: AnyEntry | None, terms: tuple[str, ...]) -> tuple[str, str, str]:
    """What stands before the first word that was found, the word itself, and what stands after it."""
    for text in texts_of(entry):
        for term in terms:
            found = _place(text, term)
            if found is not None:
                first, end = found
                return text[max(0, first - AROUND) : first], text[first:end], text[end : end + AROUND]
    text = next((each for each in reversed(texts_of(entry)) if each), "")
    return "", "", text[: 2 * AROUND]


def _place(text: str, term: str) -> tuple[int, int] | None:
    """Where a folded term stands in a text that was not: each character is folded for itself, so places are known."""
    places: list[int] = []
    parts: list[str] = []
    for place, character in enumerate(text):
        part = folded(character)
        parts.append(part)
        places += [place] * len(part)
    at = "".join(parts).find(term)
    return None if at < 0 else (places[at], places[at + len(term) - 1] + 1)


class Shelf:
    """The folded texts of one line, from some arrival to the latest that was looked at; dense, or empty."""

    def __init__(self) -> None:
        self._first = self._end = 0
        self._kept: dict[int, Folded] = {}
        self.characters = 0
        self._one = threading.Lock()

    def page(self, line: LineRunner, end: int, room: int) -> tuple[list[Folded], int]:
        """Entries before arrival `end`, at most PAGE of them, the latest first; and where to go on. In a thread.

        Raises Unavailable.
        """
        with self._one:
            return self._page(line, end, room)

    def _page(self, line: LineRunner, end: int, room: int) -> tuple[list[Folded], int]:
        first = max(1, end - PAGE)
        if not (self._first <= first and end <= self._end):
            opened = [_folded(arrival) for arrival in line.history.since(first - 1, end - first)]
            if self.characters + sum(len(each.text) for each in opened) > room:
                return opened[::-1], first
            self._keep(opened, first, end)
            return opened[::-1], first
        return [self._kept[seq] for seq in range(end - 1, first - 1, -1) if seq in self._kept], first

    def _keep(self, opened: list[Folded], first: int, end: int) -> None:
        if self._end and (first > self._end or end < self._first):
            return  # a gap: what is kept stays dense
        self._first = min(self._first, first) if self._end else first
        self._end = max(self._end, end)
        for each in opened:
            if each.seq not in self._kept:
                self._kept[each.seq] = each
                self.characters += len(each.text)


def _folded(arrival: Arrival) -> Folded:
    row = arrival.row
    entry = None if row.refused or not row.entry.secret else read_body(row.entry)
    texts = texts_of(entry)
    time = decode_time(row.entry.time)
    if entry is None or not texts:
        return Folded(seq=arrival.seq, kind=0, time=time, precedence=-1, text="")
    return Folded(
        seq=arrival.seq,
        kind=kinds.kind_of(entry),
        time=time,
        precedence=int(entry.precedence) if isinstance(entry, kinds.Message) else -1,
        text=folded("\n".join(texts)),
    )


def fits(each: Folded, sought: Sought) -> bool:
    """Whether an entry is looked for."""
    if not each.kind or (sought.kinds is not None and each.kind not in sought.kinds):
        return False
    if sought.precedence is not None and each.precedence != sought.precedence:
        return False
    if not sought.earliest <= each.time <= sought.latest:
        return False
    return all(term in each.text for term in sought.terms)


@dataclass(slots=True)
class Front:
    """How far one line was looked through."""

    line: LineRunner
    end: int
    """Everything from this arrival on was looked at."""
    time: int = MAX_INSTANT
    """The earliest that was claimed so far: what is still to come in this line counts as no later, whatever it claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An entry that fits."""

    line: LineRunner
    order: tuple[int, int]
    """Falls within a line from one entry to the one before it, so that a search goes on where it stopped."""
    folded: Folded


@dataclass(slots=True, kw_only=True)
class Swept:
    """What a part of a search came to."""

    hits: list[Hit]
    """The latest first."""
    looked_at: int
    fronts: list[Front]
    """Lines that were not looked through to their beginning."""

    @property
    def left(self) -> int:
        """Entries that are still to be looked at."""
        return sum(front.end - 1 for front in self.fronts)


class Search:
    """The searches of a station."""

    def __init__(self) -> None:
        self._shelves: dict[bytes, Shelf] = {}
        self.running = 0

    async def sweep(self, fronts: list[Front], sought: Sought, most: int, left: Callable[[], bool]) -> Swept:
        """Look through lines, the latest entries of all of them first, for the latest `most` that fit. Raises Unavailable.

        Ends where `left` says that nobody waits for it any more, or that the time is up; what it gives is right as far
        as it got, and its fronts say where to go on. The fronts that are given are changed.
        """
        hits: list[Hit] = []
        again: dict[bytes, int] = {}
        looked_at = 0
        while open_ones := [front for front in fronts if front.end > 1]:
            front = max(open_ones, key=lambda each: each.time)
            if left() or (len(hits) >= most and hits[-1].order[0] >= front.time):
                break
            shelf = self._shelves.setdefault(front.line.line, Shelf())
            room = MAX_KEPT - sum(each.characters for each in self._shelves.values() if each is not shelf)
            page, first = await asyncio.to_thread(shelf.page, front.line, front.end, room)
            looked_at, front.end = looked_at + front.end - first, first
            for each in page:
                front.time = min(front.time, each.time)
                if fits(each, sought):
                    hits.append(Hit(line=front.line, order=(front.time, each.seq), folded=each))
            hits.sort(key=lambda hit: hit.order, reverse=True)
            for hit in hits[most:]:
                again[hit.line.line] = max(again.get(hit.line.line, 0), hit.folded.seq + 1)
            del hits[most:]
        for front in fronts:
            front.end = max(front.end, again.get(front.line.line, 0))
        return Swept(hits=hits, looked_at=looked_at, fronts=[front for front in fronts if front.end > 1])
