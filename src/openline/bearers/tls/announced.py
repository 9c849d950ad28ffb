"""Certificates that stations have announced and not yet shown (spec 9.38).

Anybody can announce what another has. So it is the certificate of whoever was
dialled and shows it; where we were called, one that two have announced is
nobody's.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from openline.bearers.certificate import digest_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A certificate that a station is expected to show instead of its own."""

    station: str
    certificate: bytes = field(repr=False)
    seen: Callable[[bytes], None] = field(repr=False)
    """Told once it is shown."""


class Announcements:
    """At most one for each station: its last."""

    def __init__(self) -> None:
        self._by_station: dict[str, Announced] = {}

    def expect(self, announced: Announced) -> None:
        """Put one in the place of what the station announced before."""
        self._by_station[announced.station] = announced

    def drop(self, station: str) -> None:
        """Forget what a station announced. Harmless when there is nothing."""
        self._by_station.pop(station, None)

    def of(self, station: str) -> list[bytes]:
        """What a station announced."""
        return [self._by_station[station].certificate] if station in self._by_station else []

    def certificates(self) -> list[bytes]:
        """All of them."""
        return [each.certificate for each in self._by_station.values()]

    def shown(self, digest: bytes, dialled: str | None) -> Announced | None:
        """The one that is shown by that digest, by the station `dialled` or by who called; nobody has announced it any more."""
        claims = [each for each in self._by_station.values() if digest_of(each.certificate) == digest]
        fitting = [each for each in claims if dialled in {None, each.station}]
        if len(fitting) != 1:
            return None
        for each in claims:
            self.drop(each.station)
        return fitting[0]
