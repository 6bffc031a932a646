"""`parallel`: several containers of one pack, each with one chunk at a time."""

from __future__ import annotations

import dataclasses
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.include_folders import write_app
from tests.support.workspaces import counted
from triptych.blocks import Template
from triptych.errors import ContainerError, VerdictError
from triptych.jobs.job import PlannedJob, load_job, new_job
from triptych.jobs.pack_log import PackLog
from triptych.jobs.spec import build_job_spec
from triptych.running import Stop, Unit, Usage
from triptych.running.docker import DockerSession
from triptych.settings import Runner, Settings
from triptych.stages.partition import partition
from triptych.stages.run_pack import Launch, run_pack
from triptych.storage.paths import file_path

CHUNKS, AT_ONCE = 7, 3
MEETS = """
import os, socket, time
from pathlib import Path
number, seen = int(os.environ["CHUNK_NUMBER"]), Path(os.environ["USER_CACHE_DIR"])
(seen / f"began-{number}").touch()
end = time.monotonic() + 60
while number < 3 and len(list(seen.glob("began-[012]"))) < 3:
    assert time.monotonic() < end, "the first three do not run at once"
    time.sleep(0.01)
Path(os.environ["TASK_RESULTS_DIR"], "r.txt").write_text(f"{number} {socket.gethostname()}")
"""
WAITS = """
import os, time
from pathlib import Path
(Path(os.environ["USER_CACHE_DIR"]) / ("began-" + os.environ["CHUNK_NUMBER"])).touch()
time.sleep(600)
"""
TELLS = """
import os, socket, time
time.sleep(0.2)
open(os.environ["TASK_RESULTS_DIR"] + "/r.txt", "w").write(socket.gethostname())
"""
FAILS_ONCE = """
import os
from pathlib import Path
seen = Path(os.environ["USER_CACHE_DIR"], "seen-" + os.environ["CHUNK_NUMBER"])
if os.environ["CHUNK_NUMBER"] in "03" and not seen.exists():
    seen.touch()
    raise SystemExit(4)
Path(os.environ["TASK_RESULTS_DIR"], "r.txt").write_text(os.environ["CHUNK_NUMBER"])
"""


def _template(settings: Settings, script: str, manifest: Mapping[str, Any] | None = None) -> Template:
    (settings.scratch.parent / "apps").mkdir()
    return write_app(
        settings.scratch.parent,
        script,
        manifest={"parallel": AT_ONCE, **(manifest or {})},
        template={"partitioner": "replicate", "params": {"partitioner": {"replicas": CHUNKS}}},
    )


def _planned(settings: Settings, template: Template, run: str, **config: Any) -> PlannedJob:
    """All chunks in one pack."""
    spec = build_job_spec(template, {"config": {"chunksPerTask": CHUNKS, **config}})
    done = partition(new_job(settings, template, spec, template.id, run))
    assert len(done.plan.packs) == 1
    return load_job(settings, template.id, run, done.ref)


def _job(settings: Settings, script: str, **config: Any) -> PlannedJob:
    return _planned(settings, _template(settings, script), "run", **config)


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    """With a cache of the test's own."""
    return dataclasses.replace(settings, cache=tmp_path / "cache")


def _seen(settings: Settings) -> Path:
    return settings.cache / "apps" / "tried"


def _results(job: PlannedJob) -> dict[int, str]:
    """What counts of each chunk, as its script wrote it."""
    found = {}
    for number, tried in counted(file_path(job.workspace.root)).items():
        (file,) = tried["files"]
        data = file_path(job.workspace.uri(file["object"])).read_bytes()
        found[number] = data[file["offset"] :][: file["size"]].decode()
    return found


def _tries(job: PlannedJob) -> list[tuple[float, float]]:
    """Begin and end of each try that has a result."""
    done = PackLog(job.workspace, job.plan, job.plan.packs[0]).read().done.values()
    return [(each.started, each.started + each.seconds) for each in done]


def test_so_many_chunks_run_at_once_and_no_more(own: Settings) -> None:
    job = _job(own, MEETS)
    assert run_pack(job, 0, Launch("1")) == CHUNKS
    assert {number: text.split()[0] for number, text in _results(job).items()} == {n: str(n) for n in range(CHUNKS)}
    tries = _tries(job)
    at_once = [sum(begin <= moment < end for begin, end in tries) for moment, _ in tries]
    assert max(at_once) == AT_ONCE
    assert not list(own.scratch.glob("attempt-*"))


def test_what_failed_is_tried_again_and_each_chunk_counts_once(own: Settings) -> None:
    job = _job(own, FAILS_ONCE, maxTaskRetries=1)
    assert run_pack(job, 0, Launch("1")) == CHUNKS
    assert _results(job) == {number: str(number) for number in range(CHUNKS)}
    state = PackLog(job.workspace, job.plan, job.plan.packs[0]).read()
    assert sorted((each.chunk, each.exit_code) for each in state.failures) == [(0, 4), (3, 4)]
    serials = [each.serial for each in (*state.failures, *state.done.values())]
    assert sorted(serials) == list(range(CHUNKS + 2))


def test_all_failures_are_told(own: Settings) -> None:
    job = _job(own, "raise SystemExit(3)", maxTaskRetries=0)
    with pytest.raises(VerdictError, match=rf"{CHUNKS} of {CHUNKS} chunk\(s\) failed"):
        run_pack(job, 0, Launch("1"))


def test_a_stop_ends_all_that_runs(own: Settings) -> None:
    job = _job(own, WAITS)
    stop, watching = Stop(), threading.Event()

    def asks() -> None:
        while len(list(_seen(own).glob("began-*"))) < AT_ONCE and not watching.wait(0.02):
            pass
        stop.ask()

    asker = threading.Thread(target=asks)
    asker.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_pack(job, 0, Launch("1"), stop=stop)
    finally:
        watching.set()
        asker.join()
    assert len(list(_seen(own).glob("began-*"))) == AT_ONCE
    assert not list(own.scratch.glob("attempt-*"))


@pytest.mark.docker
def test_each_runs_in_a_container_of_its_own(own: Settings) -> None:
    job = _job(dataclasses.replace(own, runner=Runner.DOCKER), MEETS)
    assert run_pack(job, 0, Launch("1")) == CHUNKS
    hosts = {number: text.split()[1] for number, text in _results(job).items()}
    assert len(set(hosts.values())) == AT_ONCE
    assert len({hosts[number] for number in range(AT_ONCE)}) == AT_ONCE
    assert not _containers(job)


@pytest.mark.docker
def test_an_engine_lost_under_one_ends_the_others_and_another_attempt_does_the_rest(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _job(dataclasses.replace(own, runner=Runner.DOCKER), MEETS)
    run = DockerSession.run

    def loses_one(self: DockerSession, unit: Unit) -> Usage:
        usage = run(self, unit)
        if unit.variables(Path())["CHUNK_NUMBER"] == "1":
            msg = "The engine was lost."
            raise ContainerError(msg)
        return usage

    with monkeypatch.context() as patched:
        patched.setattr(DockerSession, "run", loses_one)
        with pytest.raises(ContainerError, match="was lost"):
            run_pack(job, 0, Launch("1"))
    assert not _containers(job)
    before = _results(job)
    assert 1 not in before
    assert run_pack(job, 0, Launch("1", number=2)) == CHUNKS - len(before)
    after = _results(job)
    assert after == {**after, **before}  # What counted goes on counting.
    assert {number: text.split()[0] for number, text in after.items()} == {n: str(n) for n in range(CHUNKS)}


@pytest.mark.docker
def test_a_cacheable_one_runs_at_once_and_takes_all_from_the_cache_later(own: Settings) -> None:
    docker = dataclasses.replace(own, runner=Runner.DOCKER)
    template = _template(docker, TELLS, {"cacheable": True})
    first = _planned(docker, template, "first")
    assert run_pack(first, 0, Launch("1")) == CHUNKS
    hosts = set(_results(first).values())
    assert 1 < len(hosts) <= AT_ONCE
    second = _planned(docker, template, "second")
    run_pack(second, 0, Launch("1"))
    done = PackLog(second.workspace, second.plan, second.plan.packs[0]).read().done
    assert {each.cache for each in done.values()} == {"hit"}
    assert set(_results(second).values()) <= hosts


def _containers(job: PlannedJob) -> list[str]:
    """What the engine still has of this job, running or not."""
    label = f"label=triptych.run={job.run_id}"
    listed = subprocess.run(["docker", "ps", "-aq", "--filter", label], capture_output=True, text=True, check=True)
    return listed.stdout.split()
