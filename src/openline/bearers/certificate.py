"""The TLS bearer's certificates: what a station presents, and how a pin is told to OpenSSL.

A certificate here is a wrapped key and nothing more. It says nothing of its
party, is a function of its key alone, and lasts from 1970 to 9999, since the
dates of pinned certificates are ignored anyway. What is pinned is the whole
certificate, byte for byte: OpenSSL is given the pins as its only anchors, and
the bearer then compares the DER it was shown, because OpenSSL would also
accept a certificate that a pinned key has signed for somebody else.
"""

import contextlib
import datetime
import hashlib
import os
import ssl
import tempfile
from collections.abc import Iterable, Iterator
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import NameOID

from openline.kernel.errors import Malformed, Unavailable

LARGEST_CERTIFICATE: Final = 4_096
"""Bytes of DER. Ours take about 250; the rest is room for other people's makers."""

_SUBJECT: Final = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "station")])
_FIRST_DAY: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_LAST_DAY: Final = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)

_NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME, which the `ssl` module does not name."""


def new_key(seed: bytes) -> bytes:
    """Return the Ed25519 key of a 32-byte secret seed, as PKCS8 DER.

    Raises Malformed if the seed has another length.
    """
    if len(seed) != 32:
        raise Malformed("a key's seed has 32 bytes")
    return Ed25519PrivateKey.from_private_bytes(seed).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def new_certificate(key: bytes) -> bytes:
    """Return the self-signed certificate (DER) of a key (PKCS8 DER); always the same for one key.

    Raises Malformed if it is not an Ed25519 key.
    """
    private = _private_key(key)
    public = private.public_key()
    # The serial number only has to be positive and of at most 20 bytes; taken
    # from the key, it needs no randomness and tells nothing new.
    serial = int.from_bytes(hashlib.sha256(public.public_bytes_raw()).digest()[:16], "big") | 1
    builder = x509.CertificateBuilder(
        issuer_name=_SUBJECT,
        subject_name=_SUBJECT,
        public_key=public,
        serial_number=serial,
        not_valid_before=_FIRST_DAY,
        not_valid_after=_LAST_DAY,
    )
    return builder.sign(private, None).public_bytes(serialization.Encoding.DER)


def digest_of(certificate: bytes) -> bytes:
    """Return the SHA-256 of a certificate's DER: what peers are told apart by."""
    return hashlib.sha256(certificate).digest()


def check_certificate(certificate: bytes) -> None:
    """Pass a certificate (DER) that can be pinned: one Ed25519 certificate and not a byte beside it.

    Raises Malformed.
    """
    if len(certificate) > LARGEST_CERTIFICATE:
        raise Malformed("not a certificate that can be pinned")
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        fit = isinstance(parsed.public_key(), Ed25519PublicKey)
        same = parsed.public_bytes(serialization.Encoding.DER) == certificate
    except ValueError:
        raise Malformed("not a certificate that can be pinned") from None
    if not (fit and same):
        raise Malformed("not a certificate that can be pinned")


def server_context(certificate: bytes, key: bytes, pins: Iterable[bytes], protocols: list[str]) -> ssl.SSLContext:
    """Return the context of the accepting side: it demands a certificate among `pins`."""
    context = _context(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, key, pins, protocols)
    # A resumed session would skip the comparison of certificates: no tickets.
    context.num_tickets = 0
    return context


def client_context(certificate: bytes, key: bytes, pins: Iterable[bytes], protocol: str) -> ssl.SSLContext:
    """Return the context of the dialling side: the peer must show one of `pins`, one unless it is changing it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # There are no names on a line; the pin is stronger than any.
    context.check_hostname = False
    return _context(context, certificate, key, pins, [protocol])


def _context(
    context: ssl.SSLContext, certificate: bytes, key: bytes, pins: Iterable[bytes], protocols: list[str]
) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME) | ssl.VERIFY_X509_PARTIAL_CHAIN
    context.options |= ssl.OP_NO_TICKET
    context.set_alpn_protocols(protocols)
    anchors = b"".join(pins)
    try:
        if anchors:
            context.load_verify_locations(cadata=anchors)
        with _as_file(_pem(certificate, key)) as path:
            context.load_cert_chain(path)
    except ssl.SSLError:
        raise Malformed("the certificate and its key do not fit each other") from None
    return context


def _private_key(key: bytes) -> Ed25519PrivateKey:
    try:
        private = serialization.load_der_private_key(key, None)
    except (ValueError, TypeError):
        raise Malformed("not an Ed25519 key") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise Malformed("not an Ed25519 key")
    return private


def _pem(certificate: bytes, key: bytes) -> bytes:
    private = _private_key(key).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + ssl.DER_cert_to_PEM_cert(certificate).encode()


@contextlib.contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """Lend `content` a path: `ssl` reads keys from files only, and this one must not reach a disk."""
    try:
        if hasattr(os, "memfd_create"):
            number = os.memfd_create("", os.MFD_CLOEXEC)
            with os.fdopen(number, "wb") as memory:
                memory.write(content)
                memory.flush()
                yield f"/proc/self/fd/{number}"
            return
        # The folder is 0700 and the file 0600; both are gone when the block ends.
        with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(content)
            file.flush()
            yield file.name
    except ssl.SSLError:
        raise  # an OSError by inheritance, and about the content
    except OSError:
        raise Unavailable("the TLS key cannot be handed to the TLS library") from None
