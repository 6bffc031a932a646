"""Whole jobs over the stages, the same for every runner."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import docker
import pytest

from tests.support.include_folders import JOINED, WORDS, write_app, write_engine
from triptych.blocks import Template
from triptych.errors import ChunkError, SourceError, TriptychError
from triptych.jobs.job import PlannedJob, load_job, new_job
from triptych.jobs.pack_log import Attempted, read_states
from triptych.jobs.spec import build_job_spec
from triptych.settings import PROJECT, Runner, Settings
from triptych.stages.assemble import Outcome, assemble
from triptych.stages.partition import partition
from triptych.stages.run_pack import Launch, run_pack

RUNNERS = [
    "process",
    pytest.param("docker:bind", marks=pytest.mark.docker),
    pytest.param("docker:archive", marks=pytest.mark.docker),
]
UPPER = """
import os
from pathlib import Path
text = Path(os.environ["TASK_DIR"], "data.bin").read_text()
Path(os.environ["TASK_RESULTS_DIR"], "output.txt").write_text(text.upper())
"""
LINES = {
    "partitioner": "rows",
    "assembler": "concat",
    "params": {"partitioner": {"items_per_chunk": 1, "format": "lines"}},
}
REPLICAS = {"partitioner": "replicate", "params": {"partitioner": {"replicas": 3}}}


@pytest.fixture
def cache_volume() -> Iterator[None]:
    """Where an engine that gets copies keeps the app's cache; it outlives jobs, but not the test."""
    yield
    client = docker.APIClient(version="auto")
    client.remove_volume("triptych-cache-tried")
    client.close()


@pytest.fixture(params=RUNNERS)
def runner(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    name, _, files = request.param.partition(":")
    if files == "archive":
        request.getfixturevalue("cache_volume")
    return dataclasses.replace(settings, runner=Runner(name), docker_files=files or "auto")


def _start(settings: Settings, template: Template, conf: Mapping[str, Any]) -> PlannedJob:
    """The job once it is planned, without tries after the first unless `conf` says so."""
    once = {"chunksPerTask": 100, **conf.get("config", {})}
    spec = build_job_spec(template, {**conf, "config": once})
    done = partition(new_job(settings, template, spec, template.id, "run"))
    return load_job(dataclasses.replace(settings, retries=0), template.id, "run", done.ref)


def _run(settings: Settings, template: Template, conf: Mapping[str, Any]) -> Outcome:
    job = _start(settings, template, conf)
    for pack in job.plan.packs:
        run_pack(job, pack.first, Launch("1"))
    return assemble(job)


def _done(job: PlannedJob) -> dict[int, Attempted]:
    """What counts of each chunk, by its number."""
    states = read_states(job.workspace, job.plan).values()
    return {number: tried for _, state in states for number, tried in state.done.items()}


def _text(tmp_path: Path, text: str) -> str:
    path = tmp_path / "a name with späces.txt"
    path.write_text(text)
    return path.as_uri()


def _nothing_left(settings: Settings) -> None:
    assert list(settings.scratch.glob("*")) == []
    if settings.runner is Runner.DOCKER:
        client = docker.APIClient(version="auto")
        assert client.containers(all=True, filters={"label": ["triptych.dag=tried", "triptych.run=run"]}) == []
        client.close()


def test_a_job_from_source_to_destination(runner: Settings, tmp_path: Path) -> None:
    template = write_app(tmp_path, UPPER, template=LINES)
    conf = {"dataSource": _text(tmp_path, "one\ntwo\nthree"), "dataDestination": (tmp_path / "out").as_uri()}
    outcome = _run(runner, template, conf)
    assert (tmp_path / "out" / "output.txt").read_text() == "ONE\nTWO\nTHREE"
    listing = json.loads((tmp_path / "out" / "_triptych" / "tried" / "run.json").read_text())
    assert outcome.chunks == listing["chunks"] == 3
    _nothing_left(runner)


def test_function_style_and_its_own_output_path(runner: Settings, tmp_path: Path) -> None:
    script = """
import os
OUTPUT_PATH = "mine"
def run(basepath, params):
    os.makedirs(os.path.join(basepath, OUTPUT_PATH))
    with open(os.path.join(basepath, "data.bin")) as data, open(os.path.join(basepath, OUTPUT_PATH, "r"), "w") as out:
        out.write(data.read()[::-1] + params["mark"])
"""
    conf = {"dataSource": _text(tmp_path, "abc"), "params": {"app": {"mark": "'!\""}}}
    outcome = _run(runner, write_app(tmp_path, script), conf)
    assert Path(outcome.uri.removeprefix("file://"), "r").read_text() == "cba'!\""


def test_a_shell_script_knows_its_chunk_and_equal_names_do_not_collide(runner: Settings, tmp_path: Path) -> None:
    script = 'echo "$CHUNK_NUMBER of $CHUNK_COUNT: $(wc -c < "$TASK_DIR/data.bin")" > "$TASK_RESULTS_DIR/r.txt"'
    template = write_app(tmp_path, script, entrypoint="main.sh", template=REPLICAS)
    outcome = _run(runner, template, {"config": {"chunksPerTask": 3}})
    folder = Path(outcome.uri.removeprefix("file://"))
    found = {path.name: path.read_text().split() for path in folder.glob("*.txt")}
    assert found == {f"00000{n}_r.txt": [str(n), "of", "3:", "0"] for n in range(3)}


def test_a_failed_chunk_is_told_and_only_it_runs_again(runner: Settings, tmp_path: Path) -> None:
    (tmp_path / "apps").mkdir()
    script = """
import os, sys
print("about to fail")
if os.environ["CHUNK_NUMBER"] == "1":
    sys.exit(3)
open(os.path.join(os.environ["TASK_RESULTS_DIR"], "r"), "w").write("x")
"""
    template = write_app(tmp_path, script, template=REPLICAS)
    job = _start(runner, template, {})
    with pytest.raises(ChunkError, match=r"Chunk 1 .*exit code 3(?s:.*)about to fail"):
        run_pack(job, 0, Launch("1"))
    before = _done(job)
    assert sorted(before) == [0, 2]
    with pytest.raises(ChunkError, match="1 of 3 chunks have no result"):
        assemble(job)
    again: list[int] = []
    with pytest.raises(ChunkError):
        run_pack(job, 0, Launch("2"), lambda outcome: again.append(outcome.number))
    assert again == [1]
    assert before == _done(job)
    _nothing_left(runner)


def test_tolerated_failures_are_listed(runner: Settings, tmp_path: Path) -> None:
    script = 'test "$CHUNK_NUMBER" != 2 && echo x > "$TASK_RESULTS_DIR/r.txt"'
    template = write_app(tmp_path, script, entrypoint="main.sh", template=REPLICAS)
    job = _start(runner, template, {"config": {"toleratedFailurePercentage": 34}})
    with pytest.raises(ChunkError):
        run_pack(job, 0, Launch("1"))
    assert assemble(job).failed == [2]


def test_a_timeout_ends_the_chunk_and_not_the_next(runner: Settings, tmp_path: Path) -> None:
    script = """
import os, threading
if os.environ["CHUNK_NUMBER"] == "0":
    threading.Event().wait()
"""
    template = write_app(tmp_path, script, template=REPLICAS)
    job = _start(runner, template, {"config": {"taskTimeout": 3}})
    with pytest.raises(ChunkError, match=r"1 of 3 chunk(?s:.*)longer than its timeout of 3 s"):
        run_pack(job, 0, Launch("1"))
    assert sorted(_done(job)) == [1, 2]
    _nothing_left(runner)


@pytest.mark.parametrize("target", ["/etc/passwd", "/etc"])
def test_a_link_is_refused(runner: Settings, tmp_path: Path, target: str) -> None:
    template = write_app(tmp_path, f'ln -s {target} "$TASK_RESULTS_DIR/r"', entrypoint="main.sh")
    job = _start(runner, template, {"dataSource": _text(tmp_path, "x")})
    with pytest.raises(ChunkError, match="'r' is a link"):
        run_pack(job, 0, Launch("1"))


def test_5000_files_and_none(runner: Settings, tmp_path: Path) -> None:
    script = """
import os
if os.environ["CHUNK_NUMBER"] == "0":
    for number in range(5000):
        open(os.path.join(os.environ["TASK_RESULTS_DIR"], str(number)), "w").close()
"""
    outcome = _run(runner, write_app(tmp_path, script, template=REPLICAS), {})
    assert outcome.files == 5000


def test_of_two_attempts_at_one_chunk_exactly_one_counts(runner: Settings, tmp_path: Path) -> None:
    # Each attempt leaves its name in the shared cache and ends when both have.
    script = """
import os, secrets, threading
from pathlib import Path
folder = Path(os.environ["USER_CACHE_DIR"], "FOLDER")
folder.mkdir(exist_ok=True)
name = secrets.token_hex(4)
(folder / name).touch()
while len(list(folder.iterdir())) < 2:
    threading.Event().wait(0.01)
Path(os.environ["TASK_RESULTS_DIR"], "r.txt").write_text(name)
"""
    template = write_app(tmp_path, script.replace("FOLDER", tmp_path.name))
    job = _start(runner, template, {"dataSource": _text(tmp_path, "x")})
    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(run_pack, job, 0, Launch("1")) for _ in range(2)]
        assert [future.result() for future in done] == [1, 1]
    written = {path.name: path.read_text() for path in (tmp_path / "workspace").rglob("results/0/0-1/*")}
    assert len(written) == 2  # No attempt deletes results, not even the loser its own.
    (file,) = _done(job)[0].files
    output = Path(unquote(urlsplit(assemble(job).uri).path))
    assert [path.read_text() for path in output.glob("*.txt")] == [written[file.object.rpartition("/")[2]]]
    _nothing_left(runner)


def test_a_changed_source_is_noticed(settings: Settings, tmp_path: Path) -> None:
    source = _text(tmp_path, "one\n")
    job = _start(settings, write_app(tmp_path, UPPER, template=LINES), {"dataSource": source})
    _text(tmp_path, "two\n")
    with pytest.raises(ChunkError, match="changed after the job started"):
        run_pack(job, 0, Launch("1"))


@pytest.mark.parametrize("source", ["missing.csv", "empty/", "*.none"])
def test_a_missing_source_is_named(settings: Settings, tmp_path: Path, source: str) -> None:
    template = write_app(tmp_path, UPPER)
    with pytest.raises(SourceError, match="dataSource"):
        _start(settings, template, {"dataSource": f"{tmp_path.as_uri()}/{source}"})


def test_files_outside_the_roots_are_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(TriptychError, match="ALLOWED_ROOTS"):
        _start(settings, write_app(tmp_path, UPPER), {"dataSource": "file:///etc/passwd"})


@pytest.mark.docker
def test_out_of_memory_is_told_with_its_limit(settings: Settings, tmp_path: Path) -> None:
    script = "print('growing', flush=True); x = bytearray(400 * 2**20); print(len(x))"
    template = write_app(tmp_path, script, manifest={"deviceRequirements": {"minMemory": 0.0625}})
    job = _start(dataclasses.replace(settings, runner=Runner.DOCKER), template, {"dataSource": _text(tmp_path, "x")})
    with pytest.raises(ChunkError, match=r"ran out of memory: it went beyond its limit of 0.0625 GiB"):
        run_pack(job, 0, Launch("1"))


@pytest.mark.docker
def test_a_killed_child_is_out_of_memory_too(settings: Settings, tmp_path: Path) -> None:
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'x = bytearray(400 * 2**20)'])"
    template = write_app(tmp_path, script, manifest={"deviceRequirements": {"minMemory": 0.0625}})
    job = _start(dataclasses.replace(settings, runner=Runner.DOCKER), template, {"dataSource": _text(tmp_path, "x")})
    with pytest.raises(ChunkError, match="ran out of memory"):
        run_pack(job, 0, Launch("1"))


@pytest.mark.docker
def test_container_engines_cut_and_join(settings: Settings, tmp_path: Path) -> None:
    write_engine(tmp_path, "partitioner", WORDS)
    write_engine(tmp_path, "assembler", JOINED)
    template = write_app(tmp_path, UPPER, template={"partitioner": "mine", "assembler": "mine"})
    words = [f"w{n}" for n in range(12)]
    conf = {"dataSource": _text(tmp_path, " ".join(words)), "config": {"chunksPerTask": 12}}
    outcome = _run(dataclasses.replace(settings, runner=Runner.DOCKER), template, conf)
    assert Path(outcome.uri.removeprefix("file://"), "joined").read_text() == "".join(words).upper()


def test_sources_are_taken_in_order_of_their_names(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "sources"
    for name in ["é", "b/2", "b/10", "a", "b 1", "b-1"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    job = _start(settings, write_app(tmp_path, UPPER), {"dataSource": f"{folder.as_uri()}/"})
    assert [entry.name for entry in job.workspace.chunks(job.plan.chunk_list)] == ["a", "b 1", "b-1", "10", "2", "é"]


def test_the_own_cache_outlives_a_chunk_and_the_shared_one_is_read_only(runner: Settings, tmp_path: Path) -> None:
    script = """
import os
from pathlib import Path
seen = Path(os.environ["USER_CACHE_DIR"], "seen-JOB")
seen.write_text(seen.read_text() + "x" if seen.exists() else "x")
try:
    Path(os.environ["SHARED_CACHE_DIR"], "mine").write_text("x")
    shared = "written"
except OSError:
    shared = "refused"
Path(os.environ["TASK_RESULTS_DIR"], "r.txt").write_text(f"{seen.read_text()} {shared}")
"""
    template = write_app(tmp_path, script.replace("JOB", tmp_path.name), template=REPLICAS)
    outcome = _run(runner, template, {"config": {"chunksPerTask": 3}})
    folder = Path(outcome.uri.removeprefix("file://"))
    # Only a container can keep a script from writing.
    shared = "written" if runner.runner is Runner.PROCESS else "refused"
    assert [path.read_text() for path in sorted(folder.glob("*.txt"))] == [f"{'x' * n} {shared}" for n in (1, 2, 3)]


def test_a_result_too_large_to_be_packed_reaches_a_folder(settings: Settings, tmp_path: Path) -> None:
    """The file system copies it out of a workspace that is closed to the destination by name."""
    template = write_app(tmp_path, 'cp "$TASK_DIR/data.bin" "$TASK_RESULTS_DIR/r"', entrypoint="main.sh")
    data = random.Random(5).randbytes(settings.part_bytes + 1)
    (tmp_path / "large").write_bytes(data)
    places = {"dataSource": (tmp_path / "large").as_uri(), "dataDestination": (tmp_path / "out").as_uri()}
    _run(settings, template, places)
    assert (tmp_path / "out" / "r").read_bytes() == data


@pytest.mark.docker
@pytest.mark.usefixtures("cache_volume")
def test_an_engine_that_does_not_see_our_files_gets_copies(tmp_path: Path) -> None:
    write_app(tmp_path, UPPER)
    source = tmp_path / "source.txt"
    source.write_text("over there")
    (tmp_path / "scratch").mkdir()
    # A mount in a namespace of our own: a folder that the engine's processes have not.
    hidden = f"mount -t tmpfs none {tmp_path}/scratch && exec {sys.executable} -m triptych run tried"
    arguments = ["--source", str(source), "--destination", str(tmp_path / "out"), "--include", str(tmp_path), "-v"]
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", f'{hidden} "$@"', "sh", *arguments],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "plugins"), "AIRFLOW__TRIPTYCH__SCRATCH": f"{tmp_path}/scratch"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "does not share our files" in done.stdout + done.stderr
    assert (tmp_path / "out" / "output.txt").read_text() == "OVER THERE"
