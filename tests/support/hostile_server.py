"""A server at 127.0.0.1 that answers as a test says, and notes what it was sent: an Airflow that means harm."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.certificates import Pair


@dataclass(frozen=True)
class Request:
    """What came: `target` is path and query as they were written."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """`body` may be without end; nothing says how long it is: the connection's end does."""

    body: bytes | Iterator[bytes] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class HostileServer:
    """`answer` may be replaced at any time. `hung_up` is set when a client broke off an answer."""

    url: str
    answer: Callable[[Request], Reply]
    requests: list[Request] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)


@contextmanager
def hostile_server(
    answer: Callable[[Request], Reply] = lambda _: Reply(b"{}"), pair: Pair | None = None
) -> Iterator[HostileServer]:
    """Runs while the context lasts; with a certificate it speaks HTTPS."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the test asks what came."""

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(self.command, self.path, dict(self.headers), body)
            server.requests.append(request)
            reply = server.answer(request)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                for block in [reply.body] if isinstance(reply.body, bytes) else reply.body:
                    self.wfile.write(block)
            except OSError:
                server.hung_up.set()

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _handle

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Nothing: clients break off."""

    with Quiet(("127.0.0.1", 0), Handler) as listener:
        if pair is not None:
            # Who refuses the certificate hangs up in the handshake, which is to end its own thread alone.
            context = pair.server_context()
            listener.socket = context.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
        server = HostileServer(f"http{'s' * (pair is not None)}://127.0.0.1:{listener.server_address[1]}", answer)
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            with suppress(OSError):
                listener.shutdown()
            thread.join()
