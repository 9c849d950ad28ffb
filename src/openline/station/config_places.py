"""Places in config.toml that cannot be meant: seen at the start and named, not found out by a bearer that stays down.

Addresses are literal, as no name service is asked; folders are named from the
root, as nobody knows where a service was started; a device is one line's.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from openline.kernel.errors import Malformed

if TYPE_CHECKING:
    from openline.station.config import Config


def check_places(config: "Config") -> None:
    """Raise Malformed, naming the setting, for a place that cannot be meant."""
    _addresses("tls.listen", config.tls.listen, any_port=True)
    for peer in config.peers.values():
        _addresses("peers.tls", peer.tls)
        _folder("peers.drop", peer.drop)
    if config.nats is not None:
        if not config.nats.servers:
            raise Malformed("config.toml: nats.servers: a relay needs an address; without a relay leave the table out")
        _addresses("nats.servers", config.nats.servers)
    if config.drop is not None:
        _folder("drop.out", config.drop.out)
        _folder("drop.into", config.drop.into)
        if not config.drop.out and not config.drop.into:
            raise Malformed("config.toml: drop: a folder to write in (out) or to read in (into), or both")
    devices = Counter(Path(each.device).resolve() for each in config.serials)
    if any(count > 1 for count in devices.values()):
        raise Malformed("config.toml: serial.device: two lines cannot share a device")


def _addresses(setting: str, texts: Sequence[str], *, any_port: bool = False) -> None:
    from openline.bearers.tls.address import parse_address

    for text in texts:
        try:
            fine = parse_address(text).port or any_port
        except Malformed:
            fine = False
        if not fine:
            message = f'config.toml: {setting}: not a literal address with a port, as "192.0.2.1:7601" or "[2001:db8::1]:7601"'
            raise Malformed(message)


def _folder(setting: str, text: str) -> None:
    if text and not Path(text).is_absolute():
        message = f"config.toml: {setting}: a folder is named from the root, beginning with /"
        raise Malformed(message)
