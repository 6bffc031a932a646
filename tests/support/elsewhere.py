"""An engine elsewhere, reached by TLS and by SSH, with what a connection to it needs."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.certificates import Authority, Pair
from tests.support.own_engine import EngineTls, OwnEngine, own_engine
from tests.support.own_sshd import OwnSshd, own_sshd

IMAGE = "python:3.11-slim"
ONLY_THERE = "triptych-tests/elsewhere:1"
"""The name of an image that the machine's own engine does not have."""


@dataclass(frozen=True)
class Elsewhere:
    """The engine, and what a connection needs for each way to it."""

    home: Path
    engine: OwnEngine
    authority: Authority
    client: Pair
    port: int
    sshd: OwnSshd

    def url(self, way: str) -> str:
        return f"tcp://127.0.0.1:{self.port}" if way == "tls" else f"ssh://root@127.0.0.1:{self.sshd.port}"

    def extra(self, way: str) -> dict[str, str]:
        if way == "ssh":
            return {"private_key": self.sshd.private_key, "host_key": self.sshd.host_key}
        own = {"client_cert": self.client.certificate, "private_key": self.client.key}
        return {"ca_cert": self.authority.certificate, **own}

    def secrets(self, way: str) -> list[str]:
        """Lines of the private key of this way: each would give a part of it away."""
        return [line for line in self.extra(way)["private_key"].splitlines() if not line.startswith("-")]


@contextmanager
def running_elsewhere() -> Iterator[Elsewhere]:
    """An engine of its own, which has another folder where the worker's is, and an SSH server that leads to it."""
    home = Path(tempfile.mkdtemp(prefix="far-"))
    authority = Authority("the engine's")
    server = authority.pair("server")
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home)
        (home / "worker").mkdir()
        files = []
        for name, text in (("ca", authority.certificate), ("cert", server.certificate), ("key", server.key)):
            files.append(home / f"{name}.pem")
            files[-1].write_text(text)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        tls = EngineTls(listener, *files)
        engine = stack.enter_context(own_engine(home / "engine", [IMAGE], tls=tls, hidden=home / "worker"))
        engine.docker("tag", IMAGE, ONLY_THERE)
        sshd = stack.enter_context(own_sshd(home / "sshd", {"DOCKER_HOST": engine.url}))
        yield Elsewhere(home, engine, authority, authority.pair("client"), listener.getsockname()[1], sshd)


@contextmanager
def tls_server(pair: Pair) -> Iterator[str]:
    """Something that does no more than a handshake, once; its URL."""
    context = pair.server_context()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                context.wrap_socket(connection, server_side=True).close()

        greeting = threading.Thread(target=greet)
        greeting.start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        greeting.join(60)
