"""Requests to one Jobs API as one user; a login goes to the host that was named, and nowhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests
from requests.auth import AuthBase

from triptych.api.prefix import PREFIX
from triptych.client.login import Login
from triptych.client.refusals import ClientError, LoginError, UnreachableError, refusal

CONNECT_S, READ_S = 10, 60
TRIES, PAUSE_S = 4, 0.5
"""Of what may be asked twice, while the server is busy or restarted."""
BLOCK_BYTES = 1 << 20
Body = Mapping[str, Any]
Query = Mapping[str, str | int]
Wait = Callable[[float], None]


class _As(AuthBase):
    """The header by which one is known, or none; given, it keeps out what the file `.netrc` has for the host."""

    def __init__(self, token: str = "") -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Http(requests.Session):
    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Where a link leads to, nobody is known either: a store refuses a signed address with a login beside it."""
        prepared_request.headers.pop("Authorization", None)


class Session:
    """Holds the token that the login gets, and renews it when it ends."""

    def __init__(self, login: Login, wait: Wait = time.sleep) -> None:
        self.url = login.url
        self._login, self._wait = login, wait
        self._http = _Http()
        self._token = login.token

    def ask(self, method: str, path: str, body: Body | None = None, query: Query | None = None) -> dict[str, Any]:
        """The JSON object that answers; a GET is repeated while the server is away. ClientError for any other."""
        with self._answer(method, path, body, query) as answer:
            return _object(answer, f"{method} {path}")

    def read(self, path: str) -> bytes:
        """The bytes that answer a GET."""
        with self._answer("GET", path, None, None) as answer:
            return answer.content

    @contextmanager
    def stream(self, path: str, query: Query) -> Iterator[Iterator[bytes]]:
        """The lines that answer a GET, as they come; UnreachableError when they break off or stay away for a minute."""
        with self._answer("GET", path, None, query) as answer, _reachable(f"GET {path}"):
            yield answer.iter_lines(chunk_size=1)

    def put(self, address: str, path: Path) -> None:
        """Send a file to an address that needs no login."""
        with path.open("rb") as file, _reachable("The upload"):
            # A file without bytes would be sent in pieces, which stores refuse.
            data = file if path.stat().st_size else b""
            answer = self._http.put(address, data=data, auth=_As(), timeout=(CONNECT_S, READ_S), allow_redirects=False)
        if not answer.ok:
            raise refusal(answer.status_code, f"The upload of {path} was refused: {_sentence(answer)}", self.url)

    def fetch(self, link: str, name: str) -> Iterator[bytes]:
        """The bytes of a link, which needs no login, wherever it leads; ClientError when it is good no more."""
        with _reachable(f"The output {name}"):
            headers = {"Accept-Encoding": "identity"}
            with self._http.get(link, headers=headers, stream=True, auth=_As(), timeout=(CONNECT_S, READ_S)) as answer:
                if not answer.ok:
                    raise refusal(answer.status_code, f"{name}: {_sentence(answer)}", self.url)
                yield from answer.iter_content(BLOCK_BYTES)

    @contextmanager
    def _answer(self, method: str, path: str, body: Body | None, query: Query | None) -> Iterator[requests.Response]:
        tries = TRIES if method == "GET" else 1
        for left in reversed(range(tries)):
            try:
                answer = self._as_user(method, path, body, query)
                break
            except UnreachableError:
                if not left:
                    raise
                self._wait(PAUSE_S * (tries - left))
        with answer:
            yield answer

    def _as_user(self, method: str, path: str, body: Body | None, query: Query | None) -> requests.Response:
        """With the token there is; with a new one where that has ended."""
        is_new = not self._token
        if is_new:
            self._token = self._new_token()
        try:
            return self._send(method, f"{PREFIX}{path}", body, query, self._token)
        except LoginError:
            if is_new or self._login.token:
                raise
        self._token = self._new_token()
        return self._send(method, f"{PREFIX}{path}", body, query, self._token)

    def _new_token(self) -> str:
        login = self._login
        if login.api_key:
            path, body, key = f"{PREFIX}/auth/access_token", {"apiKey": login.api_key}, "token"
        else:
            path, body, key = "/auth/token", {"username": login.user, "password": login.password}, "access_token"
        with self._send("POST", path, body, None, "") as answer:
            token = _object(answer, f"POST {path}").get(key)
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            msg = f"POST {path}: the answer holds no token. Is {self.url} an Airflow with Triptych?"
            raise ClientError(msg)
        return token

    def _send(self, method: str, path: str, body: Body | None, query: Query | None, token: str) -> requests.Response:
        label = f"{method} {self.url}{path}"
        with _reachable(label):
            answer = self._http.request(
                method,
                f"{self.url}{path}",
                json=body,
                params=query,
                auth=_As(token),
                stream=True,
                timeout=(CONNECT_S, READ_S),
                allow_redirects=False,
            )
        if answer.status_code == 200 or (answer.ok and not answer.is_redirect):
            return answer
        with answer, _reachable(label):
            if answer.is_redirect:
                msg = f"{label}: leads to {answer.headers.get('Location', 'another place')}. Give that as the address."
                raise ClientError(msg, answer.status_code)
            told = _sentence(answer)
        if answer.status_code == 404 and told.startswith("HTTP "):
            told = f"{label}: there is no Jobs API. Is {self.url} an Airflow with Triptych?"
        raise refusal(answer.status_code, told, self.url)


@contextmanager
def _reachable(label: str) -> Iterator[None]:
    """UnreachableError for what the network, or a server that hangs up, does inside."""
    try:
        yield
    except requests.exceptions.ConnectTimeout:
        msg = f"{label}: no answer in {CONNECT_S} s. Is this the address, and does it run?"
        raise UnreachableError(msg) from None
    except requests.exceptions.Timeout:
        msg = f"{label}: nothing came for {READ_S} s. Try again."
        raise UnreachableError(msg) from None
    except requests.exceptions.SSLError:
        msg = f"{label}: its certificate is not one that is trusted here. REQUESTS_CA_BUNDLE names others."
        raise ClientError(msg) from None
    except requests.exceptions.ConnectionError:
        msg = f"{label}: cannot be reached. Is this the address, and does it run?"
        raise UnreachableError(msg) from None
    except requests.exceptions.RequestException as error:
        msg = f"{label}: broke off ({type(error).__name__}). Try again."
        raise UnreachableError(msg) from None


def _object(answer: requests.Response, label: str) -> dict[str, Any]:
    with _reachable(label), suppress(requests.exceptions.JSONDecodeError):
        found = answer.json()
        if isinstance(found, dict):
            return found
    msg = f"{label}: the answer is no object of JSON. Is this the address of an Airflow with Triptych?"
    raise ClientError(msg)


def _sentence(answer: requests.Response) -> str:
    """What the server says is wrong: the Jobs API in `message`, Airflow in `detail`; else the status."""
    with suppress(requests.exceptions.JSONDecodeError):
        told = answer.json()
        texts = [told.get(key) for key in ("message", "detail")] if isinstance(told, dict) else []
        for text in texts:
            if isinstance(text, str) and text not in ("", "Not Found"):
                return text.strip()
    return f"HTTP {answer.status_code} {answer.reason}".strip()
