"""The map of a job's chunks, looked at while the job's logs grow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.pack_logs import tried
from tests.support.recorded_jobs import plan_of, run_all, tell, workspace_at
from triptych.jobs.plan import newest_plan
from triptych.jobs.report import ChunkState, read_chunks, stream_chunks
from triptych.jobs.views.chunk_map import Cell, ChunkMap
from triptych.jobs.workspace import Workspace


def _map(workspace: Workspace, chunks: int, per_task: int) -> ChunkMap:
    plan = plan_of(workspace, chunks, per_task=per_task)
    ref = newest_plan(workspace)
    assert ref is not None
    return ChunkMap(workspace, ref, plan)


def test_it_says_of_each_chunk_what_the_records_say(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    seen = _map(workspace, 500, 20)
    run_all(workspace, seen.plan, failed=0.05, retried=0.1)
    seen.look()
    told = list(stream_chunks(workspace, seen.plan))
    states = {ChunkState.DONE: {Cell.DONE, Cell.RETRIED}, ChunkState.FAILED: {Cell.FAILED}}
    assert all(seen.cells[each.entry.number] in states[each.state] for each in told)
    assert list(seen.tries) == [len(each.tries) for each in told]
    assert list(seen.seconds) == pytest.approx([each.tries[-1].seconds for each in told], rel=1e-6)
    counts = seen.counts()
    assert counts.failed == sum(each.state is ChunkState.FAILED for each in told) > 0
    assert (counts.done, counts.waiting, counts.tries) == (500 - counts.failed, 0, sum(seen.tries))
    retried = [each.entry.number for each in told if each.state is ChunkState.DONE and len(each.tries) > 1]
    assert [number for number, cell in enumerate(seen.cells) if cell == Cell.RETRIED] == retried != []


def test_a_look_reads_what_is_new_and_its_version_is_another(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    seen = _map(workspace, 4, 2)
    seen.look()
    first = seen.version
    assert list(seen.cells) == [Cell.WAITING] * 4
    tell(workspace, seen.plan, seen.plan.packs[1], [tried(3, "a", error="no")])
    seen.look()
    assert list(seen.cells) == [Cell.WAITING, Cell.WAITING, Cell.WAITING, Cell.FAILED]
    second = seen.version
    tell(workspace, seen.plan, seen.plan.packs[1], [replace(tried(2, "b"), cache="hit"), tried(3, "a", 1)])
    tell(workspace, seen.plan, seen.plan.packs[0], [tried(0, "c")])
    seen.look()
    assert list(seen.cells) == [Cell.DONE, Cell.WAITING, Cell.CACHED, Cell.RETRIED]
    assert list(seen.tries) == [1, 0, 1, 2]
    third = seen.version
    for name in workspace.names("commits/0/"):
        workspace.store.put(workspace.uri(name), b"spoiled, and not read again")
    seen.look()
    assert len({first, second, third}) == 3
    assert seen.version == third


def test_some_chunks_are_read_by_number_and_others_not_at_all(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    seen = _map(workspace, 100, 10)
    run_all(workspace, seen.plan)
    whole = {each.entry.number: each for each in stream_chunks(workspace, seen.plan)}
    for name in workspace.names("commits/0/30-10/"):
        workspace.store.delete(workspace.uri(name))  # Of a pack that nobody asks for.
    wanted = [99, 3, 41, 41, 100]
    assert read_chunks(workspace, seen.plan, wanted) == [whole[3], whole[41], whole[99]]
