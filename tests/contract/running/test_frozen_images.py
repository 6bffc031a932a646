"""A container is made from the image that its job began with, whatever that image's name means by now."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from docker.errors import ImageNotFound

from tests.contract.running.conftest import Workbench
from tests.support.images import shell_image
from tests.support.servers import LOGIN, PASSWORD, running_registry
from triptych.blocks import Block
from triptych.errors import ImageError
from triptych.running import checked_images
from triptych.settings import Settings

pytestmark = pytest.mark.docker
TELLS = 'read -r version </version; echo "$version" > "$TASK_RESULTS_DIR/version"'


class Images:
    """Makes images whose only difference is their version; all are gone in the end."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.made: list[str] = []

    def make(self, name: str, version: str) -> str:
        self.engine.import_image_from_data(shell_image({"version": version.encode()}), name, "1")
        self.made.append(str(self.engine.inspect_image(f"{name}:1")["Id"]))
        return self.made[-1]

    def push(self, name: str, version: str) -> str:
        made = self.make(name, version)
        login = {"username": LOGIN, "password": PASSWORD}
        assert "error" not in self.engine.push(name, "1", auth_config=login)
        return made

    def remove(self, image: str) -> None:
        with suppress(ImageNotFound):
            self.engine.remove_image(image, force=True)


@pytest.fixture
def images(engine: Any) -> Iterator[Images]:
    made = Images(engine)
    yield made
    for image in made.made:
        made.remove(image)


@pytest.fixture
def bench(in_docker: Settings, tmp_path: Path, images: Images) -> Iterator[Workbench]:
    """Its sessions end before the images go."""
    with ExitStack() as stack:
        yield Workbench(tmp_path, in_docker, stack)


def _digest(block: Block, settings: Settings) -> str | None:
    """What a job's plan would say of the block's image."""
    return checked_images({block.role: block}, settings, [])[block.role]


def _version(bench: Workbench, image: str, digest: str | None, **config: str) -> str:
    """What the container tells that is made from `digest`, or else from what the image is now."""
    manifest = {"platform_config": {"container": image, **config}}
    spec = bench.spec(TELLS, "main.sh", manifest=manifest, image_digest=digest)
    unit = bench.unit(spec)
    bench.session(spec).run(unit)
    return (unit.folder / "out" / "version").read_text().strip()


def test_a_tag_that_moves_in_mid_job_moves_no_job(images: Images, bench: Workbench) -> None:
    name = f"triptych-tests/frozen-{secrets.token_hex(4)}"
    block = bench.spec("", manifest={"platform_config": {"container": f"{name}:1"}}).block
    old = images.make(name, "old")
    digest = _digest(block, bench.settings)
    assert digest == old  # No registry gave it another name.
    assert images.make(name, "new") != old
    assert _version(bench, f"{name}:1", digest) == "old"
    assert _version(bench, f"{name}:1", None) == "new"


def test_an_image_that_only_another_engine_has_is_named_with_the_way_out(images: Images, bench: Workbench) -> None:
    name = f"triptych-tests/frozen-{secrets.token_hex(4)}"
    images.make(name, "new")
    gone = f"sha256:{'0' * 64}"
    with pytest.raises(ImageError, match=rf"began with {gone}, which '{name}:1' was then.*push the image") as caught:
        _version(bench, f"{name}:1", gone)
    assert not caught.value.retryable


def test_a_digest_of_a_registry_is_pulled_though_its_tag_is_another(
    images: Images, bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("docker-registry") is None or shutil.which("htpasswd") is None:
        pytest.skip("no `docker-registry` and `htpasswd`: apt-get install docker-registry apache2-utils")
    with running_registry(tmp_path) as host:
        image = f"{host}/team/shell"
        connection = {"conn_type": "docker", "host": host, "login": LOGIN, "password": PASSWORD}
        monkeypatch.setenv("AIRFLOW_CONN_REGISTRY", json.dumps(connection))
        manifest = {"platform_config": {"container": f"{image}:1", "docker_conn_id": "registry"}}
        old = images.push(image, "old")
        digest = _digest(bench.spec("", manifest=manifest).block, bench.settings)
        assert digest is not None
        assert digest.startswith(f"{image}@sha256:")
        images.push(image, "new")
        images.remove(old)
        with pytest.raises(ImageNotFound):
            images.engine.inspect_image(digest)
        assert _version(bench, f"{image}:1", digest, docker_conn_id="registry") == "old"
        missing = f"{image}@sha256:{'0' * 64}"
        with pytest.raises(ImageError, match=rf"(?s)began with {missing}, .*cannot be pulled.*begin a new job"):
            _version(bench, f"{image}:1", missing, docker_conn_id="registry")
