"""What keeps jobs from ending well, found before one is launched: `triptych doctor`."""

from __future__ import annotations

from collections.abc import Iterator

from triptych.checkup.container_engine import container_engine
from triptych.checkup.findings import Finding, Standing, guarded
from triptych.checkup.machine import scratch, versions
from triptych.checkup.workspace import look_at_shared, look_at_workspace
from triptych.settings import Settings

__all__ = ["Finding", "Standing", "check_machine", "guarded"]


def check_machine(settings: Settings) -> Iterator[Finding]:
    """Of this machine, as a task on it would find it: versions, folders, the container engine and the workspace."""
    yield from versions()
    yield from guarded("scratch", lambda: scratch(settings))
    yield from guarded("engine", lambda: container_engine(settings))
    yield from guarded("workspace", lambda: look_at_workspace(settings))
    yield from guarded("shared files", lambda: look_at_shared(settings))
