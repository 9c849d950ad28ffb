"""The way in: what lies in our mailbox, from a peer's address and with envelopes, is handed over and then deleted.

Everything else stays where it is and as it is, unread: a mailbox may be
somebody's. Of our own mails that came back (and of answers that machines
gave to them) nobody has a use: they are counted and deleted, or a peer whose
mailbox is full would fill ours.

A mail is deleted after its envelopes were handed over and never before. After
a broken connection the deletion is made up for; after a crash the mail is
read again, and the protocol knows duplicates.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, Protocol, TypeVar

from openline.bearers.mail.config import MailConfig
from openline.bearers.mail.dial import Backoff, connect
from openline.bearers.mail.imap import ImapConversation, Listed, Mailbox
from openline.bearers.mail.limits import FLAWED_TRIES, MAX_MAIL, MAX_REPORT, Event, MailFault
from openline.bearers.mail.message import read_mail, read_peek
from openline.kernel.errors import Refused
from openline.kernel.units import Entropy

_T = TypeVar("_T")
_P = ParamSpec("_P")

_CHUNK: Final = 32
"""Mails that are looked at, and deleted, by one command."""
_NAMES: Final = re.compile(rb"<([0-9a-f]{32}@[^<>\s]{1,254})>")


class Reader(Protocol):
    """Whom the way in serves."""

    def arrived(self, envelope: bytes) -> None:
        """An envelope came in."""

    def counted(self, event: Event) -> None:
        """Something worth a counter happened."""

    def changed(self) -> None:
        """The mailbox was opened, or cannot be reached."""

    def knows(self, address: str) -> bool:
        """Whether this is a peer's address."""

    def wrote(self, name: str) -> bool:
        """Whether a Message-ID is that of a mail we sent lately."""


class Incoming:
    """Empties the mailbox; `run` never ends by itself."""

    def __init__(self, config: MailConfig, entropy: Entropy, reader: Reader) -> None:
        self._config, self._pace = config, config.pace
        self._reader = reader
        self.reachable = False
        """Whether the mailbox is open, or was until a moment ago."""
        pace = config.pace
        self._again = Backoff(first_s=pace.retry_s, longest_s=pace.longest_retry_s, entropy=entropy)
        self._login_again = Backoff(first_s=pace.refused_login_s, longest_s=3_600.0, entropy=entropy)
        self._failures = 0
        self._validity = 0
        self._last = 0
        """The number up to which all is done, under that validity."""
        self._spent: list[int] = []
        """Handed over and not yet deleted."""
        self._stumbled = 0
        """Attempts at what follows `_last` that a broken connection has ended (or may yet, one being made)."""
        self._worker: ThreadPoolExecutor

    async def run(self) -> None:
        """Read until cancelled."""
        with ThreadPoolExecutor(1, "openline-mail") as self._worker:
            loop = asyncio.get_running_loop()
            while True:
                began = loop.time()
                try:
                    await self._visit()
                except MailFault as fault:
                    self._reader.counted(fault.event)
                    if self.reachable and loop.time() - began > self._pace.steady_s:
                        self._failures = 0
                        self._again.reset()
                    self._failures += 1
                    # One broken connection is the server's daily round, and is made anew in silence.
                    if self._failures > 1 or fault.event is not Event.IMAP_UNREACHABLE:
                        self._set_reachable(up=False)
                        refused = fault.event is Event.IMAP_LOGIN_REFUSED
                        await asyncio.sleep((self._login_again if refused else self._again).pause())

    # -- one conversation ----------------------------------------------------

    async def _visit(self) -> None:
        """Hold one conversation until it breaks. Raises MailFault."""
        try:
            connected = await connect(self._config.incoming, self._pace)
        except (OSError, TimeoutError):
            raise MailFault(Event.IMAP_UNREACHABLE) from None
        conversation = ImapConversation(connected, self._config.incoming, self._pace)
        try:
            mailbox = await self._do(conversation, conversation.enter, self._config.folder)
            self._opened(mailbox)
            await self._clear(conversation)
            while True:
                numbers = await self._do(conversation, conversation.numbers, self._last, mailbox.mails)
                await self._look_at(conversation, numbers)
                if not numbers:
                    await self._wait(conversation)
        finally:
            conversation.close()

    async def _do(
        self, conversation: ImapConversation, call: Callable[_P, _T], *args: _P.args, **named: _P.kwargs
    ) -> _T:
        """Do one blocking thing in the thread; when cancelled, end it and wait for its end."""
        under_way = asyncio.get_running_loop().run_in_executor(self._worker, lambda: call(*args, **named))
        try:
            return await asyncio.shield(under_way)
        except asyncio.CancelledError:
            conversation.abort()
            with contextlib.suppress(MailFault):
                await under_way
            raise

    def _opened(self, mailbox: Mailbox) -> None:
        # Numbers that go back under one validity: the server was put back from a backup. It ought to change it then.
        if mailbox.validity != self._validity or 0 < mailbox.following <= self._last:
            self._validity, self._last, self._spent, self._stumbled = mailbox.validity, 0, [], 0
        self._login_again.reset()
        self._set_reachable(up=True)

    async def _wait(self, conversation: ImapConversation) -> None:
        if conversation.announces:
            await self._do(conversation, conversation.wait, self._pace.idle_s)
        else:
            await asyncio.sleep(self._pace.poll_s)

    # -- what lies there -----------------------------------------------------

    async def _look_at(self, conversation: ImapConversation, numbers: Sequence[int]) -> None:
        """Do all that is to be done with these mails, in their order."""
        at = 0
        while at < len(numbers):
            # After a stumble one at a time, to find the one.
            chunk = numbers[at : at + (1 if self._stumbled else _CHUNK)]
            if self._stumbled >= FLAWED_TRIES:
                self._reader.counted(Event.UNREADABLE_MAIL)
            else:
                self._stumbled += 1
                for listed in await self._do(conversation, conversation.listed, chunk):
                    await self._consider(conversation, listed)
                    self._last, self._stumbled = listed.number, 1
            self._last, self._stumbled = chunk[-1], 0
            await self._clear(conversation)
            at += len(chunk)

    async def _consider(self, conversation: ImapConversation, listed: Listed) -> None:
        peek = read_peek(listed.head)
        if peek.bounce:
            self._reader.counted(Event.BOUNCE)
            report = await self._do(conversation, conversation.mail, listed.number, MAX_REPORT)
            if any(self._reader.wrote(name.decode("latin-1")) for name in _NAMES.findall(report)):
                self._spent.append(listed.number)
        elif peek.automatic:
            self._reader.counted(Event.AUTOMATIC_REPLY)
            if self._reader.wrote(peek.answers):
                self._spent.append(listed.number)
        elif not self._reader.knows(peek.sender):
            self._reader.counted(Event.STRANGERS_MAIL)
        elif listed.size > MAX_MAIL:
            self._reader.counted(Event.MALFORMED_MAIL)
        else:
            mail = await self._do(conversation, conversation.mail, listed.number, MAX_MAIL)
            if self._hand_over(mail):
                self._spent.append(listed.number)

    def _hand_over(self, mail: bytes) -> bool:
        """Hand over what is in a mail; return whether it was ours."""
        try:
            envelopes = read_mail(mail)
        except Refused:
            self._reader.counted(Event.MALFORMED_MAIL)
            return False
        if not envelopes:
            self._reader.counted(Event.FOREIGN_MAIL if mail else Event.UNREADABLE_MAIL)
            return False
        for envelope in envelopes:
            self._reader.arrived(envelope)
        self._reader.counted(Event.MAIL_READ)
        return True

    async def _clear(self, conversation: ImapConversation) -> None:
        """Delete what was handed over. A server that does not let us keeps it, and is read from all the same."""
        while self._spent:
            some = self._spent[:_CHUNK]
            try:
                await self._do(conversation, conversation.remove, some)
            except MailFault as fault:
                if fault.event is not Event.FOLDER_REFUSED:
                    raise
                self._reader.counted(fault.event)
            del self._spent[: len(some)]

    def _set_reachable(self, *, up: bool) -> None:
        if up is not self.reachable:
            self.reachable = up
            self._reader.changed()
