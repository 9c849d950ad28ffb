"""Line papers: what a party gives another one that has lost its station, so that its root key can bring it back.

    -----BEGIN OPENLINE LINE PAPERS-----
    base64 in lines of 64
    =checksum
    -----END OPENLINE LINE PAPERS-----

Nothing in them is secret, and nothing is believed without a signature: terms make the line id, cards and key
statements are signed by roots, heads by lane keys. So whoever carries them can keep them back and not change them.

Spec: spec/15-pairing.md (15.27).
"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from openline.archive.members import Members, members_of
from openline.kernel.codec import Fields, Value, decode, encode
from openline.kernel.crypto import ED25519_SIGNATURE, digest
from openline.kernel.errors import Foreign, Forged, Malformed
from openline.kernel.keys import Card, read_card
from openline.kernel.lane import GENERATION_ZERO, Head, Lane, SignedHead, ack_lane, read_generation
from openline.kernel.terms import parse_terms
from openline.kernel.units import MAX_PARTIES, MAX_SEQ
from openline.protocol.entries import MAX_STATEMENT
from openline.protocol.generations import check_counter
from openline.protocol.ledgers import joined
from openline.protocol.records import LineReader, LineRecord

BEGIN: Final = "-----BEGIN OPENLINE LINE PAPERS-----"
END: Final = "-----END OPENLINE LINE PAPERS-----"
MAX_TEXT: Final = 8 * 2**20
"""Sixteen parties with 64 statements of 4 KB each are 5.5 MiB in base64; two have less than 1 MiB."""
_WIDTH: Final = 64
_MOST: Final = 1_200
"""Items: 16 parties with two cards, two heads and 64 statements each."""
_TERMS, _CARD, _NEWEST, _STATEMENT, _HEAD = range(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinePapers:
    """One line as it is handed over, every signature checked."""

    members: Members
    terms: bytes
    cards: tuple[bytes, ...]
    """Those that the terms name, by party number."""
    newest: tuple[Card, ...]
    """Each party's newest card that the giver knows."""
    heads: tuple[SignedHead, ...] = field(repr=False)

    def above(self, party: int) -> int:
        """The greatest counter that stands under a signature of that party."""
        shown = [signed.head.lane for signed in self.heads if signed.head.lane.party == party]
        rotated = [since.counter for since, _ in self.members.keyrings[party].keys]
        return max([*(lane.generation.counter for lane in shown), *rotated])


def make_papers(record: LineRecord, reader: LineReader, newest: list[Card]) -> str:
    """The papers of a line, as text."""
    terms = parse_terms(record.terms)
    items: list[list[Value]] = [[_TERMS, 1, record.terms]]
    items += [[_CARD, raw] for raw in record.cards]
    items += [[_NEWEST, card.raw] for card in newest]
    latest = dict.fromkeys(range(len(terms.parties)), GENERATION_ZERO)
    for put in reader.generations():
        if put.statement:
            items.append([_STATEMENT, put.party, put.generation.counter, put.generation.nonce, put.statement])
        if any(reader.size(Lane(terms.line, 2 * put.party + low, put.generation)) for low in (0, 1)):
            latest[put.party] = max(latest[put.party], put.generation)
    for party, generation in latest.items():
        for number in (2 * party, 2 * party + 1):
            signed = reader.last_head(Lane(terms.line, number, generation))
            if signed is not None and signed.ed25519:
                head = signed.head
                place: list[Value] = [number, generation.counter, generation.nonce, head.size, head.root]
                items.append([_HEAD, *place, signed.ed25519])
    raw = joined([encode(item) for item in items])
    coded = base64.b64encode(raw).decode()
    lines = [coded[at : at + _WIDTH] for at in range(0, len(coded), _WIDTH)]
    return "\n".join((BEGIN, *lines, _checksum(raw), END, ""))


def _checksum(raw: bytes) -> str:
    return "=" + base64.b64encode(digest(raw)[:6]).decode()


def read_papers(text: str) -> LinePapers:
    """The papers in a text. Raises Malformed (not papers, or damaged), Forged or Foreign for what does not check."""
    lines = [line.strip() for line in text[: MAX_TEXT + 1].splitlines()]
    if len(text) > MAX_TEXT or lines.count(BEGIN) != 1 or lines.count(END) != 1:
        raise Malformed("these are no line papers: let the other side make them anew")
    inside = [line for line in lines[lines.index(BEGIN) + 1 : lines.index(END)] if line]
    try:
        raw = base64.b64decode("".join(inside[:-1]), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not inside or _checksum(raw) != inside[-1]:
        raise Malformed("the line papers were damaged on their way: copy them again")
    return _read([Fields(decode(item)) for item in _pieces(raw)])


def _pieces(raw: bytes) -> Iterator[bytes]:
    """What `joined` put together. Raises Malformed when cut short."""
    at = 0
    while at < len(raw):
        end = at + 8 + int.from_bytes(raw[at : at + 8], "big")
        if end > len(raw):
            raise Malformed("the line papers were damaged on their way: copy them again")
        yield raw[at + 8 : end]
        at = end


def _read(items: list[Fields]) -> LinePapers:
    found: dict[int, list[Fields]] = {kind: [] for kind in (_TERMS, _CARD, _NEWEST, _STATEMENT, _HEAD)}
    for item in items[:_MOST]:
        found[item.uint(0, _HEAD)].append(item)
    if len(found[_TERMS]) != 1 or found[_TERMS][0].uint(1, 255) != 1:
        raise Malformed("line papers of another version")
    terms = found[_TERMS][0].bytes(2)
    parsed = parse_terms(terms)
    cards = tuple(item.bytes(1) for item in found[_CARD])
    statements = {}
    for item in found[_STATEMENT]:
        generation = read_generation(item, 2)
        statements[item.uint(1, MAX_PARTIES - 1), generation] = item.bytes(4, most=MAX_STATEMENT)
    who = members_of(parsed, cards, statements)
    newest = tuple(read_card(item.bytes(1)) for item in found[_NEWEST])
    if [card.fingerprint for card in newest] != [card.fingerprint for card in who.cards]:
        raise Foreign("a card in the line papers is of no party")
    heads = tuple(_head(item, who) for item in found[_HEAD])
    return LinePapers(members=who, terms=terms, cards=cards, newest=newest, heads=heads)


def _head(item: Fields, who: Members) -> SignedHead:
    """A head that its owner signed. Raises Refused for any other."""
    lane = ack_lane(who.terms.line, Fields([item.any(1), item.any(2), item.any(3)]))
    if lane.party >= len(who.cards):
        raise Forged("a head of no party")
    head = Head(lane=lane, size=item.uint(4, MAX_SEQ), root=item.bytes(5, exactly=32))
    signed = SignedHead(head=head, ed25519=item.bytes(6, exactly=ED25519_SIGNATURE))
    signed.check(who.owner(lane.party, lane.generation))
    check_counter(who.keyrings[lane.party], lane.generation)
    return signed
