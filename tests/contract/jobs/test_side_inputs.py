"""Side inputs of whole jobs: what scripts and engines see of them, the same for every runner."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.command_line import command_line
from tests.support.include_folders import write_app
from tests.support.web_pages import Page, web_pages
from triptych.blocks import Template
from triptych.errors import EngineError, SourceError
from triptych.jobs.job import load_job, new_job
from triptych.jobs.spec import build_job_spec
from triptych.settings import PROJECT, Runner, Settings
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
# Modes alone would keep out whom a container runs as; not root, where the operator allows that.
for _, place, _, options, *_ in map(str.split, Path("/proc/self/mounts").read_text().splitlines()):
    if place.startswith(str(inputs)) and "ro" not in options.split(","):
        seen["mounted to write"] = place
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


WORDY = """
from triptych.engines import Chunk, resources

def partition(sources, params):
    (words,) = resources().side_input("words.txt")
    assert (words.name, words.path, words.size, words.index) == ("stop words.txt", "words.txt", 6, 0)
    assert [file.path for file in resources().inputs["index"]] == ["a.idx", "deep/empty", "deep/er/b ü #1.idx"]
    with words.open() as data:
        assert data.read() == b"".join(words.stream()) == words.local_path().read_bytes()
    for word in words.local_path().read_text().split():
        yield Chunk.of_bytes(word.encode(), name=word)
"""
ECHO = 'cat "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/$CHUNK_NAME"'


def _wordy(include: Path) -> Template:
    folder = include / "engines" / "wordy"
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "main.py").write_text(WORDY)
    about = {"name": "wordy", "version": "1.0", "type": "partitioner", "platform": "python"}
    (folder / "manifest.json").write_text(json.dumps(about))
    return write_app(include, ECHO, entrypoint="main.sh", template={"partitioner": "wordy"})


def test_a_python_engine_gets_sources(settings: Settings, tmp_path: Path, inputs: dict[str, Any]) -> None:
    template = _wordy(tmp_path / "include")
    done = _planned(settings, template, inputs)
    assert [path.name for path in _finished(settings, template, done)] == ["of", "the"]
    (listing,) = (tmp_path / "workspace" / template.id / "run" / "output").iterdir()
    told = {each["name"]: each for each in json.loads(listing.read_text())["inputs"]}
    digest = hashlib.sha256(b"the of").hexdigest()
    assert told["words.txt"] == {"name": "words.txt", "files": 1, "size": 6, "sha256": digest}
    assert (told["index"]["files"], told["index"]["size"]) == (3, 2)
    with pytest.raises(EngineError, match=r"has no side input 'words\.txt': name it in `inputs` of"):
        _planned(settings, template, {"index": inputs["index"]}, "without")


def test_the_plan_says_what_was_read(settings: Settings, tmp_path: Path, inputs: dict[str, Any]) -> None:
    done = _planned(settings, _wordy(tmp_path / "include"), inputs)
    index, words = sorted(done.plan.inputs, key=lambda side: side.name)
    assert words.digest == hashlib.sha256(b"the of").hexdigest()
    files = [(file.path, file.source.size, file.sha256) for file in index.files]
    assert files == sorted((name, len(text), hashlib.sha256(text.encode()).hexdigest()) for name, text in FILES.items())
    listed = subprocess.run(
        "LC_ALL=C sha256sum " + " ".join(shlex.quote(path) for path, _, _ in files) + " | sha256sum",
        shell=True,
        cwd=tmp_path / "index",
        capture_output=True,
        text=True,
        check=True,
    )
    assert index.digest == listed.stdout.split()[0]


def test_a_source_that_changed_meanwhile_fails_the_job_that_must_fetch_it(
    settings: Settings, tmp_path: Path, inputs: dict[str, Any]
) -> None:
    template = write_app(tmp_path / "include", ECHO, entrypoint="main.sh", template=REPLICAS)
    done = _planned(settings, template, inputs)
    (tmp_path / "stop words.txt").write_text("a an")
    elsewhere = dataclasses.replace(settings, cache=tmp_path / "other-worker")
    with pytest.raises(SourceError, match="changed"):
        _finished(elsewhere, template, done)
    assert [path.name for path in _finished(settings, template, done)] == ["replica_0", "replica_1"]


def test_a_large_reference_is_fetched_once_for_all_chunks(tmp_path: Path) -> None:
    """And not at all for the next job: it is known, by what its server says of it."""
    take = 'tail -c 9 "$INPUTS_DIR/reference" | cat - "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/out"'
    template = {"partitioner": "rows", "assembler": "concat", "inputs": {"reference": None}}
    write_app(tmp_path / "include", take, entrypoint="main.sh", template=template)
    lines = [f"line {number:03d}\n" for number in range(200)]
    (tmp_path / "lines.txt").write_text("".join(lines))
    env = {
        "AIRFLOW__TRIPTYCH__SCRATCH": str(tmp_path / "scratch"),
        "XDG_CACHE_HOME": str(tmp_path / "jobs"),
        "TRIPTYCH_INCLUDE": f"{tmp_path / 'include'}:{PROJECT / 'include'}",
    }
    with web_pages() as web, command_line(env, tmp_path) as triptych:
        web.pages["/reference.bin"] = Page(bytes(300_000_000 - 9) + b"telomere\n")
        launch = ["run", "tried", "--quiet", "--runner", "process", "--workers", "2", "--source", "lines.txt"]
        launch += ["--input", f"reference={web.url}/reference.bin"]
        launch += ["-p", "partitioner.items_per_chunk=1", "-p", "config.chunksPerTask=10"]
        for out, chunks, more in (("first", 200, []), ("second", 1, ["-p", "config.sample=1"])):
            ended = triptych(*launch, "--destination", out, *more)
            assert ended.code == 0, ended.text
            (made,) = [path for path in (tmp_path / out).iterdir() if path.is_file()]
            assert made.read_text() == "".join(f"telomere\n{line}" for line in lines[:chunks])
            whole = [asked for asked in web.ranges() if asked != "bytes=0-0"]
            assert len(whole) == (1 if out == "first" else 0)
