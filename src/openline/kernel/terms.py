"""Terms: what all parties signed, and so what a line is.

The line id is the hash of the terms body: parties, keys, nonces and policy.
Everything signed is bound to it, so nothing can be forwarded to another line.
The bytes are kept as received and are never encoded anew.

Spec: spec/03-terms.md.
"""

import re
from dataclasses import dataclass, field

from openline.kernel.codec import Fields, Value, decode, encode
from openline.kernel.crypto import digest, refuse_weak_point
from openline.kernel.errors import Malformed, Unknown
from openline.kernel.units import MAX_ITEMS, MAX_PARTIES

SUITE = 1
_NAME = re.compile(r"[A-Z0-9](?:[A-Z0-9-]{0,14}[A-Z0-9])?", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,3}", re.ASCII)


def check_name(name: str) -> str:
    """A station's designation: 1 to 16 of A-Z, 0-9 and inner hyphens. Raises Malformed."""
    if not _NAME.fullmatch(name):
        raise Malformed("a station name is 1 to 16 of A-Z, 0-9 and inner hyphens")
    return name


def check_language(tag: str) -> str:
    """A language tag in the form of BCP 47 (en, fr, sr-Latn). Raises Malformed."""
    if not _LANGUAGE.fullmatch(tag):
        raise Malformed("not a language tag")
    return tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A member: its station's name and the keys that speak for it on this line."""

    name: str
    root: bytes
    """Root Ed25519 public key."""
    root_mldsa_hash: bytes
    """SHA-256 of the root ML-DSA-44 public key."""
    lane: bytes
    """Lane Ed25519 public key of generation zero."""
    lane_mldsa_hash: bytes
    nonce: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the parties agreed about running the line; amendable by propose and assent."""

    title: str = ""
    languages: tuple[str, ...] = ("en",)
    test_minutes: int = 60
    """Minutes between automatic tests; 0 for none."""
    handling_minutes: tuple[int, int, int, int] = (10, 30, 180, 360)
    """Time within which the receiver handles FLASH, IMMEDIATE, PRIORITY and ROUTINE."""
    urgent_per_hour: int = 3_600
    traffic_per_hour: int = 20_000
    attachment_mib_per_day: int = 256
    release: bool = False
    """Whether a message needs a second person to release it."""
    exercise: bool = False
    """Whether everything on this line is an exercise."""
    extra: tuple[tuple[int, Value], ...] = field(default=(), repr=False)
    """Members of a newer version: kept as they came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Parsed terms, with the bytes that were signed."""

    parties: tuple[Party, ...]
    policy: Policy
    raw: bytes = field(repr=False)
    line: bytes
    """The line id."""

    def party_of_root(self, root: bytes) -> int:
        """The number of the party with that root key. Raises Unknown."""
        for number, party in enumerate(self.parties):
            if party.root == root:
                return number
        raise Unknown("no party has that root key")


def line_id(raw: bytes) -> bytes:
    """The line id of a terms body (spec 3.8)."""
    return digest(b"openline/1 terms\n" + raw)


def policy_value(policy: Policy) -> Value:
    """The policy as a codec value (spec 3.7)."""
    members: dict[int, Value] = {
        0: policy.title,
        1: list(policy.languages),
        2: policy.test_minutes,
        3: list(policy.handling_minutes),
        4: [policy.urgent_per_hour, policy.traffic_per_hour, policy.attachment_mib_per_day],
        5: policy.release,
        6: [],
        7: policy.exercise,
    }
    members.update(policy.extra)
    return members


def parse_policy(value: Value) -> Policy:
    """The policy in a codec value. Raises Malformed or TooLarge."""
    members = Fields(value, of_map=True)
    handling = [members.fields(3).uint(place, 525_600) for place in range(4)]
    languages = Fields(members.list(1, 16))
    quota = members.fields(4)
    contacts = members.list(6, MAX_ITEMS)
    known = range(8) if not contacts else (0, 1, 2, 3, 4, 5, 7)  # a newer version's contacts are kept as they came
    extra = tuple((key, item) for key, item in value.items() if key not in known) if isinstance(value, dict) else ()
    return Policy(
        title=members.text(0, 256),
        languages=tuple(check_language(languages.text(place, 32)) for place in range(len(languages))),
        test_minutes=members.uint(2, 10_080),
        handling_minutes=(handling[0], handling[1], handling[2], handling[3]),
        urgent_per_hour=quota.uint(0, 2**32),
        traffic_per_hour=quota.uint(1, 2**32),
        attachment_mib_per_day=quota.uint(2, 2**20),
        release=members.bool(5),
        exercise=members.bool(7),
        extra=extra,
    )


def make_terms(parties: tuple[Party, ...], policy: Policy) -> Terms:
    """Terms of these parties in their canonical order, ready to be signed. Raises Malformed as `parse_terms`."""
    members: list[Value] = [
        {0: p.name, 1: p.root, 2: p.root_mldsa_hash, 3: p.lane, 4: p.lane_mldsa_hash, 5: p.nonce}
        for p in sorted(parties, key=lambda party: party.root)
    ]
    return parse_terms(encode({0: SUITE, 1: members, 2: policy_value(policy)}))


def parse_terms(raw: bytes) -> Terms:
    """Read a terms body (spec 3.5 to 3.8).

    Raises Malformed or TooLarge: another suite, fewer than 2 or more than 16
    parties, parties out of order, a name or key used twice, a weak key.
    """
    members = Fields(decode(raw), of_map=True)
    if members.uint(0, 255) != SUITE:
        raise Malformed("terms of another suite")
    listed = members.list(1, MAX_PARTIES)
    if len(listed) < 2:
        raise Malformed("a line has at least two parties")
    parties = tuple(_parse_party(Fields(item, of_map=True)) for item in listed)
    roots = [party.root for party in parties]
    if roots != sorted(roots):
        raise Malformed("parties out of order")
    keys = {key for party in parties for key in (party.root, party.lane)}
    hashes = {key for party in parties for key in (party.root_mldsa_hash, party.lane_mldsa_hash)}
    if len(keys) != 2 * len(parties) or len(hashes) != 2 * len(parties):
        raise Malformed("a key serves twice")  # one key, one role, one party: else a signature says too much
    if len({party.name for party in parties}) != len(parties):
        raise Malformed("two parties of one name")
    return Terms(parties=parties, policy=parse_policy(members.any(2)), raw=raw, line=line_id(raw))


def _parse_party(members: Fields) -> Party:
    root, lane = members.bytes(1, exactly=32), members.bytes(3, exactly=32)
    refuse_weak_point(root)
    refuse_weak_point(lane)
    return Party(
        name=check_name(members.text(0, 16)),
        root=root,
        root_mldsa_hash=members.bytes(2, exactly=32),
        lane=lane,
        lane_mldsa_hash=members.bytes(4, exactly=32),
        nonce=members.bytes(5, exactly=32),
    )
