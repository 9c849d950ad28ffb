"""Signals of a call: sent by the engine, kept until opened, handed out once while the call is open. Spec 8.15, 17.30 to 17.36."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openline.kernel.codec import encode
from openline.kernel.errors import Refused
from openline.kernel.lane import GENERATION_ZERO
from openline.protocol import call_entries as c
from openline.protocol.bodies import decode_body, encode_body
from openline.protocol.call_rooms import MAX_SIGNALS, SIGNAL_MS, SIGNALS_PER_HOUR, Outgoing
from openline.protocol.call_signals import MAX_SIGNAL, CallSignal, SignalType, signal_value
from openline.protocol.entries import AnyEntry, Precedence, Suspend, Unknown, kind_of
from openline.protocol.events import Renew, Signal, Signalled, Transmit
from openline.protocol.fields import Ref
from openline.protocol.frames import decode_content, encode_content, frame_value
from tests.spec.call_samples import CALL_EXAMPLES
from tests.spec.calling import NONCE, OFFICER, ring
from tests.spec.line import Host, Line, message
from tests.spec.parties import LINE

ONE = CallSignal(lane=0, generation=GENERATION_ZERO, index=1, sender=0, to=0, type=SignalType.OFFER, data="v=0 offer")
SIGNALS = st.builds(
    CallSignal,
    lane=st.integers(0, 31),
    generation=st.just(GENERATION_ZERO),
    index=st.integers(0, 2**48 - 1),
    sender=st.integers(0, 1),
    to=st.integers(0, 1),
    type=st.sampled_from(SignalType),
    number=st.integers(0, 2**48 - 1),
    after=st.integers(0, 2**48 - 1),
    data=st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
)


def said(host: Host, entry: AnyEntry) -> Ref:
    """Say it, and name it."""
    host.say(entry)
    accepted = host.accepted()[-1]
    lane = accepted.lane
    return Ref(lane=lane.number, generation=lane.generation, index=accepted.index, leaf=accepted.leaf_hash)


def pick_up(of: Ref) -> c.PickUp:
    return c.PickUp(of=of, language="fr", role=OFFICER, sign="B2", fingerprint=NONCE)


def hang_up(of: Ref) -> c.HangUp:
    return c.HangUp(of=of, cause=c.EndCause.ENDED, role=OFFICER, sign="K7")


def called(line: Line) -> Ref:
    """A call of the first party, that the second has picked up."""
    alpha, bravo = line.hosts[:2]
    rung = said(alpha, ring())
    line.settle()
    said(bravo, pick_up(rung))
    line.settle()
    return rung


def signal(rung: Ref, data: str = "v=0", kind: SignalType = SignalType.OFFER, **more: int) -> CallSignal:
    made = CallSignal(
        lane=rung.lane, generation=rung.generation, index=rung.index, sender=0, to=0, type=kind, data=data
    )
    return replace(made, **more)  # type: ignore[arg-type]


def heard(host: Host) -> list[str]:
    """What was handed out, in its order."""
    return [output.signal.data for output in host.outputs if isinstance(output, Signalled)]


# --- the frame ---


@given(SIGNALS)
def test_8_15_a_signal_is_read_as_it_was_written(one: CallSignal) -> None:
    content = decode_content(LINE, encode_content(0, 0, [encode(frame_value(one))]))
    assert content.frames == (one,)
    assert content.unknown == 0


def test_8_15_a_type_to_come_is_ignored_and_counted() -> None:
    value = signal_value(ONE)
    assert isinstance(value, list)
    value[7] = 5
    content = decode_content(LINE, encode_content(0, 0, [encode([*value, "one member more"])]))
    assert (content.frames, content.unknown) == ((), 1)


@pytest.mark.parametrize(
    "place, value",
    [
        (1, 32),
        (2, -1),
        (3, b"short"),
        (4, 2**48),
        (5, 2),
        (6, 2),
        (7, "0"),
        (8, -1),
        (9, "text"),
        (9, b"\xff"),
        (10, None),
    ],
)
def test_8_15_a_malformed_signal_is_refused(place: int, value: int | bytes | str | None) -> None:
    members = signal_value(ONE)
    assert isinstance(members, list)
    members[place] = value
    with pytest.raises(Refused):
        decode_content(LINE, encode_content(0, 0, [encode(members)]))


def test_8_15_a_signal_has_its_bound() -> None:
    for size, fits in ((MAX_SIGNAL, True), (MAX_SIGNAL + 1, False)):
        frame = encode_content(0, 0, [encode(signal_value(replace(ONE, data="x" * size)))])
        if fits:
            assert len(decode_content(LINE, frame).frames) == 1
        else:
            with pytest.raises(Refused):
                decode_content(LINE, frame)


# --- on its way ---


def test_17_30_signals_go_both_ways_once_and_in_order() -> None:
    line = Line()
    alpha, bravo = line.hosts
    rung = called(line)
    alpha.give(Signal(party=1, signal=signal(rung, "the offer")))
    for number in range(3):
        alpha.give(Signal(party=1, signal=signal(rung, f"candidate {number}", SignalType.CANDIDATE)))
    line.settle()
    bravo.give(Signal(party=0, signal=signal(rung, "the answer", SignalType.ANSWER)))
    line.settle()
    line.pass_time(60_000)
    assert heard(bravo) == ["the offer", "candidate 0", "candidate 1", "candidate 2"]
    assert heard(alpha) == ["the answer"]


@pytest.mark.parametrize("link", [16_384, 1_024, 256])
def test_17_31_a_signal_larger_than_an_envelope_goes_in_parts(link: int) -> None:
    line = Line(link=link)
    alpha, bravo = line.hosts
    rung = called(line)
    data = "".join(f"line {number} " for number in range(900))[:MAX_SIGNAL]
    alpha.give(Signal(party=1, signal=signal(rung, data)))
    line.settle(rounds=2_000)
    assert heard(bravo) == [data]


def test_17_31_signals_travel_as_immediate_behind_the_urgent_lane() -> None:
    line = Line()
    alpha, bravo = line.hosts
    rung = called(line)
    line.cut(0, 1)
    alpha.give(Signal(party=1, signal=signal(rung)))
    said(alpha, c.TypedLine(of=rung, text="typed", language="en", role=OFFICER, sign="K7"))
    said(alpha, message("FLASH", Precedence.FLASH))
    said(alpha, message("routine"))
    alpha.outputs.clear()
    line.join(0, 1)
    sent = [output.precedence for output in alpha.outputs if isinstance(output, Transmit)]
    assert sent[0] == 0
    assert 1 in sent
    assert sent.index(1) < sent.index(3)
    line.settle()
    assert heard(bravo) == ["v=0"]


def test_17_31_what_was_lost_is_repeated_until_it_is_opened() -> None:
    line = Line()
    alpha, bravo = line.hosts
    rung = called(line)
    alpha.give(Signal(party=1, signal=signal(rung, "lost twice")))
    line.under_way.clear()
    line.pass_time(1_500, keep=lambda sender, sent: sender != 0)
    assert heard(bravo) == []
    line.pass_time(10_000)
    assert heard(bravo) == ["lost twice"]


def test_17_31_a_signal_outlives_its_epoch_and_is_handed_out_once() -> None:
    for lost in (True, False):
        line = Line()
        alpha, bravo = line.hosts
        rung = called(line)
        alpha.give(Signal(party=1, signal=signal(rung, "across epochs")))
        if lost:
            line.under_way.clear()
        else:
            line.deliver(lambda sender, _: sender == 0)  # it came, and that it was opened stays unknown
        alpha.give(Renew(1))
        line.pass_time(8_000, step=250)
        assert alpha.engine.peers[1].epoch is not None
        assert heard(bravo) == ["across epochs"]


def test_17_31_a_signal_that_could_not_go_for_half_a_minute_is_dropped() -> None:
    line = Line()
    alpha, bravo = line.hosts
    rung = called(line)
    line.cut(0, 1)
    alpha.give(Signal(party=1, signal=signal(rung, "old")))
    line.pass_time(SIGNAL_MS)
    alpha.give(Signal(party=1, signal=signal(rung, "new")))
    line.join(0, 1)
    line.settle()
    assert heard(bravo) == ["new"]
    line.pass_time(10_000)
    assert not len(alpha.engine.peers[1].signals)


# --- handed out ---


def test_17_32_what_comes_before_the_entries_waits_for_them() -> None:
    """The ring, and the seat whose fingerprint it goes with, are under way on a slower path."""
    line = Line()
    alpha, bravo = line.hosts
    rung = called(line)
    joined = c.Seat(of=rung, act=c.SeatAct.JOINS, number=1, role=OFFICER, sign="K8", fingerprint=NONCE)
    said(alpha, joined)
    held, line.under_way = list(line.under_way), type(line.under_way)()
    alpha.give(Signal(party=1, signal=signal(rung, "of the new seat", sender=1)))
    line.deliver()
    assert heard(bravo) == []
    line.under_way.extend(held)
    line.deliver()
    assert heard(bravo) == ["of the new seat"]


def test_17_32_what_comes_for_a_ring_not_held_waits_half_a_minute() -> None:
    line = Line()
    alpha, bravo = line.hosts
    nowhere = Ref(lane=0, generation=GENERATION_ZERO, index=900, leaf=bytes(32))
    alpha.lie(1, signal(nowhere))
    line.pass_time(SIGNAL_MS - 2_000)
    assert not bravo.noticed("signal-dropped")
    line.pass_time(4_000)
    assert len(bravo.noticed("signal-dropped")) == 1
    assert heard(bravo) == []


@pytest.mark.parametrize("who", [0, 1])
def test_17_32_nothing_is_sent_or_handed_out_after_the_end(who: int) -> None:
    line = Line()
    alpha, bravo = line.hosts
    rung = called(line)
    said(line.hosts[who], hang_up(rung))
    line.settle()
    for host, to in ((alpha, 1), (bravo, 0)):
        host.outputs.clear()
        host.give(Signal(party=to, signal=signal(rung)))
        assert host.noticed("signal-dropped")
        assert not host.transmitted()
        host.lie(to, signal(rung, number=2**47))
    assert heard(alpha) == heard(bravo) == []


def test_17_32_nothing_is_sent_before_the_pick_up_nor_about_anything_but_a_ring() -> None:
    line = Line()
    alpha, bravo = line.hosts
    rung = said(alpha, ring())
    line.settle()
    alpha.give(Signal(party=1, signal=signal(rung)))
    text = said(alpha, message("no ring"))
    line.settle()
    alpha.give(Signal(party=1, signal=signal(text)))
    alpha.lie(1, signal(text))
    line.settle()
    assert len(alpha.noticed("signal-dropped")) == 2
    assert len(bravo.noticed("signal-dropped")) == 1
    said(bravo, c.Refusal(of=rung, cause=c.RefusalCause.BUSY, role=OFFICER, sign="B2"))
    alpha.lie(1, signal(rung))
    assert heard(bravo) == []


def test_17_32_a_third_party_is_in_no_call_of_two() -> None:
    line = Line(count=3)
    alpha, bravo, charlie = line.hosts
    rung = called(line)
    alpha.give(Signal(party=2, signal=signal(rung)))
    charlie.give(Signal(party=1, signal=signal(rung)))
    charlie.lie(1, signal(rung, number=7))
    charlie.lie(0, signal(rung, number=7))
    line.pass_time(SIGNAL_MS + 2_000)
    assert heard(alpha) == heard(bravo) == heard(charlie) == []


def test_17_33_no_number_is_handed_out_twice_and_no_older_offer() -> None:
    line = Line()
    alpha, bravo = line.hosts
    rung = called(line)
    for number, data, kind in (
        (5, "candidate", SignalType.CANDIDATE),
        (5, "again", SignalType.CANDIDATE),
        (4, "candidate before it", SignalType.CANDIDATE),
        (7, "second offer", SignalType.OFFER),
        (3, "first offer", SignalType.OFFER),
        (2, "its candidate", SignalType.CANDIDATE),
        (6, "first answer", SignalType.ANSWER),
    ):
        alpha.lie(1, signal(rung, data, kind, number=number))
    assert heard(bravo) == ["candidate", "candidate before it", "second offer", "its candidate", "first answer"]


def test_17_33_numbers_grow_across_a_restart() -> None:
    line = Line()
    alpha, bravo = line.hosts
    rung = called(line)
    alpha.give(Signal(party=1, signal=signal(rung, "before")))
    line.settle()
    line.pass_time(1_000)
    alpha.boot()
    line.link_all()
    line.settle()
    alpha.give(Signal(party=1, signal=signal(rung, "after")))
    line.settle()
    numbers = [output.signal.number for output in bravo.outputs if isinstance(output, Signalled)]
    assert heard(bravo) == ["before", "after"]
    assert numbers == sorted(set(numbers))


def test_17_34_who_says_too_much_is_not_heard_and_stops_nothing_else() -> None:
    line = Line()
    alpha, bravo = line.hosts
    nowhere = Ref(lane=0, generation=GENERATION_ZERO, index=900, leaf=bytes(32))
    for number in range(MAX_SIGNALS + 3):
        alpha.lie(1, signal(nowhere, number=number))
    assert len(bravo.noticed("signal-dropped")) == 3
    alpha.say(message("and still"))
    line.settle()
    assert bravo.texts() == ["and still"]


def test_17_34_signals_have_their_quota() -> None:
    line = Line()
    alpha, bravo = line.hosts
    rung = called(line)
    frames = [signal(rung, kind=SignalType.CANDIDATE, number=number) for number in range(SIGNALS_PER_HOUR + 100)]
    for first in range(0, len(frames), 50):
        alpha.lie(1, *frames[first : first + 50])
    assert len(heard(bravo)) == SIGNALS_PER_HOUR
    assert bravo.noticed("signal-dropped")


def test_17_34_at_most_so_many_wait_to_be_sent() -> None:
    line = Line()
    alpha, bravo = line.hosts
    rung = called(line)
    line.cut(0, 1)
    for number in range(MAX_SIGNALS + 3):
        alpha.give(Signal(party=1, signal=signal(rung, str(number), SignalType.CANDIDATE)))
    assert len(alpha.noticed("signal-dropped")) == 3
    alpha.give(Signal(party=1, signal=signal(rung, "x" * (MAX_SIGNAL + 1))))
    assert len(alpha.noticed("signal-dropped")) == 4
    line.join(0, 1)
    line.settle()
    assert heard(bravo) == [str(number) for number in range(MAX_SIGNALS)]


def test_17_36_nothing_of_a_signal_is_stored_or_kept_after_it_was_opened() -> None:
    line = Line()
    alpha, bravo = line.hosts
    rung = called(line)
    marker = "10.9.8.7 is nobody's business"
    for host, to in ((alpha, 1), (bravo, 0)):
        host.give(Signal(party=to, signal=signal(rung, marker)))
    line.settle()
    line.pass_time(10_000)
    assert heard(alpha) == heard(bravo) == [marker]
    for host, to in ((alpha, 1), (bravo, 0)):
        assert marker not in repr(host.outputs)
        assert marker.encode() not in repr(vars(host.store)).encode()
        assert not len(host.engine.peers[to].signals)
        assert not host.engine._rooms._early


def test_17_35_an_outgoing_queue_gives_its_signals_in_their_order_after_a_loss() -> None:
    queue = Outgoing()
    for number in range(4):
        queue.add(bytes([number]), 1_000)
    for _ in range(3):
        assert queue.next(0) is not None
        queue.took()
    queue.sealed(7)
    queue.opened(6)
    assert len(queue) == 4
    queue.again()
    order = []
    while (frame := queue.next(0)) is not None:
        order.append(frame[0])
        queue.took()
    assert order == [0, 1, 2, 3]
    queue.sealed(9)
    queue.opened(9)
    assert len(queue) == 0


# --- what a suspended line and a FLASH ring do ---


def test_17_10_on_a_suspended_line_a_flash_ring_alone_is_said() -> None:
    line = Line()
    alpha, bravo = line.hosts
    bravo.say(Suspend(reason="why", role=OFFICER, sign="B2"))
    line.settle()
    alpha.say(ring(Precedence.IMMEDIATE))
    assert [rejected.code for rejected in alpha.rejected()] == ["forbidden"]
    alpha.outputs.clear()
    rung = said(alpha, ring(Precedence.FLASH))
    assert [output.precedence for output in alpha.transmitted()][:1] == [0]
    line.settle()
    said(bravo, pick_up(rung))
    line.settle()
    assert not bravo.rejected()
    alpha.give(Signal(party=1, signal=signal(rung, "passes")))
    line.settle()
    assert heard(bravo) == ["passes"]


def test_17_10_a_flash_ring_fits_the_smallest_envelope() -> None:
    line = Line(link=256)
    alpha, _ = line.hosts
    said(alpha, message("so that its own traffic lane has a root"))
    line.settle()
    alpha.outputs.clear()
    said(alpha, replace(ring(Precedence.FLASH), roles=(OFFICER,) * 2))
    first = alpha.transmitted()[0]
    assert (first.precedence, len(first.envelope)) == (0, 256)
    assert len([sent for sent in alpha.transmitted() if sent.precedence == 0]) == 1


def test_17_18_a_program_that_does_not_know_the_kinds_keeps_and_acknowledges_them() -> None:
    """To it they are what 4,711 is to this one; when it learns the kinds it reads what it kept (16.3)."""
    line = Line()
    alpha, bravo = line.hosts
    for entry in CALL_EXAMPLES:
        bravo.write(kind_of(entry) + 100, encode_body(entry), urgent=True)
    frame = signal_value(ONE)
    assert isinstance(frame, list)
    bravo.lie(0, [111, *frame[1:]])
    line.settle()
    assert not alpha.noticed("refused-entry")
    assert alpha.noticed("frame-unknown")
    kept = [shown.entry for shown in alpha.shown() if isinstance(shown.entry, Unknown)]
    assert [entry.raw for entry in kept] == [encode_body(entry) for entry in CALL_EXAMPLES]
    assert [decode_body(entry.kind - 100, entry.raw) for entry in kept] == CALL_EXAMPLES
    assert bravo.holds(0)[-1].size == bravo.engine.book.own(urgent=True).size
    assert alpha.engine.fold.digest() == bravo.engine.fold.digest()


@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.sampled_from(SignalType), st.integers(0, 1), st.integers(0, 1)), max_size=30
    )
)
@settings(max_examples=60, deadline=None)
def test_17_33_whatever_numbers_come_each_is_handed_out_once_and_none_older_of_its_sort(
    come: list[tuple[int, SignalType, int, int]],
) -> None:
    line = Line()
    alpha, bravo = line.hosts
    rung = called(line)
    frames = [signal(rung, f"{number}", kind, number=number, sender=seat, to=to) for number, kind, seat, to in come]
    for first in range(0, len(frames), 3):
        alpha.lie(1, *frames[first : first + 3])
    handed = [output.signal for output in bravo.outputs if isinstance(output, Signalled)]
    for seat in (0, 1):
        mine = [one for one in handed if one.sender == seat]
        assert len({one.number for one in mine}) == len(mine)
        for to in (0, 1):
            for kinds in ({SignalType.OFFER, SignalType.RESTART}, {SignalType.ANSWER}):
                numbers = [one.number for one in mine if one.to == to and one.type in kinds]
                assert numbers == sorted(numbers)
        candidates = {one.number for one in mine} | {n for n, kind, s, _ in come if s == seat and kind in _ORDERED}
        assert candidates >= {number for number, _, s, _ in come if s == seat}


_ORDERED = {SignalType.OFFER, SignalType.ANSWER, SignalType.RESTART}
