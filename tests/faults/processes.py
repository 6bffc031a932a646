"""Processes of an Airflow, seen from outside: by what Linux says of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def all_pids() -> Iterator[int]:
    """Of every process there is."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            yield int(entry.name)


def title(pid: int) -> str:
    """Its command line; empty when it is gone, or a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def parent(pid: int) -> int:
    """The pid of its parent; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def task_process(instance: str) -> int | None:
    """The process that runs the task instance of this id (a UUID, another one for each try)."""
    wanted = f"airflow worker -- {instance}"
    return next((pid for pid in all_pids() if title(pid) == wanted), None)


def environment_has(pid: int, text: str) -> bool:
    """Whether this stands in the environment that the process was started with."""
    try:
        return text.encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


def tasks_of(home: Path) -> list[str]:
    """The titles of the processes that run tasks of the Airflow with this home, or supervise one."""
    mine = [pid for pid in all_pids() if environment_has(pid, f"AIRFLOW_HOME={home}\0")]
    return [each for each in map(title, mine) if each.startswith("airflow worker -- ") and not each.endswith("<idle>")]


def kill(pid: int) -> bool:
    """SIGKILL; whether there was such a process."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False
