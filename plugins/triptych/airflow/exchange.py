"""One request and its answer, with a server that need not be Airflow's, nor mean well.

A login goes to the host that was named, and nowhere else: no redirect is followed. The environment's proxies and
authorities (HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE) count, as for all else that is asked by HTTPS. An answer is
bounded in size and time, and is a JSON object or an error; no error says what was secret in the request.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import httpx

from triptych.addresses import is_this_machine
from triptych.errors import ConfigError, TriptychError

READ_S = 30
"""For each piece of an answer."""
SHORTEST_SECRET = 4
"""A shorter one is in every other word."""
SHOWN_LETTERS = 2000
"""Of what an error's answer says."""
_EXPIRED = (401, 403)
"""Airflow answers 403 to a token that has expired."""
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"


class AirflowError(TriptychError):
    """Airflow refused a request, or did not reach a state in time; `status` is the HTTP status, if any."""

    retryable = True

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class AnswerLimits:
    """What one answer may take: a log of a task is the longest that an Airflow gives. A list has so many pages."""

    bytes: int = 64 << 20
    seconds: float = 300.0
    pages: int = 1000


class Login:
    """One user, known by a token, or by name and password, for which Airflow gives a token."""

    def __init__(self, user: str = "", password: str = "", token: str | None = None) -> None:
        """ConfigError for a token that no header can carry."""
        self.renews = token is None
        self.credentials = {"username": user, "password": password}
        self.token = _checked(token.strip()) if token is not None else None

    def hide(self, text: str) -> str:
        """The text without what is secret of the login."""
        for secret in (self.token, self.credentials["password"]):
            if secret and len(secret) >= SHORTEST_SECRET:
                text = text.replace(secret, "***")
        return text


class Exchange:
    """Requests to one server, as one user. No connection is kept: none is forgotten by a server that was restarted."""

    def __init__(self, url: str, login: Login, limits: AnswerLimits) -> None:
        """`url` is that of an api-server, with or without a `/` at its end; ConfigError for what is no such URL."""
        self.url = _server(url)
        self._login, self._limits = login, limits
        self._http = _client(self.url)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None, query: Mapping[str, Any] | None) -> Any:
        """The JSON object that answers; None for an empty answer. AirflowError for any other, and for none in time."""
        if self._login.token is None:
            self._log_in()
        try:
            return self.send(method, path, body, query, self._login.token)
        except AirflowError as error:
            if error.status not in _EXPIRED or not self._login.renews:
                raise
        self._log_in()
        return self.send(method, path, body, query, self._login.token)

    def _log_in(self) -> None:
        answer = self.send("POST", "/auth/token", self._login.credentials, None, None)
        token = (answer or {}).get("access_token")
        if not isinstance(token, str):
            msg = f"POST {self.url}/auth/token: the answer holds no access_token. Is this the URL of an Airflow?"
            raise AirflowError(msg)
        self._login.token = _checked(token)

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, Any] | None,
        token: str | None,
    ) -> Any:
        """As `ask`, with this token, or as nobody."""
        label = f"{method} {self.url}{path}"
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        sent = None if body is None else json.dumps(body)  # In ASCII: half a character from JSON is sent as it came.
        if sent is not None:
            headers["Content-Type"] = "application/json"
        end = time.monotonic() + self._limits.seconds
        try:
            with self._http.stream(method, f"{self.url}{path}", content=sent, params=query, headers=headers) as answer:
                data = self._read(answer, label, end)
        except httpx.HTTPError as error:
            why = self._login.hide(f"{error or type(error).__name__}")
            if _UNTRUSTED in why:
                msg = f"{label}: {why}. Name the file of the authority that has signed it as REQUESTS_CA_BUNDLE."
                raise ConfigError(msg) from None
            msg = f"{label}: {why}. Is the api-server running?"
            raise AirflowError(msg) from None
        if not answer.is_success:
            self._refuse(label, answer, data)
        return _parsed(data, label, answer.status_code) if data else None

    def _read(self, answer: httpx.Response, label: str, end: float) -> bytes:
        packed = answer.headers.get("Content-Encoding", "identity")
        if packed != "identity":
            msg = f"{label}: the answer is packed ({packed[:40]}), which was not asked for."
            raise AirflowError(msg, answer.status_code)
        data = bytearray()
        for block in answer.iter_raw():
            data += block
            if len(data) > self._limits.bytes:
                msg = f"{label}: the answer is longer than {self._limits.bytes:,} bytes."
                raise AirflowError(msg, answer.status_code)
            if time.monotonic() > end:
                msg = f"{label}: the answer had not ended after {self._limits.seconds:.0f} s."
                raise AirflowError(msg, answer.status_code)
        return bytes(data)

    def _refuse(self, label: str, answer: httpx.Response, data: bytes) -> NoReturn:
        text = data[: SHOWN_LETTERS * 4].decode("utf-8", "replace")[:SHOWN_LETTERS]
        if answer.is_redirect:
            text = f"it leads to {answer.headers['Location'][:SHOWN_LETTERS]}, and no login is sent there. Name the URL"
            text += " that Airflow itself has."
        raise AirflowError(self._login.hide(f"{label}: HTTP {answer.status_code}: {text}"), answer.status_code)


def _checked(token: str) -> str:
    """The token, which is never shown; ConfigError when a header cannot carry it."""
    if not re.fullmatch("[!-~]+", token):
        msg = "The token for Airflow is none: it is one word of plain letters, digits and signs. Fetch it anew."
        raise ConfigError(msg)
    return token


def _server(url: str) -> str:
    """The URL without a `/` at its end. It is not shown when it holds a password."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.host or parts.query or parts.fragment:
        msg = "The URL of Airflow is none of a server: it is like https://airflow.example.com, a path may follow."
        raise ConfigError(msg)
    if parts.userinfo:
        msg = (
            f"The URL of {parts.host} holds a login, and URLs are shown and logged. Leave it out: the command takes a "
            "name (--user) and the variable that holds the password (--password-env)."
        )
        raise ConfigError(msg)
    return url.rstrip("/")


def _client(url: str) -> httpx.Client:
    """ConfigError for an environment whose proxies or authorities cannot be used. No proxy leads to this machine."""
    # As the bytes come: what is packed could be of any size.
    headers = {"Accept-Encoding": "identity", "Accept": "application/json"}
    few = httpx.Limits(max_keepalive_connections=0)
    host = httpx.URL(url).host
    trusted = _trusted() if url.startswith("https://") else True
    elsewhere = not is_this_machine(host)
    try:
        return httpx.Client(
            timeout=READ_S, limits=few, headers=headers, trust_env=elsewhere, verify=trusted, follow_redirects=False
        )
    except (ValueError, ImportError, httpx.InvalidURL) as error:  # SOCKS takes a library of its own.
        why = str(error).rstrip(".")
        msg = f"A proxy that the environment names (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY) cannot be used: {why}. "
        msg += f"NO_PROXY={host} goes without one."
        raise ConfigError(msg) from None


def _trusted() -> ssl.SSLContext:
    """The authorities of REQUESTS_CA_BUNDLE, as for all else that is asked by HTTPS; else this machine's and Mozilla's.

    ConfigError where none can be read there.
    """
    bundle = os.environ.get("REQUESTS_CA_BUNDLE")
    if not bundle:
        context = httpx.create_ssl_context()
        context.load_default_certs()
        return context
    try:
        if Path(bundle).is_dir():
            return ssl.create_default_context(capath=bundle)
        return ssl.create_default_context(cafile=bundle)
    except OSError as error:
        msg = f"REQUESTS_CA_BUNDLE = {bundle}: no certificates can be read there: {error.strerror or error}."
        raise ConfigError(msg) from None


def _parsed(data: bytes, label: str, status: int) -> Any:
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):  # No JSON; a number of 5,000 digits; 100,000 brackets.
        answer = None
    if not isinstance(answer, dict):
        msg = f"{label}: the answer is no JSON object. Is this the URL of an Airflow, without /api/v2 at its end?"
        raise AirflowError(msg, status)
    return answer
