"""One app of a few lines, run by the sessions of each runner."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import docker
import pytest

from tests.support.elsewhere import Elsewhere, running_elsewhere
from tests.support.include_folders import write_app
from triptych.blocks import Role
from triptych.running import Cache, RunSpec, Session, Unit, open_session, unit_folder
from triptych.settings import Runner, Settings, read_settings

APP = "tried-alone"
"""A name of its own: where an engine gets copies, the app's cache is a volume of this name."""
WAYS = ["tls", "ssh"]
"""To an engine elsewhere."""
CONNECTION = "elsewhere"
Connect = Callable[..., Settings]
RUNNERS = [
    "process",
    pytest.param("docker:bind", marks=pytest.mark.docker),
    pytest.param("docker:archive", marks=pytest.mark.docker),
]


@pytest.fixture
def engine() -> Iterator[Any]:
    client = docker.APIClient(version="auto")
    yield client
    client.close()


@pytest.fixture
def in_docker(settings: Settings) -> Settings:
    return dataclasses.replace(settings, runner=Runner.DOCKER)


@pytest.fixture(params=RUNNERS)
def runner(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Settings]:
    """The settings of each way to run a script."""
    name, _, files = request.param.partition(":")
    engine = request.getfixturevalue("engine") if files == "archive" else None
    yield dataclasses.replace(settings, runner=Runner(name), docker_files=files or "auto")
    if engine is not None:
        engine.remove_volume(f"triptych-cache-{APP}", force=True)


class Workbench:
    """Sessions of scripts, ended with the test; each in an attempt's folder of its own."""

    def __init__(self, root: Path, settings: Settings, stack: ExitStack) -> None:
        self.root, self.settings, self._stack = root, settings, stack
        self._made = 0

    def spec(self, script: str, entrypoint: str = "main.py", **more: Any) -> RunSpec:
        """The script as an app in a folder of its own; `manifest` is the app's, the rest RunSpec's."""
        self._made += 1
        root = self.root / f"attempt{self._made}"
        work = root / "work"
        work.mkdir(parents=True)
        manifest = more.pop("manifest", None)
        app = write_app(root / "include", script, name=APP, entrypoint=entrypoint, manifest=manifest).app
        labels = more.pop("labels", {"triptych.test": "running"})
        return RunSpec(app, work, Cache.of(self.settings.cache, app), labels, **more)

    def session(self, spec: RunSpec) -> Session:
        return self._stack.enter_context(open_session(spec, self.settings))

    @staticmethod
    def unit(spec: RunSpec, name: str = "0", log: BinaryIO | None = None, **env: str) -> Unit:
        folder = unit_folder(spec.work, name)
        (folder / "in" / "data.bin").write_bytes(b"")
        return Unit(Role.APP, folder, {}, env, log)


@pytest.fixture
def workbench(runner: Settings, tmp_path: Path) -> Iterator[Workbench]:
    """A workbench of each runner."""
    with ExitStack() as stack:
        yield Workbench(tmp_path, runner, stack)


@pytest.fixture(scope="package")
def elsewhere() -> Iterator[Elsewhere]:
    with running_elsewhere() as started:
        yield started


@pytest.fixture
def worker(elsewhere: Elsewhere) -> Iterator[Path]:
    """A folder of the worker's, on which the engine has another."""
    with tempfile.TemporaryDirectory(dir=elsewhere.home / "worker") as folder:
        yield Path(folder)


@pytest.fixture
def connect(elsewhere: Elsewhere, worker: Path, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Settings for a way to the engine, or to another URL, with a connection whose extra is changed so."""

    def connect(way: str, url: str | None = None, **changes: str | None) -> Settings:
        extra = {key: value for key, value in {**elsewhere.extra(way), **changes}.items() if value is not None}
        said = json.dumps({"conn_type": "docker" if way == "tls" else "ssh", "extra": extra})
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", said)
        chosen = {"docker_url": url or elsewhere.url(way), "docker_url_conn_id": CONNECTION}
        chosen |= {"scratch": str(worker / "s"), "cache": str(worker / "c"), "runner": Runner.DOCKER}
        return read_settings(chosen)

    return connect
