"""Network namespaces for two stations, and a third with the relay and the servers between them.

    ALPHA  north  10.91.1.1 ------------------- 10.91.1.2  BRAVO
           south  fd91::1   ------------------- fd91::2
           middle 10.91.2.1 - 10.91.2.9 relay 10.91.3.9 - 10.91.3.2
           nats   10.91.4.1 - 10.91.4.9 relay 10.91.5.9 - 10.91.5.2
           mail   10.91.6.1 - 10.91.6.9 relay 10.91.7.9 - 10.91.7.2

Each namespace lives as long as the process that holds it, and that one no
longer than the test: whatever ends the test, the kernel clears up.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.waiting import until

NEEDED = ("ip", "unshare", "nsenter", "setpriv")
_CLONE_NEWNET = 0x40000000
_WRONG = "02:00:00:00:00:99"
"""A hardware address that nobody has: what goes there is lost without a word."""


def missing() -> str:
    """Why no namespaces can be made here; empty if they can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need root on Linux"
    absent = [tool for tool in NEEDED if shutil.which(tool) is None]
    if absent:
        return f"missing: {', '.join(absent)} (Debian: iproute2, util-linux)"
    tried = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "network namespaces cannot be made here"


class Space:
    """One network namespace."""

    def __init__(self, name: str) -> None:
        self.name = name
        held = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"]
        self._holder = subprocess.Popen(held, stdin=subprocess.DEVNULL)
        until(lambda: self._entered() != Path("/proc/self/ns/net").readlink())
        self.run("ip", "link", "set", "lo", "up")

    def _entered(self) -> Path:
        assert self._holder.poll() is None, "no namespace"
        return Path(self.path).readlink()

    @property
    def pid(self) -> int:
        return self._holder.pid

    @property
    def path(self) -> str:
        """What enters it."""
        return f"/proc/{self.pid}/ns/net"

    @property
    def inside(self) -> list[str]:
        """Before a command: it runs in this namespace, and ends when the test does."""
        return ["nsenter", f"--net={self.path}", "setpriv", "--pdeathsig", "KILL"]

    def run(self, *words: str) -> str:
        """A command in it; what it says."""
        done = subprocess.run([*self.inside, *words], check=True, capture_output=True, text=True)
        return done.stdout

    def enter(self) -> None:
        """Let the calling thread, and it alone, work in it."""
        enter(self.path)

    def close(self) -> None:
        self._holder.send_signal(signal.SIGKILL)
        self._holder.wait()


def enter(path: str) -> None:
    """Let the calling thread work in that network namespace; sockets stay where they were made."""
    library = ctypes.CDLL(None, use_errno=True)
    with Path(path).open("rb") as file:
        if library.setns(file.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "the namespace cannot be entered")


@dataclass(frozen=True)
class End:
    """One end of a cable."""

    space: Space
    address: str
    """With its prefix length."""

    @property
    def host(self) -> str:
        return self.address.partition("/")[0]


class Cable:
    """A veth pair: pulled at once, or dead without a word."""

    def __init__(self, name: str, left: End, right: End) -> None:
        self.name, self.ends = name, (left, right)
        made = ["ip", "link", "add", name, "netns", str(left.space.pid)]
        made += ["type", "veth", "peer", "name", name, "netns", str(right.space.pid)]
        subprocess.run(made, check=True)
        for end in self.ends:
            # IPv6: addresses serve at once, and stay while the link is down.
            folder = f"/proc/sys/net/ipv6/conf/{name}"
            end.space.run("sh", "-c", f"echo 0 > {folder}/accept_dad; echo 1 > {folder}/keep_addr_on_down")
            nodad = ["nodad"] if ":" in end.host else []
            end.space.run("ip", "address", "add", end.address, "dev", name, *nodad)
            end.space.run("ip", "link", "set", name, "up")

    def cut(self) -> None:
        """Pull it: both sides see the link go down."""
        self._set("down")

    def swallow(self, *, sides: tuple[int, ...] = (0, 1)) -> None:
        """Lose all that these ends send, without a word: the link looks up."""
        for side in sides:
            end, other = self.ends[side], self.ends[1 - side]
            dead = ["ip", "neighbour", "replace", other.host, "lladdr", _WRONG, "nud", "permanent", "dev", self.name]
            end.space.run(*dead)

    def heal(self) -> None:
        """As new."""
        for side, end in enumerate(self.ends):
            with contextlib.suppress(subprocess.CalledProcessError):  # there is none to take away
                end.space.run("ip", "neighbour", "del", self.ends[1 - side].host, "dev", self.name)
        self._set("up")

    def _set(self, state: str) -> None:
        for end in self.ends:
            end.space.run("ip", "link", "set", self.name, state)


@dataclass(frozen=True)
class World:
    """Where both stations, the relay and the servers live."""

    alpha: Space
    bravo: Space
    relay: Space
    north: Cable
    south: Cable
    middle: tuple[Cable, Cable]
    """From ALPHA to the relay, and from there to BRAVO."""
    nats: tuple[Cable, Cable]
    """The same to the NATS server, and from there."""
    mail: tuple[Cable, Cable]

    @property
    def cables(self) -> tuple[Cable, ...]:
        """What TLS goes over."""
        return self.north, self.south, *self.middle


@contextlib.contextmanager
def world() -> Iterator[World]:
    """Three namespaces and their cables, until the block ends."""
    with contextlib.ExitStack() as stack:
        alpha, bravo, relay = (Space(name) for name in ("alpha", "bravo", "relay"))
        for space in (alpha, bravo, relay):
            stack.callback(space.close)

        def through(name: str, net: int) -> tuple[Cable, Cable]:
            here = End(alpha, f"10.91.{net}.1/24"), End(relay, f"10.91.{net}.9/24")
            there = End(relay, f"10.91.{net + 1}.9/24"), End(bravo, f"10.91.{net + 1}.2/24")
            return Cable(f"{name}-a", *here), Cable(f"{name}-b", *there)

        yield World(
            alpha=alpha,
            bravo=bravo,
            relay=relay,
            north=Cable("north", End(alpha, "10.91.1.1/24"), End(bravo, "10.91.1.2/24")),
            south=Cable("south", End(alpha, "fd91::1/64"), End(bravo, "fd91::2/64")),
            middle=through("middle", 2),
            nats=through("nats", 4),
            mail=through("mail", 6),
        )
