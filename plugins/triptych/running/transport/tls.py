"""TLS to an engine: certificates of a connection as files, and what hinders a handshake, in words."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docker.tls import TLSConfig

from triptych.connections import EngineCredentials
from triptych.errors import ConfigError
from triptych.running.transport.private_files import write_private

_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
_OTHER_HOST = {62, 64}
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL."""
_OUT_OF_TIME = {9, 10}
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


@dataclass(frozen=True)
class Certificates:
    """Files: the engine's authority, ours and the key to it. Without an authority the machine's own are believed."""

    authority: Path | None
    own: Path | None
    key: Path | None

    def config(self) -> TLSConfig:
        """For docker's library; the engine's certificate is always verified, and its host's name."""
        own = (str(self.own), str(self.key)) if self.own and self.key else None
        return TLSConfig(client_cert=own, ca_cert=str(self.authority) if self.authority else None, verify=True)

    def command_options(self) -> list[str]:
        """For docker's command."""
        named = {"--tlscacert": self.authority, "--tlscert": self.own, "--tlskey": self.key}
        return ["--tlsverify", *(part for option, path in named.items() if path for part in (option, str(path)))]


def written_certificates(credentials: EngineCredentials, conn_id: str, folder: Path) -> Certificates:
    """Those of a connection, in files in `folder`; ConfigError for what cannot be used."""
    label = f"The connection {conn_id!r} of [triptych] docker_url_conn_id"
    if bool(credentials.client_cert) != bool(credentials.private_key):
        msg = f"{label}: its extra must have client_cert and private_key, or neither."
        raise ConfigError(msg)

    def written(name: str, text: str) -> Path | None:
        return write_private(folder / name, text) if text else None

    files = Certificates(
        written("ca.pem", credentials.ca_cert),
        written("cert.pem", credentials.client_cert),
        written("key.pem", credentials.private_key),
    )
    _check(files, label)
    return files


def _check(files: Certificates, label: str) -> None:
    """ConfigError where OpenSSL cannot read a file, or would ask a terminal for a passphrase."""
    context = ssl.create_default_context()
    try:
        if files.authority:
            context.load_verify_locations(files.authority)
    except ssl.SSLError as error:
        msg = f"{label}: ca_cert is no certificate in PEM, as a file of its authority has it."
        raise ConfigError(msg) from error
    try:
        if files.own:
            context.load_cert_chain(files.own, files.key, password=_no_passphrase)
    except (ssl.SSLError, ValueError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            msg = f"{label}: private_key is not the key of client_cert."
        else:
            msg = f"{label}: client_cert and private_key must be in PEM, and the key without a passphrase."
        raise ConfigError(msg) from error


def _no_passphrase() -> str:
    raise ValueError


def refusal(error: BaseException) -> str | None:
    """Why a handshake failed, and what to do; None where that was not it."""
    found = next((each for each in _causes(error) if isinstance(each, ssl.SSLError)), None)
    if found is None:
        return None
    if isinstance(found, ssl.SSLCertVerificationError):
        if found.verify_code in _OTHER_HOST:
            return "its certificate is for another host. Name it in docker_url as the certificate does"
        if found.verify_code in _OUT_OF_TIME:
            return "its certificate is not valid now. Renew it, or set this machine's clock"
        return "its certificate is of no authority that ca_cert names. Give the authority's certificate"
    if found.reason in _NO_TLS:
        return "it speaks no TLS. Give dockerd --tlsverify, or the port at which it does"
    if "ALERT" in (found.reason or ""):
        return "it does not accept the client's certificate. Give client_cert and private_key of its own authority"
    return "no connection by TLS can be made. See that both sides know a common version of it"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and all that it wraps, in whatever way the libraries between do that."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inner = [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
        waiting += [found for found in inner if isinstance(found, BaseException)]
