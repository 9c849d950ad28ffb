"""A signed call over HTTPS: one POST, one answer of which the first line counts, nothing kept open.

    POST <path>
    Openline-Id: <id>                      the same whenever the same call is repeated
    Openline-Timestamp: <seconds>          of this attempt
    Openline-Signature: v1=<hexadecimal>   HMAC-SHA256(secret, timestamp "." body)

The other end is believed about nothing but having answered 2xx. No redirect is followed, no proxy asked, no cookie or
body kept; whatever it does, a call ends within CALL_S and holds no more than MOST_HEAD bytes of its answer.
"""

import asyncio
import contextlib
import hashlib
import hmac
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from openline.kernel.errors import Malformed, Unavailable
from openline.kernel.units import Instant

CALL_S = 10.0
MOST_HEAD = 8_192
FRESH_S = 300
"""A receiver refuses what is signed with a time further than this from its own clock."""
_GONE_S = 1.0
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r?\n")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9a-f:.]{2,45}", re.ASCII)
_TARGET = re.compile(r"/[!-~]*", re.ASCII)
MIN_SECRET = 32


class CallFailed(Unavailable):
    """A call was not taken. `how` is a constant name; nothing that the other end said stands in here."""

    def __init__(self, how: str) -> None:
        super().__init__("the path does not take alarms")
        self.how = how


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a webhook is, checked."""

    host: str = field(repr=False)
    port: int = field(repr=False)
    target: str = field(repr=False)
    secret: bytes = field(repr=False)
    context: ssl.SSLContext = field(repr=False)
    pin: bytes = field(default=b"", repr=False)


def endpoint(url: str, secret: bytes, *, authorities: str = "", pin: str = "") -> Endpoint:
    """An address and its secret. Raises Malformed: not https, no literal path, a short secret, no certificates."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
    except ValueError:
        raise Malformed("a webhook's address is not one") from None
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if parts.scheme != "https" or not _HOST.fullmatch(host) or not _TARGET.fullmatch(target):
        raise Malformed("a webhook's address begins with https:// and a host")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Malformed("a webhook's address has neither user nor fragment: calls are signed")
    if len(secret) < MIN_SECRET:
        raise Malformed("a webhook's secret has at least 32 bytes")
    return Endpoint(
        host=host, port=port, target=target, secret=secret, context=_context(authorities, pin), pin=bytes.fromhex(pin)
    )


def _context(authorities: str, pin: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if pin:  # compared after the handshake, before anything is said: it alone decides
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        if authorities:
            context.load_verify_locations(cadata=authorities)
        else:
            context.load_default_certs()
    except (ssl.SSLError, ValueError):
        raise Malformed("a webhook's authorities are not certificates in PEM") from None
    return context


def signature(secret: bytes, timestamp: int, body: bytes) -> str:
    """What stands in Openline-Signature."""
    return "v1=" + hmac.new(secret, b"%d." % timestamp + body, hashlib.sha256).hexdigest()


def is_signed(secret: bytes, timestamp: str, body: bytes, given: str, now: Instant) -> bool:
    """Whether a call is by whoever has the secret, and not older or newer than FRESH_S."""
    if not re.fullmatch(r"[0-9]{1,12}", timestamp, re.ASCII) or abs(int(timestamp) * 1_000 - now) > FRESH_S * 1_000:
        return False
    return hmac.compare_digest(signature(secret, int(timestamp), body).encode(), given.encode())


async def post(place: Endpoint, name: str, body: bytes, now: Callable[[], Instant]) -> None:
    """Post a body; taken when this returns. Raises CallFailed."""
    try:
        async with asyncio.timeout(CALL_S):
            await _post(place, name, body, now)
    except TimeoutError:
        raise CallFailed("timeout") from None
    except ssl.SSLCertVerificationError:
        raise CallFailed("untrusted") from None
    except (OSError, ssl.SSLError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise CallFailed("unreachable") from None


async def _post(place: Endpoint, name: str, body: bytes, now: Callable[[], Instant]) -> None:
    plain = await _connected(place)
    writer: asyncio.StreamWriter | None = None
    try:
        reader, writer = await asyncio.open_connection(
            sock=plain, ssl=place.context, server_hostname=place.host, limit=MOST_HEAD, ssl_shutdown_timeout=_GONE_S
        )
        _check_pin(place, writer)
        timestamp = now() // 1_000
        host = f"[{place.host}]" if ":" in place.host else place.host
        head = (
            f"POST {place.target} HTTP/1.1\r\nHost: {host}:{place.port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\nUser-Agent: openline\r\nOpenline-Id: {name}\r\n"
            f"Openline-Timestamp: {timestamp}\r\nOpenline-Signature: {signature(place.secret, timestamp, body)}\r\n\r\n"
        )
        writer.write(head.encode("ascii") + body)
        await writer.drain()
        found = _STATUS.fullmatch(await reader.readuntil(b"\n"))
        if found is None:
            raise CallFailed("no-answer")
        status = int(found[1])
        if not 200 <= status < 300:
            raise CallFailed("redirected" if 300 <= status < 400 else "refused" if status < 500 else "failing")
    finally:
        # Hang up at once: an end that goes on talking, or does not close, holds nobody.
        with contextlib.suppress(OSError):
            plain.shutdown(socket.SHUT_RDWR)
        if writer is not None:
            writer.transport.abort()


async def _connected(place: Endpoint) -> socket.socket:
    """A connection to the first address of a name that answers. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    failure = OSError()
    for family, kind, number, _, address in found:
        plain = socket.socket(family, kind, number)
        plain.setblocking(False)
        try:
            await loop.sock_connect(plain, address)
            return plain
        except OSError as error:
            plain.close()
            failure = error
        except BaseException:
            plain.close()
            raise
    raise failure


def _check_pin(place: Endpoint, writer: asyncio.StreamWriter) -> None:
    if not place.pin:
        return
    shown = writer.get_extra_info("ssl_object")
    certificate = shown.getpeercert(binary_form=True) if isinstance(shown, ssl.SSLObject) else None
    if not hmac.compare_digest(hashlib.sha256(certificate or b"").digest(), place.pin):
        raise CallFailed("untrusted")
