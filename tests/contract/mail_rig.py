"""Two mail bearers, their mailboxes in a real Dovecot, their mails through a real SMTP server, over paths that can be cut."""

import asyncio
import itertools
import os
import socket
import time
from dataclasses import replace

from openline.bearers.mail import MailBearer, MailConfig, MailServer, Pace, Security
from openline.bearers.mail.message import addressed, write_mail
from tests.contract.bearer_contract import FAR, NEAR, Recorder
from tests.contract.mail_servers import DOMAIN, PASSWORD, PostOffice, dovecot
from tests.contract.tls_rig import Path

# Deadlines short enough for tests; every one is a parameter of the bearer.
QUICK = Pace(
    connect_s=2.0,
    command_s=10.0,
    retry_s=0.02,
    longest_retry_s=0.2,
    steady_s=0.1,
    refused_login_s=0.2,
    poll_s=0.05,
    idle_s=2.0,
    linger_s=0.5,
    doubt_s=2.0,
    probe_s=0.5,
    hold_s=0.2,
    longest_hold_s=0.4,
    burst=1_000,
)
_USERS = itertools.count(1)


def new_user(role: str) -> str:
    """A mailbox that nobody has used."""
    return f"{role}{next(_USERS)}"


def address_of(user: str) -> str:
    return f"{user}@{DOMAIN}"


def wall() -> int:
    return time.time_ns() // 1_000_000


def config(user: str, *, smtp: int, imap: int, pace: Pace = QUICK) -> MailConfig:
    plain = MailServer(host="127.0.0.1", port=smtp, user=user, password=PASSWORD, security=Security.NONE)
    return MailConfig(
        address=address_of(user), outgoing=plain, incoming=replace(plain, port=imap), mails_per_minute=6_000, pace=pace
    )


class BoundPath(Path):
    """A path whose port is known before it is open."""

    def __init__(self, port: int) -> None:
        super().__init__(f"127.0.0.1:{port}")
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._opened = False

    async def open(self) -> str:
        self._server = await asyncio.start_server(self._accept, sock=self._socket)
        self._opened = True
        return f"127.0.0.1:{self.port}"

    async def close(self) -> None:
        if self._opened:
            await super().close()
        self._socket.close()


class MailRig:
    """NEAR and FAR, each with its own mailbox; all paths can be cut."""

    def __init__(self, at_near: Recorder, at_far: Recorder) -> None:
        self.server = dovecot()
        self.office = PostOffice(self.server)
        self.office.start()
        self._at_near = at_near
        self.near_user, self.far_user = new_user("near"), new_user("far")
        self.paths = [BoundPath(port) for port in (self.office.port, self.server.imap) * 2]
        near_out, near_in, far_out, far_in = (path.port for path in self.paths)
        self.near = MailBearer(config(self.near_user, smtp=near_out, imap=near_in), at_near, os.urandom, wall)
        self.far = MailBearer(config(self.far_user, smtp=far_out, imap=far_in), at_far, os.urandom, wall)
        self.near.set_peer(FAR, address_of(self.far_user))
        self.far.set_peer(NEAR, address_of(self.near_user))

    async def started(self) -> None:
        for path in self.paths:
            await path.open()

    async def cut(self) -> None:
        await asyncio.gather(*(path.cut() for path in self.paths))

    async def heal(self) -> None:
        await asyncio.gather(*(path.heal() for path in self.paths))

    async def intrude(self, envelope: bytes) -> None:
        mail = written([envelope], sender=address_of("stranger"), recipient=address_of(self.near_user))
        await asyncio.to_thread(self.server.put, self.near_user, mail)
        await self._at_near.until(lambda: self._at_near.events["strangers-mail"] == 1)

    async def close(self) -> None:
        for path in self.paths:
            await path.close()
        await asyncio.to_thread(self.office.stop)


def written(envelopes: list[bytes], *, sender: str, recipient: str, name: str = "1@example.org") -> bytes:
    """A mail as another station writes it."""
    return addressed(write_mail(envelopes), sender=sender, recipient=recipient, sent_ms=wall(), name=name)
