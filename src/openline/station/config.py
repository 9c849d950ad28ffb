"""A station's configuration: `config.toml` in its folder, read once at the start.

Unknown names are refused, so that a misspelt setting is not one that silently
does nothing. A refusal names the setting and never its value.
"""

import ipaddress
import pwd
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from openline.kernel.errors import Malformed, TooLarge, Unavailable, Unknown
from openline.kernel.terms import check_language, check_name
from openline.station.alarms.tables import Alarms
from openline.station.alarms.tables import check as check_alarms
from openline.station.bearer_tables import Drop, Mail, Nats, Serial
from openline.station.calling.tables import CallsTable, check_calls
from openline.station.config_places import check_places
from openline.station.people import ROLES, Actor, People

FILE = "config.toml"
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
MAX_FILE_BYTES = 262_144
"""A thousand people and a thousand peers fit."""

Sign = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{1,12}\Z")]
RoleName = Annotated[str, msgspec.Meta(pattern=r"^[a-z-]{1,20}\Z")]
StationId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class _Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every table is: immutable, by keyword, without unknown names."""


class Tls(_Data, frozen=True, kw_only=True):
    """The TLS bearer."""

    listen: tuple[str, ...] = ()
    """Where to listen: "192.0.2.1:7601", "[2001:db8::1]:7601"; none: this station only calls."""


class Api(_Data, frozen=True, kw_only=True):
    """The local API."""

    group: str = ""
    """A Unix group that may connect beside the station's own user; who may do what stands under [people]."""


class Console(_Data, frozen=True, kw_only=True):
    """The console in the browser."""

    listen: str = "127.0.0.1:7700"
    """A literal address; port 0 takes a free one, which /v1/status tells."""
    host: str = ""
    """The name in the browser's address; empty: the station's name in small letters and ".localhost"."""
    lock_after_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 900
    """Whoever does nothing for so long sees the state of the lines and FLASH alarms, and must show a passkey."""


class Log(_Data, frozen=True, kw_only=True):
    """Where events are written."""

    file: str = ""
    """Empty: standard error, which is the journal under systemd. A relative name stands below the data folder."""


class Unlocking(_Data, frozen=True, kw_only=True):
    """How the keys are opened."""

    key_file: str = ""
    """For unattended starts; empty: a passphrase is asked for."""


class Marking(_Data, frozen=True, kw_only=True):
    """The high-water marks."""

    folder: str = ""
    """Elsewhere than in the data folder: best on a disk that no snapshot covers."""


class Person(_Data, frozen=True, kw_only=True):
    """Somebody who may act at this station."""

    sign: Sign
    roles: tuple[RoleName, ...]
    also: tuple[Sign, ...] = ()
    """Further signs, where several officers share a user."""


class PeerPlace(_Data, frozen=True, kw_only=True):
    """Where a peer is reached, when its card is out of date or does not say."""

    tls: tuple[str, ...] = ()
    mail: str = ""
    """Its mail address."""
    drop: str = ""
    """Its own drop folder, instead of those of [drop]."""


class Config(_Data, frozen=True, kw_only=True):
    """All of it. Only `name` has no default."""

    name: str
    language: str = "en"
    """Of automatic tests, and of messages whose language is not given."""
    simulated_clock: bool = False
    """For exercises and demonstrations: the clock is set over the API, and every screen says so."""
    tls: Tls = msgspec.field(default_factory=Tls)
    api: Api = msgspec.field(default_factory=Api)
    console: Console | None = None
    log: Log = msgspec.field(default_factory=Log)
    unlock: Unlocking = msgspec.field(default_factory=Unlocking)
    marks: Marking = msgspec.field(default_factory=Marking)
    people: dict[str, Person] = msgspec.field(default_factory=dict)
    """User name or number -> person."""
    peers: dict[StationId, PeerPlace] = msgspec.field(default_factory=dict)
    mail: Mail | None = None
    nats: Nats | None = None
    drop: Drop | None = None
    serial: Serial | tuple[Serial, ...] = ()
    """One table, or several (`[[serial]]`)."""
    alarms: Alarms = msgspec.field(default_factory=Alarms)
    calls: CallsTable = msgspec.field(default_factory=CallsTable)

    @property
    def serials(self) -> tuple[Serial, ...]:
        """The serial lines."""
        return self.serial if isinstance(self.serial, tuple) else (self.serial,)


def load_config(home: Path) -> Config:
    """The configuration in a data folder.

    Raises Unknown (there is none), Malformed (says where), TooLarge or Unavailable.
    """
    try:
        with (home / FILE).open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        if (home / "keys").exists():
            # Whoever lost a file, or was interrupted, must not be sent to make other keys.
            raise Unknown(
                "config.toml is missing: put it back; after an interrupted init, restore or rebuild begin again in a new folder"
            ) from None
        raise Unknown("there is no station here: openline init makes one") from None
    except OSError:
        raise Unavailable("the configuration cannot be read") from None
    if len(data) > MAX_FILE_BYTES:
        raise TooLarge("the configuration is larger than any that makes sense")
    try:
        return parse_config(data.decode())
    except UnicodeDecodeError:
        raise Malformed("config.toml: not UTF-8") from None


def parse_config(text: str) -> Config:
    """Read a configuration's text. Raises Malformed."""
    try:
        config = msgspec.convert(tomllib.loads(text), Config)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        message = _not_toml(error)
        raise Malformed(message) from None
    except msgspec.ValidationError as error:
        message = _told(error)
        raise Malformed(message) from None
    check_name(config.name)
    check_language(config.language)
    if len({each.name for each in config.serials}) < len(config.serials):
        raise Malformed("config.toml: serial: each line needs a name of its own")
    check_alarms(config.alarms)
    check_calls(config.calls)
    people_of(config)
    if config.console is not None:
        console_place(config)
        console_host(config)
    check_places(config)
    return config


def console_place(config: Config) -> tuple[str, int]:
    """The address and port at which the console listens. Raises Malformed."""
    listen = config.console.listen if config.console is not None else ""
    host, _, port = listen.rpartition(":")
    try:
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        six = ipaddress.ip_address(bare).version == 6
    except ValueError:
        raise Malformed("config.toml: console.listen: not a literal address and a port") from None
    if six != host.startswith("[") or not re.fullmatch(r"[0-9]{1,5}", port, re.ASCII):
        raise Malformed("config.toml: console.listen: not a literal address and a port")
    if int(port) > 65_535:
        raise Malformed("config.toml: console.listen: not a literal address and a port")
    return host.strip("[]"), int(port)


def console_host(config: Config) -> str:
    """The console's host name. Raises Malformed: passkeys belong to a name, so that an address is none (WebAuthn 5.1.2)."""
    given = config.console.host if config.console is not None else ""
    host = given or f"{config.name.lower()}.localhost"
    labels = host.split(".")
    if len(host) > 253 or labels[-1].isdigit() or not all(re.fullmatch(_LABEL, label) for label in labels):
        raise Malformed("config.toml: console.host: not a host name in small letters")
    return host


def people_of(config: Config) -> People:
    """Who may do what, by user number. Raises Malformed for a user or role that does not exist."""
    actors: dict[int, Actor] = {}
    for user, person in config.people.items():
        roles: set[str] = set()
        for role in person.roles:
            if role == "all":
                roles.update(ROLES)
            elif role in ROLES:
                roles.add(role)
            else:
                raise Malformed("config.toml: people: a role that does not exist")
        uid = _uid(user)
        actors[uid] = Actor(uid=uid, signs=(person.sign, *person.also), roles=frozenset(roles))
    return People(actors, any_sign=config.simulated_clock)


def _uid(user: str) -> int:
    if re.fullmatch(r"[0-9]{1,10}", user, re.ASCII):
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise Malformed("config.toml: people: a user that does not exist on this machine") from None


def _not_toml(error: Exception) -> str:
    """At which line, and nothing of what stands there."""
    at = re.search(r"\(at line (\d{1,6}), column \d+\)\Z", str(error))
    where = f"config.toml: line {at[1]}" if at else "config.toml"
    return f"{where}: not TOML; look for a missing quote or bracket, or a name or table that stands twice"


def _told(error: msgspec.ValidationError) -> str:
    """Where it is wrong, by plain names only; a quoted TOML name may hold anything."""
    complaint, _, path = str(error).partition(" - at `")
    fields = re.findall(r"\.([a-z_]{1,32})(?![A-Za-z0-9_-])", path)
    named = re.search(r"field `([a-z_]{1,32})`\Z", complaint)
    where = ".".join([*fields, named[1]] if named else fields)
    what = "an unknown name" if "unknown field" in complaint else "missing" if "missing" in complaint else "not allowed"
    return f"config.toml: {where}: {what}" if where else f"config.toml: {what}"


_TEXT = """\
# Openline station. Read once at the start; docs/operators/ explains each setting.

name = {name}
language = {language}

# For exercises and demonstrations only: the clock is set over the API, and every screen says so.
simulated_clock = {simulated}

[tls]
# Literal addresses, "192.0.2.1:7601" or "[2001:db8::1]:7601". Empty: this station only calls.
listen = {listen}

[api]
# A Unix group that may connect beside this station's own user.
group = ""

# The console in the browser is served when this table is there; docs/operators/console.md.
# [console]
# listen = "127.0.0.1:7700"
# host = "alpha.localhost"

[log]
# Empty: standard error.
file = ""

[unlock]
# A key file for unattended starts; empty: a passphrase is asked for.
key_file = {key_file}

[marks]
# The high-water marks must not be copied or rolled back together with the store: best on another disk.
folder = ""

# Who may act here: the user (name or number) of the process that calls, the sign that the other side sees, and
# roles: watch-officer, principal, interpreter, technician, auditor, administrator, or all.
[people.{user}]
sign = "W1"
roles = ["all"]

# Where a peer is reached when the addresses of its card are out of date:
# [peers.<the peer's fingerprint in hexadecimal>]
# tls = ["192.0.2.2:7601"]
# mail = "openline@example.org"

# Further bearers, each used when its table is there. Envelopes are sealed: none of these is trusted with anything.
#
# [mail]
# address = "openline@example.org"
# smtp = {{host = "192.0.2.25", port = 465, user = "openline", password_file = "keys/mail.password"}}
# imap = {{host = "192.0.2.25", port = 993, user = "openline", password_file = "keys/mail.password"}}
#
# [nats]
# servers = ["192.0.2.42:4222"]
#
# [drop]
# out = "/mnt/share/openline"
# into = "/mnt/share/openline"
#
# [[serial]]
# device = "/dev/ttyS0"
# bits_per_second = 1200
"""


def config_text(*, name: str, language: str, simulated: bool, listen: tuple[str, ...], key_file: str, uid: int) -> str:
    """A commented configuration of a new station."""
    return _TEXT.format(
        name=_quoted(name),
        language=_quoted(language),
        simulated="true" if simulated else "false",
        listen="[" + ", ".join(_quoted(each) for each in listen) + "]",
        key_file=_quoted(key_file),
        user=f'"{uid}"',
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    if any(ord(character) < 32 for character in escaped):
        raise Malformed("a control character in a setting")
    return f'"{escaped}"'


def marks_folder(home: Path, config: Config) -> Path | None:
    """Where the marks lie, if not at their usual place."""
    return home / config.marks.folder if config.marks.folder else None


def peer_addresses(config: Config, station: str, card_addresses: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """Where a peer is reached, by bearer: what the configuration says, else what its card says (spec 9.36)."""
    found: dict[str, tuple[str, ...]] = {}
    for address in card_addresses:
        bearer, _, place = address.partition(":")
        found[bearer] = (*found.get(bearer, ()), place)
    override = config.peers.get(station)
    if override is not None:
        given = {"tls": override.tls, "mail": (override.mail,), "drop": (override.drop,)}
        found.update({bearer: places for bearer, places in given.items() if any(places)})
    return found
