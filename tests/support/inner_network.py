"""A server of a test's own in a Docker network without a way out, for apps that ask somebody something."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WHEN_READY = """
import socket, time
for _ in range(200):
    try:
        socket.create_connection(("127.0.0.1", 8000)).close()
        break
    except OSError:
        time.sleep(0.05)
"""


@dataclass(frozen=True)
class InnerServer:
    """`http://site:8000` for containers in `network`; in `requests` is what it was asked, as JSON Lines."""

    network: str
    requests: Path

    def asked(self) -> list[dict[str, Any]]:
        """In the order in which they began, by their `began`."""
        found = [json.loads(line) for line in self.requests.read_text().splitlines()]
        return sorted(found, key=lambda each: each["began"])


@contextmanager
def inner_server(script: str, name: str, folder: Path) -> Iterator[InnerServer]:
    """Of this script, which listens at port 8000 and writes to /log/requests.jsonl; `folder`/site is its /site."""
    network = f"triptych-test-{name}-{os.getpid()}"
    for each in ("site", "log"):
        (folder / each).mkdir(exist_ok=True)
    (folder / "log" / "requests.jsonl").touch()
    (folder / "server.py").write_text(script)
    mounted = [f"--volume={folder / 'site'}:/site:ro", f"--volume={folder / 'log'}:/log"]
    mounted += [f"--volume={folder / 'server.py'}:/server.py:ro", "--workdir=/site", f"--user={os.getuid()}"]
    _docker("network", "create", "--internal", "--label", "triptych.test=apps", network)
    try:
        options = ["--detach", "--rm", "--label", "triptych.test=apps", "--network", network, "--network-alias", "site"]
        container = _docker("run", *options, *mounted, "python:3.11-slim", "python3", "/server.py")
        try:
            _docker("exec", container, "python3", "-c", _WHEN_READY)
            yield InnerServer(network, folder / "log" / "requests.jsonl")
        finally:
            _docker("rm", "--force", container)
    finally:
        _docker("network", "rm", network)


def _docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()
