"""TLS over several addresses: dead ones, both families, routes that change; and no name service at all."""

import asyncio
import contextlib
import dataclasses
import ipaddress
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from openline.bearers.tls import Pace, TlsBearer, TlsConfig
from openline.kernel.errors import Unavailable
from tests import steady
from tests.contract.bearer_contract import FAR, NEAR, Recorder
from tests.contract.tls_rig import QUICK, Identity, Path, Post, mute_server, play, running, split, works
from tests.ports import free_port

ASKED: list[object] = []
"""Hosts that this process has asked the system's resolver about."""
_ASKING = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"})


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event in _ASKING and arguments:
        ASKED.append(arguments[0])


sys.addaudithook(_watch)  # for as long as the process lives: it only looks


def names_asked() -> list[object]:
    """Of these, what is no literal address."""
    return [host for host in ASKED if not _literal(host)]


def _literal(host: object) -> bool:
    if host is None:
        return True  # "this machine": nobody is asked
    try:
        ipaddress.ip_address(str(host[0] if isinstance(host, tuple) else host))
    except ValueError:
        return False
    return True


@contextlib.contextmanager
def black_hole() -> Iterator[str]:
    """An address whose connections are never answered: its backlog is full, so that a SYN is dropped."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        yield "{}:{}".format(*listener.getsockname())


class SixPost(Post):
    """A post that listens at both families."""

    def __init__(self, identity: Identity, *, pace: Pace = QUICK) -> None:
        super().__init__(identity, pace=pace)
        config = TlsConfig(
            listen=("127.0.0.1:0", "[::1]:0"), certificate=identity.certificate, key=identity.key, pace=pace
        )
        self.bearer = TlsBearer(config, self.seen, os.urandom)


@contextlib.asynccontextmanager
async def two_paths(near: Post, far: SixPost) -> AsyncIterator[tuple[Path, Path]]:
    """NEAR knows FAR at two addresses, of different families, the IPv4 one first."""
    four, six = await far.bearer.listening()
    first, second = Path(four), Path(six, host="::1")
    far.knows(NEAR, near)
    near.knows(FAR, far, await first.open(), await second.open())
    try:
        yield first, second
    finally:
        await first.close()
        await second.close()


def test_the_black_hole_answers_nobody() -> None:
    with black_hole() as address, socket.socket() as caller:
        caller.settimeout(0.3)
        with pytest.raises(TimeoutError):
            caller.connect(split(address))


@play
async def test_9_36_dead_addresses_of_every_kind_do_not_hide_a_living_one() -> None:
    """At the pace of the real world: none, a closed port, no route, nobody who speaks; then the one that works."""
    near, far = Post(Identity(1), pace=Pace()), SixPost(Identity(2))
    with black_hole() as hole:
        async with mute_server() as mute, running(near, far):
            _, six = await far.bearer.listening()
            far.knows(NEAR, near)
            async with asyncio.timeout(5.0):
                near.knows(FAR, far, hole, "127.0.0.1:9", "[2001:db8::1]:7601", mute, six)
                await near.linked(FAR)
            await works(near, far)


@play
async def test_9_36_both_families_are_listened_at_and_dialled() -> None:
    near, far = Post(Identity(1)), SixPost(Identity(2))
    async with running(near, far):
        four, six = await far.bearer.listening()
        far.knows(NEAR, near)
        for address in (six, four):
            near.knows(FAR, far, address)
            await near.linked(FAR)
            await works(near, far)
            near.bearer.drop_peer(FAR)
            await far.unlinked(NEAR)


@play
async def test_9_36_no_name_service_is_asked() -> None:
    """Not for listening, dialling, failing, coming back or pairing, of either family."""
    ASKED.clear()
    near, far = SixPost(Identity(1)), SixPost(Identity(2))
    with black_hole() as hole:
        async with running(near, far):
            async with two_paths(near, far) as (first, second):
                await near.linked(FAR)
                await first.cut()
                await second.cut()
                await near.unlinked(FAR)
                await second.heal()
                await near.linked(FAR)
                near.knows(FAR, far, hole, "[2001:db8::1]:1", *(await far.bearer.listening()))
                await works(near, far)
            far.bearer.expect_pairing(near.identity.certificate, lambda _: None)
            with contextlib.suppress(Unavailable):
                stream = await near.bearer.pair_dial(far.identity.certificate, (await far.bearer.listening())[1:])
                stream.close()
    assert names_asked() == []


def test_the_watch_on_the_name_service_can_fail() -> None:
    ASKED.clear()
    with contextlib.suppress(OSError):
        socket.getaddrinfo("localhost", 1)
    assert names_asked() == ["localhost"]
    ASKED.clear()


@play
async def test_9_34_when_one_path_is_cut_the_other_takes_over_within_two_seconds() -> None:
    """At the pace of the real world."""
    near, far = Post(Identity(1), pace=Pace()), SixPost(Identity(2), pace=Pace())
    async with running(near, far), two_paths(near, far) as (first, second):
        await near.linked(FAR)
        for cut, healed in ((first, second), (second, first), (first, second)):
            await healed.heal()
            async with asyncio.timeout(2.0):
                await cut.cut()
                await near.unlinked(FAR)
                await near.linked(FAR)
            await far.linked(NEAR)
            await works(near, far)


@play
async def test_9_34_a_path_that_swallows_everything_is_left_for_one_that_does_not() -> None:
    """A route that went away in mid-traffic: nothing is refused, nothing comes back."""
    near, far = Post(Identity(1)), SixPost(Identity(2))
    async with running(near, far), two_paths(near, far) as (first, second):
        await near.linked(FAR)
        await works(near, far)
        first.freeze()
        for number in range(50):
            near.bearer.offer(FAR, b"into the void %d" % number)
        await near.counts("peer-silent")
        await near.linked(FAR)
        await far.counts("peer-silent")
        await far.linked(NEAR)
        assert second.tasks
        await works(near, far)
        # The dead path comes back with all that it held: too late, and harmless.
        await first.heal()
        await works(near, far)
        assert far.seen.envelopes.count(b"into the void 1") <= 1


@play
async def test_addresses_that_change_while_dead_ones_are_dialled_are_dialled_at_once() -> None:
    near, far = Post(Identity(1), pace=dataclasses.replace(Pace(), connect_s=60.0)), Post(Identity(2))
    with black_hole() as hole:
        async with running(near, far):
            far.knows(NEAR, near)
            near.knows(FAR, far, hole)
            await near.bearer.listening()
            async with asyncio.timeout(3.0):
                near.knows(FAR, far, hole, far.address)
                await near.linked(FAR)
            near.knows(FAR, far, hole)  # and the link does not depend on what it was made over
            await works(near, far)


@play
async def test_a_side_that_only_dials_is_reached_over_either_family() -> None:
    """Behind a firewall nothing is listened at; the other side knows no address, and both have a link all the same."""
    near, far = Post(Identity(1)), SixPost(Identity(2))
    near.bearer = TlsBearer(
        TlsConfig(listen=(), certificate=near.identity.certificate, key=near.identity.key, pace=QUICK),
        near.seen,
        os.urandom,
    )
    tasks = [asyncio.create_task(post.bearer.run()) for post in (near, far)]
    _, six = await far.bearer.listening()
    far.knows(NEAR, near)
    near.knows(FAR, far, six)
    await near.linked(FAR)
    await far.linked(NEAR)
    await works(near, far)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


# -- where we listen ----------------------------------------------------------


def test_both_families_may_listen_at_one_port() -> None:
    async def scene() -> None:
        identity = Identity(1)
        port = free_port()
        config = TlsConfig(
            listen=(f"0.0.0.0:{port}", f"[::]:{port}"), certificate=identity.certificate, key=identity.key
        )
        bearer = TlsBearer(config, Recorder(), os.urandom)
        task = asyncio.create_task(bearer.run())
        assert await asyncio.wait_for(bearer.listening(), 30) == config.listen
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    steady.run(scene())


@play
async def test_an_address_that_is_not_there_yet_does_not_make_the_others_deaf() -> None:
    """One provider's address is missing when the station starts, or its port is held; it is listened at when it comes."""
    near, far = Post(Identity(1)), Post(Identity(2))
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", free_port()))
        holder.listen()
        held = "{}:{}".format(*holder.getsockname())
        config = TlsConfig(
            listen=(held, "[::1]:0"), certificate=far.identity.certificate, key=far.identity.key, pace=QUICK
        )
        far.bearer = TlsBearer(config, far.seen, os.urandom)
        async with running(near, far):
            (six,) = await far.bearer.listening()
            assert six.startswith("[::1]:")
            assert far.seen.events["listen-failed"] == 1
            assert "cannot listen" in far.bearer.trouble
            assert held not in far.bearer.trouble
            far.knows(NEAR, near)
            near.knows(FAR, far, six)
            await near.linked(FAR)
            holder.close()
            near.bearer.drop_peer(FAR)
            near.knows(FAR, far, held)
            await near.linked(FAR)
            assert await far.bearer.listening() == (held, six)
            assert far.bearer.trouble == ""
            await works(near, far)


@play
async def test_a_station_that_can_listen_nowhere_still_calls() -> None:
    near, far = Post(Identity(1)), Post(Identity(2))
    config = TlsConfig(
        listen=("192.0.2.1:1",), certificate=near.identity.certificate, key=near.identity.key, pace=QUICK
    )
    near.bearer = TlsBearer(config, near.seen, os.urandom)
    task = asyncio.create_task(near.bearer.run())
    async with running(far):
        far.knows(NEAR, near)
        near.knows(FAR, far, far.address)
        await near.linked(FAR)
        await works(near, far)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
