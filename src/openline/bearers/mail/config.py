"""Which mail servers, which mailbox, which addresses; and what of that is not accepted."""

import hashlib
import hmac
import ipaddress
import re
import ssl
from dataclasses import dataclass, field
from typing import Final

from openline.bearers.mail.limits import Pace, Security
from openline.kernel.errors import Forbidden, Malformed

_LOCAL: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_DOMAIN: Final = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[(?:IPv6:)?[0-9A-Fa-f.:]{2,45}\])"
_ADDRESS: Final = re.compile(rf"{_LOCAL}@{_DOMAIN}", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?|::[0-9A-Fa-f:.]*", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """One server and how to log in there; an empty user logs nobody in (SMTP only)."""

    host: str = field(repr=False)
    """A literal address, so that no name service is needed; or a name, which asks it."""
    port: int = field(repr=False)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    security: Security = Security.TLS
    name: str = field(default="", repr=False)
    """What its certificate must be made out to; empty: `host`."""
    authorities: str = field(default="", repr=False)
    """PEM of the authorities that may have signed its certificate; empty: the system's."""
    pin: bytes = field(default=b"", repr=False)
    """SHA-256 of its certificate (DER). If given, it alone decides: no authority, no name, no date."""
    plain_anywhere: bool = False
    """Allow `Security.NONE` beyond loopback: inside a tunnel of one's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailConfig:
    """The station's own mailbox, and the servers that take its mails and hold its mailbox."""

    address: str = field(repr=False)
    outgoing: MailServer
    incoming: MailServer
    folder: str = field(default="INBOX", repr=False)
    mails_per_minute: int = 30
    """In the long run; providers throttle senders. Urgent envelopes do not wait for it."""
    pace: Pace = field(default_factory=Pace)


def check_config(config: MailConfig) -> None:
    """Pass a configuration that can be worked with. Raises Malformed, or Forbidden for a plain connection elsewhere."""
    parse_mail_address(config.address)
    check_server(config.outgoing)
    check_server(config.incoming)
    if not config.incoming.user:
        raise Malformed("mail: the IMAP server needs a user name")
    if not config.folder or not config.folder.isascii() or _CONTROL.search(config.folder):
        raise Malformed("mail: not a folder's name in ASCII")
    if not 1 <= config.mails_per_minute <= 6_000:
        raise Malformed("mail: between 1 and 6,000 mails a minute")


def parse_mail_address(text: str) -> str:
    """Return a mail address in the one form it is compared in. Raises Malformed.

    The domain in lower case; the local part as it is, since it is the other side's affair.
    """
    if len(text) > 254 or not _ADDRESS.fullmatch(text):
        raise Malformed("not a mail address")
    local, _, domain = text.rpartition("@")
    return f"{local}@{domain.lower()}"


def same_address(address: str) -> str:
    """What two spellings of an address have in common: every server in use ignores case."""
    return address.lower()


def is_literal(host: str) -> bool:
    """Whether no name service is needed to reach it."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def tls_context(server: MailServer) -> ssl.SSLContext:
    """Return the context for connections to a server. Raises Malformed when `authorities` are not certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if server.pin:
        # The pin is compared after the handshake and before the first command: see `pinned`.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        if server.authorities:
            context.load_verify_locations(cadata=server.authorities)
        else:
            context.load_default_certs()
    except (ssl.SSLError, ValueError):
        raise Malformed("mail: the authorities are not certificates in PEM") from None
    return context


def pinned(server: MailServer, certificate: bytes | None) -> bool:
    """Whether the certificate that the server showed is the pinned one, where one is pinned."""
    return not server.pin or hmac.compare_digest(hashlib.sha256(certificate or b"").digest(), server.pin)


def check_server(server: MailServer) -> None:
    """Pass a server that can be worked with. Raises Malformed, or Forbidden for a plain connection elsewhere."""
    if not _HOST.fullmatch(server.host) or not 1 <= server.port <= 65_535:
        raise Malformed("mail: not a server's address and port")
    if _CONTROL.search(server.user + server.password) or (server.name and not _HOST.fullmatch(server.name)):
        raise Malformed("mail: a user name, password or server's name has signs that no server takes")
    if len(server.pin) not in {0, 32}:
        raise Malformed("mail: a certificate's digest has 32 bytes")
    if server.security is Security.NONE and not (server.plain_anywhere or _is_loopback(server.host)):
        raise Forbidden("mail: without TLS only on loopback, unless the configuration says otherwise")
    tls_context(server)


def _is_loopback(host: str) -> bool:
    return is_literal(host) and ipaddress.ip_address(host).is_loopback
