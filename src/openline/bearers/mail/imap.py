"""One conversation with the server that holds our mailbox: a few commands, in a thread of their own.

The standard library's imaplib speaks; what it reads goes through our hands,
since it believes a server about every length: each answer has a budget of
bytes and a deadline that moves on only with bytes that came. Whatever goes
wrong becomes a constant name; what the server said stays here.
"""

import contextlib
import imaplib
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from openline.bearers.mail.config import MailServer, pinned, tls_context
from openline.bearers.mail.limits import (
    MAX_ANSWER,
    MAX_LINE,
    MAX_LOOKED_AT,
    MAX_PEEK,
    Event,
    MailFault,
    Pace,
    Security,
)
from openline.bearers.mail.message import PEEKED

_T = TypeVar("_T")

# What imaplib lets through when an answer makes no sense: it takes answers apart without looking.
_SENSELESS: Final = (imaplib.IMAP4.error, ValueError, TypeError, LookupError, AttributeError)
_SMALL: Final = 65_536
"""Bytes of the answer to a command that has little to say."""
_READ_BYTES: Final = 65_536
_NEWS: Final = re.compile(rb"\* [0-9]{1,10} (?:EXISTS|RECENT)\r?\n", re.IGNORECASE)
_NUMBER: Final = re.compile(rb"\bUID ([0-9]{1,10})\b")
_SIZE: Final = re.compile(rb"\bRFC822\.SIZE ([0-9]{1,10})\b")
_NOT_NOW: Final = frozenset({"UNAVAILABLE", "LIMIT", "INUSE", "SERVERBUG"})
"""Response codes (RFC 5530) that say that a refused login may be granted later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """What was found on opening it."""

    validity: int
    """Numbers of mails mean something only with this one (RFC 9051, 2.3.1.1)."""
    mails: int
    following: int
    """The number that the next mail is to have; 0 if the server does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A mail in the mailbox."""

    number: int
    """Its UID."""
    size: int
    head: bytes = field(repr=False)
    """Its PEEKED fields, cut off at MAX_PEEK."""


class _Wire(imaplib.IMAP4):
    """imaplib over bytes that are counted."""

    def __init__(self, connected: socket.socket, server: MailServer, pace: Pace) -> None:
        self.sock: socket.socket = connected
        self._server, self._pace = server, pace
        self._context = None if server.security is Security.NONE else tls_context(server)
        self._buffer = bytearray()
        self._budget = self._received = 0
        self._began = 0.0
        self.allow(_SMALL)
        super().__init__(server.name or server.host, server.port)

    def allow(self, budget: int) -> None:
        """Let the answers from now on take so many bytes."""
        self._budget, self._received, self._began = budget, 0, time.monotonic()

    # -- what imaplib calls --------------------------------------------------

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:  # noqa: ARG002 - theirs
        """Secure the connection that stands already."""
        if self._server.security is Security.TLS:
            self.secure()

    def read(self, size: int) -> bytes:
        """Return so many bytes."""
        self._spend(size)
        while len(self._buffer) < size:
            self._receive(self._deadline())
        return self._take(size)

    def readline(self) -> bytes:
        """Return one line with its end."""
        return self.line_before(None)

    def send(self, data: bytes) -> None:  # type: ignore[override] # typeshed names a buffer
        """Send all of it."""
        self.sock.settimeout(self._pace.command_s)
        self.sock.sendall(data)

    def shutdown(self) -> None:
        """Close the connection."""
        self.sock.close()

    # -- ours ----------------------------------------------------------------

    def line_before(self, end: float | None) -> bytes:
        """Return one line; empty when there is none until `end` (monotonic), where given."""
        searched = 0
        while (found := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > MAX_LINE:
                raise MailFault(Event.IMAP_BROKEN)
            try:
                self._receive(self._deadline() if end is None else end)
            except TimeoutError:
                if end is None:
                    raise
                return b""
        self._spend(found + 1)
        return self._take(found + 1)

    def secure(self) -> None:
        """Begin TLS; nothing may have come in plain after the server agreed to it."""
        if self._context is None or self._buffer:
            raise MailFault(Event.IMAP_UNTRUSTED)
        self.sock.settimeout(self._pace.command_s)
        secured = self._context.wrap_socket(self.sock, server_hostname=self._server.name or self._server.host)
        self.sock = secured
        trusted = False
        try:
            trusted = pinned(self._server, secured.getpeercert(binary_form=True))
        finally:  # also where the connection was gone before the handshake, which `ssl` passes over
            if not trusted:
                secured.close()
        if not trusted:
            raise MailFault(Event.IMAP_UNTRUSTED)

    def _deadline(self) -> float:
        return self._began + self._pace.command_s + self._received / self._pace.slowest

    def _receive(self, end: float) -> None:
        self.sock.settimeout(max(0.001, end - time.monotonic()))
        data = self.sock.recv(_READ_BYTES)
        if not data:
            raise ConnectionError
        self._buffer += data
        self._received += len(data)

    def _spend(self, size: int) -> None:
        self._budget -= size
        if self._budget < 0:
            raise MailFault(Event.IMAP_BROKEN)

    def _take(self, size: int) -> bytes:
        taken = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        return taken


class ImapConversation:
    """A mailbox that is open. Every call but `abort` blocks, and raises MailFault."""

    def __init__(self, connected: socket.socket, server: MailServer, pace: Pace) -> None:
        self._raw = connected
        self._handle = connected.dup()
        """For ending the connection from outside, whoever holds its socket by then."""
        self._server, self._pace = server, pace
        self._wire: _Wire | None = None
        self._can: frozenset[str] = frozenset()
        self._waits = 0

    @property
    def announces(self) -> bool:
        """Whether the server tells of new mails by itself (RFC 2177)."""
        return "IDLE" in self._can

    def enter(self, folder: str) -> Mailbox:
        """Secure the connection, log in and open the mailbox."""
        return self._guarded(lambda: self._enter(folder))

    def numbers(self, after: int, mails: int) -> list[int]:
        """Return the numbers above `after` in order; `mails` says how many there are when nothing was looked at yet."""
        return self._guarded(lambda: self._numbers(after, mails))

    def listed(self, numbers: Sequence[int]) -> list[Listed]:
        """Return what can be said of these mails without opening them; those that are gone are left out."""
        return self._guarded(lambda: self._listed(numbers))

    def mail(self, number: int, most: int) -> bytes:
        """Return a mail, its first `most` bytes if it is longer; empty if the server has none of it."""
        return self._guarded(lambda: self._mail(number, most))

    def remove(self, numbers: Iterable[int]) -> None:
        """Delete these mails for good."""
        self._guarded(lambda: self._remove(_set_of(numbers)))

    def wait(self, seconds: float) -> None:
        """Wait until the server tells of a new mail, at most so long."""
        self._guarded(lambda: self._wait(seconds))

    def abort(self) -> None:
        """End whatever is under way, from any thread: it fails at once. Harmless when repeated."""
        with contextlib.suppress(OSError):
            self._handle.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the socket; nothing may be under way."""
        if self._wire is not None:
            self._wire.sock.close()
        self._raw.close()
        self._handle.close()

    # -- inside --------------------------------------------------------------

    def _guarded(self, call: Callable[[], _T]) -> _T:
        try:
            return call()
        except ssl.SSLCertVerificationError:
            raise MailFault(Event.IMAP_UNTRUSTED) from None
        except OSError:
            raise MailFault(Event.IMAP_UNREACHABLE) from None
        except _SENSELESS:
            left = self._wire is not None and "BYE" in self._wire.untagged_responses
            raise MailFault(Event.IMAP_UNREACHABLE if left else Event.IMAP_BROKEN) from None

    def _begin(self, budget: int) -> _Wire:
        """Start a command: what came before is forgotten, or it would pile up for weeks."""
        wire = self._wire
        if wire is None:
            raise MailFault(Event.IMAP_UNREACHABLE)
        wire.untagged_responses.clear()
        wire.allow(budget)
        return wire

    def _enter(self, folder: str) -> Mailbox:
        self._raw.setblocking(True)
        wire = self._wire = _Wire(self._raw, self._server, self._pace)
        if self._server.security is Security.STARTTLS:
            if "STARTTLS" not in wire.capabilities or wire.state != "NONAUTH":
                raise MailFault(Event.IMAP_UNTRUSTED)  # cut out by whoever sits in between: never on without
            if wire.xatom("STARTTLS")[0] != "OK":
                raise MailFault(Event.IMAP_UNTRUSTED)
            wire.secure()
        if wire.state == "NONAUTH":
            self._log_in(wire)
        self._can = _words(self._begin(_SMALL).capability()[1])
        return self._select(folder)

    def _log_in(self, wire: _Wire) -> None:
        can = _words(self._begin(_SMALL).capability()[1])
        user, password = self._server.user, self._server.password
        try:
            if "AUTH=PLAIN" in can:
                wire.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
            elif "LOGINDISABLED" in can:
                raise MailFault(Event.IMAP_LOGIN_REFUSED)
            else:
                wire.login(user, password)
        except imaplib.IMAP4.abort:
            raise
        except (imaplib.IMAP4.error, UnicodeError):
            later = _NOT_NOW & set(wire.untagged_responses)
            raise MailFault(Event.IMAP_UNREACHABLE if later else Event.IMAP_LOGIN_REFUSED) from None

    def _select(self, folder: str) -> Mailbox:
        quoted = folder.replace("\\", "\\\\").replace('"', '\\"')
        wire = self._begin(_SMALL)
        try:
            answer, mails = wire.select(f'"{quoted}"')
        except imaplib.IMAP4.readonly:
            raise MailFault(Event.FOLDER_REFUSED) from None
        validity, following = wire.response("UIDVALIDITY")[1], wire.response("UIDNEXT")[1]
        if answer != "OK":
            raise MailFault(Event.FOLDER_REFUSED)
        return Mailbox(validity=_number(validity[-1]), mails=_number(mails[-1]), following=_number(following[-1]))

    def _numbers(self, after: int, mails: int) -> list[int]:
        for _ in range(16):
            wire = self._begin(MAX_ANSWER)
            oldest = mails - MAX_LOOKED_AT + 1
            span = f"{oldest}:*" if oldest > 1 and not after else f"UID {after + 1}:*"
            answer, found = wire.uid("SEARCH", span)
            if answer != "OK":
                raise MailFault(Event.IMAP_BROKEN)
            text = b" ".join(part for part in found if isinstance(part, bytes))
            # "n:*" names the last mail even if its number is below n.
            numbers = sorted({number for word in text.split() if (number := _number(word)) > after})
            if numbers or not wire.untagged_responses.get("EXISTS"):
                return numbers
            # One came in that very moment, and will not be announced again.
        return []

    def _listed(self, numbers: Sequence[int]) -> list[Listed]:
        wire = self._begin(_SMALL + len(numbers) * (MAX_PEEK + 512))
        what = f"(UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS ({PEEKED})]<0.{MAX_PEEK}>)"
        answer, items = wire.uid("FETCH", _set_of(numbers), what)
        if answer != "OK":
            raise MailFault(Event.IMAP_BROKEN)
        found: dict[int, Listed] = {}
        for text, head in _literals(items):
            number, size = _NUMBER.search(text), _SIZE.search(text)
            if number and size and int(number[1]) in numbers:
                found[int(number[1])] = Listed(number=int(number[1]), size=int(size[1]), head=head)
        return [found[number] for number in sorted(found)]

    def _mail(self, number: int, most: int) -> bytes:
        wire = self._begin(_SMALL + most)
        answer, items = wire.uid("FETCH", str(number), f"(UID BODY.PEEK[]<0.{most}>)")
        for text, mail in _literals(items) if answer == "OK" else ():
            named = _NUMBER.search(text)
            if named and int(named[1]) == number:
                return mail
        return b""

    def _remove(self, numbers: str) -> None:
        answer, _ = self._begin(MAX_ANSWER).uid("STORE", numbers, "+FLAGS.SILENT", r"(\Deleted)")
        wire = self._begin(MAX_ANSWER)
        if answer == "OK":
            answer, _ = wire.uid("EXPUNGE", numbers) if "UIDPLUS" in self._can else wire.expunge()
        if answer != "OK":
            raise MailFault(Event.FOLDER_REFUSED)

    def _wait(self, seconds: float) -> None:
        """Hold one IDLE, by hand: imaplib learnt it only in Python 3.14."""
        wire = self._begin(_SMALL)
        self._waits += 1
        tag = b"IDLE%d" % self._waits
        wire.send(tag + b" IDLE\r\n")
        news = False
        while not (line := wire.readline()).startswith(b"+"):
            _check_untagged(line)
            news = news or bool(_NEWS.fullmatch(line))
        end = time.monotonic() + seconds
        while not news and (line := wire.line_before(end)):
            _check_untagged(line)
            news = bool(_NEWS.fullmatch(line))
        wire.allow(_SMALL)
        wire.send(b"DONE\r\n")
        while not (line := wire.readline()).startswith(tag):
            _check_untagged(line)
        if not line.upper().startswith(tag + b" OK"):
            raise MailFault(Event.IMAP_BROKEN)


def _check_untagged(line: bytes) -> None:
    if line.upper().startswith(b"* BYE"):
        raise MailFault(Event.IMAP_UNREACHABLE)
    if not line.startswith(b"* "):
        raise MailFault(Event.IMAP_BROKEN)


def _literals(items: Iterable[object]) -> list[tuple[bytes, bytes]]:
    """Return each literal of an answer to FETCH with the text around it."""
    found: list[tuple[bytes, bytes]] = []
    for item in items:
        if isinstance(item, tuple):
            found.append((bytes(item[0]), bytes(item[1])))
        elif isinstance(item, bytes) and found:
            found[-1] = (found[-1][0] + b" " + item, found[-1][1])
    return found


def _number(word: object) -> int:
    """Return a number of at most ten digits; 0 for anything else."""
    return int(word) if isinstance(word, bytes) and word.isdigit() and len(word) <= 10 else 0


def _words(lines: Iterable[object]) -> frozenset[str]:
    return frozenset(
        word for line in lines if isinstance(line, bytes) for word in line.decode("latin-1").upper().split()
    )


def _set_of(numbers: Iterable[int]) -> str:
    return ",".join(str(number) for number in numbers)
