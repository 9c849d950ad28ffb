"""A peer that speaks no DTLS 1.3, only 1.2: what a call must end for, before a sound is passed.

Half of ICE (RFC 8445, "lite": it answers checks) before the `openssl` program,
which does the DTLS. It has no sound of its own; it counts what the page sends
it after the handshake, so a test sees whether a word of speech went out.
"""

import binascii
import contextlib
import hashlib
import hmac
import secrets
import selectors
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from tests.ports import free_port
from tests.waiting import until

_COOKIE = 0x2112A442
_SOUND = range(128, 192)
"""First byte of RTP and RTCP (RFC 7983, 7)."""
_REPORTS = range(192, 224)
"""Second byte of RTCP."""


@dataclass(slots=True, kw_only=True)
class OldPeer:
    """One that runs: its certificate's fingerprint, its answer, and what it saw."""

    fingerprint: bytes
    port: int
    name: str
    password: str = field(repr=False)
    sounds: int = 0
    """Messages of speech that the page sent."""

    def answer(self, offer: str) -> str:
        """A session description that takes up this offer's sections: sound, and data if there is any."""
        sections = offer.replace("\r\n", "\n").split("\nm=")[1:]
        mids = [_value(each, "a=mid:") for each in sections]
        lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=ice-lite", f"a=group:BUNDLE {' '.join(mids)}"]
        for mid, each in zip(mids, sections, strict=True):
            sound = each.startswith("audio")
            lines += [
                "m=audio 9 UDP/TLS/RTP/SAVPF 111" if sound else "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
                *("c=IN IP4 0.0.0.0", f"a=mid:{mid}", f"a=ice-ufrag:{self.name}", f"a=ice-pwd:{self.password}"),
                *(f"a=fingerprint:sha-256 {self.fingerprint.hex(':').upper()}", "a=setup:passive"),
                f"a=candidate:1 1 udp 2130706431 127.0.0.1 {self.port} typ host",
                *(["a=sendrecv", "a=rtcp-mux", "a=rtpmap:111 opus/48000/2"] if sound else ["a=sctp-port:5000"]),
            ]
        return "\r\n".join([*lines, ""])


def _value(section: str, name: str) -> str:
    return next(line for line in section.splitlines() if line.startswith(name)).removeprefix(name)


@contextlib.contextmanager
def old_peer(folder: Path) -> Iterator[OldPeer]:
    """One that waits for a page's checks and hello, until the end of the block."""
    key, certificate, log = folder / "old.key", folder / "old.pem", folder / "old.log"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subprocess.run([*made, "-subj", "/CN=old", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    fingerprint = x509.load_pem_x509_certificate(certificate.read_bytes()).fingerprint(SHA256())
    inner = free_port()
    serve = ["openssl", "s_server", "-dtls1_2", "-accept", f"127.0.0.1:{inner}"]
    serve += ["-cert", str(certificate), "-key", str(key)]
    serve += ["-use_srtp", "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80", "-verify", "1", "-mtu", "1200"]
    with log.open("wb") as out, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outer:
        outer.bind(("127.0.0.1", 0))
        process = subprocess.Popen(serve, stdin=subprocess.PIPE, stdout=out, stderr=out)
        peer = OldPeer(
            fingerprint=fingerprint,
            port=int(outer.getsockname()[1]),
            name=secrets.token_hex(4),
            password=secrets.token_hex(12),
        )
        stop = threading.Event()
        thread = threading.Thread(target=_carry, args=(peer, outer, inner, stop), daemon=True)
        thread.start()
        try:
            until(lambda: "ACCEPT" in log.read_text(errors="replace"), deadline_s=30)
            yield peer
        finally:
            stop.set()
            thread.join(10)
            process.kill()
            process.communicate(timeout=10)


def _carry(peer: OldPeer, outer: socket.socket, inner: int, stop: threading.Event) -> None:
    """Answer checks, hand DTLS to openssl and back, count the rest."""
    page: tuple[str, int] | None = None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dtls, selectors.DefaultSelector() as waiting:
        dtls.connect(("127.0.0.1", inner))
        for each in (outer, dtls):
            waiting.register(each, selectors.EVENT_READ)
        while not stop.is_set():
            for ready, _ in waiting.select(0.2):
                if ready.fileobj is dtls:
                    with contextlib.suppress(ConnectionRefusedError):
                        data = dtls.recv(65_536)
                        if page:
                            outer.sendto(data, page)
                    continue
                data, page = outer.recvfrom(65_536)
                if data[0] < 4:
                    answer = _check_answered(data, peer.password.encode(), page)
                    if answer:
                        outer.sendto(answer, page)
                elif 20 <= data[0] < 64:
                    with contextlib.suppress(ConnectionRefusedError):
                        dtls.send(data)
                elif data[0] in _SOUND and data[1] not in _REPORTS:
                    peer.sounds += 1


def _check_answered(request: bytes, password: bytes, page: tuple[str, int]) -> bytes | None:
    """The success that a connectivity check asks for (RFC 8489, 6.3.1.1); nothing for what is no request."""
    if request[:2] != b"\x00\x01":
        return None
    port = page[1] ^ (_COOKIE >> 16)
    address = int.from_bytes(socket.inet_aton(page[0])) ^ _COOKIE
    body = struct.pack("!HHBBHI", 0x0020, 8, 0, 1, port, address)
    head = b"\x01\x01" + struct.pack("!H", len(body) + 24) + request[4:20]
    body += struct.pack("!HH", 0x0008, 20) + hmac.new(password, head + body, hashlib.sha1).digest()
    head = b"\x01\x01" + struct.pack("!H", len(body) + 8) + request[4:20]
    check = binascii.crc32(head + body) ^ 0x5354554E
    return head + body + struct.pack("!HHI", 0x8028, 4, check)
