"""A job's records made into the figures of a report."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from triptych.blocks import Role
from triptych.harmless import harmless, one_line
from triptych.jobs.plan import FrozenJob, Plan, PlanRef, newest_plan, read_job, read_plan
from triptych.jobs.report import ChunkState, stream_chunks
from triptych.jobs.workspace import Workspace
from triptych.reports.ended import read_ended
from triptych.reports.failures import groups_of
from triptych.reports.lanes import Axis
from triptych.reports.model import FORMAT, About, Counts, JobState, Output, Prices, Report, Use, Worker
from triptych.reports.ranks import histogram_of, nearest_rank, spread_of
from triptych.reports.reading import UNKNOWN, Ending, Tally
from triptych.reports.stragglers import stragglers_of
from triptych.reports.timeline import slots_of_workers, timeline_of
from triptych.stages.publishing import newest_listing

HOUR_S = 3600
GIB = 1 << 30
MOST_WORKERS_TOLD = 1000
_CLOCKS_S = 300.0
"""By so much the clocks of workers may differ: a job whose last try ended after its end was repaired since."""
_IN_HISTOGRAM = 99.5
"""Percent of the durations; longer ones stand in the last bar: one of them would leave all others in the first."""


def measure(workspace: Workspace, prices: Prices) -> Report | None:
    """The report of a job as its workspace has it now; None when it has no plan. Nothing of the job need run."""
    ref = newest_plan(workspace)
    return None if ref is None else measure_planned(workspace, prices, ref, read_plan(workspace, ref))


def measure_planned(workspace: Workspace, prices: Prices, ref: PlanRef, plan: Plan) -> Report:
    """The same by a plan that was read already."""
    tally = Tally()
    tally.see(stream_chunks(workspace, plan))
    order = sorted(range(tally.tries), key=lambda index: tally.begin[index])
    axis = Axis([(tally.begin[index], tally.begin[index] + tally.seconds[index]) for index in order])
    ends = [axis.shown(tally.begin[index]) + tally.seconds[index] for index in range(tally.tries)]
    timeline = timeline_of(tally, axis, order, ends)
    groups = groups_of(workspace, tally)
    used = [tally.seconds[index] for index in range(tally.tries) if tally.ending[index] == Ending.DONE]
    peaks = [peak for peak in tally.peak_bytes if peak != UNKNOWN]
    usual_s = nearest_rank(sorted(used), _IN_HISTOGRAM) if used else None
    done, busy_s = tally.chunks[ChunkState.DONE], axis.length_s
    return Report(
        format=FORMAT,
        made=time.time(),
        job=_about(workspace, ref, plan, read_job(workspace, plan), tally),
        counts=_counts(tally),
        durations_seconds=spread_of(used),
        durations_histogram_seconds=histogram_of(used, usual_s),
        memory_bytes=spread_of(peaks),
        memory_histogram_bytes=histogram_of(peaks),
        chunks_per_second=done / busy_s if busy_s > 0 else None,
        bytes_in_per_second=tally.bytes_done_in / busy_s if busy_s > 0 else None,
        use=_use(plan, tally, prices),
        stragglers=stragglers_of(tally, ends),
        workers=tuple(_workers(tally, slots_of_workers(tally, timeline)))[:MOST_WORKERS_TOLD],
        failures=groups,
        failure_messages=len(tally.failures),
        timeline=timeline,
    )


def _about(workspace: Workspace, ref: PlanRef, plan: Plan, job: FrozenJob, tally: Tally) -> About:
    begins = tally.begin
    last = max((begin + seconds for begin, seconds in zip(begins, tally.seconds, strict=True)), default=None)
    ended = read_ended(workspace)
    if ended and ended.plan == ref.generation and (last is None or ended.at >= last - _CLOCKS_S):
        state = JobState.FAILED if ended.error is not None else JobState.SUCCEEDED
    else:
        ended, state = None, JobState.UNFINISHED
    output = _output(workspace)
    return About(
        template=one_line(job.spec.template),
        name=one_line(job.spec.name),
        run=one_line(workspace.run),
        workspace=one_line(workspace.root),
        state=state,
        error=harmless(ended.error) if ended and ended.error is not None else None,
        launched=job.started,
        first_try=min(begins, default=None),
        last_try_ended=last,
        ended=ended.at if ended else None,
        plan=ref.generation,
        plan_sha256=ref.sha256,
        package=plan.package,
        rounds=len(tally.rounds),
        tolerated_percent=float(job.spec.config.get("toleratedFailurePercentage") or 0),
        blocks={
            role.value: {"tag": block.tag, "image": block.image, "digest": block.digest}
            for role, block in plan.blocks.items()
        },
        sources=len(job.sources),
        output=output,
    )


def _output(workspace: Workspace) -> Output | None:
    listing = newest_listing(workspace)
    if listing is None:
        return None
    return Output(one_line(str(listing["uri"])), len(listing["files"]), sum(file["size"] for file in listing["files"]))


def _counts(tally: Tally) -> Counts:
    endings = tally.ending
    return Counts(
        chunks=sum(tally.chunks.values()),
        done=tally.chunks[ChunkState.DONE],
        failed=tally.chunks[ChunkState.FAILED],
        waiting=tally.chunks[ChunkState.WAITING],
        cached=endings.count(Ending.CACHED),
        tries=tally.tries,
        tries_retried=endings.count(Ending.RETRIED),
        tries_failed=endings.count(Ending.FAILED) + endings.count(Ending.RETRIED),
        bytes_in=tally.bytes_done_in,
        bytes_out=tally.bytes_out,
    )


def _use(plan: Plan, tally: Tally, prices: Prices) -> Use:
    app = plan.blocks.get(Role.APP)
    cores = app.min_cpu if app else None
    memory = int(app.min_memory_gib * GIB) if app and app.min_memory_gib else None
    indices = range(tally.tries)
    seconds = math.fsum(tally.seconds)
    told = [index for index in indices if tally.cpu_seconds[index] != UNKNOWN]
    cpu_s = math.fsum(tally.cpu_seconds[index] for index in told)
    told_s = math.fsum(tally.seconds[index] for index in told)
    peaks = [index for index in indices if tally.peak_bytes[index] != UNKNOWN]
    by_peak = math.fsum(tally.seconds[index] * tally.peak_bytes[index] for index in peaks) if peaks else None
    byte_s = seconds * memory if memory else by_peak
    core_hours = seconds * (cores or 1.0) / HOUR_S
    gib_hours = None if byte_s is None else byte_s / GIB / HOUR_S
    return Use(
        tries_seconds=seconds,
        failed_seconds=math.fsum(tally.seconds[index] for index in indices if tally.ending[index] >= Ending.RETRIED),
        limit_cores=cores,
        limit_memory_bytes=memory,
        core_hours=core_hours,
        cpu_core_hours=cpu_s / HOUR_S if told else None,
        cpu_share=cpu_s / (told_s * (cores or 1.0)) if told_s else None,
        gib_hours=gib_hours,
        peak_memory_bytes=int(max(tally.peak_bytes[index] for index in peaks)) if peaks else None,
        price_core_hour=prices.core_hour,
        price_gib_hour=prices.gib_hour,
        price=prices.of(core_hours, gib_hours),
    )


@dataclass
class _Present:
    """One worker, while its tries are counted."""

    seconds: list[float]
    begin: float = math.inf
    end: float = 0.0
    failed: int = 0


def _workers(tally: Tally, slots: Sequence[int]) -> Iterator[Worker]:
    """The busiest first; `slots` counts those of each, by its number, empty where nobody counted."""
    present = [_Present([]) for _ in tally.workers]
    for index in range(tally.tries):
        each, begin = present[tally.worker[index]], tally.begin[index]
        each.seconds.append(tally.seconds[index])
        each.begin, each.end = min(each.begin, begin), max(each.end, begin + tally.seconds[index])
        each.failed += tally.ending[index] >= Ending.RETRIED
    names = list(tally.workers)
    for number in sorted(range(len(names)), key=lambda worker: -math.fsum(present[worker].seconds)):
        each = present[number]
        yield Worker(
            worker=one_line(names[number]),
            slots=slots[number] if slots else 1,
            tries=len(each.seconds),
            failed=each.failed,
            busy_seconds=math.fsum(each.seconds),
            present_seconds=each.end - each.begin,
            median_seconds=nearest_rank(sorted(each.seconds), 50),
        )
