"""How often a chunk is tried, what each try leaves in the log, and when a job's time is over."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.include_folders import write_app
from tests.support.workspaces import counted
from triptych.errors import StorageError, TimeLimitError, VerdictError
from triptych.jobs.job import PlannedJob, load_job, new_job
from triptych.jobs.pack_log import PackLog, PackState
from triptych.jobs.spec import build_job_spec
from triptych.jobs.workspace import Workspace
from triptych.settings import Settings
from triptych.stages.assemble import assemble
from triptych.stages.partition import partition
from triptych.stages.run_pack import ChunkOutcome, Launch, run_pack
from triptych.storage.files import FileStore
from triptych.storage.paths import file_path

REPLICAS = {"partitioner": "replicate", "params": {"partitioner": {"replicas": 3}}}
FAILS_TWICE_AT_0 = """
import os
from pathlib import Path
seen = Path(os.environ["USER_CACHE_DIR"], "seen-" + os.environ["CHUNK_NUMBER"])
times = len(seen.read_text()) if seen.exists() else 0
seen.write_text("x" * (times + 1))
print("try", times, "of chunk", os.environ["CHUNK_NUMBER"])
if os.environ["CHUNK_NUMBER"] == "0" and times < 2:
    raise SystemExit(4)
Path(os.environ["TASK_RESULTS_DIR"], "r.txt").write_text(os.environ["CHUNK_NUMBER"])
"""


def _job(settings: Settings, script: str, config: Mapping[str, Any], began: float | None = None) -> PlannedJob:
    (settings.scratch.parent / "apps").mkdir()
    template = write_app(settings.scratch.parent, script, template=REPLICAS)
    spec = build_job_spec(template, {"config": {"chunksPerTask": 3, **config}})
    done = partition(new_job(settings, template, spec, template.id, "run"))
    return load_job(settings, template.id, "run", done.ref, began)


def _state(job: PlannedJob) -> PackState:
    return PackLog(job.workspace, job.plan, job.plan.packs[0]).read()


def _log(job: PlannedJob, tried: Any) -> bytes:
    return job.workspace.store.read_range(job.workspace.uri(tried.log.object), tried.log.offset, tried.log.length)


def test_a_failed_chunk_is_tried_again_after_the_others(settings: Settings) -> None:
    job = _job(settings, FAILS_TWICE_AT_0, {})
    told: list[ChunkOutcome] = []
    assert run_pack(job, 0, Launch("1"), told.append) == 3
    assert [(outcome.number, outcome.error) for outcome in told] == [(1, None), (2, None), (0, None)]
    state = _state(job)
    assert [(each.chunk, each.serial, each.exit_code) for each in state.failures] == [(0, 0, 4), (0, 3, 4)]
    assert {chunk: each.serial for chunk, each in state.done.items()} == {0: 4, 1: 1, 2: 2}
    assert all(each.cpu_seconds is not None and each.seconds > 0 and each.worker for each in state.failures)
    # Each try's own log, also of those that failed, by its place in the object.
    tries = sorted([*state.failures, *state.done.values()], key=lambda each: each.serial)
    expected = [(0, 0), (0, 1), (0, 2), (1, 0), (2, 0)]
    assert [_log(job, each) for each in tries] == [f"try {t} of chunk {c}\n".encode() for t, c in expected]


def test_without_a_try_left_it_is_final_and_another_round_has_all_tries(settings: Settings) -> None:
    job = _job(settings, FAILS_TWICE_AT_0, {})
    once = dataclasses.replace(job, settings=dataclasses.replace(settings, retries=0))
    with pytest.raises(VerdictError, match=r"1 of 3 chunk\(s\) failed.\nChunk 0 \(replica_0\): exit code 4"):
        run_pack(once, 0, Launch("1"))
    with pytest.raises(VerdictError, match="exit code 4"):
        run_pack(once, 0, Launch("1", number=2))  # As Airflow does after a lost worker: no try is left.
    assert [each.round for each in _state(job).failures] == ["1"]
    twice = dataclasses.replace(job, settings=dataclasses.replace(settings, retries=1))
    assert run_pack(twice, 0, Launch("2")) == 1
    assert [each.round for each in _state(job).failures] == ["1", "2"]


def test_what_no_retry_helps_is_tried_once(settings: Settings) -> None:
    script = 'import os; os.symlink("/etc/passwd", os.path.join(os.environ["TASK_RESULTS_DIR"], "r"))'
    job = _job(settings, script, {"sample": 1})
    for _ in range(2):
        with pytest.raises(VerdictError, match="is a link"):
            run_pack(job, 0, Launch("1"))
    assert len(_state(job).failures) <= 4


class FailingFiles(FileStore):
    """Files; puts of entries fail while `fails` says so."""

    fails = True

    def put_if_absent(self, uri: str, data: bytes) -> bool:
        if self.fails and "/commits/" in uri:
            msg = f"{uri}: the store is away."
            raise StorageError(msg)
        return super().put_if_absent(uri, data)


def test_a_store_that_is_away_is_no_failure_of_a_chunk(settings: Settings) -> None:
    job = _job(settings, FAILS_TWICE_AT_0.replace('== "0"', '== "none"'), {})
    store = FailingFiles([file_path(settings.workspace)])
    away = dataclasses.replace(job, workspace=Workspace(store, job.workspace.root))
    with pytest.raises(StorageError, match="the store is away"):
        run_pack(away, 0, Launch("1"))
    assert _state(job) == PackState()
    store.fails = False
    assert run_pack(away, 0, Launch("1", number=2)) == 3
    assert _state(job).failures == ()


def test_an_attempt_after_another_says_each_chunk_at_once(settings: Settings) -> None:
    """A chunk that kills its worker must not undo what came before it, time after time."""
    job = _job(settings, FAILS_TWICE_AT_0.replace('== "0"', '== "none"'), {})
    seen: list[int] = []
    folder = file_path(job.workspace.root)
    run_pack(job, 0, Launch("1", number=2), lambda _: seen.append(len(counted(folder))))
    assert seen == [1, 2, 3]


def test_the_jobs_time_stops_what_runs(settings: Settings, tmp_path: Path) -> None:
    script = """
import os, signal
from pathlib import Path
if os.environ["CHUNK_NUMBER"] == "1":
    Path(os.environ["USER_CACHE_DIR"], "stopped").touch()
    signal.pause()
"""
    job = _job(settings, script, {"jobTimeout": 3})
    with pytest.raises(TimeLimitError, match="longer than its jobTimeout of 3 s"):
        run_pack(job, 0, Launch("1"))
    (stopped,) = tmp_path.rglob("stopped")
    assert stopped.exists()
    assert list(_state(job).done) == [0]
    with pytest.raises(TimeLimitError):
        assemble(job)
    assert list(settings.scratch.iterdir()) == []


def test_a_job_of_any_age_is_repaired_with_time_of_its_own(settings: Settings) -> None:
    job = _job(settings, FAILS_TWICE_AT_0, {})
    entry = file_path(job.workspace.uri(job.plan.job.name))
    assert json.loads(entry.read_text())["started"] <= time.time()
    late = dataclasses.replace(job, began=time.time() - 2 * 86400)
    with pytest.raises(TimeLimitError, match="86400 s"):
        run_pack(late, 0, Launch("1"))
    again = load_job(settings, job.dag_id, job.run_id, job.ref)
    assert run_pack(again, 0, Launch("2")) == 3
