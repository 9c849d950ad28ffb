"""Real mail servers, as processes of their own in temporary folders, on free ports.

Dovecot holds the mailboxes (IMAP) and takes what is delivered (LMTP); aiosmtpd
takes mails (SMTP) and can be told to refuse; Postfix is what stands at a provider's. Whoever runs the tests as root
gets a Dovecot that runs as nobody; otherwise it runs as oneself.
"""

import asyncio
import atexit
import contextlib
import datetime
import functools
import gc
import hashlib
import ipaddress
import os
import pwd
import shutil
import smtplib
import socket
import ssl
import subprocess
import tempfile
import warnings
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.ports import free_port
from tests.processes import end_session
from tests.waiting import until

PASSWORD = "correct-horse-3"
NOBODY = "no~body"
"""A user whom Dovecot does not have, as no name of its has that sign: what Postfix takes for him comes back."""
DOMAIN = "mail.example"
MISSING = "dovecot (packages dovecot-imapd, dovecot-lmtpd) is not installed"


class Certificate:
    """Of a mail server on loopback, signed by itself."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
        now = datetime.datetime.now(datetime.UTC)
        alternative = x509.SubjectAlternativeName(
            [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("mail.example")]
        )
        signed = (
            x509.CertificateBuilder(
                name, name, key.public_key(), 1, now - datetime.timedelta(1), now + datetime.timedelta(1)
            )
            .add_extension(alternative, critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.pem = signed.public_bytes(serialization.Encoding.PEM).decode()
        self.digest = hashlib.sha256(signed.public_bytes(serialization.Encoding.DER)).digest()
        self.file = folder / "mail.pem"
        plain = serialization.NoEncryption()
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        self.file.write_bytes(private + self.pem.encode())

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file)
        return context


CONFIG = """
protocols = imap lmtp
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
listen = {listen}
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
first_valid_gid = 0
mail_location = maildir:{folder}/mail/%Ln
mail_fsync = never
disable_plaintext_auth = no
auth_username_format = %Ln
auth_failure_delay = 0
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{certificate}
mail_max_userip_connections = 100
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%Ln allow_all_users=yes
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0600
  }}
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
{extra}
"""


class Dovecot:
    """The server that holds mailboxes; any user name opens one, with PASSWORD."""

    def __init__(self, extra: str = "", *, listen: str = "127.0.0.1", folder: Path | None = None) -> None:
        self.folder = folder or Path(tempfile.mkdtemp(prefix="dovecot-"))
        self._owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.certificate = Certificate(self.folder)
        self.imap, self.imaps, self.lmtp_port = free_port(), free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        group = subprocess.run(["id", "-gn", self._owner.pw_name], capture_output=True, text=True, check=True).stdout
        written = CONFIG.format(
            folder=self.folder, user=self._owner.pw_name, group=group.strip(), certificate=self.certificate.file,
            password=PASSWORD, imap=self.imap, imaps=self.imaps, lmtp=self.lmtp_port, extra=extra,
            listen=listen,
        )  # fmt: skip
        (self.folder / "dovecot.conf").write_text(written)
        for path in (self.folder, *self.folder.iterdir()):
            os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    @property
    def lmtp(self) -> str:
        return str(self.folder / "run" / "lmtp")

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = self._spawned()
        until(self._answers)

    @property
    def command(self) -> list[str]:
        """What runs it."""
        return ["/usr/sbin/dovecot", "-F", "-c", str(self.folder / "dovecot.conf")]

    @property
    def owner(self) -> pwd.struct_passwd:
        """The user that it must run as."""
        return self._owner

    def _spawned(self) -> "subprocess.Popen[bytes]":
        who = {"user": self._owner.pw_uid, "group": self._owner.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        return subprocess.Popen(
            self.command,
            start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who,  # type: ignore[call-overload]
        )  # fmt: skip

    def kill(self) -> None:
        """End it as a power cut would; what it leaves that would keep the next one from its work is taken away."""
        process, self._process = self._process, None
        if process is not None:
            end_session(process.pid)
            process.wait()
            # The dead one's number, which may be somebody's by now, and its sockets.
            shutil.rmtree(self.folder / "run", ignore_errors=True)
            # For a lock whose owner is dead Dovecot waits minutes: .lock, and .newlock of an index that is begun.
            for lock in self.folder.rglob("*lock"):
                lock.unlink()

    def stop(self) -> None:
        """End it and forget its mailboxes."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def put(self, user: str, mail: bytes) -> None:
        """Deliver one mail."""
        with smtplib.LMTP(self.lmtp, 0, "office.example") as post:
            post.sendmail("somebody@example.org", [f"{user}@{DOMAIN}"], mail)

    def files(self, user: str) -> list[Path]:
        """The mails in a mailbox."""
        return [path for part in ("new", "cur") for path in sorted((self.folder / "mail" / user / part).glob("*"))]

    def _answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            log = self.folder / "log"
            raise AssertionError(log.read_text() if log.exists() else "dovecot does not start")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.imap), 1) as probe:
            return probe.recv(100).startswith(b"* OK") and Path(self.lmtp).exists()
        return False


@functools.cache
def dovecot() -> Dovecot:
    """One for all tests of this process, with a mailbox for each that asks."""
    if not Path("/usr/sbin/dovecot").exists() or not Path("/usr/lib/dovecot/lmtp").exists():
        pytest.skip(MISSING)
    server = Dovecot()
    atexit.register(server.stop)
    server.start()
    return server


class _Counter(Controller):
    """Ends its connections too when it ends: aiosmtpd leaves them to the garbage collector."""

    def factory(self) -> SMTP:
        """Keep account of whom it serves."""
        made: SMTP = super().factory()  # type: ignore[no-untyped-call]
        self._made = [*getattr(self, "_made", []), made]
        return made

    def stop(self, *arguments: bool, **more: bool) -> None:
        """Harmless when it has ended."""
        if self.loop.is_running():
            asyncio.run_coroutine_threadsafe(self._hang_up(), self.loop).result(60)
        super().stop(*arguments, **more)
        with warnings.catch_warnings():  # one in the middle of its TLS handshake is known to nobody, and goes now
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()

    async def _hang_up(self) -> None:
        for made in getattr(self, "_made", []):
            if made.transport is not None:
                made.transport.abort()
        for _ in range(5):  # TLS ends in steps
            await asyncio.sleep(0)


class PostOffice:
    """An SMTP server that hands on what it takes, and refuses what it is told to refuse."""

    def __init__(
        self, target: Dovecot, *, login: bool = True, implicit_tls: bool = False, starttls: bool = False,
        host: str = "127.0.0.1",
    ) -> None:  # fmt: skip
        self._target, self._host = target, host
        self.refuse_recipient = self.refuse_mail = ""
        """What to answer instead of accepting; empty: accept."""
        self.mails: list[bytes] = []
        """All that came, refused ones too."""
        self.recipients: list[str] = []
        self.logins = 0
        self._login = login
        self._port = free_port()
        context = target.certificate.context() if implicit_tls or starttls else None
        self._context, self._implicit_tls = context, implicit_tls
        self._starttls = starttls
        self._controller: Controller | None = None

    @property
    def port(self) -> int:
        return self._port

    def start(self) -> None:
        """Begin to listen, again if it has ended."""
        self._controller = _Counter(
            self,
            self._host,
            self._port,
            server_hostname="mail.example",
            require_starttls=self._starttls,
            authenticator=self._authenticate if self._login else None,
            auth_require_tls=False,
            ssl_context=self._context if self._implicit_tls else None,
            tls_context=None if self._implicit_tls else self._context,
            ready_timeout=60,
        )
        self._controller.start()

    def stop(self) -> None:
        """End it. Harmless when repeated."""
        controller, self._controller = self._controller, None
        if controller is not None:
            controller.stop()

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        self.logins += 1
        good = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
        return AuthResult(success=good, handled=False)

    async def handle_RCPT(  # noqa: N802 - theirs
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.recipients.append(address)
        if self._login and not session.authenticated:
            return "530 log in first"
        if self.refuse_recipient:
            return self.refuse_recipient
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - theirs
        assert isinstance(envelope.content, bytes)
        self.mails.append(envelope.content)
        if self.refuse_mail:
            return self.refuse_mail
        try:
            with smtplib.LMTP(self._target.lmtp, 0, "office.example", timeout=30) as post:
                post.sendmail(envelope.mail_from or "", envelope.rcpt_tos, envelope.content)
        except (OSError, smtplib.SMTPException):
            return "451 4.3.0 not now"
        return "250 taken"


MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mta.example
mydestination =
local_recipient_maps =
virtual_mailbox_domains = mail.example
virtual_transport = lmtp:inet:[127.0.0.1]:{lmtp}
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
alias_maps =
alias_database =
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
transport_retry_time = 1s
service_throttle_time = 1s
"""
MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
flush unix n - n 1000? 0 flush
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """The mail system of many a provider, before a Dovecot; needs root."""

    def __init__(self, target: Dovecot) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postfix-"))
        self.folder.chmod(0o755)
        self.port = free_port()
        for name in ("conf", "queue", "data"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "data", "postfix")
        (self.folder / "log").touch()
        # What is killed leaves half a mail, and what finds that at the next start writes as postfix.
        shutil.chown(self.folder / "log", "postfix")
        main = MAIN_CF.format(folder=self.folder, lmtp=target.lmtp_port)
        (self.folder / "conf" / "main.cf").write_text(main)
        (self.folder / "conf" / "master.cf").write_text(MASTER_CF.format(port=self.port))

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = ["/usr/sbin/postfix", "-c", str(self.folder / "conf"), "start"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + (self.folder / "log").read_text()
        until(self._answers)

    def kill(self) -> None:
        """End it as a power cut would: its queue stays, and so do its sockets and half mails. Harmless when repeated."""
        number = self.folder / "queue" / "pid" / "master.pid"
        if number.exists():
            end_session(int(number.read_text()))  # it leads a session of its own
            number.unlink()

    def stop(self) -> None:
        """End it and forget its queue."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as probe:
            probe.settimeout(5)
            return probe.recv(100).startswith(b"220")
        return False


def needs_postfix() -> None:
    """Skip where there is none."""
    if not Path("/usr/sbin/postfix").exists():
        pytest.skip("postfix (package postfix) is not installed")
    if os.geteuid() != 0:
        pytest.skip("postfix starts as root only")
