"""What to run, one unit of it, and what it used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from triptych.blocks import Block
from triptych.running.stop import Stop

LAST_LINES = 20
"""How much of a failed unit's log its error repeats."""

_UNITS = "units"


@dataclass(frozen=True)
class Cache:
    """Folders that outlive the job: `shared` is read-only for scripts, `own` is the block's."""

    shared: Path
    own: Path

    @classmethod
    def of(cls, root: Path, block: Block) -> Cache:
        """The folders below the configured one, made when they are missing."""
        cache = cls(root / "shared", root / "apps" / block.name)
        cache.shared.mkdir(parents=True, exist_ok=True)
        cache.own.mkdir(parents=True, exist_ok=True)
        if os.getuid() == 0:
            cache.own.chmod(0o777)  # The container's user is another.
        return cache

    @staticmethod
    def variables(shared: str, own: str) -> dict[str, str]:
        return {"SHARED_CACHE_DIR": shared, "USER_CACHE_DIR": own}


@dataclass(frozen=True)
class RunSpec:
    """A block to run several times, with `work` as the attempt's own folder.

    `secrets` are private environment variables; `timeout_s` is per unit.
    """

    block: Block
    work: Path
    cache: Cache
    labels: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float | None = None
    network: str | None = None
    image_digest: str | None = None
    stop: Stop = field(default_factory=Stop)

    @property
    def units(self) -> Path:
        """Where the units' folders are."""
        return self.work / _UNITS


def unit_folder(work: Path, name: str) -> Path:
    """A new folder for one unit of the attempt, with empty folders `in` and `out`."""
    folder = work / _UNITS / name
    (folder / "in").mkdir(parents=True)
    (folder / "out").mkdir()
    return folder


@dataclass(frozen=True)
class Unit:
    """One run: `folder` comes from `unit_folder`, with `in/` filled.

    `input_var` and `output_var` name the variables that tell the script where these are.
    """

    name: str
    folder: Path
    input_var: str
    output_var: str
    env: Mapping[str, str]

    @property
    def params(self) -> str:
        """The parameters as JSON, whatever their variable is called."""
        return next((value for key, value in self.env.items() if key.endswith("_PARAMS")), "{}")


@dataclass(frozen=True)
class Usage:
    """What one unit took; None where the runner cannot tell. The peak is that of its container so far."""

    seconds: float
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None


class Session(Protocol):
    """Runs units of one block, one after the other."""

    def run(self, unit: Unit) -> Usage:
        """Raises ChunkError with exit code, reason and the last lines of the log."""
