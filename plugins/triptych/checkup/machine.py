"""This machine: the versions that run here, and the folders that attempts write to."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator

from triptych import __version__
from triptych.checkup.findings import Finding, Standing
from triptych.free_space import free_bytes
from triptych.running.scratch import scratch_folder
from triptych.settings import Settings

GIB = 1 << 30
FEW_GIB = 5
"""A pack's inputs and results stay below it as a rule; a worker with less free is soon full."""


def versions() -> Iterator[Finding]:
    """Triptych's, Python's and Airflow's, for a look at whether all machines have the same."""
    named = [f"Triptych {__version__}", f"Python {platform.python_version()}", *filter(None, map(_version, _BESIDE))]
    yield Finding("versions", Standing.OK, ", ".join(named) + ".")


_BESIDE = ("apache-airflow", "docker", "apache-airflow-providers-celery", "apache-airflow-providers-edge3")


def _version(package: str) -> str:
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return ""


def scratch(settings: Settings) -> Iterator[Finding]:
    """Whether an attempt's folder can be made, and how much room it would have."""
    with scratch_folder(settings.scratch) as folder:
        free = free_bytes(folder)
    said = f"{settings.scratch} can be written to; {free / GIB:.1f} GiB are free."
    if free < FEW_GIB * GIB:
        remedy = "Make room, or name a larger folder by [triptych] scratch."
        yield Finding("scratch", Standing.WARNING, said, remedy)
    else:
        yield Finding("scratch", Standing.OK, said)
