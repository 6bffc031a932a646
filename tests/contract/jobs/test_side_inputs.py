"""Side inputs of whole jobs: what scripts and engines see of them, the same for every runner."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.include_folders import write_app
from triptych.blocks import Template
from triptych.jobs.job import load_job, new_job
from triptych.jobs.spec import build_job_spec
from triptych.settings import Runner, Settings
from triptych.stages.assemble import assemble
from triptych.stages.partition import Partitioned, partition
from triptych.stages.run_pack import Launch, run_pack
from triptych.storage.paths import file_path, file_uri

RUNNERS = [
    "process",
    pytest.param("docker:bind", marks=pytest.mark.docker),
    pytest.param("docker:archive", marks=pytest.mark.docker),
]
REPLICAS: dict[str, Any] = {"partitioner": "replicate", "params": {"partitioner": {"replicas": 2}}}
READS = """
import json, os
from pathlib import Path

inputs = Path(os.environ["INPUTS_DIR"])
seen = {}
for path in sorted(inputs.rglob("*"), key=str) + sorted((inputs / "index").rglob("*"), key=str):
    if path.is_file():
        seen[str(path.relative_to(inputs))] = path.read_text()
    if json.loads(os.environ["APP_PARAMS"])["writes"]:
        try:
            (path / "new" if path.is_dir() else path).open("w")
            seen["written"] = str(path)
        except OSError:
            pass
Path(os.environ["TASK_RESULTS_DIR"], "seen.json").write_text(json.dumps(seen))
"""
FILES = {"a.idx": "1", "deep/er/b ü #1.idx": "2", "deep/empty": ""}


@pytest.fixture
def volumes() -> Iterator[Any]:
    """The engine, without what side inputs of these tests leave on it."""
    client = docker.APIClient(version="auto")
    before = {volume["Name"] for volume in client.volumes()["Volumes"] or ()}
    yield client
    for volume in client.volumes()["Volumes"] or ():
        if volume["Name"] not in before and volume["Name"].startswith("triptych-"):
            client.remove_volume(volume["Name"])
    client.close()


@pytest.fixture(params=RUNNERS)
def runner(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    name, _, files = request.param.partition(":")
    if files == "archive":
        request.getfixturevalue("volumes")
    return dataclasses.replace(settings, runner=Runner(name), docker_files=files or "auto", retries=0)


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Any]:
    """One file, called otherwise, and a folder."""
    (tmp_path / "stop words.txt").write_text("the of")
    for name, text in FILES.items():
        (tmp_path / "index" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "index" / name).write_text(text)
    return {"words.txt": file_uri(tmp_path / "stop words.txt"), "index": f"{file_uri(tmp_path / 'index')}/"}


def _planned(settings: Settings, template: Template, inputs: dict[str, Any], run_id: str = "run") -> Partitioned:
    spec = build_job_spec(template, {"inputs": inputs, "config": {"chunksPerTask": 2}})
    return partition(new_job(settings, template, spec, template.id, run_id))


def _finished(settings: Settings, template: Template, done: Partitioned, run_id: str = "run") -> list[Path]:
    """The files of the output, once all packs ran."""
    job = load_job(settings, template.id, run_id, done.ref)
    for pack in job.plan.packs:
        run_pack(job, pack.first, Launch("1"))
    return sorted(path for path in file_path(assemble(job).uri).iterdir() if path.is_file())


def test_a_script_finds_each_by_its_name_and_cannot_write(
    runner: Settings, tmp_path: Path, inputs: dict[str, Any]
) -> None:
    # Processes are isolated by nothing: who runs as root may write anywhere.
    writes = {"app": {"writes": runner.runner is Runner.DOCKER}}
    template = write_app(tmp_path / "include", READS, template={**REPLICAS, "params": {**REPLICAS["params"], **writes}})
    done = _planned(runner, template, inputs)
    seen = [json.loads(path.read_text()) for path in _finished(runner, template, done)]
    assert seen == [{"words.txt": "the of", **{f"index/{name}": text for name, text in FILES.items()}}] * 2
