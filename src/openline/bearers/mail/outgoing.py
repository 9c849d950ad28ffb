"""The way out: whose mail goes next, how soon, and what a server's refusal means for a station.

A conversation with the server is held while there is something to send and a
little longer, and a visit is paid now and then when there is nothing, so that
"the server was reachable at the last try" is never old. The first broken
conversation after a good one is begun anew at once, in silence.

Urgent envelopes go first and at once; the others wait for the mails that the
provider allows a minute, and go together meanwhile.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from openline.bearers.mail.config import MailConfig
from openline.bearers.mail.dial import Backoff
from openline.bearers.mail.limits import SENT_NAMES, Event, MailFault
from openline.bearers.mail.message import addressed, write_mail
from openline.bearers.mail.outbox import Outbox
from openline.bearers.mail.smtp import SmtpConversation
from openline.kernel.units import Entropy

_STATIONS_OWN: Final = frozenset({Event.RECIPIENT_REFUSED, Event.MAILBOX_FULL, Event.MAIL_REFUSED})
"""Faults that say nothing about other stations' mails: what waits is given back to the protocol."""


class Recipient:
    """A station that mails go to."""

    def __init__(self, address: str, outbox: Outbox, hold: Backoff, wait: Backoff) -> None:
        self.address = address
        self.outbox = outbox
        self.hold = hold
        """After refusals."""
        self.wait = wait
        """After deferrals."""
        self.held = False
        """Refused or deferred lately: the link is down."""
        self.due = 0.0
        """Loop time before which nothing is sent."""
        self.served = 0.0


class Outgoing:
    """Sends what stands in the recipients' queues; `run` never ends by itself."""

    def __init__(
        self,
        config: MailConfig,
        entropy: Entropy,
        wall: Callable[[], int],
        *,
        counted: Callable[[Event], None],
        changed: Callable[[], None],
    ) -> None:
        self._config, self._pace = config, config.pace
        self._entropy, self._wall = entropy, wall
        self._counted, self._changed = counted, changed
        self.reachable = False
        """Whether the server let us in at the last try."""
        self.recipients: dict[str, Recipient] = {}
        self._names: dict[str, None] = {}
        self._stirred = asyncio.Event()
        self._again = Backoff(first_s=self._pace.retry_s, longest_s=self._pace.longest_retry_s, entropy=entropy)
        self._login_again = Backoff(first_s=self._pace.refused_login_s, longest_s=3_600.0, entropy=entropy)
        self._credit = float(self._pace.burst)
        self._credited = 0.0
        self._failures = 0

    def set_recipient(self, station: str, address: str) -> None:
        """Send a station's mails to this address; what waits stays."""
        known = self.recipients.get(station)
        if known is None:
            pace = self._pace
            self.recipients[station] = Recipient(
                address,
                Outbox(pace),
                Backoff(first_s=pace.hold_s, longest_s=pace.longest_hold_s, entropy=self._entropy),
                Backoff(first_s=pace.retry_s, longest_s=pace.hold_s, entropy=self._entropy),
            )
        elif known.address != address:
            known.address, known.held, known.due = address, False, 0.0
            known.hold.reset()

    def stir(self) -> None:
        """Look at the queues."""
        self._stirred.set()

    def wrote(self, name: str) -> bool:
        """Whether a Message-ID is that of a mail we sent lately."""
        return name in self._names

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            _heed_cancellation()
            try:
                await self._visit()
            except MailFault as fault:
                self._counted(fault.event)
                self._failures += 1
                if self._failures > 1 or fault.event is not Event.SMTP_UNREACHABLE:
                    self._set_reachable(up=False)
                    refused = fault.event is Event.SMTP_LOGIN_REFUSED
                    await asyncio.sleep((self._login_again if refused else self._again).pause())
            else:
                self._works()
                recipient, wait_s = self._next(asyncio.get_running_loop().time())
                if recipient is None:
                    await self._idle(min(wait_s, self._pace.probe_s))

    # -- one conversation ----------------------------------------------------

    async def _visit(self) -> None:
        """Hold one conversation: send all there is, linger, leave. Raises MailFault."""
        conversation = await SmtpConversation.begin(self._config.outgoing, self._pace)
        try:
            # After failures with a mail only a mail that passes shows that it works again.
            if self._failures < 2 or not self._waiting():
                self._set_reachable(up=True)
            loop = asyncio.get_running_loop()
            began = used = loop.time()
            while conversation.standing:
                _heed_cancellation()
                recipient, wait_s = self._next(loop.time())
                if recipient is not None:
                    if loop.time() - used > self._pace.doubt_s:
                        await conversation.ask()
                    await self._send(conversation, recipient)
                    used = loop.time()
                    continue
                left = used + self._pace.linger_s - loop.time()
                if left <= 0:
                    await conversation.leave()
                    return
                await self._idle(min(left, wait_s))
            if used == began and self._waiting():
                raise MailFault(Event.SMTP_UNREACHABLE)  # let in and thrown out: not at once again
        finally:
            conversation.close()

    async def _send(self, conversation: SmtpConversation, recipient: Recipient) -> None:
        """Send a station's next mail. Raises MailFault when the server is at fault and not the station's mailbox."""
        loop = asyncio.get_running_loop()
        recipient.served = loop.time()
        batch = recipient.outbox.batch()
        own = self._config.address
        name = f"{self._entropy(16).hex()}@{own.rpartition('@')[2]}"
        mail = addressed(write_mail(batch), sender=own, recipient=recipient.address, sent_ms=self._wall(), name=name)
        self._remember(name)
        self._credit = max(self._credit - 1.0, -float(self._pace.burst))
        try:
            await conversation.send(own, recipient.address, mail)
        except MailFault as fault:
            if fault.event not in _STATIONS_OWN and fault.event is not Event.SMTP_DEFERRED:
                raise
            self._counted(fault.event)
            self._put_off(recipient, refused=fault.event in _STATIONS_OWN)
            return
        self._counted(Event.MAIL_SENT)
        recipient.outbox.sent(batch)
        recipient.hold.reset()
        recipient.wait.reset()
        self._works()
        self._set_reachable(up=True)
        self._release(recipient)

    def _put_off(self, recipient: Recipient, *, refused: bool) -> None:
        """Let a station's link be down for a while; of what was refused nothing is kept, the protocol has it."""
        now = asyncio.get_running_loop().time()
        recipient.held = True
        recipient.due = now + (recipient.hold if refused else recipient.wait).pause()
        if refused:
            recipient.outbox.clear()
        self._changed()

    # -- whose turn, and when ------------------------------------------------

    def _next(self, now: float) -> tuple[Recipient | None, float]:
        """Return whose mail may go now, or how long nobody's may."""
        per_second = self._config.mails_per_minute / 60
        self._credit = min(float(self._pace.burst), self._credit + (now - self._credited) * per_second)
        self._credited = now
        best: Recipient | None = None
        wait_s = float("inf")
        for recipient in self.recipients.values():
            if recipient.due > now:
                wait_s = min(wait_s, recipient.due - now)
            elif recipient.outbox.empty:
                self._release(recipient)
            elif not recipient.outbox.urgent and self._credit < 1.0:
                wait_s = min(wait_s, (1.0 - self._credit) / per_second)
            elif best is None or _rank(recipient) < _rank(best):
                best = recipient
        return best, wait_s

    def _release(self, recipient: Recipient) -> None:
        """Let a station's link be up again: a mail has passed, or the next one will show."""
        if recipient.held:
            recipient.held = False
            self._changed()

    async def _idle(self, seconds: float) -> None:
        """Wait for something to send, or for the time to pass."""
        try:
            async with asyncio.timeout(seconds):
                await self._stirred.wait()
        except TimeoutError:
            return
        finally:
            self._stirred.clear()

    def _waiting(self) -> bool:
        return not all(recipient.outbox.empty for recipient in self.recipients.values())

    def _works(self) -> None:
        self._failures = 0
        self._again.reset()
        self._login_again.reset()

    def _set_reachable(self, *, up: bool) -> None:
        if up is not self.reachable:
            self.reachable = up
            self._changed()

    def _remember(self, name: str) -> None:
        self._names[name] = None
        if len(self._names) > SENT_NAMES:
            del self._names[next(iter(self._names))]


def _heed_cancellation() -> None:
    """Stop when told to: under Python 3.11 `asyncio.wait_for`, which aiosmtplib uses, can lose a cancellation."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _rank(recipient: Recipient) -> tuple[bool, float]:
    """Urgent ones first, then whoever has waited longest."""
    return not recipient.outbox.urgent, recipient.served
