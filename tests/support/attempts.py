"""Which process works at an attempt: the one that has the lock of its scratch folder open."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


def attempt_pid(container: Mapping[str, Any]) -> int:
    """The worker of this container, as an engine lists it: its mount of the units is in the attempt's folder."""
    [units] = [mount["Source"] for mount in container["Mounts"] if mount["Destination"] == "/triptych/work"]
    [attempt] = [folder for folder in Path(units).parents if folder.name.startswith("attempt-")]
    lock = attempt.with_suffix(".lock")
    [pid] = {int(opened.parts[2]) for opened in Path("/proc").glob("[0-9]*/fd/*") if _is(opened, lock)}
    return pid


def _is(opened: Path, path: Path) -> bool:
    with suppress(OSError):  # The process has ended meanwhile.
        return opened.readlink() == path
    return False
