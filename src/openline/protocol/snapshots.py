"""A fold to bytes and back: a disposable cache, never the record.

A snapshot is pieces, each with its length in front: one for the fold as a
whole, then ledgers, last words, proposals, votes and what waits, as many as
that one says.

Spec: spec/06-entries.md, 6.63.
"""

from collections.abc import Iterator

from openline.kernel.codec import Fields, Value, decode, encode
from openline.kernel.errors import Malformed
from openline.kernel.lane import GENERATION_ZERO, Generation, read_generation
from openline.kernel.terms import Policy
from openline.kernel.units import MAX_BODY, MAX_INSTANT, MAX_PARTIES, MAX_SEQ, MIN_INSTANT
from openline.protocol.amendments import Proposal, Vote
from openline.protocol.bodies import decode_body, encode_body
from openline.protocol.effects import Effect
from openline.protocol.entries import kind_of
from openline.protocol.fields import MAX_KIND, decode_ref, encode_ref
from openline.protocol.ledgers import joined, restored, split
from openline.protocol.transcript import FOLD_VERSION, Fold, Latest
from openline.protocol.vouching import MOST_KEY_SLOT


def snapshot(fold: Fold) -> bytes:
    """The whole state, to be kept beside the sizes it covers."""
    proposals, votes = fold.amendments.kept()
    ledgers = fold.ledgers()
    waiting = [(place, effect) for place, effects in fold.unresolved.items() for effect in effects]
    counts = [len(ledgers), len(fold.last_words), len(proposals), len(votes), len(waiting)]
    pieces = [encode([FOLD_VERSION, fold.line, fold.parties, counts])]
    for ledger in ledgers:
        pieces += ledger.pieces()
    for (kind, party, peer), last in fold.last_words.items():
        place: list[Value] = [kind, party, peer, last.generation.counter, last.generation.nonce, last.index, last.time]
        pieces += [encode(place), encode(kind_of(last.entry)), encode_body(last.entry)]
    pieces += [encode([encode_ref(found.ref), found.replaces, found.policy]) for found in proposals]
    for voter, vote in votes:
        given: list[Value] = [voter, vote.generation.counter, vote.generation.nonce, vote.index, vote.waiting]
        pieces.append(encode([*given, encode_ref(vote.proposal)]))
    for (number, generation, index), e in waiting:
        named: list[Value] = [number, generation.counter, generation.nonce, index, e.form, e.lane]
        pieces.append(encode([*named, e.generation.counter, e.generation.nonce, e.seq, e.leaf, e.until]))
    return joined(pieces)


def restore(data: bytes, line: bytes, parties: int, policy: Policy) -> Fold:
    """The fold that gave this snapshot; `policy` is that of the terms body.

    Raises Malformed or TooLarge for anything but a snapshot of this line by
    this version: the caller then folds anew.
    """
    pieces = split(data)
    head = Fields(decode(next(pieces)))
    if (head.any(0), head.any(1), head.any(2)) != (FOLD_VERSION, line, parties):
        raise Malformed("a snapshot of another line or version")
    counts = [head.fields(3).uint(place, MAX_SEQ) for place in range(5)]
    fold = Fold(line, parties, policy)
    for _ in range(counts[0]):
        ledger = restored(pieces, parties)
        fold.lanes[ledger.number, ledger.generation] = ledger
    for _ in range(counts[1]):
        _last_word(fold, pieces)
    proposals = [_proposal(Fields(decode(next(pieces)))) for _ in range(counts[2])]
    votes = [_vote(Fields(decode(next(pieces))), parties) for _ in range(counts[3])]
    fold.amendments.restore(proposals, votes)
    for _ in range(counts[4]):
        _waiting(fold, Fields(decode(next(pieces))))
    return fold


def _generation(members: Fields, place: int) -> Generation:
    found = read_generation(members, place)
    return GENERATION_ZERO if found == GENERATION_ZERO else found  # one object for the common case: it is kept often


def _last_word(fold: Fold, pieces: Iterator[bytes]) -> None:
    members, kind = Fields(decode(next(pieces))), Fields([decode(next(pieces))]).uint(0, MAX_KIND)
    peer = members.any(2)
    if not isinstance(peer, int) or not -1 <= peer <= MOST_KEY_SLOT:
        raise Malformed("not a party, nor a role of a key")
    fold.last_words[members.uint(0, MAX_KIND), members.uint(1, MAX_PARTIES), peer] = Latest(
        generation=_generation(members, 3),
        index=members.uint(5, MAX_SEQ),
        time=members.instant(6),
        entry=decode_body(kind, next(pieces)),
    )


def _proposal(members: Fields) -> Proposal:
    return Proposal(
        ref=decode_ref(members.any(0)), replaces=members.bytes(1, exactly=32), policy=members.bytes(2, most=MAX_BODY)
    )


def _vote(members: Fields, parties: int) -> tuple[int, Vote]:
    vote = Vote(
        generation=_generation(members, 1),
        index=members.uint(3, MAX_SEQ),
        proposal=decode_ref(members.any(5)),
        waiting=members.bool(4),
    )
    return members.uint(0, parties - 1), vote


def _waiting(fold: Fold, members: Fields) -> None:
    until = members.any(10)
    if not isinstance(until, int) or not MIN_INSTANT <= until <= MAX_INSTANT:
        raise Malformed("not a moment")
    effect = Effect(
        form=members.uint(4, 255),
        lane=members.uint(5, 2 * MAX_PARTIES - 1),
        generation=_generation(members, 6),
        seq=members.uint(8, MAX_SEQ),
        leaf=members.bytes(9, most=32),
        until=until,
    )
    key = (members.uint(0, 2 * MAX_PARTIES - 1), _generation(members, 1), members.uint(3, MAX_SEQ))
    fold.unresolved.setdefault(key, []).append(effect)
