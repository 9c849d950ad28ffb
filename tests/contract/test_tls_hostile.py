"""TLS against the world: strangers, scanners, floods, dead paths and crossing connections, on real sockets.

What a stranger does costs a counter. What a peer does wrong costs its link.
"""

import asyncio
import dataclasses
import datetime
import logging
import os
import ssl
import struct

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key
from cryptography.x509.oid import NameOID

from openline.bearers.certificate import check_certificate, new_certificate, new_key, server_context
from openline.bearers.tls import Pace, TlsBearer, TlsConfig
from openline.bearers.tls.address import parse_address
from openline.bearers.tls.limits import HELLO_BYTES, LINK_PROTOCOL, PAIR_PROTOCOL, Kind
from openline.bearers.tls.outbox import HEADER
from openline.kernel.errors import Conflict, Malformed
from tests import steady
from tests.contract.bearer_contract import FAR, NEAR, Recorder
from tests.contract.tls_rig import (
    HELLO,
    QUICK,
    Identity,
    Post,
    RawClient,
    linked_posts,
    mute_server,
    play,
    running,
    split,
    works,
)


async def tcp(target: Post, *, source: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*split(target.address), local_addr=(source, 0))


async def is_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Wait until the other side closes, reading whatever it says before."""
    await RawClient(reader, writer).closed()


def dated(identity: Identity, first_year: int, last_year: int) -> Identity:
    """The same key, certified for other years."""
    return signed(identity, identity, first_year, last_year)


def signed(identity: Identity, issuer: Identity, first_year: int = 1970, last_year: int = 9999) -> Identity:
    """A certificate for one identity's key, signed by another's, and fit to sign others itself."""
    key, issuer_key = (load_der_private_key(one.key, None) for one in (identity, issuer))
    assert isinstance(key, Ed25519PrivateKey)
    assert isinstance(issuer_key, Ed25519PrivateKey)
    builder = x509.CertificateBuilder(
        issuer_name=named(issuer_key),
        subject_name=named(key),
        public_key=key.public_key(),
        serial_number=7,
        not_valid_before=datetime.datetime(first_year, 1, 1),
        not_valid_after=datetime.datetime(last_year, 12, 31),
    ).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    made = Identity(0)
    made.key = identity.key
    made.certificate = builder.sign(issuer_key, None).public_bytes(Encoding.DER)
    return made


def named(key: Ed25519PrivateKey) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, key.public_key().public_bytes_raw().hex())])


# -- certificates --------------------------------------------------------------


def test_a_certificate_is_a_function_of_its_key_and_names_nobody() -> None:
    key = new_key(bytes(32))
    certificate = new_certificate(key)
    assert certificate == new_certificate(key)
    parsed = x509.load_der_x509_certificate(certificate)
    assert parsed.subject.rfc4514_string() == "CN=station"
    assert (parsed.not_valid_before_utc.year, parsed.not_valid_after_utc.year) == (1970, 9999)
    assert not list(parsed.extensions)


@pytest.mark.parametrize("bad", [b"", b"\x30\x00", b"x" * 5_000, new_certificate(new_key(bytes(32))) + b"\x00"])
def test_what_is_no_certificate_cannot_be_pinned(bad: bytes) -> None:
    with pytest.raises(Malformed):
        check_certificate(bad)


@pytest.mark.parametrize(
    "bad",
    ["", "7601", "localhost:7601", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:7601", "[127.0.0.1]:1", "1:-1"],
)
def test_9_36_only_literal_addresses_with_a_port_are_addresses(bad: str) -> None:
    with pytest.raises(Malformed):
        parse_address(bad)


@play
async def test_9_30_validity_dates_are_ignored() -> None:
    near, far = Post(dated(Identity(1), 1981, 1982)), Post(dated(Identity(2), 2098, 2099))
    async with running(near, far):
        far.knows(NEAR, near)
        near.knows(FAR, far, far.address)
        await near.linked(FAR)
        await far.linked(NEAR)
        await works(near, far)


@play
async def test_a_dialler_with_a_wrong_certificate_gets_no_further() -> None:
    async with linked_posts() as (near, far, _):
        stranger = Post(Identity(3))
        async with running(stranger):
            stranger.knows(FAR, far, far.address)
            await far.counts("unknown-certificate")
            await stranger.counts("refused-by-peer")
            assert not stranger.seen.links
            await works(near, far)


@play
async def test_an_acceptor_with_a_wrong_certificate_is_not_believed() -> None:
    impostor, near = Post(Identity(3)), Post(Identity(1))
    async with running(impostor, near):
        impostor.knows(NEAR, near)
        near.bearer.set_peer(FAR, Identity(2).certificate, (impostor.address,))
        await near.counts("unknown-certificate")
        assert not near.seen.links
        assert not impostor.seen.links


@play
async def test_9_30_a_certificate_signed_by_a_pinned_key_is_still_a_wrong_one() -> None:
    """OpenSSL takes it, since a pinned anchor stands behind it; we compare the whole certificate."""
    authority = dated(Identity(1), 1970, 9999)
    far = Post(Identity(2))
    async with running(far):
        far.bearer.set_peer(NEAR, authority.certificate, ())
        await (await RawClient.dial(signed(Identity(3), authority), far)).closed()
        assert far.seen.events == {"unknown-certificate": 1}
        await (await RawClient.dial(authority, far)).closed()
        assert far.seen.events["hello-late"] == 1


@play
async def test_nor_is_it_believed_of_an_acceptor() -> None:
    authority, near = dated(Identity(2), 1970, 9999), Post(Identity(1))
    impostor = Post(signed(Identity(3), authority))
    async with running(impostor, near):
        impostor.knows(NEAR, near)
        near.bearer.set_peer(FAR, authority.certificate, (impostor.address,))
        await near.counts("unknown-certificate")
        assert not near.seen.links
        assert not impostor.seen.links


@play
async def test_one_key_with_two_certificates_is_two_certificates() -> None:
    async with linked_posts() as (near, far, _):
        await (await RawClient.dial(dated(near.identity, 1970, 2090), far)).closed()
        await far.counts("unknown-certificate")


@play
async def test_9_31_another_application_protocol_is_refused() -> None:
    async with linked_posts() as (near, far, _):
        for number, protocol in enumerate(("h2", PAIR_PROTOCOL), start=1):
            await (await RawClient.dial(near.identity, far, protocol)).closed()
            await far.counts("unknown-certificate", number)
        await works(near, far)


@play
async def test_9_30_tls_1_2_is_refused() -> None:
    async with linked_posts() as (near, far, _):
        context = near.identity.context(far.identity.certificate)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection(*split(far.address), ssl=context, server_hostname="")
        await far.counts("handshake-failed")
        await works(near, far)


@play
async def test_9_30_no_session_can_be_resumed() -> None:
    near, far = Identity(1), Post(Identity(2))
    async with running(far):
        far.bearer.set_peer(NEAR, near.certificate, ())
        client = await RawClient.dial(near, far)
        client.writer.write(HELLO)
        await client.frame()  # a ticket would have come before it
        session = client.writer.get_extra_info("ssl_object").session
        assert session is None or not session.has_ticket
        client.writer.transport.abort()


def test_9_37_what_strangers_may_use() -> None:
    pace = Pace()
    assert (pace.handshake_s, pace.hello_s, pace.strangers) == (5.0, 5.0, 64)


def test_our_own_or_anothers_certificate_cannot_be_pinned_again() -> None:
    async def scene() -> None:
        near = Post(Identity(1))
        near.bearer.set_peer(FAR, Identity(2).certificate, ())
        for certificate in (Identity(1).certificate, Identity(2).certificate):
            with pytest.raises(Conflict):
                near.bearer.set_peer("third", certificate, ())

    steady.run(scene())


def test_a_certificate_and_another_key_do_not_make_a_bearer() -> None:
    async def scene() -> None:
        config = TlsConfig(listen=(), certificate=Identity(1).certificate, key=Identity(2).key)
        with pytest.raises(Malformed):
            TlsBearer(config, Recorder(), os.urandom)

    steady.run(scene())


# -- strangers -----------------------------------------------------------------


@play
async def test_a_port_scan_costs_a_counter() -> None:
    async with linked_posts() as (near, far, _):
        for _ in range(5):
            _, writer = await tcp(far)
            writer.transport.abort()
        await far.counts("cut-early", 5)
        await works(near, far)


ENDLESS_HELLO = (
    b"\x16\x03\x01\x40\x00" + b"\x01\x01\xff\x00" + bytes(16_380) + 2 * (b"\x16\x03\x01\x40\x00" + bytes(16_384))
)
"""A ClientHello that announces 130,816 bytes: more than a stranger may make us keep."""


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00" * 600,
        b"\xff" * 100_000,
        b"SSH-2.0-x\r\n",
        b"\x16\x03\x01\xff\xff" + b"\x01" * 70_000,
        ENDLESS_HELLO,
    ],
    ids=["http", "zeros", "ones", "ssh", "endless-record", "endless-hello"],
)
def test_9_37_garbage_costs_a_counter(garbage: bytes) -> None:
    async def scene() -> None:
        async with linked_posts() as (near, far, _):
            reader, writer = await tcp(far)
            writer.write(garbage)
            await is_closed(reader, writer)
            await far.counts("handshake-failed")
            await works(near, far)

    steady.run(scene())


@play
async def test_9_37_a_slow_loris_is_cut_at_the_handshakes_deadline() -> None:
    pace = dataclasses.replace(QUICK, handshake_s=0.2)
    async with linked_posts(pace=pace) as (near, far, _):
        before = far.seen.events["handshake-late"]
        silent, dripping = await tcp(far), await tcp(far)
        dripping[1].write(b"\x16\x03\x01\x02\x00\x01")  # the first bytes of a ClientHello
        await is_closed(*silent)
        await is_closed(*dripping)
        assert far.seen.events["handshake-late"] == before + 2
        await works(near, far)


@play
async def test_9_37_a_peer_that_does_not_say_hello_is_cut_at_its_deadline() -> None:
    pace = dataclasses.replace(QUICK, hello_s=0.2)
    async with linked_posts(pace=pace) as (near, far, _):
        before = far.seen.events["hello-late"]
        await (await RawClient.dial(near.identity, far)).closed()
        assert far.seen.events["hello-late"] == before + 1
        await works(near, far)


@pytest.mark.parametrize(
    "hello",
    [
        HEADER.pack(4, Kind.HELLO) + b"OPL\x02",
        HEADER.pack(5, Kind.HELLO) + HELLO_BYTES + b"\x00",
        HEADER.pack(4, Kind.ENVELOPE) + HELLO_BYTES,
    ],
    ids=["version", "longer", "type"],
)
def test_9_32_another_hello_is_refused(hello: bytes) -> None:
    async def scene() -> None:
        async with linked_posts() as (near, far, _):
            client = await RawClient.dial(near.identity, far)
            client.writer.write(hello)
            await client.closed()
            assert far.seen.events["hello-wrong"] == 1
            await works(near, far)

    steady.run(scene())


@play
async def test_9_33_a_mute_acceptor_never_makes_a_link() -> None:
    """It has the right certificate, and says nothing after the handshake: no first byte, no link."""
    far_identity, near = Identity(2), Post(Identity(1), pace=dataclasses.replace(QUICK, hello_s=0.2))
    context = server_context(far_identity.certificate, far_identity.key, [near.identity.certificate], [LINK_PROTOCOL])
    async with mute_server(context) as address, running(near):
        near.bearer.set_peer(FAR, far_identity.certificate, (address,))
        await near.counts("hello-late")
        assert not near.seen.links


@play
async def test_9_37_two_hundred_half_open_connections_do_not_keep_the_peer_out() -> None:
    near, far = Post(Identity(1)), Post(Identity(2), pace=dataclasses.replace(QUICK, handshake_s=30.0))
    async with running(near, far):
        far.knows(NEAR, near)
        half_open = [await tcp(far) for _ in range(200)]
        await far.counts("crowded-out", 200 - Pace().strangers)
        near.knows(FAR, far, far.address)
        await near.linked(FAR)
        await far.linked(NEAR)
        await works(near, far)
        for _, writer in half_open:
            writer.transport.abort()


@play
async def test_9_37_a_flood_crowds_out_itself_and_not_another_address() -> None:
    """The peer's connection is the oldest stranger of all, and its address has only that one."""
    near, far = Identity(1), Post(Identity(2), pace=dataclasses.replace(QUICK, handshake_s=30.0))
    async with running(far):
        far.bearer.set_peer(NEAR, near.certificate, ())
        _, writer = await tcp(far, source="127.0.0.1")
        flood = [await tcp(far, source="127.0.0.2") for _ in range(200)]
        await far.counts("crowded-out", 201 - Pace().strangers)
        await writer.start_tls(near.context(far.identity.certificate), server_hostname="")
        writer.write(HELLO)
        await far.linked(NEAR)
        for _, flooding in flood:
            flooding.transport.abort()
        writer.transport.abort()


# -- what a peer does wrong ----------------------------------------------------


@pytest.mark.parametrize(
    "frame,event",
    [
        (struct.pack(">IB", 0xFFFFFFFF, Kind.ENVELOPE), "frame-too-large"),
        (struct.pack(">IB", 16_384 + 65, Kind.ENVELOPE), "frame-too-large"),
        (struct.pack(">IB", 16_385, Kind.ENVELOPE) + bytes(16_385), "frame-too-large"),
        (struct.pack(">IB", 0, 99), "frame-unknown"),
        (struct.pack(">IB", 4, Kind.HELLO) + HELLO_BYTES, "frame-unknown"),
    ],
    ids=["giant", "one-over", "envelope-one-over", "unknown-type", "second-hello"],
)
def test_9_32_a_wrong_frame_ends_the_link_and_the_link_comes_back(frame: bytes, event: str) -> None:
    async def scene() -> None:
        async with linked_posts() as (near, far, _):
            client = await RawClient.dial(near.identity, far)
            client.writer.write(HELLO + frame)
            await client.closed()
            await far.counts(event)
            await near.linked(FAR)
            await far.linked(NEAR)
            await works(near, far)

    steady.run(scene())


@play
async def test_a_frame_in_single_bytes_is_a_frame() -> None:
    near, far = Identity(1), Post(Identity(2))
    async with running(far):
        far.bearer.set_peer(NEAR, near.certificate, ())
        client = await RawClient.dial(near, far)
        client.writer.write(HELLO)
        for byte in HEADER.pack(5, Kind.ENVELOPE) + b"bytes":
            client.writer.write(bytes([byte]))
        await far.seen.until(lambda: far.seen.envelopes == [b"bytes"])
        client.writer.transport.abort()


@play
async def test_half_a_frame_never_arrives() -> None:
    near, far = Identity(1), Post(Identity(2))
    async with running(far):
        far.bearer.set_peer(NEAR, near.certificate, ())
        client = await RawClient.dial(near, far)
        client.writer.write(HELLO + HEADER.pack(5, Kind.ENVELOPE) + b"whole" + HEADER.pack(5, Kind.ENVELOPE) + b"hal")
        await far.seen.until(lambda: bool(far.seen.arrivals))
        client.writer.close()
        await far.unlinked(NEAR)
        assert far.seen.envelopes == [b"whole"]


# -- what is written down ------------------------------------------------------


def test_no_address_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        asyncio.get_running_loop().set_debug(True)
        async with linked_posts() as (near, far, path):
            reader, writer = await tcp(far)
            writer.write(b"garbage" * 100)
            await is_closed(reader, writer)
            near.bearer.set_peer("third", Identity(3).certificate, ("127.0.0.1:9",))
            await near.counts("dial-failed")
            await path.cut()
            await near.unlinked(FAR)

    with caplog.at_level(logging.INFO):
        steady.run(scene())
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@play
async def test_9_37_a_flood_on_one_connection_leaves_the_others_their_turn() -> None:
    """12.7: between two pieces of what one peer sends, timers, other peers and the API are served."""
    near, far = Post(Identity(1)), Post(Identity(2))
    async with running(near, far):
        far.knows(NEAR, near)
        near.knows(FAR, far, far.address)
        await near.linked(FAR)
        await far.linked(NEAR)
        loop, taken, most = asyncio.get_running_loop(), 0, 0

        def turn() -> None:
            nonlocal taken, most
            now = len(far.seen.arrivals)
            taken, most = now, max(most, now - taken)
            if now < 3_000:
                loop.call_soon(turn)

        loop.call_soon(turn)
        for number in range(3_000):
            assert near.bearer.offer(FAR, number.to_bytes(256, "big"))
        await far.seen.until(lambda: len(far.seen.arrivals) == 3_000)
        assert most <= (32_768 + 16_384) // 256, (
            "one reading, and the record whose beginning the one before had brought"
        )
