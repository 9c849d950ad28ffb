"""Each bearer of the configuration, made: its own module is imported here, when it is made and not before.

Every maker raises Refused (wrongly configured), Unavailable, or ImportError
if a package that the bearer needs is not installed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from openline.kernel.errors import Malformed, Unavailable
from openline.kernel.keys import Card
from openline.kernel.units import Entropy
from openline.ports import Bearer
from openline.station.bearer_tables import Drop, Mail, Nats, Serial, Server
from openline.station.clock import StationClock
from openline.station.config import Config
from openline.station.files import read_private
from openline.station.keystore import Keystore
from openline.station.links import Links
from openline.station.log import Log

if TYPE_CHECKING:
    from openline.bearers.drop import CourierBearer
    from openline.bearers.mail import MailServer
    from openline.bearers.tls import TlsBearer

MAX_FILE_BYTES = 262_144
"""Of a password, a credentials file or certificates."""


class Host(Protocol):
    """What the bearers need of their station."""

    home: Path
    config: Config
    keystore: Keystore
    entropy: Entropy
    clock: StationClock
    links: Links
    log: Log
    card: Card
    tls: "TlsBearer | None"
    courier: "CourierBearer | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A bearer, and how it is told where a station is."""

    bearer: Bearer
    place: Callable[[str, Card, tuple[str, ...]], bool]
    """(station id, card, places) -> whether it knows now where that station is. Raises Refused."""
    trouble: Callable[[], str] = str
    """What a bearer that mends itself lacks meanwhile, in words for people; nothing while it works."""


def tls(host: Host) -> Made:
    """TLS over TCP; it carries pairing too."""
    from openline.bearers.tls import TlsBearer, TlsConfig

    keys = host.keystore
    config = TlsConfig(listen=host.config.tls.listen, certificate=keys.certificate, key=keys.tls_key)
    bearer = TlsBearer(config, host.links, host.entropy)
    host.tls = bearer

    def place(station: str, card: Card, places: tuple[str, ...]) -> bool:
        bearer.set_peer(station, card.certificate, places)
        return True

    return Made(bearer=bearer, place=place, trouble=lambda: bearer.trouble)


def serial(host: Host, table: Serial) -> Made:
    """A serial line or a modem."""
    from openline.bearers.serial import SerialBearer, SerialConfig, Step

    config = SerialConfig(
        device=Path(table.device),
        bits_per_second=table.bits_per_second,
        name=table.name,
        baud=table.baud,
        delay_ms=table.delay_ms,
        half_duplex=table.half_duplex,
        hardware_flow=table.hardware_flow,
        chat=tuple(Step(send=step.send, expect=step.expect, wait_s=step.wait_s) for step in table.chat),
    )
    if table.frame:
        config = replace(config, frame=table.frame)
    bearer = SerialBearer(config, host.links, host.entropy)

    def place(station: str, _card: Card, _places: tuple[str, ...]) -> bool:
        if table.peer not in {None, station}:
            return False
        bearer.set_peer(station)
        return True

    return Made(bearer=bearer, place=place, trouble=lambda: bearer.trouble)


def drop(host: Host, table: Drop) -> Made:
    """A folder that others reach too."""
    from openline.bearers.drop import DropBearer, DropConfig

    config = DropConfig(
        station=host.card.fingerprint.hex(),
        out=Path(table.out) if table.out else None,
        into=Path(table.into) if table.into else None,
        keep=table.keep,
    )
    bearer = DropBearer(config, host.links)

    def place(station: str, _card: Card, places: tuple[str, ...]) -> bool:
        bearer.set_peer(station, Path(places[0]) if places else None)
        return bool(table.out)

    return Made(bearer=bearer, place=place)


def courier(host: Host) -> Made:
    """Sticks carried by hand; needs no configuration, as it is up only while somebody prepares a trip."""
    from openline.bearers.drop import CourierBearer

    bearer = CourierBearer(host.links)
    host.courier = bearer

    def place(station: str, _card: Card, _places: tuple[str, ...]) -> bool:
        bearer.set_peer(station)
        return True

    return Made(bearer=bearer, place=place)


def nats(host: Host, table: Nats) -> Made:
    """A NATS relay; who is where follows from the stations' ids."""
    from openline.bearers.nats import NatsBearer, NatsConfig

    config = NatsConfig(
        station=host.card.fingerprint.hex(),
        servers=table.servers,
        credentials=_secret(host.home, table.credentials_file, MAX_FILE_BYTES),
        authority=_file(host.home, table.authority_file),
        server_name=table.server_name,
    )
    bearer = NatsBearer(config, host.links, host.entropy)

    def place(station: str, _card: Card, _places: tuple[str, ...]) -> bool:
        bearer.set_peer(station)
        return True

    return Made(bearer=bearer, place=place)


def mail(host: Host, table: Mail) -> Made:
    """A mailbox: out by SMTP, in by IMAP."""
    from openline.bearers.mail import MailBearer, MailConfig

    config = MailConfig(
        address=table.address,
        outgoing=mail_server(host.home, table.smtp),
        incoming=mail_server(host.home, table.imap),
        folder=table.folder,
        mails_per_minute=table.mails_per_minute,
    )
    bearer = MailBearer(config, host.links, host.entropy, host.clock.wall)

    def place(station: str, _card: Card, places: tuple[str, ...]) -> bool:
        if not places:
            bearer.drop_peer(station)
            return False
        bearer.set_peer(station, places[0])
        return True

    return Made(bearer=bearer, place=place)


def mail_server(home: Path, table: Server) -> "MailServer":
    """One mail server of a configuration in that folder. Raises Malformed, and as `read_private`."""
    from openline.bearers.mail import MailServer, Security

    password = _secret(home, table.password_file, 1_024)
    try:
        return MailServer(
            host=table.host,
            port=table.port,
            user=table.user,
            password=password.decode().rstrip("\r\n"),
            security=Security(table.security),
            name=table.name,
            authorities=_file(home, table.authorities_file).decode("ascii"),
            pin=bytes.fromhex(table.pin),
        )
    except UnicodeDecodeError:
        raise Malformed("mail: a password or authorities file is not text") from None


def _secret(home: Path, name: str, most: int) -> bytes:
    """A file for the station's user alone; empty without a name. Raises as `read_private`."""
    return read_private(home / name, most) if name else b""


def _file(home: Path, name: str) -> bytes:
    """A file that the configuration names; empty without a name. Raises Unavailable."""
    if not name:
        return b""
    try:
        with (home / name).open("rb") as file:
            return file.read(MAX_FILE_BYTES)
    except OSError:
        raise Unavailable("a file that the bearer's table names cannot be read") from None
