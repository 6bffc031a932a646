"""The second stage, once per pack: the app on each chunk that has no result yet, in one container, or in several."""

from __future__ import annotations

import secrets
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from triptych.blocks import Block, Role
from triptych.errors import (
    StorageError,
    VerdictError,
)
from triptych.free_space import Reserve
from triptych.harmless import harmless_logger
from triptych.jobs.job import PlannedJob, check_time
from triptych.jobs.pack_log import PackLog
from triptych.jobs.packs import Pack
from triptych.jobs.workspace import ChunkEntry
from triptych.running import Stop
from triptych.running.scratch import scratch_folder
from triptych.running.time_limit import time_limit
from triptych.stages.caching import opened_cache, when_needed
from triptych.stages.chunk_reader import ChunkReader
from triptych.stages.frozen_code import open_code
from triptych.stages.journal import Journal, JournalLimits
from triptych.stages.pipeline.ahead import Ahead
from triptych.stages.pipeline.behind import Behind
from triptych.stages.pipeline.lanes import Lane, Lanes
from triptych.stages.pipeline.telling import Telling
from triptych.stages.pipeline.trying import Attempt, Ran
from triptych.stages.sessions import BlockRunner
from triptych.stages.side_inputs import held_inputs
from triptych.storage import OBJECTS_AT_ONCE

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
    worker: str = field(default_factory=socket.gethostname)
    """By which the records of its chunks call its machine."""


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
    telling = Telling(Pack(first=pack.first, count=pack.count, chunks=job.plan.chunks), pack.count - len(todo))

    def hear(outcome: ChunkOutcome) -> None:
        telling.heard(outcome.error is not None)
        if on_chunk:
            on_chunk(outcome)

    is_careful = launch.number > 1 or log.position.number > 0
    with scratch_folder(job.settings.scratch) as work, _until(job, stop or Stop()) as ending:
        app = open_code(job.workspace, job.plan.blocks[Role.APP], work)
        token = secrets.token_hex(8)
        name = f"{job.plan.generation}/{pack.key}/{token}"
        at_once = min(app.parallel, len(todo))
        limits = JournalLimits(job.settings.part_bytes, OBJECTS_AT_ONCE)
        with (
            opened_cache(job, app, work, todo) as cache,
            Journal(
                job.workspace, log, name, work, limits, is_careful=is_careful, on_said=cache.keep if cache else None
            ) as journal,
            held_inputs(job.plan.inputs, job.stores, job.settings, ending) as inputs,
            Behind() as behind,
            _ahead(job, work, todo, at_once) as ahead,
        ):
            if cache is None:
                ahead.begin(todo[0])  # While its container starts.
            runner = BlockRunner.of(job, inputs.mounted)
            with _lanes(runner, app, work, at_once, first, ending, is_late=cache is not None) as lanes:
                attempt = Attempt(job, app, launch.round, launch.worker, token, work, ahead, journal, cache)
                run = _Run(attempt, lanes, behind, job.tries_of(app), hear, is_careful=is_careful)
                failed = run.all(todo, ending)
    _log.info("%s", telling.line())
    if failed:
        verdict = f"{len(failed)} of {len(todo)} chunk(s) failed."
        raise VerdictError(verdict, failed[:SHOWN_FAILURES])
    return len(todo)


def _ahead(job: PlannedJob, work: Path, todo: Sequence[ChunkEntry], most: int) -> Ahead:
    """What fetches the chunks, each where there is room for it."""
    reader = ChunkReader(job.workspace, job.sources, job.stores, todo)
    reserve = Reserve(work, job.settings.scratch_reserve_bytes)

    def save(entry: ChunkEntry, path: Path) -> str:
        reserve.check(entry.size, "the input has")
        return reader.save(entry, path)

    return Ahead(save, work / "ahead", most)


@contextmanager
def _lanes(
    runner: BlockRunner, app: Block, work: Path, count: int, first_chunk: int, stop: Stop, *, is_late: bool
) -> Iterator[Lanes[Ran | _Lost]]:
    """So many; the session of the first is there at once unless `is_late`, of the others when a chunk comes to them."""
    with ExitStack() as stack:
        lanes = []
        for number in range(count):
            own = work / f"lane-{number}"
            own.mkdir()
            opening = runner.session(app, own, first_chunk, stop)
            lanes.append(Lane(own, stack.enter_context(when_needed(opening) if is_late or number else opening)))
        yield stack.enter_context(Lanes[Ran | _Lost](lanes, stop))


@dataclass(frozen=True)
class _Lost:
    """A chunk that this worker could not read, or its results."""

    entry: ChunkEntry
    error: StorageError


class _Run:
    """Runs chunks in order, one in each lane; how each ended is judged behind the next ones."""

    def __init__(
        self,
        attempt: Attempt,
        lanes: Lanes[Ran | _Lost],
        behind: Behind,
        tries: int,
        on_chunk: Callable[[ChunkOutcome], None],
        *,
        is_careful: bool,
    ) -> None:
        """A careful one begins no chunk before the last one is kept."""
        self._attempt = attempt
        self._lanes = lanes
        self._behind = behind
        self._tries = tries
        self._on_chunk = on_chunk
        self._is_careful = is_careful
        self._queue = deque[ChunkEntry]()
        self._failed = list[str]()
        self._lost = list[StorageError]()

    def all(self, todo: Sequence[ChunkEntry], stop: Stop) -> list[str]:
        """Run the chunks, those that failed again after the others; the errors of those that have no try left.

        A chunk that this worker could not read or keep is left for the next attempt, and its error raised at the end.
        """
        self._queue.extend(todo)
        while self._is_anything_left():
            stop.check()
            if self._queue and self._lanes.is_free:
                self._begin(self._queue.popleft())
            else:
                self._end(self._lanes.next())
        while self._lanes.is_busy:
            self._end(self._lanes.next())
        self._behind.drain()
        if self._lost:
            raise self._lost[0]
        return self._failed

    def _is_anything_left(self) -> bool:
        if not self._queue and not self._lanes.is_busy:
            self._behind.drain()  # What failed is tried again.
        return bool(self._queue or self._lanes.is_busy) and len(self._lost) < MOST_LOST

    def _begin(self, entry: ChunkEntry) -> None:
        before = self._attempt.of_round(entry)
        if len(before) >= self._tries:  # By an attempt whose worker was lost before it could say so.
            self._failed.append(before[-1].error or "")
            return
        if self._attempt.has_one_folder:
            self._behind.drain()
        upcoming = self._queue[0] if self._queue else None
        self._lanes.begin(partial(self._tried, entry, upcoming))

    def _tried(self, entry: ChunkEntry, upcoming: ChunkEntry | None, lane: Lane) -> Ran | _Lost:
        try:
            return self._attempt.run(entry, upcoming, lane)
        except StorageError as error:
            return _Lost(entry, error)

    def _end(self, ran: Ran | _Lost) -> None:
        if isinstance(ran, _Lost):
            self._lose(ran.entry, ran.error)
            return
        self._behind.begin(partial(self._keep, ran), sum(file.size for file in ran.found))
        if self._is_careful:
            self._behind.drain()

    def _keep(self, ran: Ran) -> None:
        try:
            tried = self._attempt.keep(ran)
        except StorageError as error:
            self._lose(ran.entry, error)
            return
        entry, count = ran.entry, len(self._attempt.of_round(ran.entry))
        if tried.error and tried.is_worth_another and count < self._tries:
            _log.info("%s\nIt is tried again after the others: try %d of %d.", tried.error, count + 1, self._tries)
            self._queue.append(entry)
            return
        if tried.error:
            _log.error("%s", tried.error)
            self._failed.append(tried.error)
        self._on_chunk(ChunkOutcome(entry.number, tried.seconds, tried.error, tried.cache, entry.size, tried.bytes_out))

    def _lose(self, entry: ChunkEntry, error: StorageError) -> None:
        _log.warning("Chunk %d (%s) is left for the next attempt: %s", entry.number, entry.name, error)
        self._lost.append(error)


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
