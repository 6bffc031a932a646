"""A proxy in front of a store that does what it is asked, and loses the answers that it is told to lose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

from tests.support.forwarding import Answer, Forwarding, serving

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

    class Handler(Forwarding):
        upstream_host = urlsplit(upstream).netloc

        def forward(self) -> None:
            answer = self.ask(self.body())
            request = f"{self.command} {self.path}"
            if request in proxy.lost or not loses(request):
                self.answer(answer)
                return
            proxy.lost.append(request)
            if loss == "500":
                self.answer(Answer(500, {}, b""))
            self.close_connection = True

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = forward

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as proxy.endpoint:
        yield proxy
