"""Show one entry, with chosen fields, to somebody who sees nothing else of the line.

A C2SP tlog-proof. Its `extra` is the base64 of the CBOR map

    {0: 1, 1: leaf, 2: {field: [salt, field bytes], ...}, 3: terms, 4: the owner's card, 5?: its key statement}

Fields that are not shown stay behind their commitments, whose salts are
neither in the file nor derivable from the salts that are.

Spec: spec/14-export.md (14.13 to 14.15); C2SP tlog-proof.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field

from openline.archive.entry_text import describe, moment, place
from openline.archive.export import owned_head, reader_members
from openline.archive.members import is_expected
from openline.archive.verdict import Outcome, summary
from openline.kernel.codec import Fields, Value, decode, encode
from openline.kernel.crypto import Signer, Verifier
from openline.kernel.errors import Foreign, Forged, Malformed, Refused, TooLarge, Unknown
from openline.kernel.keys import Card, check_member, read_card, read_statement
from openline.kernel.lane import (
    ACK,
    BODY,
    FIELDS,
    GENERATION_ZERO,
    KIND,
    TIME,
    Generation,
    Lane,
    commitment,
    field_salt,
    leaf_of,
    note,
    parse_generation,
    parse_leaf,
    parse_note,
    read_generation,
)
from openline.kernel.merkle import inclusion_proof, leaf_hash, root_from_inclusion
from openline.kernel.terms import Terms, parse_terms
from openline.kernel.units import MAX_NOTE, MAX_PROOF, Instant
from openline.protocol.acknowledgements import decode_ack
from openline.protocol.bodies import decode_body
from openline.protocol.fields import decode_kind, decode_time
from openline.protocol.records import LineReader, LineRecord

FIRST_LINE = b"c2sp.org/tlog-proof@v1\n"
FIELD_NAMES = {"kind": KIND, "time": TIME, "ack": ACK, "body": BODY}
MAX_PROOF_FILE = 262_144
"""A proof: terms, body, card and statement under 65,535 bytes in base64, 64 hashes and a note of 65,536."""

_INDEX = re.compile(rb"index (0|[1-9][0-9]{0,14})")
_ORIGIN = re.compile(rb"([0-9a-f]{64})/(0|[1-9][0-9]?)\.([0-9a-f-]{1,27})", re.ASCII)


def prove(
    *, reader: LineReader, record: LineRecord, signers: Sequence[Signer], lane: Lane, index: int, show: Iterable[str]
) -> bytes:
    """A proof of one entry that shows the fields named (of kind, time, ack, body) and hides the others.

    With `signers`, this party's lane keys, heads of one's own lanes get both signatures. Raises Unknown
    if there is no such entry below a signed head, or no such field; Malformed
    if the entry could not be opened here and a field is to be shown.
    """
    members, statements = reader_members(reader, record)
    head = owned_head(reader, members, lane, signers if lane.party == record.party else ())
    rows = reader.entries(lane, index, 1)
    if head is None or not 0 <= index < head.size.size or not rows:
        raise Unknown("no such entry below a signed head")
    row = rows[0]
    shown: dict[int, Value] = {}
    for name in show:
        number = FIELD_NAMES.get(name)
        if number is None:
            raise Unknown("the fields of an entry are kind, time, ack and body")
        if row.unopened:
            raise Malformed("that entry could not be opened here")
        shown[number] = [field_salt(row.entry.secret, number), row.entry.of(number)]
    extra: dict[int, Value] = {
        0: 1,
        1: row.unopened or leaf_of(lane, index, row.entry),
        2: shown,
        3: record.terms,
        4: record.cards[lane.party],
    }
    statement = _in_force(statements, lane)
    if statement is not None:
        extra[5] = statement
    path = inclusion_proof(index, head.size.size, lambda level, place: reader.node(lane, level, place))
    return _proof_text(encode(extra), index, path, note(head.signed, head.owner))


def _in_force(statements: Mapping[tuple[int, Generation], bytes], lane: Lane) -> bytes | None:
    """The key statement under which a lane is signed; None for the lane key of the terms (spec 3.13)."""
    usable = [since for party, since in statements if party == lane.party and since <= lane.generation]
    return statements[lane.party, max(usable)] if usable else None


def _proof_text(extra: bytes, index: int, path: Iterable[bytes], checkpoint: bytes) -> bytes:
    lines = [f"extra {b64encode(extra).decode()}", f"index {index}", *(b64encode(part).decode() for part in path)]
    return FIRST_LINE + "\n".join(lines).encode() + b"\n\n" + checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A proof taken apart; nothing is verified but its form."""

    index: int
    path: tuple[bytes, ...]
    note: bytes
    leaf: bytes
    shown: tuple[tuple[int, bytes, bytes], ...] = field(repr=False)
    """(field, salt, field bytes), ascending."""
    terms: bytes = field(repr=False)
    card: bytes = field(repr=False)
    statement: bytes = field(repr=False)


def parse_proof(data: bytes) -> Parsed:
    """Take a proof apart. Raises Malformed or TooLarge unless it is in the one form that `prove` writes."""
    if len(data) > MAX_PROOF_FILE:
        raise TooLarge("the proof is larger than it may be")
    head, blank, checkpoint = data.partition(b"\n\n")
    lines = head.split(b"\n", MAX_PROOF + 4)
    if not blank or len(checkpoint) > MAX_NOTE or len(lines) < 3 or len(lines) > MAX_PROOF + 3:
        raise Malformed("not a proof")
    found = _INDEX.fullmatch(lines[2])
    if lines[0] + b"\n" != FIRST_LINE or not lines[1].startswith(b"extra ") or found is None:
        raise Malformed("not a proof")
    extra, path = _b64(lines[1][6:]), tuple(_b64(line) for line in lines[3:])
    if _proof_text(extra, int(found[1]), path, checkpoint) != data:
        raise Malformed("not the one form of a proof")
    members = Fields(decode(extra), of_map=True)
    if members.uint(0, 255) != 1 or len(members) != 5 + (5 in members):
        raise Malformed("a proof of another version")
    return Parsed(
        index=int(found[1]),
        path=path,
        note=checkpoint,
        leaf=members.bytes(1),
        shown=_shown(members.any(2)),
        terms=members.bytes(3),
        card=members.bytes(4),
        statement=members.bytes(5) if 5 in members else b"",
    )


def _shown(value: Value) -> tuple[tuple[int, bytes, bytes], ...]:
    if not isinstance(value, Mapping):
        raise Malformed("shown fields are a map")
    found: list[tuple[int, bytes, bytes]] = []
    for number, item in value.items():
        pair = Fields(item)
        if not isinstance(number, int) or number not in FIELDS or len(pair) != 2:
            raise Malformed("not a shown field")
        found.append((number, pair.bytes(0, exactly=32), pair.bytes(1)))
    return tuple(found)


def _b64(data: bytes) -> bytes:
    try:
        return b64decode(data, validate=True)
    except ValueError:
        raise Malformed("not base64") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofVerdict:
    """What a proof shows, if it does."""

    outcome: Outcome
    reason: str = ""
    """Why it is broken."""
    line: str = ""
    party: str = ""
    fingerprint: str = ""
    lane: int = 0
    generation: str = ""
    index: int = 0
    size: int = 0
    """Of the head that covers the entry."""
    both: bool = False
    """Whether that head has both kinds of signature."""
    shown: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Name of each shown field, and its bytes in hexadecimal."""
    text: tuple[str, ...] = field(default=(), repr=False)
    """The shown fields for people."""

    @property
    def ok(self) -> bool:
        """Whether it checks, and nobody else was expected."""
        return self.outcome in {Outcome.PROVED, Outcome.CONSISTENT}

    @property
    def identity_proved(self) -> bool:
        """Whether the lane's owner is who was expected."""
        return self.outcome is Outcome.PROVED

    def lines(self) -> list[str]:
        """The verdict as text."""
        out = [summary(self.outcome, self.party)]
        if self.outcome is Outcome.BROKEN:
            return [*out, f"  {self.reason}"]
        hidden = [name for name in FIELD_NAMES if name not in dict(self.shown)]
        grade = "both kinds of signature" if self.both else "an Ed25519 signature, no post-quantum one"
        out += [
            f"line      {self.line}",
            f"party     {self.party}, fingerprint {self.fingerprint}",
            f"entry     {self.index} of lane {self.lane}.{self.generation}, under a head of size {self.size} with {grade}",
            *self.text,
            f"hidden    {', '.join(hidden) or 'nothing'}",
            "Proved:   the lane's owner signed an entry with these fields at this place.",
            "Not proved: any other entry, that none follows, that its time is true" + self._meaning(),
        ]
        return out

    def _meaning(self) -> str:
        return "." if "kind" in dict(self.shown) else ", or what its fields mean: its kind is hidden."

    def to_json(self) -> str:
        """The verdict as one JSON object."""
        whole = asdict(self) | {"outcome": self.outcome.value, "ok": self.ok, "identity_proved": self.identity_proved}
        return json.dumps(whole, ensure_ascii=False)


def verify_proof(data: bytes, terms: bytes | None = None, expect: Set[bytes] | None = None) -> ProofVerdict:
    """Check a proof by itself; never raises. With `terms` it must be of that line, with `expect` of such a party."""
    try:
        proof = parse_proof(data)
        return _verdict(proof, terms, expect or frozenset())
    except Refused as refusal:
        return ProofVerdict(outcome=Outcome.BROKEN, reason=str(refusal))


def _verdict(proof: Parsed, terms: bytes | None, expect: Set[bytes]) -> ProofVerdict:
    if terms is not None and terms != proof.terms:
        raise Foreign("a proof about another line")
    agreed = parse_terms(proof.terms)
    lane = _origin(proof.note, agreed)
    card = read_card(proof.card)
    check_member(agreed, lane.party, card)
    owner = _owner(proof.statement, lane, card)
    signed = parse_note(proof.note, lane, owner)
    if note(signed, owner) != proof.note:
        raise Malformed("not the one form of a note")
    commitments = parse_leaf(lane, proof.index, proof.leaf)
    if root_from_inclusion(proof.index, signed.head.size, leaf_hash(proof.leaf), proof.path) != signed.head.root:
        raise Forged("the inclusion proof does not lead to the signed root")
    for number, salt, content in proof.shown:
        if commitment(number, salt, content) != commitments[number - 1]:
            raise Forged("a shown field is not the one the leaf commits to")
    fields = {number: content for number, _, content in proof.shown}
    outcome = Outcome.CONSISTENT
    if expect:
        outcome = Outcome.PROVED if any(is_expected(card.fingerprint, one) for one in expect) else Outcome.FOREIGN
    return ProofVerdict(
        outcome=outcome,
        line=lane.line.hex(),
        party=card.name,
        fingerprint=card.fingerprint.hex(),
        lane=lane.number,
        generation=str(lane.generation),
        index=proof.index,
        size=signed.head.size,
        both=bool(signed.mldsa),
        shown=tuple((name, fields[number].hex()) for name, number in FIELD_NAMES.items() if number in fields),
        text=tuple(_text(fields, lane, proof.index, agreed)),
    )


def _origin(checkpoint: bytes, terms: Terms) -> Lane:
    """The lane that a note is about, which must be of these terms. Raises Malformed or Foreign."""
    found = _ORIGIN.fullmatch(checkpoint.partition(b"\n")[0])
    if found is None:
        raise Malformed("a head of no lane")
    lane = Lane(bytes.fromhex(found[1].decode()), int(found[2]), parse_generation(found[3].decode()))
    if lane.line != terms.line or lane.party >= len(terms.parties):
        raise Foreign("a head of another line")
    return lane


def _owner(statement: bytes, lane: Lane, card: Card) -> Verifier:
    """The lane keys in force: the card's, or those of a key statement not after the lane's generation."""
    if not statement:
        return card.lane
    body = Fields(decode(Fields(decode(statement)).bytes(0)))
    since = read_generation(body, 3)
    if not GENERATION_ZERO < since <= lane.generation:
        raise Foreign("a key statement for another generation")
    return read_statement(statement, lane.line, lane.party, since, card.root)


def _text(fields: Mapping[int, bytes], lane: Lane, index: int, terms: Terms) -> list[str]:
    """The shown fields for people; what breaks the rules of its form is said to."""
    names = [party.name for party in terms.parties]
    try:
        when = decode_time(fields[TIME]) if TIME in fields else None
        out = [f"named     {place(names[lane.party], lane.number, lane.generation, index)}"]
        if when is not None:
            out.append(f"time      {moment(Instant(when))}, as claimed")
        if KIND in fields:
            out.append(f"kind      {decode_kind(fields[KIND])}")
        if ACK in fields:
            held = [f"{item.lane}.{item.generation} to {item.size}" for item in decode_ack(fields[ACK])]
            out.append(f"holds     {', '.join(held) or 'nothing'}")
        if BODY in fields and KIND in fields:
            out += [
                f"          {line}" for line in describe(decode_body(decode_kind(fields[KIND]), fields[BODY]), names)
            ]
        return out
    except Refused:
        return ["REFUSED: a shown field breaks the rules of its form"]
