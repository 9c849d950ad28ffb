"""Every deadline and bound of the mail bearer, and what it counts."""

import enum
from dataclasses import dataclass
from typing import Final

from openline.kernel.errors import Unavailable

LARGEST_ENVELOPE: Final = 16_384

MAX_MAIL: Final = 1_048_576
"""Bytes of a mail that is read, and of one that is written; many providers refuse ten times that."""
MAX_ATTACHMENTS: Final = 64
"""Envelopes in one mail."""
MAX_BATCH: Final = 262_144
"""Bytes of envelopes put into one mail: at 9,600 bit/s it takes five minutes, and an urgent one waits behind it."""
MAX_HEAD: Final = 65_536
"""Bytes before the blank line, of the mail or of a part: every relay adds a few kilobytes."""
MAX_FIELD: Final = 2_048
"""Bytes of a field that is looked into. Ours have below 300."""
MAX_DEPTH: Final = 4
"""Multiparts within multiparts: ours is one, a gateway that adds a notice makes two."""
MAX_PARTS: Final = 128
"""Parts of a mail, in all."""
MAX_PEEK: Final = 4_096
"""Bytes fetched of the fields that say from whom a mail is: a stranger's endless field costs no more."""
MAX_REPORT: Final = 65_536
"""Bytes fetched of a bounce: the names of mails that came back stand before the mails."""
MAX_LOOKED_AT: Final = 50_000
"""Mails of a mailbox that are looked at, the newest; their numbers fit MAX_ANSWER."""
MAX_ANSWER: Final = 1_048_576
"""Bytes of a mail server's answer to a command, beside what was asked for."""
MAX_LINE: Final = 655_360
"""Bytes of one line of it: MAX_LOOKED_AT numbers of ten digits."""

FLAWED_TRIES: Final = 3
"""A mail over which the connection broke this often is passed over until the next start."""
SENT_NAMES: Final = 4_096
"""Message-IDs of mails sent that are remembered, to know our own bounces."""


class Security(enum.StrEnum):
    """How the connection to a mail server is protected; the envelopes protect themselves."""

    TLS = "tls"
    """From the first byte (ports 465, 993)."""
    STARTTLS = "starttls"
    """Demanded before anything else is said (ports 587, 143)."""
    NONE = "none"
    """Neither password nor addresses are hidden: on loopback, or where the configuration says so."""


class Event(enum.StrEnum):
    """What is worth a counter; the names that `Intake.counted` gets."""

    SMTP_UNREACHABLE = "smtp-unreachable"
    """No connection, or it broke, or an answer came too late or made no sense."""
    SMTP_UNTRUSTED = "smtp-untrusted"
    """No TLS, or a certificate that is not the one."""
    SMTP_LOGIN_REFUSED = "smtp-login-refused"
    SMTP_DEFERRED = "smtp-deferred"
    """The server says: later (greylisting, throttling, busy)."""
    SENDER_REFUSED = "sender-refused"
    RECIPIENT_REFUSED = "recipient-refused"
    MAILBOX_FULL = "mailbox-full"
    """The peer's."""
    MAIL_REFUSED = "mail-refused"
    """The server refused the mail itself: its size, its attachments, a filter."""
    MAIL_SENT = "mail-sent"
    IMAP_UNREACHABLE = "imap-unreachable"
    IMAP_UNTRUSTED = "imap-untrusted"
    IMAP_LOGIN_REFUSED = "imap-login-refused"
    FOLDER_REFUSED = "folder-refused"
    """The mailbox's folder cannot be opened for writing."""
    IMAP_BROKEN = "imap-broken"
    """The server's answers exceed a bound or make no sense."""
    MAIL_READ = "mail-read"
    STRANGERS_MAIL = "strangers-mail"
    """From no peer's address: left where it is."""
    FOREIGN_MAIL = "foreign-mail"
    """From a peer's address and without an envelope: left where it is."""
    MALFORMED_MAIL = "malformed-mail"
    """From a peer's address and beyond a bound, or broken: left where it is."""
    UNREADABLE_MAIL = "unreadable-mail"
    """The server does not hand it over."""
    AUTOMATIC_REPLY = "automatic-reply"
    BOUNCE = "bounce"
    """One of our mails, or somebody's, came back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Every deadline (seconds) and bound of the bearer; the defaults are for the world as it is."""

    connect_s: float = 10.0
    command_s: float = 30.0
    """An answer, beside the time that its bytes take at `slowest`."""
    slowest: int = 500
    """Bytes per second below which a transfer counts as dead."""
    retry_s: float = 1.0
    longest_retry_s: float = 30.0
    steady_s: float = 5.0
    """A mailbox that was open this long starts the back-off anew."""
    refused_login_s: float = 60.0
    """Pause after a refused login, doubled up to an hour: haste locks accounts."""
    poll_s: float = 20.0
    """Between two looks, where the server has no IDLE."""
    idle_s: float = 240.0
    """Between two looks, where it has: below what routers forget a connection after."""
    linger_s: float = 20.0
    """How long an SMTP connection is kept for the next mail."""
    doubt_s: float = 3.0
    """A connection kept longer than this is asked whether it lives, and has this long to answer."""
    probe_s: float = 300.0
    """Between two visits at the SMTP server when there is nothing to send."""
    hold_s: float = 60.0
    """A station whose mail was refused counts as down so long, doubled up to an hour."""
    longest_hold_s: float = 3_600.0
    burst: int = 10
    """Mails that may go at once before `mails_per_minute` holds."""
    queue_bytes: int = 1_048_576
    """For each station."""
    urgent_bytes: int = 262_144
    """Room that only urgent envelopes may take when the queue is full: 16 of the largest."""


class MailFault(Unavailable):
    """A mail server does not let us; `event` says how. Nothing that it said stands in here."""

    def __init__(self, event: Event) -> None:
        super().__init__("the mail server does not let us")
        self.event = event
