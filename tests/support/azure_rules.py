"""A proxy in front of Azurite that counts what is asked, and can say that blocks cannot be copied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.support.forwarding import Answer, Forwarding, serving
from tests.support.servers import AZURE_ACCOUNT

NOT_IMPLEMENTED = Answer(501, {"x-ms-error-code": "NotImplemented"}, b"")
"""As servers answer that speak less than all of Azure's language."""


@dataclass
class AzureRules:
    """`asked` has every request ("PUT /path?query"), `sent` counts their bytes; `copies` says whether the server knows
    how to copy a block."""

    endpoint: str = ""
    asked: list[str] = field(default_factory=list)
    copies: bool = True
    sent: int = 0


@contextmanager
def azure_rules(upstream: str) -> Iterator[AzureRules]:
    """Pass requests on to `upstream`, an Azurite's own address with its account."""
    rules = AzureRules()

    class Handler(_Handler):
        upstream_host = urlsplit(upstream).netloc
        state = rules

    with serving(_Server(("127.0.0.1", 0), Handler)) as address:
        rules.endpoint = f"{address}/{AZURE_ACCOUNT}"
        yield rules


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # Of racers, who all connect at once.


class _Handler(Forwarding):
    state: AzureRules

    def forward(self) -> None:
        body = self.body()
        self.state.asked.append(f"{self.command} {self.path}")
        self.state.sent += len(body)
        is_copied_block = "x-ms-copy-source" in self.headers and "comp=block&" in f"{self.path}&"
        self.answer(NOT_IMPLEMENTED if is_copied_block and not self.state.copies else self.ask(body))

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = forward
