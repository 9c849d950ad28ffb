"""TLS links over real sockets: peers that come and go, paths that break, both sides dialling, pairing."""

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from openline.bearers.tls import Pace, PairStream, TlsBearer, TlsConfig
from openline.bearers.tls.limits import HELLO_BYTES, Kind
from openline.bearers.tls.outbox import Outbox
from openline.kernel.errors import TooLarge, Unavailable
from tests import steady
from tests.contract.bearer_contract import DEADLINE_S, FAR, NEAR, Recorder
from tests.contract.tls_rig import (
    HELLO,
    QUICK,
    Identity,
    Path,
    Post,
    RawClient,
    linked_posts,
    lower_first,
    mute_server,
    play,
    running,
    works,
)

ROOT = pathlib.Path(__file__).parents[2]

# -- peers that come and go ----------------------------------------------------


@play
async def test_a_peer_removed_at_run_time_is_a_stranger_at_once() -> None:
    async with linked_posts() as (near, far, _):
        far.bearer.drop_peer(NEAR)
        assert far.seen.links[-1] == (NEAR, False)
        assert not far.bearer.offer(NEAR, b"gone")
        await near.unlinked(FAR)
        await far.counts("unknown-certificate")
        far.knows(NEAR, near)
        await far.linked(NEAR)
        await near.linked(FAR)
        await works(near, far)


@play
async def test_new_addresses_leave_a_link_alone_and_a_new_certificate_ends_it() -> None:
    async with linked_posts() as (near, far, _):
        near.knows(FAR, far, "127.0.0.1:9", far.address)
        await works(near, far)
        assert near.seen.links == [(FAR, True)]
        near.bearer.set_peer(FAR, Identity(3).certificate, ())
        assert near.seen.links == [(FAR, True), (FAR, False)]


@play
async def test_many_peers_with_the_same_subject_are_told_apart() -> None:
    hub = Post(Identity(1))
    spokes = {f"spoke-{number}": Post(Identity(10 + number)) for number in range(8)}
    async with running(hub, *spokes.values()):
        for name, spoke in spokes.items():
            hub.knows(name, spoke)
            spoke.knows("hub", hub, hub.address)
        for name, spoke in spokes.items():
            await hub.linked(name)
            await spoke.linked("hub")
            assert spoke.bearer.offer("hub", name.encode())
        await hub.seen.until(lambda: len(hub.seen.arrivals) == len(spokes))
        assert all(station == envelope.decode() for station, envelope in hub.seen.arrivals)


@play
async def test_a_dead_address_does_not_hide_a_living_one() -> None:
    near, far = Post(Identity(1), pace=dataclasses.replace(QUICK, handshake_s=60.0)), Post(Identity(2))
    async with mute_server() as hole, running(near, far):
        far.knows(NEAR, near)
        near.knows(FAR, far, hole, "127.0.0.1:9", far.address)
        await near.linked(FAR)


def test_an_address_that_cannot_be_listened_at_is_said_without_naming_it() -> None:
    async def scene() -> None:
        identity = Identity(1)
        config = TlsConfig(listen=("192.0.2.1:1",), certificate=identity.certificate, key=identity.key)
        seen = Recorder()
        bearer = TlsBearer(config, seen, os.urandom)
        task = asyncio.create_task(bearer.run())
        await seen.until(lambda: seen.events["listen-failed"] == 1)
        assert await bearer.listening() == ()
        assert bearer.trouble.startswith("cannot listen")
        assert "192.0.2.1" not in f"{bearer.trouble} {config}"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    steady.run(scene())


# -- paths that break ----------------------------------------------------------


@play
async def test_a_killed_connection_is_made_again_within_two_seconds() -> None:
    """At the pace of the real world."""
    async with linked_posts(pace=Pace()) as (near, far, path):
        await path.cut()
        await near.unlinked(FAR)
        await far.unlinked(NEAR)
        await path.heal()
        async with asyncio.timeout(2.0):
            await near.linked(FAR)
            await far.linked(NEAR)
        await works(near, far)


@play
async def test_9_34_a_pulled_cable_is_noticed_and_the_link_comes_back() -> None:
    async with linked_posts() as (near, far, path):
        path.freeze()
        async with asyncio.timeout(QUICK.silence_s + QUICK.beat_s + 1.0):  # a steady clock's
            await near.counts("peer-silent")
            await far.counts("peer-silent")
        assert not near.bearer.up(FAR)
        await path.heal()
        await near.linked(FAR)
        await far.linked(NEAR)
        await works(near, far)


def test_9_34_the_paces_notice_a_pulled_cable_within_ten_seconds() -> None:
    pace = Pace()
    assert (pace.beat_s, pace.silence_s) == (2.5, 7.5)
    assert pace.silence_s + pace.beat_s <= 10.0


@play
async def test_9_34_a_quiet_link_stays_up() -> None:
    """The beats of both sides are enough: several times the deadline pass without an envelope."""
    async with linked_posts(pace=dataclasses.replace(QUICK, beat_s=0.3, silence_s=2.0)) as (near, far, _):
        with contextlib.suppress(TimeoutError):
            await near.seen.until(lambda: len(near.seen.links) > 1, deadline_s=5.0)
        assert (near.seen.links, near.seen.events["peer-silent"]) == ([(FAR, True)], 0), near.seen.events
        assert (far.seen.links, far.seen.events["peer-silent"]) == ([(NEAR, True)], 0), far.seen.events


# -- both sides dial -----------------------------------------------------------


@contextlib.asynccontextmanager
async def crossing(leader: Post, other: Post) -> AsyncIterator[tuple[Path, Path]]:
    """Both dial, each over its own path; `leader` has the lower digest. The paths are theirs, in that order."""
    async with running(leader, other):
        of_leader, of_other = Path(other.address), Path(leader.address)
        addresses = await of_leader.open(), await of_other.open()
        of_leader.freeze()
        of_other.freeze()
        leader.knows("other", other, addresses[0])
        other.knows("leader", leader, addresses[1])
        await of_leader.until_connections(1)
        await of_other.until_connections(1)
        await of_leader.heal()
        await of_other.heal()
        try:
            yield of_leader, of_other
        finally:
            await of_leader.close()
            await of_other.close()


@pytest.mark.parametrize("_round", range(10))
def test_9_35_two_diallers_end_with_one_connection_and_an_unbroken_link(_round: int) -> None:
    async def scene() -> None:
        leader, other = (Post(identity, pace=Pace()) for identity in lower_first(Identity(1), Identity(2)))
        async with crossing(leader, other) as paths:
            await leader.linked("other")
            await other.linked("leader")
            # Whatever is said while they sort it out arrives.
            said = [b"%d" % number for number in range(200)]
            for envelope in said:
                assert leader.bearer.offer("other", envelope)
                assert other.bearer.offer("leader", envelope)
                await asyncio.sleep(0)
            await leader.seen.until(lambda: len(leader.seen.arrivals) == 200)
            await other.seen.until(lambda: len(other.seen.arrivals) == 200)
            assert sorted(leader.seen.envelopes) == sorted(other.seen.envelopes) == sorted(said)
            async with asyncio.timeout(DEADLINE_S):
                while sum(len(path.tasks) for path in paths) != 1:
                    stirs = [asyncio.ensure_future(path.next_stir()) for path in paths]
                    await asyncio.wait(stirs, return_when=asyncio.FIRST_COMPLETED)
            assert leader.seen.links == [("other", True)]
            assert other.seen.links == [("leader", True)]

    steady.run(scene())


@play
async def test_9_35_a_dead_connection_is_not_preferred_to_a_living_one() -> None:
    """The leader's own connection is the better one; frozen, and not yet given up, it must not win."""
    one, two = lower_first(Identity(1), Identity(2))
    leader = Post(one, pace=dataclasses.replace(QUICK, silence_s=60.0, doubt_s=60.0))
    other = Post(two, pace=dataclasses.replace(QUICK, silence_s=2.0))
    async with running(leader, other):
        path = Path(other.address)
        other.knows("leader", leader)
        leader.knows("other", other, await path.open())
        await leader.linked("other")
        await other.linked("leader")
        path.freeze()
        await other.counts("peer-silent")
        other.knows("leader", leader, leader.address)
        await other.linked("leader")
        mark = b"over the living one"
        assert other.bearer.offer("leader", mark)
        await leader.seen.until(lambda: mark in leader.seen.envelopes)
        assert leader.bearer.offer("other", mark)
        await other.seen.until(lambda: mark in other.seen.envelopes)
        assert leader.seen.links == [("other", True)]
        await path.close()


@play
async def test_a_peer_that_dials_anew_takes_the_link_and_what_was_queued_with_it() -> None:
    """A station that lost its power comes back before we have missed it. The old connection is full by then."""
    near, far = Identity(1), Post(Identity(2))
    async with running(far):
        far.bearer.set_peer(NEAR, near.certificate, ())
        old = await RawClient.dial(near, far)
        old.writer.write(HELLO)
        await far.linked(NEAR)
        old.reader._transport.pause_reading()  # type: ignore[attr-defined] # asyncio has no other way
        taken = []
        while far.bearer.offer(NEAR, envelope := os.urandom(16_000)):
            taken.append(envelope)
            await asyncio.sleep(0)
        new = await RawClient.dial(near, far)
        new.writer.write(HELLO)
        assert await new.frame() == (Kind.HELLO, HELLO_BYTES)
        moved = [(await new.frame())[1]]
        while moved[-1] != taken[-1]:
            moved.append((await new.frame())[1])
        assert len(moved) > 40
        assert moved == taken[-len(moved) :]
        assert far.seen.links == [(NEAR, True)]
        old.reader._transport.resume_reading()  # type: ignore[attr-defined]
        # The old one gets what had left already, our last frame, and its end.
        frames = [frame async for frame in old.frames()]
        assert [payload for _, payload in frames[1:-1]] == taken[: -len(moved)]
        assert frames[-1] == (Kind.RETIRE, b"")
        new.writer.transport.abort()


# -- pairing -------------------------------------------------------------------


@contextlib.asynccontextmanager
async def pairing() -> AsyncIterator[tuple[Post, Post, PairStream, PairStream]]:
    near, far = Post(Identity(1), pace=Pace()), Post(Identity(2), pace=Pace())
    async with running(near, far):
        came: asyncio.Queue[PairStream] = asyncio.Queue()
        far.bearer.expect_pairing(near.identity.certificate, came.put_nowait)
        dialled = await near.bearer.pair_dial(far.identity.certificate, ("127.0.0.1:9", far.address))
        async with asyncio.timeout(DEADLINE_S):
            accepted = await came.get()
        yield near, far, dialled, accepted


@play
async def test_a_pairing_conversation_goes_both_ways() -> None:
    async with pairing() as (near, far, dialled, accepted):
        await dialled.send(b"my nonce")
        assert await accepted.receive() == b"my nonce"
        largest = os.urandom(65_536)
        await accepted.send(largest)
        assert await dialled.receive() == largest
        with pytest.raises(TooLarge):
            await dialled.send(bytes(65_537))
        assert not near.seen.links
        assert not far.seen.links
        assert not near.bearer.up(FAR)
        await dialled.send(b"last word")
        dialled.close()
        assert await accepted.receive() == b"last word"
        with pytest.raises(Unavailable):
            await accepted.receive()
        with pytest.raises(Unavailable):
            await accepted.send(b"nobody there")


@play
async def test_a_pairing_partner_that_says_nothing_is_given_up() -> None:
    async with pairing() as (_, _, dialled, _):
        with pytest.raises(Unavailable):
            await dialled.receive(deadline_s=0.05)


@play
async def test_a_pairing_partner_that_floods_is_cut() -> None:
    async with pairing() as (near, _, dialled, accepted):
        for _ in range(17):
            await accepted.send(bytes(60_000))
        await near.counts("pair-flooded")
        for _ in range(16):
            await dialled.receive()
        with pytest.raises(Unavailable):
            await dialled.receive()


@play
async def test_only_the_expected_certificate_may_pair() -> None:
    async with pairing() as (near, far, _, _):
        third = Post(Identity(3))
        async with running(third):
            with pytest.raises(Unavailable):
                await third.bearer.pair_dial(far.identity.certificate, (far.address,))
        far.bearer.end_pairing(near.identity.certificate)
        with pytest.raises(Unavailable):
            await near.bearer.pair_dial(far.identity.certificate, (far.address,))
        near.knows(FAR, far, far.address)
        await near.counts("refused-by-peer")
        assert not near.seen.links


def test_the_outbox_moves_without_loss_and_keeps_its_order() -> None:
    one, two = Outbox(1_000_000), Outbox(10)
    for number in range(3):
        one.add(Kind.ENVELOPE, b"o%d" % number, urgent=False)
        one.add(Kind.ENVELOPE, b"u%d" % number, urgent=True)
    one.move_to(two)
    assert one.size == 0
    batch = two.next_batch()
    assert [batch[at + 5 : at + 7] for at in range(0, len(batch), 7)] == [b"u0", b"u1", b"u2", b"o0", b"o1", b"o2"]


# -- a path that loses everything for a while ---------------------------------


@pytest.mark.full
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a network namespace")
@pytest.mark.parametrize("fault", ["swallows", "pulled"])
def test_another_connection_is_tried_beside_one_on_which_nothing_gets_through(fault: str) -> None:
    """TCP waits ever longer between its own attempts: after a cut of six seconds up to six more."""
    command = ["unshare", "--net", sys.executable, "-m", "tests.contract.stalled_path", fault]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=270)
    assert done.stdout.endswith("passed\n"), done.stderr[-2_000:]
