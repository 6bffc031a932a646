"""The second stage, once per pack: the app on each chunk that has no commit yet, in one container."""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from triptych.blocks import Role
from triptych.errors import ChunkError, ImageError, TriptychError
from triptych.jobs.job import Job
from triptych.jobs.packs import Pack
from triptych.jobs.workspace import ChunkEntry, Commit, Workspace
from triptych.running import Session, Stop, Unit, Usage, unit_folder
from triptych.running.result_files import FoundFile, ResultLimits, result_files
from triptych.running.scratch import scratch_folder
from triptych.stages.chunk_reader import ChunkReader
from triptych.stages.sessions import BlockRunner
from triptych.storage import FileEntry
from triptych.storage.copying import copy_stream, file_blocks, save

SHOWN_FAILURES = 20
"""The error of a pack repeats so many of its chunks' errors."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ChunkOutcome:
    """How one chunk ended in this attempt; `error` is None when its result is committed."""

    number: int
    seconds: float
    error: str | None = None


def run_pack(
    job: Job,
    pack: Pack,
    attempt: int,
    on_chunk: Callable[[ChunkOutcome], None] | None = None,
    stop: Stop | None = None,
) -> int:
    """Run the app on the pack's chunks that have no commit yet; returns how many ran.

    A failed chunk does not stop the others. Raises ChunkError with all failures at the end, and KeyboardInterrupt
    when `stop` was asked for.
    """
    stop = stop or Stop()
    todo = [entry for entry in _entries(job.workspace, pack) if job.workspace.read_commit(entry.number) is None]
    if not todo:
        _log.info("Every chunk of this pack is committed already.")
        return 0
    reader = ChunkReader(job.workspace, job.sources, job.stores)
    # The token keeps a zombie of the same try apart from us.
    results = ResultStore(
        job.workspace,
        f"{attempt}-{secrets.token_hex(4)}",
        ResultLimits.of(job.settings),
        job.settings.transfer_parallelism,
    )
    params, time_limit_s = job.spec.params[Role.APP], job.spec.config["jobTimeout"]

    def run_chunk(entry: ChunkEntry, session: Session, folder: Path) -> None:
        _check_deadline(job.started, time_limit_s)
        unit = Unit(Role.APP, folder, params, _chunk_variables(entry, pack["chunks"], job.run_id))
        save(reader.blocks(entry), folder / "in" / "data.bin")
        results.commit(entry.number, folder / "out", session.run(unit))

    failures: list[str] = []
    with (
        scratch_folder(job.settings.scratch) as work,
        BlockRunner.of(job).session(job.template.app, work, pack["first"], stop) as session,
    ):
        for entry in todo:
            stop.check()
            outcome = _attempted(entry, work, partial(run_chunk, entry, session))
            if outcome.error:
                job.workspace.put_error(entry.number, outcome.error)
                failures.append(outcome.error)
                _log.error("%s", outcome.error)
            if on_chunk:
                on_chunk(outcome)
    if failures:
        shown = "\n".join(failures[:SHOWN_FAILURES])
        msg = f"{len(failures)} of {len(todo)} chunk(s) failed.\n{shown}"
        raise ChunkError(msg)
    return len(todo)


def _entries(workspace: Workspace, pack: Pack) -> list[ChunkEntry]:
    """The pack's lines of the chunk list, which is read no further than that."""
    with closing(workspace.chunks()) as chunks:
        return list(islice(chunks, pack["first"], pack["first"] + pack["count"]))


def _attempted(entry: ChunkEntry, work: Path, run: Callable[[Path], None]) -> ChunkOutcome:
    """Run one chunk in a folder of its own, which is gone afterwards; a failure that concerns it alone is told."""
    started = time.monotonic()
    folder = unit_folder(work, str(entry.number))
    error: str | None = None
    try:
        run(folder)
    except ImageError:
        raise  # No other chunk would fare better.
    except (TriptychError, OSError) as failure:
        error = f"Chunk {entry.number} ({entry.name}): {failure}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return ChunkOutcome(entry.number, time.monotonic() - started, error)


def _chunk_variables(entry: ChunkEntry, chunks: int, job_id: str) -> dict[str, str]:
    return {
        "CHUNK_NUMBER": str(entry.number),
        "CHUNK_COUNT": str(chunks),
        "CHUNK_NAME": entry.name,
        "CHUNK_METADATA": json.dumps(entry.metadata, ensure_ascii=False),
        "JOB_ID": job_id,
    }


def _check_deadline(started: float, limit_s: float) -> None:
    if time.time() - started > limit_s:
        msg = f"the job has run longer than its jobTimeout of {limit_s} s; not begun."
        raise ChunkError(msg)


class ResultStore:
    """Stores and commits what one attempt's chunks left."""

    def __init__(self, workspace: Workspace, attempt: str, limits: ResultLimits, parallelism: int) -> None:
        """`attempt` is unique in the job; `parallelism` files are sent at once."""
        self._workspace = workspace
        self._attempt = attempt
        self._limits = limits
        self._parallelism = parallelism

    def commit(self, number: int, folder: Path, usage: Usage) -> bool:
        """Make the files below `folder` the chunk's result; False when another attempt was first.

        Then they stay all the same: no attempt deletes results. ChunkError for files that are refused.
        """
        stored = self._upload(number, result_files(folder, self._limits))
        commit = Commit(number, self._attempt, stored, usage.seconds, usage.cpu_seconds, usage.peak_memory_bytes)
        return self._workspace.commit(commit)

    def _upload(self, number: int, files: Sequence[FoundFile]) -> tuple[FileEntry, ...]:
        def send(file: FoundFile) -> FileEntry:
            uri = self._workspace.result_uri(number, self._attempt, file.name)
            sent = copy_stream(file_blocks(file.path), self._workspace.store, uri)
            return FileEntry(file.name, sent.size, sent.sha256)

        if len(files) < 2:
            return tuple(send(file) for file in files)
        with ThreadPoolExecutor(self._parallelism) as pool:
            return tuple(pool.map(send, files))
