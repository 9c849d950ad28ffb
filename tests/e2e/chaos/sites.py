"""Two real stations at two sites: each in its own network namespace and on its own machine, BRAVO on a small disk.

TLS has three ways from one to the other: two cables and a relay that does to
a connection what bad equipment does. NATS and mail have a server each, and a
serial cable goes straight. At times there is a folder that both reach, or
somebody who carries sticks. All of it ends with the block, and with the
process that runs it.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.contract.nats_rig import PROGRAM
from tests.e2e.chaos import post, shim
from tests.e2e.chaos.cord import Cord
from tests.e2e.chaos.courier import Courier
from tests.e2e.chaos.post import Post
from tests.e2e.chaos.proxy import Proxy
from tests.e2e.chaos.relay import Relay
from tests.e2e.chaos.rig import Rig, Station, copied, fingerprint_of, write_config
from tests.e2e.chaos.share import Share
from tests.e2e.chaos.shim import Machine
from tests.e2e.chaos.ways import Several, Ways
from tests.e2e.chaos.world import World, missing, world

PORT = 7601
"""In namespaces of their own, where nothing else listens."""
DISK_MIB = 192


def unavailable() -> str:
    """Why no such sites can be made here; empty if they can."""
    needed = {PROGRAM: "nats-server", post.PROGRAMS[0]: "dovecot-imapd", post.PROGRAMS[1]: "dovecot-lmtpd"}
    absent = [package for program, package in needed.items() if not Path(program).exists()]
    absent += [] if shim.compiler() else ["gcc"]
    return missing() or (f"missing: {', '.join(absent)} (Debian packages)" if absent else "")


@dataclass(frozen=True)
class Sites:
    """Both sites and all that can go wrong between and at them."""

    rig: Rig
    world: World
    ways: Ways
    relay: Relay
    post: Post
    cord: Cord
    courier: Courier
    share: Share

    @property
    def stations(self) -> tuple[Station, Station]:
        return self.rig.both

    @property
    def small_disk(self) -> Path:
        """The folder of BRAVO's store, which is a file system of its own."""
        return self.rig.bravo.store.parent

    @property
    def ballast(self) -> Path:
        """The file that fills it."""
        return self.small_disk / "ballast"


@contextlib.contextmanager
def sites(template: Path, folder: Path, seed: int = 0) -> Iterator[Sites]:
    """Copies of the template's stations, not started; everything is gone at the end but the folder."""
    sweep()
    with contextlib.ExitStack() as stack:
        net = stack.enter_context(world())
        folder.mkdir(parents=True, exist_ok=True)
        library = shim.build(folder)
        alpha, bravo = (copied(template, folder, name, PORT) for name in ("ALPHA", "BRAVO"))
        for station, space in ((alpha, net.alpha), (bravo, net.bravo)):
            station.inside = space.inside
            station.machine = Machine(library, folder / f"{station.name}.orders")
        stack.enter_context(_small(bravo.store.parent))
        relay = net.relay.path
        to_alpha = stack.enter_context(Proxy(PORT, seed, host="10.91.3.9", called="10.91.2.1", space=relay))
        to_bravo = stack.enter_context(Proxy(PORT, seed + 1, host="10.91.2.9", called="10.91.3.2", space=relay))
        write_config(
            alpha,
            fingerprint_of(template, "BRAVO"),
            listen=[f"10.91.1.1:{PORT}", f"[fd91::1]:{PORT}", f"10.91.2.1:{PORT}"],
            dial=[f"10.91.1.2:{PORT}", f"[fd91::2]:{PORT}", f"10.91.2.9:{to_bravo.port}"],
        )
        write_config(
            bravo,
            fingerprint_of(template, "ALPHA"),
            listen=[f"10.91.1.2:{PORT}", f"[fd91::2]:{PORT}", f"10.91.3.2:{PORT}"],
            dial=[f"10.91.1.1:{PORT}", f"[fd91::1]:{PORT}", f"10.91.3.9:{to_alpha.port}"],
        )
        for station in (alpha, bravo):
            stack.callback(station.kill)
        yield _joined(stack, net, Rig(folder, alpha, bravo, to_alpha, to_bravo), seed)


def _joined(stack: contextlib.ExitStack, net: World, rig: Rig, seed: int) -> Sites:
    """The stations with all further bearers; the servers run."""
    alpha, bravo = rig.both
    share = Share(rig.folder / "share", seed)
    stack.callback(share.pull)
    for station in rig.both:
        with (station.home / "config.toml").open("a") as config:
            config.write(f'\n[drop]\nout = "{share.folder}"\ninto = "{share.folder}"\n')
    relay = Relay(net.relay, rig.folder / "nats")
    stack.callback(relay.close)
    mail = Post(net.relay)
    stack.callback(mail.close)
    cord = Cord(rig.both, seed)
    stack.callback(cord.close)
    courier = Courier(rig.both, rig.folder / "sticks", seed)
    stack.callback(courier.return_)
    for station, nats_host, mail_host in ((alpha, "10.91.4.9", "10.91.6.9"), (bravo, "10.91.5.9", "10.91.7.9")):
        relay.subscribe(station, nats_host)
        mail.subscribe(station, mail_host)
    ways = Ways(
        {
            "north": net.north, "south": net.south, "relay": Several(net.middle),
            "nats": Several(net.nats), "serial": cord, "mail": Several(net.mail),
        }
    )  # fmt: skip
    return Sites(rig, net, ways, relay, mail, cord, courier, share)


@contextlib.contextmanager
def _small(folder: Path) -> Iterator[None]:
    """A small file system at `folder`, with what stood there, and put back to the large one at the end."""
    aside = folder.with_name(f"{folder.name}.{os.getpid()}.aside")
    folder.rename(aside)
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=700", _mark(os.getpid()), folder], check=True)
    try:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        yield
        shutil.rmtree(aside)
    finally:
        kept = folder.with_name("store.last")  # whoever looks for the cause of a failure wants it
        with contextlib.suppress(OSError):
            shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("ballast"))
        subprocess.run(["umount", "-l", folder], check=True)
        folder.rmdir()
        (kept if kept.exists() else aside).rename(folder)


def _mark(pid: int) -> str:
    """The name of our file systems in the list of mounts."""
    return f"openline-chaos-{pid}"


def sweep() -> None:
    """Take away the small disks and the mailboxes of runs that were killed."""
    post.sweep()
    for line in Path("/proc/mounts").read_text().splitlines():
        name, folder, *_ = line.split()
        pid = name.removeprefix("openline-chaos-")
        if pid != name and not Path("/proc", pid).exists():
            subprocess.run(["umount", "-l", folder.encode().decode("unicode_escape")], check=False)
