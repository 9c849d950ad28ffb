"""Two ends of a serial line in a time of their own: loss, damage, restarts, echoes; what is whole is whole and once."""

import random
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openline.bearers.serial.framing import Receiver, frame_of
from openline.bearers.serial.limits import MOST_PAYLOAD, SMALL, WINDOW, Event, pace_for
from openline.bearers.serial.link import Link
from openline.bearers.serial.outgoing import Outgoing
from openline.kernel.errors import Malformed, TooLarge
from tests.contract.serial_channel import Fault, SerialLine

RATES = [300, 1_200, 9_600]


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """What happens to one frame on its way."""

    how: str
    at: int
    value: int

    def __call__(self, frame: bytes) -> bytes:
        at = self.at % len(frame)
        match self.how:
            case "lose":
                return b""
            case "repeat":
                return frame + frame
            case "flip":
                return frame[:at] + bytes((frame[at] ^ (1 << self.value % 8),)) + frame[at + 1 :]
            case "drop":
                return frame[:at] + frame[at + 1 :]
            case "insert":
                return frame[:at] + bytes((self.value,)) + frame[at:]
            case "burst":
                return frame[:at] + noise(300, self.value)
            case _:
                return frame


HITS = st.builds(
    Hit,
    how=st.sampled_from(["pass", "lose", "repeat", "flip", "drop", "insert", "burst"]),
    at=st.integers(0, 255),
    value=st.integers(0, 255),
)


def hitting(hits: list[Hit]) -> Fault:
    """Each frame meets the next hit, until there are none."""
    left = iter(hits)

    def fault(frame: bytes) -> bytes:
        hit = next(left, None)
        return frame if hit is None else hit(frame)

    return fault


ENVELOPES = st.lists(st.tuples(st.integers(1, 700) | st.integers(1_100, 3_000), st.booleans()), min_size=1, max_size=6)


def channel_of(envelope: bytes, *, urgent: bool) -> str:
    return "urgent" if urgent else "bulk" if len(envelope) > SMALL else "ordinary"


# -- delivery -----------------------------------------------------------------


@settings(max_examples=150)
@given(st.lists(HITS, max_size=60), st.lists(HITS, max_size=60), ENVELOPES, ENVELOPES, st.sampled_from(RATES))
def test_9_75_all_arrives_once_whole_and_in_the_order_of_its_channel(
    there: list[Hit],
    back: list[Hit],
    from_one: list[tuple[int, bool]],
    from_other: list[tuple[int, bool]],
    rate: int,
) -> None:
    line = SerialLine(pace_for(rate), seed=len(there))
    line.linked()
    line.faults = [hitting(there), hitting(back)]
    offered: list[list[tuple[bytes, bool]]] = [[], []]
    for index, sizes in enumerate((from_one, from_other)):
        for number, (size, urgent) in enumerate(sizes):
            largest = line.ends[index].pace.largest - 1
            envelope = noise(min(size, largest), 1_000 * index + number) + bytes((number,))
            if line.ends[index].link.offer(envelope, urgent=urgent):
                offered[index].append((envelope, urgent))
    one, other = line.ends

    def settled() -> bool:
        done = len(other.envelopes) == len(offered[0]) and len(one.envelopes) == len(offered[1])
        return done or not (one.link.up and other.link.up)  # so much noise that the line was taken for dead

    line.run(settled)
    for sent, end in zip(offered, (other, one), strict=True):
        for channel in ("urgent", "ordinary", "bulk"):
            expected = [envelope for envelope, urgent in sent if channel_of(envelope, urgent=urgent) == channel]
            came = [envelope for envelope in end.envelopes if envelope in expected]
            assert came == expected[: len(came)]
        assert Counter(end.envelopes) <= Counter(envelope for envelope, _ in sent)
    if one.links == other.links == [True]:
        assert Counter(other.envelopes) == Counter(envelope for envelope, _ in offered[0])
        assert Counter(one.envelopes) == Counter(envelope for envelope, _ in offered[1])


@pytest.mark.parametrize("one_in", [4, 12])
def test_9_75_a_line_that_damages_one_frame_in_so_many_still_carries_all(one_in: int) -> None:
    line = SerialLine(pace_for(1_200))
    line.linked()
    dice = random.Random(one_in)
    flip = Hit(how="flip", at=9, value=3)
    line.faults = [lambda frame: flip(frame) if dice.randrange(one_in) == 0 else frame] * 2
    sent = [noise(600, number) for number in range(6)]
    assert all(line.ends[0].link.offer(envelope, urgent=False) for envelope in sent)
    line.run(lambda: line.ends[1].envelopes == sent)
    assert line.ends[0].links == [True]


def test_9_75_only_what_was_lost_is_sent_again() -> None:
    line = SerialLine(pace_for(1_200))
    line.linked()
    one, other = line.ends
    count = 0

    def third_and_fourth(frame: bytes) -> bytes:
        nonlocal count
        count += len(frame) > 60
        return b"" if count in {3, 4} and len(frame) > 60 else frame

    line.faults[0] = third_and_fourth
    envelope = noise(1_000, 1)
    assert one.link.offer(envelope, urgent=False)
    line.run(lambda: other.envelopes == [envelope])
    line.pass_time(20)
    assert one.events(Event.REPEATED) == 2
    assert other.events(Event.DUPLICATE) == 0


def test_9_75_a_lost_last_frame_is_sent_again_after_the_wait() -> None:
    line = SerialLine(pace_for(1_200))
    line.linked()
    line.pass_time(0.5)  # what was owed has been said
    one, other = line.ends
    line.faults[0] = hitting([Hit(how="lose", at=0, value=0)])
    began = line.now
    assert one.link.offer(b"short", urgent=True)
    line.run(lambda: other.envelopes == [b"short"])
    assert line.now - began < 2 * pace_for(1_200).answer_s
    assert one.events(Event.REPEATED) == 1


def test_9_74_no_more_than_a_window_is_under_way() -> None:
    line = SerialLine(pace_for(9_600))
    line.linked()
    one, _ = line.ends
    line.faults[1] = lambda _: b""  # no acknowledgement comes
    sent = [noise(4_096, number) for number in range(3)]
    assert all(one.link.offer(envelope, urgent=False) for envelope in sent)
    before = len(one.sent)
    line.pass_time(7)
    new = {frame.lstrip(b"\0") for _, frame in one.sent[before:] if len(frame) > MOST_PAYLOAD}
    assert len(new) == WINDOW


def test_9_74_what_waits_is_bounded_and_waits_once() -> None:
    line = SerialLine(pace_for(300))
    line.linked()
    link = line.ends[0].link
    for urgent in (False, True):
        taken = 0
        while link.offer(noise(1_024, 100 * urgent + taken), urgent=urgent):
            taken += 1
        assert taken == 4
        assert link.offer(noise(1_024, 100 * urgent), urgent=urgent)  # it waits already
    with pytest.raises(TooLarge):
        link.offer(bytes(1_025), urgent=True)
    with pytest.raises(Malformed):
        link.offer(b"", urgent=True)


# -- the link -----------------------------------------------------------------


def test_9_77_a_restart_is_noticed_and_half_envelopes_are_dropped() -> None:
    line = SerialLine(pace_for(300))
    line.linked()
    one, other = line.ends
    assert one.link.offer(noise(800, 1), urgent=False)
    line.pass_time(10)
    one.restart(line.now)
    line.run(lambda: one.link.up and other.link.up)
    assert other.links == [True, False, True]
    assert other.events(Event.PEER_RESTARTED) == 1
    assert one.link.offer(b"new", urgent=False)
    line.run(lambda: bool(other.envelopes))
    assert other.envelopes == [b"new"]
    assert line.now < 40, "a restart is seen by its hello, not by silence"


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0.1, 30.0)), max_size=6), st.integers(0, 1_000))
@settings(max_examples=60)
def test_9_77_ends_that_restart_at_any_time_find_each_other(restarts: list[tuple[int, float]], seed: int) -> None:
    line = SerialLine(pace_for(300), seed=seed)
    for who, pause in restarts:
        line.pass_time(pause)
        line.ends[who].restart(line.now)
    line.run(lambda: all(end.link.up for end in line.ends), limit_s=150)
    assert line.ends[0].link.offer(b"one", urgent=False)
    assert line.ends[1].link.offer(b"other", urgent=True)
    line.run(lambda: b"one" in line.ends[1].envelopes and b"other" in line.ends[0].envelopes, limit_s=150)


def test_9_77_silence_is_down_after_three_beats_and_a_quiet_line_stays_up() -> None:
    line = SerialLine(pace_for(300))
    line.linked()
    line.pass_time(3_600)
    assert [end.links for end in line.ends] == [[True], [True]]
    idle = sum(len(frame) for _, frame in line.ends[0].sent)
    assert idle < 0.035 * 3_600 * 30
    line.faults[0] = lambda _: b""
    began = line.now
    line.run(lambda: not line.ends[1].link.up)
    assert 2 * pace_for(300).beat_s < line.now - began <= pace_for(300).silence_s < 43
    line.faults[0] = bytes
    line.linked()


def test_9_77_only_a_frame_that_names_the_session_brings_a_link_up() -> None:
    pace = pace_for(300)
    link = Link(pace, random.Random(1).randbytes, 0.0)
    for seed in range(200):
        link.receive(noise(64, seed) + b"\0", 0.0)
    link.receive(frame_of(b"\x10" + b"peer" + bytes(4), 0), 1.0)
    link.receive(frame_of(b"\x10" + b"peer" + b"else", 0), 1.0)
    link.receive(frame_of(b"\x24\x00" + b"a stranger's envelope", 0), 1.0)
    assert not link.up
    assert not link.offer(b"x", urgent=True)


def test_9_71_a_hello_of_ones_own_that_comes_back_late_is_nobodys() -> None:
    link = Link(pace_for(300), random.Random(1).randbytes, 0.0)
    said: list[bytes] = []
    for life in range(3):
        hello = link.next_frame(10.0 * life)
        assert hello is not None
        said.append(hello)
        link.reset(10.0 * life)
    for hello in said:
        assert link.receive(b"\0" + hello, 40.0) == [Event.ECHO]


def test_9_75_an_acknowledgement_of_the_first_sending_says_nothing_of_the_second() -> None:
    queue = Outgoing(1_000)
    assert queue.add(noise(64, 1))
    for order in range(1, 5):
        piece = queue.take(16)
        piece.order, piece.until = order, float(order)
    assert queue.doubt()
    again = queue.take(16)
    again.order, again.until = 5, 10.0
    assert queue.acknowledged(bytes((1, 0, 0)), sent_before=9.0) == 0
    assert queue.acknowledged(bytes((2, 0, 0)), sent_before=9.0) == 2
    queue.lose_before(2)
    assert not queue.ready, "nothing has been lost"


def test_9_71_a_line_that_only_echoes_is_no_link() -> None:
    line = SerialLine(pace_for(1_200), delay_s=0.3)
    line.echoes = True
    line.ends[1].present = False
    line.pass_time(120)
    assert line.ends[0].links == []
    assert line.ends[0].events(Event.ECHO) > 10


def test_9_71_a_line_that_echoes_carries_all_the_same() -> None:
    """What comes back meets what the other end sends, so the ends take turns."""
    line = SerialLine(pace_for(1_200, delay_ms=0, half_duplex=True))
    line.echoes = True
    line.linked()
    sent = [noise(500, number) for number in range(4)]
    for envelope in sent:
        assert line.ends[0].link.offer(envelope, urgent=False)
        assert line.ends[1].link.offer(envelope, urgent=False)
    line.run(lambda: line.ends[0].envelopes == line.ends[1].envelopes == sent)
    assert [end.links for end in line.ends] == [[True], [True]]


@given(st.binary(max_size=2_000), st.integers(1, 400))
@settings(max_examples=100)
def test_9_70_whatever_comes_a_link_takes_it_and_keeps_little(data: bytes, size: int) -> None:
    """The fuzzers' oracle: counted, never raised, and the link stands."""
    line = SerialLine(pace_for(9_600))
    line.linked()
    one, other = line.ends
    for start in range(0, len(data), size):
        line.deliver(1, data[start : start + size], at=line.now)
    line.step()
    assert other.envelopes == []
    assert one.link.offer(b"after it", urgent=False)
    line.run(lambda: other.envelopes == [b"after it"])


@given(st.lists(st.binary(min_size=1, max_size=250), max_size=40))
@settings(max_examples=100)
def test_9_72_a_peer_that_says_anything_in_frames_that_check_is_bounded(said: list[bytes]) -> None:
    """It knows the sessions and keeps to nothing else."""
    line = SerialLine(pace_for(9_600))
    line.linked()
    one, other = line.ends
    for body in said:
        other.note(other.link.receive(frame_of(body, one.link._seed_out), line.now), line.now)
    assert sum(len(incoming._held) for incoming in other.link._incoming.values()) <= 3 * WINDOW
    line.pass_time(30)
    assert len(other.sent) < 100


def test_9_70_a_modems_words_before_the_first_frame_cost_nothing_but_a_counter() -> None:
    line = SerialLine(pace_for(1_200))
    banner = b"\r\nCONNECT 1200/ARQ\r\n\x00Welcome to the exchange\x07\r\nlogin: "
    line.ends[1].note(line.ends[1].link.receive(banner, 0.0), 0.0)
    line.linked()
    assert line.now < 2
    assert line.ends[1].events(Event.NOISE) == 2


def test_9_78_two_ends_that_may_not_speak_at_once_take_turns() -> None:
    line = SerialLine(pace_for(1_200, delay_ms=50, half_duplex=True), delay_s=0.05, collides=True)
    line.linked()
    sent = [noise(300, number) for number in range(4)]
    for envelope in sent:
        assert line.ends[0].link.offer(envelope, urgent=False)
        assert line.ends[1].link.offer(envelope, urgent=False)
    line.run(lambda: line.ends[0].envelopes == line.ends[1].envelopes == sent, limit_s=300)
    assert [end.links for end in line.ends] == [[True], [True]]


def test_9_75_two_ends_that_speak_at_once_where_only_one_may_get_through_all_the_same() -> None:
    """Nobody told them that the line is half duplex; chance keeps them from meeting for ever."""
    line = SerialLine(pace_for(1_200), collides=True)
    line.linked()
    sent = [noise(100, number) for number in range(3)]
    for envelope in sent:
        assert line.ends[0].link.offer(envelope, urgent=False)
        assert line.ends[1].link.offer(envelope, urgent=False)
    line.run(lambda: set(sent) <= set(line.ends[0].envelopes) & set(line.ends[1].envelopes), limit_s=1_200)


# -- a FLASH ------------------------------------------------------------------


def flash_took(line: SerialLine, who: int, envelope: bytes) -> tuple[float, int]:
    """Offer it now: seconds until it is there, and bytes on its wire meanwhile, what was on it already included."""
    end, peer = line.ends[who], line.ends[1 - who]
    began = line.now
    assert end.link.offer(envelope, urgent=True)
    line.run(lambda: envelope in peer.envelopes)
    arrived = peer.when(envelope)
    byte_s = pace_for(300).byte_s
    busy = sum(len(frame) for at, frame in end.sent if at + len(frame) * byte_s > began and at < arrived - byte_s / 2)
    return arrived - began, busy


@pytest.mark.parametrize("phase", range(16))
@pytest.mark.parametrize("both_ways", [False, True])
def test_9_73_a_flash_takes_less_than_ten_seconds_at_300_bit_s_wherever_it_comes(phase: int, both_ways: bool) -> None:
    line = SerialLine(pace_for(300), seed=phase + 1)
    line.linked()
    routine = noise(1_000, 1)
    assert line.ends[0].link.offer(routine, urgent=False)
    if both_ways:
        assert line.ends[1].link.offer(routine, urgent=False)
    line.pass_time(7 + phase * 0.163)
    flash = noise(256, 2)
    seconds, busy = flash_took(line, 0, flash)
    assert busy <= 296
    assert seconds < 10
    # The one interrupted goes on, and not a frame of it is sent again.
    line.run(lambda: routine in line.ends[1].envelopes, limit_s=80)
    assert line.ends[0].events(Event.REPEATED) == 0


@pytest.mark.parametrize("phase", range(12))
def test_9_73_nor_do_beats_and_states_make_it_later(phase: int) -> None:
    line = SerialLine(pace_for(300), seed=phase + 1)
    line.linked()
    line.pass_time(60 + phase * 1.31)
    assert line.ends[1].link.offer(noise(600, 3), urgent=False)  # which must be acknowledged all the while
    line.pass_time(5.17)
    seconds, busy = flash_took(line, 0, noise(256, 2))
    assert busy <= 296
    assert seconds < 10


def test_9_76_flashes_one_after_the_other_both_ways_starve_no_acknowledgement() -> None:
    line = SerialLine(pace_for(300))
    line.linked()
    sent = [noise(256, number) for number in range(12)]
    for envelope in sent:
        assert line.ends[0].link.offer(envelope, urgent=True)
        assert line.ends[1].link.offer(envelope, urgent=True)
    began = line.now
    # By then each has heard what the other has, though nobody had a moment to spare.
    line.pass_time(3 * 9.9)
    for end in line.ends:
        assert any(at > began and len(frame) < 16 for at, frame in end.sent)
    line.run(lambda: line.ends[0].envelopes == line.ends[1].envelopes == sent)
    assert line.now - began < 12 * 9.9
    assert sum(end.events(Event.REPEATED) for end in line.ends) == 0


def test_9_74_an_acknowledgement_does_not_wait_for_bulk() -> None:
    line = SerialLine(pace_for(9_600))
    line.linked()
    one, other = line.ends
    bulk = [noise(4_096, number) for number in range(2)]
    assert all(one.link.offer(envelope, urgent=False) for envelope in bulk)
    line.pass_time(1)
    small = noise(256, 9)
    assert one.link.offer(small, urgent=False)
    began = line.now
    line.run(lambda: small in other.envelopes)
    assert line.now - began < 1
    line.run(lambda: other.envelopes == [small, *bulk])
    assert one.events(Event.REPEATED) == 0


def test_9_74_bulk_made_urgent_after_it_has_begun_is_finished_first() -> None:
    line = SerialLine(pace_for(9_600))
    line.linked()
    one, other = line.ends
    bulk, small = noise(4_096, 1), noise(1_000, 2)
    assert one.link.offer(bulk, urgent=False)
    line.pass_time(1)
    assert one.link.offer(small, urgent=False)
    assert one.link.offer(bulk, urgent=True)
    line.run(lambda: len(other.envelopes) == 2)
    assert other.envelopes == [bulk, small]


def test_9_74_an_envelope_made_urgent_changes_the_channel_or_is_finished_first() -> None:
    line = SerialLine(pace_for(300))
    line.linked()
    one, other = line.ends
    begun, waiting, flash = noise(200, 1), noise(200, 2), noise(256, 3)
    for envelope in (begun, noise(200, 9), waiting):
        assert one.link.offer(envelope, urgent=False)
    line.pass_time(3)
    for envelope in (waiting, begun, flash):
        assert one.link.offer(envelope, urgent=True)
    line.run(lambda: len(other.envelopes) == 4)
    assert other.envelopes == [waiting, flash, begun, noise(200, 9)]


@pytest.mark.parametrize(
    "rate, ordinary, urgent, largest, cost",
    [(300, 16, 128, 1_024, 100), (1_200, 64, 128, 1_024, 100), (9_600, 248, 248, 4_096, 60)],
)
def test_9_79_what_a_line_declares_follows_from_its_rate(
    rate: int, ordinary: int, urgent: int, largest: int, cost: int
) -> None:
    pace = pace_for(rate)
    assert (pace.ordinary, pace.urgent, pace.largest, pace.cost) == (ordinary, urgent, largest, cost)
    net = {300: 160, 1_200: 853, 9_600: 7_440}
    assert pace.net_bits_per_second == net[rate]
    noisy = pace_for(rate, frame=12)
    assert (noisy.ordinary, noisy.urgent) == (12, 12)


@pytest.mark.parametrize("wrong", [{"frame": 0}, {"frame": 249}, {"delay_ms": -1}, {"delay_ms": 60_001}])
def test_a_line_that_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(Malformed):
        pace_for(1_200, **wrong)  # type: ignore[arg-type]
    for rate in (0, 49, 4_000_001):
        with pytest.raises(Malformed):
            pace_for(rate)


def test_every_frame_on_the_wire_is_one_that_a_receiver_finds() -> None:
    line = SerialLine(pace_for(300))
    line.linked()
    assert line.ends[0].link.offer(noise(256, 1), urgent=True)
    line.pass_time(30)
    receiver = Receiver()
    for _, frame in line.ends[0].sent:
        assert len(receiver.feed(frame)) == 1
    assert receiver.noise == 0
