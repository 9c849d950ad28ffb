"""The mail bearer with real servers: refusals, restarts, strangers' mail, TLS. Spec: 9.42 to 9.46."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import replace

import pytest

from openline.bearers.mail import MailBearer, MailConfig, Pace, Security
from tests import steady
from tests.contract.bearer_contract import FAR, NEAR, Recorder
from tests.contract.mail_rig import QUICK, BoundPath, address_of, config, new_user, wall, written
from tests.contract.mail_servers import NOBODY, Dovecot, Postfix, PostOffice, dovecot, needs_postfix
from tests.contract.test_tls_routes import names_asked
from tests.waiting import until

pytestmark = pytest.mark.full
SLOW_S = 60.0


class Post:
    """A running bearer with its recorder."""

    def __init__(self, own: MailConfig, user: str) -> None:
        self.user = user
        self.seen = Recorder()
        self.bearer = MailBearer(own, self.seen, os.urandom, wall)

    async def counts(self, event: str, number: int = 1) -> None:
        await self.seen.until(lambda: self.seen.events[event] >= number, deadline_s=SLOW_S)

    async def up(self, station: str) -> None:
        await self.seen.until(lambda: self.bearer.up(station), deadline_s=SLOW_S)

    async def down(self, station: str) -> None:
        await self.seen.until(lambda: not self.bearer.up(station), deadline_s=SLOW_S)

    async def hears(self, envelope: bytes) -> None:
        await self.seen.until(lambda: envelope in self.seen.envelopes, deadline_s=SLOW_S)


class World:
    """Two posts at one Dovecot and one SMTP server."""

    def __init__(
        self,
        server: Dovecot,
        office: PostOffice,
        *,
        smtp: int,
        pace: Pace = QUICK,
        change: Callable[[MailConfig], MailConfig],
    ) -> None:
        self.server, self.office = server, office
        users = new_user("near"), new_user("far")
        self.near, self.far = (
            Post(change(config(user, smtp=smtp, imap=server.imap, pace=pace)), user) for user in users
        )
        self.near.bearer.set_peer(FAR, address_of(self.far.user))
        self.far.bearer.set_peer(NEAR, address_of(self.near.user))

    async def linked(self) -> None:
        """Wait until both are up at one moment: after a server's return a link may go down once more."""
        await linked(self.near, self.far)

    async def works(self) -> None:
        """One envelope each way."""
        mark = os.urandom(8)
        await self.linked()
        assert self.near.bearer.offer(FAR, mark)
        await self.far.hears(mark)
        await self.linked()
        assert self.far.bearer.offer(NEAR, mark)
        await self.near.hears(mark)

    async def empty(self, user: str) -> None:
        """Wait until a mailbox is empty."""
        await files(self.server, user, 0)


async def linked(near: Post, far: Post) -> None:
    """Wait until two posts are up at one moment."""
    while not (near.bearer.up(FAR) and far.bearer.up(NEAR)):
        await near.up(FAR)
        await far.up(NEAR)


async def files(server: Dovecot, user: str, number: int) -> None:
    """Wait until so many mails lie in a mailbox."""
    await asyncio.to_thread(until, lambda: len(server.files(user)) == number, deadline_s=SLOW_S)


def same(own: MailConfig) -> MailConfig:
    return own


@contextlib.asynccontextmanager
async def world(
    server: Dovecot,
    *,
    office: PostOffice | None = None,
    relay: Postfix | None = None,
    pace: Pace = QUICK,
    change: Callable[[MailConfig], MailConfig] = same,
) -> AsyncIterator[World]:
    office = office or PostOffice(server)
    tasks: list[asyncio.Task[None]] = []
    try:
        for each in (office, relay):
            if each is not None:
                await asyncio.to_thread(each.start)
        made = World(server, office, smtp=(relay or office).port, pace=pace, change=change)
        tasks = [asyncio.create_task(post.bearer.run()) for post in (made.near, made.far)]
        yield made
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in (office, relay):
            if each is not None:
                await asyncio.to_thread(each.stop)


def play(test: Callable[[], Coroutine[object, object, None]]) -> Callable[[], None]:
    def test_in_a_loop() -> None:
        async def limited() -> None:
            async with asyncio.timeout(270):
                await test()

        steady.run(limited())

    test_in_a_loop.__name__ = test.__name__
    test_in_a_loop.__doc__ = test.__doc__
    return test_in_a_loop


@contextlib.contextmanager
def own_dovecot(extra: str = "") -> Iterator[Dovecot]:
    dovecot()  # skips where there is none
    server = Dovecot(extra)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@play
async def test_9_46_no_name_service_is_asked_for_literal_addresses() -> None:
    asked = len(names_asked())
    async with world(dovecot()) as both:
        await both.works()
    assert names_asked()[asked:] == []


@play
async def test_9_45_many_that_wait_go_in_few_mails_and_urgent_ones_alone() -> None:
    async with world(dovecot()) as both:
        await both.works()
        before = len(both.office.mails)
        ordinary = [b"%d" % number for number in range(200)]
        for envelope in ordinary:
            assert both.near.bearer.offer(FAR, envelope)
        assert both.near.bearer.offer(FAR, b"urgent", urgent=True)
        await both.far.seen.until(lambda: len(both.far.seen.arrivals) >= 202, deadline_s=SLOW_S)
        assert set(both.far.seen.envelopes) >= {*ordinary, b"urgent"}
        assert both.far.seen.envelopes[1] == b"urgent"
        assert len(both.office.mails) - before == 5
        await both.empty(both.far.user)


@play
async def test_9_45_ordinary_ones_keep_to_the_rate_and_urgent_ones_do_not() -> None:
    """One mail a minute: the second ordinary one waits and takes others along, an urgent one passes."""
    async with world(
        dovecot(), pace=replace(QUICK, burst=1), change=lambda own: replace(own, mails_per_minute=1)
    ) as both:
        await both.linked()
        assert both.near.bearer.offer(FAR, b"first")
        await both.far.hears(b"first")
        assert both.near.bearer.offer(FAR, b"second")
        for number in range(3):
            assert both.near.bearer.offer(FAR, b"urgent %d" % number, urgent=True)
            await both.far.hears(b"urgent %d" % number)
        assert b"second" not in both.far.seen.envelopes


@play
async def test_9_45_a_refused_recipient_is_down_for_a_while_and_the_queue_given_back() -> None:
    async with world(dovecot()) as both:
        await both.works()
        both.office.refuse_recipient = "550 5.1.1 no such <secret@place.example>"
        assert both.near.bearer.offer(FAR, b"refused")
        await both.near.counts("recipient-refused")
        both.office.refuse_recipient = ""
        await both.works()
        assert b"refused" not in both.far.seen.envelopes
        assert both.near.seen.links == [(FAR, True), (FAR, False), (FAR, True)]


@pytest.mark.parametrize(
    "where, answer, event",
    [
        ("recipient", "552 5.2.2 full", "mailbox-full"),
        ("recipient", "452 4.2.2 full", "mailbox-full"),
        ("mail", "552 5.2.2 full", "mailbox-full"),
        ("mail", "554 5.7.1 looks like spam", "mail-refused"),
        ("recipient", "451 4.7.1 greylisted", "smtp-deferred"),
        ("mail", "451 4.7.0 too many mails", "smtp-deferred"),
        ("mail", "421 4.7.0 go away", "smtp-deferred"),
    ],
)
def test_9_45_refusals_have_names_and_deferrals_lose_nothing(where: str, answer: str, event: str) -> None:
    @play
    async def test() -> None:
        async with world(dovecot()) as both:
            await both.works()
            office = both.office
            office.refuse_mail, office.refuse_recipient = (answer, "") if where == "mail" else ("", answer)
            assert both.near.bearer.offer(FAR, b"put off")
            await both.near.counts(event, 2 if event == "smtp-deferred" else 1)
            office.refuse_mail = office.refuse_recipient = ""
            if event == "smtp-deferred":
                await both.far.hears(b"put off")
            await both.works()

    test()


@play
async def test_9_46_wrong_passwords_are_named_and_not_told() -> None:
    def wrong(own: MailConfig) -> MailConfig:
        bad = "open-sesame-9"
        return replace(own, incoming=replace(own.incoming, password=bad), outgoing=replace(own.outgoing, password=bad))

    said: list[str] = []
    listener = logging.Handler()
    listener.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(listener)
    try:
        async with world(dovecot(), change=wrong) as both:
            await both.near.counts("imap-login-refused", 2)
            await both.near.counts("smtp-login-refused", 2)
            assert not both.near.bearer.up(FAR)
            assert both.near.seen.links == []
    finally:
        logging.getLogger().removeHandler(listener)
    assert not any("sesame" in line or both.near.user in line for line in said)


@play
async def test_9_43_strangers_mail_stays_as_it_is() -> None:
    server = dovecot()
    async with world(server) as both:
        far = both.far.user
        stranger = written([b"forged"], sender=address_of("stranger"), recipient=address_of(far))
        peers = b"From: " + address_of(both.near.user).encode() + b"\r\nSubject: lunch?\r\n\r\nAt one?\r\n"
        broken = written([b"x" * 600], sender=address_of(both.near.user), recipient=address_of(far)).replace(
            b"eHh4", b"!!!!"
        )
        for mail in (stranger, peers, broken):
            await asyncio.to_thread(server.put, far, mail)
        for event in ("strangers-mail", "foreign-mail", "malformed-mail"):
            await both.far.counts(event)
        await both.works()
        assert len(both.far.seen.envelopes) == 1
        # Three are left, neither seen nor deleted: Maildir writes flags behind ":2,".
        await asyncio.to_thread(
            until,
            lambda: [path.name.partition(":2,")[2] for path in server.files(far)] == ["", "", ""],
            deadline_s=SLOW_S,
        )


@play
async def test_9_42_bounces_are_counted_and_ours_deleted() -> None:
    server = dovecot()
    async with world(server) as both:
        await both.works()
        sent = both.office.mails[-1 if both.near.user.encode() in both.office.mails[-1].split(b"\r\n")[0] else -2]
        name = next(line for line in sent.split(b"\r\n") if line.lower().startswith(b"message-id"))
        report = b"Content-Type: multipart/report; report-type=delivery-status; boundary=r\r\n\r\n--r\r\n\r\n"
        daemon = b"From: MAILER-DAEMON@mail.example\r\nAuto-Submitted: auto-replied\r\n"
        enclosed = b"--r\r\nContent-Type: message/rfc822\r\n\r\n" + sent + b"\r\n--r--\r\n"
        vacation = b"From: " + address_of(both.far.user).encode() + b"\r\nAuto-Submitted: auto-replied\r\n"
        answer = vacation + b"In-Reply-To: " + name.partition(b":")[2] + b"\r\nSubject: away\r\n\r\nI am away.\r\n"
        arrived = len(both.near.seen.arrivals)
        for mail in (daemon + report + enclosed, answer, daemon + report + b"--r--\r\n", vacation + b"\r\nAway.\r\n"):
            await asyncio.to_thread(server.put, both.near.user, mail)
        await both.near.counts("bounce", 2)
        await both.near.counts("automatic-reply", 2)
        await files(server, both.near.user, 2)
        assert len(both.near.seen.arrivals) == arrived


def test_9_46_an_imap_server_killed_and_back_loses_nothing() -> None:
    with own_dovecot() as server:

        @play
        async def test() -> None:
            async with world(server) as both:
                await both.works()
                await asyncio.to_thread(server.kill)
                await both.far.down(NEAR)
                # The SMTP server cannot deliver now, and says "later": what was taken waits.
                await both.near.down(FAR)
                await asyncio.to_thread(server.start)
                await both.works()
                for number in range(3):
                    assert both.near.bearer.offer(FAR, b"before %d" % number)
                    await asyncio.to_thread(server.kill)
                    await asyncio.to_thread(server.start)
                    await both.far.hears(b"before %d" % number)
                    await both.linked()
                await both.empty(both.far.user)

        test()


@play
async def test_9_46_an_smtp_server_that_restarts_is_found_again() -> None:
    server = dovecot()
    async with world(server) as both:
        await both.works()
        await asyncio.to_thread(both.office.stop)
        await both.near.down(FAR)
        assert not both.near.bearer.offer(FAR, b"down")
        await asyncio.to_thread(both.office.start)
        await both.works()


@play
async def test_9_46_a_frozen_path_is_given_up_and_what_was_taken_arrives() -> None:
    """A pulled cable: nothing is closed, nothing moves."""
    server = dovecot()
    office = PostOffice(server)
    await asyncio.to_thread(office.start)
    paths = [BoundPath(office.port), BoundPath(server.imap)]
    for path in paths:
        await path.open()
    near_user, far_user = new_user("near"), new_user("far")
    hasty = replace(QUICK, command_s=0.5, doubt_s=0.2, idle_s=0.5, slowest=1_000_000)
    near = Post(config(near_user, smtp=paths[0].port, imap=paths[1].port, pace=hasty), near_user)
    far = Post(config(far_user, smtp=office.port, imap=server.imap), far_user)
    near.bearer.set_peer(FAR, address_of(far_user))
    far.bearer.set_peer(NEAR, address_of(near_user))
    tasks = [asyncio.create_task(post.bearer.run()) for post in (near, far)]
    await linked(near, far)
    for path in paths:
        path.freeze()
    assert near.bearer.offer(FAR, b"taken")
    assert far.bearer.offer(NEAR, b"for the frozen one")
    await near.down(FAR)
    for path in paths:
        await path.heal()
    await near.up(FAR)
    await far.hears(b"taken")
    await near.hears(b"for the frozen one")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for path in paths:
        await path.close()
    await asyncio.to_thread(office.stop)


def secured(server: Dovecot, kind: str) -> Callable[[MailConfig], MailConfig]:
    """TLS to both servers, proved one way or the other."""
    security = Security.STARTTLS if "starttls" in kind else Security.TLS
    good: dict[str, dict] = {
        "authority": {"authorities": server.certificate.pem},
        "authority-name": {"authorities": server.certificate.pem, "name": "mail.example"},
        "pin": {"pin": server.certificate.digest},
        "starttls-authority": {"authorities": server.certificate.pem},
        "starttls-pin": {"pin": server.certificate.digest},
        "wrong-pin": {"pin": bytes(32)},
        "starttls-wrong-pin": {"pin": bytes(32)},
        "wrong-name": {"authorities": server.certificate.pem, "name": "other.example"},
        "system-authorities": {},
        "starttls-system-authorities": {},
    }
    imap = server.imap if "starttls" in kind else server.imaps

    def change(own: MailConfig) -> MailConfig:
        return replace(
            own,
            outgoing=replace(own.outgoing, security=security, **good[kind]),
            incoming=replace(own.incoming, security=security, port=imap, **good[kind]),
        )

    return change


def tls_office(server: Dovecot, kind: str) -> PostOffice:
    return PostOffice(server, implicit_tls="starttls" not in kind, starttls="starttls" in kind)


@pytest.mark.parametrize("kind", ["authority", "authority-name", "pin", "starttls-authority", "starttls-pin"])
def test_9_46_tls_by_authority_or_by_pin(kind: str) -> None:
    @play
    async def test() -> None:
        server = dovecot()
        async with world(server, office=tls_office(server, kind), change=secured(server, kind)) as both:
            await both.works()

    test()


@pytest.mark.parametrize(
    "kind", ["wrong-pin", "starttls-wrong-pin", "wrong-name", "system-authorities", "starttls-system-authorities"]
)
def test_9_46_a_wrong_certificate_gets_no_password(kind: str) -> None:
    @play
    async def test() -> None:
        server = dovecot()
        async with world(server, office=tls_office(server, kind), change=secured(server, kind)) as both:
            await both.near.counts("imap-untrusted", 2)
            await both.near.counts("smtp-untrusted", 2)
            assert both.office.logins == 0
            log = (server.folder / "log").read_text()
            assert f"user=<{both.near.user}>" not in log

    test()


def test_9_46_a_server_without_idle_and_uidplus_is_asked_again_and_again() -> None:
    plain = "protocol imap {\n imap_capability = IMAP4rev1\n}\n"
    with own_dovecot(plain) as server:

        @play
        async def test() -> None:
            async with world(server) as both:
                await both.works()
                await both.works()
                await both.empty(both.far.user)

        test()


@play
async def test_9_45_postfix_takes_what_we_send_and_may_be_killed() -> None:
    needs_postfix()
    server = dovecot()
    relay = Postfix(server)
    # It is asked for no login: many a relay knows its own by their addresses.
    async with world(
        server, relay=relay, change=lambda own: replace(own, outgoing=replace(own.outgoing, user=""))
    ) as both:
        await both.works()
        ordinary = [os.urandom(16_384) for _ in range(40)]
        for envelope in ordinary:
            assert both.near.bearer.offer(FAR, envelope)
        await asyncio.to_thread(relay.kill)
        await both.near.down(FAR)
        await asyncio.to_thread(relay.start)
        await both.far.seen.until(lambda: set(ordinary) <= set(both.far.seen.envelopes), deadline_s=SLOW_S)
        await both.works()


@play
async def test_9_42_what_postfix_sends_back_is_counted_and_deleted() -> None:
    needs_postfix()
    server = dovecot()
    async with world(
        server, relay=Postfix(server), change=lambda own: replace(own, outgoing=replace(own.outgoing, user=""))
    ) as both:
        await both.works()
        both.near.bearer.set_peer("gone", address_of(NOBODY))
        await both.near.up("gone")
        assert both.near.bearer.offer("gone", b"comes back")
        await both.near.counts("bounce")
        await both.empty(both.near.user)
        assert b"comes back" not in both.near.seen.envelopes
        await both.works()
