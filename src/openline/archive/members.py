"""Who the parties of an exported line are, and which keys sign which lanes: from signed cards, not from hearsay.

    fingerprint -> root keys -> (card) lane keys of generation zero -> heads
                             -> (key statement) lane keys of a later generation -> heads

Spec: spec/03-terms.md.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from openline.kernel.crypto import Verifier
from openline.kernel.errors import Foreign, Malformed
from openline.kernel.keys import Card, Keyring, check_member, read_card, read_statement
from openline.kernel.lane import GENERATION_ZERO, Generation
from openline.kernel.terms import Terms

COMPARED = 24
"""Bytes of a fingerprint that people compare (spec 3.4)."""
_DIGITS = re.compile(r"\d{5}(?:[ -]?\d{5}){11}", re.ASCII)
_HEX = re.compile(r"(?:openline:fp:)?([0-9a-fA-F]{64})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """The parties of a line with their keys, by party number."""

    terms: Terms
    cards: tuple[Card, ...]
    keyrings: tuple[Keyring, ...]

    def name(self, party: int) -> str:
        """The party's station name."""
        return self.terms.parties[party].name

    def owner(self, party: int, generation: Generation) -> Verifier:
        """The keys that sign that party's lanes in that generation."""
        return self.keyrings[party].lane(generation)

    def speakers(self, party: int, lanes: Iterable[tuple[int, Generation]]) -> list[Verifier]:
        """The keys that may sign a party's manifest: of generation zero and of those among `lanes` (spec 14.4)."""
        generations = {generation for number, generation in lanes if number // 2 == party} | {GENERATION_ZERO}
        return [self.owner(party, generation) for generation in sorted(generations, reverse=True)]


def members_of(terms: Terms, cards: Sequence[bytes], statements: Mapping[tuple[int, Generation], bytes]) -> Members:
    """The members of a line. Raises Malformed, TooLarge, Forged or Foreign if a card or statement is not a party's."""
    if len(cards) != len(terms.parties):
        raise Foreign("not one card for each party")
    read = tuple(read_card(raw) for raw in cards)
    for number, card in enumerate(read):
        check_member(terms, number, card)
    keyrings = tuple(Keyring(card.root, card.lane) for card in read)
    for (party, generation), raw in statements.items():
        if party >= len(keyrings):
            raise Foreign("a key statement of no party")
        ring = keyrings[party]
        ring.rotate(generation, read_statement(raw, terms.line, party, generation, ring.root))
    return Members(terms=terms, cards=read, keyrings=keyrings)


def read_fingerprint(text: str) -> bytes:
    """The bytes that a fingerprint names: 32 from hexadecimal or a QR text, 24 from twelve groups of five digits.

    Raises Malformed.
    """
    whole = _HEX.fullmatch(text.strip())
    if whole:
        return bytes.fromhex(whole[1])
    if not _DIGITS.fullmatch(text.strip()):
        raise Malformed("a fingerprint is 64 hexadecimal digits or twelve groups of five digits")
    digits = re.sub("[ -]", "", text.strip())
    groups = [int(digits[at : at + 5]) for at in range(0, 60, 5)]
    if max(groups) > 0xFFFF:
        raise Malformed("a group of a fingerprint is at most 65535")
    return b"".join(group.to_bytes(2, "big") for group in groups)


def is_expected(fingerprint: bytes, expected: bytes) -> bool:
    """Whether a full fingerprint is the one expected, whole or in the 24 bytes that people compare."""
    return len(expected) in {COMPARED, 32} and fingerprint.startswith(expected)
