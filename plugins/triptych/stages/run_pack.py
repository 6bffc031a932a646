"""The second stage, once per pack: the app on each chunk that has no result yet, in one container."""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
    VerdictError,
)
from triptych.free_space import Reserve
from triptych.harmless import harmless_logger
from triptych.jobs.cache_key import canonical
from triptych.jobs.job import PlannedJob, check_time
from triptych.jobs.pack_log import Attempted, PackLog, ResultFile
from triptych.jobs.workspace import ChunkEntry
from triptych.running import Session, Stop, Unit, UnitError, Usage, unit_folder
from triptych.running.removal import remove_folder
from triptych.running.result_files import ResultLimits, result_files
from triptych.running.scratch import scratch_folder
from triptych.running.time_limit import time_limit
from triptych.stages.caching import PackCache, opened_cache, when_needed
from triptych.stages.chunk_reader import ChunkReader
from triptych.stages.frozen_code import open_code
from triptych.stages.journal import Journal, JournalLimits
from triptych.stages.sessions import BlockRunner
from triptych.stages.side_inputs import held_inputs
from triptych.storage import OBJECTS_AT_ONCE, Writer

DATA = "data.bin"
"""The chunk's bytes, in the folder that its script is told of."""
SHOWN_FAILURES = 20
"""The error of a pack repeats so many of its chunks' errors."""
MOST_LOST = 3
"""After so many chunks that a worker could not read or keep, it leaves the rest to another attempt, too."""
_log = harmless_logger(__name__)


@dataclass(frozen=True)
class Launch:
    """Which of a pack's attempts this is: `round` is that of a launch or a repair, `number` counts from 1 in it."""

    round: str
    number: int = 1


@dataclass(frozen=True)
class ChunkOutcome:
    """How one chunk ended in this attempt; `error` is None when it has a result, and final otherwise."""

    number: int
    seconds: float
    error: str | None = None
    cache: str = ""
    """As `Attempted.cache`."""
    bytes_in: int = 0
    bytes_out: int = 0
    """Of its result; 0 when it failed."""


def run_pack(
    job: PlannedJob,
    first: int,
    launch: Launch,
    on_chunk: Callable[[ChunkOutcome], None] | None = None,
    stop: Stop | None = None,
) -> int:
    """Run the app on what of the pack that begins with chunk `first` has no result yet; returns how many ran.

    A failed chunk does not stop the others, and is tried again after them while it has tries left in this round.
    Raises VerdictError with all failures at the end; what another worker may do better (StorageError, ContainerError)
    as it came; TimeLimitError when the job's time is over, and KeyboardInterrupt when `stop` was asked for.
    """
    pack = job.plan.pack_at(first)
    log = PackLog(job.workspace, job.plan, pack)
    done = log.read().done
    todo = [entry for entry in job.plan.lines_of(job.workspace, pack) if entry.number not in done]
    if not todo:
        _log.info("Every chunk of this pack has its result already.")
        return 0
    is_careful = launch.number > 1 or log.position.number > 0
    with scratch_folder(job.settings.scratch) as work, _until(job, stop or Stop()) as ending:
        app = open_code(job.workspace, job.plan.blocks[Role.APP], work)
        token = secrets.token_hex(8)
        name = f"{job.plan.generation}/{pack.key}/{token}"
        limits = JournalLimits(job.settings.part_bytes, OBJECTS_AT_ONCE)
        with (
            opened_cache(job, app, work, todo) as cache,
            Journal(
                job.workspace, log, name, work, limits, is_careful=is_careful, on_said=cache.keep if cache else None
            ) as journal,
            held_inputs(job.plan.inputs, job.stores, job.settings, ending) as inputs,
        ):
            opening = BlockRunner.of(job, inputs.mounted).session(app, work, first, ending)
            with when_needed(opening) if cache else opening as session:
                reader = ChunkReader(job.workspace, job.sources, job.stores, todo)
                attempt = _Attempt(job, app, launch.round, token, work, reader, session, journal, cache)
                failed = _run_all(todo, attempt, job.tries_of(app), on_chunk or _unheard, ending)
    if failed:
        verdict = f"{len(failed)} of {len(todo)} chunk(s) failed."
        raise VerdictError(verdict, failed[:SHOWN_FAILURES])
    return len(todo)


def _unheard(_: ChunkOutcome) -> None:
    """Nobody listens."""


def _run_all(
    todo: Sequence[ChunkEntry], attempt: _Attempt, tries: int, on_chunk: Callable[[ChunkOutcome], None], stop: Stop
) -> list[str]:
    """Run the chunks, those that failed again after the others; the errors of those that have no try left.

    A chunk that this worker could not read or keep is left for the next attempt, and its error raised at the end.
    """
    queue, failed = deque(todo), list[str]()
    lost: list[StorageError] = []
    while queue and len(lost) < MOST_LOST:
        stop.check()
        entry = queue.popleft()
        before = attempt.journal.state.of_round(entry.number, attempt.round)
        if len(before) >= tries:  # By an attempt whose worker was lost before it could say so.
            failed.append(before[-1].error or "")
            continue
        try:
            tried = attempt.run(entry)
        except StorageError as error:
            _log.warning("Chunk %d (%s) is left for the next attempt: %s", entry.number, entry.name, error)
            lost.append(error)
            continue
        count = len(attempt.journal.state.of_round(entry.number, attempt.round))
        if tried.error and tried.is_worth_another and count < tries:
            _log.info("%s\nIt is tried again after the others: try %d of %d.", tried.error, count + 1, tries)
            queue.append(entry)
            continue
        if tried.error:
            _log.error("%s", tried.error)
            failed.append(tried.error)
        on_chunk(ChunkOutcome(entry.number, tried.seconds, tried.error, tried.cache, entry.size, tried.bytes_out))
    if lost:
        raise lost[0]
    return failed


@dataclass(frozen=True)
class _Tried:
    """How one try ended."""

    seconds: float
    error: str | None = None
    is_worth_another: bool = True
    cache: str = ""
    bytes_out: int = 0


class _Failed(Exception):  # No error of the worker's: how a chunk's try ends.
    """A chunk's own failure."""

    def __init__(self, failure: TriptychError) -> None:
        super().__init__(str(failure))
        self.failure = failure


class _Attempt:
    """One worker's attempt at one pack: runs chunks in its session, and keeps what they did in its journal."""

    def __init__(
        self,
        job: PlannedJob,
        app: Block,
        round_: str,
        token: str,
        work: Path,
        reader: ChunkReader,
        session: Session,
        journal: Journal,
        cache: PackCache | None,
    ) -> None:
        self.journal = journal
        self.round = round_
        self._job = job
        self._app = app
        self._cache = cache
        self._token = token
        self._work = work
        self._reader = reader
        self._session = session
        self._limits = ResultLimits.of(job.settings)
        self._reserve = Reserve(work, job.settings.scratch_reserve_bytes)
        self._serial = 0

    def run(self, entry: ChunkEntry) -> _Tried:
        """One try at one chunk, in a folder of its own that is gone afterwards; StorageError where we are to blame."""
        # Where a script sees its folder tells a cacheable one nothing, either.
        folder = unit_folder(self._work, "chunk" if self._app.cacheable else f"{entry.number}-{self._serial}")
        try:
            return self._run(entry, folder)
        except StorageError:
            raise
        except OSError as error:
            msg = f"{error.filename or self._work}: {error.strerror or error}. Is the worker's disk full or read-only?"
            raise StorageError(msg) from error
        finally:
            remove_folder(folder)

    def _run(self, entry: ChunkEntry, folder: Path) -> _Tried:
        began, clock, log_offset = time.time(), time.monotonic(), self.journal.log.size
        tried = Attempted(
            chunk=entry.number,
            attempt=self._token,
            serial=self._serial,
            round=self.round,
            started=began,
            seconds=0.0,
            worker=socket.gethostname(),
            bytes_in=entry.size,
        )
        self._serial += 1
        try:
            tried = self._succeeded(tried, entry, folder)
            is_worth_another = False
        except _Failed as failed:
            failure = failed.failure
            tried = _failed(tried, failure, f"Chunk {entry.number} ({entry.name}): {failure}")
            is_worth_another = failure.retryable
        said = self._cache.said.get(entry.number, "") if self._cache else ""
        tried = replace(tried, seconds=time.monotonic() - clock, cache=said)
        self.journal.add(tried, log_offset)
        return _Tried(tried.seconds, tried.error, is_worth_another, said, sum(file.size for file in tried.files))

    def _succeeded(self, tried: Attempted, entry: ChunkEntry, folder: Path) -> Attempted:
        """The try with its results kept; _Failed where that is the chunk's failure, and no fault of the worker's."""
        try:
            files = self._taken(entry, folder)
            if files is not None:
                return replace(tried, files=files)
            usage = self._script(entry, folder)
            found = result_files(folder / "out", self._limits)
            self._reserve.check(sum(file.size for file in found), "the results have", is_written=True)
        except (ChunkError, SourceError, IntegrityError, ObjectNotFoundError, StorageAccessError) as failure:
            raise _Failed(failure) from failure
        try:
            files = self.journal.keep(found)
        except ChunkError as failure:  # Only these: a workspace that refuses to keep them is the worker's affair.
            raise _Failed(failure) from failure
        if self._cache:
            self._cache.hold(entry.number, found, files)
        return _measured(replace(tried, exit_code=0, files=files), usage)

    def _taken(self, entry: ChunkEntry, folder: Path) -> tuple[ResultFile, ...] | None:
        """The result that an earlier job left of these bytes; None where there is none to take."""
        if self._cache is None:
            return None
        sha256 = entry.sha256 or self._bring(entry, folder)  # Only bytes that were copied have their digest already.
        return self._cache.take(entry.number, sha256, self.journal.keep)

    def _bring(self, entry: ChunkEntry, folder: Path) -> str:
        """Have the chunk's bytes where its script finds them; their SHA-256."""
        self._reserve.check(entry.size, "the input has")
        return self._reader.save(entry, folder / "in" / DATA)

    def _script(self, entry: ChunkEntry, folder: Path) -> Usage:
        if not (folder / "in" / DATA).exists():
            self._bring(entry, folder)
        return self._session.run(chunk_unit(self._job, self._app, entry, folder, self.journal.log))


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


@contextmanager
def _until(job: PlannedJob, stop: Stop) -> Iterator[Stop]:
    """A stop that is asked for when `stop` is, and when the job's time is over: TimeLimitError then."""
    check_time(job)
    ending = Stop()
    with time_limit(job.deadline - time.time(), ending.ask) as expired:
        try:
            with stop.register(ending.ask):
                yield ending
                ending.check()
        except KeyboardInterrupt:
            if not expired.is_set():
                raise
            check_time(job)
            raise
