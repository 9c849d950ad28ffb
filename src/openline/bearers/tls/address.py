"""Literal addresses, "192.0.2.1:7601" and "[2001:db8::1]:7601": no name service is asked, ever."""

import ipaddress
import socket
from dataclasses import dataclass, field
from typing import cast

from openline.kernel.errors import Malformed


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a socket is bound or connected to."""

    host: str = field(repr=False)
    port: int = field(repr=False)

    @property
    def family(self) -> socket.AddressFamily:
        """IPv6 where the host has a colon, which no IPv4 address has."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET


def parse_address(text: str) -> Address:
    """Read "host:port" or "[host]:port". Raises Malformed for anything else, names included."""
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        literal = ipaddress.ip_address(host[1:-1] if bracketed else host)
        number = int(port) if port.isascii() and port.isdigit() else -1
    except ValueError:
        raise Malformed("not a literal address with a port") from None
    if bracketed is not (literal.version == 6) or not 0 <= number <= 65_535:
        raise Malformed("not a literal address with a port")
    return Address(host=str(literal), port=number)


def written(name: object) -> str:
    """Write a bound socket's name (`getsockname`) the way it is configured."""
    host, port = cast("tuple[str, int]", name)[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def source_of(name: object) -> bytes:
    """Return what strangers are counted by: the IPv4 address, or the IPv6 /64 that one site gets whole."""
    if not isinstance(name, tuple):
        return b""  # gone before it was looked at
    packed = ipaddress.ip_address(str(name[0])).packed
    return packed if len(packed) == 4 else packed[:8]
