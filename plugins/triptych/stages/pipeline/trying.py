"""One try at one chunk: its bytes brought, its script run, and, behind the next chunk, what came of it kept."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from triptych.blocks import Block, Role
from triptych.errors import (
    ChunkError,
    IntegrityError,
    ObjectNotFoundError,
    SourceError,
    StorageAccessError,
    StorageError,
    TriptychError,
)
from triptych.free_space import Reserve
from triptych.jobs.cache_key import canonical
from triptych.jobs.job import PlannedJob
from triptych.jobs.pack_log import Attempted, ResultFile
from triptych.jobs.workspace import ChunkEntry
from triptych.running import Unit, UnitError, Usage, unit_folder
from triptych.running.removal import remove_folder
from triptych.running.result_files import FoundFile, ResultLimits, result_files
from triptych.stages.caching import PackCache
from triptych.stages.journal import Journal
from triptych.stages.pipeline.ahead import Ahead
from triptych.stages.pipeline.lanes import Lane
from triptych.stages.pipeline.unit_log import UnitLog
from triptych.storage import Writer

DATA = "data.bin"
"""The chunk's bytes, in the folder that its script is told of."""


@dataclass(frozen=True)
class Tried:
    """How one try ended."""

    seconds: float
    error: str | None = None
    is_worth_another: bool = True
    cache: str = ""
    bytes_out: int = 0


@dataclass(frozen=True)
class Ran:
    """A try whose script has ended, or never began: what it left in `folder` is not kept yet."""

    entry: ChunkEntry
    folder: Path
    log: UnitLog
    tried: Attempted
    found: Sequence[FoundFile] = field(default_factory=tuple)
    is_worth_another: bool = True


class _Failed(Exception):  # No error of the worker's: how a chunk's try ends.
    """A chunk's own failure."""

    def __init__(self, failure: TriptychError) -> None:
        super().__init__(str(failure))
        self.failure = failure


class Attempt:
    """One worker's attempt at one pack: runs chunks, one in each lane, and keeps what they did in its journal."""

    def __init__(
        self,
        job: PlannedJob,
        app: Block,
        round_: str,
        worker: str,
        token: str,
        work: Path,
        ahead: Ahead,
        journal: Journal,
        cache: PackCache | None,
    ) -> None:
        self.has_one_folder = app.cacheable
        """Whether each chunk of a lane lies in the same place: then none can begin before the last one is kept."""
        self._journal = journal
        self._round = round_
        self._worker = worker
        self._job = job
        self._app = app
        self._cache = cache
        self._token = token
        self._work = work
        self._ahead = ahead
        self._limits = ResultLimits.of(job.settings)
        self._reserve = Reserve(work, job.settings.scratch_reserve_bytes)
        self._serials = count()
        self._keeping = threading.Lock()
        """Held by who uses the journal, or the cache: a lane that takes a result, and what keeps those of others."""

    def of_round(self, entry: ChunkEntry) -> list[Attempted]:
        """The failures of this chunk in this round."""
        return self._journal.state.of_round(entry.number, self._round)

    def run(self, entry: ChunkEntry, upcoming: ChunkEntry | None, lane: Lane) -> Ran:
        """One try at one chunk, in a folder of its own that `keep` removes; the upcoming one is fetched meanwhile.

        StorageError where we are to blame. Each lane may run one at once.
        """
        serial = next(self._serials)
        # Where a script sees its folder tells a cacheable one nothing, either.
        folder = unit_folder(lane.work, "chunk" if self._app.cacheable else f"{entry.number}-{serial}")
        log = UnitLog(self._work / f"log-{serial}")
        with _ours(self._work):
            try:
                return self._run(entry, upcoming, folder, log, serial, lane)
            except BaseException:
                log.remove()
                remove_folder(folder)
                raise

    def keep(self, ran: Ran) -> Tried:
        """Keep what came of a try; how it ended. Its folder is gone afterwards. StorageError as `run`."""
        with _ours(self._work):
            try:
                with self._keeping:
                    return self._keep(ran)
            finally:
                ran.log.remove()
                remove_folder(ran.folder)

    def _run(
        self, entry: ChunkEntry, upcoming: ChunkEntry | None, folder: Path, log: UnitLog, serial: int, lane: Lane
    ) -> Ran:
        began, clock = time.time(), time.monotonic()
        tried = Attempted(
            chunk=entry.number,
            attempt=self._token,
            serial=serial,
            round=self._round,
            started=began,
            seconds=0.0,
            worker=self._worker,
            bytes_in=entry.size,
        )
        ran = Ran(entry, folder, log, tried)
        try:
            ran = self._succeeded(ran, upcoming, lane)
        except _Failed as failed:
            ran = _with_failure(ran, failed.failure)
        log.close()
        said = self._cache.said.get(entry.number, "") if self._cache else ""
        return replace(ran, tried=replace(ran.tried, seconds=time.monotonic() - clock, cache=said))

    def _succeeded(self, ran: Ran, upcoming: ChunkEntry | None, lane: Lane) -> Ran:
        """The try with what it left; _Failed where that is the chunk's failure, and no fault of the worker's."""
        try:
            files = self._taken(ran.entry, ran.folder)
            if files is not None:
                return replace(ran, tried=replace(ran.tried, files=files))
            usage = self._script(ran, upcoming, lane)
            found = result_files(ran.folder / "out", self._limits)
            self._reserve.check(sum(file.size for file in found), "the results have", is_written=True)
        except (ChunkError, SourceError, IntegrityError, ObjectNotFoundError, StorageAccessError) as failure:
            raise _Failed(failure) from failure
        return replace(ran, tried=_measured(replace(ran.tried, exit_code=0), usage), found=found)

    def _keep(self, ran: Ran) -> Tried:
        if ran.tried.exit_code == 0 and ran.tried.error is None:
            try:
                files = self._journal.keep(ran.found)
            except ChunkError as failure:  # Only these: a workspace that refuses to keep them is the worker's affair.
                ran = _with_failure(replace(ran, tried=replace(ran.tried, exit_code=None)), failure)
            else:
                ran = replace(ran, tried=replace(ran.tried, files=files))
                if self._cache:
                    self._cache.hold(ran.entry.number, ran.found, files)
        tried = ran.tried
        self._journal.add(tried, ran.log.blocks())
        is_worth_another = tried.error is not None and ran.is_worth_another
        return Tried(tried.seconds, tried.error, is_worth_another, tried.cache, sum(file.size for file in tried.files))

    def _taken(self, entry: ChunkEntry, folder: Path) -> tuple[ResultFile, ...] | None:
        """The result that an earlier job left of these bytes; None where there is none to take."""
        if self._cache is None:
            return None
        sha256 = entry.sha256 or self._bring(entry, folder)  # Only bytes that were copied have their digest already.
        with self._keeping:
            return self._cache.take(entry.number, sha256, self._journal.keep)

    def _bring(self, entry: ChunkEntry, folder: Path) -> str:
        """Have the chunk's bytes where its script finds them; their SHA-256."""
        return self._ahead.bring(entry, folder / "in" / DATA)

    def _script(self, ran: Ran, upcoming: ChunkEntry | None, lane: Lane) -> Usage:
        if not (ran.folder / "in" / DATA).exists():
            self._bring(ran.entry, ran.folder)
        if upcoming is not None and (self._cache is None or upcoming.sha256 is None):
            self._ahead.begin(upcoming)
        return lane.session.run(chunk_unit(self._job, self._app, ran.entry, ran.folder, ran.log))


@contextmanager
def _ours(work: Path) -> Iterator[None]:
    """What the disk refuses is the worker's fault: StorageError."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        msg = f"{error.filename or work}: {error.strerror or error}. Is the worker's disk full or read-only?"
        raise StorageError(msg) from error


def _with_failure(ran: Ran, failure: TriptychError) -> Ran:
    error = f"Chunk {ran.entry.number} ({ran.entry.name}): {failure}"
    return replace(ran, tried=_failed(ran.tried, failure, error), is_worth_another=failure.retryable)


def _failed(tried: Attempted, failure: TriptychError, error: str) -> Attempted:
    if not isinstance(failure, UnitError):
        return replace(tried, error=error)
    return _measured(replace(tried, error=error, exit_code=failure.script_exit_code), failure.usage)


def _measured(tried: Attempted, usage: Usage | None) -> Attempted:
    if usage is None:
        return tried
    return replace(tried, cpu_seconds=usage.cpu_seconds, peak_memory_bytes=usage.peak_memory_bytes)


def chunk_unit(job: PlannedJob, app: Block, entry: ChunkEntry, folder: Path, log: Writer | None = None) -> Unit:
    """The run of the app's script at one chunk, whose bytes are in `folder`; a cacheable one is told nothing else."""
    params: Mapping[str, Any] = job.spec.params[Role.APP]
    if app.cacheable:
        return Unit(Role.APP, folder, json.loads(canonical(params)), {}, log)
    return Unit(Role.APP, folder, params, _chunk_variables(entry, job.plan.chunks, job.run_id), log)


def _chunk_variables(entry: ChunkEntry, chunks: int, job_id: str) -> dict[str, str]:
    return {
        "CHUNK_NUMBER": str(entry.number),
        "CHUNK_COUNT": str(chunks),
        "CHUNK_NAME": entry.name,
        "CHUNK_METADATA": json.dumps(entry.metadata, ensure_ascii=False),
        "JOB_ID": job_id,
    }
