"""Removes containers and scratch folders whose worker died before it could do so itself."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


def owner_labels() -> dict[str, str]:
    """Labels that say which process of which host a container belongs to."""
    return {"triptych.host": socket.gethostname(), "triptych.owner": _owner()}


@contextmanager
def scratch_folder(root: Path) -> Iterator[Path]:
    """One folder per attempt, for all its temporary files; those of this host's dead processes are removed first."""
    root.mkdir(mode=0o711, parents=True, exist_ok=True)
    ours = f"attempt-{socket.gethostname()}"
    for folder in root.glob(f"{ours}-*"):
        host, owner, _ = folder.name.rsplit("-", 2)
        if host == ours and _is_dead(owner):
            shutil.rmtree(folder, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{ours}-{_owner()}-", dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def reap(client: Any) -> int:
    """Remove this host's containers whose owner is gone; returns how many."""
    from docker.errors import APIError

    gone = 0
    wanted = {"label": f"triptych.host={socket.gethostname()}"}
    for container in client.containers(all=True, filters=wanted):
        if _is_dead(container["Labels"].get("triptych.owner", "")):
            with suppress(APIError):
                client.remove_container(container["Id"], force=True, v=True)
                gone += 1
    return gone


def _owner() -> str:
    return f"{os.getpid()}:{_start_time(os.getpid())}"


def _is_dead(owner: str) -> bool:
    pid, _, started = owner.partition(":")
    return pid.isdigit() and _start_time(int(pid)) != started


def _start_time(pid: int) -> str:
    """When the process began, in clock ticks since boot: tells a reused pid. Empty when there is no process."""
    try:
        # The name, in parentheses, may hold anything; what follows is fields 3, 4 ...; 22 is the start time.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""
