"""Cards as people pass them on: a file of text, and a fingerprint to compare.

A card file survives e-mail, paper and a USB stick. Its checksum tells a bad
copy from a forgery: a bad copy is asked for again, a forgery is reported.
Every refusal has its reason and one thing to do next.

A fingerprint is shown as digits, as words or as a QR code, and read in any of
these forms; 24 of its 32 bytes are enough.

Spec: spec/03-terms.md, 3.3, 3.4, 3.11, 3.12.
"""

import base64
import binascii
import enum
import io
import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Final

from openline.kernel.crypto import digest, same
from openline.kernel.errors import Forged, Malformed, Refused
from openline.kernel.keys import Card, read_card
from openline.kernel.units import Instant

BEGIN: Final = "-----BEGIN OPENLINE CARD-----"
END: Final = "-----END OPENLINE CARD-----"
MAX_CARD_TEXT: Final = 65_536
"""Characters read of a card file: a card of the largest members is 19 KB in base64, the rest is a covering letter."""
COMPARED: Final = 24
"""Bytes of a fingerprint that people compare (spec 3.4)."""

_WIDTH: Final = 64
_CHECKSUM: Final = 6
"""Bytes: a bad copy passes once in 2^48, and against a forger there are the signatures."""
_QR_PREFIX: Final = "openline:fp:"


class Flaw(enum.Enum):
    """Why a card is refused (spec 3.12)."""

    NOT_A_CARD = "not-a-card"
    CUT = "cut"
    DAMAGED = "damaged"
    TWO_CARDS = "two-cards"
    TAMPERED = "tampered"
    CHANGED = "changed"
    EXPIRED = "expired"
    OWN = "own"
    FOREIGN = "foreign"


_SAID: Final[dict[Flaw, tuple[str, str]]] = {
    Flaw.NOT_A_CARD: ("this is no Openline card", "ask the other station for the file that `openline card` writes"),
    Flaw.CUT: ("the card is cut short", "copy it whole, from its BEGIN line to its END line"),
    Flaw.DAMAGED: ("the card was damaged on its way", "copy it again; if that does not cure it, ask for a new copy"),
    Flaw.TWO_CARDS: ("the file holds more than one card", "keep one card a file"),
    Flaw.TAMPERED: (
        "the card was tampered with: a signature does not check",
        "do not pair; tell the other station over a channel you trust, and ask how the card reached you",
    ),
    Flaw.CHANGED: (
        "the card has other lane keys than the ones known for this station",
        "do not pair before its people have told you, in person or by voice, why its keys changed",
    ),
    Flaw.EXPIRED: ("the card has expired", "ask the other station for a new card, and check this station's clock"),
    Flaw.OWN: ("this is our own card", "give it to the other station, and enter the other station's card here"),
    Flaw.FOREIGN: ("the card is another station's than the one expected", "ask for the card of the station you mean"),
}


class CardRefused(Refused):
    """A card that is not accepted: `flaw` says why, `do` what to do next."""

    def __init__(self, flaw: Flaw) -> None:
        message, self.do = _SAID[flaw]
        super().__init__(message)
        self.flaw = flaw
        self.code = f"card-{flaw.value}"


# --- the file -------------------------------------------------------------------------------------------------


def armoured(card: Card) -> str:
    """The card as text (spec 3.11)."""
    coded = base64.b64encode(card.raw).decode()
    lines = [coded[at : at + _WIDTH] for at in range(0, len(coded), _WIDTH)]
    return "\n".join((BEGIN, *lines, _checksum(card.raw), END, ""))


def unarmoured(text: str) -> bytes:
    """The signed card in a text, whatever stands before and after it. Raises CardRefused for the form alone."""
    if len(text) > MAX_CARD_TEXT:
        raise CardRefused(Flaw.NOT_A_CARD)
    lines = [line.strip() for line in text.splitlines()]  # mail programs indent and pad
    begins, ends = ([at for at, line in enumerate(lines) if line == mark] for mark in (BEGIN, END))
    if not begins:
        raise CardRefused(Flaw.CUT if ends else Flaw.NOT_A_CARD)
    if len(begins) > 1 or len(ends) > 1:
        raise CardRefused(Flaw.TWO_CARDS)
    if not ends or ends[0] < begins[0]:
        raise CardRefused(Flaw.CUT)
    inside = [line for line in lines[begins[0] + 1 : ends[0]] if line]
    if not inside or not inside[-1].startswith("="):
        raise CardRefused(Flaw.CUT)
    try:
        raw = base64.b64decode("".join(inside[:-1]), validate=True)
    except (binascii.Error, ValueError):
        raise CardRefused(Flaw.DAMAGED) from None
    if _checksum(raw) != inside[-1]:
        raise CardRefused(Flaw.DAMAGED)
    return raw


def _checksum(raw: bytes) -> str:
    return "=" + base64.b64encode(digest(raw)[:_CHECKSUM]).decode()


def accept_card(
    text: str, *, own: Card, now: Instant, known: Iterable[Card] = (), expected: Iterable[bytes] = ()
) -> Card:
    """The other station's card, fit to pair with.

    `known` are cards this station holds already; `expected` the root Ed25519
    keys one of which it must have (none: any). Raises CardRefused (spec 3.12).
    """
    try:
        card = read_card(unarmoured(text))
    except Forged:
        raise CardRefused(Flaw.TAMPERED) from None
    except CardRefused:
        raise
    except Refused:  # the copy is good, so it was written like this
        raise CardRefused(Flaw.NOT_A_CARD) from None
    judge_card(card, own=own, now=now, known=known, expected=expected)
    return card


def judge_card(
    card: Card, *, own: Card, now: Instant, known: Iterable[Card] = (), expected: Iterable[bytes] = ()
) -> None:
    """Raise CardRefused unless a card whose signatures check is one to pair with now."""
    ours = {own.root.ed25519_key, own.lane.ed25519_key, own.root.mldsa_key, own.lane.mldsa_key, own.certificate}
    theirs = {card.root.ed25519_key, card.lane.ed25519_key, card.root.mldsa_key, card.lane.mldsa_key, card.certificate}
    if ours & theirs:
        raise CardRefused(Flaw.OWN)
    roots = tuple(expected)
    if roots and card.root.ed25519_key not in roots:
        raise CardRefused(Flaw.FOREIGN)
    for before in known:
        if before.root.ed25519_key == card.root.ed25519_key and _keys(before) != _keys(card):
            raise CardRefused(Flaw.CHANGED)
    if card.expires <= now:
        raise CardRefused(Flaw.EXPIRED)


def _keys(card: Card) -> tuple[bytes, ...]:
    return card.root.ed25519_key, card.root.mldsa_key, card.lane.ed25519_key, card.lane.mldsa_key


# --- the fingerprint ------------------------------------------------------------------------------------------


@cache
def word_list() -> tuple[str, ...]:
    """The 256 words, by byte; the file is the specification's own."""
    return tuple(resources.files("openline.station").joinpath("words.txt").read_text("ascii").split())


def as_digits(fingerprint: bytes) -> str:
    """Twelve groups of five digits."""
    pairs = (fingerprint[at : at + 2] for at in range(0, COMPARED, 2))
    return " ".join(f"{int.from_bytes(pair, 'big'):05d}" for pair in pairs)


def as_words(fingerprint: bytes) -> str:
    """Twenty-four words; two stand for the same bytes as one group of digits."""
    return " ".join(word_list()[byte] for byte in fingerprint[:COMPARED])


def as_link(fingerprint: bytes) -> str:
    """What the QR code says: all 32 bytes."""
    return _QR_PREFIX + fingerprint.hex()


def as_terminal_qr(fingerprint: bytes) -> str:
    """The QR code in block characters, for a screen with light text on a dark ground or the reverse."""
    import segno  # late: a station shows a card once in a year, and this stays in its memory

    drawn = io.StringIO()
    segno.make(as_link(fingerprint), error="m", micro=False).terminal(drawn, compact=True)
    return drawn.getvalue()


def as_svg_qr(fingerprint: bytes) -> str:
    """The QR code as an SVG document."""
    import segno

    drawn = io.BytesIO()
    segno.make(as_link(fingerprint), error="m", micro=False).save(drawn, kind="svg", scale=8, light="#fff")
    return drawn.getvalue().decode()


def read_fingerprint(text: str) -> bytes:
    """The bytes of a fingerprint in any form: 24 from digits or words, 32 from a QR code or hexadecimal.

    Raises Malformed.
    """
    plain = text.strip().lower()
    tight = re.sub(r"\s", "", plain.removeprefix(_QR_PREFIX))
    if re.fullmatch(r"[0-9a-f]{64}", tight, re.ASCII):
        return bytes.fromhex(tight)
    if re.fullmatch(r"[0-9]{60}", re.sub(r"[\s.,-]", "", plain), re.ASCII):
        return _from_digits(re.sub(r"[\s.,-]", "", plain))
    words = re.split(r"[\s,.]+", plain)
    if len(words) == COMPARED and set(words) <= set(word_list()):
        return bytes(word_list().index(word) for word in words)
    raise Malformed("a fingerprint is 12 groups of 5 digits, or 24 words, or the text of its QR code")


def _from_digits(digits: str) -> bytes:
    groups = [int(digits[at : at + 5]) for at in range(0, len(digits), 5)]
    if max(groups) > 0xFFFF:
        raise Malformed("a group of a fingerprint is at most 65535")
    return b"".join(group.to_bytes(2, "big") for group in groups)


def fits(entered: bytes, fingerprint: bytes) -> bool:
    """Whether what `read_fingerprint` read is this fingerprint, all of what was entered and at least 24 bytes."""
    return len(entered) >= COMPARED and same(entered, fingerprint[: len(entered)])
