"""What is told of chunks first, and what their tries sum up to."""

from __future__ import annotations

from dataclasses import replace

from tests.support.pack_logs import planned, tried
from triptych.jobs.pack_log import Attempted
from triptych.jobs.plan import FrozenJob, PlanRef
from triptych.jobs.report import ChunkReport, ChunkState, JobReport
from triptych.jobs.spec import JobSpec
from triptych.jobs.workspace import ChunkEntry


def _report(*chunks: tuple[Attempted, ...]) -> JobReport:
    told = []
    for number, tries in enumerate(chunks):
        done = bool(tries) and tries[-1].error is None
        state = ChunkState.DONE if done else ChunkState.FAILED if tries else ChunkState.WAITING
        told.append(ChunkReport(ChunkEntry(number, f"c{number}", 10), state, tries))
    spec = JobSpec("t", "t", (), None, {}, {})
    return JobReport(PlanRef(0, "0" * 64), planned(len(chunks)), FrozenJob(spec, 0.0, ()), told)


def test_failed_ones_come_first_then_untried_then_the_slowest() -> None:
    slow, fast = replace(tried(3, "a"), seconds=9.0), replace(tried(0, "a"), seconds=1.0)
    report = _report((fast,), (), (tried(2, "a", error="Chunk 2 (c2): exit code 3\nits log"),), (slow,))
    assert [chunk.entry.number for chunk in report.first(9)] == [2, 1, 3, 0]
    assert [chunk.entry.number for chunk in report.first(2)] == [2, 1]
    assert report.first(1)[0].reason == "exit code 3\nits log"


def test_sums_count_failed_tries_too_and_bytes_of_what_is_done() -> None:
    first = replace(tried(0, "a", error="x"), seconds=2.0, cpu_seconds=1.5, peak_memory_bytes=7)
    second = replace(tried(0, "a", 1), seconds=3.0, cpu_seconds=0.5, peak_memory_bytes=5)
    sums = _report((first, second), (tried(1, "a", 2, error="x"),), ()).sums()
    assert (sums.done, sums.failed, sums.waiting, sums.tries) == (1, 1, 1, 3)
    assert (sums.seconds, sums.cpu_seconds, sums.peak_memory_bytes) == (5.5, 2.0, 7)
    assert (sums.bytes_in, sums.bytes_out) == (10, 1)


def test_measures_that_nothing_told_are_none() -> None:
    sums = _report(()).sums()
    assert (sums.cpu_seconds, sums.peak_memory_bytes) == (None, None)
