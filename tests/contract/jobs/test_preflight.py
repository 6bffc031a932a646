"""What ends a job is known before any data moves, said once, and not tried again: on a real engine and registry."""

from __future__ import annotations

import dataclasses
import io
import platform
import re
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.command import call
from tests.support.include_folders import write_app
from tests.support.servers import LOGIN, PASSWORD, running_registry
from triptych.blocks import Block, Role
from triptych.errors import CapacityError, ImageError, StorageAccessError
from triptych.jobs.job import load_job, new_job
from triptych.jobs.plan import newest_plan
from triptych.jobs.spec import build_job_spec
from triptych.running import Cache, RunSpec, checked_images, open_session
from triptych.settings import Runner, Settings
from triptych.stages.assemble import assemble
from triptych.stages.partition import partition
from triptych.stages.preflight.machines import check_seen_elsewhere
from triptych.stages.run_pack import Launch, run_pack
from triptych.storage import Stores

REPLICAS = {"partitioner": "replicate", "params": {"partitioner": {"replicas": 3}}, "config": {"chunksPerTask": 1}}
RUN = ("run", "tried", "-d", "out", "--runner")


@pytest.fixture
def engine() -> Iterator[Any]:
    client = docker.APIClient(version="auto")
    yield client
    client.close()


def _nothing_moved(home: Path) -> bool:
    """Whether no job, chunk, result or output was stored anywhere."""
    kept = [path for path in (home.parent / "cache").rglob("*") if path.is_file() and path.name != "probe"]
    return not kept and not (home / "out").exists()


@pytest.mark.docker
@pytest.mark.parametrize(
    ("needs", "words"),
    [
        ({"min_cpu": 1000}, "needs 1000 cores, and has {cores}"),
        ({"min_memory": 65536}, "needs 65536 GiB of memory, and has {memory:.1f}"),
        ({"min_cpu": 1000, "gpu": 1}, "needs 1000 cores, and has {cores}; a GPU"),
        ({"gpu": 1}, "needs a GPU, and has none"),
        ({"gpu": ["GPU-1"]}, "needs a GPU, and has none"),
        (
            {"gpu": ["NVIDIA L4", "A100"]},
            "needs a GPU of NVIDIA L4 or A100, and {host} cannot be asked which it has (NVML",
        ),
    ],
)
def test_an_engine_that_is_too_small_is_told_once_before_data_moves(
    home: Path, engine: Any, needs: dict[str, Any], words: str
) -> None:
    info = engine.info()
    if "gpu" in needs and ("nvidia" in info["Runtimes"] or info.get("DiscoveredDevices")):
        pytest.skip("this engine has GPUs")
    write_app(home / "include", "", manifest={"device_requirements": needs}, template=REPLICAS)
    shown = call(*RUN, "docker")
    assert shown.exit_code == 9
    told = words.format(cores=info["NCPU"], memory=info["MemTotal"] / 2**30, host=platform.node())
    assert shown.stderr.count(told) == 1
    assert len(shown.stderr.splitlines()) == 1
    assert _nothing_moved(home)


@pytest.mark.docker
def test_what_the_engine_has_just_so_is_enough(home: Path, engine: Any) -> None:
    info = engine.info()
    # As a machine is sold: its kernel keeps some of it.
    needs = {"min_cpu": info["NCPU"], "min_memory": info["MemTotal"] / 2**30 / 0.95}
    write_app(home / "include", "", manifest={"device_requirements": needs}, template=REPLICAS)
    shown = call(*RUN, "docker")
    assert shown.exit_code == 0, shown.stderr


@pytest.mark.docker
def test_on_many_machines_the_pack_that_finds_it_ends_at_once(settings: Settings, engine: Any, tmp_path: Path) -> None:
    many = dataclasses.replace(settings, runner=Runner.DOCKER, one_machine=False)
    app = write_app(tmp_path, "", manifest={"device_requirements": {"min_cpu": 1000}}, template=REPLICAS).app
    assert checked_images({Role.APP: app}, many, here=(Role.PARTITIONER,))[Role.APP]
    spec = RunSpec(app, tmp_path / "work", Cache.of(many.cache, app), {})
    with pytest.raises(CapacityError, match="needs 1000 cores") as caught, open_session(spec, many):
        pytest.fail("A session was opened.")
    assert not caught.value.retryable
    assert engine.containers(all=True, filters={"label": "triptych.block=tried@1.0"}) == []


@pytest.mark.docker
def test_an_image_is_known_by_the_registry_and_not_pulled(settings: Settings, engine: Any, tmp_path: Path) -> None:
    if shutil.which("docker-registry") is None or shutil.which("htpasswd") is None:
        pytest.skip("no `docker-registry` and `htpasswd`: apt-get install docker-registry apache2-utils")
    in_docker = dataclasses.replace(settings, runner=Runner.DOCKER)
    with running_registry(tmp_path) as host, pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "AIRFLOW_CONN_REGISTRY", f'{{"conn_type": "docker", "login": "{LOGIN}", "password": "{PASSWORD}"}}'
        )
        repository = f"{host}/team/empty"
        data = io.BytesIO()
        tarfile.open(fileobj=data, mode="w").close()
        engine.import_image_from_data(data.getvalue(), repository, "1")
        login = {"username": LOGIN, "password": PASSWORD}
        pushed = list(engine.push(repository, "1", auth_config=login, stream=True, decode=True))
        engine.remove_image(f"{repository}:1")
        digest = next(line["aux"]["Digest"] for line in pushed if "aux" in line)
        block = Block(Role.APP, "far", "1.0", tmp_path, image=f"{repository}:1", docker_conn_id="registry")
        assert checked_images({Role.APP: block}, in_docker, here=()) == {Role.APP: f"{repository}@{digest}"}
        for name, login_id in ((f"{repository}:2", "registry"), (f"{repository}:1", None)):
            missing = dataclasses.replace(block, image=name, docker_conn_id=login_id)
            with pytest.raises(ImageError, match=f"the image '{name}' of far@1.0 is not on this engine") as caught:
                checked_images({Role.APP: missing}, in_docker, here=())
            assert not caught.value.retryable
        assert not [tag for image in engine.images() for tag in image["RepoTags"] or () if tag.startswith(host)]


@pytest.mark.docker
def test_a_missing_image_is_told_once_before_data_moves(home: Path) -> None:
    image = {"platform_config": {"container": "127.0.0.1:9/triptych/none:1"}}
    write_app(home / "include", "", manifest=image, template=REPLICAS)
    shown = call(*RUN, "docker")
    assert shown.exit_code == 9
    assert "127.0.0.1:9/triptych/none:1" in shown.stderr
    assert len(shown.stderr.splitlines()) == 1
    assert _nothing_moved(home)


@pytest.mark.parametrize(
    ("destination", "code", "words"),
    [
        ("ftp://host/out/", 6, "dataDestination ftp://host/out/: .*'ftp' is not supported"),
        ("file", 6, "dataDestination file:.*/file/: cannot be written to"),
        ("include/", 4, "dataDestination .*include/ lies inside dataSource"),
    ],
)
def test_a_bad_destination_is_told_before_data_moves(home: Path, destination: str, code: int, words: str) -> None:
    write_app(home / "include", "", template=REPLICAS)
    (home / "file").touch()
    source = ["-s", f"{home}/"] if destination == "include/" else []
    shown = call("run", "tried", "--runner", "process", "-d", destination, *source)
    assert shown.exit_code == code
    assert re.search(words, shown.stderr)
    assert "chunk(s)" not in shown.stderr
    assert _nothing_moved(home)


def test_parameters_that_no_process_can_be_given_are_refused(home: Path) -> None:
    write_app(home / "include", 'echo "$APP_PARAMS" > "$TASK_RESULTS_DIR/r"', entrypoint="main.sh", template=REPLICAS)
    (home / "params.json").write_text('{"app": {"mask": "' + "é" * 70_000 + '"}}')
    shown = call(*RUN, "process", "--params", "params.json")
    assert shown.exit_code == 4
    assert "params.app: are 140,012 bytes as JSON, most of it `mask`" in shown.stderr
    assert _nothing_moved(home)
    (home / "params.json").write_text('{"app": {"mask": "' + "é" * 65_490 + '"}}')
    done = call(*RUN, "process", "--params", "params.json")
    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize("where", ["workspace", "destination"])
def test_a_folder_that_only_one_machine_has_seen_is_told_before_data_moves(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Once another has, the same job goes well; but not on a machine where that folder is another."""
    shared = tmp_path / "data"
    shared.mkdir()
    many = dataclasses.replace(settings, one_machine=False, allowed_roots=(shared,), cache=tmp_path / "w1")
    other = dataclasses.replace(many, cache=tmp_path / "w2")
    conf: dict[str, Any] = {}
    if where == "destination":
        many, other = (dataclasses.replace(each, workspace=f"{shared.as_uri()}-w") for each in (many, other))
        conf = {"dataDestination": {"uri": f"{shared.as_uri()}/out/"}}
    template = write_app(tmp_path / "include", "", template=REPLICAS)
    job = new_job(many, template, build_job_spec(template, conf), template.id, "run")
    if where == "destination":
        _look_around(other, job.workspace.root, monkeypatch)
    monkeypatch.setattr(platform, "node", lambda: "w1")
    with pytest.raises(StorageAccessError, match="no other machine than w1 has been seen there"):
        partition(job)
    assert newest_plan(job.workspace) is None
    assert not list(tmp_path.rglob("chunks"))
    root = job.workspace.root if where == "workspace" else conf["dataDestination"]["uri"]
    _look_around(other, root, monkeypatch)
    planned = load_job(many, template.id, "run", partition(job).ref)
    for number, _ in enumerate(planned.plan.packs):
        run_pack(planned, number, Launch("1"))
    marks = list(tmp_path.rglob("*.mark"))
    for mark in marks:
        mark.rename(mark.with_suffix(".away"))
    with pytest.raises(StorageAccessError, match="no other machine than w1 has been seen there"):
        assemble(planned)
    for mark in marks:
        mark.with_suffix(".away").rename(mark)
    assert assemble(planned).chunks == 3


def _look_around(settings: Settings, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the machine w2, which finds nobody."""
    monkeypatch.setattr(platform, "node", lambda: "w2")
    stores = Stores(settings)
    store = stores.workspace() if uri.startswith(settings.workspace) else stores.open(uri)
    with suppress(StorageAccessError):
        check_seen_elsewhere(settings, store, uri)
    monkeypatch.setattr(platform, "node", lambda: "w1")
