"""Removes containers whose worker died before it could do so itself."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from docker.errors import APIError

if TYPE_CHECKING:
    from docker import APIClient


def owner_labels() -> dict[str, str]:
    """Labels that say which process of which host a container belongs to."""
    return {"triptych.host": socket.gethostname(), "triptych.owner": this_process()}


def reap(client: APIClient) -> int:
    """Remove this host's containers whose owner is gone; returns how many."""
    gone = 0
    wanted = {"label": f"triptych.host={socket.gethostname()}"}
    for container in client.containers(all=True, filters=wanted):
        if is_dead(container["Labels"].get("triptych.owner", "")):
            with suppress(APIError):
                client.remove_container(container["Id"], force=True, v=True)
                gone += 1
    return gone


def this_process() -> str:
    """Names this process among all that this host has had since it started: `<pid>:<start time>`."""
    return f"{os.getpid()}:{_start_time(os.getpid())}"


def is_dead(owner: str) -> bool:
    """Whether the process of this name, of this host, has ended; False for what is no such name."""
    pid, _, started = owner.partition(":")
    return pid.isdigit() and _start_time(int(pid)) != started


def _start_time(pid: int) -> str:
    """When the process began, in clock ticks since boot: tells a reused pid. Empty when there is no process."""
    try:
        # The name, in parentheses, may hold anything; what follows is fields 3, 4 ...; 22 is the start time.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""
