"""The fold (spec 6): the same lanes give the same state, whatever came first."""

from dataclasses import dataclass, field
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openline.kernel.codec import Value, encode
from openline.kernel.errors import Bug, Malformed, Unknown
from openline.kernel.lane import GENERATION_ZERO, Generation, Lane
from openline.kernel.terms import Policy
from openline.kernel.units import MAX_ITEMS, Instant
from openline.protocol import entries as k
from openline.protocol.entries import AnyEntry, Precedence, Role, Step, fits, kind_of, lane_of
from openline.protocol.facts import Adopted, Came, Mark, Marked, Standing, Superseded, Voided, standing_of
from openline.protocol.fields import Ref
from openline.protocol.snapshots import restore, snapshot
from openline.protocol.transcript import ATTACHMENT_HELD, ATTACHMENT_REFUSED, FOLD_VERSION, Fold
from tests.spec.call_samples import about_calls

LINE = bytes(range(32))
POLICY = Policy(title="first")
LATER = Generation(1, b"\x00\x01\x02\x03\x04\x05\x06\xff")
OFFICER = Role.WATCH_OFFICER


@dataclass
class World:
    """Lanes written by hand: `write` returns the reference to what was written."""

    parties: int = 2
    lanes: dict[tuple[int, Generation], list[tuple[bytes, int, AnyEntry | None]]] = field(default_factory=dict)

    def write(self, party: int, entry: AnyEntry | None, generation: Generation = GENERATION_ZERO, kind: int = 0) -> Ref:
        number = 2 * party if entry is not None and lane_of(entry) else 2 * party + 1
        lane = self.lanes.setdefault((number, generation), [])
        leaf = sha256(b"%d %s %d" % (number, str(generation).encode(), len(lane))).digest()
        lane.append((leaf, kind_of(entry) if entry is not None else kind, entry))
        return Ref(lane=number, generation=generation, index=len(lane) - 1, leaf=leaf)

    def fold(self, order: list[int] | None = None) -> Fold:
        """Fold all lanes; `order` draws which lane goes next, by its place among those unfinished."""
        fold = Fold(LINE, self.parties, POLICY)
        at = dict.fromkeys(sorted(self.lanes), 0)
        draws = list(order or [])
        while left := [key for key in at if at[key] < len(self.lanes[key])]:
            key = left[draws.pop() % len(left)] if draws else left[0]
            leaf, kind, entry = self.lanes[key][at[key]]
            fold.apply(Lane(LINE, *key), at[key], leaf, kind, 1_000 + at[key], entry)
            at[key] += 1
        return fold


def message(precedence: Precedence = Precedence.ROUTINE, **more: object) -> k.Message:
    return k.Message(precedence=precedence, language="en", text="x", **more)  # type: ignore[arg-type]


def receipt(ref: Ref, step: Step = Step.READ) -> k.Receipt:
    return k.Receipt(of=ref, step=step, role=OFFICER, sign="K7", at=Instant(5))


def interim(ref: Ref, until: int) -> k.Interim:
    return k.Interim(of=ref, until=Instant(until), role=OFFICER, sign="K7")


def decline(ref: Ref) -> k.Decline:
    return k.Decline(of=ref, reason="no", role=OFFICER, sign="K7")


def proposal(title: str, replaces: bytes = LINE) -> k.Propose:
    return k.Propose(replaces=replaces, policy=Policy(title=title))


def watch(*, attended: bool, sign: str = "K7") -> k.Watch:
    return k.Watch(attended=attended, role=OFFICER, sign=sign)


def marks(fold: Fold, ref: Ref, party: int) -> Mark:
    status = fold.status(ref.lane, ref.generation, ref.index)
    return next(found.marks for found in status.parties if found.party == party)


def void(fold: Fold) -> int:
    return sum(ledger.void for ledger in fold.ledgers())


# --- messages ---


def test_6_19_each_step_is_marked_for_the_party_that_took_it() -> None:
    world = World(3)
    ref = world.write(0, message())
    world.write(1, receipt(ref, Step.PRESENTED))
    world.write(2, receipt(ref, Step.RELAYED))
    fold = world.fold()
    assert marks(fold, ref, 1) is Mark.PRESENTED
    assert marks(fold, ref, 2) is Mark.RELAYED


@pytest.mark.parametrize("form", ["own receipt", "own answer", "wrong leaf", "not a message", "other's supersede"])
def test_6_2_what_may_not_be_said_is_void_and_changes_nothing(form: str) -> None:
    world = World()
    ref = world.write(0, message())
    watched = world.write(0, watch(attended=True))
    wrong = Ref(lane=ref.lane, generation=ref.generation, index=ref.index, leaf=bytes(32))
    party, entry = {
        "own receipt": (0, receipt(ref)),
        "own answer": (0, message(answers=ref)),
        "wrong leaf": (1, receipt(wrong)),
        "not a message": (1, receipt(watched)),
        "other's supersede": (1, message(supersedes=ref)),
    }[form]
    before = world.fold().status(ref.lane, ref.generation, ref.index)
    world.write(party, entry)  # type: ignore[arg-type]
    after = world.fold()
    assert void(after) == 1
    assert after.status(ref.lane, ref.generation, ref.index) == before


def test_6_17_superseding_stops_the_clock_and_a_void_reference_leaves_the_message() -> None:
    world = World()
    first = world.write(0, message(answer_by=Instant(99)))
    assert len(list(world.fold().open_messages())) == 1
    second = world.write(0, message(Precedence.FLASH, supersedes=first))
    fold = world.fold()
    assert not list(fold.open_messages())
    assert fold.status(0, GENERATION_ZERO, 0).superseded is False
    assert fold.status(1, GENERATION_ZERO, 0).superseded is True
    assert second.lane == 0


def test_6_20_the_last_interim_stands_until_the_answer() -> None:
    world = World()
    ref = world.write(0, message(answer_by=Instant(99)))
    world.write(1, interim(ref, 200))
    world.write(1, interim(ref, 150))
    assert world.fold().status(1, GENERATION_ZERO, 0).parties[0].until == 150
    world.write(1, message(answers=ref))
    fold = world.fold()
    assert fold.status(1, GENERATION_ZERO, 0).parties[0].until is None
    assert fold.status(1, GENERATION_ZERO, 0).answer_by is None
    assert standing_of(marks(fold, ref, 1), held=True) is Standing.ANSWERED


def test_6_20_a_decline_ends_the_clock_of_its_party_alone() -> None:
    world = World(3)
    ref = world.write(0, message(answer_by=Instant(99)))
    world.write(1, decline(ref))
    assert [status.answer_by for status in world.fold().open_messages()] == [99]
    world.write(2, message(answers=ref))
    assert not list(world.fold().open_messages())


def test_6_21_the_furthest_standing_is_shown() -> None:
    assert standing_of(Mark.NONE, held=False) is Standing.SENT
    assert standing_of(Mark.NONE, held=True) is Standing.HELD
    assert standing_of(Mark.PRESENTED | Mark.READ, held=True) is Standing.READ
    assert standing_of(Mark.READ | Mark.INTERIM, held=True) is Standing.CONSIDERING
    assert standing_of(Mark.INTERIM | Mark.DECLINED, held=True) is Standing.DECLINED
    assert standing_of(Mark(63), held=True) is Standing.ANSWERED


def test_6_22_attachments_are_held_or_refused_by_each_party() -> None:
    world = World(3)
    made = k.Attachment(name="map.png", media_type="image/png", size=9, digest=bytes(32), chunk=256)
    ref = world.write(0, made)
    world.write(1, k.AttachmentReceipt(of=ref, state=k.AttachmentState.HELD))
    world.write(2, k.AttachmentReceipt(of=ref, state=k.AttachmentState.REFUSED))
    assert world.fold().attachment(1, GENERATION_ZERO, 0) == bytes((0, ATTACHMENT_HELD, ATTACHMENT_REFUSED))


def test_6_23_a_receipt_may_come_before_its_message() -> None:
    world = World()
    ref = world.write(0, message())
    fold = Fold(LINE, 2, POLICY)
    assert fold.apply(Lane(LINE, 2, GENERATION_ZERO), 0, bytes(32), 17, 5, receipt(ref)) == []
    assert fold.waiting() == 1
    facts = fold.apply(Lane(LINE, 1, GENERATION_ZERO), 0, ref.leaf, 16, 6, message())
    assert [type(fact) for fact in facts] == [Came, Marked]
    assert fold.waiting() == 0


def test_6_80_serials_count_messages_and_refused_ones_keep_theirs() -> None:
    world = World()
    world.write(0, proposal("a"))
    world.write(0, message())
    world.write(0, None, kind=16)
    world.write(0, message())
    fold = world.fold()
    assert fold.find(0, 1, urgent=False)[0].place.index == 1
    assert fold.find(0, 2, urgent=False) == []
    assert fold.find(0, 3, urgent=False)[0].place.index == 3
    assert fold.find(0, 4, urgent=False) == fold.find(0, 0, urgent=False) == fold.find(0, 1, urgent=True) == []
    with pytest.raises(Unknown):
        fold.status(1, GENERATION_ZERO, 2)


# --- last words ---


def test_6_11_the_last_of_suspend_and_lift_decides() -> None:
    world = World()
    world.write(0, k.Suspend(reason="works", role=OFFICER, sign="K7"))
    assert world.fold().suspension(0) is not None
    world.write(0, k.Lift(reason="", role=OFFICER, sign="K7"))
    assert world.fold().suspension(0) is None


def test_6_14_the_last_watch_counts_by_generation_then_index() -> None:
    world = World()
    assert world.fold().watch(0) is None
    world.write(0, watch(attended=True, sign="NEW"), LATER)
    world.write(0, watch(attended=False, sign="OLD"))
    world.write(0, watch(attended=False, sign="OLD2"))
    for order in ([0], [1, 1, 1]):
        found = world.fold(order).watch(0)
        assert found is not None
        assert isinstance(found.entry, k.Watch)
        assert found.entry.sign == "NEW"


def test_6_13_an_epoch_with_oneself_or_a_stranger_is_void() -> None:
    world = World()
    for peer in (0, 2):
        world.write(0, k.EpochEntry(peer=peer, attempt=1, mode=k.Mode.FIRST, handshake=bytes(32)))
    world.write(0, k.EpochEntry(peer=1, attempt=2, mode=k.Mode.FIRST, handshake=bytes(32)))
    fold = world.fold()
    assert void(fold) == 2
    assert fold.epoch(0, 1) is not None


def test_6_9_unknown_kinds_are_counted_and_change_nothing_else() -> None:
    world = World()
    world.write(0, k.Unknown(kind=999, raw=b"?"))
    fold = world.fold()
    assert fold.lanes[0, GENERATION_ZERO].kinds == {999: 1}
    assert void(fold) == 0


# --- the policy ---


def test_6_43_a_policy_is_in_force_when_all_have_voted_for_it() -> None:
    world = World(3)
    ref = world.write(0, proposal("second"))
    world.write(1, k.Assent(ref))
    assert world.fold().policy == POLICY
    world.write(2, k.Assent(ref))
    fold = world.fold()
    assert (fold.policy.title, fold.amendments.in_force) == ("second", ref.leaf)
    assert fold.amendments.votes() == (None, None, None)


def test_6_41_a_vote_for_a_proposal_that_replaces_other_terms_does_not_count() -> None:
    world = World()
    ref = world.write(0, proposal("second", bytes(32)))
    world.write(1, k.Assent(ref))
    assert world.fold().policy == POLICY


def test_6_40_a_chain_of_amendments_is_followed_from_the_line_id() -> None:
    world = World()
    first = world.write(0, proposal("second"))
    world.write(1, k.Assent(first))
    second = world.write(1, proposal("third", first.leaf))
    world.write(0, k.Assent(second))
    for order in ([0], [1] * 9):
        assert world.fold(order).policy.title == "third"


def test_6_42_votes_only_climb() -> None:
    world = World()
    high = world.write(0, proposal("high"))  # lane 1
    low = world.write(1, proposal("low"))  # lane 3 ranks below
    world.write(0, k.Assent(low))  # after its own higher vote: does not count
    fold = world.fold()
    assert fold.policy == POLICY
    assert fold.amendments.votes() == (high, low)
    world.write(1, k.Assent(high))
    assert world.fold().policy.title == "high"


def test_6_43_of_two_adopted_the_lower_stands_and_later_votes_do_not_undo_it() -> None:
    world = World()
    low = world.write(1, proposal("low"))
    world.write(0, k.Assent(low))
    assert world.fold().policy.title == "low"
    high = world.write(0, proposal("high"))
    world.write(1, k.Assent(high))
    assert world.fold().policy.title == "low"


def test_6_44_of_crossing_proposals_that_of_the_lowest_lane_stands() -> None:
    world = World()
    high = world.write(0, proposal("of the lower lane"))
    low = world.write(1, proposal("of the higher lane"))
    assert world.fold().policy == POLICY
    crossed = world_with(world, 0, k.Assent(low))
    assert crossed.fold().policy == POLICY  # it had voted for its own, which ranks above
    agreed = world_with(world, 1, k.Assent(high))
    assert agreed.fold().policy.title == "of the lower lane"
    again = world_with(world_with(world, 0, proposal("of the higher lane")), 1)
    ref = Ref(lane=1, generation=GENERATION_ZERO, index=1, leaf=again.lanes[1, GENERATION_ZERO][1][0])
    again.write(1, k.Assent(ref))
    assert again.fold().policy.title == "of the higher lane"  # who ranks above proposes the other's text itself


def world_with(world: World, party: int, *more: AnyEntry) -> World:
    """A copy of a world in which a party writes more."""
    copy = World(world.parties, {key: list(lane) for key, lane in world.lanes.items()})
    for entry in more:
        copy.write(party, entry)
    return copy


def test_6_43_votes_after_one_for_what_is_not_held_wait_with_it() -> None:
    world = World(3)
    hidden = world.write(1, proposal("hidden"))
    low = world.write(2, proposal("low"))
    world.write(0, k.Assent(hidden))
    world.write(0, k.Assent(low))
    world.write(1, k.Assent(low))
    fold = Fold(LINE, 3, POLICY)
    for key in [(1, GENERATION_ZERO), (5, GENERATION_ZERO)]:
        for index, (leaf, kind, entry) in enumerate(world.lanes[key]):
            fold.apply(Lane(LINE, *key), index, leaf, kind, 0, entry)
    assert fold.amendments.votes() == (None, None, low)
    assert world.fold().policy == POLICY  # party 1 and party 0 both voted higher first


def test_6_43_an_assent_to_something_else_is_void() -> None:
    world = World()
    ref = world.write(0, message())
    world.write(1, k.Assent(ref))
    world.write(1, k.Assent(Ref(lane=31, generation=GENERATION_ZERO, index=9, leaf=bytes(32))))
    for order in ([0], [1] * 9):
        assert void(world.fold(order)) == 2


def test_6_43_votes_count_as_soon_as_what_held_them_up_turns_out_void() -> None:
    world = World()
    other = world.write(1, message())
    ref = world.write(1, proposal("second"))
    world.write(0, k.Assent(other))
    world.write(0, k.Assent(Ref(lane=3, generation=GENERATION_ZERO, index=2, leaf=bytes(32))))
    world.write(0, k.Assent(ref))
    fold = world.fold()
    assert fold.policy == POLICY
    assert fold.apply(Lane(LINE, 3, GENERATION_ZERO), 2, b"a" * 32, 3, 0, k.Ack())[-1] == Adopted(ref.leaf)


def test_6_43_a_recovered_vote_takes_its_place() -> None:
    """Lanes 1 and 3; the tail of party 0's first generation comes back after its second has voted."""
    world = World()
    low = world.write(1, proposal("low"))
    world.write(0, k.Assent(low), LATER)
    assert world.fold().policy.title == "low"
    world.write(0, proposal("high"))  # in generation zero: before the vote above
    for order in ([0], [2] * 9, [1] * 9):
        fold = world.fold(order)
        assert fold.policy == POLICY
        assert fold.amendments.votes() == (Ref(lane=1, generation=GENERATION_ZERO, index=0, leaf=leaf_of(world)), low)


def leaf_of(world: World) -> bytes:
    return world.lanes[1, GENERATION_ZERO][0][0]


def test_6_42_the_first_of_two_votes_for_one_proposal_counts_even_if_it_comes_back_later() -> None:
    world = World(3)
    low = world.write(2, proposal("low"))
    world.write(1, k.Assent(low))
    high = world.write(1, proposal("high"))
    world.write(0, k.Assent(high), LATER)
    world.write(0, k.Assent(low), LATER)  # does not climb
    for order in ([0], [9] * 9):
        assert world.fold(order).policy == POLICY
    world.write(0, k.Assent(low))  # in generation zero: it does
    for order in ([0], [9] * 9, [1] * 9, [2, 2, 0, 0]):
        assert world.fold(order).policy.title == "low"


def test_6_20_an_interim_of_an_older_generation_does_not_replace_a_newer_one() -> None:
    world = World()
    ref = world.write(0, message())
    world.write(1, interim(ref, 200), LATER)
    world.write(1, interim(ref, 900))
    for order in ([0], [1] * 9, [2] * 9):
        assert world.fold(order).status(1, GENERATION_ZERO, 0).parties[0].until == 200


def test_6_20_an_interim_beside_a_decline_does_not_stand() -> None:
    world = World()
    ref = world.write(0, message())
    world.write(1, decline(ref))
    world.write(1, interim(ref, 900), LATER)
    for order in ([0], [1] * 9, [2] * 9):
        assert world.fold(order).status(1, GENERATION_ZERO, 0).parties[0].until is None


# --- the state ---

REFS = st.tuples(st.integers(0, 5), st.sampled_from([GENERATION_ZERO, LATER]), st.integers(0, 6))


def ref_of(place: tuple[int, Generation, int]) -> Ref:
    number, generation, index = place
    leaf = sha256(b"%d %s %d" % (number, str(generation).encode(), index)).digest()
    return Ref(lane=number, generation=generation, index=index, leaf=leaf)


def entries(places: st.SearchStrategy[tuple[int, Generation, int]]) -> st.SearchStrategy[AnyEntry | None]:
    refs = places.map(ref_of)
    some = st.none() | refs
    moments = st.integers(0, 50).map(Instant)
    return st.one_of(
        st.none(),
        st.just(k.Ack()),
        st.just(k.Unknown(kind=77, raw=b"")),
        st.builds(message, st.sampled_from(Precedence), answer_by=st.none() | moments, answers=some, supersedes=some),
        st.builds(receipt, refs, st.sampled_from(Step)),
        st.builds(interim, refs, st.integers(0, 50)),
        st.builds(decline, refs),
        st.builds(watch, attended=st.booleans()),
        st.builds(k.Suspend, reason=st.just("r"), role=st.just(OFFICER), sign=st.just("K7")),
        st.builds(k.Lift, reason=st.just("r"), role=st.just(OFFICER), sign=st.just("K7")),
        st.builds(proposal, st.sampled_from("abc"), st.just(LINE) | refs.map(lambda ref: ref.leaf)),
        st.builds(k.Assent, refs),
        st.builds(
            k.Attachment, name=st.just("a"), media_type=st.just("a/b"), size=st.just(1), digest=st.just(bytes(32)),
            chunk=st.just(256),
        ),
        st.builds(k.AttachmentReceipt, of=refs, state=st.sampled_from(k.AttachmentState)),
        st.builds(
            k.EpochEntry, peer=st.integers(0, 4), attempt=st.just(1), mode=st.just(k.Mode.FIRST),
            handshake=st.just(bytes(32)),
        ),
        st.builds(k.Test, text=st.just(""), language=st.just("en"), drill=st.booleans(), number=st.just(1)),
        st.builds(
            k.KeyNotice, role=st.just(k.KeyRole.PSK), stolen=st.booleans(), key=st.sampled_from([bytes(32), b"1" * 32]),
            peer=st.integers(0, 4),
        ),
        st.builds(k.KeyNotice, role=st.sampled_from(list(k.KeyRole)[:4]), stolen=st.booleans(), key=st.just(bytes(32))),
        st.builds(k.GenerationEntry, heads=st.just(()), cause=st.sampled_from(k.Cause), statement=st.just(b"")),
        about_calls(refs),
    )  # fmt: skip


WRITINGS = st.lists(st.tuples(st.integers(0, 2), entries(REFS), st.booleans()), max_size=40)
PROPOSING = st.tuples(st.sampled_from([1, 3, 5]), st.sampled_from([GENERATION_ZERO, LATER]), st.integers(0, 2))
VOTES = st.one_of(
    st.builds(k.Assent, PROPOSING.map(ref_of)),
    st.builds(k.Assent, PROPOSING.map(ref_of)),
    st.builds(proposal, st.sampled_from("abc"), st.just(LINE) | PROPOSING.map(lambda place: ref_of(place).leaf)),
)
BALLOT: list[tuple[int, AnyEntry | None, bool]] = [(party, proposal("a"), False) for party in range(3)]
"""A proposal of each party, so that most votes find one."""
VOTINGS = st.lists(st.tuples(st.integers(0, 2), VOTES, st.booleans()), max_size=30).map(lambda more: BALLOT + more)
STEADY = st.lists(st.tuples(st.integers(0, 2), VOTES, st.just(False)), max_size=30).map(lambda more: BALLOT + more)
ORDERS = st.lists(st.integers(0, 11), max_size=60)


def world_of(writings: list[tuple[int, AnyEntry | None, bool]]) -> World:
    world = World(3)
    for party, entry, later in writings:
        world.write(party, entry, LATER if later else GENERATION_ZERO, kind=16)
    return world


@given(WRITINGS | VOTINGS, ORDERS, ORDERS)
@settings(max_examples=400, deadline=None)
def test_6_60_the_same_lanes_give_the_same_state_in_any_interleaving(
    writings: list[tuple[int, AnyEntry | None, bool]], one: list[int], other: list[int]
) -> None:
    world = world_of(writings)
    left, right = world.fold(one), world.fold(other)
    assert left.digest() == right.digest()
    assert left.policy == right.policy
    assert left.waiting() == right.waiting()
    assert [left.watch(p) for p in range(3)] == [right.watch(p) for p in range(3)]


@given(STEADY, ORDERS)
@settings(max_examples=300, deadline=None)
def test_6_43_what_is_adopted_stays_adopted(
    writings: list[tuple[int, AnyEntry | None, bool]], order: list[int]
) -> None:
    """Within one generation of each party: at every later head the terms in force are the same or amend them."""
    world = world_of(writings)
    fold = Fold(LINE, 3, POLICY)
    at = dict.fromkeys(sorted(world.lanes), 0)
    seen = [LINE]
    draws = list(order)
    while left := [key for key in at if at[key] < len(world.lanes[key])]:
        key = left[draws.pop() % len(left)] if draws else left[0]
        leaf, kind, entry = world.lanes[key][at[key]]
        facts = fold.apply(Lane(LINE, *key), at[key], leaf, kind, 0, entry)
        at[key] += 1
        adopted = [fact.proposal for fact in facts if isinstance(fact, Adopted)]
        assert not set(adopted) & set(seen)
        seen += adopted
        if adopted:
            chain, terms = [], fold.amendments.in_force
            by_leaf = {found.ref.leaf: found.replaces for found in fold.amendments.kept()[0]}
            while terms != LINE:
                chain.append(terms)
                terms = by_leaf[terms]
            assert set(seen) <= {LINE, *chain}


@given(WRITINGS | VOTINGS, ORDERS, st.integers(0, 40))
@settings(max_examples=200, deadline=None)
def test_6_63_a_snapshot_continues_as_the_fold_would(
    writings: list[tuple[int, AnyEntry | None, bool]], order: list[int], cut: int
) -> None:
    world = world_of(writings)
    fold = Fold(LINE, 3, POLICY)
    at = dict.fromkeys(sorted(world.lanes), 0)
    draws = list(order)
    while left := [key for key in at if at[key] < len(world.lanes[key])]:
        if sum(at.values()) == cut:
            saved = restore(snapshot(fold), LINE, 3, POLICY)
            assert saved.digest() == fold.digest()
            assert saved.waiting() == fold.waiting()
            fold = saved
        key = left[draws.pop() % len(left)] if draws else left[0]
        leaf, kind, entry = world.lanes[key][at[key]]
        fold.apply(Lane(LINE, *key), at[key], leaf, kind, 1_000 + at[key], entry)
        at[key] += 1
    assert fold.digest() == world.fold().digest()


def test_6_63_a_damaged_or_foreign_snapshot_is_refused() -> None:
    world = World()
    world.write(0, message(answer_by=Instant(9)))
    data = snapshot(world.fold())
    for length in range(len(data)):
        with pytest.raises(Malformed):
            restore(data[:length], LINE, 2, POLICY)
    with pytest.raises(Malformed):
        restore(data, bytes(32), 2, POLICY)


def test_6_63_a_lane_of_thousands_of_unknown_kinds_leaves_a_state_that_is_read_again() -> None:
    """Else one member makes the station of another fold its whole transcript at each start."""
    world = World()
    for kind in range(1_000, 1_000 + MAX_ITEMS):
        world.write(1, k.Unknown(kind=kind, raw=b""))
    fold = world.fold()
    assert max(len(ledger.kinds) for ledger in fold.ledgers()) >= MAX_ITEMS
    assert restore(snapshot(fold), LINE, 2, POLICY).digest() == fold.digest()


def test_16_8_a_state_saved_by_another_version_of_the_fold_is_not_read() -> None:
    world = World()
    world.write(0, message(answer_by=Instant(9)))
    data = snapshot(world.fold())
    head = encode([FOLD_VERSION, LINE])[1:]
    assert data.count(head) == 1
    other = data.replace(head, encode([FOLD_VERSION + 1, LINE])[1:])
    assert restore(data, LINE, 2, POLICY).digest() == world.fold().digest()
    with pytest.raises(Malformed):
        restore(other, LINE, 2, POLICY)


def test_6_60_an_entry_out_of_the_order_of_its_lane_is_our_own_bug() -> None:
    fold = Fold(LINE, 2, POLICY)
    with pytest.raises(Bug):
        fold.apply(Lane(LINE, 0, GENERATION_ZERO), 1, bytes(32), 3, 0, k.Ack())


def test_6_70_the_digest_is_of_these_members_and_no_others() -> None:
    """Written out by hand: what is in force and the votes (6.71), last words (6.72), lanes with their marks (6.73)."""
    world = World()
    first = world.write(0, message(Precedence.PRIORITY, answer_by=Instant(99)))
    world.write(0, None, kind=16)
    world.write(1, interim(first, 70), LATER)
    world.write(1, receipt(first), LATER)
    world.write(1, receipt(Ref(lane=1, generation=GENERATION_ZERO, index=1, leaf=bytes(32))), LATER)
    attached = k.Attachment(name="a", media_type="a/b", size=1, digest=bytes(32), chunk=256)
    ref = world.write(1, attached)
    world.write(0, k.AttachmentReceipt(of=ref, state=k.AttachmentState.HELD))
    vote = world.write(1, proposal("second"))
    world.write(0, watch(attended=True))
    no, empty = bytes(8), [b"", b"", [], []]
    lanes: list[Value] = [
        [[0, 0, no, 2, 0, 0, {10: 1, 21: 1}], empty, [b"", b""]],
        [
            [1, 0, no, 2, 1, 0, {16: 1}],
            [bytes(15) + b"\x01", bytes((4 * 2 + 16, 2 + 8, 2, 0)), [[0, 99]], [[0, 1, 70]]],
            [b"", b""],
        ],
        [[2, 1, LATER.nonce, 3, 0, 1, {17: 2, 18: 1}], empty, [b"", b""]],
        [[3, 0, no, 2, 0, 0, {4: 1, 20: 1}], empty, [bytes(8), b"\x01\x00"]],
    ]
    state: list[Value] = [LINE, LINE, [None, vote.leaf], [[10, 0, -1, 0, no, 1]], lanes]
    assert world.fold().digest() == sha256(b"openline/1 state\n" + encode(state)).digest()


def test_6_72_words_about_keys_stand_by_role_and_peer_and_thefts_by_name_too() -> None:
    world = World(3)
    five, nine = b"\5" * 32, b"\x09" * 32
    for stolen, key, peer in ((True, five, 2), (True, nine, 2), (False, nine, 2), (True, five, 1)):
        world.write(0, k.KeyNotice(role=k.KeyRole.PSK, stolen=stolen, key=key, peer=peer))
    world.write(0, k.KeyNotice(role=k.KeyRole.DATA, stolen=True, key=bytes(32)))
    world.write(0, k.GenerationEntry(heads=(), cause=k.Cause.COMPROMISED, statement=b""))
    places = {(kind, peer): last.index for (kind, _, peer), last in world.fold().last_words.items()}
    thefts = {(12, 4 + 2 + 16 * 6): 0, (12, 4 + 2 + 16 * 10): 1, (12, 4 + 1 + 16 * 6): 3}
    assert places == {(12, 4 + 2): 2, **thefts, (12, 3): 4, (2, -1): 5}


def test_6_61_times_that_entries_claim_are_not_in_the_digest() -> None:
    """Nor is the order of arrival: 6.60 above."""
    world = World()
    first = world.write(0, message(answer_by=Instant(99)))
    world.write(1, receipt(first))
    world.write(0, None, kind=16)
    digests = set()
    for time in (0, 7_777, -5):
        fold = Fold(LINE, 2, POLICY)
        for (number, generation), lane in sorted(world.lanes.items()):
            for index, (leaf, kind, entry) in enumerate(lane):
                fold.apply(Lane(LINE, number, generation), index, leaf, kind, time * (index + 1), entry)
        digests.add(fold.digest())
    assert digests == {world.fold().digest()}


def test_6_61_refused_entries_enter_as_numbers() -> None:
    """Of what was refused, only how many and, of messages, where: two refused entries of other words are one state."""
    one, other, more = World(), World(), World()
    one.write(0, None, kind=11)
    other.write(0, None, kind=4)
    for _ in range(2):
        more.write(0, None, kind=11)
    assert one.fold().digest() == other.fold().digest() != more.fold().digest()


def test_6_74_void_counts_entries_and_references_and_no_vote_that_fails_to_climb() -> None:
    world = World()
    mine = world.write(0, message())
    nowhere = Ref(lane=1, generation=GENERATION_ZERO, index=0, leaf=bytes(32))
    world.write(1, receipt(nowhere))  # 6.2: refers to nothing
    world.write(1, message(answers=nowhere, supersedes=mine))  # 6.17: two references, and the message stands
    high = world.write(0, proposal("high"))
    low = world.write(1, proposal("low"))
    world.write(0, k.Assent(low))  # only fails to climb
    world.write(1, k.Assent(mine))  # names no proposal
    fold = world.fold()
    assert {(ledger.number, ledger.void) for ledger in fold.ledgers()} == {(1, 0), (2, 1), (3, 3)}
    assert fold.amendments.votes() == (high, low)


def test_6_74_what_waits_counts_when_what_it_names_is_held() -> None:
    world = World()
    ref = world.write(0, watch(attended=True))
    world.write(1, receipt(ref))
    fold = Fold(LINE, 2, POLICY)
    ((leaf, kind, entry),) = world.lanes[2, GENERATION_ZERO]
    fold.apply(Lane(LINE, 2, GENERATION_ZERO), 0, leaf, kind, 0, entry)
    assert void(fold) == 0
    ((leaf, kind, entry),) = world.lanes[0, GENERATION_ZERO]
    fold.apply(Lane(LINE, 0, GENERATION_ZERO), 0, leaf, kind, 0, entry)
    assert void(fold) == 1


def test_6_62_what_one_side_refused_shows_in_the_digest() -> None:
    held, refused = World(), World()
    held.write(0, message())
    refused.write(0, None, kind=16)
    assert held.fold().digest() != refused.fold().digest()


def test_6_5_entries_stand_where_their_kind_may() -> None:
    terms, flash, routine = k.TermsEntry(b"t"), message(Precedence.FLASH), message()
    generation = k.GenerationEntry(heads=(), cause=k.Cause.RESTORED)
    assert fits(terms, urgent=True, index=0, opening=True)
    assert fits(terms, urgent=False, index=0, opening=True)
    assert not fits(terms, urgent=True, index=1, opening=True)
    assert not fits(terms, urgent=True, index=0, opening=False)
    assert fits(generation, urgent=False, index=0, opening=False)
    assert not fits(routine, urgent=False, index=0, opening=True)
    assert fits(routine, urgent=False, index=1, opening=True)
    assert not fits(routine, urgent=True, index=1, opening=True)
    assert fits(flash, urgent=True, index=1, opening=False)
    assert not fits(flash, urgent=False, index=1, opening=False)
    assert fits(k.Unknown(kind=99, raw=b""), urgent=False, index=1, opening=True)
    assert not fits(k.Unknown(kind=99, raw=b""), urgent=False, index=0, opening=True)


def test_6_2_facts_say_what_became_true() -> None:
    fold = Fold(LINE, 2, POLICY)
    lane = Lane(LINE, 1, GENERATION_ZERO)
    (came,) = fold.apply(lane, 0, b"a" * 32, 16, 0, message())
    assert isinstance(came, Came)
    ref = Ref(lane=1, generation=GENERATION_ZERO, index=0, leaf=b"a" * 32)
    facts = fold.apply(lane, 1, b"b" * 32, 16, 0, message(supersedes=ref, answers=ref))
    assert [type(fact) for fact in facts] == [Came, Voided, Superseded]
