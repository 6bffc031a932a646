"""Attempts' temporary folders, and whose they are: those of a worker that died are removed by the next attempt."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch_folder(root: Path) -> Iterator[Path]:
    """One folder per attempt, for all its temporary files; those of this host's dead processes are removed first."""
    root.mkdir(mode=0o711, parents=True, exist_ok=True)
    ours = f"attempt-{socket.gethostname()}"
    for folder in root.glob(f"{ours}-*"):
        host, owner, _ = folder.name.rsplit("-", 2)
        if host == ours and is_dead(owner):
            shutil.rmtree(folder, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{ours}-{this_process()}-", dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
