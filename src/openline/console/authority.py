"""The console's own certificate authority, made once, and the certificate that it renews by itself.

The authority can vouch for the console's host name and for nothing else
(RFC 5280, 4.2.1.10), so whoever installs it on a workstation gives away no
more than this one name. Both keys lie in the store, sealed like all else.
"""

import datetime
import os
import ssl
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from openline.kernel.errors import Malformed, Unavailable

_DAY: Final = datetime.timedelta(days=1)
AUTHORITY_DAYS: Final = 3_650
"""As long as a workstation is used: installing is work by hand on every one of them."""
LEAF_DAYS: Final = 90
RENEW_DAYS: Final = 30
"""Renewed when fewer are left, so that a station which is restarted once a month never shows an expired one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate and its key, both PEM."""

    key: bytes = field(repr=False)
    certificate: bytes

    @classmethod
    def read(cls, kept: bytes) -> "Pair":
        """Of `kept`. Raises Malformed."""
        key, mark, rest = kept.partition(b"-----BEGIN CERTIFICATE-----")
        if not mark:
            raise Malformed("the console's certificate is damaged")
        return cls(key=key, certificate=mark + rest)

    @property
    def kept(self) -> bytes:
        """As it lies in the store."""
        return self.key + self.certificate


def new_authority(host: str, now: datetime.datetime) -> Pair:
    """An authority for one host name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Openline console {host}"[:64])])
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    constraints = x509.NameConstraints(permitted_subtrees=[x509.DNSName(host)], excluded_subtrees=None)
    certificate = (
        _begun(name, name, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(constraints, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _pair(key, certificate)


def new_leaf(authority: Pair, host: str, now: datetime.datetime) -> Pair:
    """A server's certificate for that host. Raises Malformed if the authority is damaged."""
    signer, issuer = _private(authority), _certificate(authority)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        _begun(name, issuer.subject, key.public_key(), now, LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
        .sign(signer, hashes.SHA256())
    )
    return _pair(key, certificate)


def vouches(authority: Pair, host: str, now: datetime.datetime) -> bool:
    """Whether it may sign for that host, for as long as a leaf lasts. Raises Malformed."""
    certificate = _certificate(authority)
    try:
        allowed = certificate.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    except x509.ExtensionNotFound:
        return False
    lasting = certificate.not_valid_after_utc > now + LEAF_DAYS * _DAY
    return lasting and x509.DNSName(host) in allowed


def days_left(pair: Pair, now: datetime.datetime) -> int:
    """Whole days until it expires; negative afterwards. Raises Malformed."""
    return (_certificate(pair).not_valid_after_utc - now) // _DAY


def is_current(leaf: Pair, authority: Pair, host: str, now: datetime.datetime) -> bool:
    """Whether that leaf is this authority's for this host, begun, and not to be renewed yet. Raises Malformed."""
    certificate, issuer = _certificate(leaf), _certificate(authority)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    begun = certificate.not_valid_before_utc <= now
    return begun and host in names.get_values_for_type(x509.DNSName) and days_left(leaf, now) >= RENEW_DAYS


def load(context: ssl.SSLContext, leaf: Pair) -> None:
    """Use that certificate for new connections. Raises Malformed or Unavailable.

    `ssl` reads keys from files only, and this one must not reach a disk.
    """
    try:
        number = os.memfd_create("", os.MFD_CLOEXEC)
        with os.fdopen(number, "wb") as memory:
            memory.write(leaf.kept)
            memory.flush()
            context.load_cert_chain(f"/proc/self/fd/{number}")
    except ssl.SSLError:
        raise Malformed("the console's certificate is damaged") from None
    except OSError:
        raise Unavailable("the console's key cannot be handed to the TLS library") from None


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime.datetime, days: int
) -> x509.CertificateBuilder:
    """Valid from a day ago: a workstation's clock may be behind."""
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - _DAY,
        not_valid_after=now + days * _DAY,
    )


def _pair(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> Pair:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Pair(key=private, certificate=certificate.public_bytes(serialization.Encoding.PEM))


def _private(pair: Pair) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pair.key, None)
    except (ValueError, TypeError):
        raise Malformed("the console's certificate is damaged") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Malformed("the console's certificate is damaged")
    return key


def _certificate(pair: Pair) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pair.certificate)
    except ValueError:
        raise Malformed("the console's certificate is damaged") from None
