"""What a pairing is about, and what a conversation asks of its station.

Spec: spec/15-pairing.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from openline.kernel.crypto import Signer
from openline.kernel.keys import Card
from openline.kernel.terms import Policy, Terms
from openline.protocol.pairing_messages import Reason, Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLine:
    """The proposal of a line: who its members are, and its policy. One `nonce` serves all conversations of it."""

    members: tuple[bytes, ...]
    """Root Ed25519 keys of all parties."""
    policy: Policy
    nonce: bytes


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A new PSK for a line that stands, by its id (spec 15.22)."""

    line: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Who talks with whom about what."""

    own: Card
    peer: Card
    """As people entered it; accepted by spec 3.12."""
    signer: Signer
    """One's own lane keys."""
    subject: NewLine | NewSecret
    standing: Mapping[bytes, tuple[Terms, tuple[Signature, ...]]]
    """Terms with this peer that this station has signed, by line, with the signatures it holds."""
    resumes: bytes
    """The line among `standing` that waits for the peer's signature; empty for none."""


@dataclass(frozen=True, slots=True)
class Send:
    """Give the peer this frame, after all that stands before it was done."""

    frame: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """Show people what their floor reads aloud; they enter what they hear. Or they compare fingerprints."""

    own: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """People have accepted the peer. Store the secret, build the terms, then `sign` them."""

    psk: bytes = field(repr=False)
    peer_nonce: bytes
    """The peer's nonce of the terms; empty when the line stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Countersigned:
    """The peer's signatures over our terms have checked: with two parties the line is open."""

    line: bytes
    signatures: tuple[Signature, ...]
    """All that are held, in order of party."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """The peer knows nothing of a line that waited for it: forget that line; pairing begins anew."""

    line: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The conversation is over, without a line."""

    reason: Reason
    by_peer: bool
    members: tuple[str, ...]
    """With Reason.PROPOSAL: what differs."""
    theirs: Policy | None
    """With Reason.PROPOSAL: the peer's policy, to be shown beside one's own, if it is one."""


Output = Send | Compare | Accepted | Countersigned | Dropped | Ended
