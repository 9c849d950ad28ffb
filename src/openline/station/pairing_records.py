"""What a station keeps of its pairings: what it has signed and waits for, signatures over terms, mismatches.

All of it stands in the store's settings, sealed at rest; the secrets
themselves are the keystore's. What waits is written before our signature
leaves, so that a crash at any moment is finished, or begun anew, by pairing
again (spec 15.25).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from openline.kernel.codec import Fields, Value, decode, encode
from openline.kernel.crypto import ED25519_SIGNATURE, MLDSA_SIGNATURE
from openline.kernel.errors import Refused
from openline.kernel.keys import check_member, read_card
from openline.kernel.terms import Terms, parse_terms
from openline.kernel.units import MAX_PARTIES, Instant
from openline.ports import Store
from openline.protocol.pairing_messages import Signature
from openline.protocol.records import LineRecord

PAIR_MISMATCHES: Final = 3
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A line that we have signed, and the peer has not yet as far as we know."""

    record: LineRecord
    terms: Terms
    signatures: tuple[Signature, ...] = field(repr=False)


class PairingRecords:
    """Reads and writes them; every method may raise Unavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # --- what waits for a peer's signature ---

    def waiting(self, root: bytes) -> Waiting | None:
        """What waits for the station of that root key; None if nothing does, or what was written is not whole."""
        raw = self._store.setting(_waiting(root))
        return _read_waiting(raw) if raw else None

    def put_waiting(self, root: bytes, waiting: Waiting) -> None:
        """Keep it; replaces what stood there."""
        record = waiting.record
        members: list[Value] = [
            record.party, record.terms, list(record.cards), record.label, signature_values(waiting.signatures)
        ]  # fmt: skip
        self._store.put_setting(_waiting(root), encode(members))
        roots = {*self.roots(), root}
        self._store.put_setting(_ALL, b"".join(sorted(roots)))

    def clear_waiting(self, root: bytes) -> None:
        """Nothing waits any more."""
        if root in self.roots():
            self._store.put_setting(_waiting(root), b"")
            self._store.put_setting(_ALL, b"".join(sorted(self.roots() - {root})))

    def roots(self) -> set[bytes]:
        """The root keys of all peers for which something waits."""
        raw = self._store.setting(_ALL) or b""
        return {raw[at : at + 32] for at in range(0, len(raw), 32)}

    # --- signatures over terms, kept for ever ---

    def signatures(self, line: bytes) -> tuple[Signature, ...]:
        """Those that were kept of a line."""
        raw = self._store.setting(_signatures(line))
        return read_signatures(Fields(decode(raw))) if raw else ()

    def put_signatures(self, line: bytes, signatures: Sequence[Signature]) -> None:
        """Keep them."""
        self._store.put_setting(_signatures(line), encode(signature_values(signatures)))

    # --- mismatches of the short string ---

    def mismatches(self, root: bytes, now: Instant) -> int:
        """How many there were with that station within a day."""
        return len(self._times(root, now))

    def add_mismatch(self, root: bytes, now: Instant) -> None:
        """One more."""
        times = [*self._times(root, now), now][-PAIR_MISMATCHES:]
        self._store.put_setting(_mismatches(root), encode(list(times)))

    def _times(self, root: bytes, now: Instant) -> list[Instant]:
        raw = self._store.setting(_mismatches(root))
        if not raw:
            return []
        times = Fields(decode(raw))
        found = [times.instant(place) for place in range(len(times))]
        # A clock that was set back forgives nothing: what lies ahead of it counts as well.
        return [each for each in found if each > now - _DAY_MS]


_ALL: Final = "pairing.waiting"


def _waiting(root: bytes) -> str:
    return f"pairing.waiting.{root.hex()}"


def _signatures(line: bytes) -> str:
    return f"terms.signatures.{line.hex()}"


def _mismatches(root: bytes) -> str:
    return f"pairing.mismatches.{root.hex()}"


def signature_values(signatures: Sequence[Signature]) -> list[Value]:
    """Signatures as codec values."""
    return [[each.party, each.ed25519, each.mldsa] for each in signatures]


def read_signatures(listed: Fields) -> tuple[Signature, ...]:
    """The signatures in an array. Raises Malformed or TooLarge."""
    each = [listed.fields(place) for place in range(len(listed))]
    return tuple(
        Signature(
            party=members.uint(0, MAX_PARTIES - 1),
            ed25519=members.bytes(1, exactly=ED25519_SIGNATURE),
            mldsa=members.bytes(2, exactly=MLDSA_SIGNATURE),
        )
        for members in each
    )


def _read_waiting(raw: bytes) -> Waiting | None:
    try:
        members = Fields(decode(raw))
        terms = parse_terms(members.bytes(1))
        listed = members.fields(2)
        cards = tuple(listed.bytes(place) for place in range(len(listed)))
        if len(cards) != len(terms.parties):
            return None
        for number, card in enumerate(cards):
            check_member(terms, number, read_card(card))
        record = LineRecord(
            line=terms.line,
            party=members.uint(0, len(terms.parties) - 1),
            terms=terms.raw,
            cards=cards,
            label=members.text(3, 256),
        )
        return Waiting(record=record, terms=terms, signatures=read_signatures(members.fields(4)))
    except Refused:
        return None  # of another version: pairing begins anew
