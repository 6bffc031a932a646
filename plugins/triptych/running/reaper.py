"""Removes containers whose worker died before it could do so itself."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any


def owner_labels() -> dict[str, str]:
    """Labels that say which process of which host a container belongs to."""
    pid = os.getpid()
    return {"triptych.host": socket.gethostname(), "triptych.owner": f"{pid}:{_start_time(pid)}"}


def reap(client: Any) -> int:
    """Remove this host's containers whose owner is gone; returns how many."""
    from docker.errors import APIError

    gone = 0
    wanted = {"label": f"triptych.host={socket.gethostname()}"}
    for container in client.containers(all=True, filters=wanted):
        pid, _, started = container["Labels"].get("triptych.owner", "").partition(":")
        if pid.isdigit() and _start_time(int(pid)) != started:
            with suppress(APIError):
                client.remove_container(container["Id"], force=True, v=True)
                gone += 1
    return gone


def _start_time(pid: int) -> str:
    """When the process began, in clock ticks since boot: tells a reused pid. Empty when there is no process."""
    try:
        # The name, in parentheses, may hold anything; what follows is fields 3, 4 ...; 22 is the start time.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""
