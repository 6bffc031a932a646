"""A proxy in front of a store that does what it is asked, and loses the answers that it is told to lose."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Loss = Literal["reset", "500"]


@dataclass
class LosingProxy:
    """`lost` has the requests ("PUT /bucket/key?query") whose answer did not arrive, in order."""

    endpoint: str = ""
    lost: list[str] = field(default_factory=list)


@contextmanager
def losing_proxy(upstream: str, loses: Callable[[str], bool], loss: Loss) -> Iterator[LosingProxy]:
    """Pass requests on to `upstream`; of those that `loses` names, the first answer of each is lost after the fact."""
    proxy = LosingProxy()

    class Handler(_Forwarding):
        upstream_host = urlsplit(upstream).netloc

        def is_lost(self, request: str) -> bool:
            if request in proxy.lost or not loses(request):
                return False
            proxy.lost.append(request)
            return True

        def lose(self) -> None:
            if loss == "500":
                self.answer(500, {}, b"")
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        proxy.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Forwarding(BaseHTTPRequestHandler):
    """One request to the store, with the same headers, so that its signature holds."""

    protocol_version = "HTTP/1.1"
    upstream_host = ""

    def is_lost(self, request: str) -> bool:
        raise NotImplementedError

    def lose(self) -> None:
        raise NotImplementedError

    def forward(self) -> None:
        if self.headers.get("Expect", "").lower() == "100-continue":
            del self.headers["Expect"]  # The server of the standard library has said so already.
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection(self.upstream_host, timeout=60)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if self.is_lost(f"{self.command} {self.path}"):
            self.lose()
        else:
            self.answer(answer.status, dict(answer.getheaders()), data)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = forward

    def answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # the base class's name
        """Nothing: the tests read `lost`."""
