"""How lanes open: with the terms that all signed, or with what the generation before had; and their seeds. Spec 3, 4, 6."""

from dataclasses import replace

import pytest

from openline.kernel.errors import Refused
from openline.kernel.lane import Generation, Lane, leaf_of, leaf_secret
from openline.kernel.terms import Policy
from openline.protocol.entries import GenerationEntry, TermsEntry
from openline.protocol.frames import GenerationSeed, frame_value, read_frames
from tests.spec import parties
from tests.spec.line import Line, message


def test_3_18_both_lanes_of_every_party_begin_with_what_all_signed() -> None:
    line = Line(3)
    for host in line.hosts:
        first = [each for each in host.shown() if each.row.index == 0]
        assert {each.lane.number for each in first} == set(range(6))
        assert {each.entry.terms for each in first if isinstance(each.entry, TermsEntry)} == {line.terms.raw}
        assert all(isinstance(each.entry, TermsEntry) for each in first)


def test_6_24_entry_0_with_another_terms_body_is_refused_and_stops_nothing() -> None:
    """And so 3.18: whoever did not sign these terms cannot speak as if it had."""
    line = Line(opened=False)
    alpha, bravo = line.hosts
    book = bravo.engine.book
    book.terms = replace(book.terms, raw=parties.terms(policy=Policy(title="what the other did not sign")).raw)
    line.link_all()
    line.pass_time(5_000, step=250)
    assert len(bravo.noticed("refused-entry")) == 2
    assert not [each for each in bravo.shown() if each.lane.party == 0 and isinstance(each.entry, TermsEntry)]
    alpha.say(message("after it"))
    line.settle()
    assert bravo.texts() == ["after it"]


def test_6_25_a_generation_names_the_heads_of_the_one_before() -> None:
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("in generation zero"))
    line.settle()
    named: list[tuple[int, Generation, int, bytes]] = []
    for _ in range(2):
        before = [alpha.engine.book.own(urgent=urgent).head() for urgent in (True, False)]
        alpha.mark = None
        alpha.boot()
        line.link_all()
        line.settle()
        mine = alpha.engine.book.mine
        opening = [
            each
            for each in bravo.shown()
            if each.lane.party == 0 and each.lane.generation == mine and each.row.index == 0
        ]
        assert [each.lane.number for each in sorted(opening, key=lambda each: each.lane.number)] == [0, 1]
        assert len({each.row.entry.body for each in opening}) == 1
        entry = opening[0].entry
        assert isinstance(entry, GenerationEntry)
        named = [(head.lane, head.generation, head.size, head.root) for head in entry.heads]
        assert named == sorted(named)
        assert {(h.lane.number, h.lane.generation, h.size, h.root) for h in before} <= set(named)
    assert len(named) == 4  # both lanes of both generations before


def test_4_5_who_has_the_seed_opens_every_leaf_and_nobody_else() -> None:
    """A member gets it (8.3), computes each secret from it, and with that each leaf."""
    line = Line()
    alpha, bravo = line.hosts
    alpha.say(message("sealed in a leaf"))
    line.settle()
    mine = alpha.engine.book.mine
    seed = bravo.engine.book.named.get(0, mine).seed
    assert seed == alpha.engine.book.named.get(0, mine).seed
    assert len(seed) == 32
    opened = 0
    for low in (0, 1):
        lane = Lane(line.terms.line, low, mine)
        for row in bravo.store.entries(lane, 0, 100):
            known = replace(row.entry, secret=leaf_secret(seed, low, row.index))
            guessed = replace(row.entry, secret=leaf_secret(bytes(32), low, row.index))
            assert leaf_of(lane, row.index, known) == leaf_of(lane, row.index, row.entry)
            assert leaf_of(lane, row.index, guessed) != leaf_of(lane, row.index, row.entry)
            opened += 1
    assert opened >= 3


def told(seed: bytes) -> GenerationSeed:
    return GenerationSeed(party=0, generation=Generation(1, b"nonce 01"), seed=seed, statement=b"")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_4_5_a_seed_has_32_bytes(size: int) -> None:
    frame = frame_value(told(bytes(32)))
    assert read_frames(parties.LINE, [frame])[0]
    with pytest.raises(Refused):
        read_frames(parties.LINE, [frame_value(told(bytes(size)))])
