"""A web server whose every habit a test chooses: ranges, versions, lengths, redirects, answers that break off."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal


@dataclass
class Page:
    """One object. `breaks_after` and `statuses` are used up, one by each answer."""

    data: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"ETag": '"v1"'})
    has_ranges: bool = True
    length: Literal["said", "chunks", "unsaid"] = "said"
    breaks_after: list[int] = field(default_factory=list)
    """Bytes that an answer has before the connection ends in its midst."""
    statuses: list[int] = field(default_factory=list)
    """What is answered before the object is, without one."""
    redirect: str = ""


@dataclass(frozen=True)
class Asked:
    """What came: `path` as it was written."""

    path: str
    headers: Mapping[str, str]


@dataclass
class WebPages:
    """`pages` by path, as it is asked for; `asked` has all requests, with names of headers in small letters.

    `connections` counts those that were made, whatever came by them.
    """

    url: str
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0

    def ranges(self) -> list[str | None]:
        """The ranges that were asked for since the last call."""
        found = [each.headers.get("range") for each in self.asked]
        self.asked.clear()
        return found


@contextmanager
def web_pages(host: str = "127.0.0.1", port: int = 0, certificate: Path | None = None) -> Iterator[WebPages]:
    """Runs while the context lasts; by TLS with a certificate, whose file has its key, too."""
    made = _Listener6 if ":" in host else _Listener
    with made((host, port), _Handler) as listener:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            listener.socket = context.wrap_socket(listener.socket, server_side=True)
        listener.web = WebPages(f"http{'s' if certificate else ''}://{host}:{listener.server_address[1]}")
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield listener.web
        finally:
            listener.shutdown()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    web: WebPages

    def verify_request(self, request: object, client_address: object) -> bool:
        """Any; each is counted."""
        self.web.connections += 1
        return True

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: clients break off."""


class _Listener6(_Listener):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test asks what came."""

    def do_GET(self) -> None:
        pages = self.server.web
        pages.asked.append(Asked(self.path, {name.lower(): value for name, value in self.headers.items()}))
        page = pages.pages.get(self.path)
        if page is None:
            self._empty(404)
        elif page.statuses:
            self._empty(page.statuses.pop(0))
        elif page.redirect:
            self._empty(302, {"Location": page.redirect})
        else:
            self._object(page)

    def _empty(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        self._head(status, {"Content-Length": "0", **(headers or {})})

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _object(self, page: Page) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")) if page.has_ranges else None
        if self.headers.get("If-Range") not in (None, page.headers.get("ETag")):
            asked = None
        size = len(page.data)
        if asked is None:
            self._send(200, page, page.data, {})
        elif int(asked[1]) >= size:
            self._empty(416, {"Content-Range": f"bytes */{size}"})
        else:
            start, end = int(asked[1]), min(int(asked[2] or size - 1), size - 1)
            total = size if page.length == "said" else "*"
            self._send(206, page, page.data[start : end + 1], {"Content-Range": f"bytes {start}-{end}/{total}"})

    def _send(self, status: int, page: Page, body: bytes, headers: Mapping[str, str]) -> None:
        lengths = {
            "said": {"Content-Length": str(len(body))},
            "chunks": {"Transfer-Encoding": "chunked"},
            "unsaid": {"Connection": "close"},
        }
        self._head(status, {**page.headers, **headers, **lengths[page.length]})
        most = page.breaks_after.pop(0) if page.breaks_after else None
        if most is not None and most < len(body):
            body, self.close_connection = body[:most], True
            self._write(page, body)
        else:
            self._write(page, body)
            if page.length == "chunks":
                self.wfile.write(b"0\r\n\r\n")

    def _write(self, page: Page, body: bytes) -> None:
        for start in range(0, len(body), 1 << 16):
            block = body[start : start + (1 << 16)]
            framed = b"%x\r\n%s\r\n" % (len(block), block) if page.length == "chunks" else block
            self.wfile.write(framed)
