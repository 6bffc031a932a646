"""What a job's plan and logs tell of each chunk; nothing of the job need run, and no other object is read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from heapq import nsmallest
from itertools import islice

from triptych.jobs.pack_log import READERS, Attempted, PackLog, PackState, stream_states
from triptych.jobs.plan import FrozenJob, Plan, PlannedPack, PlanRef, newest_plan, read_job, read_plan
from triptych.jobs.workspace import ChunkEntry, Workspace


class ChunkState(StrEnum):
    """How far a chunk is, the most interesting first."""

    FAILED = "failed"
    WAITING = "not yet"
    DONE = "done"


RANKS = {state: rank for rank, state in enumerate(ChunkState)}


@dataclass(frozen=True)
class ChunkReport:
    """One chunk: its tries that count in the plan, in order; the last is its result when it is done."""

    entry: ChunkEntry
    state: ChunkState
    tries: tuple[Attempted, ...]

    @property
    def last(self) -> Attempted | None:
        """The result, else the last failure; None before the first try ended."""
        return self.tries[-1] if self.tries else None

    @property
    def bytes_out(self) -> int | None:
        """Of the result; None without one."""
        return sum(file.size for file in self.tries[-1].files) if self.state is ChunkState.DONE else None

    @property
    def reason(self) -> str:
        """Why the chunk has no result; empty for those that are done or were not tried."""
        error = self.last.error if self.last else None
        return (error or "").removeprefix(f"Chunk {self.entry.number} ({self.entry.name}): ")

    @property
    def rank(self) -> tuple[int, float, int]:
        """Failed ones first, then those without a try, then the slowest."""
        return RANKS[self.state], -(self.last.seconds if self.last else 0.0), self.entry.number


@dataclass(frozen=True)
class Sums:
    """Of all chunks: how many are in which state, and what their tries took, the failed ones, too."""

    failed: int
    waiting: int
    done: int
    tries: int
    seconds: float
    cpu_seconds: float | None
    """None where no try tells; else of those that do. So with the peak."""
    peak_memory_bytes: int | None
    bytes_in: int
    """Of the chunks that are done."""
    bytes_out: int


@dataclass(frozen=True)
class JobReport:
    """A job by its newest plan; `chunks` by number."""

    ref: PlanRef
    plan: Plan
    job: FrozenJob
    chunks: Sequence[ChunkReport]

    def sums(self) -> Sums:
        """Over all chunks and all their tries."""
        states = [chunk.state for chunk in self.chunks]
        tries = [each for chunk in self.chunks for each in chunk.tries]
        cpu = [each.cpu_seconds for each in tries if each.cpu_seconds is not None]
        peaks = [each.peak_memory_bytes for each in tries if each.peak_memory_bytes is not None]
        return Sums(
            failed=states.count(ChunkState.FAILED),
            waiting=states.count(ChunkState.WAITING),
            done=states.count(ChunkState.DONE),
            tries=len(tries),
            seconds=sum(each.seconds for each in tries),
            cpu_seconds=sum(cpu) if cpu else None,
            peak_memory_bytes=max(peaks, default=None),
            bytes_in=sum(chunk.entry.size for chunk in self.chunks if chunk.state is ChunkState.DONE),
            bytes_out=sum(chunk.bytes_out or 0 for chunk in self.chunks),
        )

    def first(self, count: int) -> list[ChunkReport]:
        """So many chunks at most: failed ones first, then those not tried yet, then the slowest."""
        return nsmallest(count, self.chunks, key=lambda chunk: chunk.rank)


def read_report(workspace: Workspace) -> JobReport | None:
    """The job as its workspace has it now; None when it has no plan."""
    ref = newest_plan(workspace)
    if ref is None:
        return None
    plan = read_plan(workspace, ref)
    return JobReport(ref, plan, read_job(workspace, plan), list(stream_chunks(workspace, plan)))


def stream_chunks(workspace: Workspace, plan: Plan) -> Generator[ChunkReport, None, None]:
    """Every chunk by number, as the workspace has it now: memory holds a few packs, whatever the job's size."""
    with closing(workspace.chunks(plan.chunk_list)) as entries, closing(stream_states(workspace, plan)) as states:
        for pack, state in states:
            yield from _chunks(islice(entries, pack.count), [state])
        yield from _chunks(entries, [])  # Of no pack; at its end the list is found to be whole.


def read_chunk(workspace: Workspace, plan: Plan, entry: ChunkEntry) -> ChunkReport:
    """One chunk of the plan as the workspace has it now; no more than its pack's log is read."""
    pack = plan.pack_of(entry.number)
    (found,) = _chunks([entry], [PackLog(workspace, plan, pack).read()] if pack else [])
    return found


def read_chunks(workspace: Workspace, plan: Plan, numbers: Iterable[int]) -> list[ChunkReport]:
    """These chunks, by number; of their packs no more than the log and the part of the chunk list is read."""
    wanted: dict[PlannedPack, list[int]] = defaultdict(list)
    for number in sorted(set(numbers)):
        if pack := plan.pack_of(number):
            wanted[pack].append(number)

    def read(pack: PlannedPack) -> list[ChunkReport]:
        lines = plan.lines_of(workspace, pack)
        entries = [lines[number - pack.first] for number in wanted[pack]]
        return list(_chunks(entries, [PackLog(workspace, plan, pack).read()]))

    with ThreadPoolExecutor(READERS) as pool:
        return [chunk for chunks in pool.map(read, wanted) for chunk in chunks]


def read_log(workspace: Workspace, tried: Attempted) -> Iterator[bytes]:
    """What one try printed, as a stream; nothing when it printed nothing."""
    if tried.log:
        yield from workspace.store.stream(workspace.uri(tried.log.object), tried.log.offset, tried.log.length)


def _chunks(entries: Iterable[ChunkEntry], states: Iterable[PackState]) -> Iterator[ChunkReport]:
    tries: dict[int, list[Attempted]] = defaultdict(list)
    done: set[int] = set()
    for state in states:
        for each in (*state.failures, *state.done.values()):
            tries[each.chunk].append(each)
        done |= state.done.keys()
    for entry in entries:
        mine = tuple(tries.get(entry.number, ()))
        state_of = ChunkState.DONE if entry.number in done else ChunkState.FAILED if mine else ChunkState.WAITING
        yield ChunkReport(entry, state_of, mine)
