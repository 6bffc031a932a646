"""How the blocks of one job are run: sessions with the job's labels, images and time limit; engines in containers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from triptych.blocks import Block, Role
from triptych.blocks.networks import network_of
from triptych.connections import secret_environment
from triptych.engines import Source
from triptych.engines.runtime.allocator import keep_freed_memory
from triptych.engines.runtime.resources import Resources, using
from triptych.errors import ChunkError, ContainerError, EngineError
from triptych.jobs.job import Job, PlannedJob
from triptych.running import (
    Cache,
    ContainerEndedError,
    InteractiveSession,
    MountedInput,
    RunSpec,
    Stop,
    Unit,
    open_session,
    unit_folder,
)
from triptych.running.result_files import FoundFile, ResultLimits, result_files
from triptych.running.scratch import scratch_folder
from triptych.settings import Settings


@dataclass(frozen=True)
class BlockRunner:
    """Runs blocks under one job's rules; the defaults are those of no job."""

    settings: Settings
    job_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float | None = None
    """Per unit; None: the block's own."""
    images: Mapping[Role, str | None] = field(default_factory=dict)
    deadline: float | None = None
    """When the job's time is over, and with it that of its containers; seconds since 1970."""
    inputs: Callable[[], tuple[MountedInput, ...]] = tuple
    """Asked for when a script is to be run: they are fetched then, unless this worker has them."""

    @classmethod
    def of(cls, job: Job, inputs: Callable[[], tuple[MountedInput, ...]] = tuple) -> BlockRunner:
        """With all that this job says of how its blocks are run; by the images of its plan, when it has one."""
        images = {}
        if isinstance(job, PlannedJob):
            images = {role: block.digest for role, block in job.plan.blocks.items()}
        timeout_s = job.spec.config["taskTimeout"]
        return cls(job.settings, job.run_id, job.labels, timeout_s, images, job.deadline, inputs)

    @contextmanager
    def session(
        self, block: Block, work: Path, first_chunk: int = 0, stop: Stop | None = None
    ) -> Iterator[InteractiveSession]:
        """A session of the block, ended with the context; `work` is the attempt's own folder."""
        spec = RunSpec(
            block,
            work,
            None if block.cacheable else Cache.of(self.settings.cache, block),
            {**self.labels, "triptych.block": block.tag, "triptych.first_chunk": str(first_chunk)},
            secret_environment(block),
            self.timeout_s or block.task_timeout_s,
            network_of(block, self.settings),
            self.images.get(block.role),
            stop or Stop(),
            None if self.deadline is None else max(0.0, self.deadline - time.time()),
            self.inputs(),
        )
        with open_session(spec, self.settings) as session:
            yield session

    def run_engine(
        self,
        engine: Block,
        params: Mapping[str, Any],
        work: Path,
        fill: Callable[[Path], None],
        limits: ResultLimits | None,
    ) -> list[FoundFile]:
        """Run a container engine once over the folder that `fill` fills; what it left, by name.

        EngineError, with role and tag, when it fails or leaves what is refused; ContainerError, which is worth another
        try, when its container was ended under it.
        """
        folder = unit_folder(work, engine.role)
        fill(folder / "in")
        with self.session(engine, work) as session:
            try:
                session.run(Unit(engine.role, folder, params, {"JOB_ID": self.job_id}))
                return result_files(folder / "out", limits)
            except ContainerEndedError as error:
                msg = f"{engine.role} {engine.tag}: {error}"
                raise ContainerError(msg) from error
            except ChunkError as error:
                msg = f"{engine.role} {engine.tag}: {error}"
                raise EngineError(msg) from error


@contextmanager
def workbench(settings: Settings, inputs: Mapping[str, Sequence[Source]] = MappingProxyType({})) -> Iterator[Path]:
    """A scratch folder, the memory and side inputs that the engine may use which runs meanwhile, in this process."""
    keep_freed_memory()
    with (
        scratch_folder(settings.scratch) as work,
        using(Resources(work, settings.engine_memory_bytes, settings, inputs=inputs)),
    ):
        yield work
