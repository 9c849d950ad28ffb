"""A bearer that is stopped leaves no connection and no port open, whatever it was in the middle of.

Every case stops it after so many turns of the loop, from the first on: each await on the way is met.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import pytest

from openline.bearers.tls import PairStream
from openline.kernel.errors import Unavailable
from tests.contract.bearer_contract import FAR, NEAR
from tests.contract.tls_rig import Identity, Post, play, running, split

TURNS = range(24)
"""A connection stands after fewer."""


def descriptors() -> frozenset[str]:
    """The files and sockets that this process has open; of what was open before, a test's thread may close some."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that is looked through, for one
            found.add(str(link.readlink()))
    return frozenset(found)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])


def is_over(caller: socket.socket) -> bool:
    """Whether the other end of a connection is gone, as far as the system knows at this moment."""
    with contextlib.suppress(ConnectionResetError):
        with contextlib.suppress(BlockingIOError):
            while caller.recv(65_536):
                pass
            return True
        return False
    return True


def call(address: str) -> socket.socket:
    """A connection that the system has taken for who listens, and nobody else yet."""
    caller = socket.create_connection(split(address), timeout=10)
    caller.setblocking(False)
    return caller


@pytest.mark.parametrize("late", range(6))
def test_who_calls_as_a_bearer_stops_is_hung_up_on(late: int) -> None:
    @play
    async def stopped() -> None:
        before = descriptors()
        post = Post(Identity(1))
        task = asyncio.create_task(post.bearer.run())
        address = (await post.bearer.listening())[0]
        with contextlib.closing(call(address)) as caller:
            await turns(late)
            await stop(task)
            assert is_over(caller)
            assert len(descriptors() - before) == 1

    stopped()


@pytest.mark.parametrize("late", TURNS)
def test_a_bearer_stopped_as_it_starts_listens_no_more(late: int) -> None:
    @play
    async def stopped() -> None:
        before = descriptors()
        post = Post(Identity(1))
        task = asyncio.create_task(post.bearer.run())
        await turns(late)
        await stop(task)
        assert descriptors() <= before

    stopped()


@contextlib.asynccontextmanager
async def answering() -> AsyncIterator[tuple[Post, Callable[[], Coroutine[None, None, PairStream]]]]:
    """A bearer, and how to open a pairing conversation from it; its other side answers at the second of two addresses."""
    near, far = Post(Identity(1)), Post(Identity(2))
    async with running(far):
        far.bearer.expect_pairing(near.identity.certificate, lambda _: None)
        far.knows(NEAR, near)
        with socket.create_server(("127.0.0.1", 0)) as mute:
            places = (f"127.0.0.1:{mute.getsockname()[1]}", far.address)
            yield near, lambda: near.bearer.pair_dial(far.identity.certificate, places)


@pytest.mark.parametrize("late", [*TURNS, *range(24, 400, 16)])
def test_a_bearer_stopped_as_it_dials_keeps_no_connection(late: int) -> None:
    """To a peer, and for a pairing; the conversation that may have begun is over too."""

    @play
    async def stopped() -> None:
        async with answering() as (near, dial):
            far_certificate = Identity(2).certificate
            before = descriptors()
            task = asyncio.create_task(near.bearer.run())
            await near.bearer.listening()
            near.bearer.set_peer(FAR, far_certificate, ("127.0.0.1:9",))
            dialling = asyncio.create_task(dial())
            await turns(late)
            await stop(task)
            with contextlib.suppress(Unavailable):
                stream = await dialling
                with pytest.raises(Unavailable):
                    await stream.send(b"a word")
            mine = descriptors() - before
        assert len(mine) <= 2  # the far side's own end of two connections, which it is still to notice

    stopped()


@pytest.mark.parametrize("late", [*TURNS, *range(24, 400, 16)])
def test_a_pairing_call_that_is_given_up_keeps_no_connection(late: int) -> None:
    """Given up twice, as by an end of the station in an end of the pairing: the second is not swallowed."""

    @play
    async def given_up() -> None:
        async with answering() as (near, dial), running(near):
            before = descriptors()
            dialling = asyncio.create_task(dial())
            await turns(late)
            too_late = dialling.done()
            dialling.cancel()
            await asyncio.sleep(0)
            dialling.cancel()
            await asyncio.wait([dialling])
            assert dialling.cancelled() is not too_late
            if too_late:
                dialling.result().close()
            await turns(8)
            assert len(descriptors() - before) <= 1

    given_up()
