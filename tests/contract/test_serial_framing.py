"""Frames on a serial line: what goes through, and that nothing else does."""

import re
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openline.bearers.serial.framing import Receiver, checked, frame_of, stuffed, unstuffed
from openline.bearers.serial.incoming import Incoming
from openline.bearers.serial.limits import LARGEST_ASSEMBLED, WINDOW, Event

BODIES = st.binary(min_size=1, max_size=250)
SEEDS = st.integers(0, 2**32 - 1)
SPEC = Path(__file__).resolve().parents[2] / "spec" / "09-envelopes.md"


def bodies(receiver: Receiver, data: bytes, seed: int) -> list[bytes]:
    return [body for content in receiver.feed(data) if (body := checked(content, seed)) is not None]


@given(BODIES, SEEDS)
def test_9_70_a_frame_is_six_bytes_more_and_has_one_zero(body: bytes, seed: int) -> None:
    frame = frame_of(body, seed)
    assert len(frame) == len(body) + 6 <= 256
    assert frame.index(0) == len(frame) - 1


@given(st.binary(min_size=1, max_size=254))
def test_9_70_stuffing_can_be_undone(content: bytes) -> None:
    assert unstuffed(stuffed(content)) == content


@given(st.binary(max_size=300))
def test_9_70_there_is_one_stuffing_for_each_content(coded: bytes) -> None:
    content = unstuffed(coded)
    assert content is None or 0 in coded or stuffed(content) == coded


@given(st.lists(BODIES, max_size=8), st.data())
def test_9_70_frames_are_found_however_the_bytes_come(sent: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(frame_of(body, 7) for body in sent)
    receiver, found = Receiver(), list[bytes]()
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += bodies(receiver, stream[:size], 7)
        stream = stream[size:]
    assert found == sent
    assert receiver.noise == 0


@given(st.lists(st.binary(max_size=700), max_size=6), BODIES)
def test_9_70_after_any_noise_the_next_zero_is_a_new_beginning(noise: list[bytes], body: bytes) -> None:
    receiver = Receiver()
    for each in noise:
        assert bodies(receiver, each, 7) == []
        assert len(receiver._partial) <= 256
    assert bodies(receiver, b"\0" + frame_of(body, 7), 7)[-1:] == [body]


def test_9_70_a_stretch_without_an_end_is_dropped_as_it_comes() -> None:
    receiver = Receiver()
    for _ in range(100):
        assert receiver.feed(b"U" * 1_000) == []
        assert len(receiver._partial) <= 256
    assert bodies(receiver, b"\0" + frame_of(b"after it", 7), 7) == [b"after it"]
    assert receiver.noise == 1


@given(BODIES, SEEDS, st.data())
def test_9_70_a_damaged_frame_is_none(body: bytes, seed: int, data: st.DataObject) -> None:
    frame = bytearray(frame_of(body, seed))
    at = data.draw(st.integers(0, len(frame) - 1))
    match data.draw(st.sampled_from(["flip", "drop", "insert", "control"])):
        case "flip":
            frame[at] ^= 1 << data.draw(st.integers(0, 7))
        case "drop":
            del frame[at]
        case "insert":
            frame.insert(at, data.draw(st.integers(0, 255)))
        case _:
            frame.insert(at, data.draw(st.sampled_from([0x11, 0x13])))
    found = bodies(Receiver(), bytes(frame) + b"\0", seed)
    # An inserted zero before, behind or as a copy of the frame's own leaves it whole.
    assert found in ([], [body])
    if found:
        assert bytes(frame).strip(b"\0") == frame_of(body, seed).strip(b"\0")


@given(BODIES, SEEDS, SEEDS)
def test_9_71_a_frame_of_another_session_does_not_check(body: bytes, seed: int, other: int) -> None:
    content = Receiver().feed(frame_of(body, seed))[0]
    assert checked(content, seed) == body
    assert checked(content, other) is None or other == seed


def test_9_72_the_examples_of_the_specification() -> None:
    """9.70, 9.71 and 9.72, byte for byte."""
    examples = dict(re.findall(r"^(hello|data|state) {2,3}([0-9a-f]+)$", SPEC.read_text(), re.MULTILINE))
    ours, theirs = bytes.fromhex("01020304"), bytes.fromhex("0a0b0c0d")
    assert examples["hello"] == frame_of(b"\x10" + ours + bytes(4), 0).hex()
    assert examples["data"] == frame_of(b"\x24\x00hello", zlib.crc32(ours + theirs)).hex()
    state = Incoming()
    state.take(0, b"hello", last=True)
    body = b"\x30" + Incoming().state() + state.state()
    assert examples["state"] == frame_of(body, zlib.crc32(theirs + ours)).hex()


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(min_size=1, max_size=4), st.booleans()), max_size=60))
def test_9_74_a_channel_takes_any_frames_and_keeps_a_window_of_them(frames: list[tuple[int, bytes, bool]]) -> None:
    channel = Incoming()
    for number, payload, last in frames:
        before = channel.expected
        _, odd = channel.take(number, payload, last=last)
        assert len(channel._held) < WINDOW
        inside = (number - before) % 256 < WINDOW
        assert inside or odd in {Event.DUPLICATE, Event.OUTSIDE_WINDOW}
        assert (channel.expected - before) % 256 <= WINDOW


@given(st.permutations(range(12)), st.integers(0, 255))
def test_9_74_frames_in_any_order_are_one_envelope(order: list[int], first: int) -> None:
    channel = Incoming()
    channel.expected = first
    envelopes: list[bytes] = []
    for at in order:
        came, odd = channel.take((first + at) % 256, bytes((at,)), last=at == 11)
        again, repeated = channel.take((first + at) % 256, b"x", last=True)
        envelopes += came + again
        assert (odd, repeated) == (None, Event.DUPLICATE)
    assert envelopes == [bytes(range(12))]


@pytest.mark.parametrize("size", [LARGEST_ASSEMBLED, LARGEST_ASSEMBLED + 1])
def test_9_74_an_envelope_that_grows_too_large_is_dropped(size: int) -> None:
    channel = Incoming()
    whole = bytes(size)
    pieces = [whole[start : start + 200] for start in range(0, size, 200)]
    for number, piece in enumerate(pieces[:-1]):
        assert channel.take(number % 256, piece, last=False) == ([], None)
        assert sum(map(len, channel._parts)) <= LARGEST_ASSEMBLED
    fits = size <= LARGEST_ASSEMBLED
    ends = channel.take((len(pieces) - 1) % 256, pieces[-1], last=True)
    assert ends == (([whole], None) if fits else ([], Event.ENVELOPE_TOO_LARGE))
    assert channel.take(len(pieces) % 256, b"next", last=True) == ([b"next"], None)


def test_9_72_the_state_names_every_frame_that_is_here() -> None:
    channel = Incoming()
    for number in (0, 2, 3, 15):
        channel.take(number, b"x", last=False)
    assert channel.state() == bytes((1,)) + (0b1 | 0b10 | 1 << 13).to_bytes(2, "big")
