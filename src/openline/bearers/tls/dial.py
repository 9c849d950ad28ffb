"""Reaching a station: attempts at its addresses, staggered, repeated, the first accepted one kept.

An attempt has succeeded when the peer's hello was read, not before: under TLS
1.3 a dialler that the peer refuses believes for a while that it is through.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from typing import Final

from openline.bearers.tls.address import Address
from openline.bearers.tls.limits import Event, Pace, Phase
from openline.bearers.tls.peer import Peer
from openline.bearers.tls.wire import Owner, Wire
from openline.kernel.errors import Unavailable
from openline.kernel.units import Entropy

_ATTEMPTS_PER_ADDRESS: Final = 4
"""In flight at once: on a dead path about one new SYN a second, given `Pace.connect_s`."""

UNREACHED: Final = "the other station cannot be reached for pairing"

Attempt = Callable[[Peer, Address], Coroutine[object, object, None]]
"""One attempt to link a peer at an address; it ends without raising, linked or not."""


async def reach(owner: Owner, address: Address, context: ssl.SSLContext, digest: bytes, pace: Pace) -> Wire | None:
    """Connect, shake hands, read the peer's hello; None when any of it fails, which has been counted."""
    try:
        async with asyncio.timeout(pace.connect_s):
            connected = await _connect(address)
    except (OSError, TimeoutError):
        owner.counted(Event.DIAL_FAILED)
        return None
    wire = Wire(owner, context, dialled=True, pace=pace)
    wire.digest = digest
    try:
        await asyncio.get_running_loop().create_connection(lambda: wire, sock=connected)
    except OSError:
        owner.counted(Event.DIAL_FAILED)
        return None
    try:
        await wire.settled.wait()
    except asyncio.CancelledError:
        wire.end()
        raise
    return wire if wire.phase is Phase.OPEN else None


async def first_reached(
    addresses: Sequence[Address], begin: Callable[[Address], asyncio.Task[Wire | None]], stagger_s: float
) -> Wire:
    """The first connection of the attempts that `begin` makes one after another; what the others make is ended.

    Raises Unavailable when none makes one.
    """
    tasks: set[asyncio.Task[Wire | None]] = set()
    try:
        for at, address in enumerate(addresses, 1):
            tasks.add(begin(address))
            wire = await _first_of(tasks, stagger_s if at < len(addresses) else None)
            if wire is not None:
                return wire
        raise Unavailable(UNREACHED)
    finally:
        # Not awaited: whoever gives this up, gives it up now.
        for task in tasks:
            task.cancel()
            task.add_done_callback(_end_spare)


async def _first_of(tasks: set[asyncio.Task[Wire | None]], wait_s: float | None) -> Wire | None:
    """Return the first connection that any of the attempts makes within `wait_s` seconds; forget those that failed."""
    loop = asyncio.get_running_loop()
    end = None if wait_s is None else loop.time() + wait_s
    while tasks:
        left = None if end is None else max(0.0, end - loop.time())
        done, _ = await asyncio.wait(tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            return None
        tasks -= done
        made = [wire for task in done if not task.cancelled() and (wire := task.result()) is not None]
        for spare in made[1:]:
            spare.end()
        if made:
            return made[0]
    return None


def _end_spare(task: asyncio.Task[Wire | None]) -> None:
    if not task.cancelled() and task.exception() is None and (wire := task.result()) is not None:
        wire.end()


async def keep_linked(peer: Peer, attempt: Attempt, *, pace: Pace, entropy: Entropy) -> None:
    """Dial a peer whenever its link is down; never returns."""
    while True:
        await peer.unlinked.wait()
        if peer.delay > pace.retry_s:
            # The last link did not last: something ends it, and haste would feed that.
            await _wait(peer, _jittered(peer.delay, entropy))
        async with asyncio.TaskGroup() as group:
            attempts = await _dial_until_linked(peer, attempt, group, pace=pace, entropy=entropy)
            for _, task in attempts:
                task.cancel()


async def _dial_until_linked(
    peer: Peer, attempt: Attempt, group: asyncio.TaskGroup, *, pace: Pace, entropy: Entropy
) -> list[tuple[Address, asyncio.Task[None]]]:
    """Start attempts until one of them, or the peer's own, has made the link; return those still going on."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    attempts: list[tuple[Address, asyncio.Task[None]]] = []
    while not peer.linked.is_set():
        for address in peer.addresses:
            attempts = [(to, task) for to, task in attempts if not task.done()]
            if [to for to, _ in attempts].count(address) < _ATTEMPTS_PER_ADDRESS:
                task = group.create_task(attempt(peer, address))
                attempts.append((address, task))
                await _wait(peer, pace.stagger_s, task)
            if peer.linked.is_set():
                return attempts
        await _wait(peer, _jittered(peer.delay, entropy))
        fresh = loop.time() - began < pace.quick_for_s
        if not peer.linked.is_set():
            peer.delay = min(peer.delay * 2, pace.quick_retry_s if fresh else pace.slow_retry_s)
    return attempts


async def _wait(peer: Peer, seconds: float, *tasks: asyncio.Task[None]) -> None:
    """Wait for the link, for one of the tasks to end, or for the time to pass."""
    linked = asyncio.ensure_future(peer.linked.wait())
    try:
        await asyncio.wait({linked, *tasks}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        linked.cancel()


def _jittered(seconds: float, entropy: Entropy) -> float:
    """Take a random part of the upper half, so that two sides do not keep meeting each other."""
    return seconds * (1 + int.from_bytes(entropy(2), "big") / 65_536) / 2


async def _connect(address: Address) -> socket.socket:
    connecting = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        connecting.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connecting, (address.host, address.port))
    except BaseException:
        connecting.close()
        raise
    return connecting
