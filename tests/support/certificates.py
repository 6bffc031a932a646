"""Authorities and certificates of the tests' own, as the PEM text of files."""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: str
    key: str

    def server_context(self) -> ssl.SSLContext:
        """Of a server that has it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(self.key + self.certificate)
            file.flush()
            context.load_cert_chain(file.name)
        return context


class Authority:
    """One that signs what it is asked to."""

    def __init__(self, name: str) -> None:
        self._name = _named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        constraint = x509.BasicConstraints(ca=True, path_length=None)
        built = self._signed(self._name, self._key, timedelta(days=1), constraint)
        self.certificate = _pem(built)

    def pair(self, name: str, address: str = "127.0.0.1", days: int = 1) -> Pair:
        """For both ends of a connection, the server's at this address; negative days: it ended so long ago."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        return Pair(_pem(self._signed(_named(name), key, timedelta(days=days), names)), _key_pem(key))

    def _signed(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, life: timedelta, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(self._name, name, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=30)).not_valid_after(now + life)
        return builder.add_extension(extension, critical=False).sign(self._key, hashes.SHA256())


def signing_key() -> str:
    """One by which an Airflow signs its tokens."""
    return _key_pem(ed25519.Ed25519PrivateKey.generate())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()
