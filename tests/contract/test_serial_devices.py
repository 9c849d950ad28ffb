"""Serial bearers on real terminal devices (pty pairs), on a wire that takes ten bits a byte."""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from openline.bearers.serial import SerialBearer, SerialConfig, Step, pace_for
from openline.kernel.errors import Conflict, Malformed
from tests import steady
from tests.contract.bearer_contract import FAR, NEAR, Recorder
from tests.contract.serial_rig import Plug, SerialRig, ends, linked, quick


def play(test: Callable[[], Awaitable[None]], *, limit_s: float = 240.0) -> None:
    async def limited() -> None:
        async with asyncio.timeout(limit_s):
            await test()

    steady.run(limited())


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.mark.parametrize("rate", [pytest.param(300, marks=pytest.mark.full), 1_200, 9_600])
def test_9_73_a_flash_overtakes_on_a_real_device_because_nothing_is_stuffed_into_it(rate: int) -> None:
    """Bytes are asserted (also 9.78); seconds are printed, since a busy machine keeps no time."""
    pace = pace_for(rate)

    async def test() -> None:
        async with ends(bits_per_second=rate) as (rig, at_near, at_far):
            await linked(rig, at_near, at_far)
            assert rig.near.offer(FAR, noise(1_000, 1))
            await rig.there.until_carried(rig.there.carried + 100)
            mark, began = rig.there.carried, asyncio.get_running_loop().time()
            flash = noise(256, 2)
            assert rig.near.offer(FAR, flash, urgent=True)
            await at_far.until(lambda: bool(at_far.envelopes), deadline_s=40)
            took, carried = asyncio.get_running_loop().time() - began, rig.there.carried - mark
            print(f"FLASH of 256 bytes at {rate} bit/s in mid-envelope: {took:.2f} s, {carried} bytes on the wire")
            assert at_far.envelopes == [flash]
            heads = -(-256 // pace.urgent) * 8
            # Two bytes more than the rule: what the wire takes at once; and those of 0.3 s until a busy loop is told.
            # What was stuffed into a device would be the rest of the first envelope: 900 bytes.
            assert carried <= pace.ordinary + 8 + 256 + heads + 2 + 960 * rate // 100_000 + 3 * rate // 100

    play(test)


@pytest.mark.parametrize("kind", ["flips", "drops", "control", "bursts"])
def test_9_75_noise_on_the_wire_costs_time_and_never_a_wrong_byte(kind: str) -> None:
    dice = random.Random(kind)

    def fault(data: bytes) -> bytes:
        if dice.random() > 0.02:
            return data
        at = dice.randrange(len(data))
        match kind:
            case "flips":
                return data[:at] + bytes((data[at] ^ 1 << dice.randrange(8),)) + data[at + 1 :]
            case "drops":
                return data[:at] + data[at + 1 :]
            case "control":
                return data[:at] + dice.choice([b"\x11", b"\x13"]) + data[at:]
            case _:
                return data + dice.randbytes(dice.randrange(600))

    async def test() -> None:
        pace = replace(quick(115_200), silence_s=20.0)
        async with ends(bits_per_second=115_200, pace=pace) as (rig, at_near, at_far):
            await linked(rig, at_near, at_far)
            rig.there.fault = rig.back.fault = fault
            sent = [noise(2_000, number) for number in range(8)]
            for envelope in sent:
                assert rig.near.offer(FAR, envelope)
                assert rig.far.offer(NEAR, envelope)
            await at_far.until(lambda: len(at_far.envelopes) >= 8, deadline_s=40)
            await at_near.until(lambda: len(at_near.envelopes) >= 8, deadline_s=40)
            assert at_near.envelopes == at_far.envelopes == sent
            assert at_far.events["noise"] + at_near.events["noise"] > 0

    play(test)


# -- the device ---------------------------------------------------------------


def test_9_77_a_device_pulled_out_is_a_link_that_is_down_until_it_is_back() -> None:
    async def test() -> None:
        async with ends(bits_per_second=115_200, pace=quick(115_200)) as (rig, at_near, at_far):
            await linked(rig, at_near, at_far)
            rig.there.stop()
            rig.plugs[0].pull_out()
            await at_near.until(lambda: at_near.events["device-lost"] == 1)
            assert not rig.near.up(FAR)
            assert at_near.links == [(FAR, True), (FAR, False)]
            assert rig.near.trouble
            assert not rig.near.offer(FAR, b"nowhere")
            await at_near.until(lambda: at_near.events["device-absent"] >= 2)
            await at_far.until(lambda: not rig.far.up(NEAR))
            rig.plugs[0].put_in()
            rig.there.start()
            await linked(rig, at_near, at_far)
            assert not rig.near.trouble
            assert rig.near.offer(FAR, b"back")
            await at_far.until(lambda: b"back" in at_far.envelopes)

    play(test)


def not_there(folder: Path) -> Path:
    return folder / "ttyNONE"


def a_file(folder: Path) -> Path:
    path = folder / "file"
    path.write_bytes(b"not a terminal")
    return path


def a_folder(folder: Path) -> Path:
    return folder


def a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


@pytest.mark.parametrize("made", [not_there, a_file, a_folder, a_pipe])
def test_what_is_no_serial_device_is_a_device_that_is_absent(made: Callable[[Path], Path], tmp_path: Path) -> None:
    path = made(tmp_path)

    async def test() -> None:
        seen = Recorder()
        bearer = SerialBearer(SerialConfig(device=path, retry_s=0.01), seen, os.urandom)
        bearer.set_peer(FAR)
        task = asyncio.create_task(bearer.run())
        await seen.until(lambda: seen.events["device-absent"] >= 3)
        assert not task.done()
        assert "serial device cannot be" in bearer.trouble
        assert str(tmp_path) not in bearer.trouble
        assert seen.links == []
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not path.is_file() or path.read_bytes() == b"not a terminal"

    play(test)


def test_a_device_that_another_bearer_holds_is_absent() -> None:
    async def test() -> None:
        async with ends(bits_per_second=115_200, pace=quick(115_200)) as (rig, at_near, at_far):
            await linked(rig, at_near, at_far)
            seen = Recorder()
            second = SerialBearer(SerialConfig(device=rig.plugs[0].path, retry_s=0.01), seen, os.urandom)
            task = asyncio.create_task(second.run())
            await seen.until(lambda: seen.events["device-absent"] >= 2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert rig.near.offer(FAR, b"undisturbed")
            await at_far.until(lambda: b"undisturbed" in at_far.envelopes)

    play(test)


def test_9_78_a_device_that_takes_nothing_holds_up_only_itself() -> None:
    """Flow control, or nobody at the other end: the frame waits, the loop goes on, the link goes down."""

    async def test() -> None:
        async with ends(bits_per_second=115_200, pace=quick(115_200)) as (rig, at_near, at_far):
            await linked(rig, at_near, at_far)
            rig.there.stop()  # nobody empties the terminal any more
            number = 0
            while rig.near.offer(FAR, noise(4_000, number)):
                number += 1
            await at_near.until(lambda: not rig.near.up(FAR))
            assert at_near.events["device-lost"] == 0
            rig.there.start()
            await linked(rig, at_near, at_far)

    play(test)


def test_a_peer_may_come_and_go_while_the_wire_stands() -> None:
    async def test() -> None:
        async with ends(bits_per_second=115_200, pace=quick(115_200)) as (rig, at_near, at_far):
            await linked(rig, at_near, at_far)
            with pytest.raises(Conflict):
                rig.near.set_peer("another")
            rig.near.drop_peer("another")
            assert rig.near.up(FAR)
            rig.near.drop_peer(FAR)
            rig.near.drop_peer(FAR)
            assert at_near.links == [(FAR, True), (FAR, False)]
            assert not rig.near.offer(FAR, b"to nobody")
            rig.near.set_peer("another")
            await at_near.until(lambda: rig.near.up("another"))
            assert not rig.near.up(FAR)
            assert at_near.links[-1] == ("another", True)

    play(test)


@pytest.mark.parametrize("wrong", [{"baud": 301}, {"bits_per_second": 301}, {"bits_per_second": 0}, {"frame": 0}])
def test_a_device_that_cannot_be_so_is_refused_at_the_start(wrong: dict[str, int]) -> None:
    with pytest.raises(Malformed):
        SerialBearer(SerialConfig(device=Path("/dev/null"), **wrong), Recorder(), os.urandom)  # type: ignore[arg-type]
    slow_call = SerialConfig(device=Path("/dev/null"), bits_per_second=301, baud=9_600)
    assert SerialBearer(slow_call, Recorder(), os.urandom).traits.bits_per_second == pace_for(301).net_bits_per_second


def test_no_device_and_no_number_is_shown() -> None:
    config = SerialConfig(device=Path("/dev/ttyS7"), chat=(Step(send="ATDT0041", expect="CONNECT"),))
    assert "ttyS7" not in repr(config)
    assert "0041" not in repr(config)


# -- a modem ------------------------------------------------------------------


class Modem:
    """Answers each line that the station's end says with the next of its words."""

    def __init__(self, plug: Plug, words: list[bytes]) -> None:
        self.heard: list[bytes] = []
        self.stirred = asyncio.Event()
        self._plug, self._words = plug, words
        self._partial = b""
        asyncio.get_running_loop().add_reader(plug.master, self._readable)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._plug.master)

    def _readable(self) -> None:
        *lines, self._partial = (self._partial + os.read(self._plug.master, 4_096)).split(b"\r")
        for line in lines:
            self.heard.append(line)
            self.stirred.set()
            if self._words:
                os.write(self._plug.master, line + b"\r\r\n" + self._words.pop(0) + b"\r\n")


DIAL = (Step(send="ATZ", expect="OK", wait_s=5), Step(send="ATDT5550100", expect="CONNECT", wait_s=5))


def test_a_modem_is_told_what_to_do_and_then_the_line_stands() -> None:
    async def test() -> None:
        at_near, at_far = Recorder(), Recorder()
        rig = SerialRig(at_near, at_far, pace=quick(115_200))
        config = SerialConfig(device=rig.plugs[0].path, chat=DIAL, pace=quick(115_200), retry_s=0.05)
        near = SerialBearer(replace(config, bits_per_second=115_200), at_near, os.urandom)
        near.set_peer(FAR)
        rig.near = near
        modem = Modem(rig.plugs[0], [b"OK", b"CONNECT 115200"])
        tasks = [asyncio.create_task(near.run()), asyncio.create_task(rig.far.run())]
        while len(modem.heard) < 2:
            modem.stirred.clear()
            await modem.stirred.wait()
        modem.close()
        await rig.started()
        await linked(rig, at_near, at_far)
        assert modem.heard == [b"ATZ", b"ATDT5550100"]
        assert near.offer(FAR, b"called")
        await at_far.until(lambda: b"called" in at_far.envelopes)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await rig.close()

    play(test)


@pytest.mark.parametrize(
    "words",
    [[b"OK", b"NO CARRIER"], [b"OK", b"BUSY"], [b"ERROR"], [b"OK"], []],
    ids=lambda words: b" ".join(words).decode(),
)
def test_a_call_that_cannot_be_made_is_tried_again(words: list[bytes]) -> None:
    async def test() -> None:
        plug, seen = Plug(), Recorder()
        chat = tuple(replace(step, wait_s=0.2) for step in DIAL)
        bearer = SerialBearer(SerialConfig(device=plug.path, chat=chat, retry_s=0.01), seen, os.urandom)
        modem = Modem(plug, list(words))
        task = asyncio.create_task(bearer.run())
        await seen.until(lambda: seen.events["modem-failed"] >= 2)
        assert modem.heard.count(b"ATZ") >= 2
        assert seen.events["device-lost"] == 0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        modem.close()
        plug.close()

    play(test)


def test_a_modem_pulled_out_in_mid_call_is_no_reason_to_wait_for_ever() -> None:
    async def test() -> None:
        plug, seen = Plug(), Recorder()
        chat = (Step(send="ATZ"), Step(expect="RING", wait_s=0))
        bearer = SerialBearer(SerialConfig(device=plug.path, chat=chat, retry_s=0.01), seen, os.urandom)
        modem = Modem(plug, [b"OK"])
        task = asyncio.create_task(bearer.run())
        while not modem.heard:
            modem.stirred.clear()
            await modem.stirred.wait()
        modem.close()
        plug.pull_out()
        await seen.until(lambda: seen.events["modem-failed"] == 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        plug.close()

    play(test)


def test_the_rig_is_as_slow_as_it_says() -> None:
    """Else every measurement above would be worth nothing."""

    async def test() -> None:
        rig = SerialRig(Recorder(), Recorder(), bits_per_second=9_600)
        loop = asyncio.get_running_loop()
        descriptor = os.open(rig.plugs[0].path, os.O_RDWR | os.O_NOCTTY)
        await rig.started()
        began = loop.time()
        os.write(descriptor, bytes(960))
        await rig.there.until_carried(960)
        assert loop.time() - began > 0.95
        os.close(descriptor)
        await rig.close()

    play(test)
