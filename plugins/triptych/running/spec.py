"""What to run, one unit of it, and what it used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from triptych.blocks import Block
from triptych.running.stop import Stop

LAST_LINES = 20
"""How much of a failed unit's log its error repeats."""


@dataclass(frozen=True)
class RunSpec:
    """A block to run several times. `secrets` are private environment variables; `timeout_s` is per unit."""

    block: Block
    work: Path
    labels: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float | None = None
    network: str | None = None
    stop: Stop = field(default_factory=Stop)


@dataclass(frozen=True)
class Unit:
    """One run: `folder` is a child of the spec's `work` with `in/` filled and `out/` empty.

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
