"""Images: missing ones, private ones, and one that holds nothing but a shell."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.images import shell_image
from tests.support.include_folders import write_app
from tests.support.servers import LOGIN, PASSWORD, running_registry
from triptych.blocks import Template
from triptych.errors import ImageError, ManifestError
from triptych.jobs.job import load_job, new_job
from triptych.jobs.spec import build_job_spec
from triptych.settings import Runner, Settings
from triptych.stages.assemble import assemble
from triptych.stages.partition import partition
from triptych.stages.run_pack import Launch, run_pack

pytestmark = pytest.mark.docker
SMALL = "triptych-tests/shell:1"
UPPER = 'while read -r line; do echo "<$line>"; done < "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/output.txt"'


@pytest.fixture
def engine() -> Iterator[Any]:
    client = docker.APIClient(version="auto")
    yield client
    client.close()


@pytest.fixture
def small(engine: Any) -> Iterator[str]:
    """An image with one static program, linked to /bin/sh."""
    engine.import_image_from_data(shell_image(), *SMALL.split(":"))
    yield SMALL
    engine.remove_image(SMALL, force=True)


@pytest.fixture
def in_docker(settings: Settings) -> Settings:
    return dataclasses.replace(settings, runner=Runner.DOCKER)


def _run(settings: Settings, template: Template, tmp_path: Path) -> str:
    source = tmp_path / "source.txt"
    source.write_text("a line\n")
    spec = build_job_spec(template, {"dataSource": source.as_uri()})
    done = partition(new_job(settings, template, spec, template.id, "run"))
    job = load_job(settings, template.id, "run", done.ref)
    run_pack(job, 0, Launch("1"))
    return Path(assemble(job).uri.removeprefix("file://"), "output.txt").read_text()


def test_an_image_with_nothing_but_a_shell_is_enough(in_docker: Settings, small: str, tmp_path: Path) -> None:
    image = {"platform_config": {"container": small}}
    assert _run(in_docker, write_app(tmp_path, UPPER, entrypoint="main.sh", manifest=image), tmp_path) == "<a line>\n"


def test_a_missing_image_is_named_and_no_retry_helps(in_docker: Settings, tmp_path: Path) -> None:
    template = write_app(tmp_path, "", manifest={"platform_config": {"container": "triptych/none:1"}})
    with pytest.raises(ImageError, match="triptych/none:1") as caught:
        _run(in_docker, template, tmp_path)
    assert not caught.value.retryable


def test_a_registry_without_its_connection_is_one_sentence(in_docker: Settings, tmp_path: Path) -> None:
    private = {"container": "triptych/none:1", "docker_conn_id": "nobody_made_this"}
    template = write_app(tmp_path, "", manifest={"platform_config": private})
    with pytest.raises(ManifestError, match=r"tried@1.0 has no .*`airflow connections add nobody_made_this"):
        _run(in_docker, template, tmp_path)


def test_a_private_image_is_pulled_with_a_connection(
    in_docker: Settings, small: str, engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("docker-registry") is None or shutil.which("htpasswd") is None:
        pytest.skip("no `docker-registry` and `htpasswd`: apt-get install docker-registry apache2-utils")
    with running_registry(tmp_path) as host:
        image = f"{host}/team/shell:1"
        engine.tag(small, f"{host}/team/shell", "1")
        login = {"username": LOGIN, "password": PASSWORD}
        assert "error" not in engine.push(f"{host}/team/shell", "1", auth_config=login)
        engine.remove_image(image)
        manifest = {"platform_config": {"container": image}}
        with pytest.raises(ImageError, match="docker_conn_id"):
            _run(in_docker, write_app(tmp_path / "open", UPPER, entrypoint="main.sh", manifest=manifest), tmp_path)
        connection = {"conn_type": "docker", "host": host, "login": LOGIN, "password": PASSWORD}
        monkeypatch.setenv("AIRFLOW_CONN_REGISTRY", json.dumps(connection))
        manifest["platform_config"]["docker_conn_id"] = "registry"
        own = write_app(tmp_path / "own", UPPER, entrypoint="main.sh", manifest=manifest)
        try:
            assert _run(in_docker, own, tmp_path) == "<a line>\n"
        finally:
            # It has no tag: it was pulled by the digest that the job began with.
            for pulled in engine.images(f"{host}/team/shell"):
                for name in (name for name in pulled["RepoDigests"] if name.startswith(host)):
                    engine.remove_image(name, force=True)
        written = b"".join(path.read_bytes() for path in (tmp_path / "workspace").rglob("*") if path.is_file())
        assert PASSWORD.encode() not in written
