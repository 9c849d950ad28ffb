"""A mail server in a network namespace: Dovecot and an SMTP server, which die, and whose mailboxes are full at times.

Dovecot is several processes, some of which outlive their master: they run in
a process namespace of their own, which ends with the test, however that ends.
The SMTP server is a thread of this process.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from tests.contract.mail_servers import DOMAIN, PASSWORD, Dovecot, PostOffice
from tests.e2e.chaos.rig import Station
from tests.e2e.chaos.world import Space

PREFIX = "openline-chaos-mail-"
FOLDER = Path("/tmp")
"""Dovecot runs as nobody, who may not enter everybody's temporary folders."""
PROGRAMS = ("/usr/sbin/dovecot", "/usr/lib/dovecot/lmtp")
_TABLE = """
[mail]
address = "{address}"
mails_per_minute = 6000

[mail.smtp]
host = "{host}"
port = {smtp}
user = "{user}"
password_file = "mail.password"
pin = "{pin}"

[mail.imap]
host = "{host}"
port = {imap}
user = "{user}"
password_file = "mail.password"
pin = "{pin}"
"""


class _Mailboxes(Dovecot):
    """Dovecot, in that namespace."""

    def __init__(self, space: Space) -> None:
        super().__init__(listen="*", folder=Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=FOLDER)))
        self._space = space

    @property
    def command(self) -> list[str]:
        who = ["--reuid", str(self.owner.pw_uid), "--regid", str(self.owner.pw_gid), "--clear-groups"]
        alone = ["unshare", "--pid", "--fork", "--kill-child=KILL", "setpriv", *who, "--pdeathsig", "KILL"]
        return [*self._space.inside, *alone, *super().command]

    def _spawned(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            self.command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def _answers(self) -> bool:
        """Seen at its socket in the file system: its ports are elsewhere."""
        assert self._process is not None
        assert self._process.poll() is None, "dovecot has ended"
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(5)
            probe.connect(self.lmtp)
            return probe.recv(100).startswith(b"220")
        return False


class Post:
    """Both servers; they run."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._boxes = _Mailboxes(space)
        self._office = PostOffice(self._boxes, implicit_tls=True, host="0.0.0.0")
        self._running = False
        self.start()

    @property
    def mails(self) -> int:
        """How many came, refused ones too."""
        return len(self._office.mails)

    def start(self) -> None:
        """Start both. Harmless when they run."""
        if not self._running:
            self._running = True
            self._boxes.start()
            self._inside(self._office.start)

    def kill(self) -> None:
        """Both end as by a power cut; the mailboxes stay. Harmless when repeated."""
        if self._running:
            self._running = False
            self._office.stop()
            self._boxes.kill()

    def full(self, reply: str) -> None:
        """Every mail is refused with that reply; empty: no more."""
        self._office.refuse_mail = reply

    def close(self) -> None:
        self.kill()
        self._boxes.stop()

    def subscribe(self, station: Station, host: str) -> None:
        """Give a station that does not run a mailbox here, which it reaches at `host`, and its peer's address."""
        password = station.home / "mail.password"
        password.touch(mode=0o600)
        password.write_text(PASSWORD + "\n")
        path = station.home / "config.toml"
        *before, peer = path.read_text().split("[peers.")
        head, _, rest = peer.partition("\n")
        own = _TABLE.format(
            address=_address(station.name), host=host, smtp=self._office.port, imap=self._boxes.imaps,
            user=station.name.lower(), pin=self._boxes.certificate.digest.hex(),
        )  # fmt: skip
        path.write_text(f'{"".join(before)}[peers.{head}\nmail = "{_address(station.peer)}"\n{rest}{own}')

    def _inside(self, work: Callable[[], None]) -> None:
        """Let a thread in the namespace do it: the sockets and threads that it makes stay there."""

        def there() -> None:
            self._space.enter()
            work()

        thread = threading.Thread(target=there)
        thread.start()
        thread.join()


def _address(name: str) -> str:
    return f"{name.lower()}@{DOMAIN}"


def sweep() -> None:
    """Take away the mailboxes of runs that were killed."""
    for folder in FOLDER.glob(f"{PREFIX}*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if not Path("/proc", pid).exists():
            shutil.rmtree(folder, ignore_errors=True)
