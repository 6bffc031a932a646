"""A client of the configured engine, and what hinders one, in a sentence."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from docker import APIClient
from docker.errors import APIError, DockerException
from docker.transport import UnixHTTPAdapter
from requests.adapters import HTTPAdapter

from triptych.addresses import is_this_machine
from triptych.connections import EngineCredentials, engine_credentials
from triptych.errors import ConfigError, ContainerError
from triptych.running.scratch import scratch_folder
from triptych.running.transport import patience
from triptych.running.transport.ssh import Tunnel, open_tunnel
from triptych.running.transport.tls import Certificates, refusal, written_certificates
from triptych.settings import Settings

if TYPE_CHECKING:
    from docker.tls import TLSConfig
    from docker.transport.unixconn import UnixHTTPConnectionPool

_TLS_IS_SPOKEN = "HTTP request to an HTTPS server"


@dataclass(frozen=True)
class _Way:
    """What leads to the engine: its URL for docker's library and command, which for SSH is a socket of ours."""

    url: str
    certificates: Certificates | None = None
    tunnel: Tunnel | None = None


@contextmanager
def connected(settings: Settings) -> Iterator[APIClient]:
    """A client of the engine, closed with the context.

    ContainerError when none answers there; ConfigError when it, or we, refuse to talk to each other.
    """
    with ExitStack() as stack:
        way = stack.enter_context(_way(settings))
        try:
            client = _client(way)
        except DockerException as error:
            raise _hindrance(settings, way, error) from error
        stack.callback(client.close)
        yield client


@contextmanager
def answering(url: str) -> Iterator[None]:
    """ContainerError where the engine refuses what is asked in the context, or is gone."""
    try:
        yield
    except APIError as error:
        msg = f"The engine at {url} refused a request: {error.explanation or error}."
        raise ContainerError(msg) from error
    except (DockerException, requests.RequestException) as error:
        msg = f"The engine at {url} is gone, or the connection to it: {error}."
        raise ContainerError(msg) from error


@contextmanager
def command_options(settings: Settings) -> Iterator[list[str]]:
    """What docker's own command is told, so that it talks to the same engine; it may while the context lasts."""
    with _way(settings) as way:
        # The command takes absolute paths alone, docker's library for Python others, too.
        is_socket = way.url.startswith("unix://")
        host = f"unix:///{way.url.removeprefix('unix://').lstrip('/')}" if is_socket else way.url
        yield ["--host", host, *(way.certificates.command_options() if way.certificates else ())]


@contextmanager
def _way(settings: Settings) -> Iterator[_Way]:
    url, conn_id = settings.docker_url, settings.docker_url_conn_id
    scheme = url.partition("://")[0]
    credentials = engine_credentials(conn_id) if conn_id else EngineCredentials()
    if scheme == "ssh":
        with scratch_folder(settings.scratch) as folder, open_tunnel(url, credentials, conn_id, folder) as tunnel:
            yield _Way(f"unix://{tunnel.socket}", tunnel=tunnel)
    elif conn_id is None:
        yield _Way(url)
    elif scheme in ("tcp", "https"):
        with scratch_folder(settings.scratch) as folder:
            yield _Way(url, written_certificates(credentials, conn_id, folder))
    else:
        msg = (
            f"[triptych] docker_url_conn_id = {conn_id!r} is for an engine at tcp:// or ssh://, and docker_url is "
            f"{url}. Clear one of them."
        )
        raise ConfigError(msg)


class _Client(APIClient):
    """One that believes the connection's authority, and has less patience with an engine that did not answer once."""

    def request(self, *args: Any, **options: Any) -> Any:
        try:
            return super().request(*args, **options)
        except requests.RequestException:
            asked_s = options.get("timeout") or patience.ANSWER_S
            if not isinstance(asked_s, tuple) and asked_s >= patience.AGAIN_S:  # Less tells nothing of it.
                self.timeout = patience.AGAIN_S
            raise

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        # `requests` would put REQUESTS_CA_BUNDLE in place of ours.
        verify = self.verify if verify is None else verify
        return super().merge_environment_settings(url, proxies, stream, verify, cert)


class _KeptAlive(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, socket_options=_kept_alive(patience.SILENT_S))


def _kept_alive(silent_s: int) -> list[tuple[int, int, int]]:
    """Options of a socket on which an engine that has said nothing for so long, not even that it lives, is gone."""
    return [
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, silent_s // 2),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, silent_s // 6),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, silent_s * 1000),
    ]


class _OnePool(UnixHTTPAdapter):
    """Docker's own has a pool for each URL: over SSH a connection is a process, and sshd allows ten (MaxSessions)."""

    def get_connection(self, url: bytes | str, proxies: Any = None) -> UnixHTTPConnectionPool:
        return super().get_connection("http+docker://localhost", proxies)


def _client(way: _Way) -> APIClient:
    tls: TLSConfig | bool = way.certificates.config() if way.certificates else False
    # A body, which other requests have, would be sent under the time for a connection, too.
    first: Any = patience.ANSWER_S if way.url.startswith("unix://") else (patience.REACHED_S, patience.ANSWER_S)
    client = _Client(base_url=way.url, version="auto", timeout=first, tls=tls)
    client.timeout = patience.ANSWER_S
    if way.tunnel:
        client.get_adapter(client.base_url).close()
        client.mount("http+docker://", _OnePool(str(way.tunnel.socket), patience.ANSWER_S))
    elif client.base_url.startswith(("https://", "http://")):
        client.mount(client.base_url, _KeptAlive())
    return client


def _hindrance(settings: Settings, way: _Way, error: DockerException) -> ConfigError | ContainerError:
    """Why no engine answers, and what to do; ConfigError where trying again does not help."""
    url = settings.docker_url
    if way.tunnel and (said := way.tunnel.failure()):
        return said
    if way.certificates and (why := refusal(error)):
        return ConfigError(f"The engine at {url}: {why} (connection {settings.docker_url_conn_id!r}).")
    if _TLS_IS_SPOKEN in str(error):
        return ConfigError(
            f"The engine at {url} speaks TLS: name, in [triptych] docker_url_conn_id, a connection with its "
            "certificates."
        )
    return ContainerError(
        f"No Docker engine answers at {url}. Start it, set [triptych] docker_url, or try the job without "
        "containers: `triptych run --runner process`."
    )


def is_in_the_clear(settings: Settings) -> bool:
    """Whether what is said to the engine, secrets too, goes through a network as it is, and anybody may use it."""
    url = urlsplit(settings.docker_url)
    is_plain = url.scheme in ("tcp", "http") and settings.docker_url_conn_id is None
    return is_plain and not is_this_machine(url.hostname or "")
