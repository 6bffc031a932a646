"""What to run, one unit of it, and what it used."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Protocol

from triptych.blocks import Block, Role
from triptych.errors import ChunkError, StorageError
from triptych.running.rights.private_folders import make_private
from triptych.running.stop import Stop
from triptych.storage import Writer

LONGEST_S = 7 * 86400
"""A container that no time limit bounds is there for a week at most: units are many, and one limit is of each."""
LONGEST_VARIABLE_BYTES = 128 << 10
"""MAX_ARG_STRLEN of Linux, with the name, `=` and the zero byte at the end."""
SHELL = "/bin/sh"
"""Which every image has that our loop runs in."""
_UNITS = "units"
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "POLARS_MAX_THREADS",
)
"""What libraries of numbers start so many threads by, unless it is set: else one for each core of the machine."""


@dataclass(frozen=True)
class Cache:
    """Folders that outlive the job: `shared` is read-only for scripts, `own` is the block's."""

    shared: Path
    own: Path

    @classmethod
    def of(cls, root: Path, block: Block) -> Cache:
        """The folders below the configured one, which is the worker's alone; made when they are missing.

        StorageError where that cannot be; ConfigError where `root` is, or may be, another user's, too.
        """
        cache = cls(root / "shared", root / "apps" / block.name)
        try:
            make_private(root)
            cache.shared.mkdir(parents=True, exist_ok=True)
            cache.own.mkdir(parents=True, exist_ok=True)
            if os.getuid() == 0:
                cache.own.chmod(0o777)  # The container's user is another.
        except OSError as error:
            msg = (
                f"[triptych] cache = {root}: {error.strerror}. "
                "Make room there, or name a folder that can be written to."
            )
            raise StorageError(msg) from error
        return cache

    @staticmethod
    def variables(shared: str, own: str) -> dict[str, str]:
        """What tells a script where it sees the two folders."""
        return {"SHARED_CACHE_DIR": shared, "USER_CACHE_DIR": own}


@dataclass(frozen=True)
class MountedInput:
    """A side input as a session gives it to its script: `path` is a file or a folder, which stays as it is meanwhile.

    `key` is the same for the same content; `size` is in bytes.
    """

    name: str
    key: str
    size: int
    path: Path


@dataclass(frozen=True)
class RunSpec:
    """A block to run several times, with `work` as the attempt's own folder.

    `secrets` are environment variables that nobody is shown; `timeout_s` is per unit; `network` is the container's.
    Containers are made from `image_digest`, where there is one, else from what the block's image is now. After
    `seconds_left` nobody waits for the units any more. Scripts find the `inputs` by name below INPUTS_DIR.
    """

    block: Block
    work: Path
    cache: Cache | None
    """None for a block that is to see nothing that outlives its job."""
    labels: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float | None = None
    network: str = "none"
    image_digest: str | None = None
    stop: Stop = field(default_factory=Stop)
    seconds_left: float | None = None
    inputs: tuple[MountedInput, ...] = ()
    gpus: tuple[str, ...] = ()
    """Ids of those that it has alone; none where it asks for none, or where its engine gives it any."""

    @property
    def longest_s(self) -> float:
        """How long a container of this may be there; longer than that it is nobody's."""
        return self.seconds_left if self.seconds_left is not None else max(self.timeout_s or 0, LONGEST_S)

    def input_variables(self, folder: PurePath) -> dict[str, str]:
        """What tells a script where it sees the side inputs, if the job has any."""
        return {"INPUTS_DIR": str(folder)} if self.inputs else {}

    def link_inputs(self, targets: Mapping[str, PurePath]) -> Path:
        """A folder of the attempt's own with a link by each side input's name; `targets` are by their keys."""
        folder = self.work / "inputs"
        folder.mkdir(exist_ok=True)
        for each in self.inputs:
            link = folder / each.name
            if not link.is_symlink():
                link.symlink_to(targets[each.key])
        return folder

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
class Variables:
    """How a role's script calls its input folder, its output folder, and its parameters as JSON."""

    input: str
    output: str
    params: str


VARIABLES: Mapping[Role, Variables] = {
    Role.PARTITIONER: Variables("SOURCE_DIR", "CHUNKS_DIR", "PARTITIONER_PARAMS"),
    Role.APP: Variables("TASK_DIR", "TASK_RESULTS_DIR", "APP_PARAMS"),
    Role.ASSEMBLER: Variables("TASK_RESULTS_DIR", "OUTPUT_DIR", "ASSEMBLER_PARAMS"),
}


@dataclass(frozen=True)
class Unit:
    """One run of a role's script: `folder` comes from `unit_folder`, with `in/` filled."""

    role: Role
    folder: Path
    params: Mapping[str, Any]
    env: Mapping[str, str]
    """What the script is told besides folders and parameters."""
    log: Writer | None = None
    """Gets what the unit prints: the lines that are logged, in UTF-8, at most UNIT_LOG_BYTES of them."""

    def variables(self, folder: PurePath) -> dict[str, str]:
        """The script's environment; `folder` is where the script sees the unit's folder.

        VariableError where a value is longer than the kernel passes on.
        """
        names = VARIABLES[self.role]
        data, results = str(folder / "in"), str(folder / "out")
        params = json.dumps(self.params, ensure_ascii=False)
        variables = {
            **self.env,
            names.input: data,
            names.output: results,
            names.params: params,
            "TRIPTYCH_INPUT": data,
            "TRIPTYCH_OUTPUT": results,
            "TRIPTYCH_PARAMS": params,
        }
        for name, value in variables.items():
            check_variable(name, value)
        return variables


def thread_variables(block: Block) -> dict[str, str]:
    """As many threads as the block has cores, rounded up; none where it has no limit.

    Threads that share a core wait for each other: a model took 31.5 CPU seconds with those of the machine, 1.8 so.
    """
    return dict.fromkeys(THREADS, str(max(1, math.ceil(block.min_cpu)))) if block.min_cpu else {}


@dataclass(frozen=True)
class Usage:
    """What one unit took; None where the runner cannot tell. The peak is that of its container so far."""

    seconds: float
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None


class UnitError(ChunkError):
    """A unit failed; what it took and its script's exit code, as far as they are known.

    (`exit_code` is our own command's, as for any TriptychError.)
    """

    def __init__(self, message: str, usage: Usage | None = None, script_exit_code: int | None = None) -> None:
        super().__init__(message)
        self.usage = usage
        self.script_exit_code = script_exit_code


class VariableError(UnitError):
    """A value is too long for a variable; the script cannot even be started."""

    retryable = False


def check_variable(name: str, value: str) -> None:
    """VariableError where the kernel cannot pass it to a program."""
    if "\0" in value:
        msg = f"{name} holds a zero byte, and no variable can. Give it as text, such as Base64."
        raise VariableError(msg)
    size = len(f"{name}={value}".encode("utf-8", "surrogateescape")) + 1
    if size > LONGEST_VARIABLE_BYTES:
        msg = (
            f"{name} would be {size:,} bytes long, and Linux passes no variable of more than "
            f"{LONGEST_VARIABLE_BYTES:,} to a program. Give less by it, and the rest as data."
        )
        raise VariableError(msg)


class ContainerEndedError(UnitError):
    """The unit's container was ended under it, by somebody else or by its own script: another try may go well."""


class Session(Protocol):
    """Runs units of one block, one after the other."""

    def run(self, unit: Unit) -> Usage:
        """Raises UnitError with exit code, reason and the last lines of the log."""


class InteractiveSession(Session, Protocol):
    """One that lets a person into a unit's place, too."""

    @property
    def command(self) -> Sequence[str]:
        """What starts the script, as a shell in its place would be told it."""

    def shell(self, unit: Unit) -> int:
        """Instead of the unit's script, a shell on this process's terminal; its exit code.

        What it left is in the unit's `out` folder then.
        """
