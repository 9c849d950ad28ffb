"""Two key statements of one party for one generation: the one in place stays, and both are kept against its root.

A root signs one lane key for a generation. Two different ones mean that somebody else has the root key, or that
its holder plays two games: people judge, with both statements in hand.

Spec: spec/11-forks.md (11.7, 11.13).
"""

from dataclasses import dataclass, field

from openline.kernel.codec import Fields, decode, encode
from openline.kernel.crypto import Verifier
from openline.kernel.errors import Foreign, Malformed
from openline.kernel.keys import read_statement
from openline.kernel.lane import Generation, read_generation
from openline.kernel.units import MAX_PARTIES
from openline.protocol.entries import MAX_STATEMENT

_KIND = 2
"""The first member of this evidence; that of a fork has 1 (spec 11.8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Two statements for one place; `check` says whether they are what they claim."""

    line: bytes
    party: int
    generation: Generation
    statements: tuple[bytes, bytes] = field(repr=False)
    """The bytewise smaller first."""

    def check(self, root: Verifier) -> None:
        """Raise Refused unless that root signed both, for different keys."""
        one, other = (read_statement(raw, self.line, self.party, self.generation, root) for raw in self.statements)
        if (one.ed25519_key, one.mldsa_key) == (other.ed25519_key, other.mldsa_key):
            raise Malformed("two statements of one key contradict nothing")


def contradiction(line: bytes, party: int, generation: Generation, statements: tuple[bytes, bytes]) -> Contradiction:
    """The evidence that two statements are, unchecked."""
    one, other = sorted(statements)
    return Contradiction(line=line, party=party, generation=generation, statements=(one, other))


def is_contradiction(evidence: bytes) -> bool:
    """Whether a piece of evidence is of this kind. Raises Malformed or TooLarge."""
    return Fields(decode(evidence)).uint(0, 255) == _KIND


def encode_contradiction(found: Contradiction) -> bytes:
    """Its one form, kept and exported alike."""
    counter, nonce = found.generation.counter, found.generation.nonce
    return encode([_KIND, found.line, found.party, counter, nonce, *found.statements])


def decode_contradiction(raw: bytes, line: bytes) -> Contradiction:
    """Read it; `check` is the caller's to call. Raises Malformed, TooLarge, or Foreign (another line)."""
    members = Fields(decode(raw))
    if len(members) != 7 or members.uint(0, 255) != _KIND:
        raise Malformed("not two key statements")
    if members.bytes(1, exactly=32) != line:
        raise Foreign("evidence about another line")
    statements = (members.bytes(5, most=MAX_STATEMENT), members.bytes(6, most=MAX_STATEMENT))
    if statements[0] >= statements[1]:
        raise Malformed("statements out of order")
    return Contradiction(
        line=line,
        party=members.uint(2, MAX_PARTIES - 1),
        generation=read_generation(members, 3),
        statements=statements,
    )
