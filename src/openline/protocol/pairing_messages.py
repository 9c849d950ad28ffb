"""What two stations say while they pair, and what is computed from it.

| message | members |
|---|---|
| commit | [30, commitment] |
| reveal | [31, nonce, offer, card digest, line nonce, members, policy bytes] |
| seal | [32, ct] |
| confirm | [33, mac, Ed25519 signature, ML-DSA-44 signature] |
| terms | [34, line id, [[party, Ed25519 signature, ML-DSA-44 signature], ...]] |
| abort | [35, reason] |

Spec: spec/15-pairing.md, 15.4 to 15.13, 15.20, 15.23.
"""

import enum
from dataclasses import dataclass, field

from openline.kernel.codec import Fields, decode, encode
from openline.kernel.crypto import (
    ED25519_SIGNATURE,
    MLDSA_SIGNATURE,
    XWING_PUBLIC,
    XWING_SEALED_32,
    Signer,
    Verifier,
    derive,
    digest,
    extract,
)
from openline.kernel.errors import Malformed, Refused, TooLarge
from openline.kernel.terms import Policy, parse_policy
from openline.kernel.units import MAX_PARTIES, MAX_VALUE
from openline.protocol.contacts import schedule_of

GROUP = 100_000_000
"""One floor's half of the short string has eight digits: a guess fits once in 10^8."""


class Kind(enum.IntEnum):
    """The first member of a message."""

    COMMIT = 30
    REVEAL = 31
    SEAL = 32
    CONFIRM = 33
    TERMS = 34
    ABORT = 35


class Reason(enum.IntEnum):
    """Why a pairing ended without a line (spec 15.23)."""

    PEOPLE = 0
    PROPOSAL = 1
    LINE = 2
    MISMATCH = 3
    CARD = 4
    MALFORMED = 5
    LATE = 6


@dataclass(frozen=True, slots=True)
class Commit:
    """A promise of one's whole reveal."""

    commitment: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reveal:
    """What one side brings: fresh values, its card, and the proposal it was given."""

    nonce: bytes
    offer: bytes
    card: bytes
    """Digest of the sender's card."""
    line_nonce: bytes
    members: tuple[bytes, ...]
    """Root Ed25519 keys, ascending; none when a line that stands gets a new secret."""
    policy: bytes
    """The encoded policy; or the line id of the line that stands."""


@dataclass(frozen=True, slots=True)
class Seal:
    """One's share, sealed to the other's offer."""

    ct: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """Proof that both have the same key and transcript, by the keys of the card."""

    mac: bytes
    ed25519: bytes
    mldsa: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A party's signatures over terms."""

    party: int
    ed25519: bytes
    mldsa: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """The terms as far as the sender holds them signed; without signatures it knows nothing of that line."""

    line: bytes
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Abort:
    """The sender has ended the conversation."""

    reason: Reason


Message = Commit | Reveal | Seal | Confirm | Signed | Abort


def encode_message(message: Message) -> bytes:
    """The bytes of a message."""
    match message:
        case Commit(commitment):
            return encode([Kind.COMMIT, commitment])
        case Reveal() as it:
            members = list(it.members)
            return encode([Kind.REVEAL, it.nonce, it.offer, it.card, it.line_nonce, members, it.policy])
        case Seal(ct):
            return encode([Kind.SEAL, ct])
        case Confirm() as it:
            return encode([Kind.CONFIRM, it.mac, it.ed25519, it.mldsa])
        case Signed() as it:
            return encode([Kind.TERMS, it.line, [[each.party, each.ed25519, each.mldsa] for each in it.signatures]])
        case Abort(reason):
            return encode([Kind.ABORT, reason])


def decode_message(raw: bytes) -> Message:
    """The message in a frame; exactly its members, nothing besides. Raises Malformed or TooLarge."""
    if len(raw) > MAX_VALUE:
        raise TooLarge("a pairing message beyond its bound")
    members = Fields(decode(raw))
    kind = members.uint(0, 255)
    sizes = {Kind.COMMIT: 2, Kind.REVEAL: 7, Kind.SEAL: 2, Kind.CONFIRM: 4, Kind.TERMS: 3, Kind.ABORT: 2}
    if sizes.get(Kind(kind) if kind in set(Kind) else Kind.ABORT) != len(members) or kind not in set(Kind):
        raise Malformed("not a pairing message")
    match Kind(kind):
        case Kind.COMMIT:
            return Commit(members.bytes(1, exactly=32))
        case Kind.REVEAL:
            return _reveal(members)
        case Kind.SEAL:
            return Seal(members.bytes(1, exactly=XWING_SEALED_32))
        case Kind.CONFIRM:
            return Confirm(
                mac=members.bytes(1, exactly=32),
                ed25519=members.bytes(2, exactly=ED25519_SIGNATURE),
                mldsa=members.bytes(3, exactly=MLDSA_SIGNATURE),
            )
        case Kind.TERMS:
            signatures = Fields(members.list(2, MAX_PARTIES))
            listed = tuple(_signature(signatures.fields(place)) for place in range(len(signatures)))
            if [each.party for each in listed] != sorted({each.party for each in listed}):
                raise Malformed("signatures out of order or twice")
            return Signed(line=members.bytes(1, exactly=32), signatures=listed)
        case Kind.ABORT:
            return Abort(Reason(members.uint(1, max(Reason))))


def _reveal(members: Fields) -> Reveal:
    roots = Fields(members.list(5, MAX_PARTIES))
    return Reveal(
        nonce=members.bytes(1, exactly=32),
        offer=members.bytes(2, exactly=XWING_PUBLIC),
        card=members.bytes(3, exactly=32),
        line_nonce=members.bytes(4, exactly=32),
        members=tuple(roots.bytes(place, exactly=32) for place in range(len(roots))),
        policy=members.bytes(6),
    )


def _signature(members: Fields) -> Signature:
    if len(members) != 3:
        raise Malformed("not a signature of terms")
    return Signature(
        party=members.uint(0, MAX_PARTIES - 1),
        ed25519=members.bytes(1, exactly=ED25519_SIGNATURE),
        mldsa=members.bytes(2, exactly=MLDSA_SIGNATURE),
    )


def kind_of(message: Message) -> Kind:
    """The first member of a message."""
    kinds = {Commit: Kind.COMMIT, Reveal: Kind.REVEAL, Seal: Kind.SEAL, Confirm: Kind.CONFIRM}
    return kinds.get(type(message)) or (Kind.TERMS if isinstance(message, Signed) else Kind.ABORT)


def is_signed_terms(frame: bytes) -> bool:
    """Whether a frame is a `terms` message with signatures."""
    try:
        message = decode_message(frame)
    except Refused:
        return False
    return isinstance(message, Signed) and bool(message.signatures)


# --- what is computed -----------------------------------------------------------------------------------------


def card_digest(raw: bytes) -> bytes:
    """What names one card (spec 3.3): the hash of its signed body. Raises Malformed."""
    return digest(b"openline/1 card\n" + Fields(decode(raw)).bytes(0))


def commitment(card: bytes, reveal: bytes) -> bytes:
    """The commitment to an encoded reveal by the holder of a card, named by its digest (spec 15.5)."""
    return digest(b"openline/1 pair commit\n" + card + reveal)


def transcript(cards: tuple[bytes, bytes], reveals: tuple[bytes, bytes]) -> bytes:
    """T of spec 15.7: both card digests and both encoded reveals, low first."""
    return digest(b"openline/1 pair\n" + cards[0] + cards[1] + digest(reveals[0]) + digest(reveals[1]))


def short_strings(t: bytes) -> tuple[str, str]:
    """What the floors of low and high read aloud (spec 15.8), as two groups of four digits each."""
    block = derive(t, b"openline/1 pair sas")
    halves = (f"{int.from_bytes(block[at : at + 8], 'big') % GROUP:08d}" for at in (0, 8))
    low, high = (f"{half[:4]} {half[4:]}" for half in halves)
    return low, high


def read_heard(text: str) -> str:
    """The eight digits that people entered, spaces and hyphens aside. Raises Malformed for anything else."""
    digits = text.replace(" ", "").replace("-", "")
    if len(digits) != 8 or not digits.isascii() or not digits.isdigit():
        raise Malformed("what the other floor reads aloud has eight digits")
    return digits


def seal_info(t: bytes, *, low: bool) -> bytes:
    """HPKE info of the share that low or high seals (spec 15.11)."""
    return (b"openline/1 pair seal low" if low else b"openline/1 pair seal high") + t


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """The key of a pairing and the transcript it belongs to."""

    key: bytes = field(repr=False)
    transcript: bytes

    def psk(self) -> bytes:
        """The secret of the pair (spec 15.12)."""
        return derive(self.key, b"openline/1 pair psk", self.transcript)

    def mac(self, *, low: bool) -> bytes:
        """What low or high shows to prove the key (spec 15.13)."""
        label = b"openline/1 pair confirm low" if low else b"openline/1 pair confirm high"
        return derive(self.key, label, self.transcript)

    def said(self, *, low: bool) -> bytes:
        """What low or high signs with its lane keys (spec 15.13)."""
        return b"openline/1 pair keys\n" + bytes((0 if low else 1,)) + self.transcript


def agree(t: bytes, cts: tuple[bytes, bytes], shares: tuple[bytes, bytes]) -> Agreed:
    """The key from both sealed shares, low's first (spec 15.12)."""
    t2 = digest(b"openline/1 pair seals\n" + t + cts[0] + cts[1])
    return Agreed(key=extract(t2, shares[0] + shares[1]), transcript=t2)


def sign_terms(line: bytes, party: int, signer: Signer) -> Signature:
    """A party's signatures over the terms of a line (spec 15.20)."""
    said = _TERMS + line
    return Signature(party=party, ed25519=signer.ed25519(said), mldsa=signer.mldsa(said))


def check_terms(line: bytes, signature: Signature, lane: Verifier) -> None:
    """Raise Forged unless both signatures are that lane key's over the terms of that line."""
    lane.ed25519(signature.ed25519, _TERMS + line)
    lane.mldsa(signature.mldsa, _TERMS + line)


_TERMS = b"openline/1 terms signature\n"


def differing(ours: Policy, theirs: bytes) -> tuple[str, ...]:
    """The members in which their encoded policy differs from ours, by name; "policy" if it is none at all."""
    try:
        policy = parse_policy(decode(theirs))
    except Refused:
        return ("policy",)
    names = Policy.__dataclass_fields__
    found = [name for name in names if getattr(ours, name) != getattr(policy, name)]
    if "extra" in found and schedule_of(ours) != schedule_of(policy):
        found[found.index("extra")] = "contacts"
    return tuple(found) or ("policy",)
