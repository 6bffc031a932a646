"""A Redis of the tests' own, on a free port, which keeps nothing on disk."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.servers import free_ports
from triptych.airflow.rest import poll

_START_S = 60.0


def redis_program() -> str | None:
    """Debian's, or another on the PATH."""
    return shutil.which("redis-server")


@contextmanager
def running_redis(folder: Path) -> Iterator[int]:
    """Its port, once it answers."""
    (port,) = free_ports(1)
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    try:
        if not poll(lambda: _answers(port), _START_S, 0.1):
            raise RuntimeError(f"Redis does not start: {(folder / 'redis.log').read_text()[-2000:]}")
        yield port
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as asked:
        asked.sendall(b"PING\r\n")
        return asked.recv(16).startswith(b"+PONG")
    return False
