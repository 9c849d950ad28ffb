"""The bearers' tables of config.toml. A bearer without its table is not used; TLS always is.

Files that hold passwords are named by path and must be readable for the
station's user alone; a relative path stands below the station's folder.
"""

from typing import Annotated

import msgspec

Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
StationId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
BearerName = Annotated[str, msgspec.Meta(pattern=r"^serial(-[a-z0-9]{1,12})?\Z")]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every table is: immutable, by keyword, without unknown names."""


class Server(Table, frozen=True, kw_only=True):
    """A mail server."""

    host: str
    """A literal address, so that no name service is needed; or a name."""
    port: Port
    user: str = ""
    """Empty: nobody logs in (SMTP only)."""
    password_file: str = ""
    security: Annotated[str, msgspec.Meta(pattern=r"^(tls|starttls|none)\Z")] = "tls"
    name: str = ""
    """What its certificate must be made out to; empty: `host`."""
    authorities_file: str = ""
    """PEM; empty: the system's authorities."""
    pin: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?\Z")] = ""
    """SHA-256 of its certificate in hexadecimal: then that certificate and no other."""


class Mail(Table, frozen=True, kw_only=True):
    """Envelopes as attachments of mails."""

    address: str
    """This station's own mailbox."""
    smtp: Server
    imap: Server
    folder: str = "INBOX"
    mails_per_minute: Annotated[int, msgspec.Meta(ge=1, le=6_000)] = 30


class Nats(Table, frozen=True, kw_only=True):
    """A NATS relay with JetStream."""

    servers: tuple[str, ...]
    """Literal addresses of one relay or of one cluster, tried in turn."""
    credentials_file: str = ""
    authority_file: str = ""
    """PEM; empty: no TLS towards the relay; envelopes need none."""
    server_name: str = ""


class Drop(Table, frozen=True, kw_only=True):
    """A folder that others reach too. Both the same: a share; one alone: the end of a diode."""

    out: str = ""
    """Where this station writes."""
    into: str = ""
    """Where it reads."""
    keep: bool = False
    """Leave what was read."""


class ChatStep(Table, frozen=True, kw_only=True):
    """One line said to a modem, and the word waited for."""

    send: str = ""
    expect: str = "OK"
    wait_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 60.0


class Serial(Table, frozen=True, kw_only=True):
    """A serial line or a modem; one for each device."""

    device: str
    bits_per_second: Annotated[int, msgspec.Meta(ge=50, le=4_000_000)] = 9_600
    name: BearerName = "serial"
    peer: StationId | None = None
    """Whose station is at the other end; may be left out where there is only one peer."""
    baud: Annotated[int, msgspec.Meta(ge=0, le=4_000_000)] = 0
    frame: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0
    """The most data in a frame; 0: what fits the rate."""
    delay_ms: Annotated[int, msgspec.Meta(ge=0, le=60_000)] = 200
    half_duplex: bool = False
    hardware_flow: bool = False
    chat: tuple[ChatStep, ...] = ()
