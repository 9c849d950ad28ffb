"""A terminal device, bare: every byte goes through as it is, and nothing waits anywhere that can be helped.

Plain termios and not a library: all that is needed is open, read, write and
how much is unsent. What libraries add is in the way here: a write buffer that
a FLASH cannot overtake, threads, addresses of serial servers that are looked
up by name, and debug logs of every byte.
"""

import array
import contextlib
import fcntl
import os
import termios
from pathlib import Path
from typing import Final

from openline.kernel.errors import Malformed, Unavailable

_READ_BYTES: Final = 4_096


def speed_of(baud: int) -> int:
    """Return the system's constant for a speed. Raises Malformed when there is none."""
    speed = getattr(termios, f"B{baud}", None)
    if not isinstance(speed, int) or baud <= 0:
        raise Malformed("not a speed of serial devices, as 300, 1200, 9600 and 115200 are")
    return speed


class Device:
    """An open terminal device, ours alone."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def open(cls, path: Path, speed: int, *, hardware_flow: bool) -> "Device":
        """Open and prepare a device. Raises Unavailable: absent, in use, not permitted, not a terminal."""
        try:
            # Non-blocking: else opening waits for a modem's carrier.
            descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError):
            raise Unavailable("the serial device cannot be opened: is it there, and may this user use it?") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _make_bare(descriptor, speed, hardware_flow=hardware_flow)
            fcntl.ioctl(descriptor, termios.TIOCEXCL)
        except (OSError, termios.error):
            os.close(descriptor)
            raise Unavailable("the serial device cannot be used: something else holds it, or it is none") from None
        return cls(descriptor)

    def read(self) -> bytes:
        """Return what has come, if anything. Raises Unavailable when the device is gone."""
        try:
            data = os.read(self.descriptor, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError:
            raise Unavailable("the serial device is gone") from None
        if not data:
            raise Unavailable("the serial device is gone")  # a hang-up reads as an end of file
        return data

    def write(self, data: bytes) -> int:
        """Write what the system takes now; how much it was. Raises Unavailable when the device is gone."""
        try:
            return os.write(self.descriptor, data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            raise Unavailable("the serial device is gone") from None

    def unsent(self) -> int:
        """Return how many bytes the system has taken and not sent: a device may be slower than it was said to be."""
        count = array.array("i", [0])
        try:
            fcntl.ioctl(self.descriptor, termios.TIOCOUTQ, count)
        except OSError:
            return 0  # a driver that cannot say; or the device is gone, which reading finds
        return count[0]

    def close(self) -> None:
        """Let go of it at once: what is unsent is dropped, for a close would wait for it."""
        with contextlib.suppress(OSError, termios.error):
            termios.tcflush(self.descriptor, termios.TCIOFLUSH)
            fcntl.ioctl(self.descriptor, termios.TIOCNXCL)
        with contextlib.suppress(OSError):
            os.close(self.descriptor)


def _make_bare(descriptor: int, speed: int, *, hardware_flow: bool) -> None:
    """Set eight bits, no parity, one stop bit; nothing translated, echoed or held back."""
    control = termios.tcgetattr(descriptor)[6]
    control[termios.VMIN], control[termios.VTIME] = 1, 0
    # HUPCL: closing lowers DTR, on which a modem hangs up. CLOCAL: silence, not a carrier, says who is there.
    mode = termios.CS8 | termios.CREAD | termios.CLOCAL | termios.HUPCL
    if hardware_flow:
        mode |= termios.CRTSCTS
    termios.tcsetattr(descriptor, termios.TCSANOW, [0, 0, mode, 0, speed, speed, control])
    termios.tcflush(descriptor, termios.TCIOFLUSH)
