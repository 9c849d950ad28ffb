"""What the doctor sees of the console, out of configuration and store: it need not run for that."""

import ipaddress
from collections.abc import Iterator
from pathlib import Path

import msgspec
from cryptography import x509

from openline.kernel.errors import Refused, Unavailable
from openline.kernel.units import Instant
from openline.ports import Store
from openline.station.calling.relay_check import relay_findings
from openline.station.config import Config, console_place
from openline.station.doctor import Finding, Severity
from openline.station.people import ADMINISTRATOR

AUTHORITY = "console.authority"
"""The setting of the store where the console keeps its authority."""
_SOON_DAYS = 180
_DAY_MS = 86_400_000


class _Officer(msgspec.Struct, frozen=True):
    """What of an officer matters here."""

    roles: tuple[str, ...]
    passkeys: tuple[msgspec.Raw, ...] = ()
    codes: tuple[bytes, ...] = ()
    disabled: bool = False


_OFFICER = msgspec.msgpack.Decoder(_Officer)


def floor_findings(home: Path, config: Config, store: Store, now: Instant) -> Iterator[Finding]:
    """What of the console can be seen, and of what its calls need."""
    yield from console_findings(config, store, now)
    yield from relay_findings(home, config.calls)


def console_findings(config: Config, store: Store, now: Instant) -> Iterator[Finding]:
    """Where it listens, who can sign in, and how long its authority lasts. Nothing without a console."""
    if config.console is None:
        return
    address = ipaddress.ip_address(console_place(config)[0])
    if not address.is_loopback:
        yield Finding(
            severity=Severity.NOTE,
            code="console-open",
            what="The console listens at an address that other machines reach.",
            do="Let nobody but this floor's workstations reach it: see console.listen in config.toml.",
        )
    try:
        officers = [_OFFICER.decode(row) for row in store.console.all("officer")]
        kept = store.setting(AUTHORITY)
        left = None if kept is None else _days_left(kept, now)
    except (Refused, Unavailable, ValueError):
        yield Finding(
            severity=Severity.FAULT,
            code="console-damaged",
            what="What the console keeps of its officers or its certificate cannot be read.",
            do="Stop the station, keep the damaged files, restore the last backup into a new folder.",
        )
        return
    able = [each for each in officers if each.passkeys and not each.disabled]
    if not able:
        yield Finding(
            severity=Severity.NOTE,
            code="console-nobody",
            what="Nobody has a passkey for the console yet.",
            do="Make a link: openline console link SIGN",
        )
    elif not any(ADMINISTRATOR in each.roles for each in able):
        yield Finding(
            severity=Severity.WARNING,
            code="console-no-administrator",
            what="No administrator of the console has a passkey.",
            do="Let one sign in by a link and make one: openline console link SIGN",
        )
    if left is not None and left < _SOON_DAYS:
        yield Finding(
            severity=Severity.WARNING,
            code="console-authority",
            what="The certificate that workstations trust for the console expires within half a year.",
            do="The station makes another 90 days before: install that then, openline console ca FILE",
        )


def _days_left(kept: bytes, now: Instant) -> int:
    """Raises ValueError."""
    certificate = x509.load_pem_x509_certificate(kept)
    return (int(certificate.not_valid_after_utc.timestamp() * 1_000) - now) // _DAY_MS
