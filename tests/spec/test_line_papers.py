"""The papers of a line: what brings a lost station back, and nobody can change. Spec 15.27."""

import pytest

from openline.kernel.crypto import Signer
from openline.kernel.errors import Refused
from openline.kernel.lane import Generation, Head, Lane, SignedHead, sign_head
from openline.kernel.units import Instant
from openline.protocol.generations import MAX_COUNTERS
from openline.protocol.records import LineRecord, PutGeneration
from openline.station.line_papers import BEGIN, make_papers, read_papers
from tests.sim.memory_store import MemoryStore
from tests.spec import parties
from tests.spec.line import Line, message


def papers(line: Line) -> str:
    bravo = line.hosts[1]
    cards = tuple(card.raw for card in line.cards)
    record = LineRecord(line=line.terms.line, party=1, terms=line.terms.raw, cards=cards, label="TEST")
    newest = parties.card(line.hosts[0].name, made=Instant(1_750_000_000_000), certificate=b"another")
    return make_papers(record, bravo.store, [newest, line.cards[1]])


def spoken() -> Line:
    line = Line()
    line.hosts[0].say(message("before"))
    line.settle()
    line.hosts[0].rotate("second key")
    line.settle()
    return line


def test_15_27_papers_say_which_generation_is_above_all_that_were_signed() -> None:
    line = spoken()
    read = read_papers("a mail around it\n" + papers(line).replace("\n", "\r\n") + "\nregards")
    assert read.members.terms.line == line.terms.line
    assert read.above(0) == line.hosts[1].engine.book.generations(0)[-1].counter == 1
    assert read.above(1) == 0
    assert read.newest[0].certificate == b"another"
    assert [len(ring.keys) for ring in read.members.keyrings] == [2, 1]


def test_15_27_a_changed_byte_makes_them_refused() -> None:
    lines = papers(spoken()).splitlines()
    for place in range(1, len(lines) - 2, 7):
        changed = list(lines)
        first = changed[place][0]
        changed[place] = ("A" if first != "A" else "B") + changed[place][1:]
        with pytest.raises(Refused):
            read_papers("\n".join(changed))
    for text in ("", BEGIN, "\n".join(lines[:-1]), "\n".join([*lines, *lines])):
        with pytest.raises(Refused):
            read_papers(text)


class Lying(MemoryStore):
    """The store of somebody who carries papers and would rather have another head in them."""

    def __init__(self, line: bytes, thief: Signer) -> None:
        super().__init__(line)
        self._thief = thief

    def last_head(self, lane: Lane) -> SignedHead | None:
        """The true head, signed by the thief."""
        signed = super().last_head(lane)
        return signed and SignedHead(head=signed.head, ed25519=self._thief.ed25519(signed.head.text()))


def test_15_27_a_head_that_its_owner_did_not_sign_makes_them_refused() -> None:
    """Whoever carries the papers invents no generation: the counter stands under the party's own signature."""
    line = spoken()
    bravo = line.hosts[1]
    lying = Lying(line.terms.line, parties.signer("a thief"))
    lying.restore(bravo.store.backup())
    bravo.store = lying
    with pytest.raises(Refused):
        read_papers(papers(line))


class Carried(MemoryStore):
    """The store of a thief of the first lane key, who would rather have a counter in the papers that nothing is above."""

    counter = MAX_COUNTERS

    def generations(self) -> list[PutGeneration]:
        nobody = Generation(self.counter, b"\xff" * 8)
        return [PutGeneration(party=0, generation=nobody, seed=bytes(32)), *super().generations()]

    def size(self, lane: Lane) -> int:
        return 1 if lane.number == 0 else super().size(lane)

    def last_head(self, lane: Lane) -> SignedHead | None:
        if lane.number or not lane.generation.counter:
            return super().last_head(lane)
        return sign_head(parties.LANES[parties.TERMS.parties[0].name], Head(lane=lane, size=1, root=bytes(32)))


def test_4_19_papers_with_a_counter_that_no_key_may_reach_are_refused() -> None:
    line = Line()
    carried = Carried(line.terms.line)
    carried.restore(line.hosts[1].store.backup())
    line.hosts[1].store = carried
    assert read_papers(papers(line)).above(0) == MAX_COUNTERS
    for carried.counter in (MAX_COUNTERS + 1, 2**32 - 1):
        with pytest.raises(Refused):
            read_papers(papers(line))
