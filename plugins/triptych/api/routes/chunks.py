"""`/customer/jobs/{id}/chunks`: how far each chunk is, and of one its input, parameters, tries, logs and results."""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from fastapi import APIRouter, Request, Response

from triptych.api.answers import ApiError
from triptych.api.callers import Caller, CallerDep
from triptych.api.console.chunk_maps import ChunkMaps
from triptych.api.console.serving import Preview, Served, cut, served
from triptych.api.finding import find_run
from triptych.api.kept import stores
from triptych.api.outputs import workspace_of
from triptych.api.routes.jobs import MOST_ROWS, rows_wanted
from triptych.api.threads import in_thread
from triptych.blocks import Role
from triptych.harmless import harmless
from triptych.jobs.job import PlannedJob, load_job
from triptych.jobs.pack_log import Attempted
from triptych.jobs.plan import PlanRef
from triptych.jobs.report import ChunkReport, read_chunk, read_chunks
from triptych.jobs.views.chunk_map import Cell, ChunkMap, Counts
from triptych.settings import get_settings
from triptych.stages import PLAN_KEY, Stage
from triptych.stages.one_chunk import OneChunk

router = APIRouter(tags=["chunks"])
WORDS: Mapping[Cell, str] = {
    Cell.WAITING: "waiting",
    Cell.FAILED: "failed",
    Cell.DONE: "done",
    Cell.CACHED: "cached",
    Cell.RETRIED: "retried",
}
"""By their numbers, as the map has them."""
_FIRST_LETTERS = 500
"""Of the reason of a failure in a list."""


@dataclass(frozen=True)
class Planned:
    """A run that has a plan: the one that Airflow's XCom names, and no other that lies in its folder."""

    dag_id: str
    run_id: str
    ref: PlanRef

    def looked(self) -> ChunkMap:
        """Its chunks as they are now."""
        return _maps().looked(self.dag_id, self.run_id, self.ref)

    def chunk(self, number: int) -> OneChunk:
        """One of its chunks; ConfigError where there is none of this number."""
        return OneChunk.of(self.job(), number)

    def job(self) -> PlannedJob:
        """The job itself."""
        return load_job(get_settings(), self.dag_id, self.run_id, self.ref, stores=stores())


@router.get("/jobs/{job_id}/chunks/map")
async def chunk_map(job_id: str, caller: CallerDep, version: str = "") -> dict[str, Any]:
    """How far each chunk is, in three arrays in base64: states and tries in bytes, seconds in float32.

    The words are the states by their numbers. With the `version` of an answer before, nothing is told that is the same.
    """
    found = await _planned(caller, job_id)
    if found is None:
        return {"version": "", "isChanged": True, "words": list(WORDS.values()), **_arrays(None)}
    seen = await in_thread(found.looked)
    if seen.version == version:
        return {"version": version, "isChanged": False}
    return {"version": seen.version, "isChanged": True, "words": list(WORDS.values()), **_arrays(seen)}


@router.get("/jobs/{job_id}/chunks")
async def chunks(
    job_id: str, caller: CallerDep, state: str = "", numbers: str = "", offset: str = "", limit: str = ""
) -> dict[str, Any]:
    """Chunks by number, of all or of one state: name, size, and how the last try ended; or those of these `numbers`."""
    start, count = rows_wanted(offset, limit)
    found = await _planned(caller, job_id)
    if found is None:
        return {"chunks": [], "total": "0"}
    seen = await in_thread(found.looked)
    wanted = _numbers(numbers) if numbers else _of_state(seen, state)
    shown = wanted[:MOST_ROWS] if numbers else wanted[start : start + count]
    workspace = workspace_of(found.dag_id, found.run_id)
    rows = await in_thread(read_chunks, workspace, seen.plan, shown)
    says_why = await caller.may("GET", "TASK_LOGS", found.dag_id)
    told = {row.entry.number: _row(row, seen, says_why=says_why) for row in rows}
    return {"chunks": [told[number] for number in shown if number in told], "total": str(len(wanted))}


@router.get("/jobs/{job_id}/chunks/{number}")
async def chunk(job_id: str, number: int, caller: CallerDep) -> dict[str, Any]:
    """One chunk: what it is cut from, the app's parameters, every try, and the files of its result."""
    found = await _with_logs(caller, job_id)
    return await in_thread(_about, found, number)


@router.get("/jobs/{job_id}/chunks/{number}/input", response_class=Response)
async def chunk_input(job_id: str, number: int, request: Request, caller: CallerDep, preview: Preview = "") -> Response:
    """The bytes that the app is given as `data.bin`; as with all bytes here, a range of them may be asked for."""
    found = await _with_logs(caller, job_id)
    one = await in_thread(found.chunk, number)
    name = f"chunk-{number}.bin"
    return await served(request, Served(name, one.entry.size, lambda at, length: cut(one.input(), at, length)), preview)


@router.get("/jobs/{job_id}/chunks/{number}/logs/{count}", response_class=Response)
async def chunk_log(job_id: str, number: int, count: int, request: Request, caller: CallerDep) -> Response:
    """What a try of the chunk printed; `count` is the try's place among all, from 1."""
    found = await _with_logs(caller, job_id)
    told = await in_thread(_told, found, number)
    if not 1 <= count <= len(told.tries):
        raise ApiError(404, f"Chunk {number} has {len(told.tries)} tries, counted from 1.")
    log = told.tries[count - 1].log
    part = (log.object, log.offset, log.length) if log else ("", 0, 0)
    return await served(request, _part(found, f"chunk-{number}-try-{count}.log", *part))


@router.get("/jobs/{job_id}/chunks/{number}/results/{name:path}", response_class=Response)
async def chunk_result(
    job_id: str, number: int, name: str, request: Request, caller: CallerDep, preview: Preview = ""
) -> Response:
    """A file of the chunk's result."""
    found = await _with_logs(caller, job_id)
    told = await in_thread(_told, found, number)
    files = told.last.files if told.last else ()
    file = next((each for each in files if each.name == name), None)
    if file is None:
        raise ApiError(404, f"{name}: is no file of the result of chunk {number}.")
    return await served(request, _part(found, name, file.object, file.offset or 0, file.size), preview)


@cache
def _maps() -> ChunkMaps:
    return ChunkMaps()


async def _planned(caller: Caller, job_id: str) -> Planned | None:
    """The run of the job by its plan, for whoever may read its XComs; None while it has no plan."""
    run = await find_run(caller, job_id)
    await caller.require("GET", "XCOM", run.dag_id)
    try:
        plan = await caller.airflow.get(f"{run.path}/taskInstances/{Stage.PARTITION}/xcomEntries/{PLAN_KEY}")
    except ApiError as error:
        if error.status != 404:
            raise
        return None
    return Planned(run.dag_id, run.run_id, PlanRef.parse(str(plan["value"])))


async def _with_logs(caller: Caller, job_id: str) -> Planned:
    """The same for what a report would show, too: the reasons of failures, which hold the ends of logs."""
    found = await _planned(caller, job_id)
    if found is None:
        raise ApiError(404, f"The job {job_id} has no chunks yet.")
    await caller.require("GET", "TASK_LOGS", found.dag_id)
    return found


def _arrays(seen: ChunkMap | None) -> dict[str, Any]:
    """The map as JSON has it; of a job without a plan there is nothing."""
    counts = seen.counts() if seen else Counts(0, 0, 0, 0, 0)
    seconds = array("f", seen.seconds if seen else ())
    if sys.byteorder == "big":
        seconds.byteswap()
    return {
        "chunks": len(seconds),
        "done": counts.done,
        "failed": counts.failed,
        "waiting": counts.waiting,
        "cached": counts.cached,
        "allTries": counts.tries,
        "states": _base64(bytes(seen.cells) if seen else b""),
        "tries": _base64(bytes(seen.tries) if seen else b""),
        "seconds": _base64(seconds.tobytes()),
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _numbers(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and len(part) <= 9 for part in parts):
        raise ApiError(400, "numbers: must be whole numbers with commas between.")
    return [int(part) for part in parts]


def _of_state(seen: ChunkMap, state: str) -> list[int]:
    if not state:
        return list(range(seen.plan.chunks))
    cells = [cell for cell, word in WORDS.items() if word == state]
    if not cells:
        raise ApiError(400, f"state: is one of {', '.join(WORDS.values())}.")
    return [number for number, cell in enumerate(seen.cells) if cell == cells[0]]


def _row(row: ChunkReport, seen: ChunkMap, *, says_why: bool) -> dict[str, Any]:
    last = row.last
    return {
        "number": row.entry.number,
        "name": harmless(row.entry.name),
        "size": str(row.entry.size),
        "state": WORDS[Cell(seen.cells[row.entry.number])],
        "tries": len(row.tries),
        "seconds": last.seconds if last else None,
        "worker": harmless(last.worker) if last else "",
        "reason": harmless(row.reason[:_FIRST_LETTERS]) if says_why else "",
    }


def _told(found: Planned, number: int) -> ChunkReport:
    one = found.chunk(number)
    return read_chunk(one.job.workspace, one.job.plan, one.entry)


def _about(found: Planned, number: int) -> dict[str, Any]:
    one = found.chunk(number)
    told = read_chunk(one.job.workspace, one.job.plan, one.entry)
    entry = one.entry
    return {
        "number": number,
        "chunks": one.job.plan.chunks,
        "name": harmless(entry.name),
        "size": str(entry.size),
        "items": entry.items,
        "metadata": dict(entry.metadata),
        "ranges": [
            {"uri": one.job.sources[each.source].uri, "offset": str(each.offset), "length": str(each.length)}
            for each in entry.ranges or ()
            if each.length  # An empty one may be of no source at all.
        ],
        "state": told.state.value,
        "reason": harmless(told.reason),
        "app": one.job.plan.blocks[Role.APP].tag,
        "params": dict(one.job.spec.params[Role.APP]),
        "tries": [_tried(each) for each in told.tries],
        "results": [{"name": file.name, "size": str(file.size)} for file in (told.last.files if told.last else ())],
    }


def _tried(tried: Attempted) -> dict[str, Any]:
    return {
        "attempt": tried.attempt,
        "round": tried.round,
        "started": tried.started,
        "seconds": tried.seconds,
        "worker": harmless(tried.worker),
        "cpuSeconds": tried.cpu_seconds,
        "peakMemoryBytes": None if tried.peak_memory_bytes is None else str(tried.peak_memory_bytes),
        "exitCode": tried.exit_code,
        "error": None if tried.error is None else harmless(tried.error),
        "cache": tried.cache,
        "logBytes": str(tried.log.length if tried.log else 0),
    }


def _part(found: Planned, name: str, held_in: str, begin: int, size: int) -> Served:
    """`size` bytes from `begin` of one of the workspace's objects."""
    workspace = workspace_of(found.dag_id, found.run_id)
    return Served(name, size, lambda at, length: workspace.store.stream(workspace.uri(held_in), begin + at, length))
