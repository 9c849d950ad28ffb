"""What parties say of their keys, read out of the fold: stolen pairing secrets, and entries no longer vouched for.

Spec: spec/06-entries.md (6.26), spec/10-epochs.md (10.22), spec/11-forks.md (11.12).
"""

from typing import TYPE_CHECKING

from openline.kernel.lane import GENERATION_ZERO, Generation
from openline.kernel.units import MAX_PARTIES
from openline.protocol.entries import GenerationEntry, KeyNotice, KeyRole, Kind

if TYPE_CHECKING:
    from openline.protocol.transcript import Fold


MOST_KEY_SLOT = int(KeyRole.PSK) + MAX_PARTIES * 257 - 1


def key_slot(notice: KeyNotice) -> int:
    """Which of a party's words about keys a later one replaces: that on the role, and the peer of a pairing secret.

    That a pairing secret is held for stolen stands beside what is said of the next one: 256 places for each peer.
    """
    slot = int(notice.role) + (notice.peer or 0)
    theft = notice.role is KeyRole.PSK and notice.stolen
    return slot + MAX_PARTIES * (1 + notice.key[0]) if theft else slot


def key_notices(fold: "Fold") -> list[tuple[int, KeyNotice]]:
    """(party, its last word about a key), one for each role and each peer of a pairing secret; and its words of theft."""
    return [
        (party, last.entry)
        for (_, party, _), last in sorted(fold.last_words.items(), key=lambda item: item[0])
        if isinstance(last.entry, KeyNotice)
    ]


def is_stolen(fold: "Fold", name: bytes) -> bool:
    """Whether either side holds the pairing secret of that name for stolen (spec 10.22)."""
    return any(notice.stolen and notice.key == name for _, notice in key_notices(fold))


def disputed(fold: "Fold", number: int, generation: Generation, index: int) -> bool:
    """Whether the party has since held the lane key of then for stolen, and does not vouch for that entry (spec 11.12)."""
    last = fold.last_words.get((Kind.GENERATION, number // 2, -1))
    if last is None or generation >= last.generation or not isinstance(last.entry, GenerationEntry):
        return False
    vouched = {(head.lane, head.generation): head.size for head in last.entry.heads}
    size = vouched.get((number, generation))
    if size is None:
        return generation > min((known for _, known in vouched), default=GENERATION_ZERO)
    return index >= size
