"""The lane and TLS keys of a station: in use, of before, and being put in place.

A lane key of before is kept, because what it signed is signed again as it stands (spec 13.10). A TLS key of before
is destroyed once the one after it is in use, as it has nothing left to do.

As kept in lane.key: the map {0: [[Ed25519 seed || ML-DSA-44 seed, made], ...], 1: which of them is in use,
2: [[TLS seed, made], ...]}; the first TLS key is in use. Stations of before kept three seeds, one after the other.
"""

from dataclasses import dataclass, field

from openline.bearers.certificate import new_certificate, new_key
from openline.kernel.codec import Fields, Value, decode, encode
from openline.kernel.crypto import Signer, digest
from openline.kernel.errors import Malformed
from openline.kernel.units import Entropy, Instant

_SEED = 32
MAX_LANES = 256
"""Lane keys kept: a rotation a month for twenty years; 70 bytes each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A key's seed, and when it was made: 0 where that was not written down."""

    seed: bytes = field(repr=False)
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnKeys:
    """Lane keys, the oldest first, and one or two TLS keys, that in use first."""

    lanes: tuple[Made, ...]
    lane_in_use: int
    tls: tuple[Made, ...]

    @property
    def lane(self) -> Signer:
        """In use."""
        return _signer(self.lanes[self.lane_in_use])

    @property
    def next_lane(self) -> Signer | None:
        """The one that waits for its statements."""
        return _signer(self.lanes[-1]) if self.lane_in_use < len(self.lanes) - 1 else None

    @property
    def retired(self) -> tuple[Signer, ...]:
        """All but the one in use and the one that waits."""
        return tuple(_signer(made) for made in self.lanes[: self.lane_in_use])

    def signer(self, place: int) -> Signer:
        """The lane key at that place of `lanes`."""
        return _signer(self.lanes[place])

    def certificate_name(self, place: int) -> bytes:
        """What names the certificate of the TLS key at that place (spec 6.26)."""
        return digest(new_certificate(new_key(self.tls[place].seed)))

    @property
    def tls_key(self) -> bytes:
        """In use, PKCS8 DER."""
        return new_key(self.tls[0].seed)

    @property
    def certificate(self) -> bytes:
        """Of the TLS key in use, DER."""
        return new_certificate(self.tls_key)

    @property
    def next_certificate(self) -> bytes | None:
        """Of the TLS key that waits until every peer knows it."""
        return new_certificate(new_key(self.tls[1].seed)) if len(self.tls) > 1 else None


def _signer(made: Made) -> Signer:
    return Signer(made.seed[:_SEED], made.seed[_SEED:])


def new_keys(entropy: Entropy, now: Instant) -> OwnKeys:
    """The keys of a new station."""
    lane, tls = Made(seed=entropy(2 * _SEED), at=now), Made(seed=entropy(_SEED), at=now)
    return OwnKeys(lanes=(lane,), lane_in_use=0, tls=(tls,))


def encode_keys(keys: OwnKeys) -> bytes:
    """As they are sealed."""
    lanes: list[Value] = [[made.seed, made.at] for made in keys.lanes]
    tls: list[Value] = [[made.seed, made.at] for made in keys.tls]
    return encode({0: lanes, 1: keys.lane_in_use, 2: tls})


def decode_keys(data: bytes) -> OwnKeys:
    """The keys in an opened lane.key. Raises Malformed or TooLarge."""
    if len(data) == 3 * _SEED:
        lane, tls = Made(seed=data[: 2 * _SEED], at=Instant(0)), Made(seed=data[2 * _SEED :], at=Instant(0))
        return OwnKeys(lanes=(lane,), lane_in_use=0, tls=(tls,))
    members = Fields(decode(data), of_map=True)
    lanes = tuple(_made(Fields(item), 2 * _SEED) for item in members.list(0, MAX_LANES))
    tls_keys = tuple(_made(Fields(item), _SEED) for item in members.list(2, 2))
    if not lanes or not tls_keys:
        raise Malformed("a key file of another shape")
    return OwnKeys(lanes=lanes, lane_in_use=members.uint(1, len(lanes) - 1), tls=tls_keys)


def _made(members: Fields, size: int) -> Made:
    return Made(seed=members.bytes(0, exactly=size), at=members.instant(1))
