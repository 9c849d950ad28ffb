"""Keys: which may do what, and when.

| role | holds | may |
|---|---|---|
| root | offline | certify a card, certify the lane key of a later generation |
| lane | the station | sign heads and handshakes of one party |
| pairing (PSK) | outside the store | open a line's epochs, together with fresh shares |
| epoch | memory and store, never a backup | seal envelopes; erased when it ends |

Keys of two roles are never the same key (spec 3.6). A card is a station's
public identity, signed by its root. A key statement puts a new lane key in
place from one generation on.

Spec: spec/03-terms.md, spec/10-epochs.md.
"""

from dataclasses import dataclass, field

from openline.kernel.codec import Fields, Value, decode, encode
from openline.kernel.crypto import (
    MLDSA_PUBLIC,
    XWING_SEALED_32,
    Signer,
    Verifier,
    derive,
    digest,
    extract,
    open_from,
    seal_to,
)
from openline.kernel.errors import Conflict, Foreign, Forged, Malformed
from openline.kernel.lane import GENERATION_ZERO, Generation, read_generation
from openline.kernel.terms import SUITE, Party, Terms, check_name
from openline.kernel.units import MAX_PARTIES, Instant

_CARD = b"openline/1 card\n"
_STATEMENT = b"openline/1 key statement\n"
MAX_ADDRESSES = 16
MAX_CERTIFICATE = 2_048


def fingerprint(root: Verifier) -> bytes:
    """The 32 bytes that people compare, and by which a station is known: the hash of both root keys (spec 3.3)."""
    return digest(b"openline/1 identity\n" + root.ed25519_key + root.mldsa_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A station's public identity, as its root signed it."""

    name: str
    root: Verifier
    lane: Verifier
    certificate: bytes = field(repr=False)
    """The station's TLS certificate, DER; pinned whole."""
    addresses: tuple[str, ...] = field(repr=False)
    made: Instant
    expires: Instant
    raw: bytes = field(repr=False)
    """The signed card: what is exchanged and hashed."""

    @property
    def fingerprint(self) -> bytes:
        """See `fingerprint`."""
        return fingerprint(self.root)

    def party(self, nonce: bytes) -> Party:
        """This station as a member of terms."""
        return Party(
            name=self.name,
            root=self.root.ed25519_key,
            root_mldsa_hash=digest(self.root.mldsa_key),
            lane=self.lane.ed25519_key,
            lane_mldsa_hash=digest(self.lane.mldsa_key),
            nonce=nonce,
        )


def make_card(
    *,
    name: str,
    root: Signer,
    lane: Verifier,
    certificate: bytes,
    addresses: tuple[str, ...],
    made: Instant,
    expires: Instant,
) -> Card:
    """A card signed with both root keys. Raises as `read_card`."""
    members: dict[int, Value] = {
        0: SUITE,
        1: name,
        2: root.public.ed25519_key,
        3: root.public.mldsa_key,
        4: lane.ed25519_key,
        5: lane.mldsa_key,
        6: certificate,
        7: list(addresses),
        8: made,
        9: expires,
    }
    body = encode(members)
    return read_card(encode([body, root.ed25519(_CARD + body), root.mldsa(_CARD + body)]))


def read_card(raw: bytes) -> Card:
    """Read and check a card (spec 3.1, 3.2); its expiry is the caller's to judge, who knows the time.

    Raises Malformed or TooLarge for the form, Forged for a signature.
    """
    whole = Fields(decode(raw))
    if len(whole) != 3:
        raise Malformed("a card has three members")
    body = whole.bytes(0)
    members = Fields(decode(body), of_map=True)
    if members.uint(0, 255) != SUITE:
        raise Malformed("a card of another suite")
    root = Verifier(members.bytes(2, exactly=32), members.bytes(3, exactly=MLDSA_PUBLIC))
    lane = Verifier(members.bytes(4, exactly=32), members.bytes(5, exactly=MLDSA_PUBLIC))
    if root.ed25519_key == lane.ed25519_key or root.mldsa_key == lane.mldsa_key:
        raise Malformed("a key serves twice")
    root.ed25519(whole.bytes(1), _CARD + body)
    root.mldsa(whole.bytes(2), _CARD + body)
    addresses = Fields(members.list(7, MAX_ADDRESSES))
    return Card(
        name=check_name(members.text(1, 16)),
        root=root,
        lane=lane,
        certificate=members.bytes(6, most=MAX_CERTIFICATE),
        addresses=tuple(addresses.text(place, 256) for place in range(len(addresses))),
        made=members.instant(8),
        expires=members.instant(9),
        raw=raw,
    )


def check_member(terms: Terms, number: int, card: Card) -> None:
    """Raise Foreign unless party `number` of the terms is the station of that card, with these keys."""
    if card.party(terms.parties[number].nonce) != terms.parties[number]:
        raise Foreign("the card is not that party's")


def make_statement(line: bytes, party: int, generation: Generation, lane: Verifier, root: Signer) -> bytes:
    """The root's word that `lane` signs this party's lanes from `generation` on (spec 3.10)."""
    body = encode([SUITE, line, party, generation.counter, generation.nonce, lane.ed25519_key, lane.mldsa_key])
    return encode([body, root.ed25519(_STATEMENT + body), root.mldsa(_STATEMENT + body)])


def read_statement(raw: bytes, line: bytes, party: int, generation: Generation, root: Verifier) -> Verifier:
    """The lane key that a statement puts in place. Raises Malformed, Foreign (another place) or Forged.

    That no other party has that key is the caller's to see, who knows them all.
    """
    whole = Fields(decode(raw))
    if len(whole) != 3:
        raise Malformed("a key statement has three members")
    body = whole.bytes(0)
    root.ed25519(whole.bytes(1), _STATEMENT + body)
    root.mldsa(whole.bytes(2), _STATEMENT + body)
    members = Fields(decode(body))
    place = (members.uint(2, MAX_PARTIES), read_generation(members, 3))
    if members.uint(0, 255) != SUITE or members.bytes(1) != line or place != (party, generation):
        raise Foreign("a key statement for another place")
    lane = Verifier(members.bytes(5, exactly=32), members.bytes(6, exactly=MLDSA_PUBLIC))
    if root.ed25519_key == lane.ed25519_key or root.mldsa_key == lane.mldsa_key:
        raise Malformed("a key serves twice")
    return lane


def statement_generation(raw: bytes) -> Generation:
    """The generation from which a key statement says to hold; `read_statement` checks it. Raises Malformed or TooLarge."""
    members = Fields(decode(Fields(decode(raw)).bytes(0)))
    return read_generation(members, 3)


class Keyring:
    """One party's public keys over time: which lane key signs which generation."""

    __slots__ = ("_from", "root")

    def __init__(self, root: Verifier, lane: Verifier) -> None:
        self.root = root
        self._from: list[tuple[Generation, Verifier]] = [(GENERATION_ZERO, lane)]

    def lane(self, generation: Generation) -> Verifier:
        """The key in force in that generation: that of the latest statement not after it."""
        return next(key for since, key in reversed(self._from) if since <= generation)

    def since(self, generation: Generation) -> Generation:
        """Since which generation the key in force in that one signs."""
        return max(since for since, _ in self._from if since <= generation)

    @property
    def keys(self) -> tuple[tuple[Generation, Verifier], ...]:
        """Every lane key with the generation since which it signs, ascending."""
        return tuple(self._from)

    def rotate(self, generation: Generation, lane: Verifier) -> None:
        """Put a key in place from a generation on; it came from `read_statement`.

        Raises Conflict if another key has that place: the one in place stays (spec 3.13, 3.14).
        """
        for since, key in self._from:
            if since == generation:
                if (key.ed25519_key, key.mldsa_key) != (lane.ed25519_key, lane.mldsa_key):
                    raise Conflict("another key for a generation that has one")
                return
        self._from = sorted([*self._from, (generation, lane)], key=lambda known: known[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochContext:
    """What an epoch's keys are bound to beside its shares (spec 10.4)."""

    line: bytes
    attempt: int
    initiator: bytes
    """The initiator's root Ed25519 key."""
    responder: bytes

    def info(self, transcript: bytes) -> bytes:
        """The HPKE info and derivation context at one point of the handshake."""
        return b"".join((self.line, self.attempt.to_bytes(4, "big"), self.initiator, self.responder, transcript))


def seal_share(context: EpochContext, transcript: bytes, offer: bytes, share: bytes) -> bytes:
    """A side's 32-byte share, sealed to the other side's single-use offer (spec 10.5). Raises Malformed."""
    return seal_to(offer, share, b"openline/1 epoch" + context.info(transcript))


def open_share(context: EpochContext, transcript: bytes, offer_seed: bytes, sealed: bytes) -> bytes:
    """The other side's share. Raises Forged."""
    if len(sealed) != XWING_SEALED_32:
        raise Forged("sealed share of the wrong length")
    return open_from(offer_seed, sealed, b"openline/1 epoch" + context.info(transcript))


def epoch_root(context: EpochContext, transcript: bytes, base: bytes, shares: tuple[bytes, bytes], psk: bytes) -> bytes:
    """The root of an epoch: from the old root (or 32 zero bytes), both shares, initiator's first, and the PSK (spec 10.6)."""
    secret = extract(base, shares[0] + shares[1] + psk)
    return derive(secret, b"openline/1 root", context.info(transcript))


def confirmation(root: bytes, transcript: bytes, *, initiator: bool) -> bytes:
    """What a side shows before either switches to the epoch (spec 10.7)."""
    role = b"openline/1 confirm initiator" if initiator else b"openline/1 confirm responder"
    return derive(root, role, transcript)
