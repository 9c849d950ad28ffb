"""Two deterministic stations and a line between them, for the tests of the specification.

Keys come from numbers, never from a generator: a failure is the same everywhere.
"""

from hashlib import sha256

from openline.kernel.codec import Value, encode
from openline.kernel.crypto import Signer
from openline.kernel.keys import Card, make_card
from openline.kernel.lane import Entry, Extension, Generation, Lane, SignedHead, extend, leaf_secret, sign_head
from openline.kernel.merkle import Peaks
from openline.kernel.terms import Policy, Terms, make_terms
from openline.kernel.units import Instant


def secret(name: str) -> bytes:
    """32 bytes that stand for randomness."""
    return sha256(b"openline test " + name.encode()).digest()


def signer(name: str) -> Signer:
    """A key pair by name."""
    return Signer(secret(name + " ed25519"), secret(name + " mldsa"))


ROOTS = {name: signer(name + " root") for name in ("ALPHA", "BRAVO", "CHARLIE")}
LANES = {name: signer(name + " lane") for name in ("ALPHA", "BRAVO", "CHARLIE")}


def card(name: str = "ALPHA", **changes: object) -> Card:
    """The card of a station."""
    members: dict[str, object] = {
        "name": name,
        "root": ROOTS[name],
        "lane": LANES[name].public,
        "certificate": b"certificate of " + name.encode(),
        "addresses": ("tls:192.0.2.1:7460",),
        "made": Instant(1_700_000_000_000),
        "expires": Instant(1_800_000_000_000),
        **changes,
    }
    return make_card(**members)  # type: ignore[arg-type]


def terms(*names: str, policy: Policy | None = None) -> Terms:
    """Terms of these stations, ALPHA and BRAVO if none is named."""
    chosen = names or ("ALPHA", "BRAVO")
    parties = tuple(card(name).party(secret(name + " nonce")) for name in chosen)
    return make_terms(parties, policy or Policy(title="Test line"))


TERMS = terms()
LINE = TERMS.line
OWNER = LANES["ALPHA"]
PARTY = TERMS.party_of_root(ROOTS["ALPHA"].public.ed25519_key)
ZERO = Generation(0, bytes(8))
SEED = secret("seed")


def lane(number: int = 2 * PARTY, generation: Generation = ZERO) -> Lane:
    """A lane of the line, ALPHA's urgent one by default."""
    return Lane(LINE, number, generation)


def entry(of: Lane, index: int, *, kind: int = 3, body: Value = None, seed: bytes = SEED) -> Entry:
    """Entry `index` of a lane."""
    return Entry(
        kind=encode(kind),
        time=encode(1_700_000_000_000 + index),
        ack=encode([]),
        body=encode({} if body is None else body),
        secret=leaf_secret(seed, of.number, index),
    )


def grown_lane(of: Lane, size: int) -> tuple[list[Entry], Extension]:
    """Its first `size` entries and the tree."""
    entries = [entry(of, index) for index in range(size)]
    return entries, extend(of, Peaks(), entries)


def signed_head(of: Lane, size: int, *, milestone: bool = False, owner: Signer = OWNER) -> SignedHead:
    """A true head of that size."""
    return sign_head(owner, grown_lane(of, size)[1].head(of), milestone=milestone)
