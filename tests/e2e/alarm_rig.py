"""Where alarms arrive: an HTTPS receiver under a certificate authority of its own, which verifies as the documents say and can
misbehave; and a mail server. Both in threads of their own, on free ports."""

import datetime
import hashlib
import hmac
import ipaddress
import json
import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.ports import free_port
from tests.waiting import until

SECRET = "0123456789abcdef0123456789abcdef"
FAR = 10.0


@dataclass(frozen=True)
class Authority:
    """A certificate authority, and a certificate of it for 127.0.0.1."""

    pem: Path
    chain: Path

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain)
        return context


def authority(folder: Path, name: str = "authority") -> Authority:
    """A new one."""
    now = datetime.datetime.now(datetime.UTC)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    leaf_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")])
    day = datetime.timedelta(1)
    root = (
        x509.CertificateBuilder(root_name, root_name, root_key.public_key(), 1, now - day, now + day)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    leaf = (
        x509.CertificateBuilder(root_name, leaf_name, key.public_key(), 2, now - day, now + day)
        .add_extension(address, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    pem, chain = folder / f"{name}.pem", folder / f"{name}-chain.pem"
    pem.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain.write_bytes(private + leaf.public_bytes(serialization.Encoding.PEM))
    chain.chmod(0o600)
    return Authority(pem, chain)


@dataclass(frozen=True)
class Got:
    """A request that came in whole."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def verified(self, secret: str = SECRET) -> bool:
        """As docs/operators/alarms.md tells receivers to."""
        said = self.headers["openline-timestamp"]
        right = hmac.new(secret.encode(), said.encode() + b"." + self.body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(self.headers["openline-signature"], "v1=" + right)


class Receiver:
    """Takes calls, or does what `mode` says: take, wait (until `let`), fail, refuse, redirect, hang, garbage, flood, leave."""

    def __init__(self, authority: Authority) -> None:
        self.mode = "take"
        self.got: list[Got] = []
        self.connections = 0
        self._answering: list[tuple[str, int]] = []
        """Who is being answered."""
        self._context = authority.context()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._ended, self._may = threading.Event(), threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/alarms?to=floor"

    def of(self, kind: str) -> list[Got]:
        """Calls for somebody to come."""
        return [each for each in list(self.got) if (each.json.get("kind"), each.json.get("state")) == (kind, "open")]

    def over(self, kind: str) -> list[Got]:
        """Words that nobody needs to come any more."""
        return [each for each in list(self.got) if each.json.get("kind") == kind and each not in self.of(kind)]

    def let(self) -> None:
        """Take what waits."""
        self._may.set()

    def forget(self) -> None:
        """Nothing came so far: neither what did, nor what a station that has ended by now has still on its way."""
        with socket.create_connection(("127.0.0.1", self.port)) as last:  # who called before is heard before
            until(lambda: last.getsockname() in self._answering)
        until(lambda: not self._answering)
        self.got.clear()

    def close(self) -> None:
        self._ended.set()
        self._listening.close()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                plain, caller = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self._answering.append(caller)
            threading.Thread(target=self._answer, args=(plain, caller), daemon=True).start()

    def _answer(self, plain: socket.socket, caller: tuple[str, int]) -> None:
        try:
            plain.settimeout(FAR)
            with self._context.wrap_socket(plain, server_side=True) as wire:
                self._talk(wire)
        except (OSError, ValueError):
            return
        finally:
            self._answering.remove(caller)

    def _talk(self, wire: ssl.SSLSocket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += wire.recv(4_096)
        head, _, body = data.partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
        while len(body) < int(headers["content-length"]):
            body += wire.recv(4_096)
        mode = self.mode
        self.got.append(Got(first.split(" ")[1], headers, body))
        if mode == "hang":
            self._ended.wait(60)
        elif mode == "flood":
            while not self._ended.is_set():
                wire.sendall(b"HTTP/1.1 " + b"x" * 65_536)
        elif mode != "leave":
            if mode == "wait":
                self._may.wait(60)
            wire.sendall(self._words(mode))

    def _words(self, mode: str) -> bytes:
        there = f"HTTP/1.1 307 Elsewhere\r\nLocation: {self.url}&again\r\nContent-Length: 0\r\n\r\n".encode()
        return {
            "take": b"HTTP/1.1 204 Taken\r\n\r\n",
            "wait": b"HTTP/1.1 204 Taken\r\n\r\n",
            "fail": b"HTTP/1.1 500 Not now\r\nContent-Length: 0\r\n\r\n",
            "refuse": b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
            "redirect": there,
            "garbage": b"\x00\xff\x16\x03 220 mail.example ESMTP\r\n",
        }[mode]


class Letterbox:
    """A mail server that keeps what it takes."""

    def __init__(self, authority: Authority) -> None:
        self.mails: list[tuple[list[str], str]] = []
        self.port = free_port()
        self._controller = Controller(self, "127.0.0.1", self.port, ssl_context=authority.context(), ready_timeout=60)
        self._controller.start()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - theirs
        assert isinstance(envelope.content, bytes)
        self.mails.append((list(envelope.rcpt_tos), envelope.content.decode()))
        return "250 taken"

    def stop(self) -> None:
        self._controller.stop()


def secret_file(folder: Path, name: str = "pager.secret") -> None:
    """The shared secret, as the station wants it kept."""
    path = folder / name
    path.write_text(SECRET + "\n")
    path.chmod(0o600)


def webhook(receiver: Receiver, authority: Authority, name: str = "pager") -> str:
    """The table of a path."""
    return (
        f"[alarms.paths.{name}.webhook]\n"
        f'url = "{receiver.url}"\nsecret_file = "pager.secret"\nauthorities_file = "{authority.pem}"\n'
    )
