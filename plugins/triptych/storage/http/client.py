"""GET requests that follow redirects hop by hop: each is judged, and what a connection holds stays with its host."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import requests
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import parse_url

from triptych.connections import HttpAccess
from triptych.errors import ObjectNotFoundError, SourceError, StorageAccessError, StorageError, UnsupportedError
from triptych.storage.http.addresses import AddressRefusedError

if TYPE_CHECKING:
    from requests import PreparedRequest, Response
    from requests.adapters import HTTPAdapter

_TRIES = 4
"""Of a request that the server cannot serve just now."""
_MOST_WAIT_S = 10.0
"""What a server asks to be waited for, at most; beyond that the task's own retry is the better one."""
_READ_S = 60.0
_CONNECT_S = 10.0
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_GOOD = (200, 206, 416)
_NO_URL = (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, LocationParseError, UnicodeError)


class HttpClient:
    """Requests by one connection, or by none; for any thread."""

    def __init__(self, access: HttpAccess, adapter: HTTPAdapter) -> None:
        """`adapter` makes the connections to servers."""
        self._access = access
        self._own = _prepared(access.session, adapter)
        self._bare = _prepared(_without_secrets(access.session), adapter)

    def get(self, uri: str, headers: Mapping[str, str]) -> Response:
        """The answer of status 200, 206 or 416, its body not read; all others are errors.

        StorageAccessError for an address or a host that is out of reach, on the way, too.
        """
        with map_errors(uri):
            url = _url(uri)
            if self._access.base_url and not self._is_own(url):
                host = parse_url(self._access.base_url).netloc
                msg = f"{uri}: the connection is for {host}, and no other host gets what it holds."
                raise StorageAccessError(msg)
            response = self._asked(url, headers)
            for _ in range(self._access.session.max_redirects):
                if not response.is_redirect or not self._access.follows_redirects:
                    break
                url = self._next(uri, response)
                response = self._asked(url, headers)
        if response.status_code not in _GOOD:
            response.close()
            raise _refused(uri, response)
        return response

    def _asked(self, url: str, headers: Mapping[str, str]) -> Response:
        """One hop, asked again while the server is busy."""
        session = self._own if self._is_own(url) else self._bare
        timeout = self._access.timeout or (_CONNECT_S, _READ_S)
        for tried in range(1, _TRIES + 1):
            response = session.get(
                url, headers=headers, stream=True, allow_redirects=False, timeout=timeout, verify=session.verify
            )
            if response.status_code not in _BUSY or tried == _TRIES:
                break
            response.close()
            time.sleep(_wait_s(response, tried))
        return response

    def _next(self, uri: str, response: Response) -> str:
        """Where a redirect leads: HTTP, not from HTTPS to what anybody on the way could change."""
        response.close()
        # As `requests` reads it: a header is Latin-1, and servers write UTF-8.
        target = self._bare.get_redirect_target(response) or ""
        url = _url(urljoin(str(response.url), target))
        scheme = parse_url(url).scheme
        if scheme not in ("http", "https") or (scheme == "http" and str(response.url).startswith("https:")):
            msg = f"{uri}: the server leads from https:// to {scheme}://, which is not followed."
            raise StorageAccessError(msg)
        return url

    def _is_own(self, url: str) -> bool:
        """Whether a URL is of the connection's host and port, and by TLS if the connection says so."""
        if not self._access.base_url:
            return False
        base, asked = parse_url(_url(self._access.base_url)), parse_url(url)
        if (base.scheme, asked.scheme) == ("https", "http") or base.host != asked.host:
            return False
        # `host` alone, with no scheme of its own, means both of the usual ports.
        return _port(base.scheme, base.port) == _port(asked.scheme, asked.port) or (
            base.port is None and asked.port is None
        )


@contextmanager
def map_errors(uri: str) -> Iterator[None]:
    """What `requests` and urllib3 raise, as ours, with the URI that the job names: others may hold a signature."""
    try:
        yield
    except AddressRefusedError as error:
        msg = f"{uri}: is refused: {error}"
        raise StorageAccessError(msg) from error
    except requests.exceptions.SSLError as error:
        msg = (
            f"{uri}: the server's certificate is not trusted: {_reason(error)}. Give the CA's file as `verify` in the "
            "extra of an Airflow connection, or as REQUESTS_CA_BUNDLE."
        )
        raise StorageAccessError(msg) from error
    except _NO_URL as error:
        msg = f"{uri}: is, or leads to, no URL of a server, or needs a proxy that cannot be used: {_reason(error)}."
        raise StorageAccessError(msg) from error
    except (requests.exceptions.RequestException, HTTPError) as error:
        msg = f"{uri}: the server did not answer, or broke off: {_reason(error)}."
        raise StorageError(msg) from error


def _prepared(session: requests.Session, adapter: HTTPAdapter) -> requests.Session:
    """With our connections, no cookies, and nothing of a `.netrc`, which `requests` reads where there is no login."""
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.auth = session.auth or _no_login
    return session


def _without_secrets(session: requests.Session) -> requests.Session:
    """One for other hosts: with the same proxies and trust, without login, headers and client certificate."""
    bare = requests.Session()
    bare.proxies, bare.verify, bare.trust_env = session.proxies, session.verify, session.trust_env
    return bare


def _no_login(request: PreparedRequest) -> PreparedRequest:
    return request


def _url(uri: str) -> str:
    """As it is asked for: spaces and letters of any script escaped, the host in ASCII."""
    if "#" in uri.partition("://")[2].partition("?")[0]:
        msg = f"{uri}: has a '#', which servers never see: write %23 where it is part of a name, else leave it out."
        raise SourceError(msg)
    return str(requests.Request("GET", uri.partition("#")[0]).prepare().url)


def _port(scheme: str | None, port: int | None) -> int:
    return port or (443 if scheme == "https" else 80)


def _wait_s(response: Response, tried: int) -> float:
    asked = response.headers.get("Retry-After", "")
    return min(_MOST_WAIT_S, float(asked)) if asked.isdecimal() else 0.2 * 2**tried


def _refused(uri: str, response: Response) -> StorageError:
    """The error for an answer without the object."""
    status, said = response.status_code, f"{response.status_code} {response.reason}"
    if status in (404, 410):
        return ObjectNotFoundError(f"{uri}: there is no such object: the server answers {said}.")
    if status in (401, 403, 407):
        return StorageAccessError(f"{uri}: the server refuses these credentials, or wants some: {said}.")
    if status in _BUSY:
        return StorageError(f"{uri}: the server cannot serve it now: {said}.")
    if response.is_redirect:
        return StorageAccessError(f"{uri}: the server redirects ({said}), more often than is followed.")
    return UnsupportedError(f"{uri}: the server answers {said}, and no object.")


def _reason(error: BaseException) -> str:
    """The innermost that went wrong: what is around it repeats the URL, with what a redirect put into it."""
    inner: BaseException | None = error
    while inner is not None:
        error = inner
        first = error.args[0] if error.args else None
        found = getattr(error, "reason", None) or first
        inner = found if isinstance(found, BaseException) else None
    return str(error) or type(error).__name__
