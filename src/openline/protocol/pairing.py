"""Pairing: two stations that hold each other's card come to a secret and to signed terms.

    COMMITTED --commit--> REVEALED --reveal--> SEALED --seal--> PROVED
        --confirm--> COMPARING --people accept--> ACCEPTED --terms signed by both--> SIGNED

Each side commits to all it brings before it sees anything of the other's, so
whoever stands between has one guess at the short strings and no more. Any
message that is out of turn, malformed, forged or another's ends the
conversation: people begin a new one.

A side that has signed already, and lost the connection, begins with its
signatures instead (`resumes`); one that never signed says that it holds none.

Pure: nothing is sent, stored or shown here; entropy is a parameter. Pairwise,
for terms of any number of parties: who has several conversations of one
proposal builds the terms when all are ACCEPTED.

Spec: spec/15-pairing.md.
"""

import enum
from collections.abc import Callable

from openline.kernel.codec import decode, encode
from openline.kernel.crypto import open_from, same, seal_to, xwing_public
from openline.kernel.errors import Bug, Foreign, Forged, Malformed, Refused
from openline.kernel.terms import Policy, Terms, make_terms, parse_policy, policy_value
from openline.kernel.units import Entropy
from openline.protocol.pairing_messages import (
    Abort,
    Agreed,
    Commit,
    Confirm,
    Kind,
    Message,
    Reason,
    Reveal,
    Seal,
    Signature,
    Signed,
    agree,
    card_digest,
    check_terms,
    commitment,
    decode_message,
    differing,
    encode_message,
    kind_of,
    read_heard,
    seal_info,
    short_strings,
    sign_terms,
    transcript,
)
from openline.protocol.pairing_outcomes import (
    Accepted,
    Compare,
    Countersigned,
    Dropped,
    Ended,
    NewLine,
    NewSecret,
    Output,
    Send,
    Setup,
)

COMPARED = 24
"""Bytes of a fingerprint that people compare at least (spec 3.4)."""


class Stage(enum.Enum):
    """How far a conversation has come; it only goes forward."""

    RESUMING = "resuming"
    COMMITTED = "committed"
    REVEALED = "revealed"
    SEALED = "sealed"
    PROVED = "proved"
    COMPARING = "comparing"
    ACCEPTED = "accepted"
    SIGNED = "signed"
    ENDED = "ended"


def two_party_terms(setup: Setup, peer_nonce: bytes) -> Terms:
    """The terms of a line of these two (spec 15.16). Raises Refused if the cards do not go together."""
    match setup.subject:
        case NewLine() as new:
            return make_terms((setup.own.party(new.nonce), setup.peer.party(peer_nonce)), new.policy)
        case NewSecret():
            raise Bug("the terms of a line that stands are not made again")


class Pairing:
    """One conversation. Inputs give outputs, to be carried out in their order."""

    __slots__ = (
        "_agreed", "_commit", "_cts", "_early", "_offer_seed", "_own_digest", "_own_reveal", "_peer_digest",
        "_peer_reveal", "_seen", "_share", "_signatures", "_t", "_terms", "low", "setup", "stage",
    )  # fmt: skip

    def __init__(self, setup: Setup, entropy: Entropy) -> None:
        """Raises Foreign if own and peer are one station, or are not both members of the proposal."""
        own, peer = setup.own.root.ed25519_key, setup.peer.root.ed25519_key
        if own == peer:
            raise Foreign("a station is not paired with itself")
        self.setup, self.low = setup, own < peer
        self._own_digest, self._peer_digest = card_digest(setup.own.raw), card_digest(setup.peer.raw)
        members, policy, nonce = _subject(setup)
        if members and not {own, peer} <= set(members):
            raise Foreign("a card that is not a member's")
        self._offer_seed, self._share = entropy(32), entropy(32)
        self._own_reveal = encode_message(
            Reveal(
                nonce=entropy(32),
                offer=xwing_public(self._offer_seed),
                card=self._own_digest,
                line_nonce=nonce,
                members=members,
                policy=policy,
            )
        )
        self.stage = Stage.RESUMING if setup.resumes else Stage.COMMITTED
        self._seen: dict[Kind, bytes] = {}
        self._early: list[bytes] = []
        self._commit = self._peer_reveal = self._t = b""
        self._cts: tuple[bytes, bytes] = (b"", b"")
        self._agreed = Agreed(key=b"", transcript=b"")
        self._terms: Terms | None = None
        self._signatures: dict[int, Signature] = {}

    # --- what people and the station do ------------------------------------------------------------------------

    def start(self) -> list[Output]:
        """The first message; call once."""
        if self.stage is Stage.RESUMING:
            terms, held = self.setup.standing[self.setup.resumes]
            return [Send(encode_message(Signed(line=terms.line, signatures=held)))]
        return [self._committing()]

    def accept_fingerprint(self, entered: bytes) -> list[Output]:
        """People entered the peer's fingerprint: 24 bytes of it or all 32 (spec 15.9 a)."""
        mine = self.setup.peer.fingerprint
        return self._judged(len(entered) >= COMPARED and same(entered, mine[: len(entered)]))

    def accept_heard(self, heard: str) -> list[Output]:
        """People entered the eight digits they heard from the other floor (spec 15.9 b). Raises Malformed for others."""
        digits = read_heard(heard)
        theirs = read_heard(short_strings(self._t)[1 if self.low else 0])
        return self._judged(same(digits.encode(), theirs.encode()))

    def sign(self, terms: Terms) -> list[Output]:
        """Sign the terms that were built; the station has stored them and the secret. Raises Bug out of turn."""
        if self.stage is not Stage.ACCEPTED or self._terms is not None:
            raise Bug("terms signed out of turn")
        own = terms.party_of_root(self.setup.own.root.ed25519_key)
        self._terms = terms
        self._signatures[own] = sign_terms(terms.line, own, self.setup.signer)
        self._agreed = Agreed(key=b"", transcript=b"")
        outputs: list[Output] = [Send(encode_message(Signed(line=terms.line, signatures=self.signatures)))]
        early, self._early = self._early, []
        for frame in early:
            outputs += self._taken(lambda frame=frame: self._terms_came(decode_message(frame)))  # type: ignore[misc]
        return outputs

    @property
    def signatures(self) -> tuple[Signature, ...]:
        """The signatures over the terms that are held, in order of party."""
        return tuple(self._signatures[party] for party in sorted(self._signatures))

    def end(self, reason: Reason) -> list[Output]:
        """End it from this side."""
        if self.stage in (Stage.ENDED, Stage.SIGNED):
            return []
        return self._ended(reason)

    # --- what the peer says ------------------------------------------------------------------------------------

    def receive(self, frame: bytes) -> list[Output]:
        """Take one frame of the peer's. Total: what is wrong ends the conversation."""
        if self.stage is Stage.ENDED:
            return []
        return self._taken(lambda: self._received(frame))

    def _taken(self, step: Callable[[], list[Output]]) -> list[Output]:
        try:
            return step()
        except Refused:
            return self._ended(Reason.MALFORMED)

    def _received(self, frame: bytes) -> list[Output]:
        message = decode_message(frame)
        if isinstance(message, Abort):
            self.stage = Stage.ENDED
            return [Ended(reason=message.reason, by_peer=True, members=(), theirs=None)]
        kind = kind_of(message)
        if kind is not Kind.TERMS:
            if kind in self._seen:
                if self._seen[kind] != frame:
                    raise Malformed("a second message of its type")
                return []  # a repeat says nothing new
            self._seen[kind] = frame
        match message:
            case Signed():
                return self._signed(message, frame)
            case _ if self.stage is Stage.RESUMING:
                self._early.append(frame)  # the peer began anew; it will say whether it knows our line
                if len(self._early) > 1:
                    raise Malformed("a message out of turn")
                return []
            case Commit(given) if self.stage is Stage.COMMITTED:
                return self._committed(given)
            case Reveal() if self.stage is Stage.REVEALED:
                return self._revealed(message, frame)
            case Seal(ct) if self.stage is Stage.SEALED:
                return self._sealed(ct)
            case Confirm() if self.stage is Stage.PROVED:
                return self._confirmed(message)
        raise Malformed("a message out of turn")

    def _committing(self) -> Send:
        return Send(encode_message(Commit(commitment(self._own_digest, self._own_reveal))))

    def _committed(self, given: bytes) -> list[Output]:
        if same(given, commitment(self._own_digest, self._own_reveal)):
            raise Foreign("an echo of our own commit")
        self._commit, self.stage = given, Stage.REVEALED
        return [Send(self._own_reveal)]

    def _revealed(self, reveal: Reveal, frame: bytes) -> list[Output]:
        if reveal.card != self._peer_digest:
            return self._ended(Reason.CARD)
        if not same(self._commit, commitment(self._peer_digest, frame)):
            raise Forged("a reveal that was not committed to")
        mine = decode_message(self._own_reveal)
        if not isinstance(mine, Reveal):
            raise Bug("our own reveal is none")
        if reveal.nonce == mine.nonce or reveal.offer == mine.offer:
            raise Foreign("an echo of our own reveal")
        if (reveal.members, reveal.policy) != (mine.members, mine.policy):
            return self._differs(reveal)
        if bool(mine.members) and reveal.line_nonce == mine.line_nonce:
            raise Foreign("an echo of our own line nonce")
        self._peer_reveal = frame
        self._t = transcript(self._ordered(self._own_digest, self._peer_digest), self._ordered(self._own_reveal, frame))
        ct = seal_to(reveal.offer, self._share, seal_info(self._t, low=self.low))
        self._cts = self._ordered(ct, b"")
        self.stage = Stage.SEALED
        return [Send(encode_message(Seal(ct)))]

    def _differs(self, reveal: Reveal) -> list[Output]:
        members, policy, _ = _subject(self.setup)
        names: tuple[str, ...] = () if reveal.members == members else ("members",)
        match self.setup.subject:
            case NewLine() as new if reveal.policy != policy:
                names += differing(new.policy, reveal.policy)
            case NewSecret() if reveal.policy != policy:
                names += ("line",)
        return self._ended(Reason.PROPOSAL, names, _policy(reveal.policy))

    def _sealed(self, ct: bytes) -> list[Output]:
        theirs = open_from(self._offer_seed, ct, seal_info(self._t, low=not self.low))
        self._offer_seed = b""
        own = self._cts[0] or self._cts[1]
        self._cts = self._ordered(own, ct)
        self._agreed = agree(self._t, self._cts, self._ordered(self._share, theirs))
        self._share = b""
        said = self._agreed.said(low=self.low)
        signer, mac = self.setup.signer, self._agreed.mac(low=self.low)
        self.stage = Stage.PROVED
        return [Send(encode_message(Confirm(mac=mac, ed25519=signer.ed25519(said), mldsa=signer.mldsa(said))))]

    def _confirmed(self, confirm: Confirm) -> list[Output]:
        if not same(confirm.mac, self._agreed.mac(low=not self.low)):
            raise Forged("the other side has another key")
        said, lane = self._agreed.said(low=not self.low), self.setup.peer.lane
        lane.ed25519(confirm.ed25519, said)
        lane.mldsa(confirm.mldsa, said)
        self.stage = Stage.COMPARING
        return [Compare(short_strings(self._t)[0 if self.low else 1])]

    def _judged(self, fits: bool) -> list[Output]:
        if self.stage is not Stage.COMPARING:
            return []  # too late, or it ended meanwhile
        if not fits:
            return self._ended(Reason.MISMATCH)
        self.stage = Stage.ACCEPTED
        reveal = decode_message(self._peer_reveal)
        nonce = reveal.line_nonce if isinstance(reveal, Reveal) and reveal.members else b""
        return [Accepted(psk=self._agreed.psk(), peer_nonce=nonce)]

    # --- terms -------------------------------------------------------------------------------------------------

    def _signed(self, signed: Signed, frame: bytes) -> list[Output]:
        if self.stage is Stage.RESUMING:
            return self._resumed(signed)
        if self.stage is Stage.COMMITTED:
            return self._asked(signed)
        if self.stage is Stage.SIGNED or (self.stage is Stage.ACCEPTED and self._terms is not None):
            return self._terms_came(signed)
        if self.stage in (Stage.COMPARING, Stage.ACCEPTED):
            if self._early and self._early != [frame]:
                raise Malformed("a second message of its type")
            self._early = [frame]  # their people were quicker
            return []
        raise Malformed("a message out of turn")

    def _terms_came(self, message: Message) -> list[Output]:
        terms = self._terms
        if not isinstance(message, Signed) or terms is None:
            raise Bug("terms came where none were awaited")
        if message.line != terms.line:
            return self._ended(Reason.LINE)
        return self._countersigned(terms, message)

    def _countersigned(self, terms: Terms, signed: Signed) -> list[Output]:
        """Check the peer's signatures. Those of third parties are kept for the station, which has their cards."""
        peer = terms.party_of_root(self.setup.peer.root.ed25519_key)
        for each in signed.signatures:
            if each.party == peer:
                check_terms(terms.line, each, self.setup.peer.lane)
            elif each.party >= len(terms.parties):
                raise Malformed("a signature of no party")
            self._signatures.setdefault(each.party, each)
        if peer not in self._signatures:
            raise Forged("terms without their sender's signature")
        if self.stage is Stage.SIGNED:
            return []
        self.stage = Stage.SIGNED
        return [Countersigned(line=terms.line, signatures=self.signatures)]

    def _resumed(self, signed: Signed) -> list[Output]:
        """The peer's answer to our signatures; or its own beginning, if it had signed as well."""
        terms, held = self.setup.standing[self.setup.resumes]
        if signed.line == terms.line and signed.signatures:
            self._terms, self._signatures = terms, {each.party: each for each in held}
            return self._countersigned(terms, signed)
        if signed.signatures:  # another line: we shall hear of ours next
            return [Send(encode_message(Signed(line=signed.line, signatures=())))]
        if signed.line != terms.line:
            raise Malformed("an answer to nothing")
        self.stage = Stage.COMMITTED
        early, self._early = self._early, []
        outputs: list[Output] = [Dropped(terms.line), self._committing()]
        for frame in early:
            self._seen.clear()
            outputs += self._received(frame)
        return outputs

    def _asked(self, signed: Signed) -> list[Output]:
        """The peer holds terms signed by itself: give it our signatures, if we ever signed them."""
        if not signed.signatures:
            raise Malformed("an answer to nothing")
        if signed.line not in self.setup.standing:
            return [Send(encode_message(Signed(line=signed.line, signatures=())))]
        terms, held = self.setup.standing[signed.line]
        self._terms, self._signatures = terms, {each.party: each for each in held}
        answer = Send(encode_message(Signed(line=terms.line, signatures=held)))
        return [answer, *self._countersigned(terms, signed)]

    # --- ends --------------------------------------------------------------------------------------------------

    def _ordered(self, own: bytes, theirs: bytes) -> tuple[bytes, bytes]:
        return (own, theirs) if self.low else (theirs, own)

    def _ended(self, reason: Reason, members: tuple[str, ...] = (), theirs: Policy | None = None) -> list[Output]:
        self.stage = Stage.ENDED
        self._offer_seed = self._share = b""
        self._agreed = Agreed(key=b"", transcript=b"")
        return [
            Send(encode_message(Abort(reason))),
            Ended(reason=reason, by_peer=False, members=members, theirs=theirs),
        ]


def _subject(setup: Setup) -> tuple[tuple[bytes, ...], bytes, bytes]:
    """(members, policy bytes, line nonce) of one's own reveal."""
    match setup.subject:
        case NewLine() as new:
            return tuple(sorted(new.members)), encode(policy_value(new.policy)), new.nonce
        case NewSecret(line):
            return (), line, bytes(32)


def _policy(raw: bytes) -> Policy | None:
    try:
        return parse_policy(decode(raw))
    except Refused:
        return None
