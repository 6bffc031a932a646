"""A proxy in front of an S3 store that counts requests by kind, and does to them what real networks and stores do."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.forwarding import Answer, Forwarding, serving

SLOW_S = 2.0


class Request(StrEnum):
    """The kinds of request that S3 knows, as far as jobs make them."""

    GET = "GET"
    RANGED_GET = "ranged GET"
    HEAD = "HEAD"
    PUT = "PUT"
    CONDITIONAL_PUT = "conditional PUT"
    COPY = "Copy"
    LIST = "LIST"
    CREATE_UPLOAD = "CreateMultipartUpload"
    UPLOAD_PART = "UploadPart"
    COPY_PART = "UploadPartCopy"
    COMPLETE_UPLOAD = "Complete"
    ABORT_UPLOAD = "Abort"
    LIST_UPLOADS = "ListMultipartUploads"
    DELETE = "DELETE"
    OTHER = "other"


class Fault(StrEnum):
    """What may happen to a request. Those "after" happen when the store has done it, and its answer is lost."""

    ERROR_500 = "500"
    ERROR_503 = "503"
    SLOW = "slow"
    TRUNCATED = "truncated"
    RESET_BEFORE = "reset before"
    RESET_AFTER = "reset after"
    ERROR_500_AFTER = "500 after"
    ERROR_IN_200 = "error in a 200"
    """Amazon's Complete and Copy begin to answer before they are done: the error comes in the body of a 200."""
    DENIED = "403"


DONE_FIRST = frozenset({Fault.SLOW, Fault.TRUNCATED, Fault.RESET_AFTER, Fault.ERROR_500_AFTER})
"""Faults of the answer: the store has done what it was asked."""
_OF_A_BODY = ("etag", "content-range")
"""Headers that come whole before a body that is cut short."""
STATUS = {
    Fault.ERROR_500: (500, "InternalError"),
    Fault.ERROR_503: (503, "SlowDown"),
    Fault.DENIED: (403, "AccessDenied"),
}


@dataclass
class Rule:
    """Does `fault` to requests of these kinds (none: to all) whose path holds `key`: the first `times` of them.

    `skip` passes so many first; `share` (0 to 1) is the chance of each.
    """

    fault: Fault
    kinds: Sequence[Request] = ()
    key: str = ""
    times: int = 1
    skip: int = 0
    share: float = 1.0


@dataclass(frozen=True)
class Hit:
    """A fault that a request really met."""

    fault: Fault
    kind: Request
    path: str


@dataclass
class FaultProxy:
    """`counted`, `hits` and `sent`, the bytes of all requests, are written by the proxy, `rules` by the test."""

    endpoint: str = ""
    rules: list[Rule] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)
    counted: Counter[Request] = field(default_factory=Counter)
    paths: list[tuple[Request, str]] = field(default_factory=list)
    sent: int = 0
    delay_s: float = 0.0
    """Before each request is passed on, as far away as the store is."""
    chance: random.Random = field(default_factory=random.Random)
    closing: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def judge(self, kind: Request, path: str) -> Fault | None:
        """What is done to this request, which is counted."""
        with self._lock:
            self.counted[kind] += 1
            self.paths.append((kind, path))
            for rule in self.rules:
                if (rule.kinds and kind not in rule.kinds) or rule.key not in path or rule.times <= 0:
                    continue
                if rule.skip > 0:
                    rule.skip -= 1
                    continue
                if self.chance.random() >= rule.share:
                    continue
                rule.times -= 1
                self.hits.append(Hit(rule.fault, kind, path))
                return rule.fault
        return None

    def clear(self) -> list[Hit]:
        """Do nothing to requests from now on; the hits since the last time."""
        with self._lock:
            self.rules.clear()
            hits, self.hits = self.hits, []
            return hits


@contextmanager
def fault_proxy(upstream: str, seed: int = 0) -> Iterator[FaultProxy]:
    """A proxy of `upstream` on a free port of 127.0.0.1, transparent until a rule is added."""
    proxy = FaultProxy(chance=random.Random(seed))

    class Handler(_Spoiling):
        upstream_host = urlsplit(upstream).netloc
        of = proxy

    with serving(_Server(("127.0.0.1", 0), Handler)) as proxy.endpoint:
        try:
            yield proxy
        finally:
            proxy.closing.set()


def kind_of(method: str, target: str, headers: Any) -> Request:
    """Which request of S3 this is: by method, query and headers."""
    parts = urlsplit(target)
    query = parse_qs(parts.query, keep_blank_values=True)
    has_key = "/" in parts.path.strip("/")
    if "uploadId" in query or "uploads" in query:
        return _upload_kind(method, query, headers)
    if method == "PUT" and has_key:
        if headers.get("x-amz-copy-source"):
            return Request.COPY
        return Request.CONDITIONAL_PUT if headers.get("If-None-Match") or headers.get("If-Match") else Request.PUT
    if method == "GET":
        if not has_key:
            return Request.LIST
        return Request.RANGED_GET if headers.get("Range") else Request.GET
    return {"HEAD": Request.HEAD, "DELETE": Request.DELETE}.get(method, Request.OTHER)


def _upload_kind(method: str, query: dict[str, list[str]], headers: Any) -> Request:
    if method == "POST":
        return Request.COMPLETE_UPLOAD if "uploadId" in query else Request.CREATE_UPLOAD
    if method == "PUT":
        return Request.COPY_PART if headers.get("x-amz-copy-source") else Request.UPLOAD_PART
    if method == "DELETE":
        return Request.ABORT_UPLOAD
    return Request.LIST_UPLOADS


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def shutdown_request(self, request: Any) -> None:
        """Close without the farewell of the base class, which would come before a reset."""
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: clients that are killed leave connections behind."""


class _Spoiling(Forwarding):
    """One request to the store, and what is done to it."""

    of: FaultProxy

    def forward(self) -> None:
        body = self.body()
        kind = kind_of(self.command, self.path, self.headers)
        self.of.sent += len(body)
        if self.of.delay_s:
            self.of.closing.wait(self.of.delay_s)
        fault = self.of.judge(kind, urlsplit(self.path).path)
        if fault is None or fault in DONE_FIRST:
            self._spoil(fault, self.ask(body))
        elif fault is Fault.RESET_BEFORE:
            self._reset()
        elif fault is Fault.ERROR_IN_200:
            self.answer(_error(200, "InternalError"))
        else:
            self.answer(_error(*STATUS[fault]))

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = forward

    def _spoil(self, fault: Fault | None, answer: Answer) -> None:
        if fault is Fault.RESET_AFTER:
            self._reset()
        elif fault is Fault.ERROR_500_AFTER:
            self.answer(_error(500, "InternalError"))
        elif fault is Fault.TRUNCATED:
            self._cut_short(answer)
        else:
            if fault is Fault.SLOW:
                self.of.closing.wait(SLOW_S)
            self.answer(answer)

    def _cut_short(self, answer: Answer) -> None:
        """Half of the body, of which the whole length was said; or half of the headers where there is no body."""
        head = f"HTTP/1.1 {answer.status} cut short\r\nContent-Type: application/octet-stream\r\n".encode()
        if answer.data and self.command != "HEAD":
            kept = {name: value for name, value in answer.headers.items() if name.lower() in _OF_A_BODY}
            kept["Content-Length"] = str(len(answer.data))
            lines = "".join(f"{name}: {value}\r\n" for name, value in kept.items())
            self.wfile.write(head + f"{lines}\r\n".encode() + answer.data[: len(answer.data) // 2])
        else:
            self.wfile.write(head[: len(head) // 2])
        self.close_connection = True

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True


def _error(status: int, code: str) -> Answer:
    data = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>by the proxy</Message></Error>'.encode()
    return Answer(status, {"Content-Type": "application/xml"}, data)
