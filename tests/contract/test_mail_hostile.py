"""Mail servers that lie, flood, hang and vanish: nothing breaks, nothing grows, nothing is repeated in a log. Spec: 9.46."""

import asyncio
import os
from dataclasses import replace

import pytest

from openline.bearers.listening import end_listening
from openline.bearers.mail import MailBearer, MailServer, Pace, Security
from openline.bearers.mail.limits import FLAWED_TRIES, MAX_ANSWER, MAX_LINE, MAX_MAIL
from openline.kernel.errors import Conflict, Forbidden, Malformed, TooLarge
from tests import steady
from tests.contract.bearer_contract import FAR, Recorder
from tests.contract.mail_liars import FLOOD, HANG, Answer, Liar
from tests.contract.mail_rig import QUICK, address_of, config, wall, written
from tests.ports import free_port

MAIL = written([b"an envelope"], sender=address_of("far"), recipient=address_of("near"))
HASTY = replace(QUICK, command_s=0.3, connect_s=0.3)
SOCKET_BUFFERS = 8_388_608
"""Bytes that a server can get rid of although nobody reads them."""


def honest(_: str) -> None:
    return None


def lying(command: str, answer: bytes) -> Answer:
    return lambda heard: answer if heard == command else None


async def played(liar: Liar, seen: Recorder, *, event: str = "", times: int = 3, pace: Pace = QUICK) -> None:
    """Let a bearer read from the liar until something was counted so often, or an envelope arrived."""
    near = config("near", smtp=free_port(), imap=await liar.open(), pace=pace)
    bearer = MailBearer(near, seen, os.urandom, wall)
    bearer.set_peer(FAR, address_of("far"))
    running = asyncio.create_task(bearer.run())
    try:
        await seen.until(lambda: seen.events[event] >= times if event else bool(seen.arrivals), deadline_s=60)
        if not event:
            async with asyncio.timeout(60):
                await liar.deleted.wait()
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await liar.close()


def test_9_44_the_honest_server_is_read_from_and_the_mail_deleted() -> None:
    async def test() -> None:
        liar, seen = Liar(MAIL, honest), Recorder()
        await played(liar, seen)
        assert seen.arrivals == [(None, b"an envelope")]
        assert liar.heard.index("FETCH") < liar.heard.index("UID STORE") < liar.heard.index("UID EXPUNGE")

    steady.run(test())


BROKEN, GONE = "imap-broken", "imap-unreachable"
LIES = {
    "huge literal": ("LIST", b"* 1 FETCH (UID 1 BODY[] {4000000000}\r\n" + b"x" * 70_000, BROKEN),
    "literal of 5,000 digits": ("LIST", b"* 1 FETCH (UID 1 BODY[] {" + b"9" * 5_000 + b"}\r\n", BROKEN),
    "endless line": ("UID SEARCH", FLOOD + b" 123456" * 5_000, BROKEN),
    "endless lines": ("UID SEARCH", FLOOD + b"* 1 EXISTS\r\n" * 5_000, BROKEN),
    "endless literals": ("FETCH", FLOOD + b"* 1 FETCH (UID 1 BODY[] {5}\r\nxxxxx)\r\n" * 1_000, BROKEN),
    "mail beyond what was asked": ("FETCH", b"* 1 FETCH (UID 1 BODY[] {%d}\r\n" % (MAX_MAIL * 4) + bytes(MAX_MAIL * 4), BROKEN),
    "garbage": ("SELECT", bytes(range(256)) * 8 + b"\r\n", BROKEN),
    "literal as capability": ("CAPABILITY", b"* CAPABILITY {3}\r\nabc\r\nTAG OK done\r\n", BROKEN),
    "another's tag": ("SELECT", b"XYZ1 OK done\r\n", BROKEN),
    "search refused": ("UID SEARCH", b"TAG NO not today\r\n", BROKEN),
    "bad command": ("UID SEARCH", b"TAG BAD what\r\n", BROKEN),
    "idle in rubbish": ("IDLE", b"+ x\r\nrubbish\r\n", BROKEN),
    "idle flood": ("IDLE", FLOOD + b"* OK still here\r\n" * 1_000, BROKEN),
    "silence": ("SELECT", HANG, GONE),
    "silence at login": ("AUTHENTICATE", HANG, GONE),
    "goodbye": ("UID SEARCH", b"* BYE enough\r\nTAG OK done\r\n", GONE),
    "goodbye in idle": ("IDLE", b"+ x\r\n* BYE enough\r\n", GONE),
    "not now": ("AUTHENTICATE", b"TAG NO [UNAVAILABLE] later\r\n", GONE),
    "wrong password": ("AUTHENTICATE", b"TAG NO [AUTHENTICATIONFAILED] no\r\n", "imap-login-refused"),
    "no such folder": ("SELECT", b"TAG NO [NONEXISTENT] no\r\n", "folder-refused"),
    "read-only folder": ("SELECT", b"* 1 EXISTS\r\n* OK [READ-ONLY] x\r\nTAG OK [READ-ONLY] open\r\n", "folder-refused"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_9_46_a_lying_mailbox_is_left_and_tried_again(lie: str) -> None:
    async def test() -> None:
        command, answer, event = LIES[lie]
        liar, seen = Liar(MAIL, lying(command, answer)), Recorder()
        await played(liar, seen, event=event, pace=HASTY if answer == HANG else QUICK)
        assert liar.conversations >= 3
        assert liar.written <= MAX_LINE + MAX_ANSWER + MAX_MAIL + SOCKET_BUFFERS
        assert seen.events.keys() <= {event, GONE, "smtp-unreachable", "mail-read"}

    steady.run(test())


@pytest.mark.parametrize("greeting", [b"", FLOOD + b"x" * 50_000, b"* BYE no\r\n", b"220 I am SMTP\r\n", b"\0\xff\r\n"])
def test_9_46_a_server_that_is_none_is_left(greeting: bytes) -> None:
    async def test() -> None:
        liar, seen = Liar(MAIL, honest, greeting=greeting), Recorder()
        near = config("near", smtp=free_port(), imap=await liar.open(), pace=HASTY)
        bearer = MailBearer(near, seen, os.urandom, wall)
        running = asyncio.create_task(bearer.run())
        await seen.until(lambda: seen.events[GONE] + seen.events[BROKEN] >= 3, deadline_s=30)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await liar.close()
        assert liar.written <= MAX_LINE + SOCKET_BUFFERS

    steady.run(test())


def test_9_46_a_mail_that_breaks_the_connection_does_not_stop_the_next_start() -> None:
    """After FLAWED_TRIES it is passed over, so that one bad mail does not keep all others from being read."""

    async def test() -> None:
        liar, seen = Liar(MAIL, lying("FETCH", b"* 1 FETCH rubbish\r\nrubbish\r\n")), Recorder()
        await played(liar, seen, event="unreadable-mail", times=1)
        assert liar.heard.count("FETCH") == FLAWED_TRIES

    steady.run(test())


def test_9_46_a_mailbox_that_is_numbered_anew_is_read_anew() -> None:
    async def test() -> None:
        validity = iter(range(1, 1_000))

        def lie(command: str) -> bytes | None:
            if command == "SELECT":
                return b"* 1 EXISTS\r\n* OK [UIDVALIDITY %d] x\r\nTAG OK open\r\n" % next(validity)
            return b"* BYE x\r\n" if command == "UID STORE" else None

        liar, seen = Liar(MAIL, lie), Recorder()
        await played(liar, seen, event="mail-read")
        assert set(seen.envelopes) == {b"an envelope"}

    steady.run(test())


def test_9_46_a_mailbox_put_back_from_a_backup_is_read_anew_although_it_says_that_it_is_the_same() -> None:
    """Its validity is that of before; the next mail has the number of one that was read before the server was lost."""

    async def test() -> None:
        following = iter((2, 1))

        def lie(command: str) -> bytes | None:
            if command == "SELECT":
                number = next(following, 2)
                return b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT %d] x\r\nTAG OK open\r\n" % number
            return b"* BYE x\r\n" if command == "UID STORE" and liar.conversations == 1 else None

        liar, seen = Liar(MAIL, lie), Recorder()
        await played(liar, seen, event="mail-read", times=2)
        assert seen.envelopes == [b"an envelope"] * 2

    steady.run(test())


def test_9_44_what_could_not_be_deleted_is_deleted_later_and_not_read_again() -> None:
    async def test() -> None:
        refusals = iter([b"* BYE x\r\n", b"* BYE x\r\n"])
        liar = Liar(MAIL, lambda command: next(refusals, None) if command == "UID STORE" else None)
        seen = Recorder()
        await played(liar, seen)
        assert seen.envelopes == [b"an envelope"]
        assert liar.heard.count("UID STORE") == 3

    steady.run(test())


def test_9_46_nothing_is_said_before_starttls() -> None:
    """A server (or whoever sits in between) that offers no STARTTLS hears neither user nor password."""

    async def test() -> None:
        liar, seen = Liar(MAIL, honest), Recorder()
        port = await liar.open()
        plain = config("near", smtp=free_port(), imap=port, pace=HASTY)
        near = replace(plain, incoming=replace(plain.incoming, security=Security.STARTTLS))
        running = asyncio.create_task(MailBearer(near, seen, os.urandom, wall).run())
        await seen.until(lambda: seen.events["imap-untrusted"] >= 3, deadline_s=30)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await liar.close()
        assert set(liar.heard) == {"CAPABILITY"}

    steady.run(test())


def test_9_46_nothing_is_said_before_starttls_to_the_server_that_takes_mails_either() -> None:
    heard: list[bytes] = []

    async def stripped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        while line := await reader.readline():
            heard.append(line.split()[0].upper())
            writer.write(b"250-here\r\n250 AUTH PLAIN LOGIN\r\n" if heard[-1] == b"EHLO" else b"235 go on\r\n")
        writer.close()

    async def test() -> None:
        seen, server = Recorder(), await asyncio.start_server(stripped, "127.0.0.1", 0)
        plain = config("near", smtp=server.sockets[0].getsockname()[1], imap=free_port(), pace=HASTY)
        out = replace(plain.outgoing, user="near", password="secret", security=Security.STARTTLS)
        running = asyncio.create_task(MailBearer(replace(plain, outgoing=out), seen, os.urandom, wall).run())
        await seen.until(lambda: seen.events["smtp-untrusted"] >= 3, deadline_s=30)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await end_listening(server)
        assert set(heard) <= {b"EHLO", b"QUIT"}

    steady.run(test())


def test_9_46_what_came_in_before_the_handshake_is_refused() -> None:
    async def test() -> None:
        def lie(command: str) -> bytes | None:
            if command == "CAPABILITY":
                return b"* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\nTAG OK done\r\n"
            return b"TAG OK go\r\n* 9 EXISTS injected\r\n" if command == "STARTTLS" else None

        liar, seen = Liar(MAIL, lie), Recorder()
        plain = config("near", smtp=free_port(), imap=await liar.open(), pace=HASTY)
        near = replace(plain, incoming=replace(plain.incoming, security=Security.STARTTLS))
        running = asyncio.create_task(MailBearer(near, seen, os.urandom, wall).run())
        await seen.until(lambda: seen.events["imap-untrusted"] >= 2, deadline_s=30)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await liar.close()
        assert "AUTHENTICATE" not in liar.heard

    steady.run(test())


def test_9_46_a_plain_connection_is_for_loopback() -> None:
    near = config("near", smtp=1, imap=1)
    far = replace(near.incoming, host="192.0.2.1")
    with pytest.raises(Forbidden):
        MailBearer(replace(near, incoming=far), Recorder(), os.urandom, wall)
    MailBearer(replace(near, incoming=replace(far, plain_anywhere=True)), Recorder(), os.urandom, wall)
    MailBearer(replace(near, incoming=replace(far, host="::1")), Recorder(), os.urandom, wall)
    MailBearer(replace(near, incoming=replace(far, security=Security.TLS)), Recorder(), os.urandom, wall)


@pytest.mark.parametrize(
    "change",
    [
        {"host": ""}, {"host": "mail example"}, {"host": "a\r\nb"}, {"port": 0}, {"port": 70_000}, {"user": ""},
        {"password": "a\r\nb"}, {"user": "a\0b"}, {"pin": b"short"}, {"authorities": "not PEM"}, {"name": "a b"},
    ],
)  # fmt: skip
def test_9_46_a_wrong_configuration_is_refused_and_not_quoted(change: dict) -> None:
    near = config("near", smtp=1, imap=1)
    server: MailServer = replace(near.incoming, security=Security.TLS, **change)
    with pytest.raises(Malformed) as refused:
        MailBearer(replace(near, incoming=server), Recorder(), os.urandom, wall)
    assert not any(str(value) in str(refused.value) for value in change.values() if value)


def test_nothing_of_a_configuration_shows_when_it_is_printed() -> None:
    near = config("near", smtp=65_123, imap=65_124)
    for secret in ("near", near.outgoing.password, "127.0.0.1", "65123"):
        assert secret not in repr(near)


def test_9_43_a_peer_has_an_address_of_its_own() -> None:
    bearer = MailBearer(config("near", smtp=1, imap=1), Recorder(), os.urandom, wall)
    bearer.set_peer(FAR, "Far@MAIL.example")
    bearer.set_peer(FAR, "far2@mail.example")
    bearer.set_peer("third", "far@mail.example")
    for taken in (address_of("NEAR"), "FAR2@mail.example"):
        with pytest.raises(Conflict):
            bearer.set_peer("fourth", taken)
    for none in (
        "",
        "far",
        "a@b@c",
        "a b@c.example",
        "a@c.example\r\nRCPT TO:<d@e>",
        "é@c.example",
        "a@-",
        "a" * 250 + "@b.cd",
    ):
        with pytest.raises(Malformed):
            bearer.set_peer("fourth", none)
    bearer.drop_peer(FAR)
    bearer.drop_peer(FAR)
    bearer.set_peer("fourth", "far2@[192.0.2.7]")
    assert not bearer.up("fourth")
    with pytest.raises(TooLarge):
        bearer.offer("fourth", bytes(16_385))
    with pytest.raises(Malformed):
        bearer.offer("fourth", b"")
