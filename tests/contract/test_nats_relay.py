"""The NATS bearer on a real relay, by clauses 9.50 to 9.55: kills, restarts, deletions, credentials, TLS."""

import asyncio
import base64
import contextlib
import datetime
import hashlib
import ipaddress
import json
import os
import random
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from openline.bearers.nats import Event, NatsBearer, NatsConfig, Pace
from openline.bearers.nats.credentials import Credentials, _check, _nkey, read_credentials
from openline.bearers.nats.jetstream import _members
from openline.bearers.nats.limits import DURABLE, inbox, subject
from openline.bearers.nats.wire import Lost, dial, parse_server
from openline.kernel.errors import Malformed
from tests.contract.bearer_contract import FAR, NEAR, Recorder
from tests.contract.nats_rig import QUICK, Post, Server, administrator, needs_nats, running, server
from tests.contract.tls_rig import play
from tests.waiting import until


def noise(number: int, size: int = 300) -> bytes:
    return random.Random(number).randbytes(size)


def test_9_51_an_inbox_names_no_station() -> None:
    name = hashlib.sha256(b"openline/1 nats\nnear").hexdigest()[:32]
    assert inbox("near") == name
    assert subject("near") == f"openline.{name}.*"
    assert subject("near", b"envelope") == f"openline.{name}.{hashlib.sha256(b'envelope').hexdigest()}"


# -- who we are to the relay ----------------------------------------------------------------------------------


def nkey_seed(seed: bytes) -> str:
    raw = bytes(((18 << 3) | (160 >> 5), (160 & 31) << 3)) + seed
    return base64.b32encode(raw + _check(raw)).decode().rstrip("=")


def test_9_55_credentials_are_read_in_three_forms_and_no_other() -> None:
    seed = nkey_seed(bytes(32))
    assert seed.startswith("SU")
    assert read_credentials(b"") == Credentials()
    assert read_credentials(b"alpha:s3:cret\n") == Credentials(user="alpha", password="s3:cret")
    assert read_credentials(seed.encode()) == Credentials(seed=bytes(32))
    both = f"""-----BEGIN NATS USER JWT-----
eyJ0eXAi.eyJ.c2ln
------END NATS USER JWT------

************************* IMPORTANT *************************

-----BEGIN USER NKEY SEED-----
{seed}
------END USER NKEY SEED------
"""
    assert read_credentials(both.encode()) == Credentials(jwt="eyJ0eXAi.eyJ.c2ln", seed=bytes(32))
    wrong = (b"alpha", b":secret", b"a b:c", b"\xff:x", seed[:-1].encode(), seed[:-1].encode() + b"A", b"a:b\nc:d")
    for data in (*wrong, both.replace("NKEY SEED", "NKEY").encode(), both.replace(seed, "SUAAAA").encode()):
        with pytest.raises(Malformed):
            read_credentials(data)


def test_9_55_a_credentials_secrets_show_in_no_text() -> None:
    config = NatsConfig(
        station=NEAR, servers=("192.0.2.7:4222",), credentials=b"user:hidden", server_name="relay.example"
    )
    shown = repr(config) + repr(Credentials(user="user", password="hidden", jwt="token", seed=b"seed"))
    assert not any(word in shown for word in ("192.0.2.7", "hidden", "user", "relay", "token", "b'seed'"))


@pytest.mark.parametrize("text", ["relay.example:4222", "192.0.2.1", "192.0.2.1:0", "[192.0.2.1]:1", "::1:4222", "nats://192.0.2.1:4222"])  # fmt: skip
def test_9_50_only_literal_addresses(text: str) -> None:
    with pytest.raises(Malformed):
        NatsBearer(NatsConfig(station=NEAR, servers=(text,)), Recorder(), os.urandom)
    with pytest.raises(Malformed):
        NatsBearer(NatsConfig(station=NEAR, servers=()), Recorder(), os.urandom)


@needs_nats
@pytest.mark.full
def test_9_55_a_user_and_password_are_shown_and_a_wrong_one_is_told() -> None:
    with server("--user", "alpha", "--pass", "secret") as relay:

        @play
        async def admitted() -> None:
            near = Post(NEAR, FAR, relay.address, credentials=b"alpha:secret")
            far = Post(FAR, NEAR, relay.address, credentials=b"alpha:secret")
            wrong = Post("third", NEAR, relay.address, credentials=b"alpha:guess")
            nobody = Post("fourth", NEAR, relay.address)
            async with running(near, far, wrong, nobody):
                await near.up()
                await near.sends(far, noise(1))
                await wrong.counts(Event.NOT_ADMITTED)
                await nobody.counts(Event.NOT_ADMITTED)
                assert not wrong.bearer.up(NEAR)
                assert wrong.seen.events[Event.NOT_ADMITTED] == 1  # the same trouble is counted once

        admitted()


@needs_nats
@pytest.mark.full
def test_9_55_an_nkey_answers_the_relays_challenge() -> None:
    seed = random.Random(5).randbytes(32)
    public = _nkey(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())
    with server(config=f"authorization {{ users = [ {{ nkey: {public} }} ] }}") as relay:

        @play
        async def admitted() -> None:
            near = Post(NEAR, FAR, relay.address, credentials=nkey_seed(seed).encode())
            far = Post(FAR, NEAR, relay.address, credentials=nkey_seed(seed).encode())
            other = Post("third", NEAR, relay.address, credentials=nkey_seed(bytes(32)).encode())
            async with running(near, far, other):
                await near.up()
                await near.sends(far, noise(1))
                await other.counts(Event.NOT_ADMITTED)

        admitted()


@needs_nats
@pytest.mark.full
def test_9_55_the_documented_permissions_are_enough_and_fewer_are_told() -> None:
    needed = ["openline.>", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.CREATE.*", "$JS.API.CONSUMER.>", "$JS.ACK.>"]
    page = (Path(__file__).parents[2] / "docs" / "operators" / "nats.md").read_text()
    assert all(f"`{each}`" in page for each in needed)
    users = [
        {"user": "enough", "password": "x", "permissions": {"publish": needed, "subscribe": ["_INBOX.>"]}},
        {"user": "narrow", "password": "x", "permissions": {"publish": ["openline.>"], "subscribe": ["_INBOX.>"]}},
    ]
    with server(config=f"jetstream {{}}\nauthorization {{ users = {json.dumps(users)} }}") as relay:

        @play
        async def allowed() -> None:
            near = Post(NEAR, FAR, relay.address, credentials=b"enough:x")
            far = Post(FAR, NEAR, relay.address, credentials=b"enough:x")
            narrow = Post("third", NEAR, relay.address, credentials=b"narrow:x", pace=replace(QUICK, answer_s=0.2))
            async with running(near, far, narrow):
                await near.up()
                await near.sends(far, noise(1))
                await narrow.counts(Event.NOT_ALLOWED)

        allowed()


def certificate(folder: Path, name: str) -> bytes:
    """A certificate for 127.0.0.1 that certifies itself; its PEM. The key lies beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject_name)
        .issuer_name(subject_name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    (folder / f"{name}.pem").write_bytes(pem)
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem


@needs_nats
@pytest.mark.full
def test_9_55_tls_where_an_authority_is_configured(tmp_path: Path) -> None:
    ours, another = certificate(tmp_path, "ours"), certificate(tmp_path, "another")
    config = f'tls {{ cert_file: "{tmp_path}/ours.pem", key_file: "{tmp_path}/ours.key" }}'

    def bearer(own: str, other: str, address: str, authority: bytes, seen: Recorder) -> NatsBearer:
        made = NatsConfig(station=own, servers=(address,), authority=authority, credentials=b"a:b", pace=QUICK)
        found = NatsBearer(made, seen, os.urandom)
        found.set_peer(other)
        return found

    with server(config=config) as relay, server() as plain:

        @play
        async def secured() -> None:
            posts = [Post(NEAR, FAR, relay.address), Post(FAR, NEAR, relay.address), Post("third", NEAR, relay.address)]
            for post, authority in zip(posts, (ours, ours, another), strict=True):
                own = {0: NEAR, 1: FAR, 2: "third"}[posts.index(post)]
                post.bearer = bearer(own, post.other, relay.address, authority, post.seen)
            stripped = Post("fourth", NEAR, plain.address)
            stripped.bearer = bearer("fourth", NEAR, plain.address, ours, stripped.seen)
            near, far, fooled = posts
            async with running(near, far, fooled, stripped):
                await near.up()
                await near.sends(far, noise(1))
                await fooled.counts(Event.NOT_SECURED)
                # A relay, or who stands before it, that says it has no TLS: nothing is said to it, no password above all.
                await stripped.counts(Event.NOT_SECURED)

        secured()


def test_9_55_an_authority_that_is_none_is_refused() -> None:
    with pytest.raises(Malformed):
        NatsBearer(NatsConfig(station=NEAR, servers=("127.0.0.1:1",), authority=b"not PEM"), Recorder(), os.urandom)


# -- what may happen to a relay -------------------------------------------------------------------------------


@needs_nats
@pytest.mark.full
def test_9_54_a_relay_killed_and_started_again_hands_out_what_it_had_stored() -> None:
    with server() as relay:

        @play
        async def restarted() -> None:
            near, far = Post(NEAR, FAR, relay.address), Post(FAR, NEAR, relay.address)
            async with running(near, far):
                await near.up()
                await far.up()
                await near.sends(far, noise(0))
            far = Post(FAR, NEAR, relay.address)  # its station is away now; its inbox is not
            async with running(near):
                await near.up()
                for number in range(1, 51):
                    assert near.bearer.offer(FAR, noise(number))
                await _stored(relay, FAR, 50)
                relay.kill()
                await near.down()
                assert not near.bearer.offer(FAR, noise(51))
                relay.start()
                await near.up()
                async with running(far):
                    await far.seen.until(lambda: len(far.seen.arrivals) >= 50)
                    assert sorted(far.seen.envelopes) == sorted(noise(number) for number in range(1, 51))
                    assert {station for station, _ in far.seen.arrivals} == {None}
                    await far.up()
                    await far.sends(near, noise(99))

        restarted()


@needs_nats
@pytest.mark.full
def test_9_54_a_relay_killed_again_and_again_stops_nothing() -> None:
    with server() as relay:

        @play
        async def often() -> None:
            near, far = Post(NEAR, FAR, relay.address), Post(FAR, NEAR, relay.address)
            async with running(near, far):
                for number in range(5):
                    await near.up()
                    await far.up()
                    await near.sends(far, noise(number))
                    await far.sends(near, noise(-number - 1))
                    relay.kill()
                    await near.down()
                    await far.down()
                    relay.start()
                await near.up()
                downs = [up for _, up in near.seen.links]
                assert downs == [True, False] * 5 + [True]

        often()


@needs_nats
@pytest.mark.full
def test_9_52_the_same_bytes_lie_there_once_while_nobody_fetches() -> None:
    with server() as relay:

        @play
        async def once() -> None:
            near, far = Post(NEAR, FAR, relay.address), Post(FAR, NEAR, relay.address)
            async with running(far):
                await _inbox(relay, FAR)
            async with running(near):
                await near.up()
                for _ in range(3):
                    for number in range(10):
                        assert near.bearer.offer(FAR, noise(number))
                    await _quiet(near)
                    await asyncio.to_thread(_pass_time)  # beyond the relay's own window against doubles
                async with administrator(relay) as (_, stream):
                    said = await stream._ask(f"STREAM.INFO.OPENLINE-{inbox(FAR)[:16]}", {})
                assert said["state"]["messages"] == 10  # type: ignore[index]
            far = Post(FAR, NEAR, relay.address)
            async with running(far):
                await far.seen.until(lambda: len(far.seen.arrivals) >= 10)
                assert sorted(far.seen.envelopes) == sorted(noise(number) for number in range(10))

        once()


@needs_nats
@pytest.mark.full
def test_9_52_the_inbox_is_made_as_the_specification_says() -> None:
    with server() as relay:

        @play
        async def described() -> None:
            far = Post(FAR, NEAR, relay.address)
            async with running(far):
                await _inbox(relay, FAR)
                async with administrator(relay) as (_, stream):
                    said = await stream._ask(f"STREAM.INFO.OPENLINE-{inbox(FAR)[:16]}", {})
            config = said["config"]
            wanted = {
                "subjects": [subject(FAR)],
                "retention": "workqueue",
                "storage": "file",
                "discard": "old",
                "max_msgs_per_subject": 1,
                "max_bytes": 64 * 2**20,
                "max_age": 14 * 86_400 * 10**9,
                "duplicate_window": 10**9,
            }
            assert {name: config[name] for name in wanted} == wanted  # type: ignore[index]

        described()


def test_9_54_a_relay_that_is_not_reached_is_dialled_again_soon_and_one_that_refuses_us_is_left_in_peace() -> None:
    """Five seconds for an attempt and five between two were ten after a long cut until the relay was found again."""
    pace = Pace()
    for event in (Event.DIAL_FAILED, Event.LOST, Event.SILENT):
        assert pace.reach_s + pace.longest(event) <= 3
    for event in (Event.NOT_ADMITTED, Event.NOT_SECURED, Event.NO_JETSTREAM, Event.GARBLED):
        assert pace.longest(event) == 5

    async def unreached() -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, contextlib.ExitStack() as callers:
            for _ in range(3):  # its queue is full: what else is said to it is lost
                caller = callers.enter_context(socket.socket())
                caller.setblocking(False)
                caller.connect_ex(deaf.getsockname())
            server = parse_server(f"127.0.0.1:{deaf.getsockname()[1]}")
            with pytest.raises(Lost) as failure:
                await dial(server, None, "", Credentials(), replace(pace, connect_s=600, reach_s=0.05))
            assert failure.value.event is Event.DIAL_FAILED

    asyncio.run(asyncio.wait_for(unreached(), 60))


@needs_nats
@pytest.mark.full
def test_9_54_an_inbox_deleted_under_us_is_made_again() -> None:
    with server() as relay:

        @play
        async def deleted() -> None:
            near, far = Post(NEAR, FAR, relay.address), Post(FAR, NEAR, relay.address)
            async with running(near, far):
                await near.up()
                await near.sends(far, noise(1))
                async with administrator(relay) as (_, stream):
                    for station in (FAR, NEAR):
                        await stream._ask(f"STREAM.DELETE.OPENLINE-{inbox(station)[:16]}", {})
                await far.counts(Event.NO_INBOX)
                await near.counts(Event.NO_INBOX)
                await _inbox(relay, FAR)
                await _repeated(near, far, noise(2))

        deleted()


@needs_nats
@pytest.mark.full
def test_9_54_a_consumer_deleted_under_us_is_made_again_although_the_inbox_is_there() -> None:
    """The relay says so at once: nobody waits until a fetch that nobody answers is over."""
    with server() as relay:

        @play
        async def deleted() -> None:
            patient = replace(QUICK, fetch_s=600.0)
            near, far = Post(NEAR, FAR, relay.address), Post(FAR, NEAR, relay.address, pace=patient)
            async with running(near, far):
                await near.up()
                await near.sends(far, noise(1))
                async with administrator(relay) as (_, stream):
                    await stream._ask(f"CONSUMER.DELETE.OPENLINE-{inbox(FAR)[:16]}.{DURABLE}", {})
                await _repeated(near, far, noise(2))

        deleted()


@needs_nats
@pytest.mark.full
def test_9_54_the_link_waits_for_the_peers_inbox() -> None:
    with server() as relay:

        @play
        async def waits() -> None:
            near, far = Post(NEAR, FAR, relay.address), Post(FAR, NEAR, relay.address)
            async with running(near):
                await _inbox(relay, NEAR)
                assert not near.bearer.up(FAR)
                async with running(far):
                    await near.up()
                    await near.sends(far, noise(1))

        waits()


@needs_nats
@pytest.mark.full
def test_9_53_what_is_no_envelope_is_dropped_and_stops_nothing() -> None:
    with server() as relay:

        @play
        async def odd() -> None:
            near, far = Post(NEAR, FAR, relay.address), Post(FAR, NEAR, relay.address)
            async with running(near, far):
                await near.up()
                async with administrator(relay) as (wire, _):
                    wire.publish(subject(FAR).replace("*", "x"), b"")
                    wire.publish(subject(FAR).replace("*", "y"), bytes(16_385))
                    await wire.drained()
                    await far.counts(Event.NO_ENVELOPE, 2)
                await near.sends(far, noise(1))
                assert far.seen.envelopes == [noise(1)]

        odd()


@needs_nats
@pytest.mark.full
def test_9_52_an_inbox_that_somebody_set_up_is_used_as_it_is() -> None:
    with server() as relay:

        @play
        async def ready_made() -> None:
            async with administrator(relay) as (_, stream):
                await stream._ask("STREAM.CREATE.prepared", {"name": "prepared", "subjects": [subject(FAR)]})
                near, far = Post(NEAR, FAR, relay.address), Post(FAR, NEAR, relay.address)
                async with running(near, far):
                    await near.up()
                    await near.sends(far, noise(1))
                    said = await stream._ask("STREAM.INFO.prepared", {})
                    assert said["state"]["consumer_count"] == 1  # type: ignore[index]

        ready_made()


@needs_nats
@pytest.mark.full
def test_a_station_is_served_from_when_it_is_known_to_when_it_is_forgotten() -> None:
    with server() as relay:

        @play
        async def known() -> None:
            near, far = Post(NEAR, FAR, relay.address), Post("third", NEAR, relay.address)
            async with running(near, far):
                await far.up()
                near.bearer.set_peer("third")
                near.bearer.set_peer("third")
                await near.seen.until(lambda: near.bearer.up("third"))
                assert near.bearer.offer("third", noise(1))
                await far.seen.until(lambda: bool(far.seen.arrivals))
                near.bearer.drop_peer("third")
                near.bearer.drop_peer("third")
                assert not near.bearer.up("third")
                assert not near.bearer.offer("third", noise(2))

        known()


async def _inbox(relay: Server, station: str) -> None:
    """Wait until a station's inbox is there."""
    async with administrator(relay) as (_, stream), asyncio.timeout(60):
        while await stream.find(station) is None:
            pass


async def _stored(relay: Server, station: str, number: int) -> None:
    """Wait until so many messages lie in an inbox."""
    async with administrator(relay) as (_, stream), asyncio.timeout(60):
        name = f"STREAM.INFO.OPENLINE-{inbox(station)[:16]}"
        while (await stream._ask(name, {}))["state"]["messages"] < number:  # type: ignore[index]
            pass


async def _repeated(post: Post, to: Post, envelope: bytes) -> None:
    """Offer it as the protocol does: again and again, until it has arrived."""
    async with asyncio.timeout(60):
        while envelope not in to.seen.envelopes:
            post.bearer.offer(post.other, envelope)
            with contextlib.suppress(TimeoutError):
                await to.seen.until(lambda: envelope in to.seen.envelopes, deadline_s=0.1)


async def _quiet(post: Post) -> None:
    """Wait until nothing waits and nothing is under way."""
    peer = post.bearer._peers[post.other]
    await asyncio.to_thread(until, lambda: not (peer.outbox.files or peer.under_way))


def _pass_time() -> None:
    end = time.monotonic() + QUICK.twice_s + 0.1
    until(lambda: time.monotonic() > end)


def test_the_relays_answers_are_json_or_nothing() -> None:
    assert _members(b'{"a": 1}') == {"a": 1}
    for data in (b"", b"[1]", b"{", b"\xff", b"[" * 50_000, json.dumps("x").encode()):
        assert _members(data) == {}
