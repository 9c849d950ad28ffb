"""One conversation with the server that takes our mails; what it says becomes a constant name.

Server texts may quote addresses and are an outsider's words: none leaves this
file. The certificate's pin is compared before the login.
"""

import asyncio
import contextlib
import ssl
from typing import Final

import aiosmtplib

from openline.bearers.mail.config import MailServer, pinned, tls_context
from openline.bearers.mail.dial import connect
from openline.bearers.mail.limits import Event, MailFault, Pace, Security

_GREETING: Final = "[127.0.0.1]"
"""What we say we are called: aiosmtplib would ask the name service, and the true address is nobody's affair."""
_GOODBYE_S: Final = 1.0


class SmtpConversation:
    """A connection that is logged in. Every failure raises MailFault."""

    def __init__(self, client: aiosmtplib.SMTP, pace: Pace) -> None:
        self._client = client
        self._pace = pace

    @classmethod
    async def begin(cls, server: MailServer, pace: Pace) -> "SmtpConversation":
        """Connect, secure the connection, log in."""
        try:
            connected = await connect(server, pace)
        except (OSError, TimeoutError):
            raise MailFault(Event.SMTP_UNREACHABLE) from None
        client = aiosmtplib.SMTP(
            hostname=server.name or server.host,
            sock=connected,
            local_hostname=_GREETING,
            timeout=pace.command_s,
            use_tls=server.security is Security.TLS,
            start_tls=False,
            tls_context=None if server.security is Security.NONE else tls_context(server),
        )
        try:
            await _secure(client, server)
            if server.user:
                await _log_in(client, server)
        except BaseException:
            _hang_up(client)
            raise
        return cls(client, pace)

    @property
    def standing(self) -> bool:
        """Whether the server has not closed the connection, as far as is known."""
        return self._client.is_connected

    async def ask(self) -> None:
        """Find out whether the server still answers, within `doubt_s`."""
        try:
            await self._client.noop(timeout=self._pace.doubt_s)
        except (aiosmtplib.SMTPException, OSError, ValueError):
            raise MailFault(Event.SMTP_UNREACHABLE) from None

    async def send(self, sender: str, recipient: str, mail: bytes) -> None:
        """Hand one mail over: the server has taken it when this returns."""
        patience = self._pace.command_s + len(mail) / self._pace.slowest
        try:
            await self._client.sendmail(sender, [recipient], mail, timeout=patience)
        except aiosmtplib.SMTPRecipientsRefused as refused:
            answer = refused.recipients[0]
            raise MailFault(_recipient_fault(answer.code, answer.message)) from None
        except aiosmtplib.SMTPSenderRefused as refused:
            raise MailFault(_sender_fault(refused.code)) from None
        except aiosmtplib.SMTPDataError as refused:
            raise MailFault(_mail_fault(refused.code, refused.message)) from None
        except aiosmtplib.SMTPResponseException as refused:
            raise MailFault(Event.SMTP_DEFERRED if _later(refused.code) else Event.SMTP_UNREACHABLE) from None
        except (aiosmtplib.SMTPException, OSError, ValueError):
            raise MailFault(Event.SMTP_UNREACHABLE) from None

    async def leave(self) -> None:
        """Say goodbye."""
        with contextlib.suppress(aiosmtplib.SMTPException, OSError, ValueError):
            await self._client.quit(timeout=_GOODBYE_S)
        self.close()

    def close(self) -> None:
        """Hang up at once. Harmless when repeated."""
        _hang_up(self._client)


def _hang_up(client: aiosmtplib.SMTP) -> None:
    """End the connection without a goodbye; a socket that never became a transport is asyncio's to close."""
    transport = client.transport
    client.close()
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()


async def _secure(client: aiosmtplib.SMTP, server: MailServer) -> None:
    try:
        await client.connect()
        if server.security is Security.STARTTLS:
            await _start_tls(client)
        if server.security is not Security.NONE:
            shown = client.get_transport_info("ssl_object")
            if not isinstance(shown, ssl.SSLObject) or not pinned(server, shown.getpeercert(binary_form=True)):
                raise MailFault(Event.SMTP_UNTRUSTED)
        await client.ehlo()
    except aiosmtplib.SMTPResponseException as refused:
        raise MailFault(Event.SMTP_DEFERRED if _later(refused.code) else Event.SMTP_UNREACHABLE) from None
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        # aiosmtplib wraps what the TLS library said.
        untrusted = isinstance(error, ssl.SSLCertVerificationError) or isinstance(
            error.__cause__, ssl.SSLCertVerificationError
        )
        raise MailFault(Event.SMTP_UNTRUSTED if untrusted else Event.SMTP_UNREACHABLE) from None


async def _start_tls(client: aiosmtplib.SMTP) -> None:
    await client.ehlo()
    if not client.supports_extension("starttls"):
        # Whoever sits in between may have cut it out of the answer: never on without.
        raise MailFault(Event.SMTP_UNTRUSTED)
    await client.starttls()


async def _log_in(client: aiosmtplib.SMTP, server: MailServer) -> None:
    try:
        await client.login(server.user, server.password)
    except aiosmtplib.SMTPResponseException as refused:
        raise MailFault(Event.SMTP_DEFERRED if _later(refused.code) else Event.SMTP_LOGIN_REFUSED) from None
    except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError):
        raise MailFault(Event.SMTP_UNREACHABLE) from None
    except (aiosmtplib.SMTPException, ValueError):
        raise MailFault(Event.SMTP_LOGIN_REFUSED) from None  # no way to log in that both know


def _later(code: int) -> bool:
    return 400 <= code < 500


def _full(text: str) -> bool:
    """Whether the enhanced status (RFC 3463) says that the mailbox is full."""
    return text.startswith(("4.2.2", "5.2.2"))


def _recipient_fault(code: int, text: str) -> Event:
    if code == 552 or _full(text):
        return Event.MAILBOX_FULL
    return Event.SMTP_DEFERRED if _later(code) else Event.RECIPIENT_REFUSED


def _sender_fault(code: int) -> Event:
    if code == 552:  # the size that was announced (RFC 1870)
        return Event.MAIL_REFUSED
    return Event.SMTP_DEFERRED if _later(code) else Event.SENDER_REFUSED


def _mail_fault(code: int, text: str) -> Event:
    if _full(text):
        return Event.MAILBOX_FULL
    return Event.SMTP_DEFERRED if _later(code) else Event.MAIL_REFUSED
