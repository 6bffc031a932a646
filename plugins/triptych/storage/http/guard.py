"""Connections of `requests` that are made to permitted addresses only.

The name is resolved once, and the socket connects to one of the addresses that were judged: a name that leads elsewhere
a moment later leads nowhere. `_new_conn` is a private part of urllib3 2; `tests/unit/storage` fails when it changes.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection
from urllib3.util.retry import Retry

from triptych.connections import STORE_CONNECTIONS
from triptych.storage.http.addresses import Reach

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

_RETRY = Retry(total=3, connect=2, read=2, status=0, redirect=0, backoff_factor=0.2, respect_retry_after_header=False)
"""Of a connection that is not made, or breaks before there is an answer. Answers are judged by who asked."""


class GuardedAdapter(HTTPAdapter):
    """Keeps to a `Reach`. Behind a proxy it judges names as they are resolved here, where they are: the proxy leads on.

    The proxy itself comes from a connection or the worker's environment, and may be anywhere.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        super().__init__(pool_maxsize=STORE_CONNECTIONS, max_retries=_RETRY)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """As it is, with connections that are guarded."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pool_classes(self._reach)

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """AddressRefusedError where the request would lead to what may not be reached."""
        # As `requests` calls it; what is not named here has no proxy.
        proxies: Mapping[str, str] = kwargs.get("proxies") or {}
        url = str(request.url)
        if select_proxy(url, proxies):
            parts = urlsplit(url)
            with suppress(socket.gaierror):  # Of a name that only the proxy knows.
                self._reach.permitted(parts.hostname or "", parts.port or 0)
        return super().send(request, *args, **kwargs)


class _Guard(HTTPConnection):
    reach: ClassVar[Reach]

    def _new_conn(self) -> socket.socket:
        """As urllib3's own, with an address in the place of the name."""
        try:
            addresses = self.reach.permitted(self._dns_host, self.port)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        for address in addresses[:-1]:
            try:
                return self._connected(address)
            except OSError:
                continue
        try:
            return self._connected(addresses[-1])
        except TimeoutError as error:
            msg = f"Connection to {self.host} timed out. (connect timeout={self.timeout})"
            raise ConnectTimeoutError(self, msg) from error
        except OSError as error:
            msg = f"Failed to establish a new connection: {error}"
            raise NewConnectionError(self, msg) from error

    def _connected(self, address: str) -> socket.socket:
        return create_connection((address, self.port), self.timeout, self.source_address, self.socket_options)


class _TlsGuard(_Guard, HTTPSConnection):
    """Certificates are of the name, not of the address."""


def _pool_classes(reach: Reach) -> dict[str, type[HTTPConnectionPool]]:
    """urllib3's pools, by scheme; it makes the connections, and takes no argument for them but its own."""
    plain = type("GuardedConnection", (_Guard,), {"reach": reach})
    tls = type("GuardedTlsConnection", (_TlsGuard,), {"reach": reach})
    return {
        "http": type("GuardedPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("GuardedTlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
    }
