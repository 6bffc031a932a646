"""One chunk of a job beside its pack: to look at it, or run it here once more. The job's workspace stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from triptych.blocks import Block, Role
from triptych.errors import ConfigError
from triptych.jobs.job import PlannedJob
from triptych.jobs.plan import check_kept
from triptych.jobs.workspace import ChunkEntry
from triptych.running import InteractiveSession, Unit, Usage, unit_folder
from triptych.running.result_files import FoundFile, ResultLimits, result_files
from triptych.running.scratch import scratch_folder
from triptych.stages.chunk_reader import ChunkReader
from triptych.stages.frozen_code import open_code
from triptych.stages.pipeline.trying import DATA, chunk_unit
from triptych.stages.sessions import BlockRunner
from triptych.stages.side_inputs import held_inputs
from triptych.storage import Writer


@dataclass(frozen=True)
class Trial:
    """The chunk in its place before the app's script, which may be run there once."""

    session: InteractiveSession
    unit: Unit
    limits: ResultLimits

    def run(self) -> Usage:
        """Run the script; UnitError when it fails."""
        return self.session.run(self.unit)

    def shell(self) -> int:
        """Open a shell in the script's place, on this terminal; its exit code. ConfigError where that cannot be."""
        return self.session.shell(self.unit)

    def results(self) -> list[FoundFile]:
        """What was left; ChunkError where the job would refuse it."""
        return result_files(self.unit.folder / "out", self.limits)


@dataclass(frozen=True)
class OneChunk:
    """A chunk of a planned job."""

    job: PlannedJob
    entry: ChunkEntry

    @classmethod
    def of(cls, job: PlannedJob, number: int) -> Self:
        """The chunk of this number; ConfigError where the job has none."""
        pack = job.plan.pack_of(number)
        if pack is None:
            msg = f"Chunk {number}: the job {job.run_id} has {job.plan.chunks} chunk(s), counted from 0."
            raise ConfigError(msg)
        lines = job.plan.lines_of(job.workspace, pack)
        return cls(job, lines[number - pack.first])

    def input(self) -> Iterator[bytes]:
        """Its bytes as a stream. Raises as `ChunkReader.blocks` does."""
        return self._reader().blocks(self.entry)

    def save_input(self, path: Path) -> str:
        """Write its bytes to a new file; their SHA-256. Raises as `input` does."""
        return self._reader().save(self.entry, path)

    def _reader(self) -> ChunkReader:
        if self.entry.object:
            check_kept(self.job.workspace, self.job.plan)
        return ChunkReader(self.job.workspace, self.job.sources, self.job.stores)

    @contextmanager
    def trial(self, app: Block | None = None, log: Writer | None = None) -> Iterator[Trial]:
        """The chunk ready to be run by `app`, or by the app as the job has it; what it prints goes to `log`, too."""
        job, settings = self.job, self.job.settings
        with scratch_folder(settings.scratch) as work, held_inputs(job.plan.inputs, job.stores, settings) as inputs:
            runner = BlockRunner.of(job, inputs.mounted)
            if app is None:
                check_kept(job.workspace, job.plan)
                app = open_code(job.workspace, job.plan.blocks[Role.APP], work)
            else:
                runner = replace(runner, images={})  # Its image may be another by now.
            folder = unit_folder(work, "chunk" if app.cacheable else f"{self.entry.number}-0")
            self.save_input(folder / "in" / DATA)
            with runner.session(app, work, self.entry.number) as session:
                yield Trial(session, chunk_unit(job, app, self.entry, folder, log), ResultLimits.of(settings))
