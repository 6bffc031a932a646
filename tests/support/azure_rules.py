"""A proxy in front of Azurite that knows Put Block From URL, as Azure documents it, and Azurite (3.37) does not."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from azure.storage.blob import BlobServiceClient

from tests.support.forwarding import Answer, Forwarding, serving
from tests.support.servers import AZURE_ACCOUNT, AZURE_KEY


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
    """Pass requests on to `upstream`, an Azurite's own address with its account, but for blocks from URLs."""
    rules = AzureRules()
    with BlobServiceClient(upstream, credential=AZURE_KEY) as client:

        class Handler(_Handler):
            upstream_host = urlsplit(upstream).netloc
            state = rules
            direct = client

        with serving(_Server(("127.0.0.1", 0), Handler)) as address:
            rules.endpoint = f"{address}/{AZURE_ACCOUNT}"
            yield rules


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # Of racers, who all connect at once.


class _Handler(Forwarding):
    state: AzureRules
    direct: BlobServiceClient

    def forward(self) -> None:
        body = self.body()
        self.state.asked.append(f"{self.command} {self.path}")
        self.state.sent += len(body)
        source = self.headers.get("x-ms-copy-source")
        is_copied = source and "comp=block&" in f"{self.path}&" and self.state.copies
        self.answer(self._copied(source) if source and is_copied else self.ask(body))

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = forward

    def _copied(self, source: str) -> Answer:
        """The bytes as anybody gets them who has this URL, and nothing else, put as a block."""
        where = urlsplit(source)
        connection = http.client.HTTPConnection(where.netloc, timeout=60)
        try:
            range_ = {"Range": self.headers["x-ms-source-range"]}
            connection.request("GET", f"{where.path}?{where.query}", headers=range_)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status != 206:
            return Answer(answer.status, {"x-ms-error-code": "CannotVerifyCopySource"}, data)
        target = urlsplit(self.path)
        container, _, name = unquote(target.path).removeprefix(f"/{AZURE_ACCOUNT}/").partition("/")
        block_id = base64.b64decode(parse_qs(target.query)["blockid"][0]).decode()
        self.direct.get_blob_client(container, name).stage_block(block_id, data, len(data))
        return Answer(201, {}, b"")
