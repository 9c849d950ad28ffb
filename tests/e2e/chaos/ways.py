"""Every way between the two sites by its name: which there are at present, and which of these are cut.

A way that is not laid is cut like any other; mending it is laying it.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

CABLES = ("north", "south")
TLS = (*CABLES, "relay")
EVERY = (*TLS, "nats", "serial", "mail")
ROUTES = {"cables": TLS, "relay": ("relay",), "every": EVERY}
"""What there is but for the fault that strikes: the three ways of TLS; one of them; every bearer."""


class Way(Protocol):
    """Something that carries."""

    def cut(self) -> None:
        """It carries nothing."""

    def heal(self) -> None:
        """As new."""


class Several:
    """Ways that are one: a server between two cables."""

    def __init__(self, ways: Sequence[Way]) -> None:
        self._ways = ways

    def cut(self) -> None:
        for way in self._ways:
            way.cut()

    def heal(self) -> None:
        for way in self._ways:
            way.heal()


class Ways:
    """All of them; they carry."""

    def __init__(self, ways: dict[str, Way]) -> None:
        assert tuple(ways) == EVERY
        self._ways = ways
        self._laid = frozenset(ways)
        self._well, self._dead = set(ways), set[str]()

    def lay(self, names: Iterable[str]) -> None:
        """There are these from now on, as new."""
        self._laid = frozenset(names)
        self.mend()

    def mend(self) -> None:
        """All that are laid carry, and no others."""
        self._carry(self._laid)

    def only(self, *names: str) -> None:
        """These carry, laid or not, and no others."""
        self._carry(frozenset(names))

    def cut(self, *names: str) -> None:
        """These carry nothing."""
        for name in names:
            if name not in self._dead:
                self._ways[name].cut()
                self._well.discard(name)
                self._dead.add(name)

    def hurt(self, *names: str) -> None:
        """Something else is done to these: they are to be mended."""
        self._well.difference_update(names)
        self._dead.difference_update(names)

    def _carry(self, names: frozenset[str]) -> None:
        self.cut(*(name for name in self._ways if name not in names))
        for name, way in self._ways.items():
            if name in names and name not in self._well:
                way.heal()
                self._dead.discard(name)
                self._well.add(name)
