"""TLS: a certificate that takes the place of another on a link that stands, and claims to somebody else's. Spec 9.38."""

import pytest

from openline.kernel.errors import Conflict, Malformed
from tests import steady
from tests.contract.bearer_contract import FAR, NEAR
from tests.contract.tls_rig import Identity, Post, linked_posts, play, running, works

OLD, NEW = Identity(2), Identity(20)
SPOOF = "spoof"


def announce(at: Post, station: str, identity: Identity) -> list[bytes]:
    """What was announced is told there; returns what has been shown of it."""
    shown: list[bytes] = []
    at.bearer.expect_certificate(station, identity.certificate, shown.append)
    return shown


async def changed(near: Post, far: Post, identity: Identity) -> None:
    """FAR presents another certificate; the link comes back under it."""
    before = len(near.seen.links)
    far.bearer.present(identity.certificate, identity.key)
    await near.seen.until(lambda: len(near.seen.links) > before + 1 and near.bearer.up(FAR))
    await far.linked(NEAR)


@play
async def test_9_38_an_announced_certificate_is_taken_when_it_is_shown_by_who_was_dialled() -> None:
    async with linked_posts() as (near, far, _):
        shown = announce(near, FAR, NEW)
        await works(near, far)  # until then the one before serves
        assert not shown
        await changed(near, far, NEW)
        assert shown == [NEW.certificate]
        await works(near, far)


@play
async def test_9_38_an_announced_certificate_is_taken_when_it_is_shown_by_who_calls() -> None:
    async with linked_posts() as (near, far, _):
        shown = announce(far, NEAR, NEW)
        before = len(far.seen.links)
        near.bearer.present(NEW.certificate, NEW.key)
        await far.seen.until(lambda: len(far.seen.links) > before + 1 and far.bearer.up(NEAR))
        await near.linked(FAR)
        assert shown == [NEW.certificate]
        await works(near, far)


@play
async def test_9_38_the_one_before_is_a_strangers_once_the_new_one_was_shown() -> None:
    async with linked_posts() as (near, far, _):
        announce(near, FAR, NEW)
        await changed(near, far, NEW)
        far.bearer.present(OLD.certificate, OLD.key)
        await near.unlinked(FAR)
        await near.counts("unknown-certificate")
        assert not near.bearer.up(FAR)


@play
async def test_9_38_a_certificate_that_was_not_announced_is_a_strangers() -> None:
    async with linked_posts() as (near, far, _):
        announce(near, FAR, NEW)
        other = Identity(21)
        far.bearer.present(other.certificate, other.key)
        await near.unlinked(FAR)
        await near.counts("unknown-certificate")
        assert not near.bearer.up(FAR)


@play
async def test_9_38_who_announces_anothers_next_certificate_does_not_get_its_link() -> None:
    async with linked_posts() as (near, far, _):
        near.bearer.set_peer(SPOOF, Identity(3).certificate, ())
        shown = announce(near, FAR, NEW)
        stolen = announce(near, SPOOF, NEW)
        await changed(near, far, NEW)
        assert (shown, stolen) == ([NEW.certificate], [])
        assert not near.bearer.up(SPOOF)
        await works(near, far)


@play
async def test_9_38_where_only_the_other_calls_a_certificate_that_two_announced_is_nobodys() -> None:
    hub, caller = Post(Identity(1)), Post(OLD)
    async with running(hub, caller):
        hub.knows(FAR, caller)
        hub.bearer.set_peer(SPOOF, Identity(3).certificate, ())
        caller.knows(NEAR, hub, hub.address)
        await hub.linked(FAR)
        shown, stolen = announce(hub, FAR, NEW), announce(hub, SPOOF, NEW)
        caller.bearer.present(NEW.certificate, NEW.key)
        await hub.unlinked(FAR)
        await hub.counts("unknown-certificate")
        assert (shown, stolen) == ([], [])
        assert not hub.bearer.up(SPOOF)
        hub.bearer.drop_peer(SPOOF)  # people find out whose it is
        await hub.linked(FAR)
        assert shown == [NEW.certificate]


def test_9_38_a_certificate_in_use_by_another_or_of_no_use_is_not_expected() -> None:
    async def tried() -> None:
        near = Post(Identity(1))
        near.bearer.set_peer(FAR, OLD.certificate, ())
        near.bearer.set_peer(SPOOF, Identity(3).certificate, ())
        for taken in (OLD, Identity(1)):
            with pytest.raises(Conflict):
                announce(near, SPOOF, taken)
        with pytest.raises(Malformed):
            near.bearer.expect_certificate(SPOOF, b"none", lambda _: None)

    steady.run(tried())
