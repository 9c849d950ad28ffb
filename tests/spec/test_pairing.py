"""Spec 15: pairing, as a conversation of two machines with anything in between."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openline.kernel.codec import decode, encode
from openline.kernel.crypto import Signer
from openline.kernel.errors import Bug, Foreign, Malformed
from openline.kernel.keys import Card
from openline.kernel.terms import Policy, Terms, make_terms
from openline.protocol.pairing import Pairing, Stage, two_party_terms
from openline.protocol.pairing_messages import (
    Abort,
    Commit,
    Kind,
    Reason,
    Reveal,
    Seal,
    Signed,
    check_terms,
    decode_message,
    encode_message,
    read_heard,
    sign_terms,
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
from tests.spec.parties import LANES, LINE, ROOTS, card, secret, signer

POLICY = Policy(title="Pairing")
CARDS = {name: card(name) for name in ("ALPHA", "BRAVO", "CHARLIE")}
Between = Callable[[str, int, bytes], list[bytes]]
"""(sender, number of its frame, frame) -> what arrives instead."""


def drawn(name: str) -> Callable[[int], bytes]:
    """Entropy by name: fresh at each call, the same in each run."""
    numbers = count()

    def entropy(size: int, /) -> bytes:
        return (secret(f"{name} {next(numbers)}") * 2)[:size]

    return entropy


def setup(
    own: str = "ALPHA",
    peer: str = "BRAVO",
    *,
    policy: Policy = POLICY,
    members: tuple[str, ...] = (),
    **changes: object,
) -> Setup:
    names = members or (own, peer)
    made = Setup(
        own=CARDS[own],
        peer=CARDS[peer],
        signer=LANES[own],
        subject=NewLine(
            members=tuple(CARDS[name].root.ed25519_key for name in names), policy=policy, nonce=secret(own + " nonce")
        ),
        standing={},
        resumes=b"",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


class Side:
    """A machine, and all it has said to its station."""

    def __init__(self, name: str, its: Setup) -> None:
        self.name, self.setup = name, its
        self.machine = Pairing(its, drawn(name))
        self.heard: list[Output] = []
        self.out: list[bytes] = []
        self.sent = 0

    def take(self, outputs: list[Output]) -> None:
        for each in outputs:
            self.heard.append(each)
            if isinstance(each, Send):
                self.out.append(each.frame)

    def said(self, kind: type) -> list[Output]:
        return [each for each in self.heard if isinstance(each, kind)]

    @property
    def stage(self) -> Stage:
        return self.machine.stage

    @property
    def ended(self) -> Ended | None:
        found = [each for each in self.heard if isinstance(each, Ended)]
        return found[0] if found else None

    @property
    def reads(self) -> str:
        return next(each.own for each in self.heard if isinstance(each, Compare))

    @property
    def accepted(self) -> Accepted:
        return next(each for each in self.heard if isinstance(each, Accepted))

    def sign(self) -> Terms:
        terms = two_party_terms(self.setup, self.accepted.peer_nonce)
        self.take(self.machine.sign(terms))
        return terms


def stages(*sides: Side) -> set[Stage]:
    return {side.stage for side in sides}


def honest(_sender: str, _number: int, frame: bytes) -> list[bytes]:
    return [frame]


def deliver(left: Side, right: Side, between: Between = honest) -> None:
    """Carry frames both ways until nobody has more to say."""
    while left.out or right.out:
        for sender, receiver in ((left, right), (right, left)):
            while sender.out:
                frames = between(sender.name, sender.sent, sender.out.pop(0))
                sender.sent += 1
                for frame in frames:
                    receiver.take(receiver.machine.receive(frame))


def pair(left: Setup | None = None, right: Setup | None = None, between: Between = honest) -> tuple[Side, Side]:
    """Two sides, run as far as they come without people."""
    a, b = Side("ALPHA", left or setup()), Side("BRAVO", right or setup("BRAVO", "ALPHA"))
    a.take(a.machine.start())
    b.take(b.machine.start())
    deliver(a, b, between)
    return a, b


def finish(a: Side, b: Side, between: Between = honest) -> None:
    """People of both accept by fingerprint, and sign."""
    for side in (a, b):
        if side.stage is Stage.COMPARING:
            side.take(side.machine.accept_fingerprint(side.setup.peer.fingerprint))
            side.sign()
    deliver(a, b, between)


# --- an honest run --------------------------------------------------------------------------------------------


def test_15_12_15_16_both_hold_one_secret_and_one_line() -> None:
    a, b = pair()
    finish(a, b)
    assert stages(a, b) == {Stage.SIGNED}
    assert a.accepted.psk == b.accepted.psk
    assert len(a.accepted.psk) == 32
    [left], [right] = a.said(Countersigned), b.said(Countersigned)
    assert left == right
    assert isinstance(left, Countersigned)
    terms = two_party_terms(a.setup, b"".join((secret("BRAVO nonce"),)))
    assert left.line == terms.line
    for each in left.signatures:
        check_terms(terms.line, each, LANES[terms.parties[each.party].name].public)


def test_15_8_15_9_15_17_each_floor_reads_its_own_half_and_enters_the_others() -> None:
    a, b = pair()
    assert a.reads != b.reads
    a.take(a.machine.accept_heard(b.reads))
    b.take(b.machine.accept_heard(b"-".join((a.reads[:4].encode(), a.reads[5:].encode())).decode()))
    assert a.accepted.psk == b.accepted.psk
    a.sign()
    b.sign()
    deliver(a, b)
    assert stages(a, b) == {Stage.SIGNED}


def test_15_9_both_ways_give_the_same() -> None:
    by_fingerprint, by_voice = pair(), pair()
    finish(*by_fingerprint)
    a, b = by_voice
    a.take(a.machine.accept_heard(b.reads))
    b.take(b.machine.accept_heard(a.reads))
    a.sign()
    b.sign()
    deliver(a, b)
    # The secret is fresh each time, by the encapsulation's own randomness; the line is not.
    assert a.accepted.psk == b.accepted.psk != by_fingerprint[0].accepted.psk
    [left], [right] = a.said(Countersigned), by_fingerprint[0].said(Countersigned)
    assert isinstance(left, Countersigned)
    assert isinstance(right, Countersigned)
    assert left.line == right.line


def test_15_7_low_is_the_lower_root_key_on_both_sides() -> None:
    a, b = pair()
    assert a.machine.low is not b.machine.low
    assert a.machine.low is (ROOTS["ALPHA"].public.ed25519_key < ROOTS["BRAVO"].public.ed25519_key)


def test_15_14_nothing_is_read_aloud_before_the_others_confirm_has_checked() -> None:
    def without_confirm(_sender: str, _number: int, frame: bytes) -> list[bytes]:
        return [] if frame[1:3] == encode(Kind.CONFIRM) else [frame]

    a, b = pair(between=without_confirm)
    assert not a.said(Compare)
    assert not b.said(Compare)
    assert stages(a, b) == {Stage.PROVED}


def test_15_16_the_quicker_floor_does_not_disturb_the_slower_one() -> None:
    a, b = pair()
    a.take(a.machine.accept_fingerprint(CARDS["BRAVO"].fingerprint))
    a.sign()
    deliver(a, b)  # b's people are still comparing
    assert stages(b) == {Stage.COMPARING}
    b.take(b.machine.accept_fingerprint(CARDS["ALPHA"].fingerprint[:24]))
    assert stages(b) == {Stage.ACCEPTED}
    b.sign()
    deliver(a, b)
    assert stages(a, b) == {Stage.SIGNED}


def test_15_16_terms_of_three_are_built_alike_by_all() -> None:
    names = ("ALPHA", "BRAVO", "CHARLIE")
    sides = {(own, peer): Side(own, setup(own, peer, members=names)) for own in names for peer in names if own != peer}
    for own, peer in (("ALPHA", "BRAVO"), ("ALPHA", "CHARLIE"), ("BRAVO", "CHARLIE")):
        a, b = sides[own, peer], sides[peer, own]
        a.take(a.machine.start())
        b.take(b.machine.start())
        deliver(a, b)
        a.take(a.machine.accept_heard(b.reads))
        b.take(b.machine.accept_heard(a.reads))
    lines = set()
    for own in names:
        parties = [CARDS[own].party(secret(own + " nonce"))]
        parties += [CARDS[peer].party(sides[own, peer].accepted.peer_nonce) for peer in names if peer != own]
        terms = make_terms(tuple(parties), POLICY)
        lines.add(terms.line)
        for peer in names:
            if peer != own:
                sides[own, peer].take(sides[own, peer].machine.sign(terms))
    for own, peer in (("ALPHA", "BRAVO"), ("ALPHA", "CHARLIE"), ("BRAVO", "CHARLIE")):
        deliver(sides[own, peer], sides[peer, own])
    assert len(lines) == 1
    assert all(side.stage is Stage.SIGNED for side in sides.values())
    assert len({sides[own, peer].accepted.psk for own in names for peer in names if own != peer}) == 3


def test_15_22_a_new_secret_for_a_line_that_stands() -> None:
    subject = NewSecret(LINE)
    a, b = pair(setup(subject=subject), setup("BRAVO", "ALPHA", subject=subject))
    a.take(a.machine.accept_heard(b.reads))
    b.take(b.machine.accept_heard(a.reads))
    assert a.accepted.psk == b.accepted.psk
    assert a.accepted.peer_nonce == b""


# --- the man in the middle ------------------------------------------------------------------------------------


def posing_as(name: str) -> tuple[Card, Signer]:
    """A card of that name with the keys of the man in the middle."""
    lane = signer(f"mallory lane as {name}")
    return card(name, root=signer(f"mallory root as {name}"), lane=lane.public), lane


def between_them() -> tuple[Side, Side, Side, Side]:
    """ALPHA and BRAVO, each in conversation with the man in the middle, whose cards they were given."""
    false_bravo, bravo_key = posing_as("BRAVO")
    false_alpha, alpha_key = posing_as("ALPHA")
    sides = []
    for true, false, key in (("ALPHA", false_bravo, bravo_key), ("BRAVO", false_alpha, alpha_key)):
        members = (CARDS[true].root.ed25519_key, false.root.ed25519_key)
        subject = NewLine(members=members, policy=POLICY, nonce=secret(true))
        victim = Side(true, replace(setup(true, "CHARLIE"), peer=false, subject=subject))
        his = NewLine(members=members, policy=POLICY, nonce=secret("mallory" + true))
        mallory = Side("M" + true, replace(setup("CHARLIE", true), own=false, signer=key, subject=his))
        victim.take(victim.machine.start())
        mallory.take(mallory.machine.start())
        deliver(victim, mallory)
        sides += [victim, mallory]
    return sides[0], sides[1], sides[2], sides[3]


def test_15_10_with_a_man_in_the_middle_the_floors_read_other_digits() -> None:
    alpha, to_alpha, bravo, to_bravo = between_them()
    assert all(side.stage is Stage.COMPARING for side in (alpha, to_alpha, bravo, to_bravo))
    alpha.take(alpha.machine.accept_heard(bravo.reads))
    bravo.take(bravo.machine.accept_heard(alpha.reads))
    for side in (alpha, bravo):
        assert side.ended is not None
        assert side.ended.reason is Reason.MISMATCH
        assert not side.said(Accepted)


def test_15_9_with_a_man_in_the_middle_the_true_fingerprint_is_refused() -> None:
    alpha, _, _, _ = between_them()
    alpha.take(alpha.machine.accept_fingerprint(CARDS["BRAVO"].fingerprint))
    assert alpha.ended is not None
    assert alpha.ended.reason is Reason.MISMATCH


def test_15_13_who_has_the_card_and_not_its_lane_keys_is_refused() -> None:
    a, b = pair(setup(signer=signer("mallory")))
    assert b.ended is not None
    assert b.ended.reason is Reason.MALFORMED
    assert not b.said(Compare)
    assert a.ended is None or a.ended.by_peer


def test_15_6_a_card_other_than_the_one_entered_is_refused() -> None:
    later = card("ALPHA", addresses=("tls:192.0.2.9:7460",))
    a, b = pair(replace(setup(), own=later))
    assert b.ended == Ended(reason=Reason.CARD, by_peer=False, members=(), theirs=None)
    assert a.ended is not None
    assert a.ended.by_peer


def altered(kind: Kind, sender: str, change: Callable[[bytes], bytes]) -> Between:
    def between(who: str, _number: int, frame: bytes) -> list[bytes]:
        return [change(frame)] if who == sender and frame[1:3] == encode(kind) else [frame]

    return between


KINDS = (Kind.COMMIT, Kind.REVEAL, Kind.SEAL, Kind.CONFIRM, Kind.TERMS)


@pytest.mark.parametrize("sender", ["ALPHA", "BRAVO"])
@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_15_4_no_changed_bit_is_accepted(kind: Kind, sender: str, data: st.DataObject) -> None:
    def flip(frame: bytes) -> bytes:
        bit = data.draw(st.integers(0, len(frame) * 8 - 1))
        changed = bytearray(frame)
        changed[bit // 8] ^= 1 << bit % 8
        return bytes(changed)

    between = altered(kind, sender, flip)
    a, b = pair(between=between)
    finish(a, b, between)
    receiver = b if sender == "ALPHA" else a
    assert not receiver.said(Countersigned)
    if kind is not Kind.TERMS:
        assert receiver.ended is not None
        assert not receiver.said(Accepted)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_15_4_no_truncated_message_is_accepted(kind: Kind, data: st.DataObject) -> None:
    between = altered(kind, "ALPHA", lambda frame: frame[: data.draw(st.integers(0, len(frame) - 1))])
    a, b = pair(between=between)
    finish(a, b, between)
    assert b.ended is not None
    assert b.ended.reason is Reason.MALFORMED


def reveal_of(frame: bytes) -> Reveal:
    message = decode_message(frame)
    assert isinstance(message, Reveal)
    return message


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": secret("other")},
        {"offer": bytes(1216)},
        {"card": secret("other")},
        {"line_nonce": secret("other")},
        {"members": ()},
        {"policy": encode({0: "x"})},
    ],
    ids=lambda change: next(iter(change)),
)
def test_15_5_nothing_in_a_reveal_can_be_chosen_after_the_commit(change: dict[str, bytes]) -> None:
    between = altered(
        Kind.REVEAL,
        "ALPHA",
        lambda frame: encode_message(replace(reveal_of(frame), **change)),  # type: ignore[arg-type]
    )
    _, b = pair(between=between)
    assert b.ended is not None
    assert not b.said(Compare)


def test_15_5_no_reveal_leaves_before_the_others_commit() -> None:
    a = Side("ALPHA", setup())
    a.take(a.machine.start())
    assert [frame[1:3] for frame in a.out] == [encode(Kind.COMMIT)]


def test_15_6_an_echo_is_not_a_peer() -> None:
    a = Side("ALPHA", setup())
    a.take(a.machine.start())
    a.take(a.machine.receive(a.out[0]))
    assert a.ended is not None
    assert not any(frame[1:3] == encode(Kind.REVEAL) for frame in a.out)


def test_15_11_a_replayed_run_does_not_open_again() -> None:
    record: list[bytes] = []

    def listening(sender: str, _number: int, frame: bytes) -> list[bytes]:
        if sender == "ALPHA":
            record.append(frame)
        return [frame]

    finish(*pair(between=listening), between=listening)
    bravo = Side("another day", setup("BRAVO", "ALPHA"))
    bravo.take(bravo.machine.start())
    for frame in record:
        bravo.take(bravo.machine.receive(frame))
    assert bravo.ended is not None
    assert not bravo.said(Compare)


def test_15_4_a_repeated_message_says_nothing_new_and_another_of_its_type_ends() -> None:
    a, b = pair(between=lambda _sender, _number, frame: [frame, frame])
    assert stages(a, b) == {Stage.COMPARING}
    a, b = Side("ALPHA", setup()), Side("BRAVO", setup("BRAVO", "ALPHA"))
    a.take(a.machine.receive(encode_message(Commit(secret("one")))))
    a.take(a.machine.receive(encode_message(Commit(secret("two")))))
    assert a.ended is not None


@given(st.lists(st.binary(max_size=200), max_size=4), st.sampled_from(list(Stage)))
def test_15_4_garbage_ends_the_conversation_and_raises_nothing(garbage: list[bytes], when: Stage) -> None:
    a, b = Side("ALPHA", setup()), Side("BRAVO", setup("BRAVO", "ALPHA"))
    a.take(a.machine.start())
    b.take(b.machine.start())
    while b.out and a.stage is not when:
        a.take(a.machine.receive(b.out.pop(0)))
        while a.out:
            b.take(b.machine.receive(a.out.pop(0)))
    for frame in garbage:
        a.take(a.machine.receive(frame))
    assert not garbage or a.stage is Stage.ENDED


@pytest.mark.parametrize(
    "message",
    [Seal(bytes(1168)), Signed(line=bytes(32), signatures=()), Commit(bytes(32))],
    ids=lambda m: type(m).__name__,
)
def test_15_4_a_message_out_of_turn_ends(message: Seal | Signed | Commit) -> None:
    a = Side("ALPHA", setup())
    a.take(a.machine.start())
    a.take(a.machine.receive(encode_message(Commit(secret("first")))))
    a.take(a.machine.receive(encode_message(message)))
    assert a.ended == Ended(reason=Reason.MALFORMED, by_peer=False, members=(), theirs=None)


# --- proposals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, value",
    [
        ("title", "Another"),
        ("languages", ("en", "ru")),
        ("test_minutes", 30),
        ("handling_minutes", (10, 30, 180, 361)),
        ("urgent_per_hour", 1),
        ("traffic_per_hour", 1),
        ("attachment_mib_per_day", 1),
        ("release", True),
        ("exercise", True),
        ("extra", ((9, 1),)),
    ],
)
def test_15_6_unequal_proposals_end_it_and_what_differs_is_named(name: str, value: object) -> None:
    theirs = replace(POLICY, **{name: value})  # type: ignore[arg-type]
    a, b = pair(right=setup("BRAVO", "ALPHA", policy=theirs))
    for side, other in ((a, theirs), (b, POLICY)):
        assert side.ended is not None
        assert side.ended.reason is Reason.PROPOSAL
        assert side.ended.members == (name,)
        assert side.ended.theirs == other


def test_15_6_other_members_are_another_proposal() -> None:
    a, _ = pair(right=setup("BRAVO", "ALPHA", members=("ALPHA", "BRAVO", "CHARLIE")))
    assert a.ended is not None
    assert (a.ended.reason, a.ended.members) == (Reason.PROPOSAL, ("members",))


def test_15_20_another_line_id_ends_it() -> None:
    a, b = pair()
    for side in (a, b):
        side.take(side.machine.accept_fingerprint(side.setup.peer.fingerprint))
    a.sign()
    other = make_terms((CARDS["ALPHA"].party(secret("x")), CARDS["BRAVO"].party(secret("y"))), POLICY)
    b.take(b.machine.sign(other))
    deliver(a, b)
    assert a.ended is not None
    assert b.ended is not None
    assert {a.ended.reason, b.ended.reason} == {Reason.LINE}


def test_15_20_a_signature_by_another_key_is_refused() -> None:
    _, b = pair()
    b.take(b.machine.accept_fingerprint(CARDS["ALPHA"].fingerprint))
    terms = b.sign()
    number = terms.party_of_root(ROOTS["ALPHA"].public.ed25519_key)
    forged = sign_terms(terms.line, number, LANES["CHARLIE"])
    b.take(b.machine.receive(encode_message(Signed(line=terms.line, signatures=(forged,)))))
    assert not b.said(Countersigned)
    assert b.ended is not None


# --- people ---------------------------------------------------------------------------------------------------


def test_15_9_a_wrong_entry_burns_the_attempt() -> None:
    a, b = pair()
    wrong = "0000 0000" if b.reads != "0000 0000" else "0000 0001"
    a.take(a.machine.accept_heard(wrong))
    assert a.ended is not None
    assert a.ended.reason is Reason.MISMATCH
    a.take(a.machine.accept_heard(b.reads))  # too late
    assert not a.said(Accepted)
    deliver(a, b)
    assert b.ended == Ended(reason=Reason.MISMATCH, by_peer=True, members=(), theirs=None)


@pytest.mark.parametrize("text", ["", "1234", "1234 567", "1234 56789", "abcd efgh", "１２３４５６７８"])
def test_15_9_what_is_no_code_is_not_an_attempt(text: str) -> None:
    a, _ = pair()
    with pytest.raises(Malformed):
        a.machine.accept_heard(text)
    assert stages(a) == {Stage.COMPARING}


def test_15_9_ones_own_half_is_not_the_others() -> None:
    a, _ = pair()
    a.take(a.machine.accept_heard(a.reads))
    assert a.ended is not None


@pytest.mark.parametrize("size", [0, 8, 23])
def test_3_4_a_piece_of_a_fingerprint_is_not_enough(size: int) -> None:
    a, _ = pair()
    a.take(a.machine.accept_fingerprint(CARDS["BRAVO"].fingerprint[:size]))
    assert a.ended is not None
    assert a.ended.reason is Reason.MISMATCH


def test_15_16_people_decide_only_while_they_are_asked() -> None:
    a = Side("ALPHA", setup())
    a.take(a.machine.start())
    a.take(a.machine.accept_fingerprint(CARDS["BRAVO"].fingerprint))
    assert stages(a) == {Stage.COMMITTED}
    with pytest.raises(Bug):
        a.machine.sign(make_terms((CARDS["ALPHA"].party(bytes(32)), CARDS["BRAVO"].party(bytes(32))), POLICY))


def test_15_3_a_station_is_not_paired_with_itself_or_a_stranger_to_the_proposal() -> None:
    with pytest.raises(Foreign):
        Pairing(setup("ALPHA", "ALPHA"), drawn("x"))
    with pytest.raises(Foreign):
        Pairing(setup("ALPHA", "BRAVO", members=("ALPHA", "CHARLIE")), drawn("x"))


# --- a lost connection ----------------------------------------------------------------------------------------


def half_signed() -> tuple[Side, Terms, Side, Terms]:
    """Both have accepted and signed; ALPHA's signature reached BRAVO and not the reverse."""
    a, b = pair()
    for side in (a, b):
        side.take(side.machine.accept_fingerprint(side.setup.peer.fingerprint))
    left, right = a.sign(), b.sign()
    b.out.clear()
    deliver(a, b)
    assert stages(b) == {Stage.SIGNED}
    assert stages(a) == {Stage.ACCEPTED}
    return a, left, b, right


def again(side: Side, terms: Terms, *, pending: bool) -> Setup:
    standing = {terms.line: (terms, side.machine.signatures)}
    return replace(side.setup, standing=standing, resumes=terms.line if pending else b"")


def test_15_25_what_only_one_side_finished_is_finished_by_pairing_again() -> None:
    a, left, b, right = half_signed()
    a, b = pair(again(a, left, pending=True), again(b, right, pending=False))
    assert stages(a, b) == {Stage.SIGNED}
    [done] = a.said(Countersigned)
    assert isinstance(done, Countersigned)
    assert done.line == left.line


def test_15_25_what_neither_finished_is_finished_by_pairing_again() -> None:
    a, left, b, right = half_signed()
    a, b = pair(again(a, left, pending=True), again(b, right, pending=True))
    assert stages(a, b) == {Stage.SIGNED}


def test_15_25_what_one_side_knows_nothing_of_is_dropped_and_begun_anew() -> None:
    a, left, _, _ = half_signed()
    a, b = pair(again(a, left, pending=True))
    assert a.said(Dropped) == [Dropped(left.line)]
    assert stages(a, b) == {Stage.COMPARING}
    finish(a, b)
    assert stages(a, b) == {Stage.SIGNED}


def test_15_25_two_lines_that_each_knows_alone_are_both_dropped() -> None:
    a, left, b, _ = half_signed()
    other = make_terms((CARDS["ALPHA"].party(secret("x")), CARDS["BRAVO"].party(secret("y"))), POLICY)
    number = other.party_of_root(ROOTS["BRAVO"].public.ed25519_key)
    alone = {other.line: (other, (sign_terms(other.line, number, LANES["BRAVO"]),))}
    a, b = pair(again(a, left, pending=True), replace(b.setup, standing=alone, resumes=other.line))
    assert a.said(Dropped)
    assert b.said(Dropped)
    assert stages(a, b) == {Stage.COMPARING}


def test_15_25_an_echo_of_ones_own_signature_finishes_nothing() -> None:
    a, left, _, _ = half_signed()
    side = Side("ALPHA", again(a, left, pending=True))
    side.take(side.machine.start())
    side.take(side.machine.receive(side.out[0]))
    assert side.ended is not None
    assert not side.said(Countersigned)


# --- what is said, and what is never said ---------------------------------------------------------------------


def test_15_4_messages_have_one_encoding() -> None:
    frames: list[bytes] = []

    def listening(_sender: str, _number: int, frame: bytes) -> list[bytes]:
        frames.append(frame)
        return [frame]

    finish(*pair(between=listening), between=listening)
    frames.append(encode_message(Abort(Reason.PEOPLE)))
    assert {decode(frame)[0] for frame in frames} == set(Kind)  # type: ignore[index]
    for frame in frames:
        assert encode_message(decode_message(frame)) == frame


@pytest.mark.parametrize(
    "value",
    [
        [30, bytes(31)], [30, bytes(32), 0], [29, bytes(32)], [36], [35, 7], [30], [], [31, bytes(32)],
        [34, bytes(32), [[1, bytes(64), bytes(2420)], [0, bytes(64), bytes(2420)]]],
        [34, bytes(32), [[16, bytes(64), bytes(2420)]]],
    ],
)  # fmt: skip
def test_15_4_other_forms_are_refused(value: list[object]) -> None:
    a = Side("ALPHA", setup())
    a.take(a.machine.start())
    a.take(a.machine.receive(encode(value)))  # type: ignore[arg-type]
    assert a.ended is not None
    assert a.ended.reason is Reason.MALFORMED


def test_15_15_no_secret_is_in_what_can_be_printed() -> None:
    a, b = pair()
    finish(a, b)
    printed = repr(a.heard) + repr(b.heard)
    for secret_bytes in (a.accepted.psk, *(secret(f"ALPHA {number}") for number in range(3))):
        assert repr(secret_bytes)[2:-1] not in printed
        assert secret_bytes.hex() not in printed


def test_15_15_the_secret_is_in_no_frame() -> None:
    frames: list[bytes] = []

    def listening(_sender: str, _number: int, frame: bytes) -> list[bytes]:
        frames.append(frame)
        return [frame]

    a, b = pair(between=listening)
    finish(a, b, listening)
    assert not any(a.accepted.psk in frame or read_heard(a.reads).encode() in frame for frame in frames)
