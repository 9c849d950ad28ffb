"""The bearer over a serial line: one device, one station at its other end.

Frames are handed to the system one at a time, each when the one before has
left by the line's own rate: what waits in a terminal's buffer, 4 KiB or two
minutes at 300 bit/s, no FLASH could overtake. A device that is absent, taken
or gone is a link that is down, tried again for as long as it takes.

Whoever sits at the other end of the wire is not authenticated here: envelopes
are reported as nobody's, and only what is inside them is believed.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from openline.bearers.serial.device import Device, speed_of
from openline.bearers.serial.limits import MOST_PAYLOAD, Event, Pace, pace_for
from openline.bearers.serial.link import Arrived, Link, Linked, Output
from openline.bearers.serial.modem import Conversation, Step
from openline.kernel.errors import Conflict, TooLarge, Unavailable
from openline.kernel.units import Entropy
from openline.ports import BearerTraits, Intake

_SETTLE_S: Final = 60.0
"""After a modem's call stands: how long until both ends have heard each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialConfig:
    """Which device, and what the line is like."""

    device: Path = field(repr=False)
    bits_per_second: int = 9_600
    """What the line carries: behind a modem, the modem's rate and not the device's."""
    name: str = "serial"
    """The bearer's name; another one for each further device."""
    baud: int = 0
    """The device's own speed; 0 where it is the line's."""
    frame: int = MOST_PAYLOAD
    """The most data in a frame; a noisy line wants fewer than follow from its rate."""
    delay_ms: int = 200
    """One way, beside the bits themselves: modems a fifth of a second, a satellite hop 600."""
    half_duplex: bool = False
    hardware_flow: bool = False
    """RTS/CTS. XON/XOFF is never used, and must be off in the modem: it would take bytes out of frames."""
    chat: tuple[Step, ...] = field(default=(), repr=False)
    """What a modem is told first; when the link goes down it is hung up and told again."""
    retry_s: float = 2.0
    """After a device that could not be opened or a call that could not be made."""
    pace: Pace | None = None
    """For tests; else what fits the line."""


class SerialBearer:
    """A Bearer; its one peer may be set and dropped while it runs."""

    def __init__(self, config: SerialConfig, intake: Intake, entropy: Entropy) -> None:
        """Raise Malformed when rate, speed, frame or delay are none that a line can have."""
        self._config, self._intake, self._entropy = config, intake, entropy
        self._speed = speed_of(config.baud or config.bits_per_second)
        self._pace = config.pace or pace_for(
            config.bits_per_second, frame=config.frame, delay_ms=config.delay_ms, half_duplex=config.half_duplex
        )
        self._traits = BearerTraits(
            name=config.name,
            largest=self._pace.largest,
            cost=self._pace.cost,
            one_way=False,
            bits_per_second=self._pace.net_bits_per_second,
            delay_ms=config.delay_ms,
        )
        self.trouble = ""
        """What is wrong with the device or the modem, in words for people; empty while nothing is."""
        self._peer: str | None = None
        self._link: Link | None = None
        """While running."""
        self._gone = False
        self._unwritten = b""
        self._stirred = asyncio.Event()

    # -- the port ----------------------------------------------------------

    @property
    def traits(self) -> BearerTraits:
        """What it can do."""
        return self._traits

    async def run(self) -> None:
        """Keep the device open and carry until cancelled. Never raises for what the world does."""
        self._link = link = Link(self._pace, self._entropy, asyncio.get_running_loop().time())
        try:
            while True:
                await self._with_device(link)
                await asyncio.sleep(self._config.retry_s)
        finally:
            self._link = None
            if link.up and self._peer is not None:
                self._intake.link(self._config.name, self._peer, up=False)

    def offer(self, station: str, envelope: bytes, *, urgent: bool = False) -> bool:
        """Queue one envelope; False when down or full. Raises TooLarge above `traits.largest`."""
        if len(envelope) > self._traits.largest:
            raise TooLarge("the envelope is larger than the bearer carries")
        if self._link is None or not self.up(station):
            return False
        self._stirred.set()
        return self._link.offer(envelope, urgent=urgent)

    def up(self, station: str) -> bool:
        """Whether frames of the other end's are heard, and that end is this station's."""
        return self._link is not None and self._link.up and station == self._peer

    # -- the peer ----------------------------------------------------------

    def set_peer(self, station: str) -> None:
        """Say whose station is at the other end. Raises Conflict while that is another's."""
        if self._peer not in {None, station}:
            raise Conflict("the serial line leads to another station")
        if self._peer is None:
            self._peer = station
            if self.up(station):
                self._intake.link(self._config.name, station, up=True)

    def drop_peer(self, station: str) -> None:
        """Send nothing to a station any more. Harmless when it is not the one."""
        if self._peer != station:
            return
        was_up, self._peer = self.up(station), None
        if self._link is not None:
            self._link.reset(asyncio.get_running_loop().time())  # what was queued is for nobody now
            self._stirred.set()
        if was_up:
            self._intake.link(self._config.name, station, up=False)

    # -- the device --------------------------------------------------------

    async def _with_device(self, link: Link) -> None:
        """Open the device and work with it until it is gone, or a modem's call is over."""
        try:
            device = Device.open(self._config.device, self._speed, hardware_flow=self._config.hardware_flow)
        except Unavailable as error:
            self.trouble = str(error)
            self._intake.counted(self._config.name, Event.DEVICE_ABSENT)
            return
        loop = asyncio.get_running_loop()
        self._gone, self._unwritten = False, b""
        try:
            if await self._called(device):
                self.trouble = ""
                loop.add_reader(device.descriptor, self._readable, device, link)
                await self._carry(device, link)
        except Unavailable as error:
            self.trouble = str(error)
            self._intake.counted(self._config.name, Event.DEVICE_LOST)
        finally:
            loop.remove_reader(device.descriptor)
            device.close()
            self._note(link.reset(loop.time()))

    async def _called(self, device: Device) -> bool:
        """Let the modem, if there is one, make or take a call; whether it did."""
        conversation = Conversation(device.write)
        loop = asyncio.get_running_loop()

        def hear() -> None:
            try:
                conversation.hear(device.read())
            except Unavailable:
                loop.remove_reader(device.descriptor)
                conversation.end()

        loop.add_reader(device.descriptor, hear)
        try:
            await conversation.hold(self._config.chat)
        except Unavailable as error:
            self.trouble = str(error)
            self._intake.counted(self._config.name, Event.MODEM_FAILED)
            return False
        return True

    async def _carry(self, device: Device, link: Link) -> None:
        """Write what is due when the wire is free. Raises Unavailable when the device is gone."""
        loop = asyncio.get_running_loop()
        free_at, settled_at = loop.time(), loop.time() + _SETTLE_S
        while not self._gone:
            self._stirred.clear()
            now = loop.time()
            self._note(link.tick(now))
            if self._config.chat and not link.up and now >= settled_at:
                return  # hang up, call again
            if link.up:
                settled_at = now
            if now >= free_at:
                free_at = now + self._write(device, link, now)
            await self._until(max(free_at, link.deadline()) if not self._unwritten else free_at)
        raise Unavailable("the serial device is gone")

    def _write(self, device: Device, link: Link, now: float) -> float:
        """Hand the system one frame, if there is one and it has sent the last; for how long the wire is busy."""
        if not self._unwritten and not device.unsent():
            self._unwritten = link.next_frame(now) or b""
            if not self._unwritten:
                return 0.0
        elif not self._unwritten:
            return 4 * self._pace.byte_s  # slower than it was said to be: look again
        written = device.write(self._unwritten)
        self._unwritten = self._unwritten[written:]
        return max(written, 4) * self._pace.byte_s

    async def _until(self, moment: float) -> None:
        """Wait for a moment, or for something to happen before it."""
        timer = asyncio.get_running_loop().call_at(moment, self._stirred.set)
        try:
            await self._stirred.wait()
        finally:
            timer.cancel()

    def _readable(self, device: Device, link: Link) -> None:
        try:
            data = device.read()
        except Unavailable:
            asyncio.get_running_loop().remove_reader(device.descriptor)
            self._gone = True
        else:
            self._note(link.receive(data, asyncio.get_running_loop().time()))
        self._stirred.set()

    def _note(self, outputs: list[Output]) -> None:
        """Tell the station what came of it."""
        for output in outputs:
            match output:
                case Event():
                    self._intake.counted(self._config.name, output)
                case Arrived(envelope):
                    self._intake.arrived(self._config.name, None, envelope)
                case Linked(up):
                    if self._peer is not None:
                        self._intake.link(self._config.name, self._peer, up=up)
