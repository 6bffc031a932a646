"""A server on this machine that asks another one: what the proxies of the tests have in common."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Answer:
    """What the other server said."""

    status: int
    headers: dict[str, str]
    data: bytes


class Forwarding(BaseHTTPRequestHandler):
    """One request to `upstream_host`, with the same headers, so that its signature holds."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    upstream_host = ""

    def body(self) -> bytes:
        """What came with the request."""
        if self.headers.get("Expect", "").lower() == "100-continue":
            del self.headers["Expect"]  # The server of the standard library has said so already.
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def ask(self, body: bytes) -> Answer:
        """The other server's answer to this request."""
        connection = http.client.HTTPConnection(self.upstream_host, timeout=60)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def answer(self, answer: Answer) -> None:
        """Say it to who asked us."""
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        if self.command == "HEAD":
            length = {name.lower(): value for name, value in answer.headers.items()}.get("content-length", "0")
            self.send_header("Content-Length", length)
        elif answer.status != 204:
            self.send_header("Content-Length", str(len(answer.data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.data)

    def log_message(self, format: str, *args: object) -> None:  # the base class's name
        """Nothing: the tests read what their proxy keeps."""


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[str]:
    """Its address, while it serves."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
