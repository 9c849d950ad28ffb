"""Start and stop of a station's process.

    openline up                             what people call
    python -m openline.station HOME         the same, without the command line

SIGTERM, SIGINT and a terminal that is closed end it in order: streams closed, bearers said goodbye,
snapshots written, store closed, in under two seconds, exit status 0. Under
systemd it says when it is ready and that it is alive (sd_notify).
"""

import asyncio
import contextlib
import errno
import gc
import importlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

from openline.kernel.errors import Malformed, Refused, Unavailable
from openline.station.api import Api
from openline.station.config import Config, load_config
from openline.station.log import Few, hear_libraries, quiet_libraries
from openline.station.runtime import Station
from openline.station.server import ApiServer
from openline.station.stopping import told_by_signals
from openline.station.unlock import Unlock

SOCKET = Path("run") / "api.sock"
_PATIENCE_S = 5.0
"""For a systemd that has other work to hear that a station is up; nothing else is held up for it."""
_WATCHDOG_PART = 3
"""Alive is said so many times within what systemd allows."""

OK, TEMPORARY, MISCONFIGURED = 0, 75, 78
"""Exit statuses, as sysexits.h has them."""

EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What a machine says that has no open files, or no memory, left for this process."""


def socket_path(home: Path) -> Path:
    """Where the local API of a station listens."""
    return home / SOCKET


def main(home: Path, unlock: Unlock, *, ready: Callable[[Station], None] | None = None) -> int:
    """Run a station until it is told to stop; the exit status. Raises Refused or Unavailable if it cannot start."""
    if not __debug__:
        raise Malformed("python -O removes checks that a station must not run without")
    config = load_config(home)
    return asyncio.run(serve(home, unlock, config, ready=ready))


async def serve(home: Path, unlock: Unlock, config: Config, *, ready: Callable[[Station], None] | None = None) -> int:
    """Run a station in this loop until a signal or `Station.stop`."""
    loop = asyncio.get_running_loop()
    async with Station.running(home, unlock, config=config) as station:
        handler = quiet_libraries(station.log)
        loop.set_exception_handler(_faults(station))
        server = ApiServer(Api(station), socket_path(home), group=config.api.group)
        await server.start()
        with told_by_signals(station.stop):
            alive = asyncio.create_task(_say_alive())
            try:
                async with _console(station):
                    _settle()
                    notify("READY=1", patience_s=_PATIENCE_S)
                    if ready is not None:
                        ready(station)
                    await station.wait_stopped()
                    notify("STOPPING=1")
                    station.feed.close()
            finally:
                alive.cancel()
                station.feed.close()
                await server.stop()
                hear_libraries(handler)
    return OK


def _console(station: Station) -> contextlib.AbstractAsyncContextManager[None]:
    """The console while the block lasts, if there is to be one. It stands above the station, so it is named and not imported."""
    if station.config.console is None:
        return contextlib.nullcontext()
    serving: Callable[[Station], contextlib.AbstractAsyncContextManager[None]]
    serving = importlib.import_module("openline.console.serving").serving
    return serving(station)


def _settle() -> None:
    """What the start has made stays. The garbage collector need not look through it each time, with the loop standing still."""
    gc.collect()
    gc.freeze()


def _faults(station: Station) -> Callable[[asyncio.AbstractEventLoop, dict[str, object]], None]:
    """What falls through to the loop: its class is logged, its words and values are not.

    Not every one: a socket that cannot take a call says so a hundred times a second.
    """
    few = Few(many=4)

    def handle(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        if told_twice(error):
            return
        used_up = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in EXHAUSTED)
        what, kind = "exhausted" if used_up else "fault", type(error).__name__ if error is not None else "none"
        station.counters[f"loop-{what}"] += 1
        before = few.held_back(station.clock.steady(), what, kind)
        if before is not None:
            station.log.event(f"loop.{what}", kind=kind, before=before)

    return handle


def told_twice(error: object) -> bool:
    """Whether this is asyncio's own slip at the end of a connection, which harms nothing.

    Where a write drains the buffer, and what its protocol then writes fails, the end is told at once and once more
    from the loop; the second time there is no socket left (CPython 3.11 to 3.13, `_SelectorSocketTransport._write_ready`).
    """
    trace = error.__traceback__ if isinstance(error, AttributeError) else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_name == "_call_connection_lost"


# --- systemd ---------------------------------------------------------------------------------------------------


def notify(state: str, *, patience_s: float = 0) -> None:
    """Tell systemd; nothing happens without it. Where it does not listen, that is waited for so long and then left unsaid."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place:
        return
    address = "\0" + place[1:] if place.startswith("@") else place
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as plain:
        plain.settimeout(patience_s)
        plain.connect(address)
        plain.send(state.encode())


async def _say_alive() -> None:
    """As long as the loop turns."""
    allowed = os.environ.get("WATCHDOG_USEC", "")
    if not allowed.isdigit() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(int(allowed) / 1_000_000 / _WATCHDOG_PART)


def exit_status(error: Refused | Unavailable) -> int:
    """What a station that cannot start exits with: 75 try again, 78 put something right first."""
    return TEMPORARY if isinstance(error, Unavailable) else MISCONFIGURED
